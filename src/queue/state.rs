//! The queue's state machine: every accepted call is waiting, running or done, and is fetched once.
//!
//! It contains no threads, no descriptors and no definition of a call; `model/` includes this file
//! to check every interleaving. Executing calls belongs in `mod`, wake-ups in `notifier`.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::backlog::{Backlog, Started};
use super::sync::{BATCH, Condvar, Mutex, MutexGuard};

/// The stage of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The call waits for a worker.
    Waiting,
    /// A worker executes the call.
    Running,
    /// Its completion can be fetched.
    Done,
}

/// Receives the events of the queue. Its methods are called under the state's lock.
pub trait Notifier<T, C> {
    /// The first completion can be fetched.
    fn notify(&self);
    /// The last completion was fetched.
    fn clear(&self);
    /// The queue was freed: no completion will be fetched.
    fn close(&self);
    /// A call moves from one stage to another. None means outside of the queue.
    fn stage_changed(&self, from: Option<Stage>, to: Option<Stage>);
    /// A call is completed.
    fn completed(&self, handle: &T, completion: &Completion<C>);
}

/// Why a call completes without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionReason {
    /// Cancelled while it waited.
    CancelledWaiting,
    /// Cancelled while it was executed.
    CancelledRunning,
    /// Its deadline passed while it waited.
    Expired,
}

impl CompletionReason {
    /// Whether a worker had begun to execute the call.
    pub fn has_begun(self) -> bool {
        self == CompletionReason::CancelledRunning
    }
}

/// How a call was completed.
#[derive(Debug, PartialEq, Eq)]
pub enum Completion<C> {
    /// A worker executed it.
    Executed(C),
    /// It was cancelled, or it expired.
    NotExecuted(CompletionReason),
}

/// Why a call is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// The queue contains as many calls as it may.
    Full,
    /// The queue accepts no more calls.
    Closed,
    /// There is no memory for the call.
    NoMemory,
}

/// Why there is no completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// No completion is available now.
    Empty,
    /// No further completion will become available.
    Closed,
}

/// How long to wait for a completion.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Return at once.
    None,
    /// Wait this long.
    For(Duration),
    /// Wait until one is available.
    Forever,
}

/// A completed call.
#[derive(Debug, PartialEq, Eq)]
pub struct Done<T, C> {
    /// The id of the call.
    pub id: u64,
    /// Identifies the call to its submitter.
    pub handle: T,
    /// Its result.
    pub completion: Completion<C>,
}

/// The states of all calls. `T` identifies a call to its submitter, `J` is the data that a worker
/// needs, `C` is a worker's result, `N` receives the events.
pub struct StateMachine<T, J, C, N> {
    state: Mutex<State<T, J, C>>,
    /// Notified when a call waits, or the queue is closed.
    work: Condvar,
    /// Notified when a call is done, or the queue is closed.
    done: Condvar,
    /// Notified when the earliest deadline changes, or the queue is closed.
    timer: Condvar,
    notifier: N,
    capacity: usize,
}

struct State<T, J, C> {
    backlog: Backlog<T, J>,
    done: VecDeque<Done<T, C>>,
    idle_workers: usize,
    /// The deadline that the timer waits for.
    timer_deadline: Option<Instant>,
    closed: bool,
    freed: bool,
}

impl<T: Clone, J, C, N: Notifier<T, C>> StateMachine<T, J, C, N> {
    /// Creates a queue for at most `capacity` calls that are not fetched yet.
    pub fn new(capacity: usize, notifier: N) -> StateMachine<T, J, C, N> {
        let state = State {
            backlog: Backlog::new(),
            done: VecDeque::new(),
            idle_workers: 0,
            timer_deadline: None,
            closed: false,
            freed: false,
        };
        let [work, done, timer] = [Condvar::new(), Condvar::new(), Condvar::new()];
        StateMachine { state: Mutex::new(state), work, done, timer, notifier, capacity }
    }

    /// Calls `work` under the lock. The flag states whether there are completions to fetch.
    pub fn with_notifier<R>(&self, work: impl FnOnce(&N, bool) -> R) -> R {
        let state = self.lock();
        work(&self.notifier, !state.done.is_empty())
    }

