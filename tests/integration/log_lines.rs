//! The lines of the log: one event per line, its fields, and values that cannot forge a line.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::support::abi::Client;
use crate::support::process::Sandbox;
use crate::support::queue::Queue;
use crate::support::test_server::{TestServer, respond_with, response};
use crate::support::wait_until;
use bw_webrtc::ffi::*;
use serde_json::{Value, json};

type Lines = Mutex<Vec<String>>;

fn client(sandbox: &Sandbox, lines: &'static Lines, more: &Value) -> Client {
    let client = Client::new(&sandbox.config(more)).unwrap();
    client.on_line(move |_, line| lines.lock().unwrap().push(line.to_owned()));
    client
}

fn take(lines: &Lines) -> Vec<String> {
    std::mem::take(&mut lines.lock().unwrap())
}

/// The pairs of a line in the text format. Panics if the line is anything else.
fn pairs(line: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').unwrap();
        assert!(key.bytes().all(|byte| byte.is_ascii_alphabetic()), "{key:?} in {line}");
        let (value, end) = if after.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(after).into_iter::<String>();
            (values.next().unwrap().unwrap(), values.byte_offset())
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            (after[..end].to_owned(), end)
        };
        assert_eq!(pairs.insert(key.to_owned(), value), None, "{key} is given twice: {line}");
        rest = after[end..].strip_prefix(' ').unwrap_or(&after[end..]);
    }
    pairs
}

/// The fields of a line as text, without those whose values are times.
fn fields(line: &str) -> BTreeMap<String, String> {
    let mut fields = pairs(line);
    for time in ["durationMs", "delayMs", "waitMs", "lifetimeSeconds"] {
        let value = fields.get_mut(time);
        if let Some(value) = value {
            value.parse::<f64>().unwrap();
            value.clear();
        }
    }
    fields
}

fn expected(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn lines_of_a_call_state_its_number_and_what_happened() {
    static LINES: Lines = Mutex::new(Vec::new());
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox, &LINES, &json!({"maxRetries": 1}));
    let session = client.call("createSession", "", "", None).unwrap();
    let id = session["id"].as_str().unwrap();
    let created = take(&LINES);
    assert!(created.iter().all(|line| pairs(line)["call"] == "1"), "{created:?}");
    let body = json!({"error": "busy", "requestId": "r-1"}).to_string();
    sandbox.fault(&json!({"operation": "getSession", "kind": "status", "status": 503,
        "headers": {"Retry-After": "0"}, "body": body}));
    client.call("getSession", id, "", None).unwrap();
    let lines = take(&LINES);
    let call = [("operation", "getSession"), ("call", "2"), ("sessionId", id)];
    let line = |fields: &[(&str, &str)]| expected(&[&call, fields].concat());
    assert_eq!(
        lines.iter().map(|line| fields(line)).collect::<Vec<_>>(),
        [
            line(&[("level", "debug"), ("event", "attempt"), ("attempt", "1")]),
            line(&[
                ("level", "warn"),
                ("event", "retry"),
                ("attempt", "1"),
                ("status", "BW_E_SERVER"),
                ("httpStatus", "503"),
                ("requestId", "r-1"),
                ("connection", "reused"),
                ("delayMs", ""),
                (
                    "message",
                    "the service is temporarily unavailable; try again later (HTTP 503): busy"
                ),
            ]),
            line(&[("level", "debug"), ("event", "attempt"), ("attempt", "2")]),
            line(&[
                ("level", "info"),
                ("event", "call"),
                ("status", "BW_OK"),
                ("httpStatus", "200"),
                ("connection", "reused"),
                ("attempts", "2"),
                ("durationMs", ""),
            ]),
        ]
    );
}

#[test]
fn failed_call_states_its_outcome_and_connection() {
    static LINES: Lines = Mutex::new(Vec::new());
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox, &LINES, &json!({"maxRetries": 0}));
    sandbox.fault(&json!({"operation": "createSession", "kind": "close_after"}));
    client.call("createSession", "", "", None).unwrap_err();
    let last = fields(take(&LINES).last().unwrap());
    let of = |key: &str| last.get(key).map(String::as_str);
    assert_eq!(of("event"), Some("call"));
    assert_eq!((of("level"), of("status")), (Some("error"), Some("BW_E_NETWORK")));
    assert_eq!((of("outcome"), of("connection")), (Some("unknown"), Some("new")));
    assert_eq!((of("attempts"), of("httpStatus")), (Some("1"), None));
}

