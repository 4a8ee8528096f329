//! What is repeated and what is not: every kind of failure with every class of operation, ordered
//! from bw-sandbox, which counts the requests. And no line or error of all this holds a secret.

mod support;

use std::sync::Mutex;

use serde_json::{Value, json};
use support::abi::Client;
use support::process::Sandbox;

const PASSWORD: &str = "pa55phrase-of-retries";

/// Each class of operation, by one that stands for it.
const CLASSES: [(&str, bool); 5] = [
    // (operation, may be repeated when its outcome is unknown)
    ("createParticipant", false),
    ("createSession", false),
    ("getParticipant", true),
    ("addParticipantToSession", true),
    ("deleteParticipant", true),
];

/// A fault that hits once, and what it does to a call that is not repeated.
struct Kind {
    fault: Value,
    /// Whether operations that may be repeated are.
    repeated: bool,
    /// Whether all are: the service turned the request away.
    always: bool,
    status: &'static str,
    outcome: &'static str,
}

fn kinds() -> Vec<Kind> {
    let status =
        |code: u16| json!({"kind": "status", "status": code, "body": {"error": "ordered"}});
    let kind = |fault, repeated, always, status, outcome| Kind {
        fault,
        repeated,
        always,
        status,
        outcome,
    };
    let mut turned_away = status(503);
    turned_away["headers"] = json!({"Retry-After": "0"});
    vec![
        kind(status(429), true, true, "BW_E_RATE_LIMITED", "rejected"),
        kind(turned_away, true, true, "BW_E_SERVER", "rejected"),
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

/// Every line of every client of this file.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn client(sandbox: &Sandbox, more: &Value) -> Client {
    let mut config = json!({
        "accountId": "9900000", "username": "user", "password": PASSWORD, "baseUrl": sandbox.url,
        "timeoutMs": 60_000, "retryBaseMs": 1,
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let client = Client::new(&config).unwrap();
    client.log_to(&LINES);
    client
}

/// What the call works on: a participant that is in no session, and a session.
struct Things {
    session: String,
    participant: String,
}

fn things(client: &Client) -> Things {
    let id = |value: &Value| value.as_str().unwrap().to_owned();
    Things {
        session: id(&client.call("createSession", "", "", None).unwrap()["id"]),
        participant: id(&client.create("{}").unwrap()["participant"]["id"]),
    }
}

fn call(client: &Client, operation: &str, things: &Things) -> Result<Value, Value> {
    let document = (operation == "createParticipant").then_some("{}");
    client.call(operation, &things.session, &things.participant, document)
}

/// One failure in one operation; gives what the caller was told, if it was not repeated.
fn meet(sandbox: &Sandbox, kind: &Kind, operation: &str, repeatable: bool) -> Option<String> {
    let case = format!("{operation} meets {}", kind.fault);
    let things = things(&client(sandbox, &json!({})));
    let before = sandbox.requests(operation).len();
    let mut fault = kind.fault.clone();
    fault["operation"] = json!(operation);
    sandbox.fault(&fault);
    // A client of its own: each case has a full budget, and no idle connection.
    let more = match kind.status {
        "BW_E_TIMEOUT" => json!({"attemptTimeoutMs": 3000}),
        _ => json!({}),
    };
    let result = call(&client(sandbox, &more), operation, &things);
    let seen = sandbox.requests(operation).len() - before;
    // Half of an empty answer is none at all, so that a truncated 204 is a lost connection.
    let repeated = kind.always || (kind.repeated && repeatable);
    assert_eq!(seen, if repeated { 2 } else { 1 }, "{case}: {result:?}");
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
        // Half of a good answer has a status too.
        assert!(status.as_u64().is_some_and(|status| status / 100 == 2), "{case}: {document}");
    } else {
        assert_eq!(status, &kind.fault["status"], "{case}");
    }
    Some(document.to_string())
}

#[test]
fn every_failure_with_every_class_of_operation() {
    // Side by side, because each waits for a service that takes its time.
    let class = |(operation, repeatable)| {
        let sandbox = Sandbox::start(&["--password", PASSWORD]);
        let meet = |kind: &Kind| meet(&sandbox, kind, operation, repeatable);
        kinds().iter().filter_map(meet).collect::<Vec<_>>()
    };
    let documents = std::thread::scope(|scope| {
        let classes = CLASSES.map(|of| scope.spawn(move || class(of)));
        classes.into_iter().flat_map(|class| class.join().unwrap()).collect::<Vec<_>>()
    });
    let lines = LINES.lock().unwrap().clone();
    assert!(
        lines.iter().any(|line| line.starts_with("2 ") && line.contains("next attempt in")),
        "no retry"
    );
    assert!(!documents.is_empty());
    // Tokens of calls that failed are known to nobody, but all begin alike.
    for text in lines.iter().chain(&documents) {
        assert!(!text.contains("eyJ"), "{text}");
    }
}

#[test]
fn what_never_left_is_repeated_whatever_it_is() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let things = things(&client(&sandbox, &json!({})));
    for (operation, _) in CLASSES {
        // Nothing listens at port 1 of this address.
        let nowhere = json!({"baseUrl": "http://127.0.0.77:1/v1"});
        let error = call(&client(&sandbox, &nowhere), operation, &things).unwrap_err();
        assert_eq!(error["error"]["name"], "BW_E_CONNECT", "{operation}");
        assert_eq!(error["error"]["outcome"], "not_sent");
        assert_eq!(error["error"]["attempts"], 3);
    }
}

#[test]
fn a_removal_that_was_lost_has_worked_if_the_thing_is_gone() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({}));
    for operation in ["deleteParticipant", "deleteSession", "removeParticipantFromSession"] {
        let things = things(&client);
        call(&client, "addParticipantToSession", &things).unwrap();
        sandbox.fault(&json!({"operation": operation, "kind": "close_after"}));
        assert_eq!(call(&client, operation, &things).unwrap(), Value::Null, "{operation}");
        let statuses: Vec<Value> =
            sandbox.requests(operation).iter().map(|seen| seen["status"].clone()).collect();
        assert_eq!(statuses, [Value::Null, json!(404)], "{operation}");
        // Without the lost attempt it is what it is.
        let gone = call(&client, operation, &things).unwrap_err();
        assert_eq!(gone["error"]["name"], "BW_E_NOT_FOUND", "{operation}");
    }
}

