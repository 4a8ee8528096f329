//! Control of a running sandbox: its faults, and the requests that it recorded.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::process::Sandbox;

impl Sandbox {
    /// Adds a fault.
    pub fn fault(&self, fault: &Value) {
        let (status, body) = self.control("POST", "/_sandbox/faults", &fault.to_string());
        assert_eq!(status, 204, "{fault}: {body}");
    }

    /// Invalidates the access tokens that were issued.
    pub fn revoke_tokens(&self) {
        assert_eq!(self.control("POST", "/_sandbox/tokens/revoke", "").0, 204);
    }

    /// Restores the initial state.
    pub fn reset(&self) {
        assert_eq!(self.control("POST", "/_sandbox/reset", "").0, 204);
    }

    /// The recorded requests of this operation.
    pub fn requests(&self, operation: &str) -> Vec<Value> {
        let Value::Array(all) = self.get("requests") else { panic!("no array") };
        all.into_iter().filter(|request| request["operation"] == operation).collect()
    }

    /// The account's participants and sessions.
    pub fn state(&self) -> Value {
        self.get("state")["accounts"][0].take()
    }

    /// Simulates an action of a device; returns the delivery of the webhook.
    pub fn device(&self, participant: &str, action: &str) -> Value {
        let path = format!("/_sandbox/participants/{participant}/{action}");
        let (status, body) = self.control("POST", &path, "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn get(&self, what: &str) -> Value {
        let (status, body) = self.control("GET", &format!("/_sandbox/{what}"), "");
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }

    /// Sends a request on a new connection.
    pub fn control(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let (scheme, rest) = self.url.split_once("://").unwrap();
        let address = rest.split('/').next().unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(address).unwrap();
        let response = match scheme {
            "http" => exchange(&mut stream, &request),
            _ => exchange(&mut StreamOwned::new(self.tls(), stream), &request),
        };
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn tls(&self) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        let file = self.ca_file.as_ref().unwrap();
        roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap()
    }
}

fn exchange(stream: &mut (impl Read + Write), request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}
