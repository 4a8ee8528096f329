//! The token endpoint, and access tokens under `/v1`.

mod support;

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use support::{
    FORM, GRANT, PARTICIPANTS, Response, SESSIONS, Sandbox, TOKEN_PATH, assert_contains_none,
    authorization, basic, bearer, jwt_part, request, token_request, token_request_with,
    user_request, wait_for,
};

/// Fails unless this is an error of the token endpoint, as RFC 6749 describes it.
#[track_caller]
fn assert_rejected(response: &Response, status: u16, error: &str) {
    assert_eq!(
        (response.status, response.json["error"].as_str()),
        (status, Some(error)),
        "{response:?}"
    );
    assert!(response.json["error_description"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(response.header("cache-control").unwrap(), "no-store");
}

#[test]
fn token_is_issued_and_accepted() {
    let sandbox = Sandbox::start(&[]);
    let response = sandbox.send(&token_request());
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("content-type").unwrap(), "application/json");
    assert_eq!(response.header("cache-control").unwrap(), "no-store");
    assert_eq!(
        (&response.json["token_type"], &response.json["expires_in"]),
        (&json!("Bearer"), &json!(3600))
    );
    let token = response.json["access_token"].as_str().unwrap();
    let claims = jwt_part(token, 1);
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
fn equivalent_token_requests_are_accepted() {
    let sandbox = Sandbox::start(&[]);
    let credentials = basic("client:client-secret");
    for (content_type, body) in [
        ("application/x-www-form-urlencoded;charset=UTF-8", GRANT),
        ("APPLICATION/x-www-form-urlencoded", "grant_type=client%5Fcredentials"),
        ("application/x-www-form-urlencoded", "scope=&grant_type=client_credentials&other=1"),
    ] {
        let headers = format!(
            "authorization: {}\r\nContent-Type: {content_type}\r\n",
            credentials.replace("Basic", "basic")
        );
        let response = sandbox.send(&request("POST", TOKEN_PATH, &headers, body));
        assert_eq!(response.status, 200, "{content_type} {body}: {response:?}");
    }
}

#[test]
fn wrong_client_credentials_are_rejected_with_401() {
    let sandbox = Sandbox::start(&[]);
    let token = sandbox.token();
    for credentials in [
        basic("client:wrong"),
        basic("other:client-secret"),
        basic("client:"),
        basic("client"),
        // An API user is not a client.
        basic("user:secret"),
        bearer(&token),
        "Basic".to_owned(),
        "Basic ???".to_owned(),
        String::new(),
    ] {
        let response = sandbox.send(&token_request_with(&credentials, GRANT));
        assert_rejected(&response, 401, "invalid_client");
        assert!(response.header("www-authenticate").unwrap().starts_with("Basic "));
    }
    // In the body, or repeated.
    let body = format!("{GRANT}&client_id=client&client_secret=client-secret");
    let response = sandbox.send(&request("POST", TOKEN_PATH, FORM, &body));
    assert_rejected(&response, 401, "invalid_client");
    let header = authorization(&basic("client:client-secret"));
    let twice = format!("{FORM}{header}{header}");
    assert_rejected(
        &sandbox.send(&request("POST", TOKEN_PATH, &twice, GRANT)),
        401,
        "invalid_client",
    );
}

#[test]
fn wrong_token_requests_are_rejected_with_400_405_and_415() {
    let sandbox = Sandbox::start(&[]);
    let credentials = basic("client:client-secret");
    for (body, error) in [
        ("grant_type=password&username=user&password=secret", "unsupported_grant_type"),
        ("grant_type=client_credentials%20", "unsupported_grant_type"),
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("GRANT_TYPE=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&client_secret=client-secret", "invalid_request"),
    ] {
        assert_rejected(&sandbox.send(&token_request_with(&credentials, body)), 400, error);
    }
    for method in ["GET", "PUT", "DELETE"] {
        let bytes = token_request().replacen("POST", method, 1);
        let response = sandbox.send(&bytes);
        assert_rejected(&response, 405, "invalid_request");
        assert_eq!(response.header("allow").unwrap(), "POST");
    }
    for content_type in ["", "Content-Type: application/json\r\n"] {
        let headers = authorization(&credentials) + content_type;
        let response = sandbox.send(&request("POST", TOKEN_PATH, &headers, GRANT));
        assert_rejected(&response, 415, "invalid_request");
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
    let response = sandbox.send(&user_request("POST", SESSIONS, "{}"));
    assert_eq!((response.status, response.json), (401, json!({"message": "Unauthorized"})));
    let token = sandbox.token();
    assert_eq!(sandbox.status_with(&bearer(&token)), 200);
}

#[test]
fn forged_tokens_are_rejected() {
    let sandbox = Sandbox::start(&[]);
    let token = sandbox.token();
    let parts: Vec<&str> = token.split('.').collect();
    let encode = |document: &Value| BASE64_URL_SAFE_NO_PAD.encode(document.to_string());
    let mut changed = jwt_part(&token, 1);
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
    let headers = authorization(&bearer(&sandbox.token()));
    let status = |account: &str| {
        let path = format!("/v1/accounts/{account}/sessions");
        sandbox.send(&request("POST", &path, &headers, "{}")).status
    };
    assert_eq!((status("77"), status("9900000")), (200, 403));
}

#[test]
fn token_expires_after_its_lifetime() {
    let sandbox = Sandbox::start(&["--token-ttl", "1"]);
    let started = Instant::now();
    let response = sandbox.send(&token_request());
    assert_eq!(response.json["expires_in"], 1);
    let token = bearer(response.json["access_token"].as_str().unwrap());
    wait_for("the expiry", || (sandbox.status_with(&token) != 200).then_some(()));
    // Not before the end of what `expires_in` states.
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(sandbox.status_with(&token), 401);
    assert_eq!(sandbox.status_with(&bearer(&sandbox.token())), 200);
}

#[test]
fn lifetime_may_be_zero_or_huge() {
    for ttl in ["0", "18446744073709551615"] {
        let sandbox = Sandbox::start(&["--token-ttl", ttl]);
        let response = sandbox.send(&token_request());
        assert_eq!(response.json["expires_in"].to_string(), ttl);
        assert!(response.json["access_token"].is_string());
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
    // A reset changes no token: a client can continue without a 401, and a revoked token stays
    // revoked.
    sandbox.reset();
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
    sandbox.reset();
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
        let response = sandbox.control("POST", "/secret", body);
        assert_eq!(response.status, 400, "{body}");
        assert!(response.json["error"].as_str().unwrap().contains("password"), "{response:?}");
        assert!(!response.body.contains("topsecret"), "{response:?}");
    }
    sandbox.token();
}

#[test]
fn secrets_in_a_wrong_place_are_not_recorded() {
    let (mut sandbox, log) = Sandbox::start_with_log(&[]);
    let headers = "Cookie: session=topsecret\r\nX-Api-Key: topsecret\r\n\
        Referer: http://localhost/?token=topsecret\r\nX-topsecret: 1\r\nUser-Agent: tester\r\n";
    for body in [
        "grant_type=client_credentials&client_secret=topsecret",
        "topsecret",
        r#"{"tag": "a", "client_secret": "topsecret", "more": [{"Password": {"is": "topsecret"}}]}"#,
    ] {
        let path = format!("{PARTICIPANTS}?access_token=topsecret");
        sandbox.send(&request("POST", &path, headers, body));
    }
    let response = sandbox.control("GET", "/requests", "");
    assert_contains_none(&response.body, &["topsecret"]);
    let requests = response.json.as_array().unwrap();
    assert_eq!(requests[0]["path"], PARTICIPANTS);
    assert_eq!(requests[0]["headers"]["user-agent"], "tester");
    assert_eq!(requests[0]["body"], "grant_type=client_credentials&client_secret");
    assert_eq!(
        requests[2]["body"],
        json!({"tag": "a", "client_secret": "omitted", "more": [{"Password": "omitted"}]})
    );
    let text = sandbox.stop_and_read(log);
    assert!(text.contains("POST /v1/accounts/9900000/participants -> 401"), "{text}");
    assert_contains_none(&text, &["topsecret"]);
}

#[test]
fn token_requests_are_recorded_without_secrets() {
    let sandbox = Sandbox::start(&[]);
    let token = sandbox.token();
    assert_eq!(sandbox.status_with(&bearer(&token)), 200);
    let headers = format!("{FORM}Proxy-Authorization: Basic Y2xpZW50OmNsaWVudC1zZWNyZXQ=\r\n");
    let body = "grant_type=password&client_id=me&client_secret=client-secret&password=client-secret\
        &client-secret";
    for path in [TOKEN_PATH, "/v1/oauth2/token", "/wrong"] {
        let path = format!("{path}?client_secret=client-secret");
        sandbox.send(&request("POST", &path, &headers, body));
    }
    let json = r#"{"client_secret": "client-secret"}"#;
    let headers = "Content-Type: application/json\r\n";
    assert_eq!(sandbox.send(&request("POST", TOKEN_PATH, headers, json)).status, 415);
    let response = sandbox.control("GET", "/requests", "");
    let requests = response.json.as_array().unwrap();
    let operations: Vec<&Value> = requests.iter().map(|request| &request["operation"]).collect();
    let expected = json!(["token", "createSession", "token", null, null, "token"]);
    assert_eq!(json!(operations), expected);
    assert_eq!((&requests[0]["path"], &requests[0]["body"]), (&json!(TOKEN_PATH), &json!(GRANT)));
    assert_eq!((&requests[0]["status"], &requests[0]["method"]), (&json!(200), &json!("POST")));
    for request in &requests[2..5] {
        let body = "grant_type=password&client_id&client_secret&password&omitted";
        assert_eq!(request["body"], body, "{request}");
    }
    assert_contains_none(&response.body, &["client-secret", "Y2xpZW50", "uthorization", &token]);
}

#[test]
fn log_line_of_a_token_request_contains_no_secret() {
    let (mut sandbox, log) = Sandbox::start_with_log(&[]);
    let token = sandbox.token();
    let path = format!("{TOKEN_PATH}?client_secret=client-secret");
    sandbox.send(&request("POST", &path, "", "client_secret=client-secret"));
    let text = sandbox.stop_and_read(log);
    assert!(text.contains("POST /api/v1/oauth2/token -> 200 (token, "), "{text}");
    assert!(text.contains("POST /api/v1/oauth2/token -> 415 (token, "), "{text}");
    assert_contains_none(&text, &["client-secret", "Y2xpZW50", &token]);
}
