//! OAuth: which calls request an access token and when, and the errors of the token request.

use std::collections::{HashMap, HashSet};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::abi::Client;
use crate::support::process::{Sandbox, compile, run_checks};
use crate::support::test_server::{Behavior, TestServer, read_request_text, response};
use crate::support::{extend, secrets, wait_until};
use serde_json::{Value, json};

const CREATED: &str = r#"{"participant":{"id":"p-1"},"token":"participant-token"}"#;
const SECRET: &str = "a client secret of the tests";

/// A server with a token endpoint and a service that accepts its tokens.
struct Server {
    http: TestServer,
    state: Arc<State>,
}

/// Responds to the n-th token request (from 0) with the name of the token.
type TokenReply = Box<dyn Fn(usize, &str) -> String + Send + Sync>;
/// Responds to an operation with this token; `None` for the response of the service.
type ServiceReply = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

struct State {
    token_requests: AtomicUsize,
    /// The number of requests with each token, whether accepted or not.
    used: Mutex<HashMap<String, usize>>,
    /// The number of operations, whether accepted or not.
    operations: AtomicUsize,
    /// The delay of the token endpoint's responses.
    delay: Mutex<Duration>,
    on_token: TokenReply,
    on_call: ServiceReply,
}

fn token_response(name: &str, expires_in: &str) -> String {
    let token = token(name);
    let body =
        format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{expires_in}}}"#);
    response("200 OK", "", &body)
}

fn token(name: &str) -> String {
    let token = format!("access-token-of-the-tests-{name}");
    secrets::add(&token);
    token
}

impl Server {
    fn start(on_token: TokenReply, on_call: ServiceReply) -> Server {
        let state = Arc::new(State {
            token_requests: AtomicUsize::new(0),
            used: Mutex::default(),
            operations: AtomicUsize::new(0),
            delay: Mutex::default(),
            on_token,
            on_call,
        });
        let shared = state.clone();
        let behavior: Behavior = Arc::new(move |connection, state| {
            while let Some(request) = read_request_text(connection, state)? {
                let text = if request.starts_with("POST /oauth2/token ") {
                    let number = shared.token_requests.fetch_add(1, Ordering::SeqCst);
                    let delay = *shared.delay.lock().unwrap();
                    thread::sleep(delay);
                    (shared.on_token)(number, &number.to_string())
                } else {
                    shared.serve(&request)
                };
                if text.is_empty() {
                    return Ok(());
                }
                connection.write_all(text.as_bytes())?;
            }
            Ok(())
        });
        Server { http: TestServer::start(None, behavior), state }
    }

    /// Every token is valid for an hour.
    fn with_valid_tokens() -> Server {
        Server::start(Box::new(|_, name| token_response(name, "3600")), Box::new(|_| None))
    }

    fn config(&self, more: Value) -> Value {
        let mut config = json!({
            "accountId": "9900000", "clientId": "client", "clientSecret": SECRET,
            "baseUrl": self.http.url(), "tokenUrl": self.token_url(),
            "timeoutMs": 60_000, "retryBaseMs": 1,
        });
        extend(&mut config, &more);
        config
    }

    fn token_url(&self) -> String {
        format!("http://{}/oauth2/token", self.http.address)
    }

    fn client(&self, more: Value) -> Client {
        Client::new(&self.config(more)).unwrap()
    }

    fn token_requests(&self) -> usize {
        self.state.token_requests.load(Ordering::SeqCst)
    }

    fn operations(&self) -> usize {
        self.state.operations.load(Ordering::SeqCst)
    }

    fn used(&self, name: &str) -> usize {
        self.state.used.lock().unwrap().get(&token(name)).copied().unwrap_or(0)
    }
}

