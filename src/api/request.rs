//! The requests: the fields of each document, and how a request document becomes the body to send.

use std::fmt::Display;

use serde::Deserialize;

use crate::json::document::{Field, Rule, read};

/// The longest tag of a participant or session, in characters.
const MAX_TAG: usize = 50;

/// What an operation takes as its request.
#[derive(Clone, Copy)]
pub enum RequestBody {
    /// Nothing.
    None,
    /// A JSON object with these fields. No document means `{}`.
    Json(&'static [Field]),
    /// A Subscriptions document. No document, `null` and `{}` mean no subscriptions, for which no
    /// body is sent.
    Subscriptions,
}

/// The body of createParticipant.
pub const CREATE_PARTICIPANT: RequestBody = RequestBody::Json(&[
    Field::optional("callbackUrl", Rule::Url),
    Field::optional("publishPermissions", Rule::Set(&Rule::OneOf(&["AUDIO", "VIDEO"]))),
    Field::optional("tag", Rule::ShortText(MAX_TAG)),
    Field::optional("deviceApiVersion", Rule::OneOfAnyCase(&["V3", "V2"])),
]);

/// The body of createSession.
pub const CREATE_SESSION: RequestBody =
    RequestBody::Json(&[Field::optional("tag", Rule::ShortText(MAX_TAG))]);

const SUBSCRIPTIONS: &[Field] = &[
    Field::optional("sessionId", Rule::Id),
    Field::optional(
        "participants",
        Rule::Objects(&[
            Field::required("participantId", Rule::Id),
            Field::optional("streamAliases", Rule::Set(&Rule::Text)),
        ]),
    ),
];

impl RequestBody {
    /// The name of the document in messages, as the functions of the C ABI call it.
    pub fn name(self) -> &'static str {
        match self {
            RequestBody::None | RequestBody::Json(_) => "request",
            RequestBody::Subscriptions => "subscriptions",
        }
    }

    /// Checks a request document and returns the body to send, if there is one. `path` is the name of
    /// the document in messages.
    ///
    /// # Errors
    /// All problems, each with its path.
    pub fn check(
        self,
        path: &dyn Display,
        request: Option<&str>,
    ) -> Result<Option<String>, String> {
        match self {
            RequestBody::None => Ok(None),
            RequestBody::Json(fields) => {
                read(path, request.unwrap_or("{}"), fields)?.to_json().map(Some)
            }
            RequestBody::Subscriptions => subscriptions(path, request),
        }
    }
}

fn subscriptions(path: &dyn Display, request: Option<&str>) -> Result<Option<String>, String> {
    let request = match request.map(str::trim) {
        None | Some("null") => return Ok(None),
        Some(request) => request,
    };
    let fields = read(path, request, SUBSCRIPTIONS)?;
    let is_empty = fields.get("sessionId").is_none() && fields.is_empty_array("participants");
    (!is_empty).then(|| fields.to_json()).transpose()
}

