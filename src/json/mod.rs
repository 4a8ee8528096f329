//! Reading untrusted JSON: one level at a time, borrowed, in linear time and without recursion, so
//! that no document can exhaust the stack or the CPU.
//!
//! [`document`] checks a document against its table of fields. The tables are in the modules of the
//! documents.

pub mod document;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use self::document::Problems;
use crate::error::NO_MEMORY;
use crate::redact;

/// A JSON object: its members in order, with their values as JSON text.
pub struct Object<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

/// A JSON array: its items as JSON text.
pub struct Array<'a>(pub Vec<&'a RawValue>);

impl<'de> serde::Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.try_reserve(1).map_err(|_| A::Error::custom(NO_MEMORY))?;
                    members.push((key, value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl<'de> serde::Deserialize<'de> for Array<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = Array<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element::<&'de RawValue>()? {
                    items.try_reserve(1).map_err(|_| A::Error::custom(NO_MEMORY))?;
                    items.push(item);
                }
                Ok(Array(items))
            }
        }
        deserializer.deserialize_seq(Items)
    }
}

/// A JSON string, borrowed unless it contains escapes. (With serde, a plain `Cow` is never borrowed.)
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Chars;
        impl<'de> Visitor<'de> for Chars {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Chars)
    }
}

/// The types of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{..}`
    Object,
    /// `[..]`
    Array,
    /// `".."`
    String,
    /// A number.
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

impl Kind {
    /// The type of a value that is valid JSON.
    pub fn of(value: &RawValue) -> Kind {
        match value.get().as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The name of the type with its article, for messages.
    pub fn article(self) -> &'static str {
        match self {
            Kind::Object => "an object",
            Kind::Array => "an array",
            Kind::String => "a string",
            Kind::Number => "a number",
            Kind::Boolean => "a boolean",
            Kind::Null => "null",
        }
    }
}

/// The byte order mark, which some editors write at the start of a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text without a byte order mark at its start.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Reads a document that must be one object without repeated keys.
///
/// # Errors
/// A message that begins with `path`, if the text is not JSON, not an object, or a key is repeated.
pub fn object<'a>(path: &dyn fmt::Display, text: &'a str) -> Result<Object<'a>, String> {
    let object = object_with_repetitions(path, text)?;
    repeated_keys(path, &object).map_or(Ok(object), Err)
}

/// Reads a document that must be one object, whose keys may be repeated.
///
/// # Errors
/// As for [`object`].
pub fn object_with_repetitions<'a>(
    path: &dyn fmt::Display,
    text: &'a str,
) -> Result<Object<'a>, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|e| not_json(path, text, &e));
    }
    let value: &RawValue = serde_json::from_str(text).map_err(|e| not_json(path, text, &e))?;
    Err(format!("{path}: must be a JSON object, not {}", Kind::of(value).article()))
}

/// The message for keys that occur more than once.
pub fn repeated_keys(path: &dyn fmt::Display, Object(members): &Object<'_>) -> Option<String> {
    let mut problems = Problems::default();
    let mut duplicates = DuplicateFinder::new(members.len());
    for (at, (key, _)) in members.iter().enumerate() {
        if duplicates.is_repeated(key, members[..at].iter().map(|(key, _)| key)) {
            problems.add(&member(path, key), "is given twice");
        }
    }
    problems.message()
}

/// Finds repeated strings in linear time, and without an allocation if there are only a few.
pub struct DuplicateFinder<T>(Option<HashSet<T>>);

impl<T: Eq + Hash> DuplicateFinder<T> {
    /// For this number of strings.
    pub fn new(count: usize) -> DuplicateFinder<T> {
        /// Up to this many strings are faster to compare than to hash.
        const FEW: usize = 8;
        DuplicateFinder((count > FEW).then(HashSet::new))
    }

    /// Whether a string is one of the earlier strings.
    pub fn is_repeated(&mut self, text: T, mut earlier: impl Iterator<Item = T>) -> bool {
        match &mut self.0 {
            None => earlier.any(|earlier| earlier == text),
            Some(seen) => !seen.insert(text),
        }
    }
}

/// The message for a text that is not JSON. It quotes nothing, because the text may contain a secret.
pub fn not_json(path: &dyn fmt::Display, text: &str, error: &serde_json::Error) -> String {
    if text.trim().is_empty() {
        return format!("{path}: is empty; pass a JSON object, for example {{}}");
    }
    if text.starts_with(BYTE_ORDER_MARK) {
        return format!("{path}: begins with a byte order mark (U+FEFF); remove it");
    }
    let what = error.to_string();
    // serde_json appends " at line L column C".
    let what = redact::line(what.split(" at line ").next().unwrap_or(""));
    format!("{path}: is not valid JSON (line {}, column {}): {what}", error.line(), error.column())
}

/// Reads a value that must be a string without U+0000.
///
/// # Errors
/// The problem, without the path of the value.
pub fn string<'a>(value: &'a RawValue) -> Result<Cow<'a, str>, String> {
    if Kind::of(value) != Kind::String {
        return Err(format!("must be a string, not {}", Kind::of(value).article()));
    }
    // JSON does not allow control characters in a string, so the text needs no further check.
    let text = value.get().strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or("");
    // Without an early exit, the compiler checks many bytes at a time.
    if !text.bytes().fold(false, |any, byte| any | (byte == b'\\')) {
        return Ok(Cow::Borrowed(text));
    }
    let text = unescaped(text)
        .ok_or_else(|| "has an escape that is not a Unicode character".to_owned())?;
    if text.contains('\0') {
        return Err("must not contain U+0000".to_owned());
    }
    Ok(Cow::Owned(text))
}

