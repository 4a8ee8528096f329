//! The table of operations. To add an operation, add a row here and a function in `ffi`.

use super::request::{
    CREATE_ENDPOINT as ENDPOINT, CREATE_PARTICIPANT as PARTICIPANT, CREATE_SESSION as SESSION,
    LIST_ENDPOINTS as ENDPOINT_QUERY, RequestDocument,
};
use super::response::ResponseBody;

/// A service, which has its own URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// WebRTC v1: participants and sessions.
    WebRtc,
    /// BRTC Endpoints (v2).
    Endpoints,
}

impl Service {
    /// The configuration key of the service's URL.
    pub fn url_key(self) -> &'static str {
        match self {
            Service::WebRtc => "baseUrl",
            Service::Endpoints => "endpointsUrl",
        }
    }
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
}

impl Method {
    /// The name in a request line.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// How a request is retried after an attempt whose outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// It is sent again: the effect of two requests is that of one.
    Idempotent,
    /// As `Idempotent`, and 404 is a success: the earlier attempt has deleted the resource.
    Delete,
    /// As `Idempotent`, and after 409 the participant is read: the earlier attempt may have added it.
    AddParticipant,
    /// It is not sent again: that could create a second resource.
    Create,
}

/// An operation of the service.
pub struct Operation {
    /// The name in the service's documentation.
    pub name: &'static str,
    /// The position in the table.
    pub index: usize,
    /// The service.
    pub service: Service,
    /// The method.
    pub method: Method,
    /// The path after the account, with the placeholders `{sessionId}`, `{participantId}` and
    /// `{endpointId}`.
    pub path: &'static str,
    /// How the request is retried.
    pub retry: RetryClass,
    /// The request document.
    pub request: RequestDocument,
    /// The response document.
    pub response: ResponseBody,
}

impl Operation {
    /// Whether the path contains the placeholder of this name.
    pub fn has_id(&self, name: &str) -> bool {
        self.path.split(['{', '}']).skip(1).step_by(2).any(|placeholder| placeholder == name)
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $constant:ident = $service:ident $name:literal, $method:ident $path:literal,
       $retry:ident,
       $request:expr, $response:ident;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Index { $($constant,)* }

        $($(#[$doc])* pub static $constant: Operation = Operation {
            name: $name,
            index: Index::$constant as usize,
            service: Service::$service,
            method: Method::$method,
            path: $path,
            retry: RetryClass::$retry,
            request: $request,
            response: ResponseBody::$response,
        };)*

        /// All operations, each at its index.
        pub static OPERATIONS: [&Operation; 16] = [$(&$constant,)*];
    };
}

const NONE: RequestDocument = RequestDocument::None;
const SUBSCRIPTIONS: RequestDocument = RequestDocument::Subscriptions;
const BXML: RequestDocument = RequestDocument::Bxml;

operations! {
    /// Creates a participant and its token.
    CREATE_PARTICIPANT = WebRtc "createParticipant",
        Post "/participants", Create, PARTICIPANT, CreatedParticipant;
    /// Reads a participant.
    GET_PARTICIPANT = WebRtc "getParticipant",
        Get "/participants/{participantId}", Idempotent, NONE, Object;
    /// Deletes a participant; it leaves its session.
    DELETE_PARTICIPANT = WebRtc "deleteParticipant",
        Delete "/participants/{participantId}", Delete, NONE, Empty;
    /// Creates a session.
    CREATE_SESSION = WebRtc "createSession",
        Post "/sessions", Create, SESSION, CreatedSession;
    /// Reads a session.
    GET_SESSION = WebRtc "getSession",
        Get "/sessions/{sessionId}", Idempotent, NONE, Object;
    /// Deletes a session; its participants remain.
    DELETE_SESSION = WebRtc "deleteSession",
        Delete "/sessions/{sessionId}", Delete, NONE, Empty;
    /// Lists the participants in a session.
    LIST_SESSION_PARTICIPANTS = WebRtc "listSessionParticipants",
        Get "/sessions/{sessionId}/participants", Idempotent, NONE, Array;
    /// Adds a participant to a session.
    ADD_PARTICIPANT_TO_SESSION = WebRtc "addParticipantToSession",
        Put "/sessions/{sessionId}/participants/{participantId}", AddParticipant, SUBSCRIPTIONS, Empty;
    /// Removes a participant from a session.
    REMOVE_PARTICIPANT_FROM_SESSION = WebRtc "removeParticipantFromSession",
        Delete "/sessions/{sessionId}/participants/{participantId}", Delete, NONE, Empty;
    /// Reads the subscriptions of a participant.
    GET_PARTICIPANT_SUBSCRIPTIONS = WebRtc "getParticipantSubscriptions",
        Get "/sessions/{sessionId}/participants/{participantId}/subscriptions",
        Idempotent, NONE, Subscriptions;
    /// Replaces the subscriptions of a participant.
    UPDATE_PARTICIPANT_SUBSCRIPTIONS = WebRtc "updateParticipantSubscriptions",
        Put "/sessions/{sessionId}/participants/{participantId}/subscriptions",
        Idempotent, SUBSCRIPTIONS, Empty;
    /// Creates an endpoint and its token.
    CREATE_ENDPOINT = Endpoints "createEndpoint",
        Post "/endpoints", Create, ENDPOINT, CreatedEndpoint;
    /// Lists endpoints, page by page.
    LIST_ENDPOINTS = Endpoints "listEndpoints",
        Get "/endpoints", Idempotent, ENDPOINT_QUERY, EndpointPage;
    /// Reads an endpoint.
    GET_ENDPOINT = Endpoints "getEndpoint",
        Get "/endpoints/{endpointId}", Idempotent, NONE, Endpoint;
    /// Deletes an endpoint; its calls end.
    DELETE_ENDPOINT = Endpoints "deleteEndpoint",
        Delete "/endpoints/{endpointId}", Delete, NONE, Empty;
    /// Replaces the BXML of an endpoint.
    UPDATE_ENDPOINT_BXML = Endpoints "updateEndpointBxml",
        Put "/endpoints/{endpointId}/bxml", Idempotent, BXML, Empty;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_at_their_index() {
        for (at, operation) in OPERATIONS.iter().enumerate() {
            assert_eq!(operation.index, at, "{}", operation.name);
        }
    }
}
