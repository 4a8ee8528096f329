//! The transport to one service: sends a request, reads the response, and reports whether the request
//! was sent.

use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use ureq::http::header;
use ureq::http::uri::{self, Authority, PathAndQuery, Scheme};
use ureq::http::{HeaderValue, Method, Uri};
use ureq::{AsSendBody, Body, http};

use super::call_context::CallContext;
use super::connector::Connector;
use super::engine::{self, Engine};
use super::error::TransportError;
use super::exchange_state::ExchangeState;
use super::message::{ExchangeError, Request, Response};
use super::pool::Pool;
use super::proxy::Proxy;
use super::resolver::{DnsCache, Family, Resolver};
use super::response_head::{self, keep_alive, text_header};
use super::tls;
use crate::error::{NO_MEMORY, Status};
use crate::redact;
use crate::sys::{self, BootInstant as Instant, PerProcess};

/// The headers that all requests have, up to the User-Agent's value.
const COMMON_HEADERS: &[u8] =
    b"accept: application/json\r\naccept-encoding: identity\r\nuser-agent: ";
/// The minimum time between two checks of all idle connections.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How much memory is reserved in advance for the body of a response, in bytes. The announced length
/// may be false, so it is limited.
const MAX_RESERVED_BODY: u64 = 16 * 1024;
/// How much memory is reserved for a body of unknown length, in bytes.
const DEFAULT_RESERVED_BODY: u64 = 1024;
/// How many bytes of the body ureq reads at once.
const READ_SIZE: usize = 1024;
/// More bytes than a request has besides its target, its body and the values of its headers.
const HEAD_OVERHEAD: usize = 512;

/// The settings of a transport, checked by the configuration.
pub struct Settings {
    /// The configuration key of the URL, for messages.
    pub key: &'static str,
    /// The host and the port, if any, as in the URL.
    pub authority: String,
    /// The host alone, without brackets.
    pub host: String,
    /// The port of the URL, or the default of its scheme.
    pub port: u16,
    /// The TLS configuration, for https.
    pub tls: Option<Arc<ClientConfig>>,
    /// The maximum number of idle connections.
    pub max_idle: usize,
    /// The settings that all transports of a client share.
    pub common: Arc<CommonSettings>,
}

/// The settings that all transports of a client share.
pub struct CommonSettings {
    /// The proxy, if any.
    pub proxy: Option<Arc<Proxy>>,
    /// The timeout for name resolution, connection, proxy and TLS together.
    pub connect_timeout: Duration,
    /// How long an idle connection can be used.
    pub idle_timeout: Duration,
    /// The maximum size of the body of a response, in bytes.
    pub max_response: usize,
    /// The value of the User-Agent header.
    pub user_agent: Vec<u8>,
    /// The addresses that may be used.
    pub family: Family,
    /// The local address of connections.
    pub bind: Option<IpAddr>,
    /// How long resolved addresses are used.
    pub dns_ttl: Duration,
}

/// The transport of one client to one service. All threads may use it at the same time.
pub struct Transport {
    settings: Settings,
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    /// The other headers of all requests, as lines. They are inserted into the output of ureq with the
    /// Authorization header, because ureq takes 1000 instructions for each header.
    common_headers: Vec<u8>,
    server_name: Option<ServerName<'static>>,
    dns_cache: Arc<DnsCache>,
    process_state: PerProcess<ProcessState>,
}

/// The state that a process does not share with forked children.
struct ProcessState {
    connector: Connector,
    /// The engines with an idle connection.
    idle: Pool<Engine>,
    created: Instant,
    /// When idle connections are checked next, in milliseconds since `created`.
    next_sweep: AtomicU64,
}

impl Transport {
    /// Creates a transport. Opens no connection.
    ///
    /// # Errors
    /// Returns the configuration key of the URL, and the problem of its host.
    pub fn new(settings: Settings) -> Result<Transport, (&'static str, String)> {
        let key = settings.key;
        let host = &settings.host;
        let name = ServerName::try_from(host.clone());
        let shown = redact::line(host);
        let server_name = match &settings.tls {
            None => None,
            Some(_) => Some(name.map_err(|_| (key, format!("{shown} is not a host name")))?),
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
        .map_err(|e| (key, format!("TLS cannot be set up for {shown}: {e}")))?;
        let invalid = |what: &str| (key, format!("{what} cannot be sent in a request"));
        let authority = Authority::try_from(settings.authority.as_str());
        let host_header =
            HeaderValue::from_str(&settings.authority).map_err(|_| invalid(&shown))?;
        let user_agent = HeaderValue::from_bytes(&settings.common.user_agent);
        let user_agent = user_agent.map_err(|_| invalid("the User-Agent"))?;
        let common_headers = [COMMON_HEADERS, user_agent.as_bytes(), b"\r\n"].concat();
        Ok(Transport {
            scheme: if settings.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP },
            authority: authority.map_err(|_| invalid(&shown))?,
            host: host_header,
            common_headers,
            settings,
            server_name,
            dns_cache: Arc::default(),
            process_state: PerProcess::new(),
        })
    }

