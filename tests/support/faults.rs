//! The faults of the network and of servers, each with the expected error. One table for two tests: in
//! Rust through the C ABI, and in a C program under valgrind.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};

use super::certificates::{Authority, Validity, self_signed};
use super::test_server::{
    Behavior, TestServer, read_request, respond_and_close, respond_with, response,
};

pub const PASSWORD: &str = "pa55-w0rd-\"of\"-the-tests";
pub const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJwIjoic2VjcmV0In0.c2lnbmF0dXJl";

/// A call that must fail, and its expected error.
pub struct FaultCase {
    pub name: &'static str,
    pub config: Value,
    pub request: &'static str,
    pub status: &'static str,
    pub outcome: &'static str,
    /// A text that the message must contain.
    pub message_part: &'static str,
    /// How many requests the server must have received.
    pub requests: Option<usize>,
    /// Runs until the case is dropped.
    pub server: Option<TestServer>,
}

/// All cases, each with its own server.
pub fn all() -> Vec<FaultCase> {
    let mut faults = Vec::new();
    statuses(&mut faults);
    invalid_responses(&mut faults);
    connections_lost(&mut faults);
    certificates(&mut faults);
    unreachable(&mut faults);
    faults
}

fn config(url: &str) -> Value {
    json!({
        "accountId": "9900000", "username": "user", "password": PASSWORD, "baseUrl": url,
        "maxRetries": 0, "timeoutMs": 60_000, "connectTimeoutMs": 60_000,
    })
}

fn fault(
    name: &'static str,
    server: TestServer,
    status: &'static str,
    outcome: &'static str,
    message_part: &'static str,
) -> FaultCase {
    FaultCase {
        name,
        config: config(&server.url()),
        request: r#"{"tag":"a tag"}"#,
        status,
        outcome,
        message_part,
        requests: Some(1),
        server: Some(server),
    }
}

fn plain(behavior: Behavior) -> TestServer {
    TestServer::start(None, behavior)
}

fn statuses(faults: &mut Vec<FaultCase>) {
    // Each body contains secrets, which must not appear in the error.
    let body = |text: &str| json!({"error": text, "echo": PASSWORD, "token": TOKEN}).to_string();
    for (name, line, status, outcome) in [
        ("HTTP 400", "400 Bad Request", "BW_E_BAD_REQUEST", "rejected"),
        ("HTTP 401", "401 Unauthorized", "BW_E_UNAUTHORIZED", "rejected"),
        ("HTTP 403", "403 Forbidden", "BW_E_FORBIDDEN", "rejected"),
        ("HTTP 404", "404 Not Found", "BW_E_NOT_FOUND", "rejected"),
        ("HTTP 409", "409 Conflict", "BW_E_CONFLICT", "rejected"),
        ("HTTP 418", "418 I'm a teapot", "BW_E_HTTP_STATUS", "rejected"),
        ("HTTP 429", "429 Too Many Requests", "BW_E_RATE_LIMITED", "rejected"),
        ("HTTP 500", "500 Internal Server Error", "BW_E_SERVER", "unknown"),
        ("HTTP 503", "503 Service Unavailable", "BW_E_SERVER", "unknown"),
        (
            "HTTP 503 with Retry-After",
            "503 Service Unavailable\r\nRetry-After: 1",
            "BW_E_SERVER",
            "rejected",
        ),
        ("HTTP 504", "504 Gateway Timeout", "BW_E_SERVER", "unknown"),
    ] {
        let server = plain(respond_with(response(line, "", &body("the reason"))));
        faults.push(fault(name, server, status, outcome, "the reason"));
    }
    let page = "<html><h1>502 Bad Gateway</h1></html>";
    let server =
        plain(respond_with(response("502 Bad Gateway", "Content-Type: text/html\r\n", page)));
    faults.push(fault("HTTP 502 with a page", server, "BW_E_SERVER", "unknown", "HTTP 502"));
    // If the client followed the redirect, it would send the credentials to another host, and the call would
    // succeed.
    let created = json!({"participant": {"id": "p"}, "token": TOKEN}).to_string();
    let elsewhere = Box::leak(Box::new(plain(respond_with(response("200 OK", "", &created)))));
    let location = format!("Location: {}/x\r\n", elsewhere.url());
    let server = plain(respond_with(response("307 Temporary Redirect", &location, "")));
    faults.push(fault("a redirect", server, "BW_E_HTTP_STATUS", "unknown", "not followed"));
}

