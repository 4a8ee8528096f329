//! Credentials, stored as the value of the header that contains them, and wiped when replaced.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// The maximum length of an identifier or secret in bytes. Servers limit the size of headers.
const MAX_LENGTH: usize = 1024;

/// The two kinds of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// API credentials: OAuth 2.0 client id and client secret.
    Client,
    /// API user name and password, for HTTP Basic. They stop working on 2 December 2026.
    User,
}

impl Kind {
    /// The configuration keys of the pair.
    pub fn keys(self) -> [&'static str; 2] {
        match self {
            Kind::Client => ["clientId", "clientSecret"],
            Kind::User => ["username", "password"],
        }
    }
}

/// A pair of identifier and secret that authenticates a client.
pub struct Credentials {
    kind: Kind,
    basic: Zeroizing<String>,
    secret: Zeroizing<String>,
}

/// Problems of credentials: configuration key and description.
pub struct Problems(pub Vec<(&'static str, &'static str)>);

impl Problems {
    /// Formats each problem.
    pub fn map(self, f: impl Fn((&'static str, &'static str)) -> String) -> Vec<String> {
        self.0.into_iter().map(f).collect()
    }
}

impl Credentials {
    /// Checks both values and builds the header.
    ///
    /// # Errors
    /// Returns the problems of both values. They never quote the values.
    pub fn new(kind: Kind, identifier: &str, secret: &str) -> Result<Credentials, Problems> {
        let [identifier_key, secret_key] = kind.keys();
        let mut problems = Vec::new();
        if identifier.contains(':') {
            problems.push((
                identifier_key,
                "must not contain a colon: HTTP Basic ends the identifier there",
            ));
        }
        for (key, text) in [(identifier_key, identifier), (secret_key, secret)] {
            if text.is_empty() {
                problems.push((key, "is empty"));
            } else if text.len() > MAX_LENGTH {
                problems.push((key, "is longer than 1024 bytes"));
            } else if text.chars().any(char::is_control) {
                problems.push((key, "must not contain control characters"));
            }
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let mut pair = Zeroizing::new(String::with_capacity(identifier.len() + 1 + secret.len()));
        pair.push_str(identifier);
        pair.push(':');
        pair.push_str(secret);
        let mut basic = Zeroizing::new(String::with_capacity(8 + pair.len() * 4 / 3 + 4));
        basic.push_str("Basic ");
        BASE64_STANDARD.encode_string(pair.as_bytes(), &mut basic);
        Ok(Credentials { kind, basic, secret: Zeroizing::new(secret.to_owned()) })
    }

    /// The kind of the pair.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The pair as the value of an Authorization header.
    pub fn basic(&self) -> &[u8] {
        self.basic.as_bytes()
    }

    /// The forms in which a peer could echo the secret.
    pub fn secrets(&self) -> [Zeroizing<String>; 3] {
        let base64 = self.basic.trim_start_matches("Basic ").to_owned();
        // The maximum capacity, because a reallocation would leave a copy in memory.
        let mut quoted = Zeroizing::new(Vec::with_capacity(6 * self.secret.len() + 2));
        // Writing to a vector cannot fail.
        let _ = serde_json::to_writer(&mut *quoted, &*self.secret);
        let escaped = quoted.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
        let escaped = std::str::from_utf8(escaped.unwrap_or_default()).unwrap_or_default();
        [self.secret.clone(), Zeroizing::new(base64), Zeroizing::new(escaped.to_owned())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_use_the_basic_header() {
        for kind in [Kind::Client, Kind::User] {
            let credentials = Credentials::new(kind, "Aladdin", "open sesame").ok().unwrap();
            assert_eq!(credentials.basic(), b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        }
    }

    #[test]
    fn invalid_values_are_rejected_by_key_and_not_quoted() {
        for kind in [Kind::Client, Kind::User] {
            for (identifier, secret) in
                [("a:b", "s3cret"), ("", "s3cret"), ("a", ""), ("a\n", "s3cret"), ("a", "s3cret\0")]
            {
                let problems = Credentials::new(kind, identifier, secret).err().unwrap();
                let text = problems.map(|(key, why)| format!("{key} {why}")).concat();
                assert!(kind.keys().iter().any(|key| text.starts_with(key)), "{text}");
                assert!(!text.contains("s3cret"), "{text}");
            }
            assert!(Credentials::new(kind, "a", &"x".repeat(1025)).is_err());
        }
    }
}
