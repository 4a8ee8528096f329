//! The token endpoint, and access tokens under `/v1`.

mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use support::{
    Answer, GRANT, LIMIT, Sandbox, TOKEN_PATH, basic, exchange, header, parse, request,
    request_with, token_request, token_request_with,
};

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn claims(token: &str) -> Value {
    let part = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

/// An error of the token endpoint, as RFC 6749 describes it.
#[track_caller]
fn rejected(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, answer.json["error"].as_str()), (status, Some(error)), "{answer:?}");
    assert!(answer.json["error_description"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(header(&answer.head, "cache-control").unwrap(), "no-store");
}

#[test]
fn token_is_issued_and_accepted() {
    let sandbox = Sandbox::start(&[]);
    let answer = sandbox.send(&token_request());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(header(&answer.head, "content-type").unwrap(), "application/json");
    assert_eq!(header(&answer.head, "cache-control").unwrap(), "no-store");
    assert_eq!(
        (&answer.json["token_type"], &answer.json["expires_in"]),
        (&json!("Bearer"), &json!(3600))
    );
    let token = answer.json["access_token"].as_str().unwrap();
    let claims = claims(token);
    assert_eq!(
        (&claims["sub"], &claims["accounts"]),
        (&json!("client"), &json!(["9900000"])),
        "{claims}"
    );
    let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!((3600..=3601).contains(&lifetime), "{claims}");
    assert_eq!(sandbox.status_with(&bearer(token)), 200);
    assert_eq!(sandbox.status_with(&format!("bEARER {token}")), 200);
    // The user name and password are still accepted.
    assert_eq!(sandbox.status_with(&basic("user:secret")), 200);
    assert_ne!(sandbox.token(), token);
}

#[test]
fn token_request_may_be_written_in_other_ways() {
    let sandbox = Sandbox::start(&[]);
    let authorization = basic("client:client-secret");
    for (content_type, body) in [
        ("application/x-www-form-urlencoded;charset=UTF-8", GRANT),
        ("APPLICATION/x-www-form-urlencoded", "grant_type=client%5Fcredentials"),
        ("application/x-www-form-urlencoded", "scope=&grant_type=client_credentials&other=1"),
    ] {
        let headers = format!(
            "authorization: {}\r\nContent-Type: {content_type}\r\n",
            authorization.replace("Basic", "basic")
        );
        let answer = sandbox.send(&request_with("POST", TOKEN_PATH, &headers, body));
        assert_eq!(answer.status, 200, "{content_type} {body}: {answer:?}");
    }
}

#[test]
fn wrong_client_credentials_are_rejected_with_401() {
    let sandbox = Sandbox::start(&[]);
    let token = sandbox.token();
    for authorization in [
        basic("client:wrong"),
        basic("other:client-secret"),
        basic("client:"),
        basic("client"),
        // The pair for /v1 is not a client.
        basic("user:secret"),
        bearer(&token),
        "Basic".to_owned(),
        "Basic ???".to_owned(),
        String::new(),
    ] {
        let answer = sandbox.send(&token_request_with(&authorization, GRANT));
        rejected(&answer, 401, "invalid_client");
        assert!(header(&answer.head, "www-authenticate").unwrap().starts_with("Basic "));
    }
    // Neither in the body, nor twice.
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let body = format!("{GRANT}&client_id=client&client_secret=client-secret");
    let answer = sandbox.send(&request_with("POST", TOKEN_PATH, form, &body));
    rejected(&answer, 401, "invalid_client");
    let header = format!("Authorization: {}\r\n", basic("client:client-secret"));
    let twice = format!("{form}{header}{header}");
    rejected(
        &sandbox.send(&request_with("POST", TOKEN_PATH, &twice, GRANT)),
        401,
        "invalid_client",
    );
}

#[test]
fn wrong_token_requests_are_rejected_with_400_405_and_415() {
    let sandbox = Sandbox::start(&[]);
    let authorization = basic("client:client-secret");
    for (body, error) in [
        ("grant_type=password&username=user&password=secret", "unsupported_grant_type"),
        ("grant_type=client_credentials%20", "unsupported_grant_type"),
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("GRANT_TYPE=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&client_secret=client-secret", "invalid_request"),
    ] {
        rejected(&sandbox.send(&token_request_with(&authorization, body)), 400, error);
    }
    for method in ["GET", "PUT", "DELETE"] {
        let bytes = token_request().replacen("POST", method, 1);
        let answer = sandbox.send(&bytes);
        rejected(&answer, 405, "invalid_request");
        assert_eq!(header(&answer.head, "allow").unwrap(), "POST");
    }
    for content_type in ["", "Content-Type: application/json\r\n"] {
        let headers = format!("Authorization: {authorization}\r\n{content_type}");
        let answer = sandbox.send(&request_with("POST", TOKEN_PATH, &headers, GRANT));
        rejected(&answer, 415, "invalid_request");
    }
}

#[test]
fn client_id_and_secret_are_those_of_the_command_line() {
    let sandbox = Sandbox::start(&["--client-id", "me", "--client-secret", "a:b\u{e9}"]);
    let status = |pair| sandbox.send(&token_request_with(&basic(pair), GRANT)).status;
    assert_eq!((status("me:a:b\u{e9}"), status("client:client-secret")), (200, 401));
}

#[test]
fn no_basic_rejects_the_user_name_and_password() {
    let sandbox = Sandbox::start(&["--no-basic"]);
    let bytes = request("POST", "/v1/accounts/9900000/sessions", Some("user:secret"), "{}");
    let answer = sandbox.send(&bytes);
    assert_eq!((answer.status, answer.json), (401, json!({"message": "Unauthorized"})));
    let token = sandbox.token();
    assert_eq!(sandbox.status_with(&bearer(&token)), 200);
}

#[test]
fn forged_tokens_are_rejected() {
    let sandbox = Sandbox::start(&[]);
    let token = sandbox.token();
    let parts: Vec<&str> = token.split('.').collect();
    let encode = |document: &Value| BASE64_URL_SAFE_NO_PAD.encode(document.to_string());
    let mut changed = claims(&token);
    changed["exp"] = json!(u64::MAX);
    let changed = encode(&changed);
    let unsigned = encode(&json!({"alg": "none", "typ": "JWT"}));
    let created = sandbox.call("POST", "/participants", "{}");
    let other = Sandbox::start(&[]).token();
    for forged in [
        format!("{}.{changed}.{}", parts[0], parts[2]),
        format!("{unsigned}.{}.", parts[1]),
        format!("{unsigned}.{}.{}", parts[1], parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{token}x"),
        token[..token.len() - 1].to_owned(),
        // Signed by the sandbox, but for a participant.
        created.json["token"].as_str().unwrap().to_owned(),
        other,
        "..".to_owned(),
        "client-secret".to_owned(),
        String::new(),
    ] {
        assert_eq!(sandbox.status_with(&bearer(&forged)), 401, "{forged}");
    }
    assert_eq!(sandbox.status_with(&format!("Basic {token}")), 401);
    assert_eq!(sandbox.status_with(&token), 401);
    assert_eq!(sandbox.status_with(&bearer(&token)), 200);
}

#[test]
fn token_is_for_its_account_only() {
    let sandbox = Sandbox::start(&["--account", "77"]);
    let headers = format!("Authorization: {}\r\n", bearer(&sandbox.token()));
    let status = |account: &str| {
        let path = format!("/v1/accounts/{account}/sessions");
        sandbox.send(&request_with("POST", &path, &headers, "{}")).status
    };
    assert_eq!((status("77"), status("9900000")), (200, 403));
}

#[test]
fn token_expires_after_its_lifetime() {
    let sandbox = Sandbox::start(&["--token-ttl", "1"]);
    let began = Instant::now();
    let answer = sandbox.send(&token_request());
    assert_eq!(answer.json["expires_in"], 1);
    let token = bearer(answer.json["access_token"].as_str().unwrap());
    while sandbox.status_with(&token) == 200 {
        assert!(began.elapsed() < LIMIT, "it does not expire");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Not before the end of what `expires_in` states.
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(sandbox.status_with(&token), 401);
    assert_eq!(sandbox.status_with(&bearer(&sandbox.token())), 200);
}

#[test]
fn lifetime_may_be_zero_or_huge() {
    for ttl in ["0", "18446744073709551615"] {
        let sandbox = Sandbox::start(&["--token-ttl", ttl]);
        let answer = sandbox.send(&token_request());
        assert_eq!(answer.json["expires_in"].to_string(), ttl);
        assert!(answer.json["access_token"].is_string());
    }
}

#[test]
fn revoked_tokens_are_rejected() {
    let sandbox = Sandbox::start(&[]);
    let (one, two) = (bearer(&sandbox.token()), bearer(&sandbox.token()));
    assert_eq!((sandbox.status_with(&one), sandbox.status_with(&two)), (200, 200));
    assert_eq!(sandbox.control("POST", "/tokens/revoke", "").status, 204);
    assert_eq!((sandbox.status_with(&one), sandbox.status_with(&two)), (401, 401));
    let new = bearer(&sandbox.token());
    assert_eq!(sandbox.status_with(&new), 200);
    // A reset changes nothing: a client that continues does not meet a 401, and a revoked token
    // stays revoked.
    assert_eq!(sandbox.control("POST", "/reset", "").status, 204);
    assert_eq!((sandbox.status_with(&new), sandbox.status_with(&one)), (200, 401));
}

#[test]
fn secrets_can_be_rotated() {
    let sandbox = Sandbox::start(&[]);
    let old = bearer(&sandbox.token());
    let token_status = |secret| {
        sandbox.send(&token_request_with(&basic(&format!("client:{secret}")), GRANT)).status
    };
    let rotate = |body: &str| sandbox.control("POST", "/secret", body).status;
    assert_eq!(rotate(r#"{"clientSecret": "new"}"#), 204);
    assert_eq!((token_status("client-secret"), token_status("new")), (401, 200));
    // Tokens of the previous secret stay valid, and the password is another secret.
    assert_eq!(sandbox.status_with(&old), 200);
    assert_eq!(sandbox.status_with(&basic("user:secret")), 200);
    assert_eq!(rotate(r#"{"clientSecret": "newer", "password": "p"}"#), 204);
    assert_eq!((token_status("new"), token_status("newer")), (401, 200));
    let user = |password: &str| sandbox.status_with(&basic(&format!("user:{password}")));
    assert_eq!((user("secret"), user("p")), (401, 200));
    assert_eq!(sandbox.control("POST", "/reset", "").status, 204);
    assert_eq!((token_status("newer"), token_status("client-secret")), (401, 200));
    assert_eq!((user("p"), user("secret")), (401, 200));
}

#[test]
fn invalid_rotation_changes_nothing() {
    let sandbox = Sandbox::start(&["--no-basic"]);
    for body in [
        "",
        "{}",
        "\"topsecret\"",
        r#"{"clientSecret": 5}"#,
        r#"{"secret": "topsecret"}"#,
        r#"{"clientSecret": "topsecret", "password": "p"}"#,
    ] {
        let answer = sandbox.control("POST", "/secret", body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json["error"].as_str().unwrap().contains("password"), "{answer:?}");
        assert!(!answer.body.contains("topsecret"), "{answer:?}");
    }
    sandbox.token();
}

#[test]
fn secrets_in_a_wrong_place_are_not_recorded() {
    let mut child = support::program(&[])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = child.stderr.take().unwrap();
    let mut sandbox = Sandbox::running(child);
    let headers = "Cookie: session=topsecret\r\nX-Api-Key: topsecret\r\n\
        Referer: http://localhost/?token=topsecret\r\nX-topsecret: 1\r\nUser-Agent: tester\r\n";
    for body in [
        "grant_type=client_credentials&client_secret=topsecret",
        "topsecret",
        r#"{"tag": "a", "client_secret": "topsecret", "more": [{"Password": {"is": "topsecret"}}]}"#,
    ] {
        let path = "/v1/accounts/9900000/participants?access_token=topsecret";
        sandbox.send(&request_with("POST", path, headers, body));
    }
    let answer = sandbox.control("GET", "/requests", "");
    assert!(!answer.body.contains("topsecret"), "{}", answer.body);
    let seen = answer.json.as_array().unwrap();
    assert_eq!(seen[0]["path"], "/v1/accounts/9900000/participants");
    assert_eq!(seen[0]["headers"]["user-agent"], "tester");
    assert_eq!(seen[0]["body"], "grant_type=client_credentials&client_secret");
    assert_eq!(
        seen[2]["body"],
        json!({"tag": "a", "client_secret": "omitted", "more": [{"Password": "omitted"}]})
    );
    sandbox.child.kill().unwrap();
    sandbox.ended();
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert!(text.contains("POST /v1/accounts/9900000/participants -> 401"), "{text}");
    assert!(!text.contains("topsecret"), "{text}");
}

#[test]
fn token_requests_are_recorded_without_secrets() {
    let sandbox = Sandbox::start(&[]);
    let token = sandbox.token();
    assert_eq!(sandbox.status_with(&bearer(&token)), 200);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n\
        Proxy-Authorization: Basic Y2xpZW50OmNsaWVudC1zZWNyZXQ=\r\n";
    let body = "grant_type=password&client_id=me&client_secret=client-secret&password=client-secret\
        &client-secret";
    for path in [TOKEN_PATH, "/v1/oauth2/token", "/wrong"] {
        let path = format!("{path}?client_secret=client-secret");
        sandbox.send(&request_with("POST", &path, form, body));
    }
    let json = r#"{"client_secret": "client-secret"}"#;
    let headers = "Content-Type: application/json\r\n";
    assert_eq!(sandbox.send(&request_with("POST", TOKEN_PATH, headers, json)).status, 415);
    let answer = sandbox.control("GET", "/requests", "");
    let seen = answer.json.as_array().unwrap();
    let operations: Vec<&Value> = seen.iter().map(|request| &request["operation"]).collect();
    let expected = json!(["token", "createSession", "token", null, null, "token"]);
    assert_eq!(json!(operations), expected);
    assert_eq!((&seen[0]["path"], &seen[0]["body"]), (&json!(TOKEN_PATH), &json!(GRANT)));
    assert_eq!((&seen[0]["status"], &seen[0]["method"]), (&json!(200), &json!("POST")));
    for request in &seen[2..5] {
        let body = "grant_type=password&client_id&client_secret&password&omitted";
        assert_eq!(request["body"], body, "{request}");
    }
    for secret in ["client-secret", "Y2xpZW50", "uthorization", token.as_str()] {
        assert!(!answer.body.contains(secret), "{secret} is in {}", answer.body);
    }
}

#[test]
fn log_line_of_a_token_request_contains_no_secret() {
    let mut child = support::program(&[])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = child.stderr.take().unwrap();
    let mut sandbox = Sandbox::running(child);
    let token = sandbox.token();
    let path = format!("{TOKEN_PATH}?client_secret=client-secret");
    sandbox.send(&request_with("POST", &path, "", "client_secret=client-secret"));
    sandbox.child.kill().unwrap();
    sandbox.ended();
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert!(text.contains("POST /api/v1/oauth2/token -> 200 (token, "), "{text}");
    assert!(text.contains("POST /api/v1/oauth2/token -> 415 (token, "), "{text}");
    for secret in ["client-secret", "Y2xpZW50", token.as_str()] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

/// Requests a token; all bytes of the response.
fn bytes(sandbox: &Sandbox) -> Vec<u8> {
    let mut stream = sandbox.connect();
    stream.write_all(token_request().as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn every_kind_of_fault_affects_the_token_request() {
    let sandbox = Sandbox::start(&[]);
    let fault = |more: Value| {
        let mut order = json!({"operation": "token"});
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        sandbox.fault(&order);
    };
    fault(
        json!({"kind": "status", "status": 503, "headers": {"Retry-After": "7"}, "body": "busy"}),
    );
    let answer = parse(&bytes(&sandbox)).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (503, "busy"));
    assert_eq!(header(&answer.head, "retry-after").unwrap(), "7");

    fault(json!({"kind": "delay", "ms": 300}));
    let began = Instant::now();
    assert_eq!(parse(&bytes(&sandbox)).unwrap().status, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));

    for kind in ["close_before", "close_after"] {
        fault(json!({"kind": kind}));
        assert_eq!(bytes(&sandbox), b"", "{kind}");
    }

    fault(json!({"kind": "truncate"}));
    let text = String::from_utf8(bytes(&sandbox)).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length: usize = header(head, "content-length").unwrap().parse().unwrap();
    assert!(!body.is_empty() && body.len() < length, "{} of {length}", body.len());

    fault(json!({"kind": "garbage"}));
    let garbage = bytes(&sandbox);
    assert!(!garbage.is_empty() && !garbage.starts_with(b"HTTP"), "{garbage:?}");

    fault(json!({"kind": "dribble", "bytesPerSecond": 2000}));
    let began = Instant::now();
    let answer = bytes(&sandbox);
    assert_eq!(parse(&answer).unwrap().status, 200);
    let least = Duration::from_secs_f64(answer.len() as f64 / 2000.0 * 0.8);
    assert!(began.elapsed() >= least, "{:?} for {} bytes", began.elapsed(), answer.len());

    let seen = sandbox.control("GET", "/requests", "").json;
    let statuses: Vec<&Value> =
        seen.as_array().unwrap().iter().map(|request| &request["status"]).collect();
    assert_eq!(json!(statuses), json!([503, 200, null, null, 200, 200, 200]));
    assert_eq!(parse(&bytes(&sandbox)).unwrap().status, 200);
}

#[test]
fn faults_of_the_token_request_are_separate_from_those_of_all_operations() {
    let sandbox = Sandbox::start(&[]);
    let token = bearer(&sandbox.token());
    sandbox.fault(&json!({"operation": "*", "kind": "status", "status": 500, "count": null}));
    sandbox.fault(&json!({"operation": "token", "kind": "status", "status": 429, "after": 1}));
    let status = || exchange(&mut sandbox.connect(), &token_request()).unwrap().status;
    assert_eq!((status(), status(), status()), (200, 429, 200));
    assert_eq!(sandbox.status_with(&token), 500);
    // Also if the credentials are wrong.
    sandbox.fault(&json!({"operation": "token", "kind": "status", "status": 503}));
    let wrong = token_request_with(&basic("client:wrong"), GRANT);
    assert_eq!((sandbox.send(&wrong).status, sandbox.send(&wrong).status), (503, 401));
}
