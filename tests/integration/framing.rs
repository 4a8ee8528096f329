//! The end of a response, and invalid responses. Each case is a call through the C ABI. A connection is reused
//! only if client, service and every proxy agree on the end of the response.

use std::io;
use std::mem::ManuallyDrop;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::support::abi::Client;
use crate::support::certificates::{Authority, Validity};
use crate::support::extend;
use crate::support::test_server::{
    Behavior, Connection, ServerState, TestServer, read_request, respond_with, response,
};
use rustls::ServerConfig;
use serde_json::{Value, json};

const BODY: &str = r#"{"id":"s"}"#;

/// A client of this server that never retries.
fn client(server: &TestServer, more: &Value) -> Client {
    let mut config = json!({"maxRetries": 0});
    extend(&mut config, more);
    server.client(config)
}

fn get(client: &Client) -> Result<Value, Value> {
    client.call("getSession", "s", "", None)
}

/// Sends the same response to each of three calls, and reports how many connections they took.
fn connections(bytes: &str, operation: &str, expected: &Value) -> usize {
    let server = TestServer::start(None, respond_with(bytes));
    let client = client(&server, &json!({}));
    for _ in 0..3 {
        let result = client.call(operation, "s", "p", None);
        assert_eq!(result.as_ref(), Ok(expected), "{bytes}");
    }
    server.connections()
}

#[test]
fn connection_is_reused_only_if_the_end_of_the_response_is_certain() {
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let length = BODY.len();
    for (head, body, is_reused) in [
        (format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n"), BODY, true),
        (
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}, {length}\r\nCONTENT-LENGTH:{length}\r\n"
            ),
            BODY,
            true,
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding:  Chunked \r\n".into(), &chunked, true),
        // A proxy may use the length instead.
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n".into(),
            &chunked,
            false,
        ),
        (
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: foo , CLOSE\r\n"),
            BODY,
            false,
        ),
        (
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: foo\r\nConnection: close\r\n"
            ),
            BODY,
            false,
        ),
        (format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n"), BODY, false),
        (
            format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\nConnection: keep-alive\r\n"),
            BODY,
            true,
        ),
        (
            format!(
                "HTTP/1.0 200 OK\r\nContent-Length: {length}\r\nConnection: keep-alive, close\r\n"
            ),
            BODY,
            false,
        ),
        // 128 headers, and lines that end with a line feed only.
        (
            format!("HTTP/1.1 200 OK\r\n{}Content-Length: {length}\r\n", "X: y\r\n".repeat(127)),
            BODY,
            true,
        ),
        (format!("HTTP/1.1 200 OK\nContent-Length: {length}\n"), BODY, true),
        // More bytes than announced.
        (format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n"), &format!("{BODY}more"), false),
    ] {
        let count = connections(&format!("{head}\r\n{body}"), "getSession", &json!({"id": "s"}));
        assert_eq!(count, if is_reused { 1 } else { 3 }, "{head}");
    }
    for (head, is_reused) in [
        ("204 No Content", true),
        ("204 No Content\r\nContent-Length: 0", true),
        // The announced body may be sent later.
        ("204 No Content\r\nContent-Length: 4", false),
        ("204 No Content\r\nTransfer-Encoding: chunked", false),
        ("204 No Content\r\nConnection: close", false),
    ] {
        let head = format!("HTTP/1.1 {head}\r\n\r\n");
        let count = connections(&head, "removeParticipantFromSession", &Value::Null);
        assert_eq!(count, if is_reused { 1 } else { 3 }, "{head}");
    }
}

#[test]
fn a_body_announced_with_304_is_not_read_from_a_reused_connection() {
    for header in ["Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n"] {
        let head = format!("HTTP/1.1 304 Not Modified\r\n{header}\r\n");
        let server = TestServer::start(None, respond_with(head));
        let client = client(&server, &json!({}));
        for _ in 0..2 {
            assert_eq!(get(&client).unwrap_err()["error"]["httpStatus"], 304, "{header}");
        }
        assert_eq!(server.connections(), 2, "{header}");
    }
}

