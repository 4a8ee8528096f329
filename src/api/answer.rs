//! What an answer of the service must hold to be of use. It is checked in place, with nothing
//! copied, and handed on as the service's own text.

use serde_json::value::RawValue;

use super::answer_parts::{Created, IsText, Named};
use crate::json::{Kind, Object, string, without_mark};

/// What an operation's answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{"participant": {"id": ..}, "token": ..}`
    ParticipantAndToken,
    /// An object with an `id`, without which what was created could not be used.
    Identified,
    /// An object. Fields may be missing.
    Object,
    /// An array; none means an empty one.
    List,
    /// An object; none means an empty one.
    Subscriptions,
    /// Nothing is said beyond success.
    Nothing,
}

impl Shape {
    /// Checks the body of a 2xx answer and gives the document to hand on.
    ///
    /// # Errors
    /// What is missing. Quotes nothing of the answer, which may hold a token.
    pub fn check(self, body: Vec<u8>) -> Result<String, String> {
        let mut text = String::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
        let mark = text.len() - without_mark(&text).len();
        text.drain(..mark);
        let instead = match self {
            Shape::List => Some("[]"),
            Shape::Subscriptions => Some("{}"),
            Shape::Nothing => Some("null"),
            _ => None,
        };
        if let (Some(instead), "" | "null") = (instead, text.trim()) {
            return Ok(instead.to_owned());
        }
        match self {
            Shape::ParticipantAndToken => participant_and_token(&text)?,
            Shape::Identified => match serde_json::from_str(&text) {
                Ok(Named::Yes) => {}
                Ok(Named::Nameless) => return Err("the answer has no id".to_owned()),
                Ok(Named::No) | Err(_) => {
                    return Err("the answer is not a JSON object".to_owned());
                }
            },
            Shape::List => is_kind(&text, Kind::Array)?,
            Shape::Object | Shape::Subscriptions => is_kind(&text, Kind::Object)?,
            // What is not JSON is not from the service, but from a proxy or a login page.
            Shape::Nothing => {
                return match serde_json::from_str::<&RawValue>(&text) {
                    Ok(_) => Ok("null".to_owned()),
                    Err(_) => Err("the answer is neither empty nor JSON".to_owned()),
                };
            }
        }
        Ok(text)
    }
}

impl Shape {
    /// The id of what the operation made, in an answer that was checked.
    pub fn id_of(self, answer: &str) -> Option<String> {
        let answer = object(answer)?;
        let id = match self {
            Shape::ParticipantAndToken => {
                member(&object(member(&answer, "participant")?.get())?, "id")
            }
            Shape::Identified => member(&answer, "id"),
            _ => None,
        };
        string(id?).ok().map(Into::into)
    }
}

fn participant_and_token(text: &str) -> Result<(), String> {
    let created: Created =
        serde_json::from_str(text).map_err(|_| "the answer is not a JSON object".to_owned())?;
    match created {
        Created { participant: Named::No, .. } => Err("the answer has no participant".to_owned()),
        Created { participant: Named::Nameless, .. } => {
            Err("the answer has no participant.id".to_owned())
        }
        Created { token: IsText(false), .. } => Err("the answer has no token".to_owned()),
        Created { .. } => Ok(()),
    }
}

/// Whether a Participant document says that the participant is in this session; None if it does not
/// list its sessions.
pub fn is_in_session(participant: &str, session: &str) -> Option<bool> {
    let participant = object(participant)?;
    let sessions = crate::json::array(member(&participant, "sessions")?).ok()?;
    Some(sessions.0.iter().any(|id| string(id).is_ok_and(|id| id == session)))
}

fn is_kind(text: &str, kind: Kind) -> Result<(), String> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) if Kind::of(value) == kind => Ok(()),
        Ok(value) => {
            Err(format!("the answer is {}, not {}", Kind::of(value).article(), kind.article()))
        }
        Err(_) => Err("the answer is not JSON".to_owned()),
    }
}

