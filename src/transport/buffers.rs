//! The bytes between ureq and the socket: output held until input is awaited, so that head and
//! body leave in one write; input in one buffer that grows only while a head does not fit.

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroize;

/// The size of either buffer to begin with, in bytes.
const SIZE: usize = 16 * 1024;
/// Output beyond this is sent without waiting for more.
const FULL: usize = SIZE - 4 * 1024;

/// The buffers of one connection.
#[derive(Debug)]
pub struct HoldingBuffers {
    output: Vec<u8>,
    held: usize,
    input: Vec<u8>,
    read: usize,
    filled: usize,
    progress: bool,
}

impl HoldingBuffers {
    /// Empty buffers.
    pub fn new() -> HoldingBuffers {
        HoldingBuffers {
            output: vec![0; SIZE],
            held: 0,
            input: vec![0; SIZE],
            read: 0,
            filled: 0,
            progress: false,
        }
    }

    /// Takes note of output that ureq wrote; tells whether it must be sent now.
    pub fn hold(&mut self, amount: usize) -> bool {
        self.held = (self.held + amount).min(self.output.len());
        self.held > FULL
    }

    /// The output that waits to be sent.
    pub fn held(&self) -> &[u8] {
        &self.output[..self.held]
    }

    /// The held output was sent. It held the Authorization header, so it is wiped.
    pub fn sent(&mut self) {
        // Not byte by byte, as zeroize does. The memory is looked at afterwards, so that this is no
        // dead write.
        self.output[..self.held].fill(0);
        std::hint::black_box(&self.output);
        self.held = 0;
    }

    /// Whether nothing is left over from an exchange.
    pub fn is_empty(&self) -> bool {
        self.held == 0 && self.read == self.filled
    }

    fn make_room(&mut self) {
        if self.read == self.filled {
            self.read = 0;
            self.filled = 0;
        } else if self.filled == self.input.len() && self.read > 0 {
            self.input.copy_within(self.read..self.filled, 0);
            self.filled -= self.read;
            self.read = 0;
        }
        if self.filled == self.input.len() {
            // Only a head that does not fit gets here, and ureq refuses those over 64 KiB.
            self.input.resize(self.input.len() * 2, 0);
        }
    }
}

impl Drop for HoldingBuffers {
    fn drop(&mut self) {
        self.output.zeroize();
        // The answer held a token.
        self.input.zeroize();
    }
}

impl Buffers for HoldingBuffers {
    fn output(&mut self) -> &mut [u8] {
        &mut self.output[self.held..]
    }

    fn input(&self) -> &[u8] {
        &self.input[self.read..self.filled]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.make_room();
        &mut self.input[self.filled..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = (self.filled + amount).min(self.input.len());
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.read = (self.read + amount).min(self.filled);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.make_room();
        (&mut self.input[self.filled..], &mut self.output[self.held..])
    }

    fn can_use_input(&self) -> bool {
        self.read < self.filled && self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_held_until_there_is_much_of_it() {
        let mut buffers = HoldingBuffers::new();
        buffers.output()[..4].copy_from_slice(b"HEAD");
        assert!(!buffers.hold(4));
        buffers.output()[..4].copy_from_slice(b"BODY");
        assert!(!buffers.hold(4));
        assert_eq!(buffers.held(), b"HEADBODY");
        buffers.sent();
        assert!(buffers.is_empty());
        assert_eq!(&buffers.output()[..8], &[0; 8], "the credentials stayed in memory");
        assert!(buffers.hold(FULL + 1));
    }

    #[test]
    fn input_grows_only_when_nothing_can_be_given_back() {
        let mut buffers = HoldingBuffers::new();
        buffers.input_append_buf().fill(1);
        buffers.input_appended(SIZE);
        buffers.input_consume(SIZE - 1);
        assert_eq!(buffers.input_append_buf().len(), SIZE - 1);
        buffers.input_appended(SIZE - 1);
        assert_eq!(buffers.input().len(), SIZE);
        assert_eq!(buffers.input_append_buf().len(), SIZE);
    }
}
