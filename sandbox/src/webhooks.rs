//! Webhooks: sends them to their receivers, and records the result.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde_json::Value;

/// The number of deliveries that are kept.
const CAPACITY: usize = 1000;
/// How long a receiver may take to respond.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A webhook that is due.
pub struct Webhook {
    /// The receiver: the participant's callbackUrl.
    pub url: Option<String>,
    /// The document.
    pub body: Value,
}

/// One delivery.
#[derive(Clone, Serialize)]
pub struct Delivery {
    /// The receiver; null if the participant has no callbackUrl.
    pub url: Option<String>,
    /// The document.
    pub body: Value,
    /// The status of the receiver's response, if there was one.
    pub status: Option<u16>,
    /// Why the delivery failed, if it did.
    pub error: Option<String>,
}

/// The last deliveries.
#[derive(Default)]
pub struct Webhooks(Mutex<VecDeque<Delivery>>);

impl Webhooks {
    /// Sends a webhook, and waits for the response.
    pub async fn deliver(&self, webhook: Webhook) -> Delivery {
        let result = match &webhook.url {
            None => Err("the participant has no callbackUrl".to_owned()),
            Some(url) => post(url, &webhook.body).await,
        };
        let delivery = Delivery {
            url: webhook.url,
            body: webhook.body,
            status: result.as_ref().ok().copied(),
            error: result.err(),
        };
        self.add(delivery.clone());
        delivery
    }

    fn add(&self, delivery: Delivery) {
        let mut deliveries = self.lock();
        if deliveries.len() == CAPACITY {
            deliveries.pop_front();
        }
        deliveries.push_back(delivery);
    }

    /// The deliveries, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        Err(_) => Err(format!("no response within {} s", TIMEOUT.as_secs())),
    }
}
