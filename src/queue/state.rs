//! The queue's state machine: every accepted call is waiting, running or done, and is fetched once.
//!
//! It knows neither threads nor descriptors nor what a call is; `model/` includes this file to try
//! it in every interleaving. Not here: carrying calls out (`worker`), waking pollers (`bell`).

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::sync::{Condvar, Mutex, MutexGuard};

/// Is told, under the state's lock, whether completions wait.
pub trait Bell {
    /// Completions wait now.
    fn ring(&self);
    /// None waits any more.
    fn silence(&self);
}

/// Why a call ends without having been carried out to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Cancelled while it waited.
    CancelledWaiting,
    /// Cancelled while it was carried out.
    CancelledRunning,
    /// Its time ran out while it waited.
    Expired,
}

/// Why a call is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many calls are not fetched yet.
    Full,
    /// The queue takes no more.
    Closed,
}

/// Why there is no completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// None now.
    Empty,
    /// None any more.
    Closed,
}

/// How long to wait for a completion.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// Not at all.
    None,
    /// So long.
    For(Duration),
    /// Until there is one.
    Endless,
}

/// A call's end, to be fetched.
#[derive(Debug, PartialEq, Eq)]
pub struct Done<T, C> {
    /// The call's number.
    pub id: u64,
    /// What was submitted with it.
    pub ticket: T,
    /// What came of it.
    pub completion: C,
}

struct Waiting<T, J> {
    id: u64,
    ticket: T,
    job: J,
    deadline: Instant,
}

/// The states of all calls. `T` comes back with the completion `C`, `J` is for whoever carries the
/// call out.
pub struct Core<T, J, C, B> {
    state: Mutex<State<T, J, C>>,
    /// Something waits, or the queue is closed.
    work: Condvar,
    /// Something is done, or the queue is closed.
    done: Condvar,
    /// Something waits whose time may run out, or the queue is closed.
    clock: Condvar,
    bell: B,
    capacity: usize,
    end: fn(&T, End) -> C,
}

struct State<T, J, C> {
    waiting: VecDeque<Waiting<T, J>>,
    running: Vec<(u64, T)>,
    done: VecDeque<Done<T, C>>,
    idle: usize,
    closed: bool,
    /// What is given back now is given back to nobody.
    freed: bool,
}

impl<T: Clone, J, C, B: Bell> Core<T, J, C, B> {
    /// Room for so many calls that are not fetched yet. `end` makes the completion of a call that
    /// is not carried out to its end.
    pub fn new(capacity: usize, bell: B, end: fn(&T, End) -> C) -> Core<T, J, C, B> {
        let state = State {
            waiting: VecDeque::new(),
            running: Vec::new(),
            done: VecDeque::new(),
            idle: 0,
            closed: false,
            freed: false,
        };
        let [work, done, clock] = [Condvar::new(), Condvar::new(), Condvar::new()];
        Core { state: Mutex::new(state), work, done, clock, bell, capacity, end }
    }

    /// The bell; what is done with it is seen by those who hold the lock.
    pub fn with_bell<R>(&self, work: impl FnOnce(&B, bool) -> R) -> R {
        let state = self.lock();
        work(&self.bell, !state.done.is_empty())
    }

