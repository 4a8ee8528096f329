//! A receiver of webhooks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::{TIMEOUT, header};

/// A server that responds to each webhook with the same status.
pub struct WebhookReceiver {
    pub url: String,
    received: Receiver<(String, Value)>,
}

impl WebhookReceiver {
    /// `status` is the rest of the status line, such as `204 No Content`.
    pub fn start(status: &'static str) -> WebhookReceiver {
        WebhookReceiver::start_with(status, None)
    }

    /// A receiver with HTTPS. Its certificate authority is written to the file.
    pub fn start_with_tls(status: &'static str, ca_file: &Path) -> WebhookReceiver {
        WebhookReceiver::start_with(status, Some(server_config(ca_file)))
    }

    fn start_with(status: &'static str, tls: Option<Arc<ServerConfig>>) -> WebhookReceiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/hook?x=1", listener.local_addr().unwrap());
        let (sender, received) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let webhook = match &tls {
                    None => serve(stream, status),
                    Some(config) => {
                        let connection = ServerConnection::new(config.clone()).unwrap();
                        serve(StreamOwned::new(connection, stream), status)
                    }
                };
                // The client closes the connection if it does not trust the certificate.
                if webhook.is_some_and(|webhook| sender.send(webhook).is_err()) {
                    break;
                }
            }
        });
        WebhookReceiver { url, received }
    }

    /// The head and the document of the next webhook.
    pub fn next(&self) -> (String, Value) {
        self.received.recv_timeout(TIMEOUT).unwrap()
    }

    /// The document of the next webhook, if it has already arrived.
    pub fn try_next(&self) -> Option<Value> {
        self.received.try_recv().ok().map(|(_, document)| document)
    }
}

fn serve(stream: impl Read + Write, status: &str) -> Option<(String, Value)> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut line) = (String::new(), String::new());
    while stream.read_line(&mut line).ok()? > 2 {
        head.push_str(&line);
        line.clear();
    }
    let length = header(&head, "content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let response = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    stream.get_mut().write_all(response.as_bytes()).ok()?;
    Some((head, serde_json::from_slice(&body).ok()?))
}

fn server_config(ca_file: &Path) -> Arc<ServerConfig> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(ca_file, issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        );
    Arc::new(config.unwrap())
}
