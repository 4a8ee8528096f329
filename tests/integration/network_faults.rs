//! For every fault of the network or of a server, the caller receives the right status and outcome, and a
//! helpful message without secrets.

use crate::support::abi::Client;
use crate::support::certificates::Authority;
use crate::support::faults::{self, PASSWORD, TOKEN};
use serde_json::{Value, json};

#[test]
fn key_of_another_certificate_is_rejected_by_the_configuration() {
    let authority = Authority::new("clients");
    let [[cert, _], [_, key]] = ["one", "other"].map(|name| authority.client(name));
    let config = json!({
        "accountId": "1", "username": "u", "password": "p",
        "clientCertFile": cert, "clientKeyFile": key,
    });
    let message = Client::new(&config).err().unwrap()["error"]["message"].take();
    assert_eq!(
        message,
        "config.clientKeyFile: is not the key of the certificate in clientCertFile"
    );
}

#[test]
fn every_fault_has_its_status_outcome_and_message() {
    let mut wrong = Vec::new();
    for fault in faults::all() {
        let client = Client::new(&fault.config).unwrap();
        let document = client.create(fault.request).expect_err(fault.name);
        let error = &document["error"];
        let message = error["message"].as_str().unwrap();
        let text = document.to_string();
        let mut check = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{}: {what}: {text}", fault.name));
            }
        };
        check(error["name"].as_str().unwrap().starts_with(fault.status), fault.status);
        check(error["outcome"] == fault.outcome, fault.outcome);
        check(message.contains(fault.message_part), fault.message_part);
        let has_client = message.contains("client certificate") || message.contains("clientCert");
        check(
            has_client == fault.message_part.contains("client certificate"),
            "a client certificate is named only if one was requested",
        );
        check(error["operation"] == "createParticipant", "the operation");
        check(error["attempts"] == 1, "one attempt");
        let secrets = [PASSWORD, TOKEN, &PASSWORD.replace('"', "\\\""), "cGE1NS13MHJk"];
        check(!secrets.iter().any(|secret| text.contains(secret)), "no secret");
        if error["httpStatus"].as_u64().is_some_and(|code| code < 300) {
            check(error["body"] == Value::Null, "no body of a success");
        }
        if let (Some(server), Some(expected)) = (&fault.server, fault.requests) {
            let received = server.state.requests.lock().unwrap().len();
            check(received == expected, &format!("{received} requests were received"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
