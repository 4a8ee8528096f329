//! Opens connections to the service: name resolution, socket, proxy tunnel, TLS handshake.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::connection::Connection;
use super::error::TransportError;
use super::exchange_state::{ExchangeState, Phase};
use super::happy_eyeballs;
use super::proxy::Proxy;
use super::resolver::Resolver;
use super::stream::Stream;
use super::tls;
use crate::error::Status;

/// Opens the connections of one transport.
#[derive(Debug)]
pub struct Connector {
    /// The host to connect to: the service, or the proxy.
    pub resolver: Resolver,
    /// The proxy, and the host and the port of the service.
    pub proxy: Option<(Arc<Proxy>, String, u16)>,
    /// The TLS configuration and the name that the certificate must have. None for plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The local address of connections.
    pub bind: Option<IpAddr>,
}

impl Connector {
    /// Opens a connection.
    ///
    /// # Errors
    /// Returns in which phase it failed and why.
    pub fn open(&self, exchange: &ExchangeState) -> Result<Connection, TransportError> {
        let addresses = self.resolver.addresses(exchange)?;
        let socket = happy_eyeballs::connect(&self.resolver, &addresses, self.bind, exchange)
            .map_err(|error| match (&self.proxy, error.status) {
                (Some(_), Status::Connect) => {
                    let message = format!("the proxy: {}", error.message);
                    TransportError { message, status: Status::Proxy, ..error }
                }
                _ => error,
            })?;
        let stream = Stream::new(&socket, exchange);
        if let Some((proxy, host, port)) = &self.proxy {
            proxy.tunnel(host, *port, &stream, exchange)?;
        }
        let tls = match &self.tls {
            None => None,
            Some((config, host)) => {
                exchange.enter(Phase::Handshake);
                Some(tls::handshake(config, host, &stream)?)
            }
        };
        exchange.record_opened();
        let mut connection = Connection::new(socket, tls);
        if connection.has_unsolicited_content() {
            let message = "the peer sent data before the request; check the URL and the proxy";
            return Err(TransportError::new(Status::Protocol, message));
        }
        Ok(connection)
    }
}
