//! Error responses: their meaning, and how they appear in messages and error documents.

use std::fmt;
use std::time::SystemTime;

use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

use super::operation::Service;
use crate::error::{ErrorResponse, Status};
use crate::json::{self, Array, Object, array, string, without_mark};
use crate::redact;

/// The longest body in an error document, in bytes.
const MAX_BODY: usize = 16 * 1024;
/// The most errors of an envelope in a message.
const MAX_ERRORS: usize = 4;
/// The type of the error that a service returns if no more endpoints can be created. Bandwidth's
/// documents write the types in both forms.
const TOO_MANY_ENDPOINTS: [&str; 2] = ["too_many_endpoints", "too.many.endpoints"];

/// Whether the service has processed the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The service rejected the request.
    Rejected,
    /// The service did not process the request; a retry may succeed.
    Throttled,
    /// The service may have processed the request.
    Unknown,
}

/// The meaning of an error response.
pub struct ServiceError {
    /// The status of the call.
    pub status: Status,
    /// The problem, and how to solve it.
    pub message: String,
    /// Whether the service has processed the request.
    pub disposition: Disposition,
}

/// The meaning of an error response of a service. `body` is the whole body, and `keys` are the
/// configuration keys of the credentials that were used.
pub fn classify(
    service: Service,
    response: &ErrorResponse,
    body: &[u8],
    keys: [&str; 2],
) -> ServiceError {
    let code = response.http_status;
    let errors = response.body.as_deref().map(envelope_errors).unwrap_or_default();
    let (status, disposition, problem) = match code {
        400 => (Status::BadRequest, Disposition::Rejected, "the service rejected the request"),
        401 => {
            (Status::Unauthorized, Disposition::Rejected, "the service rejected the credentials")
        }
        403 => (
            Status::Forbidden,
            Disposition::Rejected,
            match service {
                Service::WebRtc => {
                    "the service does not allow this; check that the credentials have a role for \
                     WebRTC, that accountId is their account, and that baseUrl ends in /v1"
                }
                Service::Endpoints => {
                    "the service does not allow this; check that the credentials have a role for \
                     BRTC, that accountId is their account, and that endpointsUrl ends in /v2"
                }
            },
        ),
        421 | 425 => (
            Status::HttpStatus,
            Disposition::Throttled,
            "the service did not process the request on this connection; try again later",
        ),
        404 => (Status::NotFound, Disposition::Rejected, "the service did not find the resource"),
        409 => (
            Status::Conflict,
            Disposition::Rejected,
            "the request conflicts with the state of the resource at the service",
        ),
        // A limit on the number of endpoints, not on the rate of requests: a retry cannot succeed.
        429 if has_too_many_endpoints(body) => (
            Status::RateLimited,
            Disposition::Rejected,
            "the account has too many endpoints; delete endpoints that are not used, or wait until \
             some expire (24 hours after their creation)",
        ),
        429 => (
            Status::RateLimited,
            Disposition::Throttled,
            "the service limits the rate of requests; try again later",
        ),
        // Without Retry-After the response may be from a gateway, while the service continues to
        // process the request.
        503 if response.retry_after_ms.is_some() => (
            Status::Server,
            Disposition::Throttled,
            "the service is temporarily unavailable; try again later",
        ),
        _ if (500..600).contains(&code) => (
            Status::Server,
            Disposition::Unknown,
            "the service or a gateway failed; the request may have been processed",
        ),
        _ if (400..500).contains(&code) => {
            (Status::HttpStatus, Disposition::Rejected, "the service rejected the request")
        }
        _ if (300..400).contains(&code) => (
            Status::HttpStatus,
            Disposition::Unknown,
            match service {
                Service::WebRtc => {
                    "the response is a redirect, which is not followed; check baseUrl"
                }
                Service::Endpoints => {
                    "the response is a redirect, which is not followed; check endpointsUrl"
                }
            },
        ),
        _ => (Status::HttpStatus, Disposition::Unknown, "the response has an invalid HTTP status"),
    };
    let mut message = format!("{problem} (HTTP {code})");
    if code == 401 {
        let [identifier, secret] = keys;
        message.push_str(&format!(
            "; check {identifier} and {secret}, and that they may use accountId"
        ));
    }
    if let Some(text) = response.body.as_deref().and_then(service_message) {
        message.push_str(": ");
        message.push_str(&text);
    }
    for (at, error) in errors.iter().enumerate() {
        message.push_str(if at == 0 { ": " } else { "; " });
        message.push_str(&error.to_string());
    }
    ServiceError { status, message, disposition }
}

