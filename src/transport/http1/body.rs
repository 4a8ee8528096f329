//! The body of an answer, from the bytes that carry it.

use super::Malformed;
use super::head::Framing;

/// What there is in front of a chunk or behind the last one may have so many bytes.
const LONGEST_LINE: usize = 4 * 1024;

/// How a body comes in.
#[derive(Debug)]
pub struct Body(State);

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// So many bytes are to come.
    Length(u64),
    /// All that comes is of the body.
    ToEnd,
    /// The size of a chunk is to come.
    ChunkSize,
    /// So many bytes of the chunk are to come.
    Chunk(u64),
    /// The end of a chunk's line is to come.
    ChunkEnd,
    /// Headers behind the last chunk are to come, so many bytes of them were there.
    Trailers(usize),
    /// Nothing more is to come.
    Done,
}

/// What became of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many of them are used up.
    pub used: usize,
    /// Which of those are of the body: so many of the last ones.
    pub content: usize,
}

impl Body {
    /// A body that ends in this way.
    pub fn new(framing: Framing) -> Body {
        Body(match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
            Framing::ToEnd => State::ToEnd,
        })
    }

    /// Whether all of it was there.
    pub fn is_done(&self) -> bool {
        self.0 == State::Done
    }

    /// Whether it ends where the connection does.
    pub fn may_end(&self) -> bool {
        matches!(self.0, State::Done | State::ToEnd)
    }

    /// How many bytes of it are known to be next, with nothing else between them.
    pub fn plain(&self) -> u64 {
        match self.0 {
            State::Length(left) | State::Chunk(left) => left,
            State::ToEnd => u64::MAX,
            _ => 0,
        }
    }

    /// Takes note that so many of the bytes that were known to be next are there.
    pub fn took(&mut self, count: u64) {
        self.0 = match self.0 {
            State::Length(left) if left > count => State::Length(left - count),
            State::Length(_) => State::Done,
            State::Chunk(left) if left > count => State::Chunk(left - count),
            State::Chunk(_) => State::ChunkEnd,
            State::ToEnd => State::ToEnd,
            ref other => unreachable!("no bytes were known to be next: {other:?}"),
        };
    }

    /// Uses up the next of these bytes; none of them if there are too few to tell.
    ///
    /// # Errors
    /// Why they are not of a body.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Progress, Malformed> {
        let between = |used| Progress { used, content: 0 };
        match self.0 {
            State::Done => Ok(between(0)),
            State::Length(_) | State::Chunk(_) | State::ToEnd => {
                let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(self.plain());
                self.took(count);
                // No more than the bytes' own number.
                let count = count as usize;
                Ok(Progress { used: count, content: count })
            }
            // httparse takes an empty line for the last chunk.
            State::ChunkSize if bytes.first().is_some_and(|it| !it.is_ascii_hexdigit()) => {
                Err(no_size())
            }
            State::ChunkSize => match httparse::parse_chunk_size(bytes) {
                // Inside an extension it lets a lone line feed pass, at which others end the line.
                Ok(httparse::Status::Complete((used, _)))
                    if bytes[..used.saturating_sub(2)].contains(&b'\n') =>
                {
                    Err(no_size())
                }
                Ok(httparse::Status::Complete((used, size))) => {
                    self.0 = if size == 0 { State::Trailers(0) } else { State::Chunk(size) };
                    Ok(between(used))
                }
                Ok(httparse::Status::Partial) => short_enough(bytes).map(|()| between(0)),
                Err(_) => Err(no_size()),
            },
            State::ChunkEnd => match bytes {
                [b'\r', b'\n', ..] => {
                    self.0 = State::ChunkSize;
                    Ok(between(2))
                }
                [] | [b'\r'] => Ok(between(0)),
                _ => Err(Malformed("a chunk longer than its size".to_owned())),
            },
            State::Trailers(before) => {
                let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                    return short_enough(bytes).map(|()| between(0));
                };
                let line = end + 1;
                let all = before + line;
                self.0 = match &bytes[..end] {
                    [] | [b'\r'] => State::Done,
                    _ if all > LONGEST_LINE => return Err(too_long()),
                    _ => State::Trailers(all),
                };
                Ok(between(line))
            }
        }
    }
}

fn short_enough(line: &[u8]) -> Result<(), Malformed> {
    if line.len() > LONGEST_LINE { Err(too_long()) } else { Ok(()) }
}

fn no_size() -> Malformed {
    Malformed("a chunk's size that is none".to_owned())
}

fn too_long() -> Malformed {
    Malformed("too much between the chunks".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the body is, fed so many bytes at a time, and what is left over.
    fn decode(framing: Framing, bytes: &[u8], step: usize) -> Result<(String, usize), Malformed> {
        let (mut body, mut text) = (Body::new(framing), Vec::new());
        let (mut from, mut to) = (0, 0);
        while !body.is_done() {
            let progress = body.next(&bytes[from..to])?;
            let end = from + progress.used;
            text.extend_from_slice(&bytes[end - progress.content..end]);
            from = end;
            if progress.used == 0 {
                if to == bytes.len() {
                    break;
                }
                to = (to + step).min(bytes.len());
            }
        }
        assert!(body.may_end(), "not all is there: {body:?}");
        Ok((String::from_utf8(text).unwrap(), bytes.len() - from))
    }

    #[test]
    fn a_body_is_the_same_however_it_is_cut() {
        let chunked = b"5\r\nhello\r\n7;x=\"y\"\r\n, world\r\n0\r\nX-After: 1\r\nY: 2\r\n\r\nleft";
        for step in 1..=chunked.len() {
            let found = decode(Framing::Chunked, chunked, step).unwrap().0;
            assert_eq!(found, "hello, world", "{step}");
            assert_eq!(decode(Framing::Length(3), b"abcdef", step).unwrap().0, "abc");
            assert_eq!(decode(Framing::ToEnd, b"abcdef", step).unwrap(), ("abcdef".into(), 0));
        }
        assert_eq!(decode(Framing::Chunked, chunked, 1000).unwrap().1, 4);
        assert_eq!(decode(Framing::Length(0), b"left", 1).unwrap(), (String::new(), 4));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for bytes in [
            "zz\r\n",
            "-1\r\n",
            "\r\n",
            "ffffffffffffffffff\r\n",
            "3\r\nabcd\r\n",
            "3\nabc\r\n0\r\n\r\n",
            "3;a\nabc\r\n0\r\n\r\n",
            &format!("1;{}", "x".repeat(5000)),
            &format!("0\r\n{}", "x".repeat(5000)),
            &format!("0\r\n{}", "x: y\r\n".repeat(1000)),
        ] {
            assert!(decode(Framing::Chunked, bytes.as_bytes(), 64).is_err(), "{bytes}");
        }
    }
}
