//! Makes connections for a lane's agent: name, socket, proxy, TLS, all within the wire's limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};

use super::connection::{Connection, Link};
use super::dial::dial;
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
    /// How long a connection may be idle and still be used.
    pub idle_timeout: Duration,
}

/// Opens connections on a route, for one lane.
#[derive(Debug)]
pub struct LaneConnector {
    /// Where to.
    pub route: Arc<Route>,
    /// The lane's state.
    pub wire: Arc<Wire>,
}

impl LaneConnector {
    fn open(&self) -> Result<Connection, Fault> {
        let route = &*self.route;
        let addresses = route.names.addresses(&self.wire)?;
        let socket = dial(&route.names, &addresses, route.bind, &self.wire)
            // The host may have moved: look again next time.
            .inspect_err(|_| route.names.forget())
            .map_err(|fault| match (&route.proxy, fault.status) {
                (Some(_), Status::Connect) => {
                    Fault::new(Status::Proxy, format!("the proxy: {}", fault.message))
                }
                _ => fault,
            })?;
        let link = Link::new(socket, self.wire.clone());
        if let Some((proxy, host, port)) = &route.proxy {
            proxy.tunnel(host, *port, &link, &self.wire)?;
        }
        let tls = match &route.tls {
            None => None,
            Some((config, host)) => {
                self.wire.enter(Phase::Handshake);
                Some(tls::handshake(config, host, &link)?)
            }
        };
        self.wire.opened();
        Ok(Connection::new(link, tls, route.idle_timeout))
    }
}

impl Connector<()> for LaneConnector {
    type Out = Connection;

    fn connect(
        &self,
        _: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Connection>, ureq::Error> {
        // ureq's shutdown handles are not registered: nothing of ours calls Agent::shutdown.
        self.open().map(Some).map_err(|fault| self.wire.fail(fault))
    }
}

/// Resolves nothing: ureq asks before every call, but a name is needed only for a new connection.
#[derive(Debug)]
pub struct NoResolver;

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