    /// The state of this process. A forked child creates its own.
    fn process_state(&self) -> &ProcessState {
        self.process_state.get(|| {
            let settings = &self.settings;
            let tls =
                settings.tls.as_deref().map(tls::for_this_process).zip(self.server_name.clone());
            let port = settings.port;
            let proxy = settings.common.proxy.clone();
            let (host, host_port, key) = match &proxy {
                Some(proxy) => (proxy.host.as_str(), proxy.port, "proxy"),
                None => (settings.host.as_str(), port, settings.key),
            };
            let (family, ttl) = (settings.common.family, settings.common.dns_ttl);
            ProcessState {
                connector: Connector {
                    resolver: Resolver::new(
                        host,
                        host_port,
                        key,
                        family,
                        ttl,
                        self.dns_cache.clone(),
                    ),
                    proxy: proxy.map(|proxy| (proxy, settings.host.clone(), port)),
                    tls,
                    bind: settings.common.bind,
                },
                idle: Pool::new(settings.max_idle),
                created: Instant::now(),
                next_sweep: AtomicU64::new(millis(SWEEP_INTERVAL)),
            }
        })
    }

    /// Sends the request and reads the response, before the deadline.
    ///
    /// # Errors
    /// Returns why there is no response, and whether the service may have received the request.
    pub fn exchange(
        &self,
        request: &Request<'_>,
        context: &CallContext<'_>,
    ) -> Result<Response, ExchangeError> {
        let exchange = Arc::new(ExchangeState::new(context, self.settings.common.connect_timeout));
        self.run(request, &exchange).map_err(|error| ExchangeError {
            error,
            sent: exchange.was_sent(),
            opened: exchange.has_opened(),
        })
    }

    fn run(
        &self,
        request: &Request<'_>,
        exchange: &Arc<ExchangeState>,
    ) -> Result<Response, TransportError> {
        // A line break would end the header. The message must not contain the value.
        // No early exit, so that the compiler vectorizes the loop: a token is long.
        let is_control = |byte: &u8| byte.is_ascii_control();
        if request.authorization.iter().fold(false, |any, byte| any | is_control(byte)) {
            let why = "the credentials contain a control character";
            return Err(TransportError::new(Status::Internal, why));
        }
        let state = self.process_state();
        let idle = (!request.needs_new_connection).then(|| self.take_idle(&state.idle));
        let mut engine = match idle.flatten() {
            Some(engine) => engine,
            None => Box::new(Engine::new(Box::new(state.connector.open(exchange)?))),
        };
        if let Some(connection) = &mut engine.connection {
            connection.buffers.prepare(self.size_of(request), &self.inserted_headers(request));
        }
        // If the exchange fails, the engine is dropped, which closes its connection.
        let response = self
            .send(&mut engine, request, exchange)
            .map_err(|error| engine::to_transport_error(error, exchange))?;
        let end = response_head::check(&response)?;
        let (head, body) = response.into_parts();
        let length = body.content_length().unwrap_or(DEFAULT_RESERVED_BODY).min(MAX_RESERVED_BODY);
        exchange.begin_body(length as usize);
        let mut body_error = if end.is_empty {
            // Returns the connection to the engine.
            drop(body);
            None
        } else {
            self.read_body(body, exchange).err()
        };
        let Some(connection) = engine.take_back() else {
            return Err(TransportError::new(
                Status::Internal,
                "the HTTP engine kept the connection",
            ));
        };
        let content = connection.buffers.take_content();
        if content.is_none() {
            body_error = Some(TransportError::new(Status::Internal, NO_MEMORY));
        }
        let mut body = content.unwrap_or_default();
        let is_reusable = end.is_reusable
            && body_error.is_none()
            && connection.set_idle(keep_alive(&head.headers));
        let most = self.settings.common.max_response;
        if body.len() > most {
            body.truncate(most);
            body_error = Some(TransportError::new(
                Status::Protocol,
                format!("the response is larger than {most} bytes (maxResponseBytes)"),
            ));
        } else if is_reusable {
            let now = engine.idle_since();
            state.idle.put(engine);
            self.sweep_idle(state, now);
        }
        Ok(Response {
            status: head.status.as_u16(),
            retry_after: text_header(&head.headers, &header::RETRY_AFTER),
            body,
            body_error,
            content_coding: text_header(&head.headers, &header::CONTENT_ENCODING)
                .filter(|coding| !coding.trim().eq_ignore_ascii_case("identity")),
            opened: exchange.has_opened(),
        })
    }

