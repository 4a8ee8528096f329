//! The buffers between ureq and the socket: a request is collected and sent in one write; a response is
//! kept in one buffer until it is used.
//!
//! ureq-proto passes every byte that it reads or writes to the `log` crate at trace level, and a
//! Rust program that contains this library may have a logger that listens. Therefore ureq never
//! sees a secret: the Authorization header is inserted here, and ureq decides which bytes of the
//! input are content without seeing them. See [`View`].

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroizing;

use super::input_buffer::InputBuffer;

/// The size of the output buffer in bytes, enough for most requests. A larger one is freed after its
/// request.
const OUTPUT_SIZE: usize = 4 * 1024;
/// The maximum amount of framing (chunk sizes and trailers) without content in between, in bytes.
const MAX_FRAMING: usize = 4 * 1024;

/// The zeros that ureq sees in place of content.
static HIDDEN: [u8; 1024] = [0; 1024];
/// How many zeros ureq sees first after framing. It searches all of them for the end of a line, so more
/// would make small chunks expensive.
const FIRST_HIDDEN: usize = 64;

/// Which part of the input ureq sees.
///
/// The content of a response may be a token. While the body is read, ureq first sees zeros in place of
/// the input. If it consumes zeros, the real bytes are content, and are moved to
/// [`ConnectionBuffers::content`]. If it consumes none, it expects framing, because a zero is neither a
/// chunk size nor the end of a line; then it sees one real line. So only ureq decides where a body and
/// its chunks end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// All unused bytes: the head of the response.
    Head,
    /// As many zeros as there are unused bytes, but at most this many.
    Hidden(usize),
    /// A line of this many bytes.
    Line(usize),
}

/// The buffers of one connection.
#[derive(Debug)]
pub struct ConnectionBuffers {
    output: Vec<u8>,
    pending: usize,
    /// The last headers of the request, until they are inserted.
    end_of_head: Zeroizing<Vec<u8>>,
    /// The received bytes that ureq has not used yet.
    pub input: InputBuffer,
    view: View,
    /// Whether ureq consumed input when it last looked.
    progress: bool,
    /// How many bytes of heads were used since the request was sent.
    used_head: usize,
    /// How far the unused bytes were searched for a head.
    head: Head,
    /// How many bytes of framing were used since the last content.
    framing: usize,
    content: Vec<u8>,
    /// Whether there was no memory for some of the content.
    is_out_of_memory: bool,
}

/// How far the unused bytes were searched for a head, in bytes.
#[derive(Debug, Default)]
struct Head {
    /// Searched for its end.
    scanned: usize,
    /// Shown to ureq.
    parsed: usize,
    /// Line ends before it.
    blank: usize,
}

/// What [`ConnectionBuffers::show_line`] found.
pub enum Line {
    /// ureq sees the line now.
    Shown,
    /// The end of the line is still to be received.
    Incomplete,
    /// ureq did not accept the line, or it is too long.
    Invalid,
}

impl ConnectionBuffers {
    /// Creates empty buffers.
    pub fn new() -> ConnectionBuffers {
        ConnectionBuffers {
            output: vec![0; OUTPUT_SIZE],
            pending: 0,
            end_of_head: Zeroizing::default(),
            input: InputBuffer::new(),
            view: View::Head,
            progress: false,
            used_head: 0,
            head: Head::default(),
            framing: 0,
            content: Vec::new(),
            is_out_of_memory: false,
        }
    }

    /// Prepares for one request of at most `size` bytes, whose last headers consist of these parts. The
    /// output does not grow later, because a reallocation would leave copies of secrets in memory.
    pub fn prepare(&mut self, size: usize, last_headers: &[&[u8]]) {
        const END: &[u8] = b"\r\n\r\n";
        if self.output.len() < size {
            self.output.resize(size, 0);
        }
        self.end_of_head.clear();
        let length = last_headers.iter().map(|part| part.len()).sum::<usize>() + END.len();
        self.end_of_head.reserve_exact(length);
        for part in last_headers {
            self.end_of_head.extend_from_slice(part);
        }
        self.end_of_head.extend_from_slice(END);
        (self.view, self.progress, self.used_head, self.head, self.framing) =
            (View::Head, false, 0, Head::default(), 0);
    }

    /// Adds the bytes that ureq has written to the pending output. At the end of the head, inserts the
    /// last headers.
    ///
    /// # Errors
    /// The output is larger than the size given to [`ConnectionBuffers::prepare`].
    pub fn append(&mut self, amount: usize) -> Result<(), OutputFull> {
        self.pending = (self.pending + amount).min(self.output.len());
        if self.end_of_head.is_empty() || !self.output[..self.pending].ends_with(b"\r\n\r\n") {
            return Ok(());
        }
        let start = self.pending - 2;
        let end = start + self.end_of_head.len();
        self.output.get_mut(start..end).ok_or(OutputFull)?.copy_from_slice(&self.end_of_head);
        self.pending = end;
        wipe(&mut self.end_of_head);
        self.end_of_head.clear();
        Ok(())
    }

    /// The output that is not sent yet.
    pub fn pending(&self) -> &[u8] {
        &self.output[..self.pending]
    }

