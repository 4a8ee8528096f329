//! A running bw-sandbox, and HTTP as raw as it gets: what goes over the wire is written here, so
//! that nothing between hides what the sandbox does.

// Each test program uses some of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// After this, whatever is waited for has failed.
pub const LIMIT: Duration = Duration::from_secs(30);

/// An id that nothing has.
pub const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// The token endpoint.
pub const TOKEN_PATH: &str = "/api/v1/oauth2/token";

/// The body of a token request.
pub const GRANT: &str = "grant_type=client_credentials";

/// The program, with a free port.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bw-sandbox"));
    command.args(["--listen", "127.0.0.1:0"]).args(arguments);
    command
}

/// A running sandbox, which ends with the test.
pub struct Sandbox {
    pub child: Child,
    pub url: String,
    pub address: SocketAddr,
}

impl Sandbox {
    pub fn start(arguments: &[&str]) -> Sandbox {
        let mut command = program(arguments);
        command.arg("--quiet").stdout(Stdio::piped());
        Sandbox::running(command.spawn().unwrap())
    }

    /// Waits for the URL.
    pub fn running(mut child: Child) -> Sandbox {
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim_end().to_owned();
        let address = url.split('/').nth(2).and_then(|address| address.parse().ok());
        let Some(address) = address else { panic!("it said {url:?} instead of its URL") };
        Sandbox { child, url, address }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// A request as the account's user, on a connection of its own.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let path = format!("/v1/accounts/9900000{path}");
        exchange(&mut self.connect(), &request(method, &path, Some("user:secret"), body)).unwrap()
    }

    /// A request under `/_sandbox`.
    pub fn control(&self, method: &str, path: &str, body: &str) -> Answer {
        let path = format!("/_sandbox{path}");
        exchange(&mut self.connect(), &request(method, &path, None, body)).unwrap()
    }

    pub fn fault(&self, order: &Value) {
        let answer = self.control("POST", "/faults", &order.to_string());
        assert!((200..300).contains(&answer.status), "{answer:?}");
    }

    /// Sends a request on a connection of its own.
    pub fn send(&self, bytes: &str) -> Answer {
        exchange(&mut self.connect(), bytes).unwrap()
    }

    /// A new access token.
    pub fn token(&self) -> String {
        let answer = self.send(&token_request());
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json["access_token"].as_str().unwrap().to_owned()
    }

    /// The status of a request under `/v1` with these credentials.
    pub fn status_with(&self, authorization: &str) -> u16 {
        let headers = format!("Authorization: {authorization}\r\n");
        self.send(&request_with("POST", "/v1/accounts/9900000/sessions", &headers, "{}")).status
    }

    /// The status with which it ended.
    pub fn ended(&mut self) -> std::process::ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < LIMIT, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn participant(&self, request: &str) -> String {
        let answer = self.call("POST", "/participants", request);
        answer.json["participant"]["id"].as_str().expect("an id").to_owned()
    }

    pub fn session(&self) -> String {
        let answer = self.call("POST", "/sessions", "{}");
        answer.json["id"].as_str().expect("an id").to_owned()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// Null where the body is none.
    pub json: Value,
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, user: Option<&str>, body: &str) -> String {
    let credentials = user.map(|user| format!("Authorization: {}\r\n", basic(user)));
    request_with(method, path, &credentials.unwrap_or_default(), body)
}

/// The bytes of a request with these header lines.
pub fn request_with(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// The value of an Authorization header.
pub fn basic(user: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(user))
}

/// The bytes of a token request with the default client id and secret.
pub fn token_request() -> String {
    token_request_with(&basic("client:client-secret"), GRANT)
}

/// The bytes of a token request.
pub fn token_request_with(authorization: &str, body: &str) -> String {
    let headers = format!(
        "Authorization: {authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    );
    request_with("POST", TOKEN_PATH, &headers, body)
}

/// Sends these bytes and reads to the end; none where no answer came that is one.
pub fn exchange(stream: &mut (impl Read + Write), bytes: &str) -> Option<Answer> {
    stream.write_all(bytes.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // A connection that is reset has said before what it had to say.
    let _ = stream.read_to_end(&mut answer);
    parse(&answer)
}

/// An answer, if these bytes are one, and are all of it.
pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8(bytes.to_vec()).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = header(head, "content-length").and_then(|length| length.parse().ok());
    (body.len() == length.unwrap_or(0)).then(|| Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
        json: serde_json::from_str(body).unwrap_or_default(),
    })
}

/// A header's value.
pub fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}
