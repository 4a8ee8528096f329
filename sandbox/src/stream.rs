//! A connection's stream that can be told to misbehave.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How a connection behaves from now on.
#[derive(Clone, Copy, Default)]
pub enum Mode {
    /// As it should.
    #[default]
    Good,
    /// Closes without sending anything more.
    Closed,
    /// Sends what is no HTTP, once, and closes.
    Garbage,
    /// Sends so many bytes a second.
    Dribble(u32),
}

/// Shared by the stream and those who handle its requests.
#[derive(Default)]
pub struct Conduct(Mutex<Mode>);

impl Conduct {
    /// Changes the connection's ways.
    pub fn set(&self, mode: Mode) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    fn get(&self) -> Mode {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of a connection and its behavior; an extension of each of its requests.
#[derive(Clone)]
pub struct Connection {
    /// 1 for the first connection.
    pub number: u64,
    /// How faults change its behavior.
    pub conduct: Arc<Conduct>,
}

/// What is sent for garbage.
const GARBAGE: &[u8] = b"\x16\x03\x01 this is not HTTP \xff\xfe\r\n\r\n";

/// The stream.
pub struct Faulty<S> {
    inner: S,
    conduct: Arc<Conduct>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Faulty<S> {
    /// A stream that behaves as the conduct says.
    pub fn new(inner: S, conduct: Arc<Conduct>) -> Faulty<S> {
        Faulty { inner, conduct, pause: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Faulty<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Faulty<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.conduct.get() {
            Mode::Good => Pin::new(&mut self.inner).poll_write(context, bytes),
            Mode::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Mode::Garbage => {
                ready!(Pin::new(&mut self.inner).poll_write(context, GARBAGE))?;
                self.conduct.set(Mode::Closed);
                Poll::Ready(Ok(bytes.len()))
            }
            Mode::Dribble(rate) => {
                if let Some(pause) = &mut self.pause {
                    ready!(pause.as_mut().poll(context));
                    self.pause = None;
                }
                let written = ready!(
                    Pin::new(&mut self.inner).poll_write(context, &bytes[..bytes.len().min(1)])
                )?;
                let pause = Duration::from_secs(1) / rate.max(1);
                self.pause = Some(Box::pin(tokio::time::sleep(pause)));
                Poll::Ready(Ok(written))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
