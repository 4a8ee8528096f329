//! The check of `bw_webrtc_typed.h`. It is written by hand, because its structs and their ownership do
//! not follow from the table of operations. What the table knows is compared.

use std::collections::BTreeSet;

use crate::documentation::Operation;
use crate::text::snake_case;

pub const HEADER: &str = "bindings/c/bw_webrtc_typed.h";
pub const LIBRARY: &str = "include/bw_webrtc.h";

/// What the header lacks: functions of the library, ids of an operation, and keys of documents.
pub fn missing(header: &str, library: &str, operations: &[Operation]) -> BTreeSet<String> {
    // The start of each function: its name and parameters on one line.
    let functions: Vec<String> = header
        .split("BWT_FUNCTION ")
        .skip(1)
        .filter_map(|function| Some(words(function.split_once(")\n{")?.0)))
        .collect();
    let parameters = |name: &str| {
        functions
            .iter()
            .find_map(|function| function.split_once(&format!("{name}(")))
            .map(|at| at.1)
    };
    let mut missing = BTreeSet::new();
    for operation in operations {
        let name = format!("bwt_{}", snake_case(operation.name));
        let ids: String =
            operation.ids.iter().map(|id| format!(", const char *{}", id.name)).collect();
        if !parameters(&name)
            .is_some_and(|list| list.starts_with(&format!("bw_client *client{ids}")))
        {
            missing.insert(format!("{name}(client{ids})"));
        }
        let keys = operation.fields.iter().map(|field| field.key);
        missing.extend(keys.filter(|key| !appends(header, key)).map(str::to_owned));
    }
    // Functions that return a document or text. Those for JSON itself, and the completion of a call,
    // whose document a `_take` function reads, have no counterpart.
    let others = ["bw_json_get", "bw_json_quote", "bw_queue_next"];
    let declarations =
        library.split("\nbw_status ").skip(1).map(|rest| rest.split_once(");").unwrap().0);
    for (name, list) in declarations.filter_map(|declaration| declaration.split_once('(')) {
        let typed = name.replacen("bw_", "bwt_", 1);
        let returns = ["char **out", "char **text"].iter().any(|last| list.ends_with(last));
        if returns && !others.contains(&name) && parameters(&typed).is_none() {
            missing.insert(typed);
        }
    }
    // The keys in the comment of `bw_client_new`.
    let (comment, _) = library.split_once("bw_status bw_client_new").unwrap();
    let (_, comment) = comment.rsplit_once("Creates a client from a configuration").unwrap();
    let keys: Vec<&str> = comment
        .lines()
        .filter_map(|line| line.strip_prefix(" *   - ")?.split_once(": "))
        .flat_map(|(names, _)| names.split('`').skip(1).step_by(2))
        .chain(["accountId", "clientId", "clientSecret", "username", "password"])
        .collect();
    assert!(keys.len() > 28, "{keys:?}");
    missing.extend(keys.into_iter().filter(|key| !appends(header, key)).map(str::to_owned));
    missing
}

/// Whether the header writes this key.
fn appends(header: &str, key: &str) -> bool {
    let appended = header.split("bwt_append_").skip(1);
    appended.filter_map(|call| call.split('"').nth(1)).any(|name| name == key)
        || ["subscriptions", "bxml"].contains(&key)
}

/// Text with single spaces.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
