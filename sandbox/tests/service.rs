//! The service's behaviour: routes, checks, limits, as its documentation tells them.

mod support;

use serde_json::{Value, json};
use support::{Answer, NOBODY, Sandbox, exchange, request};

#[track_caller]
fn refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.json["error"].as_str().is_some_and(|text| !text.is_empty()), "{answer:?}");
    assert!(answer.json["requestId"].is_string(), "{answer:?}");
}

#[track_caller]
fn done(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{answer:?}");
}

#[test]
fn a_participant_is_created_read_and_deleted() {
    let sandbox = Sandbox::start(&[]);
    let wanted = json!({"callbackUrl": "https://example.com/h", "tag": "alice",
        "publishPermissions": ["VIDEO", "AUDIO"], "deviceApiVersion": "V3"});
    let created = sandbox.call("POST", "/participants", &wanted.to_string());
    assert_eq!(created.status, 200);
    assert_eq!(support::header(&created.head, "content-type").unwrap(), "application/json");
    let participant = &created.json["participant"];
    for key in ["callbackUrl", "tag", "publishPermissions", "deviceApiVersion"] {
        assert_eq!(participant[key], wanted[key], "{key}");
    }
    assert_eq!((&participant["sessions"], &participant["subscriptions"]), (&json!([]), &json!({})));
    let path = format!("/participants/{}", participant["id"].as_str().unwrap());
    assert_eq!(sandbox.call("GET", &path, "").json, *participant);
    done(&sandbox.call("DELETE", &path, ""));
    refused(&sandbox.call("GET", &path, ""), 404);
    refused(&sandbox.call("DELETE", &path, ""), 404);
}

