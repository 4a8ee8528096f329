//! TLS: which authorities are trusted, the handshake, and messages that say what to do.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use once_cell::race::OnceBox;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore};

use super::link::{Link, LinkIo, RequestIo, unwrap};
use super::wire::{Fault, Phase};
use crate::error::Status;

/// Where distributions keep the system's authorities. Their environment variables are not read.
const SYSTEM_STORES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Which authorities are trusted where no file is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's, built into the library.
    Bundled,
    /// The operating system's.
    System,
}

/// The files of a TLS configuration.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// PEM file of the authorities to trust instead of any others.
    pub ca: Option<String>,
    /// PEM file of the client's certificate chain.
    pub client_cert: Option<String>,
    /// PEM file of the client's private key.
    pub client_key: Option<String>,
}

/// Reads and checks everything that TLS needs. Connects to nothing.
///
/// # Errors
/// The configuration key that is at fault, and why.
pub fn client_config(
    roots: Roots,
    files: &TlsFiles,
) -> Result<Arc<ClientConfig>, (&'static str, String)> {
    let store = match (&files.ca, roots) {
        (Some(path), _) => Arc::new(store_of(path).map_err(|why| ("caFile", why))?),
        (None, Roots::Bundled) => bundled().clone(),
        (None, Roots::System) => {
            let path = SYSTEM_STORES.iter().find(|path| Path::new(path).exists()).ok_or((
                "roots",
                "no certificate store of the system was found; use \"bundled\" or caFile"
                    .to_owned(),
            ))?;
            Arc::new(store_of(path).map_err(|why| ("roots", why))?)
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ("roots", format!("TLS cannot be set up: {e}")))?
        .with_root_certificates(store);
    let config = match (&files.client_cert, &files.client_key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert).map_err(|why| ("clientCertFile", why))?;
            let key = private_key(key).map_err(|why| ("clientKeyFile", why))?;
            builder.with_client_auth_cert(chain, key).map_err(|e| {
                ("clientKeyFile", format!("does not fit the certificate in clientCertFile: {e}"))
            })?
        }
        (Some(_), None) => {
            return Err(("clientKeyFile", "is missing beside clientCertFile".into()));
        }
        (None, Some(_)) => {
            return Err(("clientCertFile", "is missing beside clientKeyFile".into()));
        }
    };
    Ok(Arc::new(config))
}

/// The configuration for one process. A child must not wait for the lock on its parent's sessions,
/// which another thread may have held at the fork.
pub fn for_this_process(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut own = config.clone();
    // The tickets of one host.
    own.resumption = Resumption::in_memory_sessions(8);
    Arc::new(own)
}

/// The authorities that are built in, the same for all clients.
fn bundled() -> &'static Arc<RootCertStore> {
    static STORE: OnceBox<Arc<RootCertStore>> = OnceBox::new();
    STORE.get_or_init(|| {
        Box::new(Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }))
    })
}

fn store_of(path: &str) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates(path)?);
    if added == 0 {
        return Err(format!("{path} holds no usable certificate"));
    }
    Ok(store)
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read_file(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|e| format!("{path} is not a readable PEM file: {e}"))?;
    if found.is_empty() {
        return Err(format!("{path} holds no certificate (PEM is expected)"));
    }
    Ok(found)
}

fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, String> {
    let pem = zeroize::Zeroizing::new(read_file(path)?);
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| format!("{path} holds no readable private key (PEM is expected)"))
}

fn read_file(path: &str) -> Result<Vec<u8>, String> {
    /// More than any store of authorities; a device or a log is not read to its end.
    const MOST: u64 = 16 * 1024 * 1024;
    // Opening a named pipe would otherwise wait for its writer.
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    let file = options.open(path).map_err(|e| format!("{path} cannot be read: {e}"))?;
    let about = file.metadata().ok().filter(|about| about.is_file());
    let Some(about) = about else { return Err(format!("{path} is not a file")) };
    // Room for all of it: growing would leave pieces of a key behind.
    let mut text = Vec::with_capacity(about.len().min(MOST) as usize + 1);
    file.take(MOST).read_to_end(&mut text).map_err(|e| format!("{path} cannot be read: {e}"))?;
    Ok(text)
}

/// Makes the handshake.
///
/// # Errors
/// A fault that says what is wrong with the peer's certificate, or how the link failed.
pub fn handshake(
    config: &Arc<ClientConfig>,
    host: &ServerName<'static>,
    link: &Link<'_>,
) -> Result<Box<ClientConnection>, Fault> {
    let connection = ClientConnection::new(config.clone(), host.clone());
    let mut tls = Box::new(connection.map_err(|e| describe(&e, host))?);
    while tls.is_handshaking() || tls.wants_write() {
        if tls.wants_write() {
            tls.write_tls(&mut LinkIo(link)).map_err(unwrap)?;
        } else if let Err(fault) = receive(&mut tls, link, |e| describe(e, host)) {
            // The alert tells the peer why; that it arrives is not essential.
            let _ = tls.write_tls(&mut LinkIo(link));
            return Err(fault);
        }
    }
    Ok(tls)
}

