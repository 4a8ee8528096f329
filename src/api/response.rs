//! The checks of a successful response. The response is checked in place and returned as the service
//! sent it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{Kind, Text, array, string, without_mark};

/// What the response of an operation must contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// `{"participant": {"id": ..}, "token": ..}`
    CreatedParticipant,
    /// `{"id": ..}`
    CreatedSession,
    /// An object. Fields may be missing.
    Object,
    /// An array. An empty response means an empty array.
    Array,
    /// An object. An empty response means an empty object.
    Subscriptions,
    /// `{"data": {"endpointId": .., "token": .., ..}, ..}`
    CreatedEndpoint,
    /// `{"data": {..}, ..}`
    Endpoint,
    /// `{"data": [..], ..}`
    EndpointPage,
    /// Nothing. Any JSON is accepted.
    Empty,
}

#[derive(serde::Deserialize)]
struct CreatedParticipant<'a> {
    #[serde(borrow)]
    participant: Option<&'a RawValue>,
    #[serde(borrow)]
    token: Option<&'a RawValue>,
}

/// [`CreatedParticipant`] with the usual types, which is read in one pass.
#[derive(serde::Deserialize)]
struct UsualParticipant<'a> {
    #[serde(borrow)]
    participant: Object<Resource<'a>>,
    #[serde(borrow)]
    token: Option<&'a RawValue>,
}

#[derive(serde::Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint<'a> {
    #[serde(borrow)]
    endpoint_id: Option<&'a RawValue>,
    #[serde(borrow)]
    token: Option<&'a RawValue>,
}

/// A participant or a session.
#[derive(serde::Deserialize)]
struct Resource<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    sessions: Option<&'a RawValue>,
}

/// A 2xx response without what it must contain.
#[derive(Debug)]
pub struct UnusableBody {
    /// What is missing. It quotes nothing, because the response may contain a token.
    pub problem: String,
    /// The body.
    pub body: Vec<u8>,
}

impl ResponseBody {
    /// Checks the body of a 2xx response and returns the document for the caller.
    ///
    /// # Errors
    /// The problem, and the body.
    pub fn check(self, body: Vec<u8>) -> Result<String, UnusableBody> {
        let unusable = |problem, body| Err(UnusableBody { problem, body });
        let mut text = match String::from_utf8(body) {
            Ok(text) => text,
            Err(error) => {
                return unusable("the response is not UTF-8".to_owned(), error.into_bytes());
            }
        };
        let mark = text.len() - without_mark(&text).len();
        text.drain(..mark);
        match self.check_text(&text) {
            Ok(None) => Ok(text),
            Ok(Some(document)) => Ok(document.to_owned()),
            Err(problem) => unusable(problem, text.into_bytes()),
        }
    }

    /// Checks a response, and returns the document for the caller if it is another one.
    fn check_text(self, text: &str) -> Result<Option<&'static str>, String> {
        let default = match self {
            ResponseBody::Array => Some("[]"),
            ResponseBody::Subscriptions => Some("{}"),
            ResponseBody::Empty => Some("null"),
            _ => None,
        };
        if let (Some(default), "" | "null") = (default, text.trim()) {
            return Ok(Some(default));
        }
        match self {
            ResponseBody::CreatedParticipant => {
                if is_usual_participant(text) {
                    return Ok(None);
                }
                let CreatedParticipant { participant, token } = object(text)?;
                let participant = participant.filter(|value| Kind::of(value) == Kind::Object);
                let participant = participant.ok_or("the response has no participant")?;
                if object::<Resource>(participant.get())?.id().is_none() {
                    return Err("the response has no participant.id".to_owned());
                }
                token.and_then(non_empty).ok_or("the response has no token")?;
            }
            ResponseBody::CreatedSession => {
                object::<Resource>(text)?.id().ok_or("the response has no id")?;
            }
            ResponseBody::CreatedEndpoint => {
                let data = data(text, Kind::Object)?;
                let Endpoint { endpoint_id, token } = object(data)?;
                endpoint_id.and_then(non_empty).ok_or("the response has no data.endpointId")?;
                token.and_then(non_empty).ok_or("the response has no data.token")?;
            }
            ResponseBody::Endpoint => drop(data(text, Kind::Object)?),
            ResponseBody::EndpointPage => drop(data(text, Kind::Array)?),
            ResponseBody::Array => check_kind(text, Kind::Array)?,
            ResponseBody::Object | ResponseBody::Subscriptions => check_kind(text, Kind::Object)?,
            // Other text is not from the service, but from a proxy or a login page.
            ResponseBody::Empty => {
                return match serde_json::from_str::<&RawValue>(text) {
                    Ok(_) => Ok(Some("null")),
                    Err(_) => Err("the response is neither empty nor JSON".to_owned()),
                };
            }
        }
        Ok(None)
    }

    /// Whether the response contains a token, which the service returns only once.
    pub fn has_token(self) -> bool {
        matches!(self, ResponseBody::CreatedParticipant | ResponseBody::CreatedEndpoint)
    }

    /// The id of the resource that the operation created. Anything else in the response may be invalid
    /// or cut off.
    pub fn created_id(self, response: &[u8]) -> Option<String> {
        let keys: &[&str] = match self {
            ResponseBody::CreatedParticipant => &["participant", "id"],
            ResponseBody::CreatedSession => &["id"],
            ResponseBody::CreatedEndpoint => &["data", "endpointId"],
            _ => return None,
        };
        let response = String::from_utf8_lossy(response);
        let mut id = None;
        let mut deserializer = serde_json::Deserializer::from_str(without_mark(&response));
        // What precedes an error is used.
        let _ = Member { keys, id: &mut id }.deserialize(&mut deserializer);
        id.filter(|id| !id.is_empty())
    }
}

