//! TLS: which authorities are trusted, the handshake, and messages that say what to do.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use once_cell::race::OnceBox;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore,
    SignatureScheme,
};

use super::input_buffer::InputBuffer;
use super::stream::{Stream, StreamIo, RequestIo, into_transport_error};
use super::tls_files::{authorities, certificates, private_key};
use super::error::TransportError;
use super::exchange_state::Phase;
use crate::error::Status;
use crate::redact;
use crate::sys::Socket;

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
        (Some(path), _) => Arc::new(authorities(path).map_err(|why| ("caFile", why))?),
        (None, Roots::Bundled) => bundled().clone(),
        (None, Roots::System) => {
            let path = SYSTEM_STORES.iter().find(|path| Path::new(path).exists()).ok_or((
                "roots",
                "no certificate store of the system was found; use \"bundled\" or caFile"
                    .to_owned(),
            ))?;
            Arc::new(authorities(path).map_err(|why| ("roots", why))?)
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ("roots", format!("TLS cannot be set up: {}", redact::line(&e.to_string()))))?
        .with_root_certificates(store);
    let mut config = match (&files.client_cert, &files.client_key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert).map_err(|why| ("clientCertFile", why))?;
            let key = private_key(key).map_err(|why| ("clientKeyFile", why))?;
            builder.with_client_auth_cert(chain, key).map_err(|e| client_problem(&e))?
        }
        (Some(_), None) => {
            return Err(("clientKeyFile", "is missing beside clientCertFile".into()));
        }
        (None, Some(_)) => {
            return Err(("clientCertFile", "is missing beside clientKeyFile".into()));
        }
    };
    let certificates = config.client_auth_cert_resolver;
    config.client_auth_cert_resolver = Arc::new(Noticed(certificates));
    Ok(Arc::new(config))
}

/// What is wrong with the client's certificate and key, each of which can be read.
fn client_problem(error: &rustls::Error) -> (&'static str, String) {
    let (key, what) = match error {
        rustls::Error::InconsistentKeys(_) => {
            ("clientKeyFile", "is not the key of the certificate in clientCertFile")
        }
        rustls::Error::InvalidCertificate(_) => {
            ("clientCertFile", "contains a certificate that is damaged")
        }
        _ => (
            "clientKeyFile",
            "contains a key of a kind that is not supported; use RSA with 2048 to 8192 bits, ECDSA \
             (P-256, P-384) or Ed25519",
        ),
    };
    (key, what.to_owned())
}

thread_local! {
    // `Cell<bool>` has no destructor, so a thread that ends runs none.
    static WAS_ASKED: Cell<bool> = const { Cell::new(false) };
}

/// The client's certificate, if any, and a note in [`WAS_ASKED`] that the peer asked for one.
#[derive(Debug)]
struct Noticed(Arc<dyn ResolvesClientCert>);

impl ResolvesClientCert for Noticed {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        WAS_ASKED.set(true);
        self.0.resolve(issuers, schemes)
    }

    fn has_certs(&self) -> bool {
        self.0.has_certs()
    }
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

/// Makes the handshake.
///
/// # Errors
/// An error that says what is wrong with the peer's certificate, or how the stream failed.
pub fn handshake(
    config: &Arc<ClientConfig>,
    host: &ServerName<'static>,
    stream: &Stream<'_>,
) -> Result<Box<ClientConnection>, TransportError> {
    let connection = ClientConnection::new(config.clone(), host.clone());
    let mut tls = Box::new(connection.map_err(|e| describe(&e, host, false))?);
    // This thread makes the whole handshake.
    WAS_ASKED.set(false);
    while tls.is_handshaking() || tls.wants_write() {
        if tls.wants_write() {
            tls.write_tls(&mut StreamIo(stream)).map_err(into_transport_error)?;
        } else if let Err(error) = receive(&mut tls, stream, |e| describe(e, host, WAS_ASKED.get())) {
            // The alert tells the peer why; that it arrives is not essential.
            let _ = tls.write_tls(&mut StreamIo(stream));
            return Err(error);
        }
    }
    Ok(tls)
}

