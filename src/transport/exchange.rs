//! The transport: sends one request, reads one response, and reports how far it got.

use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use ureq::http::header::{self, HeaderMap, HeaderName};
use ureq::http::uri::{self, Authority, PathAndQuery, Scheme};
use ureq::http::{HeaderValue, Method, Response, StatusCode, Uri, Version};
use ureq::{AsSendBody, Body, http};

use super::buffers::PIECE;
use super::engine::{self, Engine};
use super::names::{Family, Known, Names};
use super::pool::Pool;
use super::proxy::Proxy;
use super::route::Route;
use super::tls;
use super::wire::{ExchangeState, Fault, Limits};
use crate::error::{NO_MEMORY, Status};
use crate::sys::{self, BootInstant as Instant, PerProcess};

/// The headers that all requests have, up to the User-Agent's value.
const COMMON: &[u8] = b"accept: application/json\r\naccept-encoding: identity\r\nuser-agent: ";
/// How often idle connections are looked at, at most.
const SWEEP: Duration = Duration::from_secs(1);
/// How long before its announced end a connection is not used any more: longer than a request takes
/// to arrive.
const KEEP_ALIVE_MARGIN: Duration = Duration::from_secs(1);
/// The room for the body of a response is reserved in advance up to this size, in bytes: the
/// announced length may be false.
const USUAL_RESPONSE: u64 = 16 * 1024;
/// More bytes than a request has besides its target, its body and the values of its headers.
const FIXED: usize = 512;

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

/// One request.
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Path and query, percent-encoded.
    pub target: &'a str,
    /// The body.
    pub body: Option<&'a str>,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The value of the Authorization header. ureq never sees it.
    pub authorization: &'a [u8],
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
    /// The coding of the body, which nobody asked for.
    pub coding: Option<String>,
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
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    /// The other headers that all requests have, as lines. They are inserted into the output of ureq
    /// with the Authorization header, because ureq takes 1000 instructions for each header.
    common: Vec<u8>,
    server_name: Option<ServerName<'static>>,
    known: Arc<Known>,
    own: PerProcess<Own>,
}

