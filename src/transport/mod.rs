//! One HTTP exchange with the service: name resolution, connections, proxies, TLS, deadlines and
//! cancellation.
//!
//! ureq speaks HTTP over connections that this module opens, pools and checks. Every wait ends at its
//! deadline, and it is known whether a byte of the request was sent. The meaning of a response
//! belongs in `api`, and retries belong in `client`.

mod buffers;
mod call_context;
mod connection;
mod connector;
mod engine;
mod error;
mod exchange_state;
mod happy_eyeballs;
mod input_buffer;
mod message;
mod pool;
mod proxy;
mod resolver;
mod response_head;
mod stream;
mod tls;
mod tls_files;
#[expect(clippy::module_inception, reason = "the module contains the type `Transport`")]
mod transport;

pub use call_context::{CallContext, CancelToken, Deadline};
pub use message::{ExchangeError, Request, Response};
pub use proxy::Proxy;
pub use resolver::{Family, port_of};
pub use tls::{Roots, TlsFiles, client_config};
pub use transport::{CommonSettings, Settings, Transport};
