//! Servers that do exactly what a test tells them, byte by byte, over TCP or TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// One accepted connection.
pub trait Wire: Read + Write {
    /// The TCP socket under it.
    fn tcp(&self) -> &TcpStream;

    /// Announces the end, as TLS asks for.
    fn say_goodbye(&mut self) -> io::Result<()>;

    /// Sends something that is no content, if TLS is used: a key update.
    fn refresh_keys(&mut self) -> io::Result<()>;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }

    fn say_goodbye(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn refresh_keys(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref()
    }

    fn say_goodbye(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()
    }

    fn refresh_keys(&mut self) -> io::Result<()> {
        self.conn.refresh_traffic_keys().map_err(io::Error::other)?;
        self.flush()
    }
}

/// What a server does with a connection that is open (and whose handshake, if any, comes first).
pub type Behaviour = Arc<dyn Fn(&mut dyn Wire, &Seen) -> io::Result<()> + Send + Sync>;

/// What a server saw.
#[derive(Default)]
pub struct Seen {
    /// Connections accepted.
    pub connections: AtomicUsize,
    /// Requests read to their end.
    pub requests: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl Seen {
    /// Whether the test is over.
    pub fn is_over(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Waits as long as the test lasts.
    pub fn linger(&self) {
        while !self.is_over() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A running server; its threads end with it.
pub struct Rogue {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    scheme: &'static str,
}

impl Rogue {
    /// Serves each connection in a thread of its own.
    pub fn start(tls: Option<Arc<ServerConfig>>, behaviour: Behaviour) -> Rogue {
        Rogue::start_with(tls, behaviour, |_| {})
    }

    /// The same, with a listener that is changed before the first connection.
    pub fn start_with(
        tls: Option<Arc<ServerConfig>>,
        behaviour: Behaviour,
        change: impl FnOnce(&TcpListener),
    ) -> Rogue {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        change(&listener);
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if state.is_over() {
                    return;
                }
                let (Ok(stream), tls) = (stream, tls.clone()) else { continue };
                state.connections.fetch_add(1, Ordering::SeqCst);
                let (state, behaviour) = (state.clone(), behaviour.clone());
                std::thread::spawn(move || {
                    // A peer that goes away in the middle is what many tests are about.
                    let _ = serve(stream, tls, &behaviour, &state);
                });
            }
        });
        Rogue { address, seen, scheme }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("{}://{}/v1", self.scheme, self.address)
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.seen.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees the end.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    mut stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    behaviour: &Behaviour,
    seen: &Seen,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => behaviour(&mut stream, seen),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            behaviour(&mut StreamOwned::new(connection, stream), seen)
        }
    }
}

/// Reads one request, head and body, and keeps it; false at the connection's end.
pub fn read_request(wire: &mut dyn Wire, seen: &Seen) -> io::Result<bool> {
    Ok(request_text(wire, seen)?.is_some())
}

/// As [`read_request`]; returns the request.
pub fn request_text(wire: &mut dyn Wire, seen: &Seen) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if wire.read(&mut byte)? == 0 {
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
    wire.read_exact(&mut body)?;
    bytes.extend(body);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    seen.requests.lock().unwrap().push(text.clone());
    Ok(Some(text))
}

/// Answers every request with these bytes and keeps the connection.
pub fn answers(bytes: impl Into<Vec<u8>>) -> Behaviour {
    let bytes = bytes.into();
    Arc::new(move |wire, seen| {
        while read_request(wire, seen)? {
            wire.write_all(&bytes)?;
        }
        Ok(())
    })
}

/// Answers one request with these bytes and closes.
pub fn answers_and_closes(bytes: impl Into<Vec<u8>>) -> Behaviour {
    let bytes = bytes.into();
    Arc::new(move |wire, seen| {
        read_request(wire, seen)?;
        wire.write_all(&bytes)
    })
}

/// A whole answer with its right length.
pub fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}
