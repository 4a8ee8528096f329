//! What the layers of one exchange share: its limits, how far it has come, and what went wrong.
//!
//! Every wait below asks here how long it may last.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::Status;

/// The longest wait that does not look whether the call was cancelled.
pub const TICK: Duration = Duration::from_millis(100);

/// How long an exchange may take and what ends it early.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// When the exchange must have ended.
    pub deadline: Instant,
    /// Becomes true when nobody waits for any answer of the client's any more.
    pub cancelled: &'a AtomicBool,
    /// Becomes true when nobody waits for this answer any more.
    pub abandoned: Option<&'a AtomicBool>,
    /// Whether the answer to a request that was sent must be known all the same, since it tells
    /// what then exists at the service.
    pub must_know: bool,
}

impl Limits<'_> {
    /// Whether to give up, now that the request was `sent` or not.
    pub fn is_over(&self, sent: bool) -> bool {
        let is_abandoned = || self.abandoned.is_some_and(|it| it.load(Ordering::Acquire));
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

/// The state of one exchange, on the stack of the thread that carries it out.
#[derive(Debug)]
pub struct Wire<'a> {
    limits: &'a Limits<'a>,
    /// Until a connection stands, this counts instead of the deadline where it is earlier.
    connect_by: Instant,
    started: Instant,
    phase: Cell<Phase>,
    sent: Cell<bool>,
    opened: Cell<bool>,
}

impl<'a> Wire<'a> {
    /// An exchange that begins now.
    pub fn new(limits: &'a Limits<'a>, connect_timeout: Duration) -> Wire<'a> {
        let now = Instant::now();
        Wire {
            limits,
            connect_by: now + connect_timeout,
            started: now,
            phase: Cell::new(Phase::Sending),
            sent: Cell::new(false),
            opened: Cell::new(false),
        }
    }

    /// The exchange enters another phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Bytes were handed to the kernel: of the request, if that is being sent.
    pub fn handed_over(&self) {
        if self.phase.get() == Phase::Sending {
            self.sent.set(true);
        }
    }

    /// Bytes of the peer's arrived.
    pub fn received(&self) {
        if self.phase.get() == Phase::Waiting {
            self.phase.set(Phase::Receiving);
        }
    }

    /// A connection stands, opened for this exchange.
    pub fn opened(&self) {
        self.opened.set(true);
        self.phase.set(Phase::Sending);
    }

    /// Whether a byte of the request was handed to the kernel.
    pub fn was_sent(&self) -> bool {
        self.sent.get()
    }

    /// Whether a connection was opened for this exchange.
    pub fn has_opened(&self) -> bool {
        self.opened.get()
    }

    /// Whether the time for the connection is over, while there is time left for the call.
    pub fn connect_timed_out(&self) -> bool {
        let now = Instant::now();
        self.connect_by <= now && now < self.limits.deadline
    }

    /// How long the next wait may last.
    ///
    /// # Errors
    /// A fault when the exchange's time is over or it was cancelled.
    pub fn left(&self) -> Result<Duration, Fault> {
        let phase = self.phase.get();
        if self.limits.is_over(self.sent.get()) {
            return Err(Fault::new(
                Status::Cancelled,
                format!("the call was cancelled while {phase}"),
            ));
        }
        let connecting =
            matches!(phase, Phase::Resolving | Phase::Connecting | Phase::Proxy | Phase::Handshake);
        let (until, key) = if connecting && self.connect_by < self.limits.deadline {
            (self.connect_by, "connectTimeoutMs")
        } else {
            (self.limits.deadline, "timeoutMs and attemptTimeoutMs")
        };
        let now = Instant::now();
        until.checked_duration_since(now).filter(|left| !left.is_zero()).ok_or_else(|| {
            let spent = now.saturating_duration_since(self.started).as_millis();
            Fault::new(
                Status::Timeout,
                format!(
                    "the time ran out after {spent} ms while {phase}; see {key} in the \
                     configuration"
                ),
            )
        })
    }
}
