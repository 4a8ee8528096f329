//! The BXML that connects a phone call to a session or to an endpoint.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::json::document::{Field, Problems, Rule, read_into};
use crate::json::{Array, DuplicateFinder, array, not_json, quote, string};

/// The default transfer target.
const BRIDGE: &str = "sip:sipx.webrtc.bandwidth.com:5060";
/// The documented limit of `uui`, in characters.
const UUI_LIMIT: usize = 256;
/// The longest token and SIP URI, in bytes.
const MAX_TEXT: usize = 16 * 1024;
/// The longest endpoint id, in bytes.
const MAX_ID: usize = 256;
/// The longest JSON document, in bytes.
const MAX_DOCUMENT: usize = 64 * 1024;
/// The lengths of the parts of a call id after `c-`.
const CALL_ID_PARTS: [usize; 6] = [8, 8, 4, 4, 4, 12];

/// Returns `{"bxml": .., "uuiLength": .., "warnings": [..]}`. The values in the BXML are escaped.
///
/// # Errors
/// `InvalidArgument`, with the argument that is invalid.
pub fn transfer_bxml(
    token: &str,
    call_id: Option<&str>,
    sip_uri: Option<&str>,
) -> Result<String, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Transfer {
        bxml: String,
        uui_length: usize,
        warnings: Vec<String>,
    }
    let uui = uui(token, call_id)?;
    let uri = sip_uri.unwrap_or(BRIDGE);
    check_uri(uri)?;
    let uui_length = uui.chars().count();
    let mut warnings = Vec::new();
    if uui_length > UUI_LIMIT {
        warnings.push(format!(
            "uui has {uui_length} characters; the documented limit is {UUI_LIMIT}, but the \
             service seems to accept longer values for its own tokens"
        ));
    }
    let bxml = response(&format!(
        "<Transfer><SipUri uui=\"{}\">{}</SipUri></Transfer>",
        escape(&uui),
        escape(uri)
    ));
    // A string, a number and strings cannot fail to serialize.
    Ok(serde_json::to_string(&Transfer { bxml, uui_length, warnings }).unwrap_or_default())
}

/// Returns the uui value that transfers a call to a participant's session: `<token>;encoding=jwt`, after
/// the call id if there is one.
///
/// # Errors
/// `InvalidArgument`, with the argument that is invalid.
pub fn uui(token: &str, call_id: Option<&str>) -> Result<String, Error> {
    check_token(token)?;
    let mut uui = String::with_capacity(token.len() + 80);
    if let Some(id) = call_id {
        uui.push_str(&call_part(id)?);
        uui.push_str(";encoding=base64,");
    }
    uui.push_str(token);
    uui.push_str(";encoding=jwt");
    Ok(uui)
}

const CONNECT_OPTIONS: &[Field] = &[
    Field::optional("eventCallbackUrl", Rule::UrlReference),
    Field::optional("eventFallbackUrl", Rule::UrlReference),
];

/// Returns `{"bxml": ..}`, the BXML that connects a phone call to endpoints. `endpoint_ids` is a JSON
/// array of ids, and `options` is `{"eventCallbackUrl": .., "eventFallbackUrl": ..}`; both options can
/// be omitted. The values in the BXML are escaped.
///
/// # Errors
/// `InvalidArgument`, with all problems.
pub fn connect_bxml(endpoint_ids: &str, options: Option<&str>) -> Result<String, Error> {
    #[derive(Serialize)]
    struct Connect {
        bxml: String,
    }
    let mut problems = Problems::default();
    for (name, text) in [("endpoint_ids", endpoint_ids), ("options", options.unwrap_or(""))] {
        if text.len() > MAX_DOCUMENT {
            return Err(Error::invalid(format!("{name}: has more than {MAX_DOCUMENT} bytes")));
        }
    }
    let ids = match endpoint_ids.trim() {
        "" => read_endpoint_ids("[]", &mut problems),
        _ => read_endpoint_ids(endpoint_ids, &mut problems),
    };
    let options = read_into(&"options", options.unwrap_or("{}"), CONNECT_OPTIONS, &mut problems);
    for (field, value) in &options.0 {
        if value.to_text().contains(is_not_xml) {
            problems.add(&format_args!("options.{}", field.name), "contains an invalid character");
        }
    }
    if let Some(message) = problems.message() {
        return Err(Error::invalid(message));
    }
    let mut verb = String::from("<Connect");
    for (field, value) in options.0 {
        verb.push_str(&format!(" {}=\"{}\"", field.name, escape(value.to_text())));
    }
    verb.push('>');
    for id in ids {
        verb.push_str(&format!("<Endpoint>{}</Endpoint>", escape(&id)));
    }
    verb.push_str("</Connect>");
    // A string cannot fail to serialize.
    Ok(serde_json::to_string(&Connect { bxml: response(&verb) }).unwrap_or_default())
}

