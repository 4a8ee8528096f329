//! What an answer of the service must hold to be of use. It is checked in place, with nothing
//! copied, and handed on as the service's own text.

use serde_json::value::RawValue;

use crate::json::{Kind, Object, string};

/// What an operation's answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{"participant": {"id": ..}, "token": ..}`
    ParticipantAndToken,
}

impl Shape {
    /// Checks the body of a 2xx answer and gives the document to hand on.
    ///
    /// # Errors
    /// What is missing. Quotes nothing of the answer, which may hold a token.
    pub fn check(self, body: Vec<u8>) -> Result<String, String> {
        let text = String::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
        match self {
            Shape::ParticipantAndToken => participant_and_token(&text)?,
        }
        Ok(text)
    }
}

fn participant_and_token(text: &str) -> Result<(), String> {
    let answer = object(text).ok_or("the answer is not a JSON object")?;
    let participant = member(&answer, "participant")
        .and_then(|participant| object(participant.get()))
        .ok_or("the answer has no participant")?;
    if !is_text(member(&participant, "id")) {
        return Err("the answer has no participant.id".to_owned());
    }
    if !is_text(member(&answer, "token")) {
        return Err("the answer has no token".to_owned());
    }
    Ok(())
}

fn object(text: &str) -> Option<Object<'_>> {
    serde_json::from_str(text).ok()
}

/// The last member of this name, as JSON readers have it.
fn member<'a>(object: &Object<'a>, name: &str) -> Option<&'a RawValue> {
    object.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
}

fn is_text(value: Option<&RawValue>) -> bool {
    value
        .filter(|value| Kind::of(value) == Kind::String)
        .is_some_and(|value| string(value).is_ok_and(|text| !text.is_empty()))
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
    }
}
