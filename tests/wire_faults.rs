//! Whatever the network or a server does wrong, the caller gets the right status, the right
//! outcome, and a message that helps and holds no secret.

mod support;

use serde_json::Value;
use support::abi::Client;
use support::faults::{self, PASSWORD, TOKEN};

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
        check(message.contains(fault.says), fault.says);
        check(error["operation"] == "createParticipant", "the operation");
        check(error["attempts"] == 1, "one attempt");
        let secrets = [PASSWORD, TOKEN, &PASSWORD.replace('"', "\\\""), "cGE1NS13MHJk"];
        check(!secrets.iter().any(|secret| text.contains(secret)), "no secret");
        if error["httpStatus"].as_u64().is_some_and(|code| code < 300) {
            check(error["body"] == Value::Null, "no body of a success");
        }
        if let (Some(server), Some(expected)) = (&fault.server, fault.requests) {
            let seen = server.seen.requests.lock().unwrap().len();
            check(seen == expected, &format!("{seen} requests were seen"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
