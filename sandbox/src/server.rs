//! Accepts connections and serves HTTP/1.1 on them, within limits that keep a bad peer harmless.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use crate::cli::Arguments;
use crate::service::Sandbox;
use crate::stream::{Conduct, Faulty};
use crate::{control, service, tls};

/// How long a peer may take for the head of a request, idle time between requests included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a peer may take for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of a connection and the way it is to behave; with every request.
#[derive(Clone)]
pub struct Connection {
    /// 1 for the first connection.
    pub number: u64,
    /// What faults make of the connection.
    pub conduct: Arc<Conduct>,
}

/// The listening server.
pub struct Server {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    address: SocketAddr,
    router: Router,
}

impl Server {
    /// Listens, and writes the authority's file.
    pub async fn bind(arguments: &Arguments, sandbox: Arc<Sandbox>) -> Result<Server, String> {
        let wanted = arguments.listen;
        let fail = |e| format!("cannot listen on {wanted}: {e}");
        let socket = if wanted.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(fail)?;
        socket.set_reuseaddr(true).map_err(fail)?;
        socket.bind(wanted).map_err(fail)?;
        // Tests open thousands of connections at once.
        let listener = socket.listen(4096).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let acceptor = match arguments.tls {
            true => Some(tls::acceptor(address.ip(), arguments.ca_out.as_deref())?),
            false => None,
        };
        let router = Router::new()
            .nest("/_sandbox", control::routes())
            .fallback(service::handle)
            .with_state(sandbox);
        Ok(Server { listener, acceptor, address, router })
    }

    /// Prints the base URL.
    pub fn announce(&mut self) -> Result<(), String> {
        let scheme = if self.acceptor.is_some() { "https" } else { "http" };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{scheme}://{}/v1", self.address)
            .and_then(|()| out.flush())
            .map_err(|e| format!("cannot print the URL: {e}"))
    }

    /// Serves for ever.
    pub async fn run(&self) {
        let count = AtomicU64::new(0);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                    tokio::spawn(serve(stream, self.acceptor.clone(), self.router.clone(), number));
                }
                // No descriptor left, most likely: some connection will end.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

async fn serve(stream: TcpStream, acceptor: Option<TlsAcceptor>, router: Router, number: u64) {
    // Only latency would suffer.
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => serve_http(stream, router, number).await,
        Some(acceptor) => {
            let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
            if let Ok(Ok(stream)) = handshake.await {
                serve_http(stream, router, number).await;
            }
        }
    }
}

async fn serve_http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    number: u64,
) {
    let connection = Connection { number, conduct: Arc::default() };
    let stream = TokioIo::new(Faulty::new(stream, connection.conduct.clone()));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        router.call(request.map(Body::new))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(100)
        .serve_connection(stream, service);
    // A peer that breaks off is its own affair.
    let _ = served.await;
}

/// Ends when the process is told to.
pub async fn stop_signal() {
    let (term, int) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut term), Ok(mut int)) = (term, int) else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