impl State {
    fn serve(&self, request: &str) -> String {
        self.operations.fetch_add(1, Ordering::SeqCst);
        let header = request.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("authorization").then(|| value.to_owned())
        });
        let bearer = header.unwrap_or_default();
        let bearer = bearer.strip_prefix("Bearer ").unwrap_or("none").to_owned();
        *self.used.lock().unwrap().entry(bearer.clone()).or_default() += 1;
        (self.on_call)(&bearer).unwrap_or_else(|| {
            if bearer.starts_with("access-token") {
                response("200 OK", "", CREATED)
            } else {
                unauthorized()
            }
        })
    }
}

fn unauthorized() -> String {
    response("401 Unauthorized", "", r#"{"message":"Unauthorized"}"#)
}

#[test]
fn token_request_is_as_documented_and_the_token_is_reused() {
    let server = Server::with_valid_tokens();
    let client = server.client(json!({}));
    for _ in 0..3 {
        assert_eq!(client.create("{}").unwrap()["participant"]["id"], "p-1");
    }
    let requests = server.http.state.requests.lock().unwrap().clone();
    assert_eq!((requests.len(), server.token_requests(), server.used("0")), (4, 1, 3));
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "grant_type=client_credentials");
    let head = head.to_lowercase();
    assert!(head.starts_with("post /oauth2/token http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded\r\n"), "{head}");
    use base64::Engine;
    let pair = base64::prelude::BASE64_STANDARD.encode(format!("client:{SECRET}"));
    assert!(head.contains(&format!("authorization: basic {}", pair.to_lowercase())), "{head}");
    let stats = client.stats();
    assert_eq!((&stats["tokenRequests"], &stats["attempts"]), (&json!(1), &json!(3)));
}

