//! The transport: sends one request, reads one answer, and tells how far it came.

use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use once_cell::race::OnceBox;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use ureq::config::Config;
use ureq::http::uri::{self, Authority, PathAndQuery, Scheme};
use ureq::http::{HeaderMap, HeaderValue, Method, Response, Uri, header};
use zeroize::Zeroizing;

use super::connector::{LaneConnector, NoResolver, Route};
use super::lanes::{Lane, Lanes};
use super::names::{Family, Known, Names};
use super::proxy::Proxy;
use super::tls;
use super::wire::{Fault, Limits, Phase, Wire};
use crate::error::Status;
use crate::sys::PerProcess;

/// An answer that is longer makes its room as it comes: the length may be a lie.
const USUAL_ANSWER: u64 = 16 * 1024;

/// What a transport needs to know, checked by the configuration.
pub struct Settings {
    /// The base URL's scheme, host and port; its path is the caller's.
    pub scheme: Scheme,
    /// Host and, where given, port, as the URL has them.
    pub authority: Authority,
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
    /// The User-Agent header.
    pub user_agent: HeaderValue,
    /// Which addresses may be used.
    pub family: Family,
    /// The local address to connect from.
    pub bind: Option<IpAddr>,
    /// How long a name's addresses are remembered.
    pub dns_ttl: Duration,
}

/// One request.
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub target: &'a str,
    /// The JSON body.
    pub body: Option<&'a str>,
    /// The Authorization header.
    pub authorization: &'a Secret,
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

/// A header value whose memory is wiped when its last user is done.
#[derive(Clone)]
pub struct Secret(HeaderValue);

impl Secret {
    /// Takes the header's text.
    ///
    /// # Errors
    /// None, if the text cannot stand in a header.
    pub fn new(text: Zeroizing<String>) -> Option<Secret> {
        struct Wiped(Zeroizing<String>);
        impl AsRef<[u8]> for Wiped {
            fn as_ref(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Wiped(text))).ok()?;
        value.set_sensitive(true);
        Some(Secret(value))
    }

    /// The header's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The way to one service for one client.
pub struct Transport {
    settings: Settings,
    host: String,
    server_name: Option<ServerName<'static>>,
    known: Arc<Known>,
    own: PerProcess<Own>,
}

/// What a process does not share with its children.
struct Own {
    route: Arc<Route>,
    lanes: Lanes,
}

impl Own {
    fn new_lane(&self) -> Lane {
        let wire = Arc::new(Wire::new());
        let connector = LaneConnector { route: self.route.clone(), wire: wire.clone() };
        let agent = ureq::Agent::with_parts(base_config().clone(), connector, NoResolver);
        Lane { agent, wire }
    }
}

impl Transport {
    /// A transport that has connected to nothing yet.
    ///
    /// # Errors
    /// What is wrong with the host.
    pub fn new(settings: Settings) -> Result<Transport, String> {
        let host = settings.authority.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned());
        let server_name = match &settings.tls {
            None => None,
            Some(_) => Some(name.map_err(|_| format!("{host} is not a host name"))?),
        };
        // What is initialised lazily is so now, that no fork can fall into it: ring's look at the
        // processor, and ureq's one read of the environment (see `base_config`).
        if let (Some(config), Some(name)) = (&settings.tls, &server_name) {
            ClientConnection::new(config.clone(), name.clone())
                .map_err(|e| format!("TLS cannot be set up for {host}: {e}"))?;
        }
        base_config();
        Ok(Transport {
            host: bare.to_owned(),
            settings,
            server_name,
            known: Arc::default(),
            own: PerProcess::new(),
        })
    }

    /// Lanes and names of this process, new in a forked child.
    fn own(&self) -> &Own {
        self.own.get(|| {
            let settings = &self.settings;
            let tls =
                settings.tls.as_deref().map(tls::for_this_process).zip(self.server_name.clone());
            let port = settings.port;
            let proxy = settings.proxy.clone();
            let (host, of_host, key) = match &proxy {
                Some(proxy) => (proxy.host.as_str(), proxy.port, "proxy"),
                None => (self.host.as_str(), port, "baseUrl"),
            };
            let (family, ttl) = (settings.family, settings.dns_ttl);
            Own {
                route: Arc::new(Route {
                    names: Names::new(host, of_host, key, family, ttl, self.known.clone()),
                    proxy: proxy.map(|proxy| (proxy, self.host.clone(), port)),
                    tls,
                    bind: settings.bind,
                    idle_timeout: settings.idle_timeout,
                }),
                lanes: Lanes::new(settings.max_idle),
            }
        })
    }

