//! The way to the service: name, socket, proxy, TLS, all within the limits of the exchange that
//! needs a connection.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::connection::Connection;
use super::dial::dial;
use super::link::Link;
use super::names::Names;
use super::proxy::Proxy;
use super::tls;
use super::wire::{Fault, Phase, Wire};
use crate::error::Status;

/// Where a client's connections go and what they are like.
#[derive(Debug)]
pub struct Route {
    /// The host to connect to: the service's, or the proxy's.
    pub names: Names,
    /// The proxy, and the service's host and port, to which it is to make a tunnel.
    pub proxy: Option<(Arc<Proxy>, String, u16)>,
    /// TLS, and the name that the certificate must have; none for plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The local address to connect from.
    pub bind: Option<IpAddr>,
}

impl Route {
    /// Opens a connection.
    ///
    /// # Errors
    /// A fault that says how far it came and what to do.
    pub fn open(&self, wire: &Wire<'_>) -> Result<Connection, Fault> {
        let addresses = self.names.addresses(wire)?;
        let socket = dial(&self.names, &addresses, self.bind, wire).map_err(|fault| {
            match (&self.proxy, fault.status) {
                (Some(_), Status::Connect) => {
                    let message = format!("the proxy: {}", fault.message);
                    Fault { message, status: Status::Proxy, ..fault }
                }
                _ => fault,
            }
        })?;
        let link = Link::new(&socket, wire);
        if let Some((proxy, host, port)) = &self.proxy {
            proxy.tunnel(host, *port, &link, wire)?;
        }
        let tls = match &self.tls {
            None => None,
            Some((config, host)) => {
                wire.enter(Phase::Handshake);
                Some(tls::handshake(config, host, &link)?)
            }
        };
        wire.opened();
        Ok(Connection::new(socket, tls))
    }
}
