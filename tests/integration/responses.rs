//! Every framing of an HTTP/1.1 response, sent at once and in pieces, over TCP and TLS: the caller receives the same
//! document, and the connection is reused exactly if the framing allows it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::support::abi::Client;
use crate::support::certificates::{Authority, Validity};
use crate::support::test_server::{Behavior, Connection, TestServer, read_request};
use rustls::ServerConfig;
use serde_json::{Value, json};

const CALLS: usize = 3;

/// A framing of a response.
struct Form {
    name: &'static str,
    bytes: Vec<u8>,
    /// Whether the connection may be reused.
    is_reusable: bool,
    /// Whether the server closes the connection after it.
    closes: bool,
}

fn document(tag: &str) -> Value {
    json!({"participant": {"id": "p", "tag": tag}, "token": "t"})
}

fn forms(body: &str) -> Vec<Form> {
    let length = body.len();
    let form = |name, head: &str, body: &str, is_reusable, closes| Form {
        name,
        bytes: format!("{head}\r\n{body}").into_bytes(),
        is_reusable,
        closes,
    };
    let (one, rest) = body.split_at(body.len() / 3);
    let chunks = |trailers: &str| {
        format!(
            "{:x}\r\n{one}\r\n{:X};name=\"value\"\r\n{rest}\r\n0\r\n{trailers}\r\n",
            one.len(),
            rest.len()
        )
    };
    let small: String = body
        .split_inclusive(',')
        .fold(String::new(), |text, part| text + &format!("{:x}\r\n{part}\r\n", part.len()))
        + "0\r\n\r\n";
    let with_length = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
    vec![
        form("a length", &with_length, body, true, false),
        form("an empty reason phrase", &with_length.replace("OK", ""), body, true, false),
        form("chunks", chunked, &chunks(""), true, false),
        form("chunks and trailers", chunked, &chunks("X-A: b\r\nX-C: d\r\n"), true, false),
        form("many chunks", chunked, &small, true, false),
        form("a body until the connection ends", "HTTP/1.1 200 OK\r\n", body, false, true),
        form(
            "a length, closed by the server",
            &format!("{with_length}Connection: close\r\n"),
            body,
            false,
            true,
        ),
        form(
            "a length, closed by the client",
            &format!("{with_length}Connection: close\r\n"),
            body,
            false,
            false,
        ),
        form("HTTP/1.0", &with_length.replace("1.1", "1.0"), body, false, true),
        form(
            "HTTP/1.0 with keep-alive",
            &format!("{}Connection: Keep-Alive\r\n", with_length.replace("1.1", "1.0")),
            body,
            true,
            false,
        ),
        form(
            "interim responses first",
            &format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{with_length}"
            ),
            body,
            true,
            false,
        ),
        form(
            "a head of 60 KB",
            &format!("{with_length}X-Long: {}\r\n", "x".repeat(60_000)),
            body,
            true,
            false,
        ),
    ]
}

