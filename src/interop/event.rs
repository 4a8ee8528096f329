//! Webhooks: the events that the services post to a callback URL.
//!
//! The events of WebRTC v1 have one form. Those of BRTC Endpoints have two: the one in Bandwidth's
//! documentation, and the one in its OpenAPI document. All are converted to one form.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::error::Error;
use crate::json::document::Problems;
use crate::json::{self, Kind, Object, quote};

/// The largest body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The known events, each with the fields that it must contain.
const EVENTS: &[(&str, &[&str])] = &[
    ("onConnect", PARTICIPANT),
    ("onLeave", PARTICIPANT),
    ("onDisconnect", PARTICIPANT),
    ("endpointConnected", ENDPOINT),
    ("endpointDisconnected", ENDPOINT),
    ("endpointEligible", ENDPOINT),
    ("endpointIneligible", ENDPOINT),
    ("outboundConnectionRequest", ENDPOINT),
    // The names of its fields are not documented.
    ("connectStatus", &[]),
];
const PARTICIPANT: &[&str] = &["timestamp", "participantId"];
const ENDPOINT: &[&str] = &["timestamp", "endpointId"];

/// The `eventType` of the OpenAPI document, and the event of the same meaning.
const EVENT_TYPES: &[(&str, &str)] =
    &[("DEVICE_CONNECTED", "endpointConnected"), ("DEVICE_DISCONNECTED", "endpointDisconnected")];

/// Fields with another name, which are used if the field itself is missing.
const ALIASES: &[(&str, &str)] =
    &[("eventType", "event"), ("eventTime", "timestamp"), ("tags", "tag")];

/// The fields that must be strings in a known event.
const TEXTS: &[&str] =
    &["participantId", "endpointId", "deviceId", "tag", "accountId", "to", "toType"];

/// Checks the body of a webhook and returns it in one form: `event`, `timestamp` in milliseconds,
/// `participantId` or `endpointId`, `deviceId`, `tag`, `accountId`, `to`, `toType`, and all other
/// fields unchanged. An unknown event is not checked, and has `"known": false`. A byte order mark at
/// the start is removed.
///
/// # Errors
/// `InvalidArgument`, with all problems.
pub fn parse_event(body: &str) -> Result<String, Error> {
    if body.len() > MAX_BODY {
        return Err(Error::invalid(format!("event: has more than {MAX_BODY} bytes")));
    }
    let event = Event::read(json::without_mark(body)).map_err(Error::invalid)?;
    let mut problems = Problems::default();
    let name = match event.get("event").map(|member| json::string(member.json)) {
        Some(Ok(name)) if !name.is_empty() => name.into_owned(),
        other => {
            let problem = match other {
                None => "is missing".to_owned(),
                Some(Ok(_)) => "is empty".to_owned(),
                Some(Err(problem)) => problem,
            };
            return Err(Error::invalid(format!("event.event: {problem}")));
        }
    };
    let name = EVENT_TYPES.iter().find(|(from, _)| *from == name).map_or(&*name, |(_, to)| to);
    let known = EVENTS.iter().find(|(known, _)| *known == name);
    let required = known.map_or(&[][..], |(_, required)| required);
    event.check(required, &mut problems);
    let timestamp = event.timestamp().and_then(|value| {
        let is_checked = !required.is_empty();
        value.map_err(|problem| is_checked.then(|| problems.add(&"event.timestamp", problem))).ok()
    });
    match problems.message() {
        None => Ok(event.to_json(name, timestamp, known.is_some())),
        Some(message) => Err(Error::invalid(message)),
    }
}

struct Member<'a> {
    name: Cow<'a, str>,
    json: &'a RawValue,
}

impl Member<'_> {
    fn is(&self, kind: Kind) -> bool {
        Kind::of(self.json) == kind
    }
}

/// The members of an event, with their names in the common form.
struct Event<'a>(Vec<Member<'a>>);

