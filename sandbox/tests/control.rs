//! `/_sandbox`: a reset during requests, and who may use these routes.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{LIMIT, NOBODY, Sandbox, TOKEN_PATH, parse, request, token_request};

/// Sends a request, and waits until the sandbox has recorded it.
fn begin(sandbox: &Sandbox, bytes: &str) -> TcpStream {
    let before = recorded(sandbox).len();
    let mut stream = sandbox.connect();
    stream.write_all(bytes.as_bytes()).unwrap();
    let began = Instant::now();
    while recorded(sandbox).len() == before {
        assert!(began.elapsed() < LIMIT);
        std::thread::sleep(Duration::from_millis(5));
    }
    stream
}

fn end(mut stream: TcpStream) -> support::Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    parse(&bytes).unwrap()
}

fn recorded(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.control("GET", "/requests", "").json.as_array().unwrap().clone()
}

fn reset(sandbox: &Sandbox) {
    assert_eq!(sandbox.control("POST", "/reset", "").status, 204);
}

#[test]
fn request_in_progress_does_not_change_the_state_after_a_reset() {
    let sandbox = Sandbox::start(&[]);
    let fault = |operation: &str, ms: u64| {
        sandbox.fault(&json!({"operation": operation, "kind": "delay", "ms": ms}));
    };
    let sessions = "/v1/accounts/9900000/sessions";
    for (operation, bytes) in [
        ("createSession", request("POST", sessions, Some("user:secret"), "{}")),
        ("token", token_request()),
    ] {
        fault(operation, 1000);
        let old = begin(&sandbox, &bytes);
        reset(&sandbox);
        assert_eq!(recorded(&sandbox), [json!(null); 0]);
        // The first of the new state, as the other one was of the old state.
        fault("getSession", 60_000);
        let path = format!("{sessions}/{NOBODY}");
        let new = begin(&sandbox, &request("GET", &path, Some("user:secret"), ""));
        assert_eq!(end(old).status, 200, "{operation}");
        let seen = recorded(&sandbox);
        assert_eq!(seen.len(), 1, "{operation}: {seen:?}");
        assert_eq!(
            (&seen[0]["operation"], &seen[0]["status"]),
            (&json!("getSession"), &json!(null)),
            "{operation}"
        );
        let state = sandbox.control("GET", "/state", "").json;
        assert_eq!(state["accounts"][0]["sessions"], json!([]), "{operation}");
        drop(new);
        reset(&sandbox);
    }
}

#[test]
fn webhook_in_progress_is_not_listed_after_a_reset() {
    let sandbox = Sandbox::start(&[]);
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", receiver.local_addr().unwrap());
    let id = sandbox.participant(&json!({"callbackUrl": url}).to_string());
    let path = format!("/participants/{id}/connect");
    std::thread::scope(|scope| {
        let delivery = scope.spawn(|| sandbox.control("POST", &path, ""));
        let (mut stream, _) = receiver.accept().unwrap();
        reset(&sandbox);
        assert_ne!(stream.read(&mut [0; 4096]).unwrap(), 0);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        let delivery = delivery.join().unwrap();
        assert_eq!((delivery.status, &delivery.json["status"]), (200, &json!(204)));
    });
    assert_eq!(sandbox.control("GET", "/webhooks", "").json, json!([]));
}

/// The status of a reset with these header lines.
fn reset_with(sandbox: &Sandbox, target: &str, headers: &str) -> u16 {
    let bytes = format!(
        "POST {target} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: 0\r\n\r\n"
    );
    sandbox.send(&bytes).status
}

#[test]
fn web_pages_of_other_sites_cannot_use_the_routes_for_tests() {
    let sandbox = Sandbox::start(&[]);
    sandbox.session();
    let port = sandbox.address.port();
    for headers in [
        // A name that an attacker's DNS server resolves to this address.
        format!("Host: attacker.example:{port}\r\n"),
        format!("Host: attacker.example:{port}\r\nOrigin: http://attacker.example:{port}\r\n"),
        format!("Host: localhost.attacker.example:{port}\r\n"),
        format!("Host: 127.0.0.1:{port}\r\nHost: attacker.example\r\n"),
        "Host: \r\n".to_owned(),
        // A page of another site, or of another program on this machine.
        format!("Host: 127.0.0.1:{port}\r\nOrigin: https://attacker.example\r\n"),
        format!("Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:1\r\n"),
        format!("Host: 127.0.0.1:{port}\r\nOrigin: http://localhost:{port}\r\n"),
        format!("Host: 127.0.0.1:{port}\r\nOrigin: null\r\n"),
        format!("Host: 127.0.0.1:{port}\r\nOrigin: \r\n"),
        // A request for an image has no Origin.
        format!("Host: 127.0.0.1:{port}\r\nSec-Fetch-Site: cross-site\r\n"),
        format!("Host: 127.0.0.1:{port}\r\nSec-Fetch-Site: same-site\r\n"),
    ] {
        assert_eq!(reset_with(&sandbox, "/_sandbox/reset", &headers), 403, "{headers}");
    }
    let target = format!("http://attacker.example:{port}/_sandbox/reset");
    assert_eq!(reset_with(&sandbox, &target, "Host: localhost\r\n"), 403);
    for (method, path) in [
        ("GET", "/state"),
        ("GET", "/requests"),
        ("GET", "/webhooks"),
        ("POST", "/faults"),
        ("DELETE", "/faults"),
        ("POST", "/tokens/revoke"),
        ("GET", "/unknown"),
    ] {
        let bytes = request(method, &format!("/_sandbox{path}"), None, "");
        let answer = sandbox.send(&bytes.replace("localhost", "attacker.example"));
        assert_eq!(answer.status, 403, "{method} {path}");
        assert!(answer.json["error"].as_str().unwrap().contains("Host"), "{answer:?}");
    }
    let state = sandbox.control("GET", "/state", "").json;
    assert_eq!(state["accounts"][0]["sessions"].as_array().unwrap().len(), 1);
}

#[test]
fn local_programs_and_own_pages_can_use_the_routes_for_tests() {
    let sandbox = Sandbox::start(&[]);
    let port = sandbox.address.port();
    for headers in [
        format!("Host: 127.0.0.1:{port}\r\n"),
        format!("Host: localhost:{port}\r\n"),
        format!("Host: [::1]:{port}\r\n"),
        // A port that a tunnel forwards.
        "Host: localhost:1\r\n".to_owned(),
        "Host: LOCALHOST\r\n".to_owned(),
        String::new(),
        format!("Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"),
        format!("Host: localhost:{port}\r\nSec-Fetch-Site: same-origin\r\n"),
        format!("Host: localhost:{port}\r\nSec-Fetch-Site: none\r\n"),
    ] {
        assert_eq!(reset_with(&sandbox, "/_sandbox/reset", &headers), 204, "{headers}");
    }
    // The service's own routes are for any name.
    let bytes = token_request().replace("localhost", "sandbox.example");
    assert!(bytes.contains(TOKEN_PATH));
    assert_eq!(sandbox.send(&bytes).status, 200);
}
