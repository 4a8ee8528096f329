//! Accepts connections and serves HTTP/1.1 on them, with limits against misbehaving clients.

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

use crate::auth::TOKEN_PATH;
use crate::cli::Arguments;
use crate::stream::{Connection, FaultyStream};
use crate::tls;

/// How long a client may take to send the head of a request, including the idle time before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may take for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The warning if `--tls` is given without `--ca-out`.
const NO_CA_OUT: &str =
    "no client can trust the certificate; add --ca-out FILE, and set caFile to that file";

/// The listening server.
pub struct Server {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    address: SocketAddr,
    router: Router,
}

impl Server {
    /// Starts to listen, and writes the file of `--ca-out`.
    pub async fn bind(arguments: &Arguments, router: Router) -> Result<Server, String> {
        let wanted = arguments.listen;
        if !wanted.ip().to_canonical().is_loopback() {
            eprintln!(
                "bw-sandbox: warning: {} is not a loopback address: /_sandbox has no password, so \
                 everyone who can connect controls the sandbox",
                wanted.ip()
            );
        }
        if arguments.tls && arguments.ca_out.is_none() {
            eprintln!("bw-sandbox: warning: {NO_CA_OUT}");
        }
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
        Ok(Server { listener, acceptor, address, router })
    }

    /// Prints the base URL and, with `--env`, everything else that a client needs.
    pub fn print_url(&self, arguments: &Arguments) -> Result<(), String> {
        let scheme = if self.acceptor.is_some() { "https" } else { "http" };
        let root = format!("{scheme}://{}", self.address);
        let mut text = format!("{root}/v1\n");
        if arguments.env {
            text += &environment(&root, arguments);
        }
        // In one write: a reader may close the pipe after the first line.
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|e| format!("cannot print the URL: {e}"))?;
        if !arguments.quiet {
            eprintln!("bw-sandbox: live page: {root}/");
        }
        Ok(())
    }

    /// Serves until the process ends.
    pub async fn run(&self) {
        let count = AtomicU64::new(0);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                    tokio::spawn(serve(stream, self.acceptor.clone(), self.router.clone(), number));
                }
                // Most likely no descriptor is left: wait until a connection ends.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// Shell commands that set the environment variables of a client of this sandbox.
fn environment(root: &str, arguments: &Arguments) -> String {
    let variables = [
        ("BW_ACCOUNT_ID", arguments.account.clone()),
        ("BW_CLIENT_ID", arguments.client_id.clone()),
        ("BW_CLIENT_SECRET", arguments.client_secret.clone()),
        ("BW_BASE_URL", format!("{root}/v1")),
        ("BW_ENDPOINTS_URL", format!("{root}/v2")),
        ("BW_TOKEN_URL", format!("{root}{TOKEN_PATH}")),
    ];
    // A client rejects a configuration with both kinds of credentials.
    let mut text = "unset BW_USERNAME BW_PASSWORD\n".to_owned();
    for (name, value) in variables {
        text += &format!("export {name}='{}'\n", value.replace('\'', "'\\''"));
    }
    if let Some(file) = &arguments.ca_out {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        // Quoted as in Rust, which escapes line breaks: the comment cannot end early.
        text += &format!("# No variable for this: set the configuration key caFile to {file:?}\n");
    } else if arguments.tls {
        text += &format!("# {NO_CA_OUT}\n");
    }
    text
}

async fn serve(stream: TcpStream, acceptor: Option<TlsAcceptor>, router: Router, number: u64) {
    // A failure affects only the latency.
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
    let connection = Connection { number, mode: Arc::default() };
    let stream = TokioIo::new(FaultyStream::new(stream, connection.mode.clone()));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        router.call(request.map(Body::new))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(100)
        .serve_connection(stream, service)
        // For websockets.
        .with_upgrades();
    // An error concerns only this connection.
    let _ = served.await;
}

/// Installs the handlers of SIGTERM and SIGINT; the future ends at the first signal.
pub fn stop_signal() -> impl Future<Output = ()> {
    let (term, int) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut term), Ok(mut int)) = (term, int) else {
            // Without a handler, these signals end the process.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
}