/// Decodes the escapes of a JSON string without its quotation marks; None if an escape is not a
/// Unicode character. serde_json is not used, because it does not wipe its buffer for escapes, and
/// the text may be a secret.
pub fn unescaped(text: &str) -> Option<String> {
    // A character is never longer than its escape.
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let (c, length) = escape(&rest[at + 1..])?;
        plain.push(c);
        rest = &rest[at + 1 + length..];
    }
    plain.push_str(rest);
    Some(plain)
}

/// The character of an escape, without its backslash, and the length of the escape.
pub fn escape(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix('u')?.get(..4)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hex.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    };
    Some(match *text.as_bytes().first()? {
        b'b' => ('\u{8}', 1),
        b'f' => ('\u{c}', 1),
        b'n' => ('\n', 1),
        b'r' => ('\r', 1),
        b't' => ('\t', 1),
        c @ (b'"' | b'\\' | b'/') => (char::from(c), 1),
        b'u' => {
            let first = unit(text)?;
            let second = || unit(text.get(5..)?.strip_prefix('\\')?);
            match char::from_u32(u32::from(first)) {
                Some(c) => (c, 5),
                // A surrogate is one half of a character.
                None => {
                    let pair = char::decode_utf16([first, second()?]).next()?;
                    (pair.ok()?, 11)
                }
            }
        }
        _ => return None,
    })
}

/// Reads a value that must be an array.
///
/// # Errors
/// The problem, without the path of the value.
pub fn array(value: &RawValue) -> Result<Array<'_>, String> {
    if Kind::of(value) != Kind::Array {
        return Err(format!("must be an array, not {}", Kind::of(value).article()));
    }
    serde_json::from_str(value.get()).map_err(|e| {
        let no_memory = e.to_string().contains(NO_MEMORY);
        if no_memory { NO_MEMORY } else { "is not a valid array" }.to_owned()
    })
}

/// A caller's value for a message: quoted, masked and shortened.
pub fn quote(text: &str) -> String {
    redact::quoted(text)
}

/// The path of a member: its key is quoted if it is not a plain name.
pub fn member(parent: &dyn fmt::Display, key: &str) -> String {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let plain = key.len() < redact::VALUE
        && !key.is_empty()
        && key.bytes().all(is_name)
        && !redact::is_masked(key);
    if plain { format!("{parent}.{key}") } else { format!("{parent}[{}]", quote(key)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_as_serde_json_does() {
        for text in [
            r#"\"\\\/\b\f\n\r\t"#,
            r"\u0041\u00e9\u4e2d\uD83D\uDE00x",
            r"\ud83d",
            r"\ud83dx",
            r"\ud83d\u0041",
            r"\ude00",
            r"\u00e",
            r"\u+041",
            r"\x",
            "\\",
            "é\\u00e9",
        ] {
            let expected = serde_json::from_str::<String>(&format!("\"{text}\"")).ok();
            assert_eq!(unescaped(text), expected, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_read_without_recursion() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let Ok(Object(members)) = object(&"request", &deep) else { panic!("rejected") };
        assert_eq!(Kind::of(members[0].1), Kind::Array);
        assert!(object(&"request", &deep[..deep.len() - 2]).is_err());
    }

    #[test]
    fn syntax_errors_have_a_position_and_quotes_are_short() {
        let message = object(&"request", "{\"tag\": x}").err().unwrap();
        assert!(message.starts_with("request: is not valid JSON (line 1, column 9)"), "{message}");
        assert_eq!(quote(&"a".repeat(100)).len(), 45);
        assert!(object(&"request", "[]").err().unwrap().contains("not an array"));
        assert!(object(&"request", " ").err().unwrap().contains("is empty"));
    }

    #[test]
    fn byte_order_mark_is_reported() {
        for text in ["\u{feff}{}", "\u{feff}[]", "\u{feff}"] {
            let message = object(&"config", text).err().unwrap();
            assert!(
                message.contains("config: begins with a byte order mark (U+FEFF)"),
                "{message}"
            );
        }
        assert_eq!(without_mark("\u{feff}{}"), "{}");
        assert_eq!(without_mark("{}"), "{}");
    }

    #[test]
    fn repeated_keys_are_reported_in_short_and_long_objects() {
        for count in [0, 3, 1000] {
            let more: String = (0..count).map(|n| format!(",\"k{n}\":1")).collect();
            let text = format!("{{\"a\":1{more},\"b\":2,\"\\u0061\":3,\"b\":4}}");
            let message = object(&"request", &text).err().unwrap();
            assert_eq!(message, "request.a: is given twice; request.b: is given twice");
        }
    }

    /// In quadratic time this would take minutes.
    #[test]
    fn objects_with_many_keys_are_read_in_linear_time() {
        let many: String = (0..300_000).map(|n| format!("\"k{n}\":1,")).collect();
        let began = std::time::Instant::now();
        assert!(object(&"request", &format!("{{{many}\"x\":1}}")).is_ok());
        let time = began.elapsed();
        assert!(time < std::time::Duration::from_secs(20), "{time:?}");
    }
}
