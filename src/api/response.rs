//! The checks of a successful response. The response is checked in place and returned as the service
//! sent it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{Kind, array, string, without_mark};

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

impl ResponseBody {
    /// Checks the body of a 2xx response and returns the document for the caller.
    ///
    /// # Errors
    /// What is missing. The message quotes nothing, because the response may contain a token.
    pub fn check(self, body: Vec<u8>) -> Result<String, String> {
        let mut text =
            String::from_utf8(body).map_err(|_| "the response is not UTF-8".to_owned())?;
        let mark = text.len() - without_mark(&text).len();
        text.drain(..mark);
        let default = match self {
            ResponseBody::Array => Some("[]"),
            ResponseBody::Subscriptions => Some("{}"),
            ResponseBody::Empty => Some("null"),
            _ => None,
        };
        if let (Some(default), "" | "null") = (default, text.trim()) {
            return Ok(default.to_owned());
        }
        match self {
            ResponseBody::CreatedParticipant => {
                if is_usual_participant(&text) {
                    return Ok(text);
                }
                let CreatedParticipant { participant, token } = object(&text)?;
                let participant = participant.filter(|value| Kind::of(value) == Kind::Object);
                let participant = participant.ok_or("the response has no participant")?;
                if object::<Resource>(participant.get())?.id().is_none() {
                    return Err("the response has no participant.id".to_owned());
                }
                token.and_then(non_empty).ok_or("the response has no token")?;
            }
            ResponseBody::CreatedSession => {
                object::<Resource>(&text)?.id().ok_or("the response has no id")?;
            }
            ResponseBody::CreatedEndpoint => {
                let data = data(&text, Kind::Object)?;
                let Endpoint { endpoint_id, token } = object(data)?;
                endpoint_id.and_then(non_empty).ok_or("the response has no data.endpointId")?;
                token.and_then(non_empty).ok_or("the response has no data.token")?;
            }
            ResponseBody::Endpoint => drop(data(&text, Kind::Object)?),
            ResponseBody::EndpointPage => drop(data(&text, Kind::Array)?),
            ResponseBody::Array => check_kind(&text, Kind::Array)?,
            ResponseBody::Object | ResponseBody::Subscriptions => check_kind(&text, Kind::Object)?,
            // Other text is not from the service, but from a proxy or a login page.
            ResponseBody::Empty => {
                return match serde_json::from_str::<&RawValue>(&text) {
                    Ok(_) => Ok("null".to_owned()),
                    Err(_) => Err("the response is neither empty nor JSON".to_owned()),
                };
            }
        }
        Ok(text)
    }

    /// Whether the response contains a token, which the service returns only once.
    pub fn has_token(self) -> bool {
        matches!(self, ResponseBody::CreatedParticipant | ResponseBody::CreatedEndpoint)
    }

    /// The id of the resource that the operation created, in a response that was checked.
    pub fn created_id(self, response: &str) -> Option<String> {
        match self {
            ResponseBody::CreatedParticipant => {
                let participant = object::<CreatedParticipant>(response).ok()?.participant?;
                object::<Resource>(participant.get()).ok()?.id().map(Cow::into_owned)
            }
            ResponseBody::CreatedSession => {
                object::<Resource>(response).ok()?.id().map(Cow::into_owned)
            }
            ResponseBody::CreatedEndpoint => {
                let data = data(response, Kind::Object).ok()?;
                let id = object::<Endpoint>(data).ok()?.endpoint_id?;
                non_empty(id).map(Cow::into_owned)
            }
            _ => None,
        }
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
            assert_eq!(expected.check(body.into()).as_deref(), Ok(document), "{expected:?} {body}");
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
        assert_eq!(ResponseBody::CreatedParticipant.created_id(created).as_deref(), Some("p"));
        assert_eq!(ResponseBody::CreatedSession.created_id(r#"{"id":"s"}"#).as_deref(), Some("s"));
        assert_eq!(ResponseBody::Object.created_id(r#"{"id":"s"}"#), None);
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
            assert_eq!(expected.check(body.into()).as_deref(), Ok(body));
        }
        assert_eq!(CreatedEndpoint.created_id(created).as_deref(), Some("e-1"));
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
            let message = expected.check(body.into()).unwrap_err();
            assert!(message.contains(problem), "{problem}\nis not in\n{message}");
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
            assert_eq!(expected.created_id(body).as_deref(), Some("p"), "{body}");
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
