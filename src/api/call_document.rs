//! A whole call as one document: `{"operation": .., "sessionId": .., "participantId": .., "body": ..,
//! "timeoutMs": ..}`, which the generic entry takes.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::value::RawValue;

use super::fields;
use super::operation::{OPERATIONS, Operation};
use crate::json::{self, Kind, Problems};

const FIELDS: &[&str] = &["operation", "sessionId", "participantId", "body", "timeoutMs"];
/// The longest time-out of one call, in milliseconds.
const DAY_MS: u64 = 24 * 3_600_000;

/// A call, read but not yet checked by its operation.
pub struct CallDocument<'a> {
    /// What is to be done.
    pub operation: &'static Operation,
    /// For `{sessionId}`.
    pub session: Option<Cow<'a, str>>,
    /// For `{participantId}`.
    pub participant: Option<Cow<'a, str>>,
    /// The request document.
    pub body: Option<&'a str>,
    /// For the whole call, instead of the client's time-out.
    pub timeout: Option<Duration>,
}

/// Reads a call.
///
/// # Errors
/// Every problem, by path, and the operation as far as it is known.
pub fn read(text: &str) -> Result<CallDocument<'_>, (String, Option<&'static Operation>)> {
    let mut problems = Problems::default();
    let fields =
        fields::read("call", text, FIELDS, &mut problems).map_err(|message| (message, None))?;
    let find = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, v)| *v);
    let operation = find("operation")
        .ok_or_else(|| ": is missing; name one, such as createParticipant".to_owned())
        .and_then(operation)
        .map_err(|what| problems.add("call.operation", what))
        .ok();
    let mut id = |name: &str| {
        let placeholder = format!("{{{name}}}");
        let value = find(name)?;
        if operation.is_some_and(|operation| !operation.path.contains(&placeholder)) {
            problems.add(format_args!("call.{name}"), ": is not for this operation");
        }
        json::string(value).map_err(|what| problems.add(format_args!("call.{name}"), what)).ok()
    };
    let (session, participant) = (id("sessionId"), id("participantId"));
    let body = find("body").map(RawValue::get);
    if body.is_some() && operation.is_some_and(|operation| operation.body.is_none()) {
        problems.add("call.body", ": is not for this operation");
    }
    let timeout = find("timeoutMs")
        .and_then(|value| timeout(value).map_err(|what| problems.add("call.timeoutMs", what)).ok());
    match (operation, problems.message()) {
        (Some(operation), None) => {
            Ok(CallDocument { operation, session, participant, body, timeout })
        }
        (operation, message) => Err((message.unwrap_or_default(), operation)),
    }
}

fn operation(value: &RawValue) -> Result<&'static Operation, String> {
    let name = json::string(value)?;
    OPERATIONS.iter().copied().find(|operation| operation.name == name).ok_or_else(|| {
        let names = OPERATIONS.map(|operation| operation.name);
        format!(
            ": {}{}",
            json::quote(&name),
            json::unknown_key(&name, &names).to_string().trim_start_matches(':')
        )
    })
}

fn timeout(value: &RawValue) -> Result<Duration, String> {
    if Kind::of(value) != Kind::Number {
        return Err(format!(": must be a number, not {}", Kind::of(value).article()));
    }
    let millis = value.get().parse().ok().filter(|millis| (1..=DAY_MS).contains(millis));
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| format!(": must be a whole number from 1 to {DAY_MS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read() {
        let text = r#"{"operation":"addParticipantToSession","sessionId":"s","participantId":"p",
                       "body":{"sessionId":"s"},"timeoutMs":500}"#;
        let call = read(text).ok().unwrap();
        assert_eq!(call.operation.name, "addParticipantToSession");
        assert_eq!((call.session.as_deref(), call.participant.as_deref()), (Some("s"), Some("p")));
        assert_eq!(call.body, Some(r#"{"sessionId":"s"}"#));
        assert_eq!(call.timeout, Some(Duration::from_millis(500)));
    }

    #[test]
    fn the_longest_time_out_is_a_day() {
        let of = |millis: u64| {
            let text =
                format!(r#"{{"operation":"getSession","sessionId":"s","timeoutMs":{millis}}}"#);
            read(&text).ok().and_then(|call| call.timeout)
        };
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!((of(86_400_000), of(86_400_001)), (Some(day), None));
    }

    #[test]
    fn every_problem_is_named() {
        for (text, part) in [
            ("[]", "call: must be a JSON object, not an array"),
            ("{}", "call.operation: is missing"),
            (r#"{"operation":"createParticpant"}"#, "did you mean createParticipant?"),
            (r#"{"operation":7}"#, "call.operation: must be a string, not a number"),
            (r#"{"operation":"getSession","participantId":"p"}"#, "call.participantId: is not for"),
            (r#"{"operation":"getSession","sessionId":5}"#, "call.sessionId: must be a string"),
            (r#"{"operation":"getSession","body":{}}"#, "call.body: is not for this operation"),
            (r#"{"operation":"getSession","timeoutMs":0}"#, "call.timeoutMs: must be a whole"),
            (r#"{"operation":"getSession","timeout":1}"#, "call.timeout: is not known; did you"),
        ] {
            let (message, _) = read(text).err().unwrap();
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    }
}
