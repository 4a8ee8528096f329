//! A connection under ureq: a socket, with TLS or without, that keeps the exchange's limits.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::buffers::HoldingBuffers;
use super::tls;
use super::wire::{Fault, Phase, TICK, Wire};
use crate::error::Status;
use crate::sys::{self, Interest, Socket};

/// A socket that asks the wire how long it may wait.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
    wire: Arc<Wire>,
}

impl Link {
    /// A link over a settled socket.
    pub fn new(socket: Socket, wire: Arc<Wire>) -> Link {
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
                sys::wait(&[(&self.socket, interest)], left).and_then(|_| operation(false))
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
        let (phase, ..) = self.wire.progress();
        Fault::new(Status::Network, format!("the connection was lost while {phase}: {error}"))
    }
}

/// One connection, as ureq sees it.
pub struct Connection {
    link: Link,
    tls: Option<Box<ClientConnection>>,
    buffers: HoldingBuffers,
    used: Instant,
    idle_timeout: Duration,
    fresh: bool,
}

impl Connection {
    /// A connection whose handshake, if it has TLS, is done.
    pub fn new(link: Link, tls: Option<Box<ClientConnection>>, idle_timeout: Duration) -> Self {
        Connection {
            link,
            tls,
            buffers: HoldingBuffers::new(),
            used: Instant::now(),
            idle_timeout,
            fresh: true,
        }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        if self.buffers.held().is_empty() {
            return Ok(());
        }
        self.link.wire.enter(Phase::Sending);
        match &mut self.tls {
            None => self.link.write_all(self.buffers.held())?,
            Some(tls) => tls::write(tls, &self.link, self.buffers.held())?,
        }
        self.buffers.sent();
        self.link.wire.enter(Phase::Waiting);
        Ok(())
    }

    fn fill(&mut self) -> Result<bool, Fault> {
        self.flush()?;
        let room = self.buffers.input_append_buf();
        let count = match &mut self.tls {
            None => self.link.read(room)?,
            Some(tls) => tls::read(tls, &self.link, room)?,
        };
        self.buffers.input_appended(count);
        // Counted in plain bytes: a session ticket is no answer.
        if count > 0 {
            self.link.wire.received();
        }
        self.fresh = true;
        self.used = Instant::now();
        Ok(count > 0)
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        if self.buffers.hold(amount) {
            self.flush().map_err(|fault| self.link.wire.fail(fault))?;
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.fill().map_err(|fault| self.link.wire.fail(fault))
    }

    fn is_open(&mut self) -> bool {
        if !self.buffers.is_empty() {
            return false;
        }
        // ureq asks when it puts a connection back, right after reading from it, and when it
        // takes it out again. Only the second time can tell anything.
        if std::mem::take(&mut self.fresh) {
            return true;
        }
        self.used.elapsed() < self.idle_timeout
            && self.link.socket.is_ours()
            && self.link.socket.is_quiet()
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// A link as rustls reads and writes it. A fault travels inside the io::Error.
pub struct LinkIo<'a>(pub &'a Link);

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
