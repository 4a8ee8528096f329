//! The cases of the matrix: which there are, and what a caller must be result in each. Written from
//! what the library promises, not from what it does.

/// How far an request has come when the fault takes_fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Name,
    Connect,
    /// An HTTP proxy is asked for a tunnel.
    Proxy,
    /// A SOCKS5 proxy is.
    Socks,
    Tls,
    /// The service has read the beginning of the head.
    HeadSent,
    /// It has read all of the request, and processed.
    BodySent,
    /// It processed, and this much of the response came.
    StatusLine,
    Headers,
    Body,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Says no, in the words of the phase's protocol.
    Refuse,
    Reset,
    Close,
    Stall,
    /// A byte now and then.
    Dribble,
    Garbage,
    Duplicate,
    Oversize,
}

/// One operation for each way in which operations may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationClass {
    Create,
    Read,
    Add,
    Set,
    Remove,
}

/// The connection that the call finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionKind {
    New,
    /// One that an earlier call left; it is gone where the fault comes before the request.
    Reused,
}

/// How often the fault takes_fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// Every time, and nothing is retried.
    Always,
    /// Once, and retries are allowed.
    Once,
}

/// Which request the fault takes_fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The operation's own.
    Operation,
    /// The one for the access token that the operation needs.
    TokenRequest,
}

#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub target: Target,
    pub phase: Phase,
    pub fault: Fault,
    pub class: OperationClass,
    pub connection_kind: ConnectionKind,
    pub tls: bool,
    pub frequency: Frequency,
}

pub const PHASES: [Phase; 11] = [
    Phase::Name,
    Phase::Connect,
    Phase::Proxy,
    Phase::Socks,
    Phase::Tls,
    Phase::HeadSent,
    Phase::BodySent,
    Phase::StatusLine,
    Phase::Headers,
    Phase::Body,
    Phase::End,
];
pub const FAULTS: [Fault; 8] = [
    Fault::Refuse,
    Fault::Reset,
    Fault::Close,
    Fault::Stall,
    Fault::Dribble,
    Fault::Garbage,
    Fault::Duplicate,
    Fault::Oversize,
];
const OPERATION_CLASSES: [OperationClass; 5] = [
    OperationClass::Create,
    OperationClass::Read,
    OperationClass::Add,
    OperationClass::Set,
    OperationClass::Remove,
];

/// Whether another attempt is made, where the operation and the outcome allow one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    Yes,
    No,
}

/// What one attempt must come to.
pub struct Expected {
    /// The status is one of these; `BW_OK` is among them where the fault does no harm.
    pub statuses: &'static [&'static str],
    /// And the outcome, unless it is a success, one of these.
    pub outcomes: &'static [&'static str],
    pub again: Again,
    /// Whether the connection may be used for the next call.
    pub reusable: bool,
}

/// All cases that there can be.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (target, class) in targets() {
        for phase in PHASES {
            for fault in FAULTS {
                for (connection_kind, tls, frequency) in ways() {
                    let case =
                        Case { target, phase, fault, class, connection_kind, tls, frequency };
                    if exclusion_reason(phase, fault, tls).is_none() {
                        cases.push(case);
                    }
                }
            }
        }
    }
    cases
}

/// Each class of operations; and the token request before a create operation, because a token
/// request is repeated even if the operation must not be.
fn targets() -> impl Iterator<Item = (Target, OperationClass)> {
    let operations = OPERATION_CLASSES.map(|class| (Target::Operation, class));
    operations.into_iter().chain([(Target::TokenRequest, OperationClass::Create)])
}

fn ways() -> impl Iterator<Item = (ConnectionKind, bool, Frequency)> {
    (0..8).map(|bits| {
        (
            if bits & 1 == 0 { ConnectionKind::New } else { ConnectionKind::Reused },
            bits & 2 != 0,
            if bits & 4 == 0 { Frequency::Always } else { Frequency::Once },
        )
    })
}

/// Why there is no such fault in this phase.
pub fn exclusion_reason(phase: Phase, fault: Fault, tls: bool) -> Option<&'static str> {
    match (phase, fault) {
        (Phase::Tls, _) if !tls => Some("no TLS"),
        (Phase::Proxy | Phase::Socks, _) if !tls => Some("a proxy is for https alone"),
        (Phase::Name, Fault::Reset | Fault::Close) => Some("a look-up has no connection"),
        (Phase::Connect, Fault::Dribble) => Some("a connection is made at once or not"),
        (Phase::Connect, Fault::Duplicate) => Some("a connection is made once"),
        (Phase::HeadSent, Fault::Duplicate) => Some("nothing was said that could be repeated"),
        (Phase::StatusLine | Phase::Headers | Phase::Body | Phase::End, Fault::Refuse) => {
            Some("the response is a success already")
        }
        _ => None,
    }
}

const NOT_SENT: &[&str] = &["not_sent"];
const UNKNOWN: &[&str] = &["unknown"];
/// Bytes of the request may be in the kernel before the end of the connection is records.
const EITHER: &[&str] = &["not_sent", "unknown"];
const REJECTED: &[&str] = &["rejected"];

impl Expected {
    fn new(
        statuses: &'static [&'static str],
        outcomes: &'static [&'static str],
        again: Again,
    ) -> Expected {
        Expected { statuses, outcomes, again, reusable: false }
    }
}

impl Case {
    /// What an attempt that the fault takes_fault must come to.
    pub fn expected(&self) -> Expected {
        let expected = self.expected_of_request();
        match self.target {
            Target::TokenRequest if !expected.outcomes.is_empty() => {
                // Whatever became of the token request, the operation itself was not sent.
                Expected { outcomes: NOT_SENT, ..expected }
            }
            _ => expected,
        }
    }