/// Sends the bytes in pieces of this size, or all at once if it is 0. There is a pause after each of the
/// first pieces, so that they arrive separately.
fn send(connection: &mut dyn Connection, bytes: &[u8], step: usize) -> io::Result<()> {
    if step == 0 {
        return connection.write_all(bytes);
    }
    for (number, piece) in bytes.chunks(step).enumerate() {
        connection.write_all(piece)?;
        connection.flush()?;
        if number < 40 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

fn serves(bytes: Vec<u8>, step: usize, closes: bool) -> Behavior {
    Arc::new(move |connection, state| {
        while read_request(connection, state)? {
            send(connection, &bytes, step)?;
            if closes {
                return connection.send_close_notify();
            }
        }
        Ok(())
    })
}

fn check(form: &Form, step: usize, tls: Option<(&Arc<ServerConfig>, &str)>, expected: &Value) {
    let what = format!("{}, {step} bytes at a time, TLS {}", form.name, tls.is_some());
    let behavior = serves(form.bytes.clone(), step, form.closes);
    let server = TestServer::start(tls.map(|(config, _)| config.clone()), behavior);
    let mut config = json!({
        "accountId": "9900000", "username": "user", "password": "secret", "baseUrl": server.url(),
        "timeoutMs": 60_000, "maxRetries": 0,
    });
    if let Some((_, ca)) = tls {
        config["caFile"] = json!(ca);
    }
    let client = Client::new(&config).unwrap();
    for _ in 0..CALLS {
        let result = client.create("{}").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(&result, expected, "{what}");
    }
    let connections = server.connections();
    assert_eq!(connections, if form.is_reusable { 1 } else { CALLS }, "{what}: connections");
    assert_eq!(server.state.requests.lock().unwrap().len(), CALLS, "{what}: requests");
}

#[test]
fn response_is_the_same_in_every_framing_and_segmentation() {
    let authority = Authority::new("responses");
    let server = authority.server("127.0.0.1", Validity::Now);
    let ca = authority.file.to_str().unwrap();
    let expected = document("a tag");
    for form in forms(&expected.to_string()) {
        for tls in [None, Some((&server, ca))] {
            for step in [0, 1, 7, 1000] {
                check(&form, step, tls, &expected);
            }
        }
    }
}

#[test]
fn response_without_length_needs_a_close_notify() {
    let authority = Authority::new("cut");
    let server = authority.server("127.0.0.1", Validity::Now);
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    for sends_close_notify in [true, false] {
        let behavior: Behavior = Arc::new(move |connection, state| {
            read_request(connection, state)?;
            connection.write_all(head.as_bytes())?;
            if sends_close_notify { connection.send_close_notify() } else { connection.flush() }
        });
        let server = TestServer::start(Some(server.clone()), behavior);
        let client = Client::new(&json!({
            "accountId": "9900000", "username": "user", "password": "secret",
            "baseUrl": server.url(), "caFile": authority.file, "maxRetries": 0,
        }))
        .unwrap();
        let result = client.call("listSessionParticipants", "s", "", None);
        if sends_close_notify {
            assert_eq!(result.unwrap(), json!([]));
        } else {
            let error = result.unwrap_err();
            assert_eq!(error["error"]["name"], "BW_E_PROTOCOL", "{error}");
            assert_eq!(error["error"]["httpStatus"], 200, "{error}");
        }
    }
}

#[test]
fn long_responses_are_complete() {
    let expected = document(&"t".repeat(1_000_000));
    for form in forms(&expected.to_string()).iter().take(6) {
        for step in [0, 100_000] {
            check(form, step, None, &expected);
        }
    }
}

/// Responds to every request with this body and status 200.
fn server_with_body(body: &'static str) -> TestServer {
    let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    TestServer::start(None, serves(bytes.into_bytes(), 0, false))
}

fn client_of(server: &TestServer) -> Client {
    let config = json!({
        "accountId": "9900000", "username": "user", "password": "secret", "baseUrl": server.url(),
    });
    Client::new(&config).unwrap()
}

#[test]
fn login_page_is_not_a_success_for_any_operation() {
    let server = server_with_body("<html><body>Please log in</body></html>");
    let client = client_of(&server);
    for operation in [
        "deleteParticipant",
        "deleteSession",
        "addParticipantToSession",
        "removeParticipantFromSession",
        "updateParticipantSubscriptions",
        "getSession",
        "listSessionParticipants",
        "createSession",
    ] {
        let error = client.call(operation, "s", "p", None).unwrap_err()["error"].take();
        assert_eq!(error["name"], "BW_E_PROTOCOL", "{operation}: {error}");
        assert_eq!((&error["outcome"], &error["httpStatus"]), (&json!("unknown"), &json!(200)));
    }
    for body in ["", " \r\n", "{}", "null"] {
        let server = server_with_body(body);
        let deleted = client_of(&server).call("deleteParticipant", "", "p", None);
        assert_eq!(deleted.unwrap(), Value::Null, "{body:?}");
    }
}

#[test]
fn byte_order_mark_before_a_response_is_ignored() {
    let server = server_with_body("\u{feff}{\"id\":\"s\"}");
    let session = client_of(&server).call("getSession", "s", "", None).unwrap();
    assert_eq!(session, json!({"id": "s"}));
}