/// Sends the bytes and keeps the connection open.
fn send_and_hold(bytes: &str) -> Behavior {
    let bytes = bytes.to_owned();
    Arc::new(move |connection, state| {
        read_request(connection, state)?;
        connection.write_all(bytes.as_bytes())?;
        state.wait_until_stopped();
        Ok(())
    })
}

#[test]
fn response_205_ends_with_its_head() {
    let server = TestServer::start(None, send_and_hold("HTTP/1.1 205 Reset Content\r\n\r\n"));
    let client = client(&server, &json!({"timeoutMs": 5000}));
    for _ in 0..2 {
        let result = client.call("removeParticipantFromSession", "s", "p", None);
        assert_eq!(result, Ok(Value::Null));
    }
    // An incorrect service may send a body.
    assert_eq!(server.connections(), 2);
}

#[test]
fn invalid_heads_and_chunks_are_protocol_errors() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{ok}Transfer-Encoding: chunked\r\n\r\n");
    let length = BODY.len();
    let whole = format!("{length:x}\r\n{BODY}\r\n");
    for bytes in [
        "HTTP/2 200\r\n\r\n".to_owned(),
        "HTTP/1.1 099 X\r\n\r\n".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_owned(),
        format!("{ok}Content-Length: {length}\r\nContent-Length: 2\r\n\r\n{BODY}"),
        format!("{ok}Content-Length: {length}, 2\r\n\r\n{BODY}"),
        format!("{ok}Content-Length: +{length}\r\n\r\n{BODY}"),
        format!("{ok}Content-Length: \r\n\r\n{BODY}"),
        format!("{ok}Content-Length: 99999999999999999999\r\n\r\n{BODY}"),
        format!("{ok}Transfer-Encoding: gzip, chunked\r\n\r\n{whole}0\r\n\r\n"),
        format!("{ok}Transfer-Encoding: identity\r\nContent-Length: {length}\r\n\r\n{BODY}"),
        format!("{ok}Transfer-Encoding: chunked\r\n{chunked}{whole}0\r\n\r\n").replacen(
            &format!("\r\n{ok}"),
            "\r\n",
            1,
        ),
        format!("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{whole}0\r\n\r\n"),
        format!("{ok}bad header: x\r\n\r\n"),
        format!("{ok}X: a\rb\r\nContent-Length: {length}\r\n\r\n{BODY}"),
        format!("{ok}{}Content-Length: {length}\r\n\r\n{BODY}", "X: y\r\n".repeat(128)),
        format!("{ok}X: 1\r\n folded\r\n\r\n"),
        format!("HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n{ok}Content-Length: {length}\r\n\r\n{BODY}"),
        // Invalid chunks.
        format!("{chunked}zz\r\n"),
        format!("{chunked}-1\r\n"),
        format!("{chunked}\r\n{whole}0\r\n\r\n"),
        format!("{chunked}ffffffffffffffffff\r\n"),
        format!("{chunked}3\r\n{BODY}\r\n0\r\n\r\n"),
        format!("{chunked}{length:x}\n{BODY}\r\n0\r\n\r\n"),
        format!("{chunked}{length:x};a\n{BODY}\r\n0\r\n\r\n"),
        format!("{chunked}{length:x};a\rb\r\n{BODY}\r\n0\r\n\r\n"),
        format!("{chunked}{whole}0\r\nx: a\rb\r\n\r\n"),
        format!("{chunked}{whole}{length:x};{}", "x".repeat(5000)),
        format!("{chunked}{whole}0\r\n{}", "x".repeat(5000)),
        format!("{chunked}{whole}0\r\n{}", "x: y\r\n".repeat(1000)),
    ] {
        let server = TestServer::start(None, send_and_hold(&bytes));
        let client = client(&server, &json!({}));
        let shown = &bytes[..bytes.len().min(200)];
        let error = get(&client).expect_err(shown);
        assert_eq!(error["error"]["name"], "BW_E_PROTOCOL", "{error} for {shown}");
        assert_eq!(error["error"]["outcome"], "unknown", "{error} for {shown}");
    }
}

