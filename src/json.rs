//! Reading JSON that a stranger wrote: one level at a time, borrowed, in linear time and
//! without recursion, so that no document is deep or odd enough to do harm.
//!
//! Not here: what a particular document must hold; its own module knows that.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::NO_MEMORY;

use crate::redact;

/// One JSON object: its members in order, values as they were written.
pub struct Object<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

/// One JSON array: its items as they were written.
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

/// A JSON string, borrowed unless it has escapes (what `Cow` alone does not do with serde).
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

/// The kinds of JSON value, as messages call them.
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
    /// The kind of a value that is known to be JSON.
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

    /// With its article, for a message.
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

/// What is wrong with a document: every problem, each beginning with its path.
#[derive(Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Takes one more problem; beyond a dozen only their number is told.
    pub fn add(&mut self, path: impl fmt::Display, what: impl fmt::Display) {
        // A hostile document may have thousands: what is kept must stay bounded.
        if self.0.len() < 12 {
            self.0.push(format!("{path}{what}"));
        } else if self.0.len() == 12 {
            self.0.push("and more".to_owned());
        }
    }

    /// The problems in one message; none if there were none.
    pub fn message(self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join("; "))
    }
}

/// The byte order mark, which some editors write before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A text from outside without the byte order mark before it, if there is one.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Reads a document that must be one object, in which each key is there once.
///
/// # Errors
/// A message that begins with `name`, if the text is not JSON or not an object, or keys are repeated.
pub fn object<'a>(name: &str, text: &'a str) -> Result<Object<'a>, String> {
    if text.trim_start().starts_with('{') {
        let object: Object<'a> =
            serde_json::from_str(text).map_err(|e| not_json(name, text, &e))?;
        return match repeated_keys(name, &object) {
            Some(message) => Err(message),
            None => Ok(object),
        };
    }
    let value: &RawValue = serde_json::from_str(text).map_err(|e| not_json(name, text, &e))?;
    Err(format!("{name}: must be a JSON object, not {}", Kind::of(value).article()))
}

/// The message for keys that are there more than once.
fn repeated_keys(name: &str, Object(members): &Object<'_>) -> Option<String> {
    /// So few keys are compared faster than hashed.
    const FEW: usize = 8;
    let mut seen: HashSet<&str> = HashSet::new();
    let mut problems = Problems::default();
    for (at, (key, _)) in members.iter().enumerate() {
        let is_repeated = if members.len() <= FEW {
            members[..at].iter().any(|(earlier, _)| earlier == key)
        } else {
            !seen.insert(key)
        };
        if is_repeated {
            problems.add(member(name, key), ": is given twice");
        }
    }
    problems.message()
}

/// The message for a text that is not JSON. Quotes nothing of it: it may hold a secret.
pub fn not_json(name: &str, text: &str, error: &serde_json::Error) -> String {
    if text.trim().is_empty() {
        return format!("{name}: is empty; pass a JSON object, for example {{}}");
    }
    if text.starts_with(BYTE_ORDER_MARK) {
        return format!("{name}: begins with a byte order mark (U+FEFF); remove it");
    }
    let what = error.to_string();
    // serde_json appends " at line L column C", which reads better in front.
    let what = redact::line(what.split(" at line ").next().unwrap_or(""));
    format!("{name}: is not valid JSON (line {}, column {}): {what}", error.line(), error.column())
}

/// Reads a value that must be a string without U+0000.
///
/// # Errors
/// What to say behind the value's path.
pub fn string<'a>(value: &'a RawValue) -> Result<Cow<'a, str>, String> {
    if Kind::of(value) != Kind::String {
        return Err(format!(": must be a string, not {}", Kind::of(value).article()));
    }
    // As most are: what stands between the quotes is the text. A control character cannot.
    let text = value.get().strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or("");
    if !text.as_bytes().contains(&b'\\') {
        return Ok(Cow::Borrowed(text));
    }
    let text = unescaped(text)
        .ok_or_else(|| ": has an escape that is not a Unicode character".to_owned())?;
    if text.contains('\0') {
        return Err(": must not contain U+0000".to_owned());
    }
    Ok(Cow::Owned(text))
}

/// The text of a JSON string, of which `text` is what stands between the quotation marks; none if an
/// escape is not a Unicode character. Not by serde_json, whose buffer for escapes is not wiped:
/// the text may be a secret.
pub fn unescaped(text: &str) -> Option<String> {
    // No escape is shorter than its character.
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
/// What to say behind the value's path.
pub fn array(value: &RawValue) -> Result<Array<'_>, String> {
    if Kind::of(value) != Kind::Array {
        return Err(format!(": must be an array, not {}", Kind::of(value).article()));
    }
    serde_json::from_str(value.get()).map_err(|e| {
        let is_short = e.to_string().contains(NO_MEMORY);
        format!(": {}", if is_short { NO_MEMORY } else { "is not a readable array" })
    })
}

