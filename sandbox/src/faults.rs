//! Faults that tests order: what they are, which request they hit, and how often.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::auth::TOKEN_OPERATION;
use crate::operations::Operation;
use crate::reply::Reply;

/// A fault, as a test orders it.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    operation: String,
    kind: Kind,
    #[serde(default = "once")]
    count: Option<u64>,
    #[serde(default)]
    after: u64,
    status: Option<u16>,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    body: Option<Value>,
    ms: Option<u64>,
    bytes_per_second: Option<u32>,
}

fn once() -> Option<u64> {
    Some(1)
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
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

/// What happens to one request.
#[derive(Default)]
pub struct Effects {
    /// Waits before anything else.
    pub delay: Duration,
    /// Closes without doing anything.
    pub close_before: bool,
    /// Answers with this instead of doing anything.
    pub status: Option<Reply>,
    /// Closes instead of answering.
    pub close_after: bool,
    /// Sends half of the body.
    pub truncate: bool,
    /// Sends garbage instead of the answer.
    pub garbage: bool,
    /// Sends the answer this slowly.
    pub dribble: Option<u32>,
}

/// All faults that are ordered.
#[derive(Default)]
pub struct Faults(Mutex<Vec<Order>>);

impl Faults {
    /// Takes an order.
    pub fn order(&self, document: &[u8]) -> Result<(), String> {
        let order: Order = serde_json::from_slice(document).map_err(|e| e.to_string())?;
        let known = ["*", TOKEN_OPERATION].contains(&order.operation.as_str());
        if !known && Operation::named(&order.operation).is_none() {
            return Err(format!(
                "operation: {:?} is not an operation, \"token\" or \"*\"",
                order.operation
            ));
        }
        let missing = match order.kind {
            Kind::Status if order.status.is_none_or(|s| !(100..1000).contains(&s)) => "status",
            Kind::Delay if order.ms.is_none() => "ms",
            Kind::Dribble if order.bytes_per_second.is_none_or(|rate| rate == 0) => {
                "bytesPerSecond"
            }
            _ => "",
        };
        if !missing.is_empty() {
            return Err(format!("{missing}: is missing or out of range for this kind"));
        }
        self.lock().push(order);
        Ok(())
    }

    /// Forgets all orders.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// What happens to a request for this operation; counts it.
    pub fn effects(&self, operation: &str) -> Effects {
        let mut effects = Effects::default();
        // A fault for all operations has the same effect however the client authenticates.
        let any = operation != TOKEN_OPERATION;
        self.lock().retain_mut(|order| {
            if order.operation != operation && !(any && order.operation == "*") {
                return true;
            }
            if order.after > 0 {
                order.after -= 1;
                return true;
            }
            if order.count == Some(0) {
                return false;
            }
            apply(order, &mut effects);
            order.count = order.count.map(|left| left - 1);
            order.count != Some(0)
        });
        effects
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Order>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn apply(order: &Order, effects: &mut Effects) {
    match order.kind {
        Kind::Status => {
            let headers = order.headers.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            let body = order.body.as_ref().map(|body| match body {
                Value::String(text) => text.clone(),
                document => document.to_string(),
            });
            effects.status = Some(Reply { status: order.status.unwrap_or(500), headers, body });
        }
        Kind::Delay => effects.delay += Duration::from_millis(order.ms.unwrap_or(0)),
        Kind::CloseBefore => effects.close_before = true,
        Kind::CloseAfter => effects.close_after = true,
        Kind::Truncate => effects.truncate = true,
        Kind::Garbage => effects.garbage = true,
        Kind::Dribble => effects.dribble = order.bytes_per_second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_hit_their_operation_so_often_and_delays_add_up() {
        let faults = Faults::default();
        for order in [
            r#"{"operation":"createParticipant","kind":"delay","ms":20,"count":2}"#,
            r#"{"operation":"*","kind":"delay","ms":5,"count":null}"#,
            r#"{"operation":"createParticipant","kind":"close_after","after":1}"#,
        ] {
            faults.order(order.as_bytes()).unwrap();
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
    fn a_bad_order_is_refused_by_field() {
        let refused = |order: &str| Faults::default().order(order.as_bytes()).unwrap_err();
        let unknown = refused(r#"{"operation":"x","kind":"garbage"}"#);
        assert!(unknown.starts_with("operation:") && unknown.contains("\"token\""), "{unknown}");
        assert!(refused(r#"{"operation":"*","kind":"delay"}"#).starts_with("ms:"));
        assert!(refused(r#"{"operation":"*","kind":"status"}"#).starts_with("status:"));
        assert!(refused(r#"{"operation":"*","kind":"dribble"}"#).starts_with("bytesPerSecond:"));
        assert!(refused(r#"{"operation":"*","kind":"explode"}"#).contains("explode"));
        assert!(refused(r#"{"operation":"*","kind":"garbage","cout":1}"#).contains("cout"));
    }
}
