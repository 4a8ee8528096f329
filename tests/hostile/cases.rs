//! The cases of the matrix, and the expected result of each. Written from the documentation of the
//! library, not from its code.

/// The phase of a call in which the fault occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Name,
    Connect,
    /// The request for a tunnel to an HTTP proxy.
    Proxy,
    /// The request to a SOCKS5 proxy.
    Socks,
    Tls,
    /// The service has read the beginning of the head.
    HeadSent,
    /// The service has read and processed the whole request.
    BodySent,
    /// The service has processed the request, and sends the status line. The next phases follow in order.
    StatusLine,
    Headers,
    Body,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A rejection in the protocol of the phase.
    Refuse,
    Reset,
    Close,
    Stall,
    /// Sends single bytes with pauses.
    Dribble,
    Garbage,
    Duplicate,
    Oversize,
}

/// The kinds of retry, with one operation for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationClass {
    Create,
    Read,
    Add,
    Set,
    Remove,
}

/// The connection that the call uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionKind {
    New,
    /// The idle connection of an earlier call. It is closed if the fault occurs before the request.
    Reused,
}

/// How often the fault occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// In every attempt, and retries are disabled.
    Always,
    /// In one attempt, and retries are enabled.
    Once,
}

/// The request that is affected by the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The request of the operation.
    Operation,
    /// The request for the access token.
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

/// Whether another attempt is made, if the operation and the outcome allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    Yes,
    No,
}

/// The expected result of one attempt.
pub struct Expected {
    /// The allowed statuses; only `BW_OK` if the fault is harmless.
    pub statuses: &'static [&'static str],
    /// The allowed outcomes, unless the call succeeds.
    pub outcomes: &'static [&'static str],
    pub again: Again,
    /// Whether the connection may be used for the next call.
    pub reusable: bool,
}

/// All possible cases.
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

/// Each class of operations, and the token request before a create operation, because a token request
/// is retried even if the operation must not be.
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

/// Why this fault cannot occur in this phase.
pub fn exclusion_reason(phase: Phase, fault: Fault, tls: bool) -> Option<&'static str> {
    match (phase, fault) {
        (Phase::Tls, _) if !tls => Some("no TLS"),
        (Phase::Proxy | Phase::Socks, _) if !tls => Some("proxies are used with https only"),
        (Phase::Name, Fault::Reset | Fault::Close) => Some("a lookup has no connection"),
        (Phase::Connect, Fault::Dribble) => Some("a connection is established in one step"),
        (Phase::Connect, Fault::Duplicate) => Some("a connection is established once"),
        (Phase::HeadSent, Fault::Duplicate) => Some("no bytes were sent that could be duplicated"),
        (Phase::StatusLine | Phase::Headers | Phase::Body | Phase::End, Fault::Refuse) => {
            Some("the status line is a success")
        }
        _ => None,
    }
}

const NOT_SENT: &[&str] = &["not_sent"];
const UNKNOWN: &[&str] = &["unknown"];
/// The kernel may have sent bytes of the request before the client sees the end of the connection.
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
    /// The expected result of an attempt with the fault.
    pub fn expected(&self) -> Expected {
        let expected = self.expected_of_request();
        match self.target {
            Target::TokenRequest if !expected.outcomes.is_empty() => {
                // The operation itself was not sent.
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
            // Expired addresses are still used.
            (Phase::Name, _) if self.connection_kind == ConnectionKind::Reused => harmless(true),
            (Phase::Name, Refuse | Garbage) => new(&["BW_E_RESOLVE"], NOT_SENT, Yes),
            (Phase::Name, Stall) => new(&["BW_E_TIMEOUT"], NOT_SENT, Yes),
            (Phase::Name, _) => harmless(true),

            (Phase::Connect, Refuse) => new(&["BW_E_CONNECT"], NOT_SENT, Yes),
            (Phase::Connect, Stall) => new(&["BW_E_TIMEOUT"], NOT_SENT, Yes),
            // A reset may occur before connect returns.
            (Phase::Connect, Reset | Close) if self.tls => {
                let statuses = &["BW_E_TLS", "BW_E_NETWORK", "BW_E_CONNECT"];
                new(statuses, NOT_SENT, if self.fault == Reset { Yes } else { No })
            }
            (Phase::Connect, Reset | Close) => new(&["BW_E_NETWORK", "BW_E_CONNECT"], EITHER, Yes),
            // Bytes that the server sends first are neither TLS nor a response.
            (Phase::Connect, _) if self.tls => new(&["BW_E_TLS"], NOT_SENT, No),
            (Phase::Connect, _) => new(&["BW_E_PROTOCOL"], EITHER, No),

            (Phase::Proxy | Phase::Socks, Reset | Close) => new(&["BW_E_PROXY"], NOT_SENT, Yes),
            (Phase::Proxy | Phase::Socks, Stall | Dribble) => new(&["BW_E_TIMEOUT"], NOT_SENT, Yes),
            // Bytes after the success of a SOCKS5 proxy belong to the service.
            (Phase::Socks, Duplicate) => new(&["BW_E_TLS"], NOT_SENT, No),
            (Phase::Proxy | Phase::Socks, _) => new(&["BW_E_PROXY"], NOT_SENT, No),

            (Phase::Tls, Stall | Dribble) => new(&["BW_E_TIMEOUT"], NOT_SENT, Yes),
            (Phase::Tls, Reset) => new(&["BW_E_NETWORK", "BW_E_TLS"], NOT_SENT, Yes),
            // The first of two flights completes the handshake, and the request may have been sent.
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
            // A few interim responses are valid.
            (Phase::BodySent, Duplicate) => harmless(true),
            // A complete response, and then bytes that belong to no response.
            (Phase::Body | Phase::End, Duplicate) => harmless(false),
            // A body of the right length that is not JSON is never a success.
            (Phase::Body, Garbage) => {
                Expected { reusable: true, ..new(&["BW_E_PROTOCOL"], UNKNOWN, No) }
            }
            (_, Garbage | Duplicate | Oversize) => new(&["BW_E_PROTOCOL"], UNKNOWN, No),
            (_, Refuse) => unreachable!("impossible"),
        }
    }

    /// Whether the fault occurs before the service receives any of the request.
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

    /// The request document of the operation.
    pub fn document(self) -> Option<&'static str> {
        match self {
            OperationClass::Create => Some(r#"{"tag": "a tag", "publishPermissions": ["AUDIO"]}"#),
            OperationClass::Add | OperationClass::Set => Some(r#"{"sessionId": "s-1"}"#),
            OperationClass::Read | OperationClass::Remove => None,
        }
    }
}
