//! One HTTP exchange with the service: names, connections, TLS, deadlines, cancellation.
//!
//! ureq speaks HTTP, over connections that are opened, kept and guarded here: every wait ends at its
//! deadline, and it is known whether a byte of the request left the process. Not here: what a
//! response means (`api`), and whether to retry (`client`).

mod buffers;
mod connection;
mod dial;
mod engine;
mod exchange;
mod input;
mod link;
mod names;
mod pool;
mod proxy;
mod route;
mod tls;
mod tls_files;
mod wire;

pub use exchange::{Failure, Reply, Request, Settings, Transport};
pub use names::{Family, port_of};
pub use proxy::Proxy;
pub use tls::{Roots, TlsFiles, client_config};
pub use wire::Limits;
