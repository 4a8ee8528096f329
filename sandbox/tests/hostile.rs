//! Misbehaving clients: requests that are too large, too slow, too many or not HTTP. The sandbox
//! continues to serve the others.

mod support;

use std::collections::HashSet;
use std::io::Write;
use std::net::TcpStream;

use serde_json::json;
use support::{PARTICIPANTS, Sandbox, parse_response, read_all, user_request, wait_for};

fn assert_serves(sandbox: &Sandbox) {
    assert_eq!(sandbox.call("POST", "/participants", "{}").status, 200);
}

/// Sends bytes and closes the sending side; returns what the sandbox sends.
fn send_and_shut_down(sandbox: &Sandbox, bytes: &[u8]) -> Vec<u8> {
    let mut stream = sandbox.connect();
    // The sandbox may close the connection before it has read everything.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    read_all(&mut stream)
}

#[track_caller]
fn assert_too_large(bytes: &[u8]) {
    assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 413"), "{bytes:?}");
}

#[test]
fn bodies_have_a_limit() {
    let sandbox = Sandbox::start(&[]);
    let body = format!("{{\"x\":\"{}\"}}", "x".repeat(200 * 1024));
    assert_eq!(sandbox.call("POST", "/participants", &body).status, 200);
    let body = "x".repeat(300 * 1024);
    let large = user_request("POST", PARTICIPANTS, &body);
    assert_too_large(&send_and_shut_down(&sandbox, large.as_bytes()));
    let endless =
        format!("POST {PARTICIPANTS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunks = "1000\r\n".to_owned() + &"y".repeat(0x1000) + "\r\n";
    let bytes = endless + &chunks.repeat(200);
    assert_too_large(&send_and_shut_down(&sandbox, bytes.as_bytes()));
    assert_serves(&sandbox);
}

#[test]
fn nested_invalid_and_non_utf8_bodies_are_rejected() {
    let sandbox = Sandbox::start(&[]);
    let deep = "[".repeat(100_000);
    let deep_tag = format!("{{\"tag\":{}", "{\"a\":".repeat(40_000));
    for body in [deep.as_str(), &deep_tag, "{\"tag\":\"\\ud800\"}", "{\"tag\":1e999}"] {
        assert_eq!(sandbox.call("POST", "/participants", body).status, 400);
        assert_eq!(sandbox.control("POST", "/faults", body).status, 400);
    }
    let head = format!(
        "POST {PARTICIPANTS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Basic dXNlcjpzZWNyZXQ=\r\nContent-Length: 9\r\n\r\n"
    );
    let response = sandbox.send_raw([head.as_bytes(), b"{\"a\":\"\xff\"}"].concat());
    assert_eq!(parse_response(&response).unwrap().status, 400);
    assert_serves(&sandbox);
}

#[test]
fn bytes_that_are_not_http_close_only_their_connection() {
    let sandbox = Sandbox::start(&[]);
    let long_line = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X-A: b\r\n".repeat(10_000));
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        b"\0\0\0\0",
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"",
        long_line.as_bytes(),
        many.as_bytes(),
    ] {
        let response = send_and_shut_down(&sandbox, bytes);
        assert!(!response.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&response));
    }
    assert_serves(&sandbox);
}

#[test]
fn slow_clients_do_not_delay_others() {
    let sandbox = Sandbox::start(&[]);
    let mut held: Vec<TcpStream> = Vec::new();
    for bytes in ["", "POST /v1/acc", &user_request("POST", PARTICIPANTS, "{}")[..100]] {
        for _ in 0..200 {
            let mut stream = sandbox.connect();
            stream.write_all(bytes.as_bytes()).unwrap();
            held.push(stream);
        }
    }
    assert_serves(&sandbox);
    assert_eq!(held.len(), 600);
}

#[test]
fn hundreds_of_connections_are_served_at_the_same_time() {
    let sandbox = Sandbox::start(&[]);
    // As many as a common limit of 1024 descriptors a process allows.
    let mut streams: Vec<TcpStream> = (0..900).map(|_| sandbox.connect()).collect();
    let bytes = user_request("POST", PARTICIPANTS, "{}");
    for stream in &mut streams {
        stream.write_all(bytes.as_bytes()).unwrap();
    }
    for stream in &mut streams {
        assert_eq!(parse_response(&read_all(stream)).unwrap().status, 200);
    }
    let requests = sandbox.requests();
    let connections: HashSet<_> = requests.iter().map(|r| r["connection"].as_u64()).collect();
    assert_eq!(connections.len(), 900);
}

#[test]
fn request_of_a_client_that_disconnects_is_processed() {
    let sandbox = Sandbox::start(&[]);
    sandbox.add_fault(&json!({"operation": "createParticipant", "kind": "delay", "ms": 200}));
    let mut stream = sandbox.connect();
    stream.write_all(user_request("POST", PARTICIPANTS, "{}").as_bytes()).unwrap();
    wait_for("the request", || sandbox.requests().pop());
    drop(stream);
    wait_for("the response", || (sandbox.recorded_statuses() == json!([200])).then_some(()));
    assert_serves(&sandbox);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let sandbox = Sandbox::start(&[]);
    let first = user_request("POST", PARTICIPANTS, r#"{"tag":"first"}"#)
        .replace("Connection: close\r\n", "");
    let second = user_request("POST", PARTICIPANTS, r#"{"tag":"second"}"#);
    let text = String::from_utf8(sandbox.send_raw(first + &second)).unwrap();
    assert!(text.find("\"first\"").unwrap() < text.find("\"second\"").unwrap());
}
