//! All operations with bw-sandbox, by their own functions and by `bw_call`; webhooks and statistics.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::abi::Client;
use crate::support::process::Sandbox;
use serde_json::{Value, json};

fn client(sandbox: &Sandbox) -> Client {
    Client::new(&json!({
        "accountId": "9900000", "username": "user", "password": "secret", "baseUrl": sandbox.url,
        "timeoutMs": 60_000,
    }))
    .unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A participant's id.
fn participant(client: &Client, tag: &str) -> String {
    let created = client.create(&json!({"tag": tag, "publishPermissions": ["AUDIO"]}).to_string());
    text(&created.unwrap()["participant"]["id"]).to_owned()
}

#[test]
fn all_operations_work_in_the_life_of_a_session() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox);
    let (alice, bob) = (participant(&client, "alice"), participant(&client, "bob"));
    let session = client.call("createSession", "", "", Some(r#"{"tag":"room"}"#)).unwrap();
    assert_eq!(session["tag"], "room");
    let room = text(&session["id"]);
    assert_eq!(client.call("getSession", room, "", None).unwrap(), session);
    assert_eq!(client.call("listSessionParticipants", room, "", None).unwrap(), json!([]));

    let everyone = json!({"sessionId": room}).to_string();
    let add = |participant: &str, subscriptions: Option<&str>| {
        client.call("addParticipantToSession", room, participant, subscriptions)
    };
    assert_eq!(add(&alice, Some(&everyone)).unwrap(), Value::Null);
    assert_eq!(add(&bob, None).unwrap(), Value::Null);
    let joined = client.call("getParticipant", "", &alice, None).unwrap();
    assert_eq!((&joined["sessions"], &joined["tag"]), (&json!([room]), &json!("alice")));
    let list = client.call("listSessionParticipants", room, "", None).unwrap();
    let ids: Vec<&str> = list.as_array().unwrap().iter().map(|p| text(&p["id"])).collect();
    assert_eq!(ids, [&alice, &bob]);

    let subscriptions = |participant: &str| {
        client.call("getParticipantSubscriptions", room, participant, None).unwrap()
    };
    assert_eq!(
        (&subscriptions(&alice)["sessionId"], subscriptions(&bob)),
        (&json!(room), json!({}))
    );
    let one = json!({"participants": [{"participantId": alice, "streamAliases": ["mic"]}]});
    let update = |document: Option<&str>| {
        client.call("updateParticipantSubscriptions", room, &bob, document).unwrap()
    };
    assert_eq!(update(Some(&one.to_string())), Value::Null);
    assert_eq!(subscriptions(&bob)["participants"], one["participants"]);
    let state = sandbox.state();
    let hears = |participant: &str| {
        let all = state["participants"].as_array().unwrap();
        all.iter().find(|p| p["id"] == participant).unwrap()["hears"].clone()
    };
    assert_eq!((hears(&alice), hears(&bob)), (json!([bob]), json!([alice])));
    for none in [None, Some("{}"), Some("null"), Some(r#"{"participants":[]}"#)] {
        update(Some(&everyone));
        assert_eq!(update(none), Value::Null);
        assert_eq!(subscriptions(&bob), json!({}), "{none:?}");
    }

    let conflict = add(&bob, None).unwrap_err();
    assert_eq!(conflict["error"]["name"], "BW_E_CONFLICT");
    assert_eq!(conflict["error"]["outcome"], "rejected");
    assert!(!conflict["error"]["requestId"].is_null());
    assert_eq!(client.call("removeParticipantFromSession", room, &bob, None).unwrap(), Value::Null);
    assert_eq!(client.call("deleteParticipant", "", &alice, None).unwrap(), Value::Null);
    assert_eq!(client.call("deleteSession", room, "", None).unwrap(), Value::Null);
    for (operation, session, participant) in [
        ("getParticipant", "", alice.as_str()),
        ("deleteParticipant", "", &alice),
        ("getSession", room, ""),
        ("deleteSession", room, ""),
        ("listSessionParticipants", room, ""),
        ("addParticipantToSession", room, &bob),
        ("removeParticipantFromSession", room, &bob),
        ("getParticipantSubscriptions", room, &bob),
        ("updateParticipantSubscriptions", room, &bob),
    ] {
        let error = client.call(operation, session, participant, None).unwrap_err();
        assert_eq!(error["error"]["name"], "BW_E_NOT_FOUND", "{operation}");
        assert_eq!(error["error"]["operation"], operation);
    }
}

#[test]
fn generic_call_performs_every_operation() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox);
    let call = |document: Value| client.call_document(&document.to_string());
    let created = call(json!({"operation": "createParticipant", "body": {"tag": "x"}})).unwrap();
    let id = text(&created["participant"]["id"]);
    let session = call(json!({"operation": "createSession", "timeoutMs": 60_000})).unwrap();
    let room = text(&session["id"]);
    let both =
        |operation: &str| json!({"operation": operation, "sessionId": room, "participantId": id});
    let mut add = both("addParticipantToSession");
    add["body"] = json!({"sessionId": room});
    assert_eq!(call(add).unwrap(), Value::Null);
    for (document, expected) in [
        (json!({"operation": "getSession", "sessionId": room}), session.clone()),
        (both("getParticipantSubscriptions"), json!({"sessionId": room, "participants": []})),
        (both("updateParticipantSubscriptions"), Value::Null),
        (both("removeParticipantFromSession"), Value::Null),
        (json!({"operation": "listSessionParticipants", "sessionId": room}), json!([])),
        (json!({"operation": "deleteSession", "sessionId": room}), Value::Null),
        (json!({"operation": "deleteParticipant", "participantId": id}), Value::Null),
    ] {
        assert_eq!(call(document.clone()).unwrap(), expected, "{document}");
    }
    let error = call(json!({"operation": "getParticipant", "participantId": id})).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_NOT_FOUND");

    for (document, part) in [
        (json!({"operation": "createParticipant", "body": {"tagg": 1}}), "call.body.tagg: is not"),
        (json!({"operation": "getParticipant"}), "participantId: is missing"),
        (json!({"operation": "getParticipant", "participantId": ".."}), "participantId: \"..\" is"),
        (json!({"operation": "deleteParticpant"}), "did you mean deleteParticipant?"),
        (json!({"operation": "createSession", "sessionId": "s"}), "call.sessionId: does not apply"),
    ] {
        let refused = call(document).unwrap_err();
        assert_eq!(refused["error"]["name"], "BW_E_INVALID_ARGUMENT");
        assert!(text(&refused["error"]["message"]).contains(part), "{refused}");
    }
}

