//! Simulated failures, as a client on the connection sees them.

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{
    ENDPOINTS, JSON, PARTICIPANTS, Sandbox, assert_contains_none, authorization, basic, bearer,
    header, parse_response, request, token_request, token_request_with, user_request,
};

/// An operation that faults affect, and a request for it.
struct Target {
    operation: &'static str,
    request: String,
    /// The number of objects that the operation has created; `None` if it creates nothing.
    created: fn(&Sandbox) -> Option<usize>,
}

fn targets() -> [Target; 3] {
    [
        Target {
            operation: "createParticipant",
            request: create_participant(),
            created: |sandbox| Some(count(&sandbox.state()["participants"])),
        },
        Target {
            operation: "createEndpoint",
            request: request(
                "POST",
                ENDPOINTS,
                &(authorization(&basic("user:secret")) + JSON),
                r#"{"type": "WEBRTC", "direction": "INBOUND"}"#,
            ),
            created: |sandbox| Some(count(&sandbox.state()["endpoints"])),
        },
        Target { operation: "token", request: token_request(), created: |_| None },
    ]
}

fn create_participant() -> String {
    user_request("POST", PARTICIPANTS, "{}")
}

fn count(array: &Value) -> usize {
    array.as_array().unwrap().len()
}

/// Runs a test on a new sandbox for each target. `inject` adds a fault of the target's operation.
fn for_each_target(test: impl Fn(&Sandbox, &Target, &dyn Fn(Value))) {
    for target in targets() {
        let sandbox = Sandbox::start(&[]);
        test(&sandbox, &target, &|mut fault| {
            fault["operation"] = json!(target.operation);
            sandbox.add_fault(&fault);
        });
        // The fault is used up.
        assert!(sandbox.send(&target.request).status < 300, "{}", target.operation);
    }
}

#[test]
fn status_is_sent_and_the_request_is_not_processed() {
    for_each_target(|sandbox, target, inject| {
        let headers = json!({"Retry-After": "7", "Content-Type": "text/html"});
        let body = "<html>busy</html>";
        inject(json!({"kind": "status", "status": 503, "headers": headers, "body": body}));
        let response = sandbox.send(&target.request);
        assert_eq!((response.status, response.body.as_str()), (503, body));
        assert_eq!(response.header("retry-after").unwrap(), "7");
        assert_eq!(response.header("content-type").unwrap(), "text/html");
        // The older error form of the service.
        let document = json!({"code": 500, "message": "no"});
        inject(json!({"kind": "status", "status": 500, "body": document}));
        assert_eq!(sandbox.send(&target.request).json, document);
        inject(json!({"kind": "status", "status": 504}));
        let response = sandbox.send(&target.request);
        assert_eq!((response.status, response.body.as_str()), (504, ""));
        assert_eq!((target.created)(sandbox).unwrap_or(0), 0);
        assert_eq!(sandbox.recorded_statuses(), json!([503, 500, 504]));
    });
}

#[test]
fn delays_add_up() {
    for_each_target(|sandbox, target, inject| {
        for ms in [150, 250] {
            inject(json!({"kind": "delay", "ms": ms}));
        }
        let started = Instant::now();
        assert!(sandbox.send(&target.request).status < 300);
        assert!(started.elapsed() >= Duration::from_millis(400));
    });
}

#[test]
fn close_before_does_not_process_the_request_and_close_after_does() {
    for_each_target(|sandbox, target, inject| {
        for (kind, processed) in [("close_before", 0), ("close_after", 1)] {
            inject(json!({"kind": kind}));
            assert_eq!(sandbox.send_raw(&target.request), b"", "{kind}");
            assert_eq!((target.created)(sandbox).unwrap_or(processed), processed, "{kind}");
        }
        assert_eq!(sandbox.recorded_statuses(), json!([null, null]));
    });
}

#[test]
fn truncate_sends_half_of_the_body() {
    for_each_target(|sandbox, target, inject| {
        inject(json!({"kind": "truncate"}));
        let text = String::from_utf8(sandbox.send_raw(&target.request)).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length: usize = header(head, "content-length").unwrap().parse().unwrap();
        assert!(!body.is_empty() && body.len() < length, "{} of {length}", body.len());
        assert_eq!((target.created)(sandbox).unwrap_or(1), 1);
    });
}

#[test]
fn garbage_is_not_http() {
    for_each_target(|sandbox, target, inject| {
        inject(json!({"kind": "garbage"}));
        let bytes = sandbox.send_raw(&target.request);
        assert!(!bytes.is_empty() && !bytes.starts_with(b"HTTP"), "{bytes:?}");
        assert_eq!((target.created)(sandbox).unwrap_or(1), 1);
    });
}