    /// Accepts a call.
    ///
    /// # Errors
    /// Why not.
    pub fn submit(&self, id: u64, ticket: T, job: J, deadline: Instant) -> Result<(), Refusal> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refusal::Closed);
        }
        if state.waiting.len() + state.running.len() + state.done.len() >= self.capacity {
            return Err(Refusal::Full);
        }
        state.waiting.push_back(Waiting { id, ticket, job, deadline });
        let must_wait = state.waiting.len() > state.idle;
        drop(state);
        self.work.notify_one();
        if must_wait {
            self.clock.notify_one();
        }
        Ok(())
    }

    /// The next call to carry out, for a worker, which waits for it; none when there will be none.
    pub fn take(&self) -> Option<(u64, T, J)> {
        let mut state = self.lock();
        loop {
            if let Some(Waiting { id, ticket, job, .. }) = state.waiting.pop_front() {
                state.running.push((id, ticket.clone()));
                return Some((id, ticket, job));
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// A call was carried out. Tells whether anybody still waits for it: if not, it was cancelled
    /// meanwhile, and has its completion.
    pub fn finish(&self, id: u64, completion: C) -> bool {
        let mut state = self.lock();
        let Some(at) = state.running.iter().position(|(running, _)| *running == id) else {
            return false;
        };
        let (_, ticket) = state.running.swap_remove(at);
        self.complete(&mut state, Done { id, ticket, completion });
        true
    }

    /// Ends a call that waits or runs, at once; its ticket and how it ended.
    pub fn cancel(&self, id: u64) -> Option<(T, End)> {
        let mut state = self.lock();
        let (ticket, end) =
            if let Some(at) = state.waiting.iter().position(|waiting| waiting.id == id) {
                (state.waiting.remove(at)?.ticket, End::CancelledWaiting)
            } else {
                let at = state.running.iter().position(|(running, _)| *running == id)?;
                (state.running.swap_remove(at).1, End::CancelledRunning)
            };
        let completion = (self.end)(&ticket, end);
        self.complete(&mut state, Done { id, ticket: ticket.clone(), completion });
        Some((ticket, end))
    }

    /// Takes no more, and ends all that wait or run; the tickets of those that ran.
    pub fn close(&self) -> Vec<T> {
        self.shut(false)
    }

    /// Closes, and lets nobody fetch any more.
    pub fn free(&self) -> Vec<T> {
        self.shut(true)
    }

    fn shut(&self, freed: bool) -> Vec<T> {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        let running = std::mem::take(&mut state.running);
        let tickets = running.iter().map(|(_, ticket)| ticket.clone()).collect();
        let ended = waiting
            .into_iter()
            .map(|waiting| (waiting.id, waiting.ticket, End::CancelledWaiting))
            .chain(running.into_iter().map(|(id, ticket)| (id, ticket, End::CancelledRunning)));
        for (id, ticket, end) in ended {
            let completion = (self.end)(&ticket, end);
            self.complete(&mut state, Done { id, ticket, completion });
        }
        if freed {
            // Before anybody who waits can look: nothing may be fetched from here on.
            state.freed = true;
            state.done.clear();
        }
        self.tell_all(state);
        tickets
    }

    /// The next completion.
    ///
    /// # Errors
    /// Why there is none.
    pub fn next(&self, patience: Patience) -> Result<Done<T, C>, Nothing> {
        let until = match patience {
            Patience::For(time) => Instant::now().checked_add(time),
            _ => None,
        };
        let mut state = self.lock();
        loop {
            if let Some(done) = state.done.pop_front() {
                if state.done.is_empty() {
                    self.bell.silence();
                }
                return Ok(done);
            }
            if state.closed {
                return Err(Nothing::Closed);
            }
            if matches!(patience, Patience::None) {
                return Err(Nothing::Empty);
            }
            state = match until {
                None => self.done.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Nothing::Empty);
                    }
                    let woken = self.done.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Puts a completion back that could not be handed over.
    pub fn give_back(&self, done: Done<T, C>) {
        let mut state = self.lock();
        if state.freed {
            return;
        }
        state.done.push_front(done);
        if state.done.len() == 1 {
            self.bell.ring();
        }
        drop(state);
        self.done.notify_one();
    }

    /// Ends calls whose time runs out while they wait, for a thread that does nothing else; returns
    /// when the queue is closed.
    pub fn keep_time(&self) {
        let mut state = self.lock();
        while !state.closed {
            let next = self.expire(&mut state, Instant::now());
            state = match next {
                None => self.clock.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(next) => {
                    let left = next.saturating_duration_since(Instant::now());
                    let woken = self.clock.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Ends the calls that waited too long; when the next one will have.
    fn expire(&self, state: &mut State<T, J, C>, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut at = 0;
        while let Some(waiting) = state.waiting.get(at) {
            if waiting.deadline > now {
                next = Some(next.map_or(waiting.deadline, |next| next.min(waiting.deadline)));
                at += 1;
            } else if let Some(Waiting { id, ticket, .. }) = state.waiting.remove(at) {
                let completion = (self.end)(&ticket, End::Expired);
                self.complete(state, Done { id, ticket, completion });
            }
        }
        next
    }

    fn complete(&self, state: &mut State<T, J, C>, done: Done<T, C>) {
        state.done.push_back(done);
        if state.done.len() == 1 {
            self.bell.ring();
        }
        self.done.notify_one();
    }

    fn tell_all(&self, state: MutexGuard<'_, State<T, J, C>>) {
        drop(state);
        self.work.notify_all();
        self.done.notify_all();
        self.clock.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T, J, C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
