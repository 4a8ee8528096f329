//! The head of an answer: its status, how its body ends, and whether the connection stays.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Response};

use super::Malformed;

/// The longest head that is read, in bytes.
pub const LONGEST_HEAD: usize = 64 * 1024;
/// At most so many headers.
const MOST_HEADERS: usize = 100;

/// How the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    ToEnd,
}

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the connection may be used again after the body.
    pub stays_open: bool,
    /// The Retry-After header.
    pub retry_after: Option<String>,
}

impl Head {
    /// Reads the head at the beginning of these bytes and tells how long it is; none if there is
    /// more of it to come.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(bytes: &[u8]) -> Result<Option<(Head, usize)>, Malformed> {
        let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
        let mut answer = Response::new(&mut []);
        let parser = ParserConfig::default();
        let parsed = parser.parse_response_with_uninit_headers(&mut answer, bytes, &mut headers)?;
        let httparse::Status::Complete(length) = parsed else { return Ok(None) };
        // A head that was read to its end has both.
        let (status, version) = (answer.code.unwrap_or(0), answer.version.unwrap_or(0));
        if status < 100 {
            return Err(Malformed("a status that is none".to_owned()));
        }
        let said = Said::of(answer.headers)?;
        let framing = match (status, said.transfer_encoding, said.length) {
            (100..=199 | 204 | 304, ..) => Framing::Length(0),
            (_, Some(Coding::Chunked), _) => Framing::Chunked,
            (_, Some(Coding::Other), _) => {
                return Err(Malformed("a transfer coding that was not asked for".to_owned()));
            }
            (_, None, Some(length)) => Framing::Length(length),
            (_, None, None) => Framing::ToEnd,
        };
        let has_coding = said.transfer_encoding.is_some();
        let has_length = said.length.is_some_and(|length| length > 0);
        let stays_open = match version {
            1 => !said.close,
            // Chunks are none of HTTP/1.0's: somebody passed on what it did not understand.
            _ => said.keep_alive && !said.close && !has_coding,
        };
        // Of what has no body, one that is announced may come all the same, late.
        let is_odd = matches!(status, 204 | 304) && (has_coding || has_length);
        Ok(Some((
            Head {
                status,
                framing,
                stays_open: stays_open
                    && framing != Framing::ToEnd
                    && !is_odd
                    // Somebody on the way may have read it otherwise (RFC 9112, 6.3).
                    && !(has_coding && said.length.is_some()),
                retry_after: said.retry_after.map(str::to_owned),
            },
            length,
        )))
    }
}

#[derive(Clone, Copy)]
enum Coding {
    Chunked,
    Other,
}

/// The headers that matter.
#[derive(Default)]
struct Said<'a> {
    length: Option<u64>,
    transfer_encoding: Option<Coding>,
    close: bool,
    keep_alive: bool,
    retry_after: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn of(headers: &[Header<'a>]) -> Result<Said<'a>, Malformed> {
        let mut said = Said::default();
        for Header { name, value } in headers {
            // By length first: most headers are of no interest.
            match name.len() {
                10 if name.eq_ignore_ascii_case("connection") => {
                    for word in words(value) {
                        said.close |= word.eq_ignore_ascii_case(b"close");
                        said.keep_alive |= word.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                11 if name.eq_ignore_ascii_case("retry-after") => {
                    said.retry_after = std::str::from_utf8(value).ok();
                }
                14 if name.eq_ignore_ascii_case("content-length") => {
                    for word in words(value) {
                        let length = number(word)
                            .filter(|length| said.length.is_none_or(|before| before == *length))
                            .ok_or_else(|| Malformed("a Content-Length that is none".to_owned()))?;
                        said.length = Some(length);
                    }
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    let chunked = said.transfer_encoding.is_none()
                        && value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                    said.transfer_encoding =
                        Some(if chunked { Coding::Chunked } else { Coding::Other });
                }
                _ => {}
            }
        }
        Ok(said)
    }
}

/// The words of a list between commas.
fn words(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits and nothing else, which is stricter than `parse`: no sign.
fn number(digits: &[u8]) -> Option<u64> {
    let is_plain = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Head>, Malformed> {
        Head::read(text.as_bytes()).map(|found| found.map(|(head, _)| head))
    }

    fn head(lines: &str) -> Head {
        read(&format!("HTTP/1.1 {lines}\r\n\r\n")).unwrap().unwrap()
    }

    #[test]
    fn the_body_ends_as_the_head_says() {
        for (lines, framing) in [
            ("200 OK\r\nContent-Length: 12", Framing::Length(12)),
            ("200 OK\r\ncontent-length: 7, 7\r\nCONTENT-LENGTH:7 ", Framing::Length(7)),
            ("200 OK\r\nTransfer-Encoding:  Chunked ", Framing::Chunked),
            ("200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3", Framing::Chunked),
            ("200 OK", Framing::ToEnd),
            ("204 No Content", Framing::Length(0)),
            ("204 No Content\r\nContent-Length: 9", Framing::Length(0)),
            ("304 Not Modified\r\nTransfer-Encoding: chunked", Framing::Length(0)),
            ("100 Continue", Framing::Length(0)),
        ] {
            assert_eq!(head(lines).framing, framing, "{lines}");
        }
    }

    #[test]
    fn a_connection_stays_only_where_both_know_where_the_answer_ends() {
        for (lines, stays) in [
            ("200 OK\r\nContent-Length: 1", true),
            ("200 OK\r\nContent-Length: 1\r\nConnection: foo , CLOSE", false),
            ("200 OK\r\nTransfer-Encoding: chunked", true),
            ("200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3", false),
            ("200 OK", false),
            ("204 No Content", true),
            ("204 No Content\r\nContent-Length: 0", true),
            ("204 No Content\r\nContent-Length: 4", false),
            ("204 No Content\r\nTransfer-Encoding: chunked", false),
        ] {
            assert_eq!(head(lines).stays_open, stays, "{lines}");
        }
        let old = |more: &str| {
            read(&format!("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n{more}\r\n")).unwrap().unwrap()
        };
        assert!(!old("").stays_open);
        assert!(old("Connection: keep-alive\r\n").stays_open);
        assert!(!old("Connection: keep-alive, close\r\n").stays_open);
        assert!(!old("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n").stays_open);
    }

    #[test]
    fn what_is_no_head_or_a_contradiction_is_refused() {
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 099 X\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nbad header: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101));
        assert_eq!(read(&many), Err(Malformed("too many headers".to_owned())));
    }

    #[test]
    fn a_head_that_is_not_whole_yet_is_waited_for() {
        let whole = "HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Ok(None), "{end}");
        }
        let (found, length) = Head::read(format!("{whole}rest").as_bytes()).unwrap().unwrap();
        assert_eq!((found.status, length), (503, whole.len()));
        assert_eq!(found.retry_after.as_deref(), Some("2"));
    }
}
