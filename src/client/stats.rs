//! What a client has done so far, counted without a lock, and what was created but reached no caller.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::api::{OPERATIONS, Operation, ResponseBody};
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
    queue: Queued,
    late_responses: AtomicU64,
    late: Mutex<LateList>,
}

/// The calls in the client's queues.
#[derive(Default)]
struct Queued {
    /// Those that wait, run, and are done but not fetched.
    stages: [AtomicU64; 3],
    cancelled: AtomicU64,
}

/// What a call created and no caller received.
pub struct Created {
    /// The operation that created it.
    pub operation: &'static Operation,
    /// The id that the service gave it.
    pub id: String,
    /// The tag in the request.
    pub tag: Option<String>,
    /// What was submitted with the call; 0 for a call outside of a queue.
    pub user_data: usize,
}

/// The objects that no caller received, the oldest first.
#[derive(Default)]
pub struct LateList {
    kept: VecDeque<Created>,
    /// How many were dropped because there were too many.
    dropped: u64,
}

impl LateList {
    /// How many objects are kept.
    pub const MOST: usize = 1024;

    fn push(&mut self, created: Created) {
        if self.kept.len() == LateList::MOST {
            self.kept.pop_front();
            self.dropped += 1;
        }
        self.kept.push_back(created);
    }

    /// The list as a document.
    pub fn document(&self) -> String {
        let late: Vec<Value> = self
            .kept
            .iter()
            .map(|created| {
                json!({
                    "operation": created.operation.name,
                    "id": created.id,
                    "tag": created.tag,
                    "userData": created.user_data,
                })
            })
            .collect();
        json!({"late": late, "dropped": self.dropped}).to_string()
    }

    fn ids(&self, of_participants: bool) -> Vec<&str> {
        self.kept
            .iter()
            .filter(|created| {
                (created.operation.response == ResponseBody::CreatedParticipant) == of_participants
            })
            .map(|created| &*created.id)
            .collect()
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

/// One call being executed.
pub struct Counted<'a> {
    of: &'a PerOperation,
    /// Whether a caller made it.
    is_call: bool,
}

impl Stats {
    /// Counts a call that begins.
    pub fn begin(&self, operation: &Operation) -> Counted<'_> {
        let of = &self.operations[operation.index];
        add(&of.calls, 1);
        add(&of.in_flight, 1);
        Counted { of, is_call: true }
    }