fn read_endpoint_ids(json: &str, problems: &mut Problems) -> Vec<String> {
    let items = serde_json::from_str::<&RawValue>(json)
        .map_err(|error| not_json(&"endpoint_ids", json, &error))
        .and_then(|value| array(value).map_err(|problem| format!("endpoint_ids: {problem}")));
    let items = match items {
        Ok(Array(items)) => items,
        Err(message) => {
            problems.add_message(message);
            return Vec::new();
        }
    };
    if items.is_empty() {
        problems.add(&"endpoint_ids", "is empty; at least one endpoint is needed");
    }
    let mut ids = Vec::new();
    let mut duplicates = DuplicateFinder::new(items.len());
    for (at, item) in items.iter().enumerate() {
        let earlier = items[..at].iter().filter_map(|item| string(item).ok());
        let id = string(item).and_then(|id| match check_endpoint_id(&id) {
            Ok(()) if duplicates.is_repeated(id.clone(), earlier) => {
                Err(format!("{} is given twice", quote(&id)))
            }
            checked => checked.map(|()| id.into_owned()),
        });
        match id {
            Ok(id) => ids.push(id),
            Err(problem) => problems.add(&format_args!("endpoint_ids[{at}]"), problem),
        }
    }
    ids
}

fn check_endpoint_id(id: &str) -> Result<(), String> {
    let is_invalid = |c: char| c.is_control() || c.is_whitespace() || is_not_xml(c);
    match id {
        "" => Err("is empty".to_owned()),
        _ if id.len() > MAX_ID => Err(format!("is longer than {MAX_ID} bytes")),
        _ if id.contains(is_invalid) => {
            Err("must not contain spaces or control characters".to_owned())
        }
        _ => Ok(()),
    }
}

/// A BXML document with this verb.
fn response(verb: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{verb}</Response>")
}

// The messages do not quote the token, because it is a secret.
fn check_token(token: &str) -> Result<(), Error> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ';' | ',');
    if token.is_empty() {
        return Err(Error::invalid("token: is empty"));
    }
    if token.len() > MAX_TEXT {
        return Err(Error::invalid(format!("token: is longer than {MAX_TEXT} bytes")));
    }
    if token.contains(bad) || token.contains(is_not_xml) {
        return Err(Error::invalid(
            "token: must not contain semicolons, commas, spaces or control characters",
        ));
    }
    Ok(())
}

/// The call id without its first part and dashes.
fn call_part(id: &str) -> Result<String, Error> {
    let parts: Vec<&str> = id.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let lengths = parts.iter().skip(1).map(|part| part.len());
    if parts[0] != "c" || !lengths.eq(CALL_ID_PARTS) || !parts[1..].iter().all(is_hex) {
        return Err(Error::invalid(format!(
            "call_id: {} is not a call id, such as c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1a4",
            quote(id)
        )));
    }
    Ok(parts[1..].concat())
}

fn check_uri(uri: &str) -> Result<(), Error> {
    let lower = uri.get(..5.min(uri.len())).unwrap_or("").to_ascii_lowercase();
    let rest = ["sip:", "sips:"].iter().find(|s| lower.starts_with(**s)).map(|s| &uri[s.len()..]);
    let bad = |c: char| c.is_control() || c.is_whitespace() || is_not_xml(c);
    match rest {
        _ if uri.len() > MAX_TEXT => {
            Err(Error::invalid(format!("sip_uri: is longer than {MAX_TEXT} bytes")))
        }
        _ if uri.contains(bad) => {
            Err(Error::invalid("sip_uri: must not contain spaces or control characters"))
        }
        Some(rest) if !rest.is_empty() => Ok(()),
        _ => Err(Error::invalid(format!(
            "sip_uri: {} is not a SIP URI; it must begin with sip: or sips: and name a host",
            quote(uri)
        ))),
    }
}

