//! The configuration: one JSON object, every key checked, every problem named at once.

use std::ffi::OsString;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use ureq::http::uri::{Authority, Scheme};
use ureq::http::{HeaderValue, Uri};
use zeroize::Zeroizing;

use crate::api;
use crate::auth::{Credentials, Kind as CredentialKind};
use crate::error::{Error, Status};
use crate::json::{self, Kind, Problems};
use crate::sys;
use crate::transport::{Family, Proxy, Roots, Settings, TlsFiles, client_config, port_of};

/// The service's own base URL.
pub const BASE_URL: &str = "https://api.webrtc.bandwidth.com/v1";
/// The service's own token URL.
pub const TOKEN_URL: &str = "https://api.bandwidth.com/api/v1/oauth2/token";

const USER_AGENT: &str = concat!("libbw_webrtc/", env!("CARGO_PKG_VERSION"));
const HOUR_MS: u64 = 3_600_000;

/// A client's configuration. Every field is the key of the same name (in camel case) in the JSON
/// object; the defaults are the same in every language.
#[derive(Clone)]
pub struct Config {
    /// The account at the service. Required.
    pub account_id: String,
    /// The client id of the API credentials. Required, unless there is a user name.
    pub client_id: Option<String>,
    /// The client secret of the API credentials.
    pub client_secret: Option<Zeroizing<String>>,
    /// The API user, which stops working on 2 December 2026.
    pub username: Option<String>,
    /// The API user's password.
    pub password: Option<Zeroizing<String>>,
    /// The URL of the service. None: the service's own.
    pub base_url: Option<String>,
    /// The URL of token requests. None: the service's own, unless `base_url` is not.
    pub token_url: Option<String>,
    /// For a whole call, in milliseconds.
    pub timeout_ms: u64,
    /// For one attempt, in milliseconds; none: what is left of the call.
    pub attempt_timeout_ms: Option<u64>,
    /// For name, connection and TLS together, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How many attempts may follow the first.
    pub max_retries: u64,
    /// The first back-off's ceiling, in milliseconds; it doubles with every retry.
    pub retry_base_ms: u64,
    /// The highest back-off's ceiling, in milliseconds.
    pub retry_max_ms: u64,
    /// The proxy to go through: `http://user:password@host:port` or `socks5://..`.
    pub proxy: Option<Zeroizing<String>>,
    /// Which authorities are trusted.
    pub roots: Roots,
    /// The files for TLS.
    pub tls_files: TlsFiles,
    /// Which addresses are used.
    pub ip_family: Family,
    /// The local address to connect from.
    pub bind_address: Option<IpAddr>,
    /// How long a name's addresses are remembered, in milliseconds.
    pub dns_ttl_ms: u64,
    /// How many idle connections are kept.
    pub max_idle_connections: u64,
    /// How long a connection may be idle and still be used, in milliseconds.
    pub idle_timeout_ms: u64,
    /// The largest answer that is read, in bytes.
    pub max_response_bytes: u64,
    /// Appended to the User-Agent header.
    pub user_agent: Option<String>,
    /// Allows plain HTTP to hosts other than this one.
    pub allow_insecure_http: bool,
    /// Where the values come from, for messages.
    source: Source,
}

/// Where a configuration comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A JSON object.
    Document,
    /// Environment variables.
    Environment,
}

/// The environment variables, each with its configuration key.
const VARIABLES: &[(&str, &str)] = &[
    ("BW_ACCOUNT_ID", "accountId"),
    ("BW_CLIENT_ID", "clientId"),
    ("BW_CLIENT_SECRET", "clientSecret"),
    ("BW_USERNAME", "username"),
    ("BW_PASSWORD", "password"),
    ("BW_BASE_URL", "baseUrl"),
    ("BW_TOKEN_URL", "tokenUrl"),
];

impl Source {
    /// What messages call a key.
    fn name(self, key: &str) -> String {
        let variable = VARIABLES.iter().find(|(_, named)| *named == key);
        match (self, variable) {
            (Source::Environment, Some((variable, _))) => (*variable).to_owned(),
            _ => format!("config.{key}"),
        }
    }

