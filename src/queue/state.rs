//! The queue's state machine: every accepted call is waiting, running or done, and is fetched once.
//!
//! It contains neither threads nor descriptors nor what a call is; `model/` includes this file to
//! check every interleaving. Not here: executing calls (`mod`), waking pollers (`notifier`).

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::backlog::{Backlog, Started};
use super::sync::{BATCH, Condvar, Mutex, MutexGuard};

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits for a worker.
    Waiting,
    /// A worker executes it.
    Running,
    /// Its completion can be fetched.
    Done,
}

/// Is told, under the state's lock, what happens to the calls.
pub trait Notifier<T, C> {
    /// There are completions to fetch now.
    fn notify(&self);
    /// There are none any more.
    fn clear(&self);
    /// The queue was freed: nothing will be fetched.
    fn close(&self);
    /// A call moves from one stage to another; None is outside of the queue.
    fn moved(&self, from: Option<Stage>, to: Option<Stage>);
    /// A call is completed.
    fn completed(&self, handle: &T, completion: &Completion<C>);
}

/// Why a call completes without having been executed to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionReason {
    /// Cancelled while it waited.
    CancelledWaiting,
    /// Cancelled while it was executed.
    CancelledRunning,
    /// Its time ran out while it waited.
    Expired,
}

impl CompletionReason {
    /// Whether a worker had begun to execute the call.
    pub fn has_begun(self) -> bool {
        self == CompletionReason::CancelledRunning
    }
}

/// What a call has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Completion<C> {
    /// A worker executed it.
    Executed(C),
    /// It ended earlier.
    Ended(CompletionReason),
}

/// Why a call is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// Too many calls are not fetched yet.
    Full,
    /// The queue accepts no more calls.
    Closed,
    /// There is no memory for the call.
    NoMemory,
}

/// Why there is no completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// There is none now.
    Empty,
    /// There will be none.
    Closed,
}

/// How long to wait for a completion.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Return at once.
    None,
    /// Wait this long.
    For(Duration),
    /// Wait until there is one.
    Forever,
}

/// A completed call.
#[derive(Debug, PartialEq, Eq)]
pub struct Done<T, C> {
    /// The number of the call.
    pub id: u64,
    /// What was submitted with it.
    pub handle: T,
    /// Its result.
    pub completion: Completion<C>,
}

/// The states of all calls. `T` identifies a call to its submitter, `J` is what a worker needs, `C`
/// is a worker's result.
pub struct Core<T, J, C, N> {
    state: Mutex<State<T, J, C>>,
    /// A call waits, or the queue is closed.
    work: Condvar,
    /// A call is done, or the queue is closed.
    done: Condvar,
    /// The earliest deadline has changed, or the queue is closed.
    timer: Condvar,
    notifier: N,
    capacity: usize,
}

struct State<T, J, C> {
    backlog: Backlog<T, J>,
    done: VecDeque<Done<T, C>>,
    idle: usize,
    /// What the timer waits for.
    alarm: Option<Instant>,
    closed: bool,
    freed: bool,
}

impl<T: Clone, J, C, N: Notifier<T, C>> Core<T, J, C, N> {
    /// A queue for at most `capacity` calls that are not fetched yet.
    pub fn new(capacity: usize, notifier: N) -> Core<T, J, C, N> {
        let state = State {
            backlog: Backlog::new(),
            done: VecDeque::new(),
            idle: 0,
            alarm: None,
            closed: false,
            freed: false,
        };
        let [work, done, timer] = [Condvar::new(), Condvar::new(), Condvar::new()];
        Core { state: Mutex::new(state), work, done, timer, notifier, capacity }
    }

    /// Uses the notifier under the lock; the flag says whether there are completions to fetch.
    pub fn with_notifier<R>(&self, work: impl FnOnce(&N, bool) -> R) -> R {
        let state = self.lock();
        work(&self.notifier, !state.done.is_empty())
    }

