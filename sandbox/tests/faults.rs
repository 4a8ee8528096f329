//! Every kind of fault, as a client on the wire meets it.

mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Answer, Sandbox, exchange, parse, request};

const PATH: &str = "/v1/accounts/9900000/participants";

/// Creates a participant; all the bytes that come, to the end.
fn bytes(sandbox: &Sandbox) -> Vec<u8> {
    let mut stream = sandbox.connect();
    stream.write_all(request("POST", PATH, Some("user:secret"), "{}").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn create(sandbox: &Sandbox) -> Option<Answer> {
    parse(&bytes(sandbox))
}

/// How many participants there are.
fn created(sandbox: &Sandbox) -> usize {
    let state = sandbox.control("GET", "/state", "").json;
    state["accounts"][0]["participants"].as_array().unwrap().len()
}

fn seen(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.control("GET", "/requests", "").json.as_array().unwrap().clone()
}

#[test]
fn status_answers_and_does_nothing() {
    let sandbox = Sandbox::start(&[]);
    sandbox.fault(&json!({"operation": "createParticipant", "kind": "status", "status": 503,
        "headers": {"Retry-After": "7", "Content-Type": "text/html"}, "body": "<html>busy</html>"}));
    let answer = create(&sandbox).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (503, "<html>busy</html>"));
    assert_eq!(support::header(&answer.head, "retry-after").unwrap(), "7");
    assert_eq!(support::header(&answer.head, "content-type").unwrap(), "text/html");
    // The service's older form.
    let older = json!({"code": 500, "message": "no"});
    sandbox.fault(&json!({"operation": "*", "kind": "status", "status": 500, "body": older}));
    assert_eq!(create(&sandbox).unwrap().json, older);
    // Without a body there is a plain one, in the service's form.
    sandbox.fault(&json!({"operation": "*", "kind": "status", "status": 504}));
    assert_eq!(create(&sandbox).unwrap().status, 504);
    assert_eq!(created(&sandbox), 0);
    assert_eq!(create(&sandbox).unwrap().status, 200);
    let statuses: Vec<Value> = seen(&sandbox).iter().map(|r| r["status"].clone()).collect();
    assert_eq!(statuses, [json!(503), json!(500), json!(504), json!(200)]);
}

#[test]
fn delays_add_up() {
    let sandbox = Sandbox::start(&[]);
    for ms in [150, 250] {
        sandbox.fault(&json!({"operation": "createParticipant", "kind": "delay", "ms": ms}));
    }
    let began = Instant::now();
    assert_eq!(create(&sandbox).unwrap().status, 200);
    assert!(began.elapsed() >= Duration::from_millis(400));
}

#[test]
fn close_before_does_nothing_and_close_after_does_it() {
    let sandbox = Sandbox::start(&[]);
    for (kind, left) in [("close_before", 0), ("close_after", 1)] {
        sandbox.fault(&json!({"operation": "createParticipant", "kind": kind}));
        assert_eq!(bytes(&sandbox), b"", "{kind}");
        assert_eq!(created(&sandbox), left, "{kind}");
    }
    let statuses: Vec<Value> = seen(&sandbox).iter().map(|r| r["status"].clone()).collect();
    assert_eq!(statuses, [json!(null), json!(null)]);
}

#[test]
fn truncate_sends_half_of_the_body() {
    let sandbox = Sandbox::start(&[]);
    sandbox.fault(&json!({"operation": "createParticipant", "kind": "truncate"}));
    let text = String::from_utf8(bytes(&sandbox)).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length: usize = support::header(head, "content-length").unwrap().parse().unwrap();
    assert!(!body.is_empty() && body.len() < length, "{} of {length}", body.len());
    assert_eq!(created(&sandbox), 1);
}

#[test]
fn garbage_is_no_http() {
    let sandbox = Sandbox::start(&[]);
    sandbox.fault(&json!({"operation": "createParticipant", "kind": "garbage"}));
    let answer = bytes(&sandbox);
    assert!(!answer.is_empty() && !answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(created(&sandbox), 1);
}

#[test]
fn dribble_is_slow_and_whole() {
    let sandbox = Sandbox::start(&[]);
    sandbox.fault(&json!({"operation": "*", "kind": "dribble", "bytesPerSecond": 2000}));
    let began = Instant::now();
    let answer = bytes(&sandbox);
    assert_eq!(parse(&answer).unwrap().status, 200);
    let least = Duration::from_secs_f64(answer.len() as f64 / 2000.0 * 0.8);
    assert!(began.elapsed() >= least, "{:?} for {} bytes", began.elapsed(), answer.len());
}

#[test]
fn faults_hit_as_many_requests_as_ordered_after_those_let_pass() {
    let sandbox = Sandbox::start(&[]);
    sandbox.fault(&json!({"operation": "createParticipant", "kind": "status", "status": 418,
        "count": 2, "after": 1}));
    let statuses =
        |n: usize| -> Vec<u16> { (0..n).map(|_| create(&sandbox).unwrap().status).collect() };
    assert_eq!(sandbox.call("POST", "/sessions", "").status, 200);
    assert_eq!(statuses(5), [200, 418, 418, 200, 200]);
    sandbox.fault(&json!({"operation": "*", "kind": "status", "status": 500, "count": null}));
    assert_eq!(statuses(3), [500, 500, 500]);
    assert_eq!(sandbox.call("POST", "/sessions", "").status, 500);
    assert!((200..300).contains(&sandbox.control("DELETE", "/faults", "").status));
    assert_eq!(statuses(1), [200]);
}

#[test]
fn orders_that_are_none_are_refused() {
    let sandbox = Sandbox::start(&[]);
    for (order, says) in [
        ("", "EOF"),
        ("[]", "expected"),
        (r#"{"operation":"createParticpant","kind":"delay","ms":1}"#, "createParticpant"),
        (r#"{"operation":"*","kind":"explode"}"#, "explode"),
        (r#"{"operation":"*","kind":"delay"}"#, "ms"),
        (r#"{"operation":"*","kind":"status"}"#, "status"),
        (r#"{"operation":"*","kind":"dribble"}"#, "bytesPerSecond"),
        (r#"{"operation":"*","kind":"garbage","times":2}"#, "times"),
        (r#"{"operation":"*","kind":"delay","ms":-1}"#, "-1"),
    ] {
        let answer = sandbox.control("POST", "/faults", order);
        assert_eq!(answer.status, 400, "{order}");
        assert!(answer.body.contains(says), "{order}: {}", answer.body);
    }
    assert_eq!(create(&sandbox).unwrap().status, 200);
}

#[test]
fn reset_makes_it_as_new() {
    let sandbox = Sandbox::start(&[]);
    create(&sandbox).unwrap();
    sandbox.session();
    sandbox.fault(&json!({"operation": "*", "kind": "garbage", "count": null}));
    assert!((200..300).contains(&sandbox.control("POST", "/reset", "").status));
    assert_eq!((created(&sandbox), seen(&sandbox).len()), (0, 0));
    assert_eq!(sandbox.control("GET", "/webhooks", "").json, json!([]));
    assert_eq!(create(&sandbox).unwrap().status, 200);
}

#[test]
fn what_was_seen_is_told_without_credentials() {
    let sandbox = Sandbox::start(&[]);
    let mut stream = sandbox.connect();
    let body = r#"{"tag":"t"}"#;
    exchange(&mut stream, &request("POST", PATH, Some("user:secret"), body)).unwrap();
    exchange(&mut sandbox.connect(), &request("POST", PATH, Some("user:s3cret"), "not json"))
        .unwrap();
    let answer = sandbox.control("GET", "/requests", "");
    let (first, second) = (&answer.json[0], &answer.json[1]);
    assert_eq!(first["operation"], "createParticipant");
    assert_eq!((&first["method"], &first["path"]), (&json!("POST"), &json!(PATH)));
    assert_eq!((&first["status"], &second["status"]), (&json!(200), &json!(401)));
    assert_eq!((&first["body"], &second["body"]), (&json!({"tag": "t"}), &json!("omitted")));
    assert_eq!(first["headers"]["host"], "localhost");
    assert_ne!(first["connection"], second["connection"]);
    assert!(first["time"].as_u64().unwrap() > 1_700_000_000_000);
    for secret in ["secret", "s3cret", "dXNlc", "uthorization"] {
        assert!(!answer.body.contains(secret), "{secret} is in {}", answer.body);
    }
}
