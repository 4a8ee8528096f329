//! Queues: calls are submitted without blocking, executed by a fixed number of worker threads, and
//! their completions are fetched.
//!
//! The definition and the execution of a call belong in `client`.

mod backlog;
mod notifier;
mod options;
mod state;
mod sync;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::api::{Operation, RetryClass};
use crate::client::{Client, PreparedCall};
use crate::error::{Error, NO_MEMORY, Outcome, Status};
use crate::guard;
use crate::sys::{self, PerProcess};

use backlog::Started;
use notifier::QueueNotifier;
pub use options::Options;
use state::{CompletionReason, Done, StateMachine, SubmitError};
pub use state::{RecvError, Wait};

/// The data of a call that its completion returns.
#[derive(Clone, Copy)]
struct CallHandle {
    user_data: usize,
    operation: &'static Operation,
    /// The number of the call in log lines.
    number: u64,
}

/// A call to be executed.
struct Job {
    call: PreparedCall,
    deadline: Instant,
    submitted: Instant,
}

/// The result of a call.
struct CallResult {
    status: Status,
    document: String,
    time: Duration,
    /// The request body, if the call created an object.
    request: Option<String>,
}

/// A completed call.
pub struct Completion {
    /// The id that `submit` returned.
    pub id: u64,
    /// The value that was submitted with the call.
    pub user_data: usize,
    /// The status of the call.
    pub status: Status,
    /// The service's response, or the error document.
    pub document: String,
    operation: &'static Operation,
    number: u64,
    time: Duration,
    request: Option<String>,
}

type State = StateMachine<CallHandle, Job, CallResult, QueueNotifier>;

/// A queue of calls of one client. All threads may use it at the same time.
pub struct Queue {
    client: Arc<Client>,
    options: Options,
    /// A forked child continues with this number, so that its ids differ from its parent's.
    last_id: AtomicU64,
    closed: AtomicBool,
    process_state: PerProcess<Arc<ProcessState>>,
}

/// The state that a process does not share with forked children.
struct ProcessState {
    state: State,
    threads: Mutex<Threads>,
    workers_started: AtomicBool,
}

/// The threads that were started.
#[derive(Default)]
struct Threads {
    timer: bool,
    workers: usize,
}

impl Queue {
    /// Creates a queue. Its threads are started by the first submitted call.
    pub fn new(client: Arc<Client>, options: Options) -> Queue {
        Queue {
            client,
            options,
            last_id: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            process_state: PerProcess::new(),
        }
    }

    fn process_state(&self) -> &Arc<ProcessState> {
        self.process_state.get(|| {
            let notifier = QueueNotifier::new(Arc::downgrade(&self.client));
            let state = StateMachine::new(self.options.backlog, notifier);
            if self.closed.load(Ordering::Acquire) {
                state.close();
            }
            let (threads, workers_started) = (Mutex::default(), AtomicBool::new(false));
            Arc::new(ProcessState { state, threads, workers_started })
        })
    }

    /// Submits a call, a document as for [`Client::call_document`], and returns its id. Its timeout
    /// begins now. `user_data` is returned with the completion.
    ///
    /// # Errors
    /// `QueueFull`, `Closed`, `Internal` (no memory, no thread), or the problems of the document. The
    /// call is not accepted.
    pub fn submit(&self, call: &str, user_data: usize) -> Result<u64, Error> {
        // A long backlog must leave memory for the running calls.
        crate::memory::require(HEADROOM)?;
        let mut call = self.client.prepare(call)?;
        call.user_data = user_data;
        let operation = call.operation;
        let reject = |status, message: &str| Err(Error::new(status, message).of(operation.name));
        if self.client.is_cancelled() {
            return reject(Status::Closed, "queue: its client was freed");
        }
        let process_state = self.process_state();
        self.ensure_threads(process_state).map_err(|error| error.of(operation.name))?;
        let submitted = Instant::now();
        let deadline = submitted + call.timeout;
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let handle = CallHandle { user_data, operation, number: call.number };
        match process_state.state.submit(id, handle, Job { call, deadline, submitted }, deadline) {
            Ok(()) => Ok(id),
            Err(SubmitError::Closed) => reject(Status::Closed, "queue: is closed"),
            Err(SubmitError::NoMemory) => reject(Status::Internal, NO_MEMORY),
            Err(SubmitError::Full) => reject(
                Status::QueueFull,
                "queue: is full; fetch completions, or submit the call again later (see backlog)",
            ),
        }
    }

    /// The descriptor to poll, which is readable while there are completions. None if it cannot be
    /// opened.
    pub fn descriptor(&self) -> Option<i32> {
        self.process_state().state.with_notifier(QueueNotifier::descriptor)
    }

    /// Waits for the next completion and returns it.
    ///
    /// # Errors
    /// Returns why no completion is available.
    pub fn next(&self, wait: Wait) -> Result<Completion, RecvError> {
        self.process_state().state.next(wait).map(|done| {
            let Done { id, handle, completion } = done;
            let result = call_result(handle.operation, completion);
            let CallResult { status, document, time, request } = result;
            let CallHandle { user_data, operation, number } = handle;
            Completion { id, user_data, status, document, operation, number, time, request }
        })
    }