/// The tag in a request that was checked.
pub fn tag_of(request: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Request {
        tag: Option<String>,
    }
    serde_json::from_str::<Request>(request).ok()?.tag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participant(request: &str) -> Result<String, String> {
        CREATE_PARTICIPANT.check(&"request", Some(request)).map(Option::unwrap)
    }

    fn session(request: Option<&str>) -> Result<String, String> {
        CREATE_SESSION.check(&"request", request).map(Option::unwrap)
    }

    fn subscriptions(request: &str) -> Result<Option<String>, String> {
        RequestBody::Subscriptions.check(&"subscriptions", Some(request))
    }

    #[test]
    fn valid_participant_is_sent_without_null() {
        for (request, body) in [
            ("{}", "{}"),
            (r#"{"tag":null,"callbackUrl":null}"#, "{}"),
            (
                r#" {"publishPermissions": ["VIDEO", "AUDIO"], "tag": "caf\u00e9 \"x\""} "#,
                r#"{"publishPermissions":["VIDEO", "AUDIO"],"tag":"caf\u00e9 \"x\""}"#,
            ),
            (r#"{"publishPermissions":[]}"#, r#"{"publishPermissions":[]}"#),
            (r#"{"deviceApiVersion":"v3"}"#, r#"{"deviceApiVersion":"v3"}"#),
            (
                r#"{"callbackUrl":"HTTPS://u:p@[::1]:8080/x?y#z"}"#,
                r#"{"callbackUrl":"HTTPS://u:p@[::1]:8080/x?y#z"}"#,
            ),
        ] {
            assert_eq!(participant(request).as_deref(), Ok(body), "{request}");
        }
        for longest in [
            format!(r#"{{"tag":"{}"}}"#, "é".repeat(50)),
            format!(r#"{{"callbackUrl":"http://{}"}}"#, "x".repeat(8192 - 7)),
        ] {
            assert_eq!(participant(&longest), Ok(longest.clone()));
        }
    }

    #[test]
    fn problems_of_a_participant_have_paths() {
        let message = participant(
            r#"{"publishPermissions":["AUDOI","AUDIO","AUDIO",7],"tags":"x","tag":5,
                "callbackUrl":"/hook","deviceApiVersion":"V9"}"#,
        )
        .unwrap_err();
        for part in [
            r#"request.publishPermissions[0]: "AUDOI" is not one of AUDIO, VIDEO"#,
            r#"request.publishPermissions[2]: "AUDIO" is given twice"#,
            "request.publishPermissions[3]: must be a string, not a number",
            "request.tags: is not known; did you mean tag?",
            "request.tag: must be a string, not a number",
            r#"request.callbackUrl: "/hook" is not an absolute URL"#,
            r#"request.deviceApiVersion: "V9" is not one of V3, V2"#,
        ] {
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    }

    #[test]
    fn credentials_of_a_callback_url_are_not_quoted() {
        for url in [
            "hookuser:s3cret@hooks.example.com/bw",
            "ftp://hookuser:s3cret@h/bw",
            "https:/hookuser:s3cret@h/bw",
            "/bw?key=s3cret",
            "eyJhbGciOiJub25lIn0.s3cret.s3cret",
        ] {
            let message = participant(&format!(r#"{{"callbackUrl":"{url}"}}"#)).unwrap_err();
            assert!(message.contains("is not an absolute URL"), "{message}");
            assert!(message.contains("[removed]") && !message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn invalid_participant_is_rejected() {
        let long = format!(r#"{{"tag":"{}"}}"#, "é".repeat(51));
        let far = format!(r#"{{"callbackUrl":"http://{}"}}"#, "x".repeat(8193 - 7));
        for (request, part) in [
            ("[]", "must be a JSON object, not an array"),
            ("null", "must be a JSON object, not null"),
            ("", "request: is empty"),
            (r#"{"tag":"a","tag":"b"}"#, "request.tag: is given twice"),
            (r#"{"tag":"a\u0000b"}"#, "request.tag: must not contain U+0000"),
            (r#"{"tag":"\ud800"}"#, "request.tag: has an escape that is not a Unicode"),
            (long.as_str(), "request.tag: has 51 characters; at most 50"),
            (far.as_str(), "request.callbackUrl: is longer than 8192 bytes"),
            (r#"{"publishPermissions":"AUDIO"}"#, "must be an array, not a string"),
            (r#"{"callbackUrl":"ftp://x/"}"#, "is not an absolute URL"),
            (r#"{"callbackUrl":"http://"}"#, "is not an absolute URL"),
            (r#"{"callbackUrl":"http://:80/"}"#, "is not an absolute URL"),
            (r#"{"callbackUrl":"http://a b/"}"#, "must not contain spaces"),
        ] {
            let message = participant(request).unwrap_err();
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    }

    #[test]
    fn session_has_only_a_tag() {
        assert_eq!(session(None).unwrap(), "{}");
        assert_eq!(session(Some("{\"tag\":null}")).unwrap(), "{}");
        let body = session(Some("{\"tag\":\"room 1\"}")).unwrap();
        assert_eq!(body, "{\"tag\":\"room 1\"}");
        let message = session(Some("{\"tag\":[],\"tagg\":1}")).unwrap_err();
        assert!(message.contains("request.tag: must be a string, not an array"), "{message}");
        assert!(message.contains("request.tagg: is not known; did you mean tag?"), "{message}");
    }

    #[test]
    fn empty_subscriptions_have_no_body() {
        assert_eq!(RequestBody::Subscriptions.check(&"subscriptions", None), Ok(None));
        for empty in ["null", " {} ", r#"{"participants":[]}"#, r#"{"sessionId":null}"#] {
            assert_eq!(subscriptions(empty), Ok(None), "{empty}");
        }
    }

    #[test]
    fn subscriptions_are_sent() {
        for document in [
            r#"{"sessionId":"s"}"#,
            r#"{"participants":[{"participantId":"p"}]}"#,
            r#"{"sessionId":"s","participants":[{"participantId":"p","streamAliases":["a","b"]}]}"#,
        ] {
            assert_eq!(subscriptions(document), Ok(Some(document.to_owned())));
        }
    }

    #[test]
    fn problems_of_subscriptions_have_paths() {
        for (document, part) in [
            ("[]", "subscriptions: must be a JSON object, not an array"),
            (r#"{"session":"s"}"#, "subscriptions.session: is not known; did you mean sessionId?"),
            (r#"{"sessionId":""}"#, "subscriptions.sessionId: is empty"),
            (r#"{"participants":{}}"#, "subscriptions.participants: must be an array"),
            (r#"{"participants":["p"]}"#, "subscriptions.participants[0]: must be a JSON object"),
            (r#"{"participants":[{}]}"#, "subscriptions.participants[0].participantId: is missing"),
            (
                r#"{"participants":[{"participantId":""}]}"#,
                "subscriptions.participants[0].participantId: is empty",
            ),
            (
                r#"{"participants":[{"participantId":"p","streamAliases":["a","a"]}]}"#,
                "subscriptions.participants[0].streamAliases[1]: \"a\" is given twice",
            ),
            (
                r#"{"participants":[{"participantId":"p","alias":1}]}"#,
                "subscriptions.participants[0].alias: is not known",
            ),
        ] {
            let message = subscriptions(document).unwrap_err();
            assert!(message.contains(part), "{part}\nis not in\n{message}");
            assert!(!message.contains("; :"), "{message}");
        }
    }

    #[test]
    fn null_aliases_are_not_sent() {
        let request = r#"{"participants":[{"participantId":"p","streamAliases":null}]}"#;
        let body = r#"{"participants":[{"participantId":"p"}]}"#;
        assert_eq!(subscriptions(request), Ok(Some(body.to_owned())));
    }

    #[test]
    fn tag_is_read() {
        assert_eq!(tag_of(r#"{"x":[],"tag":"\u0061"}"#).as_deref(), Some("a"));
        assert_eq!(tag_of("{}"), None);
    }
}
