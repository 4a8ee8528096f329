//! Reuse of idle connections, responses that request another connection, and content codings.

use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::certificates::{Authority, Validity};
use crate::support::test_server::{
    Behavior, TestServer, read_request, read_request_text, respond_with, response,
};
use crate::support::wait_until;
use serde_json::{Value, json};

const CREATED: &str = r#"{"participant":{"id":"p-1"},"token":"t"}"#;

#[test]
fn connection_that_the_peer_is_about_to_close_is_not_reused() {
    for (headers, opened) in [
        ("Keep-Alive: timeout=60\r\n", 1),
        ("Keep-Alive: max=100, Timeout = 60\r\n", 1),
        ("Keep-Alive: none\r\n", 1),
        // The client subtracts a margin of one second, so that no time is left.
        ("Keep-Alive: timeout=1\r\n", 3),
        ("Keep-Alive: timeout=0, max=5\r\n", 3),
    ] {
        let server = TestServer::start(None, respond_with(response("200 OK", headers, CREATED)));
        let client = server.client(json!({}));
        for _ in 0..3 {
            client.create("{}").unwrap();
        }
        assert_eq!(server.connections(), opened, "{headers}");
    }
}

#[test]
fn connection_is_reused_after_a_key_update() {
    let authority = Authority::new("key-update");
    let tls = authority.server("127.0.0.1", Validity::Now);
    let updates = Arc::new(AtomicUsize::new(0));
    let count = updates.clone();
    let behavior: Behavior = Arc::new(move |connection, state| {
        while read_request(connection, state)? {
            connection.write_all(response("200 OK", "", CREATED).as_bytes())?;
            connection.update_keys()?;
            connection.flush()?;
            count.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    });
    let server = TestServer::start(Some(tls), behavior);
    let client = server.client(json!({"caFile": authority.file, "maxRetries": 0}));
    for calls in 1..=10 {
        client.create("{}").unwrap();
        wait_until("the key update", || updates.load(Ordering::SeqCst) == calls);
        // On loopback, what was written has reached the client.
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn idle_connections_that_the_peer_closed_are_closed_during_later_calls() {
    // This thread reuses its own connection, and never uses that of the other thread.
    let (closed, in_progress) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let ended = closed.clone();
    let behavior: Behavior = Arc::new(move |connection, state| {
        while let Some(request) = read_request_text(connection, state)? {
            // The first two calls need two connections.
            in_progress.fetch_add(1, Ordering::SeqCst);
            wait_until("the other call", || in_progress.load(Ordering::SeqCst) >= 2);
            connection.write_all(response("200 OK", "", CREATED).as_bytes())?;
            if request.contains("other") {
                connection.tcp().shutdown(Shutdown::Write)?;
                // Ends when the client has closed its side.
                connection.tcp().set_read_timeout(Some(Duration::from_secs(60)))?;
                if connection.read(&mut [0])? == 0 {
                    ended.fetch_add(1, Ordering::SeqCst);
                }
                return Ok(());
            }
        }
        Ok(())
    });
    let server = TestServer::start(None, behavior);
    let client = Arc::new(server.client(json!({"idleTimeoutMs": 600_000})));
    let other = {
        let client = client.clone();
        thread::spawn(move || drop(client.create(r#"{"tag":"other"}"#).unwrap()))
    };
    client.create("{}").unwrap();
    other.join().unwrap();
    wait_until("the close of the idle connection, which is in CLOSE_WAIT,", || {
        client.create("{}").unwrap();
        closed.load(Ordering::SeqCst) > 0
    });
    assert_eq!(server.connections(), 2);
}

#[test]
fn request_on_a_closed_idle_connection_is_sent_again() {
    // 408 on a connection that was used before: the server stopped waiting for a request.
    let behavior: Behavior = Arc::new(|connection, state| {
        read_request(connection, state)?;
        connection.write_all(response("200 OK", "", CREATED).as_bytes())?;
        read_request(connection, state)?;
        connection.write_all(response("408 Request Timeout", "", "").as_bytes())
    });
    let server = TestServer::start(None, behavior);
    let client = server.client(json!({}));
    client.create("{}").unwrap();
    client.create("{}").unwrap();
    assert_eq!((server.connections(), server.requests().len()), (2, 3));
}

#[test]
fn status_408_on_a_new_connection_is_reported() {
    let server = TestServer::start(None, respond_with(response("408 Request Timeout", "", "")));
    let error = server.client(json!({})).create("{}").unwrap_err()["error"].take();
    assert_eq!(
        (&error["name"], &error["httpStatus"], &error["outcome"], &error["attempts"]),
        (&json!("BW_E_HTTP_STATUS"), &json!(408), &json!("rejected"), &json!(1))
    );
}

#[test]
fn statuses_421_and_425_are_retried_on_a_new_connection() {
    for line in ["421 Misdirected Request", "425 Too Early"] {
        let connections_seen = AtomicUsize::new(0);
        let behavior: Behavior = Arc::new(move |connection, state| {
            let is_first = connections_seen.fetch_add(1, Ordering::SeqCst) == 0;
            while read_request(connection, state)? {
                let text =
                    if is_first { response(line, "", "") } else { response("200 OK", "", CREATED) };
                connection.write_all(text.as_bytes())?;
            }
            Ok(())
        });
        let server = TestServer::start(None, behavior);
        server.client(json!({})).create("{}").unwrap();
        assert_eq!((server.connections(), server.requests().len()), (2, 2), "{line}");
    }
}

#[test]
fn compressed_response_is_reported_with_its_coding() {
    let coded =
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\u{1f}z\u{1}\u{2}";
    let server = TestServer::start(None, respond_with(coded));
    let error = server.client(json!({})).create("{}").unwrap_err()["error"].take();
    assert_eq!((&error["name"], &error["outcome"]), (&json!("BW_E_PROTOCOL"), &json!("unknown")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(r#"content coding "gzip""#), "{message}");
    let request = server.state.requests.lock().unwrap()[0].to_lowercase();
    assert!(request.contains("accept-encoding: identity\r\n"), "{request}");
    // The status of a failure is reported in any case.
    let server = TestServer::start(None, respond_with(coded.replace("200 OK", "404 Not Found")));
    let error = server.client(json!({})).create("{}").unwrap_err()["error"].take();
    assert_eq!((&error["name"], &error["body"]), (&json!("BW_E_NOT_FOUND"), &Value::Null));
    let identity = response("200 OK", "Content-Encoding: identity\r\n", CREATED);
    let server = TestServer::start(None, respond_with(identity));
    server.client(json!({})).create("{}").unwrap();
}
