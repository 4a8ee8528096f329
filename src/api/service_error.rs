//! What an answer that is not a success means, and what of it may be told.

use std::time::SystemTime;

use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Answer, Status};
use crate::json::{self, Object, string, without_mark};
use crate::redact;

/// How much of an answer's body an error document holds, in bytes.
const SHOWN: usize = 16 * 1024;
/// Replaces a secret.
const REMOVED: &str = "[removed]";

/// Whether the service is known to have done nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It looked at the request and refused it.
    Refused,
    /// It did not look at the request; another try may go through.
    TurnedAway,
    /// It may have acted.
    Unknown,
}

/// An answer that is not a success, understood.
pub struct ServiceError {
    /// The class of the failure.
    pub status: Status,
    /// What was wrong and what to do.
    pub message: String,
    /// Whether it is known that nothing was done.
    pub settled: Settled,
}

/// What this HTTP status means, with the service's own words where it gave some.
///
/// `keys` are the configuration keys of the credentials that were used.
pub fn classify(answer: &Answer, keys: [&str; 2]) -> ServiceError {
    let code = answer.http_status;
    let (status, settled, what) = match code {
        400 => (Status::BadRequest, Settled::Refused, "the service refused the request"),
        401 => (Status::Unauthorized, Settled::Refused, "the service refused the credentials"),
        403 => (
            Status::Forbidden,
            Settled::Refused,
            "the service does not allow this; check that the credentials have a role for WebRTC, \
             that accountId is their account, and that baseUrl ends in /v1",
        ),
        421 | 425 => (
            Status::HttpStatus,
            Settled::TurnedAway,
            "the service did not process the request on this connection; try again later",
        ),
        404 => (Status::NotFound, Settled::Refused, "the service knows no such thing"),
        409 => (Status::Conflict, Settled::Refused, "the service's state forbids this"),
        429 => (
            Status::RateLimited,
            Settled::TurnedAway,
            "the service asks for fewer requests; try again later",
        ),
        // Without the header it may come from a gateway, behind which the service works on.
        503 if answer.retry_after_ms.is_some() => (
            Status::Server,
            Settled::TurnedAway,
            "the service is not available now; try again later",
        ),
        _ if (500..600).contains(&code) => (
            Status::Server,
            Settled::Unknown,
            "the service or a gateway failed; it may have acted on the request",
        ),
        _ if (400..500).contains(&code) => {
            (Status::HttpStatus, Settled::Refused, "the service refused the request")
        }
        _ if (300..400).contains(&code) => (
            Status::HttpStatus,
            Settled::Unknown,
            "the answer is a redirect, which is not followed; check baseUrl",
        ),
        _ => (Status::HttpStatus, Settled::Unknown, "the answer's status is not one of HTTP's"),
    };
    let mut message = format!("{what} (HTTP {code})");
    if code == 401 {
        let [identifier, secret] = keys;
        message.push_str(&format!(
            "; check {identifier} and {secret}, and that they may use accountId"
        ));
    }
    if let Some(words) = answer.body.as_deref().and_then(own_words) {
        message.push_str(": ");
        message.push_str(&words);
    }
    ServiceError { status, message, settled }
}

/// A response that is not a success, as the error document shows it.
pub fn error_answer(
    http_status: u16,
    retry_after: Option<&str>,
    body: &[u8],
    secrets: &[&str],
) -> Answer {
    let body = shown_body(body, secrets);
    Answer {
        http_status,
        request_id: body.as_deref().and_then(|body| own_text(body, "requestId")),
        retry_after_ms: retry_after.and_then(retry_after_ms),
        body,
    }
}

/// The body of an error as JSON text for the error document; what is not JSON becomes a string.
/// `secrets` are removed, however a peer that echoes them escapes them.
fn shown_body(body: &[u8], secrets: &[&str]) -> Option<Box<RawValue>> {
    if body.is_empty() {
        return None;
    }
    // Twice as much as is shown, so that no part of a secret is left at the end.
    let text =
        Zeroizing::new(String::from_utf8_lossy(&body[..body.len().min(2 * SHOWN)]).into_owned());
    let text = without_mark(&text);
    let mask = |text: &str| {
        let mut masked = Zeroizing::new(text.to_owned());
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            if masked.contains(secret) {
                masked = Zeroizing::new(masked.replace(secret, REMOVED));
            }
        }
        redact::masked(&masked).into_owned()
    };
    if body.len() <= SHOWN {
        // RawValue alone would accept a document of any depth, which many readers cannot take.
        if let Ok(mut document) = serde_json::from_str::<Value>(text) {
            let is_changed = mask_strings(&mut document, &mask);
            let shown = if is_changed { document.to_string() } else { text.to_owned() };
            // A number can be a password too.
            if mask(&shown) == shown {
                return RawValue::from_string(shown).ok();
            }
            return serde_json::value::to_raw_value(&mask(&shown)).ok();
        }
    }
    let mut shown = mask(&without_escapes(text));
    if shown.len() > SHOWN {
        let end = (0..=SHOWN).rev().find(|end| shown.is_char_boundary(*end));
        shown.truncate(end.unwrap_or(0));
    }
    serde_json::value::to_raw_value(&shown).ok()
}

