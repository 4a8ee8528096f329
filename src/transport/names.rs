//! Names to addresses: literal addresses at once, names in a helper thread and then from a cache.
//!
//! The C library's resolver cannot be interrupted, so it runs in a separate thread, at most one per
//! client and a limited number per process, and callers that wait for it keep their deadlines.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::uri::Authority;

use super::wire::{Fault, Phase, TICK, Wire};
use crate::error::Status;
use crate::guard;
use crate::sys::{self, ArcCell, BootInstant, PerProcess};

/// How long a look-up may take before the old addresses are used instead.
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

/// The port of a URL's authority; none if it is not a port number.
pub fn port_of(authority: &Authority, default: u16) -> Option<u16> {
    let host_and_port = authority.as_str().rsplit('@').next()?;
    match host_and_port.strip_prefix(authority.host())? {
        "" => Some(default),
        // To the parser, a port that is out of range is no port.
        _ => authority.port_u16().filter(|port| *port > 0),
    }
}

/// The cached addresses of a host. A forked child inherits them, because the C library's resolver
/// may not work there: another thread of the parent may have held its locks.
#[derive(Debug)]
pub struct Known(ArcCell<Entry>);

impl Default for Known {
    fn default() -> Known {
        Known(ArcCell::new(Arc::new(Entry { addresses: Arc::from([]), resolved_at: None })))
    }
}

