//! Webhooks: the events that the services post to a callback URL.
//!
//! The events of WebRTC v1 have one form. Those of BRTC Endpoints have two: the one in Bandwidth's
//! documentation, and the one in its OpenAPI document. All are converted to one form.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::error::Error;
use crate::json::document::Problems;
use crate::json::{self, DuplicateFinder, Kind, Object, quote};

/// The largest body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The events of WebRTC v1.
const V1_EVENTS: &[&str] = &["onConnect", "onLeave", "onDisconnect"];
/// The events of BRTC Endpoints that contain an endpoint id.
const ENDPOINT_EVENTS: &[&str] = &[
    "endpointConnected",
    "endpointDisconnected",
    "endpointEligible",
    "endpointIneligible",
    "outboundConnectionRequest",
];
/// The event of BRTC Endpoints whose fields are not documented.
const CONNECT_STATUS: &str = "connectStatus";

/// The `eventType` of the OpenAPI document, and the event of the same meaning.
const EVENT_TYPES: &[(&str, &str)] =
    &[("DEVICE_CONNECTED", "endpointConnected"), ("DEVICE_DISCONNECTED", "endpointDisconnected")];

/// Checks the body of a webhook and returns it in one form: `event`, `timestamp` in milliseconds,
/// `participantId` or `endpointId`, `deviceId`, `tag`, `accountId`, `to`, `toType`, and all other
/// fields unchanged. A byte order mark at the start is removed.
///
/// In an event of v1, `timestamp` and `participantId` are required, and `deviceId` and `tag` must be
/// strings. In an event of BRTC, only `endpointId` is required: a receiver that rejects a webhook
/// cannot get it again. An unknown event is not checked, and has `"known": false`.
///
/// # Errors
/// `InvalidArgument`, with all problems.
pub fn parse_event(body: &str) -> Result<String, Error> {
    if body.len() > MAX_BODY {
        return Err(Error::invalid(format!("event: has more than {MAX_BODY} bytes")));
    }
    let object = json::object_with_repetitions(&"event", json::without_mark(body))
        .map_err(Error::invalid)?;
    let is_v1 = object.0.iter().any(|(name, value)| {
        name == "event" && json::string(value).is_ok_and(|event| V1_EVENTS.contains(&&*event))
    });
    let event = if is_v1 { v1_event(object) } else { brtc_event(object) };
    event.map(|event| event.to_json()).map_err(Error::invalid)
}

/// Checks an event of WebRTC v1.
fn v1_event(object: Object<'_>) -> Result<Event<'_>, String> {
    if let Some(message) = json::repeated_keys(&"event", &object) {
        return Err(message);
    }
    let mut event = Event::new(object);
    let mut problems = Problems::default();
    for name in ["timestamp", "participantId"] {
        if event.get(name).is_none() {
            problems.add(&format_args!("event.{name}"), "is missing");
        }
    }
    for Member { name, json, text } in &mut event.0 {
        let checked = match &**name {
            _ if Kind::of(json) == Kind::Null => Ok(()),
            "timestamp" => digits(json).map(|millis| *text = Cow::Owned(millis.to_string())),
            "participantId" => id(json),
            "deviceId" | "tag" => json::string(json).map(drop),
            _ => Ok(()),
        };
        if let Err(problem) = checked {
            problems.add(&format_args!("event.{name}"), problem);
        }
    }
    problems.message().map_or(Ok(event), Err)
}

/// Converts an event of BRTC or an unknown event.
fn brtc_event(object: Object<'_>) -> Result<Event<'_>, String> {
    let mut event = Event::new(object);
    event.rename("eventType", "event");
    let Some(member) = event.get("event") else {
        return Err("event.event: is missing".to_owned());
    };
    let name = json::string(member.json)
        .and_then(|name| if name.is_empty() { Err("is empty".to_owned()) } else { Ok(name) });
    let name = name.map_err(|problem| format!("event.event: {problem}"))?;
    let name = EVENT_TYPES.iter().find(|(from, _)| *from == name).map_or(&*name, |(_, to)| to);
    // In an event of v1, the name has no alias.
    if V1_EVENTS.contains(&name) {
        return Err("event.event: is missing".to_owned());
    }
    let has_endpoint = ENDPOINT_EVENTS.contains(&name);
    if has_endpoint {
        let checked = match event.get("endpointId") {
            Some(member) => id(member.json),
            None => Err("is missing".to_owned()),
        };
        checked.map_err(|problem| format!("event.endpointId: {problem}"))?;
    }
    let is_known = has_endpoint || name == CONNECT_STATUS;
    // A string cannot fail to serialize.
    let name = serde_json::to_string(name).unwrap_or_default();
    event.set("event", name);
    event.rename("eventTime", "timestamp");
    if event.get("tags").is_some_and(|tags| Kind::of(tags.json) == Kind::String) {
        event.rename("tags", "tag");
    }
    if let Some(millis) = event.get("timestamp").and_then(|time| milliseconds(time.json)) {
        event.set("timestamp", millis.to_string());
    }
    if event.get("deviceId").is_none() {
        if let Some(json) = event.get("device").and_then(|device| device_id(device.json)) {
            event.remove("deviceId");
            event.0.push(Member::new(Cow::Borrowed("deviceId"), json));
        }
    }
    if !is_known {
        event.0.push(Member {
            text: Cow::Borrowed("false"),
            ..Member::new(Cow::Borrowed("known"), RawValue::NULL)
        });
    }
    Ok(event)
}

struct Member<'a> {
    name: Cow<'a, str>,
    json: &'a RawValue,
    /// The JSON text in the result.
    text: Cow<'a, str>,
}

impl<'a> Member<'a> {
    fn new(name: Cow<'a, str>, json: &'a RawValue) -> Member<'a> {
        Member { name, json, text: Cow::Borrowed(json.get()) }
    }
}