impl<'a> Event<'a> {
    fn read(body: &'a str) -> Result<Event<'a>, String> {
        let Object(members) = json::object(&"event", body)?;
        let members = members.into_iter().map(|(name, json)| Member { name, json });
        let mut event = Event(members.collect());
        for (alias, name) in ALIASES {
            let is_usable = |member: &&Member<'_>| *alias != "tags" || member.is(Kind::String);
            if event.get(name).is_none() && event.get(alias).filter(is_usable).is_some() {
                event.0.retain(|member| member.name != *name);
                for member in event.0.iter_mut().filter(|member| member.name == *alias) {
                    member.name = Cow::Borrowed(name);
                }
            }
        }
        if event.get("deviceId").is_none() {
            if let Some(json) = event.get("device").and_then(device_id) {
                event.0.retain(|member| member.name != "deviceId");
                event.0.push(Member { name: Cow::Borrowed("deviceId"), json });
            }
        }
        Ok(event)
    }

    /// A member that is not null.
    fn get(&self, name: &str) -> Option<&Member<'a>> {
        self.0.iter().find(|member| member.name == name && !member.is(Kind::Null))
    }

    /// Checks the fields of an event that must contain these.
    fn check(&self, required: &[&str], problems: &mut Problems) {
        for name in required {
            if self.get(name).is_none() {
                problems.add(&format_args!("event.{name}"), "is missing");
            }
        }
        if required.is_empty() {
            return;
        }
        for name in TEXTS {
            let problem = match self.get(name).map(|member| json::string(member.json)) {
                Some(Err(problem)) => problem,
                Some(Ok(text)) if text.is_empty() && required.contains(name) => {
                    "is empty".to_owned()
                }
                _ => continue,
            };
            problems.add(&format_args!("event.{name}"), problem);
        }
    }

    fn timestamp(&self) -> Option<Result<u64, String>> {
        self.get("timestamp").map(|member| milliseconds(member.json))
    }

    fn to_json(&self, event: &str, timestamp: Option<u64>, is_known: bool) -> String {
        let mut json = String::new();
        let mut add = |name: &str, value: &str| {
            json.push(if json.is_empty() { '{' } else { ',' });
            // A string cannot fail to serialize.
            json.push_str(&serde_json::to_string(name).unwrap_or_default());
            json.push(':');
            json.push_str(value);
        };
        for Member { name, json } in &self.0 {
            match &**name {
                "timestamp" if timestamp.is_some() => {
                    add(name, &timestamp.unwrap_or_default().to_string());
                }
                "event" => add(name, &serde_json::to_string(event).unwrap_or_default()),
                // Replaced by the marker of an unknown event.
                "known" if !is_known => {}
                _ => add(name, json.get()),
            }
        }
        if !is_known {
            add("known", "false");
        }
        json.push('}');
        json
    }
}

/// The id in a `device` object.
fn device_id<'a>(device: &Member<'a>) -> Option<&'a RawValue> {
    let Object(members) = serde_json::from_str(device.json.get()).ok()?;
    let (_, id) = members.into_iter().rev().find(|(name, _)| name == "deviceId")?;
    (Kind::of(id) == Kind::String).then_some(id)
}

/// A time as milliseconds since 1970: a number of milliseconds, also as a string, or an ISO 8601 time.
fn milliseconds(value: &RawValue) -> Result<u64, String> {
    let text = match Kind::of(value) {
        Kind::String => json::string(value)?,
        Kind::Number => Cow::Borrowed(value.get()),
        other => return Err(format!("must be a number, not {}", other.article())),
    };
    let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let time = if is_digits { text.parse().ok() } else { iso_milliseconds(&text) };
    // Every JSON reader represents integers below this limit exactly.
    time.filter(|time| *time < 1 << 53).ok_or_else(|| {
        format!("{} is not a whole number of milliseconds or an ISO 8601 time", quote(&text))
    })
}

/// Parses `2026-11-27T12:00:00.123Z`. The fraction may be missing, and so may the offset, which is UTC
/// then.
fn iso_milliseconds(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-')?;
    let at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (time, offset) = time.split_at(at);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':')?;
    let is_valid = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        // A leap second is the first second of the next minute.
        && second <= 60
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit());
    if !is_valid {
        return None;
    }
    let thousandths: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let days = days_since_1970(year, month, day);
    let seconds = ((days * 24 + hour) * 60 + minute - offset_minutes(offset)?) * 60 + second;
    u64::try_from(seconds * 1000 + thousandths).ok()
}

