//! What the layers of one exchange share: its limits, how far it has come, and what went wrong.
//!
//! Every wait below asks here how long it may last.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::error::Status;

/// The longest wait that does not look whether the call was cancelled.
pub const TICK: Duration = Duration::from_millis(75);

/// How long an exchange may take and what ends it early.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// When the exchange must have ended.
    pub deadline: Instant,
    /// Becomes true when nobody waits for any answer of the client's any more.
    pub cancelled: &'a Arc<AtomicBool>,
    /// Becomes true when nobody waits for this answer any more.
    pub abandoned: Option<&'a Arc<AtomicBool>>,
    /// Whether the answer to a request that was sent must be known all the same, since it tells
    /// what then exists at the service.
    pub must_know: bool,
}

impl Limits<'_> {
    /// Whether to give up, now that the request was `sent` or not.
    pub fn is_over(&self, sent: bool) -> bool {
        is_over(self.cancelled, self.abandoned, self.must_know, sent)
    }

    /// How much time is left; none when it is over.
    pub fn left(&self) -> Option<Duration> {
        self.deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

fn is_over(
    cancelled: &AtomicBool,
    abandoned: Option<&Arc<AtomicBool>>,
    must_know: bool,
    sent: bool,
) -> bool {
    let is_abandoned = || abandoned.is_some_and(|it| it.load(Ordering::Acquire));
    cancelled.load(Ordering::Acquire) || (is_abandoned() && !(sent && must_know))
}

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
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

impl Phase {
    /// All phases, each at the place of its number.
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

    /// The peer does not speak HTTP as the service does.
    pub fn malformed(why: &dyn fmt::Display) -> Fault {
        Fault::new(
            Status::Protocol,
            format!("what answered does not speak HTTP as the service does: {why}"),
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// The name of the state of an exchange in the layers that open connections.
pub type Wire<'a> = ExchangeState;

/// The state of one exchange. The exchange and the transport that ureq uses share it; only one
/// thread uses it at a time, so that the order of its atomic values does not matter.
#[derive(Debug)]
pub struct ExchangeState {
    deadline: Instant,
    cancelled: Arc<AtomicBool>,
    abandoned: Option<Arc<AtomicBool>>,
    must_know: bool,
    /// Until the connection is open, this time counts instead of the deadline if it is earlier.
    connect_by: Instant,
    started: Instant,
    phase: AtomicU8,
    sent: AtomicBool,
    opened: AtomicBool,
    /// 0 while the head of the response is awaited, then the expected size of the body plus one.
    body: AtomicUsize,
}

impl ExchangeState {
    /// An exchange that starts now.
    pub fn new(limits: &Limits<'_>, connect_timeout: Duration) -> ExchangeState {
        let now = Instant::now();
        ExchangeState {
            deadline: limits.deadline,
            cancelled: limits.cancelled.clone(),
            abandoned: limits.abandoned.cloned(),
            must_know: limits.must_know,
            connect_by: now + connect_timeout,
            started: now,
            phase: AtomicU8::new(Phase::Sending as u8),
            sent: AtomicBool::new(false),
            opened: AtomicBool::new(false),
            body: AtomicUsize::new(0),
        }
    }

    /// The exchange enters another phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// The current phase.
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::Relaxed))]
    }

    /// Bytes were passed to the kernel: bytes of the request, if it is being sent.
    pub fn handed_over(&self) {
        if self.phase() == Phase::Sending {
            self.sent.store(true, Ordering::Relaxed);
        }
    }

    /// Bytes of the response were received.
    pub fn received(&self) {
        if self.phase() == Phase::Waiting {
            self.enter(Phase::Receiving);
        }
    }

    /// The head of the response was read. The body is expected to have this many bytes.
    pub fn begin_body(&self, expected: usize) {
        self.body.store(expected.saturating_add(1), Ordering::Relaxed);
    }

    /// The expected size of the body; none while the head of the response is awaited.
    pub fn expected_body(&self) -> Option<usize> {
        self.body.load(Ordering::Relaxed).checked_sub(1)
    }

    /// A connection was opened for this exchange.
    pub fn opened(&self) {
        self.opened.store(true, Ordering::Relaxed);
        self.enter(Phase::Sending);
    }

    /// Whether a byte of the request was handed to the kernel.
    pub fn was_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether a connection was opened for this exchange.
    pub fn has_opened(&self) -> bool {
        self.opened.load(Ordering::Relaxed)
    }

    /// Whether the time for the connection is over, while there is time left for the call.
    pub fn connect_timed_out(&self) -> bool {
        let now = Instant::now();
        self.connect_by <= now && now < self.deadline
    }

    /// How long the next wait may last.
    ///
    /// # Errors
    /// A fault when the exchange's time is over or it was cancelled.
    pub fn left(&self) -> Result<Duration, Fault> {
        let phase = self.phase();
        if is_over(&self.cancelled, self.abandoned.as_ref(), self.must_know, self.was_sent()) {
            return Err(Fault::new(
                Status::Cancelled,
                format!("the call was cancelled while {phase}"),
            ));
        }
        let connecting =
            matches!(phase, Phase::Resolving | Phase::Connecting | Phase::Proxy | Phase::Handshake);
        let (until, key) = if connecting && self.connect_by < self.deadline {
            (self.connect_by, "connectTimeoutMs")
        } else {
            (self.deadline, "timeoutMs and attemptTimeoutMs")
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
