//! A running bw-sandbox, and raw HTTP: the tests write and read the bytes on the connection
//! themselves, so that no client library hides what the sandbox sends.

// Each test program uses a part of this module.
#![allow(dead_code)]

pub mod openapi;
pub mod receiver;
pub mod websocket;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

/// How long a test waits for anything before it fails.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// A valid id that does not exist.
pub const UNKNOWN_ID: &str = "00000000-0000-4000-8000-000000000000";

pub const PARTICIPANTS: &str = "/v1/accounts/9900000/participants";
pub const SESSIONS: &str = "/v1/accounts/9900000/sessions";
pub const ENDPOINTS: &str = "/v2/accounts/9900000/endpoints";
pub const TOKEN_PATH: &str = "/api/v1/oauth2/token";

/// The header line of a JSON document.
pub const JSON: &str = "Content-Type: application/json\r\n";

/// The header line of a form.
pub const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// The body of a token request.
pub const GRANT: &str = "grant_type=client_credentials";

/// The program, listening on a free port.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bw-sandbox"));
    command.args(["--listen", "127.0.0.1:0"]).args(arguments);
    command
}

/// A running sandbox, which is killed when the value is dropped.
pub struct Sandbox {
    pub child: Child,
    pub url: String,
    pub address: SocketAddr,
}

impl Sandbox {
    pub fn start(arguments: &[&str]) -> Sandbox {
        let mut command = program(arguments);
        Sandbox::from_child(command.arg("--quiet").stdout(Stdio::piped()).spawn().unwrap())
    }

    /// A sandbox and its standard error.
    pub fn start_with_log(arguments: &[&str]) -> (Sandbox, ChildStderr) {
        let mut command = program(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = child.stderr.take().unwrap();
        (Sandbox::from_child(child), log)
    }

    /// Waits for the URL.
    fn from_child(mut child: Child) -> Sandbox {
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim_end().to_owned();
        let address = url.split('/').nth(2).and_then(|address| address.parse().ok());
        let Some(address) = address else { panic!("{url:?} is not a URL") };
        Sandbox { child, url, address }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        stream
    }

    /// Sends a request on a new connection.
    pub fn send(&self, request: &str) -> Response {
        exchange(&mut self.connect(), request).unwrap()
    }

    /// Sends bytes on a new connection, and returns all bytes that the sandbox sends.
    pub fn send_raw(&self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        let mut stream = self.connect();
        // The sandbox may close the connection before it has read everything.
        let _ = stream.write_all(bytes.as_ref());
        read_all(&mut stream)
    }

    /// Sends a request of the API user, with a path below the account.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Response {
        self.send(&user_request(method, &format!("/v1/accounts/9900000{path}"), body))
    }

    /// Sends a request under `/_sandbox`.
    pub fn control(&self, method: &str, path: &str, body: &str) -> Response {
        self.send(&request(method, &format!("/_sandbox{path}"), "", body))
    }

    pub fn add_fault(&self, fault: &Value) {
        let response = self.control("POST", "/faults", &fault.to_string());
        assert_eq!(response.status, 204, "{fault}: {response:?}");
    }

    /// The recorded requests.
    pub fn requests(&self) -> Vec<Value> {
        let Value::Array(requests) = self.control("GET", "/requests", "").json else {
            panic!("no array")
        };
        requests
    }

    /// The statuses of the recorded requests.
    pub fn recorded_statuses(&self) -> Value {
        self.requests().iter().map(|request| request["status"].clone()).collect()
    }

    /// The state of the account.
    pub fn state(&self) -> Value {
        self.control("GET", "/state", "").json["accounts"][0].take()
    }

    pub fn reset(&self) {
        assert_eq!(self.control("POST", "/reset", "").status, 204);
    }

    /// Requests an access token.
    pub fn token(&self) -> String {
        let response = self.send(&token_request());
        assert_eq!(response.status, 200, "{response:?}");
        response.json["access_token"].as_str().unwrap().to_owned()
    }

