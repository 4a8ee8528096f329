//! Simulated failures: the faults that tests add, and their effects on a request.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::TOKEN_OPERATION;
use crate::response::ServiceResponse;
use crate::{v1, v2};

/// A fault that a test has added.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    operation: String,
    kind: Kind,
    #[serde(default = "default_count")]
    count: Option<u64>,
    #[serde(default)]
    after: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_second: Option<u32>,
}

fn default_count() -> Option<u64> {
    Some(1)
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Status,
    Delay,
    CloseBefore,
    CloseAfter,
    Truncate,
    Garbage,
    Dribble,
}

/// The effects of all faults on one request.
#[derive(Default)]
pub struct Effects {
    /// How long to wait before anything else.
    pub delay: Duration,
    /// Close the connection and do not execute the operation.
    pub close_before: bool,
    /// Send this response and do not execute the operation.
    pub status: Option<ServiceResponse>,
    /// Close the connection instead of sending the response.
    pub close_after: bool,
    /// Send half of the response's body.
    pub truncate: bool,
    /// Send bytes that are not HTTP instead of the response.
    pub garbage: bool,
    /// Send the response at this number of bytes per second.
    pub dribble: Option<u32>,
}

/// All faults.
#[derive(Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Adds the fault that a document describes.
    pub fn add(&self, document: &[u8]) -> Result<(), String> {
        let fault: Fault = serde_json::from_slice(document).map_err(|e| e.to_string())?;
        let name = fault.operation.as_str();
        let is_known = name == "*"
            || name == TOKEN_OPERATION
            || v1::Operation::from_name(name).is_some()
            || v2::Operation::from_name(name).is_some();
        if !is_known {
            return Err(format!("operation: {name:?} is not an operation, \"token\" or \"*\""));
        }
        let missing = match fault.kind {
            Kind::Status if fault.status.is_none_or(|s| !(100..1000).contains(&s)) => "status",
            Kind::Delay if fault.ms.is_none() => "ms",
            Kind::Dribble if fault.bytes_per_second.is_none_or(|rate| rate == 0) => {
                "bytesPerSecond"
            }
            _ => "",
        };
        if !missing.is_empty() {
            return Err(format!("{missing}: is missing or out of range for this kind"));
        }
        self.lock().push(fault);
        Ok(())
    }

    /// The faults that affect later requests, in the order in which they were added.
    pub fn all(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Returns the effects on a request for this operation, and counts the request.
    pub fn effects(&self, operation: &str) -> Effects {
        let mut effects = Effects::default();
        // A fault for all operations has the same effect however the client authenticates.
        let any = operation != TOKEN_OPERATION;
        self.lock().retain_mut(|fault| {
            if fault.operation != operation && !(any && fault.operation == "*") {
                return true;
            }
            if fault.after > 0 {
                fault.after -= 1;
                return true;
            }
            if fault.count == Some(0) {
                return false;
            }
            apply(fault, &mut effects);
            fault.count = fault.count.map(|left| left - 1);
            fault.count != Some(0)
        });
        effects
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn apply(fault: &Fault, effects: &mut Effects) {
    match fault.kind {
        Kind::Status => {
            let headers = fault.headers.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            let body = fault.body.as_ref().map(|body| match body {
                Value::String(text) => text.clone(),
                document => document.to_string(),
            });
            effects.status =
                Some(ServiceResponse { status: fault.status.unwrap_or(500), headers, body });
        }
        Kind::Delay => effects.delay += Duration::from_millis(fault.ms.unwrap_or(0)),
        Kind::CloseBefore => effects.close_before = true,
        Kind::CloseAfter => effects.close_after = true,
        Kind::Truncate => effects.truncate = true,
        Kind::Garbage => effects.garbage = true,
        Kind::Dribble => effects.dribble = fault.bytes_per_second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_affect_their_operation_count_times_and_delays_add_up() {
        let faults = Faults::default();
        for fault in [
            r#"{"operation":"createParticipant","kind":"delay","ms":20,"count":2}"#,
            r#"{"operation":"*","kind":"delay","ms":5,"count":null}"#,
            r#"{"operation":"createParticipant","kind":"close_after","after":1}"#,
        ] {
            faults.add(fault.as_bytes()).unwrap();
        }
        let delays: Vec<_> = (0..3)
            .map(|_| faults.effects("createParticipant"))
            .map(|effects| (effects.delay.as_millis(), effects.close_after))
            .collect();
        assert_eq!(delays, [(25, false), (25, true), (5, false)]);
        assert_eq!(faults.effects("getSession").delay.as_millis(), 5);
        faults.clear();
        assert!(faults.effects("getSession").delay.is_zero());
    }

    #[test]
    fn error_names_the_invalid_field() {
        let error = |fault: &str| Faults::default().add(fault.as_bytes()).unwrap_err();
        let unknown = error(r#"{"operation":"x","kind":"garbage"}"#);
        assert!(unknown.starts_with("operation:") && unknown.contains("\"token\""), "{unknown}");
        assert!(error(r#"{"operation":"*","kind":"delay"}"#).starts_with("ms:"));
        assert!(error(r#"{"operation":"*","kind":"status"}"#).starts_with("status:"));
        assert!(error(r#"{"operation":"*","kind":"dribble"}"#).starts_with("bytesPerSecond:"));
        assert!(error(r#"{"operation":"*","kind":"explode"}"#).contains("explode"));
        assert!(error(r#"{"operation":"*","kind":"garbage","cout":1}"#).contains("cout"));
    }
}
