//! Service URLs.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::http::uri::{Authority, Scheme};

use super::BASE_URL;
use crate::json::quote;
use crate::transport::port_of;

/// A checked service URL.
pub struct ServiceUrl {
    pub scheme: Scheme,
    pub authority: Authority,
    pub port: u16,
    pub path: String,
}

impl ServiceUrl {
    /// Parses a URL. Plain HTTP is allowed only for loopback hosts, or with `allow_insecure`.
    ///
    /// # Errors
    /// The problem, without the name of the key.
    pub fn parse(url: &str, allow_insecure: bool) -> Result<ServiceUrl, String> {
        let parsed: Uri =
            url.parse().map_err(|_| format!("{} is not a URL, such as {BASE_URL}", quote(url)))?;
        let parts = parsed.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(format!("must be an absolute URL, such as {BASE_URL}"));
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
            assert_eq!(ServiceUrl::parse(url, false).is_ok(), allowed, "{url}");
            assert!(ServiceUrl::parse(url, true).is_ok(), "{url}");
        }
    }
}
