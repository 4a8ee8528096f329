//! The bytes of a response that were not used yet, in one buffer that grows only for large heads and
//! bodies.

use zeroize::Zeroize;

/// The size to begin with, in bytes: more than most answers, so that one read brings all.
const SIZE: usize = 4 * 1024;
/// The most that is read at once, in bytes.
const MOST_AT_ONCE: usize = 64 * 1024;

/// The bytes between a connection and ureq.
#[derive(Debug)]
pub struct Input {
    bytes: Vec<u8>,
    used: usize,
    filled: usize,
    /// How many bytes were filled at any time since the last wipe.
    dirty: usize,
}

impl Input {
    /// Nothing yet.
    pub fn new() -> Input {
        Input { bytes: vec![0; SIZE], used: 0, filled: 0, dirty: 0 }
    }

    /// What was not used yet.
    pub fn unused(&self) -> &[u8] {
        &self.bytes[self.used..self.filled]
    }

    /// The next bytes are used up.
    pub fn consume(&mut self, count: usize) {
        self.used = (self.used + count).min(self.filled);
    }

    /// Room for more, at least one byte.
    pub fn room(&mut self) -> &mut [u8] {
        if self.used == self.filled {
            (self.used, self.filled) = (0, 0);
        } else if self.filled == self.bytes.len() && self.used > 0 {
            self.bytes.copy_within(self.used..self.filled, 0);
            self.filled -= self.used;
            self.used = 0;
        }
        if self.filled == self.bytes.len() {
            self.resize(self.bytes.len() * 2);
        }
        &mut self.bytes[self.filled..]
    }

    /// So many bytes were put into the room.
    pub fn filled(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.bytes.len());
        self.dirty = self.dirty.max(self.filled);
    }

    /// Whether the unused bytes begin a final response, or something that is none; false if they are
    /// interim responses, or too few to tell.
    pub fn begins_final_response(&self) -> bool {
        const VERSION: &[u8] = b"HTTP/1.";
        /// Where the status stands.
        const STATUS: usize = VERSION.len() + 2;
        let mut bytes = self.unused();
        if bytes.len() >= MOST_AT_ONCE {
            return true;
        }
        loop {
            let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
            bytes = &bytes[start.unwrap_or(bytes.len())..];
            if !VERSION.starts_with(&bytes[..bytes.len().min(VERSION.len())]) {
                return true;
            }
            match bytes.get(STATUS) {
                None => return false,
                Some(b'1') => {}
                Some(_) => return true,
            }
            let ends = |at: &usize| {
                bytes[*at..].starts_with(b"\n\n") || bytes[*at..].starts_with(b"\n\r\n")
            };
            match (0..bytes.len()).find(ends) {
                None => return false,
                Some(end) => bytes = &bytes[end + 2..],
            }
        }
    }

    /// Makes room for more bytes at once: much has come, and the rest may be as much again.
    pub fn widen(&mut self) {
        if self.bytes.len() < MOST_AT_ONCE {
            self.resize(self.bytes.len() * 2);
        }
    }

    /// Forgets what was used up, and takes no more memory than at the beginning.
    pub fn wipe(&mut self) {
        if self.unused().is_empty() {
            // An earlier read may have filled more than the last one.
            self.bytes[..self.dirty].fill(0);
            (self.used, self.filled, self.dirty) = (0, 0, 0);
            if self.bytes.len() > SIZE {
                self.resize(SIZE);
            }
        }
    }

    /// As `Vec::resize`, without leaving a copy behind.
    fn resize(&mut self, size: usize) {
        let mut new = vec![0; size];
        let kept = self.filled.min(size);
        new[..kept].copy_from_slice(&self.bytes[..kept]);
        self.bytes.zeroize();
        self.bytes = new;
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // Answers hold tokens.
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wiping_reaches_what_an_earlier_read_left() {
        let mut input = Input::new();
        input.room()[..12].copy_from_slice(b"secret-token");
        input.filled(12);
        input.consume(12);
        input.room()[..2].copy_from_slice(b"\r\n");
        input.filled(2);
        input.consume(2);
        input.wipe();
        assert!(input.bytes.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn interim_responses_are_told_from_final_ones() {
        let begins_final = |text: &str| {
            let mut input = Input::new();
            input.room()[..text.len()].copy_from_slice(text.as_bytes());
            input.filled(text.len());
            input.begins_final_response()
        };
        for text in [
            "",
            "\r\n",
            "HTTP/1.1 ",
            "HTTP/1.1 100 Continue\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100\n\nHTT",
        ] {
            assert!(!begins_final(text), "{text}");
        }
        for text in [
            "HTTP/1.1 413 Too Large\r\n",
            "\r\nHTTP/1.0 2",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413",
            "SSH-2.0",
            "HTTP/2 200",
        ] {
            assert!(begins_final(text), "{text}");
        }
    }

    #[test]
    fn it_grows_only_when_nothing_can_be_given_back() {
        let mut input = Input::new();
        input.room().fill(1);
        input.filled(SIZE);
        input.consume(SIZE - 1);
        assert_eq!(input.room().len(), SIZE - 1);
        input.room().fill(2);
        input.filled(SIZE - 1);
        assert_eq!((input.unused().len(), input.unused()[0], input.unused()[1]), (SIZE, 1, 2));
        assert_eq!(input.room().len(), SIZE);
        assert_eq!((input.unused().len(), input.unused()[0], input.unused()[1]), (SIZE, 1, 2));
        input.wipe();
        assert_eq!(input.unused().len(), SIZE, "what is not used yet was lost");
        input.consume(SIZE);
        input.wipe();
        assert!(input.room().iter().all(|byte| *byte == 0), "what was used up is still there");
        assert_eq!(input.room().len(), SIZE);
    }
}
