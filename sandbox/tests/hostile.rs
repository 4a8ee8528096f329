//! Bad peers: too large, too slow, too many, not HTTP. The sandbox serves the good ones all the same.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::{Sandbox, parse, request};

const PATH: &str = "/v1/accounts/9900000/participants";

fn is_well(sandbox: &Sandbox) {
    assert_eq!(sandbox.call("POST", "/participants", "{}").status, 200);
}

/// What comes to these bytes; the peer may close in the middle of them.
fn answer(sandbox: &Sandbox, bytes: &[u8]) -> Vec<u8> {
    let mut stream = sandbox.connect();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn bodies_have_a_limit() {
    let sandbox = Sandbox::start(&[]);
    let body = format!("{{\"x\":\"{}\"}}", "x".repeat(200 * 1024));
    assert_eq!(sandbox.call("POST", "/participants", &body).status, 200);
    let body = "x".repeat(300 * 1024);
    let refused = answer(&sandbox, request("POST", PATH, Some("user:secret"), &body).as_bytes());
    assert!(refused.is_empty() || refused.starts_with(b"HTTP/1.1 413"), "{refused:?}");
    let endless = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunks = "1000\r\n".to_owned() + &"y".repeat(0x1000) + "\r\n";
    let refused = answer(&sandbox, (endless + &chunks.repeat(200)).as_bytes());
    assert!(refused.is_empty() || refused.starts_with(b"HTTP/1.1 413"), "{refused:?}");
    is_well(&sandbox);
}

#[test]
fn bodies_are_deep_broken_or_not_text() {
    let sandbox = Sandbox::start(&[]);
    let deep = "[".repeat(100_000);
    let deep_tag = format!("{{\"tag\":{}", "{\"a\":".repeat(40_000));
    for body in [deep.as_str(), &deep_tag, "{\"tag\":\"\\ud800\"}", "{\"tag\":1e999}"] {
        assert_eq!(sandbox.call("POST", "/participants", body).status, 400);
        assert_eq!(sandbox.control("POST", "/faults", body).status, 400);
    }
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Basic dXNlcjpzZWNyZXQ=\r\nContent-Length: 9\r\n\r\n"
    );
    let mut stream = sandbox.connect();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"{\"a\":\"\xff\"}").unwrap();
    let mut came = Vec::new();
    stream.read_to_end(&mut came).unwrap();
    assert_eq!(parse(&came).unwrap().status, 400);
    is_well(&sandbox);
}

#[test]
fn what_is_not_http_ends_its_connection_alone() {
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
        let came = answer(&sandbox, bytes);
        assert!(!came.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&came));
    }
    is_well(&sandbox);
}

#[test]
fn slow_and_silent_peers_keep_nobody_waiting() {
    let sandbox = Sandbox::start(&[]);
    let mut held: Vec<TcpStream> = Vec::new();
    for bytes in ["", "POST /v1/acc", &request("POST", PATH, Some("user:secret"), "{}")[..100]] {
        for _ in 0..200 {
            let mut stream = sandbox.connect();
            stream.write_all(bytes.as_bytes()).unwrap();
            held.push(stream);
        }
    }
    is_well(&sandbox);
    assert_eq!(held.len(), 600);
}

#[test]
fn hundreds_of_connections_are_served_at_once() {
    let sandbox = Sandbox::start(&[]);
    // As many as a common limit of 1024 descriptors a process allows.
    let mut streams: Vec<TcpStream> = (0..900).map(|_| sandbox.connect()).collect();
    let bytes = request("POST", PATH, Some("user:secret"), "{}");
    for stream in &mut streams {
        stream.write_all(bytes.as_bytes()).unwrap();
    }
    for stream in &mut streams {
        let mut came = Vec::new();
        stream.read_to_end(&mut came).unwrap();
        assert_eq!(parse(&came).unwrap().status, 200);
    }
    let seen = sandbox.control("GET", "/requests", "").json;
    let connections: std::collections::HashSet<u64> =
        seen.as_array().unwrap().iter().map(|r| r["connection"].as_u64().unwrap()).collect();
    assert_eq!(connections.len(), 900);
}

#[test]
fn a_peer_that_goes_is_served_all_the_same() {
    let sandbox = Sandbox::start(&[]);
    let order = r#"{"operation":"createParticipant","kind":"delay","ms":200}"#;
    assert!(sandbox.control("POST", "/faults", order).status < 300);
    let mut stream = sandbox.connect();
    stream.write_all(request("POST", PATH, Some("user:secret"), "{}").as_bytes()).unwrap();
    let began = std::time::Instant::now();
    while sandbox.control("GET", "/requests", "").json[0].is_null() {
        assert!(began.elapsed() < support::LIMIT);
    }
    drop(stream);
    while sandbox.control("GET", "/requests", "").json[0]["status"] != 200 {
        assert!(began.elapsed() < support::LIMIT);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    is_well(&sandbox);
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    let sandbox = Sandbox::start(&[]);
    let one = request("POST", PATH, Some("user:secret"), r#"{"tag":"first"}"#)
        .replace("Connection: close\r\n", "");
    let two = request("POST", PATH, Some("user:secret"), r#"{"tag":"second"}"#);
    let mut stream = sandbox.connect();
    stream.write_all((one + &two).as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (first, second) = (text.find("\"first\"").unwrap(), text.find("\"second\"").unwrap());
    assert!(first < second);
}