/// Masks each string of a document, the names of members too. Returns whether one has changed.
fn mask_strings(value: &mut Value, mask: &impl Fn(&str) -> String) -> bool {
    let masked = |text: &mut String| {
        let new = mask(text);
        let is_changed = new != *text;
        text.zeroize();
        *text = new;
        is_changed
    };
    match value {
        Value::String(text) => masked(text),
        Value::Array(items) => {
            items.iter_mut().fold(false, |any, item| mask_strings(item, mask) | any)
        }
        Value::Object(members) => {
            let mut any = false;
            for (mut name, mut value) in std::mem::take(members) {
                any |= masked(&mut name) | mask_strings(&mut value, mask);
                members.insert(name, value);
            }
            any
        }
        _ => false,
    }
}

/// A text that is not JSON, with the escapes of JSON decoded, behind which a secret could be hidden.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let (c, length) = json::escape(&rest[at + 1..]).unwrap_or(('\\', 0));
        plain.push(c);
        rest = &rest[at + 1 + length..];
    }
    plain.push_str(rest);
    plain
}

fn own_words(body: &RawValue) -> Option<String> {
    ["error", "message"].iter().find_map(|name| own_text(body, name))
}

/// The text of a member of the body, in one line of limited length.
pub fn own_text(body: &RawValue, name: &str) -> Option<String> {
    let Object(members) = serde_json::from_str(body.get()).ok()?;
    let (_, value) = members.into_iter().rev().find(|(key, _)| key == name)?;
    let text = string(value).ok()?;
    Some(redact::line(&text)).filter(|line| !line.is_empty())
}