    /// What messages call a key in the middle of a sentence.
    fn short_name(self, key: &str) -> String {
        self.name(key).trim_start_matches("config.").to_owned()
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            account_id: String::new(),
            client_id: None,
            client_secret: None,
            username: None,
            password: None,
            base_url: None,
            token_url: None,
            timeout_ms: 10_000,
            attempt_timeout_ms: None,
            connect_timeout_ms: 3_000,
            max_retries: 2,
            retry_base_ms: 100,
            retry_max_ms: 2_000,
            proxy: None,
            roots: Roots::Bundled,
            tls_files: TlsFiles::default(),
            ip_family: Family::Any,
            bind_address: None,
            dns_ttl_ms: 30_000,
            max_idle_connections: 64,
            idle_timeout_ms: 15_000,
            max_response_bytes: 1 << 20,
            user_agent: None,
            allow_insecure_http: false,
            source: Source::Document,
        }
    }
}

/// When to try again.
pub struct RetryRules {
    /// How many attempts may follow the first.
    pub max_retries: u32,
    /// The first back-off's ceiling.
    pub base: Duration,
    /// The highest ceiling.
    pub max: Duration,
}

impl RetryRules {
    /// The longest pause behind so many attempts: twice as long each time, up to the highest.
    pub fn ceiling(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(20);
        self.base.saturating_mul(1 << doublings).min(self.max)
    }
}

/// A checked configuration, in the form its users take.
pub struct Parts {
    /// For the service's transport.
    pub settings: Settings,
    /// For token requests; none with a user name.
    pub token: Option<TokenParts>,
    /// For the Authorization header.
    pub credentials: Credentials,
    /// For the attempt loop.
    pub retry: RetryRules,
    /// For a whole call.
    pub timeout: Duration,
    /// For one attempt.
    pub attempt_timeout: Option<Duration>,
    /// In front of every operation's path.
    pub prefix: String,
}

/// Where tokens are requested.
pub struct TokenParts {
    /// For the transport.
    pub settings: Settings,
    /// The path of the token URL.
    pub target: String,
}

/// Reads a value into a field, or says what to put behind the key's path.
type Read = fn(&mut Config, &RawValue) -> Result<(), String>;

/// Every key, and how its value is read.
const KEYS: &[(&str, Read)] = &[
    ("accountId", |c, v| text(v).map(|t| c.account_id = t)),
    ("clientId", |c, v| text(v).map(|t| c.client_id = Some(t))),
    ("clientSecret", |c, v| text(v).map(|t| c.client_secret = Some(Zeroizing::new(t)))),
    ("username", |c, v| text(v).map(|t| c.username = Some(t))),
    ("password", |c, v| text(v).map(|t| c.password = Some(Zeroizing::new(t)))),
    ("baseUrl", |c, v| text(v).map(|t| c.base_url = Some(t))),
    ("tokenUrl", |c, v| text(v).map(|t| c.token_url = Some(t))),
    ("timeoutMs", |c, v| number(v, 1, 24 * HOUR_MS).map(|n| c.timeout_ms = n)),
    ("attemptTimeoutMs", |c, v| number(v, 1, 24 * HOUR_MS).map(|n| c.attempt_timeout_ms = Some(n))),
    ("connectTimeoutMs", |c, v| number(v, 1, 24 * HOUR_MS).map(|n| c.connect_timeout_ms = n)),
    ("maxRetries", |c, v| number(v, 0, 10).map(|n| c.max_retries = n)),
    ("retryBaseMs", |c, v| number(v, 1, HOUR_MS).map(|n| c.retry_base_ms = n)),
    ("retryMaxMs", |c, v| number(v, 1, HOUR_MS).map(|n| c.retry_max_ms = n)),
    ("proxy", |c, v| text(v).map(|t| c.proxy = Some(Zeroizing::new(t)))),
    ("roots", |c, v| {
        choice(v, &[("bundled", Roots::Bundled), ("system", Roots::System)]).map(|r| c.roots = r)
    }),
    ("caFile", |c, v| text(v).map(|t| c.tls_files.ca = Some(t))),
    ("clientCertFile", |c, v| text(v).map(|t| c.tls_files.client_cert = Some(t))),
    ("clientKeyFile", |c, v| text(v).map(|t| c.tls_files.client_key = Some(t))),
    ("ipFamily", |c, v| {
        let known = [("any", Family::Any), ("ipv4", Family::V4), ("ipv6", Family::V6)];
        choice(v, &known).map(|f| c.ip_family = f)
    }),
    ("bindAddress", |c, v| {
        let address = text(v)?;
        let parsed = address.parse();
        c.bind_address =
            Some(parsed.map_err(|_| format!(": {} is no IP address", json::quote(&address)))?);
        Ok(())
    }),
    ("dnsTtlMs", |c, v| number(v, 0, 24 * HOUR_MS).map(|n| c.dns_ttl_ms = n)),
    ("maxIdleConnections", |c, v| number(v, 0, 1024).map(|n| c.max_idle_connections = n)),
    ("idleTimeoutMs", |c, v| number(v, 0, 24 * HOUR_MS).map(|n| c.idle_timeout_ms = n)),
    ("maxResponseBytes", |c, v| number(v, 1024, 1 << 28).map(|n| c.max_response_bytes = n)),
    ("userAgent", |c, v| text(v).map(|t| c.user_agent = Some(t))),
    ("allowInsecureHttp", |c, v| {
        choice_of(v, Kind::Boolean)?;
        c.allow_insecure_http = v.get() == "true";
        Ok(())
    }),
];

