//! The access token: the response of the token endpoint, its lifetime, and its errors.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

use crate::error::Status;
use crate::json::{self, Kind, Object};

/// The body of a token request (RFC 6749, 4.4.2).
pub const TOKEN_REQUEST: &str = "grant_type=client_credentials";

/// The lifetime if the response does not contain a valid one.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// A token is renewed this long before it expires, or a tenth of its lifetime if that is less.
const RENEWAL_MARGIN: Duration = Duration::from_secs(60);
const MISSING_TOKEN: &str = "its response has no access_token";
/// The maximum length of a token in bytes. Servers limit the size of headers.
const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// An access token, stored as the value of the header that contains it, and wiped when dropped.
pub struct AccessToken {
    authorization: Zeroizing<String>,
    requested: Instant,
    lifetime: Duration,
}

impl AccessToken {
    /// Reads the body of a 2xx response to a token request that was sent at `requested`.
    ///
    /// # Errors
    /// Returns the problem of the response, without quoting it.
    pub fn parse(body: &[u8], requested: Instant) -> Result<AccessToken, &'static str> {
        let text = std::str::from_utf8(body).map_err(|_| "its response is not UTF-8")?;
        let document: &RawValue = serde_json::from_str(json::without_mark(text))
            .map_err(|_| "its response is not JSON")?;
        let Object(members) = serde_json::from_str(document.get())
            .map_err(|_| "its response is not a JSON object")?;
        let member = |name| {
            let found = members.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, value)| *value).filter(|value| Kind::of(value) != Kind::Null)
        };
        if !member("token_type").is_none_or(is_bearer) {
            return Err("its response has a token_type other than Bearer");
        }
        let token = member("access_token").and_then(|value| json::string(value).ok());
        let mut token = token.ok_or(MISSING_TOKEN)?;
        let header = authorization(&token);
        if let Cow::Owned(copy) = &mut token {
            copy.zeroize();
        }
        let lifetime = lifetime(member("expires_in"));
        Ok(AccessToken { authorization: header?, requested, lifetime })
    }

    /// The value of the Authorization header.
    pub fn authorization(&self) -> &[u8] {
        self.authorization.as_bytes()
    }

    /// The token alone.
    pub fn secret(&self) -> &str {
        self.authorization.trim_start_matches("Bearer ")
    }

    /// How long the token is valid after it was requested. Zero means for one call only.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The remaining lifetime. None if the token has expired.
    pub fn remaining(&self, now: Instant) -> Option<Duration> {
        self.lifetime
            .checked_sub(now.saturating_duration_since(self.requested))
            .filter(|left| !left.is_zero())
    }

    /// Whether the token should be renewed. It may still be valid.
    pub fn is_renewal_due(&self, now: Instant) -> bool {
        let margin = RENEWAL_MARGIN.min(self.lifetime / 10);
        self.remaining(now).is_none_or(|left| left <= margin)
    }
}

/// The value of the header for a valid token.
fn authorization(token: &str) -> Result<Zeroizing<String>, &'static str> {
    if token.is_empty() {
        return Err(MISSING_TOKEN);
    }
    // RFC 6750, 2.1.
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its response has an access_token with characters that no header may contain");
    }
    if token.len() > MAX_TOKEN_LENGTH {
        return Err("its response has an access_token of more than 16 KiB");
    }
    let mut header = Zeroizing::new(String::with_capacity("Bearer ".len() + token.len()));
    header.push_str("Bearer ");
    header.push_str(token);
    Ok(header)
}

fn is_bearer(token_type: &RawValue) -> bool {
    json::string(token_type).is_ok_and(|kind| kind.eq_ignore_ascii_case("bearer"))
}

/// The lifetime in `expires_in`: a number of seconds, or a string of digits.
fn lifetime(expires_in: Option<&RawValue>) -> Duration {
    let seconds = expires_in.and_then(|value| match Kind::of(value) {
        Kind::Number => value.get().parse::<f64>().ok(),
        Kind::String => {
            let text = json::string(value).ok()?;
            let text = text.trim();
            let digits = text.strip_prefix('-').unwrap_or(text);
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten()
        }
        _ => None,
    });
    match seconds {
        None => DEFAULT_LIFETIME,
        Some(seconds) if seconds <= 0.0 => Duration::ZERO,
        Some(seconds) => Duration::try_from_secs_f64(seconds)
            .map_or(MAX_LIFETIME, |lifetime| lifetime.min(MAX_LIFETIME)),
    }
}

