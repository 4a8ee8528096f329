//! Names to addresses: literals at once, others by a helper thread, remembered for a while.
//!
//! The C library's resolver cannot be interrupted, so it runs in a thread of its own, at most one
//! a client, and whoever waits for it keeps the deadline.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::wire::{Fault, Phase, TICK, Wire};
use crate::error::Status;
use crate::sys;

/// Which addresses may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 and IPv6.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    fn takes(self, address: &SocketAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        }
    }
}

/// The addresses of the one host that a client talks to.
#[derive(Debug)]
pub struct Names {
    host: String,
    port: u16,
    family: Family,
    ttl: Duration,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    known: Option<(Arc<[SocketAddr]>, Instant)>,
    looking: bool,
    /// How many look-ups have ended, and how the last one failed if it did.
    ended: u64,
    failure: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    /// Names for this host and port; looks nothing up.
    pub fn new(host: &str, port: u16, family: Family, ttl: Duration) -> Names {
        let shared = Arc::default();
        Names { host: host.to_owned(), port, family, ttl, shared }
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host's addresses of the family allowed.
    ///
    /// # Errors
    /// A fault when the name is not known, the time is over or the call is cancelled.
    pub fn addresses(&self, wire: &Wire) -> Result<Arc<[SocketAddr]>, Fault> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            let address = SocketAddr::new(ip, self.port);
            if !self.family.takes(&address) {
                return Err(Fault::new(
                    Status::Resolve,
                    format!("{ip} is not of the family that ipFamily allows"),
                ));
            }
            return Ok(Arc::from([address]));
        }
        wire.enter(Phase::Resolving);
        let mut state = self.shared.lock();
        if let Some((addresses, since)) = &state.known {
            if since.elapsed() < self.ttl {
                return Ok(addresses.clone());
            }
        }
        let before = state.ended;
        if !state.looking {
            self.start_looking(&mut state)?;
        }
        while state.ended == before {
            let left = wire.left()?.min(TICK);
            let woken = self.shared.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        match (&state.known, &state.failure) {
            (Some((addresses, _)), None) => Ok(addresses.clone()),
            (_, failure) => Err(Fault::new(
                Status::Resolve,
                format!(
                    "the name {} could not be resolved: {}; check baseUrl and this machine's DNS",
                    self.host,
                    failure.as_deref().unwrap_or("no address"),
                ),
            )),
        }
    }

    /// Forgets what is known, after it proved useless.
    pub fn forget(&self) {
        self.shared.lock().known = None;
    }

    fn start_looking(&self, state: &mut State) -> Result<(), Fault> {
        let (host, port, family) = (self.host.clone(), self.port, self.family);
        let shared = self.shared.clone();
        let work = move || {
            let found = (host.as_str(), port).to_socket_addrs();
            let mut state = shared.lock();
            state.looking = false;
            state.ended += 1;
            state.failure = None;
            match found {
                Ok(all) => {
                    let usable: Vec<_> = all.filter(|a| family.takes(a)).collect();
                    if usable.is_empty() {
                        state.failure = Some("it has no address of the family allowed".into());
                    } else {
                        state.known = Some((usable.into(), Instant::now()));
                    }
                }
                Err(error) => state.failure = Some(error.to_string()),
            }
            shared.changed.notify_all();
        };
        sys::spawn_helper("bw-names", work).map_err(|error| {
            Fault::new(
                Status::Resolve,
                format!("no thread could be made to look up {}: {error}", self.host),
            )
        })?;
        state.looking = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Limits;
    use super::*;

    fn wire() -> Wire {
        let wire = Wire::new();
        let deadline = Instant::now() + Duration::from_secs(10);
        let limits = Limits { deadline, cancelled: Arc::default() };
        wire.begin(&limits, Duration::from_secs(10));
        wire
    }

    #[test]
    fn a_literal_is_its_own_address_and_the_family_is_kept() {
        let names = Names::new("127.0.0.1", 80, Family::Any, Duration::ZERO);
        assert_eq!(names.addresses(&wire()).unwrap()[0].to_string(), "127.0.0.1:80");
        let names = Names::new("127.0.0.1", 80, Family::V6, Duration::ZERO);
        assert_eq!(names.addresses(&wire()).unwrap_err().status, Status::Resolve);
    }

    #[test]
    fn a_name_is_looked_up_once_while_it_is_fresh() {
        let names = Names::new("localhost", 80, Family::V4, Duration::from_secs(60));
        for _ in 0..3 {
            assert_eq!(names.addresses(&wire()).unwrap()[0].to_string(), "127.0.0.1:80");
        }
        assert_eq!(names.shared.lock().ended, 1);
        names.forget();
        names.addresses(&wire()).unwrap();
        assert_eq!(names.shared.lock().ended, 2);
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it() {
        let names = Names::new("nowhere.invalid", 80, Family::Any, Duration::from_secs(60));
        let fault = names.addresses(&wire()).unwrap_err();
        assert_eq!(fault.status, Status::Resolve);
        assert!(fault.message.contains("nowhere.invalid"), "{}", fault.message);
    }
}
