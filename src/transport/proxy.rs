//! Proxies: a tunnel to the service through HTTP CONNECT or SOCKS5, inside which TLS runs from end
//! to end. The proxy learns the service's name, which it resolves itself, and nothing of the API.

use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use ureq::http::uri::Authority;
use zeroize::Zeroizing;

use super::stream::Stream;
use super::resolver::port_of;
use super::error::TransportError;
use super::exchange_state::{Phase, ExchangeState};
use crate::error::Status;
use crate::redact;

/// The longest head of an answer to CONNECT, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// How much of the body of a rejection is read, in bytes.
const MAX_REASON_LINE: usize = 1024;

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
    /// An error that says what the proxy refused, or how the stream failed.
    pub fn tunnel(
        &self,
        host: &str,
        port: u16,
        stream: &Stream<'_>,
        exchange: &ExchangeState,
    ) -> Result<(), TransportError> {
        exchange.enter(Phase::Proxy);
        let result = match self.kind {
            Kind::Connect => self.connect(host, port, stream),
            Kind::Socks5 => self.socks5(host, port, stream),
        };
        result.map_err(|error| match error.status {
            // The connection that was lost is the proxy's.
            Status::Network => TransportError::new(Status::Proxy, error.message),
            _ => error,
        })
    }

    fn connect(&self, host: &str, port: u16, stream: &Stream<'_>) -> Result<(), TransportError> {
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
        stream.write_all(head.as_bytes())?;
        let (head, rest) = self.read_head(stream)?;
        match head.code {
            // Nobody speaks in the tunnel before we do.
            200..=299 if rest.is_empty() => Ok(()),
            200..=299 => Err(lasting("the proxy speaks inside the tunnel".to_owned())),
            code => {
                let words = self.words(&head, &first_line(&head, rest, stream));
                let what = match code {
                    407 => self.no_credentials(&head),
                    400..=499 => format!("the proxy {self} refuses a tunnel to {target}"),
                    _ => format!("the proxy {self} made no tunnel to {target}"),
                };
                let message = format!("{what} (HTTP {code}{words}");
                let transient = !(400..=499).contains(&code);
                Err(TransportError { transient, ..TransportError::new(Status::Proxy, message) })
            }
        }
    }

    /// What a 407 means: it depends on what the proxy asks for and on what it got.
    fn no_credentials(&self, head: &ResponseHead) -> String {
        let has_basic = head.schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("Basic"));
        if !has_basic && !head.schemes.is_empty() {
            let schemes = redact::line(&head.schemes.join(", "));
            format!(
                "the proxy {self} accepts no other authentication than {schemes}, and this library \
                 supports Basic only; allow Basic at the proxy, or go through another proxy"
            )
        } else if self.user.is_none() {
            format!(
                "the proxy {self} asks for credentials; put them into proxy in the configuration"
            )
        } else {
            format!("the proxy {self} refused its credentials; see proxy in the configuration")
        }
    }

    /// The proxy's own words: the rest of a message behind its HTTP status.
    fn words(&self, head: &ResponseHead, line: &str) -> String {
        // It may repeat what it got.
        let shown = |text: &str| {
            let mut text = text.to_owned();
            if let Some((name, password)) = &self.user {
                let pair = Zeroizing::new(format!("{}:{}", &**name, &**password));
                let basic = Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()));
                for secret in [&pair, &basic, password].into_iter().filter(|it| !it.is_empty()) {
                    text = text.replace(&***secret, "[removed]");
                }
            }
            redact::line(&text)
        };
        let reason = shown(&head.reason);
        let space = if reason.is_empty() { "" } else { " " };
        let details: Vec<String> =
            [&*head.squid, line].into_iter().map(shown).filter(|text| !text.is_empty()).collect();
        let colon = if details.is_empty() { "" } else { ": " };
        format!("{space}{reason}){colon}{}", details.join("; "))
    }

    /// Reads heads up to the first that is not an interim response. Returns what was read after it too.
    fn read_head(&self, stream: &Stream<'_>) -> Result<(ResponseHead, Vec<u8>), TransportError> {
        let mut bytes = vec![0; MAX_HEAD];
        let (mut filled, mut interim) = (0, 0);
        loop {
            let parsed = parse_head(&bytes[..filled]).map_err(|_| {
                lasting(format!("what answers at the proxy's {self} is no HTTP proxy"))
            })?;
            match parsed {
                Some((head, end)) if (100..=199).contains(&head.code) && head.code != 101 => {
                    bytes.copy_within(end..filled, 0);
                    filled -= end;
                    interim += end;
                }
                Some((head, end)) => {
                    bytes.truncate(filled);
                    bytes.drain(..end);
                    return Ok((head, bytes));
                }
                None if interim + filled >= bytes.len() => {
                    return Err(lasting("the head of the proxy's answer has no end".to_owned()));
                }
                None => filled += some(stream, &mut bytes[filled..])?,
            }
        }
    }

    fn socks5(&self, host: &str, port: u16, stream: &Stream<'_>) -> Result<(), TransportError> {
        let offered: &[u8] = if self.user.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
        stream.write_all(offered)?;
        match (exactly::<2>(stream)?, &self.user) {
            ([5, 0], _) => {}
            ([5, 2], Some((name, password))) => {
                let mut login = Zeroizing::new(Vec::with_capacity(3 + 2 * 255));
                for (text, version) in [(name, Some(1)), (password, None)] {
                    login.extend(version);
                    // `parse` allows no more than 255 bytes.
                    login.push(text.len() as u8);
                    login.extend_from_slice(text.as_bytes());
                }
                stream.write_all(&login)?;
                if exactly::<2>(stream)?[1] != 0 {
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
        stream.write_all(&request)?;
        let [version, response, _, form] = exactly::<4>(stream)?;
        if version != 5 {
            return Err(lasting(format!("what answers at the proxy's {self} is no SOCKS5 proxy")));
        }
        if response != 0 {
            let why = match response {
                2 => return Err(lasting(format!("the proxy {self} does not allow {host}:{port}"))),
                3 | 4 => "it cannot reach the host",
                5 => "the connection was refused",
                6 => "the host did not answer in time",
                _ => "it failed",
            };
            return Err(TransportError::new(
                Status::Proxy,
                format!("the proxy {self} made no tunnel to {host}:{port}: {why} (reply {response})"),
            ));
        }
        // The address that the proxy uses is of no interest, but it must be read.
        match form {
            1 => exactly::<6>(stream).map(drop),
            4 => exactly::<18>(stream).map(drop),
            3 => {
                let [length] = exactly::<1>(stream)?;
                (0..usize::from(length) + 2).try_for_each(|_| exactly::<1>(stream).map(drop))
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

/// The head of a response to CONNECT.
struct ResponseHead {
    code: u16,
    reason: String,
    /// The authentication schemes of Proxy-Authenticate.
    schemes: Vec<String>,
    /// Squid's reason.
    squid: String,
    /// The length of the body, if it is stated.
    length: Option<usize>,
    is_chunked: bool,
}

/// The bytes are no head of a response.
struct NotHttp;

/// The head at the beginning of these bytes and its length, as tolerant as for the service's own
/// responses; none if there is more of it to come. Only the headers that explain a rejection matter,
/// so that this is not left to ureq, whose connection it would have to be.
fn parse_head(bytes: &[u8]) -> Result<Option<(ResponseHead, usize)>, NotHttp> {
    const VERSION: &[u8] = b"HTTP/1.";
    if !bytes.starts_with(&VERSION[..bytes.len().min(VERSION.len())]) {
        return Err(NotHttp);
    }
    let ends =
        |end: &usize| bytes[*end..].starts_with(b"\n\n") || bytes[*end..].starts_with(b"\n\r\n");
    let Some(end) = (0..bytes.len()).find(ends) else { return Ok(None) };
    let length = end + if bytes[end + 1] == b'\n' { 2 } else { 3 };
    let head = String::from_utf8_lossy(&bytes[VERSION.len()..end]);
    let mut lines = head.lines();
    // The rest of the version, the code, and a reason.
    let mut status = lines.next().unwrap_or("").splitn(3, ' ');
    let is_version = matches!(status.next(), Some("0" | "1"));
    let code = status.next().filter(|code| code.len() == 3).and_then(|code| code.parse().ok());
    let (true, Some(code)) = (is_version, code) else { return Err(NotHttp) };
    let headers: Vec<(&str, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let values = |name: &'static str| {
        let named = headers.iter().filter(move |(it, _)| it.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value)
    };
    let head = ResponseHead {
        code,
        reason: status.next().unwrap_or("").to_owned(),
        schemes: values("Proxy-Authenticate").flat_map(schemes).collect(),
        squid: values("X-Squid-Error").next().unwrap_or_default().to_owned(),
        length: values("Content-Length").next().and_then(|value| value.parse().ok()),
        is_chunked: values("Transfer-Encoding").next().is_some(),
    };
    Ok(Some((head, length)))
}

/// The schemes of a list of challenges, such as `Digest realm="a, b", qop="auth", NTLM`.
fn schemes(challenges: &str) -> Vec<String> {
    let mut is_quoted = false;
    let parts = challenges.split(|c| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    let scheme = |part: &str| {
        let part = part.trim();
        let (word, rest) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
        let is_scheme =
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        // A parameter has an equals sign.
        (is_scheme && !rest.trim_start().starts_with('=')).then(|| word.to_owned())
    };
    parts.filter_map(scheme).collect()
}

/// The first line of the body that says something, as far as the body arrives.
fn first_line(head: &ResponseHead, mut body: Vec<u8>, stream: &Stream<'_>) -> String {
    // Only for what was announced: nothing else may be waited for.
    let expected = head.length.unwrap_or(0).min(MAX_REASON_LINE);
    while body.len() < expected && !body.contains(&b'\n') {
        let filled = body.len();
        body.resize(expected, 0);
        let count = stream.read(&mut body[filled..]).unwrap_or(0);
        body.truncate(filled + count);
        if count == 0 {
            break;
        }
    }
    body.truncate(head.length.unwrap_or(MAX_REASON_LINE).min(MAX_REASON_LINE));
    let text = String::from_utf8_lossy(&body);
    let mut lines = text.lines().skip(usize::from(head.is_chunked)).map(str::trim);
    // A page begins with declarations.
    let line =
        lines.find(|line| !line.is_empty() && !line.starts_with("<!") && !line.starts_with("<?"));
    line.unwrap_or("").to_owned()
}

/// An error that another attempt would meet again.
fn lasting(message: String) -> TransportError {
    TransportError { transient: false, ..TransportError::new(Status::Proxy, message) }
}

fn some(stream: &Stream<'_>, room: &mut [u8]) -> Result<usize, TransportError> {
    match stream.read(room)? {
        0 => Err(TransportError::new(Status::Proxy, "the proxy closed the connection")),
        count => Ok(count),
    }
}

fn exactly<const N: usize>(stream: &Stream<'_>) -> Result<[u8; N], TransportError> {
    let mut bytes = [0; N];
    let mut length = 0;
    while length < N {
        length += some(stream, &mut bytes[length..])?;
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
    fn schemes_are_found_among_their_parameters() {
        for (challenges, found) in [
            ("Basic realm=x", vec!["Basic"]),
            ("NTLM", vec!["NTLM"]),
            ("Negotiate TlRMTVNTUAAB==, NTLM", vec!["Negotiate", "NTLM"]),
            (
                "Digest realm=\"a, Basic b\", qop = \"auth,auth-int\", stale=false, Basic realm=\"c\"",
                vec!["Digest", "Basic"],
            ),
            ("", vec![]),
            (", \u{1b}[31m,", vec![]),
        ] {
            assert_eq!(schemes(challenges), found, "{challenges}");
        }
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
