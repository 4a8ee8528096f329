//! JWTs with HS256: access tokens, and the tokens of participants and endpoints.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::clock::unix_seconds;

/// Signs and verifies tokens with one key.
pub struct Signer([u8; 32]);

impl Signer {
    /// Creates a signer with a new key.
    pub fn new() -> Signer {
        let mut key = [0; 32];
        key[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        Signer(key)
    }

    /// Returns a token for this participant, which is valid for `ttl` seconds.
    pub fn participant_token(
        &self,
        account: &str,
        participant: &str,
        version: &str,
        ttl: u64,
    ) -> String {
        self.sign(&json!({
            "a": account, "p": participant, "v": version, "exp": unix_seconds() + ttl,
            "tid": &uuid::Uuid::new_v4().simple().to_string()[..12], "iss": "sandbox",
        }))
    }

    /// Returns a token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let mut text = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        text.push('.');
        text.push_str(&encode(claims.to_string().as_bytes()));
        let signature = encode(&self.mac(text.as_bytes()));
        text.push('.');
        text.push_str(&signature);
        text
    }

    /// Returns the claims of a token that this key signed and that has not expired.
    pub fn verify(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.hmac(signed.as_bytes()).verify_slice(&signature).ok()?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        (unix_seconds() < claims["exp"].as_u64()?).then_some(claims)
    }

    /// Returns the HMAC of these bytes.
    pub fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        self.hmac(bytes).finalize().into_bytes().into()
    }

    fn hmac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("HMAC accepts keys of any size").chain_update(bytes)
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn participant_token_has_the_claims_of_the_service() {
        let signer = Signer::new();
        let claims = signer.verify(&signer.participant_token("9900000", "p-1", "V3", 60)).unwrap();
        assert_eq!((&claims["a"], &claims["p"]), (&json!("9900000"), &json!("p-1")));
        assert_eq!(claims["v"], "V3");
    }

    #[test]
    fn verify_rejects_other_keys_changed_claims_and_expired_tokens() {
        let signer = Signer::new();
        let claims = |exp: u64| json!({"sub": "client", "exp": exp});
        let valid = signer.sign(&claims(unix_seconds() + 60));
        assert_eq!(signer.verify(&valid).unwrap()["sub"], "client");
        let parts: Vec<&str> = valid.split('.').collect();
        let later = encode(claims(unix_seconds() + 600).to_string().as_bytes());
        for invalid in [
            Signer::new().sign(&claims(unix_seconds() + 60)),
            signer.sign(&claims(unix_seconds())),
            signer.sign(&json!({"sub": "client"})),
            format!("{}.{later}.{}", parts[0], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}.{}", encode(br#"{"alg":"none"}"#), parts[1], parts[2]),
            parts[1].to_owned(),
            String::new(),
        ] {
            assert!(signer.verify(&invalid).is_none(), "{invalid}");
        }
    }
}