/// ureq accepts these forms although RFC 9112 forbids them. None of them can change the end of a response: see
/// docs/network.md.
#[test]
fn tolerated_chunks_are_read_to_their_end() {
    let length = BODY.len();
    for (size, trailer, is_reused) in [
        (format!("+{length:x}"), "", true),
        (format!(" {length:x} "), "", true),
        (format!("{length:x};x=y"), "X-A: b\r\nX-C: d\r\n", true),
    ] {
        let bytes = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n{BODY}\r\n0\r\n{trailer}\r\n"
        );
        let count = connections(&bytes, "getSession", &json!({"id": "s"}));
        assert_eq!(count, if is_reused { 1 } else { 3 }, "{bytes}");
    }
    // The connection ends after the last chunk, before the empty line.
    let behavior: Behavior = Arc::new(move |connection, state| {
        read_request(connection, state)?;
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        connection.write_all(format!("{head}{length:x}\r\n{BODY}\r\n0\r\n").as_bytes())
    });
    let server = TestServer::start(None, behavior);
    let client = client(&server, &json!({}));
    for _ in 0..2 {
        assert_eq!(get(&client), Ok(json!({"id": "s"})));
    }
    assert_eq!(server.connections(), 2);
}

/// Reads the head of a request, but not its body.
fn read_head(connection: &mut dyn Connection) -> io::Result<()> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        if connection.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.push(byte[0]);
    }
    Ok(())
}

/// Responds to the head of a request without reading its body, then runs `after`.
fn early(after: impl Fn(&mut dyn Connection, &ServerState) + Send + Sync + 'static) -> Behavior {
    Arc::new(move |connection, state| {
        read_head(connection)?;
        let body = r#"{"error":"too large"}"#;
        connection.write_all(response("413 Content Too Large", "", body).as_bytes())?;
        connection.flush()?;
        after(connection, state);
        Ok(())
    })
}

fn small_buffer(socket: RawFd, which: libc::c_int) {
    let size: libc::c_int = 2048;
    let length = size_of_val(&size) as libc::socklen_t;
    // SAFETY: the value lives through the call, and the length is its own.
    let set = unsafe {
        libc::setsockopt(socket, libc::SOL_SOCKET, which, (&raw const size).cast(), length)
    };
    assert_eq!(set, 0);
}

/// The configuration of a TLS server, and the file of its authority.
type Tls = (Arc<ServerConfig>, PathBuf);

/// Each test runs without TLS and with TLS.
fn plain_and_tls(name: &str) -> [Option<Tls>; 2] {
    let authority = Authority::new(name);
    [None, Some((authority.server("127.0.0.1", Validity::Now), authority.file))]
}

/// A server and a client with a warm connection whose socket buffers are smaller than a large request. The
/// server handles the second and later requests with `then`.
fn narrow(tls: Option<Tls>, then: Behavior) -> (TestServer, Client) {
    let behavior: Behavior = Arc::new(move |connection, state| {
        read_request(connection, state)?;
        connection.write_all(response("200 OK", "", BODY).as_bytes())?;
        connection.flush()?;
        then(connection, state)
    });
    let server = TestServer::start_with(
        tls.as_ref().map(|(config, _)| config.clone()),
        behavior,
        |listener| {
            small_buffer(listener.as_raw_fd(), libc::SO_RCVBUF);
        },
    );
    let more = match tls {
        Some((_, ca)) => json!({"caFile": ca, "timeoutMs": 20_000}),
        None => json!({"timeoutMs": 20_000}),
    };
    let client = client(&server, &more);
    assert_eq!(get(&client), Ok(json!({"id": "s"})));
    // Finds the client's socket among the descriptors of this process.
    let is_clients = |fd: &RawFd| {
        // SAFETY: the stream is not dropped, so that the descriptor stays open.
        let stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(*fd) });
        stream.peer_addr().is_ok_and(|peer| peer == server.address)
    };
    let sockets: Vec<RawFd> = (3..4096).filter(is_clients).collect();
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    small_buffer(sockets[0], libc::SO_SNDBUF);
    (server, client)
}

/// A request of nearly the maximum size.
fn large() -> String {
    let participants: Vec<Value> =
        (0..1100).map(|n| json!({"participantId": format!("{n:0>36}")})).collect();
    json!({"sessionId": "s", "participants": participants}).to_string()
}

