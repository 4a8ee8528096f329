//! A connection to the service: a socket, with TLS or without, and its buffers.

use std::time::Duration;

use rustls::ClientConnection;

use super::buffers::{ConnectionBuffers, Line};
use super::link::Link;
use super::tls;
use super::wire::{ExchangeState, Fault, Phase};
use crate::error::Status;
use crate::sys::{BootInstant as Instant, Socket};

/// The longest head of a response, in bytes, together with the interim responses before it.
const MAX_HEAD: usize = 64 * 1024;

/// One connection, used by one exchange at a time.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
    /// What ureq writes and reads.
    pub buffers: ConnectionBuffers,
    /// Why the request could not be sent to its end. The response may still be readable.
    send_failure: Option<Fault>,
    /// Whether no other request can follow: the peer closed the connection, or does not expect the
    /// rest of the current request.
    finished: bool,
    idle_since: Instant,
    /// How long the peer keeps it while it is idle, as far as it says.
    keep_alive: Option<Duration>,
}

impl Connection {
    /// A connection whose TLS handshake, if it has TLS, is complete.
    pub fn new(socket: Socket, tls: Option<Box<ClientConnection>>) -> Connection {
        Connection {
            socket,
            tls,
            buffers: ConnectionBuffers::new(),
            send_failure: None,
            finished: false,
            idle_since: Instant::now(),
            keep_alive: None,
        }
    }

    /// Whether it has TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether the idle connection can be used for another exchange: it is not too old, the
    /// descriptor is still its own, and the peer has neither closed it nor sent anything, except
    /// what belongs to TLS itself.
    pub fn is_usable(&mut self, idle_timeout: Duration) -> bool {
        let longest = self.keep_alive.map_or(idle_timeout, |time| time.min(idle_timeout));
        if self.idle_since.elapsed() >= longest || !self.socket.owns_descriptor() {
            return false;
        }
        match &mut self.tls {
            None => self.socket.is_idle(),
            Some(tls) => {
                (self.socket.is_idle() || tls::receive_waiting(tls, &self.socket))
                    && tls::is_quiet(tls)
            }
        }
    }

    /// Makes the connection idle, which the peer keeps for `keep_alive`, if it says so. Returns
    /// false if it cannot be used again.
    pub fn rest(&mut self, keep_alive: Option<Duration>) -> bool {
        self.keep_alive = keep_alive;
        if self.finished || !self.buffers.input.unused().is_empty() {
            return false;
        }
        self.buffers.input.wipe();
        self.idle_since = Instant::now();
        true
    }

    /// The time since which the connection is idle.
    pub fn idle_since(&self) -> Instant {
        self.idle_since
    }

    /// Sends the output that is held, then waits for input. Returns false at the end of the input.
    ///
    /// # Errors
    /// The deadline was reached, the call was cancelled, the connection was lost, or the input is
    /// not an HTTP response.
    pub fn await_input(&mut self, exchange: &ExchangeState) -> Result<bool, Fault> {
        self.flush(exchange)?;
        if exchange.expected_body().is_some() {
            self.await_body(exchange)
        } else {
            self.await_head(exchange)
        }
    }

    /// Sends the output that is held, in one write. If the peer does not accept all of it, the peer
    /// may have responded already; the reason is reported only if there is no response.
    fn flush(&mut self, exchange: &ExchangeState) -> Result<(), Fault> {
        if self.buffers.held().is_empty() {
            return Ok(());
        }
        exchange.enter(Phase::Sending);
        let link = Link::new(&self.socket, exchange);
        let (held, input) = self.buffers.held_and_input();
        let sent = match &mut self.tls {
            None => link.send_request(held, input),
            Some(tls) => tls::send_request(tls, &link, held, input),
        };
        self.buffers.sent();
        match sent {
            Ok(complete) => self.finished = !complete,
            Err(fault) if fault.status == Status::Network => {
                self.finished = true;
                self.send_failure = Some(fault);
            }
            Err(fault) => return Err(fault),
        }
        exchange.enter(Phase::Waiting);
        Ok(())
    }

    fn await_head(&mut self, exchange: &ExchangeState) -> Result<bool, Fault> {
        // Something may have arrived while the request was sent.
        if self.buffers.may_hold_a_head() {
            exchange.received();
            return Ok(true);
        }
        loop {
            if self.buffers.received_head() >= MAX_HEAD {
                return Err(Fault::new(
                    Status::Protocol,
                    "the head of the answer is larger than 64 KiB",
                ));
            }
            if self.receive(exchange)? == 0 {
                return Err(self.send_failure.take().unwrap_or_else(|| closed(exchange)));
            }
            if self.buffers.may_hold_a_head() {
                return Ok(true);
            }
        }
    }

    fn await_body(&mut self, exchange: &ExchangeState) -> Result<bool, Fault> {
        let needs_line = self.buffers.needs_line();
        loop {
            if needs_line {
                match self.buffers.show_line() {
                    Line::Shown => return Ok(true),
                    Line::Incomplete => {}
                    Line::Invalid => return Err(Fault::malformed(&"invalid chunks")),
                }
            }
            if self.receive(exchange)? == 0 {
                // Over TLS, an attacker can have cut off the rest, unless the peer announced the end.
                let is_end = self.tls.as_mut().is_none_or(|tls| tls::has_said_goodbye(tls));
                return if is_end && !needs_line { Ok(false) } else { Err(closed(exchange)) };
            }
            if !needs_line {
                return Ok(true);
            }
        }
    }

    /// Receives some bytes; 0 at the end.
    fn receive(&mut self, exchange: &ExchangeState) -> Result<usize, Fault> {
        // After a failure, nothing can come that is not here: without this, a socket that is still open
        // would be waited for until the deadline.
        if let Some(fault) = self.send_failure.take_if(|_| self.socket.is_idle()) {
            if !self.tls.as_mut().is_some_and(|tls| tls::has_content(tls)) {
                return Err(fault);
            }
            self.send_failure = Some(fault);
        }
        let link = Link::new(&self.socket, exchange);
        let room = self.buffers.input.room();
        let size = room.len();
        let received = match &mut self.tls {
            None => link.read(room),
            Some(tls) => tls::read(tls, &link, room),
        };
        let count = received.map_err(|fault| match self.send_failure.take() {
            Some(first) if fault.status == Status::Network => first,
            _ => fault,
        })?;
        if count == 0 {
            self.finished = true;
            return Ok(0);
        }
        // Plain bytes are counted: a session ticket is not a response.
        exchange.received();
        self.send_failure = None;
        self.buffers.input.filled(count);
        if count == size && exchange.expected_body().is_some() {
            self.buffers.input.widen();
        }
        Ok(count)
    }
}

/// The peer closed the connection before the end of the response.
pub fn closed(exchange: &ExchangeState) -> Fault {
    match exchange.phase() {
        Phase::Receiving => Fault::cut("the connection was closed in the middle of the answer"),
        _ => Fault::new(Status::Network, "the connection was closed before any answer came"),
    }
}
