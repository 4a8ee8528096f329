//! Name resolution with a cache.
//!
//! The C library's resolver cannot be interrupted, so it runs in a helper thread: at most one per
//! client, and a limited number per process. Callers that wait for it keep their deadlines.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::uri::Authority;

use super::call_context::CANCEL_CHECK_INTERVAL;
use super::error::TransportError;
use super::exchange_state::{ExchangeState, Phase};
use crate::error::Status;
use crate::guard;
use crate::redact;
use crate::sys::{self, ArcCell, BootInstant, PerProcess};

/// How long a lookup may take before stale addresses are used instead.
const STALE_LOOKUP_WAIT: Duration = Duration::from_millis(500);
/// The maximum number of concurrent lookups in a process.
const MAX_HELPERS: usize = 64;

static HELPERS: PerProcess<AtomicUsize> = PerProcess::new();

/// The address families that may be used.
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
    fn allows(self, address: &SocketAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        }
    }
}

/// The port of a URL's authority, or the default. None if it is not a valid port number.
pub fn port_of(authority: &Authority, default: u16) -> Option<u16> {
    let host_and_port = authority.as_str().rsplit('@').next()?;
    match host_and_port.strip_prefix(authority.host())? {
        "" => Some(default),
        // The parser returns no port if it is out of range.
        _ => authority.port_u16().filter(|port| *port > 0),
    }
}

/// The cached addresses of a host. A forked child inherits them, because the C library's resolver may
/// not work there: another thread of the parent may have held its locks.
#[derive(Debug)]
pub struct DnsCache(ArcCell<Entry>);

impl Default for DnsCache {
    fn default() -> DnsCache {
        DnsCache(ArcCell::new(Arc::new(Entry { addresses: Arc::from([]), resolved_at: None })))
    }
}

/// The result of the last successful lookup. It is replaced but never removed, so that calls still
/// work while DNS is unavailable.
#[derive(Debug)]
struct Entry {
    /// Empty before the first lookup.
    addresses: Arc<[SocketAddr]>,
    /// None if the addresses are stale: the next call resolves the name again.
    resolved_at: Option<BootInstant>,
}

/// Resolves one host name, in one process.
#[derive(Debug)]
pub struct Resolver {
    host: String,
    port: u16,
    /// The key of the configuration that contains the host.
    key: &'static str,
    family: Family,
    ttl: Duration,
    cache: Arc<DnsCache>,
    lookup: Arc<Lookup>,
}

#[derive(Debug, Default)]
struct Lookup {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// When the running lookup was started.
    running_since: Option<Instant>,
    /// How many lookups have finished.
    finished: u64,
    /// The result of the last lookup.
    last: Option<Result<Arc<[SocketAddr]>, String>>,
}

impl Lookup {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver {
    /// Creates a resolver for this host and port. Starts no lookup.
    pub fn new(
        host: &str,
        port: u16,
        key: &'static str,
        family: Family,
        ttl: Duration,
        cache: Arc<DnsCache>,
    ) -> Resolver {
        let lookup = Arc::default();
        Resolver { host: host.to_owned(), port, key, family, ttl, cache, lookup }
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The key of the configuration that contains the host.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// The addresses of the host, of the allowed family. If a lookup fails or takes long, stale
    /// addresses.
    ///
    /// # Errors
    /// The name cannot be resolved, the deadline has passed, or the call was cancelled.
    pub fn addresses(&self, exchange: &ExchangeState) -> Result<Arc<[SocketAddr]>, TransportError> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            let address = SocketAddr::new(ip, self.port);
            if !self.family.allows(&address) {
                return Err(TransportError::new(
                    Status::Resolve,
                    format!("{ip} is not of the family in ipFamily"),
                ));
            }
            return Ok(Arc::from([address]));
        }
        exchange.enter(Phase::Resolving);
        let cache = self.cache.0.load();
        if cache.resolved_at.is_some_and(|at| at.elapsed() < self.ttl) {
            return Ok(cache.addresses.clone());
        }
        let has_stale = !cache.addresses.is_empty();
        match self.lookup_or_wait(exchange, has_stale) {
            Ok(Some(new)) => Ok(new),
            Err(error) if !has_stale || exchange.remaining().is_err() => Err(explain(error)),
            Ok(None) | Err(_) => Ok(cache.addresses.clone()),
        }
    }

    /// Marks these addresses as stale after connecting to them failed: the next call resolves the name
    /// again, and uses them if that fails. Newer addresses are not affected.
    pub fn mark_stale(&self, addresses: &Arc<[SocketAddr]>) {
        let cache = self.cache.0.load();
        if Arc::ptr_eq(&cache.addresses, addresses) && cache.resolved_at.is_some() {
            let stale = Entry { addresses: addresses.clone(), resolved_at: None };
            self.cache.0.replace_if(&cache, Arc::new(stale));
        }
    }

