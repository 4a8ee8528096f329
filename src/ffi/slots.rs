//! Checked handles: numbers that are never given twice, found without a lock and never
//! dereferenced.
//!
//! A handle is `kind | generation | index`. A slot's one word of state says which generation
//! lives in it, which process counts its users, whether it is alive, and how many calls use it now;
//! whoever brings a dead slot to no users drops the value and gives the slot, with the next
//! generation, to the next handle. The memory of slots is never given back, so a stale handle always
//! finds a word to fail against.
//!
//! In a forked child, the users that other threads of the parent were do not exist: the first user
//! there begins to count from zero.

use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use once_cell::race::OnceBox;

use crate::sys;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("handles need 64-bit pointers");

/// The lowest bits of a handle: which slot.
const INDEX_BITS: u32 = 20;
/// Above them: which of the values that lived in the slot.
const GENERATION_BITS: u32 = 36;
/// At most so many values live at once.
const SLOTS: u32 = 1 << INDEX_BITS;
/// The slots of the first chunk; every further chunk doubles the number.
const FIRST: u32 = 64;
const CHUNKS: usize = (INDEX_BITS - FIRST.trailing_zeros()) as usize + 1;

/// A slot's state: `generation << 28 | process << 21 | alive << 20 | users`. Users are threads inside a
/// call, of which no machine has the million that would reach the bit above. A process is known by a
/// number from 1 to 127; 0 is none in particular.
const USERS: u64 = (1 << 20) - 1;
const ALIVE: u64 = 1 << 20;
const PROCESS_SHIFT: u32 = 21;
const PROCESS: u64 = 127 << PROCESS_SHIFT;
const GENERATION_SHIFT: u32 = 28;
const LAST_GENERATION: u64 = (1 << GENERATION_BITS) - 1;

struct Slot<T> {
    state: AtomicU64,
    value: AtomicPtr<T>,
    /// The next free slot's index plus one, while this one is free.
    next: AtomicU32,
}

/// All the values of one kind.
pub struct Slots<T> {
    kind: u64,
    chunks: [OnceBox<Box<[Slot<T>]>>; CHUNKS],
    used: AtomicU32,
    /// The free list's head: `tag << 32 | index + 1`. The tag changes with every pop, so that a
    /// head seen long ago is not taken for the same one.
    free: AtomicU64,
}

impl<T: Send + Sync> Slots<T> {
    /// No values yet. `kind` (1 to 15) tells the handles of different things apart.
    pub const fn new(kind: u64) -> Slots<T> {
        Slots {
            kind,
            chunks: [const { OnceBox::new() }; CHUNKS],
            used: AtomicU32::new(0),
            free: AtomicU64::new(0),
        }
    }

    /// Gives the value a handle; gives it back if there are too many.
    ///
    /// # Errors
    /// The value.
    pub fn insert(&self, value: Box<T>) -> Result<usize, Box<T>> {
        let Some(index) = self.pop().or_else(|| self.grow()) else { return Err(value) };
        let Some(slot) = self.slot(index) else { return Err(value) };
        slot.value.store(Box::into_raw(value), Ordering::Relaxed);
        let generation = slot.state.load(Ordering::Relaxed) >> GENERATION_SHIFT;
        // Release: whoever sees the slot alive sees the value.
        slot.state.store(generation << GENERATION_SHIFT | ALIVE, Ordering::Release);
        Ok(self.handle(index, generation))
    }

