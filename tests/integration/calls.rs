//! Successful calls and retried calls: the request that is sent, the reuse of connections, changed
//! credentials, freed clients, and threads that share a client.

use std::collections::HashSet;
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::abi::Client;
use crate::support::secrets;
use crate::support::test_server::{
    Behavior, TestServer, read_request, read_request_text, respond_with, response,
};
use crate::support::wait_until;
use bw_webrtc::ffi::bw_client_free;
use serde_json::{Value, json};

const GOOD: &str = r#"{"participant":{"id":"p-1","extra":[1]},"token":"t","unknown":null}"#;

/// Sends these responses in order, on whichever connection a request arrives, and then repeats the last one.
fn script(responses: &[String]) -> Behavior {
    let (responses, next) = (responses.to_vec(), AtomicUsize::new(0));
    Arc::new(move |connection, state| {
        while read_request(connection, state)? {
            let at = next.fetch_add(1, Ordering::SeqCst);
            connection.write_all(responses[at.min(responses.len() - 1)].as_bytes())?;
        }
        Ok(())
    })
}

#[test]
fn the_request_is_what_the_service_documents() {
    let server = TestServer::start(None, respond_with(response("200 OK", "", GOOD)));
    let client = server.client(json!({"userAgent": "kamailio/5.6"}));
    let created = client.create(r#"{"tag":"ä","publishPermissions":["AUDIO"]}"#).unwrap();
    assert_eq!(created, serde_json::from_str::<Value>(GOOD).unwrap());
    let received = server.requests();
    let (head, body) = received[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(body, r#"{"tag":"ä","publishPermissions":["AUDIO"]}"#);
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some("POST /v1/accounts/9900000/participants HTTP/1.1"));
    let headers: HashSet<String> = lines.map(str::to_lowercase).collect();
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        format!("host: {}", server.address),
        "authorization: basic dxnlcjpzzwnyzxq=".to_owned(),
        format!("user-agent: libbw_webrtc/{version} kamailio/5.6"),
        "accept: application/json".to_owned(),
        "accept-encoding: identity".to_owned(),
        "content-type: application/json".to_owned(),
        "content-length: 43".to_owned(),
    ];
    assert_eq!(headers, expected.into_iter().collect());
}

#[test]
fn consecutive_calls_use_one_connection() {
    let server = TestServer::start(None, respond_with(response("200 OK", "", GOOD)));
    let client = server.client(json!({}));
    for _ in 0..20 {
        client.create("{}").unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn connection_closed_by_the_peer_is_not_reused() {
    // Without the probe in Connection::is_open, a call after the close fails with the outcome unknown.
    let closed = Arc::new(AtomicUsize::new(0));
    let count = closed.clone();
    let behavior: Behavior = Arc::new(move |connection, state| {
        read_request(connection, state)?;
        connection.write_all(response("200 OK", "", GOOD).as_bytes())?;
        connection.tcp().shutdown(Shutdown::Both)?;
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let server = TestServer::start(None, behavior);
    let client = server.client(json!({"maxRetries": 0}));
    for calls in 1..=10 {
        client.create("{}").unwrap();
        wait_until("the close", || closed.load(Ordering::SeqCst) == calls);
    }
}

#[test]
fn connection_with_unread_bytes_is_not_reused() {
    let two = response("200 OK", "", GOOD) + &response("200 OK", "", r#"{"not":"yours"}"#);
    let server = TestServer::start(None, respond_with(two));
    let client = server.client(json!({"maxRetries": 0}));
    for _ in 0..3 {
        assert_eq!(client.create("{}").unwrap()["token"], "t");
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn expired_idle_connection_is_not_reused() {
    let server = TestServer::start(None, respond_with(response("200 OK", "", GOOD)));
    let client = server.client(json!({"idleTimeoutMs": 0}));
    for _ in 0..3 {
        client.create("{}").unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn rejected_create_is_retried_and_unknown_outcome_is_not() {
    let ok = response("200 OK", "", GOOD);
    for (line, attempts) in [
        ("429 Too Many Requests", 2),
        ("503 Service Unavailable\r\nRetry-After: 0", 2),
        ("503 Service Unavailable", 1),
        ("500 Internal Server Error", 1),
        ("502 Bad Gateway", 1),
        ("504 Gateway Timeout", 1),
        ("400 Bad Request", 1),
    ] {
        let server = TestServer::start(None, script(&[response(line, "", "{}"), ok.clone()]));
        let result = server.client(json!({})).create("{}");
        assert_eq!(server.requests().len(), attempts, "{line}");
        assert_eq!(result.is_ok(), attempts == 2, "{line}: {result:?}");
    }
}

#[test]
fn retries_stop_at_max_retries_and_attempts_are_reported() {
    let busy = response("503 Service Unavailable", "Retry-After: 0\r\n", "{}");
    let server = TestServer::start(None, script(&[busy]));
    let error = server.client(json!({"maxRetries": 3})).create("{}").unwrap_err();
    assert_eq!(error["error"]["attempts"], 4);
    assert_eq!(error["error"]["outcome"], "rejected");
    assert_eq!(error["error"]["retryAfterMs"], 0);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn connections_use_the_bind_address_or_fail() {
    let peers: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = peers.clone();
    let server = TestServer::start(
        None,
        Arc::new(move |connection, state| {
            kept.lock().unwrap().push(connection.tcp().peer_addr()?.ip().to_string());
            read_request(connection, state)?;
            connection.write_all(response("200 OK", "", GOOD).as_bytes())
        }),
    );
    let mapped = format!("http://[::ffff:127.0.0.1]:{}/v1", server.address.port());
    for (url, bind) in [
        (server.url(), "127.0.0.9"),
        (server.url(), "::ffff:127.0.0.9"),
        (mapped.clone(), "127.0.0.9"),
    ] {
        server.client(json!({"baseUrl": url, "bindAddress": bind})).create("{}").unwrap();
        assert_eq!(peers.lock().unwrap().pop().unwrap(), "127.0.0.9", "{url} from {bind}");
    }
    for (url, bind, part) in [
        (server.url().as_str(), "::1", "has no IPv6 address, and bindAddress ::1 allows no other"),
        (&mapped, "::1", "has no IPv6 address"),
        ("http://[::1]:1/v1", "127.0.0.9", "has no IPv4 address"),
        // An address that this machine does not have.
        (&server.url(), "192.0.2.7", "see bindAddress (192.0.2.7)"),
    ] {
        let bound = server.client(json!({"baseUrl": url, "bindAddress": bind, "maxRetries": 1}));
        let error = bound.create("{}").unwrap_err()["error"].take();
        assert_eq!(error["name"], "BW_E_CONNECT", "{error}");
        assert_eq!(error["outcome"], "not_sent", "{error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
    assert!(peers.lock().unwrap().is_empty());
}

#[test]
fn token_in_a_wrong_place_is_not_quoted_in_errors() {
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJwIjoic2VjcmV0In0.c2lnbmF0dXJl";
    // The service repeats the path in its error.
    let server = TestServer::start(
        None,
        Arc::new(|connection, state| {
            while let Some(request) = read_request_text(connection, state)? {
                let path = request.split(' ').nth(1).unwrap_or("");
                let body = json!({"error": format!("There is nothing at {path}."), "path": path});
                connection
                    .write_all(response("404 Not Found", "", &body.to_string()).as_bytes())?;
            }
            Ok(())
        }),
    );
    let good = server.client(json!({}));
    let session = "s-1";
    let mut documents = vec![
        good.call("getParticipant", session, TOKEN, None).unwrap_err(),
        good.call("getSession", TOKEN, "", None).unwrap_err(),
        good.call_document(&json!({"operation": TOKEN, "sessionId": session}).to_string())
            .unwrap_err(),
        good.call_document(&json!({"operation": "getSession", TOKEN: 1}).to_string()).unwrap_err(),
        good.create(&json!({"callbackUrl": TOKEN, "deviceApiVersion": TOKEN}).to_string())
            .unwrap_err(),
        good.create(&json!({TOKEN: 1, "publishPermissions": [TOKEN]}).to_string()).unwrap_err(),
    ];
    for key in ["baseUrl", "bindAddress", "caFile", "clientCertFile", "ipFamily", "proxy", TOKEN] {
        let mut config = json!({"accountId": "1", "username": "u", "password": "p"});
        config["clientKeyFile"] = json!("/dev/null");
        config[key] = json!(TOKEN);
        documents.push(Client::new(&config).err().unwrap());
    }
    for host in ["http://localhost:1", "https://127.0.0.77:1"] {
        let url = format!("{host}/v1/{TOKEN}");
        let config = json!({"baseUrl": url, "maxRetries": 0});
        documents.push(server.client(config).create("{}").unwrap_err());
    }
    for document in documents {
        let text = document.to_string();
        assert!(!text.contains("eyJ") && !text.contains("c2lnbmF0dXJl"), "{text}");
    }
}

#[test]
fn retry_after_beyond_the_deadline_fails_at_once() {
    let busy = response("429 Too Many Requests", "Retry-After: 3600\r\n", "{}");
    let server = TestServer::start(None, script(&[busy]));
    let error = server.client(json!({})).create("{}").unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_RATE_LIMITED");
    assert_eq!(error["error"]["retryAfterMs"], 3_600_000);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn retry_after_beyond_the_configured_limit_fails_at_once() {
    for (seconds, config, requests) in [
        (6, json!({"timeoutMs": 60_000}), 1),
        (2, json!({"timeoutMs": 60_000, "maxRetryAfterMs": 1_999}), 1),
        (1, json!({"timeoutMs": 60_000, "maxRetryAfterMs": 0}), 1),
        (0, json!({"timeoutMs": 60_000, "maxRetryAfterMs": 0, "maxRetries": 1}), 2),
        (1, json!({"timeoutMs": 60_000, "maxRetryAfterMs": 1_000, "maxRetries": 1}), 2),
    ] {
        let header = format!("Retry-After: {seconds}\r\n");
        let busy = response("503 Service Unavailable", &header, "{}");
        let server = TestServer::start(None, respond_with(busy));
        let error = server.client(config.clone()).create("{}").unwrap_err();
        assert_eq!(error["error"]["name"], "BW_E_SERVER", "{error}");
        assert_eq!(error["error"]["retryAfterMs"], seconds * 1000);
        assert_eq!(server.requests().len(), requests, "{seconds} {config}");
    }
}

#[test]
fn retry_after_values_of_a_call_are_limited_together() {
    let busy = response("429 Too Many Requests", "Retry-After: 1\r\n", "{}");
    for (config, requests) in [
        (json!({"maxRetries": 9, "maxRetryAfterMs": 2_999}), 3),
        (json!({"maxRetries": 1, "maxRetryAfterMs": 2_999}), 2),
    ] {
        let server = TestServer::start(None, respond_with(busy.clone()));
        let client = server.client(config);
        // Each call has its own sum.
        for calls in 1..=2 {
            let error = client.create("{}").unwrap_err();
            assert_eq!(error["error"]["name"], "BW_E_RATE_LIMITED", "{error}");
            assert_eq!(server.requests().len(), calls * requests);
        }
    }
}

#[test]
fn new_credentials_are_used_from_the_next_attempt() {
    let server = TestServer::start(None, respond_with(response("200 OK", "", GOOD)));
    let client = server.client(json!({}));
    client.create("{}").unwrap();
    client.set_credentials("Aladdin", "open sesame").unwrap();
    client.create("{}").unwrap();
    let refused = client.set_credentials("a:b", "hidden-word").unwrap_err();
    assert!(refused["error"]["message"].as_str().unwrap().starts_with("username: must not"));
    assert!(!refused.to_string().contains("hidden-word"));
    client.create("{}").unwrap();
    let received = server.requests();
    assert!(received[0].contains("Basic dXNlcjpzZWNyZXQ=\r\n"));
    for later in &received[1..] {
        assert!(later.contains("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{later}");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn reload_replaces_the_secret_and_drops_no_call() {
    // The first response is sent when the second request has arrived.
    let behavior: Behavior = Arc::new(|connection, state| {
        while read_request(connection, state)? {
            wait_until("the second request", || {
                state.requests.lock().unwrap().len() >= 2 || state.is_stopped()
            });
            connection.write_all(response("200 OK", "", GOOD).as_bytes())?;
        }
        Ok(())
    });
    let server = TestServer::start(None, behavior);
    let path = std::env::temp_dir().join(format!("bw-reload-{}.json", std::process::id()));
    let write = |secret: &str| {
        secrets::add_credentials("user", secret);
        let settings = json!({"accountId": "9900000", "username": "user", "password": secret,
            "baseUrl": server.url(), "timeoutMs": 60_000});
        std::fs::write(&path, settings.to_string()).unwrap();
    };
    write("open sesame");
    let client = Client::new(&json!({"configFile": path})).unwrap();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| client.create("{}"));
        wait_until("the first request", || !server.requests().is_empty());
        write("another sesame");
        let expected = json!({"credentialsReplaced": true, "needsNewClient": []});
        assert_eq!(client.reload().unwrap(), expected);
        std::fs::write(&path, "{").unwrap();
        let error = client.reload().unwrap_err();
        assert_eq!(error["error"]["name"], "BW_E_CONFIG", "{error}");
        client.create("{}").unwrap();
        first.join().unwrap().unwrap();
    });
    std::fs::remove_file(&path).unwrap();
    let received = server.requests();
    assert!(received[0].contains("Basic dXNlcjpvcGVuIHNlc2FtZQ==\r\n"), "{}", received[0]);
    assert!(received[1].contains("Basic dXNlcjphbm90aGVyIHNlc2FtZQ==\r\n"), "{}", received[1]);
}

#[test]
fn freeing_a_client_cancels_its_calls() {
    // The server sends no response before the test ends.
    let silent: Behavior = Arc::new(|connection, state| {
        read_request(connection, state)?;
        state.wait_until_stopped();
        Ok(())
    });
    let server = TestServer::start(None, silent);
    let client = server.client(json!({"timeoutMs": 600_000}));
    let errors: Vec<Value> = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..4).map(|_| scope.spawn(|| client.create("{}").unwrap_err())).collect();
        wait_until("every request's arrival", || server.requests().len() == 4);
        bw_client_free(client.0);
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    for error in errors {
        assert_eq!(error["error"]["name"], "BW_E_CANCELLED");
        assert_eq!(error["error"]["outcome"], "unknown");
    }
    let dead = client.create("{}").unwrap_err();
    assert_eq!(dead["error"]["name"], "BW_E_INVALID_HANDLE");
    assert_eq!(dead["error"]["outcome"], "not_sent");
}

#[test]
fn threads_sharing_a_client_receive_their_own_responses() {
    let echo: Behavior = Arc::new(|connection, _| {
        let own = crate::support::test_server::ServerState::default();
        while read_request(connection, &own)? {
            let request = own.requests.lock().unwrap().pop().unwrap();
            let (_, body) = request.split_once("\r\n\r\n").unwrap();
            let tag = &serde_json::from_str::<Value>(body).unwrap()["tag"];
            std::thread::sleep(Duration::from_millis(3));
            let body = json!({"participant": {"id": "p", "tag": tag}, "token": "t"});
            connection.write_all(response("200 OK", "", &body.to_string()).as_bytes())?;
        }
        Ok(())
    });
    let server = TestServer::start(None, echo);
    let client = server.client(json!({}));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for call in 0..40 {
                    let tag = format!("{thread}-{call}");
                    let created = client.create(&json!({"tag": tag}).to_string()).unwrap();
                    assert_eq!(created["participant"]["tag"], tag);
                }
            });
        }
    });
    let connections = server.connections();
    assert!(connections <= 8, "{connections} connections for 8 threads");
}
