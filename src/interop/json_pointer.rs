//! JSON for programs without a JSON library: values at JSON pointers (RFC 6901), and quoted texts.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::error::{Error, Status};
use crate::json::{self, Array, Kind, Object, quote};
use crate::memory;

/// The most levels of a pointer. Each one costs a pass over the remaining document.
const MAX_LEVELS: usize = 64;

/// The value that a pointer refers to: a string without quotes, any other value as JSON text.
///
/// # Errors
/// `NoValue`, if the value is missing or null; `InvalidArgument`.
pub fn json_get(document: &str, pointer: &str) -> Result<String, Error> {
    let value = find(document, pointer)?;
    match Kind::of(value) {
        Kind::String => match json::string(value) {
            Ok(text) => Ok(text.into_owned()),
            Err(problem) => {
                Err(Error::invalid(format!("json: the string at {} {problem}", quote(pointer))))
            }
        },
        _ => memory::copy(value.get()),
    }
}

/// The number of items of the array, or of members of the object, that a pointer refers to.
///
/// # Errors
/// `NoValue`, if the value is missing or null; `InvalidArgument`.
pub fn json_length(document: &str, pointer: &str) -> Result<u64, Error> {
    let value = find(document, pointer)?;
    let invalid =
        |problem: &str| Error::invalid(format!("json: the value at {} {problem}", quote(pointer)));
    let length = match Kind::of(value) {
        Kind::Array => json::array(value).map_err(|problem| invalid(&problem))?.0.len(),
        Kind::Object => {
            let Object(members) =
                serde_json::from_str(value.get()).map_err(|_| invalid("is not a valid object"))?;
            members.len()
        }
        kind => {
            let problem = format!("must be an array or an object, not {}", kind.article());
            return Err(invalid(&problem));
        }
    };
    Ok(length as u64)
}

/// A text as a JSON string, with quotes and escapes.
///
/// # Errors
/// `Internal`, if there is not enough memory.
pub fn json_quote(text: &str) -> Result<String, Error> {
    // An escaped character has at most six bytes.
    memory::require(text.len().saturating_mul(6).saturating_add(2))?;
    // A string cannot fail to serialize.
    Ok(serde_json::to_string(text).unwrap_or_default())
}

/// The value that a pointer refers to. It is not null.
fn find<'a>(document: &'a str, pointer: &str) -> Result<&'a RawValue, Error> {
    let no_value =
        || Error::new(Status::NoValue, format!("there is no value at {}", quote(pointer)));
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(Error::invalid(format!(
            "pointer: {} does not begin with a slash",
            quote(pointer)
        )));
    }
    if pointer.matches('/').count() > MAX_LEVELS {
        return Err(Error::invalid(format!("pointer: has more than {MAX_LEVELS} levels")));
    }
    memory::require_to_read(document.len())?;
    // The document may be a file or a message that the host received.
    let document = json::without_mark(document);
    let mut value: &RawValue = serde_json::from_str(document)
        .map_err(|e| Error::invalid(json::not_json(&"json", document, &e)))?;
    for token in pointer.split('/').skip(1) {
        let key = unescape(token).ok_or_else(|| {
            Error::invalid(format!(
                "pointer: {} has a ~ that is not followed by 0 or 1",
                quote(pointer)
            ))
        })?;
        value = step(value, &key).ok_or_else(no_value)?;
    }
    if Kind::of(value) == Kind::Null { Err(no_value()) } else { Ok(value) }
}

fn step<'a>(value: &'a RawValue, key: &str) -> Option<&'a RawValue> {
    match Kind::of(value) {
        Kind::Object => {
            let Object(members) = serde_json::from_str(value.get()).ok()?;
            // If a key is repeated, the last member is used, as in most JSON readers.
            members.into_iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
        }
        Kind::Array => {
            let is_index = key == "0" || !key.starts_with(['0', '+']);
            let index: usize = key.parse().ok().filter(|_| is_index)?;
            let Array(items) = serde_json::from_str(value.get()).ok()?;
            items.get(index).copied()
        }
        _ => None,
    }
}

