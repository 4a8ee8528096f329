//! One HTTP exchange with the service: names, connections, TLS, deadlines, cancellation.
//!
//! ureq speaks HTTP/1.1; all below it is ours, so that every wait ends at its deadline and it is
//! known whether a byte of the request left the process. Not here: what the bytes mean (`api`),
//! and whether to try again (`client`).

mod buffers;
mod connection;
mod connector;
mod dial;
mod exchange;
mod lanes;
mod names;
mod proxy;
mod tls;
mod wire;

pub use exchange::{Failure, Reply, Request, Secret, Settings, Transport};
pub use names::{Family, port_of};
pub use proxy::Proxy;
pub use tls::{Roots, TlsFiles, client_config};
pub use wire::Limits;
