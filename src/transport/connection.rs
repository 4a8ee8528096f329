//! A connection to the service: a socket, with TLS or without, and what an exchange needs of it.

use std::time::Duration;

use rustls::ClientConnection;

use super::http1::{Common, Request};
use super::input::Input;
use super::link::Link;
use super::tls;
use super::wire::{Fault, Phase, Wire};
use crate::sys::{BootInstant as Instant, Socket};

/// Output that took more memory gives it back.
const LARGE: usize = 16 * 1024;

/// One connection, used by one exchange at a time.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
    /// The request while it is being sent.
    output: Vec<u8>,
    /// What arrived and was not used yet.
    pub input: Input,
    idle_since: Instant,
}

impl Connection {
    /// A connection whose handshake, if it has TLS, is done.
    pub fn new(socket: Socket, tls: Option<Box<ClientConnection>>) -> Connection {
        let (output, input) = (Vec::new(), Input::new());
        Connection { socket, tls, output, input, idle_since: Instant::now() }
    }

    /// Whether it can carry another exchange, after having been idle: it is not too old, its
    /// descriptor is still its own, and the peer has neither closed it nor sent anything.
    pub fn is_usable(&mut self, idle_timeout: Duration) -> bool {
        self.idle_since.elapsed() < idle_timeout
            && self.socket.is_ours()
            && self.socket.is_quiet()
            && self.tls.as_mut().is_none_or(|tls| tls::is_quiet(tls))
    }

    /// Makes it idle. Tells whether it may be used again: nothing may be left over.
    pub fn rest(&mut self) -> bool {
        if !self.input.unused().is_empty() {
            return false;
        }
        self.input.wipe();
        self.idle_since = Instant::now();
        true
    }

    /// Since when it is idle.
    pub fn idle_since(&self) -> Instant {
        self.idle_since
    }

    /// Sends a request, in one piece.
    ///
    /// # Errors
    /// A fault when the time is over, the call is cancelled or the connection lost.
    pub fn send(
        &mut self,
        common: &Common,
        request: &Request<'_>,
        wire: &Wire<'_>,
    ) -> Result<(), Fault> {
        common.write(request, &mut self.output);
        wire.enter(Phase::Sending);
        let link = Link::new(&self.socket, wire);
        let sent = match &mut self.tls {
            None => link.write_all(&self.output),
            Some(tls) => tls::write(tls, &link, &self.output),
        };
        // It held the Authorization header. Not wiped byte by byte, as zeroize does; the memory is
        // looked at afterwards, so that this is no dead write.
        self.output.fill(0);
        std::hint::black_box(&self.output);
        self.output.clear();
        if self.output.capacity() > LARGE {
            self.output = Vec::new();
        }
        sent?;
        wire.enter(Phase::Waiting);
        Ok(())
    }

    /// Waits for more input; false at the end.
    ///
    /// # Errors
    /// As for [`Connection::send`].
    pub fn fill(&mut self, wire: &Wire<'_>) -> Result<bool, Fault> {
        let count = read(&self.socket, &mut self.tls, self.input.room(), wire)?;
        self.input.filled(count);
        Ok(count > 0)
    }

    /// Whether the peer's end is known to be its own doing: over TCP it cannot be told.
    pub fn ended_well(&mut self) -> bool {
        self.tls.as_mut().is_none_or(|tls| tls::has_said_goodbye(tls))
    }

    /// Reads past the input, which must be used up; 0 at the end.
    ///
    /// # Errors
    /// As for [`Connection::send`].
    pub fn read(&mut self, room: &mut [u8], wire: &Wire<'_>) -> Result<usize, Fault> {
        read(&self.socket, &mut self.tls, room, wire)
    }
}

fn read(
    socket: &Socket,
    tls: &mut Option<Box<ClientConnection>>,
    room: &mut [u8],
    wire: &Wire<'_>,
) -> Result<usize, Fault> {
    let link = Link::new(socket, wire);
    let count = match tls {
        None => link.read(room)?,
        Some(tls) => tls::read(tls, &link, room)?,
    };
    // Counted in plain bytes: a session ticket is no answer.
    if count > 0 {
        wire.received();
    }
    Ok(count)
}
