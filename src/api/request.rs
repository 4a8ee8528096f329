//! The requests: the fields of each document, and how a request document becomes the body or the
//! query to send.

use std::fmt::Display;

use serde::Deserialize;

use super::path::encode;
use super::xml;
use crate::error::NO_MEMORY;
use crate::json::document::{Field, Rule, read};
use crate::json::without_mark;

/// The longest tag of a participant or session, in characters.
const MAX_TAG: usize = 50;
/// The longest tag of an endpoint, in characters.
const MAX_ENDPOINT_TAG: usize = 1024;
/// The longest value in a query, in bytes as it is encoded. Longer ones do not fit into a URL.
const MAX_QUERY_VALUE: usize = 8 * 1024;

/// The request document of an operation.
#[derive(Clone, Copy)]
pub enum RequestDocument {
    /// None.
    None,
    /// A JSON object with these fields, which is the body. No document means `{}`.
    Json(&'static [Field]),
    /// A JSON object with these fields, which become the query. No document means `{}`.
    Query(&'static [Field]),
    /// A BXML document, which is the body.
    Bxml,
    /// A Subscriptions document. No document, `null` and `{}` mean no subscriptions, for which no
    /// body is sent.
    Subscriptions,
}

/// The body of createParticipant.
pub const CREATE_PARTICIPANT: RequestDocument = RequestDocument::Json(&[
    Field::optional("callbackUrl", Rule::Url),
    Field::optional("publishPermissions", Rule::Set(&Rule::OneOf(&["AUDIO", "VIDEO"]))),
    Field::optional("tag", Rule::ShortText(MAX_TAG)),
    Field::optional("deviceApiVersion", Rule::OneOfAnyCase(&["V3", "V2"])),
]);

/// The body of createSession.
pub const CREATE_SESSION: RequestDocument =
    RequestDocument::Json(&[Field::optional("tag", Rule::ShortText(MAX_TAG))]);

/// The body of createEndpoint.
pub const CREATE_ENDPOINT: RequestDocument = RequestDocument::Json(&[
    Field::required("type", Rule::OneOf(&["WEBRTC"])),
    Field::required("direction", Rule::OneOf(&["INBOUND", "OUTBOUND", "BIDIRECTIONAL"])),
    Field::optional("eventCallbackUrl", Rule::Url),
    Field::optional("eventFallbackUrl", Rule::Url),
    Field::optional("tag", Rule::ShortText(MAX_ENDPOINT_TAG)),
    Field::optional("connectionMetadata", Rule::Object),
]);

/// The query of listEndpoints.
pub const LIST_ENDPOINTS: RequestDocument = RequestDocument::Query(&[
    Field::optional("type", Rule::OneOf(&["WEBRTC"])),
    Field::optional("status", Rule::OneOf(&["CONNECTED", "DISCONNECTED"])),
    Field::optional("afterCursor", Rule::Name(MAX_QUERY_VALUE)),
    Field::optional("limit", Rule::Integer(1, 1000)),
]);

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

impl RequestDocument {
    /// The name of the document as an argument of a function.
    pub fn name(self) -> &'static str {
        match self {
            RequestDocument::None | RequestDocument::Json(_) => "request",
            RequestDocument::Query(_) => "query",
            RequestDocument::Bxml => "bxml",
            RequestDocument::Subscriptions => "subscriptions",
        }
    }

    /// The name of the document in a call document.
    pub fn key(self) -> Option<&'static str> {
        match self {
            RequestDocument::None => None,
            RequestDocument::Json(_) | RequestDocument::Subscriptions => Some("body"),
            RequestDocument::Query(_) => Some("query"),
            RequestDocument::Bxml => Some("bxml"),
        }
    }

    /// Whether the document becomes the query instead of the body.
    pub fn is_query(self) -> bool {
        matches!(self, RequestDocument::Query(_))
    }

    /// The media type of the body.
    pub fn content_type(self) -> &'static str {
        match self {
            RequestDocument::Bxml => "application/xml",
            _ => "application/json",
        }
    }

    /// Checks a request document and returns the body or the query to send, if there is one. `path`
    /// is the name of the document in messages.
    ///
    /// # Errors
    /// All problems, each with its path.
    pub fn check(
        self,
        path: &dyn Display,
        request: Option<&str>,
    ) -> Result<Option<String>, String> {
        match self {
            RequestDocument::None => Ok(None),
            RequestDocument::Json(fields) => {
                read(path, request.unwrap_or("{}"), fields)?.to_json().map(Some)
            }
            RequestDocument::Query(fields) => query(path, request.unwrap_or("{}"), fields),
            RequestDocument::Bxml => bxml(path, request).map(Some),
            RequestDocument::Subscriptions => subscriptions(path, request),
        }
    }
}

fn query(
    path: &dyn Display,
    request: &str,
    fields: &'static [Field],
) -> Result<Option<String>, String> {
    let fields = read(path, request, fields)?;
    let mut pairs = Vec::new();
    for (Field { name, .. }, value) in &fields.0 {
        let value = encode(value.to_text());
        if value.len() > MAX_QUERY_VALUE {
            return Err(format!(
                "{path}.{name}: has {} bytes as it is encoded in the URL; at most \
                 {MAX_QUERY_VALUE} are allowed",
                value.len()
            ));
        }
        pairs.push(format!("{name}={value}"));
    }
    Ok((!pairs.is_empty()).then(|| pairs.join("&")))
}

