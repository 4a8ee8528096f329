//! The service (and, where there is one, the proxy) of a cell: it does what the real one would, but
//! for the fault, and keeps what it saw.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::cell::{Fault, Phase};
use super::support::rogue::Wire;

/// Where a participant is put.
pub const SESSION: &str = "s-1";
pub const PARTICIPANT: &str = "p-1";
/// The path of the token endpoint.
pub const TOKEN_PATH: &str = "/token";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJwIjoicC0xIn0.c2lnbmF0dXJl";
/// As much as an endless peer says.
const ENDLESS: usize = 2 << 20;

/// One request, as far as it came.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    pub connection: usize,
    pub line: String,
    pub whole: bool,
    /// Whether the service did what it was asked for.
    pub acted: bool,
}

impl Exchange {
    /// Whether it is a token request, as far as it came.
    pub fn is_token_request(&self) -> bool {
        self.line.starts_with(&format!("POST {TOKEN_PATH} "))
    }
}

#[derive(Default)]
pub struct Seen {
    pub exchanges: Vec<Exchange>,
    /// The connections that the fault struck.
    pub struck: Vec<usize>,
    removed: bool,
    joined: bool,
}

/// What the peer is told, and what it tells.
pub struct Peer {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    listener: TcpListener,
    phase: Phase,
    fault: Fault,
    proxied: bool,
    tls: Option<Arc<ServerConfig>>,
    /// How often the fault is still to strike.
    armed: AtomicUsize,
    seen: Mutex<Seen>,
    open: AtomicUsize,
    accepted: AtomicUsize,
    parked: AtomicBool,
    hanging_up: AtomicBool,
    over: AtomicBool,
    /// What fills the backlog.
    queue: Mutex<Vec<TcpStream>>,
}

impl Peer {
    pub fn start(
        phase: Phase,
        fault: Fault,
        proxied: bool,
        tls: Option<Arc<ServerConfig>>,
    ) -> Peer {
        let listener = listen_where_it_stays();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            listener,
            phase,
            fault,
            proxied,
            tls,
            armed: AtomicUsize::new(0),
            seen: Mutex::default(),
            open: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            hanging_up: AtomicBool::new(false),
            over: AtomicBool::new(false),
            queue: Mutex::default(),
        });
        let own = state.clone();
        std::thread::spawn(move || accept(&own));
        Peer { address, state }
    }

    /// From now on the fault strikes so often.
    pub fn arm(&self, count: usize) {
        self.state.armed.store(count, Ordering::SeqCst);
        match (self.state.phase, self.state.fault) {
            (Phase::Connect, Fault::Refuse) => {
                self.state.parked.store(true, Ordering::SeqCst);
                // SAFETY: takes no pointer; the listener is ours. It keeps its port.
                unsafe { libc::shutdown(self.state.listener.as_raw_fd(), libc::SHUT_RDWR) };
            }
            (Phase::Connect, Fault::Stall) => self.fill_the_backlog(),
            _ => {}
        }
    }

    fn fill_the_backlog(&self) {
        self.state.parked.store(true, Ordering::SeqCst);
        // SAFETY: takes no pointer; the listener is ours.
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

    /// Whether connecting itself is what fails.
    pub fn is_parked(&self) -> bool {
        self.state.parked.load(Ordering::SeqCst)
    }

    /// No fault any more.
    pub fn heal(&self) {
        self.state.heal();
    }

    /// Closes what is idle, and waits until all is closed.
    pub fn hang_up(&self) {
        self.state.hanging_up.store(true, Ordering::SeqCst);
        self.wait(|| self.state.open.load(Ordering::SeqCst) == 0);
        self.state.hanging_up.store(false, Ordering::SeqCst);
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.state.seen()
    }

    /// Polls, with a limit.
    pub fn wait(&self, until: impl Fn() -> bool) {
        for _ in 0..2000 {
            if until() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("waited in vain");
    }
}

/// A listener that keeps its port when it is shut down: one that was asked for by its number.
fn listen_where_it_stays() -> TcpListener {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let holder = bound(loopback);
    let listener = bound(holder.local_addr().unwrap());
    // SAFETY: takes no pointer; the socket is ours.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 128) }, 0);
    listener.set_nonblocking(true).unwrap();
    listener
}

fn bound(to: SocketAddr) -> TcpListener {
    let SocketAddr::V4(to) = to else { unreachable!("IPv4 is asked for") };
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.ip().octets()) },
        sin_zero: [0; 8],
    };
    let yes: libc::c_int = 1;
    // SAFETY: the address and the option live through the calls, each with its own length; the
    // socket is new and has one owner.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        assert!(fd >= 0);
        let (yes, size) = ((&raw const yes).cast(), size_of::<libc::c_int>() as libc::socklen_t);
        assert_eq!(libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, yes, size), 0);
        let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        assert_eq!(libc::bind(fd, (&raw const address).cast(), length), 0);
        TcpListener::from_raw_fd(fd)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn heal(&self) {
        self.armed.store(0, Ordering::SeqCst);
        if self.parked.swap(false, Ordering::SeqCst) {
            self.queue.lock().unwrap().clear();
            // SAFETY: takes no pointer; the listener is ours.
            assert_eq!(unsafe { libc::listen(self.listener.as_raw_fd(), 128) }, 0);
        }
    }

    fn strikes(&self, phase: Phase, connection: usize) -> bool {
        let strikes = phase == self.phase
            && self
                .armed
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok();
        if strikes {
            self.seen().struck.push(connection);
        }
        strikes
    }
}

