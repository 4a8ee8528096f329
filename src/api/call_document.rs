//! The document of a generic call: `{"operation": .., "sessionId": .., "participantId": ..,
//! "endpointId": .., "body": .., "query": .., "bxml": .., "timeoutMs": ..}`.

use std::borrow::Cow;
use std::time::Duration;

use super::operation::{OPERATIONS, Operation};
use crate::json::document::{Field, Problems, Rule, read_into, suggestion};
use crate::json::quote;

const DAY_MS: u64 = 24 * 3_600_000;

const FIELDS: &[Field] = &[
    Field::required("operation", Rule::Text),
    Field::optional("sessionId", Rule::Text),
    Field::optional("participantId", Rule::Text),
    Field::optional("endpointId", Rule::Text),
    Field::optional("body", Rule::Any),
    Field::optional("query", Rule::Any),
    Field::optional("bxml", Rule::Text),
    Field::optional("timeoutMs", Rule::Integer(1, DAY_MS)),
];

/// A call whose body and ids are not checked yet.
pub struct CallDocument<'a> {
    /// The operation.
    pub operation: &'static Operation,
    /// For `{sessionId}`.
    pub session: Option<Cow<'a, str>>,
    /// For `{participantId}`.
    pub participant: Option<Cow<'a, str>>,
    /// For `{endpointId}`.
    pub endpoint: Option<Cow<'a, str>>,
    /// The request document: the body, the query or the BXML.
    pub request: Option<Cow<'a, str>>,
    /// The timeout of this call; None: the client's.
    pub timeout: Option<Duration>,
}

/// Reads a call.
///
/// # Errors
/// All problems, each with its path, and the operation if it is known.
pub fn read(text: &str) -> Result<CallDocument<'_>, (String, Option<&'static Operation>)> {
    let mut problems = Problems::default();
    let fields = read_into(&"call", text, FIELDS, &mut problems);
    let operation = fields.text("operation").and_then(|name| {
        let operation = OPERATIONS.iter().copied().find(|operation| operation.name == name);
        if operation.is_none() {
            let names = OPERATIONS.map(|operation| operation.name);
            let problem = format!("{} is not known; {}", quote(name), suggestion(name, &names));
            problems.add(&"call.operation", problem);
        }
        operation
    });
    let (mut session, mut participant, mut endpoint) = (None, None, None);
    let (mut request, mut timeout) = (None, None);
    for (field, value) in fields.0 {
        let is_used = operation.is_none_or(|operation| match field.name {
            "sessionId" | "participantId" | "endpointId" => operation.has_id(field.name),
            "body" | "query" | "bxml" => operation.request.key() == Some(field.name),
            _ => true,
        });
        if !is_used {
            let problem = "does not apply to this operation";
            problems.add(&format_args!("call.{}", field.name), problem);
        }
        match field.name {
            "sessionId" => session = Some(value.into_text()),
            "participantId" => participant = Some(value.into_text()),
            "endpointId" => endpoint = Some(value.into_text()),
            "body" | "query" => request = Some(Cow::Borrowed(value.json())),
            "bxml" => request = Some(value.into_text()),
            "timeoutMs" => timeout = Some(Duration::from_millis(value.integer())),
            _ => {}
        }
    }
    match (operation, problems.message()) {
        (Some(operation), None) => {
            Ok(CallDocument { operation, session, participant, endpoint, request, timeout })
        }
        (operation, message) => Err((message.unwrap_or_default(), operation)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_is_read() {
        let text = r#"{"operation":"addParticipantToSession","sessionId":"s","participantId":"p",
                       "body":{"sessionId":"s"},"timeoutMs":500}"#;
        let call = read(text).ok().unwrap();
        assert_eq!(call.operation.name, "addParticipantToSession");
        assert_eq!((call.session.as_deref(), call.participant.as_deref()), (Some("s"), Some("p")));
        assert_eq!(call.request.as_deref(), Some(r#"{"sessionId":"s"}"#));
        assert_eq!(call.timeout, Some(Duration::from_millis(500)));
    }

    #[test]
    fn calls_of_endpoints_are_read() {
        for (text, endpoint, request) in [
            (
                r#"{"operation":"createEndpoint","body":{"type":"WEBRTC"}}"#,
                None,
                Some(r#"{"type":"WEBRTC"}"#),
            ),
            (r#"{"operation":"listEndpoints","query":{"limit":5}}"#, None, Some(r#"{"limit":5}"#)),
            (r#"{"operation":"listEndpoints"}"#, None, None),
            (r#"{"operation":"getEndpoint","endpointId":"e-1"}"#, Some("e-1"), None),
            (
                r#"{"operation":"updateEndpointBxml","endpointId":"e-1","bxml":"<R a=\"1\"/>"}"#,
                Some("e-1"),
                Some(r#"<R a="1"/>"#),
            ),
        ] {
            let call = read(text).ok().unwrap();
            assert_eq!((call.endpoint.as_deref(), call.request.as_deref()), (endpoint, request));
        }
    }

    #[test]
    fn timeout_is_at_most_one_day() {
        let of = |millis: u64| {
            let text =
                format!(r#"{{"operation":"getSession","sessionId":"s","timeoutMs":{millis}}}"#);
            read(&text).ok().and_then(|call| call.timeout)
        };
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!((of(86_400_000), of(86_400_001)), (Some(day), None));
    }

    #[test]
    fn every_problem_has_a_path() {
        for (text, part) in [
            ("[]", "call: must be a JSON object, not an array"),
            ("{}", "call.operation: is missing"),
            (r#"{"operation":"createParticpant"}"#, "did you mean createParticipant?"),
            (r#"{"operation":7}"#, "call.operation: must be a string, not a number"),
            (
                r#"{"operation":"getSession","participantId":"p"}"#,
                "call.participantId: does not apply",
            ),
            (r#"{"operation":"getSession","sessionId":5}"#, "call.sessionId: must be a string"),
            (
                r#"{"operation":"getSession","body":{}}"#,
                "call.body: does not apply to this operation",
            ),
            (r#"{"operation":"getSession","query":{}}"#, "call.query: does not apply"),
            (r#"{"operation":"listEndpoints","body":{}}"#, "call.body: does not apply"),
            (r#"{"operation":"updateEndpointBxml","bxml":{}}"#, "call.bxml: must be a string"),
            (r#"{"operation":"getEndpoint","sessionId":"s"}"#, "call.sessionId: does not apply"),
            (r#"{"operation":"getSession","timeoutMs":0}"#, "call.timeoutMs: must be a whole"),
            (r#"{"operation":"getSession","timeout":1}"#, "call.timeout: is not known; did you"),
        ] {
            let (message, _) = read(text).err().unwrap();
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    }
}
