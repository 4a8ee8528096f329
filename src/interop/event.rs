//! Webhooks: the events that the service posts to a callback URL.

use serde_json::value::RawValue;

use crate::error::Error;
use crate::json::document::Problems;
use crate::json::{self, Kind, Object, quote};

const EVENTS: &[&str] = &["onConnect", "onLeave", "onDisconnect"];
/// The largest body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Checks the body of a webhook and returns it with `timestamp` as a number of milliseconds. Unknown
/// fields are not changed. A byte order mark at the start is removed.
///
/// # Errors
/// `InvalidArgument`, with all problems.
pub fn parse_event(body: &str) -> Result<String, Error> {
    if body.len() > MAX_BODY {
        return Err(Error::invalid(format!("event: has more than {MAX_BODY} bytes")));
    }
    let Object(members) =
        json::object(&"event", json::without_mark(body)).map_err(Error::invalid)?;
    let mut problems = Problems::default();
    for name in ["event", "timestamp", "participantId"] {
        if !members.iter().any(|(key, value)| key == name && Kind::of(value) != Kind::Null) {
            problems.add(&format_args!("event.{name}"), "is missing");
        }
    }
    let mut event = String::with_capacity(body.len());
    for (at, (key, value)) in members.iter().enumerate() {
        let mut text = value.get().to_owned();
        let checked = match &**key {
            _ if Kind::of(value) == Kind::Null => Ok(()),
            "event" => json::string(value).and_then(|name| {
                let known = EVENTS.contains(&&*name);
                let not = || format!("{} is not one of {}", quote(&name), EVENTS.join(", "));
                if known { Ok(()) } else { Err(not()) }
            }),
            "timestamp" => milliseconds(value).map(|millis| text = millis.to_string()),
            "participantId" => json::string(value)
                .and_then(|id| if id.is_empty() { Err("is empty".to_owned()) } else { Ok(()) }),
            "deviceId" | "tag" => json::string(value).map(drop),
            _ => Ok(()),
        };
        if let Err(problem) = checked {
            problems.add(&format_args!("event.{key}"), problem);
        }
        event.push(if at == 0 { '{' } else { ',' });
        // A string cannot fail to serialize.
        event.push_str(&serde_json::to_string(key).unwrap_or_default());
        event.push(':');
        event.push_str(&text);
    }
    event.push('}');
    problems.message().map_or(Ok(event), |message| Err(Error::invalid(message)))
}

/// A number of milliseconds. In the documentation's example it is a string.
fn milliseconds(value: &RawValue) -> Result<u64, String> {
    let digits = match Kind::of(value) {
        Kind::String => json::string(value)?.into_owned(),
        Kind::Number => value.get().to_owned(),
        other => return Err(format!("must be a number, not {}", other.article())),
    };
    let is_plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // The largest integer that every JSON reader represents exactly.
    digits
        .parse()
        .ok()
        .filter(|millis| is_plain && *millis < 1 << 53)
        .ok_or_else(|| format!("{} is not a whole number of milliseconds", quote(&digits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_a_numeric_timestamp() {
        for (body, event) in [
            (
                r#"{"event": "onConnect", "timestamp": "1605739845431", "participantId": "p",
                    "deviceId": "d", "tag": null, "new": [1, {}]}"#,
                r#"{"event":"onConnect","timestamp":1605739845431,"participantId":"p","deviceId":"d","tag":null,"new":[1, {}]}"#,
            ),
            (
                r#"{"participantId":"p","timestamp":5,"event":"onDisconnect"}"#,
                r#"{"participantId":"p","timestamp":5,"event":"onDisconnect"}"#,
            ),
            (
                "\u{feff}{\"event\":\"onLeave\",\"timestamp\":1,\"participantId\":\"p\"}",
                r#"{"event":"onLeave","timestamp":1,"participantId":"p"}"#,
            ),
        ] {
            assert_eq!(parse_event(body).unwrap(), event);
        }
    }

    #[test]
    fn largest_body_and_timestamp_are_accepted() {
        let event = |millis: u64, space: usize| {
            let start = r#"{"event":"onLeave","participantId":"p","timestamp":"#;
            let body = format!("{start}{millis}}}");
            parse_event(&format!("{body}{}", " ".repeat(space - body.len())))
        };
        let latest = (1 << 53) - 1;
        assert!(event(latest, 65_536).unwrap().contains("9007199254740991"));
        assert_eq!(event(latest, 65_537).unwrap_err().message, "event: has more than 65536 bytes");
        assert!(event(latest + 1, 100).unwrap_err().message.contains("is not a whole number"));
    }

    #[test]
    fn every_problem_is_reported() {
        for (body, part) in [
            ("", "event: is empty"),
            ("[]", "event: must be a JSON object"),
            ("{}", "event.event: is missing; event.timestamp: is missing; event.participantId"),
            (r#"{"event":"onJoin"}"#, "event.event: \"onJoin\" is not one of onConnect, onLeave"),
            (r#"{"event":1}"#, "event.event: must be a string, not a number"),
            (r#"{"timestamp":"soon"}"#, "event.timestamp: \"soon\" is not a whole number"),
            (r#"{"timestamp":"+5"}"#, "\"+5\" is not a whole number"),
            (r#"{"timestamp":""}"#, "is not a whole number"),
            (r#"{"event":null,"timestamp":1,"participantId":"p"}"#, "event.event: is missing"),
            (r#"{"timestamp":-1}"#, "is not a whole number"),
            (r#"{"timestamp":1.5}"#, "is not a whole number"),
            (r#"{"timestamp":"99999999999999999999"}"#, "is not a whole number"),
            (r#"{"participantId":""}"#, "event.participantId: is empty"),
            (r#"{"tag":{}}"#, "event.tag: must be a string, not an object"),
            (r#"{"event":"onLeave","event":"onLeave"}"#, "event.event: is given twice"),
        ] {
            let message = parse_event(body).unwrap_err().message;
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    }
}