#[test]
fn concurrent_first_calls_request_one_token() {
    let server = Server::with_valid_tokens();
    *server.state.delay.lock().unwrap() = Duration::from_millis(100);
    let client = Arc::new(server.client(json!({})));
    let together = Arc::new(Barrier::new(64));
    let threads: Vec<_> = (0..64)
        .map(|_| {
            let (client, together) = (client.clone(), together.clone());
            thread::spawn(move || {
                together.wait();
                client.create("{}").unwrap();
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((server.token_requests(), server.used("0")), (1, 64));
}

#[test]
fn rejected_token_is_replaced_once_and_the_call_is_sent_again() {
    // A create request is also sent again, since the service did nothing on a 401.
    let stale = token("0");
    let server = Server::start(
        Box::new(|_, name| token_response(name, "3600")),
        Box::new(move |used| (used == stale).then(unauthorized)),
    );
    let client = server.client(json!({"maxRetries": 0}));
    client.create("{}").unwrap();
    assert_eq!((server.token_requests(), server.used("0"), server.used("1")), (2, 1, 1));
    client.create("{}").unwrap();
    assert_eq!((server.token_requests(), server.used("1")), (2, 2));
}

#[test]
fn new_attempt_with_a_new_token_does_not_count_as_a_retry() {
    let stale = token("0");
    let calls = AtomicUsize::new(0);
    let server = Server::start(
        Box::new(|_, name| token_response(name, "3600")),
        Box::new(move |used| match calls.fetch_add(1, Ordering::SeqCst) {
            _ if used == stale => Some(unauthorized()),
            1 => Some(response("503 Busy", "Retry-After: 0\r\n", "")),
            _ => None,
        }),
    );
    server.client(json!({"maxRetries": 1})).create("{}").unwrap();
    assert_eq!((server.operations(), server.token_requests()), (3, 2));
}

#[test]
fn retry_after_of_the_token_request_counts_for_every_call_that_waits_for_it() {
    let busy = || response("429 Too Many Requests", "Retry-After: 2\r\n", "{}");
    let server = Server::start(
        Box::new(move |n, name| if n == 0 { busy() } else { token_response(name, "3600") }),
        Box::new(move |_| Some(busy())),
    );
    let client = server.client(json!({"maxRetries": 9, "maxRetryAfterMs": 3_000}));
    thread::scope(|scope| {
        let first = scope.spawn(|| client.create("{}"));
        wait_until("the token request", || server.token_requests() == 1);
        for call in [scope.spawn(|| client.create("{}")), first] {
            let error = call.join().unwrap().unwrap_err()["error"].take();
            assert_eq!(
                (&error["name"], &error["attempts"]),
                (&json!("BW_E_RATE_LIMITED"), &json!(1)),
                "{error}"
            );
        }
    });
    assert_eq!((server.token_requests(), server.operations()), (2, 2));
}

#[test]
fn retry_after_values_of_a_token_request_are_limited_together() {
    let server = Server::start(
        Box::new(|_, _| response("429 Too Many Requests", "Retry-After: 1\r\n", "{}")),
        Box::new(|_| None),
    );
    let client = server.client(json!({"maxRetries": 9, "maxRetryAfterMs": 1_999}));
    let error = client.create("{}").unwrap_err()["error"].take();
    assert_eq!(
        (&error["name"], &error["outcome"]),
        (&json!("BW_E_RATE_LIMITED"), &json!("not_sent")),
        "{error}"
    );
    assert_eq!((server.token_requests(), server.operations()), (2, 0));
}

#[test]
fn second_401_and_every_403_are_reported() {
    for (line, name, token_requests, operations) in
        [("401 Unauthorized", "BW_E_UNAUTHORIZED", 2, 2), ("403 Forbidden", "BW_E_FORBIDDEN", 1, 1)]
    {
        let server = Server::start(
            Box::new(|_, name| token_response(name, "3600")),
            Box::new(move |_| Some(response(line, "", r#"{"message":"no"}"#))),
        );
        let error = server.client(json!({})).create("{}").unwrap_err()["error"].take();
        assert_eq!((&error["name"], &error["outcome"]), (&json!(name), &json!("rejected")));
        assert_eq!(error["attempts"], operations);
        assert_eq!((server.token_requests(), server.operations()), (token_requests, operations));
        let message = error["message"].as_str().unwrap();
        assert!(!message.contains("username"), "{message}");
    }
}

#[test]
fn failed_token_request_fails_the_call_before_it_is_sent() {
    let html = response("200 OK", "", "<html>captive</html>");
    let echo = format!(r#"{{"error":"invalid_client","error_description":"not {SECRET}"}}"#);
    for (reply, name, part, requests) in [
        (
            response("401 Unauthorized", "", "{}"),
            "BW_E_UNAUTHORIZED",
            "clientId and clientSecret",
            1,
        ),
        (
            response("400 Bad Request", "", &echo),
            "BW_E_UNAUTHORIZED",
            "clientId and clientSecret",
            1,
        ),
        (
            response("400 Bad Request", "", r#"{"error":"invalid_request"}"#),
            "BW_E_BAD_REQUEST",
            "HTTP 400",
            1,
        ),
        (response("404 Not Found", "", ""), "BW_E_HTTP_STATUS", "check tokenUrl", 1),
        (response("403 Forbidden", "", ""), "BW_E_FORBIDDEN", "HTTP 403", 1),
        (response("302 Found", "Location: /x\r\n", ""), "BW_E_HTTP_STATUS", "check tokenUrl", 1),
        (response("408 Request Timeout", "", ""), "BW_E_HTTP_STATUS", "HTTP 408", 3),
        (response("421 Misdirected Request", "", ""), "BW_E_HTTP_STATUS", "HTTP 421", 3),
        (response("425 Too Early", "", ""), "BW_E_HTTP_STATUS", "HTTP 425", 3),
        (response("429 Too Many Requests", "", ""), "BW_E_RATE_LIMITED", "later", 3),
        (response("500 Oops", "", ""), "BW_E_SERVER", "HTTP 500", 3),
        (response("503 Busy", "", ""), "BW_E_SERVER", "HTTP 503", 3),
        (html, "BW_E_PROTOCOL", "not JSON", 1),
        (
            response("200 OK", "", r#"{"token_type":"Bearer"}"#),
            "BW_E_PROTOCOL",
            "no access_token",
            1,
        ),
        (response("200 OK", "", "{\"access_token\":\"a\\nb\"}"), "BW_E_PROTOCOL", "characters", 1),
        (String::new(), "BW_E_NETWORK", "the token request failed", 3),
    ] {
        let server = Server::start(Box::new(move |_, _| reply.clone()), Box::new(|_| None));
        let client = server.client(json!({}));
        let error = client.create("{}").unwrap_err()["error"].take();
        let message = error["message"].as_str().unwrap();
        assert_eq!(error["name"], name, "{error}");
        assert!(message.starts_with("the token request") && message.contains(part), "{message}");
        assert!(!message.contains(SECRET), "{message}");
        assert_eq!(
            (&error["operation"], &error["outcome"], &error["attempts"]),
            (&json!("createParticipant"), &json!("not_sent"), &json!(0))
        );
        assert_eq!((server.token_requests(), server.operations()), (requests, 0), "{message}");
        assert_eq!(client.stats()["statuses"][name], 1);
    }
}

#[test]
fn unreachable_token_url_is_reported() {
    let server = Server::with_valid_tokens();
    // A port on which nothing listens.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = server.client(json!({"tokenUrl": format!("http://{closed}/oauth2/token")}));
    let error = client.create("{}").unwrap_err()["error"].take();
    assert_eq!((&error["name"], &error["outcome"]), (&json!("BW_E_CONNECT"), &json!("not_sent")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("tokenUrl") && !message.contains("baseUrl"), "{message}");
    assert_eq!(server.operations(), 0);
}

#[test]
fn waiting_calls_share_one_rejected_token_request() {
    let server = Server::start(Box::new(|_, _| unauthorized()), Box::new(|_| None));
    *server.state.delay.lock().unwrap() = Duration::from_millis(500);
    let client = Arc::new(server.client(json!({})));
    let first = {
        let client = client.clone();
        thread::spawn(move || client.create("{}").unwrap_err())
    };
    wait_until("the token request", || server.token_requests() == 1);
    let others: Vec<_> = (0..16)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || client.create("{}").unwrap_err())
        })
        .collect();
    for thread in others.into_iter().chain([first]) {
        assert_eq!(thread.join().unwrap()["error"]["name"], "BW_E_UNAUTHORIZED");
    }
    // A thread that started late may have made its own request.
    assert!(server.token_requests() < 4, "{}", server.token_requests());
}

#[test]
fn call_waiting_for_a_token_keeps_its_own_deadline() {
    let server = Server::with_valid_tokens();
    *server.state.delay.lock().unwrap() = Duration::from_secs(3);
    let client = Arc::new(server.client(json!({})));
    let first = {
        let client = client.clone();
        thread::spawn(move || client.create("{}").unwrap())
    };
    wait_until("the token request", || server.token_requests() == 1);
    let began = Instant::now();
    let error = client
        .call_document(r#"{"operation":"createSession","timeoutMs":300}"#)
        .unwrap_err()["error"]
        .take();
    let waited = began.elapsed();
    assert_eq!((&error["name"], &error["outcome"]), (&json!("BW_E_TIMEOUT"), &json!("not_sent")));
    assert!(waited >= Duration::from_millis(300), "{waited:?}");
    // The token response was due much later.
    assert!(waited < Duration::from_millis(2500), "{waited:?}");
    first.join().unwrap();
    assert_eq!(server.token_requests(), 1);
}

#[test]
fn deadline_of_one_call_does_not_fail_others_that_wait_for_the_token() {
    let server = Server::start(
        Box::new(|number, name| {
            if number == 0 {
                thread::sleep(Duration::from_millis(1500));
            }
            token_response(name, "3600")
        }),
        Box::new(|_| None),
    );
    let client = Arc::new(server.client(json!({"maxRetries": 0})));
    let hurried = {
        let client = client.clone();
        thread::spawn(move || {
            client.call_document(r#"{"operation":"createSession","timeoutMs":400}"#).unwrap_err()
        })
    };
    wait_until("the token request", || server.token_requests() == 1);
    client.create("{}").unwrap();
    assert_eq!(hurried.join().unwrap()["error"]["name"], "BW_E_TIMEOUT");
    assert_eq!(server.token_requests(), 2);
}

#[test]
fn token_is_renewed_by_one_call_while_others_use_the_old_token() {
    // The token is due for renewal after 2.7 s of 3 s.
    let server = Server::start(
        Box::new(|number, name| token_response(name, if number == 0 { "3" } else { "3600" })),
        Box::new(|_| None),
    );
    let client = Arc::new(server.client(json!({})));
    client.create("{}").unwrap();
    let began = Instant::now();
    *server.state.delay.lock().unwrap() = Duration::from_millis(150);
    while server.used("1") == 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "the token was not renewed");
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let client = client.clone();
                thread::spawn(move || client.create("{}").unwrap())
            })
            .collect();
        threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
    }
    assert_eq!(server.token_requests(), 2);
    assert_eq!(server.used("none"), 0);
}

#[test]
fn token_without_a_lifetime_is_used_once() {
    let server = Server::start(
        Box::new(|_, name| token_response(name, "0")),
        Box::new(|used| {
            used.ends_with("-1").then(|| response("503 Busy", "Retry-After: 0\r\n", ""))
        }),
    );
    let client = server.client(json!({"maxRetries": 1}));
    client.create("{}").unwrap();
    // The second attempt of a call uses the call's token.
    let error = client.create("{}").unwrap_err();
    assert_eq!(error["error"]["attempts"], 2, "{error}");
    assert_eq!((server.used("0"), server.used("1"), server.token_requests()), (1, 2, 2));
}

#[test]
fn new_credentials_discard_the_token() {
    let server = Server::with_valid_tokens();
    let client = server.client(json!({}));
    client.create("{}").unwrap();
    let refused = client.set_credentials("client", "").unwrap_err();
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("clientSecret: is empty"), "{message}");
    client.create("{}").unwrap();
    assert_eq!(server.token_requests(), 1);
    client.set_credentials("other", "the second client secret").unwrap();
    client.create("{}").unwrap();
    assert_eq!((server.token_requests(), server.used("0"), server.used("1")), (2, 2, 1));
    let requests = server.http.state.requests.lock().unwrap().clone();
    use base64::Engine;
    let pair = base64::prelude::BASE64_STANDARD.encode("other:the second client secret");
    assert!(requests.iter().any(|request| request.contains(&pair)));
}

#[test]
fn changing_credentials_during_calls_fails_no_call() {
    let server = Server::with_valid_tokens();
    let client = Arc::new(server.client(json!({})));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || (0..200).for_each(|_| drop(client.create("{}").unwrap())))
        })
        .collect();
    for round in 0..50 {
        client.set_credentials("client", &format!("client secret number {round}")).unwrap();
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    client.create("{}").unwrap();
    let last = server.token_requests() - 1;
    assert!(server.used(&last.to_string()) > 0, "the last token was not used");
    assert_eq!(client.stats()["statuses"], json!({"BW_OK": 1601}));
}

#[test]
fn freeing_the_client_cancels_the_wait_for_a_token() {
    let server = Server::with_valid_tokens();
    *server.state.delay.lock().unwrap() = Duration::from_secs(20);
    let client = Arc::new(server.client(json!({})));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || client.create("{}").unwrap_err()["error"].take())
        })
        .collect();
    wait_until("the token request", || server.token_requests() == 1);
    wait_until("the calls", || client.stats()["inFlight"] == 4);
    let freed = Instant::now();
    bw_webrtc::ffi::bw_client_free(client.0);
    for thread in threads {
        let error = thread.join().unwrap();
        assert_eq!(
            (&error["name"], &error["outcome"]),
            (&json!("BW_E_CANCELLED"), &json!("not_sent"))
        );
    }
    // The token response was due 20 s after the request.
    let took = freed.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    println!("{took:?} to cancel four calls");
}

