//! Removes secrets from everything that is sent to the live page, whatever the client, the fault or
//! the webhook put there.

use serde_json::Value;

/// What a secret is replaced by.
const OMITTED: &str = "omitted";
/// The parts of a key, in lower case, whose value is secret.
const SECRET_KEYS: [&str; 5] = ["token", "secret", "password", "authorization", "cookie"];

/// Returns a document without the values of secret keys, without tokens in other texts, and without
/// the credentials and the query of URLs.
pub fn mask(document: Value) -> Value {
    match document {
        Value::String(text) => Value::String(mask_text(&text)),
        Value::Array(items) => items.into_iter().map(mask).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| {
                let lower = key.to_lowercase();
                let is_secret = SECRET_KEYS.iter().any(|secret| lower.contains(secret));
                let value = match value {
                    Value::Null => Value::Null,
                    _ if is_secret => Value::from(OMITTED),
                    other => mask(other),
                };
                (mask_text(&key), value)
            })
            .collect(),
        other => other,
    }
}

fn mask_text(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut masked = String::with_capacity(text.len());
    let mut rest = mask_url(text);
    while let Some(start) = rest.find(is_word) {
        masked.push_str(&rest[..start]);
        let word = &rest[start..];
        let (word, after) = word.split_at(word.find(|c| !is_word(c)).unwrap_or(word.len()));
        masked.push_str(if is_jwt(word) { OMITTED } else { word });
        rest = after.to_owned();
    }
    masked + &rest
}

/// Whether a word has the form of a JWT: its header is a JSON object, `{"` in Base64.
fn is_jwt(word: &str) -> bool {
    word.contains("eyJ") && word.matches('.').count() >= 2
}

/// A URL without user name, password and query.
fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return text.to_owned();
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (path, query) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
    let query = if query.is_empty() { "" } else { "?omitted" };
    format!("{scheme}://{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_omitted_wherever_they_are() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJwIjoieCJ9.c2lnbmF0dXJl-_";
        let document = json!({
            "tag": format!("uui=base64,{jwt};encoding=jwt"),
            "headers": {"Set-Cookie": "a=b", "Proxy-Authorization": "Basic eA==", "Accept": "*/*"},
            "body": {"access_token": jwt, "clientSecret": {"a": [1]}, "deviceToken": null},
            jwt: [jwt, 1, "http://user:pa@ss@h:1/p/q?token=abc#f", "https://h?x"],
            "error": "cannot connect to 127.0.0.1:9: refused",
        });
        assert_eq!(
            mask(document),
            json!({
                "tag": "uui=base64,omitted;encoding=jwt",
                "headers": {"Set-Cookie": "omitted", "Proxy-Authorization": "omitted", "Accept": "*/*"},
                "body": {"access_token": "omitted", "clientSecret": "omitted", "deviceToken": null},
                "omitted": ["omitted", 1, "http://h:1/p/q?omitted", "https://h?omitted"],
                "error": "cannot connect to 127.0.0.1:9: refused",
            })
        );
    }

    #[test]
    fn other_texts_are_unchanged() {
        for text in ["", "é – 1.2.3", "eyJ.x", "/v1/accounts/1", "see http://x y", "a://b/c"] {
            assert_eq!(mask_text(text), text);
        }
    }
}