    /// Puts back a completion that could not be delivered to the host, so that it is fetched again.
    /// If the queue was freed in the meantime, the created object is recorded as late.
    pub fn put_back(&self, completion: Completion) {
        let Completion { id, user_data, status, document, operation, number, time, request } =
            completion;
        let result = CallResult { status, document, time, request };
        let completion = state::Completion::Executed(result);
        let handle = CallHandle { user_data, operation, number };
        if let Err(done) = self.process_state().state.put_back(Done { id, handle, completion }) {
            record_late_object(&self.client, done);
        }
    }

    /// Cancels a call. False if it is already completed, or does not exist.
    pub fn cancel(&self, id: u64) -> bool {
        self.process_state().state.cancel(id).is_some()
    }

    /// Rejects further calls and cancels all. Their completions can still be fetched.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.process_state().state.close();
    }

    /// Closes the queue and discards its completions. Objects that they created are recorded as late.
    pub fn free(&self) {
        self.closed.store(true, Ordering::Release);
        for done in self.process_state().state.free() {
            record_late_object(&self.client, done);
        }
    }

    /// Starts the threads that are not running yet.
    fn ensure_threads(&self, process_state: &Arc<ProcessState>) -> Result<(), Error> {
        if process_state.workers_started.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut threads = process_state.threads.lock().unwrap_or_else(PoisonError::into_inner);
        match self.start_missing_threads(process_state, &mut threads) {
            Ok(()) => process_state.workers_started.store(true, Ordering::Release),
            // The existing threads suffice. The next call tries again.
            Err(_) if threads.timer && threads.workers > 0 => {}
            Err(error) => {
                return Err(Error::new(
                    Status::Internal,
                    format!("queue: cannot start a thread to execute the call: {error}"),
                ));
            }
        }
        Ok(())
    }

    fn start_missing_threads(
        &self,
        process_state: &Arc<ProcessState>,
        threads: &mut Threads,
    ) -> io::Result<()> {
        if !threads.timer {
            let process_state = process_state.clone();
            sys::spawn_helper("bw-queue-time", move || process_state.state.run_timer())?;
            threads.timer = true;
        }
        while threads.workers < self.options.workers {
            // Weak, because a forked child leaks the state, and must not leak the client with it.
            let (process_state, client) = (process_state.clone(), Arc::downgrade(&self.client));
            sys::spawn_helper("bw-queue", move || run_worker(&process_state.state, &client))?;
            threads.workers += 1;
        }
        Ok(())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // The threads own the state too, and must end.
        self.free();
    }
}

/// How much memory must be available when a call is accepted, in bytes.
const HEADROOM: usize = 32 * 1024;

/// The main function of a worker thread. Returns when the queue is closed, and in a child that a log
/// callback has forked: the calls and the locks of the queue are its parent's.
fn run_worker(state: &State, client: &Weak<Client>) {
    let generation = sys::generation();
    while sys::generation() == generation {
        let Some(Started { id, handle, job, cancelled }) = state.start_next() else { return };
        // The queue owns the client until it is freed.
        let Some(client) = client.upgrade() else { return };
        let Job { call, submitted, deadline } = job;
        let began = Instant::now();
        let result = guard::guarded(|| {
            client.execute_prepared(&call, submitted, deadline, Some(&cancelled))
        });
        if sys::generation() != generation {
            return;
        }
        let time = began.elapsed();
        let has_created = result.is_ok() && handle.operation.retry == RetryClass::Create;
        let request = if has_created { call.body } else { None };
        // Without a response, or if the object is already recorded, there is nothing to report.
        let is_late = match &result {
            Ok(_) => true,
            Err(error) => error.response.is_some() && !error.is_late,
        };
        let (status, document) = to_completion(handle.operation, result);
        let executed = CallResult { status, document, time, request };
        if let Some(executed) = state.finish(id, executed).err().filter(|_| is_late) {
            // The call was cancelled, but the service may have created an object.
            let document = Some(&*executed.document).filter(|_| executed.status == Status::Ok);
            let CallHandle { operation, user_data, number } = handle;
            let request = executed.request.as_deref();
            client.late_response(operation, number, document, request, user_data);
        }
    }
}

/// Records the object that an unfetched completion created.
fn record_late_object(client: &Client, done: Done<CallHandle, CallResult>) {
    if let state::Completion::Executed(CallResult {
        status: Status::Ok, document, request, ..
    }) = done.completion
    {
        let CallHandle { operation, user_data, number } = done.handle;
        let request = request.as_deref();
        client.record_late_object(operation, Some(number), &document, request, user_data);
    }
}

fn to_completion(operation: &'static Operation, result: Result<String, Error>) -> (Status, String) {
    match result {
        Ok(document) => (Status::Ok, document),
        Err(error) => {
            let error = error.of(operation.name);
            (error.status, error.document())
        }
    }
}

