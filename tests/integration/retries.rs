//! Retries: every kind of failure with every class of operation. bw-sandbox simulates the failures and
//! counts the requests. No log line and no error contains a secret.

use std::sync::Mutex;

use crate::support::abi::Client;
use crate::support::extend;
use crate::support::process::Sandbox;
use serde_json::{Value, json};

const PASSWORD: &str = "pa55phrase-of-retries";

/// One operation of each class.
const CLASSES: [(&str, bool); 5] = [
    // (operation, whether it may be retried after an unknown outcome)
    ("createParticipant", false),
    ("createSession", false),
    ("getParticipant", true),
    ("addParticipantToSession", true),
    ("deleteParticipant", true),
];

/// A fault that occurs once, and the result of a call that is not retried.
struct Kind {
    fault: Value,
    /// Whether safe operations are retried.
    repeated: bool,
    /// Whether all operations are retried, because the service rejected the request.
    always: bool,
    status: &'static str,
    outcome: &'static str,
}

fn kinds() -> Vec<Kind> {
    let status =
        |code: u16| json!({"kind": "status", "status": code, "body": {"error": "simulated"}});
    let kind = |fault, repeated, always, status, outcome| Kind {
        fault,
        repeated,
        always,
        status,
        outcome,
    };
    let mut throttled = status(503);
    throttled["headers"] = json!({"Retry-After": "0"});
    vec![
        kind(status(429), true, true, "BW_E_RATE_LIMITED", "rejected"),
        kind(throttled, true, true, "BW_E_SERVER", "rejected"),
        kind(status(503), true, false, "BW_E_SERVER", "unknown"),
        kind(status(500), true, false, "BW_E_SERVER", "unknown"),
        kind(status(502), true, false, "BW_E_SERVER", "unknown"),
        kind(status(504), true, false, "BW_E_SERVER", "unknown"),
        kind(status(501), false, false, "BW_E_SERVER", "unknown"),
        kind(status(400), false, false, "BW_E_BAD_REQUEST", "rejected"),
        kind(status(401), false, false, "BW_E_UNAUTHORIZED", "rejected"),
        kind(status(403), false, false, "BW_E_FORBIDDEN", "rejected"),
        kind(status(404), false, false, "BW_E_NOT_FOUND", "rejected"),
        kind(status(409), false, false, "BW_E_CONFLICT", "rejected"),
        kind(json!({"kind": "close_before"}), true, false, "BW_E_NETWORK", "unknown"),
        kind(json!({"kind": "close_after"}), true, false, "BW_E_NETWORK", "unknown"),
        kind(json!({"kind": "garbage"}), false, false, "BW_E_PROTOCOL", "unknown"),
        kind(json!({"kind": "delay", "ms": 30_000}), true, false, "BW_E_TIMEOUT", "unknown"),
        kind(json!({"kind": "truncate"}), true, false, "BW_E_PROTOCOL", "unknown"),
    ]
}

/// Every log line of every client of this file.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn client(sandbox: &Sandbox, more: &Value) -> Client {
    let mut config = json!({
        "accountId": "9900000", "username": "user", "password": PASSWORD, "baseUrl": sandbox.url,
        "timeoutMs": 60_000, "retryBaseMs": 1,
    });
    extend(&mut config, more);
    let client = Client::new(&config).unwrap();
    client.log_to(&LINES);
    client
}

/// The resources of a call: a session, and a participant that is in no session.
struct Resources {
    session: String,
    participant: String,
}

fn create_resources(client: &Client) -> Resources {
    let id = |value: &Value| value.as_str().unwrap().to_owned();
    Resources {
        session: id(&client.call("createSession", "", "", None).unwrap()["id"]),
        participant: id(&client.create("{}").unwrap()["participant"]["id"]),
    }
}

/// Also adds the participant to the session.
fn create_joined(client: &Client) -> Resources {
    let resources = create_resources(client);
    call(client, "addParticipantToSession", &resources).unwrap();
    resources
}

