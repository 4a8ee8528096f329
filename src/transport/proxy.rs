//! Proxies: a tunnel to the service through HTTP CONNECT or SOCKS5, inside which TLS runs from end
//! to end. The proxy learns the service's name, which it resolves itself, and nothing of the API.

use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use ureq::http::uri::Authority;
use zeroize::Zeroizing;

use super::link::Link;
use super::names::port_of;
use super::wire::{Fault, Phase, Wire};
use crate::error::Status;

/// The longest head of an answer to CONNECT, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connect,
    Socks5,
}

/// Where the proxy is and who we are to it.
pub struct Proxy {
    kind: Kind,
    /// Its host, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    user: Option<(Zeroizing<String>, Zeroizing<String>)>,
}

impl Proxy {
    /// Reads `http://user:password@host:port` or `socks5://..`.
    ///
    /// # Errors
    /// What is wrong, to be put behind the key; never quotes the credentials.
    pub fn parse(url: &str) -> Result<Proxy, String> {
        const FORM: &str = ": must have the form http://host:port or socks5://host:port, with \
                            user:password@ in front of the host if the proxy asks for them";
        let (scheme, rest) = url.split_once("://").ok_or(FORM)?;
        let (kind, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Kind::Connect, 80),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            _ => return Err(FORM.to_owned()),
        };
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let place: Authority =
            place.strip_suffix('/').unwrap_or(place).parse().map_err(|_| FORM)?;
        let port =
            port_of(&place, default_port).filter(|_| !place.host().is_empty()).ok_or(FORM)?;
        let user = user.map(|user| credentials(user, kind)).transpose()?;
        let host = place.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Proxy { kind, host, port, user })
    }

    /// Asks for a tunnel to this host and port.
    ///
    /// # Errors
    /// A fault that says what the proxy refused, or how the link failed.
    pub fn tunnel(
        &self,
        host: &str,
        port: u16,
        link: &Link<'_>,
        wire: &Wire<'_>,
    ) -> Result<(), Fault> {
        wire.enter(Phase::Proxy);
        let result = match self.kind {
            Kind::Connect => self.connect(host, port, link),
            Kind::Socks5 => self.socks5(host, port, link),
        };
        result.map_err(|fault| match fault.status {
            // The connection that was lost is the proxy's.
            Status::Network => Fault::new(Status::Proxy, fault.message),
            _ => fault,
        })
    }

    fn connect(&self, host: &str, port: u16, link: &Link<'_>) -> Result<(), Fault> {
        let target = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let mut head = Zeroizing::new(String::with_capacity(4096));
        head.push_str(&format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"));
        if let Some((name, password)) = &self.user {
            let pair = Zeroizing::new(format!("{}:{}", &**name, &**password));
            head.push_str("Proxy-Authorization: Basic ");
            BASE64_STANDARD.encode_string(pair.as_bytes(), &mut head);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        link.write_all(head.as_bytes())?;
        let mut answer = vec![0; LONGEST_HEAD];
        let mut length = 0;
        let end = loop {
            if length == answer.len() {
                return Err(lasting("the head of the proxy's answer has no end".to_owned()));
            }
            length += some(link, &mut answer[length..])?;
            if let Some(end) = answer[..length].windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let status: Option<u16> = answer
            .strip_prefix(b"HTTP/1.")
            .and_then(|rest| std::str::from_utf8(rest.get(2..5)?).ok())
            .and_then(|code| code.parse().ok());
        match status {
            // Nobody speaks in the tunnel before we do.
            Some(200..=299) if length == end => Ok(()),
            Some(200..=299) => Err(lasting("the proxy speaks inside the tunnel".to_owned())),
            Some(407) => Err(lasting(format!(
                "the proxy {self} refused its credentials (HTTP 407); see proxy in the \
                 configuration"
            ))),
            Some(code @ 400..=499) => {
                Err(lasting(format!("the proxy {self} refuses a tunnel to {target} (HTTP {code})")))
            }
            Some(code) => Err(Fault::new(
                Status::Proxy,
                format!("the proxy {self} made no tunnel to {target} (HTTP {code})"),
            )),
            None => Err(lasting(format!("what answers at the proxy's {self} is no HTTP proxy"))),
        }
    }

    fn socks5(&self, host: &str, port: u16, link: &Link<'_>) -> Result<(), Fault> {
        let offered: &[u8] = if self.user.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
        link.write_all(offered)?;
        match (exactly::<2>(link)?, &self.user) {
            ([5, 0], _) => {}
            ([5, 2], Some((name, password))) => {
                let mut login = Zeroizing::new(Vec::with_capacity(3 + 2 * 255));
                for (text, version) in [(name, Some(1)), (password, None)] {
                    login.extend(version);
                    // `parse` allows no more than 255 bytes.
                    login.push(text.len() as u8);
                    login.extend_from_slice(text.as_bytes());
                }
                link.write_all(&login)?;
                if exactly::<2>(link)?[1] != 0 {
                    return Err(lasting(format!(
                        "the proxy {self} refused its credentials; see proxy in the configuration"
                    )));
                }
            }
            ([5, _], None) => {
                return Err(lasting(format!(
                    "the proxy {self} asks for credentials; put them into proxy in the \
                     configuration"
                )));
            }
            ([5, _], Some(_)) => {
                return Err(lasting(format!("the proxy {self} takes no name and password")));
            }
            _ => {
                return Err(lasting(format!(
                    "what answers at the proxy's {self} is no SOCKS5 proxy"
                )));
            }
        }
        let mut request = vec![5, 1, 0];
        match host.parse() {
            Ok(IpAddr::V4(ip)) => {
                request.push(1);
                request.extend(ip.octets());
            }
            Ok(IpAddr::V6(ip)) => {
                request.push(4);
                request.extend(ip.octets());
            }
            Err(_) => {
                // A host name of a URL has at most 253 bytes, which DNS allows.
                let length = u8::try_from(host.len())
                    .map_err(|_| lasting("the service's name is too long for SOCKS5".to_owned()))?;
                request.extend([3, length]);
                request.extend(host.as_bytes());
            }
        }
        request.extend(port.to_be_bytes());
        link.write_all(&request)?;
        let [version, reply, _, form] = exactly::<4>(link)?;
        if version != 5 {
            return Err(lasting(format!("what answers at the proxy's {self} is no SOCKS5 proxy")));
        }
        if reply != 0 {
            let why = match reply {
                2 => return Err(lasting(format!("the proxy {self} does not allow {host}:{port}"))),
                3 | 4 => "it cannot reach the host",
                5 => "the connection was refused",
                6 => "the host did not answer in time",
                _ => "it failed",
            };
            return Err(Fault::new(
                Status::Proxy,
                format!("the proxy {self} made no tunnel to {host}:{port}: {why} (reply {reply})"),
            ));
        }
        // The address that the proxy uses is of no interest, but it must be read.
        match form {
            1 => exactly::<6>(link).map(drop),
            4 => exactly::<18>(link).map(drop),
            3 => {
                let [length] = exactly::<1>(link)?;
                (0..usize::from(length) + 2).try_for_each(|_| exactly::<1>(link).map(drop))
            }
            _ => Err(lasting(format!("the proxy {self} breaks the SOCKS5 protocol"))),
        }
    }
}

/// Where it is, without credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// As `Display`: credentials are shown nowhere.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

fn credentials(text: &str, kind: Kind) -> Result<(Zeroizing<String>, Zeroizing<String>), String> {
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
    if kind == Kind::Socks5 && password.is_empty() {
        return Err(": a SOCKS5 proxy's user needs a password".to_owned());
    }
    if name.contains(':') || name.chars().chain(password.chars()).any(char::is_control) {
        return Err(
            ": its user must not contain a colon, and neither part control characters".to_owned()
        );
    }
    Ok((name, password))
}

/// A fault that another attempt would meet again.
fn lasting(message: String) -> Fault {
    Fault { transient: false, ..Fault::new(Status::Proxy, message) }
}

fn some(link: &Link<'_>, room: &mut [u8]) -> Result<usize, Fault> {
    match link.read(room)? {
        0 => Err(Fault::new(Status::Proxy, "the proxy closed the connection")),
        count => Ok(count),
    }
}

fn exactly<const N: usize>(link: &Link<'_>) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    let mut length = 0;
    while length < N {
        length += some(link, &mut bytes[length..])?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_show_no_credentials() {
        let proxy = Proxy::parse("http://me:p%40ss%3A@proxy.example:3128/").unwrap();
        assert_eq!(
            (proxy.kind, proxy.host.as_str(), proxy.port),
            (Kind::Connect, "proxy.example", 3128)
        );
        let (name, password) = proxy.user.as_ref().unwrap();
        assert_eq!((name.as_str(), password.as_str()), ("me", "p@ss:"));
        assert_eq!(format!("{proxy} {proxy:?}"), "proxy.example:3128 Proxy(proxy.example:3128)");
        let proxy = Proxy::parse("SOCKS5://[::1]").unwrap();
        assert_eq!((proxy.kind, proxy.host.as_str(), proxy.port), (Kind::Socks5, "::1", 1080));
        assert!(proxy.user.is_none());
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_quoted() {
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