    /// The value of a live handle, kept until the guard is dropped.
    pub fn get(&self, handle: usize) -> Option<Guard<'_, T>> {
        let (index, generation) = self.parse(handle)?;
        let slot = self.slot(index)?;
        let mut state = slot.state.load(Ordering::Acquire);
        loop {
            if state >> GENERATION_SHIFT != generation || state & ALIVE == 0 {
                return None;
            }
            match slot.state.compare_exchange_weak(
                state,
                counted_here(state) + 1,
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => break,
                Err(now) => state = now,
            }
        }
        Some(Guard { slots: self, slot, index })
    }

    /// Ends the handle: nobody finds the value any more, and it is dropped when the guard given
    /// here and all others are.
    pub fn remove(&self, handle: usize) -> Option<Guard<'_, T>> {
        let guard = self.get(handle)?;
        // Of several threads that free the same handle, one clears the bit.
        let before = guard.slot.state.fetch_and(!ALIVE, Ordering::AcqRel);
        (before & ALIVE != 0).then_some(guard)
    }

    fn release(&self, slot: &Slot<T>, index: u32) {
        // Release and acquire: what users did with the value happened before it is dropped.
        let before = slot.state.fetch_sub(1, Ordering::AcqRel);
        if before & (USERS | ALIVE) != 1 {
            return;
        }
        // Dead and without users: nobody can reach the slot until it is pushed below.
        let value = slot.value.swap(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: stored by `insert` from Box::into_raw, and taken out once: of the threads that count
        // down, one sees the last user of a dead slot, and no `get` counts up in a dead one.
        drop(unsafe { Box::from_raw(value) });
        let generation = before >> GENERATION_SHIFT;
        // A slot whose generations are used up is not used again.
        if generation < LAST_GENERATION {
            slot.state.store((generation + 1) << GENERATION_SHIFT, Ordering::Release);
            self.push(slot, index);
        }
    }

    fn push(&self, slot: &Slot<T>, index: u32) {
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            slot.next.store(head as u32, Ordering::Relaxed);
            let new = (head >> 32) << 32 | u64::from(index + 1);
            match self.free.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    fn pop(&self) -> Option<u32> {
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let index = (head as u32).checked_sub(1)?;
            let next = self.slot(index)?.next.load(Ordering::Relaxed);
            let new = ((head >> 32) + 1) << 32 | u64::from(next);
            match self.free.compare_exchange_weak(head, new, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Some(index),
                Err(now) => head = now,
            }
        }
    }

    /// A slot that was never used.
    fn grow(&self) -> Option<u32> {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < SLOTS).then_some(used + 1)
            })
            .ok()
    }

    /// The slot of an index, in its chunk, which is made when it is first needed.
    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        if index >= self.used.load(Ordering::Relaxed) {
            return None;
        }
        // Chunk 0 has FIRST slots, chunk k has FIRST << (k - 1), so that each doubles the whole.
        let chunk = (index / FIRST).checked_ilog2().map_or(0, |log| log + 1);
        let (start, length) = match chunk {
            0 => (0, FIRST),
            _ => (FIRST << (chunk - 1), FIRST << (chunk - 1)),
        };
        let slots = self.chunks.get(chunk as usize)?.get_or_init(|| {
            let empty = || Slot {
                state: AtomicU64::new(1 << GENERATION_SHIFT),
                value: AtomicPtr::new(ptr::null_mut()),
                next: AtomicU32::new(0),
            };
            Box::new((0..length).map(|_| empty()).collect())
        });
        slots.get((index - start) as usize)
    }

    fn handle(&self, index: u32, generation: u64) -> usize {
        let number = self.kind << (INDEX_BITS + GENERATION_BITS)
            | generation << INDEX_BITS
            | u64::from(index);
        number as usize
    }

    fn parse(&self, handle: usize) -> Option<(u32, u64)> {
        let number = handle as u64;
        if number >> (INDEX_BITS + GENERATION_BITS) != self.kind {
            return None;
        }
        Some(((number as u32) & (SLOTS - 1), number >> INDEX_BITS & LAST_GENERATION))
    }
}

/// The state without the users that a forked child inherited. Unless one of them may be its own
/// thread, which was in a call when it forked: then all of them stay, and the value is never dropped.
fn counted_here(state: u64) -> u64 {
    let process = (sys::generation() % 127 + 1) << PROCESS_SHIFT;
    if state & PROCESS == process || !sys::was_forked_outside_calls() {
        return state;
    }
    state & !(PROCESS | USERS) | process
}