/// The result of a completed call.
fn call_result(
    operation: &'static Operation,
    completion: state::Completion<CallResult>,
) -> CallResult {
    match completion {
        state::Completion::Executed(executed) => executed,
        state::Completion::NotExecuted(reason) => {
            let (status, outcome, message) = describe(reason);
            let error = Error { outcome: Some(outcome), ..Error::new(status, message) };
            let (status, document) = to_completion(operation, Err(error));
            CallResult { status, document, time: Duration::ZERO, request: None }
        }
    }
}

fn status_of(completion: &state::Completion<CallResult>) -> Status {
    match completion {
        state::Completion::Executed(executed) => executed.status,
        state::Completion::NotExecuted(reason) => describe(*reason).0,
    }
}

/// The status, outcome and message of a call that was not executed to its end.
fn describe(reason: CompletionReason) -> (Status, Outcome, &'static str) {
    match reason {
        CompletionReason::CancelledWaiting => {
            (Status::Cancelled, Outcome::NotSent, "the call was cancelled before it began")
        }
        CompletionReason::CancelledRunning => {
            (Status::Cancelled, Outcome::Unknown, "the call was cancelled while it was running")
        }
        CompletionReason::Expired => (
            Status::Timeout,
            Outcome::NotSent,
            "the time ran out while the call waited for a worker; see workers and timeoutMs",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::state::{Completion, Notifier, RecvError, Stage, StateMachine, Wait};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    struct NullNotifier;

    impl Notifier<(), ()> for NullNotifier {
        fn notify(&self) {}
        fn clear(&self) {}
        fn close(&self) {}
        fn stage_changed(&self, _: Option<Stage>, _: Option<Stage>) {}
        fn completed(&self, (): &(), _: &Completion<()>) {}
    }

    /// If the cost depended on the number of waiting calls, this would take minutes.
    #[test]
    fn cost_of_a_call_does_not_depend_on_the_number_of_waiting_calls() {
        const CALLS: u64 = 100_000;
        let began = Instant::now();
        let core: Arc<StateMachine<(), (), (), NullNotifier>> =
            Arc::new(StateMachine::new(CALLS as usize, NullNotifier));
        let timer = {
            let core = core.clone();
            std::thread::spawn(move || core.run_timer())
        };
        let far = began + Duration::from_secs(3600);
        for id in 1..=CALLS {
            // Each deadline is earlier than the previous ones, so the timer is notified each time.
            core.submit(id, (), (), far - Duration::from_micros(id)).unwrap();
        }
        for id in (2..=CALLS).rev() {
            assert!(core.cancel(id).is_some());
        }
        assert!(core.start_next().is_some());
        assert!(core.finish(1, ()).is_ok());
        assert_eq!(std::iter::from_fn(|| core.next(Wait::None).ok()).count() as u64, CALLS);
        for id in 1..=CALLS {
            core.submit(id, (), (), began).unwrap();
        }
        // All deadlines have passed.
        assert_eq!(
            std::iter::from_fn(|| core.next(Wait::For(Duration::from_secs(60))).ok())
                .take(CALLS as usize)
                .count() as u64,
            CALLS
        );
        core.free();
        timer.join().unwrap();
        let time = began.elapsed();
        assert!(time < Duration::from_secs(20), "{time:?}");
    }

    #[derive(Default)]
    struct Counter(AtomicU64);

    impl Notifier<(), ()> for Counter {
        fn notify(&self) {}
        fn clear(&self) {}
        fn close(&self) {}
        fn stage_changed(&self, _: Option<Stage>, _: Option<Stage>) {}
        fn completed(&self, (): &(), _: &Completion<()>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Whether another thread gets the lock before all calls are completed. Scheduling may prevent it
    /// in some rounds; if the lock is held until the end, it never does.
    fn lock_is_released_by(close: impl Fn(&StateMachine<(), (), (), Counter>)) -> bool {
        const CALLS: u64 = 20_000;
        let far = Instant::now() + Duration::from_secs(3600);
        (0..50).any(|_| {
            let core = StateMachine::new(CALLS as usize, Counter::default());
            for id in 1..=CALLS {
                core.submit(id, (), (), far).unwrap();
            }
            std::thread::scope(|scope| {
                let fetching = scope.spawn(|| {
                    while core.next(Wait::None) == Err(RecvError::Empty) {}
                    core.with_notifier(|counter, _| counter.0.load(Ordering::SeqCst))
                });
                close(&core);
                let completed = fetching.join().unwrap();
                assert_eq!(
                    core.with_notifier(|counter, _| counter.0.load(Ordering::SeqCst)),
                    CALLS
                );
                completed < CALLS
            })
        })
    }

    #[test]
    fn closing_lets_other_threads_run_between_batches() {
        assert!(lock_is_released_by(StateMachine::close));
        assert!(lock_is_released_by(|core| drop(core.free())));
    }
}
