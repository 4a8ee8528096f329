//! Webhooks of WebRTC v1: actions of devices, and the deliveries to the callbackUrl.

mod support;

use std::net::TcpListener;

use serde_json::{Value, json};
use support::receiver::WebhookReceiver;
use support::{Sandbox, UNKNOWN_ID, header};

fn participant(sandbox: &Sandbox, url: Value) -> String {
    sandbox.participant(&json!({"callbackUrl": url, "tag": "alice"}).to_string())
}

#[test]
fn device_actions_send_webhooks() {
    let sandbox = Sandbox::start(&[]);
    let receiver = WebhookReceiver::start("204 No Content");
    let id = participant(&sandbox, json!(receiver.url));
    let session = sandbox.session();
    sandbox.call("PUT", &format!("/sessions/{session}/participants/{id}"), "");
    for (action, event) in
        [("connect", "onConnect"), ("leave", "onLeave"), ("disconnect", "onDisconnect")]
    {
        let delivery = sandbox.control("POST", &format!("/participants/{id}/{action}"), "");
        assert_eq!(delivery.status, 200);
        assert_eq!(
            (&delivery.json["status"], &delivery.json["error"]),
            (&json!(204), &json!(null))
        );
        let (head, body) = receiver.next();
        assert!(head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{head}");
        assert_eq!(header(&head, "content-type").unwrap(), "application/json");
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
    let deliveries = sandbox.control("GET", "/webhooks", "").json;
    let events: Vec<&Value> =
        deliveries.as_array().unwrap().iter().map(|d| &d["body"]["event"]).collect();
    assert_eq!(events, ["onConnect", "onLeave", "onDisconnect"]);
}

#[test]
fn failed_deliveries_are_reported() {
    let sandbox = Sandbox::start(&[]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let busy = WebhookReceiver::start("503 Service Unavailable");
    for (url, status, error) in [
        (json!(null), json!(null), "no callback URL"),
        (json!(format!("http://{closed}/")), json!(null), "onnect"),
        (json!(format!("https://{closed}/")), json!(null), "onnect"),
        (json!(busy.url), json!(503), ""),
    ] {
        let id = participant(&sandbox, url.clone());
        let delivery = sandbox.control("POST", &format!("/participants/{id}/connect"), "").json;
        assert_eq!((&delivery["url"], &delivery["status"]), (&url, &status));
        assert!(delivery["error"].as_str().unwrap_or_default().contains(error), "{delivery}");
    }
}

#[test]
fn unknown_participants_and_actions_are_rejected() {
    let sandbox = Sandbox::start(&[]);
    let id = participant(&sandbox, json!(null));
    assert_eq!(
        sandbox.control("POST", &format!("/participants/{UNKNOWN_ID}/connect"), "").status,
        404
    );
    for path in [format!("/participants/{id}/explode"), format!("/participants/{id}")] {
        assert!(sandbox.control("POST", &path, "").status >= 400, "{path}");
    }
    assert!(sandbox.control("GET", &format!("/participants/{id}/connect"), "").status >= 400);
    assert_eq!(sandbox.control("GET", "/webhooks", "").json, json!([]));
}
