//! The server of a case: the service, and the proxy if the case uses one. It injects the fault of the case,
//! and records the requests.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::cases::{Fault, Phase};
use super::support::test_server::Connection;

/// The session that a participant is added to.
pub const SESSION: &str = "s-1";
pub const PARTICIPANT: &str = "p-1";
/// The path of the token endpoint.
pub const TOKEN_PATH: &str = "/token";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJwIjoicC0xIn0.c2lnbmF0dXJl";
/// The number of bytes of an endless response.
const ENDLESS: usize = 2 << 20;

/// A request, possibly received only in part.
#[derive(Clone, Debug, Default)]
pub struct RecordedRequest {
    pub connection: usize,
    pub line: String,
    pub complete: bool,
    /// Whether the service executed the operation.
    pub processed: bool,
}

impl RecordedRequest {
    /// Whether the received part shows that this is a token request.
    pub fn is_token_request(&self) -> bool {
        self.line.starts_with(&format!("POST {TOKEN_PATH} "))
    }
}

#[derive(Default)]
pub struct Records {
    pub requests: Vec<RecordedRequest>,
    /// The numbers of the connections that were affected by the fault.
    pub faulty_connections: Vec<usize>,
    removed: bool,
    joined: bool,
}

/// A running server. Its threads end when it is dropped.
pub struct FaultServer {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    listener: TcpListener,
    phase: Phase,
    fault: Fault,
    proxied: bool,
    tls: Option<Arc<ServerConfig>>,
    /// How many more times the fault is injected.
    remaining_faults: AtomicUsize,
    records: Mutex<Records>,
    open: AtomicUsize,
    accepted: AtomicUsize,
    refuses_connections: AtomicBool,
    is_closing_idle: AtomicBool,
    stopped: AtomicBool,
    /// The connections that fill the backlog.
    queue: Mutex<Vec<TcpStream>>,
}

impl FaultServer {
    pub fn start(
        phase: Phase,
        fault: Fault,
        proxied: bool,
        tls: Option<Arc<ServerConfig>>,
    ) -> FaultServer {
        let listener = listen_on_fixed_port();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            listener,
            phase,
            fault,
            proxied,
            tls,
            remaining_faults: AtomicUsize::new(0),
            records: Mutex::default(),
            open: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            refuses_connections: AtomicBool::new(false),
            is_closing_idle: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            queue: Mutex::default(),
        });
        let own = state.clone();
        std::thread::spawn(move || accept(&own));
        FaultServer { address, state }
    }

    /// Injects the fault into the next `count` attempts.
    pub fn set_fault(&self, count: usize) {
        self.state.remaining_faults.store(count, Ordering::SeqCst);
        match (self.state.phase, self.state.fault) {
            (Phase::Connect, Fault::Refuse) => {
                self.state.refuses_connections.store(true, Ordering::SeqCst);
                // SAFETY: takes no pointer; this struct owns the listener, which keeps its port.
                unsafe { libc::shutdown(self.state.listener.as_raw_fd(), libc::SHUT_RDWR) };
            }
            (Phase::Connect, Fault::Stall) => self.fill_backlog(),
            _ => {}
        }
    }

    fn fill_backlog(&self) {
        self.state.refuses_connections.store(true, Ordering::SeqCst);
        // SAFETY: takes no pointer; this struct owns the listener.
        assert_eq!(unsafe { libc::listen(self.state.listener.as_raw_fd(), 0) }, 0);
        let mut queue = self.state.queue.lock().unwrap();
        for _ in 0..6 {
            match TcpStream::connect_timeout(&self.address, Duration::from_millis(200)) {
                Ok(stream) => queue.push(stream),
                Err(_) => return,
            }
        }
        panic!("the backlog is not full");
    }

    /// Whether new connections fail.
    pub fn refuses_connections(&self) -> bool {
        self.state.refuses_connections.load(Ordering::SeqCst)
    }

    /// Injects no more faults.
    pub fn clear_fault(&self) {
        self.state.clear_fault();
    }

    /// Closes the idle connections, and waits until all connections are closed.
    pub fn close_idle(&self) {
        self.state.is_closing_idle.store(true, Ordering::SeqCst);
        self.wait(|| self.state.open.load(Ordering::SeqCst) == 0);
        self.state.is_closing_idle.store(false, Ordering::SeqCst);
    }

    pub fn records(&self) -> MutexGuard<'_, Records> {
        self.state.records()
    }

    /// Polls until the condition is true; fails after ten seconds.
    pub fn wait(&self, until: impl Fn() -> bool) {
        for _ in 0..2000 {
            if until() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the condition did not become true");
    }
}

