//! The Subscriptions document: whom a participant hears.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fields;
use crate::json::{self, Problems};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscriptions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participants: Option<Vec<Subscription<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscription<'a> {
    participant_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_aliases: Option<Vec<Cow<'a, str>>>,
}

/// Checks a request document and gives the body to send. None, `null` and `{}` mean nobody, for
/// which no body is sent.
///
/// # Errors
/// Every problem, by path.
pub fn check(root: &str, request: Option<&str>) -> Result<Option<String>, String> {
    let request = match request.map(str::trim) {
        None | Some("null") => return Ok(None),
        Some(text) => text,
    };
    let known = &["sessionId", "participants"];
    let mut problems = Problems::default();
    let mut body = Subscriptions { session_id: None, participants: None };
    for (field, value) in fields::read(root, request, known, &mut problems)? {
        let checked = match field {
            "sessionId" => id(value).map(|id| body.session_id = Some(id)),
            _ => participants(root, value, &mut problems).map(|p| body.participants = Some(p)),
        };
        if let Err(what) = checked {
            problems.add(format_args!("{root}.{field}"), what);
        }
    }
    let nobody = body.session_id.is_none() && body.participants.as_ref().is_none_or(Vec::is_empty);
    fields::finish(problems, &body).map(|body| body.filter(|_| !nobody))
}

/// Whether two Subscriptions documents mean the same; None if one cannot be read. No document means
/// nobody.
pub fn are_same(one: Option<&str>, other: Option<&str>) -> Option<bool> {
    Some(meaning(one)? == meaning(other)?)
}

/// Whom a participant hears.
#[derive(PartialEq, Eq)]
enum Meaning {
    Nobody,
    Everyone(String),
    /// Participants with their streams; no streams mean all.
    These(BTreeMap<String, BTreeSet<String>>),
}

fn meaning(document: Option<&str>) -> Option<Meaning> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Document {
        session_id: Option<String>,
        participants: Option<Vec<Participant>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Participant {
        participant_id: String,
        stream_aliases: Option<BTreeSet<String>>,
    }
    let document: Option<Document> = match document {
        Some(document) => serde_json::from_str(document).ok()?,
        None => None,
    };
    let Some(Document { session_id, participants }) = document else {
        return Some(Meaning::Nobody);
    };
    // A list that is not empty takes precedence.
    match participants.filter(|list| !list.is_empty()) {
        Some(list) => Some(Meaning::These(
            list.into_iter()
                .map(|it| (it.participant_id, it.stream_aliases.unwrap_or_default()))
                .collect(),
        )),
        None => Some(session_id.map_or(Meaning::Nobody, Meaning::Everyone)),
    }
}

fn participants<'a>(
    root: &str,
    value: &'a RawValue,
    problems: &mut Problems,
) -> Result<Vec<Subscription<'a>>, String> {
    let json::Array(items) = json::array(value)?;
    let mut list = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let path = format!("{root}.participants[{at}]");
        match subscription(&path, item, problems) {
            Ok(subscription) => list.extend(subscription),
            Err(what) => problems.add("", what),
        }
    }
    Ok(list)
}

fn subscription<'a>(
    path: &str,
    item: &'a RawValue,
    problems: &mut Problems,
) -> Result<Option<Subscription<'a>>, String> {
    let mut participant_id = None;
    let mut stream_aliases = None;
    for (field, value) in
        fields::read(path, item.get(), &["participantId", "streamAliases"], problems)?
    {
        let checked = match field {
            "participantId" => id(value).map(|id| participant_id = Some(id)),
            _ => aliases(path, value, problems).map(|list| stream_aliases = Some(list)),
        };
        if let Err(what) = checked {
            problems.add(format_args!("{path}.{field}"), what);
            return Ok(None);
        }
    }
    match participant_id {
        Some(participant_id) => Ok(Some(Subscription { participant_id, stream_aliases })),
        None => Err(format!("{path}.participantId: is missing")),
    }
}

fn aliases<'a>(
    path: &str,
    value: &'a RawValue,
    problems: &mut Problems,
) -> Result<Vec<Cow<'a, str>>, String> {
    let json::Array(items) = json::array(value)?;
    let mut list = Vec::with_capacity(items.len());
    let mut seen = HashSet::new();
    for (at, item) in items.into_iter().enumerate() {
        let path = format_args!("{path}.streamAliases[{at}]");
        match json::string(item) {
            Err(what) => problems.add(path, what),
            Ok(alias) if !seen.insert(alias.clone()) => {
                problems.add(path, format_args!(": {} is given twice", json::quote(&alias)));
            }
            Ok(alias) => list.push(alias),
        }
    }
    Ok(list)
}

fn id(value: &RawValue) -> Result<Cow<'_, str>, String> {
    let id = json::string(value)?;
    if id.is_empty() { Err(": is empty".to_owned()) } else { Ok(id) }
}

#[cfg(test)]
mod tests {
    fn check(request: &str) -> Result<Option<String>, String> {
        super::check("subscriptions", Some(request))
    }

    #[test]
    fn nothing_means_nobody() {
        assert_eq!(super::check("subscriptions", None), Ok(None));
        for nobody in ["null", " {} ", r#"{"participants":[]}"#, r#"{"sessionId":null}"#] {
            assert_eq!(check(nobody), Ok(None), "{nobody}");
        }
    }

    #[test]
    fn what_is_ordered_is_sent() {
        for order in [
            r#"{"sessionId":"s"}"#,
            r#"{"participants":[{"participantId":"p"}]}"#,
            r#"{"sessionId":"s","participants":[{"participantId":"p","streamAliases":["a","b"]}]}"#,
        ] {
            assert_eq!(check(order), Ok(Some(order.to_owned())));
        }
    }

    #[test]
    fn every_problem_is_named_by_its_path() {
        for (order, part) in [
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
            let message = check(order).unwrap_err();
            assert!(message.contains(part), "{part}\nis not in\n{message}");
            assert!(!message.contains("; :"), "{message}");
        }
    }

    #[test]
    fn subscriptions_are_compared_by_their_meaning() {
        let everyone = r#"{"sessionId":"s"}"#;
        let one = r#"{"participants":[{"participantId":"p"}]}"#;
        for (a, b, expected) in [
            (None, Some("{}"), Some(true)),
            (None, Some("null"), Some(true)),
            (None, Some(r#"{"sessionId":null,"participants":[],"new":1}"#), Some(true)),
            (None, Some(everyone), Some(false)),
            (Some(everyone), Some(r#"{"sessionId":"s","participants":[]}"#), Some(true)),
            (Some(everyone), Some(r#"{"sessionId":"t"}"#), Some(false)),
            (Some(one), Some(everyone), Some(false)),
            (
                Some(one),
                Some(
                    r#"{"sessionId":"s","participants":[{"participantId":"p","streamAliases":[]}]}"#,
                ),
                Some(true),
            ),
            (
                Some(
                    r#"{"participants":[{"participantId":"a"},{"participantId":"b","streamAliases":["x","y"]}]}"#,
                ),
                Some(
                    r#"{"participants":[{"participantId":"b","streamAliases":["y","x"]},{"participantId":"a","streamAliases":null}]}"#,
                ),
                Some(true),
            ),
            (
                Some(one),
                Some(r#"{"participants":[{"participantId":"p","streamAliases":["x"]}]}"#),
                Some(false),
            ),
            (Some(one), Some("[]"), None),
            (Some(one), Some("x"), None),
        ] {
            assert_eq!(super::are_same(a, b), expected, "{a:?} {b:?}");
        }
    }
}