fn object(text: &str) -> Option<Object<'_>> {
    serde_json::from_str(text).ok()
}

/// The last member of this name, as JSON readers have it.
fn member<'a>(object: &Object<'a>, name: &str) -> Option<&'a RawValue> {
    object.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usable_answer_is_handed_on_as_it_is() {
        let text = r#" {"participant":{"id":"p","new":[1]},"token":"t","more":null} "#;
        let answer = Shape::ParticipantAndToken.check(text.into()).unwrap();
        assert_eq!(answer, text);
    }

    #[test]
    fn an_answer_without_id_or_token_is_of_no_use() {
        for body in [
            "",
            "null",
            "[]",
            "{}",
            "{\"token\":\"t\"}",
            r#"{"participant":null,"token":"t"}"#,
            r#"{"participant":{},"token":"t"}"#,
            r#"{"participant":{"id":""},"token":"t"}"#,
            r#"{"participant":{"id":"p"}}"#,
            r#"{"participant":{"id":"p"},"token":5}"#,
            r#"{"participant":{"id":"p"},"token":"t"} x"#,
        ] {
            assert!(Shape::ParticipantAndToken.check(body.into()).is_err(), "{body}");
        }
        assert!(Shape::ParticipantAndToken.check(vec![b'{', 0xff]).is_err());
        assert!(Shape::Identified.check(b"{}".to_vec()).is_err());
    }

    #[test]
    fn nothing_and_null_have_their_documents() {
        for (shape, body, document) in [
            (Shape::Nothing, "", "null"),
            (Shape::Nothing, " \r\n", "null"),
            (Shape::Nothing, "{\"status\":\"ok\"}", "null"),
            (Shape::Nothing, "\u{feff}", "null"),
            (Shape::List, "\u{feff}[{}]", "[{}]"),
            (Shape::Object, "\u{feff}{}", "{}"),
            (Shape::List, "", "[]"),
            (Shape::List, "null", "[]"),
            (Shape::List, "[{}]", "[{}]"),
            (Shape::Subscriptions, "", "{}"),
            (Shape::Subscriptions, "null\n", "{}"),
            (
                Shape::Object,
                r#"{"id":null,"participant_ids":[]}"#,
                r#"{"id":null,"participant_ids":[]}"#,
            ),
        ] {
            assert_eq!(shape.check(body.into()).as_deref(), Ok(document), "{shape:?} {body}");
        }
        for (shape, body) in [
            (Shape::List, "{}"),
            (Shape::Object, ""),
            (Shape::Object, "null"),
            (Shape::Subscriptions, "[]"),
            (Shape::Object, "{"),
            (Shape::Nothing, "<html><body>Please log in</body></html>"),
            (Shape::Nothing, "whatever"),
            (Shape::Nothing, "{} x"),
        ] {
            assert!(shape.check(body.into()).is_err(), "{shape:?} {body}");
        }
    }

    #[test]
    fn what_was_made_is_known_by_its_id() {
        let created = r#"{"id":"no","participant":{"id":"p"},"token":"t"}"#;
        assert_eq!(Shape::ParticipantAndToken.id_of(created).as_deref(), Some("p"));
        assert_eq!(Shape::Identified.id_of(r#"{"id":"s"}"#).as_deref(), Some("s"));
        assert_eq!(Shape::Object.id_of(r#"{"id":"s"}"#), None);
    }

    #[test]
    fn session_of_a_participant_is_read_or_unknown() {
        for (participant, expected) in [
            (r#"{"sessions":["a","s"]}"#, Some(true)),
            (r#"{"sessions":["a"]}"#, Some(false)),
            (r#"{"sessions":[]}"#, Some(false)),
            (r#"{"sessions":null}"#, None),
            ("{}", None),
            ("x", None),
        ] {
            assert_eq!(is_in_session(participant, "s"), expected, "{participant}");
        }
    }
}
