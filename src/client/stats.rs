//! The counters of a client, which take no lock, and the list of created objects that no caller
//! received.

mod metrics;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use once_cell::race::OnceBox;
use serde_json::{Map, Value, json};

use crate::api::{OPERATIONS, Operation, ResponseBody};
use crate::error::Status;

/// The upper bounds of the latency histogram, in microseconds: of a request on the same machine, of a
/// request to the service, and of a call with retries. Longer calls are in one more bucket.
const BOUNDS_US: [u64; 10] =
    [1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000];

/// All counters of a client.
#[derive(Default)]
pub struct Stats {
    /// Only operations that are used have counters.
    operations: [OnceBox<PerOperation>; OPERATIONS.len()],
    /// The number of the last call.
    last_call: AtomicU64,
    /// Opened connections.
    connections_opened: AtomicU64,
    /// Attempts that used an idle connection.
    connections_reused: AtomicU64,
    /// Requests for an access token.
    token_requests: AtomicU64,
    queue: QueueCounters,
    late_responses: AtomicU64,
    late: Mutex<LateObjects>,
}

/// The calls in the client's queues.
#[derive(Default)]
struct QueueCounters {
    /// Waiting, running, and done but not fetched.
    stages: [AtomicU64; 3],
    cancelled: AtomicU64,
}

/// An object that a call created and no caller received.
pub struct LateObject {
    /// The operation that created it.
    pub operation: &'static Operation,
    /// The id of the object.
    pub id: String,
    /// The tag in the request.
    pub tag: Option<String>,
    /// The value that was submitted with the call; 0 for a call outside of a queue.
    pub user_data: usize,
}

/// The objects that no caller received, oldest first.
#[derive(Default)]
pub struct LateObjects {
    objects: VecDeque<LateObject>,
    /// How many were dropped because there were too many.
    dropped: u64,
}

impl LateObjects {
    /// The maximum number of objects.
    pub const CAPACITY: usize = 1024;

    fn push(&mut self, created: LateObject) {
        if self.objects.len() == LateObjects::CAPACITY {
            self.objects.pop_front();
            self.dropped += 1;
        }
        self.objects.push_back(created);
    }

    /// The list as a document.
    pub fn document(&self) -> String {
        let late: Vec<Value> = self
            .objects
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

    fn ids(&self, response: ResponseBody) -> Vec<&str> {
        self.objects
            .iter()
            .filter(|created| created.operation.response == response)
            .map(|created| &*created.id)
            .collect()
    }
}

#[derive(Default)]
struct PerOperation {
    /// Calls that were executed.
    begun: AtomicU64,
    /// How many of those have returned.
    ended: AtomicU64,
    /// Calls that ended in a queue before they were executed.
    never_begun: AtomicU64,
    attempts: AtomicU64,
    /// Attempts after the first of a call.
    retries: AtomicU64,
    statuses: [AtomicU64; Status::ALL.len()],
    /// The last bucket is for times above all bounds.
    times: [AtomicU64; BOUNDS_US.len() + 1],
    /// The sum of all times, in microseconds.
    time_sum: AtomicU64,
}

/// Counts one call while it is being executed.
pub struct CallCounter<'a> {
    of: &'a PerOperation,
    /// Whether it is a call of a caller, and not an internal request.
    is_call: bool,
}

impl Stats {
    fn operation(&self, operation: &Operation) -> &PerOperation {
        self.operations[operation.index].get_or_init(Box::default)
    }

    /// The operations that were used.
    fn used_operations(&self) -> impl Iterator<Item = (&Operation, &PerOperation)> {
        let operations = OPERATIONS.iter().zip(&self.operations);
        operations
            .filter_map(|(operation, counters)| Some((*operation, counters.get()?)))
            .filter(|(_, of)| of.calls() + get(&of.attempts) > 0)
    }

    /// The number of a new call, from 1, for log lines.
    pub fn next_call(&self) -> u64 {
        self.last_call.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a call that begins.
    pub fn begin(&self, operation: &Operation) -> CallCounter<'_> {
        let of = self.operation(operation);
        add(&of.begun, 1);
        CallCounter { of, is_call: true }
    }