#[test]
fn ids_are_percent_encoded_in_the_path() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox);
    for odd in ["x?y=1", "../..", "a/b", "ü", "%2e", "#"] {
        let error = client.call("getParticipant", "", odd, None).unwrap_err();
        assert_eq!(error["error"]["name"], "BW_E_BAD_REQUEST", "{odd}");
    }
    let paths: Vec<Value> = sandbox
        .requests("getParticipant")
        .into_iter()
        .map(|received| received["path"].clone())
        .collect();
    let below = "/v1/accounts/9900000/participants/";
    let encoded = ["x%3Fy%3D1", "..%2F..", "a%2Fb", "%C3%BC", "%252e", "%23"];
    assert_eq!(paths, encoded.map(|id| json!(format!("{below}{id}"))));
    for bad in ["", ".", ".."] {
        for (session, participant) in [(bad, "p"), ("s", bad)] {
            let refused = client.call("removeParticipantFromSession", session, participant, None);
            let error = &refused.unwrap_err()["error"];
            assert_eq!(
                (text(&error["name"]), text(&error["outcome"])),
                ("BW_E_INVALID_ARGUMENT", "not_sent")
            );
        }
    }
    assert!(sandbox.requests("removeParticipantFromSession").is_empty());
}

#[test]
fn full_session_rejects_a_participant() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox);
    let session = client.call("createSession", "", "", None).unwrap();
    let room = text(&session["id"]);
    for member in 0..20 {
        let id = participant(&client, &member.to_string());
        client.call("addParticipantToSession", room, &id, None).unwrap();
    }
    let late = participant(&client, "late");
    let refused = client.call("addParticipantToSession", room, &late, None).unwrap_err();
    assert_eq!(refused["error"]["name"], "BW_E_CONFLICT");
    assert!(text(&refused["error"]["message"]).contains("full"), "{refused}");
}

