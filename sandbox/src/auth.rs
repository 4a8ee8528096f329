//! Authentication: the token endpoint, and the check of a request's credentials.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::cli::Arguments;
use crate::clock::unix_seconds;
use crate::jwt::Signer;
use crate::response::ServiceResponse;

/// The path of the token endpoint.
pub const TOKEN_PATH: &str = "/api/v1/oauth2/token";
/// The name of a token request, for faults and recorded requests.
pub const TOKEN_OPERATION: &str = "token";
/// The content type of a token request.
const FORM: &str = "application/x-www-form-urlencoded";

/// The valid credentials, and the key of the access tokens.
pub struct Auth {
    account: String,
    client_id: String,
    /// `None` if user names are disabled.
    username: Option<String>,
    /// The secrets of the command line.
    initial: Secrets,
    secrets: Mutex<Secrets>,
    token_ttl: u64,
    /// A new key revokes all access tokens.
    signer: Mutex<Signer>,
}

/// Why credentials are rejected.
pub enum AuthError {
    /// They are missing or wrong.
    Unauthorized,
    /// They are not valid for the account.
    Forbidden,
}

/// The valid secrets.
#[derive(Clone)]
struct Secrets {
    /// The Basic credentials of a token request.
    client: String,
    /// The Basic credentials of an operation; `None` if user names are disabled.
    user: Option<String>,
}

/// New secrets. A secret that is omitted does not change.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rotation {
    client_secret: Option<String>,
    password: Option<String>,
}

impl Auth {
    /// Creates the credentials of the command line.
    pub fn new(arguments: &Arguments) -> Auth {
        let username = (!arguments.no_basic).then(|| arguments.username.clone());
        let initial = Secrets {
            client: basic(&arguments.client_id, &arguments.client_secret),
            user: username.as_deref().map(|name| basic(name, &arguments.password)),
        };
        Auth {
            account: arguments.account.clone(),
            client_id: arguments.client_id.clone(),
            username,
            secrets: Mutex::new(initial.clone()),
            initial,
            token_ttl: arguments.token_ttl,
            signer: Mutex::new(Signer::new()),
        }
    }

    /// Checks that a request's credentials are valid, and valid for this account.
    pub fn check(&self, headers: &HeaderMap, account: &str) -> Result<(), AuthError> {
        let accounts = self.accounts(headers).ok_or(AuthError::Unauthorized)?;
        match accounts.iter().any(|known| known == account) {
            true => Ok(()),
            false => Err(AuthError::Forbidden),
        }
    }

    /// The accounts of valid credentials.
    fn accounts(&self, headers: &HeaderMap) -> Option<Vec<String>> {
        if let Some(token) = credentials(headers, "Bearer") {
            let mut claims = self.signer().verify(token)?;
            return serde_json::from_value(claims["accounts"].take()).ok();
        }
        is_equal(credentials(headers, "Basic")?, self.secrets().user.as_ref()?)
            .then(|| vec![self.account.clone()])
    }

    /// Returns the response to a token request.
    pub fn issue_token(&self, headers: &HeaderMap, body: &[u8]) -> ServiceResponse {
        self.try_issue_token(headers, body).unwrap_or_else(|rejection| rejection)
    }

    fn try_issue_token(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<ServiceResponse, ServiceResponse> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next());
        if !media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case(FORM)) {
            return Err(reject(415, "invalid_request", &format!("the body must be {FORM}")));
        }
        let Some(given) = credentials(headers, "Basic") else {
            return Err(unauthenticated("client id and secret must be sent as HTTP Basic"));
        };
        if !is_equal(given, &self.secrets().client) {
            return Err(unauthenticated("the client id or secret is wrong"));
        }
        // RFC 6749, section 3.2: repeated parameters are rejected; unknown and empty ones ignored.
        let values = |name| -> Vec<String> {
            let parameters = form_urlencoded::parse(body).filter(|(key, _)| key == name);
            parameters.map(|(_, value)| value.into_owned()).collect()
        };
        if !values("client_secret").is_empty() {
            let description = "the client secret must not be in the body as well";
            return Err(reject(400, "invalid_request", description));
        }
        match values("grant_type").as_slice() {
            [grant] if grant == "client_credentials" => Ok(self.new_token()),
            [grant] if !grant.is_empty() => {
                let description = "grant_type must be client_credentials";
                Err(reject(400, "unsupported_grant_type", description))
            }
            [_, _, ..] => Err(reject(400, "invalid_request", "grant_type is repeated")),
            _ => Err(reject(400, "invalid_request", "grant_type is missing")),
        }
    }

    fn new_token(&self) -> ServiceResponse {
        let now = unix_seconds();
        let access_token = self.signer().sign(&json!({
            "iss": "sandbox", "sub": self.client_id, "accounts": [self.account], "iat": now,
            // Rounded up to whole seconds, so that the token is valid for all of `expires_in`.
            "exp": (now + 1).saturating_add(self.token_ttl), "jti": uuid::Uuid::new_v4().to_string(),
        }));
        no_store(ServiceResponse::ok(&json!({
            "access_token": access_token, "token_type": "Bearer", "expires_in": self.token_ttl,
        })))
    }

    /// Invalidates all access tokens.
    pub fn revoke(&self) {
        *self.signer() = Signer::new();
    }

    /// Replaces secrets. Access tokens stay valid.
    pub fn rotate(&self, document: &[u8]) -> Result<(), String> {
        // The parser's own messages would quote values.
        let rotation: Rotation = serde_json::from_slice(document)
            .ok()
            .filter(|new: &Rotation| new.client_secret.is_some() || new.password.is_some())
            .ok_or(
                "the body must have clientSecret, password or both, as strings, and no other key",
            )?;
        let mut secrets = self.secrets();
        if let Some(password) = rotation.password {
            let name = self.username.as_ref().ok_or("password: has no effect with --no-basic")?;
            secrets.user = Some(basic(name, &password));
        }
        if let Some(secret) = rotation.client_secret {
            secrets.client = basic(&self.client_id, &secret);
        }
        Ok(())
    }

    /// Restores the secrets of the command line.
    pub fn reset(&self) {
        self.secrets().clone_from(&self.initial);
    }

    fn secrets(&self) -> MutexGuard<'_, Secrets> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signer(&self) -> MutexGuard<'_, Signer> {
        self.signer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the response to a token request with a method other than POST.
pub fn method_not_allowed() -> ServiceResponse {
    reject(405, "invalid_request", "the method must be POST").with_header("Allow", "POST")
}

/// The credentials in the only Authorization header, if it has this scheme.
fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (given, credentials) = value.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| credentials.trim_matches(' '))
}

fn basic(name: &str, secret: &str) -> String {
    BASE64_STANDARD.encode(format!("{name}:{secret}"))
}

fn is_equal(given: &str, known: &str) -> bool {
    given.as_bytes().ct_eq(known.as_bytes()).into()
}

/// An error of the token endpoint, in the form of RFC 6749, section 5.2.
fn reject(status: u16, error: &str, description: &str) -> ServiceResponse {
    no_store(ServiceResponse::json(
        status,
        &json!({"error": error, "error_description": description}),
    ))
}

fn unauthenticated(description: &str) -> ServiceResponse {
    reject(401, "invalid_client", description)
        .with_header("WWW-Authenticate", "Basic realm=\"bw-sandbox\"")
}

/// Forbids caches to store a response of the token endpoint (RFC 6749, section 5.1).
fn no_store(response: ServiceResponse) -> ServiceResponse {
    response.with_header("Cache-Control", "no-store")
}