#[test]
fn dribble_sends_the_whole_response_slowly() {
    for_each_target(|sandbox, target, inject| {
        inject(json!({"kind": "dribble", "bytesPerSecond": 2000}));
        let started = Instant::now();
        let bytes = sandbox.send_raw(&target.request);
        assert!(parse_response(&bytes).unwrap().status < 300);
        let least = Duration::from_secs_f64(bytes.len() as f64 / 2000.0 * 0.8);
        assert!(started.elapsed() >= least, "{:?}: {} bytes", started.elapsed(), bytes.len());
    });
}

#[test]
fn faults_affect_count_requests_after_the_first_ones() {
    let sandbox = Sandbox::start(&[]);
    sandbox.add_fault(&json!({"operation": "createParticipant", "kind": "status", "status": 418,
        "count": 2, "after": 1}));
    let statuses = |n: usize| -> Vec<u16> {
        (0..n).map(|_| sandbox.send(&create_participant()).status).collect()
    };
    assert_eq!(sandbox.call("POST", "/sessions", "").status, 200);
    assert_eq!(statuses(5), [200, 418, 418, 200, 200]);
    sandbox.add_fault(&json!({"operation": "*", "kind": "status", "status": 500, "count": null}));
    assert_eq!(statuses(3), [500, 500, 500]);
    assert_eq!(sandbox.call("POST", "/sessions", "").status, 500);
    assert!((200..300).contains(&sandbox.control("DELETE", "/faults", "").status));
    assert_eq!(statuses(1), [200]);
}

#[test]
fn faults_of_all_operations_do_not_affect_token_requests() {
    let sandbox = Sandbox::start(&[]);
    let token = bearer(&sandbox.token());
    sandbox.add_fault(&json!({"operation": "*", "kind": "status", "status": 500, "count": null}));
    sandbox.add_fault(&json!({"operation": "token", "kind": "status", "status": 429, "after": 1}));
    let status = || sandbox.send(&token_request()).status;
    assert_eq!((status(), status(), status()), (200, 429, 200));
    assert_eq!(sandbox.status_with(&token), 500);
}

#[test]
fn faults_of_token_requests_affect_wrong_credentials_too() {
    let sandbox = Sandbox::start(&[]);
    sandbox.add_fault(&json!({"operation": "token", "kind": "status", "status": 503}));
    let wrong = token_request_with(&basic("client:wrong"), support::GRANT);
    assert_eq!((sandbox.send(&wrong).status, sandbox.send(&wrong).status), (503, 401));
}

#[test]
fn invalid_faults_are_rejected() {
    let sandbox = Sandbox::start(&[]);
    for (fault, reason) in [
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
        let response = sandbox.control("POST", "/faults", fault);
        assert_eq!(response.status, 400, "{fault}");
        assert!(response.body.contains(reason), "{fault}: {}", response.body);
    }
    assert_eq!(sandbox.send(&create_participant()).status, 200);
}

#[test]
fn reset_restores_the_initial_state() {
    let sandbox = Sandbox::start(&[]);
    sandbox.participant("{}");
    sandbox.session();
    sandbox.add_fault(&json!({"operation": "*", "kind": "garbage", "count": null}));
    sandbox.reset();
    let state = sandbox.state();
    assert_eq!((count(&state["participants"]), count(&state["sessions"])), (0, 0));
    assert_eq!(sandbox.requests().len(), 0);
    assert_eq!(sandbox.control("GET", "/webhooks", "").json, json!([]));
    assert_eq!(sandbox.send(&create_participant()).status, 200);
}

#[test]
fn requests_are_recorded_without_credentials() {
    let sandbox = Sandbox::start(&[]);
    sandbox.send(&user_request("POST", PARTICIPANTS, r#"{"tag":"t"}"#));
    let wrong = authorization(&basic("user:s3cret"));
    sandbox.send(&request("POST", PARTICIPANTS, &wrong, "not json"));
    let response = sandbox.control("GET", "/requests", "");
    let (first, second) = (&response.json[0], &response.json[1]);
    assert_eq!(first["operation"], "createParticipant");
    assert_eq!((&first["method"], &first["path"]), (&json!("POST"), &json!(PARTICIPANTS)));
    assert_eq!((&first["status"], &second["status"]), (&json!(200), &json!(401)));
    assert_eq!((&first["body"], &second["body"]), (&json!({"tag": "t"}), &json!("omitted")));
    assert_eq!(first["headers"]["host"], "localhost");
    assert_ne!(first["connection"], second["connection"]);
    assert!(first["time"].as_u64().unwrap() > 1_700_000_000_000);
    assert_contains_none(&response.body, &["secret", "s3cret", "dXNlc", "uthorization"]);
}
