//! Every password, Authorization header and token that a test program hands over or is given; no
//! error document and no log line of any of its clients may hold one.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn know(secret: &str) {
    // Shorter ones, such as "secret", are words that a message may well use.
    if secret.len() > 8 {
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned());
    }
}

/// Credentials that a client has.
pub fn credentials(username: &str, password: &str) {
    know(password);
    know(&BASE64_STANDARD.encode(format!("{username}:{password}")));
}

/// A text that must not appear anywhere.
pub fn secret(text: &str) {
    know(text);
}

/// An answer, which may have a token.
pub fn answer(document: &Value) {
    if let Some(token) = document["token"].as_str() {
        know(token);
    }
}

/// Fails where this text, which a log may pick up, holds a secret.
#[track_caller]
pub fn check(text: &str) {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let held = known.iter().find(|secret| text.contains(*secret));
    assert!(held.is_none(), "{held:?} is in {text}");
}
