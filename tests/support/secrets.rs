//! Every password, Authorization header and token of this test program. No error document and no log
//! line of its clients may contain one.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

static KNOWN: Mutex<Option<HashSet<String>>> = Mutex::new(None);

fn known() -> MutexGuard<'static, Option<HashSet<String>>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a text that must not appear anywhere.
pub fn add(secret: &str) {
    // Short passwords, such as "secret", are words that a message may contain.
    if secret.len() > 8 {
        known().get_or_insert_default().insert(secret.to_owned());
    }
}

/// Adds a client's credentials.
pub fn add_credentials(username: &str, password: &str) {
    add(password);
    add(&BASE64_STANDARD.encode(format!("{username}:{password}")));
}

/// Adds the token of a response, if it has one.
pub fn add_token_of(document: &Value) {
    if let Some(token) = document["token"].as_str() {
        add(token);
    }
}

/// Fails if this text contains a secret.
#[track_caller]
pub fn assert_none_in(text: &str) {
    let known = known();
    let found = known.iter().flatten().find(|secret| text.contains(*secret));
    assert!(found.is_none(), "{found:?} is in {text}");
}