/// Sends a request, in as few records and writes as possible. Returns false if the peer responded
/// before it accepted all of it. Interim responses do not count; `input` gets what was received.
///
/// # Errors
/// How the stream failed.
pub fn send_request(
    tls: &mut ClientConnection,
    stream: &Stream<'_>,
    mut plain: &[u8],
    input: &mut InputBuffer,
) -> Result<bool, TransportError> {
    while !plain.is_empty() {
        let taken = tls.writer().write(plain).map_err(into_transport_error)?;
        plain = &plain[taken..];
        while tls.wants_write() {
            match tls.write_tls(&mut RequestIo(stream)) {
                Ok(_) => {}
                // The input may be something other than a response, such as a session ticket.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let is_end = receive(tls, stream, broken)? == 0;
                    while let Ok(count @ 1..) = tls.reader().read(input.free_space()) {
                        input.filled(count);
                    }
                    if is_end || input.begins_final_response() {
                        return Ok(false);
                    }
                }
                Err(e) => return Err(into_transport_error(e)),
            }
        }
    }
    Ok(true)
}

/// Reads plain bytes, waiting for them; 0 at the end.
///
/// # Errors
/// How the stream failed.
pub fn read(tls: &mut ClientConnection, stream: &Stream<'_>, free_space: &mut [u8]) -> Result<usize, TransportError> {
    loop {
        match tls.reader().read(free_space) {
            Ok(count) => return Ok(count),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            // The peer closed without saying so: see `received_close_notify`.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            Err(e) => return Err(into_transport_error(e)),
        }
        if let Err(error) = receive(tls, stream, broken) {
            // What came before the error is good, and may be the whole answer.
            return tls.reader().read(free_space).ok().filter(|count| *count > 0).ok_or(error);
        }
    }
}

/// What is wrong with a peer after the handshake.
fn broken(error: &rustls::Error) -> TransportError {
    match error {
        // Of TLS 1.3, where our handshake is over before the peer has looked at it.
        rustls::Error::AlertReceived(alert) => {
            TransportError::new(Status::Tls, rejected("the peer", *alert, false))
        }
        _ => TransportError::new(Status::Tls, "the peer breaks the TLS protocol"),
    }
}

/// Whether the peer has announced its end, so that nobody else can have cut off what came before.
pub fn received_close_notify(tls: &mut ClientConnection) -> bool {
    matches!(tls.reader().read(&mut [0]), Ok(0))
}

/// Receives what waits at an idle connection, such as a session ticket or a key update. Returns
/// whether the connection is still open. Does not block.
pub fn receive_waiting(tls: &mut ClientConnection, socket: &Socket) -> bool {
    // More than a peer has to send between two requests.
    for _ in 0..4 {
        match tls.read_tls(&mut Waiting(socket)) {
            Ok(0) => return false,
            Ok(_) if tls.process_new_packets().is_err() => return false,
            Ok(_) => {}
            Err(e) => return e.kind() == io::ErrorKind::WouldBlock,
        }
    }
    false
}

/// Reads what waits at a socket.
struct Waiting<'a>(&'a Socket);

impl Read for Waiting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer, false)
    }
}

/// Whether content waits to be read that was already received.
pub fn has_content(tls: &mut ClientConnection) -> bool {
    tls.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
}

/// Whether nothing that the peer sent is left to be read, neither its end nor what broke TLS.
pub fn is_idle(tls: &mut ClientConnection) -> bool {
    if tls.process_new_packets().is_err() {
        return false;
    }
    let left = tls.reader().read(&mut [0]);
    left.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
}

fn receive(
    tls: &mut ClientConnection,
    stream: &Stream<'_>,
    explain: impl Fn(&rustls::Error) -> TransportError,
) -> Result<usize, TransportError> {
    let count = tls.read_tls(&mut StreamIo(stream)).map_err(into_transport_error)?;
    tls.process_new_packets().map_err(|e| explain(&e))?;
    if count == 0 && tls.is_handshaking() {
        return Err(TransportError::new(
            Status::Tls,
            format!(
                "the peer closed the connection {}; does it speak TLS at this port?",
                Phase::Handshake
            ),
        ));
    }
    Ok(count)
}

/// What an alert means that the peer sent. Each alert about certificates is about the client's: the
/// peer sees no other.
fn rejected(host: &str, alert: AlertDescription, asks_for_certificate: bool) -> String {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired | A::NoCertificate => requires_certificate(host),
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied => format!(
            "{host} rejected the client certificate (TLS alert {}); check clientCertFile: is it \
             valid, and of an authority that {host} trusts?",
            u8::from(alert)
        ),
        // Before TLS 1.3 a missing certificate had no alert of its own.
        A::HandshakeFailure if asks_for_certificate => requires_certificate(host),
        A::HandshakeFailure | A::InsufficientSecurity => no_cipher(host),
        A::ProtocolVersion => no_version(host),
        A::UnrecognisedName => format!(
            "the server does not know the name {host} (TLS alert 112); check the URL in the \
             configuration"
        ),
        _ => format!("{host} ended the TLS connection with alert {}", u8::from(alert)),
    }
}

