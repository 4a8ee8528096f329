//! Servers that send exactly the bytes that a test specifies, over TCP or TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::abi::Client;
use super::extend;

/// One accepted connection.
pub trait Connection: Read + Write {
    /// The TCP socket under it.
    fn tcp(&self) -> &TcpStream;

    /// Announces the end of the connection, if TLS is used.
    fn send_close_notify(&mut self) -> io::Result<()>;

    /// Sends a key update, which has no content, if TLS is used.
    fn update_keys(&mut self) -> io::Result<()>;
}

impl Connection for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }

    fn send_close_notify(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn update_keys(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Connection for StreamOwned<ServerConnection, TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref()
    }

    fn send_close_notify(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()
    }

    fn update_keys(&mut self) -> io::Result<()> {
        self.conn.refresh_traffic_keys().map_err(io::Error::other)?;
        self.flush()
    }
}

/// What a server does with each connection, after the TLS handshake if there is one.
pub type Behavior = Arc<dyn Fn(&mut dyn Connection, &ServerState) -> io::Result<()> + Send + Sync>;

/// What a server received.
#[derive(Default)]
pub struct ServerState {
    /// Connections accepted.
    pub connections: AtomicUsize,
    /// Requests that were received completely.
    pub requests: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl ServerState {
    /// Whether the server was dropped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Waits until the server is dropped.
    pub fn wait_until_stopped(&self) {
        while !self.is_stopped() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A running server. Its threads end when it is dropped.
pub struct TestServer {
    pub address: SocketAddr,
    pub state: Arc<ServerState>,
    scheme: &'static str,
}

impl TestServer {
    /// Starts a server that serves each connection in its own thread.
    pub fn start(tls: Option<Arc<ServerConfig>>, behavior: Behavior) -> TestServer {
        TestServer::start_with(tls, behavior, |_| {})
    }

    /// As [`TestServer::start`], and changes the listener before the first connection.
    pub fn start_with(
        tls: Option<Arc<ServerConfig>>,
        behavior: Behavior,
        change: impl FnOnce(&TcpListener),
    ) -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        change(&listener);
        let address = listener.local_addr().unwrap();
        let state = Arc::new(ServerState::default());
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.is_stopped() {
                    return;
                }
                let (Ok(stream), tls) = (stream, tls.clone()) else { continue };
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (state, behavior) = (shared.clone(), behavior.clone());
                std::thread::spawn(move || {
                    // In many tests the client closes the connection early.
                    let _ = serve(stream, tls, &behavior, &state);
                });
            }
        });
        TestServer { address, state, scheme }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("{}://{}/v1", self.scheme, self.address)
    }

    /// A client of this server; `more` adds or replaces configuration keys.
    pub fn client(&self, more: Value) -> Client {
        let mut config = json!({
            "accountId": "9900000", "username": "user", "password": "secret",
            "baseUrl": self.url(), "timeoutMs": 60_000, "retryBaseMs": 1,
        });
        extend(&mut config, &more);
        Client::new(&config).unwrap()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The requests that were received completely.
    pub fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the listening thread, so that it ends.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    mut stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    behavior: &Behavior,
    state: &ServerState,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => behavior(&mut stream, state),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            behavior(&mut StreamOwned::new(connection, stream), state)
        }
    }
}

/// Reads and records one request; false if the connection ended.
pub fn read_request(connection: &mut dyn Connection, state: &ServerState) -> io::Result<bool> {
    Ok(read_request_text(connection, state)?.is_some())
}

/// As [`read_request`], and returns the request.
pub fn read_request_text(
    connection: &mut dyn Connection,
    state: &ServerState,
) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if connection.read(&mut byte)? == 0 {
            return Ok(None);
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |value| value.trim().parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    bytes.extend(body);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    state.requests.lock().unwrap().push(text.clone());
    Ok(Some(text))
}

/// Responds to every request with these bytes and keeps the connection open.
pub fn respond_with(bytes: impl Into<Vec<u8>>) -> Behavior {
    let bytes = bytes.into();
    Arc::new(move |connection, state| {
        while read_request(connection, state)? {
            connection.write_all(&bytes)?;
        }
        Ok(())
    })
}

/// Responds to one request with these bytes and closes the connection.
pub fn respond_and_close(bytes: impl Into<Vec<u8>>) -> Behavior {
    let bytes = bytes.into();
    Arc::new(move |connection, state| {
        read_request(connection, state)?;
        connection.write_all(&bytes)
    })
}

/// A complete response with the right Content-Length.
pub fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}