/// A caller's value, quoted for a message: masked and shortened.
pub fn quote(text: &str) -> String {
    redact::quoted(text)
}

/// The path of a member with any key: the key as it is, or quoted if it is unusual.
pub fn member(parent: &str, key: &str) -> String {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let plain = key.len() < redact::VALUE
        && !key.is_empty()
        && key.bytes().all(is_name)
        && !redact::is_masked(key);
    if plain { format!("{parent}.{key}") } else { format!("{parent}[{}]", quote(key)) }
}

/// `": is not known"` with the known key that the writer may have meant; searched for only if the
/// message is written.
pub fn unknown_key<'a>(key: &'a str, known: &'a [&'a str]) -> impl fmt::Display + 'a {
    struct Unknown<'a>(&'a str, &'a [&'a str]);
    impl fmt::Display for Unknown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match nearest(self.0, self.1) {
                Some(near) => write!(f, ": is not known; did you mean {near}?"),
                None => write!(f, ": is not known; known are {}", self.1.join(", ")),
            }
        }
    }
    Unknown(key, known)
}

/// The known word within a few slips of this one.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase().replace(['_', '-'], "");
    known
        .iter()
        .map(|k| (edit_distance(&lower, &k.to_lowercase()), *k))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, k)| *distance <= 1 + k.len().min(lower.len()) / 4)
        .map(|(_, k)| k)
}

/// Levenshtein's distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_through_slips_and_other_spellings() {
        let known = ["callbackUrl", "publishPermissions", "tag", "timeoutMs"];
        for (word, expected) in [
            ("callbackURL", Some("callbackUrl")),
            ("callback_url", Some("callbackUrl")),
            ("publishPermission", Some("publishPermissions")),
            ("tags", Some("tag")),
            ("timoutMs", Some("timeoutMs")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
    }

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
    fn a_document_nested_very_deep_is_read_without_recursion() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let Ok(Object(members)) = object("request", &deep) else { panic!("refused") };
        assert_eq!(Kind::of(members[0].1), Kind::Array);
        assert!(object("request", &deep[..deep.len() - 2]).is_err());
    }

    #[test]
    fn messages_name_the_place_and_quote_no_more_than_a_little() {
        let message = object("request", "{\"tag\": x}").err().unwrap();
        assert!(message.starts_with("request: is not valid JSON (line 1, column 9)"), "{message}");
        assert_eq!(quote(&"a".repeat(100)).len(), 45);
        assert!(object("request", "[]").err().unwrap().contains("not an array"));
        assert!(object("request", " ").err().unwrap().contains("is empty"));
    }

    #[test]
    fn byte_order_mark_is_named() {
        for text in ["\u{feff}{}", "\u{feff}[]", "\u{feff}"] {
            let message = object("config", text).err().unwrap();
            assert!(
                message.contains("config: begins with a byte order mark (U+FEFF)"),
                "{message}"
            );
        }
        assert_eq!(without_mark("\u{feff}{}"), "{}");
        assert_eq!(without_mark("{}"), "{}");
    }

    #[test]
    fn repeated_keys_are_named_in_short_and_long_objects() {
        for count in [0, 3, 1000] {
            let more: String = (0..count).map(|n| format!(",\"k{n}\":1")).collect();
            let text = format!("{{\"a\":1{more},\"b\":2,\"\\u0061\":3,\"b\":4}}");
            let message = object("request", &text).err().unwrap();
            assert_eq!(message, "request.a: is given twice; request.b: is given twice");
        }
    }

    /// At a cost that grows with the square of the number of keys, this takes minutes.
    #[test]
    fn objects_with_many_keys_are_read_in_linear_time() {
        let many: String = (0..300_000).map(|n| format!("\"k{n}\":1,")).collect();
        let began = std::time::Instant::now();
        assert!(object("request", &format!("{{{many}\"x\":1}}")).is_ok());
        let mut problems = Problems::default();
        for n in 0..300_000 {
            problems.add("request", unknown_key(&format!("callbackUrk{n}"), &["callbackUrl"; 20]));
        }
        let time = began.elapsed();
        assert!(time < std::time::Duration::from_secs(20), "{time:?}");
    }
}
