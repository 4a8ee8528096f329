//! Calls that never block: submitted, carried out by a fixed number of workers, and fetched when
//! they are done.
//!
//! Not here: what a call is and how it is carried out (`client`).

mod bell;
mod options;
mod state;
mod sync;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::api::Operation;
use crate::client::{Client, Prepared};
use crate::error::{Error, Outcome, Status};
use crate::guard;
use crate::sys::{self, PerProcess};

use bell::SocketBell;
pub use options::Options;
use state::{Core, Done, End, Refusal};
pub use state::{Nothing, Patience};

/// What comes back with a completion, and tells a cancelled call so.
#[derive(Clone)]
struct Ticket {
    user_data: usize,
    operation: &'static Operation,
    abandoned: Arc<AtomicBool>,
}

/// A call to be carried out.
struct Job {
    call: Prepared,
    deadline: Instant,
    submitted: Instant,
}

/// A call that has ended.
pub struct Completion {
    /// The number that `submit` gave.
    pub id: u64,
    /// What was submitted with the call.
    pub user_data: usize,
    /// How it ended.
    pub status: Status,
    /// The service's answer, or the error document.
    pub document: String,
    done: Ticket,
}

type State = Core<Ticket, Job, (Status, String), SocketBell>;

/// A queue of calls of one client. Used by any number of threads at once.
pub struct Queue {
    client: Arc<Client>,
    options: Options,
    /// Goes on in a forked child, where the parent's numbers must not mean other calls.
    last_id: AtomicU64,
    closed: AtomicBool,
    own: PerProcess<Arc<Own>>,
}

/// What a process does not share with its children.
struct Own {
    state: State,
    threads: Mutex<Threads>,
    /// Whether all are started.
    manned: AtomicBool,
}

/// The threads that were started.
#[derive(Default)]
struct Threads {
    time_keeper: bool,
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
            let state = Core::new(self.options.backlog, SocketBell::default(), ended);
            if self.closed.load(Ordering::Acquire) {
                state.close();
            }
            Arc::new(Own { state, threads: Mutex::default(), manned: AtomicBool::new(false) })
        })
    }

    /// Accepts a call, which is a document as for [`Client::call_document`]; its number. Its time
    /// runs from now.
    ///
    /// # Errors
    /// `QueueFull`, `Closed`, and what is wrong with the document: nothing was accepted.
    pub fn submit(&self, call: &str, user_data: usize) -> Result<u64, Error> {
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
        let ticket = Ticket { user_data, operation, abandoned: Arc::default() };
        match own.state.submit(id, ticket, Job { call, deadline, submitted }, deadline) {
            Ok(()) => Ok(id),
            Err(Refusal::Closed) => refuse(Status::Closed, "queue: is closed"),
            Err(Refusal::Full) => refuse(
                Status::QueueFull,
                "queue: too many calls wait or are not fetched; fetch, or try later (see backlog)",
            ),
        }
    }

    /// The descriptor to watch: readable while completions wait. None if there is none to be had.
    pub fn descriptor(&self) -> Option<i32> {
        self.own().state.with_bell(SocketBell::descriptor)
    }

    /// The next completion.
    ///
    /// # Errors
    /// Why there is none.
    pub fn next(&self, patience: Patience) -> Result<Completion, Nothing> {
        self.own().state.next(patience).map(
            |Done { id, ticket, completion: (status, document) }| Completion {
                id,
                user_data: ticket.user_data,
                status,
                document,
                done: ticket,
            },
        )
    }

    /// Takes a completion back that could not be handed to the host.
    pub fn give_back(&self, completion: Completion) {
        let Completion { id, status, document, done, .. } = completion;
        self.own().state.give_back(Done { id, ticket: done, completion: (status, document) });
    }

    /// Ends a call at once. False if it has ended, or there never was such a call.
    pub fn cancel(&self, id: u64) -> bool {
        let ended = self.own().state.cancel(id);
        ended.inspect(|(ticket, _)| ticket.abandoned.store(true, Ordering::Release)).is_some()
    }

    /// Takes no more calls and ends all; their completions stay to be fetched.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        abandon(self.own().state.close());
    }

    /// Closes, and lets nobody fetch any more.
    pub fn free(&self) {
        self.closed.store(true, Ordering::Release);
        abandon(self.own().state.free());
    }

    /// Starts the threads, if that was not done.
    fn start(&self, own: &Arc<Own>) -> Result<(), Error> {
        if own.manned.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut threads = own.threads.lock().unwrap_or_else(PoisonError::into_inner);
        match self.start_missing(own, &mut threads) {
            Ok(()) => own.manned.store(true, Ordering::Release),
            // Those that are there go on, and the next call tries again to have more.
            Err(_) if threads.time_keeper && threads.workers > 0 => {}
            Err(error) => {
                return Err(Error::new(
                    Status::Internal,
                    format!("queue: no thread could be made to carry the call out: {error}"),
                ));
            }
        }
        Ok(())
    }

    fn start_missing(&self, own: &Arc<Own>, threads: &mut Threads) -> io::Result<()> {
        if !threads.time_keeper {
            let own = own.clone();
            sys::spawn_helper("bw-queue-time", move || own.state.keep_time())?;
            threads.time_keeper = true;
        }
        while threads.workers < self.options.workers {
            let (own, client) = (own.clone(), self.client.clone());
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

fn abandon(tickets: Vec<Ticket>) {
    for ticket in tickets {
        ticket.abandoned.store(true, Ordering::Release);
    }
}

/// What a worker does until the queue ends.
fn work(state: &State, client: &Client) {
    while let Some((id, ticket, job)) = state.take() {
        let operation = ticket.operation;
        let result = guard::guarded(|| {
            client.perform(&job.call, job.submitted, job.deadline, Some(&ticket.abandoned))
        });
        // Kept for the case that nobody waits any more: what the service made exists all the same.
        let made = result.as_deref().ok().and_then(|answer| operation.answer.id_of(answer));
        if !state.finish(id, completion(operation, result)) {
            client.late_answer(operation, made);
        }
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

/// The completion of a call that was not carried out to its end.
fn ended(ticket: &Ticket, end: End) -> (Status, String) {
    let (status, outcome, message) = match end {
        End::CancelledWaiting => {
            (Status::Cancelled, Outcome::NotSent, "the call was cancelled before it began")
        }
        End::CancelledRunning => {
            (Status::Cancelled, Outcome::Unknown, "the call was cancelled while it was under way")
        }
        End::Expired => (
            Status::Timeout,
            Outcome::NotSent,
            "the time ran out while the call waited for a worker; see workers and timeoutMs",
        ),
    };
    let error = Error { outcome: Some(outcome), ..Error::new(status, message) };
    completion(ticket.operation, Err(error))
}
