//! TLS: the trusted authorities, the handshake, and error messages.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use once_cell::race::OnceBox;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore,
    SignatureScheme,
};

use super::error::TransportError;
use super::exchange_state::Phase;
use super::input_buffer::InputBuffer;
use super::stream::{RequestIo, Stream, StreamIo, into_transport_error};
use super::tls_files::{read_authorities, read_certificates, read_private_key};
use crate::error::Status;
use crate::redact;
use crate::sys::Socket;

/// The paths of the system's authorities in the distributions. Environment variables are not read.
const SYSTEM_STORES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities that are trusted if no file is given.
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
    /// PEM file of the trusted authorities, which replaces all others.
    pub ca: Option<String>,
    /// PEM file of the client's certificate chain.
    pub client_cert: Option<String>,
    /// PEM file of the client's private key.
    pub client_key: Option<String>,
    /// Where relative paths start. None: the current folder of the process.
    pub folder: Option<PathBuf>,
}

/// Reads and checks the files, and creates the TLS configuration. Opens no connection.
///
/// # Errors
/// Returns the configuration key that has a problem, and the problem.
pub fn client_config(
    roots: Roots,
    files: &TlsFiles,
) -> Result<Arc<ClientConfig>, (&'static str, String)> {
    let folder = files.folder.as_deref();
    let store = match (&files.ca, roots) {
        (Some(path), _) => Arc::new(read_authorities(path, folder).map_err(|why| ("caFile", why))?),
        (None, Roots::Bundled) => bundled_roots().clone(),
        (None, Roots::System) => {
            let path = SYSTEM_STORES.iter().find(|path| Path::new(path).exists()).ok_or((
                "roots",
                "no certificate store of the system was found; use \"bundled\" or caFile"
                    .to_owned(),
            ))?;
            Arc::new(read_authorities(path, None).map_err(|why| ("roots", why))?)
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
            let chain = read_certificates(cert, folder).map_err(|why| ("clientCertFile", why))?;
            let key = read_private_key(key, folder).map_err(|why| ("clientKeyFile", why))?;
            builder.with_client_auth_cert(chain, key).map_err(|e| client_problem(&e))?
        }
        (Some(_), None) => {
            return Err(("clientKeyFile", "is missing, but clientCertFile is set".into()));
        }
        (None, Some(_)) => {
            return Err(("clientCertFile", "is missing, but clientKeyFile is set".into()));
        }
    };
    let resolver = config.client_auth_cert_resolver;
    config.client_auth_cert_resolver = Arc::new(RecordingResolver(resolver));
    Ok(Arc::new(config))
}

/// The problem of the client's certificate and key, both of which could be read.
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
    // `Cell<bool>` has no destructor, so none runs at the end of a thread.
    static CERTIFICATE_REQUESTED: Cell<bool> = const { Cell::new(false) };
}

/// Returns the client's certificate, if any, and records in [`CERTIFICATE_REQUESTED`] that the peer
/// requested one.
#[derive(Debug)]
struct RecordingResolver(Arc<dyn ResolvesClientCert>);

impl ResolvesClientCert for RecordingResolver {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        CERTIFICATE_REQUESTED.set(true);
        self.0.resolve(issuers, schemes)
    }

    fn has_certs(&self) -> bool {
        self.0.has_certs()
    }
}

/// The configuration for this process. A forked child must not wait for the lock of its parent's
/// session cache, which another thread may have held at the fork.
pub fn for_this_process(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut process_config = config.clone();
    // Enough for the tickets of one host.
    process_config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(process_config)
}

/// The built-in authorities, which all clients share.
fn bundled_roots() -> &'static Arc<RootCertStore> {
    static STORE: OnceBox<Arc<RootCertStore>> = OnceBox::new();
    STORE.get_or_init(|| {
        Box::new(Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }))
    })
}

/// Performs the handshake.
///
/// # Errors
/// The certificate of the peer has a problem, the peer rejected the handshake, or the stream failed.
pub fn handshake(
    config: &Arc<ClientConfig>,
    host: &ServerName<'static>,
    stream: &Stream<'_>,
) -> Result<Box<ClientConnection>, TransportError> {
    let connection = ClientConnection::new(config.clone(), host.clone());
    let mut tls = Box::new(connection.map_err(|e| handshake_error(&e, host, false))?);
    // The whole handshake runs on this thread.
    CERTIFICATE_REQUESTED.set(false);
    while tls.is_handshaking() || tls.wants_write() {
        if tls.wants_write() {
            tls.write_tls(&mut StreamIo(stream)).map_err(into_transport_error)?;
        } else if let Err(error) =
            receive(&mut tls, stream, |e| handshake_error(e, host, CERTIFICATE_REQUESTED.get()))
        {
            // Sends the alert to the peer, if possible.
            let _ = tls.write_tls(&mut StreamIo(stream));
            return Err(error);
        }
    }
    Ok(tls)
}

