//! The transport: sends one request, reads one answer, and tells how far it came.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::connection::Connection;
use super::http1::{Body, Common, Framing, Head, LONGEST_HEAD, Malformed, Request};
use super::input;
use super::names::{Family, Known, Names};
use super::pool::Pool;
use super::proxy::Proxy;
use super::route::Route;
use super::tls;
use super::wire::{Fault, Limits, Phase, Wire};
use crate::error::Status;
use crate::sys::{BootInstant as Instant, PerProcess};

/// An answer that is longer makes its room as it comes: the length may be a lie.
const USUAL_ANSWER: u64 = 16 * 1024;
/// At most so much is read at once.
const MOST_AT_ONCE: u64 = 64 * 1024;

/// What a transport needs to know, checked by the configuration.
pub struct Settings {
    /// The configuration key of the URL, for messages.
    pub key: &'static str,
    /// Host and, where given, port, as the URL has them.
    pub authority: String,
    /// The host alone, without brackets.
    pub host: String,
    /// The port, given or the scheme's.
    pub port: u16,
    /// The proxy, if there is to be one.
    pub proxy: Option<Arc<Proxy>>,
    /// TLS, for https.
    pub tls: Option<Arc<ClientConfig>>,
    /// For name, connection, proxy and TLS together.
    pub connect_timeout: Duration,
    /// How long a connection may be idle and still be used.
    pub idle_timeout: Duration,
    /// How many idle connections are kept.
    pub max_idle: usize,
    /// The largest answer that is read, in bytes.
    pub max_response: usize,
    /// The User-Agent header's value.
    pub user_agent: Vec<u8>,
    /// Which addresses may be used.
    pub family: Family,
    /// The local address to connect from.
    pub bind: Option<IpAddr>,
    /// How long a name's addresses are remembered.
    pub dns_ttl: Duration,
}

/// An answer.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The Retry-After header.
    pub retry_after: Option<String>,
    /// The body, as far as it arrived.
    pub body: Vec<u8>,
    /// Why not all of the body arrived.
    pub cut: Option<Fault>,
    /// Whether a connection was opened for it.
    pub opened: bool,
}

/// An exchange without an answer.
pub struct Failure {
    /// Why.
    pub fault: Fault,
    /// Whether a byte of the request was handed to the kernel.
    pub sent: bool,
    /// Whether a connection was opened for it.
    pub opened: bool,
}

/// The way to one service for one client.
pub struct Transport {
    settings: Settings,
    common: Common,
    server_name: Option<ServerName<'static>>,
    known: Arc<Known>,
    own: PerProcess<Own>,
}

/// What a process does not share with its children.
struct Own {
    route: Route,
    idle: Pool<Connection>,
    began: Instant,
    /// When old connections are to be closed next, in milliseconds since it began.
    sweep_at: AtomicU64,
}

impl Transport {
    /// A transport that has connected to nothing yet.
    ///
    /// # Errors
    /// The configuration key of the URL, and what is wrong with its host.
    pub fn new(settings: Settings) -> Result<Transport, (&'static str, String)> {
        let key = settings.key;
        let host = &settings.host;
        let name = ServerName::try_from(host.clone());
        let server_name = match &settings.tls {
            None => None,
            Some(_) => Some(name.map_err(|_| (key, format!("{host} is not a host name")))?),
        };
        // What is initialised lazily is so now, that no fork can fall into it: ring's look at the
        // processor.
        if let (Some(config), Some(name)) = (&settings.tls, &server_name) {
            ClientConnection::new(config.clone(), name.clone())
                .map_err(|e| (key, format!("TLS cannot be set up for {host}: {e}")))?;
        }
        Ok(Transport {
            common: Common::new(&settings.authority, &settings.user_agent),
            settings,
            server_name,
            known: Arc::default(),
            own: PerProcess::new(),
        })
    }

    /// Connections and names of this process, new in a forked child.
    fn own(&self) -> &Own {
        self.own.get(|| {
            let settings = &self.settings;
            let tls =
                settings.tls.as_deref().map(tls::for_this_process).zip(self.server_name.clone());
            let port = settings.port;
            let proxy = settings.proxy.clone();
            let (host, of_host, key) = match &proxy {
                Some(proxy) => (proxy.host.as_str(), proxy.port, "proxy"),
                None => (settings.host.as_str(), port, settings.key),
            };
            let (family, ttl) = (settings.family, settings.dns_ttl);
            Own {
                route: Route {
                    names: Names::new(host, of_host, key, family, ttl, self.known.clone()),
                    proxy: proxy.map(|proxy| (proxy, settings.host.clone(), port)),
                    tls,
                    bind: settings.bind,
                },
                idle: Pool::new(settings.max_idle),
                began: Instant::now(),
                // Nothing can be too old before.
                sweep_at: AtomicU64::new(millis(settings.idle_timeout)),
            }
        })
    }

    /// Sends the request and reads the answer, within the limits.
    ///
    /// # Errors
    /// Why there is no answer, and whether the service may have got the request.
    pub fn exchange(&self, request: &Request<'_>, limits: &Limits<'_>) -> Result<Reply, Failure> {
        let wire = Wire::new(limits, self.settings.connect_timeout);
        self.run(request, &wire).map_err(|fault| Failure {
            fault,
            sent: wire.was_sent(),
            opened: wire.has_opened(),
        })
    }

