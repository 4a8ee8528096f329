//! What the request documents have in common: known fields, each once, and fields of the same kind.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::NO_MEMORY;
use crate::json::{self, Kind, Problems};

/// The longest tag, in characters.
const TAG: usize = 50;

/// Reads the known fields of an object in the order of the document, without those that are null;
/// what is not known becomes a problem.
///
/// # Errors
/// If the text is not an object, or a key is given twice.
pub fn read<'a>(
    root: &str,
    text: &'a str,
    known: &[&'static str],
    problems: &mut Problems,
) -> Result<Vec<(&'static str, &'a RawValue)>, String> {
    let json::Object(members) = json::object(root, text)?;
    let mut fields: Vec<(&'static str, &'a RawValue)> = Vec::with_capacity(known.len());
    for (key, value) in members {
        // Made only for a problem: requests are right, as a rule.
        let path = || json::member(root, &key);
        match known.iter().find(|field| **field == key) {
            None => problems.add(path(), json::unknown_key(&key, known)),
            // A null counts as left out.
            Some(_) if Kind::of(value) == Kind::Null => {}
            Some(field) => fields.push((field, value)),
        }
    }
    Ok(fields)
}

/// A tag: a string of at most 50 characters.
///
/// # Errors
/// What to say behind its path.
pub fn tag(value: &RawValue) -> Result<(), String> {
    let tag = json::string(value)?;
    match tag.chars().count() {
        0..=TAG => Ok(()),
        count => Err(format!(": has {count} characters; at most {TAG} are allowed")),
    }
}

/// The tag in a request that was checked.
pub fn tag_of(request: &str) -> Option<String> {
    let json::Object(members) = json::object("request", request).ok()?;
    let (_, tag) = members.into_iter().find(|(key, _)| key == "tag")?;
    json::string(tag).ok().map(Into::into)
}

/// The body to send, made of the fields' own text, if there were no problems.
///
/// # Errors
/// The problems in one message.
pub fn body(
    problems: Problems,
    fields: &[(&'static str, &RawValue)],
) -> Result<Option<String>, String> {
    if let Some(message) = problems.message() {
        return Err(message);
    }
    let length: usize = fields.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum();
    let mut body = String::new();
    body.try_reserve_exact(length + 2).map_err(|_| NO_MEMORY)?;
    body.push('{');
    for (at, (name, value)) in fields.iter().enumerate() {
        // The names are our own: none has anything to escape.
        for part in [if at == 0 { "\"" } else { ",\"" }, name, "\":", value.get()] {
            body.push_str(part);
        }
    }
    body.push('}');
    Ok(Some(body))
}

/// The body to send, if there were no problems.
///
/// # Errors
/// The problems in one message.
pub fn finish(problems: Problems, body: &impl Serialize) -> Result<Option<String>, String> {
    match problems.message() {
        Some(message) => Err(message),
        // Strings and lists of strings cannot fail to serialize.
        None => Ok(Some(serde_json::to_string(body).unwrap_or_default())),
    }
}
