//! The cursors of `listEndpoints`. They are opaque to clients: a changed cursor is rejected.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::jwt::Signer;

/// The first byte of each cursor; makes the Base64 text end with padding.
const VERSION: u8 = 1;

/// The position of a page.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The sequence number of the last endpoint of the previous page.
    pub after: u64,
    /// The number of the page.
    pub page: u64,
}

impl Cursor {
    /// The text for `afterCursor`.
    pub fn encode(self, signer: &Signer) -> String {
        let mut bytes = self.payload();
        let mac = signer.mac(&bytes);
        bytes.extend_from_slice(&mac[..8]);
        BASE64_STANDARD.encode(bytes)
    }

    /// The cursor with this text; `None` if this signer did not sign it.
    pub fn decode(text: &str, signer: &Signer) -> Option<Cursor> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        let after = u64::from_be_bytes(bytes.get(1..9)?.try_into().ok()?);
        let page = u64::from_be_bytes(bytes.get(9..17)?.try_into().ok()?);
        let cursor = Cursor { after, page };
        (cursor.encode(signer) == text).then_some(cursor)
    }

    fn payload(self) -> Vec<u8> {
        [&[VERSION][..], &self.after.to_be_bytes(), &self.page.to_be_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cursors_of_the_same_signer_are_valid() {
        let signer = Signer::new();
        let cursor = Cursor { after: 7, page: 2 };
        let text = cursor.encode(&signer);
        assert!(text.ends_with("=="), "{text}");
        assert_eq!(Cursor::decode(&text, &signer), Some(cursor));
        assert_eq!(Cursor::decode(&text, &Signer::new()), None);
        let mut changed = text.clone().into_bytes();
        for index in 0..changed.len() {
            let byte = changed[index];
            changed[index] = if byte == b'A' { b'B' } else { b'A' };
            let invalid = std::str::from_utf8(&changed).unwrap();
            assert_eq!(Cursor::decode(invalid, &signer), None, "{invalid}");
            changed[index] = byte;
        }
        for invalid in ["", "=", "AA==", "?", &text[..text.len() - 2], &(text.clone() + "A")] {
            assert_eq!(Cursor::decode(invalid, &signer), None, "{invalid}");
        }
    }
}