/// Whether XML 1.0 does not allow a character, even escaped. Control characters are checked separately.
fn is_not_xml(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const CALL: &str = "c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1a4";

    fn transfer(token: &str, call: Option<&str>, uri: Option<&str>) -> Value {
        serde_json::from_str(&transfer_bxml(token, call, uri).unwrap()).unwrap()
    }

    #[test]
    fn bxml_is_as_documented() {
        let made = transfer("abc.def.ghi", Some(CALL), None);
        assert_eq!(
            made["bxml"],
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Transfer><SipUri \
             uui=\"93d6f3c0be5845960b744fa28015d8ede84bd1a4;encoding=base64,abc.def.ghi;encoding=jwt\">\
             sip:sipx.webrtc.bandwidth.com:5060</SipUri></Transfer></Response>"
        );
        assert_eq!(made["uuiLength"], 81);
        assert_eq!(made["warnings"], serde_json::json!([]));
        let made = transfer("t<&>\"'", None, Some("sip:host;transport=tls?a=1&b=2"));
        assert_eq!(
            made["bxml"],
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Transfer><SipUri \
             uui=\"t&lt;&amp;&gt;&quot;&apos;;encoding=jwt\">sip:host;transport=tls?a=1&amp;b=2\
             </SipUri></Transfer></Response>"
        );
    }

    #[test]
    fn long_uui_has_a_warning() {
        let fits = transfer(&"x".repeat(256 - ";encoding=jwt".len()), None, None);
        assert_eq!(
            (&fits["uuiLength"], fits["warnings"].as_array().unwrap().len()),
            (&256.into(), 0)
        );
        let long = transfer(&"x".repeat(257 - ";encoding=jwt".len()), None, None);
        assert!(long["warnings"][0].as_str().unwrap().contains("257 characters"));
    }

    #[test]
    fn lengths_are_limited() {
        let (token, uri) = ("x".repeat(16_384), format!("sip:{}", "x".repeat(16_380)));
        assert!(transfer_bxml(&token, None, Some(&uri)).is_ok());
        let (longer, further) = (format!("{token}x"), format!("{uri}x"));
        for (token, uri, part) in [
            (longer.as_str(), "sip:x", "token: is longer than 16384 bytes"),
            ("t", further.as_str(), "sip_uri: is longer than 16384 bytes"),
        ] {
            assert_eq!(transfer_bxml(token, None, Some(uri)).unwrap_err().message, part);
        }
    }

    #[test]
    fn invalid_arguments_are_rejected() {
        for (token, call, uri, part) in [
            ("", None, None, "token: is empty"),
            ("a;b", None, None, "token: must not contain semicolons"),
            ("a,b", None, None, "token: must not contain semicolons"),
            ("a\u{1}", None, None, "token: must not contain"),
            ("a\u{ffff}", None, None, "token: must not contain"),
            ("t", Some(""), None, "call_id: \"\" is not a call id"),
            ("t", Some("93d6f3c0"), None, "is not a call id"),
            ("t", Some("c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1a"), None, "is not a call id"),
            (
                "t",
                Some("c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1ag"),
                None,
                "is not a call id",
            ),
            ("t", None, Some("http://x"), "sip_uri: \"http://x\" is not a SIP URI"),
            ("t", None, Some("sip:"), "is not a SIP URI"),
            ("t", None, Some("sip:a b"), "must not contain spaces"),
        ] {
            let error = transfer_bxml(token, call, uri).unwrap_err();
            assert!(error.message.contains(part), "{part}\nis not in\n{}", error.message);
        }
        let token = "eyJhbGciOiJub25lIn0.s3cret.s3cret";
        for (call, uri) in
            [(Some(token), None), (None, Some(token)), (None, Some("siip:me:s3cret@host"))]
        {
            let message = transfer_bxml("t", call, uri).unwrap_err().message;
            assert!(message.contains("[removed]") && !message.contains("s3cret"), "{message}");
        }
        assert!(!transfer_bxml("se;cret", None, None).unwrap_err().message.contains("cret"));
    }

    #[test]
    fn uui_is_returned_alone() {
        assert_eq!(uui("a.b.c", None).unwrap(), "a.b.c;encoding=jwt");
        assert_eq!(
            uui("a.b.c", Some(CALL)).unwrap(),
            "93d6f3c0be5845960b744fa28015d8ede84bd1a4;encoding=base64,a.b.c;encoding=jwt"
        );
        assert!(uui("", None).unwrap_err().message.contains("token: is empty"));
        assert!(uui("t", Some("x")).unwrap_err().message.contains("is not a call id"));
    }

    #[test]
    fn connect_bxml_is_escaped() {
        let bxml = |ids: &str, options: Option<&str>| {
            let document: Value =
                serde_json::from_str(&connect_bxml(ids, options).unwrap()).unwrap();
            document["bxml"].as_str().unwrap().to_owned()
        };
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect";
        assert_eq!(
            bxml(r#"["e-1"]"#, None),
            format!("{start}><Endpoint>e-1</Endpoint></Connect></Response>")
        );
        assert_eq!(
            bxml(
                r#"["e<&>", "e-\u00e9"]"#,
                Some(r#"{"eventCallbackUrl":"/x?a=\"1\"&b='2'","eventFallbackUrl":"https://h/"}"#)
            ),
            format!(
                "{start} eventCallbackUrl=\"/x?a=&quot;1&quot;&amp;b=&apos;2&apos;\" \
                 eventFallbackUrl=\"https://h/\"><Endpoint>e&lt;&amp;&gt;</Endpoint>\
                 <Endpoint>e-é</Endpoint></Connect></Response>"
            )
        );
        let many: Vec<String> = (0..2000).map(|n| format!("e-{n}")).collect();
        let many = bxml(&serde_json::to_string(&many).unwrap(), Some("{}"));
        assert!(many.contains("<Endpoint>e-1999</Endpoint>"));
    }

    #[test]
    fn callback_urls_may_be_relative() {
        let check = |url: &str| {
            let options = serde_json::json!({"eventCallbackUrl": url}).to_string();
            connect_bxml(r#"["e-1"]"#, Some(&options)).map_err(|error| error.message)
        };
        for url in [
            "/cb?return=https://example.com/x",
            "cb#://",
            "cb/a:b",
            "?a=b:c",
            "../cb",
            "/a//b",
            "HTTPS://u:p@h/x",
            "http://[::1]:80",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
        for url in [
            "javascript:alert(1)",
            "ftp:x",
            "https:x",
            "https:/h/x",
            "https:///x",
            "h:80/x",
            "://h",
            "//evil.com/x",
            "/\\evil.com/x",
            "\\\\evil.com",
        ] {
            let message = check(url).unwrap_err();
            let expected =
                if url.contains(':') { "is not an absolute URL" } else { "names a host" };
            assert!(message.contains(expected), "{url}: {message}");
        }
    }

    #[test]
    fn invalid_arguments_of_connect_are_rejected() {
        let long = format!("[\"{}\"]", "x".repeat(257));
        for (ids, options, problem) in [
            ("", None, "endpoint_ids: is empty"),
            ("[", None, "endpoint_ids: is not valid JSON"),
            ("{}", None, "endpoint_ids: must be an array, not an object"),
            ("[]", None, "endpoint_ids: is empty; at least one"),
            (r#"["e-1","e-1"]"#, None, r#"endpoint_ids[1]: "e-1" is given twice"#),
            (
                r#"["e-1",7,""]"#,
                None,
                "endpoint_ids[1]: must be a string, not a number; endpoint_ids[2]: is empty",
            ),
            (r#"["e 1"]"#, None, "endpoint_ids[0]: must not contain spaces"),
            (r#"["e\uffff"]"#, None, "endpoint_ids[0]: must not contain spaces"),
            (&long, None, "endpoint_ids[0]: is longer than 256 bytes"),
            (r#"["e"]"#, Some("[]"), "options: must be a JSON object"),
            (r#"["e"]"#, Some(r#"{"callbackUrl":"x"}"#), "options.callbackUrl: is not known"),
            (r#"["e"]"#, Some(r#"{"eventCallbackUrl":""}"#), "options.eventCallbackUrl: is empty"),
            (
                r#"["e"]"#,
                Some(r#"{"eventCallbackUrl":"a b"}"#),
                "options.eventCallbackUrl: must not contain spaces",
            ),
            (
                r#"["e"]"#,
                Some(r#"{"eventFallbackUrl":"/\uffff"}"#),
                "options.eventFallbackUrl: contains an invalid",
            ),
            (
                r#"["e"]"#,
                Some(r#"{"eventFallbackUrl":"ftp://h"}"#),
                "options.eventFallbackUrl: \"ftp://h\" is not",
            ),
        ] {
            let message = connect_bxml(ids, options).unwrap_err().message;
            assert!(message.starts_with(problem), "{problem}\nis not in\n{message}");
        }
    }
}
