//! What a client has done so far, counted without a lock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::api::{OPERATIONS, Operation, Shape};
use crate::error::Status;

/// Times from under 1 microsecond to over half an hour, in powers of two.
const BUCKETS: usize = 32;

/// All counters of a client.
#[derive(Default)]
pub struct Stats {
    operations: [PerOperation; OPERATIONS.len()],
    /// Connections opened.
    opened: AtomicU64,
    /// Attempts that used an idle connection.
    reused: AtomicU64,
    /// Requests for an access token.
    token_requests: AtomicU64,
    late: Late,
}

/// What came of calls that were cancelled under way.
#[derive(Default)]
struct Late {
    answers: AtomicU64,
    /// The last ids of what such calls made.
    participants: Mutex<VecDeque<String>>,
    sessions: Mutex<VecDeque<String>>,
}

impl Late {
    /// How many ids are kept.
    const KEPT: usize = 64;

    fn keep(ids: &Mutex<VecDeque<String>>, id: String) {
        let mut ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() == Late::KEPT {
            ids.pop_front();
        }
        ids.push_back(id);
    }

    fn ids(ids: &Mutex<VecDeque<String>>) -> Value {
        json!(*ids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Default)]
struct PerOperation {
    calls: AtomicU64,
    attempts: AtomicU64,
    /// Attempts after the first of a call.
    retries: AtomicU64,
    in_flight: AtomicU64,
    statuses: [AtomicU64; Status::ALL.len()],
    times: [AtomicU64; BUCKETS],
}

/// One call under way; counted as ended when it is told how.
pub struct Counted<'a> {
    of: &'a PerOperation,
}

impl Stats {
    /// Counts a call that begins.
    pub fn begin(&self, operation: &Operation) -> Counted<'_> {
        let of = &self.operations[operation.index];
        add(&of.calls, 1);
        add(&of.in_flight, 1);
        Counted { of }
    }

    /// Counts an attempt's connection.
    pub fn connection(&self, opened: bool) {
        add(if opened { &self.opened } else { &self.reused }, 1);
    }

    /// Counts a request for an access token.
    pub fn token_request(&self) {
        add(&self.token_requests, 1);
    }

    /// Counts what came of a call that was cancelled under way, and keeps the id of what it made.
    pub fn late_answer(&self, operation: &Operation, made: Option<String>) {
        add(&self.late.answers, 1);
        if let Some(id) = made {
            let participant = operation.answer == Shape::ParticipantAndToken;
            let ids = if participant { &self.late.participants } else { &self.late.sessions };
            Late::keep(ids, id);
        }
    }

    /// The counters as a document.
    pub fn document(&self) -> String {
        let sum = |counter: fn(&PerOperation) -> &AtomicU64| -> u64 {
            self.operations.iter().map(|of| get(counter(of))).sum()
        };
        let used = OPERATIONS.iter().zip(&self.operations).filter(|(_, of)| get(&of.calls) > 0);
        let by_operation: Map<String, Value> =
            used.map(|(operation, of)| (operation.name.to_owned(), of.document())).collect();
        let statuses: Map<String, Value> = Status::ALL
            .iter()
            .enumerate()
            .map(|(at, status)| {
                let count: u64 = self.operations.iter().map(|of| get(&of.statuses[at])).sum();
                (status.name().to_owned(), count)
            })
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (name, Value::from(count)))
            .collect();
        json!({
            "calls": sum(|of| &of.calls),
            "attempts": sum(|of| &of.attempts),
            "retries": sum(|of| &of.retries),
            "inFlight": sum(|of| &of.in_flight),
            "statuses": statuses,
            "connectionsOpened": get(&self.opened),
            "connectionsReused": get(&self.reused),
            "tokenRequests": get(&self.token_requests),
            "lateAnswers": get(&self.late.answers),
            "lateParticipants": Late::ids(&self.late.participants),
            "lateSessions": Late::ids(&self.late.sessions),
            "operations": by_operation,
        })
        .to_string()
    }
}

impl PerOperation {
    fn document(&self) -> Value {
        let statuses: Map<String, Value> = Status::ALL
            .iter()
            .zip(&self.statuses)
            .filter(|(_, count)| get(count) > 0)
            .map(|(status, count)| (status.name().to_owned(), Value::from(get(count))))
            .collect();
        let times: Vec<Value> = self
            .times
            .iter()
            .enumerate()
            .filter(|(_, count)| get(count) > 0)
            .map(|(bucket, count)| json!({"belowUs": 1_u64 << bucket, "count": get(count)}))
            .collect();
        json!({
            "calls": get(&self.calls),
            "attempts": get(&self.attempts),
            "retries": get(&self.retries),
            "inFlight": get(&self.in_flight),
            "statuses": statuses,
            "times": times,
        })
    }
}

impl Counted<'_> {
    /// Counts an attempt, with its number in the call.
    pub fn attempt(&self, number: u32) {
        add(&self.of.attempts, 1);
        if number > 1 {
            add(&self.of.retries, 1);
        }
    }

    /// Counts the call's end.
    pub fn end(self, status: Status, time: Duration) {
        let at = Status::ALL.iter().position(|known| *known == status).unwrap_or(0);
        add(&self.of.statuses[at], 1);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = micros.checked_ilog2().map_or(0, |log| log as usize + 1);
        add(&self.of.times[bucket.min(BUCKETS - 1)], 1);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.of.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::CREATE_PARTICIPANT;

    #[test]
    fn calls_are_counted_by_operation_and_their_times_in_powers_of_two() {
        let stats = Stats::default();
        let under_way = stats.begin(&CREATE_PARTICIPANT);
        let call = stats.begin(&CREATE_PARTICIPANT);
        (1..=3).for_each(|number| call.attempt(number));
        call.end(Status::Timeout, Duration::from_micros(1000));
        stats.connection(true);
        let document: Value = serde_json::from_str(&stats.document()).unwrap();
        assert_eq!((&document["calls"], &document["retries"]), (&json!(2), &json!(2)));
        assert_eq!(document["inFlight"], 1);
        assert_eq!(document["statuses"], json!({"BW_E_TIMEOUT": 1}));
        let of = &document["operations"]["createParticipant"];
        assert_eq!(of["times"], json!([{"belowUs": 1024, "count": 1}]));
        assert_eq!(document["connectionsOpened"], 1);
        drop(under_way);
        assert!(stats.document().contains("\"inFlight\":0"));
    }
}