fn accept(state: &Arc<State>) {
    while !state.is_over() {
        let mut entry =
            libc::pollfd { fd: state.listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which lives through the call.
        unsafe { libc::poll(&raw mut entry, 1, 20) };
        if state.parked.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        let Ok((stream, _)) = state.listener.accept() else { continue };
        let number = state.accepted.fetch_add(1, Ordering::SeqCst);
        state.open.fetch_add(1, Ordering::SeqCst);
        let state = state.clone();
        std::thread::spawn(move || {
            // A client that goes away in the middle is what all this is about.
            let _ = serve(stream, &state, number);
            state.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn serve(mut stream: TcpStream, state: &State, number: usize) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    if state.strikes(Phase::Connect, number) {
        return strike(&mut stream, state, state.fault, Material::new(b"", b"", GARBAGE, GARBAGE));
    }
    if state.proxied && !tunnel(&mut stream, state, number)? {
        return Ok(());
    }
    let Some(config) = &state.tls else { return http(&mut stream, state, number) };
    let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    if state.strikes(Phase::Tls, number) {
        return handshake(&mut stream, state, &mut tls);
    }
    http(&mut StreamOwned::new(tls, stream), state, number)
}

const GARBAGE: &[u8] = b"SSH-2.0-OpenSSH_9.2p1\r\n\x00\xff\xfe rubbish\r\n\r\n";

/// What a fault is made of: what was right before it, what would have been right after it, and what
/// comes instead.
struct Material<'a> {
    before: &'a [u8],
    after: &'a [u8],
    garbage: &'a [u8],
    /// What is said again, or without end.
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

fn strike(
    wire: &mut dyn Wire,
    state: &State,
    fault: Fault,
    material: Material<'_>,
) -> io::Result<()> {
    wire.write_all(material.before)?;
    wire.flush()?;
    match fault {
        Fault::Refuse => wire.write_all(material.after)?,
        Fault::Reset => return reset(wire.tcp()),
        Fault::Close => {}
        Fault::Stall => return linger(state),
        Fault::Dribble => {
            for byte in material.after {
                if state.is_over() {
                    return Ok(());
                }
                wire.write_all(&[*byte])?;
                wire.flush()?;
                std::thread::sleep(Duration::from_millis(20));
            }
            return Ok(());
        }
        Fault::Garbage => {
            wire.write_all(material.garbage)?;
            return linger(state);
        }
        Fault::Duplicate => {
            wire.write_all(&[material.element, material.element, material.after].concat())?;
            wire.flush()?;
            return linger(state);
        }
        Fault::Oversize => {
            let mut block = Vec::new();
            while block.len() < 16 * 1024 {
                block.extend_from_slice(material.element);
            }
            for _ in 0..ENDLESS / block.len() {
                if state.is_over() {
                    return Ok(());
                }
                wire.write_all(&block)?;
            }
            return linger(state);
        }
    }
    wire.flush()?;
    // An end without a reset: what was sent must be read first.
    wire.tcp().shutdown(Shutdown::Write)?;
    drain(wire.tcp(), state);
    Ok(())
}

fn reset(stream: &TcpStream) -> io::Result<()> {
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

/// Keeps the connection open, silent.
fn linger(state: &State) -> io::Result<()> {
    while !state.is_over() && !state.hanging_up.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn drain(mut stream: &TcpStream, state: &State) {
    let mut rest = [0; 4096];
    while !state.is_over() {
        match stream.read(&mut rest) {
            Ok(0) => return,
            Err(e) if !is_pause(&e) => return,
            _ => {}
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The next byte; none at the end, and when an idle connection is to be hung up.
fn byte(wire: &mut dyn Wire, state: &State, idle: bool) -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        match wire.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(e) if is_pause(&e) => {
                if state.is_over() || (idle && state.hanging_up.load(Ordering::SeqCst)) {
                    return Ok(None);
                }
            }
            Err(e) => return Err(e),
        }
    }
}

fn exactly(wire: &mut dyn Wire, state: &State, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        bytes.push(byte(wire, state, false)?.ok_or(io::ErrorKind::UnexpectedEof)?);
    }
    Ok(bytes)
}

/// Plays the proxy, and then the service behind it; false if there is no tunnel.
fn tunnel(stream: &mut TcpStream, state: &State, number: usize) -> io::Result<bool> {
    if state.phase == Phase::Socks {
        let count = exactly(stream, state, 2)?[1];
        exactly(stream, state, count.into())?;
        stream.write_all(&[5, 0])?;
        let length = exactly(stream, state, 5)?[4];
        exactly(stream, state, usize::from(length) + 2)?;
        let granted = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];
        if !state.strikes(Phase::Socks, number) {
            stream.write_all(&granted)?;
            return Ok(true);
        }
        let (no, long) = ([5, 2, 0, 1, 0, 0, 0, 0, 0, 0], [255; 512]);
        // Granted under a name of 255 characters.
        let slow = [&[5, 0, 0, 3, 255][..], &[b'n'; 300]].concat();
        let after: &[u8] = if state.fault == Fault::Refuse { &no } else { &slow };
        let element: &[u8] = if state.fault == Fault::Oversize { &long } else { &granted };
        let before: &[u8] = if has_beginning(state.fault) { &granted[..1] } else { b"" };
        strike(stream, state, state.fault, Material::new(before, after, GARBAGE, element))?;
        return Ok(false);
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(byte(stream, state, true)?.ok_or(io::ErrorKind::UnexpectedEof)?);
    }
    let granted = b"HTTP/1.1 200 Connection established\r\n\r\n";
    if !state.strikes(Phase::Proxy, number) {
        stream.write_all(granted)?;
        return Ok(true);
    }
    // A reason phrase that takes long: anything else at this place would not be HTTP.
    let slow = [&granted[..13], &[b'x'; 4096]].concat();
    let (after, element): (&[u8], &[u8]) = match state.fault {
        Fault::Refuse => (b"HTTP/1.1 403 Forbidden\r\n\r\n", b""),
        Fault::Oversize => (b"", b"HTTP/1.1 200 OK\r\nX-More: and more\r\nX-"),
        _ => (&slow, granted),
    };
    let before: &[u8] = if has_beginning(state.fault) { b"HTTP/1.1 2" } else { b"" };
    strike(stream, state, state.fault, Material::new(before, after, GARBAGE, element))?;
    Ok(false)
}

/// Whether the fault comes in the middle of what is said.
fn has_beginning(fault: Fault) -> bool {
    matches!(fault, Fault::Reset | Fault::Close | Fault::Stall)
}

/// The server's first flight, or what comes instead.
fn handshake(stream: &mut TcpStream, state: &State, tls: &mut ServerConnection) -> io::Result<()> {
    let mut flight = Vec::new();
    while flight.is_empty() {
        match tls.read_tls(stream) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                tls.process_new_packets().map_err(io::Error::other)?;
            }
            Err(e) if is_pause(&e) && !state.is_over() => {}
            Err(e) => return Err(e),
        }
        while tls.wants_write() {
            tls.write_tls(&mut flight)?;
        }
    }
    let before = if has_beginning(state.fault) { &flight[..20] } else { b"" };
    let after: &[u8] = match state.fault {
        // A fatal alert: handshake_failure.
        Fault::Refuse => &[21, 3, 3, 0, 2, 2, 40],
        Fault::Duplicate => b"",
        _ => &flight,
    };
    // A record that is longer than any may be.
    let long = [&[22, 3, 3, 255, 255], &[0; 1019][..]].concat();
    let element = if state.fault == Fault::Oversize { &long } else { &flight };
    let garbage = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    strike(stream, state, state.fault, Material::new(before, after, garbage, element))
}

/// Serves requests until the connection ends.
fn http(wire: &mut dyn Wire, state: &State, number: usize) -> io::Result<()> {
    loop {
        let Some(first) = byte(wire, state, true)? else { return Ok(()) };
        let at = {
            let mut seen = state.seen();
            seen.exchanges.push(Exchange { connection: number, ..Exchange::default() });
            seen.exchanges.len() - 1
        };
        let mut head = vec![first];
        if state.strikes(Phase::HeadSent, number) {
            head.extend(exactly(wire, state, 15)?);
            state.seen().exchanges[at].line = String::from_utf8_lossy(&head).into_owned();
            return in_the_head(wire, state);
        }
        while !head.ends_with(b"\r\n\r\n") {
            head.push(byte(wire, state, false)?.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            })
            .unwrap_or(0);
        exactly(wire, state, length)?;
        let line = head.lines().next().unwrap_or_default().to_owned();
        let refused = state.phase == Phase::BodySent
            && state.fault == Fault::Refuse
            && state.strikes(Phase::BodySent, number);
        let answer = {
            let mut seen = state.seen();
            let answer = if refused { Answer::busy() } else { act(&mut seen, &line) };
            seen.exchanges[at].whole = true;
            seen.exchanges[at].acted = answer.acted;
            seen.exchanges[at].line = line;
            answer
        };
        if !refused {
            for phase in
                [Phase::BodySent, Phase::StatusLine, Phase::Headers, Phase::Body, Phase::End]
            {
                if state.strikes(phase, number) {
                    let keeps_on = in_the_answer(wire, state, phase, &answer)?;
                    if !keeps_on {
                        return Ok(());
                    }
                    return http(wire, state, number);
                }
            }
        }
        wire.write_all(answer.text().as_bytes())?;
        wire.flush()?;
    }
}

fn in_the_head(wire: &mut dyn Wire, state: &State) -> io::Result<()> {
    if state.fault == Fault::Dribble {
        while byte(wire, state, false)?.is_some() {
            std::thread::sleep(Duration::from_millis(20));
        }
        return Ok(());
    }
    // What would come in its time is a refusal.
    let no = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    strike(wire, state, state.fault, Material::new(b"", no, GARBAGE, GARBAGE))
}

struct Answer {
    status: &'static str,
    body: String,
    acted: bool,
}

impl Answer {
    fn busy() -> Answer {
        let body = r#"{"error": "busy"}"#.to_owned();
        Answer { status: "503 Service Unavailable\r\nRetry-After: 0", body, acted: false }
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

/// What the service does and says.
fn act(seen: &mut Seen, line: &str) -> Answer {
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let good = |status, body: &str| Answer { status, body: body.to_owned(), acted: true };
    let no = |status, body: &str| Answer { status, body: body.to_owned(), acted: false };
    match method {
        // Valid for one call, so that the next call requests another one.
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
            let sessions = if seen.joined { format!("\"{SESSION}\"") } else { String::new() };
            good("200 OK", &format!(r#"{{"id": "{PARTICIPANT}", "sessions": [{sessions}]}}"#))
        }
        "GET" => good("200 OK", &format!(r#"{{"id": "{SESSION}", "tag": "a tag"}}"#)),
        "DELETE" if seen.removed => no("404 Not Found", r#"{"error": "no such participant"}"#),
        "DELETE" => {
            seen.removed = true;
            good("204 No Content", "{}")
        }
        "PUT" if path.ends_with("/subscriptions") => good("204 No Content", "{}"),
        "PUT" if seen.joined => no("409 Conflict", r#"{"error": "is in a session"}"#),
        "PUT" => {
            seen.joined = true;
            good("204 No Content", "{}")
        }
        _ => no("400 Bad Request", "{}"),
    }
}

/// Answers with the fault in it; whether the connection goes on.
fn in_the_answer(
    wire: &mut dyn Wire,
    state: &State,
    phase: Phase,
    answer: &Answer,
) -> io::Result<bool> {
    let fault = state.fault;
    // An answer of some length, so that a slow one is slow, and with a body whatever the operation.
    let status = if answer.acted { "200 OK" } else { answer.status };
    let body = match fault {
        Fault::Dribble if phase != Phase::End => format!("{}{}", answer.body, " ".repeat(4096)),
        _ => answer.body.clone(),
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
        _ => whole.len() - body.len() + half(&answer.body),
    };
    let keeps_on = fault == Fault::Duplicate && phase == Phase::BodySent
        || fault == Fault::Dribble && phase == Phase::End
        || fault == Fault::Garbage && phase == Phase::Body;
    let in_middle = has_beginning(fault) || fault == Fault::Dribble;
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
        // Two lengths that do not agree: no telling where the answer ends.
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
    if !keeps_on {
        let material = Material::new(&before, &after, &garbage, &element);
        strike(wire, state, fault, material)?;
        return Ok(false);
    }
    wire.write_all(&before)?;
    match fault {
        Fault::Garbage => wire.write_all(&garbage)?,
        Fault::Duplicate => {
            wire.write_all(&[element.clone(), element, after].concat())?;
        }
        _ => {
            for byte in after {
                wire.write_all(&[byte])?;
                wire.flush()?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
    wire.flush()?;
    Ok(true)
}
