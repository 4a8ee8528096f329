//! Proxies: a tunnel to the service through HTTP CONNECT or SOCKS5, with end-to-end TLS inside. The
//! proxy receives and resolves the service's name, and sees no content.

mod http_connect;
mod socks5;

use std::fmt;

use percent_encoding::percent_decode_str;
use ureq::http::uri::Authority;
use zeroize::Zeroizing;

use super::error::TransportError;
use super::exchange_state::{ExchangeState, Phase};
use super::resolver::port_of;
use super::stream::Stream;
use crate::error::Status;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Connect,
    Socks5,
}

/// A proxy and the credentials for it.
pub struct Proxy {
    protocol: Protocol,
    /// The host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    user: Option<(Zeroizing<String>, Zeroizing<String>)>,
}

impl Proxy {
    /// Parses `http://user:password@host:port` or `socks5://..`.
    ///
    /// # Errors
    /// Returns the problem, without quoting the credentials. The caller puts the key in front.
    pub fn parse(url: &str) -> Result<Proxy, String> {
        const FORM: &str = ": must have the form http://host:port or socks5://host:port, with \
                            user:password@ in front of the host if the proxy asks for them";
        let (scheme, rest) = url.split_once("://").ok_or(FORM)?;
        let (protocol, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Protocol::Connect, 80),
            "socks5" | "socks5h" => (Protocol::Socks5, 1080),
            _ => return Err(FORM.to_owned()),
        };
        // Separated before parsing, because the parser keeps an unwiped copy of its input.
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let place: Authority =
            place.strip_suffix('/').unwrap_or(place).parse().map_err(|_| FORM)?;
        let port =
            port_of(&place, default_port).filter(|_| !place.host().is_empty()).ok_or(FORM)?;
        let user = user.map(|user| credentials(user, protocol)).transpose()?;
        let host = place.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Proxy { protocol, host, port, user })
    }

    /// Opens a tunnel to this host and port.
    ///
    /// # Errors
    /// Returns why the proxy rejected the tunnel, or how the stream failed.
    pub fn tunnel(
        &self,
        host: &str,
        port: u16,
        stream: &Stream<'_>,
        exchange: &ExchangeState,
    ) -> Result<(), TransportError> {
        exchange.enter(Phase::Proxy);
        let result = match self.protocol {
            Protocol::Connect => self.open_http_tunnel(host, port, stream),
            Protocol::Socks5 => self.open_socks5_tunnel(host, port, stream),
        };
        result.map_err(|error| match error.status {
            // The lost connection is that to the proxy.
            Status::Network => TransportError::new(Status::Proxy, error.message),
            _ => error,
        })
    }
}

/// Host and port, without credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// As `Display`, without credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// Decodes and checks user and password.
fn credentials(
    text: &str,
    protocol: Protocol,
) -> Result<(Zeroizing<String>, Zeroizing<String>), String> {
    let (name, password) = text.split_once(':').unwrap_or((text, ""));
    let decode = |part: &str| {
        let decoded = percent_decode_str(part).decode_utf8();
        decoded.map(|text| Zeroizing::new(text.into_owned())).ok()
    };
    let (Some(name), Some(password)) = (decode(name), decode(password)) else {
        return Err(": its user and password must be percent-encoded UTF-8".to_owned());
    };
    if name.is_empty() || name.len() > 255 || password.len() > 255 {
        return Err(
            ": its user must not be empty, and neither part longer than 255 bytes".to_owned()
        );
    }
    if protocol == Protocol::Socks5 && password.is_empty() {
        return Err(": a SOCKS5 proxy's user needs a password".to_owned());
    }
    if name.contains(':') || name.chars().chain(password.chars()).any(char::is_control) {
        return Err(
            ": its user must not contain a colon, and neither part control characters".to_owned()
        );
    }
    Ok((name, password))
}

/// An error of the proxy that another attempt would meet again.
fn permanent(message: impl Into<String>) -> TransportError {
    TransportError::permanent(Status::Proxy, message)
}

/// Reads some bytes, at least one.
fn read_some(stream: &Stream<'_>, buffer: &mut [u8]) -> Result<usize, TransportError> {
    match stream.read(buffer)? {
        0 => Err(TransportError::new(Status::Proxy, "the proxy closed the connection")),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_show_no_credentials() {
        let proxy = Proxy::parse("http://me:p%40ss%3A@proxy.example:3128/").unwrap();
        assert_eq!(
            (proxy.protocol, proxy.host.as_str(), proxy.port),
            (Protocol::Connect, "proxy.example", 3128)
        );
        let (name, password) = proxy.user.as_ref().unwrap();
        assert_eq!((name.as_str(), password.as_str()), ("me", "p@ss:"));
        assert_eq!(format!("{proxy} {proxy:?}"), "proxy.example:3128 Proxy(proxy.example:3128)");
        let proxy = Proxy::parse("SOCKS5://[::1]").unwrap();
        assert_eq!(
            (proxy.protocol, proxy.host.as_str(), proxy.port),
            (Protocol::Socks5, "::1", 1080)
        );
        assert!(proxy.user.is_none());
    }

    #[test]
    fn invalid_urls_are_rejected_and_not_quoted() {
        for url in [
            "",
            "proxy:3128",
            "https://proxy:1",
            "socks4://proxy",
            "http://",
            "http://:80",
            "http://s3cret:%ff@proxy",
            "http://:s3cret@proxy",
            "http://a%3ab:s3cret@proxy",
            "socks5://s3cret@proxy",
            "http://s3cret@proxy:99999",
            "http://s3cret%0d:x@proxy",
            "http://proxy/path",
            "http://proxy?s3cret",
        ] {
            let why = Proxy::parse(url).expect_err(url);
            assert!(why.starts_with(": ") && !why.contains("s3cret"), "{url}: {why}");
        }
    }
}