    /// Begins an internal request of the client, of which only the attempts are counted.
    pub fn begin_internal(&self, operation: &Operation) -> CallCounter<'_> {
        CallCounter { of: self.operation(operation), is_call: false }
    }

    /// Counts the status that the caller of a call receives, and the time of its execution if it was
    /// executed to its end.
    pub fn end(&self, operation: &Operation, status: Status, time: Option<Duration>) {
        let of = self.operation(operation);
        let at = Status::ALL.iter().position(|known| *known == status).unwrap_or(0);
        add(&of.statuses[at], 1);
        if let Some(time) = time {
            let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            add(&of.times[BOUNDS_US.partition_point(|bound| *bound <= micros)], 1);
            add(&of.time_sum, micros);
        }
    }

    /// Counts the completion of a queued call.
    pub fn completed(
        &self,
        operation: &Operation,
        status: Status,
        time: Option<Duration>,
        has_begun: bool,
    ) {
        if !has_begun {
            add(&self.operation(operation).never_begun, 1);
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
    pub fn connection(&self, connections_opened: bool) {
        add(
            if connections_opened { &self.connections_opened } else { &self.connections_reused },
            1,
        );
    }

    /// Counts a request for an access token.
    pub fn token_request(&self) {
        add(&self.token_requests, 1);
    }

    /// Counts a response that no caller received.
    pub fn late_response(&self) {
        add(&self.late_responses, 1);
    }

    /// Records an object that no caller received.
    pub fn record_late_object(&self, created: LateObject) {
        self.late(|late| late.push(created));
    }

    /// Removes and returns the list of objects that no caller received.
    pub fn take_late_objects(&self) -> LateObjects {
        self.late(std::mem::take)
    }

    /// Puts back a list that could not be delivered.
    pub fn restore_late_objects(&self, taken: LateObjects) {
        self.late(|late| {
            let newer = std::mem::replace(late, taken);
            late.dropped += newer.dropped;
            newer.objects.into_iter().for_each(|created| late.push(created));
        });
    }

    fn late<T>(&self, work: impl FnOnce(&mut LateObjects) -> T) -> T {
        work(&mut self.late.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The counters as a document.
    pub fn document(&self) -> String {
        let sum = |count: fn(&PerOperation) -> u64| -> u64 {
            self.used_operations().map(|(_, of)| count(of)).sum()
        };
        let by_operation: Map<String, Value> = self
            .used_operations()
            .map(|(operation, of)| (operation.name.to_owned(), of.document()))
            .collect();
        let statuses: Map<String, Value> = Status::ALL
            .iter()
            .enumerate()
            .map(|(at, status)| {
                let count: u64 = self.used_operations().map(|(_, of)| get(&of.statuses[at])).sum();
                (status.name().to_owned(), count)
            })
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (name, Value::from(count)))
            .collect();
        let [waiting, running, done] = self.queue.stages.each_ref().map(get);
        let late_ids = |response| self.late(|late| json!(late.ids(response)));
        json!({
            "calls": sum(PerOperation::calls),
            "attempts": sum(|of| get(&of.attempts)),
            "retries": sum(|of| get(&of.retries)),
            "inFlight": sum(PerOperation::in_flight),
            "statuses": statuses,
            "queue": {
                "waiting": waiting,
                "running": running,
                "done": done,
                "cancelled": get(&self.queue.cancelled),
            },
            "connectionsOpened": get(&self.connections_opened),
            "connectionsReused": get(&self.connections_reused),
            "tokenRequests": get(&self.token_requests),
            "lateAnswers": get(&self.late_responses),
            "lateParticipants": late_ids(ResponseBody::CreatedParticipant),
            "lateSessions": late_ids(ResponseBody::CreatedSession),
            "lateEndpoints": late_ids(ResponseBody::CreatedEndpoint),
            "operations": by_operation,
        })
        .to_string()
    }
}

impl PerOperation {
    fn calls(&self) -> u64 {
        get(&self.begun) + get(&self.never_begun)
    }

    fn in_flight(&self) -> u64 {
        // Loaded first, so that a call that ends between the two loads is counted as running.
        let ended = get(&self.ended);
        get(&self.begun).saturating_sub(ended)
    }

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
            .map(|(bucket, count)| json!({"belowUs": BOUNDS_US.get(bucket), "count": get(count)}))
            .collect();
        json!({
            "calls": self.calls(),
            "attempts": get(&self.attempts),
            "retries": get(&self.retries),
            "inFlight": self.in_flight(),
            "statuses": statuses,
            "times": times,
            "timeSumUs": get(&self.time_sum),
        })
    }
}

impl CallCounter<'_> {
    /// Counts an attempt. `number` is its number in the call, from 1.
    pub fn attempt(&self, number: u32) {
        add(&self.of.attempts, 1);
        if number > 1 {
            add(&self.of.retries, 1);
        }
    }
}

