//! What an answer that is not a success means, and what of it may be told.

use serde_json::value::RawValue;

use crate::error::{Answer, Status};
use crate::json::{Object, string, without_mark};

/// How much of an answer's body an error document holds, in bytes.
const SHOWN: usize = 16 * 1024;

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
pub fn classify(answer: &Answer) -> ServiceError {
    let code = answer.http_status;
    let (status, settled, what) = match code {
        400 => (Status::BadRequest, Settled::Refused, "the service refused the request"),
        401 => (
            Status::Unauthorized,
            Settled::Refused,
            "the service refused the credentials; check username and password",
        ),
        403 => (
            Status::Forbidden,
            Settled::Refused,
            "the service does not allow this; check that accountId is the account of these \
             credentials and that baseUrl ends in /v1",
        ),
        404 => (Status::NotFound, Settled::Refused, "the service knows no such thing"),
        409 => (Status::Conflict, Settled::Refused, "the service's state forbids this"),
        429 => (
            Status::RateLimited,
            Settled::TurnedAway,
            "the service asks for fewer requests; try again later",
        ),
        503 => (
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
    if let Some(words) = answer.body.as_deref().and_then(own_words) {
        message.push_str(": ");
        message.push_str(&words);
    }
    ServiceError { status, message, settled }
}

/// The body of an error as JSON text for the error document; what is not JSON becomes a string.
/// `secrets` are taken out, should something on the way have echoed them.
pub fn shown_body(body: &[u8], secrets: &[&str]) -> Option<Box<RawValue>> {
    if body.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
    let mut text = without_mark(&text).to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "[removed]");
    }
    text = without_tokens(&text);
    if body.len() <= SHOWN {
        // from_string would accept a document of any depth, which many readers cannot take.
        if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
            return RawValue::from_string(text).ok();
        }
    }
    serde_json::value::to_raw_value(&text).ok()
}

/// The id that the service gave the request.
pub fn request_id(body: Option<&RawValue>) -> Option<String> {
    own_text(body?, "requestId")
}

fn own_words(body: &RawValue) -> Option<String> {
    ["error", "message"].iter().find_map(|name| own_text(body, name)).map(|words| {
        let line: String = words.chars().filter(|c| !c.is_control()).take(300).collect();
        line
    })
}

fn own_text(body: &RawValue, name: &str) -> Option<String> {
    let Object(members) = serde_json::from_str(body.get()).ok()?;
    let (_, value) = members.into_iter().rev().find(|(key, _)| key == name)?;
    string(value).ok().map(std::borrow::Cow::into_owned).filter(|text| !text.is_empty())
}

/// The text with everything that looks like a JWT taken out.
fn without_tokens(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        let end = rest[at..].find(|c| !is_part(c)).map_or(rest.len(), |length| at + length);
        let word = &rest[at..end];
        clean.push_str(&rest[..at]);
        clean.push_str(if word.matches('.').count() == 2 { "[removed]" } else { word });
        rest = &rest[end..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(http_status: u16, body: &str) -> Answer {
        let body = shown_body(body.as_bytes(), &["s3cret"]);
        let request_id = request_id(body.as_deref());
        Answer { http_status, request_id, retry_after_ms: None, body }
    }

    #[test]
    fn statuses_have_their_class_and_the_services_words() {
        for (code, status, settled) in [
            (400, Status::BadRequest, Settled::Refused),
            (401, Status::Unauthorized, Settled::Refused),
            (403, Status::Forbidden, Settled::Refused),
            (404, Status::NotFound, Settled::Refused),
            (409, Status::Conflict, Settled::Refused),
            (418, Status::HttpStatus, Settled::Refused),
            (429, Status::RateLimited, Settled::TurnedAway),
            (500, Status::Server, Settled::Unknown),
            (502, Status::Server, Settled::Unknown),
            (503, Status::Server, Settled::TurnedAway),
            (302, Status::HttpStatus, Settled::Unknown),
        ] {
            let error = classify(&answer(code, r#"{"error":"because","requestId":"r1"}"#));
            assert_eq!((error.status, error.settled), (status, settled), "{code}");
            assert!(error.message.ends_with(&format!("(HTTP {code}): because")));
        }
        let marked = classify(&answer(400, "\u{feff}{\"error\":\"because\"}"));
        assert!(marked.message.ends_with("(HTTP 400): because"), "{}", marked.message);
        let says = |code, part| classify(&answer(code, "")).message.contains(part);
        assert!(says(300, "is a redirect") && says(399, "is a redirect"));
        assert!(says(299, "not one of HTTP's") && says(600, "not one of HTTP's"));
        let older = classify(&answer(500, r#"{"code":500,"message":"older form"}"#));
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
    }
}
