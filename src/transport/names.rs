//! Names to addresses: literals at once, others by a helper thread, remembered for a while.
//!
//! The C library's resolver cannot be interrupted, so it runs in a thread of its own, at most one
//! a client and few a process, and whoever waits for it keeps the deadline.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use ureq::http::uri::Authority;

use super::wire::{Fault, Phase, TICK, Wire};
use crate::error::Status;
use crate::guard;
use crate::sys::{self, PerProcess};

/// How long new addresses are waited for where old ones are known.
const PATIENCE: Duration = Duration::from_millis(500);
/// At most so many look-ups run in a process at once, however many clients it has.
const MOST_HELPERS: usize = 64;

static HELPERS: PerProcess<AtomicUsize> = PerProcess::new();

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

/// The port of a URL's authority; none if what stands there is no port.
pub fn port_of(authority: &Authority, default: u16) -> Option<u16> {
    match authority.as_str().ends_with(authority.host()) {
        true => Some(default),
        // A port that is out of range counts as none to the parser.
        false => authority.port_u16().filter(|port| *port > 0),
    }
}

/// What is known of a host's addresses. A forked child inherits it, since the C library's resolver
/// may be of no use there: another thread of the parent's may have held its locks.
#[derive(Debug, Default)]
pub struct Known(ArcSwapOption<(Arc<[SocketAddr]>, Instant)>);

/// The addresses of one host, for one process.
#[derive(Debug)]
pub struct Names {
    host: String,
    port: u16,
    /// The key of the configuration that names the host.
    key: &'static str,
    family: Family,
    ttl: Duration,
    known: Arc<Known>,
    look_ups: Arc<LookUps>,
}

#[derive(Debug, Default)]
struct LookUps {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    looking: bool,
    /// How many look-ups have ended, and how the last one failed if it did.
    ended: u64,
    failure: Option<String>,
}