#[test]
fn an_addition_that_was_lost_asks_the_participant() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({}));
    let operation = "addParticipantToSession";
    let first = things(&client);
    sandbox.fault(&json!({"operation": operation, "kind": "close_after"}));
    assert_eq!(call(&client, operation, &first).unwrap(), Value::Null);
    assert_eq!(sandbox.requests(operation).len(), 2);
    assert_eq!(sandbox.requests("getParticipant").len(), 1);

    // In another session it is a conflict, and the lost attempt did nothing.
    let elsewhere = Things { session: things(&client).session, participant: first.participant };
    sandbox.fault(&json!({"operation": operation, "kind": "close_before"}));
    let error = call(&client, operation, &elsewhere).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_CONFLICT");
    assert_eq!(error["error"]["outcome"], "rejected");
    assert_eq!(error["error"]["attempts"], 2);
    // Where the participant cannot be asked, nobody knows.
    sandbox.fault(&json!({"operation": operation, "kind": "close_before"}));
    sandbox.fault(&json!({"operation": "getParticipant", "kind": "status", "status": 400}));
    let error = call(&client, operation, &elsewhere).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_CONFLICT");
    assert_eq!(error["error"]["outcome"], "unknown");
    // And a conflict at once asks nobody.
    call(&client, operation, &elsewhere).unwrap_err();
    assert_eq!(sandbox.requests("getParticipant").len(), 3);
    // What the client reads for itself is no call.
    assert!(client.stats()["operations"]["getParticipant"]["calls"] == 0);
}

