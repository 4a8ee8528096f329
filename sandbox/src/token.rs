//! Participants' tokens: JWTs, HS256, with the service's claims.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

/// How long a token is good for, in seconds.
const LIFETIME: u64 = 9 * 3600;

/// Makes tokens, with a key of its own.
pub struct Signer([u8; 32]);

impl Signer {
    /// A signer with a new key.
    pub fn new() -> Signer {
        let mut key = [0; 32];
        key[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        Signer(key)
    }

    /// A token for this participant.
    pub fn token(&self, account: &str, participant: &str, version: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({
            "a": account, "p": participant, "v": version, "exp": now + LIFETIME,
            "tid": &uuid::Uuid::new_v4().simple().to_string()[..12], "iss": "sandbox",
        });
        let mut text = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        text.push('.');
        text.push_str(&encode(claims.to_string().as_bytes()));
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any size");
        mac.update(text.as_bytes());
        text.push('.');
        text.push_str(&encode(&mac.finalize().into_bytes()));
        text
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_services_claims_and_is_signed() {
        let signer = Signer::new();
        let token = signer.token("9900000", "p-1", "V3");
        let parts: Vec<&str> = token.split('.').collect();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!((&claims["a"], &claims["p"]), (&json!("9900000"), &json!("p-1")));
        let mut mac = Hmac::<Sha256>::new_from_slice(&signer.0).unwrap();
        mac.update(format!("{}.{}", parts[0], parts[1]).as_bytes());
        mac.verify_slice(&BASE64_URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
    }
}