fn call(client: &Client, operation: &str, resources: &Resources) -> Result<Value, Value> {
    let document = (operation == "createParticipant").then_some("{}");
    client.call(operation, &resources.session, &resources.participant, document)
}

/// Simulates one failure of one operation; returns the error document if the call was not retried.
fn fail_once(sandbox: &Sandbox, kind: &Kind, operation: &str, repeatable: bool) -> Option<String> {
    let case = format!("{operation} with {}", kind.fault);
    let resources = create_resources(&client(sandbox, &json!({})));
    let before = sandbox.requests(operation).len();
    let mut fault = kind.fault.clone();
    fault["operation"] = json!(operation);
    sandbox.fault(&fault);
    // A new client: each case has a full retry budget and no idle connection.
    let more = match kind.status {
        "BW_E_TIMEOUT" => json!({"attemptTimeoutMs": 3000}),
        _ => json!({}),
    };
    let result = call(&client(sandbox, &more), operation, &resources);
    let received = sandbox.requests(operation).len() - before;
    // Half of an empty response is nothing, so that a truncated 204 is a lost connection.
    let repeated = kind.always || (kind.repeated && repeatable);
    assert_eq!(received, if repeated { 2 } else { 1 }, "{case}: {result:?}");
    let Err(document) = result else {
        assert!(repeated, "{case} succeeded");
        return None;
    };
    let error = &document["error"];
    assert!(!repeated, "{case}: {document}");
    assert!(error["name"].as_str().unwrap().starts_with(kind.status), "{case}: {document}");
    assert_eq!(error["outcome"], kind.outcome, "{case}: {document}");
    assert_eq!(error["attempts"], 1, "{case}");
    let status = &error["httpStatus"];
    if kind.fault["kind"] == "truncate" {
        // Half of a successful response also contains a status.
        assert!(status.as_u64().is_some_and(|status| status / 100 == 2), "{case}: {document}");
    } else {
        assert_eq!(status, &kind.fault["status"], "{case}");
    }
    Some(document.to_string())
}

#[test]
fn retries_depend_on_the_failure_and_the_operation() {
    // The cases run in parallel, because each waits for a slow service.
    let class = |(operation, repeatable)| {
        let sandbox = Sandbox::start(&["--password", PASSWORD]);
        let fail_once = |kind: &Kind| fail_once(&sandbox, kind, operation, repeatable);
        kinds().iter().filter_map(fail_once).collect::<Vec<_>>()
    };
    let documents = std::thread::scope(|scope| {
        let classes = CLASSES.map(|of| scope.spawn(move || class(of)));
        classes.into_iter().flat_map(|class| class.join().unwrap()).collect::<Vec<_>>()
    });
    let lines = LINES.lock().unwrap().clone();
    assert!(
        lines.iter().any(|line| line.starts_with("2 ") && line.contains("event=retry ")),
        "no retry"
    );
    assert!(!documents.is_empty());
    // The tokens of failed calls are unknown, but all tokens start with these characters.
    for text in lines.iter().chain(&documents) {
        assert!(!text.contains("eyJ"), "{text}");
    }
}

#[test]
fn requests_that_were_not_sent_are_always_retried() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let resources = create_resources(&client(&sandbox, &json!({})));
    for (operation, _) in CLASSES {
        // No server listens at port 1 of this address.
        let nowhere = json!({"baseUrl": "http://127.0.0.77:1/v1"});
        let error = call(&client(&sandbox, &nowhere), operation, &resources).unwrap_err();
        assert_eq!(error["error"]["name"], "BW_E_CONNECT", "{operation}");
        assert_eq!(error["error"]["outcome"], "not_sent");
        assert_eq!(error["error"]["attempts"], 3);
    }
}

#[test]
fn lost_delete_succeeds_if_the_resource_is_gone() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({}));
    for operation in ["deleteParticipant", "deleteSession", "removeParticipantFromSession"] {
        let resources = create_joined(&client);
        sandbox.fault(&json!({"operation": operation, "kind": "close_after"}));
        assert_eq!(call(&client, operation, &resources).unwrap(), Value::Null, "{operation}");
        let statuses: Vec<Value> =
            sandbox.requests(operation).iter().map(|received| received["status"].clone()).collect();
        assert_eq!(statuses, [Value::Null, json!(404)], "{operation}");
        // Without a lost attempt, 404 is reported.
        let error = call(&client, operation, &resources).unwrap_err();
        assert_eq!(error["error"]["name"], "BW_E_NOT_FOUND", "{operation}");
    }
}

