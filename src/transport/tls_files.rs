//! Reads the files of a TLS configuration. Messages never contain a part of a file, which may be a key.

use std::io::Read;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::error::NO_MEMORY;
use crate::memory;
use crate::redact;
use crate::sys;

/// The authorities in a PEM file. A relative path starts at the folder.
///
/// # Errors
/// Returns the problem of the file. The caller puts the configuration key in front.
pub fn read_authorities(path: &str, folder: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(read_certificates(path, folder)?);
    if added == 0 {
        return Err(format!("{} contains no certificate that can be used", redact::path(path)));
    }
    Ok(store)
}

/// The certificates in a PEM file.
///
/// # Errors
/// As for [`read_authorities`].
pub fn read_certificates(
    path: &str,
    folder: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(path, folder)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| problem(path, &text, CERTIFICATE))
}

/// The private key in a PEM file.
///
/// # Errors
/// As for [`read_authorities`].
pub fn read_private_key(
    path: &str,
    folder: Option<&Path>,
) -> Result<PrivateKeyDer<'static>, String> {
    let text = read(path, folder)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| problem(path, &text, KEY))
}

/// A kind of PEM block: its name, the end of its label, and the openssl command to convert it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct PemKind {
    name: &'static str,
    label: &'static str,
    command: &'static str,
}

const CERTIFICATE: PemKind =
    PemKind { name: "certificate", label: "CERTIFICATE-----", command: "x509" };
const KEY: PemKind = PemKind { name: "private key", label: "PRIVATE KEY-----", command: "pkey" };

fn read(path: &str, folder: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, String> {
    /// More than any store of authorities. Limits the reading of devices and logs.
    const MAX_SIZE: u64 = 16 * 1024 * 1024;
    if redact::is_pem(path) {
        return Err("is the PEM text itself, not the path of a file; write the text to a file, \
                    and pass its path"
            .to_owned());
    }
    let shown = redact::path(path);
    let path = folder.map_or_else(|| path.into(), |folder| folder.join(path));
    let file = sys::open_file(path).map_err(|e| format!("{shown} cannot be read: {e}"))?;
    let about = file.metadata().ok().filter(|about| about.is_file());
    let Some(about) = about else { return Err(format!("{shown} is not a file")) };
    // Reserves memory for the whole file, because a reallocation would leave copies of a key.
    let length = about.len().min(MAX_SIZE) as usize + 1;
    let mut text = Zeroizing::new(Vec::new());
    // Parsing needs as much memory again.
    text.try_reserve_exact(length)
        .ok()
        .filter(|()| memory::require(length).is_ok())
        .ok_or_else(|| format!("{shown} cannot be read: {NO_MEMORY}"))?;
    file.take(MAX_SIZE)
        .read_to_end(&mut text)
        .map_err(|e| format!("{shown} cannot be read: {e}"))?;
    // The parser would skip the first block of such a file.
    if text.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err(format!("{shown} begins with a byte order mark; save it without the mark"));
    }
    if text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]) {
        return Err(format!("{shown} is UTF-16 text; save it as plain ASCII text"));
    }
    Ok(text)
}

