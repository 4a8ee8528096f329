//! The tunnel through an HTTP proxy, with the CONNECT method.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::{Proxy, permanent, read_some};
use crate::error::Status;
use crate::redact;
use crate::transport::error::TransportError;
use crate::transport::stream::Stream;

/// The maximum size of the head of a response to CONNECT, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// How much of the body of a rejection is read, in bytes.
const MAX_REASON_LINE: usize = 1024;

impl Proxy {
    /// Opens a tunnel to this host and port.
    pub(super) fn open_http_tunnel(
        &self,
        host: &str,
        port: u16,
        stream: &Stream<'_>,
    ) -> Result<(), TransportError> {
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
            // In TLS, the client sends first.
            200..=299 if rest.is_empty() => Ok(()),
            200..=299 => Err(permanent("the proxy sent data inside the tunnel")),
            code => {
                let reason = self.reason(&head, &first_body_line(&head, rest, stream));
                let what = match code {
                    407 => self.authentication_problem(&head),
                    400..=499 => format!("the proxy {self} rejected the tunnel to {target}"),
                    _ => format!("the proxy {self} could not open a tunnel to {target}"),
                };
                let message = format!("{what} (HTTP {code}{reason}");
                let transient = !(400..=499).contains(&code);
                Err(TransportError { transient, ..TransportError::new(Status::Proxy, message) })
            }
        }
    }

    /// The meaning of a 407, which depends on the requested and the sent credentials.
    fn authentication_problem(&self, head: &ConnectResponse) -> String {
        let has_basic = head.schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("Basic"));
        if !has_basic && !head.schemes.is_empty() {
            let schemes = redact::line(&head.schemes.join(", "));
            format!(
                "the proxy {self} accepts no other authentication than {schemes}, and this library \
                 supports Basic only; allow Basic at the proxy, or use another proxy"
            )
        } else if self.user.is_none() {
            format!(
                "the proxy {self} requires credentials; put them into proxy in the configuration"
            )
        } else {
            format!("the proxy {self} rejected the credentials; check proxy in the configuration")
        }
    }

    /// The part of the message after the HTTP status: the reason phrase and details of the proxy.
    fn reason(&self, head: &ConnectResponse, line: &str) -> String {
        // The proxy may echo the credentials.
        let redacted = |text: &str| {
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
        let phrase = redacted(&head.reason);
        let space = if phrase.is_empty() { "" } else { " " };
        let details: Vec<String> = [&*head.squid_error, line]
            .into_iter()
            .map(redacted)
            .filter(|text| !text.is_empty())
            .collect();
        let colon = if details.is_empty() { "" } else { ": " };
        format!("{space}{phrase}){colon}{}", details.join("; "))
    }

    /// Reads the head of the final response, and returns it with the bytes that were read after it.
    fn read_head(&self, stream: &Stream<'_>) -> Result<(ConnectResponse, Vec<u8>), TransportError> {
        let mut bytes = vec![0; MAX_HEAD];
        let (mut filled, mut interim) = (0, 0);
        loop {
            let parsed = parse_head(&bytes[..filled])
                .map_err(|_| permanent(format!("the server at {self} is not an HTTP proxy")))?;
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
                    return Err(permanent("the head of the proxy's response is too large"));
                }
                None => filled += read_some(stream, &mut bytes[filled..])?,
            }
        }
    }
}

/// The head of a response to CONNECT.
struct ConnectResponse {
    code: u16,
    reason: String,
    /// The authentication schemes of Proxy-Authenticate.
    schemes: Vec<String>,
    /// The X-Squid-Error header.
    squid_error: String,
    /// The Content-Length header.
    length: Option<usize>,
    is_chunked: bool,
}

/// The bytes are not the head of an HTTP response.
struct NotHttp;

/// Parses the head at the beginning of these bytes, and returns it with its length; None if it is
/// incomplete. ureq cannot parse it, because it would have to own the connection.
fn parse_head(bytes: &[u8]) -> Result<Option<(ConnectResponse, usize)>, NotHttp> {
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
    // The minor version, the status code, and the reason phrase.
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
    let head = ConnectResponse {
        code,
        reason: status.next().unwrap_or("").to_owned(),
        schemes: values("Proxy-Authenticate").flat_map(schemes).collect(),
        squid_error: values("X-Squid-Error").next().unwrap_or_default().to_owned(),
        length: values("Content-Length").next().and_then(|value| value.parse().ok()),
        is_chunked: values("Transfer-Encoding").next().is_some(),
    };
    Ok(Some((head, length)))
}

/// The authentication schemes in a list of challenges, such as `Digest realm="a, b", qop="auth", NTLM`.
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

/// The first line of the body that contains text.
fn first_body_line(head: &ConnectResponse, mut body: Vec<u8>, stream: &Stream<'_>) -> String {
    // Waits only for the announced bytes.
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
    // HTML begins with declarations.
    let line =
        lines.find(|line| !line.is_empty() && !line.starts_with("<!") && !line.starts_with("<?"));
    line.unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_found_between_parameters() {
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
}