fn unescape(token: &str) -> Option<Cow<'_, str>> {
    if !token.contains('~') {
        return Some(Cow::Borrowed(token));
    }
    let mut key = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        key.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(Cow::Owned(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str =
        r#"{"a": {"b": [1, "two\n", null, {"c/d~": true}]}, "": 1.50, "a b": {}}"#;

    #[test]
    fn values_are_found() {
        for (pointer, value) in [
            ("", DOCUMENT),
            ("/a/b/0", "1"),
            ("/a/b/1", "two\n"),
            ("/a/b/3/c~1d~0", "true"),
            ("/", "1.50"),
            ("/a b", "{}"),
            ("/a/b", r#"[1, "two\n", null, {"c/d~": true}]"#),
        ] {
            assert_eq!(json_get(DOCUMENT, pointer).unwrap(), value, "{pointer}");
        }
        assert_eq!(json_get(r#"{"a":1,"a":2}"#, "/a").unwrap(), "2");
        assert_eq!(json_get("\u{feff}{\"a\":1}", "/a").unwrap(), "1");
    }

    #[test]
    fn missing_and_null_have_no_value() {
        for pointer in ["/x", "/a/b/2", "/a/b/4", "/a/b/-", "/a/b/00", "/a/b/+1", "/a/b/0/x"] {
            let error = json_get(DOCUMENT, pointer).unwrap_err();
            assert_eq!(error.status, Status::NoValue, "{pointer}");
        }
        assert_eq!(json_get("null", "").unwrap_err().status, Status::NoValue);
    }

    #[test]
    fn invalid_arguments_are_reported() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for (document, pointer, part) in [
            ("{", "", "json: is not valid JSON"),
            ("", "", "json: is empty"),
            ("{} x", "", "json: is not valid JSON"),
            ("{}", "a", "does not begin with a slash"),
            (r#"{"~2":1}"#, "/~2", "has a ~ that is not followed by 0 or 1"),
            (r#"{"a":"x\u0000y"}"#, "/a", "must not contain U+0000"),
            (deep.as_str(), &"/0".repeat(65), "more than 64 levels"),
        ] {
            let error = json_get(document, pointer).unwrap_err();
            assert_eq!(error.status, Status::InvalidArgument);
            assert!(error.message.contains(part), "{}", error.message);
        }
        assert!(json_get(&deep, &"/0".repeat(64)).unwrap().starts_with('['));
    }

    #[test]
    fn items_and_members_are_counted() {
        for (pointer, length) in [("", 3), ("/a", 1), ("/a/b", 4), ("/a b", 0)] {
            assert_eq!(json_length(DOCUMENT, pointer).unwrap(), length, "{pointer}");
        }
        assert_eq!(json_length("[]", "").unwrap(), 0);
        assert_eq!(json_length(r#"["[,]",[1,2],{"a":","}]"#, "").unwrap(), 3);
        for (document, pointer, status) in [
            (DOCUMENT, "/x", Status::NoValue),
            (DOCUMENT, "/a/b/2", Status::NoValue),
            (DOCUMENT, "/a/b/0", Status::InvalidArgument),
            (DOCUMENT, "/a/b/1", Status::InvalidArgument),
            ("[", "", Status::InvalidArgument),
        ] {
            let error = json_length(document, pointer).unwrap_err();
            assert_eq!(error.status, status, "{}", error.message);
        }
        let message = json_length(r#"{"a":"b"}"#, "/a").unwrap_err().message;
        assert!(message.ends_with("must be an array or an object, not a string"), "{message}");
    }

    #[test]
    fn quoted_text_is_read_back() {
        assert_eq!(json_quote("").unwrap(), r#""""#);
        assert_eq!(
            json_quote("a\"b\\c/\n\u{1}é\u{2028}").unwrap(),
            "\"a\\\"b\\\\c/\\n\\u0001é\u{2028}\""
        );
        let every: String = (1..=0x20ff).filter_map(char::from_u32).collect();
        assert_eq!(json_get(&json_quote(&every).unwrap(), "").unwrap(), every);
    }
}