/// The members of an event, each with another name.
struct Event<'a>(Vec<Member<'a>>);

impl<'a> Event<'a> {
    /// The last member of each name, without `known`, which marks unknown events in the result.
    fn new(Object(members): Object<'a>) -> Event<'a> {
        let mut duplicates = DuplicateFinder::new(members.len());
        let is_last: Vec<bool> = (0..members.len())
            .rev()
            .map(|at| {
                let later = members[at + 1..].iter().map(|(name, _)| name);
                !duplicates.is_repeated(&members[at].0, later)
            })
            .collect();
        let members = members.iter().zip(is_last.into_iter().rev());
        Event(
            members
                .filter(|((name, _), is_last)| *is_last && name != "known")
                .map(|((name, json), _)| Member::new(name.clone(), json))
                .collect(),
        )
    }

    /// A member that is not null.
    fn get(&self, name: &str) -> Option<&Member<'a>> {
        self.0.iter().find(|member| member.name == name && Kind::of(member.json) != Kind::Null)
    }

    fn remove(&mut self, name: &str) {
        self.0.retain(|member| member.name != name);
    }

    /// Renames a member, unless there is already one of the new name.
    fn rename(&mut self, from: &str, to: &'static str) {
        if self.get(to).is_none() && self.get(from).is_some() {
            self.remove(to);
            for member in self.0.iter_mut().filter(|member| member.name == from) {
                member.name = Cow::Borrowed(to);
            }
        }
    }

    /// Replaces the value of a member.
    fn set(&mut self, name: &str, text: String) {
        if let Some(member) = self.0.iter_mut().find(|member| member.name == name) {
            member.text = Cow::Owned(text);
        }
    }

    fn to_json(&self) -> String {
        let mut json = String::new();
        for Member { name, text, .. } in &self.0 {
            json.push(if json.is_empty() { '{' } else { ',' });
            // A string cannot fail to serialize.
            json.push_str(&serde_json::to_string(name).unwrap_or_default());
            json.push(':');
            json.push_str(text);
        }
        json.push('}');
        json
    }
}

/// Checks that a value is a string that is not empty.
fn id(value: &RawValue) -> Result<(), String> {
    if json::string(value)?.is_empty() { Err("is empty".to_owned()) } else { Ok(()) }
}

/// The id in a `device` object.
fn device_id(device: &RawValue) -> Option<&RawValue> {
    let Object(members) = serde_json::from_str(device.get()).ok()?;
    let (_, id) = members.into_iter().rev().find(|(name, _)| name == "deviceId")?;
    (Kind::of(id) == Kind::String).then_some(id)
}

