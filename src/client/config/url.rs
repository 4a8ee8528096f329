//! Service URLs.

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::ServerName;
use ureq::http::Uri;
use ureq::http::uri::{Authority, Scheme};

use super::layers::Origins;
use super::{BASE_URL, ENDPOINTS_URL};
use crate::api::Service;
use crate::json::quote;
use crate::transport::port_of;

/// A service URL that is missing, because another URL in the configuration is not the service's own.
/// Otherwise a key that was omitted by mistake would send a secret to the real service.
#[derive(Clone)]
pub struct MissingUrl(String);

impl MissingUrl {
    /// `key` is missing because of the URL of `other`.
    pub fn new(origins: &Origins, key: &str, other: &str) -> MissingUrl {
        let name = origins.name(key);
        let [short, other_name] = [key, other].map(|key| origins.short_name(key));
        MissingUrl(format!(
            "{name}: is missing; {other_name} is not the service's own, so the credentials are not \
             sent to the service's own URL. Add {short}"
        ))
    }
}

impl fmt::Display for MissingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A checked service URL.
pub struct ServiceUrl {
    pub scheme: Scheme,
    pub authority: Authority,
    pub port: u16,
    pub path: String,
}

impl ServiceUrl {
    /// A service's own URL.
    pub fn of(service: Service) -> ServiceUrl {
        let own = match service {
            Service::WebRtc => BASE_URL,
            Service::Endpoints => ENDPOINTS_URL,
        };
        let Ok(url) = ServiceUrl::parse(own, own, false) else {
            unreachable!("the services' own URLs are valid")
        };
        url
    }

    /// Parses a URL. Plain HTTP is allowed only for loopback hosts, or with `allow_insecure`. `own` is
    /// the service's own URL, the example in messages.
    ///
    /// # Errors
    /// The problem, without the name of the key.
    pub fn parse(url: &str, own: &str, allow_insecure: bool) -> Result<ServiceUrl, String> {
        let parsed: Uri =
            url.parse().map_err(|_| format!("{} is not a URL, such as {own}", quote(url)))?;
        let parts = parsed.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(format!("must be an absolute URL, such as {own}"));
        };
        if authority.as_str().contains('@') {
            return Err("must not contain credentials; use the credential keys".to_owned());
        }
        if authority.host().is_empty() {
            return Err("has no host".to_owned());
        }
        let path = parts.path_and_query.map_or(String::new(), |p| p.as_str().to_owned());
        if path.contains('?') || url.contains('#') {
            return Err("must not contain a query or a fragment".to_owned());
        }
        if scheme == Scheme::HTTP {
            if !allow_insecure && !is_loopback(authority.host()) {
                return Err("plain http would send the credentials in the clear; use https (or \
                            allowInsecureHttp)"
                    .to_owned());
            }
        } else if scheme != Scheme::HTTPS {
            return Err(format!("has the scheme {}; use https", quote(scheme.as_str())));
        }
        let default_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let port = port_of(&authority, default_port).ok_or("has an invalid port")?;
        let host = without_brackets(authority.host());
        if scheme == Scheme::HTTPS && ServerName::try_from(host).is_err() {
            return Err(format!("{} is not a host name", quote(host)));
        }
        Ok(ServiceUrl { scheme, authority, port, path })
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        without_brackets(self.authority.host())
    }

    /// Whether this URL has the scheme, host and port of one of the service's own URLs.
    pub fn is_at(&self, own: &'static str) -> bool {
        let own = Uri::from_static(own);
        self.scheme == Scheme::HTTPS
            && self.port == 443
            && own.host().is_some_and(|host| host.eq_ignore_ascii_case(self.authority.host()))
    }
}

/// The URL of a service in a client's configuration.
pub enum ConfiguredUrl {
    /// The service's own URL.
    Default,
    /// A URL in the configuration.
    Given(Box<ServiceUrl>),
    /// None: the service's own URL must not be used.
    Missing(MissingUrl),
}

impl ConfiguredUrl {
    /// The URL that is given or missing; otherwise the service's own.
    pub fn new(given: Option<ServiceUrl>, missing: Option<MissingUrl>) -> ConfiguredUrl {
        match (given, missing) {
            (Some(url), _) => ConfiguredUrl::Given(Box::new(url)),
            (None, Some(missing)) => ConfiguredUrl::Missing(missing),
            (None, None) => ConfiguredUrl::Default,
        }
    }

    /// Whether this is an https URL.
    pub fn is_https(&self) -> bool {
        match self {
            ConfiguredUrl::Default => true,
            ConfiguredUrl::Given(url) => url.scheme == Scheme::HTTPS,
            ConfiguredUrl::Missing(_) => false,
        }
    }
}

fn without_brackets(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_loopback(host: &str) -> bool {
    let host = without_brackets(host);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::config::{Config, TOKEN_URL};

    #[test]
    fn plain_http_is_only_for_loopback_hosts() {
        for (url, allowed) in [
            ("http://127.0.0.1:1/v1", true),
            ("http://[::1]:1/v1", true),
            ("http://[::ffff:127.0.0.1]/v1", true),
            ("http://LOCALHOST/v1/", true),
            ("http://127.0.0.1.example.com/v1", false),
            ("http://10.0.0.1/v1", false),
        ] {
            assert_eq!(ServiceUrl::parse(url, BASE_URL, false).is_ok(), allowed, "{url}");
            assert!(ServiceUrl::parse(url, BASE_URL, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn example_in_a_message_is_the_url_of_the_same_key() {
        for (key, own) in
            [("baseUrl", BASE_URL), ("endpointsUrl", ENDPOINTS_URL), ("tokenUrl", TOKEN_URL)]
        {
            for (url, problem) in [("", "is not a URL"), ("/v2", "must be an absolute URL")] {
                let config = serde_json::json!({"accountId": "1", "clientId": "c",
                    "clientSecret": "a secret", key: url});
                let parts = Config::from_json(&config.to_string()).unwrap().into_parts();
                let message = parts.err().unwrap().message;
                let expected = format!("config.{key}: ");
                assert!(message.starts_with(&expected), "{message}");
                assert!(message.contains(&format!("{problem}, such as {own}")), "{message}");
            }
        }
    }
}