/// Sends a request, in as few records and writes as possible. Returns false if the peer responded
/// before it accepted all of it. Interim responses do not count. Received bytes are put into `input`.
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
                    let is_end = receive(tls, stream, tls_error)? == 0;
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

/// Waits for decrypted bytes and reads some; 0 at the end.
///
/// # Errors
/// How the stream failed.
pub fn read(
    tls: &mut ClientConnection,
    stream: &Stream<'_>,
    free_space: &mut [u8],
) -> Result<usize, TransportError> {
    loop {
        match tls.reader().read(free_space) {
            Ok(count) => return Ok(count),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            // The peer closed without close_notify: see `received_close_notify`.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            Err(e) => return Err(into_transport_error(e)),
        }
        if let Err(error) = receive(tls, stream, tls_error) {
            // The content before the error is valid, and may be the whole response.
            return tls.reader().read(free_space).ok().filter(|count| *count > 0).ok_or(error);
        }
    }
}

/// The error of a peer after the handshake.
fn tls_error(error: &rustls::Error) -> TransportError {
    match error {
        // In TLS 1.3, the client finishes the handshake before the peer has checked its certificate.
        rustls::Error::AlertReceived(alert) => {
            TransportError::new(Status::Tls, alert_problem("the peer", *alert, false))
        }
        _ => TransportError::new(Status::Tls, "the peer violates the TLS protocol"),
    }
}

/// Whether the peer has sent close_notify. Otherwise an attacker may have truncated its content.
pub fn received_close_notify(tls: &mut ClientConnection) -> bool {
    matches!(tls.reader().read(&mut [0]), Ok(0))
}

/// Receives the TLS messages of an idle connection, such as session tickets and key updates. Returns
/// whether the connection is still open. Does not block.
pub fn receive_available(tls: &mut ClientConnection, socket: &Socket) -> bool {
    // More than a peer needs to send between two requests.
    for _ in 0..4 {
        match tls.read_tls(&mut NonBlockingReader(socket)) {
            Ok(0) => return false,
            Ok(_) if tls.process_new_packets().is_err() => return false,
            Ok(_) => {}
            Err(e) => return e.kind() == io::ErrorKind::WouldBlock,
        }
    }
    false
}

/// Reads from a socket without blocking.
struct NonBlockingReader<'a>(&'a Socket);

impl Read for NonBlockingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer, false)
    }
}

/// Whether received content can be read.
pub fn has_content(tls: &mut ClientConnection) -> bool {
    tls.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
}

/// Whether nothing can be read: neither content, nor the end, nor an error.
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
                "the peer closed the connection {}; check that it speaks TLS at this port",
                Phase::Handshake
            ),
        ));
    }
    Ok(count)
}

/// The meaning of an alert that the peer sent. An alert about a certificate concerns the client's,
/// because the peer receives no other.
fn alert_problem(host: &str, alert: AlertDescription, certificate_requested: bool) -> String {
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
        A::HandshakeFailure if certificate_requested => requires_certificate(host),
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

/// The error of a failed handshake.
fn handshake_error(
    error: &rustls::Error,
    host: &ServerName<'_>,
    certificate_requested: bool,
) -> TransportError {
    use rustls::PeerIncompatible as P;
    let host = &*host.to_str();
    let why = match error {
        rustls::Error::InvalidCertificate(why) => certificate_problem(why, host),
        rustls::Error::InvalidMessage(_) => format!(
            "the server at {host} does not speak TLS; check the scheme and the port of the URL"
        ),
        rustls::Error::AlertReceived(alert) => alert_problem(host, *alert, certificate_requested),
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
        _ => format!(
            "{host} violates the TLS protocol; check whether a device on the way changes the bytes"
        ),
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
            "the certificate of {host} has no subjectAltName, and the common name is not used; \
             replace it by one that names {host} there"
        ),
        C::NotValidForNameContext { presented, .. } => format!(
            "the certificate is not for {host} but for another host ({}); check the URL in the \
             configuration",
            redact::line(
                &presented.iter().map(|name| plain_name(name)).collect::<Vec<_>>().join(", ")
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
            _ => invalid_certificate(host),
        },
        _ => invalid_certificate(host),
    }
}

/// The name in the form of rustls, such as `DnsName("example.com")`.
fn plain_name(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

fn invalid_certificate(host: &str) -> String {
    format!("the certificate of {host} does not follow the rules for certificates; replace it")
}
