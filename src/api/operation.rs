//! The service's operations, as one table. Adding one is a row here and a function in `ffi`.

use super::answer::Shape;
use super::participant;

/// An HTTP method of the service's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates.
    Post,
    /// Sets.
    Put,
    /// Removes.
    Delete,
}

/// What may be repeated when it is not known whether the service acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Repeating has the effect of doing it once.
    Idempotent,
    /// Repeating could create a second one: never after an unknown outcome.
    Never,
}

/// Checks a request document and gives the body to send, or says all that is wrong.
pub type CheckBody = fn(&str) -> Result<String, String>;

/// One operation of the service.
#[derive(Debug)]
pub struct Operation {
    /// The name in the service's documentation.
    pub name: &'static str,
    /// The method.
    pub method: Method,
    /// The path below the account, with `{sessionId}` and `{participantId}` for ids.
    pub path: &'static str,
    /// What may be repeated.
    pub retry: Retry,
    /// Checks the request document; none if the operation takes none.
    pub body: Option<CheckBody>,
    /// What the answer must be.
    pub answer: Shape,
}

/// Creates a participant and its token.
pub static CREATE_PARTICIPANT: Operation = Operation {
    name: "createParticipant",
    method: Method::Post,
    path: "/participants",
    retry: Retry::Never,
    body: Some(participant::check),
    answer: Shape::ParticipantAndToken,
};

/// All operations.
pub static OPERATIONS: &[&Operation] = &[&CREATE_PARTICIPANT];