#[test]
fn lost_add_is_verified_by_reading_the_participant() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({}));
    let operation = "addParticipantToSession";
    let first = create_resources(&client);
    sandbox.fault(&json!({"operation": operation, "kind": "close_after"}));
    assert_eq!(call(&client, operation, &first).unwrap(), Value::Null);
    assert_eq!(sandbox.requests(operation).len(), 2);
    assert_eq!(sandbox.requests("getParticipant").len(), 1);

    // If the participant is in another session, the conflict is reported: the lost attempt had no effect.
    let elsewhere =
        Resources { session: create_resources(&client).session, participant: first.participant };
    sandbox.fault(&json!({"operation": operation, "kind": "close_before"}));
    let error = call(&client, operation, &elsewhere).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_CONFLICT");
    assert_eq!(error["error"]["outcome"], "rejected");
    assert_eq!(error["error"]["attempts"], 2);
    // If the participant cannot be read, the outcome remains unknown.
    sandbox.fault(&json!({"operation": operation, "kind": "close_before"}));
    sandbox.fault(&json!({"operation": "getParticipant", "kind": "status", "status": 400}));
    let error = call(&client, operation, &elsewhere).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_CONFLICT");
    assert_eq!(error["error"]["outcome"], "unknown");
    // After a conflict in the first attempt, the client does not read the participant.
    call(&client, operation, &elsewhere).unwrap_err();
    assert_eq!(sandbox.requests("getParticipant").len(), 3);
    // The client's own requests are not counted as calls.
    assert!(client.stats()["operations"]["getParticipant"]["calls"] == 0);
}

#[test]
fn lost_add_is_verified_by_comparing_subscriptions() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({}));
    let operation = "addParticipantToSession";
    let resources = create_resources(&client);
    let add = |subscriptions: Value| {
        let call = json!({"operation": operation, "sessionId": resources.session,
            "participantId": resources.participant, "body": subscriptions});
        client.call_document(&call.to_string())
    };
    let everyone = json!({"sessionId": resources.session});
    // The lost attempt was processed.
    sandbox.fault(&json!({"operation": operation, "kind": "close_after"}));
    assert_eq!(add(everyone.clone()).unwrap(), Value::Null);
    // The participant is in the session, but with other subscriptions.
    for other in [json!({}), json!({"participants": [{"participantId": resources.participant}]})] {
        sandbox.fault(&json!({"operation": operation, "kind": "close_before"}));
        let error = add(other).unwrap_err()["error"].take();
        assert_eq!(
            (&error["name"], &error["outcome"]),
            (&json!("BW_E_CONFLICT"), &json!("rejected"))
        );
    }
    let read = json!({"operation": "getParticipantSubscriptions", "sessionId": resources.session,
        "participantId": resources.participant});
    let heard = client.call_document(&read.to_string()).unwrap();
    assert_eq!(heard["sessionId"], resources.session, "somebody changed them");
    // If the subscriptions cannot be read, the outcome remains unknown.
    sandbox.fault(&json!({"operation": operation, "kind": "close_before"}));
    let reading = "getParticipantSubscriptions";
    sandbox.fault(&json!({"operation": reading, "kind": "status", "status": 400}));
    let error = add(everyone).unwrap_err()["error"].take();
    assert_eq!((&error["name"], &error["outcome"]), (&json!("BW_E_CONFLICT"), &json!("unknown")));
}

