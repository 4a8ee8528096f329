//! Whatever stalls, a call ends soon after its deadline, or after its client is freed. The times are
//! printed; what is asserted leaves room for a slow machine. To see these fail, make TICK in
//! src/transport/wire.rs an hour.

mod support;

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::abi::Client;
use support::rogue::{Behaviour, Rogue, answers, read_request, response};

/// More than any call should take beyond its time, even on a machine that is busy.
const SLACK: Duration = Duration::from_secs(2);

/// A peer with which a call gets so far and no further.
struct Stall {
    phase: &'static str,
    config: Value,
    /// Live as long as the case.
    _server: Option<Rogue>,
    _listener: Option<(TcpListener, Vec<std::net::TcpStream>)>,
}

fn stall(phase: &'static str, behaviour: Behaviour, keys: impl FnOnce(&str) -> Value) -> Stall {
    let server = Rogue::start(None, behaviour);
    let config = keys(&server.address.to_string());
    Stall { phase, config, _server: Some(server), _listener: None }
}

fn silent() -> Behaviour {
    Arc::new(|_, seen| {
        seen.linger();
        Ok(())
    })
}

/// Sends this once it has the request, a byte every 50 ms.
fn dribbles(text: String) -> Behaviour {
    Arc::new(move |wire, seen| {
        read_request(wire, seen)?;
        for byte in text.bytes() {
            wire.write_all(&[byte])?;
            wire.flush()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        seen.linger();
        Ok(())
    })
}

fn stalls() -> Vec<Stall> {
    let plain = |address: &str| json!({"baseUrl": format!("http://{address}/v1")});
    let long = "x".repeat(2000);
    // Nobody accepts, and the backlog is full: what comes is never answered.
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
            Arc::new(|wire, seen| {
                read_request(wire, seen)?;
                seen.linger();
                Ok(())
            }),
            plain,
        ),
        stall("receiving the response", dribbles(format!("HTTP/1.1 200 OK\r\nX: {long}")), plain),
        stall("receiving the response", dribbles(response("200 OK", "", &long)), plain),
    ]
}

fn client(stall: &Stall, more: Value) -> Client {
    let mut config = json!({"accountId": "1", "username": "user", "password": "a long password",
        "connectTimeoutMs": 60_000, "maxRetries": 0});
    for keys in [&stall.config, &more] {
        config.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
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
fn the_connect_time_out_covers_all_up_to_the_handshake() {
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
fn is_cancelled(client: Client, phase: &str, outcome: &str) {
    let client = Arc::new(client);
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || client.create("{}").unwrap_err()["error"].take())
        })
        .collect();
    let began = Instant::now();
    while client.stats()["inFlight"] != 8 {
        assert!(began.elapsed() < Duration::from_secs(10), "the calls do not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Into the phase that is meant.
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
fn freeing_a_client_ends_its_calls_in_every_phase() {
    for stall in stalls() {
        let outcome = if stall.phase.contains("response") { "unknown" } else { "not_sent" };
        is_cancelled(client(&stall, json!({"timeoutMs": 60_000})), stall.phase, outcome);
    }
    let busy = answers(response("503 Service Unavailable", "Retry-After: 30\r\n", "{}"));
    let stall = stall(
        "waited for the next attempt",
        busy,
        |address| json!({"baseUrl": format!("http://{address}/v1")}),
    );
    let client = client(&stall, json!({"timeoutMs": 60_000, "maxRetries": 1}));
    is_cancelled(client, stall.phase, "rejected");
}
