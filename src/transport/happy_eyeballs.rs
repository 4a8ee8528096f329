//! Happy Eyeballs (RFC 8305): connects to IPv6 and IPv4 addresses of a host in parallel.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call_context::CANCEL_CHECK_INTERVAL;
use super::error::TransportError;
use super::exchange_state::{ExchangeState, Phase};
use super::resolver::Resolver;
use crate::error::Status;
use crate::sys::{self, Interest, Socket};

/// The time between the starts of two connection attempts.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the first address that accepts. If all fail, the addresses are marked as stale in the
/// DNS cache.
///
/// # Errors
/// All attempts failed, the deadline has passed, or the call was cancelled.
pub fn connect(
    resolver: &Resolver,
    addresses: &Arc<[SocketAddr]>,
    from: Option<IpAddr>,
    exchange: &ExchangeState,
) -> Result<Socket, TransportError> {
    exchange.enter(Phase::Connecting);
    // `::ffff:a.b.c.d` is an IPv4 address.
    let from = from.map(|from| from.to_canonical());
    let usable = from.map(|from| usable_from(resolver, addresses, from)).transpose()?;
    let race = Race { resolver, from };
    race.connect(usable.as_deref().unwrap_or(addresses), exchange).map_err(|failure| {
        if failure.is_address_failure {
            resolver.mark_stale(addresses);
        }
        failure.error
    })
}

/// The addresses of the family of `bindAddress`.
fn usable_from(
    resolver: &Resolver,
    addresses: &[SocketAddr],
    from: IpAddr,
) -> Result<Vec<SocketAddr>, TransportError> {
    let plain = |a: &SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
    let is_usable = |a: &SocketAddr| plain(a).is_ipv4() == from.is_ipv4();
    let usable: Vec<SocketAddr> = addresses
        .iter()
        .filter(|a| is_usable(a))
        // An IPv6 address is kept as it was resolved, because it may have a scope.
        .map(|a| if from.is_ipv4() { plain(a) } else { *a })
        .collect();
    if usable.is_empty() {
        let (host, version) = (resolver.host(), if from.is_ipv4() { 4 } else { 6 });
        let message = format!(
            "{host} has no IPv{version} address, and bindAddress {from} allows no other; change or \
             remove bindAddress"
        );
        return Err(TransportError::permanent(Status::Connect, message));
    }
    Ok(usable)
}

struct Race<'a> {
    resolver: &'a Resolver,
    from: Option<IpAddr>,
}

struct AttemptFailure {
    error: TransportError,
    /// Whether the address may be out of date.
    is_address_failure: bool,
}

impl Race<'_> {
    fn connect(
        &self,
        addresses: &[SocketAddr],
        exchange: &ExchangeState,
    ) -> Result<Socket, AttemptFailure> {
        let resolver = self.resolver;
        let mut waiting: VecDeque<SocketAddr> = interleave(addresses).into();
        let mut attempts: Vec<(Socket, SocketAddr)> = Vec::new();
        let mut failure: Option<AttemptFailure> = None;
        let mut next_start = Instant::now();
        loop {
            let left = exchange.remaining().map_err(|error| AttemptFailure {
                error,
                // The deadline of the call alone does not indicate a wrong address.
                is_address_failure: !attempts.is_empty() && exchange.connect_timed_out(),
            })?;
            if attempts.is_empty() || Instant::now() >= next_start {
                if let Some(address) = waiting.pop_front() {
                    next_start = Instant::now() + ATTEMPT_DELAY;
                    match Socket::connect(&address, self.from) {
                        Ok(socket) => attempts.push((socket, address)),
                        Err(error) => self.record(&mut failure, &address, &error),
                    }
                    continue;
                }
            }
            if attempts.is_empty() {
                return Err(failure.unwrap_or_else(|| {
                    let host = resolver.host();
                    let message = format!("{host} has no address of the family in ipFamily");
                    AttemptFailure {
                        error: TransportError::new(Status::Resolve, message),
                        is_address_failure: false,
                    }
                }));
            }
            let mut pause = left.min(CANCEL_CHECK_INTERVAL);
            if !waiting.is_empty() {
                pause = pause.min(next_start.saturating_duration_since(Instant::now()));
            }
            let interests: Vec<_> = attempts.iter().map(|(s, _)| (s, Interest::Write)).collect();
            let ready = sys::poll(&interests, pause)
                .map_err(|error| self.failure(&attempts[0].1, &error))?;
            if !ready.contains(&true) {
                sys::run_interrupt();
            }
            for at in (0..ready.len()).rev().filter(|at| ready[*at]) {
                let (socket, address) = attempts.swap_remove(at);
                match socket.connect_result().and_then(|()| socket.configure(CANCEL_CHECK_INTERVAL))
                {
                    Ok(()) => return Ok(socket),
                    Err(error) => self.record(&mut failure, &address, &error),
                }
            }
        }
    }

    /// Records the last failure, and whether any indicates a wrong address.
    fn record(&self, last: &mut Option<AttemptFailure>, address: &SocketAddr, error: &io::Error) {
        let mut failure = self.failure(address, error);
        failure.is_address_failure |= last.as_ref().is_some_and(|last| last.is_address_failure);
        *last = Some(failure);
    }

    fn failure(&self, address: &SocketAddr, error: &io::Error) -> AttemptFailure {
        let (host, key) = (self.resolver.host(), self.resolver.key());
        let number = error.raw_os_error();
        let what = match number {
            Some(libc::EMFILE | libc::ENFILE) => {
                let message = format!(
                    "no connection to {host}: this process or machine has no descriptor left ({error})"
                );
                let error = TransportError::new(Status::Connect, message);
                return AttemptFailure { error, is_address_failure: false };
            }
            Some(libc::ECONNREFUSED) => {
                format!("; check that a server is listening there, see {key}")
            }
            Some(libc::EADDRNOTAVAIL) => match self.from {
                Some(from) => format!("; see bindAddress ({from})"),
                None => "; this machine has no local port left".to_owned(),
            },
            _ => String::new(),
        };
        let message = format!("no connection to {host} at {address}: {error}{what}");
        AttemptFailure {
            error: TransportError::new(Status::Connect, message),
            is_address_failure: !is_local(number),
        }
    }
}

/// Whether an error has a local reason, and does not indicate a wrong address.
fn is_local(number: Option<i32>) -> bool {
    matches!(
        number,
        None | Some(
            libc::EMFILE
                | libc::ENFILE
                | libc::ENOBUFS
                | libc::ENOMEM
                | libc::EADDRNOTAVAIL
                | libc::EADDRINUSE
                | libc::EACCES
                | libc::EPERM
                | libc::EAFNOSUPPORT
        )
    )
}

/// The addresses in the order of the resolver, with alternating families.
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let of_family = |same: bool| {
        addresses.iter().copied().filter(move |a| (a.is_ipv4() == first.is_ipv4()) == same)
    };
    let (mut first_family, mut other) = (of_family(true), of_family(false));
    let mut order = Vec::with_capacity(addresses.len());
    loop {
        let pair = [first_family.next(), other.next()];
        if pair == [None, None] {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate() {
        let order = |list: &[&str]| {
            let parsed: Vec<SocketAddr> = list.iter().map(|a| a.parse().unwrap()).collect();
            interleave(&parsed).iter().map(SocketAddr::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "3.3.3.3:1"]
        );
        assert!(order(&[]).is_empty());
    }
}