/// Why a file does not contain this kind of object.
fn problem(path: &str, text: &[u8], kind: PemKind) -> String {
    let path = redact::path(path);
    let PemKind { name, label, command } = kind;
    let has = |part: &str| text.windows(part.len()).any(|window| window == part.as_bytes());
    // An ASN.1 sequence of more than 127 bytes.
    let is_der = matches!(text, [0x30, 0x81..=0x84, ..]);
    if text.is_empty() {
        format!("{path} is empty")
    } else if is_der {
        format!(
            "{path} is in DER or PKCS #12 form; convert it to PEM: openssl {command} -inform der \
             -in FILE -out FILE.pem, or openssl pkcs12 -in FILE -out FILE.pem"
        )
    } else if kind == KEY && (has("BEGIN ENCRYPTED PRIVATE KEY") || has("4,ENCRYPTED")) {
        format!(
            "{path} contains an encrypted private key, for which there is no passphrase; store it \
             without encryption: openssl pkey -in FILE -out FILE.pem"
        )
    } else if has("-----BEGIN") && has("\\n") {
        format!("{path} contains \\n instead of line ends; write it with real line ends")
    } else if has("-----BEGIN") && !has(label) {
        let other = if kind == KEY { CERTIFICATE } else { KEY };
        let swapped = if has(other.label) {
            format!(", but a {}; are clientCertFile and clientKeyFile swapped?", other.name)
        } else {
            format!("; a PEM block that ends in {label} is expected")
        };
        format!("{path} contains no {name}{swapped}")
    } else if has("-----BEGIN") {
        format!(
            "{path} contains a {name} that cannot be read: it is damaged, or its first or last line \
             is missing"
        )
    } else {
        format!("{path} is not a PEM file; a {name} in PEM form is expected (-----BEGIN ..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const BODY: &str = "VGhpcyBpcyBhIHByZXRlbmQgcHJpdmF0ZSBrZXk";

    fn problem_of(content: &[u8], kind: PemKind) -> String {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("bw-pem-{}-{number}", std::process::id()));
        fs::write(&file, content).unwrap();
        let path = file.to_str().unwrap();
        let problem = match kind == KEY {
            true => read_private_key(path, None).err(),
            false => read_authorities(path, None).err(),
        };
        fs::remove_file(&file).unwrap();
        let problem = problem.unwrap();
        assert!(problem.starts_with(path), "{problem}");
        assert!(!problem.contains("VGhp") && !problem.contains("86, 71"), "{problem}");
        problem
    }

    fn pem(label: &str) -> String {
        format!("-----BEGIN {label}-----\n{BODY}\n-----END {label}-----\n")
    }

    #[test]
    fn each_problem_of_a_file_has_its_own_message() {
        let marked = format!("\u{feff}{}", pem("PRIVATE KEY"));
        let old = pem("RSA PRIVATE KEY")
            .replace(BODY, &format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{BODY}"));
        let cut = pem("CERTIFICATE").replace("-----END CERTIFICATE-----\n", "");
        let der = b"\x30\x82\x01\x02 and more";
        for (content, kind, part) in [
            (&b""[..], KEY, "is empty"),
            (marked.as_bytes(), CERTIFICATE, "begins with a byte order mark; save it"),
            (marked.as_bytes(), KEY, "begins with a byte order mark; save it"),
            (b"\xff\xfe-\0-\0", KEY, "is UTF-16 text"),
            (der, KEY, "is in DER or PKCS #12 form; convert it to PEM: openssl pkey"),
            (der, CERTIFICATE, "convert it to PEM: openssl x509 -inform der"),
            (pem("ENCRYPTED PRIVATE KEY").as_bytes(), KEY, "an encrypted private key"),
            (old.as_bytes(), KEY, "openssl pkey -in FILE"),
            (pem("PRIVATE KEY").replace('\n', "\\n").as_bytes(), KEY, "\\n instead of line ends"),
            (pem("PRIVATE KEY").replace('\n', "\\n").as_bytes(), CERTIFICATE, "real line ends"),
            (pem("PRIVATE KEY").as_bytes(), CERTIFICATE, "no certificate, but a private key; are"),
            (pem("CERTIFICATE").as_bytes(), KEY, "no private key, but a certificate; are"),
            (pem("PUBLIC KEY").as_bytes(), KEY, "no private key; a PEM block that ends in PRIVATE"),
            (cut.as_bytes(), CERTIFICATE, "contains a certificate that cannot be read"),
            (pem("CERTIFICATE").as_bytes(), CERTIFICATE, "no certificate that can be used"),
            (BODY.as_bytes(), KEY, "is not a PEM file"),
        ] {
            let problem = problem_of(content, kind);
            assert!(problem.contains(part), "{part}\nis not in\n{problem}");
        }
    }

    #[test]
    fn key_in_place_of_a_path_is_not_quoted() {
        for (value, part) in [
            (pem("PRIVATE KEY"), "is the PEM text itself, not the path of a file"),
            (pem("PRIVATE KEY").replace('\n', "\\n"), "is the PEM text itself"),
            (BODY.repeat(2), "[removed] cannot be read"),
            (format!("{BODY}/{BODY}=="), "[removed] cannot be read"),
            ("eyJhbGciOiJub25lIn0.eyJwIjoicyJ9.c2ln".to_owned(), "[removed] cannot be read"),
        ] {
            for problem in
                [read_private_key(&value, None).err(), read_authorities(&value, None).err()]
            {
                let problem = problem.unwrap();
                assert!(problem.starts_with(part), "{problem}");
                assert!(!problem.contains("VGhp"), "{problem}");
            }
        }
    }
}
