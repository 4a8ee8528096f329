//! The table behind checked handles: a lock-free slot map whose keys are never reused.
//!
//! A handle is a number, not an address: `kind | generation | index`. The index selects a slot. The
//! generation counts the values that the slot has held, so a handle of an earlier value does not
//! match.
//!
//! The `state` of a slot is one atomic word: the generation, the process that counts references, an
//! alive bit, and the number of references (the calls that use the value now). `get` adds a
//! reference if the generation matches and the value is alive. `remove` clears the alive bit. The
//! thread that drops the last reference of a value that is not alive drops the value, increments
//! the generation, and puts the slot on the free list. The memory of slots is never freed, so it is
//! always safe to look up an old handle.
//!
//! In a forked child, the references of the parent's other threads do not exist. The first `get` in
//! a child therefore restarts the count at zero.

use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use once_cell::race::OnceBox;

use crate::sys;

/// The lowest bits of a handle: the index of the slot.
const INDEX_BITS: u32 = if usize::BITS == 64 { 20 } else { 16 };
/// The bits above: the generation. The highest bits are the kind.
const GENERATION_BITS: u32 = if usize::BITS == 64 { 36 } else { 14 };
/// The largest number of values that are alive at the same time.
const MAX_SLOTS: u32 = 1 << INDEX_BITS;
/// The number of slots in the first chunk. Each further chunk doubles the total.
const FIRST_CHUNK: u32 = 64;
const CHUNKS: usize = (INDEX_BITS - FIRST_CHUNK.trailing_zeros()) as usize + 1;

/// The state of a slot: `generation << 28 | process << 21 | alive << 20 | references`. No machine
/// has the million threads that would overflow the references. A process has a number from 1 to
/// 127; 0 means that no process has counted yet.
const REFERENCES: u64 = (1 << 20) - 1;
const ALIVE: u64 = 1 << 20;
const PROCESS_SHIFT: u32 = 21;
const PROCESS: u64 = 127 << PROCESS_SHIFT;
const GENERATION_SHIFT: u32 = 28;
const LAST_GENERATION: u64 = (1 << GENERATION_BITS) - 1;

struct Slot<T> {
    state: AtomicU64,
    value: AtomicPtr<T>,
    /// While this slot is free: the index of the next free slot plus one, or 0.
    next: AtomicU32,
}

/// The values of one kind of handle.
pub struct HandleTable<T> {
    kind: u64,
    chunks: [OnceBox<Box<[Slot<T>]>>; CHUNKS],
    /// The number of slots that have ever been used.
    used: AtomicU32,
    /// The head of the free list: `tag << 32 | index + 1`. Each pop changes the tag, so that a
    /// compare-exchange with an old head fails even if the index is the same again (ABA).
    free: AtomicU64,
}

impl<T: Send + Sync> HandleTable<T> {
    /// Creates an empty table. `kind` (1 to 3) differs for each table, so that a handle of another
    /// table does not match.
    pub const fn new(kind: u64) -> HandleTable<T> {
        HandleTable {
            kind,
            chunks: [const { OnceBox::new() }; CHUNKS],
            used: AtomicU32::new(0),
            free: AtomicU64::new(0),
        }
    }

    /// Stores a value and returns its handle.
    ///
    /// # Errors
    /// The value, if the table is full.
    pub fn insert(&self, value: Box<T>) -> Result<usize, Box<T>> {
        let Some(index) = self.pop().or_else(|| self.grow()) else { return Err(value) };
        let Some(slot) = self.slot(index) else { return Err(value) };
        slot.value.store(Box::into_raw(value), Ordering::Relaxed);
        let generation = slot.state.load(Ordering::Relaxed) >> GENERATION_SHIFT;
        // Release: a thread that sees the alive bit also sees the value.
        slot.state.store(generation << GENERATION_SHIFT | ALIVE, Ordering::Release);
        Ok(self.handle(index, generation))
    }

    /// Returns the value of a valid handle. The value is not dropped before the guard is.
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
                state_in_this_process(state) + 1,
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => break,
                Err(now) => state = now,
            }
        }
        Some(Guard { table: self, slot, index })
    }

    /// Invalidates a handle and returns its value, which is dropped after the last guard.
    pub fn remove(&self, handle: usize) -> Option<Guard<'_, T>> {
        let guard = self.get(handle)?;
        // If several threads remove the same handle, one of them clears the bit.
        let before = guard.slot.state.fetch_and(!ALIVE, Ordering::AcqRel);
        (before & ALIVE != 0).then_some(guard)
    }

    /// Removes a reference, and drops the value if it was the last one of a removed value.
    fn release(&self, slot: &Slot<T>, index: u32) {
        // Release and acquire: every use of the value happens before the drop.
        let before = slot.state.fetch_sub(1, Ordering::AcqRel);
        if before & (REFERENCES | ALIVE) != 1 {
            return;
        }
        // Not alive and without references: no thread can reach the slot until `push` below.
        let value = slot.value.swap(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: stored by `insert` from Box::into_raw, and taken once: only one thread removes
        // the last reference, and `get` adds no reference to a slot that is not alive.
        drop(unsafe { Box::from_raw(value) });
        let generation = before >> GENERATION_SHIFT;
        // A slot is not reused after its last generation.
        if generation < LAST_GENERATION {
            slot.state.store((generation + 1) << GENERATION_SHIFT, Ordering::Release);
            self.push(slot, index);
        }
    }

    /// Adds a slot to the free list.
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

    /// Takes a slot from the free list.
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

    /// Reserves a slot that was never used.
    fn grow(&self) -> Option<u32> {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < MAX_SLOTS).then_some(used + 1)
            })
            .ok()
    }

    /// Returns the slot of an index. Its chunk is allocated at the first use.
    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        if index >= self.used.load(Ordering::Relaxed) {
            return None;
        }
        // Chunk 0 has FIRST_CHUNK slots, and chunk k has as many as all chunks before it together.
        let chunk = (index / FIRST_CHUNK).checked_ilog2().map_or(0, |log| log + 1);
        let (start, length) = match chunk {
            0 => (0, FIRST_CHUNK),
            _ => (FIRST_CHUNK << (chunk - 1), FIRST_CHUNK << (chunk - 1)),
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
        Some(((number as u32) & (MAX_SLOTS - 1), number >> INDEX_BITS & LAST_GENERATION))
    }
}