impl Config {
    /// Reads the JSON object of `bw_client_new`. A key that is null counts as left out.
    ///
    /// # Errors
    /// `Status::Config`, naming every problem; quotes no credentials.
    pub fn from_json(text: &str) -> Result<Config, Error> {
        let fail = |message| Error::rejected(Status::Config, message);
        if text.len() > api::MAX_REQUEST {
            return Err(fail(format!("config: has more than {} bytes", api::MAX_REQUEST)));
        }
        let json::Object(members) = json::object("config", text).map_err(fail)?;
        let names: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
        let mut problems = Problems::default();
        let mut config = Config::default();
        for (key, value) in members {
            let path = json::member("config", &key);
            let Some((_, read)) = KEYS.iter().find(|(name, _)| *name == key) else {
                problems.add(path, json::unknown_key(&key, &names));
                continue;
            };
            if Kind::of(value) != Kind::Null {
                if let Err(what) = read(&mut config, value) {
                    problems.add(path, what);
                }
            }
        }
        problems.message().map_or(Ok(config), |message| Err(fail(message)))
    }

    /// The configuration in the environment: `BW_ACCOUNT_ID`, `BW_CLIENT_ID` and
    /// `BW_CLIENT_SECRET` (or `BW_USERNAME` and `BW_PASSWORD`), `BW_BASE_URL` and `BW_TOKEN_URL`. An
    /// empty variable counts as unset.
    ///
    /// # Errors
    /// `Status::Config`, naming every variable that is missing; also if one is not UTF-8 or the
    /// process is set-uid.
    pub fn from_environment() -> Result<Config, Error> {
        if sys::is_privileged() {
            return Err(Error::new(
                Status::Config,
                "a set-uid process does not read its configuration from the environment; pass a \
                 JSON object",
            ));
        }
        Config::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<Config, Error> {
        let mut config = Config { source: Source::Environment, ..Config::default() };
        let mut problems = Problems::default();
        for (variable, key) in VARIABLES {
            let Some(value) = get(variable).filter(|value| !value.is_empty()) else { continue };
            let Ok(value) = value.into_string() else {
                problems.add(variable, ": is not UTF-8");
                continue;
            };
            match *key {
                "accountId" => config.account_id = value,
                "clientId" => config.client_id = Some(value),
                "clientSecret" => config.client_secret = Some(Zeroizing::new(value)),
                "username" => config.username = Some(value),
                "password" => config.password = Some(Zeroizing::new(value)),
                "baseUrl" => config.base_url = Some(value),
                _ => config.token_url = Some(value),
            }
        }
        let missing = config.missing();
        // Of two kinds of credentials, into_parts reports that there are two.
        if !missing.is_empty() && !config.has_two_kinds() {
            let names: Vec<String> = missing.iter().map(|key| config.source.name(key)).collect();
            problems.add(
                match names.as_slice() {
                    [one] => format!("the environment variable {one} is not set"),
                    [most @ .., last] => {
                        format!(
                            "the environment variables {} and {last} are not set",
                            most.join(", ")
                        )
                    }
                    [] => String::new(),
                },
                "",
            );
        }
        problems.message().map_or(Ok(config), |message| Err(Error::new(Status::Config, message)))
    }

    /// The keys of required values that are not there.
    fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.account_id.is_empty() {
            missing.push("accountId");
        }
        let pairs = [
            (CredentialKind::Client, self.client_id.is_some(), self.client_secret.is_some()),
            (CredentialKind::User, self.username.is_some(), self.password.is_some()),
        ];
        let begun: Vec<_> =
            pairs.iter().filter(|(_, identifier, secret)| *identifier || *secret).collect();
        if begun.is_empty() {
            missing.extend(CredentialKind::Client.keys());
        }
        for (kind, identifier, secret) in begun {
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

    /// Whether there are parts of both pairs of credentials.
    fn has_two_kinds(&self) -> bool {
        (self.client_id.is_some() || self.client_secret.is_some())
            && (self.username.is_some() || self.password.is_some())
    }

    /// The one pair of credentials.
    fn credentials(&self, problems: &mut Problems) -> Option<Credentials> {
        let name = |key| self.source.name(key);
        let client = self.client_id.is_some() || self.client_secret.is_some();
        let user = self.username.is_some() || self.password.is_some();
        if self.has_two_kinds() {
            let [id, secret, user, password] = ["clientId", "clientSecret", "username", "password"]
                .map(|key| self.source.short_name(key));
            problems.add(
                "",
                format_args!(
                    "{}there are two pairs of credentials; give either {id} and {secret}, or {user} \
                     and {password}",
                    if self.source == Source::Document { "config: " } else { "" }
                ),
            );
            return None;
        }
        let (kind, identifier, secret) = if user {
            (CredentialKind::User, &self.username, &self.password)
        } else {
            (CredentialKind::Client, &self.client_id, &self.client_secret)
        };
        let (Some(identifier), Some(secret)) = (identifier, secret) else {
            if !client && !user {
                let what = ": is missing; give clientId and clientSecret, or username and password";
                problems.add(name("clientId"), what);
                return None;
            }
            let missing = self.missing();
            for key in missing.into_iter().filter(|key| *key != "accountId") {
                problems.add(name(key), ": is missing");
            }
            return None;
        };
        Credentials::new(kind, identifier, secret)
            .map_err(|these| {
                for (key, why) in these.0 {
                    problems.add(name(key), format_args!(": {why}"));
                }
            })
            .ok()
    }

    /// The URLs of the service and of token requests, and whether all are fit to be used together.
    fn urls(
        &self,
        kind: Option<CredentialKind>,
        problems: &mut Problems,
    ) -> (Option<Url>, Option<Url>) {
        let name = |key| self.source.name(key);
        let mut url = |key, given: &Option<String>, own: &str| {
            let text = given.as_deref().unwrap_or(own);
            parse_url(text, self.allow_insecure_http)
                .map_err(|what| problems.add(name(key), what))
                .ok()
        };
        let base = url("baseUrl", &self.base_url, BASE_URL);
        let token = url("tokenUrl", &self.token_url, TOKEN_URL);
        // A key that was left out must not send a secret to the real service, or a test's secret
        // to anyone.
        let is_foreign = |url: &Option<Url>, own| url.as_ref().is_some_and(|url| !url.is_at(own));
        let (base_key, token_key) =
            (self.source.short_name("baseUrl"), self.source.short_name("tokenUrl"));
        if self.token_url.is_none()
            && kind == Some(CredentialKind::Client)
            && is_foreign(&base, BASE_URL)
        {
            problems.add(
                name("tokenUrl"),
                format_args!(
                    ": is missing; {base_key} is not the service's own, so the credentials are not \
                     sent to the service's own token URL. Add {token_key}"
                ),
            );
        }
        if self.base_url.is_none() && is_foreign(&token, TOKEN_URL) {
            problems.add(
                name("baseUrl"),
                format_args!(
                    ": is missing; {token_key} is not the service's own, so its tokens are not sent \
                     to the service's own URL. Add {base_key}"
                ),
            );
        }
        (base, token)
    }

    /// Checks what no single key can tell, and reads the files.
    pub(super) fn into_parts(self) -> Result<Parts, Error> {
        let mut problems = Problems::default();
        let name = |key| self.source.name(key);
        match api::check_id(&self.account_id) {
            Err(_) if self.account_id.is_empty() => {
                problems.add(name("accountId"), ": is missing or empty");
            }
            Err(why) => problems.add(name("accountId"), format_args!(": {why}")),
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
                problems
                    .add("config.userAgent", ": must be printable and at most some 400 bytes long");
                None
            });
        let used = || url.iter().chain(&token_url);
        let proxy = self.proxy.as_deref().map(|url| Proxy::parse(url));
        let proxy =
            proxy.transpose().map_err(|what| problems.add("config.proxy", what)).ok().flatten();
        if proxy.is_some() && used().any(|url| url.scheme != Scheme::HTTPS) {
            problems.add(
                "config.proxy",
                ": needs an https baseUrl and tokenUrl, since the proxy could read the secret \
                 otherwise",
            );
        }
        // Files are checked even where plain HTTP does not use them: a mistake shows early.
        let tls = client_config(self.roots, &self.tls_files)
            .map_err(|(key, why)| problems.add(format_args!("config.{key}: "), why))
            .ok();
        if let Some(message) = problems.message() {
            return Err(Error::rejected(Status::Config, message));
        }
        let (Some(url), Some(credentials), Some(user_agent)) = (url, credentials, user_agent)
        else {
            return Err(Error::new(Status::Internal, "a problem of the configuration was lost"));
        };
        let millis = Duration::from_millis;
        let proxy = proxy.map(Arc::new);
        let user_agent = user_agent.as_bytes();
        let settings = |key, url: &Url| Settings {
            key,
            authority: url.authority.as_str().to_owned(),
            host: bare(url.authority.host()).to_owned(),
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
                    // One call at a time requests a token.
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

/// A checked URL of the configuration.
struct Url {
    scheme: Scheme,
    authority: Authority,
    port: u16,
    path: String,
}

impl Url {
    /// Whether the URL is at the same host and port as this https URL.
    fn is_at(&self, own: &str) -> bool {
        let host = own.split('/').nth(2).unwrap_or(own);
        self.scheme == Scheme::HTTPS
            && self.port == 443
            && self.authority.host().eq_ignore_ascii_case(host)
    }
}

fn parse_url(url: &str, allow_insecure: bool) -> Result<Url, String> {
    let parsed: Uri = url.parse().map_err(|_| format!(": {} is not a URL", json::quote(url)))?;
    let parts = parsed.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return Err(format!(": must be an absolute URL, such as {BASE_URL}"));
    };
    if authority.as_str().contains('@') {
        return Err(": must not contain credentials; use the keys for them".to_owned());
    }
    if authority.host().is_empty() {
        return Err(": names no host".to_owned());
    }
    let path = parts.path_and_query.map_or(String::new(), |p| p.as_str().to_owned());
    if path.contains('?') || url.contains('#') {
        return Err(": must not hold a query or a fragment".to_owned());
    }
    if scheme == Scheme::HTTP {
        if !allow_insecure && !is_loopback(authority.host()) {
            return Err(": plain http would send the credentials in the clear; use https (or \
                        allowInsecureHttp)"
                .to_owned());
        }
    } else if scheme != Scheme::HTTPS {
        return Err(format!(": has the scheme {}; use https", json::quote(scheme.as_str())));
    }
    let default_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
    let port = port_of(&authority, default_port).ok_or(": has a port that is none")?;
    Ok(Url { scheme, authority, port, path })
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_loopback(host: &str) -> bool {
    let bare = bare(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn choice_of(value: &RawValue, kind: Kind) -> Result<(), String> {
    let actual = Kind::of(value);
    if actual == kind {
        return Ok(());
    }
    Err(format!(": must be {}, not {}", kind.article(), actual.article()))
}

fn text(value: &RawValue) -> Result<String, String> {
    json::string(value).map(std::borrow::Cow::into_owned)
}

fn number(value: &RawValue, least: u64, most: u64) -> Result<u64, String> {
    choice_of(value, Kind::Number)?;
    value
        .get()
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!(": must be a whole number from {least} to {most}"))
}

fn choice<T: Copy>(value: &RawValue, known: &[(&str, T)]) -> Result<T, String> {
    let word = json::string(value)?;
    known.iter().find(|(name, _)| *name == word).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        format!(": {} is not one of {}", json::quote(&word), names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(more: &str) -> String {
        let text = format!(r#"{{"accountId":"1","username":"u","password":"s3cret"{more}}}"#);
        let result = Config::from_json(&text).and_then(Config::into_parts);
        let error = result.err().unwrap_or_else(|| panic!("{text} was taken"));
        assert_eq!(error.status, Status::Config);
        assert!(!error.message.contains("s3cret"), "{}", error.message);
        error.message
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let [base, max] = [10, 1000].map(Duration::from_millis);
        let rules = RetryRules { max_retries: 100, base, max };
        let ceilings = [1, 2, 3, 4, 7, 8, 40].map(|attempts| rules.ceiling(attempts).as_millis());
        assert_eq!(ceilings, [10, 20, 40, 80, 640, 1000, 1000]);
        let endless = RetryRules { max: Duration::MAX, ..rules };
        assert_eq!(endless.ceiling(u32::MAX), base * (1 << 20));
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let text = r#"{"accountId":"9/9","username":"u","password":"p"}"#;
        let parts = Config::from_json(text).unwrap().into_parts().ok().unwrap();
        assert_eq!(parts.prefix, "/v1/accounts/9%2F9");
        assert_eq!(parts.timeout, Duration::from_secs(10));
        assert_eq!(parts.settings.authority, "api.webrtc.bandwidth.com");
        assert!(parts.settings.tls.is_some());
        assert_eq!(parts.retry.max_retries, 2);
    }

    #[test]
    fn every_mistake_is_named() {
        for (more, part) in [
            (r#","timoutMs":1"#, "config.timoutMs: is not known; did you mean timeoutMs?"),
            (r#","timeoutMs":0"#, "config.timeoutMs: must be a whole number from 1 to"),
            (r#","timeoutMs":"9""#, "config.timeoutMs: must be a number, not a string"),
            (r#","timeoutMs":1.5"#, "config.timeoutMs: must be a whole number"),
            (r#","maxRetries":-1"#, "config.maxRetries: must be a whole number from 0 to 10"),
            (r#","baseUrl":"http://example.com/v1""#, "config.baseUrl: plain http would"),
            (r#","baseUrl":"ftp://example.com""#, "has the scheme \"ftp\""),
            (r#","baseUrl":"https://u:s3cret@h/""#, "must not contain credentials"),
            (r#","baseUrl":"https://u:s3cret@ h/""#, "is not a URL"),
            (r#","baseUrl":"/v1""#, "must be an absolute URL"),
            (r#","baseUrl":"https://h:99999/v1""#, "config.baseUrl: has a port that is none"),
            (r#","proxy":"h:1""#, "config.proxy: must have the form http://host:port"),
            (r#","proxy":7"#, "config.proxy: must be a string"),
            (
                r#","proxy":"http://h:1","baseUrl":"http://127.0.0.1""#,
                "config.proxy: needs an https baseUrl",
            ),
            (r#","baseUrl":"https://h/v1?x""#, "query"),
            (r#","roots":"mine""#, "config.roots: \"mine\" is not one of bundled, system"),
            (r#","ipFamily":4"#, "config.ipFamily: must be a string"),
            (r#","bindAddress":"eth0""#, "config.bindAddress: \"eth0\" is no IP address"),
            (r#","caFile":"/nowhere/ca.pem""#, "config.caFile: /nowhere/ca.pem cannot be read"),
            (
                r#","caFile":"-----BEGIN CERTIFICATE-----\ns3cret""#,
                "config.caFile: is the PEM text itself, not the path of a file",
            ),
            (
                r#","clientCertFile":"/dev/null","clientKeyFile":"/""#,
                "config.clientCertFile: /dev/null is not a file",
            ),
            (r#","caFile":"/""#, "config.caFile: / is not a file"),
            (r#","clientCertFile":"/x""#, "config.clientKeyFile: is missing beside"),
            (r#","userAgent":"a\nb""#, "config.userAgent: must be printable"),
            (r#","allowInsecureHttp":1"#, "config.allowInsecureHttp: must be a boolean"),
            (r#","password":"again""#, "config.password: is given twice"),
            (r#","verify":false"#, "config.verify: is not known"),
        ] {
            let message = problem(more);
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
        let message = Config::from_json("{}").and_then(Config::into_parts).err().unwrap().message;
        for part in [
            "config.accountId: is missing",
            "config.clientId: is missing; give clientId and clientSecret, or username and password",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn exactly_one_pair_of_credentials_is_accepted() {
        const BOTH: &str = "there are two pairs of credentials; give either clientId and \
                            clientSecret, or username and password";
        for (pair, expected) in [
            (r#""clientId":"c","clientSecret":"s3cret""#, None),
            (r#""username":"u","password":"s3cret""#, None),
            (r#""username":null,"password":null,"clientId":"c","clientSecret":"s3cret""#, None),
            (r#""clientId":"c""#, Some("config.clientSecret: is missing")),
            (r#""clientSecret":"s3cret""#, Some("config.clientId: is missing")),
            (r#""username":"u""#, Some("config.password: is missing")),
            (r#""password":"s3cret""#, Some("config.username: is missing")),
            (r#""clientId":"c","password":"s3cret""#, Some(BOTH)),
            (r#""clientId":"c","clientSecret":"s","username":"u","password":"s3cret""#, Some(BOTH)),
            (r#""clientId":"","clientSecret":"s3cret""#, Some("config.clientId: is empty")),
            (r#""clientId":"c","clientSecret":"""#, Some("config.clientSecret: is empty")),
            (r#""clientId":"c:d","clientSecret":"s3cret""#, Some("config.clientId: must not")),
        ] {
            let text = format!(r#"{{"accountId":"1",{pair}}}"#);
            let error = Config::from_json(&text).and_then(Config::into_parts).err();
            match (expected, error) {
                (None, None) => {}
                (Some(part), Some(error)) => {
                    assert!(error.message.contains(part), "{pair}: {}", error.message);
                    assert!(!error.message.contains("s3cret"), "{}", error.message);
                }
                (_, error) => panic!("{pair}: {:?}", error.map(|error| error.message)),
            }
        }
    }

    #[test]
    fn an_omitted_url_never_stands_for_the_services_own_beside_another() {
        const OAUTH: &str = r#""clientId":"c","clientSecret":"s3cret""#;
        const BASIC: &str = r#""username":"u","password":"s3cret""#;
        const LOCAL: &str = "http://127.0.0.1:1";
        let (base, token) = ("config.baseUrl: is missing", "config.tokenUrl: is missing");
        for (pair, base_url, token_url, expected) in [
            (OAUTH, None, None, None),
            (OAUTH, Some(BASE_URL), None, None),
            (OAUTH, Some("https://API.webrtc.bandwidth.com:443/v1/"), None, None),
            (OAUTH, None, Some(TOKEN_URL), None),
            (OAUTH, Some(LOCAL), Some(LOCAL), None),
            (OAUTH, Some(LOCAL), Some(TOKEN_URL), None),
            (OAUTH, Some(LOCAL), None, Some(token)),
            (OAUTH, Some("https://api.webrtc.bandwidth.com.example/v1"), None, Some(token)),
            (OAUTH, Some("https://api.webrtc.bandwidth.com:444/v1"), None, Some(token)),
            (OAUTH, None, Some(LOCAL), Some(base)),
            (BASIC, Some(LOCAL), None, None),
            (BASIC, None, Some(LOCAL), Some(base)),
            (OAUTH, Some(LOCAL), Some("http://example.com/t"), Some("config.tokenUrl: plain http")),
            (OAUTH, Some(LOCAL), Some("token"), Some("config.tokenUrl: must be an absolute URL")),
        ] {
            let member = |key, url: Option<&str>| {
                url.map_or(String::new(), |url| format!(r#","{key}":"{url}""#))
            };
            let text = format!(
                r#"{{"accountId":"1",{pair}{}{}}}"#,
                member("baseUrl", base_url),
                member("tokenUrl", token_url)
            );
            let error = Config::from_json(&text).and_then(Config::into_parts).err();
            let message = error.map(|error| error.message);
            match expected {
                None => assert_eq!(message, None, "{text}"),
                Some(part) => assert!(message.as_ref().unwrap().contains(part), "{message:?}"),
            }
        }
    }

    #[test]
    fn the_environment_is_read_and_its_problems_name_variables() {
        let read = |variables: &[(&str, &str)]| {
            let get = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            };
            Config::from_variables(get)
                .and_then(|config| config.clone().into_parts().map(|_| config))
                .map_err(|error| error.message)
        };
        let account = ("BW_ACCOUNT_ID", "1");
        let client = [account, ("BW_CLIENT_ID", "c"), ("BW_CLIENT_SECRET", "s3cret")];
        let config = read(&client).unwrap();
        assert_eq!(config.client_id.as_deref(), Some("c"));
        let empty = [&client[..], &[("BW_BASE_URL", ""), ("BW_USERNAME", "")]].concat();
        assert_eq!(read(&empty).unwrap().base_url, None);
        assert!(read(&[account, ("BW_USERNAME", "u"), ("BW_PASSWORD", "p")]).is_ok());
        for (variables, message) in [
            (
                vec![],
                "the environment variables BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET are \
                 not set",
            ),
            (
                vec![("BW_ACCOUNT_ID", ""), client[1], client[2]],
                "the environment variable BW_ACCOUNT_ID is not set",
            ),
            (
                vec![account, ("BW_USERNAME", "u")],
                "the environment variable BW_PASSWORD is not set",
            ),
        ] {
            assert_eq!(read(&variables).err().as_deref(), Some(message));
        }
        let message = read(&[&client[..], &[("BW_BASE_URL", "http://[::1]:1/v1")]].concat());
        let message = message.err().unwrap();
        assert!(message.starts_with("BW_TOKEN_URL: is missing; BW_BASE_URL is"), "{message}");
        let user = [("BW_USERNAME", "u"), ("BW_PASSWORD", "p")];
        for more in [&user[..], &user[..1], &user[1..]] {
            for begun in [&client[..], &client[..2]] {
                let message = read(&[begun, more].concat()).err().unwrap();
                let part = "either BW_CLIENT_ID and BW_CLIENT_SECRET, or BW_USERNAME and";
                assert!(message.contains(part), "{message}");
            }
        }
    }

    #[test]
    fn plain_http_is_for_this_host_only() {
        for (url, allowed) in [
            ("http://127.0.0.1:1/v1", true),
            ("http://[::1]:1/v1", true),
            ("http://[::ffff:127.0.0.1]/v1", true),
            ("http://LOCALHOST/v1/", true),
            ("http://127.0.0.1.example.com/v1", false),
            ("http://10.0.0.1/v1", false),
        ] {
            assert_eq!(parse_url(url, false).is_ok(), allowed, "{url}");
            assert!(parse_url(url, true).is_ok(), "{url}");
        }
    }
}
