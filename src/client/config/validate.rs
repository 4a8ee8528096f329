//! The checks that involve several keys, and the files.

use std::sync::Arc;
use std::time::Duration;

use ureq::http::HeaderValue;
use ureq::http::uri::Scheme;

use super::url::ServiceUrl;
use super::{BASE_URL, Config, Source, TOKEN_URL};
use crate::api;
use crate::auth::{Credentials, Kind as CredentialKind};
use crate::error::{Error, Status};
use crate::json::document::Problems;
use crate::transport::{Proxy, Settings, client_config};

const USER_AGENT: &str = concat!("libbw_webrtc/", env!("CARGO_PKG_VERSION"));

/// When a request is retried.
pub struct RetryRules {
    /// The number of retries.
    pub max_retries: u32,
    /// The longest pause before the first retry.
    pub base: Duration,
    /// The longest pause before any retry.
    pub max: Duration,
}

impl RetryRules {
    /// The longest pause after this number of attempts. It doubles with each attempt.
    pub fn ceiling(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(20);
        self.base.saturating_mul(1 << doublings).min(self.max)
    }
}

/// A checked configuration, as the parts of a client need it.
pub struct Parts {
    /// The transport of the service.
    pub settings: Settings,
    /// Token requests; None with a user name.
    pub token: Option<TokenParts>,
    /// The credentials.
    pub credentials: Credentials,
    /// The retry rules.
    pub retry: RetryRules,
    /// The timeout of a call.
    pub timeout: Duration,
    /// The timeout of an attempt.
    pub attempt_timeout: Option<Duration>,
    /// The start of every path: the path of the base URL and the account.
    pub prefix: String,
}

/// Where tokens are requested.
pub struct TokenParts {
    /// The transport.
    pub settings: Settings,
    /// The path of the token URL.
    pub target: String,
}

