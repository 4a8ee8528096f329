//! The configuration: one JSON object, every key checked, every problem named at once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use ureq::http::uri::{Authority, Scheme};
use ureq::http::{HeaderValue, Uri};
use zeroize::Zeroizing;

use super::credentials::Credentials;
use crate::api;
use crate::error::{Error, Status};
use crate::json::{self, Kind, Problems};
use crate::sys;
use crate::transport::{Family, Proxy, Roots, Settings, TlsFiles, client_config, port_of};

/// The service's own base URL.
pub const BASE_URL: &str = "https://api.webrtc.bandwidth.com/v1";

const USER_AGENT: &str = concat!("libbw_webrtc/", env!("CARGO_PKG_VERSION"));
const HOUR_MS: u64 = 3_600_000;

/// A client's configuration. Every field is the key of the same name (in camel case) in the JSON
/// object; the defaults are the same in every language.
#[derive(Clone)]
pub struct Config {
    /// The account at the service. Required.
    pub account_id: String,
    /// The API user. Required.
    pub username: String,
    /// The API user's password. Required.
    pub password: Zeroizing<String>,
    /// Where the service is.
    pub base_url: String,
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
}

impl Default for Config {
    fn default() -> Config {
        Config {
            account_id: String::new(),
            username: String::new(),
            password: Zeroizing::default(),
            base_url: BASE_URL.to_owned(),
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
    /// For the transport.
    pub settings: Settings,
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

/// Reads a value into a field, or says what to put behind the key's path.
type Read = fn(&mut Config, &RawValue) -> Result<(), String>;

/// Every key, and how its value is read.
const KEYS: &[(&str, Read)] = &[
    ("accountId", |c, v| text(v).map(|t| c.account_id = t)),
    ("username", |c, v| text(v).map(|t| c.username = t)),
    ("password", |c, v| text(v).map(|t| c.password = Zeroizing::new(t))),
    ("baseUrl", |c, v| text(v).map(|t| c.base_url = t)),
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
    /// `Status::Config`, naming every problem; quotes no value of username or password.
    pub fn from_json(text: &str) -> Result<Config, Error> {
        let fail = |message| Error::new(Status::Config, message);
        if text.len() > api::MAX_REQUEST {
            return Err(fail(format!("config: has more than {} bytes", api::MAX_REQUEST)));
        }
        let json::Object(members) = json::object("config", text).map_err(fail)?;
        let names: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
        let mut problems = Problems::default();
        let mut config = Config::default();
        let mut seen: Vec<&str> = Vec::with_capacity(names.len());
        for (key, value) in members {
            let path = json::member("config", &key);
            let Some((name, read)) = KEYS.iter().find(|(name, _)| *name == key) else {
                problems.add(path, json::unknown_key(&key, &names));
                continue;
            };
            if seen.contains(name) {
                problems.add(path, ": is there twice");
                continue;
            }
            seen.push(name);
            if Kind::of(value) != Kind::Null {
                if let Err(what) = read(&mut config, value) {
                    problems.add(path, what);
                }
            }
        }
        problems.message().map_or(Ok(config), |message| Err(fail(message)))
    }

    /// The configuration in `BW_ACCOUNT_ID`, `BW_USERNAME`, `BW_PASSWORD` and `BW_BASE_URL`.
    ///
    /// # Errors
    /// `Status::Config`, if one is not UTF-8 or the process is set-uid.
    pub fn from_environment() -> Result<Config, Error> {
        let fail = |message| Err(Error::new(Status::Config, message));
        if sys::is_privileged() {
            return fail(
                "config: is NULL, and a set-uid process does not trust its environment; pass a \
                 JSON object"
                    .to_owned(),
            );
        }
        let mut config = Config::default();
        for (name, field) in [
            ("BW_ACCOUNT_ID", &mut config.account_id),
            ("BW_USERNAME", &mut config.username),
            ("BW_PASSWORD", &mut *config.password),
            ("BW_BASE_URL", &mut config.base_url),
        ] {
            match std::env::var(name) {
                Ok(value) => *field = value,
                Err(std::env::VarError::NotPresent) if name == "BW_BASE_URL" => {}
                Err(std::env::VarError::NotPresent) => {
                    return fail(format!(
                        "config: is NULL and {name} is not set in the environment"
                    ));
                }
                Err(_) => return fail(format!("{name} in the environment is not UTF-8")),
            }
        }
        Ok(config)
    }

    /// Checks what no single key can tell, and reads the files.
    pub(super) fn into_parts(self) -> Result<Parts, Error> {
        let mut problems = Problems::default();
        if let Err(why) = api::check_id(&self.account_id) {
            problems.add("config.accountId: ", why);
        }
        let credentials = Credentials::new(&self.username, &self.password)
            .map_err(|these| {
                for (name, why) in these.0 {
                    problems.add(format_args!("config.{name}: "), why);
                }
            })
            .ok();
        let url = parse_base_url(&self.base_url, self.allow_insecure_http)
            .map_err(|what| problems.add("config.baseUrl", what))
            .ok();
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
        let is_tls = url.as_ref().is_some_and(|url| url.scheme == Scheme::HTTPS);
        let proxy = self.proxy.as_deref().map(|url| Proxy::parse(url));
        let proxy =
            proxy.transpose().map_err(|what| problems.add("config.proxy", what)).ok().flatten();
        if proxy.is_some() && url.is_some() && !is_tls {
            problems.add(
                "config.proxy",
                ": needs an https baseUrl, since the proxy could read the password otherwise",
            );
        }
        // Files are checked even where plain HTTP does not use them: a mistake shows early.
        let tls = client_config(self.roots, &self.tls_files)
            .map_err(|(key, why)| problems.add(format_args!("config.{key}: "), why))
            .ok()
            .filter(|_| is_tls);
        if let Some(message) = problems.message() {
            return Err(Error::new(Status::Config, message));
        }
        let (Some(url), Some(credentials), Some(user_agent)) = (url, credentials, user_agent)
        else {
            return Err(Error::new(Status::Internal, "a problem of the configuration was lost"));
        };
        let millis = Duration::from_millis;
        Ok(Parts {
            settings: Settings {
                authority: url.authority.as_str().to_owned(),
                host: bare(url.authority.host()).to_owned(),
                port: url.port,
                key: "baseUrl",
                proxy: proxy.map(Arc::new),
                tls,
                connect_timeout: millis(self.connect_timeout_ms),
                idle_timeout: millis(self.idle_timeout_ms),
                max_idle: usize::try_from(self.max_idle_connections).unwrap_or(0),
                max_response: usize::try_from(self.max_response_bytes).unwrap_or(usize::MAX),
                user_agent: user_agent.as_bytes().to_vec(),
                family: self.ip_family,
                bind: self.bind_address,
                dns_ttl: millis(self.dns_ttl_ms),
            },
            credentials,
            retry: RetryRules {
                max_retries: u32::try_from(self.max_retries).unwrap_or(0),
                base: millis(self.retry_base_ms),
                max: millis(self.retry_max_ms),
            },
            timeout: millis(self.timeout_ms),
            attempt_timeout: self.attempt_timeout_ms.map(millis),
            prefix: format!("{}/accounts/{}", url.path, api::encode(&self.account_id)),
        })
    }
}

struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    port: u16,
    path: String,
}

fn parse_base_url(url: &str, allow_insecure: bool) -> Result<BaseUrl, String> {
    let parsed: Uri =
        url.parse().map_err(|_| format!(": {} is not a URL", json::quote(&without_user(url))))?;
    let parts = parsed.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return Err(": must be an absolute URL, such as https://api.webrtc.bandwidth.com/v1".into());
    };
    if authority.as_str().contains('@') {
        return Err(": must not hold credentials; use username and password".to_owned());
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
            return Err(": plain http would send the password in the clear; use https (or \
                        allowInsecureHttp)"
                .to_owned());
        }
    } else if scheme != Scheme::HTTPS {
        return Err(format!(": has the scheme {}; use https", json::quote(scheme.as_str())));
    }
    let default_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
    let port = port_of(&authority, default_port).ok_or(": has a port that is none")?;
    Ok(BaseUrl { scheme, authority, port, path: path.trim_end_matches('/').to_owned() })
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

/// The URL without anything in front of an `@`, which could be a password.
fn without_user(url: &str) -> String {
    url.rsplit('@').next().unwrap_or("").to_owned()
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
            (r#","baseUrl":"https://u:s3cret@h/""#, "must not hold credentials"),
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
            (r#","caFile":"/""#, "config.caFile: / is not a file"),
            (r#","clientCertFile":"/x""#, "config.clientKeyFile: is missing beside"),
            (r#","userAgent":"a\nb""#, "config.userAgent: must be printable"),
            (r#","allowInsecureHttp":1"#, "config.allowInsecureHttp: must be a boolean"),
            (r#","password":"again""#, "config.password: is there twice"),
            (r#","verify":false"#, "config.verify: is not known"),
        ] {
            let message = problem(more);
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
        let message = Config::from_json("{}").and_then(Config::into_parts).err().unwrap().message;
        for key in ["accountId", "username", "password"] {
            assert!(message.contains(&format!("config.{key}: is empty")), "{message}");
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
            assert_eq!(parse_base_url(url, false).is_ok(), allowed, "{url}");
            assert!(parse_base_url(url, true).is_ok(), "{url}");
        }
    }
}
