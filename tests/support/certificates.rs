//! Valid and invalid certificates, signed by an authority of the test.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};

use super::process::scratch_file;

/// A certificate authority, and its file for a client's configuration.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// PEM file of the authority.
    pub file: PathBuf,
}

impl Authority {
    /// A new authority with this common name.
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Authority::of(name, params)
    }

    fn of(name: &str, params: CertificateParams) -> Authority {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let file = scratch_file(&format!("{name}.pem"));
        fs::write(&file, issuer.pem()).unwrap();
        Authority { issuer, file }
    }

    /// A server with a certificate for this host.
    pub fn server(&self, host: &str, valid: Validity) -> Arc<ServerConfig> {
        let (certificate, key) = self.sign(subject(host, valid));
        config(certificate, &key)
    }

    fn sign(
        &self,
        (params, key): (CertificateParams, KeyPair),
    ) -> (CertificateDer<'static>, KeyPair) {
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), key)
    }

    /// An authority, and a server that uses the authority's own certificate, as `openssl req -x509` creates.
    pub fn self_signed(name: &str, host: &str) -> (Authority, Arc<ServerConfig>) {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = Authority::of(name, params);
        let server = config(authority.issuer.der().clone(), authority.issuer.key());
        (authority, server)
    }

    /// A server whose certificate contains a common name and no subjectAltName.
    pub fn common_name_only(&self, host: &str) -> Arc<ServerConfig> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, host);
        let (certificate, key) = self.sign((params, KeyPair::generate().unwrap()));
        config(certificate, &key)
    }

    /// PEM files of a client's certificate and key.
    pub fn client(&self, name: &str) -> [PathBuf; 2] {
        let (params, key) = subject("client.example.com", Validity::Now);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        [("cert", certificate.pem()), ("key", key.serialize_pem())].map(|(kind, pem)| {
            let file = scratch_file(&format!("{name}-{kind}.pem"));
            fs::write(&file, pem).unwrap();
            file
        })
    }

    /// A server that requires a client certificate and rejects every one with this error.
    pub fn rejecting_server(
        &self,
        host: &str,
        version: &'static SupportedProtocolVersion,
        error: rustls::Error,
    ) -> Arc<ServerConfig> {
        let (certificate, key) = self.sign(subject(host, Validity::Now));
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(ring::default_provider());
        Arc::new(
            ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap()
                .with_client_cert_verifier(Arc::new(RejectingVerifier(error)))
                .with_single_cert(vec![certificate], key)
                .unwrap(),
        )
    }
}

/// Rejects every client certificate with this error.
#[derive(Debug)]
struct RejectingVerifier(rustls::Error);

impl ClientCertVerifier for RejectingVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Err(self.0.clone())
    }

    // Signatures do not matter, because every certificate is rejected.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// When a certificate is valid.
#[derive(Clone, Copy)]
pub enum Validity {
    Now,
    Past,
    Future,
}

/// A server with a certificate that it signed itself.
pub fn self_signed(host: &str) -> Arc<ServerConfig> {
    let (params, key) = subject(host, Validity::Now);
    let certificate = params.self_signed(&key).unwrap();
    config(certificate.der().clone(), &key)
}

fn subject(host: &str, valid: Validity) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let (from, to) = match valid {
        Validity::Now => (2020, 4000),
        Validity::Past => (2001, 2002),
        Validity::Future => (3999, 4000),
    };
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    (params, KeyPair::generate().unwrap())
}

fn config(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap(),
    )
}