    /// The headers that are inserted into the output of ureq, without the end of the last line.
    fn inserted_headers<'a>(&'a self, request: &Request<'a>) -> [&'a [u8]; 6] {
        let [name, media_type, end] = match request.body {
            Some(_) => [b"content-type: ", request.content_type.as_bytes(), b"\r\n"],
            None => [&b""[..]; 3],
        };
        [&self.common_headers, name, media_type, end, b"authorization: ", request.authorization]
    }

    /// An upper bound of the size of the request in bytes.
    fn size_of(&self, request: &Request<'_>) -> usize {
        let body = request.body.unwrap_or("").len();
        let common = self.settings.authority.len() + self.common_headers.len();
        request.target.len() + body + request.authorization.len() + common + HEAD_OVERHEAD
    }

    fn send(
        &self,
        engine: &mut Engine,
        request: &Request<'_>,
        exchange: &Arc<ExchangeState>,
    ) -> Result<http::Response<Body>, ureq::Error> {
        match request.body {
            Some(body) => engine.run(self.head(request, body)?, exchange),
            None => engine.run(self.head(request, ())?, exchange),
        }
    }

    /// The request for ureq, without the headers that are inserted later. It does not use http's
    /// builder, which moves the whole request in each step.
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

    /// Lets ureq read the body to its end, or to the first byte after the maximum size. ureq does not
    /// see the content, which the connection's buffers collect.
    fn read_body(&self, mut body: Body, exchange: &ExchangeState) -> Result<(), TransportError> {
        // Small, because it is cleared for each response.
        let mut hidden = [0; READ_SIZE];
        let mut room = self.settings.common.max_response.saturating_add(1);
        let mut reader = body.as_reader();
        while room > 0 {
            let size = room.min(hidden.len());
            match reader.read(&mut hidden[..size]) {
                Ok(0) => break,
                Ok(count) => room -= count,
                Err(error) => return Err(engine::to_transport_error(error.into(), exchange)),
            }
        }
        Ok(())
    }

    /// Closes the idle connections that are too old or that the peer has closed, at most once per
    /// second. Without it, only connections that a thread takes would be checked.
    fn sweep_idle(&self, state: &ProcessState, now: Instant) {
        let timeout = self.settings.common.idle_timeout;
        let (now_ms, due) = (millis(now - state.created), state.next_sweep.load(Ordering::Relaxed));
        let next = now_ms.saturating_add(millis(SWEEP_INTERVAL));
        if now_ms >= due
            && state
                .next_sweep
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            // A connection that was just used is skipped, because another thread may need it now.
            state.idle.sweep(|engine| {
                engine.idle_since().elapsed() < SWEEP_INTERVAL.min(timeout)
                    || engine.is_usable(timeout)
            });
        }
    }

    fn take_idle(&self, idle: &Pool<Engine>) -> Option<Box<Engine>> {
        let timeout = self.settings.common.idle_timeout;
        std::iter::from_fn(|| idle.take()).find_map(|mut it| it.is_usable(timeout).then_some(it))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::call_context::{CancelToken, Deadline};
    use super::*;
    use std::cell::Cell;

    fn settings(host: &str, tls: Option<Arc<ClientConfig>>) -> Settings {
        Settings {
            authority: format!("{host}:9"),
            host: host.to_owned(),
            port: 9,
            key: "baseUrl",
            tls,
            max_idle: 1,
            common: Arc::new(CommonSettings {
                proxy: None,
                connect_timeout: Duration::from_secs(1),
                idle_timeout: Duration::from_secs(1),
                max_response: 1,
                user_agent: b"me/1".to_vec(),
                family: Family::Any,
                bind: None,
                dns_ttl: Duration::ZERO,
            }),
        }
    }

    #[test]
    fn token_in_place_of_a_host_name_is_not_quoted() {
        let config = tls::client_config(tls::Roots::Bundled, &tls::TlsFiles::default());
        let host = format!("eyJhbGciOiJIUzI1NiJ9.eyJ{}.c2ln", "s".repeat(100));
        let (key, problem) = Transport::new(settings(&host, config.ok())).err().unwrap();
        assert_eq!((key, &*problem), ("baseUrl", "[removed] is not a host name"));
    }

    #[test]
    fn authorization_that_could_add_a_header_is_not_sent() {
        let transport = Transport::new(settings("127.0.0.1", None));
        let request = Request {
            method: "GET",
            target: "/",
            body: None,
            content_type: "application/json",
            authorization: b"Bearer a\r\nX: b",
            needs_new_connection: false,
        };
        let context = CallContext {
            deadline: Deadline::after(Duration::from_secs(1)),
            cancel: CancelToken { client: &Arc::default(), call: None, completes_if_sent: false },
            retry_after: &Cell::default(),
        };
        let failure = transport.unwrap().exchange(&request, &context).err().unwrap();
        assert_eq!(failure.error.message, "the credentials contain a control character");
        assert!(!failure.sent && !failure.opened);
    }
}