#[test]
fn hostile_values_stay_in_their_fields() {
    static LINES: Lines = Mutex::new(Vec::new());
    let forged = "x\r\nlevel=info event=call status=BW_OK \"\u{1b}[2K\u{85}\u{2028}";
    let body = json!({"error": forged, "requestId": forged}).to_string();
    let server = TestServer::start(None, respond_with(response("400 Bad Request", "", &body)));
    for (format, id) in [("text", "a b=\"c\\"), ("json", "a\",\"level\":\"info"), ("text", "é")] {
        let client = server.client(json!({"logFormat": format}));
        client.on_line(|_, line| LINES.lock().unwrap().push(line.to_owned()));
        client.call("getSession", id, "", None).unwrap_err();
        let lines = take(&LINES);
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in &lines {
            let is_bad = |c: char| c.is_control() || c == '\u{2028}';
            assert!(!line.contains(is_bad), "{line:?}");
            let fields = if format == "json" {
                let object: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
                object.into_iter().map(|(key, value)| (key, value.to_string())).collect()
            } else {
                pairs(line)
            };
            let is = |key: &str, text: &str| {
                let quoted = json!(text).to_string();
                fields[key] == if format == "json" { &*quoted } else { text }
            };
            assert!(is("sessionId", id), "{line}");
            let last = line == &lines[1];
            assert!(is("event", if last { "call" } else { "attempt" }), "{line}");
            assert!(!last || is("status", "BW_E_BAD_REQUEST"), "{line}");
            assert!(!last || fields["requestId"].contains("event=call"), "{line}");
        }
    }
}

#[test]
fn secret_in_place_of_an_id_is_not_logged() {
    static LINES: Lines = Mutex::new(Vec::new());
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox, &LINES, &json!({}));
    let token = format!("eyJhbGciOiJIUzI1NiJ9.eyJwIjoi{}.c2lnbmF0dXJl", "S3cret".repeat(9));
    client.call("getParticipant", "", &token, None).unwrap_err();
    let lines = take(&LINES).join("\n");
    assert!(lines.contains("participantId=[removed]"), "{lines}");
    assert!(!lines.contains("S3cret") && !lines.contains("eyJ"), "{lines}");
}

#[test]
fn own_secret_in_place_of_an_id_is_not_logged() {
    static LINES: Lines = Mutex::new(Vec::new());
    let sandbox = Sandbox::start(&[]);
    for (config, secret) in [
        (sandbox.config(&json!({})), "secret"),
        (sandbox.oauth_config(&json!({})), "client-secret"),
    ] {
        let client = Client::new(&config).unwrap();
        client.on_line(move |_, line| LINES.lock().unwrap().push(line.to_owned()));
        for id in [secret.to_owned(), format!("x-{secret}")] {
            client.call("removeParticipantFromSession", &id, &id, None).unwrap_err();
            let lines = take(&LINES);
            assert!(
                lines.len() >= 2 && lines.iter().all(|line| !line.contains(secret)),
                "{lines:?}"
            );
            let shown = id.replace(secret, "[removed]");
            let expected = format!("sessionId={shown} participantId={shown}");
            assert!(lines.iter().all(|line| line.contains(&expected)), "{lines:?}");
        }
    }
}

#[test]
fn queued_call_has_one_number_from_its_wait_to_its_late_response() {
    static LINES: Lines = Mutex::new(Vec::new());
    let sandbox = Sandbox::start(&[]);
    sandbox.fault(&json!({"operation": "*", "kind": "delay", "ms": 500, "count": null}));
    let client = client(&sandbox, &LINES, &json!({"logFormat": "json"}));
    let queue = Queue::new(&client, &json!({"workers": 1})).unwrap();
    let create = json!({"operation": "createSession"});
    let ids = [1, 2].map(|n| queue.submit(&create, n).unwrap());
    wait_until("the second call", || sandbox.requests("createSession").len() == 2);
    assert_eq!(queue.cancel(ids[1]), BW_OK);
    wait_until("the late response", || client.stats()["lateAnswers"] == 1);
    let lines = take(&LINES);
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |call: u64| -> Vec<&str> {
        let of = lines.iter().filter(|line| line["call"] == call);
        of.map(|line| line["event"].as_str().unwrap()).filter(|event| *event != "token").collect()
    };
    assert_eq!(of(1).last(), Some(&"call"));
    assert_eq!(of(2), ["wait", "attempt", "call", "late"]);
    let late = lines.iter().find(|line| line["event"] == "late").unwrap();
    let sessions = &sandbox.state()["sessions"];
    assert!(sessions.as_array().unwrap().iter().any(|session| session["id"] == late["created"]));
}
