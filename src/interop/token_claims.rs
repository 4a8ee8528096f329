//! The claims of a participant's or an endpoint's token. They are decoded but not verified: only the
//! service can verify them. The claims of an endpoint's token are not documented.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::json::{self, Kind, Object};

/// The longest token, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

/// A JWT has no padding, but padding is accepted.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns `{"accountId", "participantId", "version", "expiresAt", "expiresInMs", "claims",
/// "verified": false}`. `expiresAt` is in seconds since 1970, as in the token. A claim that the
/// token does not contain is null.
///
/// # Errors
/// `InvalidArgument`. The message quotes nothing, because the token is a secret.
pub fn token_claims(token: &str) -> Result<String, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Claims<'a> {
        account_id: Option<String>,
        participant_id: Option<String>,
        version: Option<String>,
        expires_at: Option<i64>,
        expires_in_ms: Option<i64>,
        claims: &'a RawValue,
        verified: bool,
    }
    let invalid = |problem: &str| Error::invalid(format!("token: {problem}"));
    if token.len() > MAX_TOKEN {
        return Err(invalid("is longer than 16384 bytes"));
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [_, payload, _] = parts[..] else {
        return Err(invalid("is not a JWT, which has three parts separated by dots"));
    };
    let payload =
        BASE64.decode(payload).map_err(|_| invalid("its second part is not base64url"))?;
    let text = String::from_utf8(payload).map_err(|_| invalid("its claims are not UTF-8"))?;
    let claims: &RawValue = serde_json::from_str(json::without_mark(&text).trim())
        .map_err(|_| invalid("its claims are not JSON"))?;
    let Object(members) = serde_json::from_str(claims.get())
        .map_err(|_| invalid("its claims are not a JSON object"))?;
    let find = |name: &str| members.iter().rev().find(|(key, _)| key == name).map(|(_, v)| *v);
    let text = |name: &str| find(name).and_then(|v| json::string(v).ok()).map(Into::into);
    let expires_at = find("exp").filter(|v| Kind::of(v) == Kind::Number).and_then(seconds);
    let document = Claims {
        account_id: text("a"),
        participant_id: text("p"),
        version: text("v"),
        expires_at,
        expires_in_ms: expires_at.map(|at| at.saturating_mul(1000).saturating_sub(now_ms())),
        claims,
        verified: false,
    };
    // Strings, numbers and checked JSON text cannot fail to serialize.
    Ok(serde_json::to_string(&document).unwrap_or_default())
}

/// The whole seconds of a NumericDate, which may have a fraction.
fn seconds(value: &RawValue) -> Option<i64> {
    let number: f64 = value.get().parse().ok()?;
    // Larger floats do not represent each second.
    (number.abs() < (1_i64 << 53) as f64).then_some(number.floor() as i64)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    fn token(claims: &str) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn claims_are_returned() {
        let exp = now_ms() / 1000 + 60;
        let claims =
            json!({"a": "9900000", "p": "p-1", "v": "V3", "exp": exp, "tid": "x", "iss": 1});
        let document = token_claims(&token(&claims.to_string())).unwrap();
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(
            (&document["accountId"], &document["participantId"]),
            (&json!("9900000"), &json!("p-1"))
        );
        assert_eq!((&document["version"], &document["expiresAt"]), (&json!("V3"), &json!(exp)));
        assert!(
            (50_000..=60_000).contains(&document["expiresInMs"].as_i64().unwrap()),
            "{document}"
        );
        assert_eq!((&document["claims"], &document["verified"]), (&claims, &json!(false)));
    }

    #[test]
    fn endpoint_tokens_are_accepted() {
        let claims = json!({"sub": "e-1", "endpointId": "e-1", "exp": now_ms() / 1000 + 86_400});
        let document = token_claims(&token(&claims.to_string())).unwrap();
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!((&document["claims"], &document["participantId"]), (&claims, &Value::Null));
        assert!(document["expiresInMs"].as_i64().unwrap() > 86_000_000, "{document}");
    }

    #[test]
    fn missing_claims_are_null() {
        let document = token_claims(&token(r#"{"exp":"soon","a":5}"#)).unwrap();
        let document: Value = serde_json::from_str(&document).unwrap();
        for name in ["accountId", "participantId", "version", "expiresAt", "expiresInMs"] {
            assert_eq!(document[name], Value::Null, "{name}");
        }
        for (exp, document) in [(1_i64 << 53, "null"), ((1 << 53) - 1, "9007199254740991")] {
            let far = token_claims(&token(&format!(r#"{{"exp":{exp}}}"#))).unwrap();
            assert!(far.contains(&format!(r#""expiresAt":{document},"#)), "{far}");
        }
        let old = token_claims(&token(r#"{"exp":1.5}"#)).unwrap();
        assert!(old.contains(r#""expiresAt":1,"expiresInMs":-"#), "{old}");
    }

    #[test]
    fn invalid_token_is_rejected_without_quoting_it() {
        for (bad, part) in [
            ("", "is not a JWT"),
            ("secret", "is not a JWT"),
            ("a.b.c.d", "is not a JWT"),
            ("a.!!secret.c", "is not base64url"),
            ("a.gICA.c", "are not UTF-8"),
            (&token("secret"), "are not JSON"),
            (&token("\u{feff}[]"), "are not a JSON object"),
            (&token("[]"), "are not a JSON object"),
            (&"x".repeat(16_384), "is not a JWT"),
            (&"x".repeat(16_385), "is longer than 16384 bytes"),
        ] {
            let message = token_claims(bad).unwrap_err().message;
            assert!(message.contains(part) && !message.contains("secret"), "{message}");
        }
    }
}
