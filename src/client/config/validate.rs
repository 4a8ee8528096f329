//! The checks that involve several keys, and the files.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use ureq::http::HeaderValue;
use ureq::http::uri::Scheme;

use super::url::{ConfiguredUrl, MissingUrl, ServiceUrl};
use super::{BASE_URL, Config, ENDPOINTS_URL, TOKEN_URL};
use crate::api;
use crate::auth::{Credentials, Kind as CredentialKind};
use crate::client::log::Format as LogFormat;
use crate::error::{Error, Status};
use crate::json::document::Problems;
use crate::transport::{CommonSettings, Proxy, Settings, client_config};

const USER_AGENT: &str = concat!("libbw_webrtc/", env!("CARGO_PKG_VERSION"));

/// When a request is retried.
pub struct RetryRules {
    /// The number of retries.
    pub max_retries: u32,
    /// The longest pause before the first retry.
    pub base: Duration,
    /// The longest pause before any retry.
    pub max: Duration,
    /// The largest sum of the `Retry-After` values that a call waits for.
    pub max_retry_after: Duration,
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
    /// The settings of the services.
    pub services: ServiceSettings,
    /// The URL of each service.
    pub urls: [ConfiguredUrl; 2],
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
    /// The form of log lines.
    pub log_format: LogFormat,
}

/// What the transports of a client have in common.
pub struct ServiceSettings {
    /// The settings of each transport.
    pub common: Arc<CommonSettings>,
    /// The TLS configuration; None if no URL is an https URL.
    pub tls: Option<Arc<ClientConfig>>,
    /// The maximum number of idle connections to each service.
    pub max_idle: usize,
    /// The account id, percent-encoded.
    pub account: String,
}

impl ServiceSettings {
    /// The settings of a transport to a URL. `key` is the configuration key of the URL.
    pub fn for_url(&self, key: &'static str, url: &ServiceUrl, max_idle: usize) -> Settings {
        Settings {
            key,
            authority: url.authority.as_str().to_owned(),
            host: url.host().to_owned(),
            port: url.port,
            tls: self.tls.clone().filter(|_| url.scheme == Scheme::HTTPS),
            max_idle,
            common: self.common.clone(),
        }
    }
}

/// Where tokens are requested.
pub struct TokenParts {
    /// The transport.
    pub settings: Settings,
    /// The path of the token URL.
    pub target: String,
}

