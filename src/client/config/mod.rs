//! The configuration: a JSON object, a settings file and environment variables, checked completely
//! before it is used.

mod fields;
mod file;
mod layers;
mod reload;
mod url;
mod validate;

use std::net::IpAddr;

use zeroize::Zeroizing;

use self::fields::FIELDS;
use self::layers::Origins;
pub use self::reload::Reloader;
pub use self::url::{ConfiguredUrl, ServiceUrl};
pub use self::validate::{RetryRules, ServiceSettings};
use super::log::Format as LogFormat;
use crate::transport::{Family, Roots, TlsFiles};

/// The service's own base URL.
pub const BASE_URL: &str = "https://api.webrtc.bandwidth.com/v1";
/// The service's own URL of BRTC Endpoints.
pub const ENDPOINTS_URL: &str = "https://api.bandwidth.com/v2";
/// The service's own token URL.
pub const TOKEN_URL: &str = "https://api.bandwidth.com/api/v1/oauth2/token";

/// The configuration of a client. Each field is the key of the same name (in camel case) in the JSON
/// object. The defaults are the same in every language.
#[derive(Clone)]
pub struct Config {
    /// The account id. Required.
    pub account_id: String,
    /// The client id of the API credentials. Required, unless `username` is set.
    pub client_id: Option<String>,
    /// The client secret of the API credentials.
    pub client_secret: Option<Zeroizing<String>>,
    /// The name of the API user. API users stop working on 2 December 2026.
    pub username: Option<String>,
    /// The password of the API user.
    pub password: Option<Zeroizing<String>>,
    /// The URL of WebRTC v1. None: the service's own URL, but only if no other URL is set to
    /// something else. This also applies to `endpoints_url` and `token_url`.
    pub base_url: Option<String>,
    /// The URL of BRTC Endpoints.
    pub endpoints_url: Option<String>,
    /// The URL for token requests.
    pub token_url: Option<String>,
    /// The timeout of a call, in milliseconds.
    pub timeout_ms: u64,
    /// The timeout of an attempt, in milliseconds. None: the remaining time of the call.
    pub attempt_timeout_ms: Option<u64>,
    /// The timeout of name resolution, connection and TLS handshake together, in milliseconds.
    pub connect_timeout_ms: u64,
    /// The number of retries.
    pub max_retries: u64,
    /// The longest pause before the first retry, in milliseconds. It doubles with each retry.
    pub retry_base_ms: u64,
    /// The longest pause before any retry, in milliseconds.
    pub retry_max_ms: u64,
    /// The largest sum of the `Retry-After` values that a call waits for, in milliseconds.
    pub max_retry_after_ms: u64,
    /// The proxy: `http://user:password@host:port` or `socks5://..`.
    pub proxy: Option<Zeroizing<String>>,
    /// The certificate authorities that are trusted.
    pub roots: Roots,
    /// The certificate files.
    pub tls_files: TlsFiles,
    /// The IP versions that are used.
    pub ip_family: Family,
    /// The local address to connect from.
    pub bind_address: Option<IpAddr>,
    /// The lifetime of entries in the DNS cache, in milliseconds.
    pub dns_ttl_ms: u64,
    /// The number of idle connections that are kept open.
    pub max_idle_connections: u64,
    /// How long an idle connection can be reused, in milliseconds.
    pub idle_timeout_ms: u64,
    /// The size limit of a response, in bytes.
    pub max_response_bytes: u64,
    /// Appended to the User-Agent header.
    pub user_agent: Option<String>,
    /// Allows plain HTTP to hosts other than loopback hosts.
    pub allow_insecure_http: bool,
    /// The form of log lines.
    pub log_format: LogFormat,
    /// Whether the settings file named by `BW_CONFIG_FILE` and environment variables are read.
    pub environment: bool,
    /// The path of the settings file, instead of `BW_CONFIG_FILE`.
    pub config_file: Option<String>,
    /// Where the values come from.
    origins: Origins,
    /// The JSON object, if the file or the environment can be read again.
    options: Option<Zeroizing<String>>,
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
            endpoints_url: None,
            token_url: None,
            timeout_ms: 10_000,
            attempt_timeout_ms: None,
            connect_timeout_ms: 3_000,
            max_retries: 2,
            retry_base_ms: 100,
            retry_max_ms: 2_000,
            max_retry_after_ms: 5_000,
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
            log_format: LogFormat::Text,
            environment: false,
            config_file: None,
            origins: Origins::default(),
            options: None,
        }
    }
}