/// An error response as it appears in the error document. `secrets` are removed.
pub fn error_response(
    http_status: u16,
    retry_after: Option<&str>,
    body: &[u8],
    secrets: &[&str],
) -> ErrorResponse {
    let body = body_json(body, secrets);
    ErrorResponse {
        http_status,
        request_id: body.as_deref().and_then(|body| text_member(body, "requestId")),
        retry_after_ms: retry_after.and_then(retry_after_ms),
        body,
    }
}

/// The body of an error response as JSON text. A body that is not JSON becomes a string. `secrets`
/// are removed, even if the peer has escaped them.
fn body_json(body: &[u8], secrets: &[&str]) -> Option<Box<RawValue>> {
    if body.is_empty() {
        return None;
    }
    // Twice the limit: a secret that crosses the limit is removed as a whole.
    let text =
        Zeroizing::new(String::from_utf8_lossy(&body[..body.len().min(2 * MAX_BODY)]).into_owned());
    let text = without_mark(&text);
    let mask = |text: &str| tokens_masked(&redact::masked(&redact::without(text, secrets, false)));
    if body.len() <= MAX_BODY {
        // Unlike RawValue, Value limits the depth of the document, for readers that recurse.
        if let Ok(mut document) = serde_json::from_str::<Value>(text) {
            let is_changed = mask_strings(&mut document, &mask);
            let shown = if is_changed { document.to_string() } else { text.to_owned() };
            // A password may also be a number.
            if mask(&shown) == shown {
                return RawValue::from_string(shown).ok();
            }
            return serde_json::value::to_raw_value(&mask(&shown)).ok();
        }
    }
    // It may be cut here, by the size limit of responses, or because the connection was lost.
    let plain = Zeroizing::new(without_escapes(text));
    let mut shown = tokens_masked(&redact::masked(&redact::without(&plain, secrets, true)));
    if shown.len() > MAX_BODY {
        let end = (0..=MAX_BODY).rev().find(|end| shown.is_char_boundary(*end));
        shown.truncate(end.unwrap_or(0));
    }
    serde_json::value::to_raw_value(&shown).ok()
}

/// Masks each string of a document, including the keys, and the value of each token. Returns whether
/// one has changed.
fn mask_strings(value: &mut Value, mask: &dyn Fn(&str) -> String) -> bool {
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
                if is_token(&name) && !value.is_null() {
                    // Wipes the strings in the value.
                    mask_strings(&mut value, &|_| String::new());
                    value = redact::MASK.into();
                    any = true;
                }
                any |= masked(&mut name) | mask_strings(&mut value, mask);
                members.insert(name, value);
            }
            any
        }
        _ => false,
    }
}

/// Whether a member contains a token, such as `token` or `endpointToken`. Not every token is a JWT.
fn is_token(name: &str) -> bool {
    const TOKEN: &str = "token";
    let end = name.len().checked_sub(TOKEN.len()).and_then(|at| name.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(TOKEN))
}

