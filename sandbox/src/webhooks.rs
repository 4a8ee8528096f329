//! Webhooks: what the service tells a callbackUrl, and how the delivery went.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde_json::{Value, json};

use crate::recorder::now_ms;
use crate::world::{Event, Notice};

/// How many deliveries are kept.
const KEPT: usize = 1000;
/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// One delivery.
#[derive(Clone, Serialize)]
pub struct Delivery {
    /// Where it went; null if the participant has no callbackUrl.
    pub url: Option<String>,
    /// The document.
    pub body: Value,
    /// The receiver's HTTP status, if it answered.
    pub status: Option<u16>,
    /// What went wrong, if anything.
    pub error: Option<String>,
}

/// The last deliveries.
#[derive(Default)]
pub struct Webhooks(Mutex<VecDeque<Delivery>>);

impl Webhooks {
    /// Tells the participant's callbackUrl what its device did; ends when the delivery has.
    pub async fn deliver(&self, participant: &str, event: Event, notice: Notice) -> Delivery {
        let mut body = json!({
            "event": match event {
                Event::Connect => "onConnect",
                Event::Leave => "onLeave",
                Event::Disconnect => "onDisconnect",
            },
            // A string, as in the service's own example.
            "timestamp": now_ms().to_string(),
            "participantId": participant,
            "deviceId": uuid::Uuid::new_v4().to_string(),
        });
        if let Some(tag) = notice.tag {
            body["tag"] = Value::from(tag);
        }
        let result = match &notice.callback_url {
            None => Err("the participant has no callbackUrl".to_owned()),
            Some(url) => post(url, &body).await,
        };
        let delivery = Delivery {
            url: notice.callback_url,
            body,
            status: result.as_ref().ok().copied(),
            error: result.err(),
        };
        self.keep(delivery.clone());
        delivery
    }

    fn keep(&self, delivery: Delivery) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(delivery);
    }

    /// All that are kept, oldest first.
    pub fn all(&self) -> Vec<Delivery> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

async fn post(url: &str, body: &Value) -> Result<u16, String> {
    if !url.to_ascii_lowercase().starts_with("http://") {
        return Err("bw-sandbox delivers to http:// only".to_owned());
    }
    let request = Request::post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|e| e.to_string())?;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    match tokio::time::timeout(TIMEOUT, client.request(request)).await {
        Ok(Ok(response)) => Ok(response.status().as_u16()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}