impl Config {
    /// The names of all keys.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().map(|field| field.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;
    use std::time::Duration;

    fn problem(more: &str) -> String {
        let text = format!(r#"{{"accountId":"1","username":"u","password":"s3cret"{more}}}"#);
        let result = Config::from_json(&text).and_then(Config::into_parts);
        let error = result.err().unwrap_or_else(|| panic!("{text} was accepted"));
        assert_eq!(error.status, Status::Config);
        assert!(!error.message.contains("s3cret"), "{}", error.message);
        error.message
    }

    #[test]
    fn defaults_are_as_documented() {
        let text = r#"{"accountId":"9/9","username":"u","password":"p"}"#;
        let parts = Config::from_json(text).unwrap().into_parts().ok().unwrap();
        assert_eq!(parts.services.account, "9%2F9");
        assert_eq!(parts.timeout, Duration::from_secs(10));
        assert!(parts.services.tls.is_some());
        assert!(parts.urls.iter().all(|url| matches!(url, ConfiguredUrl::Default)));
        assert_eq!(parts.retry.max_retries, 2);
    }

    #[test]
    fn every_problem_is_reported() {
        for (more, part) in [
            (r#","timoutMs":1"#, "config.timoutMs: is not known; did you mean timeoutMs?"),
            (r#","timeoutMs":0"#, "config.timeoutMs: must be a whole number from 1 to"),
            (
                r#","timeoutMs":"9""#,
                "config.timeoutMs: must be a whole number from 1 to 86400000, not a string",
            ),
            (r#","timeoutMs":1.5"#, "config.timeoutMs: must be a whole number"),
            (r#","maxRetries":-1"#, "config.maxRetries: must be a whole number from 0 to 10"),
            (r#","baseUrl":"http://example.com/v1""#, "config.baseUrl: plain http would"),
            (r#","baseUrl":"ftp://example.com""#, "has the scheme \"ftp\""),
            (r#","baseUrl":"https://u:s3cret@h/""#, "must not contain credentials"),
            (r#","baseUrl":"https://u:s3cret@ h/""#, "is not a URL"),
            (r#","baseUrl":"/v1""#, "must be an absolute URL"),
            (r#","baseUrl":"https://h:99999/v1""#, "config.baseUrl: has an invalid port"),
            (r#","proxy":"h:1""#, "config.proxy: must have the form http://host:port"),
            (r#","proxy":7"#, "config.proxy: must be a string"),
            (
                r#","proxy":"http://h:1","baseUrl":"http://127.0.0.1""#,
                "config.proxy: needs an https baseUrl",
            ),
            (r#","baseUrl":"https://h/v1?x""#, "query"),
            (r#","baseUrl":"https://-_-/v1""#, "config.baseUrl: \"-_-\" is not a host name"),
            (r#","endpointsUrl":"http://example.com/v2""#, "config.endpointsUrl: plain http would"),
            (
                r#","proxy":"http://h:1","endpointsUrl":"http://127.0.0.1""#,
                "config.proxy: needs an",
            ),
            (r#","roots":"mine""#, "config.roots: \"mine\" is not one of bundled, system"),
            (r#","ipFamily":4"#, "config.ipFamily: must be a string"),
            (r#","bindAddress":"eth0""#, "config.bindAddress: \"eth0\" is not an IP address"),
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
            (
                r#","clientCertFile":"/x""#,
                "config.clientKeyFile: is missing, but clientCertFile is set",
            ),
            (r#","userAgent":"a\nb""#, "config.userAgent: must be printable"),
            (r#","logFormat":"xml""#, "config.logFormat: \"xml\" is not one of text, json"),
            (r#","logFormat":1"#, "config.logFormat: must be a string"),
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
            "config.clientId: is missing; set clientId and clientSecret, or username and password",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn exactly_one_pair_of_credentials_is_accepted() {
        const BOTH: &str = "there are two pairs of credentials; set either clientId and \
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
    fn omitted_url_is_never_the_services_own_if_another_is_not() {
        const OAUTH: &str = r#""clientId":"c","clientSecret":"s3cret""#;
        const BASIC: &str = r#""username":"u","password":"s3cret""#;
        const LOCAL: &str = "http://127.0.0.1:1";
        let (base, token) = ("config.baseUrl: is missing", "config.tokenUrl: is missing");
        for (pair, base_url, endpoints_url, token_url, expected) in [
            (OAUTH, None, None, None, Ok(["default", "default"])),
            (OAUTH, Some(BASE_URL), None, None, Ok(["given", "default"])),
            (
                OAUTH,
                Some("https://API.webrtc.bandwidth.com:443/v1/"),
                None,
                None,
                Ok(["given", "default"]),
            ),
            (OAUTH, None, None, Some(TOKEN_URL), Ok(["default", "default"])),
            (OAUTH, None, Some(ENDPOINTS_URL), None, Ok(["default", "given"])),
            (OAUTH, Some(LOCAL), None, Some(LOCAL), Ok(["given", "baseUrl"])),
            (OAUTH, Some(LOCAL), None, Some(TOKEN_URL), Ok(["given", "baseUrl"])),
            (OAUTH, Some(BASE_URL), None, Some(LOCAL), Ok(["given", "tokenUrl"])),
            (OAUTH, Some(LOCAL), Some(LOCAL), Some(LOCAL), Ok(["given", "given"])),
            (OAUTH, None, Some(LOCAL), Some(LOCAL), Ok(["endpointsUrl", "given"])),
            (OAUTH, None, Some(ENDPOINTS_URL), Some(LOCAL), Ok(["tokenUrl", "given"])),
            (OAUTH, None, Some(LOCAL), None, Err(token)),
            (OAUTH, Some(LOCAL), None, None, Err(token)),
            (OAUTH, Some("https://api.webrtc.bandwidth.com.example/v1"), None, None, Err(token)),
            (OAUTH, Some("https://api.webrtc.bandwidth.com:444/v1"), None, None, Err(token)),
            (OAUTH, None, None, Some(LOCAL), Err(base)),
            (BASIC, Some(LOCAL), None, None, Ok(["given", "baseUrl"])),
            (BASIC, None, Some(LOCAL), None, Ok(["endpointsUrl", "given"])),
            (BASIC, None, None, Some(LOCAL), Err(base)),
            (
                OAUTH,
                Some(LOCAL),
                None,
                Some("http://example.com/t"),
                Err("config.tokenUrl: plain http"),
            ),
            (
                OAUTH,
                Some(LOCAL),
                None,
                Some("token"),
                Err("config.tokenUrl: must be an absolute URL"),
            ),
            (
                OAUTH,
                None,
                Some("https://h:0x/"),
                None,
                Err("config.endpointsUrl: has an invalid port"),
            ),
        ] {
            let member = |key, url: Option<&str>| {
                url.map_or(String::new(), |url| format!(r#","{key}":"{url}""#))
            };
            let text = format!(
                r#"{{"accountId":"1",{pair}{}{}{}}}"#,
                member("baseUrl", base_url),
                member("endpointsUrl", endpoints_url),
                member("tokenUrl", token_url)
            );
            let parts = Config::from_json(&text).and_then(Config::into_parts);
            let urls = parts.map_err(|error| error.message).map(|parts| {
                parts.urls.map(|url| match url {
                    ConfiguredUrl::Default => "default",
                    ConfiguredUrl::Given(_) => "given",
                    ConfiguredUrl::Missing(missing) => ["baseUrl", "endpointsUrl", "tokenUrl"]
                        .into_iter()
                        .find(|key| missing.to_string().contains(&format!("; {key} is not the")))
                        .unwrap(),
                })
            });
            match (expected, urls) {
                (Err(part), Err(message)) if message.contains(part) => {}
                (expected, urls) => assert_eq!(urls, expected.map_err(str::to_owned), "{text}"),
            }
        }
    }
}
