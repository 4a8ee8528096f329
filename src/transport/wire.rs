//! What the layers of one exchange share: its limits, how far it has come, and what went wrong.
//!
//! ureq's own time-outs are not used: they cost a thread a name and a copied configuration a
//! call. Every wait below asks here how long it may last.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{NO_MEMORY, Status};
use crate::sys;

/// The longest wait that does not look whether the call was cancelled.
pub const TICK: Duration = Duration::from_millis(100);

/// How long an exchange may take and what ends it early.
#[derive(Clone, Debug)]
pub struct Limits {
    /// When the exchange must have ended.
    pub deadline: Instant,
    /// Becomes true when nobody waits for any answer of the client's any more.
    pub cancelled: Arc<AtomicBool>,
    /// Becomes true when nobody waits for this answer any more.
    pub abandoned: Option<Arc<AtomicBool>>,
    /// Whether the answer to a request that was sent must be known all the same, since it tells
    /// what then exists at the service.
    pub must_know: bool,
}

impl Limits {
    /// Nothing but a deadline.
    pub fn until(deadline: Instant) -> Limits {
        Limits { deadline, cancelled: Arc::default(), abandoned: None, must_know: false }
    }

    /// Whether to give up, now that the request was `sent` or not.
    pub fn is_over(&self, sent: bool) -> bool {
        let is_abandoned =
            || self.abandoned.as_ref().is_some_and(|abandoned| abandoned.load(Ordering::Acquire));
        self.cancelled.load(Ordering::Acquire) || (is_abandoned() && !(sent && self.must_know))
    }

    /// How much time is left; none when it is over.
    pub fn left(&self) -> Option<Duration> {
        self.deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Looking the name up.
    Resolving,
    /// Making the connection.
    Connecting,
    /// Asking the proxy for a tunnel.
    Proxy,
    /// In the TLS handshake.
    Handshake,
    /// Handing the request to the kernel.
    Sending,
    /// Waiting for the first byte of the answer.
    Waiting,
    /// Reading the answer.
    Receiving,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Resolving => "looking up the host's name",
            Phase::Connecting => "connecting",
            Phase::Proxy => "asking the proxy for a tunnel",
            Phase::Handshake => "in the TLS handshake",
            Phase::Sending => "sending the request",
            Phase::Waiting => "waiting for the answer",
            Phase::Receiving => "reading the answer",
        })
    }
}

/// Why an exchange ended without an answer.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The class of the failure.
    pub status: Status,
    /// What was wrong and what to do.
    pub message: String,
    /// Whether another attempt could fare better.
    pub transient: bool,
}

impl Fault {
    /// A fault of this class; what is no matter of luck is not transient.
    pub fn new(status: Status, message: impl Into<String>) -> Fault {
        let lasting =
            matches!(status, Status::Cancelled | Status::Tls | Status::Protocol | Status::Internal);
        Fault { status, message: message.into(), transient: !lasting }
    }

    /// An answer that a lost connection cut: a matter of luck, though it cannot be read.
    pub fn cut(message: impl Into<String>) -> Fault {
        Fault { transient: true, ..Fault::new(Status::Protocol, message) }
    }
}

/// The state of the exchange that a lane is carrying out.
#[derive(Debug)]
pub struct Wire(Mutex<State>);

#[derive(Debug)]
struct State {
    limits: Limits,
    /// Until a connection stands, this counts instead of the deadline where it is earlier.
    connect_by: Instant,
    started: Instant,
    phase: Phase,
    sent: bool,
    opened: bool,
    fault: Option<Fault>,
}

impl Wire {
    /// The state of a lane that has nothing to do yet.
    pub fn new() -> Wire {
        let now = Instant::now();
        Wire(Mutex::new(State {
            limits: Limits::until(now),
            connect_by: now,
            started: now,
            phase: Phase::Sending,
            sent: false,
            opened: false,
            fault: None,
        }))
    }

    // A lane is used by one thread at a time, so this lock never waits.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an exchange.
    pub fn begin(&self, limits: &Limits, connect_timeout: Duration) {
        let now = Instant::now();
        *self.state() = State {
            limits: limits.clone(),
            connect_by: now + connect_timeout,
            started: now,
            phase: Phase::Sending,
            sent: false,
            opened: false,
            fault: None,
        };
    }

    /// The exchange enters another phase.
    pub fn enter(&self, phase: Phase) {
        self.state().phase = phase;
    }

    /// Bytes were handed to the kernel: of the request, if that is being sent.
    pub fn handed_over(&self) {
        let mut state = self.state();
        state.sent |= state.phase == Phase::Sending;
    }

    /// Bytes of the peer's arrived.
    pub fn received(&self) {
        let mut state = self.state();
        if state.phase == Phase::Waiting {
            state.phase = Phase::Receiving;
        }
    }

    /// A connection stands, opened for this exchange.
    pub fn opened(&self) {
        let mut state = self.state();
        state.opened = true;
        state.phase = Phase::Sending;
    }

    /// The phase now, whether a byte of the request was handed to the kernel, and whether a
    /// connection was opened.
    pub fn progress(&self) -> (Phase, bool, bool) {
        let state = self.state();
        (state.phase, state.sent, state.opened)
    }

    /// How long the next wait may last.
    ///
    /// # Errors
    /// A fault when the exchange's time is over or it was cancelled.
    pub fn left(&self) -> Result<Duration, Fault> {
        let state = self.state();
        if sys::memory_is_short() {
            return Err(Fault::new(Status::Internal, NO_MEMORY));
        }
        if state.limits.is_over(state.sent) {
            return Err(Fault::new(
                Status::Cancelled,
                format!("the call was cancelled while {}", state.phase),
            ));
        }
        let connecting = matches!(
            state.phase,
            Phase::Resolving | Phase::Connecting | Phase::Proxy | Phase::Handshake
        );
        let (until, key) = if connecting && state.connect_by < state.limits.deadline {
            (state.connect_by, "connectTimeoutMs")
        } else {
            (state.limits.deadline, "timeoutMs and attemptTimeoutMs")
        };
        let now = Instant::now();
        until.checked_duration_since(now).filter(|left| !left.is_zero()).ok_or_else(|| {
            let spent = now.saturating_duration_since(state.started).as_millis();
            Fault::new(
                Status::Timeout,
                format!(
                    "the time ran out after {spent} ms while {}; see {key} in the configuration",
                    state.phase
                ),
            )
        })
    }

    /// Keeps the fault for whoever started the exchange, and gives ureq an error to carry.
    pub fn fail(&self, fault: Fault) -> ureq::Error {
        self.state().fault.get_or_insert(fault);
        ureq::Error::Io(io::Error::other("see the wire's fault"))
    }

    /// The fault that ended the exchange, if it was one of ours.
    pub fn take_fault(&self) -> Option<Fault> {
        self.state().fault.take()
    }
}