/// Sends a request, in as few records and writes as possible. Returns false if the peer responded
/// before it accepted all of it.
///
/// # Errors
/// How the link failed.
pub fn send_request(
    tls: &mut ClientConnection,
    link: &Link<'_>,
    mut plain: &[u8],
) -> Result<bool, Fault> {
    while !plain.is_empty() {
        let taken = tls.writer().write(plain).map_err(unwrap)?;
        plain = &plain[taken..];
        while tls.wants_write() {
            match tls.write_tls(&mut RequestIo(link)) {
                Ok(_) => {}
                // The input may be something other than a response, such as a session ticket.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let is_end = receive(tls, link, broken)? == 0;
                    let state = tls.process_new_packets().map_err(|e| broken(&e))?;
                    if is_end || state.plaintext_bytes_to_read() > 0 {
                        return Ok(false);
                    }
                }
                Err(e) => return Err(unwrap(e)),
            }
        }
    }
    Ok(true)
}

/// Reads plain bytes, waiting for them; 0 at the end.
///
/// # Errors
/// How the link failed.
pub fn read(tls: &mut ClientConnection, link: &Link<'_>, room: &mut [u8]) -> Result<usize, Fault> {
    loop {
        match tls.reader().read(room) {
            Ok(count) => return Ok(count),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            // The peer closed without saying so: see `has_said_goodbye`.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            Err(e) => return Err(unwrap(e)),
        }
        if let Err(fault) = receive(tls, link, broken) {
            // What came before the fault is good, and may be the whole answer.
            return tls.reader().read(room).ok().filter(|count| *count > 0).ok_or(fault);
        }
    }
}

/// What is wrong with a peer after the handshake.
fn broken(error: &rustls::Error) -> Fault {
    match error {
        // Of TLS 1.3, where our handshake is over before the peer has looked at it.
        rustls::Error::AlertReceived(alert) => Fault::new(Status::Tls, refused("the peer", *alert)),
        _ => Fault::new(Status::Tls, format!("the peer broke the TLS protocol: {error}")),
    }
}

/// Whether the peer has announced its end, so that nobody else can have cut off what came before.
pub fn has_said_goodbye(tls: &mut ClientConnection) -> bool {
    matches!(tls.reader().read(&mut [0]), Ok(0))
}

/// Whether nothing that the peer sent is left to be read, neither its end nor what broke TLS.
pub fn is_quiet(tls: &mut ClientConnection) -> bool {
    if tls.process_new_packets().is_err() {
        return false;
    }
    let left = tls.reader().read(&mut [0]);
    left.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
}

fn receive(
    tls: &mut ClientConnection,
    link: &Link<'_>,
    explain: impl Fn(&rustls::Error) -> Fault,
) -> Result<usize, Fault> {
    let count = tls.read_tls(&mut LinkIo(link)).map_err(unwrap)?;
    tls.process_new_packets().map_err(|e| explain(&e))?;
    if count == 0 && tls.is_handshaking() {
        return Err(Fault::new(
            Status::Tls,
            format!(
                "the peer closed the connection {}; does it speak TLS at this port?",
                Phase::Handshake
            ),
        ));
    }
    Ok(count)
}

fn refused(who: &str, alert: rustls::AlertDescription) -> String {
    format!("{who} refused the TLS connection ({alert:?}); does it ask for clientCertFile?")
}

/// What is wrong with the peer, and what to do.
fn describe(error: &rustls::Error, host: &ServerName<'_>) -> Fault {
    let host = host.to_str();
    let why = match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
                "the certificate of {host} has expired; check this machine's clock, else tell the \
                 service's operator"
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                format!("the certificate of {host} is not valid yet; check this machine's clock")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("the certificate is not for {host} but for another host; check baseUrl")
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
                "the certificate of {host} is not signed by a trusted authority (self-signed?); \
                 name its authority in caFile"
            ),
            other => format!("the certificate of {host} was refused: {other}"),
        },
        rustls::Error::InvalidMessage(_) => {
            format!("what answers at {host} does not speak TLS; check baseUrl's scheme and port")
        }
        rustls::Error::AlertReceived(alert) => refused(&host, *alert),
        other => format!("no TLS connection to {host}: {other}"),
    };
    Fault::new(Status::Tls, why)
}