/// Retry-After in milliseconds: seconds, or an HTTP date.
fn retry_after_ms(header: &str) -> Option<u64> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let until = httpdate::parse_http_date(header).ok()?;
    let left = until.duration_since(SystemTime::now()).unwrap_or_default();
    u64::try_from(left.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn answer(http_status: u16, body: &str) -> Answer {
        error_answer(http_status, None, body.as_bytes(), &["s3cret"])
    }

    fn classified(http_status: u16, body: &str) -> ServiceError {
        classify(&answer(http_status, body), ["username", "password"])
    }

    #[test]
    fn statuses_have_their_class_and_the_services_words() {
        for (code, status, settled) in [
            (400, Status::BadRequest, Settled::Refused),
            (401, Status::Unauthorized, Settled::Refused),
            (403, Status::Forbidden, Settled::Refused),
            (404, Status::NotFound, Settled::Refused),
            (409, Status::Conflict, Settled::Refused),
            (408, Status::HttpStatus, Settled::Refused),
            (418, Status::HttpStatus, Settled::Refused),
            (421, Status::HttpStatus, Settled::TurnedAway),
            (425, Status::HttpStatus, Settled::TurnedAway),
            (429, Status::RateLimited, Settled::TurnedAway),
            (500, Status::Server, Settled::Unknown),
            (502, Status::Server, Settled::Unknown),
            (503, Status::Server, Settled::Unknown),
            (302, Status::HttpStatus, Settled::Unknown),
        ] {
            let error = classified(code, r#"{"error":"because","requestId":"r1"}"#);
            assert_eq!((error.status, error.settled), (status, settled), "{code}");
            let part = if code == 401 { "username and password" } else { "" };
            assert!(error.message.contains(&format!("(HTTP {code})")));
            assert!(error.message.contains(part) && error.message.ends_with(": because"));
        }
        let busy = error_answer(503, Some("0"), b"", &[]);
        assert_eq!(classify(&busy, ["username", "password"]).settled, Settled::TurnedAway);
        assert!(classified(503, "").message.contains("it may have acted"));
        let marked = classified(400, "\u{feff}{\"error\":\"because\"}");
        assert!(marked.message.ends_with("(HTTP 400): because"), "{}", marked.message);
        let says = |code, part| classified(code, "").message.contains(part);
        assert!(says(300, "is a redirect") && says(399, "is a redirect"));
        assert!(says(299, "not one of HTTP's") && says(600, "not one of HTTP's"));
        let older = classified(500, r#"{"code":500,"message":"older form"}"#);
        assert!(older.message.ends_with("older form"));
    }

    #[test]
    fn bodies_are_shown_as_they_are_or_as_a_string() {
        let shown = |body: &str| answer(500, body).body.map(|b| b.get().to_owned());
        assert_eq!(shown(r#"{"a": 1}"#).as_deref(), Some(r#"{"a": 1}"#));
        assert_eq!(shown("<b>no</b>").as_deref(), Some(r#""<b>no</b>""#));
        assert_eq!(shown(""), None);
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert!(shown(&deep).unwrap().starts_with('"'));
        assert!(shown(&"x".repeat(1_000_000)).unwrap().len() < 20_000);
        let largest = format!(r#"{{"a":"{}"}}"#, "x".repeat(16 * 1024 - 8));
        assert_eq!(shown(&largest), Some(largest.clone()));
        assert!(shown(&format!("{largest} ")).unwrap().starts_with('"'));
        assert_eq!(answer(500, r#"{"requestId":"r1"}"#).request_id.as_deref(), Some("r1"));
    }

    #[test]
    fn no_secret_is_shown() {
        let body = answer(400, r#"{"error":"s3cret eyJh.eyJi.c-_ and eyJx."}"#).body.unwrap();
        assert_eq!(body.get(), r#"{"error":"[removed] [removed] and eyJx."}"#);
        // At the end of a sentence, in a URL, and with an escape that hides it in the JSON text.
        let echo = answer(
            400,
            r#"{"error":"it is eyJh.eyJi.c. See https://u:pw@h","key":"-----BEGIN X-----\nMII"}"#,
        );
        let shown = r#"{"error":"it is [removed]. See https://[removed]@h","key":"[removed]"}"#;
        assert_eq!(echo.body.as_ref().unwrap().get(), shown);
        let hidden = answer(400, r#"{"error":"it is \u0065yJh\u002eeyJi.c \\u0041\u0022\n"}"#).body;
        let shown = r#"{"error":"it is [removed] \\u0041\"\n"}"#;
        assert_eq!(hidden.unwrap().get(), shown);
        let no_json = answer(400, r#"it is \u0065yJh\u002eeyJi.c, \ué"#).body;
        assert_eq!(no_json.unwrap().get(), r#""it is [removed], \\ué""#);
    }

    #[test]
    fn a_secret_is_removed_however_it_is_echoed() {
        for secret in ["se/cret+tests", "hush-é", "hush-中\u{1f600}", "hu\"sh\\", "12345678"] {
            let escaped: String =
                secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let plain = serde_json::to_string(secret).unwrap();
            let plain = plain.trim_matches('"');
            for echo in [
                plain,
                &plain.replace('/', "\\/"),
                &escaped,
                &escaped.to_uppercase().replace("\\U", "\\u"),
            ] {
                for body in [
                    format!(r#"{{"error":"not {echo}!","deep":[{{"{echo}":1}}]}}"#),
                    format!("<html>not {echo}!</html>"),
                    format!("{}{echo}", "x".repeat(16 * 1024 - 3)),
                ] {
                    let answer = error_answer(401, None, body.as_bytes(), &[secret]);
                    let shown = answer.body.as_ref().unwrap().get().to_owned();
                    let message = classify(&answer, ["username", "password"]).message;
                    let decoded = without_escapes(&shown);
                    for text in [&shown, &decoded, &message] {
                        assert!(!text.contains(&secret[..4]), "{body}\n{text}");
                    }
                }
            }
        }
        let number = error_answer(400, None, br#"{"password":12345678}"#, &["12345678"]);
        assert!(!number.body.unwrap().get().contains("1234"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after_ms("2"), Some(2000));
        assert_eq!(retry_after_ms(" 0 "), Some(0));
        assert_eq!(retry_after_ms("Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!((58_000..=60_000).contains(&retry_after_ms(&soon).unwrap()));
        assert_eq!(retry_after_ms("soon"), None);
        assert_eq!(retry_after_ms("99999999999999999999"), None);
    }
}
