//! The comparison of Subscriptions documents.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// Whether two Subscriptions documents have the same meaning; None if one cannot be read. No document
/// means no subscriptions.
pub fn are_same(one: Option<&str>, other: Option<&str>) -> Option<bool> {
    Some(meaning(one)? == meaning(other)?)
}

/// Whom a participant is subscribed to.
#[derive(PartialEq, Eq)]
enum Meaning {
    None,
    /// Everyone in a session.
    Session(String),
    /// Participants with their streams; no streams mean all streams.
    Participants(BTreeMap<String, BTreeSet<String>>),
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
        return Some(Meaning::None);
    };
    // A non-empty list takes precedence.
    match participants.filter(|list| !list.is_empty()) {
        Some(list) => Some(Meaning::Participants(
            list.into_iter()
                .map(|it| (it.participant_id, it.stream_aliases.unwrap_or_default()))
                .collect(),
        )),
        None => Some(session_id.map_or(Meaning::None, Meaning::Session)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn subscriptions_are_compared_by_meaning() {
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