impl Config {
    /// The keys of required values that are missing.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.account_id.is_empty() {
            missing.push("accountId");
        }
        let pairs = [
            (CredentialKind::Client, self.client_id.is_some(), self.client_secret.is_some()),
            (CredentialKind::User, self.username.is_some(), self.password.is_some()),
        ];
        let started: Vec<_> =
            pairs.iter().filter(|(_, identifier, secret)| *identifier || *secret).collect();
        if started.is_empty() {
            missing.extend(CredentialKind::Client.keys());
        }
        for (kind, identifier, secret) in started {
            let [identifier_key, secret_key] = kind.keys();
            if !identifier {
                missing.push(identifier_key);
            }
            if !secret {
                missing.push(secret_key);
            }
        }
        missing
    }

    /// Whether values of both pairs of credentials are set.
    pub(super) fn has_two_pairs(&self) -> bool {
        (self.client_id.is_some() || self.client_secret.is_some())
            && (self.username.is_some() || self.password.is_some())
    }

    /// The pair of credentials.
    fn credentials(&self, problems: &mut Problems) -> Option<Credentials> {
        let name = |key| self.source.name(key);
        let client = self.client_id.is_some() || self.client_secret.is_some();
        let user = self.username.is_some() || self.password.is_some();
        if self.has_two_pairs() {
            let [id, secret, user, password] = ["clientId", "clientSecret", "username", "password"]
                .map(|key| self.source.short_name(key));
            let prefix = if self.source == Source::Document { "config: " } else { "" };
            problems.add_message(format_args!(
                "{prefix}there are two pairs of credentials; set either {id} and {secret}, or {user} \
                 and {password}"
            ));
            return None;
        }
        let (kind, identifier, secret) = if user {
            (CredentialKind::User, &self.username, &self.password)
        } else {
            (CredentialKind::Client, &self.client_id, &self.client_secret)
        };
        let (Some(identifier), Some(secret)) = (identifier, secret) else {
            if !client && !user {
                let problem = "is missing; set clientId and clientSecret, or username and password";
                problems.add(&name("clientId"), problem);
                return None;
            }
            let missing = self.missing();
            for key in missing.into_iter().filter(|key| *key != "accountId") {
                problems.add(&name(key), "is missing");
            }
            return None;
        };
        Credentials::new(kind, identifier, secret)
            .map_err(|these| {
                for (key, why) in these.0 {
                    problems.add(&name(key), why);
                }
            })
            .ok()
    }

    /// The base URL and the token URL, and whether they may be used together.
    fn urls(
        &self,
        kind: Option<CredentialKind>,
        problems: &mut Problems,
    ) -> (Option<ServiceUrl>, Option<ServiceUrl>) {
        let name = |key| self.source.name(key);
        let mut url = |key, given: &Option<String>, own: &str| {
            let text = given.as_deref().unwrap_or(own);
            ServiceUrl::parse(text, self.allow_insecure_http)
                .map_err(|problem| problems.add(&name(key), problem))
                .ok()
        };
        let base = url("baseUrl", &self.base_url, BASE_URL);
        let token = url("tokenUrl", &self.token_url, TOKEN_URL);
        // If a key is omitted by mistake, the client must not send a secret to the real service.
        let is_foreign =
            |url: &Option<ServiceUrl>, own| url.as_ref().is_some_and(|url| !url.is_at(own));
        let (base_key, token_key) =
            (self.source.short_name("baseUrl"), self.source.short_name("tokenUrl"));
        if self.token_url.is_none()
            && kind == Some(CredentialKind::Client)
            && is_foreign(&base, BASE_URL)
        {
            problems.add(
                &name("tokenUrl"),
                format_args!(
                    "is missing; {base_key} is not the service's own, so the credentials are not \
                     sent to the service's own token URL. Add {token_key}"
                ),
            );
        }
        if self.base_url.is_none() && is_foreign(&token, TOKEN_URL) {
            problems.add(
                &name("baseUrl"),
                format_args!(
                    "is missing; {token_key} is not the service's own, so its tokens are not sent \
                     to the service's own URL. Add {base_key}"
                ),
            );
        }
        (base, token)
    }

    /// Checks the configuration, and reads the files.
    ///
    /// # Errors
    /// `Status::Config`, with all problems.
    pub(in crate::client) fn into_parts(self) -> Result<Parts, Error> {
        let mut problems = Problems::default();
        let name = |key| self.source.name(key);
        match api::check_id(&self.account_id) {
            Err(_) if self.account_id.is_empty() => {
                problems.add(&name("accountId"), "is missing or empty");
            }
            Err(why) => problems.add(&name("accountId"), why),
            Ok(()) => {}
        }
        let credentials = self.credentials(&mut problems);
        let kind = credentials.as_ref().map(Credentials::kind);
        let (url, token_url) = self.urls(kind, &mut problems);
        let token_url = token_url.filter(|_| kind == Some(CredentialKind::Client));
        let user_agent = self
            .user_agent
            .as_ref()
            .map_or_else(|| USER_AGENT.to_owned(), |more| format!("{USER_AGENT} {more}"));
        let user_agent = HeaderValue::try_from(user_agent)
            .ok()
            .filter(|value| value.len() <= 512)
            .or_else(|| {
                let problem = "must be printable and not longer than about 400 bytes";
                problems.add(&"config.userAgent", problem);
                None
            });
        let used = || url.iter().chain(&token_url);
        let proxy = self.proxy.as_deref().map(|url| Proxy::parse(url));
        let proxy = proxy
            .transpose()
            .map_err(|problem| {
                problems.add(&"config.proxy", problem.trim_start_matches(": "));
            })
            .ok()
            .flatten();
        if proxy.is_some() && used().any(|url| url.scheme != Scheme::HTTPS) {
            problems.add(
                &"config.proxy",
                "needs an https baseUrl and tokenUrl; otherwise the proxy could read the credentials",
            );
        }
        // The files are also checked if plain HTTP does not use them.
        let tls = client_config(self.roots, &self.tls_files)
            .map_err(|(key, why)| problems.add(&format_args!("config.{key}"), why))
            .ok();
        if let Some(message) = problems.message() {
            return Err(Error::rejected(Status::Config, message));
        }
        let (Some(url), Some(credentials), Some(user_agent)) = (url, credentials, user_agent)
        else {
            return Err(Error::new(
                Status::Internal,
                "a problem in the configuration was not reported",
            ));
        };
        let millis = Duration::from_millis;
        let proxy = proxy.map(Arc::new);
        let user_agent = user_agent.as_bytes();
        let settings = |key, url: &ServiceUrl| Settings {
            key,
            authority: url.authority.as_str().to_owned(),
            host: url.host().to_owned(),
            port: url.port,
            proxy: proxy.clone(),
            tls: tls.clone().filter(|_| url.scheme == Scheme::HTTPS),
            connect_timeout: millis(self.connect_timeout_ms),
            idle_timeout: millis(self.idle_timeout_ms),
            max_idle: usize::try_from(self.max_idle_connections).unwrap_or(0),
            max_response: usize::try_from(self.max_response_bytes).unwrap_or(usize::MAX),
            user_agent: user_agent.to_vec(),
            family: self.ip_family,
            bind: self.bind_address,
            dns_ttl: millis(self.dns_ttl_ms),
        };
        Ok(Parts {
            settings: settings("baseUrl", &url),
            token: token_url.as_ref().map(|url| TokenParts {
                settings: Settings {
                    // Only one token is requested at a time.
                    max_idle: usize::from(self.max_idle_connections > 0),
                    ..settings("tokenUrl", url)
                },
                target: if url.path.is_empty() { "/".to_owned() } else { url.path.clone() },
            }),
            credentials,
            retry: RetryRules {
                max_retries: u32::try_from(self.max_retries).unwrap_or(0),
                base: millis(self.retry_base_ms),
                max: millis(self.retry_max_ms),
            },
            timeout: millis(self.timeout_ms),
            attempt_timeout: self.attempt_timeout_ms.map(millis),
            prefix: format!(
                "{}/accounts/{}",
                url.path.trim_end_matches('/'),
                api::encode(&self.account_id)
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let [base, max] = [10, 1000].map(Duration::from_millis);
        let rules = RetryRules { max_retries: 100, base, max };
        let ceilings = [1, 2, 3, 4, 7, 8, 40].map(|attempts| rules.ceiling(attempts).as_millis());
        assert_eq!(ceilings, [10, 20, 40, 80, 640, 1000, 1000]);
        let endless = RetryRules { max: Duration::MAX, ..rules };
        assert_eq!(endless.ceiling(u32::MAX), base * (1 << 20));
    }
}
