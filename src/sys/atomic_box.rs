//! A slot for one boxed value, which threads put in and take out without a lock.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A slot that contains one boxed value or none.
#[derive(Debug)]
pub struct AtomicBox<T>(AtomicPtr<T>);

impl<T> AtomicBox<T> {
    /// An empty slot.
    pub const fn empty() -> AtomicBox<T> {
        AtomicBox(AtomicPtr::new(ptr::null_mut()))
    }

    /// Removes and returns the value, if there is one.
    pub fn take(&self) -> Option<Box<T>> {
        // Loading first keeps the cache line shared while threads look at empty slots.
        if self.0.load(Ordering::Relaxed).is_null() {
            return None;
        }
        let value = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: only `put` stores a non-null pointer, which comes from Box::into_raw; the swap made
        // this thread its only owner.
        (!value.is_null()).then(|| unsafe { Box::from_raw(value) })
    }

    /// Stores the value.
    ///
    /// # Errors
    /// Returns the value if the slot is occupied.
    pub fn put(&self, value: Box<T>) -> Result<(), Box<T>> {
        let value = Box::into_raw(value);
        self.0
            .compare_exchange(ptr::null_mut(), value, Ordering::AcqRel, Ordering::Relaxed)
            .map(drop)
            // SAFETY: the pointer comes from Box::into_raw above and was not stored.
            .map_err(|_| unsafe { Box::from_raw(value) })
    }
}

impl<T> Drop for AtomicBox<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

// SAFETY: the value moves between threads and is never shared, which `Send` allows.
unsafe impl<T: Send> Sync for AtomicBox<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for AtomicBox<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    struct CountedDrop(Arc<AtomicUsize>);
    impl Drop for CountedDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn every_value_is_dropped_once() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let slots: Arc<[AtomicBox<CountedDrop>; 2]> =
            Arc::new([AtomicBox::empty(), AtomicBox::empty()]);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (slots, dropped) = (slots.clone(), dropped.clone());
                std::thread::spawn(move || {
                    for at in 0..10_000 {
                        let _ = slots[at % 2].put(Box::new(CountedDrop(dropped.clone())));
                        drop(slots[(at + 1) % 2].take());
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        drop(slots);
        assert_eq!(dropped.load(Ordering::SeqCst), 40_000);
    }
}
