//! The service's operations, as one table. Adding one is a row here and a function in `ffi`.

use super::answer::Shape;
use super::{participant, session, subscriptions};

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

impl Method {
    /// As requests have it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// What may be repeated when it is not known whether the service acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Repeating has the effect of doing it once.
    Idempotent,
    /// As `Idempotent`, and what is not there any more after such a repetition was removed by it.
    Removal,
    /// As `Idempotent`, and a conflict after such a repetition may be with its own first attempt:
    /// the participant tells.
    Joining,
    /// Repeating could create a second one: never after an unknown outcome.
    Never,
}

/// Checks a request document, under the name that messages are to give it, and gives the body to
/// send (none for none), or says all that is wrong.
pub type CheckBody = fn(&str, Option<&str>) -> Result<Option<String>, String>;

/// One operation of the service.
#[derive(Debug)]
pub struct Operation {
    /// The name in the service's documentation.
    pub name: &'static str,
    /// Its place in the table.
    pub index: usize,
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

macro_rules! operations {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $method:ident $path:literal, $retry:ident,
       $body:expr, $answer:ident;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Index { $($constant,)* }

        $($(#[$doc])* pub static $constant: Operation = Operation {
            name: $name,
            index: Index::$constant as usize,
            method: Method::$method,
            path: $path,
            retry: Retry::$retry,
            body: $body,
            answer: Shape::$answer,
        };)*

        /// All operations, each at its index.
        pub static OPERATIONS: [&Operation; 11] = [$(&$constant,)*];
    };
}

const PARTICIPANT: Option<CheckBody> = Some(participant::check);
const SESSION: Option<CheckBody> = Some(session::check);
const SUBSCRIPTIONS: Option<CheckBody> = Some(subscriptions::check);

operations! {
    /// Creates a participant and its token.
    CREATE_PARTICIPANT = "createParticipant",
        Post "/participants", Never, PARTICIPANT, ParticipantAndToken;
    /// Reads a participant.
    GET_PARTICIPANT = "getParticipant",
        Get "/participants/{participantId}", Idempotent, None, Object;
    /// Removes a participant, out of its session too.
    DELETE_PARTICIPANT = "deleteParticipant",
        Delete "/participants/{participantId}", Removal, None, Nothing;
    /// Creates a session.
    CREATE_SESSION = "createSession",
        Post "/sessions", Never, SESSION, Identified;
    /// Reads a session.
    GET_SESSION = "getSession",
        Get "/sessions/{sessionId}", Idempotent, None, Object;
    /// Removes a session; its participants stay.
    DELETE_SESSION = "deleteSession",
        Delete "/sessions/{sessionId}", Removal, None, Nothing;
    /// Reads the participants in a session.
    LIST_SESSION_PARTICIPANTS = "listSessionParticipants",
        Get "/sessions/{sessionId}/participants", Idempotent, None, List;
    /// Puts a participant into a session.
    ADD_PARTICIPANT_TO_SESSION = "addParticipantToSession",
        Put "/sessions/{sessionId}/participants/{participantId}", Joining, SUBSCRIPTIONS, Nothing;
    /// Takes a participant out of a session.
    REMOVE_PARTICIPANT_FROM_SESSION = "removeParticipantFromSession",
        Delete "/sessions/{sessionId}/participants/{participantId}", Removal, None, Nothing;
    /// Reads whom a participant hears.
    GET_PARTICIPANT_SUBSCRIPTIONS = "getParticipantSubscriptions",
        Get "/sessions/{sessionId}/participants/{participantId}/subscriptions",
        Idempotent, None, Subscriptions;
    /// Sets whom a participant hears.
    UPDATE_PARTICIPANT_SUBSCRIPTIONS = "updateParticipantSubscriptions",
        Put "/sessions/{sessionId}/participants/{participantId}/subscriptions",
        Idempotent, SUBSCRIPTIONS, Nothing;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_at_its_index() {
        for (at, operation) in OPERATIONS.iter().enumerate() {
            assert_eq!(operation.index, at, "{}", operation.name);
        }
    }
}
