//! The requests that were seen, for tests to look at; never with credentials.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, header};
use serde::Serialize;
use serde_json::{Map, Value};

/// The headers that are recorded: an allow-list, since a client may send a secret in any other.
const RECORDED: [HeaderName; 9] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::USER_AGENT,
];
/// The keys of a document whose values are omitted, in lower case and without `_`.
const SECRET_KEYS: [&str; 4] = ["clientsecret", "password", "accesstoken", "clientassertion"];
/// How many requests are kept.
const KEPT: usize = 10_000;

/// One request.
#[derive(Clone, Serialize)]
pub struct Seen {
    /// Which request it is, for `answered`.
    #[serde(skip)]
    pub id: u64,
    /// The operation, where the route is one.
    pub operation: Option<&'static str>,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The status answered; none if it is not answered yet or the connection was closed instead.
    pub status: Option<u16>,
    /// The number of the connection.
    pub connection: u64,
    /// When it came, in milliseconds since 1970.
    pub time: u64,
    /// The headers that contain no credentials.
    pub headers: Map<String, Value>,
    /// The body: a document, or a form without secret values; null if there was none.
    pub body: Value,
}

/// The last requests.
#[derive(Default)]
pub struct Recorder(Mutex<VecDeque<Seen>>);

impl Recorder {
    /// Keeps a request that came; the oldest goes if there are too many.
    pub fn keep(&self, mut seen: Seen) -> u64 {
        let mut kept = self.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        seen.id = kept.back().map_or(0, |last| last.id) + 1;
        let id = seen.id;
        kept.push_back(seen);
        id
    }

    /// Takes note of a request's answer.
    pub fn answered(&self, id: u64, status: Option<u16>) {
        if let Some(seen) = self.lock().iter_mut().rev().find(|seen| seen.id == id) {
            seen.status = status;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that are kept, oldest first.
    pub fn all(&self) -> Vec<Seen> {
        self.lock().iter().cloned().collect()
    }
}

/// The recorded headers as JSON.
pub fn headers(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .iter()
        .filter(|(name, _)| RECORDED.contains(name))
        .map(|(name, value)| {
            (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned()))
        })
        .collect()
}

/// A body: a document without secret values; what is not JSON, as `form`.
pub fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).map_or_else(|_| form(bytes), without_secrets)
}

fn without_secrets(document: Value) -> Value {
    let is_secret = |key: &str| SECRET_KEYS.contains(&&*key.to_lowercase().replace('_', ""));
    match document {
        Value::Array(items) => items.into_iter().map(without_secrets).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, value)| match is_secret(&key) {
                    true => (key, Value::from("omitted")),
                    false => (key, without_secrets(value)),
                })
                .collect(),
        ),
        other => other,
    }
}

/// The parameters of a form that are not secret; the values of all others are omitted, since a
/// client may send a secret where it does not belong.
pub fn form(bytes: &[u8]) -> Value {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(bytes) {
        match &*name {
            "grant_type" | "scope" => text.append_pair(&name, &value),
            "client_id" | "client_secret" | "username" | "password" => text.append_key_only(&name),
            _ => text.append_key_only("omitted"),
        };
    }
    match text.finish() {
        text if text.is_empty() => Value::Null,
        text => Value::from(text),
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
