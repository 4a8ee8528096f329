//! What must be in an answer, found in one pass over its text with nothing built.
//!
//! As for JSON readers in general, the last of several members of one name counts.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::Text;

/// Whether a value is a text, and not an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsText(pub bool);

/// Whether a value is an object with an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It is no object.
    No,
    /// It is one without an id.
    Nameless,
    /// It is one.
    Yes,
}

/// `{"participant": {"id": ..}, "token": ..}`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// The participant.
    pub participant: Named,
    /// Its token.
    pub token: IsText,
}

/// Takes any value: what becomes of a text, what of an object, and what of all else.
struct Any<T> {
    other: T,
    text: fn(&str) -> T,
    /// Told of every member; takes its value.
    is_named: bool,
}

impl<'de, T: Copy + From<Named>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok((self.text)(text))
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(self.other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(self.other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(self.other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(self.other)
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(self.other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<T, A::Error> {
        let mut named = Named::Nameless;
        while let Some(Text(name)) = members.next_key::<Text<'de>>()? {
            if self.is_named && name == "id" {
                let IsText(is_text) = members.next_value()?;
                named = if is_text { Named::Yes } else { Named::Nameless };
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(if self.is_named { T::from(named) } else { self.other })
    }
}

impl From<Named> for IsText {
    fn from(_: Named) -> IsText {
        IsText(false)
    }
}

impl<'de> Deserialize<'de> for IsText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<IsText, D::Error> {
        let text = |text: &str| IsText(!text.is_empty());
        deserializer.deserialize_any(Any { other: IsText(false), text, is_named: false })
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_any(Any { other: Named::No, text: |_| Named::No, is_named: true })
    }
}

impl<'de> Deserialize<'de> for Created {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Created, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Created;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Created, A::Error> {
                let mut created = Created { participant: Named::No, token: IsText(false) };
                while let Some(Text(name)) = members.next_key::<Text<'de>>()? {
                    match &*name {
                        "participant" => created.participant = members.next_value()?,
                        "token" => created.token = members.next_value()?,
                        _ => {
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(created)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_there_is_found_among_all_else() {
        let is = |text: &str| serde_json::from_str::<Created>(text).ok();
        let created = |participant, token| Some(Created { participant, token: IsText(token) });
        for (text, found) in [
            (
                r#"{"participant":{"id":"p","tag":null},"token":"t","more":[{}]}"#,
                created(Named::Yes, true),
            ),
            (
                r#"{"token":"t","participant":{"x":{"id":"no"},"id":"p"}}"#,
                created(Named::Yes, true),
            ),
            (r#"{"participant":{"id":"\u0070"},"token":"\n"}"#, created(Named::Yes, true)),
            (r#"{"participant":{"id":""},"token":""}"#, created(Named::Nameless, false)),
            (r#"{"participant":{"id":["p"]},"token":{"t":1}}"#, created(Named::Nameless, false)),
            (r#"{"participant":{},"token":7}"#, created(Named::Nameless, false)),
            (r#"{"participant":[[1],2],"token":true}"#, created(Named::No, false)),
            (r#"{"participant":"p","token":null}"#, created(Named::No, false)),
            (
                r#"{"participant":{"id":"p"},"participant":-1.5,"token":"t"}"#,
                created(Named::No, true),
            ),
            ("{}", created(Named::No, false)),
            ("[]", None),
            (r#"{"token":"t""#, None),
            (r#"{"token":"t"} x"#, None),
        ] {
            assert_eq!(is(text), found, "{text}");
        }
    }

    #[test]
    fn depth_does_no_harm() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = open.repeat(200_000) + "1" + &close.repeat(200_000);
            let text =
                format!(r#"{{"x":{deep},"participant":{{"id":"p","y":{deep}}},"token":"t"}}"#);
            let found = serde_json::from_str::<Created>(&text).unwrap();
            assert_eq!((found.participant, found.token), (Named::Yes, IsText(true)));
        }
    }
}
