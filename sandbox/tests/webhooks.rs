//! Webhooks: a device does something, the callbackUrl is told, and the delivery is kept.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use support::{LIMIT, NOBODY, Sandbox};

/// Takes webhooks and answers them with this status; gives its URL and what comes.
fn receiver(status: &'static str) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut head, mut line) = (String::new(), String::new());
            while stream.read_line(&mut line).unwrap() > 2 {
                head.push_str(&line);
                line.clear();
            }
            let length = support::header(&head, "content-length").unwrap().parse().unwrap();
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            if sender.send((head, serde_json::from_slice(&body).unwrap())).is_err() {
                break;
            }
        }
    });
    (url, received)
}

fn participant(sandbox: &Sandbox, url: Value) -> String {
    sandbox.participant(&json!({"callbackUrl": url, "tag": "alice"}).to_string())
}

#[test]
fn devices_connect_leave_and_disconnect() {
    let sandbox = Sandbox::start(&[]);
    let (url, received) = receiver("204 No Content");
    let id = participant(&sandbox, json!(url));
    let session = sandbox.session();
    sandbox.call("PUT", &format!("/sessions/{session}/participants/{id}"), "");
    for (does, event) in
        [("connect", "onConnect"), ("leave", "onLeave"), ("disconnect", "onDisconnect")]
    {
        let delivery = sandbox.control("POST", &format!("/participants/{id}/{does}"), "");
        assert_eq!(delivery.status, 200);
        assert_eq!(
            (&delivery.json["status"], &delivery.json["error"]),
            (&json!(204), &json!(null))
        );
        let (head, body) = received.recv_timeout(LIMIT).unwrap();
        assert!(head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{head}");
        assert_eq!(support::header(&head, "content-type").unwrap(), "application/json");
        assert_eq!(body, delivery.json["body"]);
        assert_eq!((&body["event"], &body["participantId"]), (&json!(event), &json!(id)));
        assert_eq!(body["tag"], "alice");
        assert!(body["deviceId"].is_string());
        assert!(body["timestamp"].as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000);
        let known = sandbox.call("GET", &format!("/participants/{id}"), "");
        match event {
            "onConnect" => assert_eq!(known.json["sessions"], json!([session])),
            "onLeave" => assert_eq!(known.json["sessions"], json!([])),
            _ => assert_eq!(known.status, 404),
        }
    }
    let kept = sandbox.control("GET", "/webhooks", "").json;
    let events: Vec<&Value> =
        kept.as_array().unwrap().iter().map(|delivery| &delivery["body"]["event"]).collect();
    assert_eq!(events, ["onConnect", "onLeave", "onDisconnect"]);
}

#[test]
fn a_delivery_that_fails_is_told() {
    let sandbox = Sandbox::start(&[]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (busy, _received) = receiver("503 Service Unavailable");
    for (url, status, error) in [
        (json!(null), json!(null), "no callbackUrl"),
        (json!(format!("http://{closed}/")), json!(null), "onnect"),
        (json!("https://127.0.0.1/"), json!(null), "http:// only"),
        (json!(busy), json!(503), ""),
    ] {
        let id = participant(&sandbox, url.clone());
        let delivery = sandbox.control("POST", &format!("/participants/{id}/connect"), "").json;
        assert_eq!((&delivery["url"], &delivery["status"]), (&url, &status));
        assert!(delivery["error"].as_str().unwrap_or_default().contains(error), "{delivery}");
    }
}

#[test]
fn there_must_be_such_a_participant_and_event() {
    let sandbox = Sandbox::start(&[]);
    let id = participant(&sandbox, json!(null));
    assert_eq!(sandbox.control("POST", &format!("/participants/{NOBODY}/connect"), "").status, 404);
    for path in [format!("/participants/{id}/explode"), format!("/participants/{id}")] {
        assert!(sandbox.control("POST", &path, "").status >= 400, "{path}");
    }
    assert!(sandbox.control("GET", &format!("/participants/{id}/connect"), "").status >= 400);
    assert_eq!(sandbox.control("GET", "/webhooks", "").json, json!([]));
}