/// The result of the last look-up that succeeded. It is replaced by a newer one, never removed: if
/// the DNS server is down, old addresses are better than none.
#[derive(Debug)]
struct Entry {
    /// None before the first look-up.
    addresses: Arc<[SocketAddr]>,
    /// None if the addresses are stale: the next call looks the name up again.
    resolved_at: Option<BootInstant>,
}

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
    /// Since when a look-up has been running.
    running_since: Option<Instant>,
    /// How many look-ups have ended.
    ended: u64,
    /// The result of the last one.
    last: Option<Result<Arc<[SocketAddr]>, String>>,
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

    /// The host's addresses of the allowed family. Old ones, if a look-up fails or takes long: calls
    /// must still work while the DNS server is down.
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
        let known = self.known.0.load();
        if known.resolved_at.is_some_and(|at| at.elapsed() < self.ttl) {
            return Ok(known.addresses.clone());
        }
        let has_old = !known.addresses.is_empty();
        match self.look_up(wire, has_old) {
            Ok(Some(new)) => Ok(new),
            Err(fault) if !has_old || wire.left().is_err() => Err(fault),
            Ok(None) | Err(_) => Ok(known.addresses.clone()),
        }
    }

    /// Marks these addresses as stale, after connecting to them failed: the next call looks the name
    /// up again, and uses them if that fails. Newer addresses are not affected.
    pub fn mark_stale(&self, addresses: &Arc<[SocketAddr]>) {
        let known = self.known.0.load();
        if Arc::ptr_eq(&known.addresses, addresses) && known.resolved_at.is_some() {
            let stale = Entry { addresses: addresses.clone(), resolved_at: None };
            self.known.0.replace_if(&known, Arc::new(stale));
        }
    }

    /// Looks the name up, or waits for the look-up that is running. If there are old addresses,
    /// `None` as soon as the look-up has taken longer than [`PATIENCE`].
    fn look_up(&self, wire: &Wire<'_>, has_old: bool) -> Result<Option<Arc<[SocketAddr]>>, Fault> {
        let mut state = self.look_ups.lock();
        let before = state.ended;
        let since = match state.running_since {
            Some(since) => since,
            None => self.start_looking(&mut state)?,
        };
        while state.ended == before {
            let mut pause = wire.left()?.min(TICK);
            if has_old {
                match PATIENCE.checked_sub(since.elapsed()) {
                    None => return Ok(None),
                    Some(rest) => pause = pause.min(rest),
                }
            }
            let woken = self.look_ups.changed.wait_timeout(state, pause);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        // Not from the cache, which may already contain the result of a later look-up.
        match &state.last {
            Some(Ok(addresses)) => Ok(Some(addresses.clone())),
            Some(Err(why)) => Err(self.unresolved(why)),
            None => Err(self.unresolved("the look-up ended without a result")),
        }
    }

    fn unresolved(&self, why: &str) -> Fault {
        let (host, key) = (&self.host, self.key);
        let message = format!(
            "the name {host} could not be resolved: {why}; check {key} and this machine's DNS"
        );
        Fault::new(Status::Resolve, message)
    }

    fn start_looking(&self, state: &mut State) -> Result<Instant, Fault> {
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
            // Whatever happens, the callers that wait must be notified.
            let found = guard::guarded(|| Ok(look(&host, port, family)));
            let found = found.unwrap_or_else(|fault| Err(fault.message));
            HELPERS.fetch_sub(1, Ordering::Relaxed);
            let mut state = look_ups.lock();
            if let Ok(addresses) = &found {
                let resolved_at = Some(BootInstant::now());
                known.0.store(Arc::new(Entry { addresses: addresses.clone(), resolved_at }));
            }
            state.running_since = None;
            state.ended += 1;
            state.last = Some(found);
            look_ups.changed.notify_all();
        };
        sys::spawn_helper("bw-names", work).map_err(|error| {
            HELPERS.fetch_sub(1, Ordering::Relaxed);
            no_thread(&error)
        })?;
        let now = Instant::now();
        state.running_since = Some(now);
        Ok(now)
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
        Err(error) => Err(sys::resolver_problem().unwrap_or_else(|| error.to_string())),
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
    }

    #[test]
    fn stale_addresses_are_resolved_again_and_never_removed() {
        let names = names("localhost", Family::V4, Duration::from_secs(60));
        let first = addresses(&names).unwrap();
        names.mark_stale(&first);
        let second = addresses(&names).unwrap();
        assert_eq!(names.look_ups.lock().ended, 2);
        // Of what was replaced meanwhile, nothing is marked.
        names.mark_stale(&first);
        assert!(Arc::ptr_eq(&second, &addresses(&names).unwrap()));
        assert_eq!(names.look_ups.lock().ended, 2);
    }

    /// The callers of a look-up get its result, whatever others do to the cache.
    #[test]
    fn a_waiting_caller_gets_the_addresses_although_others_fail_to_connect() {
        let names = names("localhost", Family::V4, Duration::ZERO);
        let until = Instant::now() + Duration::from_secs(2);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while Instant::now() < until {
                        let found = addresses(&names).unwrap();
                        assert_eq!(found[0].to_string(), "127.0.0.1:80");
                        names.mark_stale(&found);
                    }
                });
            }
        });
    }

    #[test]
    fn the_port_of_a_url_is_found_behind_any_host() {
        for (authority, port) in [
            ("0:8080", Some(8080)),
            ("80:8080", Some(8080)),
            ("0", Some(80)),
            ("h", Some(80)),
            ("h:1", Some(1)),
            ("[::1]", Some(80)),
            ("[::1]:1", Some(1)),
            ("1@1:1", Some(1)),
            ("1:1@1", Some(80)),
            ("h:0", None),
            ("h:99999", None),
        ] {
            assert_eq!(port_of(&authority.parse().unwrap(), 80), port, "{authority}");
        }
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
        known.0.store(Arc::new(Entry {
            addresses: old.clone(),
            resolved_at: Some(BootInstant::now()),
        }));
        let names = Names::new("nowhere.invalid", 80, "proxy", Family::Any, Duration::ZERO, known);
        assert_eq!(addresses(&names).unwrap()[0].to_string(), "192.0.2.1:80");
        assert_eq!(names.look_ups.lock().ended, 1);
        names.mark_stale(&old);
        assert_eq!(addresses(&names).unwrap()[0].to_string(), "192.0.2.1:80");
        assert_eq!(names.look_ups.lock().ended, 2);
    }
}
