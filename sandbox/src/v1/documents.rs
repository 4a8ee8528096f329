//! The documents in requests, and their checks. An error is the message of a 400 response.

use serde_json::{Map, Value, json};

use crate::webhooks::is_receiver_url;

/// A valid CreateParticipant document.
pub struct CreateParticipant {
    /// The receiver of webhooks.
    pub callback_url: Option<String>,
    /// AUDIO, VIDEO or both.
    pub publish_permissions: Vec<String>,
    /// The client's text.
    pub tag: Option<String>,
    /// V2 or V3, in upper case.
    pub device_api_version: String,
}

/// The participants that one hears.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// All participants of this session.
    pub session_id: Option<String>,
    /// Single participants, with their streams. Takes precedence unless it is empty.
    pub participants: Vec<Value>,
}

impl Subscriptions {
    /// Whether there are no subscriptions.
    pub fn is_empty(&self) -> bool {
        self.session_id.is_none() && self.participants.is_empty()
    }

    /// Returns the Subscriptions document.
    pub fn document(&self) -> Value {
        if self.is_empty() {
            return json!({});
        }
        json!({"sessionId": self.session_id, "participants": self.participants})
    }

    /// The ids in `participants`.
    pub fn participant_ids(&self) -> Vec<&str> {
        self.participants.iter().filter_map(|p| p["participantId"].as_str()).collect()
    }
}

/// Parses a CreateParticipant body.
pub fn parse_create_participant(body: &[u8]) -> Result<CreateParticipant, String> {
    let body = object(body)?;
    let callback_url = match optional_string(&body, "callbackUrl")? {
        Some(url) if !is_receiver_url(&url) => {
            return Err("callbackUrl must be an absolute URL".into());
        }
        url => url,
    };
    let mut publish_permissions = Vec::new();
    match body.get("publishPermissions") {
        None | Some(Value::Null) => {}
        Some(Value::Array(items)) => {
            for item in items {
                match item.as_str() {
                    Some(p @ ("AUDIO" | "VIDEO"))
                        if !publish_permissions.iter().any(|q| q == p) =>
                    {
                        publish_permissions.push(p.to_owned());
                    }
                    Some("AUDIO" | "VIDEO") => {
                        return Err("publishPermissions must be unique".into());
                    }
                    _ => return Err("publishPermissions must be AUDIO or VIDEO".into()),
                }
            }
        }
        Some(_) => return Err("publishPermissions must be an array".into()),
    }
    let version = optional_string(&body, "deviceApiVersion")?.unwrap_or_else(|| "V3".to_owned());
    if !matches!(version.to_ascii_uppercase().as_str(), "V2" | "V3") {
        return Err("deviceApiVersion must be V2 or V3".into());
    }
    Ok(CreateParticipant {
        callback_url,
        publish_permissions,
        tag: tag(&body)?,
        device_api_version: version.to_ascii_uppercase(),
    })
}

/// Parses the body of a new session, which may be empty. Returns the tag.
pub fn parse_create_session(body: &[u8]) -> Result<Option<String>, String> {
    if is_empty_body(body) {
        return Ok(None);
    }
    tag(&object(body)?)
}

/// Parses subscriptions. An empty body, `{}` and `null` all mean no subscriptions.
pub fn parse_subscriptions(body: &[u8], session: &str) -> Result<Subscriptions, String> {
    if is_empty_body(body) {
        return Ok(Subscriptions::default());
    }
    let body = object(body)?;
    let session_id = optional_string(&body, "sessionId")?;
    if session_id.as_deref().is_some_and(|id| id != session) {
        return Err("sessionId must be the session of the path".into());
    }
    let mut participants = Vec::new();
    match body.get("participants") {
        None | Some(Value::Null) => {}
        Some(Value::Array(items)) => {
            for item in items {
                participants.push(parse_subscription(item)?);
            }
        }
        Some(_) => return Err("participants must be an array".into()),
    }
    Ok(Subscriptions { session_id, participants })
}

fn parse_subscription(item: &Value) -> Result<Value, String> {
    let item = item.as_object().ok_or("participants must hold objects")?;
    let id = optional_string(item, "participantId")?
        .filter(|id| !id.is_empty())
        .ok_or("participantId is missing")?;
    match item.get("streamAliases") {
        None | Some(Value::Null) => Ok(json!({"participantId": id})),
        Some(Value::Array(aliases)) if aliases.iter().all(Value::is_string) => {
            let unique: std::collections::HashSet<_> =
                aliases.iter().filter_map(Value::as_str).collect();
            if unique.len() < aliases.len() {
                return Err("streamAliases must be unique".into());
            }
            Ok(json!({"participantId": id, "streamAliases": aliases}))
        }
        Some(_) => Err("streamAliases must be an array of strings".into()),
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err("Invalid request body".into()),
    }
}

fn is_empty_body(body: &[u8]) -> bool {
    matches!(body.trim_ascii(), b"" | b"null")
}

fn tag(body: &Map<String, Value>) -> Result<Option<String>, String> {
    match optional_string(body, "tag")? {
        Some(tag) if tag.chars().count() > 50 => Err("tag must have at most 50 characters".into()),
        tag => Ok(tag),
    }
}

fn optional_string(body: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("{name} must be a string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_participants_are_rejected() {
        assert!(parse_create_participant(b"{}").is_ok());
        assert_eq!(
            parse_create_participant(br#"{"deviceApiVersion":"v3"}"#)
                .ok()
                .unwrap()
                .device_api_version,
            "V3"
        );
        for bad in [
            "",
            "[]",
            r#"{"callbackUrl":"/x"}"#,
            r#"{"publishPermissions":["AUDIO","AUDIO"]}"#,
            r#"{"publishPermissions":["audio"]}"#,
            r#"{"publishPermissions":"AUDIO"}"#,
            r#"{"deviceApiVersion":"V1"}"#,
            r#"{"tag":1}"#,
            &format!(r#"{{"tag":"{}"}}"#, "é".repeat(51)),
        ] {
            assert!(parse_create_participant(bad.as_bytes()).is_err(), "{bad}");
        }
        let longest = format!(r#"{{"tag":"{}"}}"#, "é".repeat(50));
        assert!(parse_create_participant(longest.as_bytes()).is_ok());
    }

    #[test]
    fn invalid_subscriptions_are_rejected_and_empty_bodies_mean_none() {
        for none in ["", "null", "{}", " {} ", r#"{"participants":[]}"#] {
            assert!(parse_subscriptions(none.as_bytes(), "s").ok().unwrap().is_empty(), "{none}");
        }
        for bad in [
            "[]",
            r#"{"sessionId":"other"}"#,
            r#"{"participants":[{}]}"#,
            r#"{"participants":[{"participantId":""}]}"#,
            r#"{"participants":[{"participantId":"p","streamAliases":["a","a"]}]}"#,
        ] {
            assert!(parse_subscriptions(bad.as_bytes(), "s").is_err(), "{bad}");
        }
    }
}