    /// Starts a lookup, or waits for the running one. If there are stale addresses, returns None as
    /// soon as the lookup has taken longer than [`STALE_LOOKUP_WAIT`].
    fn lookup_or_wait(
        &self,
        exchange: &ExchangeState,
        has_stale: bool,
    ) -> Result<Option<Arc<[SocketAddr]>>, TransportError> {
        let mut state = self.lookup.lock();
        let before = state.finished;
        let since = match state.running_since {
            Some(since) => since,
            None => self.start_lookup(&mut state)?,
        };
        while state.finished == before {
            let mut pause = exchange.remaining()?.min(CANCEL_CHECK_INTERVAL);
            if has_stale {
                match STALE_LOOKUP_WAIT.checked_sub(since.elapsed()) {
                    None => return Ok(None),
                    Some(left) => pause = pause.min(left),
                }
            }
            let woken = self.lookup.changed.wait_timeout(state, pause);
            let (locked, wait) = woken.unwrap_or_else(PoisonError::into_inner);
            state = locked;
            if wait.timed_out() {
                drop(state);
                sys::run_interrupt();
                // Before the lock, which in a child that the callback forked may never be released.
                exchange.remaining()?;
                state = self.lookup.lock();
            }
        }
        // Not from the cache, which may already contain the result of a later lookup.
        match &state.last {
            Some(Ok(addresses)) => Ok(Some(addresses.clone())),
            Some(Err(why)) => Err(self.unresolved(why)),
            None => Err(self.unresolved("the lookup ended without a result")),
        }
    }

    fn unresolved(&self, why: &str) -> TransportError {
        let (host, key) = (redact::line(&self.host), self.key);
        let message = format!(
            "the name {host} cannot be resolved: {why}; check {key} and this machine's DNS"
        );
        TransportError::new(Status::Resolve, message)
    }

    fn start_lookup(&self, state: &mut State) -> Result<Instant, TransportError> {
        let no_thread = |why: &dyn fmt::Display| {
            let message = format!("cannot start a thread to resolve {}: {why}", self.host);
            TransportError::new(Status::Resolve, message)
        };
        if HELPERS.fetch_add(1, Ordering::Relaxed) >= MAX_HELPERS {
            HELPERS.fetch_sub(1, Ordering::Relaxed);
            return Err(no_thread(&"too many lookups are waiting for a name server"));
        }
        let (host, port, family) = (self.host.clone(), self.port, self.family);
        let (cache, lookup) = (self.cache.clone(), self.lookup.clone());
        let work = move || {
            // Even after a panic, the waiting callers must be notified.
            let found = guard::guarded(|| Ok(query(&host, port, family)));
            let found = found.unwrap_or_else(|error| Err(error.message));
            HELPERS.fetch_sub(1, Ordering::Relaxed);
            let mut state = lookup.lock();
            if let Ok(addresses) = &found {
                let resolved_at = Some(BootInstant::now());
                cache.0.store(Arc::new(Entry { addresses: addresses.clone(), resolved_at }));
            }
            state.running_since = None;
            state.finished += 1;
            state.last = Some(found);
            lookup.changed.notify_all();
        };
        sys::spawn_helper("bw-resolver", work).map_err(|error| {
            HELPERS.fetch_sub(1, Ordering::Relaxed);
            no_thread(&error)
        })?;
        let now = Instant::now();
        state.running_since = Some(now);
        Ok(now)
    }
}

/// Adds a local problem to the message of a timeout: without its configuration, the resolver of musl
/// waits for a name server on this machine. The status stays: there may be one, which is only slow.
fn explain(error: TransportError) -> TransportError {
    if error.status != Status::Timeout {
        return error;
    }
    match sys::resolver_problem() {
        Some(why) => TransportError { message: format!("{}; {why}", error.message), ..error },
        None => error,
    }
}