    /// Wipes the pending output, because it was sent or never will be.
    pub fn clear_output(&mut self) {
        wipe(&mut self.output[..self.pending]);
        if self.output.len() > OUTPUT_SIZE {
            self.output = vec![0; OUTPUT_SIZE];
        }
        self.pending = 0;
    }

    /// The output that is not sent yet, and the input, which may arrive while it is sent.
    pub fn pending_and_input(&mut self) -> (&[u8], &mut InputBuffer) {
        (&self.output[..self.pending], &mut self.input)
    }

    /// How many bytes of heads were received since the request was sent.
    pub fn received_head(&self) -> usize {
        self.used_head + self.input.unused().len()
    }

    /// Whether ureq should parse the input as a head: it contains an empty line, or has at least doubled
    /// since ureq last parsed it. A head that arrives byte by byte is therefore not parsed for each
    /// byte.
    pub fn may_contain_head(&mut self) -> bool {
        let unused = self.input.unused();
        let Head { scanned, parsed, blank } = &mut self.head;
        if unused.len() <= *scanned {
            return false;
        }
        // Empty lines before a head do not end it.
        let is_line_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        *blank += unused[*blank..].iter().take_while(is_line_end).count();
        let from = scanned.saturating_sub(2).max(*blank);
        *scanned = unused.len();
        let is_worthwhile = *blank < unused.len()
            && (unused.len() >= *parsed * 2 || has_empty_line(&unused[from..]));
        if is_worthwhile {
            *parsed = unused.len();
        }
        is_worthwhile
    }

    /// Hides the input from ureq after the head of the response, and reserves `expected` bytes for the
    /// content. Later calls for the same response have no effect.
    pub fn hide_content(&mut self, expected: usize) {
        if self.view == View::Head {
            self.view = View::Hidden(if expected > 0 { HIDDEN.len() } else { FIRST_HIDDEN });
            self.content = Vec::new();
            self.is_out_of_memory = false;
            self.reserve(expected);
        }
    }

    /// Whether ureq expects framing: it saw input and did not use it as content.
    pub fn expects_line(&self) -> bool {
        !self.progress && !self.input.unused().is_empty()
    }

    /// Shows the next line of the input.
    pub fn show_line(&mut self) -> Line {
        if matches!(self.view, View::Line(_)) {
            return Line::Invalid;
        }
        let unused = self.input.unused();
        let limit = MAX_FRAMING.saturating_sub(self.framing);
        match unused.iter().take(limit).position(|byte| *byte == b'\n') {
            Some(end) => {
                self.view = View::Line(end + 1);
                Line::Shown
            }
            None if unused.len() >= limit => Line::Invalid,
            None => Line::Incomplete,
        }
    }

    /// Reserves memory for this much more content. Wipes the old memory, which may contain a token.
    fn reserve(&mut self, more: usize) {
        let needed = self.content.len() + more;
        if needed <= self.content.capacity() {
            return;
        }
        let mut larger = Vec::new();
        let size = needed.max(self.content.capacity() * 2);
        match larger.try_reserve_exact(size) {
            Ok(()) => larger.extend_from_slice(&self.content),
            Err(_) => self.is_out_of_memory = true,
        }
        wipe(&mut self.content);
        self.content = larger;
    }

    /// The received content. None if there was no memory for it.
    pub fn take_content(&mut self) -> Option<Vec<u8>> {
        let content = std::mem::take(&mut self.content);
        (!self.is_out_of_memory).then_some(content)
    }
}

/// The output buffer is too small.
#[derive(Debug)]
pub struct OutputFull;

impl Drop for ConnectionBuffers {
    fn drop(&mut self) {
        self.clear_output();
    }
}

impl Buffers for ConnectionBuffers {
    fn output(&mut self) -> &mut [u8] {
        &mut self.output[self.pending..]
    }

    fn input(&self) -> &[u8] {
        let unused = self.input.unused();
        match self.view {
            View::Head => unused,
            View::Hidden(most) => &HIDDEN[..unused.len().min(most)],
            View::Line(length) => &unused[..length],
        }
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.input.free_space()
    }

    fn input_appended(&mut self, amount: usize) {
        self.input.filled(amount);
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        if !self.progress {
            return;
        }
        match self.view {
            View::Head => (self.used_head, self.head) = (self.used_head + amount, Head::default()),
            View::Hidden(most) => {
                self.reserve(amount);
                if !self.is_out_of_memory {
                    self.content.extend_from_slice(&self.input.unused()[..amount]);
                }
                self.framing = 0;
                if amount == most {
                    self.view = View::Hidden((most * 2).min(HIDDEN.len()));
                }
            }
            View::Line(_) => {
                self.framing += amount;
                self.view = View::Hidden(FIRST_HIDDEN);
            }
        }
        self.input.consume(amount);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        // The first buffer is for chunked requests, which the library never sends.
        (&mut [], &mut self.output[self.pending..])
    }

    fn can_use_input(&self) -> bool {
        self.progress && !self.input.unused().is_empty()
    }
}

