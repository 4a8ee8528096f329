//! Calls that never block: submitted, executed by a fixed number of workers, and fetched when they
//! are done.
//!
//! Not here: what a call is and how it is executed (`client`).

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
use crate::client::{Client, Prepared};
use crate::error::{Error, NO_MEMORY, Outcome, Status};
use crate::guard;
use crate::sys::{self, PerProcess};

use backlog::Started;
use notifier::QueueNotifier;
pub use options::Options;
use state::{CompletionReason, Core, Done, SubmitError};
pub use state::{RecvError, Wait};

/// What comes back with a completion.
#[derive(Clone, Copy)]
struct CallHandle {
    user_data: usize,
    operation: &'static Operation,
}

/// A call to be executed.
struct Job {
    call: Prepared,
    deadline: Instant,
    submitted: Instant,
}

/// What a worker made of a call.
struct Executed {
    status: Status,
    document: String,
    time: Duration,
    /// The request, if the service created something.
    request: Option<String>,
}

/// A completed call.
pub struct Completion {
    /// The number that `submit` gave.
    pub id: u64,
    /// What was submitted with the call.
    pub user_data: usize,
    /// How it ended.
    pub status: Status,
    /// The service's response, or the error document.
    pub document: String,
    operation: &'static Operation,
    time: Duration,
    request: Option<String>,
}

type State = Core<CallHandle, Job, Executed, QueueNotifier>;

/// A queue of calls of one client. Used by any number of threads at once.
pub struct Queue {
    client: Arc<Client>,
    options: Options,
    /// Continues in a forked child, where the parent's numbers must not mean other calls.
    last_id: AtomicU64,
    closed: AtomicBool,
    own: PerProcess<Arc<Own>>,
}

/// What a process does not share with its children.
struct Own {
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
    /// A queue without threads or descriptors yet.
    pub fn new(client: Arc<Client>, options: Options) -> Queue {
        Queue {
            client,
            options,
            last_id: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            own: PerProcess::new(),
        }
    }

    fn own(&self) -> &Arc<Own> {
        self.own.get(|| {
            let notifier = QueueNotifier::new(Arc::downgrade(&self.client));
            let state = Core::new(self.options.backlog, notifier);
            if self.closed.load(Ordering::Acquire) {
                state.close();
            }
            let (threads, workers_started) = (Mutex::default(), AtomicBool::new(false));
            Arc::new(Own { state, threads, workers_started })
        })
    }

    /// Accepts a call, which is a document as for [`Client::call_document`], and gives its number.
    /// Its time runs from now.
    ///
    /// # Errors
    /// `QueueFull`, `Closed`, `Internal` (no memory, no thread), and what is wrong with the
    /// document: nothing was accepted.
    pub fn submit(&self, call: &str, user_data: usize) -> Result<u64, Error> {
        // A long backlog must not take the last memory: what runs needs some.
        crate::memory::require(HEADROOM)?;
        let call = self.client.prepare(call)?;
        let operation = call.operation;
        let refuse = |status, message: &str| Err(Error::new(status, message).of(operation.name));
        if self.client.is_cancelled() {
            return refuse(Status::Closed, "queue: its client was freed");
        }
        let own = self.own();
        self.start(own).map_err(|error| error.of(operation.name))?;
        let submitted = Instant::now();
        let deadline = submitted + call.timeout;
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let handle = CallHandle { user_data, operation };
        match own.state.submit(id, handle, Job { call, deadline, submitted }, deadline) {
            Ok(()) => Ok(id),
            Err(SubmitError::Closed) => refuse(Status::Closed, "queue: is closed"),
            Err(SubmitError::NoMemory) => refuse(Status::Internal, NO_MEMORY),
            Err(SubmitError::Full) => refuse(
                Status::QueueFull,
                "queue: too many calls wait or are not fetched; fetch, or try later (see backlog)",
            ),
        }
    }

    /// The descriptor to watch: readable while there are completions. None if none can be opened.
    pub fn descriptor(&self) -> Option<i32> {
        self.own().state.with_notifier(QueueNotifier::descriptor)
    }