    /// Accepts a call.
    ///
    /// # Errors
    /// Returns why the call is not accepted.
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
        // Reserved now, so that completing a call never fails.
        state.done.try_reserve(unfinished + 1).map_err(|_| SubmitError::NoMemory)?;
        let pushed = state.backlog.push(id, handle, job, deadline, self.capacity);
        pushed.map_err(|_| SubmitError::NoMemory)?;
        self.notifier.stage_changed(None, Some(Stage::Waiting));
        let must_wait = state.backlog.waiting() > state.idle_workers;
        let is_earliest = state
            .timer_deadline
            .is_none_or(|timer_deadline| state.backlog.earliest_deadline() < Some(timer_deadline));
        drop(guard);
        self.work.notify_one();
        if must_wait && is_earliest {
            self.timer.notify_one();
        }
        Ok(())
    }

    /// Waits for the next call and starts it. None if the queue is closed. Called by workers.
    pub fn start_next(&self) -> Option<Started<T, J>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(started) = state.backlog.start() {
                self.notifier.stage_changed(Some(Stage::Waiting), Some(Stage::Running));
                return Some(started);
            }
            state.idle_workers += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle_workers -= 1;
        }
    }

    /// Completes a call that was executed.
    ///
    /// # Errors
    /// Returns the result if the call was cancelled in the meantime, and was thereby completed.
    pub fn finish(&self, id: u64, result: C) -> Result<(), C> {
        let mut state = self.lock();
        let Some(handle) = state.backlog.finish(id) else { return Err(result) };
        let done = Done { id, handle, completion: Completion::Executed(result) };
        self.complete(&mut state, Stage::Running, done);
        Ok(())
    }

    /// Cancels a waiting or running call. None if there is no such call.
    pub fn cancel(&self, id: u64) -> Option<CompletionReason> {
        self.cancel_locked(&mut self.lock(), id)
    }

    fn cancel_locked(&self, state: &mut State<T, J, C>, id: u64) -> Option<CompletionReason> {
        let (handle, was_running) = state.backlog.cancel(id)?;
        let (from, reason) = if was_running {
            (Stage::Running, CompletionReason::CancelledRunning)
        } else {
            (Stage::Waiting, CompletionReason::CancelledWaiting)
        };
        let done = Done { id, handle, completion: Completion::NotExecuted(reason) };
        self.complete(state, from, done);
        Some(reason)
    }

    /// Rejects further calls, and cancels all that wait or run.
    pub fn close(&self) {
        self.close_and_cancel(false);
    }

    /// Closes the queue and returns the completions that were not fetched. No completion can be
    /// fetched afterwards.
    pub fn free(&self) -> VecDeque<Done<T, C>> {
        self.close_and_cancel(true)
    }

    fn close_and_cancel(&self, freed: bool) -> VecDeque<Done<T, C>> {
        let mut state = self.lock();
        state.closed = true;
        if freed {
            // Set before the lock is released, so that no completion can be fetched in between.
            state.freed = true;
            self.notifier.close();
        }
        loop {
            for _ in 0..BATCH {
                let Some(id) = state.backlog.first() else { break };
                self.cancel_locked(&mut state, id);
            }
            if state.backlog.waiting() == 0 {
                break;
            }
            state = self.release_lock_briefly(state);
        }
        // No batches: there are at most as many running calls as workers, and no more are started.
        for id in state.backlog.running() {
            self.cancel_locked(&mut state, id);
        }
        let unfetched = if freed { std::mem::take(&mut state.done) } else { VecDeque::new() };
        drop(state);
        self.work.notify_all();
        self.done.notify_all();
        self.timer.notify_all();
        for _ in &unfetched {
            self.with_notifier(|notifier, _| notifier.stage_changed(Some(Stage::Done), None));
        }
        unfetched
    }

    /// Waits for the next completion and returns it.
    ///
    /// # Errors
    /// Returns why no completion is available.
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
                self.notifier.stage_changed(Some(Stage::Done), None);
                if state.done.is_empty() {
                    self.notifier.clear();
                }
                return Ok(done);
            }
            // While the queue is being closed, more calls are completed.
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

    /// Puts back a completion that could not be delivered, so that it is fetched again.
    ///
    /// # Errors
    /// Returns the completion if the queue was freed in the meantime, or there is no memory for it.
    pub fn put_back(&self, done: Done<T, C>) -> Result<(), Done<T, C>> {
        let mut state = self.lock();
        if state.freed || state.done.try_reserve(1).is_err() {
            return Err(done);
        }
        state.done.push_front(done);
        self.notifier.stage_changed(None, Some(Stage::Done));
        if state.done.len() == 1 {
            self.notifier.notify();
        }
        drop(state);
        self.done.notify_one();
        Ok(())
    }

    /// Completes the waiting calls whose deadline passes, until the queue is closed. Runs on its own
    /// thread.
    pub fn run_timer(&self) {
        let mut state = self.lock();
        while !state.closed {
            let now = Instant::now();
            for _ in 0..BATCH {
                let Some((id, handle)) = state.backlog.expire(now) else { break };
                let completion = Completion::NotExecuted(CompletionReason::Expired);
                self.complete(&mut state, Stage::Waiting, Done { id, handle, completion });
            }
            if state.backlog.earliest_deadline().is_some_and(|earliest| earliest <= now) {
                state = self.release_lock_briefly(state);
                continue;
            }
            state.timer_deadline = state.backlog.earliest_deadline();
            state = match state.timer_deadline {
                None => self.timer.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(timer_deadline) => {
                    let left = timer_deadline.saturating_duration_since(now);
                    let woken = self.timer.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn complete(&self, state: &mut State<T, J, C>, from: Stage, done: Done<T, C>) {
        self.notifier.stage_changed(Some(from), Some(Stage::Done));
        self.notifier.completed(&done.handle, &done.completion);
        state.done.push_back(done);
        if state.done.len() == 1 && !state.freed {
            self.notifier.notify();
        }
        self.done.notify_one();
    }

    /// Lets threads that submit or fetch run between two batches.
    fn release_lock_briefly<'a>(
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