fn requires_certificate(host: &str) -> String {
    format!(
        "{host} requires a client certificate that it accepts; set clientCertFile and clientKeyFile"
    )
}

fn no_version(host: &str) -> String {
    format!(
        "{host} supports neither TLS 1.2 nor TLS 1.3, and older versions are not secure; update it"
    )
}

fn no_cipher(host: &str) -> String {
    format!(
        "{host} accepts no cipher suite or key exchange of this library (AES-GCM or ChaCha20 with \
         ECDHE), and older ones are not secure; update it or change its settings"
    )
}

/// What is wrong with the peer, and what to do.
fn describe(error: &rustls::Error, host: &ServerName<'_>, asks_for_certificate: bool) -> TransportError {
    use rustls::PeerIncompatible as P;
    let host = &*host.to_str();
    let why = match error {
        rustls::Error::InvalidCertificate(why) => certificate_problem(why, host),
        rustls::Error::InvalidMessage(_) => format!(
            "what answers at {host} does not speak TLS; check the scheme and the port of the URL"
        ),
        rustls::Error::AlertReceived(alert) => rejected(host, *alert, asks_for_certificate),
        rustls::Error::PeerIncompatible(
            P::ServerDoesNotSupportTls12Or13
            | P::ServerTlsVersionIsDisabledByOurConfig
            | P::Tls12NotOffered
            | P::Tls12NotOfferedOrEnabled,
        ) => no_version(host),
        rustls::Error::PeerIncompatible(_) => no_cipher(host),
        rustls::Error::NoCertificatesPresented => {
            format!("{host} has no certificate; check its settings")
        }
        _ => format!("{host} breaks the TLS protocol; does something change the bytes on the way?"),
    };
    TransportError::new(Status::Tls, why)
}

fn certificate_problem(problem: &CertificateError, host: &str) -> String {
    use CertificateError as C;
    match problem {
        C::Expired | C::ExpiredContext { .. } => format!(
            "the certificate of {host} has expired; check this machine's clock, otherwise report it \
             to the operator of the service"
        ),
        C::NotValidYet | C::NotValidYetContext { .. } => {
            format!("the certificate of {host} is not valid yet; check this machine's clock")
        }
        C::NotValidForNameContext { presented, .. } if presented.is_empty() => format!(
            "the certificate of {host} has no subjectAltName, and a common name does not count; \
             replace it by one that names {host} there"
        ),
        C::NotValidForNameContext { presented, .. } => format!(
            "the certificate is not for {host} but for another host ({}); check the URL in the \
             configuration",
            redact::line(
                &presented.iter().map(|name| bare_name(name)).collect::<Vec<_>>().join(", ")
            )
        ),
        C::NotValidForName => format!(
            "the certificate is not for {host} but for another host; check the URL in the \
             configuration"
        ),
        C::UnknownIssuer | C::BadSignature => format!(
            "the certificate of {host} is not signed by a trusted authority (self-signed?); name \
             its authority in caFile"
        ),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => format!(
            "the certificate of {host} is not one for servers; replace it by one with serverAuth in \
             its extendedKeyUsage"
        ),
        C::UnsupportedSignatureAlgorithmContext { .. }
        | C::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => format!(
            "the certificate of {host} has a signature that is not secure or not supported (such as \
             SHA-1, or a short RSA key); replace it"
        ),
        C::Other(other) => match other.to_string().as_str() {
            "CaUsedAsEndEntity" => format!(
                "the certificate of {host} is that of an authority (self-signed with CA:TRUE?), which \
                 no server may use; replace it by one with CA:FALSE (openssl req -x509 -addext \
                 basicConstraints=CA:FALSE), and name that in caFile"
            ),
            "EndEntityUsedAsCa" => format!(
                "the certificate of {host} is signed by one that is not an authority (CA:FALSE); \
                 replace it"
            ),
            "UnsupportedCertVersion" => format!(
                "the certificate of {host} has an old form (not X.509 version 3); replace it by one \
                 with a subjectAltName"
            ),
            _ => unusable(host),
        },
        _ => unusable(host),
    }
}

/// The name in what rustls presents, such as `DnsName("example.com")`.
fn bare_name(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

fn unusable(host: &str) -> String {
    format!("the certificate of {host} does not follow the rules for certificates; replace it")
}