impl LookUps {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    /// Names for this host and port; looks nothing up.
    pub fn new(
        host: &str,
        port: u16,
        key: &'static str,
        family: Family,
        ttl: Duration,
        known: Arc<Known>,
    ) -> Names {
        let look_ups = Arc::default();
        Names { host: host.to_owned(), port, key, family, ttl, known, look_ups }
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The key of the configuration that names the host.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// The host's addresses of the family allowed. Old ones, if new ones cannot be had soon: a
    /// name server that is down must not take the service with it.
    ///
    /// # Errors
    /// A fault when the name is not known, the time is over or the call is cancelled.
    pub fn addresses(&self, wire: &Wire<'_>) -> Result<Arc<[SocketAddr]>, Fault> {
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
        let known = self.known.0.load_full();
        if let Some((addresses, since)) = known.as_deref() {
            if since.elapsed() < self.ttl {
                return Ok(addresses.clone());
            }
        }
        match (self.look_up(wire, known.is_some().then_some(PATIENCE)), known.as_deref()) {
            (Ok(Some(new)), _) => Ok(new),
            (Err(fault), _) if wire.left().is_err() => Err(fault),
            (_, Some((old, _))) => Ok(old.clone()),
            (Err(fault), None) => Err(fault),
            (Ok(None), None) => Err(self.unresolved("no address")),
        }
    }

    /// Forgets what is known, after it proved useless.
    pub fn forget(&self) {
        self.known.0.store(None);
    }

    /// Looks the name up, or joins those who wait for it; none if that takes longer than `patience`.
    fn look_up(
        &self,
        wire: &Wire<'_>,
        patience: Option<Duration>,
    ) -> Result<Option<Arc<[SocketAddr]>>, Fault> {
        let began = Instant::now();
        let mut state = self.look_ups.lock();
        let before = state.ended;
        if !state.looking {
            self.start_looking(&mut state)?;
        }
        while state.ended == before {
            let mut pause = wire.left()?.min(TICK);
            if let Some(patience) = patience {
                match patience.checked_sub(began.elapsed()) {
                    None => return Ok(None),
                    Some(rest) => pause = pause.min(rest),
                }
            }
            let woken = self.look_ups.changed.wait_timeout(state, pause);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(failure) = &state.failure {
            return Err(self.unresolved(failure));
        }
        Ok(self.known.0.load().as_deref().map(|(addresses, _)| addresses.clone()))
    }

    fn unresolved(&self, why: &str) -> Fault {
        let (host, key) = (&self.host, self.key);
        let message = format!(
            "the name {host} could not be resolved: {why}; check {key} and this machine's DNS"
        );
        Fault::new(Status::Resolve, message)
    }

    fn start_looking(&self, state: &mut State) -> Result<(), Fault> {
        let no_thread = |why: &dyn fmt::Display| {
            let message = format!("no thread could be made to look up {}: {why}", self.host);
            Fault::new(Status::Resolve, message)
        };
        if HELPERS.fetch_add(1, Ordering::Relaxed) >= MOST_HELPERS {
            HELPERS.fetch_sub(1, Ordering::Relaxed);
            return Err(no_thread(&"too many look-ups wait for a name server already"));
        }
        let (host, port, family) = (self.host.clone(), self.port, self.family);
        let (known, look_ups) = (self.known.clone(), self.look_ups.clone());
        let work = move || {
            // Whatever happens, whoever waits must learn of it.
            let found = guard::guarded(|| Ok(look(&host, port, family)));
            let found = found.unwrap_or_else(|fault| Err(fault.message));
            HELPERS.fetch_sub(1, Ordering::Relaxed);
            let mut state = look_ups.lock();
            state.looking = false;
            state.ended += 1;
            state.failure = None;
            match found {
                Ok(usable) => known.0.store(Some(Arc::new((usable, Instant::now())))),
                Err(why) => state.failure = Some(why),
            }
            look_ups.changed.notify_all();
        };
        sys::spawn_helper("bw-names", work).map_err(|error| {
            HELPERS.fetch_sub(1, Ordering::Relaxed);
            no_thread(&error)
        })?;
        state.looking = true;
        Ok(())
    }
}

/// Asks the C library. Blocks for as long as that takes.
fn look(host: &str, port: u16, family: Family) -> Result<Arc<[SocketAddr]>, String> {
    match (host, port).to_socket_addrs() {
        Ok(all) => {
            let usable: Vec<_> = all.filter(|a| family.takes(a)).collect();
            match usable.is_empty() {
                true => Err("it has no address of the family allowed".to_owned()),
                false => Ok(usable.into()),
            }
        }
        // The C library tells of a name that is not known where it could not even ask.
        Err(error) => Err(sys::why_no_names().unwrap_or_else(|| error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Limits;
    use super::*;

    fn addresses(names: &Names) -> Result<Arc<[SocketAddr]>, Fault> {
        let limits = Limits {
            deadline: Instant::now() + Duration::from_secs(10),
            cancelled: &Arc::default(),
            abandoned: None,
            must_know: false,
        };
        names.addresses(&Wire::new(&limits, Duration::from_secs(10)))
    }

    fn names(host: &str, family: Family, ttl: Duration) -> Names {
        Names::new(host, 80, "baseUrl", family, ttl, Arc::default())
    }

    #[test]
    fn a_literal_is_its_own_address_and_the_family_is_kept() {
        let names = names("127.0.0.1", Family::Any, Duration::ZERO);
        assert_eq!(addresses(&names).unwrap()[0].to_string(), "127.0.0.1:80");
        let names = self::names("127.0.0.1", Family::V6, Duration::ZERO);
        assert_eq!(addresses(&names).unwrap_err().status, Status::Resolve);
    }

    #[test]
    fn a_name_is_looked_up_once_while_it_is_fresh() {
        let names = names("localhost", Family::V4, Duration::from_secs(60));
        for _ in 0..3 {
            assert_eq!(addresses(&names).unwrap()[0].to_string(), "127.0.0.1:80");
        }
        assert_eq!(names.look_ups.lock().ended, 1);
        names.forget();
        addresses(&names).unwrap();
        assert_eq!(names.look_ups.lock().ended, 2);
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it() {
        let names = names("nowhere.invalid", Family::Any, Duration::from_secs(60));
        let fault = addresses(&names).unwrap_err();
        assert_eq!(fault.status, Status::Resolve);
        assert!(fault.message.contains("nowhere.invalid"), "{}", fault.message);
    }

    #[test]
    fn what_is_too_old_is_looked_up_again() {
        let names = names("localhost", Family::V4, Duration::ZERO);
        for look_ups in 1..=3 {
            addresses(&names).unwrap();
            assert_eq!(names.look_ups.lock().ended, look_ups);
        }
    }

    #[test]
    fn old_addresses_are_used_where_no_new_ones_can_be_had() {
        let known: Arc<Known> = Arc::default();
        let old: Arc<[SocketAddr]> = Arc::from(["192.0.2.1:80".parse().unwrap()]);
        known.0.store(Some(Arc::new((old, Instant::now()))));
        let names = Names::new("nowhere.invalid", 80, "proxy", Family::Any, Duration::ZERO, known);
        assert_eq!(addresses(&names).unwrap()[0].to_string(), "192.0.2.1:80");
        assert_eq!(names.look_ups.lock().ended, 1);
        names.forget();
        assert_eq!(addresses(&names).unwrap_err().status, Status::Resolve);
    }
}