/// The status and the message of a token request that was rejected.
///
/// `code` is the HTTP status, and `error` is the error code of RFC 6749 in the body, if there is one.
/// 404 and 409 are not mapped to their own status, which would look like the operation's.
pub fn token_error(code: u16, error: Option<&str>) -> (Status, String) {
    let rejected = format!("the token request was rejected (HTTP {code})");
    match (code, error) {
        (401, _) | (400, Some("invalid_client" | "unauthorized_client")) => {
            (Status::Unauthorized, format!("{rejected}; check clientId and clientSecret"))
        }
        (400, _) => (Status::BadRequest, format!("{rejected}; check tokenUrl")),
        (403, _) => (
            Status::Forbidden,
            format!("{rejected}; check that the credentials may be used, and tokenUrl"),
        ),
        (429, _) => (Status::RateLimited, format!("{rejected}; try again later")),
        (500..=599, _) => {
            (Status::Server, format!("the token request failed at the service (HTTP {code})"))
        }
        _ => (Status::HttpStatus, format!("{rejected}; check tokenUrl")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<AccessToken, &'static str> {
        AccessToken::parse(body.as_bytes(), Instant::now())
    }

    #[test]
    fn lifetimes_are_read_tolerantly_and_limited() {
        for (expires_in, seconds) in [
            (r#","expires_in":3600"#, 3600.0),
            (r#","expires_in":"3600""#, 3600.0),
            (r#","expires_in":" 60 ""#, 60.0),
            (r#","expires_in":1.5"#, 1.5),
            ("", 300.0),
            (r#","expires_in":null"#, 300.0),
            (r#","expires_in":"soon""#, 300.0),
            (r#","expires_in":[1]"#, 300.0),
            (r#","expires_in":"1.5""#, 300.0),
            (r#","expires_in":0"#, 0.0),
            (r#","expires_in":-5"#, 0.0),
            (r#","expires_in":"-5""#, 0.0),
            (r#","expires_in":"""#, 300.0),
            (r#","expires_in":"+5""#, 300.0),
            (r#","expires_in":"99999999999999999999""#, 86_400.0),
            (r#","expires_in":86401"#, 86_400.0),
            (r#","expires_in":1e300"#, 86_400.0),
            (r#","expires_in":99999999999999999999"#, 86_400.0),
        ] {
            let token = parse(&format!(r#"{{"access_token":"t"{expires_in}}}"#)).ok().unwrap();
            assert_eq!(token.lifetime(), Duration::from_secs_f64(seconds), "{expires_in}");
        }
    }

    #[test]
    fn unusable_responses_are_described_and_not_quoted() {
        for (body, part) in [
            ("", "not JSON"),
            ("<html>s3cret</html>", "not JSON"),
            (r#"["s3cret"]"#, "not a JSON object"),
            ("{}", "no access_token"),
            (r#"{"access_token":""}"#, "no access_token"),
            (r#"{"access_token":7}"#, "no access_token"),
            (r#"{"access_token":"s3cret\r\nX: y"}"#, "characters"),
            (r#"{"access_token":"s3cr\u00e9t"}"#, "characters"),
            (r#"{"access_token":"s3 cret"}"#, "characters"),
            (r#"{"access_token":"s3cret","token_type":"mac"}"#, "token_type"),
            (r#"{"access_token":"s3cret","token_type":7}"#, "token_type"),
        ] {
            let why = parse(body).err().unwrap();
            assert!(why.contains(part) && !why.contains("s3cr"), "{body}: {why}");
        }
        assert!(parse(&format!(r#"{{"access_token":"{}"}}"#, "x".repeat(16_385))).is_err());
        for kind in ["bearer", "Bearer", "BEARER"] {
            let token = parse(&format!(r#"{{"access_token":"t","token_type":"{kind}"}}"#));
            assert_eq!(token.ok().unwrap().authorization(), b"Bearer t");
        }
    }

    #[test]
    fn token_is_due_a_tenth_of_its_lifetime_or_a_minute_before_it_expires() {
        let now = Instant::now();
        for (lifetime, margin) in [(3600, 60), (600, 60), (100, 10), (10, 1)] {
            let body = format!(r#"{{"access_token":"t","expires_in":{lifetime}}}"#);
            let token = AccessToken::parse(body.as_bytes(), now).ok().unwrap();
            let at = |seconds| now + Duration::from_secs(seconds);
            let due = lifetime - margin;
            assert!(!token.is_renewal_due(at(due) - Duration::from_millis(1)), "{lifetime}");
            assert!(token.is_renewal_due(at(due)), "{lifetime}");
            assert_eq!(token.remaining(at(lifetime - 1)), Some(Duration::from_secs(1)));
            assert_eq!(token.remaining(at(lifetime)), None);
        }
    }

    #[test]
    fn rejected_token_requests_are_not_reported_as_rejected_operations() {
        for (code, error, status) in [
            (401, None, Status::Unauthorized),
            (400, Some("invalid_client"), Status::Unauthorized),
            (400, Some("invalid_request"), Status::BadRequest),
            (403, None, Status::Forbidden),
            (404, None, Status::HttpStatus),
            (409, None, Status::HttpStatus),
            (302, None, Status::HttpStatus),
            (429, None, Status::RateLimited),
            (500, None, Status::Server),
            (503, None, Status::Server),
        ] {
            let (found, message) = token_error(code, error);
            assert_eq!(found, status, "{code}");
            assert!(message.starts_with("the token request"), "{message}");
        }
    }
}