#[test]
fn webhook_is_parsed() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let request = json!({"callbackUrl": url, "tag": "caller 7"}).to_string();
    let created = client.create(&request).unwrap();
    let id = text(&created["participant"]["id"]).to_owned();
    let receiver = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        // The body is sent last and ends with a brace.
        while !received.ends_with(b"}") {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the webhook broke off");
            received.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        String::from_utf8(received).unwrap()
    });
    let delivery = sandbox.device(&id, "disconnect");
    assert_eq!(delivery["status"], 204, "{delivery}");
    let received = receiver.join().unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook HTTP/1.1"), "{head}");
    let event: Value =
        serde_json::from_str(&bw_webrtc::interop::parse_event(body).unwrap()).unwrap();
    assert_eq!((text(&event["event"]), text(&event["participantId"])), ("onDisconnect", &*id));
    assert!(event["timestamp"].is_u64() && event["tag"] == "caller 7", "{event}");
    // The service deletes a participant whose media connection is lost.
    let error = client.call("getParticipant", "", &id, None).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_NOT_FOUND");
}

#[test]
fn token_claims_contain_account_and_participant() {
    let sandbox = Sandbox::start(&[]);
    let created = client(&sandbox).create("{}").unwrap();
    let claims = bw_webrtc::interop::token_claims(text(&created["token"])).unwrap();
    let claims: Value = serde_json::from_str(&claims).unwrap();
    assert_eq!(claims["accountId"], "9900000");
    assert_eq!(claims["participantId"], created["participant"]["id"]);
    assert_eq!(claims["version"], "V3");
    assert!(claims["expiresInMs"].as_i64().unwrap() > 0);
}

#[test]
fn stats_count_calls_attempts_and_connections() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox);
    let busy = json!({"operation": "getSession", "kind": "status", "status": 503,
                      "headers": {"Retry-After": "0"}});
    sandbox.fault(&busy);
    let session = client.call("createSession", "", "", None).unwrap();
    for _ in 0..3 {
        client.call("getSession", text(&session["id"]), "", None).unwrap();
    }
    client.call("getSession", "no-such-id", "", None).unwrap_err();
    let stats = client.stats();
    let counts = ["calls", "attempts", "retries", "inFlight", "connectionsOpened"]
        .map(|name| stats[name].as_u64().unwrap());
    assert_eq!(counts, [5, 6, 1, 0, 1], "{stats}");
    assert_eq!(stats["connectionsReused"], 5);
    assert_eq!(stats["statuses"], json!({"BW_OK": 4, "BW_E_BAD_REQUEST": 1}));
    let get = &stats["operations"]["getSession"];
    let times = get["times"].as_array().unwrap().iter().map(|t| t["count"].as_u64().unwrap());
    assert_eq!((&get["calls"], times.sum::<u64>()), (&json!(4), 4));
}

#[test]
fn largest_request_is_accepted_and_a_larger_one_rejected() {
    let sandbox = Sandbox::start(&[]);
    let client = client(&sandbox);
    let request = |bytes: usize| client.create(&format!("{{{}}}", " ".repeat(bytes - 2)));
    request(65_536).unwrap();
    let error = request(65_537).unwrap_err()["error"].take();
    assert_eq!(error["name"], "BW_E_INVALID_ARGUMENT");
    assert_eq!(error["message"], "request: has 65537 bytes; at most 65536 are allowed");
    // JSON takes more bytes for the same request.
    let call = |bytes: usize| {
        let body = format!("{{{}}}", " ".repeat(bytes - 2));
        client.call_document(&format!(r#"{{"operation":"createParticipant","body":{body}}}"#))
    };
    call(65_536).unwrap();
    let error = call(65_537).unwrap_err()["error"].take();
    assert_eq!(error["message"], "call.body: has 65537 bytes; at most 65536 are allowed");
    let endpoints_url = sandbox.url.replace("/v1", "/v2");
    let config = sandbox.config(&json!({"endpointsUrl": endpoints_url}));
    let client = Client::new(&config).unwrap();
    let bxml = |text: &str| {
        let bxml = json!(format!("<R>{text}</R>"));
        let call = json!({"operation": "updateEndpointBxml", "endpointId": "e", "bxml": bxml});
        client.call_document(&call.to_string()).unwrap_err()["error"].take()
    };
    assert_eq!(bxml(&"\"".repeat(65_529))["httpStatus"], 405);
    let message = "call.bxml: has 65537 bytes; at most 65536 are allowed";
    assert_eq!(bxml(&"\"".repeat(65_530))["message"], message);
    let error = bxml(&"x".repeat(600_000));
    assert!(text(&error["message"]).ends_with(" bytes; at most 524288 are allowed"), "{error}");
}
