//! A shared value that threads read and replace, and that a forked child inherits.
//!
//! For values that a child must create for itself, see `PerProcess`.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::per_process::PerProcess;

/// Holds an `Arc` that can be replaced while other threads read it.
///
/// The lock protects only the moment between reading the pointer and incrementing the reference
/// count. Each process has its own lock, so a child never waits for a thread of its parent. The
/// pointer is always valid, so a child can use the inherited value, whatever the parent's threads
/// did at the fork.
#[derive(Debug)]
pub struct ArcCell<T> {
    value: AtomicPtr<T>,
    lock: PerProcess<Mutex<()>>,
}

impl<T> ArcCell<T> {
    /// Creates a cell with this value.
    pub fn new(value: Arc<T>) -> ArcCell<T> {
        let value = AtomicPtr::new(Arc::into_raw(value).cast_mut());
        ArcCell { value, lock: PerProcess::new() }
    }

    /// The current value. Blocks only while another thread loads or stores.
    pub fn load(&self) -> Arc<T> {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let value = self.value.load(Ordering::Acquire);
        // SAFETY: the cell owns one reference to the value, and `store` cannot release it while the
        // lock is held.
        unsafe {
            Arc::increment_strong_count(value);
            Arc::from_raw(value)
        }
    }

    /// Replaces the value and returns the previous one.
    pub fn store(&self, value: Arc<T>) -> Arc<T> {
        let value = Arc::into_raw(value).cast_mut();
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = self.value.swap(value, Ordering::AcqRel);
        // SAFETY: this is the cell's own reference, and only this call can release it after the swap.
        // Other threads increment the count before they release the lock.
        unsafe { Arc::from_raw(previous) }
    }

    /// Replaces the value if it is still this one. Returns whether it was.
    pub fn replace_if(&self, current: &Arc<T>, value: Arc<T>) -> bool {
        let expected = Arc::as_ptr(current).cast_mut();
        let value = Arc::into_raw(value).cast_mut();
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let swapped =
            self.value.compare_exchange(expected, value, Ordering::AcqRel, Ordering::Acquire);
        drop(guard);
        // SAFETY: after a successful exchange, `expected` was the cell's reference; otherwise `value`
        // is the reference from above that was not stored. Each is released once.
        drop(unsafe { Arc::from_raw(if swapped.is_ok() { expected } else { value }) });
        swapped.is_ok()
    }
}

impl<T> Drop for ArcCell<T> {
    fn drop(&mut self) {
        let value = std::mem::replace(self.value.get_mut(), ptr::null_mut());
        // SAFETY: this is the cell's own reference, and it is released once.
        drop(unsafe { Arc::from_raw(value) });
    }
}

// SAFETY: threads get `Arc`s of the value, which any thread may share and drop.
unsafe impl<T: Send + Sync> Sync for ArcCell<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for ArcCell<T> {}

#[cfg(test)]
mod tests {
    use super::super::generation::run_in_child;
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn readers_and_writers_release_every_value_once() {
        let first = Arc::new(0_u64);
        let cell = Arc::new(ArcCell::new(first.clone()));
        let threads: Vec<_> = (0..4_u64)
            .map(|writer| {
                let cell = cell.clone();
                std::thread::spawn(move || {
                    for round in 0..5_000 {
                        drop(cell.store(Arc::new(writer * 10_000 + round)));
                        assert!(*cell.load() < 50_000);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(Arc::strong_count(&first), 1);
        let last = cell.load();
        drop(cell);
        assert_eq!(Arc::strong_count(&last), 1);
    }

    #[test]
    fn replace_if_replaces_only_the_expected_value() {
        let (first, second) = (Arc::new(1), Arc::new(2));
        let cell = ArcCell::new(first.clone());
        assert!(cell.replace_if(&first, second.clone()));
        assert!(!cell.replace_if(&first, Arc::new(3)));
        assert_eq!(*cell.load(), 2);
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 2));
    }

    #[test]
    fn child_can_load_and_store_if_the_lock_was_held_at_the_fork() {
        let cell = Arc::new(ArcCell::new(Arc::new(1)));
        let stop = Arc::new(AtomicBool::new(false));
        let (busy, stopped) = (cell.clone(), stop.clone());
        // Holds the lock most of the time.
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let guard = busy.lock.lock().unwrap();
                std::thread::sleep(std::time::Duration::from_micros(200));
                drop(guard);
            }
        });
        for _ in 0..50 {
            assert!(run_in_child(|| {
                // SAFETY: takes no pointer. Without the fix the child would wait forever.
                unsafe { libc::alarm(10) };
                *cell.load() == 1 && *cell.store(Arc::new(2)) == 1 && *cell.load() == 2
            }));
        }
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }
}