/// Returns the state without the references that a forked child inherited. Exception: if the thread
/// that forked was inside a call, one of them may be its own. Then all of them stay, and the value
/// is never dropped in the child.
fn state_in_this_process(state: u64) -> u64 {
    let process = (sys::generation() % 127 + 1) << PROCESS_SHIFT;
    if state & PROCESS == process || !sys::was_forked_outside_calls() {
        return state;
    }
    state & !(PROCESS | REFERENCES) | process
}

/// A reference to a value: the value is not dropped before the guard is.
pub struct Guard<'a, T: Send + Sync> {
    table: &'a HandleTable<T>,
    slot: &'a Slot<T>,
    index: u32,
}

impl<T: Send + Sync> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard is a reference, so the value that `insert` stored is not dropped before
        // the guard is. No `&mut` to the value exists.
        unsafe { &*self.slot.value.load(Ordering::Relaxed) }
    }
}

impl<T: Send + Sync> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.table.release(self.slot, self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    struct CountsDrops(Arc<AtomicUsize>, usize);
    impl Drop for CountsDrops {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn handle_is_never_reused_and_is_removed_once() {
        let table = HandleTable::new(1);
        let mut seen = HashSet::new();
        for round in 0..10_000 {
            let handle = table.insert(Box::new(round)).unwrap();
            assert!(seen.insert(handle) && handle != 0);
            assert_eq!(*table.get(handle).unwrap(), round);
            assert!(table.remove(handle).is_some());
            assert!(table.get(handle).is_none() && table.remove(handle).is_none());
        }
        assert_eq!(table.used.load(Ordering::Relaxed), 1, "the slot was not reused");
    }

    #[test]
    fn slot_is_not_reused_after_its_last_generation() {
        let table = HandleTable::new(3);
        let first = table.insert(Box::new(1)).unwrap();
        table.remove(first).unwrap();
        let slot = table.slot(0).unwrap();
        slot.state.store(LAST_GENERATION << GENERATION_SHIFT, Ordering::Relaxed);
        let last = table.insert(Box::new(2)).unwrap();
        assert_eq!(table.parse(last), Some((0, LAST_GENERATION)));
        assert_eq!(*table.get(last).unwrap(), 2);
        table.remove(last).unwrap();
        let next = table.insert(Box::new(3)).unwrap();
        assert_eq!(table.parse(next), Some((1, 1)));
        assert!(table.get(first).is_none() && table.get(last).is_none());
        table.remove(next).unwrap();
    }

    #[test]
    fn five_thousand_values_are_found_by_their_handles() {
        let table = HandleTable::new(1);
        let handles: Vec<_> =
            (0..5000).map(|value| table.insert(Box::new(value)).unwrap()).collect();
        for (value, handle) in handles.iter().enumerate() {
            assert_eq!(*table.get(*handle).unwrap(), value);
        }
        for handle in handles {
            table.remove(handle).unwrap();
        }
    }

    #[test]
    fn invalid_handles_are_rejected() {
        let table = HandleTable::new(1);
        let handle = table.insert(Box::new(5)).unwrap();
        let other: HandleTable<i32> = HandleTable::new(2);
        let kind = 1 << (INDEX_BITS + GENERATION_BITS);
        for wrong in [0, 1, usize::MAX, handle + 1, handle ^ kind, handle + (1 << INDEX_BITS)] {
            assert!(table.get(wrong).is_none(), "{wrong:#x}");
        }
        assert!(other.get(handle).is_none());
        table.remove(handle).unwrap();
    }

    #[test]
    fn value_is_dropped_after_its_last_guard() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let table = HandleTable::new(1);
        let handle = table.insert(Box::new(CountsDrops(dropped.clone(), 7))).ok().unwrap();
        let guard = table.get(handle).unwrap();
        drop(table.remove(handle).unwrap());
        assert!(table.get(handle).is_none());
        assert_eq!((guard.1, dropped.load(Ordering::SeqCst)), (7, 0));
        drop(guard);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn concurrent_get_and_remove_drop_each_value_once() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let table: Arc<HandleTable<CountsDrops>> = Arc::new(HandleTable::new(1));
        let shared: Arc<[AtomicUsize; 4]> = Arc::default();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (table, shared, dropped) = (table.clone(), shared.clone(), dropped.clone());
                std::thread::spawn(move || {
                    let (mut made, mut freed) = (0, 0);
                    for round in 0..20_000 {
                        let place = &shared[(round + thread) % 4];
                        let value = Box::new(CountsDrops(dropped.clone(), 42));
                        let handle = table.insert(value).ok().unwrap();
                        made += 1;
                        let old = place.swap(handle, Ordering::SeqCst);
                        if let Some(guard) = table.get(old) {
                            assert_eq!(guard.1, 42);
                            freed += usize::from(table.remove(old).is_some());
                        }
                        let other = shared[round % 4].load(Ordering::SeqCst);
                        freed += usize::from(table.remove(other).is_some());
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
            .filter(|place| table.remove(place.load(Ordering::SeqCst)).is_some())
            .count();
        assert_eq!(dropped.load(Ordering::SeqCst), freed);
        assert_eq!(made, freed);
    }
}
