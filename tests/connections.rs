//! Idle connections, and responses that ask for another connection or another coding.

mod support;

use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::abi::Client;
use support::certificates::{Authority, Validity};
use support::rogue::{Behaviour, Rogue, answers, read_request, request_text, response};

const CREATED: &str = r#"{"participant":{"id":"p-1"},"token":"t"}"#;

fn client(server: &Rogue, more: Value) -> Client {
    let mut config = json!({
        "accountId": "9900000", "username": "user", "password": "secret", "baseUrl": server.url(),
        "timeoutMs": 60_000, "retryBaseMs": 1,
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Client::new(&config).unwrap()
}

fn connections(server: &Rogue) -> usize {
    server.seen.connections.load(Ordering::SeqCst)
}

fn requests(server: &Rogue) -> usize {
    server.seen.requests.lock().unwrap().len()
}

#[test]
fn connections_are_not_used_when_the_peer_is_about_to_close_them() {
    for (headers, opened) in [
        ("Keep-Alive: timeout=60\r\n", 1),
        ("Keep-Alive: max=100, Timeout = 60\r\n", 1),
        ("Keep-Alive: none\r\n", 1),
        // With a margin of a second nothing is left.
        ("Keep-Alive: timeout=1\r\n", 3),
        ("Keep-Alive: timeout=0, max=5\r\n", 3),
    ] {
        let server = Rogue::start(None, answers(response("200 OK", headers, CREATED)));
        let client = client(&server, json!({}));
        for _ in 0..3 {
            client.create("{}").unwrap();
        }
        assert_eq!(connections(&server), opened, "{headers}");
    }
}

#[test]
fn key_updates_between_requests_cost_no_connection() {
    let authority = Authority::new("key-update");
    let tls = authority.server("127.0.0.1", Validity::Now);
    let updates = Arc::new(AtomicUsize::new(0));
    let count = updates.clone();
    let behaviour: Behaviour = Arc::new(move |wire, seen| {
        while read_request(wire, seen)? {
            wire.write_all(response("200 OK", "", CREATED).as_bytes())?;
            wire.refresh_keys()?;
            wire.flush()?;
            count.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    });
    let server = Rogue::start(Some(tls), behaviour);
    let client = client(&server, json!({"caFile": authority.file, "maxRetries": 0}));
    for calls in 1..=10 {
        client.create("{}").unwrap();
        let limit = Instant::now() + Duration::from_secs(30);
        while updates.load(Ordering::SeqCst) < calls {
            assert!(Instant::now() < limit, "the key update was not sent");
            thread::sleep(Duration::from_millis(1));
        }
        // It was written; on loopback it is then at the client.
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(connections(&server), 1);
}

#[test]
fn idle_connections_that_the_peer_closed_are_closed_during_later_calls() {
    // This thread uses its own connection again and never meets the one of the other thread.
    let (closed, in_progress) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let ended = closed.clone();
    let behaviour: Behaviour = Arc::new(move |wire, seen| {
        while let Some(request) = request_text(wire, seen)? {
            // The first two calls need two connections.
            in_progress.fetch_add(1, Ordering::SeqCst);
            let limit = Instant::now() + Duration::from_secs(30);
            while in_progress.load(Ordering::SeqCst) < 2 && Instant::now() < limit {
                thread::sleep(Duration::from_millis(1));
            }
            wire.write_all(response("200 OK", "", CREATED).as_bytes())?;
            if request.contains("other") {
                wire.tcp().shutdown(Shutdown::Write)?;
                // Ends when the client has closed its side.
                wire.tcp().set_read_timeout(Some(Duration::from_secs(60)))?;
                if wire.read(&mut [0])? == 0 {
                    ended.fetch_add(1, Ordering::SeqCst);
                }
                return Ok(());
            }
        }
        Ok(())
    });
    let server = Rogue::start(None, behaviour);
    let client = Arc::new(client(&server, json!({"idleTimeoutMs": 600_000})));
    let other = {
        let client = client.clone();
        thread::spawn(move || drop(client.create(r#"{"tag":"other"}"#).unwrap()))
    };
    client.create("{}").unwrap();
    other.join().unwrap();
    let limit = Instant::now() + Duration::from_secs(40);
    while closed.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < limit, "the connection stayed in CLOSE_WAIT");
        client.create("{}").unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(connections(&server), 2);
}

#[test]
fn a_request_that_met_the_end_of_an_idle_connection_is_repeated() {
    // 408 on a connection that was used before: the server gave up waiting for a request.
    let behaviour: Behaviour = Arc::new(|wire, seen| {
        read_request(wire, seen)?;
        wire.write_all(response("200 OK", "", CREATED).as_bytes())?;
        read_request(wire, seen)?;
        wire.write_all(response("408 Request Timeout", "", "").as_bytes())
    });
    let server = Rogue::start(None, behaviour);
    let client = client(&server, json!({}));
    client.create("{}").unwrap();
    client.create("{}").unwrap();
    assert_eq!((connections(&server), requests(&server)), (2, 3));
}

#[test]
fn a_408_on_a_new_connection_is_reported() {
    let server = Rogue::start(None, answers(response("408 Request Timeout", "", "")));
    let error = client(&server, json!({})).create("{}").unwrap_err()["error"].take();
    assert_eq!(
        (&error["name"], &error["httpStatus"], &error["outcome"], &error["attempts"]),
        (&json!("BW_E_HTTP_STATUS"), &json!(408), &json!("rejected"), &json!(1))
    );
}

#[test]
fn misdirected_and_too_early_requests_are_repeated_on_a_new_connection() {
    for line in ["421 Misdirected Request", "425 Too Early"] {
        let connections_seen = AtomicUsize::new(0);
        let behaviour: Behaviour = Arc::new(move |wire, seen| {
            let is_first = connections_seen.fetch_add(1, Ordering::SeqCst) == 0;
            while read_request(wire, seen)? {
                let text =
                    if is_first { response(line, "", "") } else { response("200 OK", "", CREATED) };
                wire.write_all(text.as_bytes())?;
            }
            Ok(())
        });
        let server = Rogue::start(None, behaviour);
        client(&server, json!({})).create("{}").unwrap();
        assert_eq!((connections(&server), requests(&server)), (2, 2), "{line}");
    }
}

#[test]
fn a_compressed_response_is_named() {
    let coded =
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\u{1f}z\u{1}\u{2}";
    let server = Rogue::start(None, answers(coded));
    let error = client(&server, json!({})).create("{}").unwrap_err()["error"].take();
    assert_eq!((&error["name"], &error["outcome"]), (&json!("BW_E_PROTOCOL"), &json!("unknown")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(r#"content coding "gzip""#), "{message}");
    let request = server.seen.requests.lock().unwrap()[0].to_lowercase();
    assert!(request.contains("accept-encoding: identity\r\n"), "{request}");
    // The status of a failure is reported all the same.
    let server = Rogue::start(None, answers(coded.replace("200 OK", "404 Not Found")));
    let error = client(&server, json!({})).create("{}").unwrap_err()["error"].take();
    assert_eq!((&error["name"], &error["body"]), (&json!("BW_E_NOT_FOUND"), &Value::Null));
    let identity = response("200 OK", "Content-Encoding: identity\r\n", CREATED);
    let server = Rogue::start(None, answers(identity));
    client(&server, json!({})).create("{}").unwrap();
}