    /// The status of a request under `/v1` with this Authorization header.
    pub fn status_with(&self, authorization: &str) -> u16 {
        let header = format!("Authorization: {authorization}\r\n");
        self.send(&request("POST", SESSIONS, &header, "{}")).status
    }

    /// Creates a participant and returns its id.
    pub fn participant(&self, body: &str) -> String {
        let response = self.call("POST", "/participants", body);
        response.json["participant"]["id"].as_str().expect("an id").to_owned()
    }

    /// Creates a session and returns its id.
    pub fn session(&self) -> String {
        let response = self.call("POST", "/sessions", "{}");
        response.json["id"].as_str().expect("an id").to_owned()
    }

    /// Creates an endpoint with these fields in addition to the required ones; returns its id.
    pub fn endpoint(&self, fields: Value) -> String {
        let mut body = json!({"type": "WEBRTC", "direction": "INBOUND"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let headers = authorization(&basic("user:secret")) + JSON;
        let response = self.send(&request("POST", ENDPOINTS, &headers, &body.to_string()));
        assert_eq!(response.status, 201, "{response:?}");
        response.json["data"]["endpointId"].as_str().unwrap().to_owned()
    }

    /// Connects with TLS; the certificate authority is in the file.
    pub fn connect_tls(
        &self,
        ca_file: &Path,
        name: &str,
    ) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca_file).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(connection, self.connect())
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    pub fn wait_for_exit(&mut self) -> ExitStatus {
        wait_for("the exit", || self.child.try_wait().unwrap())
    }

    /// Stops the sandbox, and returns the rest of its log.
    pub fn stop_and_read(&mut self, mut log: impl Read) -> String {
        self.signal("-TERM");
        assert!(self.wait_for_exit().success());
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls `poll` until it returns a value.
pub fn wait_for<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(started.elapsed() < TIMEOUT, "timeout while waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// Null if the body is not JSON.
    pub json: Value,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<String> {
        header(&self.head, name)
    }

    /// Fails unless this is 204 without a body.
    #[track_caller]
    pub fn assert_no_content(&self) {
        assert_eq!((self.status, self.body.as_str()), (204, ""), "{self:?}");
    }
}

/// A request with these header lines.
pub fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// A request of the API user.
pub fn user_request(method: &str, path: &str, body: &str) -> String {
    request(method, path, &authorization(&basic("user:secret")), body)
}

/// The header line with this value.
pub fn authorization(value: &str) -> String {
    format!("Authorization: {value}\r\n")
}

/// The value of an Authorization header with HTTP Basic.
pub fn basic(pair: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

/// The value of an Authorization header with an access token.
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A token request with the default client id and secret.
pub fn token_request() -> String {
    token_request_with(&basic("client:client-secret"), GRANT)
}

/// A token request with this Authorization header and body.
pub fn token_request_with(credentials: &str, body: &str) -> String {
    request("POST", TOKEN_PATH, &(authorization(credentials) + FORM), body)
}

/// Sends a request and reads until the connection is closed. `None` if that is not a whole response.
pub fn exchange(stream: &mut (impl Read + Write), request: &str) -> Option<Response> {
    stream.write_all(request.as_bytes()).ok()?;
    parse_response(&read_all(stream))
}

/// Reads until the connection is closed or reset.
pub fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// The response, if the bytes are one whole response and nothing more.
pub fn parse_response(bytes: &[u8]) -> Option<Response> {
    let text = String::from_utf8(bytes.to_vec()).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = header(head, "content-length").and_then(|length| length.parse().ok());
    (body.len() == length.unwrap_or(0)).then(|| Response {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
        json: serde_json::from_str(body).unwrap_or_default(),
    })
}

/// The value of a header.
pub fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// A part of a JWT: 0 for the header, 1 for the claims.
pub fn jwt_part(token: &str, index: usize) -> Value {
    let part = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

/// Fails if a text contains one of the secrets.
#[track_caller]
pub fn assert_contains_none(text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}