fn invalid_responses(faults: &mut Vec<FaultCase>) {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for (name, bytes, message_part) in [
        ("not JSON", response("200 OK", "", "hello"), "not a JSON object"),
        ("an empty body", response("200 OK", "", ""), "not a JSON object"),
        ("204 for a participant", "HTTP/1.1 204 No Content\r\n\r\n".into(), "not a JSON object"),
        ("another type", response("200 OK", "", "[1]"), "not a JSON object"),
        ("deeply nested", response("200 OK", "", &deep), "not a JSON object"),
        (
            "no participant id",
            response("200 OK", "", &json!({"participant": {}, "token": TOKEN}).to_string()),
            "participant.id",
        ),
        ("no token", response("200 OK", "", r#"{"participant":{"id":"p"}}"#), "no token"),
        (
            "a Content-Length that is too short",
            format!("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{{\"token\":\"{TOKEN}\"}}"),
            "not a JSON object",
        ),
        ("not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n".into(), "HTTP"),
        ("a status that is not a number", "HTTP/1.1 abc OK\r\n\r\n".into(), "HTTP"),
        (
            "an invalid chunk size",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".into(),
            "HTTP",
        ),
        (
            "an endless head",
            format!("HTTP/1.1 200 OK\r\nX-More: {}", "and more, ".repeat(50_000)),
            "head of the response is larger",
        ),
        (
            "endless headers",
            format!("HTTP/1.1 200 OK\r\n{}", "X-More: and more\r\n".repeat(50_000)),
            "too many headers",
        ),
    ] {
        let server = plain(respond_and_hold(bytes));
        faults.push(fault(name, server, "BW_E_PROTOCOL", "unknown", message_part));
    }
    let server = plain(Arc::new(|connection, state| {
        read_request(connection, state)?;
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n{\"a\":\"")?;
        for _ in 0..100 {
            connection.write_all(&[b'x'; 1 << 20])?;
        }
        Ok(())
    }));
    faults.push(fault("100 MB", server, "BW_E_PROTOCOL", "unknown", "maxResponseBytes"));
    let server = plain(Arc::new(|connection, state| {
        read_request(connection, state)?;
        connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        while !state.is_stopped() {
            connection.write_all(b"10\r\n0123456789abcdef\r\n")?;
        }
        Ok(())
    }));
    faults.push(fault("endless chunks", server, "BW_E_PROTOCOL", "unknown", "maxResponseBytes"));
}

fn connections_lost(faults: &mut Vec<FaultCase>) {
    let server = plain(close_at_once());
    faults.push(FaultCase {
        requests: Some(0),
        ..fault("closed at once", server, "BW_E_NETWORK", "unknown", "connection")
    });
    let server = plain(respond_and_close(""));
    faults.push(fault(
        "closed without a response",
        server,
        "BW_E_NETWORK",
        "unknown",
        "closed before a response",
    ));
    let server = plain(respond_and_close("HTTP/1.1 200 OK\r\nContent-Le"));
    faults.push(fault("a truncated head", server, "BW_E_PROTOCOL", "unknown", "in the middle"));
    let server =
        plain(respond_and_close("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"token\":"));
    faults.push(fault("a truncated body", server, "BW_E_PROTOCOL", "unknown", "in the middle"));

    let slow = |server: &TestServer| {
        let mut config = config(&server.url());
        config["timeoutMs"] = json!(1500);
        config
    };
    let server = plain(respond_and_hold(""));
    faults.push(FaultCase {
        config: slow(&server),
        ..fault("no response", server, "BW_E_TIMEOUT", "unknown", "waiting for the response")
    });
    let server = plain(Arc::new(|connection, state| {
        read_request(connection, state)?;
        for byte in response("200 OK", "", "{}").bytes() {
            connection.write_all(&[byte])?;
            std::thread::sleep(Duration::from_millis(300));
        }
        Ok(())
    }));
    faults.push(FaultCase {
        config: slow(&server),
        ..fault("a byte every 300 ms", server, "BW_E_TIMEOUT", "unknown", "receiving the response")
    });
}

fn certificates(faults: &mut Vec<FaultCase>) {
    let authority = Authority::new("faults");
    let ok = || respond_with(response("200 OK", "", "{}"));
    let host = "127.0.0.1";
    for (name, tls, message_part) in [
        ("expired", authority.server(host, Validity::Past), "has expired"),
        ("not yet valid", authority.server(host, Validity::Future), "not valid yet"),
        (
            "for another host",
            authority.server("example.com", Validity::Now),
            "another host (example.com)",
        ),
        ("self-signed", self_signed(host), "not signed by a trusted authority"),
        (
            "signed by another authority",
            Authority::new("unknown").server(host, Validity::Now),
            "not signed by a trusted authority",
        ),
    ] {
        let server = TestServer::start(Some(tls), ok());
        let mut config = config(&server.url());
        config["caFile"] = json!(authority.file);
        faults.push(FaultCase {
            config,
            requests: Some(0),
            ..fault(name, server, "BW_E_TLS", "not_sent", message_part)
        });
    }
    let (authority_as_server, tls) = Authority::self_signed("self-signed", host);
    for (name, file, tls, message_part) in [
        (
            "self-signed with CA:TRUE",
            &authority_as_server.file,
            tls,
            "replace it by one with CA:FALSE",
        ),
        (
            "a common name only",
            &authority.file,
            authority.common_name_only(host),
            "has no subjectAltName",
        ),
    ] {
        let server = TestServer::start(Some(tls), ok());
        let mut config = config(&server.url());
        config["caFile"] = json!(file);
        faults.push(FaultCase {
            config,
            requests: Some(0),
            ..fault(name, server, "BW_E_TLS", "not_sent", message_part)
        });
    }
    client_certificates(faults, &authority);
    let good = authority.server(host, Validity::Now);
    let server = TestServer::start(Some(good.clone()), ok());
    faults.push(FaultCase {
        requests: Some(0),
        ..fault("an authority that is not configured", server, "BW_E_TLS", "not_sent", "caFile")
    });
    for (name, behavior, status, message_part) in [
        ("plain HTTP instead of TLS", send_first("HTTP/1.1 400 No\r\n\r\n"), "BW_E_TLS", "TLS"),
        // Servers with an old TLS version send alert 70, and servers with other cipher suites alert 40.
        (
            "old TLS",
            send_first("\x15\x03\x01\0\x02\x02\x46"),
            "BW_E_TLS",
            "neither TLS 1.2 nor TLS 1.3",
        ),
        ("other ciphers", send_first("\x15\x03\x03\0\x02\x02\x28"), "BW_E_TLS", "no cipher suite"),
        ("closed in the handshake", close_at_once(), "BW_E_", ""),
        ("a handshake that stalls", respond_and_hold(""), "BW_E_TIMEOUT", "TLS handshake"),
    ] {
        let server = plain(behavior);
        let mut config = config(&server.url().replace("http:", "https:"));
        config["caFile"] = json!(authority.file);
        config["timeoutMs"] = json!(1500);
        faults.push(FaultCase {
            config,
            requests: Some(0),
            ..fault(name, server, status, "not_sent", message_part)
        });
    }
    let server = TestServer::start(Some(good), respond_and_close("HTTP/1.1 200 OK\r\nContent-Le"));
    let mut with_ca = config(&server.url());
    with_ca["caFile"] = json!(authority.file);
    faults.push(FaultCase {
        config: with_ca,
        ..fault("a truncated head, over TLS", server, "BW_E_PROTOCOL", "unknown", "in the middle")
    });
}

fn client_certificates(faults: &mut Vec<FaultCase>, authority: &Authority) {
    let [cert, key] = authority.client("client");
    let unknown = || CertificateError::UnknownIssuer.into();
    let requires = "requires a client certificate";
    let rejects = "rejected the client certificate (TLS alert 48); check clientCertFile";
    // With TLS 1.3, the request has been sent before the server checks the certificate.
    for (name, version, error, has_one, outcome, message_part) in [
        ("no certificate, TLS 1.3", &TLS13, unknown(), false, "unknown", requires),
        ("no certificate, TLS 1.2", &TLS12, unknown(), false, "not_sent", requires),
        ("an unknown certificate, TLS 1.3", &TLS13, unknown(), true, "unknown", rejects),
        ("an unknown certificate, TLS 1.2", &TLS12, unknown(), true, "not_sent", rejects),
        (
            "an alert without a specific reason",
            &TLS12,
            rustls::Error::General(String::new()),
            true,
            "not_sent",
            requires,
        ),
    ] {
        let tls = authority.rejecting_server("127.0.0.1", version, error);
        let server = TestServer::start(
            Some(tls),
            Arc::new(|connection, state| {
                // If the server closed the connection, the alert could be lost.
                let _ = read_request(connection, state);
                state.wait_until_stopped();
                Ok(())
            }),
        );
        let mut config = config(&server.url());
        config["caFile"] = json!(authority.file);
        if has_one {
            (config["clientCertFile"], config["clientKeyFile"]) = (json!(cert), json!(key));
        }
        faults.push(FaultCase {
            config,
            requests: Some(0),
            ..fault(name, server, "BW_E_TLS", outcome, message_part)
        });
    }
}

fn unreachable(faults: &mut Vec<FaultCase>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    for (name, url, status, message_part) in [
        ("a closed port", closed, "BW_E_CONNECT", "check that a server is listening there"),
        (
            "an unknown name",
            "https://nowhere.invalid/v1".to_owned(),
            "BW_E_RESOLVE",
            "nowhere.invalid",
        ),
    ] {
        faults.push(FaultCase {
            name,
            config: config(&url),
            request: "{}",
            status,
            outcome: "not_sent",
            message_part,
            requests: None,
            server: None,
        });
    }
}

/// Closes the connection at once.
fn close_at_once() -> Behavior {
    Arc::new(|_, _| Ok(()))
}

/// Sends these bytes before any request, and keeps the connection open.
fn send_first(bytes: &'static str) -> Behavior {
    Arc::new(move |connection, state| {
        connection.write_all(bytes.as_bytes())?;
        state.wait_until_stopped();
        Ok(())
    })
}

/// Responds with these bytes, and keeps the connection open without sending more.
fn respond_and_hold(bytes: impl Into<Vec<u8>>) -> Behavior {
    let bytes = bytes.into();
    Arc::new(move |connection, state| {
        read_request(connection, state)?;
        connection.write_all(&bytes)?;
        connection.flush()?;
        state.wait_until_stopped();
        Ok(())
    })
}
