//! The calls that are not completed yet, by order of arrival, by id, and by deadline.
//!
//! Every operation takes logarithmic time. Only `push` allocates memory, and it reports a failure.

use std::collections::{HashMap, TryReserveError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The index of no slot.
const NONE: usize = usize::MAX;

/// A call. `T` identifies it to its submitter, `J` is the data that a worker needs.
pub struct Call<T, J> {
    id: u64,
    handle: T,
    progress: Progress<J>,
}

enum Progress<J> {
    /// `heap_index` is its index in the heap of deadlines; `previous` and `next` are the slots of its
    /// neighbors in the order of arrival.
    Waiting { job: J, heap_index: usize, previous: usize, next: usize },
    /// The worker reads the flag.
    Running { cancelled: Arc<AtomicBool> },
}

enum Slot<T, J> {
    Free { next: usize },
    Used(Call<T, J>),
}

/// A call that a worker has started to execute.
pub struct Started<T, J> {
    /// The id of the call.
    pub id: u64,
    /// Identifies the call to its submitter.
    pub handle: T,
    /// The data that the worker needs.
    pub job: J,
    /// Becomes true when the call is cancelled.
    pub cancelled: Arc<AtomicBool>,
}

/// The waiting and the running calls.
pub struct Backlog<T, J> {
    slots: Vec<Slot<T, J>>,
    free: usize,
    by_id: HashMap<u64, usize>,
    /// A binary min-heap of the waiting calls' deadlines, each with its slot.
    deadlines: Vec<(Instant, usize)>,
    first: usize,
    last: usize,
}

impl<T: Clone, J> Backlog<T, J> {
    /// An empty backlog.
    pub fn new() -> Backlog<T, J> {
        Backlog {
            slots: Vec::new(),
            free: NONE,
            by_id: HashMap::new(),
            deadlines: Vec::new(),
            first: NONE,
            last: NONE,
        }
    }

    /// The number of calls.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The number of waiting calls.
    pub fn waiting(&self) -> usize {
        self.deadlines.len()
    }

    /// The earliest deadline of a waiting call.
    pub fn earliest_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Appends a waiting call. `capacity` is the largest number of calls that will ever be in it.
    ///
    /// # Errors
    /// Returns the error of the allocation.
    pub fn push(
        &mut self,
        id: u64,
        handle: T,
        job: J,
        deadline: Instant,
        capacity: usize,
    ) -> Result<(), TryReserveError> {
        if self.by_id.capacity() == 0 {
            // Growing a large map later would make single calls slow.
            self.by_id.try_reserve(capacity)?;
        }
        self.by_id.try_reserve(1)?;
        self.deadlines.try_reserve(1)?;
        if self.free == NONE {
            self.slots.try_reserve(1)?;
            self.slots.push(Slot::Free { next: NONE });
            self.free = self.slots.len() - 1;
        }
        let slot = self.free;
        if let Slot::Free { next } = self.slots[slot] {
            self.free = next;
        }
        let (heap_index, previous) = (self.deadlines.len(), self.last);
        let progress = Progress::Waiting { job, heap_index, previous, next: NONE };
        self.slots[slot] = Slot::Used(Call { id, handle, progress });
        self.link(previous, slot);
        self.last = slot;
        self.by_id.insert(id, slot);
        self.deadlines.push((deadline, slot));
        self.sift_up(heap_index);
        Ok(())
    }

    /// Starts the call that has waited longest.
    pub fn start(&mut self) -> Option<Started<T, J>> {
        let slot = self.first;
        self.unlink_waiting(slot);
        let Some(Slot::Used(call)) = self.slots.get_mut(slot) else { return None };
        let cancelled = Arc::new(AtomicBool::new(false));
        let running = Progress::Running { cancelled: cancelled.clone() };
        match std::mem::replace(&mut call.progress, running) {
            Progress::Waiting { job, .. } => {
                Some(Started { id: call.id, handle: call.handle.clone(), job, cancelled })
            }
            Progress::Running { .. } => None,
        }
    }

    /// Removes a call that a worker has executed. None if it was removed before.
    pub fn finish(&mut self, id: u64) -> Option<T> {
        let slot = *self.by_id.get(&id)?;
        self.remove(slot).map(|call| call.handle)
    }

    /// Removes a call and, if it is running, sets its flag. The result states whether it was running.
    pub fn cancel(&mut self, id: u64) -> Option<(T, bool)> {
        let slot = *self.by_id.get(&id)?;
        let call = self.remove(slot)?;
        match &call.progress {
            Progress::Waiting { .. } => Some((call.handle, false)),
            Progress::Running { cancelled } => {
                cancelled.store(true, Ordering::Release);
                Some((call.handle, true))
            }
        }
    }

    /// Removes one waiting call whose deadline has passed.
    pub fn expire(&mut self, now: Instant) -> Option<(u64, T)> {
        let (_, slot) = *self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
        self.remove(slot).map(|call| (call.id, call.handle))
    }

    /// The id of the call that has waited longest.
    pub fn first(&self) -> Option<u64> {
        match self.slots.get(self.first) {
            Some(Slot::Used(call)) => Some(call.id),
            _ => None,
        }
    }

    /// The ids of the running calls. Empty if a call is waiting.
    pub fn running(&self) -> Vec<u64> {
        if self.waiting() == 0 { self.by_id.keys().copied().collect() } else { Vec::new() }
    }

    fn remove(&mut self, slot: usize) -> Option<Call<T, J>> {
        self.unlink_waiting(slot);
        let free = Slot::Free { next: self.free };
        match std::mem::replace(self.slots.get_mut(slot)?, free) {
            Slot::Used(call) => {
                self.free = slot;
                self.by_id.remove(&call.id);
                Some(call)
            }
            // Unreachable: callers pass used slots.
            free @ Slot::Free { .. } => {
                self.slots[slot] = free;
                None
            }
        }
    }

    /// Removes a waiting call from the list and from the heap.
    fn unlink_waiting(&mut self, slot: usize) {
        let Some(Slot::Used(Call {
            progress: Progress::Waiting { heap_index, previous, next, .. },
            ..
        })) = self.slots.get(slot)
        else {
            return;
        };
        let (heap_index, previous, next) = (*heap_index, *previous, *next);
        self.link(previous, next);
        if next == NONE {
            self.last = previous;
        }
        let end = self.deadlines.len() - 1;
        self.swap_deadlines(heap_index, end);
        self.deadlines.pop();
        if heap_index < end {
            self.sift_down(heap_index);
            self.sift_up(heap_index);
        }
    }

    /// Makes the second slot follow the first one.
    fn link(&mut self, before: usize, after: usize) {
        match self.progress_of(before) {
            Some(Progress::Waiting { next, .. }) => *next = after,
            _ => self.first = after,
        }
        if let Some(Progress::Waiting { previous, .. }) = self.progress_of(after) {
            *previous = before;
        }
    }

    fn progress_of(&mut self, slot: usize) -> Option<&mut Progress<J>> {
        match self.slots.get_mut(slot) {
            Some(Slot::Used(call)) => Some(&mut call.progress),
            _ => None,
        }
    }

    fn sift_up(&mut self, mut heap_index: usize) {
        while heap_index > 0 {
            let parent = (heap_index - 1) / 2;
            if self.deadlines[parent].0 <= self.deadlines[heap_index].0 {
                return;
            }
            self.swap_deadlines(heap_index, parent);
            heap_index = parent;
        }
    }

    fn sift_down(&mut self, mut heap_index: usize) {
        loop {
            let children = 2 * heap_index + 1..(2 * heap_index + 3).min(self.deadlines.len());
            let Some(child) = children.min_by_key(|child| self.deadlines[*child].0) else { return };
            if self.deadlines[heap_index].0 <= self.deadlines[child].0 {
                return;
            }
            self.swap_deadlines(heap_index, child);
            heap_index = child;
        }
    }

    fn swap_deadlines(&mut self, a: usize, b: usize) {
        self.deadlines.swap(a, b);
        for at in [a, b] {
            let (_, slot) = self.deadlines[at];
            if let Some(Progress::Waiting { heap_index, .. }) = self.progress_of(slot) {
                *heap_index = at;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    /// Compares a backlog under random operations with a plain map at every step.
    #[test]
    fn order_ids_and_deadlines_stay_consistent() {
        let start = Instant::now();
        let mut random = 12345_u64;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut backlog: Backlog<u64, u64> = Backlog::new();
        let mut waiting: BTreeMap<u64, Instant> = BTreeMap::new();
        let mut running: Vec<(u64, Arc<AtomicBool>)> = Vec::new();
        for id in 1..20_000_u64 {
            match draw(10) {
                0..=4 => {
                    let deadline = start + Duration::from_millis(draw(1000));
                    backlog.push(id, id, id, deadline, 64).unwrap();
                    waiting.insert(id, deadline);
                }
                5 | 6 => {
                    let started = backlog.start();
                    let expected = waiting.pop_first();
                    assert_eq!(started.as_ref().map(|it| it.id), expected.map(|(id, _)| id));
                    running.extend(started.map(|it| (it.id, it.cancelled)));
                }
                7 => {
                    let id = draw(id) + 1;
                    let waited = waiting.remove(&id).is_some();
                    let at = running.iter().position(|(running, _)| *running == id);
                    let flag = at.map(|at| running.swap_remove(at).1);
                    let expected = waited || flag.is_some();
                    let cancelled = backlog.cancel(id);
                    assert_eq!(cancelled, expected.then_some((id, flag.is_some())));
                    assert!(flag.is_none_or(|flag| flag.load(Ordering::Acquire)));
                }
                8 => {
                    if let Some((id, _)) = running.pop() {
                        assert_eq!(backlog.finish(id), Some(id));
                        assert_eq!(backlog.finish(id), None);
                    }
                }
                _ => {
                    let now = start + Duration::from_millis(draw(300));
                    while let Some((id, _)) = backlog.expire(now) {
                        assert!(waiting.remove(&id).unwrap() <= now);
                    }
                    assert!(waiting.values().all(|deadline| *deadline > now));
                }
            }
            assert_eq!(backlog.earliest_deadline(), waiting.values().min().copied());
            assert_eq!(backlog.waiting(), waiting.len());
            assert_eq!(backlog.len(), waiting.len() + running.len());
            assert_eq!(backlog.first(), waiting.keys().next().copied());
        }
        // Slots are reused.
        assert!(backlog.slots.len() < 10_000);
    }
}
