//! A connection to the service: a socket, optionally TLS, and the buffers.

use std::time::Duration;

use rustls::ClientConnection;

use super::buffers::{ConnectionBuffers, Line};
use super::error::TransportError;
use super::exchange_state::{ExchangeState, Phase};
use super::stream::Stream;
use super::tls;
use crate::error::Status;
use crate::sys::{BootInstant as Instant, Socket};

/// The maximum size of the head of a response in bytes, together with interim responses before it.
const MAX_HEAD: usize = 64 * 1024;

/// One connection, used by one exchange at a time.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
    /// The buffers that ureq writes and reads.
    pub buffers: ConnectionBuffers,
    /// Why the request could not be sent completely. The response may still be readable.
    send_error: Option<TransportError>,
    /// Whether no other request can follow, because the peer closed the connection or has not received
    /// the complete request.
    finished: bool,
    idle_since: Instant,
    /// How long the peer keeps the idle connection open, if it stated that.
    keep_alive: Option<Duration>,
}

impl Connection {
    /// Creates a connection. The TLS handshake, if any, must be complete.
    pub fn new(socket: Socket, tls: Option<Box<ClientConnection>>) -> Connection {
        Connection {
            socket,
            tls,
            buffers: ConnectionBuffers::new(),
            send_error: None,
            finished: false,
            idle_since: Instant::now(),
            keep_alive: None,
        }
    }

    /// Whether the connection uses TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether the peer has sent content before the request. It cannot be the response to it.
    pub fn has_unsolicited_content(&mut self) -> bool {
        match &mut self.tls {
            None => self.socket.has_unread_bytes(),
            Some(tls) => tls::has_content(tls),
        }
    }

    /// Whether the idle connection can be used for another exchange: it is not too old, its descriptor
    /// was not reused, and the peer has neither closed it nor sent anything but TLS messages.
    pub fn is_usable(&mut self, idle_timeout: Duration) -> bool {
        let max_idle = self.keep_alive.map_or(idle_timeout, |time| time.min(idle_timeout));
        if self.idle_since.elapsed() >= max_idle || !self.socket.owns_descriptor() {
            return false;
        }
        match &mut self.tls {
            None => self.socket.is_idle(),
            Some(tls) => {
                (self.socket.is_idle() || tls::receive_available(tls, &self.socket))
                    && tls::is_idle(tls)
            }
        }
    }

    /// Makes the connection idle. `keep_alive` is how long the peer keeps it open, if known. Returns
    /// false if it cannot be used again.
    pub fn set_idle(&mut self, keep_alive: Option<Duration>) -> bool {
        self.keep_alive = keep_alive;
        if self.finished || !self.buffers.input.unused().is_empty() {
            return false;
        }
        self.buffers.input.wipe();
        self.idle_since = Instant::now();
        true
    }

    /// When the connection became idle.
    pub fn idle_since(&self) -> Instant {
        self.idle_since
    }

    /// Sends the buffered output, then waits for input. Returns false at the end of the input.
    ///
    /// # Errors
    /// The deadline has passed, the call was cancelled, the connection was lost, or the input is not
    /// an HTTP response.
    pub fn await_input(&mut self, exchange: &ExchangeState) -> Result<bool, TransportError> {
        self.flush(exchange)?;
        if exchange.expected_body().is_some() {
            self.await_body(exchange)
        } else {
            self.await_head(exchange)
        }
    }

    /// Sends the buffered output in one write. If the connection is lost, the peer may have responded
    /// before; the error is reported only if there is no response.
    fn flush(&mut self, exchange: &ExchangeState) -> Result<(), TransportError> {
        if self.buffers.pending().is_empty() {
            return Ok(());
        }
        exchange.enter(Phase::Sending);
        let stream = Stream::new(&self.socket, exchange);
        let (pending, input) = self.buffers.pending_and_input();
        let sent = match &mut self.tls {
            None => stream.send_request(pending, input),
            Some(tls) => tls::send_request(tls, &stream, pending, input),
        };
        self.buffers.clear_output();
        match sent {
            Ok(complete) => self.finished = !complete,
            Err(error) if error.status == Status::Network => {
                self.finished = true;
                self.send_error = Some(error);
            }
            Err(error) => return Err(error),
        }
        exchange.enter(Phase::Waiting);
        Ok(())
    }