    fn run(&self, request: &Request<'_>, wire: &Wire<'_>) -> Result<Reply, Fault> {
        let own = self.own();
        // A connection that fails on the way is closed, since it is not put back.
        let mut connection = match self.idle_connection(&own.idle) {
            Some(connection) => connection,
            None => Box::new(own.route.open(wire)?),
        };
        connection.send(&self.common, request, wire)?;
        let head = read_head(&mut connection, wire)?;
        let mut body = Body::new(head.framing);
        // Room for the response as long as it says it is, unless that is more than responses are. Of
        // a length that is not stated, room for a token: growing would leave a copy behind.
        let room = match head.framing {
            Framing::Length(length) => length.min(USUAL_ANSWER) as usize,
            Framing::Chunked | Framing::ToEnd => input::SIZE,
        };
        let mut reply = Reply {
            status: head.status,
            retry_after: head.retry_after,
            body: Vec::with_capacity(room),
            cut: None,
            opened: wire.has_opened(),
        };
        let most = self.settings.max_response;
        match read_body(&mut connection, &mut body, &mut reply.body, most, wire) {
            Ok(()) if head.stays_open && connection.rest() => {
                let now = connection.idle_since();
                own.idle.put(connection);
                self.close_old(own, now);
            }
            Ok(()) => {}
            Err(fault) => reply.cut = Some(fault),
        }
        Ok(reply)
    }

    /// Now and then, closes the connections that are too old: a thread looks at its own alone.
    fn close_old(&self, own: &Own, now: Instant) {
        let timeout = self.settings.idle_timeout;
        let (now_ms, due) = (millis(now - own.began), own.sweep_at.load(Ordering::Relaxed));
        let next = now_ms.saturating_add(millis(timeout).max(1000));
        if now_ms >= due
            && own
                .sweep_at
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            own.idle.sweep(|connection| connection.idle_since().elapsed() < timeout);
        }
    }

    fn idle_connection(&self, idle: &Pool<Connection>) -> Option<Box<Connection>> {
        let timeout = self.settings.idle_timeout;
        std::iter::from_fn(|| idle.take()).find_map(|mut it| it.is_usable(timeout).then_some(it))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Reads the head of the answer.
fn read_head(connection: &mut Connection, wire: &Wire<'_>) -> Result<Head, Fault> {
    let mut interim = 0;
    // A head that comes byte by byte is not read from its beginning every time, but where it may
    // be whole, or twice as long as when it was not.
    let (mut seen, mut worth) = (0_usize, 0);
    loop {
        let unused = connection.input.unused();
        if unused.len() >= worth || has_empty_line(&unused[seen.saturating_sub(2)..]) {
            match Head::read(unused)? {
                // Nobody asked for another protocol.
                Some((head, _)) if head.status == 101 => {
                    return Err(Malformed("it switches to another protocol".to_owned()).into());
                }
                Some((head, length)) => {
                    connection.input.consume(length);
                    if head.status >= 200 {
                        return Ok(head);
                    }
                    interim += length;
                    (seen, worth) = (0, 0);
                    continue;
                }
                None => worth = unused.len().max(1) * 2,
            }
        }
        seen = connection.input.unused().len();
        if interim + seen >= LONGEST_HEAD {
            return Err(Fault::new(
                Status::Protocol,
                "the head of the answer is larger than 64 KiB",
            ));
        }
        if !connection.fill(wire)? {
            return Err(match wire.phase() {
                Phase::Receiving => cut(),
                _ => {
                    Fault::new(Status::Network, "the connection was closed before any answer came")
                }
            });
        }
    }
}

/// Reads the body, as far as it comes.
fn read_body(
    connection: &mut Connection,
    body: &mut Body,
    text: &mut Vec<u8>,
    most: usize,
    wire: &Wire<'_>,
) -> Result<(), Fault> {
    loop {
        let unused = connection.input.unused();
        let progress = body.next(unused)?;
        // One byte more than allowed shows that there is more.
        let content = &unused[progress.used - progress.content..progress.used];
        text.extend_from_slice(&content[..content.len().min(most + 1 - text.len())]);
        connection.input.consume(progress.used);
        if text.len() > most {
            text.truncate(most);
            return Err(Fault::new(
                Status::Protocol,
                format!("the answer is larger than {most} bytes (maxResponseBytes)"),
            ));
        }
        if body.is_done() {
            return Ok(());
        }
        if progress.used > 0 {
            continue;
        }
        let is_open = if body.plain() > input::SIZE as u64 {
            // Straight to where it belongs; as much again as has come, since much of it has.
            let had = text.len();
            let room = USUAL_ANSWER.max(had as u64).min(MOST_AT_ONCE);
            let room = body.plain().min(room).min((most + 1 - had) as u64);
            text.resize(had + room as usize, 0);
            let came = connection.read(&mut text[had..], wire);
            text.truncate(had + came.as_ref().map_or(0, |count| *count));
            came.map(|count| {
                body.took(count as u64);
                count > 0
            })
        } else {
            connection.fill(wire)
        };
        if !is_open? {
            return if body.may_end() && connection.ended_well() { Ok(()) } else { Err(cut()) };
        }
    }
}

fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|two| two == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

fn cut() -> Fault {
    Fault::cut("the connection was closed in the middle of the answer")
}

impl From<Malformed> for Fault {
    fn from(Malformed(why): Malformed) -> Fault {
        Fault::new(
            Status::Protocol,
            format!("what answered does not speak HTTP as the service does: {why}"),
        )
    }
}