    /// Counts the attempts of a request that the client makes for itself.
    pub fn begin_internal(&self, operation: &Operation) -> Counted<'_> {
        Counted { of: &self.operations[operation.index], is_call: false }
    }

    /// Counts the result that the caller of a call receives, and the time of its execution, if it
    /// was executed to its end.
    pub fn end(&self, operation: &Operation, status: Status, time: Option<Duration>) {
        let of = &self.operations[operation.index];
        let at = Status::ALL.iter().position(|known| *known == status).unwrap_or(0);
        add(&of.statuses[at], 1);
        if let Some(time) = time {
            let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            let bucket = micros.checked_ilog2().map_or(0, |log| log as usize + 1);
            add(&of.times[bucket.min(BUCKETS - 1)], 1);
        }
    }

    /// Counts the completion of a call in a queue.
    pub fn completed(
        &self,
        operation: &Operation,
        status: Status,
        time: Option<Duration>,
        has_begun: bool,
    ) {
        if !has_begun {
            add(&self.operations[operation.index].calls, 1);
        }
        if status == Status::Cancelled {
            add(&self.queue.cancelled, 1);
        }
        self.end(operation, status, time);
    }

    /// Counts a call that moves from one stage of a queue to another.
    pub fn queued(&self, from: Option<usize>, to: Option<usize>) {
        if let Some(from) = from {
            self.queue.stages[from].fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(to) = to {
            add(&self.queue.stages[to], 1);
        }
    }

    /// Counts an attempt's connection.
    pub fn connection(&self, opened: bool) {
        add(if opened { &self.opened } else { &self.reused }, 1);
    }

    /// Counts a request for an access token.
    pub fn token_request(&self) {
        add(&self.token_requests, 1);
    }

    /// Counts a response that no caller received.
    pub fn late_response(&self) {
        add(&self.late_responses, 1);
    }

    /// Keeps an object that no caller received.
    pub fn keep(&self, created: Created) {
        self.late(|late| late.push(created));
    }

    /// Takes the objects that no caller received out of the list.
    pub fn take_late(&self) -> LateList {
        self.late(std::mem::take)
    }

    /// Returns a list that could not be handed over.
    pub fn restore_late(&self, taken: LateList) {
        self.late(|late| {
            let newer = std::mem::replace(late, taken);
            late.dropped += newer.dropped;
            newer.kept.into_iter().for_each(|created| late.push(created));
        });
    }

    fn late<T>(&self, work: impl FnOnce(&mut LateList) -> T) -> T {
        work(&mut self.late.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The counters as a document.
    pub fn document(&self) -> String {
        let sum = |counter: fn(&PerOperation) -> &AtomicU64| -> u64 {
            self.operations.iter().map(|of| get(counter(of))).sum()
        };
        let used = OPERATIONS
            .iter()
            .zip(&self.operations)
            .filter(|(_, of)| get(&of.calls) + get(&of.attempts) > 0);
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
        let [waiting, running, done] = self.queue.stages.each_ref().map(get);
        let (participants, sessions) =
            self.late(|late| (json!(late.ids(true)), json!(late.ids(false))));
        json!({
            "calls": sum(|of| &of.calls),
            "attempts": sum(|of| &of.attempts),
            "retries": sum(|of| &of.retries),
            "inFlight": sum(|of| &of.in_flight),
            "statuses": statuses,
            "queue": {
                "waiting": waiting,
                "running": running,
                "done": done,
                "cancelled": get(&self.queue.cancelled),
            },
            "connectionsOpened": get(&self.opened),
            "connectionsReused": get(&self.reused),
            "tokenRequests": get(&self.token_requests),
            "lateAnswers": get(&self.late_responses),
            "lateParticipants": participants,
            "lateSessions": sessions,
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
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if self.is_call {
            self.of.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
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
    use crate::api::{CREATE_PARTICIPANT, CREATE_SESSION, GET_PARTICIPANT};

    #[test]
    fn calls_are_counted_by_operation_and_their_times_in_powers_of_two() {
        let stats = Stats::default();
        let under_way = stats.begin(&CREATE_PARTICIPANT);
        let call = stats.begin(&CREATE_PARTICIPANT);
        (1..=3).for_each(|number| call.attempt(number));
        drop(call);
        stats.end(&CREATE_PARTICIPANT, Status::Timeout, Some(Duration::from_micros(1000)));
        stats.connection(true);
        let document: Value = serde_json::from_str(&stats.document()).unwrap();
        assert_eq!((&document["calls"], &document["retries"]), (&json!(2), &json!(2)));
        assert_eq!(document["attempts"], 3);
        assert_eq!(document["inFlight"], 1);
        assert_eq!(document["statuses"], json!({"BW_E_TIMEOUT": 1}));
        let of = &document["operations"]["createParticipant"];
        assert_eq!(of["times"], json!([{"belowUs": 1024, "count": 1}]));
        assert_eq!(document["connectionsOpened"], 1);
        drop(under_way);
        assert!(stats.document().contains("\"inFlight\":0"));
    }

    #[test]
    fn requests_of_the_client_itself_are_attempts_and_no_calls() {
        let stats = Stats::default();
        (1..=2).for_each(|n| stats.begin_internal(&GET_PARTICIPANT).attempt(n));
        let document: Value = serde_json::from_str(&stats.document()).unwrap();
        assert_eq!((&document["calls"], &document["attempts"]), (&json!(0), &json!(2)));
        assert_eq!(document["inFlight"], 0);
    }

    #[test]
    fn late_list_is_bounded_counts_what_it_drops_and_survives_a_failed_handover() {
        let stats = Stats::default();
        let read = |list: &LateList| serde_json::from_str::<Value>(&list.document()).unwrap();
        let created = |n: usize| Created {
            operation: if n % 2 == 0 { &CREATE_PARTICIPANT } else { &CREATE_SESSION },
            id: format!("id {n}"),
            tag: (n == 5).then(|| "five".to_owned()),
            user_data: n,
        };
        (0..LateList::MOST + 3).for_each(|n| stats.keep(created(n)));
        let counters: Value = serde_json::from_str(&stats.document()).unwrap();
        assert_eq!(counters["lateParticipants"].as_array().unwrap().len(), 512);
        assert_eq!(counters["lateSessions"][0], "id 3");
        let taken = stats.take_late();
        assert_eq!(read(&stats.take_late()), json!({"late": [], "dropped": 0}));
        stats.keep(created(5000));
        stats.restore_late(taken);
        let list = read(&stats.take_late());
        assert_eq!(list["dropped"], 4);
        assert_eq!(list["late"].as_array().unwrap().len(), LateList::MOST);
        assert_eq!(
            list["late"][1],
            json!({"operation": "createSession", "id": "id 5", "tag": "five", "userData": 5})
        );
        assert_eq!(list["late"][LateList::MOST - 1]["id"], "id 5000");
    }
}