fn bxml(path: &dyn Display, request: Option<&str>) -> Result<String, String> {
    let text = request.ok_or_else(|| format!("{path}: is missing"))?;
    let text = without_mark(text);
    xml::check(text).map_err(|problem| format!("{path}: {problem}"))?;
    let mut body = String::new();
    body.try_reserve_exact(text.len()).map_err(|_| NO_MEMORY)?;
    body.push_str(text);
    Ok(body)
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
        RequestDocument::Subscriptions.check(&"subscriptions", Some(request))
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
        assert_eq!(RequestDocument::Subscriptions.check(&"subscriptions", None), Ok(None));
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

    #[test]
    fn endpoint_is_checked() {
        let check = |request: &str| CREATE_ENDPOINT.check(&"request", Some(request));
        let tag = |count| {
            let tag = "é".repeat(count);
            format!(r#"{{"type":"WEBRTC","direction":"INBOUND","tag":"{tag}"}}"#)
        };
        for request in [
            r#"{"type":"WEBRTC","direction":"OUTBOUND"}"#,
            r#"{"direction":"BIDIRECTIONAL","type":"WEBRTC","eventCallbackUrl":"https://h/x","eventFallbackUrl":"http://h","connectionMetadata":{"a":[null]}}"#,
            &tag(1024),
        ] {
            assert_eq!(check(request), Ok(Some(request.to_owned())));
        }
        for (request, problem) in [
            ("{}", "request.type: is missing; request.direction: is missing"),
            (
                r#"{"type":"SIP","direction":"OUTBOUND"}"#,
                r#"request.type: "SIP" is not one of WEBRTC"#,
            ),
            (
                r#"{"type":"WEBRTC","direction":"IN"}"#,
                "is not one of INBOUND, OUTBOUND, BIDIRECTIONAL",
            ),
            (
                r#"{"type":"WEBRTC","direction":"INBOUND","eventCallbackUrl":"/x","eventFallbackUrl":1,"connectionMetadata":[]}"#,
                "is not an absolute URL; it must begin with http:// or https:// and name a host; \
                 request.eventFallbackUrl: must be a string, not a number; \
                 request.connectionMetadata: must be an object, not an array",
            ),
            (&tag(1025), "request.tag: has 1025 characters; at most 1024"),
            (
                r#"{"type":"WEBRTC","direction":"INBOUND","callbackUrl":"x"}"#,
                "request.callbackUrl: is not known",
            ),
        ] {
            let message = check(request).unwrap_err();
            assert!(message.contains(problem), "{problem}\nis not in\n{message}");
        }
    }

    #[test]
    fn query_is_encoded() {
        let check = |request: Option<&str>| LIST_ENDPOINTS.check(&"query", request);
        assert_eq!(check(None), Ok(None));
        assert_eq!(check(Some(r#"{"limit":null}"#)), Ok(None));
        assert_eq!(
            check(Some(
                r#"{"type":"WEBRTC","limit":1000,"afterCursor":"a+/=&\u0000é","status":"CONNECTED"}"#
            )),
            Err("query.afterCursor: must not contain U+0000".to_owned())
        );
        assert_eq!(
            check(Some(
                r#"{"type":"WEBRTC","limit":1000,"afterCursor":"a+/=& \n#é","status":"CONNECTED"}"#
            )),
            Ok(Some(
                "type=WEBRTC&limit=1000&afterCursor=a%2B%2F%3D%26%20%0A%23%C3%A9&status=CONNECTED"
                    .to_owned()
            ))
        );
        for (request, problem) in [
            (r#"{"limit":0}"#, "query.limit: must be a whole number from 1 to 1000"),
            (r#"{"limit":1001}"#, "query.limit: must be a whole number from 1 to 1000"),
            (
                r#"{"limit":"5"}"#,
                "query.limit: must be a whole number from 1 to 1000, not a string",
            ),
            (r#"{"afterCursor":""}"#, "query.afterCursor: is empty"),
            (r#"{"cursor":"x"}"#, "query.cursor: is not known"),
            (
                &format!(r#"{{"afterCursor":"{}"}}"#, "x".repeat(8193)),
                "query.afterCursor: has 8193 characters; at most 8192 are allowed",
            ),
            (
                &format!(r#"{{"afterCursor":"{}"}}"#, "中".repeat(8192)),
                "query.afterCursor: has 73728 bytes as it is encoded in the URL; at most 8192 are",
            ),
            (
                &format!(r#"{{"afterCursor":"{}x="}}"#, "x".repeat(8189)),
                "query.afterCursor: has 8193 bytes as it is encoded",
            ),
        ] {
            let message = check(Some(request)).unwrap_err();
            assert!(message.starts_with(problem), "{problem}\nis not in\n{message}");
        }
    }

    #[test]
    fn longest_cursor_is_sent() {
        let cursor = "x".repeat(8189);
        let query =
            LIST_ENDPOINTS.check(&"query", Some(&format!(r#"{{"afterCursor":"{cursor}="}}"#)));
        assert_eq!(query, Ok(Some(format!("afterCursor={cursor}%3D"))));
    }

    #[test]
    fn bxml_is_sent_unchanged() {
        let check = |request: Option<&str>| RequestDocument::Bxml.check(&"bxml", request);
        let bxml = "<Response>\n <StartRecording /></Response>";
        assert_eq!(check(Some(bxml)), Ok(Some(bxml.to_owned())));
        assert_eq!(check(Some(&format!("\u{feff}{bxml}"))), Ok(Some(bxml.to_owned())));
        assert_eq!(check(None), Err("bxml: is missing".to_owned()));
        assert!(check(Some("<Response>")).unwrap_err().starts_with("bxml: is not well-formed XML"));
    }
}
