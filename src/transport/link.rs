//! A socket and the limits of the exchange that uses it: every wait ends in time, and it is known
//! what was handed to the kernel.

use std::fmt;
use std::io::{self, Read, Write};

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
                sys::wait(&[(self.socket, interest)], left).and_then(|_| operation(false))
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
        self.0.read(buffer).map_err(wrap)
    }
}

impl Write for LinkIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(wrap)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The fault inside an error that came through [`LinkIo`].
pub fn unwrap(error: io::Error) -> Fault {
    let text = error.to_string();
    match error.into_inner().and_then(|inner| inner.downcast::<Carried>().ok()) {
        Some(carried) => carried.0,
        None => Fault::new(Status::Network, format!("the connection failed: {text}")),
    }
}

fn wrap(fault: Fault) -> io::Error {
    io::Error::other(Carried(fault))
}

#[derive(Debug)]
struct Carried(Fault);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Carried {}
