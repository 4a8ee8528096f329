//! One HTTP exchange with the service: names, connections, TLS, deadlines, cancellation.
//!
//! `http1` knows what the bytes mean; around it, every wait ends at its deadline and it is known
//! whether a byte of the request left the process. Not here: what an answer means (`api`), and
//! whether to try again (`client`).

mod connection;
mod dial;
mod exchange;
mod http1;
mod input;
mod link;
mod names;
mod pool;
mod proxy;
mod route;
mod tls;
mod tls_files;
mod wire;

pub use exchange::{Failure, Reply, Settings, Transport};
pub use http1::Request;
pub use names::{Family, port_of};
pub use proxy::Proxy;
pub use tls::{Roots, TlsFiles, client_config};
pub use wire::Limits;