/// Masks the tokens in a text that contains JSON, or a part of it.
fn tokens_masked(text: &str) -> String {
    // The end of `"token"` or `"endpointToken"`.
    const NAME: &str = "oken\"";
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(NAME) {
        let (name, after) = rest.split_at(at + NAME.len());
        clean.push_str(name);
        rest = after;
        let value = after.trim_start().strip_prefix(':').map(str::trim_start);
        if let Some(value) = value.and_then(|value| value.strip_prefix('"')) {
            clean.push_str(&after[..after.len() - value.len()]);
            clean.push_str(redact::MASK);
            rest = &value[value.find('"').unwrap_or(value.len())..];
        }
    }
    clean.push_str(rest);
    clean
}

/// Decodes the JSON escapes in a text that is not JSON, because they may hide a secret.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let Some((c, length)) = json::escape(after) else {
            if is_cut_escape(after) {
                return plain;
            }
            plain.push('\\');
            rest = after;
            continue;
        };
        plain.push(c);
        rest = &rest[at + 1 + length..];
    }
    plain.push_str(rest);
    plain
}

/// Whether a text is the start of an escape of one or two units, without its backslash.
fn is_cut_escape(text: &str) -> bool {
    let is_unit = |c: char| c.is_ascii_hexdigit() || matches!(c, 'u' | '\\');
    text.len() < "ud83d\\ude00".len()
        && matches!(text.chars().next(), None | Some('u'))
        && text.chars().all(is_unit)
}

/// The service's own message.
fn service_message(body: &RawValue) -> Option<String> {
    ["error", "message"].iter().find_map(|name| text_member(body, name))
}

/// An item of `errors` in an envelope, each of its strings as one line of limited length.
#[derive(Default)]
struct EnvelopeError {
    error_type: String,
    description: String,
    /// What the error refers to, such as `field tag`.
    source: Option<String>,
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator =
            if self.error_type.is_empty() || self.description.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}", self.error_type, self.description)?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, " ({source})"))
    }
}

/// The first errors in an envelope.
fn envelope_errors(body: &RawValue) -> Vec<EnvelopeError> {
    let Some(Array(items)) = member(body, "errors").and_then(|errors| array(errors).ok()) else {
        return Vec::new();
    };
    let read = |item: &RawValue| {
        let source = member(item, "source");
        let place = |name: &&str| Some(format!("{name} {}", text_member(source?, name)?));
        EnvelopeError {
            error_type: text_member(item, "type").unwrap_or_default(),
            description: text_member(item, "description").unwrap_or_default(),
            source: ["field", "parameter", "header", "reference"].iter().find_map(place),
        }
    };
    items
        .into_iter()
        .map(read)
        .filter(|error| !error.error_type.is_empty() || !error.description.is_empty())
        .take(MAX_ERRORS)
        .collect()
}

/// Whether an error of an envelope is that no more endpoints can be created.
fn has_too_many_endpoints(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let is_type = |item: &&RawValue| {
        let error_type = member(item, "type").and_then(|value| string(value).ok());
        error_type.is_some_and(|error_type| TOO_MANY_ENDPOINTS.contains(&&*error_type))
    };
    serde_json::from_str::<&RawValue>(without_mark(&text))
        .ok()
        .and_then(|body| array(member(body, "errors")?).ok())
        .is_some_and(|Array(items)| items.iter().any(is_type))
}

/// The string in a member of the body, as one line of limited length.
pub fn text_member(body: &RawValue, name: &str) -> Option<String> {
    let text = string(member(body, name)?).ok()?;
    Some(redact::line(&text)).filter(|line| !line.is_empty())
}