/// Three numbers of at most four digits.
fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let number = |part: &str| {
        let is_number = matches!(part.len(), 1..=4) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse().ok().filter(|_| is_number)
    };
    let mut parts = text.split(separator).map(number);
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

/// The minutes of `Z`, `+02:00`, `+0200` or `+02`; 0 without an offset.
fn offset_minutes(offset: &str) -> Option<i64> {
    let digits = match offset.get(..1) {
        None | Some("Z" | "z") => return (offset.len() < 2).then_some(0),
        _ => offset[1..].replace(':', ""),
    };
    let is_valid = matches!(digits.len(), 2 | 4) && digits.bytes().all(|b| b.is_ascii_digit());
    let number: i64 = digits.parse().ok().filter(|_| is_valid)?;
    let (hours, minutes) =
        if digits.len() == 2 { (number, 0) } else { (number / 100, number % 100) };
    let total = hours * 60 + minutes;
    (hours < 24 && minutes < 60).then_some(if offset.starts_with('-') { -total } else { total })
}

fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // The leap days before a year, counted from year 0.
    let leap_days = |year: i64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let years = (year - 1970) * 365 + leap_days(year) - leap_days(1970);
    years + (1..month).map(|month| days_in_month(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_v1_have_a_numeric_timestamp() {
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
    fn events_of_endpoints_have_one_form() {
        for (body, event) in [
            (
                r#"{"event":"endpointConnected","accountId":"1","endpointId":"e-1","deviceId":"d-1","timestamp":1605739845431,"tags":"t"}"#,
                r#"{"event":"endpointConnected","accountId":"1","endpointId":"e-1","deviceId":"d-1","timestamp":1605739845431,"tag":"t"}"#,
            ),
            (
                r#"{"endpointId":"e-1","type":"WEBRTC","status":"DISCONNECTED","eventTime":"2021-01-01T00:00:00Z","eventType":"DEVICE_DISCONNECTED","device":{"deviceId":"d-1"},"tag":"t"}"#,
                r#"{"endpointId":"e-1","type":"WEBRTC","status":"DISCONNECTED","timestamp":1609459200000,"event":"endpointDisconnected","device":{"deviceId":"d-1"},"tag":"t","deviceId":"d-1"}"#,
            ),
            (
                r#"{"event":"outboundConnectionRequest","endpointId":"e-1","timestamp":"2026-11-27T12:00:00.5+01:00","to":"+1919","toType":"PHONE_NUMBER"}"#,
                r#"{"event":"outboundConnectionRequest","endpointId":"e-1","timestamp":1795777200500,"to":"+1919","toType":"PHONE_NUMBER"}"#,
            ),
            // Both names: the field of the common form is used.
            (
                r#"{"event":"endpointEligible","eventType":"x","endpointId":"e","timestamp":1,"eventTime":2,"tag":"a","tags":"b"}"#,
                r#"{"event":"endpointEligible","eventType":"x","endpointId":"e","timestamp":1,"eventTime":2,"tag":"a","tags":"b"}"#,
            ),
            (
                r#"{"event":null,"eventType":"DEVICE_CONNECTED","endpointId":"e","timestamp":null,"eventTime":3,"tag":null,"tags":["b"],"deviceId":null,"device":{"deviceId":"d"}}"#,
                r#"{"event":"endpointConnected","endpointId":"e","timestamp":3,"tag":null,"tags":["b"],"device":{"deviceId":"d"},"deviceId":"d"}"#,
            ),
            (r#"{"event":"connectStatus","to":7}"#, r#"{"event":"connectStatus","to":7}"#),
        ] {
            let parsed = parse_event(body).unwrap();
            assert_eq!(parsed, event);
            assert_eq!(parse_event(&parsed).unwrap(), parsed);
        }
    }

    #[test]
    fn unknown_events_are_marked_and_not_checked() {
        for (body, event) in [
            (r#"{"event":"onJoin"}"#, r#"{"event":"onJoin","known":false}"#),
            (
                r#"{"eventType":"DEVICE_MOVED","eventTime":"2021-01-01T00:00:00Z","endpointId":7,"known":true}"#,
                r#"{"event":"DEVICE_MOVED","timestamp":1609459200000,"endpointId":7,"known":false}"#,
            ),
            (
                r#"{"event":"endpointMoved","timestamp":"soon","tag":{}}"#,
                r#"{"event":"endpointMoved","timestamp":"soon","tag":{},"known":false}"#,
            ),
        ] {
            let parsed = parse_event(body).unwrap();
            assert_eq!(parsed, event);
            assert_eq!(parse_event(&parsed).unwrap(), parsed);
        }
        let known = r#"{"event":"onLeave","timestamp":1,"participantId":"p","known":1}"#;
        assert_eq!(parse_event(known).unwrap(), known);
    }

    #[test]
    fn times_are_parsed() {
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T23:59:59.999Z", Some(951_868_799_999)),
            ("2024-02-29t12:00:00.1234567z", Some(1_709_208_000_123)),
            ("2026-12-31 23:59:60Z", Some(1_798_761_600_000)),
            ("2026-11-27T13:00:00+0100", Some(1_795_780_800_000)),
            ("2026-11-27T06:30:00-05:30", Some(1_795_780_800_000)),
            ("2026-11-27T12:00:00+00", Some(1_795_780_800_000)),
            ("2026-11-27T12:00:00", Some(1_795_780_800_000)),
            ("1969-12-31T23:59:59Z", None),
            ("2023-02-29T00:00:00Z", None),
            ("1900-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-01-00T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:60:00Z", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01T00:00:00+1", None),
            ("2026-01-01T00:00:00+01:60", None),
            ("2026-01-01T00:00:00Zx", None),
            ("2026-01-01T00:00Z", None),
            ("2026-01-01", None),
            ("+2026-01-01T00:00:00Z", None),
            ("é-01-01T00:00:00Z", None),
            ("2026-01-01T00:00:00+é", None),
            ("", None),
        ] {
            assert_eq!(iso_milliseconds(time), expected, "{time}");
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
            ("{}", "event.event: is missing"),
            (
                r#"{"event":"onLeave"}"#,
                "event.timestamp: is missing; event.participantId: is missing",
            ),
            (
                r#"{"event":"endpointEligible"}"#,
                "event.timestamp: is missing; event.endpointId: is missing",
            ),
            (r#"{"eventType":1}"#, "event.event: must be a string, not a number"),
            (r#"{"event":1}"#, "event.event: must be a string, not a number"),
            (r#"{"event":""}"#, "event.event: is empty"),
            (
                r#"{"event":"onLeave","timestamp":"soon"}"#,
                "event.timestamp: \"soon\" is not a whole number",
            ),
            (r#"{"event":"onLeave","timestamp":"+5"}"#, "\"+5\" is not a whole number"),
            (r#"{"event":"onLeave","timestamp":""}"#, "is not a whole number"),
            (
                r#"{"event":"onLeave","timestamp":{}}"#,
                "event.timestamp: must be a number, not an object",
            ),
            (r#"{"event":null,"timestamp":1,"participantId":"p"}"#, "event.event: is missing"),
            (r#"{"event":"onLeave","timestamp":-1}"#, "is not a whole number"),
            (r#"{"event":"onLeave","timestamp":1.5}"#, "is not a whole number"),
            (r#"{"event":"onLeave","timestamp":"99999999999999999999"}"#, "is not a whole number"),
            (r#"{"event":"onLeave","participantId":""}"#, "event.participantId: is empty"),
            (r#"{"event":"onLeave","tag":{}}"#, "event.tag: must be a string, not an object"),
            (r#"{"event":"endpointConnected","endpointId":""}"#, "event.endpointId: is empty"),
            (r#"{"event":"endpointConnected","to":1}"#, "event.to: must be a string, not a number"),
            (r#"{"event":"onLeave","event":"onLeave"}"#, "event.event: is given twice"),
        ] {
            let message = parse_event(body).unwrap_err().message;
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    }
}
