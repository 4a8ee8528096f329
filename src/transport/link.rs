//! A socket and the limits of the exchange that uses it: every wait ends in time, and it is known
//! what was handed to the kernel.

use std::io::{self, Read, Write};

use super::input::Input;
use super::wire::{Fault, TICK, Wire};
use crate::error::Status;
use crate::sys::{self, Interest, Socket};

/// A settled socket that asks the wire how long it may wait.
pub struct Link<'a> {
    socket: &'a Socket,
    wire: &'a Wire<'a>,
}

impl<'a> Link<'a> {
    /// The socket, for one exchange.
    pub fn new(socket: &'a Socket, wire: &'a Wire<'a>) -> Link<'a> {
        Link { socket, wire }
    }

    /// Reads what is there, waiting for it; 0 at the end.
    ///
    /// # Errors
    /// A fault when the time is over, the call is cancelled or the connection lost.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, Fault> {
        self.transfer(Interest::Read, |block| self.socket.recv(buffer, block))
    }

    /// Writes some of the bytes.
    ///
    /// # Errors
    /// As for [`Link::read`].
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Fault> {
        self.transfer(Interest::Write, |block| self.socket.send(bytes, block))
            .inspect(|_| self.wire.handed_over())
    }

    /// Writes some of the bytes of a request; none of them if the peer, which does not accept more
    /// now, has sent something.
    ///
    /// # Errors
    /// As for [`Link::read`].
    pub fn write_unless_input(&self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
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
        self.wire.handed_over();
        Ok(Some(written))
    }

    /// Writes a request. Returns false if the peer responded before it accepted all of it. Interim
    /// responses do not count; `input` gets what was received.
    ///
    /// # Errors
    /// As for [`Link::read`].
    pub fn send_request(&self, mut bytes: &[u8], input: &mut Input) -> Result<bool, Fault> {
        while !bytes.is_empty() {
            match self.write_unless_input(bytes)? {
                Some(written) => bytes = &bytes[written..],
                None => {
                    let count = self.read(input.room())?;
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
    /// As for [`Link::read`].
    pub fn write_all(&self, mut bytes: &[u8]) -> Result<(), Fault> {
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
    ) -> Result<usize, Fault> {
        loop {
            let left = self.wire.left()?;
            // The socket itself wakes every tick, which costs no further system call when the
            // peer is quick. Only the last stretch needs a finer clock.
            let result = if left > TICK {
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
                    ) => {}
                Err(e) => return Err(self.lost(&e)),
            }
        }
    }

    fn lost(&self, error: &io::Error) -> Fault {
        let phase = self.wire.phase();
        Fault::new(Status::Network, format!("the connection was lost while {phase}: {error}"))
    }
}

/// A link as rustls reads and writes it. A fault travels inside the io::Error.
pub struct LinkIo<'a>(pub &'a Link<'a>);

impl Read for LinkIo<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(io::Error::other)
    }
}

impl Write for LinkIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A link as rustls writes a request to it. `WouldBlock` means that the peer, which does not accept
/// more now, has sent something.
pub struct RequestIo<'a>(pub &'a Link<'a>);

impl Write for RequestIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write_unless_input(bytes).map_err(io::Error::other)?;
        written.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The fault inside an error that came through [`LinkIo`].
pub fn unwrap(error: io::Error) -> Fault {
    let text = error.to_string();
    match error.into_inner().and_then(|inner| inner.downcast::<Fault>().ok()) {
        Some(fault) => *fault,
        None => Fault::new(Status::Network, format!("the connection failed: {text}")),
    }
}
