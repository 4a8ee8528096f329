//! Paths: the check of ids and their encoding.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All characters except the unreserved ones (RFC 3986, 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest id, in bytes. The ids of the service have 36 characters.
const MAX_ID: usize = 256;

/// The ids in an operation's path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ids<'a> {
    /// For `{sessionId}`.
    pub session: Option<&'a str>,
    /// For `{participantId}`.
    pub participant: Option<&'a str>,
    /// For `{endpointId}`.
    pub endpoint: Option<&'a str>,
}

/// Checks an id for a path.
///
/// # Errors
/// The problem, without the name of the argument.
pub fn check_id(id: &str) -> Result<(), String> {
    match id {
        "" => Err("is empty".to_owned()),
        "." | ".." => Err(format!("\"{id}\" is not an id: it would change the path")),
        _ if id.len() > MAX_ID => Err(format!("is longer than {MAX_ID} bytes")),
        _ if id.chars().any(char::is_control) => {
            Err("must not contain control characters".to_owned())
        }
        _ => Ok(()),
    }
}

/// Encodes a text as one segment of a path.
pub fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, ENCODED).to_string()
}

/// Makes the path of a request: the prefix and an operation's path with its ids, which are checked.
///
/// # Errors
/// The id that is missing or invalid.
pub fn fill(prefix: &str, template: &str, ids: &Ids<'_>) -> Result<String, String> {
    let mut path = String::with_capacity(prefix.len() + template.len() + 64);
    path.push_str(prefix);
    for segment in template.split('/').skip(1) {
        path.push('/');
        let (name, id) = match segment {
            "{sessionId}" => ("sessionId", ids.session),
            "{participantId}" => ("participantId", ids.participant),
            "{endpointId}" => ("endpointId", ids.endpoint),
            literal => {
                path.push_str(literal);
                continue;
            }
        };
        let id = id.ok_or_else(|| format!("{name}: is missing"))?;
        check_id(id).map_err(|why| format!("{name}: {why}"))?;
        path.extend(utf8_percent_encode(id, ENCODED));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_encoded_and_cannot_change_the_path() {
        let fill = |id| {
            fill(
                "",
                "/participants/{participantId}",
                &Ids { participant: Some(id), ..Ids::default() },
            )
        };
        assert_eq!(fill("a-b_c.~1").unwrap(), "/participants/a-b_c.~1");
        assert_eq!(fill("x?y=1").unwrap(), "/participants/x%3Fy%3D1");
        assert_eq!(fill("../..").unwrap(), "/participants/..%2F..");
        assert_eq!(fill("ü %").unwrap(), "/participants/%C3%BC%20%25");
        let longest = "x".repeat(256);
        assert_eq!(fill(&longest).unwrap(), format!("/participants/{longest}"));
        for bad in ["", ".", "..", "a\nb", &"x".repeat(257)] {
            let message = fill(bad).unwrap_err();
            assert!(message.starts_with("participantId: "), "{message}");
        }
    }
}
