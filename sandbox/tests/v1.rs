//! WebRTC v1: routes, checks and limits, as the service's documentation describes them.

mod support;

use serde_json::json;
use support::{Response, SESSIONS, Sandbox, UNKNOWN_ID, authorization, basic, jwt_part, request};

/// Fails unless this is an error in the service's form.
#[track_caller]
fn assert_error(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{response:?}");
    assert!(response.json["error"].as_str().is_some_and(|text| !text.is_empty()), "{response:?}");
    assert!(response.json["requestId"].is_string(), "{response:?}");
}

#[test]
fn participant_is_created_read_and_deleted() {
    let sandbox = Sandbox::start(&[]);
    let wanted = json!({"callbackUrl": "https://example.com/h", "tag": "alice",
        "publishPermissions": ["VIDEO", "AUDIO"], "deviceApiVersion": "V3"});
    let created = sandbox.call("POST", "/participants", &wanted.to_string());
    assert_eq!(created.status, 200);
    assert_eq!(created.header("content-type").unwrap(), "application/json");
    let participant = &created.json["participant"];
    for key in ["callbackUrl", "tag", "publishPermissions", "deviceApiVersion"] {
        assert_eq!(participant[key], wanted[key], "{key}");
    }
    assert_eq!((&participant["sessions"], &participant["subscriptions"]), (&json!([]), &json!({})));
    let path = format!("/participants/{}", participant["id"].as_str().unwrap());
    assert_eq!(sandbox.call("GET", &path, "").json, *participant);
    sandbox.call("DELETE", &path, "").assert_no_content();
    assert_error(&sandbox.call("GET", &path, ""), 404);
    assert_error(&sandbox.call("DELETE", &path, ""), 404);
}

