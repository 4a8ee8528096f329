//! The CreateParticipant document.

use serde_json::value::RawValue;

use super::fields;
use crate::json::{self, Problems};

const FIELDS: &[&str] = &["callbackUrl", "publishPermissions", "tag", "deviceApiVersion"];
const PERMISSIONS: &[&str] = &["AUDIO", "VIDEO"];
/// The longest callback URL, in bytes: more than any proxy or server on the way takes.
const URL: usize = 8 * 1024;

/// Checks a request document and gives the body to send. None is as good as `{}`.
///
/// # Errors
/// Every problem, by path.
pub fn check(root: &str, request: Option<&str>) -> Result<Option<String>, String> {
    let mut problems = Problems::default();
    let fields = fields::read(root, request.unwrap_or("{}"), FIELDS, &mut problems)?;
    for (field, value) in &fields {
        let checked = match *field {
            "callbackUrl" => callback_url(value),
            "tag" => fields::tag(value),
            "deviceApiVersion" => version(value),
            _ => permissions(root, value, &mut problems),
        };
        if let Err(what) = checked {
            problems.add(format_args!("{root}.{field}"), what);
        }
    }
    fields::body(problems, &fields)
}

fn callback_url(value: &RawValue) -> Result<(), String> {
    let url = json::string(value)?;
    if url.len() > URL {
        return Err(format!(": is longer than {URL} bytes"));
    }
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(": must not contain spaces or control characters".to_owned());
    }
    let lower = url.get(..8.min(url.len())).unwrap_or("").to_ascii_lowercase();
    let host = ["http://", "https://"]
        .iter()
        .find(|scheme| lower.starts_with(**scheme))
        .map(|scheme| &url[scheme.len()..])
        .and_then(|rest| rest.split(['/', '?', '#']).next())
        .map(|authority| authority.rsplit('@').next().unwrap_or(""))
        .map(
            |host| if host.starts_with('[') { host } else { host.split(':').next().unwrap_or("") },
        );
    match host {
        Some(host) if !host.is_empty() => Ok(()),
        _ => Err(format!(
            ": {} is not an absolute URL; it must begin with http:// or https:// and name a host",
            json::quote(&url)
        )),
    }
}

fn permissions(root: &str, value: &RawValue, problems: &mut Problems) -> Result<(), String> {
    let json::Array(items) = json::array(value)?;
    let mut seen = [false; PERMISSIONS.len()];
    for (at, item) in items.into_iter().enumerate() {
        let path = format_args!("{root}.publishPermissions[{at}]");
        let permission = match json::string(item) {
            Ok(permission) => permission,
            Err(what) => {
                problems.add(path, what);
                continue;
            }
        };
        let quoted = || json::quote(&permission);
        match PERMISSIONS.iter().position(|known| *known == permission) {
            None => {
                problems.add(path, format_args!(": {} is not one of AUDIO, VIDEO", quoted()));
            }
            Some(known) if seen[known] => {
                problems.add(path, format_args!(": {} is given twice", quoted()));
            }
            Some(known) => seen[known] = true,
        }
    }
    Ok(())
}

fn version(value: &RawValue) -> Result<(), String> {
    let version = json::string(value)?;
    // The service takes any case.
    if ["V3", "V2"].iter().any(|known| version.eq_ignore_ascii_case(known)) {
        Ok(())
    } else {
        Err(format!(": {} is not one of V3, V2", json::quote(&version)))
    }
}

#[cfg(test)]
mod tests {
    fn check(request: &str) -> Result<String, String> {
        super::check("request", Some(request)).map(Option::unwrap)
    }

    #[test]
    fn a_good_request_is_sent_with_what_it_says_and_nothing_else() {
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
            assert_eq!(check(request).as_deref(), Ok(body), "{request}");
        }
        for longest in [
            format!(r#"{{"tag":"{}"}}"#, "é".repeat(50)),
            format!(r#"{{"callbackUrl":"http://{}"}}"#, "x".repeat(8192 - 7)),
        ] {
            assert_eq!(check(&longest), Ok(longest.clone()));
        }
    }

    #[test]
    fn every_problem_is_named_by_its_path() {
        let message = check(
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
            let message = check(&format!(r#"{{"callbackUrl":"{url}"}}"#)).unwrap_err();
            assert!(message.contains("is not an absolute URL"), "{message}");
            assert!(message.contains("[removed]") && !message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
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
            let message = check(request).unwrap_err();
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    }
}