/// Asserts that the server's early response 413 is reported.
fn assert_too_large(client: &Client, what: &str) {
    let document = large();
    assert!(document.len() > 50_000);
    let error =
        client.call("updateParticipantSubscriptions", "s", "p", Some(&document)).expect_err(what);
    assert_eq!(error["error"]["httpStatus"], 413, "{what}: {error}");
    assert_eq!(error["error"]["outcome"], "rejected", "{what}: {error}");
}

#[test]
fn a_response_before_the_end_of_the_request_is_reported() {
    for tls in plain_and_tls("early") {
        let what = if tls.is_some() { "TLS" } else { "plain" };
        // The server neither reads nor closes: the rest of the request can never be sent.
        let (server, client) = narrow(tls, early(|_, state| state.wait_until_stopped()));
        assert_too_large(&client, what);
        // The next request must not be read as the rest of this one.
        assert_eq!(get(&client), Ok(json!({"id": "s"})), "{what}");
        assert_eq!(server.connections(), 2, "{what}");
    }
}

#[test]
fn a_response_is_reported_if_the_connection_is_lost_while_sending() {
    let (_server, client) = narrow(
        None,
        early(|connection, _| {
            // The kernel resets the connection, since there are unread bytes. The client waits for
            // room until then, and its kernel has received the response.
            let mut byte = [0];
            while !connection.tcp().peek(&mut byte).is_ok_and(|count| count > 0) {
                std::thread::sleep(Duration::from_millis(1));
            }
            let _ = connection.tcp().shutdown(Shutdown::Both);
        }),
    );
    assert_too_large(&client, "reset");
}

#[test]
fn a_connection_lost_while_sending_is_a_network_error_without_a_response() {
    let (_server, client) = narrow(
        None,
        Arc::new(|connection, _| {
            // Closes with unread bytes, which resets the connection.
            read_head(connection)
        }),
    );
    let error =
        client.call("updateParticipantSubscriptions", "s", "p", Some(&large())).unwrap_err();
    assert_eq!(error["error"]["name"], "BW_E_NETWORK", "{error}");
    assert_eq!(error["error"]["outcome"], "unknown", "{error}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("lost while sending the request"), "{message}");
}

/// Reads the head of the request and calls `send`. Then reads the body after a delay, and responds 204.
fn read_body_late(
    send: impl Fn(&mut dyn Connection) -> io::Result<()> + Send + Sync + 'static,
) -> Behavior {
    Arc::new(move |connection, state| {
        read_head(connection)?;
        send(connection)?;
        std::thread::sleep(Duration::from_millis(400));
        connection.read_exact(&mut vec![0; large().len()])?;
        connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
        connection.flush()?;
        state.wait_until_stopped();
        Ok(())
    })
}

/// Asserts that a large request succeeds at this server.
fn assert_sent_completely(tls: Option<Tls>, behavior: Behavior, what: &str) {
    let (_server, client) = narrow(tls, behavior);
    let result = client.call("updateParticipantSubscriptions", "s", "p", Some(&large()));
    assert_eq!(result, Ok(Value::Null), "{what}");
}

#[test]
fn interim_responses_during_a_request_do_not_end_it() {
    for interim in
        ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"]
    {
        for tls in plain_and_tls("interim") {
            let behavior = read_body_late(|connection| {
                connection.write_all(interim.as_bytes())?;
                connection.flush()
            });
            assert_sent_completely(tls, behavior, interim);
        }
    }
}

#[test]
fn responses_that_request_another_connection_are_checked_like_others() {
    for head in [
        "HTTP/1.1 421 Misdirected\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.0 408 Timeout\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 425 Too Early\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        // The server keeps the connection open: the client must not wait for more bytes.
        let server = TestServer::start(None, respond_with(head));
        let error = get(&client(&server, &json!({}))).unwrap_err();
        assert_eq!(error["error"]["name"], "BW_E_PROTOCOL", "{head}: {error}");
    }
}

#[test]
fn a_large_request_that_is_read_slowly_is_sent_completely() {
    for tls in plain_and_tls("slow") {
        // A key update is input that is not a response. It is sent only over TLS.
        assert_sent_completely(tls, read_body_late(|connection| connection.update_keys()), "slow");
    }
}
