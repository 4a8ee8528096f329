//! Username and password, kept only as the header that carries them, and wiped when done with.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// The longest username or password, in bytes, so that the header stays within what servers take.
const LONGEST: usize = 1024;

/// What authenticates a client.
pub struct Credentials {
    authorization: Zeroizing<String>,
    password: Zeroizing<String>,
}

/// What is wrong, under the names "username" and "password".
pub struct Problems(pub Vec<(&'static str, &'static str)>);

impl Problems {
    /// Each problem turned into text.
    pub fn map(self, f: impl Fn((&'static str, &'static str)) -> String) -> Vec<String> {
        self.0.into_iter().map(f).collect()
    }
}

impl Credentials {
    /// Checks both and makes the header.
    ///
    /// # Errors
    /// What is wrong with either; never quotes them.
    pub fn new(username: &str, password: &str) -> Result<Credentials, Problems> {
        let mut problems = Vec::new();
        if username.contains(':') {
            problems.push(("username", "must not contain a colon: HTTP Basic ends the name there"));
        }
        for (name, text) in [("username", username), ("password", password)] {
            if text.is_empty() {
                problems.push((name, "is empty"));
            } else if text.len() > LONGEST {
                problems.push((name, "is longer than 1024 bytes"));
            } else if text.chars().any(char::is_control) {
                problems.push((name, "must not contain control characters"));
            }
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let mut pair = Zeroizing::new(String::with_capacity(username.len() + 1 + password.len()));
        pair.push_str(username);
        pair.push(':');
        pair.push_str(password);
        let mut header = Zeroizing::new(String::with_capacity(8 + pair.len() * 4 / 3 + 4));
        header.push_str("Basic ");
        BASE64_STANDARD.encode_string(pair.as_bytes(), &mut header);
        Ok(Credentials { authorization: header, password: Zeroizing::new(password.to_owned()) })
    }

    /// The Authorization header's value.
    pub fn authorization(&self) -> &[u8] {
        self.authorization.as_bytes()
    }

    /// The forms in which a peer could echo the secret.
    pub fn secrets(&self) -> [Zeroizing<String>; 3] {
        let base64 = self.authorization.trim_start_matches("Basic ").to_owned();
        let quoted = Zeroizing::new(serde_json::to_string(&*self.password).unwrap_or_default());
        let escaped = quoted.trim_matches('"').to_owned();
        [self.password.clone(), Zeroizing::new(base64), Zeroizing::new(escaped)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_basics() {
        let credentials = Credentials::new("Aladdin", "open sesame").ok().unwrap();
        assert_eq!(credentials.authorization(), b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_being_quoted() {
        for (username, password) in
            [("a:b", "s3cret"), ("", "s3cret"), ("a", ""), ("a\n", "s3cret"), ("a", "s3cret\0")]
        {
            let problems = Credentials::new(username, password).err().unwrap();
            let text = problems.map(|(name, why)| format!("{name} {why}")).concat();
            assert!(!text.contains("s3cret"), "{text}");
        }
        assert!(Credentials::new("a", &"x".repeat(1025)).is_err());
    }
}