#[test]
fn unknown_outcome_remains_until_a_response_resolves_it() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({}));
    let resources = create_resources(&client);
    let operation = "updateParticipantSubscriptions";
    let fault = |kind: Value| {
        let mut fault = kind;
        fault["operation"] = json!(operation);
        sandbox.fault(&fault);
    };
    // A lost connection, then two responses 429: the outcome remains unknown.
    fault(json!({"kind": "close_before"}));
    fault(json!({"kind": "status", "status": 429, "after": 1, "count": 2}));
    let error = call(&client, operation, &resources).unwrap_err();
    assert_eq!(
        (&error["error"]["attempts"], &error["error"]["outcome"]),
        (&json!(3), &json!("unknown"))
    );
    // A lost connection, then a response that resolves the outcome: the participant is not in the session.
    fault(json!({"kind": "close_before"}));
    let error = call(&client, operation, &resources).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_NOT_FOUND");
    assert_eq!(
        (&error["error"]["attempts"], &error["error"]["outcome"]),
        (&json!(2), &json!("rejected"))
    );
    // Any other rejection does not show what the lost attempt did.
    for status in [400, 401, 403, 408, 409, 410, 418] {
        fault(json!({"kind": "close_before"}));
        fault(json!({"kind": "status", "status": status, "after": 1}));
        let error = call(&client, operation, &resources).unwrap_err();
        assert_eq!(
            (&error["error"]["httpStatus"], &error["error"]["outcome"]),
            (&json!(status), &json!("unknown"))
        );
    }
}

#[test]
fn lost_delete_is_not_reported_as_rejected() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({}));
    for operation in ["deleteParticipant", "deleteSession", "removeParticipantFromSession"] {
        let resources = create_joined(&client);
        // The first attempt deletes it, and the second one is rejected for another reason.
        sandbox.fault(&json!({"operation": operation, "kind": "close_after"}));
        sandbox
            .fault(&json!({"operation": operation, "kind": "status", "status": 400, "after": 1}));
        let error = call(&client, operation, &resources).unwrap_err()["error"].take();
        assert_eq!(
            (&error["name"], &error["attempts"], &error["outcome"]),
            (&json!("BW_E_BAD_REQUEST"), &json!(2), &json!("unknown")),
            "{operation}"
        );
    }
}

#[test]
fn attempts_share_one_deadline_and_an_outage_causes_no_retry_storm() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let slow =
        client(&sandbox, &json!({"timeoutMs": 900, "attemptTimeoutMs": 400, "maxRetries": 10}));
    let resources = create_resources(&slow);
    sandbox.fault(
        &json!({"operation": "getParticipant", "kind": "delay", "ms": 30_000, "count": null}),
    );
    let error = call(&slow, "getParticipant", &resources).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_TIMEOUT");
    // Attempts of 400 ms, 400 ms and the rest: at most three can have started.
    assert!((2..=3).contains(&error["error"]["attempts"].as_u64().unwrap()), "{error}");

    sandbox.reset();
    sandbox.fault(&json!({"operation": "*", "kind": "status", "status": 503, "count": null}));
    let stormy = client(&sandbox, &json!({"maxRetries": 2}));
    for _ in 0..300 {
        call(&stormy, "getParticipant", &resources).unwrap_err();
    }
    // 300 calls, and the 100 retries that a full budget allows.
    assert_eq!(sandbox.requests("getParticipant").len(), 400);
}

#[test]
fn successes_refill_the_retry_budget() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({"maxRetries": 1}));
    let resources = create_resources(&client);
    let read = || call(&client, "getParticipant", &resources);
    let busy = |count: u32| {
        sandbox.fault(&json!({"operation": "*", "kind": "status", "status": 503, "count": count}));
    };
    // 110 calls, and the 100 retries that a full budget allows.
    busy(210);
    for _ in 0..110 {
        read().unwrap_err();
    }
    // The budget is empty, and four successes refill less than the cost of a retry.
    for _ in 0..4 {
        read().unwrap();
    }
    busy(1);
    assert_eq!(read().unwrap_err()["error"]["attempts"], 1);
    read().unwrap();
    for _ in 0..3 {
        busy(1);
        read().unwrap();
    }
    let stats = client.stats();
    assert_eq!(stats["operations"]["getParticipant"]["retries"], 100 + 3, "{stats}");
}
