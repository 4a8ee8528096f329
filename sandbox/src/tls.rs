//! A certificate for local names, and the certificate authority that issued it; both are new at each
//! start.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// Returns a TLS acceptor for local names, and writes the authority's certificate to `ca_out`.
pub fn acceptor(listen: IpAddr, ca_out: Option<&Path>) -> Result<TlsAcceptor, String> {
    let (config, ca) =
        server_config(listen).map_err(|e| format!("cannot create a certificate: {e}"))?;
    if let Some(file) = ca_out {
        std::fs::write(file, ca).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    }
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The configuration, and the authority's certificate as PEM.
fn server_config(listen: IpAddr) -> Result<(ServerConfig, String), Box<dyn std::error::Error>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Strict verifiers, such as Python 3.13 and later, require this and the identifier below.
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "bw-sandbox authority");
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.push(listen.to_string());
    names.dedup();
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der())?,
        )?;
    Ok((config, issuer.pem()))
}