/// A listener that is bound to an explicit port number, and therefore keeps the port when it is shut down.
fn listen_on_fixed_port() -> TcpListener {
    loop {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // Fails if another process has taken the port since then.
        if let Ok(listener) = TcpListener::bind(free) {
            listener.set_nonblocking(true).unwrap();
            return listener;
        }
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn clear_fault(&self) {
        self.remaining_faults.store(0, Ordering::SeqCst);
        if self.refuses_connections.swap(false, Ordering::SeqCst) {
            self.queue.lock().unwrap().clear();
            // SAFETY: takes no pointer; this struct owns the listener.
            assert_eq!(unsafe { libc::listen(self.listener.as_raw_fd(), 128) }, 0);
        }
    }

    fn takes_fault(&self, phase: Phase, connection: usize) -> bool {
        let takes_fault = phase == self.phase
            && self
                .remaining_faults
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok();
        if takes_fault {
            self.records().faulty_connections.push(connection);
        }
        takes_fault
    }
}

fn accept(state: &Arc<State>) {
    while !state.is_stopped() {
        let mut entry =
            libc::pollfd { fd: state.listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which lives through the call.
        unsafe { libc::poll(&raw mut entry, 1, 20) };
        if state.refuses_connections.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        let Ok((stream, _)) = state.listener.accept() else { continue };
        let number = state.accepted.fetch_add(1, Ordering::SeqCst);
        state.open.fetch_add(1, Ordering::SeqCst);
        let state = state.clone();
        std::thread::spawn(move || {
            // In many cases the client closes the connection early.
            let _ = serve(stream, &state, number);
            state.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn serve(mut stream: TcpStream, state: &State, number: usize) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    if state.takes_fault(Phase::Connect, number) {
        return inject(&mut stream, state, state.fault, Material::new(b"", b"", GARBAGE, GARBAGE));
    }
    if state.proxied && !open_tunnel(&mut stream, state, number)? {
        return Ok(());
    }
    let Some(config) = &state.tls else { return serve_http(&mut stream, state, number) };
    let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    if state.takes_fault(Phase::Tls, number) {
        return fail_handshake(&mut stream, state, &mut tls);
    }
    serve_http(&mut StreamOwned::new(tls, stream), state, number)
}

const GARBAGE: &[u8] = b"SSH-2.0-OpenSSH_9.2p1\r\n\x00\xff\xfe rubbish\r\n\r\n";

/// The parts of an injected fault: the valid bytes before it, the valid bytes that would follow, and the
/// bytes that are sent instead.
struct Material<'a> {
    before: &'a [u8],
    after: &'a [u8],
    garbage: &'a [u8],
    /// The bytes that are repeated: twice, or without end.
    element: &'a [u8],
}

impl<'a> Material<'a> {
    fn new(
        before: &'a [u8],
        after: &'a [u8],
        garbage: &'a [u8],
        element: &'a [u8],
    ) -> Material<'a> {
        Material { before, after, garbage, element }
    }
}

/// Sends the bytes of a fault, and keeps or closes the connection as the fault requires.
fn inject(
    connection: &mut dyn Connection,
    state: &State,
    fault: Fault,
    material: Material<'_>,
) -> io::Result<()> {
    send_fault(connection, state, fault, &material)?;
    match fault {
        Fault::Reset => reset_connection(connection.tcp()),
        Fault::Dribble => Ok(()),
        Fault::Refuse | Fault::Close => {
            // Closes without a reset: what the client sent must be read first.
            connection.tcp().shutdown(Shutdown::Write)?;
            drain(connection.tcp(), state);
            Ok(())
        }
        Fault::Stall | Fault::Garbage | Fault::Duplicate | Fault::Oversize => hold(state),
    }
}

fn send_fault(
    connection: &mut dyn Connection,
    state: &State,
    fault: Fault,
    material: &Material<'_>,
) -> io::Result<()> {
    let Material { before, after, garbage, element } = *material;
    connection.write_all(before)?;
    connection.flush()?;
    match fault {
        Fault::Reset | Fault::Close | Fault::Stall => {}
        Fault::Refuse => connection.write_all(after)?,
        Fault::Dribble => {
            for byte in after {
                if state.is_stopped() {
                    return Ok(());
                }
                connection.write_all(&[*byte])?;
                connection.flush()?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Fault::Garbage => connection.write_all(garbage)?,
        Fault::Duplicate => connection.write_all(&[element, element, after].concat())?,
        Fault::Oversize => {
            let block = element.repeat((16 * 1024_usize).div_ceil(element.len()));
            for _ in 0..ENDLESS / block.len() {
                if state.is_stopped() {
                    return Ok(());
                }
                connection.write_all(&block)?;
            }
        }
    }
    connection.flush()
}

fn reset_connection(stream: &TcpStream) -> io::Result<()> {
    let off = libc::linger { l_onoff: 1, l_linger: 0 };
    let length = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: the option lives through the call and the length is its own.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const off).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Keeps the connection open and sends nothing.
fn hold(state: &State) -> io::Result<()> {
    while !state.is_stopped() && !state.is_closing_idle.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn drain(mut stream: &TcpStream, state: &State) {
    let mut rest = [0; 4096];
    while !state.is_stopped() {
        match stream.read(&mut rest) {
            Ok(0) => return,
            Err(e) if !is_timeout(&e) => return,
            _ => {}
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The next byte. `None` at the end of the input, and if `close_idle` closes the idle connection.
fn read_byte(connection: &mut dyn Connection, state: &State, idle: bool) -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        match connection.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(e) if is_timeout(&e) => {
                if state.is_stopped() || (idle && state.is_closing_idle.load(Ordering::SeqCst)) {
                    return Ok(None);
                }
            }
            Err(e) => return Err(e),
        }
    }
}

fn read_exactly(
    connection: &mut dyn Connection,
    state: &State,
    count: usize,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        bytes.push(read_byte(connection, state, false)?.ok_or(io::ErrorKind::UnexpectedEof)?);
    }
    Ok(bytes)
}

/// Acts as the proxy until the tunnel is open; false if no tunnel was opened.
fn open_tunnel(stream: &mut TcpStream, state: &State, number: usize) -> io::Result<bool> {
    if state.phase == Phase::Socks {
        let count = read_exactly(stream, state, 2)?[1];
        read_exactly(stream, state, count.into())?;
        stream.write_all(&[5, 0])?;
        let length = read_exactly(stream, state, 5)?[4];
        read_exactly(stream, state, usize::from(length) + 2)?;
        let granted = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];
        if !state.takes_fault(Phase::Socks, number) {
            stream.write_all(&granted)?;
            return Ok(true);
        }
        let (no, long) = ([5, 2, 0, 1, 0, 0, 0, 0, 0, 0], [255; 512]);
        // Success, with a bound address of 255 characters.
        let slow = [&[5, 0, 0, 3, 255][..], &[b'n'; 300]].concat();
        let after: &[u8] = if state.fault == Fault::Refuse { &no } else { &slow };
        let element: &[u8] = if state.fault == Fault::Oversize { &long } else { &granted };
        let before: &[u8] = if is_sent_partly(state.fault) { &granted[..1] } else { b"" };
        inject(stream, state, state.fault, Material::new(before, after, GARBAGE, element))?;
        return Ok(false);
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read_byte(stream, state, true)?.ok_or(io::ErrorKind::UnexpectedEof)?);
    }
    let granted = b"HTTP/1.1 200 Connection established\r\n\r\n";
    if !state.takes_fault(Phase::Proxy, number) {
        stream.write_all(granted)?;
        return Ok(true);
    }
    // A long reason phrase: anything else would not be valid HTTP here.
    let slow = [&granted[..13], &[b'x'; 4096]].concat();
    let (after, element): (&[u8], &[u8]) = match state.fault {
        Fault::Refuse => (b"HTTP/1.1 403 Forbidden\r\n\r\n", b""),
        Fault::Oversize => (b"", b"HTTP/1.1 200 OK\r\nX-More: and more\r\nX-"),
        _ => (&slow, granted),
    };
    let before: &[u8] = if is_sent_partly(state.fault) { b"HTTP/1.1 2" } else { b"" };
    inject(stream, state, state.fault, Material::new(before, after, GARBAGE, element))?;
    Ok(false)
}

/// Whether the fault occurs in the middle of the data.
fn is_sent_partly(fault: Fault) -> bool {
    matches!(fault, Fault::Reset | Fault::Close | Fault::Stall)
}

/// Injects the fault instead of the server's first handshake flight.
fn fail_handshake(
    stream: &mut TcpStream,
    state: &State,
    tls: &mut ServerConnection,
) -> io::Result<()> {
    let mut flight = Vec::new();
    while flight.is_empty() {
        match tls.read_tls(stream) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                tls.process_new_packets().map_err(io::Error::other)?;
            }
            Err(e) if is_timeout(&e) && !state.is_stopped() => {}
            Err(e) => return Err(e),
        }
        while tls.wants_write() {
            tls.write_tls(&mut flight)?;
        }
    }
    let before = if is_sent_partly(state.fault) { &flight[..20] } else { b"" };
    let after: &[u8] = match state.fault {
        // A fatal alert: handshake_failure.
        Fault::Refuse => &[21, 3, 3, 0, 2, 2, 40],
        Fault::Duplicate => b"",
        _ => &flight,
    };
    // A record longer than TLS allows.
    let long = [&[22, 3, 3, 255, 255], &[0; 1019][..]].concat();
    let element = if state.fault == Fault::Oversize { &long } else { &flight };
    let garbage = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    inject(stream, state, state.fault, Material::new(before, after, garbage, element))
}

/// Serves requests until the connection ends.
fn serve_http(connection: &mut dyn Connection, state: &State, number: usize) -> io::Result<()> {
    loop {
        let Some(first) = read_byte(connection, state, true)? else { return Ok(()) };
        let at = {
            let mut records = state.records();
            records
                .requests
                .push(RecordedRequest { connection: number, ..RecordedRequest::default() });
            records.requests.len() - 1
        };
        let mut head = vec![first];
        if state.takes_fault(Phase::HeadSent, number) {
            head.extend(read_exactly(connection, state, 15)?);
            state.records().requests[at].line = String::from_utf8_lossy(&head).into_owned();
            return inject_into_head(connection, state);
        }
        while !head.ends_with(b"\r\n\r\n") {
            head.push(read_byte(connection, state, false)?.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            })
            .unwrap_or(0);
        read_exactly(connection, state, length)?;
        let line = head.lines().next().unwrap_or_default().to_owned();
        let refused = state.phase == Phase::BodySent
            && state.fault == Fault::Refuse
            && state.takes_fault(Phase::BodySent, number);
        let response = {
            let mut records = state.records();
            let response = if refused { Response::busy() } else { process(&mut records, &line) };
            records.requests[at].complete = true;
            records.requests[at].processed = response.processed;
            records.requests[at].line = line;
            response
        };
        if !refused {
            for phase in
                [Phase::BodySent, Phase::StatusLine, Phase::Headers, Phase::Body, Phase::End]
            {
                if state.takes_fault(phase, number) {
                    let stays_open = inject_into_response(connection, state, phase, &response)?;
                    if !stays_open {
                        return Ok(());
                    }
                    return serve_http(connection, state, number);
                }
            }
        }
        connection.write_all(response.text().as_bytes())?;
        connection.flush()?;
    }
}

fn inject_into_head(connection: &mut dyn Connection, state: &State) -> io::Result<()> {
    if state.fault == Fault::Dribble {
        while read_byte(connection, state, false)?.is_some() {
            std::thread::sleep(Duration::from_millis(20));
        }
        return Ok(());
    }
    // The valid response at this point is a rejection.
    let no = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    inject(connection, state, state.fault, Material::new(b"", no, GARBAGE, GARBAGE))
}

struct Response {
    status: &'static str,
    body: String,
    processed: bool,
}

impl Response {
    fn busy() -> Response {
        let body = r#"{"error": "busy"}"#.to_owned();
        Response { status: "503 Service Unavailable\r\nRetry-After: 0", body, processed: false }
    }

    fn text(&self) -> String {
        if self.status.starts_with("204") {
            return format!("HTTP/1.1 {}\r\n\r\n", self.status);
        }
        format!(
            "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
            self.status,
            self.body.len(),
            self.body
        )
    }
}

/// Executes a request like the service, and returns the response.
fn process(records: &mut Records, line: &str) -> Response {
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let good = |status, body: &str| Response { status, body: body.to_owned(), processed: true };
    let no = |status, body: &str| Response { status, body: body.to_owned(), processed: false };
    match method {
        // Valid for one call, so that the next call requests another token.
        "POST" if path == TOKEN_PATH => good(
            "200 OK",
            r#"{"access_token": "token-of-the-matrix", "token_type": "Bearer", "expires_in": 0}"#,
        ),
        "POST" => good(
            "200 OK",
            &format!(r#"{{"participant": {{"id": "{PARTICIPANT}"}}, "token": "{TOKEN}"}}"#),
        ),
        "GET" if path.ends_with("/subscriptions") => {
            good("200 OK", &format!(r#"{{"sessionId": "{SESSION}"}}"#))
        }
        "GET" if path.contains("/participants/") => {
            let sessions = if records.joined { format!("\"{SESSION}\"") } else { String::new() };
            good("200 OK", &format!(r#"{{"id": "{PARTICIPANT}", "sessions": [{sessions}]}}"#))
        }
        "GET" => good("200 OK", &format!(r#"{{"id": "{SESSION}", "tag": "a tag"}}"#)),
        "DELETE" if records.removed => no("404 Not Found", r#"{"error": "no such participant"}"#),
        "DELETE" => {
            records.removed = true;
            good("204 No Content", "{}")
        }
        "PUT" if path.ends_with("/subscriptions") => good("204 No Content", "{}"),
        "PUT" if records.joined => no("409 Conflict", r#"{"error": "is in a session"}"#),
        "PUT" => {
            records.joined = true;
            good("204 No Content", "{}")
        }
        _ => no("400 Bad Request", "{}"),
    }
}

/// Sends the response with the fault. Returns whether the connection stays open.
fn inject_into_response(
    connection: &mut dyn Connection,
    state: &State,
    phase: Phase,
    response: &Response,
) -> io::Result<bool> {
    let fault = state.fault;
    // Every response has a body. It is padded if it is sent slowly, so that sending takes long.
    let status = if response.processed { "200 OK" } else { response.status };
    let body = match fault {
        Fault::Dribble if phase != Phase::End => format!("{}{}", response.body, " ".repeat(4096)),
        _ => response.body.clone(),
    };
    let status_line = format!("HTTP/1.1 {status}\r\n");
    let kind = "Content-Type: application/json\r\n";
    let length = format!("Content-Length: {}\r\n", body.len());
    let whole = format!("{status_line}{kind}{length}\r\n{body}");
    let half = |text: &str| text.len() / 2;
    let cut = match phase {
        Phase::BodySent => 0,
        Phase::StatusLine => half(&status_line),
        Phase::Headers => status_line.len() + half(kind),
        _ => whole.len() - body.len() + half(&response.body),
    };
    let stays_open = fault == Fault::Duplicate && phase == Phase::BodySent
        || fault == Fault::Dribble && phase == Phase::End
        || fault == Fault::Garbage && phase == Phase::Body;
    let in_middle = is_sent_partly(fault) || fault == Fault::Dribble;
    let bytes = |text: &str| text.as_bytes().to_vec();
    let (before, after, garbage, element) = match phase {
        _ if in_middle && phase != Phase::End => {
            (bytes(&whole[..cut]), bytes(&whole[cut..]), bytes(""), bytes(""))
        }
        Phase::BodySent => {
            (bytes(""), bytes(&whole), GARBAGE.to_vec(), bytes("HTTP/1.1 100 Continue\r\n\r\n"))
        }
        Phase::StatusLine if fault == Fault::Oversize => {
            (bytes("HTTP/1.1 200 "), bytes(""), bytes(""), bytes("OK and "))
        }
        Phase::StatusLine => (
            bytes(""),
            bytes(&whole[status_line.len()..]),
            bytes("HTTP/1.1 2x0 OK\r\n\r\n"),
            bytes(&status_line),
        ),
        // Two different lengths: the end of the response is unknown.
        Phase::Headers if fault == Fault::Duplicate => (
            bytes(&format!("{status_line}{kind}{length}")),
            bytes(&format!("\r\n{body}")),
            bytes(""),
            bytes("Content-Length: 1\r\n"),
        ),
        Phase::Headers => (
            bytes(&status_line),
            bytes(""),
            bytes("no colon is here\r\n\x01\x02: \x00\r\n\r\n"),
            bytes("X-More: and more\r\n"),
        ),
        Phase::Body if fault == Fault::Oversize => (
            bytes(&format!("{status_line}{kind}Content-Length: 100000000\r\n\r\n{{\"a\": \"")),
            bytes(""),
            bytes(""),
            bytes("xxxxxxxx"),
        ),
        Phase::Body => (
            bytes(&whole[..whole.len() - body.len()]),
            bytes(""),
            vec![0xff; body.len()],
            bytes(&body),
        ),
        _ => {
            let chunk = format!(
                "{status_line}{kind}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n",
                body.len()
            );
            let last = "0\r\n\r\n";
            let element =
                if fault == Fault::Oversize { "10\r\n                \r\n" } else { last };
            let after = if fault == Fault::Dribble { last } else { "" };
            (bytes(&chunk), bytes(after), bytes("zz\r\n"), bytes(element))
        }
    };
    let material = Material::new(&before, &after, &garbage, &element);
    if stays_open {
        send_fault(connection, state, fault, &material)?;
    } else {
        inject(connection, state, fault, material)?;
    }
    Ok(stays_open)
}