/// What a process does not share with its children.
struct Own {
    route: Route,
    /// The engines whose connection is idle.
    idle: Pool<Engine>,
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
        // ring and ureq initialize themselves here, and not in a call that a fork could interrupt.
        sys::without_forks(|| {
            engine::initialize();
            match (&settings.tls, &server_name) {
                (Some(config), Some(name)) => {
                    ClientConnection::new(config.clone(), name.clone()).map(drop)
                }
                _ => Ok(()),
            }
        })
        .map_err(|e| (key, format!("TLS cannot be set up for {host}: {e}")))?;
        let invalid = |what: &str| (key, format!("{what} cannot be sent in a request"));
        let authority = Authority::try_from(settings.authority.as_str());
        let host_header = HeaderValue::from_str(&settings.authority).map_err(|_| invalid(host))?;
        let user_agent = HeaderValue::from_bytes(&settings.user_agent);
        let user_agent = user_agent.map_err(|_| invalid("the User-Agent"))?;
        let common = [COMMON, user_agent.as_bytes(), b"\r\n"].concat();
        Ok(Transport {
            scheme: if settings.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP },
            authority: authority.map_err(|_| invalid(host))?,
            host: host_header,
            common,
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
                // Nothing can be old before.
                sweep_at: AtomicU64::new(millis(SWEEP)),
            }
        })
    }

    /// Sends the request and reads the response, within the limits.
    ///
    /// # Errors
    /// Why there is no response, and whether the service may have received the request.
    pub fn exchange(&self, request: &Request<'_>, limits: &Limits<'_>) -> Result<Reply, Failure> {
        let exchange = Arc::new(ExchangeState::new(limits, self.settings.connect_timeout));
        self.run(request, &exchange).map_err(|fault| Failure {
            fault,
            sent: exchange.was_sent(),
            opened: exchange.has_opened(),
        })
    }

    fn run(&self, request: &Request<'_>, exchange: &Arc<ExchangeState>) -> Result<Reply, Fault> {
        // A line break would end the header. The value itself must not appear in a message.
        // Without an early exit, the compiler checks many bytes at a time: a token is long.
        let is_control = |byte: &u8| byte.is_ascii_control();
        if request.authorization.iter().fold(false, |any, byte| any | is_control(byte)) {
            let why = "the credentials contain a control character";
            return Err(Fault::new(Status::Internal, why));
        }
        let own = self.own();
        let mut engine = match self.idle_engine(&own.idle) {
            Some(engine) => engine,
            None => Box::new(Engine::new(Box::new(own.route.open(exchange)?))),
        };
        if let Some(connection) = &mut engine.connection {
            connection.buffers.prepare(self.size_of(request), &self.last_headers(request));
        }
        // If the exchange fails, the engine is dropped, which closes its connection.
        let response = self
            .send(&mut engine, request, exchange)
            .map_err(|error| engine::fault(error, exchange))?;
        let stays_open = check(&response)?;
        let (head, body) = response.into_parts();
        // Without a stated length, room for most responses.
        let length = body.content_length().unwrap_or(PIECE as u64).min(USUAL_RESPONSE);
        exchange.begin_body(length as usize);
        let mut cut = self.read_body(body, exchange).err();
        let Some(connection) = engine.take_back() else {
            return Err(Fault::new(Status::Internal, "the HTTP engine kept the connection"));
        };
        let content = connection.buffers.take_content();
        if content.is_none() {
            cut = Some(Fault::new(Status::Internal, NO_MEMORY));
        }
        let mut body = content.unwrap_or_default();
        let is_reusable = stays_open && cut.is_none() && connection.rest(keep_alive(&head.headers));
        let most = self.settings.max_response;
        if body.len() > most {
            body.truncate(most);
            cut = Some(Fault::new(
                Status::Protocol,
                format!("the answer is larger than {most} bytes (maxResponseBytes)"),
            ));
        } else if is_reusable {
            let now = engine.idle_since();
            own.idle.put(engine);
            self.close_old(own, now);
        }
        Ok(Reply {
            status: head.status.as_u16(),
            retry_after: text_header(&head.headers, &header::RETRY_AFTER),
            body,
            cut,
            coding: text_header(&head.headers, &header::CONTENT_ENCODING)
                .filter(|coding| !coding.trim().eq_ignore_ascii_case("identity")),
            opened: exchange.has_opened(),
        })
    }

    /// The headers that ureq does not write, without the end of the last line.
    fn last_headers<'a>(&'a self, request: &Request<'a>) -> [&'a [u8]; 6] {
        let [name, media_type, end] = match request.body {
            Some(_) => [b"content-type: ", request.content_type.as_bytes(), b"\r\n"],
            None => [&b""[..]; 3],
        };
        [&self.common, name, media_type, end, b"authorization: ", request.authorization]
    }

    /// More bytes than the request has when it is sent.
    fn size_of(&self, request: &Request<'_>) -> usize {
        let body = request.body.unwrap_or("").len();
        let common = self.settings.authority.len() + self.common.len();
        request.target.len() + body + request.authorization.len() + common + FIXED
    }

    fn send(
        &self,
        engine: &mut Engine,
        request: &Request<'_>,
        exchange: &Arc<ExchangeState>,
    ) -> Result<Response<Body>, ureq::Error> {
        match request.body {
            Some(body) => engine.run(self.head(request, body)?, exchange),
            None => engine.run(self.head(request, ())?, exchange),
        }
    }

    /// The request as ureq takes it, without the headers that are inserted later. Not made by http's builder,
    /// which moves all of it in each step.
    fn head<B: AsSendBody>(
        &self,
        request: &Request<'_>,
        body: B,
    ) -> Result<http::Request<B>, http::Error> {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(request.target)?);
        let mut head = http::Request::new(body);
        *head.method_mut() = Method::from_bytes(request.method.as_bytes())?;
        *head.uri_mut() = Uri::from_parts(parts)?;
        let headers = head.headers_mut();
        headers.reserve(2);
        headers.insert(header::HOST, self.host.clone());
        // A body is usual for these methods, so that its absence must be stated (RFC 9110, 8.6).
        if request.body.is_some() || matches!(request.method, "POST" | "PUT") {
            let length = request.body.map_or(0, str::len);
            // `HeaderValue::from(length)` would allocate twice.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::try_from(length.to_string())?);
        }
        Ok(head)
    }

    /// Lets ureq read the body to its end, or to the first byte after the largest allowed size. ureq
    /// does not see the content, which is collected by the connection's buffers.
    fn read_body(&self, mut body: Body, exchange: &ExchangeState) -> Result<(), Fault> {
        // Small, because it is cleared for each response.
        let mut hidden = [0; PIECE];
        let mut room = self.settings.max_response.saturating_add(1);
        let mut reader = body.as_reader();
        while room > 0 {
            let size = room.min(hidden.len());
            match reader.read(&mut hidden[..size]) {
                Ok(0) => break,
                Ok(count) => room -= count,
                Err(error) => return Err(engine::fault(error.into(), exchange)),
            }
        }
        Ok(())
    }

    /// Once a second at most, closes the idle connections that are too old or that the peer has
    /// closed: a thread looks at no more than the ones that it takes.
    fn close_old(&self, own: &Own, now: Instant) {
        let timeout = self.settings.idle_timeout;
        let (now_ms, due) = (millis(now - own.began), own.sweep_at.load(Ordering::Relaxed));
        let next = now_ms.saturating_add(millis(SWEEP));
        if now_ms >= due
            && own
                .sweep_at
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            // A connection that was just used is not looked at: another thread may need it now.
            own.idle.sweep(|engine| {
                engine.idle_since().elapsed() < SWEEP.min(timeout) || engine.is_usable(timeout)
            });
        }
    }

    fn idle_engine(&self, idle: &Pool<Engine>) -> Option<Box<Engine>> {
        let timeout = self.settings.idle_timeout;
        std::iter::from_fn(|| idle.take()).find_map(|mut it| it.is_usable(timeout).then_some(it))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn text_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Rejects responses that ureq accepts too easily. Returns whether the connection can be used again
/// after the response: only if client, service and any proxy agree on where it ends.
fn check(response: &Response<Body>) -> Result<bool, Fault> {
    let (headers, status) = (response.headers(), response.status());
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Fault::malformed(&"it switches to another protocol"));
    }
    let is_http11 = response.version() == Version::HTTP_11;
    let has = |word| has_word(headers, word);
    // The service asks for another connection, or will close this one (RFC 9110, 15.5.9 and .20).
    let is_last = matches!(status.as_u16(), 408 | 421 | 425);
    let keeps_alive = !is_last && !has("close") && (is_http11 || has("keep-alive"));
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next();
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // A body that is announced nevertheless may be sent later.
        let length = headers.get(header::CONTENT_LENGTH);
        return Ok(keeps_alive && coding.is_none() && length.is_none_or(|length| length == "0"));
    }
    let Some(coding) = coding else { return Ok(keeps_alive) };
    if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
        return Err(Fault::malformed(&"a transfer coding that was not asked for"));
    }
    if !is_http11 {
        // HTTP/1.0 has no chunks: a proxy passed on what it did not understand (RFC 9112, 6.1).
        return Err(Fault::malformed(&"chunks in HTTP/1.0"));
    }
    // A proxy may have used the length instead (RFC 9112, 6.3).
    Ok(keeps_alive && !headers.contains_key(header::CONTENT_LENGTH))
}

