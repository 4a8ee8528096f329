//! A connection's stream, which can simulate failures.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How a connection sends from now on.
#[derive(Clone, Copy, Default)]
pub enum Mode {
    /// Everything is sent.
    #[default]
    Normal,
    /// Nothing more is sent; the connection is closed.
    Closed,
    /// Bytes that are not HTTP are sent, then the connection is closed.
    Garbage,
    /// This number of bytes is sent per second.
    Dribble(u32),
}

/// The mode of a connection, shared by its stream and the handlers of its requests.
#[derive(Default)]
pub struct SharedMode(Mutex<Mode>);

impl SharedMode {
    /// Changes the mode.
    pub fn set(&self, mode: Mode) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    fn get(&self) -> Mode {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, as an extension of each of its requests.
#[derive(Clone)]
pub struct Connection {
    /// 1 for the first connection.
    pub number: u64,
    /// How the connection sends; changed by faults.
    pub mode: Arc<SharedMode>,
}

/// What is sent for garbage.
const GARBAGE: &[u8] = b"\x16\x03\x01 this is not HTTP \xff\xfe\r\n\r\n";

/// The stream.
pub struct FaultyStream<S> {
    inner: S,
    mode: Arc<SharedMode>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> FaultyStream<S> {
    /// A stream that behaves according to its mode.
    pub fn new(inner: S, mode: Arc<SharedMode>) -> FaultyStream<S> {
        FaultyStream { inner, mode, pause: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FaultyStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FaultyStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.mode.get() {
            Mode::Normal => Pin::new(&mut self.inner).poll_write(context, bytes),
            Mode::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Mode::Garbage => {
                ready!(Pin::new(&mut self.inner).poll_write(context, GARBAGE))?;
                self.mode.set(Mode::Closed);
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
