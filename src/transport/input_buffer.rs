//! The received bytes that are not used yet, in one buffer that grows only for large heads and bodies.

use zeroize::Zeroize;

/// The initial size in bytes. Most responses fit, so that one read receives all.
const INITIAL_SIZE: usize = 4 * 1024;
/// The maximum size of one read, in bytes.
const MAX_READ: usize = 64 * 1024;

/// The bytes between a connection and ureq.
#[derive(Debug)]
pub struct InputBuffer {
    bytes: Vec<u8>,
    used: usize,
    filled: usize,
    /// How many bytes have been filled since the last wipe, at most.
    dirty: usize,
}

impl InputBuffer {
    /// Creates an empty buffer.
    pub fn new() -> InputBuffer {
        InputBuffer { bytes: vec![0; INITIAL_SIZE], used: 0, filled: 0, dirty: 0 }
    }

    /// The bytes that are not used yet.
    pub fn unused(&self) -> &[u8] {
        &self.bytes[self.used..self.filled]
    }

    /// Marks the next bytes as used.
    pub fn consume(&mut self, count: usize) {
        self.used = (self.used + count).min(self.filled);
    }

    /// Free space for received bytes, at least one byte.
    pub fn free_space(&mut self) -> &mut [u8] {
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

    /// Records that this many bytes were written into the free space.
    pub fn filled(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.bytes.len());
        self.dirty = self.dirty.max(self.filled);
    }

    /// Whether the unused bytes begin with a final response or with something that is not a response.
    /// False for interim responses, and if more bytes are necessary to decide.
    pub fn begins_final_response(&self) -> bool {
        const VERSION: &[u8] = b"HTTP/1.";
        /// The position of the status.
        const STATUS: usize = VERSION.len() + 2;
        let mut bytes = self.unused();
        if bytes.len() >= MAX_READ {
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

    /// Doubles the buffer, up to a limit, because a read has filled it.
    pub fn grow(&mut self) {
        if self.bytes.len() < MAX_READ {
            self.resize(self.bytes.len() * 2);
        }
    }

    /// Wipes the used bytes and shrinks the buffer to its initial size.
    pub fn wipe(&mut self) {
        if self.unused().is_empty() {
            // An earlier read may have filled more than the last one.
            self.bytes[..self.dirty].fill(0);
            (self.used, self.filled, self.dirty) = (0, 0, 0);
            if self.bytes.len() > INITIAL_SIZE {
                self.resize(INITIAL_SIZE);
            }
        }
    }

    /// As `Vec::resize`, but wipes the old memory.
    fn resize(&mut self, size: usize) {
        let mut new = vec![0; size];
        let kept = self.filled.min(size);
        new[..kept].copy_from_slice(&self.bytes[..kept]);
        self.bytes.zeroize();
        self.bytes = new;
    }
}

impl Drop for InputBuffer {
    fn drop(&mut self) {
        // Responses may contain tokens.
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wiping_reaches_what_an_earlier_read_left() {
        let mut input = InputBuffer::new();
        input.free_space()[..12].copy_from_slice(b"secret-token");
        input.filled(12);
        input.consume(12);
        input.free_space()[..2].copy_from_slice(b"\r\n");
        input.filled(2);
        input.consume(2);
        input.wipe();
        assert!(input.bytes.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn interim_and_final_responses_are_distinguished() {
        let begins_final = |text: &str| {
            let mut input = InputBuffer::new();
            input.free_space()[..text.len()].copy_from_slice(text.as_bytes());
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
    fn buffer_grows_only_if_no_space_can_be_reclaimed() {
        let mut input = InputBuffer::new();
        input.free_space().fill(1);
        input.filled(INITIAL_SIZE);
        input.consume(INITIAL_SIZE - 1);
        assert_eq!(input.free_space().len(), INITIAL_SIZE - 1);
        input.free_space().fill(2);
        input.filled(INITIAL_SIZE - 1);
        assert_eq!(
            (input.unused().len(), input.unused()[0], input.unused()[1]),
            (INITIAL_SIZE, 1, 2)
        );
        assert_eq!(input.free_space().len(), INITIAL_SIZE);
        assert_eq!(
            (input.unused().len(), input.unused()[0], input.unused()[1]),
            (INITIAL_SIZE, 1, 2)
        );
        input.wipe();
        assert_eq!(input.unused().len(), INITIAL_SIZE, "what is not used yet was lost");
        input.consume(INITIAL_SIZE);
        input.wipe();
        assert!(
            input.free_space().iter().all(|byte| *byte == 0),
            "what was used up is still there"
        );
        assert_eq!(input.free_space().len(), INITIAL_SIZE);
    }
}
