//! The messages of a device: JSON-RPC 2.0 in text frames.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A message of a device.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// The id, which the response repeats. A notification has none.
    pub id: Option<Value>,
    /// What the device requests.
    pub call: Result<Call, RpcError>,
}

/// What a device requests.
#[derive(Debug, PartialEq)]
pub enum Call {
    /// Selects WebRTC, at the start of a connection.
    SetMediaPreferences,
    /// Offers what the device publishes.
    OfferSdp {
        /// The offer.
        sdp: String,
        /// The aliases of the streams that have one.
        aliases: BTreeMap<String, String>,
    },
    /// Answers an `sdpOffer` of the sandbox.
    AnswerSdp(String),
    /// Keeps the connection open.
    Ping,
    /// The device leaves.
    Leave,
    /// Log lines of the device.
    DeviceDiagnostics,
}

/// An error of JSON-RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// The code.
    pub code: i32,
    /// What is wrong.
    pub message: &'static str,
}

impl RpcError {
    /// An error with this code.
    pub const fn new(code: i32, message: &'static str) -> RpcError {
        RpcError { code, message }
    }
}

const INVALID_REQUEST: RpcError = RpcError::new(-32600, "Invalid request");

/// Parses a text frame.
pub fn parse(text: &str) -> Request {
    let message: Value = match serde_json::from_str(text) {
        Ok(message) => message,
        Err(_) => {
            let error = RpcError::new(-32700, "Parse error");
            return Request { id: Some(Value::Null), call: Err(error) };
        }
    };
    let id = match message.get("id") {
        Some(id @ (Value::Number(_) | Value::String(_))) => Some(id.clone()),
        None if message.is_object() => None,
        _ => return Request { id: Some(Value::Null), call: Err(INVALID_REQUEST) },
    };
    match message["method"].as_str() {
        Some(method) => Request { id, call: parse_call(method, &message["params"]) },
        None => Request { id: Some(id.unwrap_or_default()), call: Err(INVALID_REQUEST) },
    }
}

fn parse_call(method: &str, params: &Value) -> Result<Call, RpcError> {
    let text = |name: &'static str, message: &'static str| {
        let text = params[name].as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or(RpcError::new(-32602, message))
    };
    Ok(match method {
        "setMediaPreferences" => match params["protocol"].as_str() {
            None | Some("WEBRTC") => Call::SetMediaPreferences,
            Some(_) => return Err(RpcError::new(-32602, "protocol must be WEBRTC")),
        },
        "offerSdp" => Call::OfferSdp {
            sdp: text("sdpOffer", "sdpOffer is missing")?,
            aliases: params["mediaMetadata"]["mediaStreams"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(id, stream)| Some((id.clone(), stream["alias"].as_str()?.to_owned())))
                .collect(),
        },
        "answerSdp" => Call::AnswerSdp(text("sdpAnswer", "sdpAnswer is missing")?),
        "ping" => Call::Ping,
        "leave" => Call::Leave,
        "deviceDiagnostics" => Call::DeviceDiagnostics,
        _ => return Err(RpcError::new(-32601, "Method not found")),
    })
}

/// The text of a response.
pub fn response(id: &Value, result: Result<Value, RpcError>) -> String {
    match result {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(RpcError { code, message }) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
        }
    }
    .to_string()
}

/// The text of an event.
pub fn event(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_the_sdk_are_parsed() {
        let request = parse(
            r#"{"jsonrpc":"2.0","method":"offerSdp","id":3,"params":{"sdpOffer":"v=0",
                "mediaMetadata":{"mediaStreams":{"m":{"alias":"x"},"n":{}},"dataChannels":{}}}}"#,
        );
        assert_eq!(request.id, Some(json!(3)));
        let aliases = [("m".to_owned(), "x".to_owned())].into();
        assert_eq!(request.call, Ok(Call::OfferSdp { sdp: "v=0".into(), aliases }));
        let leave = parse(r#"{"jsonrpc":"2.0","method":"leave"}"#);
        assert_eq!(leave, Request { id: None, call: Ok(Call::Leave) });
        assert_eq!(parse(r#"{"method":"ping","id":"7","params":{}}"#).id, Some(json!("7")));
    }

    #[test]
    fn invalid_messages_have_the_errors_of_json_rpc() {
        for (text, code) in [
            ("", -32700),
            ("{", -32700),
            (&*"[".repeat(100_000), -32700),
            ("[]", -32600),
            ("1", -32600),
            (r#"{"id":[1],"method":"ping"}"#, -32600),
            (r#"{"id":1}"#, -32600),
            (r#"{"id":1,"method":2}"#, -32600),
            (r#"{"id":1,"method":"subscribe"}"#, -32601),
            (r#"{"id":1,"method":"offerSdp"}"#, -32602),
            (r#"{"id":1,"method":"offerSdp","params":[1]}"#, -32602),
            (r#"{"id":1,"method":"answerSdp","params":{"sdpAnswer":""}}"#, -32602),
            (r#"{"id":1,"method":"setMediaPreferences","params":{"protocol":"X"}}"#, -32602),
        ] {
            let request = parse(text);
            assert_eq!(request.call.unwrap_err().code, code, "{}", &text[..text.len().min(60)]);
            assert!(request.id.is_some());
        }
    }
}