impl Drop for CallCounter<'_> {
    fn drop(&mut self) {
        if self.is_call {
            add(&self.of.ended, 1);
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
    use crate::api::{CREATE_ENDPOINT, CREATE_PARTICIPANT, CREATE_SESSION, GET_PARTICIPANT};

    #[test]
    fn calls_are_counted_by_operation_and_latency() {
        let stats = Stats::default();
        let running = stats.begin(&CREATE_PARTICIPANT);
        let call = stats.begin(&CREATE_PARTICIPANT);
        (1..=3).for_each(|number| call.attempt(number));
        drop(call);
        for micros in [999, 1000, 9_999_999, 20_000_000] {
            stats.end(&CREATE_PARTICIPANT, Status::Timeout, Some(Duration::from_micros(micros)));
        }
        stats.connection(true);
        let document: Value = serde_json::from_str(&stats.document()).unwrap();
        assert_eq!((&document["calls"], &document["retries"]), (&json!(2), &json!(2)));
        assert_eq!(document["attempts"], 3);
        assert_eq!(document["inFlight"], 1);
        assert_eq!(document["statuses"], json!({"BW_E_TIMEOUT": 4}));
        let of = &document["operations"]["createParticipant"];
        let expected = [json!(1_000), json!(5_000), json!(10_000_000), json!(null)];
        let expected = expected.map(|bound| json!({"belowUs": bound, "count": 1}));
        assert_eq!((&of["times"], &of["timeSumUs"]), (&json!(expected), &json!(30_001_998)));
        assert_eq!(document["connectionsOpened"], 1);
        drop(running);
        assert!(stats.document().contains("\"inFlight\":0"));
    }

    #[test]
    fn internal_requests_count_as_attempts_and_not_as_calls() {
        let stats = Stats::default();
        (1..=2).for_each(|n| stats.begin_internal(&GET_PARTICIPANT).attempt(n));
        let document: Value = serde_json::from_str(&stats.document()).unwrap();
        assert_eq!((&document["calls"], &document["attempts"]), (&json!(0), &json!(2)));
        assert_eq!(document["inFlight"], 0);
    }

    #[test]
    fn late_objects_are_limited_and_survive_a_failed_delivery() {
        let stats = Stats::default();
        let read = |list: &LateObjects| serde_json::from_str::<Value>(&list.document()).unwrap();
        let created = |n: usize| LateObject {
            operation: if n % 2 == 0 { &CREATE_PARTICIPANT } else { &CREATE_SESSION },
            id: format!("id {n}"),
            tag: (n == 5).then(|| "five".to_owned()),
            user_data: n,
        };
        (0..LateObjects::CAPACITY + 3).for_each(|n| stats.record_late_object(created(n)));
        let counters: Value = serde_json::from_str(&stats.document()).unwrap();
        assert_eq!(counters["lateParticipants"].as_array().unwrap().len(), 512);
        assert_eq!(counters["lateSessions"][0], "id 3");
        let taken = stats.take_late_objects();
        assert_eq!(read(&stats.take_late_objects()), json!({"late": [], "dropped": 0}));
        stats.record_late_object(created(5000));
        stats.restore_late_objects(taken);
        let list = read(&stats.take_late_objects());
        assert_eq!(list["dropped"], 4);
        assert_eq!(list["late"].as_array().unwrap().len(), LateObjects::CAPACITY);
        assert_eq!(
            list["late"][1],
            json!({"operation": "createSession", "id": "id 5", "tag": "five", "userData": 5})
        );
        assert_eq!(list["late"][LateObjects::CAPACITY - 1]["id"], "id 5000");
    }

    #[test]
    fn late_objects_are_listed_by_kind() {
        let stats = Stats::default();
        for operation in [&CREATE_PARTICIPANT, &CREATE_SESSION, &CREATE_ENDPOINT] {
            let id = operation.name.to_owned();
            stats.record_late_object(LateObject { operation, id, tag: None, user_data: 0 });
        }
        let counters: Value = serde_json::from_str(&stats.document()).unwrap();
        assert_eq!(counters["lateParticipants"], json!(["createParticipant"]));
        assert_eq!(counters["lateSessions"], json!(["createSession"]));
        assert_eq!(counters["lateEndpoints"], json!(["createEndpoint"]));
    }
}
