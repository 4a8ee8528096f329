//! A byte stream over a socket: every wait obeys the deadline and the cancellation of the exchange.

use std::io::{self, Read, Write};

use super::call_context::CANCEL_CHECK_INTERVAL;
use super::error::TransportError;
use super::exchange_state::ExchangeState;
use super::input_buffer::InputBuffer;
use crate::error::Status;
use crate::sys::{self, Interest, Socket};

/// A configured socket, and the exchange that uses it.
pub struct Stream<'a> {
    socket: &'a Socket,
    exchange: &'a ExchangeState,
}

impl<'a> Stream<'a> {
    /// Creates the stream of one exchange.
    pub fn new(socket: &'a Socket, exchange: &'a ExchangeState) -> Stream<'a> {
        Stream { socket, exchange }
    }

    /// Waits for bytes and reads some; 0 at the end of the stream.
    ///
    /// # Errors
    /// The deadline has passed, the call was cancelled, or the connection was lost.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, TransportError> {
        self.transfer(Interest::Read, |block| self.socket.recv(buffer, block))
    }

    /// Writes some of the bytes.
    ///
    /// # Errors
    /// As for [`Stream::read`].
    pub fn write(&self, bytes: &[u8]) -> Result<usize, TransportError> {
        self.transfer(Interest::Write, |block| self.socket.send(bytes, block))
            .inspect(|_| self.exchange.record_sent())
    }

    /// Writes some of the bytes of a request. None if the peer accepts no more now and has sent input.
    ///
    /// # Errors
    /// As for [`Stream::read`].
    pub fn write_unless_input(&self, bytes: &[u8]) -> Result<Option<usize>, TransportError> {
        let mut has_input = false;
        let written = self.transfer(Interest::Write, |block| {
            self.socket.send(bytes, block).or_else(|error| {
                has_input = error.kind() == io::ErrorKind::WouldBlock && !self.socket.is_idle();
                if has_input { Ok(0) } else { Err(error) }
            })
        })?;
        if has_input {
            return Ok(None);
        }
        self.exchange.record_sent();
        Ok(Some(written))
    }

    /// Writes a request. Returns false if the peer responded before it accepted all of it. Interim
    /// responses do not count. Received bytes are put into `input`.
    ///
    /// # Errors
    /// As for [`Stream::read`].
    pub fn send_request(
        &self,
        mut bytes: &[u8],
        input: &mut InputBuffer,
    ) -> Result<bool, TransportError> {
        while !bytes.is_empty() {
            match self.write_unless_input(bytes)? {
                Some(written) => bytes = &bytes[written..],
                None => {
                    let count = self.read(input.free_space())?;
                    input.filled(count);
                    if count == 0 || input.begins_final_response() {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Writes all the bytes.
    ///
    /// # Errors
    /// As for [`Stream::read`].
    pub fn write_all(&self, mut bytes: &[u8]) -> Result<(), TransportError> {
        while !bytes.is_empty() {
            let written = self.write(bytes)?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    fn transfer(
        &self,
        interest: Interest,
        mut operation: impl FnMut(bool) -> io::Result<usize>,
    ) -> Result<usize, TransportError> {
        loop {
            let left = self.exchange.remaining()?;
            // The timeout of the socket ends each wait, which takes no further system call. Only just
            // before the deadline is a shorter timeout necessary.
            let result = if left > CANCEL_CHECK_INTERVAL {
                operation(true)
            } else {
                sys::poll(&[(self.socket, interest)], left).and_then(|_| operation(false))
            };
            match result {
                Ok(count) => return Ok(count),
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) =>
                {
                    sys::run_interrupt();
                }
                Err(e) => return Err(self.lost_connection(&e)),
            }
        }
    }

    fn lost_connection(&self, error: &io::Error) -> TransportError {
        let phase = self.exchange.phase();
        TransportError::new(
            Status::Network,
            format!("the connection was lost while {phase}: {error}"),
        )
    }
}

/// A stream for rustls. The io::Error contains the [`TransportError`].
pub struct StreamIo<'a>(pub &'a Stream<'a>);

impl Read for StreamIo<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(io::Error::other)
    }
}

impl Write for StreamIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream to which rustls writes a request. `WouldBlock` means that the peer accepts no more now and
/// has sent input.
pub struct RequestIo<'a>(pub &'a Stream<'a>);

impl Write for RequestIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write_unless_input(bytes).map_err(io::Error::other)?;
        written.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The [`TransportError`] inside an error of [`StreamIo`].
pub fn into_transport_error(error: io::Error) -> TransportError {
    let text = error.to_string();
    match error.into_inner().and_then(|inner| inner.downcast::<TransportError>().ok()) {
        Some(error) => *error,
        None => TransportError::new(Status::Network, format!("the connection failed: {text}")),
    }
}