/// Overwrites the bytes with zeros. This is faster than `zeroize`, which writes single bytes;
/// `black_box` prevents the compiler from removing it.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    std::hint::black_box(bytes);
}

fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|two| two == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(buffers: &mut ConnectionBuffers, bytes: &[u8]) {
        buffers.output()[..bytes.len()].copy_from_slice(bytes);
        buffers.append(bytes.len()).unwrap();
    }

    fn receive(buffers: &mut ConnectionBuffers, bytes: &[u8]) {
        buffers.input_append_buf()[..bytes.len()].copy_from_slice(bytes);
        buffers.input_appended(bytes.len());
    }

    #[test]
    fn last_headers_are_inserted_once_at_the_end_of_the_head() {
        let mut buffers = ConnectionBuffers::new();
        buffers.prepare(0, &[b"a: b\r\n", b"authorization: ", b"Basic eA=="]);
        for part in ["GET / HTTP/1.1\r\n", "host: h\r\n\r\n", "{}\r\n\r\n"] {
            write(&mut buffers, part.as_bytes());
        }
        let expected = "GET / HTTP/1.1\r\nhost: h\r\na: b\r\nauthorization: Basic eA==\r\n\r\n\
                        {}\r\n\r\n";
        assert_eq!(buffers.pending(), expected.as_bytes());
        assert!(buffers.end_of_head.is_empty());
    }

    #[test]
    fn sent_output_is_wiped_and_its_memory_freed() {
        let mut buffers = ConnectionBuffers::new();
        buffers.prepare(70_000, &[b"authorization: Basic eA=="]);
        assert_eq!(buffers.output().len(), 70_000);
        write(&mut buffers, b"HEAD\r\n\r\n");
        buffers.clear_output();
        assert_eq!(buffers.output().len(), OUTPUT_SIZE);
        buffers.prepare(0, &[b"authorization: Basic eA=="]);
        write(&mut buffers, b"HEAD\r\n\r\n");
        let length = buffers.pending().len();
        buffers.clear_output();
        assert_eq!(buffers.pending(), b"");
        assert!(
            buffers.output()[..length].iter().all(|byte| *byte == 0),
            "the secret is still there"
        );
    }

    #[test]
    fn full_output_buffer_is_an_error() {
        let mut buffers = ConnectionBuffers::new();
        buffers.prepare(0, &[&[b'a'; OUTPUT_SIZE]]);
        let head = b"GET / HTTP/1.1\r\n\r\n";
        buffers.output()[..head.len()].copy_from_slice(head);
        assert!(buffers.append(head.len()).is_err());
    }

    #[test]
    fn content_is_kept_but_not_shown() {
        let mut buffers = ConnectionBuffers::new();
        buffers.prepare(0, &[]);
        receive(&mut buffers, b"HEAD6\r\nsecret\r\n");
        assert_eq!(buffers.input(), b"HEAD6\r\nsecret\r\n");
        buffers.input_consume(4);
        buffers.hide_content(6);
        // As ureq reads chunks: it uses no zeros while it expects a line.
        assert_eq!(buffers.input(), [0; 11]);
        buffers.input_consume(0);
        assert!(buffers.expects_line() && !buffers.can_use_input());
        assert!(matches!(buffers.show_line(), Line::Shown));
        assert_eq!(buffers.input(), b"6\r\n");
        buffers.input_consume(3);
        assert!(buffers.can_use_input());
        assert_eq!(buffers.input(), [0; 8]);
        buffers.input_consume(6);
        assert_eq!(buffers.input(), [0; 2]);
        buffers.input_consume(0);
        assert!(matches!(buffers.show_line(), Line::Shown));
        assert_eq!(buffers.input(), b"\r\n");
        buffers.input_consume(2);
        assert_eq!(buffers.take_content().unwrap(), b"secret");
    }

    #[test]
    fn rejected_and_endless_lines_are_invalid() {
        let framing = |bytes: &[u8]| {
            let mut buffers = ConnectionBuffers::new();
            buffers.hide_content(0);
            receive(&mut buffers, bytes);
            buffers
        };
        let mut buffers = framing(b"zz\r\n");
        assert!(matches!(buffers.show_line(), Line::Shown));
        buffers.input_consume(0);
        assert!(matches!(buffers.show_line(), Line::Invalid));
        let mut buffers = framing(&[b'1'; 100]);
        assert!(matches!(buffers.show_line(), Line::Incomplete));
        receive(&mut buffers, &[b'1'; 3996]);
        assert!(matches!(buffers.show_line(), Line::Invalid));
        // Trailers: each line is short, but there is no content between them.
        let mut buffers = framing(&b"x: y\r\n".repeat(680));
        for _ in 0..680 {
            assert!(matches!(buffers.show_line(), Line::Shown));
            buffers.input_consume(6);
        }
        receive(&mut buffers, &b"x: y\r\n".repeat(3));
        assert!(matches!(buffers.show_line(), Line::Shown));
        buffers.input_consume(6);
        assert!(matches!(buffers.show_line(), Line::Shown));
        buffers.input_consume(6);
        assert!(matches!(buffers.show_line(), Line::Invalid));
    }
}