#[test]
fn an_addition_that_was_lost_compares_the_subscriptions() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({}));
    let operation = "addParticipantToSession";
    let things = things(&client);
    let add = |subscriptions: Value| {
        let call = json!({"operation": operation, "sessionId": things.session,
            "participantId": things.participant, "body": subscriptions});
        client.call_document(&call.to_string())
    };
    let everyone = json!({"sessionId": things.session});
    // The lost attempt did it.
    sandbox.fault(&json!({"operation": operation, "kind": "close_after"}));
    assert_eq!(add(everyone.clone()).unwrap(), Value::Null);
    // The participant is in the session, but hears others than it was to hear.
    for other in [json!({}), json!({"participants": [{"participantId": things.participant}]})] {
        sandbox.fault(&json!({"operation": operation, "kind": "close_before"}));
        let error = add(other).unwrap_err()["error"].take();
        assert_eq!(
            (&error["name"], &error["outcome"]),
            (&json!("BW_E_CONFLICT"), &json!("rejected"))
        );
    }
    let read = json!({"operation": "getParticipantSubscriptions", "sessionId": things.session,
        "participantId": things.participant});
    let heard = client.call_document(&read.to_string()).unwrap();
    assert_eq!(heard["sessionId"], things.session, "somebody changed them");
    // Where the subscriptions cannot be read, the outcome is unknown.
    sandbox.fault(&json!({"operation": operation, "kind": "close_before"}));
    let reading = "getParticipantSubscriptions";
    sandbox.fault(&json!({"operation": reading, "kind": "status", "status": 400}));
    let error = add(everyone).unwrap_err()["error"].take();
    assert_eq!((&error["name"], &error["outcome"]), (&json!("BW_E_CONFLICT"), &json!("unknown")));
}

#[test]
fn an_unknown_outcome_stays_until_an_answer_settles_it() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({}));
    let things = things(&client);
    let operation = "updateParticipantSubscriptions";
    let fault = |kind: Value| {
        let mut fault = kind;
        fault["operation"] = json!(operation);
        sandbox.fault(&fault);
    };
    // Lost, then turned away twice: nobody knows.
    fault(json!({"kind": "close_before"}));
    fault(json!({"kind": "status", "status": 429, "after": 1, "count": 2}));
    let error = call(&client, operation, &things).unwrap_err();
    assert_eq!(
        (&error["error"]["attempts"], &error["error"]["outcome"]),
        (&json!(3), &json!("unknown"))
    );
    // Lost, then refused: it is not in the session.
    fault(json!({"kind": "close_before"}));
    let error = call(&client, operation, &things).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_NOT_FOUND");
    assert_eq!(
        (&error["error"]["attempts"], &error["error"]["outcome"]),
        (&json!(2), &json!("rejected"))
    );
    // Lost, and then nobody looked, since the credentials are refused.
    fault(json!({"kind": "close_before"}));
    fault(json!({"kind": "status", "status": 401, "after": 1}));
    let error = call(&client, operation, &things).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_UNAUTHORIZED");
    assert_eq!(error["error"]["outcome"], "unknown");
}

#[test]
fn all_attempts_share_one_deadline_and_an_outage_makes_no_storm() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let slow =
        client(&sandbox, &json!({"timeoutMs": 900, "attemptTimeoutMs": 400, "maxRetries": 10}));
    let things = things(&slow);
    sandbox.fault(
        &json!({"operation": "getParticipant", "kind": "delay", "ms": 30_000, "count": null}),
    );
    let error = call(&slow, "getParticipant", &things).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_TIMEOUT");
    // 400 + 400 + the rest: more than three cannot have begun.
    assert!((2..=3).contains(&error["error"]["attempts"].as_u64().unwrap()), "{error}");

    sandbox.reset();
    sandbox.fault(&json!({"operation": "*", "kind": "status", "status": 503, "count": null}));
    let stormy = client(&sandbox, &json!({"maxRetries": 2}));
    for _ in 0..300 {
        call(&stormy, "getParticipant", &things).unwrap_err();
    }
    // 300 calls and the 100 retries that a full budget pays for.
    assert_eq!(sandbox.requests("getParticipant").len(), 400);
}

#[test]
fn successes_fill_the_budget_and_a_retry_that_helped_pays_for_itself() {
    let sandbox = Sandbox::start(&["--password", PASSWORD]);
    let client = client(&sandbox, &json!({"maxRetries": 1}));
    let things = things(&client);
    let read = || call(&client, "getParticipant", &things);
    let busy = |count: u32| {
        sandbox.fault(&json!({"operation": "*", "kind": "status", "status": 503, "count": count}));
    };
    // 110 calls, and the 100 retries that a full budget pays for.
    busy(210);
    for _ in 0..110 {
        read().unwrap_err();
    }
    // It is used up, and four successes are less than a retry costs.
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