/// Keeps a value from being dropped while it is used.
pub struct Guard<'a, T: Send + Sync> {
    slots: &'a Slots<T>,
    slot: &'a Slot<T>,
    index: u32,
}

impl<T: Send + Sync> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard is one of the slot's users, so the value stored by `insert` is not
        // dropped before the guard is, and it is only ever shared.
        unsafe { &*self.slot.value.load(Ordering::Relaxed) }
    }
}

impl<T: Send + Sync> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.slots.release(self.slot, self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    struct Counted(Arc<AtomicUsize>, usize);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_handle_is_never_given_twice_and_dies_once() {
        let slots = Slots::new(1);
        let mut seen = HashSet::new();
        for round in 0..10_000 {
            let handle = slots.insert(Box::new(round)).unwrap();
            assert!(seen.insert(handle) && handle != 0);
            assert_eq!(*slots.get(handle).unwrap(), round);
            assert!(slots.remove(handle).is_some());
            assert!(slots.get(handle).is_none() && slots.remove(handle).is_none());
        }
        assert_eq!(slots.used.load(Ordering::Relaxed), 1, "the slot was not used again");
    }

    #[test]
    fn many_live_at_once_and_each_is_found() {
        let slots = Slots::new(1);
        let handles: Vec<_> =
            (0..5000).map(|value| slots.insert(Box::new(value)).unwrap()).collect();
        for (value, handle) in handles.iter().enumerate() {
            assert_eq!(*slots.get(*handle).unwrap(), value);
        }
        for handle in handles {
            slots.remove(handle).unwrap();
        }
    }

    #[test]
    fn invented_handles_find_nothing() {
        let slots = Slots::new(1);
        let handle = slots.insert(Box::new(5)).unwrap();
        let other: Slots<i32> = Slots::new(2);
        for wrong in [0, 1, usize::MAX, handle + 1, handle ^ 1 << 63, handle + (1 << INDEX_BITS)] {
            assert!(slots.get(wrong).is_none(), "{wrong:#x}");
        }
        assert!(other.get(handle).is_none());
        slots.remove(handle).unwrap();
    }

    #[test]
    fn a_value_lives_as_long_as_it_is_used() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let slots = Slots::new(1);
        let handle = slots.insert(Box::new(Counted(dropped.clone(), 7))).ok().unwrap();
        let guard = slots.get(handle).unwrap();
        drop(slots.remove(handle).unwrap());
        assert!(slots.get(handle).is_none());
        assert_eq!((guard.1, dropped.load(Ordering::SeqCst)), (7, 0));
        drop(guard);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn threads_that_use_and_free_the_same_handles_agree() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let slots: Arc<Slots<Counted>> = Arc::new(Slots::new(1));
        let shared: Arc<[AtomicUsize; 4]> = Arc::default();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (slots, shared, dropped) = (slots.clone(), shared.clone(), dropped.clone());
                std::thread::spawn(move || {
                    let (mut made, mut freed) = (0, 0);
                    for round in 0..20_000 {
                        let place = &shared[(round + thread) % 4];
                        let value = Box::new(Counted(dropped.clone(), 42));
                        let handle = slots.insert(value).ok().unwrap();
                        made += 1;
                        let old = place.swap(handle, Ordering::SeqCst);
                        if let Some(guard) = slots.get(old) {
                            assert_eq!(guard.1, 42);
                            freed += usize::from(slots.remove(old).is_some());
                        }
                        let other = shared[round % 4].load(Ordering::SeqCst);
                        freed += usize::from(slots.remove(other).is_some());
                    }
                    (made, freed)
                })
            })
            .collect();
        let (mut made, mut freed) = (0, 0);
        for thread in threads {
            let (m, f) = thread.join().unwrap();
            made += m;
            freed += f;
        }
        freed += shared
            .iter()
            .filter(|place| slots.remove(place.load(Ordering::SeqCst)).is_some())
            .count();
        assert_eq!(dropped.load(Ordering::SeqCst), freed);
        assert_eq!(made, freed);
    }
}