    /// Accepts a call.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn submit(&self, id: u64, handle: T, job: J, deadline: Instant) -> Result<(), SubmitError> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.closed {
            return Err(SubmitError::Closed);
        }
        let unfinished = state.backlog.len();
        if unfinished + state.done.len() >= self.capacity {
            return Err(SubmitError::Full);
        }
        // Completing a call needs no memory later.
        state.done.try_reserve(unfinished + 1).map_err(|_| SubmitError::NoMemory)?;
        let pushed = state.backlog.push(id, handle, job, deadline, self.capacity);
        pushed.map_err(|_| SubmitError::NoMemory)?;
        self.notifier.moved(None, Some(Stage::Waiting));
        let must_wait = state.backlog.waiting() > state.idle;
        let is_earlier = state.alarm.is_none_or(|alarm| state.backlog.earliest() < Some(alarm));
        drop(guard);
        self.work.notify_one();
        if must_wait && is_earlier {
            self.timer.notify_one();
        }
        Ok(())
    }

    /// The next call to execute, for a worker, which waits for it; None when there will be none.
    pub fn take(&self) -> Option<Started<T, J>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(started) = state.backlog.start() {
                self.notifier.moved(Some(Stage::Waiting), Some(Stage::Running));
                return Some(started);
            }
            state.idle += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Completes a call that was executed. Gives the result back if the call was cancelled
    /// meanwhile, and so has a completion.
    ///
    /// # Errors
    /// The result.
    pub fn finish(&self, id: u64, result: C) -> Result<(), C> {
        let mut state = self.lock();
        let Some(handle) = state.backlog.finish(id) else { return Err(result) };
        let done = Done { id, handle, completion: Completion::Executed(result) };
        self.complete(&mut state, Stage::Running, done);
        Ok(())
    }

    /// Ends a call that waits or runs, at once. None if there is no such call.
    pub fn cancel(&self, id: u64) -> Option<CompletionReason> {
        self.cancel_in(&mut self.lock(), id)
    }

    fn cancel_in(&self, state: &mut State<T, J, C>, id: u64) -> Option<CompletionReason> {
        let (handle, was_running) = state.backlog.cancel(id)?;
        let (from, reason) = if was_running {
            (Stage::Running, CompletionReason::CancelledRunning)
        } else {
            (Stage::Waiting, CompletionReason::CancelledWaiting)
        };
        let done = Done { id, handle, completion: Completion::Ended(reason) };
        self.complete(state, from, done);
        Some(reason)
    }

    /// Accepts no more calls, and ends all that wait or run.
    pub fn close(&self) {
        self.shut(false);
    }

    /// Closes, and gives what was not fetched: nothing can be fetched from now on.
    pub fn free(&self) -> VecDeque<Done<T, C>> {
        self.shut(true)
    }

    fn shut(&self, freed: bool) -> VecDeque<Done<T, C>> {
        let mut state = self.lock();
        state.closed = true;
        if freed {
            // Before the lock is released: nothing may be fetched from here on.
            state.freed = true;
            self.notifier.close();
        }
        loop {
            for _ in 0..BATCH {
                let Some(id) = state.backlog.first() else { break };
                self.cancel_in(&mut state, id);
            }
            if state.backlog.waiting() == 0 {
                break;
            }
            state = self.release_briefly(state);
        }
        // No worker starts a call of a closed queue, so there are at most as many as workers.
        for id in state.backlog.running() {
            self.cancel_in(&mut state, id);
        }
        let unfetched = if freed { std::mem::take(&mut state.done) } else { VecDeque::new() };
        drop(state);
        self.work.notify_all();
        self.done.notify_all();
        self.timer.notify_all();
        for _ in &unfetched {
            self.with_notifier(|notifier, _| notifier.moved(Some(Stage::Done), None));
        }
        unfetched
    }

    /// The next completion.
    ///
    /// # Errors
    /// Why there is none.
    pub fn next(&self, wait: Wait) -> Result<Done<T, C>, RecvError> {
        let until = match wait {
            Wait::For(time) => Instant::now().checked_add(time),
            _ => None,
        };
        let mut state = self.lock();
        loop {
            if state.freed {
                return Err(RecvError::Closed);
            }
            if let Some(done) = state.done.pop_front() {
                self.notifier.moved(Some(Stage::Done), None);
                if state.done.is_empty() {
                    self.notifier.clear();
                }
                return Ok(done);
            }
            // While the queue is being closed, the remaining calls are still to be completed.
            if state.closed && state.backlog.len() == 0 {
                return Err(RecvError::Closed);
            }
            if matches!(wait, Wait::None) {
                return Err(RecvError::Empty);
            }
            state = match until {
                None => self.done.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(RecvError::Empty);
                    }
                    let woken = self.done.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Returns a completion that could not be handed over, so that it is fetched again.
    ///
    /// # Errors
    /// The completion, if the queue was freed meanwhile, or there is no memory for it.
    pub fn give_back(&self, done: Done<T, C>) -> Result<(), Done<T, C>> {
        let mut state = self.lock();
        if state.freed || state.done.try_reserve(1).is_err() {
            return Err(done);
        }
        state.done.push_front(done);
        self.notifier.moved(None, Some(Stage::Done));
        if state.done.len() == 1 {
            self.notifier.notify();
        }
        drop(state);
        self.done.notify_one();
        Ok(())
    }

    /// Completes the calls whose time runs out while they wait, on a thread of its own; returns
    /// when the queue is closed.
    pub fn run_timer(&self) {
        let mut state = self.lock();
        while !state.closed {
            let now = Instant::now();
            for _ in 0..BATCH {
                let Some((id, handle)) = state.backlog.expire(now) else { break };
                let completion = Completion::Ended(CompletionReason::Expired);
                self.complete(&mut state, Stage::Waiting, Done { id, handle, completion });
            }
            if state.backlog.earliest().is_some_and(|earliest| earliest <= now) {
                state = self.release_briefly(state);
                continue;
            }
            state.alarm = state.backlog.earliest();
            state = match state.alarm {
                None => self.timer.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(alarm) => {
                    let left = alarm.saturating_duration_since(now);
                    let woken = self.timer.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn complete(&self, state: &mut State<T, J, C>, from: Stage, done: Done<T, C>) {
        self.notifier.moved(Some(from), Some(Stage::Done));
        self.notifier.completed(&done.handle, &done.completion);
        state.done.push_back(done);
        if state.done.len() == 1 && !state.freed {
            self.notifier.notify();
        }
        self.done.notify_one();
    }

    /// Between two batches: threads that submit or fetch must not wait for all of them.
    fn release_briefly<'a>(
        &'a self,
        state: MutexGuard<'a, State<T, J, C>>,
    ) -> MutexGuard<'a, State<T, J, C>> {
        drop(state);
        std::thread::yield_now();
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, State<T, J, C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