    fn await_head(&mut self, exchange: &ExchangeState) -> Result<bool, TransportError> {
        // Input may have arrived while the request was sent.
        if self.buffers.may_contain_head() {
            exchange.record_received();
            return Ok(true);
        }
        loop {
            if self.buffers.received_head() >= MAX_HEAD {
                return Err(TransportError::new(
                    Status::Protocol,
                    "the head of the response is larger than 64 KiB",
                ));
            }
            if self.receive(exchange)? == 0 {
                return Err(self.send_error.take().unwrap_or_else(|| closed(exchange)));
            }
            if self.buffers.may_contain_head() {
                return Ok(true);
            }
        }
    }

    fn await_body(&mut self, exchange: &ExchangeState) -> Result<bool, TransportError> {
        let expects_line = self.buffers.expects_line();
        loop {
            if expects_line {
                match self.buffers.show_line() {
                    Line::Shown => return Ok(true),
                    Line::Incomplete => {}
                    Line::Invalid => {
                        return Err(TransportError::malformed(&"it has invalid chunks"));
                    }
                }
            }
            if self.receive(exchange)? == 0 {
                // Over TLS, an attacker may have truncated the response, unless the peer sent close_notify.
                let is_end = self.tls.as_mut().is_none_or(|tls| tls::received_close_notify(tls));
                return if is_end && !expects_line { Ok(false) } else { Err(closed(exchange)) };
            }
            if !expects_line {
                return Ok(true);
            }
        }
    }

    /// Receives some bytes; 0 at the end of the input.
    fn receive(&mut self, exchange: &ExchangeState) -> Result<usize, TransportError> {
        // After a failed send, only input that has already arrived can be read. Without this check, the
        // call would wait until the deadline.
        if let Some(error) = self.send_error.take_if(|_| self.socket.is_idle()) {
            if !self.tls.as_mut().is_some_and(|tls| tls::has_content(tls)) {
                return Err(error);
            }
            self.send_error = Some(error);
        }
        let stream = Stream::new(&self.socket, exchange);
        let free_space = self.buffers.input.free_space();
        let size = free_space.len();
        let received = match &mut self.tls {
            None => stream.read(free_space),
            Some(tls) => tls::read(tls, &stream, free_space),
        };
        let count = received.map_err(|error| match self.send_error.take() {
            Some(first) if error.status == Status::Network => first,
            _ => error,
        })?;
        if count == 0 {
            self.finished = true;
            return Ok(0);
        }
        // Only after decryption: a session ticket is not a response.
        exchange.record_received();
        self.send_error = None;
        self.buffers.input.filled(count);
        if count == size && exchange.expected_body().is_some() {
            self.buffers.input.grow();
        }
        Ok(count)
    }
}

/// The peer closed the connection before the end of the response.
pub fn closed(exchange: &ExchangeState) -> TransportError {
    match exchange.phase() {
        Phase::Receiving => {
            TransportError::truncated("the connection was closed in the middle of the response")
        }
        _ => TransportError::new(
            Status::Network,
            "the connection was closed before a response arrived",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;
    use crate::sys::{self, Interest};

    #[test]
    fn content_before_the_request_is_recognized() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Socket::connect(&listener.local_addr().unwrap(), None).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let mut connection = Connection::new(socket, None);
        assert!(!connection.has_unsolicited_content());
        peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        sys::poll(&[(&connection.socket, Interest::Read)], Duration::from_secs(10)).unwrap();
        assert!(connection.has_unsolicited_content());
    }
}
