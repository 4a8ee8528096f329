//! `/_sandbox`: a reset during requests, and which clients may use these routes.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::json;
use support::{
    SESSIONS, Sandbox, TOKEN_PATH, UNKNOWN_ID, parse_response, read_all, request, token_request,
    user_request, wait_for,
};

/// Sends a request, and waits until the sandbox has recorded it.
fn begin(sandbox: &Sandbox, request: &str) -> TcpStream {
    let before = sandbox.requests().len();
    let mut stream = sandbox.connect();
    stream.write_all(request.as_bytes()).unwrap();
    wait_for("the request", || (sandbox.requests().len() > before).then_some(()));
    stream
}

#[test]
fn request_in_progress_does_not_change_the_state_after_a_reset() {
    let sandbox = Sandbox::start(&[]);
    let fault = |operation: &str, ms: u64| {
        sandbox.add_fault(&json!({"operation": operation, "kind": "delay", "ms": ms}));
    };
    for (operation, bytes) in
        [("createSession", user_request("POST", SESSIONS, "{}")), ("token", token_request())]
    {
        fault(operation, 1000);
        let mut old = begin(&sandbox, &bytes);
        sandbox.reset();
        assert_eq!(sandbox.requests(), [json!(null); 0]);
        // Each of the two requests is the first one that its state has recorded.
        fault("getSession", 60_000);
        let path = format!("{SESSIONS}/{UNKNOWN_ID}");
        let new = begin(&sandbox, &user_request("GET", &path, ""));
        assert_eq!(parse_response(&read_all(&mut old)).unwrap().status, 200, "{operation}");
        let requests = sandbox.requests();
        assert_eq!(requests.len(), 1, "{operation}: {requests:?}");
        assert_eq!(
            (&requests[0]["operation"], &requests[0]["status"]),
            (&json!("getSession"), &json!(null)),
            "{operation}"
        );
        assert_eq!(sandbox.state()["sessions"], json!([]), "{operation}");
        drop(new);
        sandbox.reset();
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
        sandbox.reset();
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
        let bytes = request(method, &format!("/_sandbox{path}"), "", "");
        let response = sandbox.send(&bytes.replace("localhost", "attacker.example"));
        assert_eq!(response.status, 403, "{method} {path}");
        assert!(response.json["error"].as_str().unwrap().contains("Host"), "{response:?}");
    }
    assert_eq!(sandbox.state()["sessions"].as_array().unwrap().len(), 1);
}

#[test]
fn local_programs_and_own_pages_can_use_the_routes_for_tests() {
    let sandbox = Sandbox::start(&[]);
    let port = sandbox.address.port();
    for headers in [
        format!("Host: 127.0.0.1:{port}\r\n"),
        format!("Host: localhost:{port}\r\n"),
        format!("Host: [::1]:{port}\r\n"),
        // A forwarded port.
        "Host: localhost:1\r\n".to_owned(),
        "Host: LOCALHOST\r\n".to_owned(),
        String::new(),
        format!("Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"),
        format!("Host: localhost:{port}\r\nSec-Fetch-Site: same-origin\r\n"),
        format!("Host: localhost:{port}\r\nSec-Fetch-Site: none\r\n"),
    ] {
        assert_eq!(reset_with(&sandbox, "/_sandbox/reset", &headers), 204, "{headers}");
    }
    // The service's routes accept any Host.
    let bytes = token_request().replace("localhost", "sandbox.example");
    assert!(bytes.contains(TOKEN_PATH));
    assert_eq!(sandbox.send(&bytes).status, 200);
}