    fn expected_of_request(&self) -> Expected {
        use Again::{No, Yes};
        use Fault::*;
        let new = Expected::new;
        let harmless = |reusable| Expected { reusable, ..new(&["BW_OK"], &[], No) };
        match (self.phase, self.fault) {
            // Old addresses are better than none.
            (Phase::Name, _) if self.connection_kind == ConnectionKind::Reused => harmless(true),
            (Phase::Name, Refuse | Garbage) => new(&["BW_E_RESOLVE"], NOT_SENT, Yes),
            (Phase::Name, Stall) => new(&["BW_E_TIMEOUT"], NOT_SENT, Yes),
            (Phase::Name, _) => harmless(true),

            (Phase::Connect, Refuse) => new(&["BW_E_CONNECT"], NOT_SENT, Yes),
            (Phase::Connect, Stall) => new(&["BW_E_TIMEOUT"], NOT_SENT, Yes),
            // A reset may hit between connect and its result.
            (Phase::Connect, Reset | Close) if self.tls => {
                let statuses = &["BW_E_TLS", "BW_E_NETWORK", "BW_E_CONNECT"];
                new(statuses, NOT_SENT, if self.fault == Reset { Yes } else { No })
            }
            (Phase::Connect, Reset | Close) => new(&["BW_E_NETWORK", "BW_E_CONNECT"], EITHER, Yes),
            // What a server says unasked is no TLS and no response.
            (Phase::Connect, _) if self.tls => new(&["BW_E_TLS"], NOT_SENT, No),
            (Phase::Connect, _) => new(&["BW_E_PROTOCOL"], EITHER, No),

            (Phase::Proxy | Phase::Socks, Reset | Close) => new(&["BW_E_PROXY"], NOT_SENT, Yes),
            (Phase::Proxy | Phase::Socks, Stall | Dribble) => new(&["BW_E_TIMEOUT"], NOT_SENT, Yes),
            // What comes after a SOCKS5 proxy's grant is the service's.
            (Phase::Socks, Duplicate) => new(&["BW_E_TLS"], NOT_SENT, No),
            (Phase::Proxy | Phase::Socks, _) => new(&["BW_E_PROXY"], NOT_SENT, No),

            (Phase::Tls, Stall | Dribble) => new(&["BW_E_TIMEOUT"], NOT_SENT, Yes),
            (Phase::Tls, Reset) => new(&["BW_E_NETWORK", "BW_E_TLS"], NOT_SENT, Yes),
            // The first of two flights ends the handshake, and the request may be on its way.
            (Phase::Tls, Duplicate) => new(&["BW_E_TLS"], EITHER, No),
            (Phase::Tls, _) => new(&["BW_E_TLS"], NOT_SENT, No),

            (Phase::HeadSent, Refuse) => new(&["BW_E_HTTP_STATUS"], REJECTED, No),
            (Phase::BodySent, Refuse) => {
                Expected { reusable: true, ..new(&["BW_E_SERVER"], REJECTED, Yes) }
            }
            (_, Stall) => new(&["BW_E_TIMEOUT"], UNKNOWN, Yes),
            // The last chunk is a few bytes.
            (Phase::End, Dribble) => harmless(true),
            (_, Dribble) => new(&["BW_E_TIMEOUT"], UNKNOWN, Yes),
            (Phase::HeadSent | Phase::BodySent, Reset | Close) => {
                new(&["BW_E_NETWORK"], UNKNOWN, Yes)
            }
            // Bytes that came before a reset may be lost with it.
            (_, Reset) => new(&["BW_E_NETWORK", "BW_E_PROTOCOL"], UNKNOWN, Yes),
            (_, Close) => new(&["BW_E_PROTOCOL"], UNKNOWN, Yes),
            // Interim answers are no fault, however many of them there are in reason.
            (Phase::BodySent, Duplicate) => harmless(true),
            // One response, and then bytes that belong to none.
            (Phase::Body | Phase::End, Duplicate) => harmless(false),
            // Bytes of the right length that are not JSON, as a login page: never a success.
            (Phase::Body, Garbage) => {
                Expected { reusable: true, ..new(&["BW_E_PROTOCOL"], UNKNOWN, No) }
            }
            (_, Garbage | Duplicate | Oversize) => new(&["BW_E_PROTOCOL"], UNKNOWN, No),
            (_, Refuse) => unreachable!("impossible"),
        }
    }

    /// Whether the fault comes before the service sees any of the request.
    pub fn is_early(&self) -> bool {
        matches!(
            self.phase,
            Phase::Name | Phase::Connect | Phase::Proxy | Phase::Socks | Phase::Tls
        )
    }
}

impl OperationClass {
    pub fn is_repeatable(self) -> bool {
        self != OperationClass::Create
    }

    pub fn operation(self) -> &'static str {
        match self {
            OperationClass::Create => "createParticipant",
            OperationClass::Read => "getSession",
            OperationClass::Add => "addParticipantToSession",
            OperationClass::Set => "updateParticipantSubscriptions",
            OperationClass::Remove => "deleteParticipant",
        }
    }

    /// The document that the operation is called with.
    pub fn document(self) -> Option<&'static str> {
        match self {
            OperationClass::Create => Some(r#"{"tag": "a tag", "publishPermissions": ["AUDIO"]}"#),
            OperationClass::Add | OperationClass::Set => Some(r#"{"sessionId": "s-1"}"#),
            OperationClass::Read | OperationClass::Remove => None,
        }
    }
}
