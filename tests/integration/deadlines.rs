//! In every phase, a call ends soon after its deadline, or after its client is freed. The times are
//! printed; the assertions leave room for a slow machine. To see these tests fail, set
//! CANCEL_CHECK_INTERVAL in src/transport/call_context.rs to an hour.

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::abi::Client;
use crate::support::test_server::{Behavior, TestServer, read_request, respond_with, response};
use crate::support::{extend, wait_until};
use serde_json::{Value, json};

/// The limit of the time by which a call exceeds its timeout, also on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// A server with which a call stalls in one phase.
struct Stall {
    phase: &'static str,
    config: Value,
    /// The servers, which run until the case is dropped.
    _server: Option<TestServer>,
    _listener: Option<(TcpListener, Vec<std::net::TcpStream>)>,
}

fn stall(phase: &'static str, behavior: Behavior, keys: impl FnOnce(&str) -> Value) -> Stall {
    let server = TestServer::start(None, behavior);
    let config = keys(&server.address.to_string());
    Stall { phase, config, _server: Some(server), _listener: None }
}

fn silent() -> Behavior {
    Arc::new(|_, state| {
        state.wait_until_stopped();
        Ok(())
    })
}

/// Sends this response, one byte every 50 ms.
fn send_slowly(text: String) -> Behavior {
    Arc::new(move |connection, state| {
        read_request(connection, state)?;
        for byte in text.bytes() {
            connection.write_all(&[byte])?;
            connection.flush()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        state.wait_until_stopped();
        Ok(())
    })
}

fn stalls() -> Vec<Stall> {
    let plain = |address: &str| json!({"baseUrl": format!("http://{address}/v1")});
    let long = "x".repeat(2000);
    // The backlog is full and no connection is accepted, so that connecting stalls.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: takes no pointer; shortens the backlog of a listener that is ours.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let address = listener.local_addr().unwrap();
    let taken: Vec<_> = (0..4)
        .filter_map(|_| {
            std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok()
        })
        .collect();
    assert!(taken.len() < 4, "the backlog is not full");
    vec![
        Stall {
            phase: "connecting",
            config: plain(&address.to_string()),
            _server: None,
            _listener: Some((listener, taken)),
        },
        stall(
            "opening the proxy tunnel",
            silent(),
            |address| json!({"proxy": format!("http://{address}"), "baseUrl": "https://service.invalid/v1"}),
        ),
        stall(
            "opening the proxy tunnel",
            silent(),
            |address| json!({"proxy": format!("socks5://{address}"), "baseUrl": "https://service.invalid/v1"}),
        ),
        stall(
            "in the TLS handshake",
            silent(),
            |address| json!({"baseUrl": format!("https://{address}/v1")}),
        ),
        stall(
            "waiting for the response",
            Arc::new(|connection, state| {
                read_request(connection, state)?;
                state.wait_until_stopped();
                Ok(())
            }),
            plain,
        ),
        stall(
            "receiving the response",
            send_slowly(format!("HTTP/1.1 200 OK\r\nX: {long}")),
            plain,
        ),
        stall("receiving the response", send_slowly(response("200 OK", "", &long)), plain),
    ]
}

fn client(stall: &Stall, more: Value) -> Client {
    let mut config = json!({"accountId": "1", "username": "user", "password": "a long password",
        "connectTimeoutMs": 60_000, "maxRetries": 0});
    for keys in [&stall.config, &more] {
        extend(&mut config, keys);
    }
    Client::new(&config).unwrap()
}

#[test]
fn every_phase_ends_at_the_deadline() {
    for stall in stalls() {
        let client = client(&stall, json!({"timeoutMs": 700}));
        let began = Instant::now();
        let error = client.create("{}").unwrap_err()["error"].take();
        let took = began.elapsed();
        println!("timeoutMs 700, {}: {} ms", stall.phase, took.as_millis());
        assert_eq!(error["name"], "BW_E_TIMEOUT", "{error}");
        assert!(error["message"].as_str().unwrap().contains(stall.phase), "{error}");
        assert!(took >= Duration::from_millis(700) && took < SLACK, "{}: {took:?}", stall.phase);
        let sent = stall.phase.contains("response");
        assert_eq!(error["outcome"], if sent { "unknown" } else { "not_sent" }, "{error}");
    }
}

#[test]
fn connect_timeout_includes_the_tls_handshake() {
    for stall in stalls().into_iter().filter(|stall| !stall.phase.contains("response")) {
        let client = client(&stall, json!({"timeoutMs": 60_000, "connectTimeoutMs": 300}));
        let began = Instant::now();
        let error = client.create("{}").unwrap_err()["error"].take();
        assert_eq!(error["name"], "BW_E_TIMEOUT", "{error}");
        assert!(error["message"].as_str().unwrap().contains("connectTimeoutMs"), "{error}");
        assert!(began.elapsed() < SLACK, "{}: {:?}", stall.phase, began.elapsed());
    }
}

/// Frees a client while eight threads are inside its calls.
fn assert_cancelled(client: Client, phase: &str, outcome: &str) {
    let client = Arc::new(client);
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || client.create("{}").unwrap_err()["error"].take())
        })
        .collect();
    wait_until("the start of the calls", || client.stats()["inFlight"] == 8);
    // Waits until the calls are in the intended phase.
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    bw_webrtc::ffi::bw_client_free(client.0);
    let freed = began.elapsed();
    for call in calls {
        let error = call.join().unwrap();
        assert_eq!(error["name"], "BW_E_CANCELLED", "{phase}: {error}");
        assert!(error["message"].as_str().unwrap().contains(phase), "{phase}: {error}");
        assert_eq!(error["attempts"], 1, "{phase}: {error}");
        assert_eq!(error["outcome"], outcome, "{phase}: {error}");
    }
    let took = began.elapsed();
    println!("cancelled {phase}: {} ms, free itself {freed:?}", took.as_millis());
    assert!(took < SLACK && freed < SLACK, "{phase}: {took:?}");
}

#[test]
fn freeing_a_client_cancels_its_calls_in_every_phase() {
    for stall in stalls() {
        let outcome = if stall.phase.contains("response") { "unknown" } else { "not_sent" };
        assert_cancelled(client(&stall, json!({"timeoutMs": 60_000})), stall.phase, outcome);
    }
    let busy = respond_with(response("503 Service Unavailable", "Retry-After: 30\r\n", "{}"));
    let stall = stall(
        "waited for the next attempt",
        busy,
        |address| json!({"baseUrl": format!("http://{address}/v1")}),
    );
    let client =
        client(&stall, json!({"timeoutMs": 60_000, "maxRetries": 1, "maxRetryAfterMs": 60_000}));
    assert_cancelled(client, stall.phase, "rejected");
}