    /// The next completion.
    ///
    /// # Errors
    /// Why there is none.
    pub fn next(&self, wait: Wait) -> Result<Completion, RecvError> {
        self.own().state.next(wait).map(|done| {
            let Done { id, handle, completion } = done;
            let executed = executed(handle.operation, completion);
            let Executed { status, document, time, request } = executed;
            let CallHandle { user_data, operation } = handle;
            Completion { id, user_data, status, document, operation, time, request }
        })
    }

    /// Takes a completion back that could not be handed to the host. It is fetched again; or, if
    /// the queue was freed meanwhile, what it created is kept as late.
    pub fn give_back(&self, completion: Completion) {
        let Completion { id, user_data, status, document, operation, time, request } = completion;
        let executed = Executed { status, document, time, request };
        let completion = state::Completion::Executed(executed);
        let handle = CallHandle { user_data, operation };
        if let Err(done) = self.own().state.give_back(Done { id, handle, completion }) {
            keep(&self.client, done);
        }
    }

    /// Ends a call at once. False if it has ended, or there never was such a call.
    pub fn cancel(&self, id: u64) -> bool {
        self.own().state.cancel(id).is_some()
    }

    /// Accepts no more calls and ends all; their completions can still be fetched.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.own().state.close();
    }

    /// Closes; nothing can be fetched any more. What unfetched completions created is kept as late.
    pub fn free(&self) {
        self.closed.store(true, Ordering::Release);
        for done in self.own().state.free() {
            keep(&self.client, done);
        }
    }

    /// Starts the threads, if that was not done.
    fn start(&self, own: &Arc<Own>) -> Result<(), Error> {
        if own.workers_started.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut threads = own.threads.lock().unwrap_or_else(PoisonError::into_inner);
        match self.start_missing(own, &mut threads) {
            Ok(()) => own.workers_started.store(true, Ordering::Release),
            // The existing ones suffice, and the next call tries again to have more.
            Err(_) if threads.timer && threads.workers > 0 => {}
            Err(error) => {
                return Err(Error::new(
                    Status::Internal,
                    format!("queue: no thread could be started to execute the call: {error}"),
                ));
            }
        }
        Ok(())
    }

    fn start_missing(&self, own: &Arc<Own>, threads: &mut Threads) -> io::Result<()> {
        if !threads.timer {
            let own = own.clone();
            sys::spawn_helper("bw-queue-time", move || own.state.run_timer())?;
            threads.timer = true;
        }
        while threads.workers < self.options.workers {
            // Weak: in a forked child, a worker that does not exist there keeps nothing alive.
            let (own, client) = (own.clone(), Arc::downgrade(&self.client));
            sys::spawn_helper("bw-queue", move || work(&own.state, &client))?;
            threads.workers += 1;
        }
        Ok(())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // The threads hold the state: they must learn that nobody else does.
        self.free();
    }
}

/// How much memory must be left for a call to be accepted, in bytes.
const HEADROOM: usize = 32 * 1024;

/// What a worker does until the queue ends.
fn work(state: &State, client: &Weak<Client>) {
    while let Some(Started { id, handle, job, cancelled }) = state.take() {
        // The queue has it, for as long as it accepts and completes calls.
        let Some(client) = client.upgrade() else { return };
        let Job { call, submitted, deadline } = job;
        let began = Instant::now();
        let result =
            guard::guarded(|| client.perform(&call, submitted, deadline, Some(&cancelled)));
        let time = began.elapsed();
        let has_created = result.is_ok() && handle.operation.retry == RetryClass::Create;
        let request = if has_created { call.body } else { None };
        let (status, document) = completion(handle.operation, result);
        let executed = Executed { status, document, time, request };
        if let Err(executed) = state.finish(id, executed) {
            // The service has what it created all the same.
            let document = Some(&*executed.document).filter(|_| executed.status == Status::Ok);
            let CallHandle { operation, user_data } = handle;
            client.late_response(operation, document, executed.request.as_deref(), user_data);
        }
    }
}

/// Keeps what an unfetched completion created.
fn keep(client: &Client, done: Done<CallHandle, Executed>) {
    if let state::Completion::Executed(Executed { status: Status::Ok, document, request, .. }) =
        done.completion
    {
        let CallHandle { operation, user_data } = done.handle;
        client.keep_created(operation, &document, request.as_deref(), user_data);
    }
}

