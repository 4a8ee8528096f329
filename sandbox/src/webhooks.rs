//! Webhooks: sends them to their receivers, and records the results.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Uri, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The number of deliveries that are kept.
const CAPACITY: usize = 1000;
/// How long a receiver may take to respond.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A webhook that is due.
pub struct Webhook {
    /// The receiver.
    pub url: Option<String>,
    /// The receiver if the first one does not accept the webhook.
    pub fallback_url: Option<String>,
    /// The document.
    pub body: Value,
}

/// One delivery.
#[derive(Clone, Serialize)]
pub struct Delivery {
    /// The document.
    pub body: Value,
    /// The delivery to the receiver.
    #[serde(flatten)]
    pub attempt: Attempt,
    /// The delivery to the fallback URL, if it was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Attempt>,
}

/// The delivery to one receiver.
#[derive(Clone, Serialize)]
pub struct Attempt {
    /// The receiver; null if the client has not set a URL.
    pub url: Option<String>,
    /// The status of the receiver's response, if there was one.
    pub status: Option<u16>,
    /// Why the delivery failed, if it did.
    pub error: Option<String>,
}

/// The last deliveries.
#[derive(Default)]
pub struct Deliveries(Mutex<DeliveryList>);

#[derive(Default)]
struct DeliveryList {
    list: VecDeque<Delivery>,
    /// The number of deliveries, including those that were removed.
    total: usize,
}

impl Deliveries {
    /// Adds a delivery, and removes the oldest one if there are too many.
    pub fn add(&self, delivery: Delivery) {
        let mut deliveries = self.lock();
        if deliveries.list.len() == CAPACITY {
            deliveries.list.pop_front();
        }
        deliveries.list.push_back(delivery);
        deliveries.total += 1;
    }

    /// The deliveries, oldest first.
    pub fn all(&self) -> Vec<Delivery> {
        self.lock().list.iter().cloned().collect()
    }

    /// The newest `limit` deliveries after the first `count`, oldest first, and their total number.
    pub fn since(&self, count: usize, limit: usize) -> (Vec<Delivery>, usize) {
        let deliveries = self.lock();
        let new = deliveries.total.saturating_sub(count).min(limit).min(deliveries.list.len());
        let first = deliveries.list.len() - new;
        (deliveries.list.range(first..).cloned().collect(), deliveries.total)
    }

    fn lock(&self) -> MutexGuard<'_, DeliveryList> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends webhooks over HTTP and HTTPS.
pub struct WebhookClient {
    tls: TlsConnector,
}

impl WebhookClient {
    /// Creates a client that trusts the public certificate authorities, and those in `ca_file`.
    pub fn new(ca_file: Option<&Path>) -> Result<WebhookClient, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = ca_file {
            add_certificates(&mut roots, file)
                .map_err(|e| format!("cannot read certificates from {}: {e}", file.display()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(WebhookClient { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends a webhook and waits for the response. A receiver that does not respond with a 2xx
    /// status is replaced by the fallback URL, if there is one.
    pub async fn deliver(&self, webhook: Webhook) -> Delivery {
        let Webhook { url, fallback_url, body } = webhook;
        let attempt = self.attempt(url, &body).await;
        let is_accepted = attempt.status.is_some_and(|status| (200..300).contains(&status));
        let fallback = match fallback_url {
            Some(url) if attempt.url.is_some() && !is_accepted => {
                Some(self.attempt(Some(url), &body).await)
            }
            _ => None,
        };
        Delivery { body, attempt, fallback }
    }

    async fn attempt(&self, url: Option<String>, body: &Value) -> Attempt {
        let result = match &url {
            None => Err("no callback URL is set".to_owned()),
            Some(url) => match tokio::time::timeout(TIMEOUT, self.post(url, body)).await {
                Ok(result) => result,
                Err(_) => Err(format!("no response within {} s", TIMEOUT.as_secs())),
            },
        };
        Attempt { url, status: result.as_ref().ok().copied(), error: result.err() }
    }

    async fn post(&self, url: &str, body: &Value) -> Result<u16, String> {
        let url: Uri = url.parse().map_err(|_| "the URL is invalid".to_owned())?;
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err("the URL is not absolute".to_owned());
        };
        let is_tls = scheme == "https";
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await;
        let stream = stream.map_err(|e| format!("cannot connect to {host}:{port}: {e}"))?;
        // Without the user name and password that a URL may contain.
        let host_header = authority.as_str().rsplit('@').next().unwrap_or_default();
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header(header::HOST, host_header)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|e| e.to_string())?;
        if !is_tls {
            return send(stream, request).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
        let stream = self.tls.connect(name, stream).await;
        send(stream.map_err(|e| format!("TLS handshake failed: {e}"))?, request).await
    }
}

fn add_certificates(
    roots: &mut RootCertStore,
    file: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut count = 0;
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
        count += 1;
    }
    if count == 0 { Err("it has none".into()) } else { Ok(()) }
}

/// Sends a request on a connection. Returns the status of the response.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<u16, String> {
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|e| e.to_string())?;
    // The connection is closed when the sender is dropped.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
    Ok(response.status().as_u16())
}

/// Whether webhooks can be sent to this URL: an absolute one with http or https.
pub fn is_receiver_url(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    })
}
