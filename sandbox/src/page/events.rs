//! The events of the live page: what has changed since the previous event.
//!
//! Each page compares on its own, ten times a second. Therefore, requests to the service cost nothing
//! more while a page is open, and a page that cannot keep up receives fewer events, not a backlog.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{devices, mask};
use crate::faults::Fault;
use crate::recorder::RecordedRequest;
use crate::sandbox::{Sandbox, State};
use crate::{auth, v1, v2};

/// The time between two comparisons.
const INTERVAL: Duration = Duration::from_millis(100);
/// A comparison of a large state is not repeated before this multiple of its duration.
const PAUSE_FACTOR: u32 = 10;
/// The largest number of pages that receive events at once: browsers open at most 6 for one server.
const MAX_PAGES: usize = 16;
/// The largest number of sessions, participants and endpoints that the page shows of each.
const MAX_ITEMS: usize = 200;
/// The largest number of requests and webhooks in an event.
const MAX_HISTORY: usize = 200;
/// The largest body of a request that the page shows as a whole, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// What one page has received.
pub struct Feed {
    sandbox: Arc<Sandbox>,
    /// `None` before the first event.
    sent: Option<Snapshot>,
    pause: Duration,
}

/// What was in the events so far.
struct Snapshot {
    state: Arc<State>,
    account: Value,
    devices: Value,
    faults: Vec<Fault>,
    requests: u64,
    webhooks: usize,
}

impl Feed {
    /// Creates the feed of a page that has received nothing; `None` if there are too many pages.
    pub fn new(sandbox: Arc<Sandbox>) -> Option<Feed> {
        let before = sandbox.pages.fetch_add(1, Ordering::Relaxed);
        // If it is dropped here, it is no longer counted.
        let feed = Feed { sandbox, sent: None, pause: Duration::ZERO };
        (before < MAX_PAGES).then_some(feed)
    }

    /// Waits for a change, and returns the parts that have changed. The first event, and the first
    /// one after a reset, contain everything and `"reset": true`.
    pub async fn next(&mut self) -> Value {
        loop {
            tokio::time::sleep(self.pause).await;
            let started = Instant::now();
            let changes = self.changes();
            self.pause = INTERVAL.max(started.elapsed() * PAUSE_FACTOR);
            if !changes.is_empty() {
                return mask::mask(Value::Object(changes));
            }
        }
    }

    fn changes(&mut self) -> Map<String, Value> {
        let state = self.sandbox.state();
        let mut changes = Map::new();
        let known = self.sent.take().filter(|sent| Arc::ptr_eq(&sent.state, &state));
        if known.is_none() {
            changes.insert("reset".to_owned(), json!(true));
            changes.insert("about".to_owned(), self.about());
        }
        let (requests, requests_sent) = state
            .recorder
            .changed_since(known.as_ref().map_or(0, |sent| sent.requests), MAX_HISTORY);
        let (webhooks, webhooks_sent) =
            state.deliveries.since(known.as_ref().map_or(0, |sent| sent.webhooks), MAX_HISTORY);
        let now = Snapshot {
            account: account(&state),
            devices: devices::snapshot(&self.sandbox),
            faults: state.faults.all(),
            requests: requests_sent,
            webhooks: webhooks_sent,
            state,
        };
        let known = known.as_ref();
        if known.is_none_or(|sent| sent.account != now.account) {
            changes.insert("account".to_owned(), now.account.clone());
        }
        if known.is_none_or(|sent| sent.devices != now.devices) {
            changes.insert("devices".to_owned(), now.devices.clone());
        }
        if known.is_none_or(|sent| sent.faults != now.faults) {
            changes.insert("faults".to_owned(), json!(now.faults));
        }
        if known.is_none() || !requests.is_empty() {
            let requests = requests.into_iter().map(request).collect();
            changes.insert("requests".to_owned(), requests);
        }
        if known.is_none() || !webhooks.is_empty() {
            changes.insert("webhooks".to_owned(), json!(webhooks));
        }
        self.sent = Some(now);
        changes
    }

    /// What does not change.
    fn about(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "account": self.sandbox.arguments.account,
            "media": devices::AVAILABLE,
            "operations": {
                "All operations of v1 and v2": ["*"],
                "WebRTC v1": v1::Operation::names(),
                "BRTC Endpoints (v2)": v2::Operation::names(),
                "Sign-in": [auth::TOKEN_OPERATION],
            },
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.sandbox.pages.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The participants, sessions and endpoints, and whether there are more of them.
fn account(state: &State) -> Value {
    let mut account = state.v1.state(MAX_ITEMS + 1);
    account["endpoints"] = state.v2.state(MAX_ITEMS + 1);
    let mut is_truncated = false;
    for name in ["participants", "sessions", "endpoints"] {
        if let Some(items) = account[name].as_array_mut() {
            is_truncated |= items.len() > MAX_ITEMS;
            items.truncate(MAX_ITEMS);
        }
    }
    account["truncated"] = json!(is_truncated);
    account
}

fn request(request: RecordedRequest) -> Value {
    let is_finished = request.duration.is_some();
    let mut document = json!(request);
    document["id"] = json!(request.id);
    document["finished"] = json!(is_finished);
    let length = document["body"].to_string().len();
    if length > MAX_BODY {
        document["body"] = json!(format!("{length} bytes; see GET /_sandbox/requests"));
    }
    document
}