#[test]
fn unknown_outcome_remains_if_a_later_token_request_fails() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(
        Box::new(|number, name| match number {
            0 => token_response(name, "3600"),
            _ => response("401 Unauthorized", "", "{}"),
        }),
        Box::new(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Some(response("502 Bad Gateway", "", "")),
            _ => Some(unauthorized()),
        }),
    );
    let client = server.client(json!({}));
    let error = client.call("deleteParticipant", "", "p-1", None).unwrap_err()["error"].take();
    assert_eq!(
        (&error["name"], &error["outcome"], &error["attempts"]),
        (&json!("BW_E_UNAUTHORIZED"), &json!("unknown"), &json!(2))
    );
}

#[test]
fn sixteen_threads_share_tokens_that_expire() {
    let sandbox = Sandbox::start(&["--token-ttl", "2", "--no-basic"]);
    let client = Arc::new(Client::new(&sandbox.oauth_config(&json!({}))).unwrap());
    let began = Instant::now();
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || {
                let mut calls = 0_u64;
                while began.elapsed() < Duration::from_secs(10) {
                    let created = client.create("{}").unwrap();
                    let id = created["participant"]["id"].as_str().unwrap();
                    client.call("deleteParticipant", "", id, None).unwrap();
                    calls += 2;
                    // The sandbox records the last 10000 requests: all of this test's must be among them.
                    thread::sleep(Duration::from_millis(40));
                }
                calls
            })
        })
        .collect();
    let calls: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let requests = sandbox.requests("token").len();
    // A token is renewed 1.8 s after its request at the earliest.
    let most = began.elapsed().as_millis() as usize / 1800 + 1;
    assert!((4..=most).contains(&requests), "{requests} token requests for {calls} calls");
    let stats = client.stats();
    assert_eq!(
        (&stats["tokenRequests"], &stats["statuses"]),
        (&json!(requests), &json!({"BW_OK": calls}))
    );
}