#[test]
fn participant_token_identifies_the_participant() {
    let sandbox = Sandbox::start(&[]);
    let created = sandbox.call("POST", "/participants", r#"{"deviceApiVersion":"v3"}"#).json;
    let token = created["token"].as_str().unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(jwt_part(token, 0), json!({"alg": "HS256", "typ": "JWT"}));
    let claims = jwt_part(token, 1);
    assert_eq!(claims["a"], "9900000");
    assert_eq!(claims["p"], created["participant"]["id"]);
    assert_eq!(claims["v"], "V3");
    assert!(claims["exp"].is_u64() && claims["tid"].is_string(), "{claims}");
    let other = sandbox.call("POST", "/participants", "{}").json;
    assert_ne!(other["token"], created["token"]);
}

#[test]
fn invalid_participants_are_rejected() {
    let sandbox = Sandbox::start(&[]);
    let fifty = "\u{e9}".repeat(50);
    for good in [
        json!({}),
        json!({"tag": fifty, "callbackUrl": null, "publishPermissions": null}),
        json!({"deviceApiVersion": "v2"}),
        json!({"publishPermissions": []}),
        json!({"novel": {"x": 1}}),
    ] {
        let response = sandbox.call("POST", "/participants", &good.to_string());
        assert_eq!(response.status, 200, "{good}: {response:?}");
    }
    for bad in [
        json!({"tag": fifty.clone() + "x"}),
        json!({"tag": 5}),
        json!({"callbackUrl": "/relative"}),
        json!({"publishPermissions": ["AUDOI"]}),
        json!({"publishPermissions": ["audio"]}),
        json!({"publishPermissions": ["AUDIO", "AUDIO"]}),
        json!({"publishPermissions": "AUDIO"}),
        json!({"deviceApiVersion": "V9"}),
        json!([]),
        json!(null),
    ] {
        assert_error(&sandbox.call("POST", "/participants", &bad.to_string()), 400);
    }
    for bad in ["", "{", "{\"tag\":\"a\"}}", "\u{0}"] {
        assert_error(&sandbox.call("POST", "/participants", bad), 400);
    }
}

#[test]
fn session_is_created_read_and_deleted() {
    let sandbox = Sandbox::start(&[]);
    for (body, tag) in [("", json!(null)), ("null", json!(null)), (r#"{"tag":"r"}"#, json!("r"))] {
        let created = sandbox.call("POST", "/sessions", body);
        assert_eq!((created.status, &created.json["tag"]), (200, &tag), "{created:?}");
        let path = format!("/sessions/{}", created.json["id"].as_str().unwrap());
        assert_eq!(sandbox.call("GET", &path, "").json, created.json);
        sandbox.call("DELETE", &path, "").assert_no_content();
        assert_error(&sandbox.call("GET", &path, ""), 404);
        assert_error(&sandbox.call("DELETE", &path, ""), 404);
    }
    assert_error(&sandbox.call("POST", "/sessions", r#"{"tag":7}"#), 400);
}

#[test]
fn participant_is_in_one_session_at_most() {
    let sandbox = Sandbox::start(&[]);
    let (first, second) = (sandbox.session(), sandbox.session());
    let participant = sandbox.participant("{}");
    let membership = |session: &str| format!("/sessions/{session}/participants/{participant}");
    sandbox.call("GET", &format!("/sessions/{first}/participants"), "").assert_no_content();
    sandbox.call("PUT", &membership(&first), "").assert_no_content();
    assert_error(&sandbox.call("PUT", &membership(&second), ""), 409);
    assert_error(&sandbox.call("DELETE", &membership(&second), ""), 404);
    let members = sandbox.call("GET", &format!("/sessions/{first}/participants"), "");
    assert_eq!(members.json[0]["id"], participant);
    assert_eq!(members.json[0]["sessions"], json!([first]));
    sandbox.call("DELETE", &membership(&first), "").assert_no_content();
    assert_error(&sandbox.call("DELETE", &membership(&first), ""), 404);
    sandbox.call("PUT", &membership(&second), "").assert_no_content();
    sandbox.call("DELETE", &format!("/sessions/{second}"), "").assert_no_content();
    let participant = sandbox.call("GET", &format!("/participants/{participant}"), "").json;
    assert_eq!((&participant["sessions"], &participant["subscriptions"]), (&json!([]), &json!({})));
    assert_error(&sandbox.call("PUT", &membership(UNKNOWN_ID), ""), 404);
    assert_error(
        &sandbox.call("PUT", &format!("/sessions/{first}/participants/{UNKNOWN_ID}"), ""),
        404,
    );
}

#[test]
fn the_21st_participant_of_a_session_is_rejected() {
    let sandbox = Sandbox::start(&[]);
    let session = sandbox.session();
    let members = format!("/sessions/{session}/participants");
    for _ in 0..20 {
        sandbox
            .call("PUT", &format!("{members}/{}", sandbox.participant("{}")), "")
            .assert_no_content();
    }
    let late = sandbox.participant("{}");
    assert_error(&sandbox.call("PUT", &format!("{members}/{late}"), ""), 409);
    assert_eq!(sandbox.call("GET", &members, "").json.as_array().unwrap().len(), 20);
    let other = sandbox.call("GET", &members, "").json[7]["id"].clone();
    sandbox
        .call("DELETE", &format!("/participants/{}", other.as_str().unwrap()), "")
        .assert_no_content();
    sandbox.call("PUT", &format!("{members}/{late}"), "").assert_no_content();
}

#[test]
fn subscriptions_select_no_all_or_single_participants() {
    let sandbox = Sandbox::start(&[]);
    let session = sandbox.session();
    let members = format!("/sessions/{session}/participants");
    let ids: Vec<String> = (0..3).map(|_| sandbox.participant("{}")).collect();
    for id in &ids {
        sandbox.call("PUT", &format!("{members}/{id}"), "").assert_no_content();
    }
    let subscriptions = format!("{members}/{}/subscriptions", ids[0]);
    let hears = || -> Vec<String> {
        let state = sandbox.state();
        let participants = state["participants"].as_array().unwrap();
        let participant = participants.iter().find(|p| p["id"] == ids[0].as_str()).unwrap();
        let mut ids: Vec<String> = serde_json::from_value(participant["hears"].clone()).unwrap();
        ids.sort();
        ids
    };
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    for none in ["", "{}", "null", r#"{"participants":[]}"#, r#"{"sessionId":null}"#] {
        sandbox.call("PUT", &subscriptions, none).assert_no_content();
        sandbox.call("GET", &subscriptions, "").assert_no_content();
        assert_eq!(hears(), [""; 0]);
    }
    let all = json!({"sessionId": session}).to_string();
    sandbox.call("PUT", &subscriptions, &all).assert_no_content();
    assert_eq!(sandbox.call("GET", &subscriptions, "").json["sessionId"], session);
    assert_eq!(hears(), sorted(vec![ids[1].clone(), ids[2].clone()]));
    // Participants that join later are included.
    let late = sandbox.participant("{}");
    sandbox.call("PUT", &format!("{members}/{late}"), "").assert_no_content();
    assert_eq!(hears(), sorted(vec![ids[1].clone(), ids[2].clone(), late]));
    let chosen = json!([{"participantId": ids[2], "streamAliases": ["camera"]}]);
    let both = json!({"sessionId": session, "participants": chosen}).to_string();
    sandbox.call("PUT", &subscriptions, &both).assert_no_content();
    assert_eq!(sandbox.call("GET", &subscriptions, "").json["participants"], chosen);
    assert_eq!(hears(), [ids[2].clone()]);
    for bad in [
        json!({"sessionId": UNKNOWN_ID}),
        json!({"sessionId": 1}),
        json!({"participants": [{}]}),
        json!({"participants": [{"participantId": ""}]}),
        json!({"participants": [{"participantId": ids[1], "streamAliases": ["a", "a"]}]}),
        json!({"participants": {}}),
        json!([]),
    ] {
        assert_error(&sandbox.call("PUT", &subscriptions, &bad.to_string()), 400);
    }
    assert_eq!(hears(), [ids[2].clone()]);
    let outside = format!("{members}/{}/subscriptions", sandbox.participant("{}"));
    assert_error(&sandbox.call("GET", &outside, ""), 404);
    assert_error(&sandbox.call("PUT", &outside, ""), 404);
}

#[test]
fn invalid_ids_are_rejected() {
    let sandbox = Sandbox::start(&[]);
    for id in ["x", "1234", "%2e%2e", "x%3Fy=1", &"a".repeat(36), "caf%C3%A9", "%00"] {
        assert_error(&sandbox.call("GET", &format!("/participants/{id}"), ""), 400);
        assert_error(&sandbox.call("DELETE", &format!("/sessions/{id}"), ""), 400);
        assert_error(
            &sandbox.call("PUT", &format!("/sessions/{UNKNOWN_ID}/participants/{id}"), ""),
            400,
        );
    }
    assert_error(&sandbox.call("GET", "/participants/", ""), 400);
}

#[test]
fn gateway_rejects_wrong_credentials_accounts_and_routes() {
    let sandbox = Sandbox::start(&[]);
    let send = |method: &str, path: &str, pair: Option<&str>| {
        let headers = pair.map(|pair| authorization(&basic(pair))).unwrap_or_default();
        sandbox.send(&request(method, path, &headers, ""))
    };
    let path = format!("{SESSIONS}/{UNKNOWN_ID}");
    for user in [None, Some("user:wrong"), Some("user:"), Some("other:secret"), Some("")] {
        let response = send("GET", &path, user);
        assert_eq!((response.status, &response.json), (401, &json!({"message": "Unauthorized"})));
    }
    let forbidden = json!({"message": "Missing Authentication Token"});
    for (method, path) in [
        ("GET", "/v1/accounts/1/participants/x"),
        ("GET", "/v1/accounts/9900000/participants"),
        ("PATCH", &path),
        ("PUT", "/v1/accounts/9900000/sessions"),
        ("GET", "/v1/accounts/9900000/sessions/a/b/c"),
        ("GET", "/v2/accounts/9900000/sessions"),
        ("GET", "/v1"),
        ("POST", "/"),
        ("GET", "/v1/accounts//participants/x"),
    ] {
        let response = send(method, path, Some("user:secret"));
        assert_eq!((response.status, &response.json), (403, &forbidden), "{method} {path}");
    }
}