/// How long the peer keeps the idle connection: a margin less than the Keep-Alive header states, so
/// that no request meets its close.
fn keep_alive(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("keep-alive")?.to_str().ok()?;
    let timeout = value.split(',').find_map(|part| {
        let (name, seconds) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| seconds.trim().parse().ok()).flatten()
    })?;
    Some(Duration::from_secs(timeout).saturating_sub(KEEP_ALIVE_MARGIN))
}

/// Whether the Connection header contains this word.
fn has_word(headers: &HeaderMap, word: &str) -> bool {
    let words = headers.get_all(header::CONNECTION).iter();
    words
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|it| it.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorization_that_could_add_a_header_is_not_sent() {
        let transport = Transport::new(Settings {
            authority: "127.0.0.1:9".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 9,
            key: "baseUrl",
            proxy: None,
            tls: None,
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(1),
            max_idle: 1,
            max_response: 1,
            user_agent: b"me/1".to_vec(),
            family: Family::Any,
            bind: None,
            dns_ttl: Duration::ZERO,
        });
        let request = Request {
            method: "GET",
            target: "/",
            body: None,
            content_type: "application/json",
            authorization: b"Bearer a\r\nX: b",
        };
        let limits = Limits {
            deadline: std::time::Instant::now() + Duration::from_secs(1),
            cancelled: &Arc::default(),
            abandoned: None,
            must_know: false,
        };
        let failure = transport.unwrap().exchange(&request, &limits).err().unwrap();
        assert_eq!(failure.fault.message, "the credentials contain a control character");
        assert!(!failure.sent && !failure.opened);
    }
}