#[test]
fn revoked_token_is_replaced_and_changed_secret_is_rejected() {
    let sandbox = Sandbox::start(&["--no-basic"]);
    let client = Client::new(&sandbox.oauth_config(&json!({}))).unwrap();
    client.create("{}").unwrap();
    sandbox.revoke_tokens();
    client.create("{}").unwrap();
    assert_eq!(client.stats()["tokenRequests"], 2);
    client.set_credentials("client", "not the secret of the sandbox").unwrap();
    let error = client.create("{}").unwrap_err()["error"].take();
    assert_eq!((&error["name"], &error["httpStatus"]), (&json!("BW_E_UNAUTHORIZED"), &json!(401)));
    client.set_credentials("client", "client-secret").unwrap();
    client.create("{}").unwrap();
    let basic = Client::new(&sandbox.config(&json!({}))).unwrap();
    let error = basic.create("{}").unwrap_err()["error"].take();
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("check username and password"), "{message}");
}

#[test]
fn child_process_never_waits_for_a_token_request_of_its_parent() {
    let program = compile("hosts/token_fork.c", false);
    for sandbox in [Sandbox::start(&[]), Sandbox::start_tls()] {
        sandbox.fault(&json!({"operation": "token", "kind": "delay", "ms": 1500, "count": 1}));
        run_checks(Command::new(&program).arg(sandbox.oauth_config(&json!({})).to_string()));
        // One token request of the parent, and one of each of eight children. Their children inherit the tokens.
        assert_eq!(sandbox.requests("token").len(), 9);
        let mut tags = HashSet::new();
        for request in sandbox.requests("createParticipant") {
            let tag = request["body"]["tag"].as_str().unwrap().to_owned();
            assert!(tags.insert(tag.clone()), "{tag} was sent twice");
        }
        assert_eq!(tags.len(), 1 + 8 * 50 + 8 + 1);
    }
}