    /// Sends the request and reads the answer, within the limits.
    ///
    /// # Errors
    /// Why there is no answer, and whether the service may have got the request.
    pub fn exchange(&self, request: &Request<'_>, limits: &Limits) -> Result<Reply, Failure> {
        let own = self.own();
        let lane = own.lanes.take().unwrap_or_else(|| Box::new(own.new_lane()));
        lane.wire.begin(limits, self.settings.connect_timeout);
        let result = self.run(&lane, request);
        // A failed exchange's connection is closed by ureq, so the lane itself stays good.
        own.lanes.put(lane);
        result
    }

    fn run(&self, lane: &Lane, request: &Request<'_>) -> Result<Reply, Failure> {
        let failure = |error: ureq::Error| {
            let (phase, sent, opened) = lane.wire.progress();
            let fault = lane.wire.take_fault().unwrap_or_else(|| explain(&error, phase));
            Failure { fault, sent, opened }
        };
        lane.wire.left().map_err(|fault| Failure { fault, sent: false, opened: false })?;
        let mut response = self.send(&lane.agent, request).map_err(failure)?;
        // Room for the answer as long as it says it is, unless that is more than answers are.
        let length = response.body().content_length().unwrap_or(0).min(USUAL_ANSWER) as usize;
        let mut reply = Reply {
            status: response.status().as_u16(),
            retry_after: text_header(response.headers(), &header::RETRY_AFTER),
            body: Vec::with_capacity(length + 64),
            cut: None,
            opened: lane.wire.progress().2,
        };
        // One byte more than allowed shows that there is more.
        let mut reader =
            response.body_mut().as_reader().take(self.settings.max_response as u64 + 1);
        if let Err(error) = reader.read_to_end(&mut reply.body) {
            reply.cut = Some(failure(ureq::Error::from(error)).fault);
        }
        if reply.body.len() > self.settings.max_response {
            reply.body.truncate(self.settings.max_response);
            reply.cut = Some(Fault::new(
                Status::Protocol,
                format!(
                    "the answer is larger than {} bytes (maxResponseBytes)",
                    self.settings.max_response
                ),
            ));
        }
        Ok(reply)
    }

    fn send(
        &self,
        agent: &ureq::Agent,
        request: &Request<'_>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.settings.scheme.clone());
        parts.authority = Some(self.settings.authority.clone());
        let target = PathAndQuery::try_from(request.target).map_err(ureq::http::Error::from)?;
        parts.path_and_query = Some(target);
        let uri = Uri::from_parts(parts).map_err(ureq::http::Error::from)?;
        match request.body {
            None => agent.run(self.head(request, uri, ())),
            Some(body) => {
                let mut head = self.head(request, uri, body);
                head.headers_mut().insert(header::CONTENT_TYPE, JSON);
                agent.run(head)
            }
        }
    }

    /// The request's head. Not by http's builder, which moves all of it at every step.
    fn head<B>(&self, request: &Request<'_>, uri: Uri, body: B) -> ureq::http::Request<B> {
        let mut head = ureq::http::Request::new(body);
        *head.method_mut() = request.method.clone();
        *head.uri_mut() = uri;
        let headers = head.headers_mut();
        headers.insert(header::AUTHORIZATION, request.authorization.0.clone());
        headers.insert(header::USER_AGENT, self.settings.user_agent.clone());
        headers.insert(header::ACCEPT, JSON);
        head
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The configuration of every agent. ureq's builder reads `ALL_PROXY` and its like; it is called
/// once in a process and what it read is thrown away.
fn base_config() -> &'static Config {
    // OnceLock would wait in a child for an initialisation that its parent's thread had begun.
    static BASE: OnceBox<Config> = OnceBox::new();
    BASE.get_or_init(|| {
        let config = ureq::Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("")
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            // Our connections know their own age.
            .max_idle_age(Duration::from_secs(365 * 24 * 3600))
            .build();
        Box::new(config)
    })
}

fn text_header(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// What ureq found wrong that our layers did not.
fn explain(error: &ureq::Error, phase: Phase) -> Fault {
    match error {
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => match phase {
            Phase::Receiving => Fault::cut("the connection was closed in the middle of the answer"),
            _ => Fault::new(Status::Network, "the connection was closed before any answer came"),
        },
        ureq::Error::Io(e) => {
            Fault::new(Status::Network, format!("the connection failed while {phase}: {e}"))
        }
        ureq::Error::LargeResponseHeader(..) => {
            Fault::new(Status::Protocol, "the head of the answer is larger than 64 KiB")
        }
        other => Fault::new(
            Status::Protocol,
            format!("what answered does not speak HTTP as the service does: {other}"),
        ),
    }
}
