//! The head of a response: checks beyond ureq's, and the headers that the library uses.

use std::time::Duration;

use ureq::Body;
use ureq::http::header::{self, HeaderMap, HeaderName};
use ureq::http::{Response, StatusCode, Version};

use super::error::TransportError;

/// A connection is not used during the last second of its announced idle time, so that no request
/// arrives after the peer closed it.
const KEEP_ALIVE_MARGIN: Duration = Duration::from_secs(1);

/// What the head of a valid response states about its connection.
pub struct ResponseEnd {
    /// Whether the connection can be used again: client, service and any proxy agree on where the
    /// response ends.
    pub is_reusable: bool,
    /// Whether the response has no body, although its head does not state that.
    pub is_empty: bool,
}

/// The value of a header, if it is text.
pub fn text_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Checks a response more strictly than ureq does.
///
/// # Errors
/// Returns why the response is invalid.
pub fn check(response: &Response<Body>) -> Result<ResponseEnd, TransportError> {
    let (headers, status) = (response.headers(), response.status());
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(TransportError::malformed(&"status 101 switches to another protocol"));
    }
    let is_http11 = response.version() == Version::HTTP_11;
    let has = |word| has_word(headers, word);
    // The service requires another connection, or closes this one (RFC 9110, 15.5.9 and 15.5.20).
    let is_last = matches!(status.as_u16(), 408 | 421 | 425);
    let keeps_alive = !is_last && !has("close") && (is_http11 || has("keep-alive"));
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next();
    let length = headers.get(header::CONTENT_LENGTH);
    let end = |is_reusable| Ok(ResponseEnd { is_reusable, is_empty: false });
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // If a body is announced, it may arrive later.
        let is_empty = coding.is_none() && length.is_none_or(|length| length == "0");
        return end(keeps_alive && is_empty);
    }
    if status == StatusCode::RESET_CONTENT && coding.is_none() && length.is_none() {
        // It never has a body (RFC 9110, 15.3.6). ureq would wait for the end of the connection.
        return Ok(ResponseEnd { is_reusable: false, is_empty: true });
    }
    let Some(coding) = coding else { return end(keeps_alive) };
    if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
        return Err(TransportError::malformed(&"it has an unsupported transfer coding"));
    }
    if !is_http11 {
        // HTTP/1.0 has no chunks: a proxy forwarded a header that it does not know (RFC 9112, 6.1).
        return Err(TransportError::malformed(&"it has chunks in HTTP/1.0"));
    }
    // A proxy may have used the length instead (RFC 9112, 6.3).
    end(keeps_alive && length.is_none())
}

/// How long the idle connection can be used: the timeout of the Keep-Alive header minus a margin.
pub fn keep_alive(headers: &HeaderMap) -> Option<Duration> {
    let fields = headers.get_all("keep-alive").iter().filter_map(|value| value.to_str().ok());
    let timeout = fields.flat_map(|value| value.split(',')).find_map(|part| {
        let (name, seconds) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| seconds.trim().parse().ok()).flatten()
    })?;
    Some(Duration::from_secs(timeout).saturating_sub(KEEP_ALIVE_MARGIN))
}

/// Whether the Connection header contains this word.
fn has_word(headers: &HeaderMap, word: &str) -> bool {
    let words = headers.get_all(header::CONNECTION).iter();
    words
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|it| it.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_alive_is_found_in_every_field() {
        for (fields, seconds) in [
            (&["timeout=5, max=100"][..], Some(4)),
            (&["max=100", "Timeout = 7"], Some(6)),
            (&["max=100", "timeout=x, timeout=3"], Some(2)),
            (&["max=100"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append("keep-alive", field.parse().unwrap());
            }
            assert_eq!(keep_alive(&headers), seconds.map(Duration::from_secs), "{fields:?}");
        }
    }
}