/// The last member of this name in an object.
fn member<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    let Object(members) = serde_json::from_str(object.get()).ok()?;
    members.into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// Parses Retry-After, which is a number of seconds or an HTTP date. Returns milliseconds.
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

    fn response(http_status: u16, body: &str) -> ErrorResponse {
        error_response(http_status, None, body.as_bytes(), &["s3cret"])
    }

    fn classified(http_status: u16, body: &str) -> ServiceError {
        let response = response(http_status, body);
        classify(Service::WebRtc, &response, body.as_bytes(), ["username", "password"])
    }

    #[test]
    fn http_statuses_are_classified() {
        for (code, status, disposition) in [
            (400, Status::BadRequest, Disposition::Rejected),
            (401, Status::Unauthorized, Disposition::Rejected),
            (403, Status::Forbidden, Disposition::Rejected),
            (404, Status::NotFound, Disposition::Rejected),
            (409, Status::Conflict, Disposition::Rejected),
            (408, Status::HttpStatus, Disposition::Rejected),
            (418, Status::HttpStatus, Disposition::Rejected),
            (421, Status::HttpStatus, Disposition::Throttled),
            (425, Status::HttpStatus, Disposition::Throttled),
            (429, Status::RateLimited, Disposition::Throttled),
            (500, Status::Server, Disposition::Unknown),
            (502, Status::Server, Disposition::Unknown),
            (503, Status::Server, Disposition::Unknown),
            (302, Status::HttpStatus, Disposition::Unknown),
        ] {
            let error = classified(code, r#"{"error":"because","requestId":"r1"}"#);
            assert_eq!((error.status, error.disposition), (status, disposition), "{code}");
            let part = if code == 401 { "username and password" } else { "" };
            assert!(error.message.contains(&format!("(HTTP {code})")));
            assert!(error.message.contains(part) && error.message.ends_with(": because"));
        }
        let busy = error_response(503, Some("0"), b"", &[]);
        assert_eq!(
            classify(Service::WebRtc, &busy, b"", ["username", "password"]).disposition,
            Disposition::Throttled
        );
        assert!(classified(503, "").message.contains("may have been processed"));
        let marked = classified(400, "\u{feff}{\"error\":\"because\"}");
        assert!(marked.message.ends_with("(HTTP 400): because"), "{}", marked.message);
        let has = |code, part| classified(code, "").message.contains(part);
        assert!(has(300, "is a redirect") && has(399, "is a redirect"));
        assert!(has(299, "invalid HTTP status") && has(600, "invalid HTTP status"));
        let older = classified(500, r#"{"code":500,"message":"older form"}"#);
        assert!(older.message.ends_with("older form"));
    }

    #[test]
    fn bodies_are_json_or_become_strings() {
        let shown = |body: &str| response(500, body).body.map(|b| b.get().to_owned());
        assert_eq!(shown(r#"{"a": 1}"#).as_deref(), Some(r#"{"a": 1}"#));
        assert_eq!(shown("<b>no</b>").as_deref(), Some(r#""<b>no</b>""#));
        assert_eq!(shown(""), None);
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert!(shown(&deep).unwrap().starts_with('"'));
        assert!(shown(&"x".repeat(1_000_000)).unwrap().len() < 20_000);
        let largest = format!(r#"{{"a":"{}"}}"#, "x".repeat(16 * 1024 - 8));
        assert_eq!(shown(&largest), Some(largest.clone()));
        assert!(shown(&format!("{largest} ")).unwrap().starts_with('"'));
        assert_eq!(response(500, r#"{"requestId":"r1"}"#).request_id.as_deref(), Some("r1"));
    }

    #[test]
    fn secrets_are_removed() {
        let body = response(400, r#"{"error":"s3cret eyJh.eyJi.c-_ and eyJx."}"#).body.unwrap();
        assert_eq!(body.get(), r#"{"error":"[removed] [removed] and eyJx."}"#);
        // At the end of a sentence, in a URL, and with an escape that hides it in the JSON text.
        let echo = response(
            400,
            r#"{"error":"it is eyJh.eyJi.c. See https://u:pw@h","key":"-----BEGIN X-----\nMII"}"#,
        );
        let shown = r#"{"error":"it is [removed]. See https://[removed]@h","key":"[removed]"}"#;
        assert_eq!(echo.body.as_ref().unwrap().get(), shown);
        let hidden =
            response(400, r#"{"error":"it is \u0065yJh\u002eeyJi.c \\u0041\u0022\n"}"#).body;
        let shown = r#"{"error":"it is [removed] \\u0041\"\n"}"#;
        assert_eq!(hidden.unwrap().get(), shown);
        let no_json = response(400, r#"it is \u0065yJh\u002eeyJi.c, \ué"#).body;
        assert_eq!(no_json.unwrap().get(), r#""it is [removed], \\ué""#);
    }

    #[test]
    fn tokens_that_are_no_jwt_are_removed() {
        for (body, expected) in [
            (
                r#"{"data":{"endpointId":"e","token":"opaque"},"errors":[{"Token":["opaque"]}]}"#,
                r#"{"data":{"endpointId":"e","token":"[removed]"},"errors":[{"Token":"[removed]"}]}"#,
            ),
            (
                r#"{"t\u006fken":7,"endpointToken":{"a":"opaque"},"x":"a token"}"#,
                r#"{"endpointToken":"[removed]","token":"[removed]","x":"a token"}"#,
            ),
            (r#"{"token": null, "tokens": 1}"#, r#"{"token": null, "tokens": 1}"#),
            (r#"{"error":"{\"token\": \"opaque\"}"}"#, r#"{"error":"{\"token\": \"[removed]\"}"}"#),
            // Cut off.
            (r#"{"x":1,"token":"opaq"#, r#""{\"x\":1,\"token\":\"[removed]""#),
            (r#"{"t\u006fken" : "opaque","x":"#, r#""{\"token\" : \"[removed]\",\"x\":""#),
        ] {
            assert_eq!(response(500, body).body.unwrap().get(), expected);
        }
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        for more in [deep, format!("\"{}\"", "x".repeat(MAX_BODY))] {
            let body = response(500, &format!(r#"{{"token":"opaque","x":{more}}}"#)).body.unwrap();
            assert!(body.get().starts_with(r#""{\"token\":\"[removed]\""#), "{body}");
        }
    }

    #[test]
    fn secrets_are_removed_despite_escapes() {
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
                    let response = error_response(401, None, body.as_bytes(), &[secret]);
                    let shown = response.body.as_ref().unwrap().get().to_owned();
                    let message = classify(
                        Service::WebRtc,
                        &response,
                        body.as_bytes(),
                        ["username", "password"],
                    )
                    .message;
                    let decoded = without_escapes(&shown);
                    for text in [&shown, &decoded, &message] {
                        assert!(!text.contains(&secret[..4]), "{body}\n{text}");
                    }
                }
            }
        }
        let number = error_response(400, None, br#"{"password":12345678}"#, &["12345678"]);
        assert!(!number.body.unwrap().get().contains("1234"));
    }

    #[test]
    fn retry_after_is_parsed() {
        assert_eq!(retry_after_ms("2"), Some(2000));
        assert_eq!(retry_after_ms(" 0 "), Some(0));
        assert_eq!(retry_after_ms("Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!((58_000..=60_000).contains(&retry_after_ms(&soon).unwrap()));
        assert_eq!(retry_after_ms("soon"), None);
        assert_eq!(retry_after_ms("99999999999999999999"), None);
    }

    #[test]
    fn secret_at_the_end_of_a_long_body_is_removed() {
        let secret = "s3cret-".repeat(100);
        let escaped: String = secret.bytes().map(|b| format!("\\u{b:04x}")).collect();
        // What precedes it becomes much shorter.
        for (piece, echo) in [(&secret, &secret), (&escaped, &escaped), (&secret, &escaped)] {
            for cut in [1, secret.len() / 2, secret.len() - 1] {
                let shown = cut * echo.len() / secret.len();
                let rest = 2 * MAX_BODY - shown;
                let mut body = "x".repeat(rest % piece.len());
                body.push_str(&piece.repeat(rest / piece.len()));
                body.push_str(&echo.repeat(2));
                let response = error_response(500, None, body.as_bytes(), &[&secret]);
                let shown = response.body.unwrap();
                assert!(!shown.get().contains("s3cret"), "{shown}");
            }
        }
    }

    #[test]
    fn errors_of_an_envelope_are_in_the_message() {
        let classify = |http_status, body: &str| {
            let response = error_response(http_status, Some("900"), body.as_bytes(), &["s3cret"]);
            let keys = ["clientId", "clientSecret"];
            classify(Service::Endpoints, &response, body.as_bytes(), keys)
        };
        let message = |http_status, body: &str| classify(http_status, body).message;
        let envelope = |errors: &str| format!(r#"{{"links":[],"data":null,"errors":{errors}}}"#);
        for (errors, end) in [
            (
                r#"[{"type":"invalid_parameter","description":"only numbers","code":"400","id":"x","source":{"parameter":"accountId"}}]"#,
                "(HTTP 400): invalid_parameter: only numbers (parameter accountId)",
            ),
            (
                r#"[{"type":"a","description":"b","source":{"field":"tag"}},{"description":"c","source":{"header":"Authorization"}}]"#,
                "(HTTP 400): a: b (field tag); c (header Authorization)",
            ),
            (r#"[{"type":"a","source":null}]"#, "(HTTP 400): a"),
            (
                r#"[{"type":"a","description":"x s3cret","source":["field"]}]"#,
                "(HTTP 400): a: x [removed]",
            ),
            ("[]", "(HTTP 400)"),
            (r#"[null, 7, [], {}, {"type":1}]"#, "(HTTP 400)"),
            (r#"{"type":"a"}"#, "(HTTP 400)"),
            ("null", "(HTTP 400)"),
        ] {
            let message = message(400, &envelope(errors));
            assert!(message.ends_with(end), "{end}\nis not at the end of\n{message}");
        }
        let many = envelope(&format!("[{}1]", r#"{"type":"t","description":"d"},"#.repeat(300)));
        assert_eq!(message(400, &many).matches("t: d").count(), MAX_ERRORS);
        let gateway = message(403, r#"{"message":"Forbidden"}"#);
        assert!(gateway.contains("endpointsUrl ends in /v2") && gateway.ends_with(": Forbidden"));
        assert!(message(302, "").contains("check endpointsUrl"));

        let quota = envelope(r#"[{"type":"too_many_endpoints","description":"Too many."}]"#);
        let error = classify(429, &quota);
        assert_eq!((error.status, error.disposition), (Status::RateLimited, Disposition::Rejected));
        assert!(error.message.contains("delete endpoints"), "{}", error.message);
        let quota_error = r#"{"type":"too_many_endpoints"}"#;
        let other = r#"{"type":"other","description":"d"},"#;
        for errors in [
            r#"[{"type":"too.many.endpoints"}]"#.to_owned(),
            format!("[{}{quota_error}]", other.repeat(MAX_ERRORS)),
            format!("[null,7,[],{{}},{}{quota_error}]", other.repeat(1000)),
            format!(
                r#"[{{"description":"{}","type":"too_many_endpoints"}}]"#,
                "x".repeat(MAX_BODY)
            ),
            format!(
                r#"[{{"x":{}{},"type":"too_many_endpoints"}}]"#,
                "[".repeat(500),
                "]".repeat(500)
            ),
        ] {
            let error = classify(429, &format!("\u{feff}{}", envelope(&errors)));
            assert_eq!(error.disposition, Disposition::Rejected, "{errors}");
            assert!(error.message.matches("other: d").count() <= MAX_ERRORS, "{}", error.message);
        }
        for body in ["", "7", r#"{"errors":{"type":"too_many_endpoints"}}"#, quota_error] {
            assert_eq!(classify(429, body).disposition, Disposition::Throttled, "{body}");
        }
        assert_eq!(classify(500, &quota).disposition, Disposition::Unknown);
    }
}