/// A time is below this limit, because every JSON reader represents integers below it exactly.
const TIME_LIMIT: u64 = 1 << 53;

/// The timestamp of an event of v1: a number of milliseconds. In the documentation's example it is a
/// string.
fn digits(value: &RawValue) -> Result<u64, String> {
    let digits = match Kind::of(value) {
        Kind::String => json::string(value)?,
        Kind::Number => Cow::Borrowed(value.get()),
        other => return Err(format!("must be a number, not {}", other.article())),
    };
    let is_plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let millis = digits.parse().ok().filter(|millis| is_plain && *millis < TIME_LIMIT);
    millis.ok_or_else(|| format!("{} is not a whole number of milliseconds", quote(&digits)))
}

/// The time of any other event: also a float without a fraction, or an ISO 8601 time.
fn milliseconds(value: &RawValue) -> Option<u64> {
    let time = digits(value).ok().or_else(|| match Kind::of(value) {
        Kind::String => iso_milliseconds(&json::string(value).ok()?),
        Kind::Number => {
            let number: f64 = value.get().parse().ok()?;
            (number >= 0.0 && number.fract() == 0.0).then_some(number as u64)
        }
        _ => None,
    });
    time.filter(|time| *time < TIME_LIMIT)
}

/// Parses `2026-11-27T12:00:00.123Z`. The seconds and their fraction may be missing, and so may the
/// offset, which is UTC then.
fn iso_milliseconds(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-')?;
    let at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (time, offset) = time.split_at(at);
    let (time, fraction) = match time.split_once(['.', ',']) {
        Some((time, fraction)) => (Cow::Borrowed(time), fraction),
        None if time.matches(':').count() == 1 => (Cow::Owned(format!("{time}:00")), "0"),
        None => (Cow::Borrowed(time), "0"),
    };
    let [hour, minute, second] = numbers(&time, ':')?;
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
    fn events_of_v1_have_only_their_own_fields() {
        for more in [
            r#""accountId":5"#,
            r#""to":{"a":1},"toType":7"#,
            r#""endpointId":9,"eventType":[]"#,
            r#""tags":"x""#,
            r#""tag":null,"tags":"x","deviceId":null"#,
            r#""device":{"deviceId":"d"}"#,
            r#""eventTime":"2026-11-27T12:00:00Z""#,
        ] {
            let event = r#"{"event":"onConnect","timestamp":1,"participantId":"p","#;
            let body = format!("{event}{more}}}");
            assert_eq!(parse_event(&body).as_deref().ok(), Some(&*body));
        }
        for (body, problem) in [
            (
                r#"{"event":"onLeave","eventTime":1,"participantId":"p"}"#,
                "event.timestamp: is missing",
            ),
            (
                r#"{"event":"onLeave","timestamp":"2026-11-27T12:00:00Z","participantId":"p"}"#,
                "is not a whole number of milliseconds",
            ),
            (
                r#"{"event":"onLeave","timestamp":1.0,"participantId":"p"}"#,
                "is not a whole number of milliseconds",
            ),
            (
                r#"{"event":"onLeave","timestamp":1,"participantId":"p","x":1,"x":2}"#,
                "event.x: is given twice",
            ),
            (
                r#"{"eventType":"onLeave","timestamp":1,"participantId":"p"}"#,
                "event.event: is missing",
            ),
        ] {
            let message = parse_event(body).unwrap_err().message;
            assert!(message.contains(problem), "{problem}\nis not in\n{message}");
        }
    }

    #[test]
    fn events_of_endpoints_need_only_the_id() {
        for (members, expected) in [
            ("", ""),
            (r#","timestamp":null"#, r#","timestamp":null"#),
            (r#","timestamp":"soon""#, r#","timestamp":"soon""#),
            (r#","timestamp":[1]"#, r#","timestamp":[1]"#),
            (r#","timestamp":-1"#, r#","timestamp":-1"#),
            (r#","timestamp":1.5"#, r#","timestamp":1.5"#),
            (r#","timestamp":1e999"#, r#","timestamp":1e999"#),
            (r#","timestamp":9007199254740992"#, r#","timestamp":9007199254740992"#),
            (r#","timestamp":9007199254740991"#, r#","timestamp":9007199254740991"#),
            (r#","timestamp":1605739845431.0"#, r#","timestamp":1605739845431"#),
            (r#","timestamp":1.605739845431E12"#, r#","timestamp":1605739845431"#),
            (r#","timestamp":"1605739845431""#, r#","timestamp":1605739845431"#),
            (r#","eventTime":"1970-01-01T00:00Z""#, r#","timestamp":0"#),
            (r#","eventTime":{}"#, r#","timestamp":{}"#),
            (
                r#","accountId":9900000,"to":["+1"],"toType":{},"tag":{"a":1},"deviceId":7,"device":"d","participantId":5"#,
                r#","accountId":9900000,"to":["+1"],"toType":{},"tag":{"a":1},"deviceId":7,"device":"d","participantId":5"#,
            ),
            (
                r#","tags":{"a":1},"device":{"deviceId":7}"#,
                r#","tags":{"a":1},"device":{"deviceId":7}"#,
            ),
            (
                r#","known":false,"x":1,"known":true,"x":2,"endpointId":"e""#,
                r#","x":2,"endpointId":"e""#,
            ),
        ] {
            let id = if members.contains("endpointId") { "" } else { r#","endpointId":"e""# };
            let body = |members| format!(r#"{{"event":"endpointConnected"{id}{members}}}"#);
            let parsed = parse_event(&body(members)).unwrap();
            assert_eq!(parsed, body(expected));
            assert_eq!(parse_event(&parsed).unwrap(), parsed);
        }
        for (id, problem) in [
            ("null", "event.endpointId: is missing"),
            ("7", "event.endpointId: must be a string, not a number"),
            (r#""""#, "event.endpointId: is empty"),
            (r#""e\ud800""#, "event.endpointId: has an escape"),
        ] {
            let body = format!(r#"{{"event":"outboundConnectionRequest","endpointId":{id}}}"#);
            assert_eq!(parse_event(&body).unwrap_err().message.find(problem), Some(0), "{id}");
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
        let repeated = parse_event(r#"{"event":"b","x":1,"known":{},"event":"a","x":[2],"x":3}"#);
        assert_eq!(repeated.unwrap(), r#"{"event":"a","x":3,"known":false}"#);
        let known = r#"{"event":"onLeave","known":false,"timestamp":1,"participantId":"p"}"#;
        assert!(!parse_event(known).unwrap().contains("known"));
    }

    /// In quadratic time this would take minutes.
    #[test]
    fn repeated_members_are_read_in_linear_time() {
        let began = std::time::Instant::now();
        for members in
            [r#","a":1"#.repeat(10_000), (0..7000).map(|n| format!(",\"{n}\":1")).collect()]
        {
            for event in ["new", "endpointEligible", "onLeave"] {
                let body = format!(r#"{{"event":"{event}","endpointId":"e"{members}}}"#);
                assert_eq!(parse_event(&body).is_ok(), event != "onLeave");
            }
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
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
            ("2026-11-27T12:00Z", Some(1_795_780_800_000)),
            ("2026-11-27T13:00+01:00", Some(1_795_780_800_000)),
            ("2026-11-27T12:00:00,5Z", Some(1_795_780_800_500)),
            ("2026-11-27T12:00.5Z", None),
            ("2026-11-27T12Z", None),
            ("2026-11-27T12:00:00,Z", None),
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
            (r#"{"event":"endpointEligible"}"#, "event.endpointId: is missing"),
            (r#"{"event":"new\ud800"}"#, "event.event: has an escape"),
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
            (r#"{"event":{}}"#, "event.event: must be a string, not an object"),
            (r#"{"event":"onLeave","timestamp":-1}"#, "is not a whole number"),
            (r#"{"event":"onLeave","timestamp":1.5}"#, "is not a whole number"),
            (r#"{"event":"onLeave","timestamp":"99999999999999999999"}"#, "is not a whole number"),
            (r#"{"event":"onLeave","participantId":""}"#, "event.participantId: is empty"),
            (r#"{"event":"onLeave","tag":{}}"#, "event.tag: must be a string, not an object"),
            (r#"{"event":"endpointConnected","endpointId":""}"#, "event.endpointId: is empty"),
            (r#"{"event":"onLeave","event":"onLeave"}"#, "event.event: is given twice"),
        ] {
            let message = parse_event(body).unwrap_err().message;
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    }
}
