//! The live page: its files, their headers, who may read them, and its events.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};
use support::receiver::WebhookReceiver;
use support::{
    Sandbox, TIMEOUT, TOKEN_PATH, UNKNOWN_ID, assert_contains_none, authorization, jwt_part,
    request, token_request, user_request,
};

/// The events of one page.
struct Events {
    lines: BufReader<TcpStream>,
    /// All events as they were received.
    text: String,
    /// What the page knows: the last value of each part, and all requests and webhooks.
    known: Value,
}

impl Events {
    fn open(sandbox: &Sandbox) -> Events {
        let mut stream = sandbox.connect();
        let head = "GET /_sandbox/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        Events { lines: BufReader::new(stream), text: String::new(), known: json!({}) }
    }

    /// The next event.
    fn next(&mut self) -> Value {
        let started = Instant::now();
        loop {
            // A comment keeps the connection open every 15 seconds.
            assert!(
                started.elapsed() < TIMEOUT,
                "timeout while waiting for an event: {}",
                self.known
            );
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "the stream has ended");
            if let Some(data) = line.strip_prefix("data: ") {
                self.text += data;
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// Reads events until a condition holds.
    fn until(&mut self, what: &str, condition: impl Fn(&Value) -> bool) {
        let started = Instant::now();
        while !condition(&self.known) {
            assert!(
                started.elapsed() < TIMEOUT,
                "timeout while waiting for {what}: {}",
                self.known
            );
            let Value::Object(parts) = self.next() else { panic!("no object") };
            if parts.contains_key("reset") {
                self.known = json!({});
            }
            for (name, value) in parts {
                match (self.known[&name].as_array_mut(), value) {
                    (Some(known), Value::Array(new)) if name == "webhooks" => known.extend(new),
                    (Some(known), Value::Array(new)) if name == "requests" => {
                        known.retain(|old| new.iter().all(|request| request["id"] != old["id"]));
                        known.extend(new);
                    }
                    (_, value) => self.known[name] = value,
                }
            }
        }
    }
}

fn get(sandbox: &Sandbox, path: &str, headers: &str) -> support::Response {
    sandbox.send(&request("GET", path, headers, ""))
}

#[test]
fn all_files_of_the_page_are_served_with_strict_headers() {
    let sandbox = Sandbox::start(&[]);
    let mut paths = vec!["/".to_owned(), "/join".to_owned()];
    let mut at = 0;
    while at < paths.len() {
        let response = get(&sandbox, &paths[at], "");
        assert_eq!(response.status, 200, "{}", paths[at]);
        let kind = response.header("content-type").unwrap();
        let expected = match paths[at].rsplit('.').next().unwrap() {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(kind, expected, "{}", paths[at]);
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(response.header(name).as_deref(), Some(value), "{} {name}", paths[at]);
        }
        assert_contains_none(&response.body, &["https://", "{{", "innerHTML", "style=\""]);
        for text in response.body.split('"') {
            let path = text.strip_prefix("./").map(|name| format!("/page/{name}"));
            let path = path.unwrap_or_else(|| text.to_owned());
            // The SDK is not part of each build.
            let is_file = path.starts_with("/page/") && !path.contains("device-sdk");
            if is_file && !paths.contains(&path) {
                paths.push(path);
            }
        }
        at += 1;
    }
    assert!(paths.len() > 8, "{paths:?}");
    // The requests of the page are not those of a client.
    assert_eq!(sandbox.requests(), [Value::Null; 0]);
}

#[test]
fn other_methods_and_paths_belong_to_the_service() {
    let sandbox = Sandbox::start(&[]);
    for (method, path) in
        [("POST", "/"), ("GET", "/page/unknown.js"), ("PUT", "/join"), ("GET", "//")]
    {
        let response = sandbox.send(&request(method, path, "", ""));
        assert_eq!(response.status, 403, "{method} {path}");
        assert_eq!(response.json["message"], "Missing Authentication Token", "{method} {path}");
    }
    assert_eq!(sandbox.requests().len(), 4);
}

#[test]
fn page_is_not_for_other_sites() {
    let sandbox = Sandbox::start(&[]);
    let status = |path: &str, host: &str, headers: &str| {
        let bytes = request("GET", path, headers, "");
        sandbox.send(&bytes.replace("Host: localhost", &format!("Host: {host}"))).status
    };
    for path in ["/", "/join", "/page/page.js", "/_sandbox/events"] {
        // An attacker's name that resolves to 127.0.0.1.
        assert_eq!(status(path, "attacker.example", ""), 403, "{path}");
        assert_eq!(status(path, "localhost", "Origin: http://attacker.example\r\n"), 403, "{path}");
        let embedded = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n";
        assert_eq!(status(path, "localhost", embedded), 403, "{path}");
        let framed =
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n";
        assert_eq!(status(path, "localhost", framed), 403, "{path}");
    }
    let link =
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    assert_eq!(
        (status("/", "127.0.0.1:1", link), status("/", "attacker.example", link)),
        (200, 403)
    );
    let token = format!("/_sandbox/participants/{}/token", sandbox.participant("{}"));
    let bytes = request("POST", &token, "Origin: http://attacker.example\r\n", "");
    assert_eq!(sandbox.send(&bytes).status, 403);
}

#[test]
fn events_follow_the_requests() {
    let sandbox = Sandbox::start(&[]);
    let mut events = Events::open(&sandbox);
    let first = events.next();
    // A build without media has no devices.
    let devices = if cfg!(feature = "media") { json!([]) } else { json!(null) };
    assert_eq!((&first["reset"], &first["devices"]), (&json!(true), &devices));
    assert_eq!(first["about"]["account"], "9900000");
    assert!(first["about"]["operations"]["WebRTC v1"].as_array().unwrap().len() == 11);
    for part in ["requests", "webhooks", "faults"] {
        assert_eq!(first[part], json!([]), "{part}");
    }
    events.known = first;

    let session = sandbox.session();
    let [alice, bob] = ["Alice", "Bob"].map(|tag| {
        sandbox.participant(&json!({"tag": tag, "publishPermissions": ["AUDIO"]}).to_string())
    });
    for id in [&alice, &bob] {
        let path = format!("/sessions/{session}/participants/{id}");
        sandbox.call("PUT", &path, &json!({"sessionId": session}).to_string()).assert_no_content();
    }
    let hears = |known: &Value, id: &str| {
        let participants = known["account"]["participants"].as_array().cloned().unwrap_or_default();
        participants.iter().find(|p| p["id"] == id).map(|p| p["hears"].clone()).unwrap_or_default()
    };
    events.until("both", |known| {
        hears(known, &alice) == json!([bob]) && hears(known, &bob) == json!([alice])
    });
    let path = format!("/sessions/{session}/participants/{bob}/subscriptions");
    sandbox.call("PUT", &path, "").assert_no_content();
    events.until("the removed subscription", |known| hears(known, &bob) == json!([]));
    events.until("the request", |known| {
        known["requests"].as_array().unwrap().iter().any(|request| {
            request["operation"] == "updateParticipantSubscriptions"
                && request["status"] == 204
                && request["durationMs"].is_u64()
        })
    });
    let endpoint = sandbox.endpoint(json!({"tag": "desk"}));
    events
        .until("the endpoint", |known| known["account"]["endpoints"][0]["endpointId"] == endpoint);
    assert_eq!(events.known["requests"].as_array().unwrap().len(), 7);
}

#[test]
fn event_shows_a_request_in_progress_and_one_without_a_response() {
    let sandbox = Sandbox::start(&[]);
    let mut events = Events::open(&sandbox);
    sandbox.add_fault(&json!({"operation": "getSession", "kind": "delay", "ms": 3000}));
    sandbox.add_fault(&json!({"operation": "createSession", "kind": "close_before"}));
    events
        .until("the faults", |known| known["faults"].as_array().is_some_and(|all| all.len() == 2));
    let mut waiting = sandbox.connect();
    let path = format!("/v1/accounts/9900000/sessions/{UNKNOWN_ID}");
    waiting.write_all(user_request("GET", &path, "").as_bytes()).unwrap();
    sandbox.send_raw(user_request("POST", support::SESSIONS, ""));
    let find = |known: &Value, operation: &str| {
        let requests = known["requests"].as_array().cloned().unwrap_or_default();
        requests.into_iter().find(|request| request["operation"] == operation).unwrap_or_default()
    };
    events.until("both requests", |known| {
        find(known, "getSession")["finished"] == false
            && find(known, "createSession")["finished"] == true
            && find(known, "createSession")["status"].is_null()
    });
    events.until("the response", |known| find(known, "getSession")["status"] == 404);
    // Both faults have been used.
    events.until("the end of the faults", |known| known["faults"] == json!([]));
}

#[test]
fn events_follow_faults_webhooks_and_a_reset() {
    let sandbox = Sandbox::start(&[]);
    let receiver = WebhookReceiver::start("204 No Content");
    let mut events = Events::open(&sandbox);
    let id =
        sandbox.participant(&json!({"callbackUrl": receiver.url, "tag": "caller"}).to_string());
    sandbox.control("POST", &format!("/participants/{id}/connect"), "");
    events.until("the webhook", |known| known["webhooks"][0]["status"] == 204);
    assert_eq!(events.known["webhooks"][0]["body"]["tag"], "caller");
    events.until("the state", |known| known["account"]["participants"][0]["connected"] == true);
    sandbox.add_fault(&json!({"operation": "*", "kind": "status", "status": 503, "count": null}));
    events.until("the fault", |known| known["faults"][0]["status"] == 503);
    sandbox.reset();
    events.until("the reset", |known| {
        known["faults"] == json!([])
            && known["webhooks"] == json!([])
            && known["requests"] == json!([])
    });
    assert_eq!(events.known["account"]["participants"], json!([]));
    // A page that is opened now does not receive what was before the reset.
    let mut other = Events::open(&sandbox);
    assert_eq!(other.next()["requests"], json!([]));
}

#[test]
fn events_contain_no_secret() {
    let sandbox = Sandbox::start(&[]);
    let mut events = Events::open(&sandbox);
    let access_token = sandbox.token();
    let header = authorization(&support::bearer(&access_token));
    assert_eq!(sandbox.send(&request("POST", support::SESSIONS, &header, "{}")).status, 200);
    let created = sandbox.call("POST", "/participants", r#"{"tag":"caller"}"#);
    let token = created.json["token"].as_str().unwrap();
    // Clients put secrets in the wrong places.
    let url = "http://hook-user:hook-pass@127.0.0.1:1/x?key=hook-key";
    let id = sandbox.participant(
        &json!({"callbackUrl": url, "tag": "t", "deviceToken": "body-secret", "note": token})
            .to_string(),
    );
    sandbox.control("POST", &format!("/participants/{id}/connect"), "");
    sandbox.send(&token_request().replace(TOKEN_PATH, &format!("{TOKEN_PATH}?x={access_token}")));
    sandbox.send(&user_request("GET", &format!("/v1/accounts/9900000/participants/{token}"), ""));
    let metadata = json!({"apiToken": "metadata-secret", "room": 5, "jwt": token});
    sandbox.endpoint(json!({"connectionMetadata": metadata}));
    sandbox.add_fault(&json!({
        "operation": "token", "kind": "status", "status": 200,
        "headers": {"Set-Cookie": "cookie-secret"}, "body": {"access_token": "fault-secret"},
    }));
    events.until("everything", |known| {
        known["faults"][0]["status"] == 200
            && known["webhooks"][0]["url"].is_string()
            && known["account"]["endpoints"][0]["connectionMetadata"]["room"] == 5
            && known["requests"].as_array().is_some_and(|all| {
                all.len() == 7 && all.iter().all(|request| request["finished"] == true)
            })
    });
    let mut other = Events::open(&sandbox);
    other.next();
    for text in [&events.text, &other.text] {
        assert_contains_none(
            text,
            &[
                "client-secret",
                "hook-user",
                "hook-pass",
                "hook-key",
                "body-secret",
                "metadata-secret",
                "cookie-secret",
                "fault-secret",
                "Basic ",
                "Bearer ",
                &access_token,
                token,
                token.split('.').next().unwrap(),
            ],
        );
    }
    assert_eq!(events.known["account"]["participants"].as_array().unwrap().len(), 2);
}

#[test]
fn page_receives_a_part_of_a_large_state() {
    let sandbox = Sandbox::start(&[]);
    let session = sandbox.session();
    for _ in 0..205 {
        sandbox.participant("{}");
    }
    let member = sandbox.participant("{}");
    let path = format!("/sessions/{session}/participants/{member}");
    sandbox.call("PUT", &path, "").assert_no_content();
    let account = Events::open(&sandbox).next()["account"].take();
    assert_eq!(account["participants"].as_array().unwrap().len(), 200);
    assert_eq!(
        (&account["participants"][0]["id"], &account["truncated"]),
        (&json!(member), &json!(true))
    );
    assert_eq!(sandbox.state()["participants"].as_array().unwrap().len(), 206);
}

#[test]
fn page_that_joins_receives_a_new_token() {
    let sandbox = Sandbox::start(&[]);
    let created = sandbox.call("POST", "/participants", "{}").json;
    let id = created["participant"]["id"].as_str().unwrap();
    let path = format!("/participants/{id}/token");
    let response = sandbox.control("POST", &path, "");
    assert_eq!(response.header("cache-control").as_deref(), Some("no-store"));
    let token = response.json["token"].as_str().unwrap();
    let (old, new) = (jwt_part(created["token"].as_str().unwrap(), 1), jwt_part(token, 1));
    assert_eq!((&new["p"], &new["a"], &new["v"]), (&json!(id), &old["a"], &old["v"]));
    assert_ne!(old["tid"], new["tid"]);
    let unknown = format!("/participants/{UNKNOWN_ID}/token");
    assert_eq!(sandbox.control("POST", &unknown, "").status, 404);
    assert_ne!(sandbox.control("GET", &path, "").status, 200);
}

#[test]
fn number_of_pages_with_events_is_limited() {
    let sandbox = Sandbox::start(&[]);
    let mut pages: Vec<Events> = (0..16).map(|_| Events::open(&sandbox)).collect();
    pages.iter_mut().for_each(|page| drop(page.next()));
    assert_eq!(get(&sandbox, "/_sandbox/events", "").status, 503);
    assert_eq!(get(&sandbox, "/", "").status, 200);
    drop(pages);
    // The sandbox notices the closed connections when it sends the next event.
    let page = support::wait_for("a page", || {
        sandbox.session();
        let mut page = Events::open(&sandbox);
        let mut status = String::new();
        page.lines.read_line(&mut status).unwrap();
        status.contains(" 200 ").then_some(page)
    });
    drop(page);
}