/// The checked URLs in a configuration; None if a URL is omitted.
struct Urls {
    base: Option<ServiceUrl>,
    endpoints: Option<ServiceUrl>,
    token: Option<ServiceUrl>,
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
        let name = |key| self.origins.name(key);
        let client = self.client_id.is_some() || self.client_secret.is_some();
        let user = self.username.is_some() || self.password.is_some();
        if self.has_two_pairs() {
            let (prefix, [id, secret, user, password]) = self.origins.names_of_pairs();
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

    fn add_problem(&self, problems: &mut Problems, key: &str, problem: &str) {
        problems.add(&self.origins.name(key), self.origins.problem(key, problem));
    }

    /// The URLs that are set.
    fn urls(&self, problems: &mut Problems) -> Urls {
        let mut url = |key, given: &Option<String>, own| {
            ServiceUrl::parse(given.as_deref()?, own, self.allow_insecure_http)
                .map_err(|problem| self.add_problem(problems, key, &problem))
                .ok()
        };
        Urls {
            base: url("baseUrl", &self.base_url, BASE_URL),
            endpoints: url("endpointsUrl", &self.endpoints_url, ENDPOINTS_URL),
            token: url("tokenUrl", &self.token_url, TOKEN_URL),
        }
    }

    /// The reason why a URL that is omitted must not be the service's own, if there is one.
    fn missing_url(&self, key: &'static str, urls: &Urls) -> Option<MissingUrl> {
        let is_foreign =
            |url: &Option<ServiceUrl>, own| url.as_ref().is_some_and(|url| !url.is_at(own));
        let others = [
            ("baseUrl", is_foreign(&urls.base, BASE_URL)),
            ("endpointsUrl", is_foreign(&urls.endpoints, ENDPOINTS_URL)),
            ("tokenUrl", is_foreign(&urls.token, TOKEN_URL)),
        ];
        let (other, _) =
            others.into_iter().find(|(other, is_foreign)| *is_foreign && *other != key)?;
        Some(MissingUrl::new(&self.origins, key, other))
    }

    /// Checks the configuration, and reads the files.
    ///
    /// # Errors
    /// `Status::Config`, with all problems.
    pub(in crate::client) fn into_parts(self) -> Result<Parts, Error> {
        let mut problems = Problems::default();
        let name = |key| self.origins.name(key);
        match api::check_id(&self.account_id) {
            Err(_) if self.account_id.is_empty() => {
                problems.add(&name("accountId"), "is missing or empty");
            }
            Err(why) => self.add_problem(&mut problems, "accountId", &why.to_string()),
            Ok(()) => {}
        }
        let credentials = self.credentials(&mut problems);
        let kind = credentials.as_ref().map(Credentials::kind);
        let urls = self.urls(&mut problems);
        let missing = |key, given: &Option<String>| {
            given.is_none().then(|| self.missing_url(key, &urls)).flatten()
        };
        let missing_base = missing("baseUrl", &self.base_url);
        let missing_endpoints = missing("endpointsUrl", &self.endpoints_url);
        let missing_token = missing("tokenUrl", &self.token_url);
        let has_tokens = kind == Some(CredentialKind::Client);
        problems.extend(missing_token.filter(|_| has_tokens));
        // A client with only the URL of one service can be used for this service.
        problems.extend(missing_base.clone().filter(|_| self.endpoints_url.is_none()));
        let user_agent = self
            .user_agent
            .as_ref()
            .map_or_else(|| USER_AGENT.to_owned(), |more| format!("{USER_AGENT} {more}"));
        let user_agent = HeaderValue::try_from(user_agent)
            .ok()
            .filter(|value| value.len() <= 512)
            .or_else(|| {
                let problem = "must be printable and not longer than about 400 bytes";
                problems.add(&name("userAgent"), problem);
                None
            });
        let given = [&urls.base, &urls.endpoints, &urls.token];
        let proxy = self.proxy.as_deref().map(|url| Proxy::parse(url));
        let proxy = proxy
            .transpose()
            .map_err(|problem| {
                self.add_problem(&mut problems, "proxy", problem.trim_start_matches(": "));
            })
            .ok()
            .flatten();
        if proxy.is_some() && given.into_iter().flatten().any(|url| url.scheme != Scheme::HTTPS) {
            problems.add(
                &name("proxy"),
                "needs an https baseUrl, endpointsUrl and tokenUrl; otherwise the proxy could read the \
                 credentials",
            );
        }
        // The files are also checked if plain HTTP does not use them.
        let tls = client_config(self.roots, &self.tls_files)
            .map_err(|(key, why)| self.add_problem(&mut problems, key, &why))
            .ok();
        if let Some(message) = problems.message() {
            return Err(Error::rejected(Status::Config, message));
        }
        let (Some(credentials), Some(user_agent)) = (credentials, user_agent) else {
            return Err(Error::new(
                Status::Internal,
                "a problem in the configuration was not reported",
            ));
        };
        let Urls { base, endpoints, token } = urls;
        let token = token.or_else(|| ServiceUrl::parse(TOKEN_URL, TOKEN_URL, false).ok());
        let token = token.filter(|_| has_tokens);
        let urls = [
            ConfiguredUrl::new(base, missing_base),
            ConfiguredUrl::new(endpoints, missing_endpoints),
        ];
        let has_https = urls.iter().any(ConfiguredUrl::is_https)
            || token.as_ref().is_some_and(|url| url.scheme == Scheme::HTTPS);
        let millis = Duration::from_millis;
        let services = ServiceSettings {
            common: Arc::new(CommonSettings {
                proxy: proxy.map(Arc::new),
                connect_timeout: millis(self.connect_timeout_ms),
                idle_timeout: millis(self.idle_timeout_ms),
                max_response: usize::try_from(self.max_response_bytes).unwrap_or(usize::MAX),
                user_agent: user_agent.as_bytes().to_vec(),
                family: self.ip_family,
                bind: self.bind_address,
                dns_ttl: millis(self.dns_ttl_ms),
            }),
            tls: tls.filter(|_| has_https),
            max_idle: usize::try_from(self.max_idle_connections).unwrap_or(0),
            account: api::encode(&self.account_id),
        };
        let token = token.map(|url| {
            // Only one token is requested at a time.
            let max_idle = usize::from(self.max_idle_connections > 0);
            TokenParts {
                settings: services.for_url("tokenUrl", &url, max_idle),
                target: if url.path.is_empty() { "/".to_owned() } else { url.path },
            }
        });
        Ok(Parts {
            services,
            urls,
            token,
            credentials,
            retry: RetryRules {
                max_retries: u32::try_from(self.max_retries).unwrap_or(0),
                base: millis(self.retry_base_ms),
                max: millis(self.retry_max_ms),
                max_retry_after: millis(self.max_retry_after_ms),
            },
            timeout: millis(self.timeout_ms),
            attempt_timeout: self.attempt_timeout_ms.map(millis),
            log_format: self.log_format,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let [base, max] = [10, 1000].map(Duration::from_millis);
        let rules = RetryRules { max_retries: 100, base, max, max_retry_after: max };
        let ceilings = [1, 2, 3, 4, 7, 8, 40].map(|attempts| rules.ceiling(attempts).as_millis());
        assert_eq!(ceilings, [10, 20, 40, 80, 640, 1000, 1000]);
        let endless = RetryRules { max: Duration::MAX, ..rules };
        assert_eq!(endless.ceiling(u32::MAX), base * (1 << 20));
    }
}