fn completion(operation: &'static Operation, result: Result<String, Error>) -> (Status, String) {
    match result {
        Ok(document) => (Status::Ok, document),
        Err(error) => {
            let error = error.of(operation.name);
            (error.status, error.document())
        }
    }
}

/// The result of a call; one is made for a call that was not executed to its end.
fn executed(operation: &'static Operation, completion: state::Completion<Executed>) -> Executed {
    match completion {
        state::Completion::Executed(executed) => executed,
        state::Completion::Ended(reason) => {
            let (status, outcome, message) = ended(reason);
            let error = Error { outcome: Some(outcome), ..Error::new(status, message) };
            let (status, document) = self::completion(operation, Err(error));
            Executed { status, document, time: Duration::ZERO, request: None }
        }
    }
}

fn status_of(completion: &state::Completion<Executed>) -> Status {
    match completion {
        state::Completion::Executed(executed) => executed.status,
        state::Completion::Ended(reason) => ended(*reason).0,
    }
}

/// What is reported for a call that was not executed to its end.
fn ended(reason: CompletionReason) -> (Status, Outcome, &'static str) {
    match reason {
        CompletionReason::CancelledWaiting => {
            (Status::Cancelled, Outcome::NotSent, "the call was cancelled before it began")
        }
        CompletionReason::CancelledRunning => {
            (Status::Cancelled, Outcome::Unknown, "the call was cancelled while it was under way")
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
    use super::state::{Completion, Core, Notifier, RecvError, Stage, Wait};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    struct Nobody;

    impl Notifier<(), ()> for Nobody {
        fn notify(&self) {}
        fn clear(&self) {}
        fn close(&self) {}
        fn moved(&self, _: Option<Stage>, _: Option<Stage>) {}
        fn completed(&self, (): &(), _: &Completion<()>) {}
    }

    /// With a cost that grows with the number of waiting calls, this takes minutes.
    #[test]
    fn cost_of_a_call_does_not_depend_on_the_number_of_waiting_calls() {
        const CALLS: u64 = 100_000;
        let began = Instant::now();
        let core: Arc<Core<(), (), (), Nobody>> = Arc::new(Core::new(CALLS as usize, Nobody));
        let timer = {
            let core = core.clone();
            std::thread::spawn(move || core.run_timer())
        };
        let far = began + Duration::from_secs(3600);
        for id in 1..=CALLS {
            // Each is due before the others, so that the timer looks at each.
            core.submit(id, (), (), far - Duration::from_micros(id)).unwrap();
        }
        for id in (2..=CALLS).rev() {
            assert!(core.cancel(id).is_some());
        }
        assert!(core.take().is_some());
        assert!(core.finish(1, ()).is_ok());
        assert_eq!(std::iter::from_fn(|| core.next(Wait::None).ok()).count() as u64, CALLS);
        for id in 1..=CALLS {
            core.submit(id, (), (), began).unwrap();
        }
        // All are due at once.
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
        fn moved(&self, _: Option<Stage>, _: Option<Stage>) {}
        fn completed(&self, (): &(), _: &Completion<()>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Whether another thread gets the lock before all calls are completed. It may be unlucky in
    /// single attempts; if the lock is held until the end, none succeeds.
    fn lock_is_released_by(shut: impl Fn(&Core<(), (), (), Counter>)) -> bool {
        const CALLS: u64 = 20_000;
        let far = Instant::now() + Duration::from_secs(3600);
        (0..50).any(|_| {
            let core = Core::new(CALLS as usize, Counter::default());
            for id in 1..=CALLS {
                core.submit(id, (), (), far).unwrap();
            }
            std::thread::scope(|scope| {
                let fetching = scope.spawn(|| {
                    while core.next(Wait::None) == Err(RecvError::Empty) {}
                    core.with_notifier(|counter, _| counter.0.load(Ordering::SeqCst))
                });
                shut(&core);
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
    fn other_threads_need_not_wait_until_all_calls_are_ended() {
        assert!(lock_is_released_by(Core::close));
        assert!(lock_is_released_by(|core| drop(core.free())));
    }
}
