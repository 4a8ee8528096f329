//! Webhooks of BRTC Endpoints: actions of devices, and the deliveries to the receivers.

mod support;

use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::openapi::{OPENAPI, assert_matches};
use support::receiver::WebhookReceiver;
use support::{ENDPOINTS, Response, Sandbox, authorization, basic, header, request};

/// Simulates an action of a device.
fn act(sandbox: &Sandbox, id: &str, action: &str) -> Response {
    let body = match action {
        "outbound" => r#"{"to": "+19195551234", "toType": "PHONE_NUMBER"}"#,
        _ => "",
    };
    sandbox.control("POST", &format!("/endpoints/{id}/{action}"), body)
}

/// The Endpoint document.
fn read(sandbox: &Sandbox, id: &str) -> Value {
    let headers = authorization(&basic("user:secret"));
    let response = sandbox.send(&request("GET", &format!("{ENDPOINTS}/{id}"), &headers, ""));
    assert_matches(&OPENAPI["responses"]["endpointResponse"], &response.json, id);
    response.json["data"].clone()
}

fn temporary_file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("bw-sandbox-{}-{name}.pem", std::process::id()))
}

#[test]
fn actions_send_webhooks_in_the_form_of_the_documentation() {
    let sandbox = Sandbox::start(&[]);
    let receiver = WebhookReceiver::start("200 OK");
    let fields = json!({"eventCallbackUrl": receiver.url, "tag": "alice"});
    let id = sandbox.endpoint(fields);
    for (action, event, status, eligible) in [
        ("connect", "endpointConnected", "CONNECTED", false),
        ("eligible", "endpointEligible", "CONNECTED", true),
        ("ineligible", "endpointIneligible", "CONNECTED", false),
        ("outbound", "outboundConnectionRequest", "CONNECTED", false),
        ("disconnect", "endpointDisconnected", "DISCONNECTED", false),
    ] {
        let delivery = act(&sandbox, &id, action);
        assert_eq!(delivery.status, 200, "{delivery:?}");
        let results = (&delivery.json["status"], &delivery.json["error"], &delivery.json["url"]);
        assert_eq!(results, (&json!(200), &json!(null), &json!(receiver.url)));
        let (head, body) = receiver.next();
        assert!(head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{head}");
        assert_eq!(header(&head, "content-type").unwrap(), "application/json");
        let host = receiver.url.split('/').nth(2).map(str::to_owned);
        assert_eq!(header(&head, "host"), host);
        assert_eq!(body, delivery.json["body"]);
        let endpoint = read(&sandbox, &id);
        let mut expected = json!({"event": event, "accountId": "9900000", "endpointId": id,
            "timestamp": body["timestamp"], "tags": "alice"});
        if action == "outbound" {
            expected["to"] = json!("+19195551234");
            expected["toType"] = json!("PHONE_NUMBER");
        } else {
            expected["deviceId"] = endpoint["devices"][0]["deviceId"].clone();
            assert!(body["deviceId"].as_str().unwrap().starts_with("d-"), "{body}");
        }
        assert_eq!(body, expected);
        assert!(body["timestamp"].as_u64().unwrap() > 1_700_000_000_000);
        assert_eq!(
            (&endpoint["status"], &endpoint["devices"][0]["status"]),
            (&json!(status), &json!(status))
        );
        assert_eq!(sandbox.state()["endpoints"][0]["eligible"], eligible, "{action}");
    }
    let deliveries = sandbox.control("GET", "/webhooks", "").json;
    assert_eq!(deliveries.as_array().unwrap().len(), 5);
}

#[test]
fn webhook_of_an_endpoint_without_a_tag_has_no_tags() {
    let sandbox = Sandbox::start(&[]);
    let id = sandbox.endpoint(json!({}));
    let delivery = act(&sandbox, &id, "connect").json;
    assert_eq!(delivery["body"].get("tags"), None);
    assert!(delivery["error"].as_str().unwrap().contains("no callback URL"), "{delivery}");
}

#[test]
fn webhooks_can_have_the_form_of_the_specification() {
    let sandbox = Sandbox::start(&["--webhooks", "spec"]);
    let receiver = WebhookReceiver::start("204 No Content");
    let id = sandbox.endpoint(json!({"eventCallbackUrl": receiver.url, "tag": "alice"}));
    for (action, event, status) in [
        ("connect", "DEVICE_CONNECTED", "CONNECTED"),
        ("disconnect", "DEVICE_DISCONNECTED", "DISCONNECTED"),
    ] {
        assert_eq!(act(&sandbox, &id, action).json["status"], 204);
        let (_, body) = receiver.next();
        assert_matches(&OPENAPI["event"], &body, action);
        assert_eq!((&body["eventType"], &body["status"]), (&json!(event), &json!(status)));
        assert_eq!((&body["endpointId"], &body["tag"]), (&json!(id), &json!("alice")));
        assert_eq!(body["device"], read(&sandbox, &id)["devices"][0]);
    }
    // The specification has no other events.
    act(&sandbox, &id, "connect");
    for action in ["eligible", "ineligible", "outbound"] {
        let response = act(&sandbox, &id, action);
        assert_eq!(response.status, 409);
        assert!(response.json["error"].as_str().unwrap().contains("--webhooks spec"));
    }
}

#[test]
fn only_one_device_can_be_connected() {
    let sandbox = Sandbox::start(&[]);
    let id = sandbox.endpoint(json!({}));
    let status = |action: &str| act(&sandbox, &id, action).status;
    for action in ["disconnect", "eligible", "ineligible", "outbound"] {
        assert_eq!(status(action), 409, "{action}");
    }
    assert_eq!((status("connect"), status("connect")), (200, 409));
    assert_eq!((status("ineligible"), status("eligible"), status("eligible")), (409, 200, 409));
    assert_eq!((status("disconnect"), status("disconnect")), (200, 409));
    // Another device; the first one stays in the list, and is not eligible any more.
    assert_eq!((status("connect"), status("ineligible")), (200, 409));
    let endpoint = read(&sandbox, &id);
    let devices = endpoint["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 2);
    assert_eq!(
        (&devices[0]["status"], &devices[1]["status"]),
        (&json!("DISCONNECTED"), &json!("CONNECTED"))
    );
    assert_ne!(devices[0]["deviceId"], devices[1]["deviceId"]);
    assert_eq!(endpoint["status"], "CONNECTED");
}

#[test]
fn unknown_endpoints_actions_and_destinations_are_rejected() {
    let sandbox = Sandbox::start(&[]);
    let id = sandbox.endpoint(json!({}));
    assert_eq!(act(&sandbox, "e-x", "connect").status, 404);
    assert_eq!(act(&sandbox, &id, "leave").status, 404);
    assert_eq!(sandbox.control("GET", &format!("/endpoints/{id}/connect"), "").status, 405);
    act(&sandbox, &id, "connect");
    for body in [
        "",
        "{}",
        r#"{"to":"+1"}"#,
        r#"{"to":1,"toType":"PHONE_NUMBER"}"#,
        r#"{"to":"x","toType":"FAX"}"#,
        "[",
        "\u{0}",
    ] {
        let response = sandbox.control("POST", &format!("/endpoints/{id}/outbound"), body);
        assert_eq!(response.status, 400, "{body}");
        assert!(response.json["error"].as_str().unwrap().contains("toType"), "{response:?}");
    }
    let deliveries = sandbox.control("GET", "/webhooks", "").json;
    assert_eq!(deliveries.as_array().unwrap().len(), 1);
}

#[test]
fn fallback_url_is_used_after_a_failure() {
    let sandbox = Sandbox::start(&[]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{closed}/");
    let busy = WebhookReceiver::start("503 Service Unavailable");
    let redirect = WebhookReceiver::start("302 Found");
    let fallback = WebhookReceiver::start("200 OK");
    for (url, status) in
        [(&closed, json!(null)), (&busy.url, json!(503)), (&redirect.url, json!(302))]
    {
        let fields = json!({"eventCallbackUrl": url, "eventFallbackUrl": fallback.url});
        let id = sandbox.endpoint(fields);
        let delivery = act(&sandbox, &id, "connect").json;
        assert_eq!((&delivery["url"], &delivery["status"]), (&json!(url), &status));
        let expected = json!({"url": fallback.url, "status": 200, "error": null});
        assert_eq!(delivery["fallback"], expected);
        assert_eq!(fallback.next().1, delivery["body"]);
    }
    // Only after a failure, and only once.
    let id =
        sandbox.endpoint(json!({"eventCallbackUrl": fallback.url, "eventFallbackUrl": busy.url}));
    assert_eq!(act(&sandbox, &id, "connect").json.get("fallback"), None);
    while busy.try_next().is_some() {}
    let id = sandbox.endpoint(json!({"eventCallbackUrl": closed, "eventFallbackUrl": busy.url}));
    assert_eq!(act(&sandbox, &id, "connect").json["fallback"]["status"], 503);
    assert!(busy.try_next().is_some() && busy.try_next().is_none());
}

#[test]
fn webhooks_are_sent_to_https_receivers_that_are_trusted() {
    let (file, other_file) = (temporary_file("webhook-ca"), temporary_file("other-ca"));
    let receiver = WebhookReceiver::start_with_tls("200 OK", &file);
    let untrusted = WebhookReceiver::start_with_tls("200 OK", &other_file);
    let sandbox = Sandbox::start(&["--webhook-ca", file.to_str().unwrap()]);
    let fields = json!({"eventCallbackUrl": untrusted.url, "eventFallbackUrl": receiver.url});
    let id = sandbox.endpoint(fields);
    let delivery = act(&sandbox, &id, "connect").json;
    assert!(delivery["error"].as_str().unwrap().contains("certificate"), "{delivery}");
    assert_eq!(delivery["status"], json!(null));
    assert_eq!(delivery["fallback"]["status"], 200);
    assert_eq!(receiver.next().1, delivery["body"]);
    // The webhooks of participants are sent over HTTPS as well.
    let id = sandbox.participant(&json!({"callbackUrl": receiver.url}).to_string());
    let delivery = sandbox.control("POST", &format!("/participants/{id}/connect"), "").json;
    assert_eq!(delivery["status"], 200);
    assert_eq!(receiver.next().1["event"], "onConnect");
    for file in [file, other_file] {
        std::fs::remove_file(file).unwrap();
    }
}