/// Reads the string at a path of keys as soon as it is found, so that a later error does not matter.
struct Member<'a> {
    keys: &'a [&'a str],
    id: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !self.keys.is_empty() {
            return deserializer.deserialize_map(self);
        }
        let Text(id) = Text::deserialize(deserializer)?;
        *self.id = Some(id.into_owned());
        Ok(())
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = members.next_key()? {
            match self.keys.split_first() {
                Some((first, keys)) if key == *first => {
                    members.next_value_seed(Member { keys, id: self.id })?;
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl Resource<'_> {
    fn id(&self) -> Option<Cow<'_, str>> {
        self.id.and_then(non_empty)
    }
}

/// The data of an envelope, which must be of this type.
fn data(text: &str, kind: Kind) -> Result<&str, String> {
    let data = object::<Envelope>(text)?.data.ok_or("the response has no data")?;
    match Kind::of(data) {
        found if found == kind => Ok(data.get()),
        found => Err(format!("the response's data is {}, not {}", found.article(), kind.article())),
    }
}

/// Whether a Participant document lists this session; None if it lists no sessions.
pub fn is_in_session(participant: &str, session: &str) -> Option<bool> {
    let sessions = array(object::<Resource>(participant).ok()?.sessions?).ok()?;
    Some(sessions.0.iter().any(|id| string(id).is_ok_and(|id| id == session)))
}

/// A value that must be an object: serde also accepts an array for a struct.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Reads the members of an object. A repeated member is an error.
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    let object = serde_json::from_str::<Object<T>>(text);
    object.map(|object| object.0).map_err(|_| "the response is not a JSON object".to_owned())
}

/// Whether a response contains all that a created participant has. If not, a slower check finds what
/// is missing.
fn is_usual_participant(text: &str) -> bool {
    serde_json::from_str::<Object<UsualParticipant>>(text).is_ok_and(|Object(created)| {
        created.participant.0.id().is_some() && created.token.and_then(non_empty).is_some()
    })
}

/// The string in a value, if it is one and not empty.
fn non_empty(value: &RawValue) -> Option<Cow<'_, str>> {
    string(value).ok().filter(|text| !text.is_empty())
}