/// Resolves the name with the C library. Blocks without a limit.
fn query(host: &str, port: u16, family: Family) -> Result<Arc<[SocketAddr]>, String> {
    match (host, port).to_socket_addrs() {
        Ok(all) => {
            let usable: Vec<_> = all.filter(|a| family.allows(a)).collect();
            match usable.is_empty() {
                true => Err("it has no address of the family in ipFamily".to_owned()),
                false => Ok(usable.into()),
            }
        }
        // The C library also reports an unknown name if it cannot read its configuration.
        Err(error) => Err(sys::resolver_problem().unwrap_or_else(|| error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::call_context::{CallContext, CancelToken, Deadline};
    use super::*;
    use std::cell::Cell;

    fn addresses(resolver: &Resolver) -> Result<Arc<[SocketAddr]>, TransportError> {
        let context = CallContext {
            deadline: Deadline::after(Duration::from_secs(10)),
            cancel: CancelToken { client: &Arc::default(), call: None, completes_if_sent: false },
            retry_after: &Cell::default(),
        };
        resolver.addresses(&ExchangeState::new(&context, Duration::from_secs(10)))
    }

    fn test_resolver(host: &str, family: Family, ttl: Duration) -> Resolver {
        Resolver::new(host, 80, "baseUrl", family, ttl, Arc::default())
    }

    #[test]
    fn literal_address_is_not_resolved_and_must_be_of_the_allowed_family() {
        let resolver = test_resolver("127.0.0.1", Family::Any, Duration::ZERO);
        assert_eq!(addresses(&resolver).unwrap()[0].to_string(), "127.0.0.1:80");
        let resolver = test_resolver("127.0.0.1", Family::V6, Duration::ZERO);
        assert_eq!(addresses(&resolver).unwrap_err().status, Status::Resolve);
    }

    #[test]
    fn token_in_place_of_a_name_is_not_quoted() {
        let resolver = test_resolver("eyJhbGci.eyJzIjox.invalid", Family::Any, Duration::ZERO);
        let message = resolver.unresolved("no").message;
        assert!(message.starts_with("the name [removed] cannot be resolved: no;"), "{message}");
    }

    #[test]
    fn fresh_entry_is_not_resolved_again() {
        let resolver = test_resolver("localhost", Family::V4, Duration::from_secs(60));
        for _ in 0..3 {
            assert_eq!(addresses(&resolver).unwrap()[0].to_string(), "127.0.0.1:80");
        }
        assert_eq!(resolver.lookup.lock().finished, 1);
    }

    #[test]
    fn stale_addresses_are_resolved_again_and_never_removed() {
        let resolver = test_resolver("localhost", Family::V4, Duration::from_secs(60));
        let first = addresses(&resolver).unwrap();
        resolver.mark_stale(&first);
        let second = addresses(&resolver).unwrap();
        assert_eq!(resolver.lookup.lock().finished, 2);
        // Replaced addresses do not affect the new ones.
        resolver.mark_stale(&first);
        assert!(Arc::ptr_eq(&second, &addresses(&resolver).unwrap()));
        assert_eq!(resolver.lookup.lock().finished, 2);
    }

    /// The callers of a lookup get its result, even if others mark the cached addresses as stale.
    #[test]
    fn waiting_caller_gets_the_addresses_while_others_fail_to_connect() {
        let resolver = test_resolver("localhost", Family::V4, Duration::ZERO);
        let until = Instant::now() + Duration::from_secs(2);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while Instant::now() < until {
                        let found = addresses(&resolver).unwrap();
                        assert_eq!(found[0].to_string(), "127.0.0.1:80");
                        resolver.mark_stale(&found);
                    }
                });
            }
        });
    }

    #[test]
    fn port_of_a_url_is_found_after_any_host() {
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
    fn error_contains_the_unknown_name() {
        let resolver = test_resolver("nowhere.invalid", Family::Any, Duration::from_secs(60));
        let error = addresses(&resolver).unwrap_err();
        assert_eq!(error.status, Status::Resolve);
        assert!(error.message.contains("nowhere.invalid"), "{}", error.message);
    }

    #[test]
    fn expired_entry_is_resolved_again() {
        let resolver = test_resolver("localhost", Family::V4, Duration::ZERO);
        for lookups in 1..=3 {
            addresses(&resolver).unwrap();
            assert_eq!(resolver.lookup.lock().finished, lookups);
        }
    }

    #[test]
    fn stale_addresses_are_used_if_the_lookup_fails() {
        let cache: Arc<DnsCache> = Arc::default();
        let stale: Arc<[SocketAddr]> = Arc::from(["192.0.2.1:80".parse().unwrap()]);
        cache.0.store(Arc::new(Entry {
            addresses: stale.clone(),
            resolved_at: Some(BootInstant::now()),
        }));
        let resolver =
            Resolver::new("nowhere.invalid", 80, "proxy", Family::Any, Duration::ZERO, cache);
        assert_eq!(addresses(&resolver).unwrap()[0].to_string(), "192.0.2.1:80");
        assert_eq!(resolver.lookup.lock().finished, 1);
        resolver.mark_stale(&stale);
        assert_eq!(addresses(&resolver).unwrap()[0].to_string(), "192.0.2.1:80");
        assert_eq!(resolver.lookup.lock().finished, 2);
    }
}
