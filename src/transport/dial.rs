//! From addresses to a connected socket: IPv6 and IPv4 tried in parallel, as in RFC 8305.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::names::Names;
use super::wire::{Fault, Phase, TICK, Wire};
use crate::error::Status;
use crate::sys::{self, Interest, Socket};

/// How long an attempt is alone before the next address is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the address of the host that accepts first. Addresses that fail are marked as stale
/// in the cache.
///
/// # Errors
/// A fault if all fail, the time is over or the call is cancelled.
pub fn dial(
    names: &Names,
    addresses: &Arc<[SocketAddr]>,
    from: Option<IpAddr>,
    wire: &Wire<'_>,
) -> Result<Socket, Fault> {
    wire.enter(Phase::Connecting);
    // `::ffff:a.b.c.d` is an IPv4 address.
    let from = from.map(|from| from.to_canonical());
    let usable = from.map(|from| usable_from(names, addresses, from)).transpose()?;
    let connector = Connector { names, from };
    connector.connect(usable.as_deref().unwrap_or(addresses), wire).map_err(|failure| {
        if failure.is_of_address {
            names.mark_stale(addresses);
        }
        failure.fault
    })
}

/// The addresses of the family of `bindAddress`.
fn usable_from(
    names: &Names,
    addresses: &[SocketAddr],
    from: IpAddr,
) -> Result<Vec<SocketAddr>, Fault> {
    let plain = |a: &SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
    let is_usable = |a: &SocketAddr| plain(a).is_ipv4() == from.is_ipv4();
    let usable: Vec<SocketAddr> = addresses
        .iter()
        .filter(|a| is_usable(a))
        // As it was resolved, it may have a scope.
        .map(|a| if from.is_ipv4() { plain(a) } else { *a })
        .collect();
    if usable.is_empty() {
        let (host, version) = (names.host(), if from.is_ipv4() { 4 } else { 6 });
        let message = format!(
            "{host} has no IPv{version} address, and bindAddress {from} allows no other; change or \
             remove bindAddress"
        );
        return Err(Fault { transient: false, ..Fault::new(Status::Connect, message) });
    }
    Ok(usable)
}

struct Connector<'a> {
    names: &'a Names,
    from: Option<IpAddr>,
}

struct Failure {
    fault: Fault,
    /// Whether it indicates that the address may be out of date.
    is_of_address: bool,
}

impl Connector<'_> {
    fn connect(&self, addresses: &[SocketAddr], wire: &Wire<'_>) -> Result<Socket, Failure> {
        let names = self.names;
        let mut waiting: VecDeque<SocketAddr> = interleave(addresses).into();
        let mut attempts: Vec<(Socket, SocketAddr)> = Vec::new();
        let mut failure: Option<Failure> = None;
        let mut next_start = Instant::now();
        loop {
            let left = wire.left().map_err(|fault| Failure {
                fault,
                // The deadline of the call alone says nothing about the address.
                is_of_address: !attempts.is_empty() && wire.connect_timed_out(),
            })?;
            if attempts.is_empty() || Instant::now() >= next_start {
                if let Some(address) = waiting.pop_front() {
                    next_start = Instant::now() + HEAD_START;
                    match Socket::connect(&address, self.from) {
                        Ok(socket) => attempts.push((socket, address)),
                        Err(error) => self.failed(&mut failure, &address, &error),
                    }
                    continue;
                }
            }
            if attempts.is_empty() {
                return Err(failure.unwrap_or_else(|| {
                    let host = names.host();
                    let message = format!("{host} has no address of the family allowed");
                    Failure { fault: Fault::new(Status::Resolve, message), is_of_address: false }
                }));
            }
            let mut pause = left.min(TICK);
            if !waiting.is_empty() {
                pause = pause.min(next_start.saturating_duration_since(Instant::now()));
            }
            let interests: Vec<_> = attempts.iter().map(|(s, _)| (s, Interest::Write)).collect();
            let ready = sys::poll(&interests, pause)
                .map_err(|error| self.failure(&attempts[0].1, &error))?;
            for at in (0..ready.len()).rev().filter(|at| ready[*at]) {
                let (socket, address) = attempts.swap_remove(at);
                match socket.connect_result().and_then(|()| socket.configure(TICK)) {
                    Ok(()) => return Ok(socket),
                    Err(error) => self.failed(&mut failure, &address, &error),
                }
            }
        }
    }

    /// Keeps the last failure, and whether any was of an address.
    fn failed(&self, last: &mut Option<Failure>, address: &SocketAddr, error: &io::Error) {
        let mut failure = self.failure(address, error);
        failure.is_of_address |= last.as_ref().is_some_and(|last| last.is_of_address);
        *last = Some(failure);
    }

    fn failure(&self, address: &SocketAddr, error: &io::Error) -> Failure {
        let (host, key) = (self.names.host(), self.names.key());
        let number = error.raw_os_error();
        let what = match number {
            Some(libc::EMFILE | libc::ENFILE) => {
                let message = format!(
                    "no socket for {host}: this process or machine has no descriptor left ({error})"
                );
                let fault = Fault::new(Status::Connect, message);
                return Failure { fault, is_of_address: false };
            }
            Some(libc::ECONNREFUSED) => format!("; does anybody listen there? see {key}"),
            Some(libc::EADDRNOTAVAIL) => match self.from {
                Some(from) => format!("; see bindAddress ({from})"),
                None => "; this machine has no local port left".to_owned(),
            },
            _ => String::new(),
        };
        let message = format!("no connection to {host} at {address}: {error}{what}");
        Failure { fault: Fault::new(Status::Connect, message), is_of_address: !is_local(number) }
    }
}

/// Whether an error says nothing about the address that was to be connected to.
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

/// The resolver's order, but the families in turn.
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let of = |ours: bool| {
        addresses.iter().copied().filter(move |a| (a.is_ipv4() == first.is_ipv4()) == ours)
    };
    let (mut one, mut other) = (of(true), of(false));
    let mut order = Vec::with_capacity(addresses.len());
    loop {
        let pair = [one.next(), other.next()];
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
    fn families_take_turns() {
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
