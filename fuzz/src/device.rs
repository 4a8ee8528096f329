//! Targets for what a device sends to bw-sandbox: its messages, and the offers in them.

use serde_json::{Value, json};

#[path = "../../sandbox/src/devices/sdp.rs"]
mod sdp;
#[path = "../../sandbox/src/devices/signaling.rs"]
mod signaling;

/// What `sdp` uses of the planner of bw-sandbox, whose tests have their own dependencies.
mod planner {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kind {
        Audio,
        Video,
    }
}

use self::planner::Kind;
use self::sdp::Section;
use self::signaling::{Call, Request};

/// Parses a message. Every call has a response, and every offer in a call can be read.
pub fn message(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Request { id, call } = signaling::parse(text);
    let is_json = serde_json::from_str::<Value>(text).is_ok();
    let has_error = call.is_err();
    assert!(is_json || has_error, "{text}");
    if let Ok(Call::OfferSdp { sdp, .. }) = &call {
        check_offer(sdp);
    }
    let id = id.unwrap_or_default();
    let response = signaling::response(&id, call.map(|_| json!({})));
    let response: Value = serde_json::from_str(&response).expect("JSON");
    assert_eq!((&response["jsonrpc"], &response["id"]), (&json!("2.0"), &id));
    assert!(response.get("error").is_some() == has_error, "{response}");
    assert!(response.get("result").is_some() != has_error, "{response}");
}

/// Reads an offer.
pub fn offer(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        check_offer(text);
    }
}

/// Reads an offer with each set of permissions.
fn check_offer(offer: &str) {
    let Ok((all, text)) = sdp::read_offer(offer, |_| true) else { return };
    assert_eq!(text, offer);
    for permitted in [None, Some(Kind::Audio), Some(Kind::Video)] {
        let may_send = |kind| Some(kind) == permitted;
        let (found, text) = sdp::read_offer(offer, may_send).expect("the same offer");
        let expected: Vec<Section> = all.iter().filter(|s| may_send(s.kind)).cloned().collect();
        assert_eq!(found, expected, "{offer}");
        // What was removed is inactive, and what is left is read as before.
        let again = sdp::read_offer(&text, |_| true).expect("the offer that was read");
        assert_eq!(again, (found, text), "{offer}");
    }
}