fn check_kind(text: &str, kind: Kind) -> Result<(), String> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) if Kind::of(value) == kind => Ok(()),
        Ok(value) => {
            Err(format!("the response is {}, not {}", Kind::of(value).article(), kind.article()))
        }
        Err(_) => Err("the response is not JSON".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_response_is_returned_unchanged() {
        let text = r#" {"participant":{"id":"p","new":[1]},"token":"t","more":null} "#;
        let response = ResponseBody::CreatedParticipant.check(text.into()).unwrap();
        assert_eq!(response, text);
    }

    #[test]
    fn created_resource_needs_id_and_token() {
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
            r#"{"participant":{"id":["p"]},"token":"t"}"#,
            r#"{"participant":{"id":"\ud800"},"token":"t"}"#,
            r#"{"participant":[[1],2],"token":"t"}"#,
            r#"{"participant":"p","token":"t"}"#,
            r#"{"participant":{"id":"p"},"token":""}"#,
            r#"{"participant":{"id":"p"},"token":{"t":1}}"#,
            r#"{"participant":{"id":"p"},"participant":-1.5,"token":"t"}"#,
            r#"[{"id":"p"},"t"]"#,
            r#"{"token":"t""#,
        ] {
            assert!(ResponseBody::CreatedParticipant.check(body.into()).is_err(), "{body}");
        }
        assert!(ResponseBody::CreatedParticipant.check(vec![b'{', 0xff]).is_err());
        assert!(ResponseBody::CreatedSession.check(b"{}".to_vec()).is_err());
    }

    #[test]
    fn empty_responses_have_a_default() {
        for (expected, body, document) in [
            (ResponseBody::Empty, "", "null"),
            (ResponseBody::Empty, " \r\n", "null"),
            (ResponseBody::Empty, "{\"status\":\"ok\"}", "null"),
            (ResponseBody::Empty, "\u{feff}", "null"),
            (ResponseBody::Array, "\u{feff}[{}]", "[{}]"),
            (ResponseBody::Object, "\u{feff}{}", "{}"),
            (ResponseBody::Array, "", "[]"),
            (ResponseBody::Array, "null", "[]"),
            (ResponseBody::Array, "[{}]", "[{}]"),
            (ResponseBody::Subscriptions, "", "{}"),
            (ResponseBody::Subscriptions, "null\n", "{}"),
            (
                ResponseBody::Object,
                r#"{"id":null,"participant_ids":[]}"#,
                r#"{"id":null,"participant_ids":[]}"#,
            ),
        ] {
            let checked = expected.check(body.into()).ok();
            assert_eq!(checked.as_deref(), Some(document), "{expected:?} {body}");
        }
        for (expected, body) in [
            (ResponseBody::Array, "{}"),
            (ResponseBody::Object, ""),
            (ResponseBody::Object, "null"),
            (ResponseBody::Subscriptions, "[]"),
            (ResponseBody::Object, "{"),
            (ResponseBody::Empty, "<html><body>Please log in</body></html>"),
            (ResponseBody::Empty, "whatever"),
            (ResponseBody::Empty, "{} x"),
        ] {
            assert!(expected.check(body.into()).is_err(), "{expected:?} {body}");
        }
    }

    #[test]
    fn id_of_a_created_resource_is_read() {
        let created = r#"{"id":"no","participant":{"id":"p"},"token":"t"}"#;
        assert_eq!(ResponseBody::CreatedParticipant.created_id(created.as_bytes()).as_deref(), Some("p"));
        assert_eq!(ResponseBody::CreatedSession.created_id(br#"{"id":"s"}"#).as_deref(), Some("s"));
        assert_eq!(ResponseBody::Object.created_id(br#"{"id":"s"}"#), None);
    }

    #[test]
    fn id_is_read_although_the_rest_of_the_response_is_invalid() {
        use ResponseBody::{CreatedEndpoint, CreatedParticipant, CreatedSession};
        for (expected, body, id) in [
            (CreatedEndpoint, r#"{"data":{"endpointId":"x"}}"#, Some("x")),
            (CreatedEndpoint, r#"{"data":{"endpointId":"x","token":7}}"#, Some("x")),
            (CreatedEndpoint, r#"{"data":{"endpointId":"x","token":"\u0000"}}"#, Some("x")),
            (CreatedEndpoint, r#"{"data":{"token":"\ud800","endpointId":"\u0078"}}"#, Some("x")),
            (CreatedEndpoint, r#"{"links":[{}],"data":{"endpointId":"x","tok"#, Some("x")),
            (CreatedEndpoint, r#"{"data":{"endpointId":"x","endpointId":"x","token":"t"}}"#, Some("x")),
            (CreatedEndpoint, "\u{feff}{\"data\":{\"endpointId\":\"x\"\u{0}", Some("x")),
            (CreatedEndpoint, r#"{"endpointId":"x","data":{"y":{"endpointId":"x"}}}"#, None),
            (CreatedEndpoint, r#"{"data":{"endpointId":""}}"#, None),
            (CreatedEndpoint, r#"{"data":{"endpointId":"x"#, None),
            (CreatedEndpoint, r#"{"data":[{"endpointId":"x"}]}"#, None),
            (CreatedParticipant, r#"{"participant":{"id":"x"}}"#, Some("x")),
            (CreatedParticipant, r#"{"token":"","participant":{"id":"x"}} x"#, Some("x")),
            (CreatedParticipant, r#"{"id":"x","participant":{}}"#, None),
            (CreatedSession, r#"{"id":"x""#, Some("x")),
            (CreatedSession, r#"{"id":{"id":"x"}}"#, None),
            (CreatedSession, "<html>", None),
        ] {
            assert_eq!(expected.created_id(body.as_bytes()).as_deref(), id, "{body}");
        }
        let not_utf8 = b"{\"data\":{\"endpointId\":\"x\",\"token\":\"\xff\"}}".to_vec();
        let unusable = CreatedEndpoint.check(not_utf8).unwrap_err();
        assert_eq!(CreatedEndpoint.created_id(&unusable.body).as_deref(), Some("x"));
        let deep = format!(r#"{{"x":{},"id":"x""#, "[".repeat(100_000) + &"]".repeat(100_000));
        assert_eq!(CreatedSession.created_id(deep.as_bytes()).as_deref(), Some("x"));
    }

    #[test]
    fn session_of_a_participant_is_read() {
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

    #[test]
    fn envelopes_are_checked() {
        use ResponseBody::{CreatedEndpoint, Endpoint, EndpointPage};
        let created =
            r#"{"links":[],"data":{"endpointId":"e-1","token":"t","new":[]},"errors":[]}"#;
        for (expected, body) in [
            (CreatedEndpoint, created),
            (Endpoint, r#"{"data":{},"links":7}"#),
            (EndpointPage, r#"{"links":[],"data":[],"errors":[],"page":{"pageSize":1}}"#),
            (EndpointPage, r#"{"data":[1,null]}"#),
        ] {
            assert_eq!(expected.check(body.into()).ok().as_deref(), Some(body));
        }
        assert_eq!(CreatedEndpoint.created_id(created.as_bytes()).as_deref(), Some("e-1"));
        for (expected, body, problem) in [
            (CreatedEndpoint, "", "is not a JSON object"),
            (CreatedEndpoint, "[]", "is not a JSON object"),
            (CreatedEndpoint, "{}", "has no data"),
            (CreatedEndpoint, r#"{"data":null}"#, "has no data"),
            (CreatedEndpoint, r#"{"data":[{"endpointId":"e","token":"t"}]}"#, "data is an array"),
            (CreatedEndpoint, r#"{"data":{"token":"t"}}"#, "has no data.endpointId"),
            (
                CreatedEndpoint,
                r#"{"data":{"endpointId":"","token":"t"}}"#,
                "has no data.endpointId",
            ),
            (CreatedEndpoint, r#"{"data":{"endpointId":"e"}}"#, "has no data.token"),
            (CreatedEndpoint, r#"{"data":{"endpointId":"e","token":1}}"#, "has no data.token"),
            (Endpoint, r#"{"data":[]}"#, "data is an array, not an object"),
            (Endpoint, "null", "is not a JSON object"),
            (EndpointPage, r#"{"data":{}}"#, "data is an object, not an array"),
            (EndpointPage, r#"{"data":null}"#, "has no data"),
            (EndpointPage, "<html>", "is not a JSON object"),
        ] {
            let unusable = expected.check(body.into()).unwrap_err();
            assert!(unusable.problem.contains(problem), "{problem}\nis not in\n{unusable:?}");
            assert_eq!(unusable.body, body.as_bytes());
        }
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = open.repeat(200_000) + "1" + &close.repeat(200_000);
            let text =
                format!(r#"{{"links":{deep},"data":{{"endpointId":"e","x":{deep},"token":"t"}}}}"#);
            assert!(CreatedEndpoint.check(text.into()).is_ok());
        }
    }

    #[test]
    fn id_and_token_are_found_among_other_members() {
        for body in [
            r#"{"token":"t","participant":{"x":{"id":1},"id":"p"},"more":[{}]}"#,
            r#"{"participant":{"id":"\u0070"},"token":"\n"}"#,
            r#"{"p\u0061rticipant":{"\u0069d":"p"},"token":"t"}"#,
        ] {
            let expected = ResponseBody::CreatedParticipant;
            assert!(expected.check(body.into()).is_ok(), "{body}");
            assert_eq!(expected.created_id(body.as_bytes()).as_deref(), Some("p"), "{body}");
        }
    }

    #[test]
    fn deep_nesting_is_read_without_recursion() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = open.repeat(200_000) + "1" + &close.repeat(200_000);
            let text =
                format!(r#"{{"x":{deep},"participant":{{"id":"p","y":{deep}}},"token":"t"}}"#);
            assert!(ResponseBody::CreatedParticipant.check(text.into()).is_ok());
        }
    }
}
