//! The recorded requests, for tests to check. They contain no credentials.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderName, header};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock;

/// The headers that are recorded: an allow-list, because a client may send a secret in any other.
const RECORDED_HEADERS: [HeaderName; 9] = [
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
const SECRET_KEYS: [&str; 6] =
    ["clientsecret", "password", "accesstoken", "clientassertion", "token", "endpointtoken"];
/// The parameters of a query whose values are recorded: those that an operation has.
const QUERY_PARAMETERS: [&str; 4] = ["type", "status", "limit", "afterCursor"];
/// The number of requests that are kept.
const CAPACITY: usize = 10_000;

/// One request.
#[derive(Clone, Serialize)]
pub struct RecordedRequest {
    /// Identifies the request for `set_status`.
    #[serde(skip)]
    pub id: u64,
    /// The number of the last change, for `changed_since`.
    #[serde(skip)]
    pub revision: u64,
    /// The operation, if the route is known.
    pub operation: Option<&'static str>,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query without secret values; null if there was none.
    pub query: Value,
    /// The response's status; `None` before the response, or if the connection was closed instead.
    pub status: Option<u16>,
    /// The number of the connection.
    pub connection: u64,
    /// When the request arrived, in milliseconds since 1970.
    pub time: u64,
    /// The time from the request to its response, in milliseconds; `None` before the response.
    #[serde(rename = "durationMs")]
    pub duration: Option<u64>,
    /// The headers that contain no credentials.
    pub headers: Map<String, Value>,
    /// The body: a document, or a form without secret values; null if there was none.
    pub body: Value,
}

/// The last requests.
#[derive(Default)]
pub struct Recorder(Mutex<Requests>);

#[derive(Default)]
struct Requests {
    list: VecDeque<RecordedRequest>,
    /// The number of changes.
    revision: u64,
}

impl Recorder {
    /// Adds a request, and removes the oldest one if there are too many. Returns the id.
    pub fn add(&self, mut request: RecordedRequest) -> u64 {
        let mut requests = self.lock();
        if requests.list.len() == CAPACITY {
            requests.list.pop_front();
        }
        requests.revision += 1;
        request.revision = requests.revision;
        request.id = requests.list.back().map_or(0, |last| last.id) + 1;
        let id = request.id;
        requests.list.push_back(request);
        id
    }

    /// Sets the status of a request's response; `None` if the connection was closed instead.
    pub fn set_status(&self, id: u64, status: Option<u16>) {
        let mut requests = self.lock();
        let revision = requests.revision + 1;
        if let Some(request) = requests.list.iter_mut().rev().find(|request| request.id == id) {
            request.status = status;
            request.duration = Some(clock::unix_millis().saturating_sub(request.time));
            request.revision = revision;
            requests.revision = revision;
        }
    }

    /// The newest `limit` requests that have changed since a revision, oldest first, and the current
    /// revision.
    pub fn changed_since(&self, revision: u64, limit: usize) -> (Vec<RecordedRequest>, u64) {
        let requests = self.lock();
        if requests.revision == revision {
            return (Vec::new(), revision);
        }
        let changed = requests.list.iter().rev().filter(|request| request.revision > revision);
        let mut changed: Vec<_> = changed.take(limit).cloned().collect();
        changed.reverse();
        (changed, requests.revision)
    }

    /// The requests, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.lock().list.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The recorded headers as JSON.
pub fn recorded_headers(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .iter()
        .filter(|(name, _)| RECORDED_HEADERS.contains(name))
        .map(|(name, value)| {
            (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned()))
        })
        .collect()
}

/// A body: a document without secret values; if it is not JSON, a form.
pub fn redact_body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).map_or_else(|_| redact_form(bytes), redact_document)
}

fn redact_document(document: Value) -> Value {
    let is_secret = |key: &str| SECRET_KEYS.contains(&&*key.to_lowercase().replace('_', ""));
    match document {
        Value::Array(items) => items.into_iter().map(redact_document).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, value)| match is_secret(&key) {
                    true => (key, Value::from("omitted")),
                    false => (key, redact_document(value)),
                })
                .collect(),
        ),
        other => other,
    }
}

/// The parameters of a form that are not secret. All other values are omitted, because a client may
/// send a secret in the wrong place.
pub fn redact_form(bytes: &[u8]) -> Value {
    redact_parameters(bytes, &["grant_type", "scope"])
}

/// The parameters of a query, likewise.
pub fn redact_query(query: &str) -> Value {
    redact_parameters(query.as_bytes(), &QUERY_PARAMETERS)
}

/// The values of these parameters, and the names of those that may be secret.
fn redact_parameters(bytes: &[u8], recorded: &[&str]) -> Value {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(bytes) {
        match &*name {
            name if recorded.contains(&name) => text.append_pair(name, &value),
            "client_id" | "client_secret" | "username" | "password" => text.append_key_only(&name),
            _ => text.append_key_only("omitted"),
        };
    }
    match text.finish() {
        text if text.is_empty() => Value::Null,
        text => Value::from(text),
    }
}
