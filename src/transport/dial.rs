//! From addresses to a connected socket: IPv6 and IPv4 tried side by side, as RFC 8305 has it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::names::Names;
use super::wire::{Fault, Phase, TICK, Wire};
use crate::error::Status;
use crate::sys::{self, Interest, Socket};

/// How long an attempt is alone before the next address is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to whichever of the host's addresses answers first.
///
/// # Errors
/// A fault when none does, the time is over or the call is cancelled.
pub fn dial(
    names: &Names,
    addresses: &[SocketAddr],
    from: Option<IpAddr>,
    wire: &Wire<'_>,
) -> Result<Socket, Fault> {
    wire.enter(Phase::Connecting);
    let mut waiting: VecDeque<SocketAddr> = interleave(addresses).into();
    let mut attempts: Vec<(Socket, SocketAddr)> = Vec::new();
    let mut failure: Option<Fault> = None;
    let mut next_start = Instant::now();
    loop {
        let left = wire.left()?;
        if attempts.is_empty() || Instant::now() >= next_start {
            if let Some(address) = waiting.pop_front() {
                next_start = Instant::now() + HEAD_START;
                match Socket::connect(&address, from) {
                    Ok(socket) => attempts.push((socket, address)),
                    Err(error) => failure = Some(refused(names, &address, &error)),
                }
                continue;
            }
        }
        if attempts.is_empty() {
            return Err(failure.unwrap_or_else(|| {
                let host = names.host();
                Fault::new(Status::Resolve, format!("{host} has no address of the family allowed"))
            }));
        }
        let mut pause = left.min(TICK);
        if !waiting.is_empty() {
            pause = pause.min(next_start.saturating_duration_since(Instant::now()));
        }
        let interests: Vec<_> = attempts.iter().map(|(s, _)| (s, Interest::Write)).collect();
        let ready =
            sys::wait(&interests, pause).map_err(|error| refused(names, &attempts[0].1, &error))?;
        for at in (0..ready.len()).rev().filter(|at| ready[*at]) {
            let (socket, address) = attempts.swap_remove(at);
            match socket.connected().and_then(|()| socket.settle(TICK)) {
                Ok(()) => return Ok(socket),
                Err(error) => failure = Some(refused(names, &address, &error)),
            }
        }
    }
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

fn refused(names: &Names, address: &SocketAddr, error: &io::Error) -> Fault {
    let (host, key) = (names.host(), names.key());
    let what = match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => {
            return Fault::new(
                Status::Connect,
                format!(
                    "no socket for {host}: this process or machine has no descriptor left ({error})"
                ),
            );
        }
        Some(libc::ECONNREFUSED) => format!("; does anybody listen there? see {key}"),
        Some(libc::EADDRNOTAVAIL) => "; see bindAddress".to_owned(),
        _ => String::new(),
    };
    Fault::new(Status::Connect, format!("no connection to {host} at {address}: {error}{what}"))
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
