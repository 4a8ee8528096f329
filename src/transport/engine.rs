//! The HTTP engine: ureq, over a connection that this library opened.
//!
//! An engine is a ureq agent with one connection. For an exchange, the connection is put into the
//! engine's slot. ureq takes it from there through [`SlotConnector`], and [`SlotTransport`] returns it
//! when ureq drops it, whatever the reason. ureq neither resolves, connects, pools nor times out; it
//! only speaks HTTP.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use once_cell::race::OnceBox;
use ureq::config::Config;
use ureq::http::{Request, Response, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Agent, AsSendBody, Body};

use super::connection::{Connection, closed};
use super::error::TransportError;
use super::exchange_state::ExchangeState;
use crate::error::Status;
use crate::sys::BootInstant as Instant;

/// A connection, and a ureq agent that uses it.
pub struct Engine {
    agent: Agent,
    slot: Arc<Slot>,
    /// The connection, unless it is in use.
    pub connection: Option<Box<Connection>>,
}

impl Engine {
    /// Creates an engine with this connection.
    pub fn new(connection: Box<Connection>) -> Engine {
        let slot = Arc::new(Slot::default());
        Engine { agent: agent(slot.clone()), slot, connection: Some(connection) }
    }

    /// Sends a request and reads the head of the response. The connection stays in use until the
    /// response is dropped.
    ///
    /// # Errors
    /// There is no response. See [`to_transport_error`].
    pub fn run(
        &mut self,
        request: Request<impl AsSendBody>,
        exchange: &Arc<ExchangeState>,
    ) -> Result<Response<Body>, ureq::Error> {
        let exchange = exchange.clone();
        self.slot.put(self.connection.take().map(|connection| Lease { connection, exchange }));
        self.agent.run(request)
    }

    /// Whether its idle connection can be used. See [`Connection::is_usable`].
    pub fn is_usable(&mut self, idle_timeout: Duration) -> bool {
        self.connection.as_mut().is_some_and(|connection| connection.is_usable(idle_timeout))
    }

    /// When its connection became idle.
    pub fn idle_since(&self) -> Instant {
        self.connection.as_ref().map_or_else(Instant::now, |connection| connection.idle_since())
    }

    /// Takes the connection back, once the response was dropped.
    pub fn take_back(&mut self) -> Option<&mut Connection> {
        self.connection = self.slot.take().map(|lease| lease.connection);
        self.connection.as_deref_mut()
    }
}

/// Performs ureq's lazy initialization, once per process: ureq reads the environment when it makes a
/// configuration, and composes a header in its first `run`. No fork may happen during this call.
pub fn initialize() {
    config();
}

/// The configuration of every agent. ureq reads `ALL_PROXY` and similar variables when it creates one.
/// This happens once per process, and the proxy is discarded.
fn config() -> &'static Config {
    // A child of a parent that was in OnceLock's initialization would wait forever.
    static CONFIG: OnceBox<Config> = OnceBox::new();
    CONFIG.get_or_init(|| {
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .max_idle_connections(0)
            .build();
        let agent = Agent::with_parts(config.clone(), SlotConnector(Arc::default()), NoResolver);
        let mut request = Request::new(());
        *request.uri_mut() = Uri::from_static("http://localhost/");
        // Fails, because there is no connection in the slot.
        let _ = agent.run(request);
        Box::new(config)
    })
}

fn agent(slot: Arc<Slot>) -> Agent {
    Agent::with_parts(config().clone(), SlotConnector(slot), NoResolver)
}

/// A connection for one exchange.
struct Lease {
    connection: Box<Connection>,
    exchange: Arc<ExchangeState>,
}

/// The slot in which an exchange and ureq pass the connection to each other. Only one thread uses it at
/// a time, and engines are not used in forked children, so its lock is always free.
#[derive(Default)]
struct Slot(Mutex<Option<Lease>>);

impl Slot {
    fn put(&self, lease: Option<Lease>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lease;
    }

    fn take(&self) -> Option<Lease> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Gives ureq the connection in the slot.
struct SlotConnector(Arc<Slot>);

impl Connector<()> for SlotConnector {
    type Out = SlotTransport;

    fn connect(
        &self,
        _: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<SlotTransport>, ureq::Error> {
        // No shutdown handle is registered, because nothing calls Agent::shutdown.
        let slot = self.0.clone();
        Ok(self.0.take().map(|lease| SlotTransport { lease: Some(lease), slot }))
    }
}

impl fmt::Debug for SlotConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlotConnector")
    }
}

/// The transport for ureq, over the connection of the slot.
struct SlotTransport {
    /// Present until the transport is dropped.
    lease: Option<Lease>,
    slot: Arc<Slot>,
}

impl SlotTransport {
    fn lease(&mut self) -> &mut Lease {
        self.lease.as_mut().expect("a transport has its connection until it is dropped")
    }
}

impl Drop for SlotTransport {
    fn drop(&mut self) {
        self.slot.put(self.lease.take());
    }
}

impl Transport for SlotTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        let Lease { connection, exchange } = self.lease();
        if let Some(expected) = exchange.expected_body() {
            connection.buffers.hide_content(expected);
        }
        &mut connection.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let pending = self.lease().connection.buffers.append(amount);
        pending.map_err(|_| {
            wrap(TransportError::new(Status::Internal, "the request is larger than expected"))
        })
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let Lease { connection, exchange } = self.lease();
        connection.await_input(exchange).map_err(wrap)
    }

    fn is_open(&mut self) -> bool {
        // ureq must not keep the connection in its own pool.
        false
    }

    fn is_tls(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.connection.has_tls())
    }
}

impl fmt::Debug for SlotTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlotTransport")
    }
}

/// Resolves nothing. ureq calls it before every request, although the connection is already open.
#[derive(Debug)]
struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// Wraps an error of the connection, which ureq returns.
fn wrap(error: TransportError) -> ureq::Error {
    ureq::Error::Other(Box::new(error))
}

/// Converts an error of ureq, which may contain one of the connection.
pub fn to_transport_error(error: ureq::Error, exchange: &ExchangeState) -> TransportError {
    match error {
        ureq::Error::Other(error) => match error.downcast::<TransportError>() {
            Ok(error) => *error,
            Err(other) => TransportError::malformed(&other),
        },
        // ureq reports the end of the input in the middle of a response in this way.
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            closed(exchange)
        }
        ureq::Error::Http(error) => {
            TransportError::new(Status::Internal, format!("the request cannot be sent: {error}"))
        }
        other => TransportError::malformed(&other),
    }
}
