//! The state of one exchange, which its layers share: its deadline, its phase, and whether anything
//! was sent. Every wait asks it how long it may last.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::call_context::{CallContext, Deadline, is_cancelled};
use super::error::TransportError;
use crate::error::Status;

/// The phase of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Resolving the host name.
    Resolving,
    /// Opening the connection.
    Connecting,
    /// Opening the tunnel through the proxy.
    Proxy,
    /// Performing the TLS handshake.
    Handshake,
    /// Sending the request.
    Sending,
    /// Waiting for the first byte of the response.
    Waiting,
    /// Receiving the response.
    Receiving,
}

impl Phase {
    /// All phases, indexed by their number.
    const ALL: [Phase; 7] = [
        Phase::Resolving,
        Phase::Connecting,
        Phase::Proxy,
        Phase::Handshake,
        Phase::Sending,
        Phase::Waiting,
        Phase::Receiving,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Resolving => "resolving the host name",
            Phase::Connecting => "connecting",
            Phase::Proxy => "opening the proxy tunnel",
            Phase::Handshake => "in the TLS handshake",
            Phase::Sending => "sending the request",
            Phase::Waiting => "waiting for the response",
            Phase::Receiving => "receiving the response",
        })
    }
}

/// The state of one exchange. The exchange and the connection inside ureq share it. Only one thread
/// uses it at a time, so the memory order of its atomics does not matter.
#[derive(Debug)]
pub struct ExchangeState {
    deadline: Deadline,
    client_cancelled: Arc<AtomicBool>,
    call_cancelled: Option<Arc<AtomicBool>>,
    completes_if_sent: bool,
    /// Applies until the connection is open, if it is earlier than the deadline.
    connect_deadline: Deadline,
    started: Instant,
    phase: AtomicU8,
    sent: AtomicBool,
    opened: AtomicBool,
    /// 0 while the head of the response is awaited, then the expected size of the body plus one.
    body: AtomicUsize,
}

impl ExchangeState {
    /// Creates the state of an exchange that starts now.
    pub fn new(context: &CallContext<'_>, connect_timeout: Duration) -> ExchangeState {
        let now = Instant::now();
        ExchangeState {
            deadline: context.deadline,
            client_cancelled: context.cancel.client.clone(),
            call_cancelled: context.cancel.call.cloned(),
            completes_if_sent: context.cancel.completes_if_sent,
            connect_deadline: Deadline(now + connect_timeout),
            started: now,
            phase: AtomicU8::new(Phase::Sending as u8),
            sent: AtomicBool::new(false),
            opened: AtomicBool::new(false),
            body: AtomicUsize::new(0),
        }
    }

    /// Enters another phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// The current phase.
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::Relaxed))]
    }

    /// Records that bytes were passed to the kernel; in the phase `Sending`, bytes of the request.
    pub fn record_sent(&self) {
        if self.phase() == Phase::Sending {
            self.sent.store(true, Ordering::Relaxed);
        }
    }

    /// Records that bytes of the response were received.
    pub fn record_received(&self) {
        if self.phase() == Phase::Waiting {
            self.enter(Phase::Receiving);
        }
    }

    /// Records that the head of the response was read, and the expected size of the body.
    pub fn begin_body(&self, expected: usize) {
        self.body.store(expected.saturating_add(1), Ordering::Relaxed);
    }

    /// The expected size of the body. None until the head of the response was read.
    pub fn expected_body(&self) -> Option<usize> {
        self.body.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Records that a connection was opened for this exchange.
    pub fn record_opened(&self) {
        self.opened.store(true, Ordering::Relaxed);
        self.enter(Phase::Sending);
    }

    /// Whether a byte of the request was passed to the kernel.
    pub fn was_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether a connection was opened for this exchange.
    pub fn has_opened(&self) -> bool {
        self.opened.load(Ordering::Relaxed)
    }

    /// Whether the connect timeout has passed, but not the deadline of the call.
    pub fn connect_timed_out(&self) -> bool {
        let now = Deadline(Instant::now());
        self.connect_deadline <= now && now < self.deadline
    }

    /// How long the next wait may last.
    ///
    /// # Errors
    /// The deadline has passed, or the call was cancelled.
    pub fn remaining(&self) -> Result<Duration, TransportError> {
        let phase = self.phase();
        let (client, call) = (&self.client_cancelled, self.call_cancelled.as_ref());
        if is_cancelled(client, call, self.completes_if_sent, self.was_sent()) {
            return Err(TransportError::new(
                Status::Cancelled,
                format!("the call was cancelled while {phase}"),
            ));
        }
        let connecting =
            matches!(phase, Phase::Resolving | Phase::Connecting | Phase::Proxy | Phase::Handshake);
        let (deadline, key) = if connecting && self.connect_deadline < self.deadline {
            (self.connect_deadline, "connectTimeoutMs")
        } else {
            (self.deadline, "timeoutMs and attemptTimeoutMs")
        };
        let now = Instant::now();
        deadline.0.checked_duration_since(now).filter(|left| !left.is_zero()).ok_or_else(|| {
            let spent = now.saturating_duration_since(self.started).as_millis();
            TransportError::new(
                Status::Timeout,
                format!(
                    "the time ran out after {spent} ms while {phase}; see {key} in the \
                     configuration"
                ),
            )
        })
    }
}