#[test]
fn a_token_says_whose_it_is() {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let sandbox = Sandbox::start(&[]);
    let created = sandbox.call("POST", "/participants", r#"{"deviceApiVersion":"v3"}"#).json;
    let token = created["token"].as_str().unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    let read = |part: &str| -> Value {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(read(parts[0]), json!({"alg": "HS256", "typ": "JWT"}));
    let claims = read(parts[1]);
    assert_eq!(claims["a"], "9900000");
    assert_eq!(claims["p"], created["participant"]["id"]);
    assert_eq!(claims["v"], "V3");
    assert!(claims["exp"].is_u64() && claims["tid"].is_string(), "{claims}");
    let other = sandbox.call("POST", "/participants", "{}").json;
    assert_ne!(other["token"], created["token"]);
}

#[test]
fn what_a_participant_is_asked_for_is_checked() {
    let sandbox = Sandbox::start(&[]);
    let fifty = "\u{e9}".repeat(50);
    for good in [
        json!({}),
        json!({"tag": fifty, "callbackUrl": null, "publishPermissions": null}),
        json!({"deviceApiVersion": "v2"}),
        json!({"publishPermissions": []}),
        json!({"novel": {"x": 1}}),
    ] {
        let answer = sandbox.call("POST", "/participants", &good.to_string());
        assert_eq!(answer.status, 200, "{good}: {answer:?}");
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
        refused(&sandbox.call("POST", "/participants", &bad.to_string()), 400);
    }
    for bad in ["", "{", "{\"tag\":\"a\"}}", "\u{0}"] {
        refused(&sandbox.call("POST", "/participants", bad), 400);
    }
}

#[test]
fn a_session_is_created_read_and_deleted() {
    let sandbox = Sandbox::start(&[]);
    for (body, tag) in [("", json!(null)), ("null", json!(null)), (r#"{"tag":"r"}"#, json!("r"))] {
        let created = sandbox.call("POST", "/sessions", body);
        assert_eq!((created.status, &created.json["tag"]), (200, &tag), "{created:?}");
        let path = format!("/sessions/{}", created.json["id"].as_str().unwrap());
        assert_eq!(sandbox.call("GET", &path, "").json, created.json);
        done(&sandbox.call("DELETE", &path, ""));
        refused(&sandbox.call("GET", &path, ""), 404);
        refused(&sandbox.call("DELETE", &path, ""), 404);
    }
    refused(&sandbox.call("POST", "/sessions", r#"{"tag":7}"#), 400);
}

#[test]
fn a_participant_is_in_one_session_at_most() {
    let sandbox = Sandbox::start(&[]);
    let (first, second) = (sandbox.session(), sandbox.session());
    let participant = sandbox.participant("{}");
    let place = |session: &str| format!("/sessions/{session}/participants/{participant}");
    done(&sandbox.call("GET", &format!("/sessions/{first}/participants"), ""));
    done(&sandbox.call("PUT", &place(&first), ""));
    refused(&sandbox.call("PUT", &place(&second), ""), 409);
    refused(&sandbox.call("DELETE", &place(&second), ""), 404);
    let members = sandbox.call("GET", &format!("/sessions/{first}/participants"), "");
    assert_eq!(members.json[0]["id"], participant);
    assert_eq!(members.json[0]["sessions"], json!([first]));
    done(&sandbox.call("DELETE", &place(&first), ""));
    refused(&sandbox.call("DELETE", &place(&first), ""), 404);
    done(&sandbox.call("PUT", &place(&second), ""));
    done(&sandbox.call("DELETE", &format!("/sessions/{second}"), ""));
    let alone = sandbox.call("GET", &format!("/participants/{participant}"), "").json;
    assert_eq!((&alone["sessions"], &alone["subscriptions"]), (&json!([]), &json!({})));
    refused(&sandbox.call("PUT", &place(NOBODY), ""), 404);
    refused(&sandbox.call("PUT", &format!("/sessions/{first}/participants/{NOBODY}"), ""), 404);
}

#[test]
fn the_21st_participant_is_refused() {
    let sandbox = Sandbox::start(&[]);
    let session = sandbox.session();
    let members = format!("/sessions/{session}/participants");
    for _ in 0..20 {
        done(&sandbox.call("PUT", &format!("{members}/{}", sandbox.participant("{}")), ""));
    }
    let late = sandbox.participant("{}");
    refused(&sandbox.call("PUT", &format!("{members}/{late}"), ""), 409);
    assert_eq!(sandbox.call("GET", &members, "").json.as_array().unwrap().len(), 20);
    let somebody = sandbox.call("GET", &members, "").json[7]["id"].clone();
    done(&sandbox.call("DELETE", &format!("/participants/{}", somebody.as_str().unwrap()), ""));
    done(&sandbox.call("PUT", &format!("{members}/{late}"), ""));
}

#[test]
fn subscriptions_are_to_nobody_everybody_or_somebody() {
    let sandbox = Sandbox::start(&[]);
    let session = sandbox.session();
    let members = format!("/sessions/{session}/participants");
    let ids: Vec<String> = (0..3).map(|_| sandbox.participant("{}")).collect();
    for id in &ids {
        done(&sandbox.call("PUT", &format!("{members}/{id}"), ""));
    }
    let mine = format!("{members}/{}/subscriptions", ids[0]);
    let hears = || -> Vec<String> {
        let state = sandbox.control("GET", "/state", "").json;
        let participants = state["accounts"][0]["participants"].as_array().unwrap().clone();
        let me = participants.iter().find(|p| p["id"] == ids[0].as_str()).unwrap().clone();
        let mut ids: Vec<String> = serde_json::from_value(me["hears"].clone()).unwrap();
        ids.sort();
        ids
    };
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    for nobody in ["", "{}", "null", r#"{"participants":[]}"#, r#"{"sessionId":null}"#] {
        done(&sandbox.call("PUT", &mine, nobody));
        done(&sandbox.call("GET", &mine, ""));
        assert_eq!(hears(), [""; 0]);
    }
    let everybody = json!({"sessionId": session}).to_string();
    done(&sandbox.call("PUT", &mine, &everybody));
    assert_eq!(sandbox.call("GET", &mine, "").json["sessionId"], session);
    assert_eq!(hears(), sorted(vec![ids[1].clone(), ids[2].clone()]));
    // Later joiners are heard too.
    let late = sandbox.participant("{}");
    done(&sandbox.call("PUT", &format!("{members}/{late}"), ""));
    assert_eq!(hears(), sorted(vec![ids[1].clone(), ids[2].clone(), late]));
    let chosen = json!([{"participantId": ids[2], "streamAliases": ["camera"]}]);
    let both = json!({"sessionId": session, "participants": chosen}).to_string();
    done(&sandbox.call("PUT", &mine, &both));
    assert_eq!(sandbox.call("GET", &mine, "").json["participants"], chosen);
    assert_eq!(hears(), [ids[2].clone()]);
    for bad in [
        json!({"sessionId": NOBODY}),
        json!({"sessionId": 1}),
        json!({"participants": [{}]}),
        json!({"participants": [{"participantId": ""}]}),
        json!({"participants": [{"participantId": ids[1], "streamAliases": ["a", "a"]}]}),
        json!({"participants": {}}),
        json!([]),
    ] {
        refused(&sandbox.call("PUT", &mine, &bad.to_string()), 400);
    }
    assert_eq!(hears(), [ids[2].clone()]);
    let outside = format!("{members}/{}/subscriptions", sandbox.participant("{}"));
    refused(&sandbox.call("GET", &outside, ""), 404);
    refused(&sandbox.call("PUT", &outside, ""), 404);
}

#[test]
fn ids_that_are_none_are_a_bad_request() {
    let sandbox = Sandbox::start(&[]);
    for id in ["x", "1234", "%2e%2e", "x%3Fy=1", &"a".repeat(36), "caf%C3%A9", "%00"] {
        refused(&sandbox.call("GET", &format!("/participants/{id}"), ""), 400);
        refused(&sandbox.call("DELETE", &format!("/sessions/{id}"), ""), 400);
        refused(&sandbox.call("PUT", &format!("/sessions/{NOBODY}/participants/{id}"), ""), 400);
    }
    refused(&sandbox.call("GET", "/participants/", ""), 400);
}

#[test]
fn the_gateway_refuses_wrong_credentials_accounts_and_routes() {
    let sandbox = Sandbox::start(&[]);
    let ask = |method: &str, path: &str, user: Option<&str>| {
        exchange(&mut sandbox.connect(), &request(method, path, user, "")).unwrap()
    };
    let path = format!("/v1/accounts/9900000/sessions/{NOBODY}");
    for user in [None, Some("user:wrong"), Some("user:"), Some("other:secret"), Some("")] {
        let answer = ask("GET", &path, user);
        assert_eq!((answer.status, &answer.json), (401, &json!({"message": "Unauthorized"})));
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
        ("GET", "/"),
        ("GET", "/v1/accounts//participants/x"),
    ] {
        let answer = ask(method, path, Some("user:secret"));
        assert_eq!((answer.status, &answer.json), (403, &forbidden), "{method} {path}");
    }
}
