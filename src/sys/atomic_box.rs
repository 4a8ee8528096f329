//! A place for one boxed value that threads put in and take out without a lock.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// One value or none.
#[derive(Debug)]
pub struct AtomicBox<T>(AtomicPtr<T>);

impl<T> AtomicBox<T> {
    /// An empty place.
    pub const fn empty() -> AtomicBox<T> {
        AtomicBox(AtomicPtr::new(ptr::null_mut()))
    }

    /// Takes the value out, if there is one.
    pub fn take(&self) -> Option<Box<T>> {
        // Looking first keeps the cache line shared while threads pass empty places by.
        if self.0.load(Ordering::Relaxed).is_null() {
            return None;
        }
        let value = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: only `put` stores a non-null pointer, one of Box::into_raw; the swap made this
        // thread its only owner.
        (!value.is_null()).then(|| unsafe { Box::from_raw(value) })
    }

    /// Puts the value in, or gives it back if the place is taken.
    ///
    /// # Errors
    /// The value.
    pub fn put(&self, value: Box<T>) -> Result<(), Box<T>> {
        let value = Box::into_raw(value);
        self.0
            .compare_exchange(ptr::null_mut(), value, Ordering::AcqRel, Ordering::Relaxed)
            .map(drop)
            // SAFETY: the pointer came from Box::into_raw above and was not stored.
            .map_err(|_| unsafe { Box::from_raw(value) })
    }
}

impl<T> Drop for AtomicBox<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

// SAFETY: the value moves from thread to thread, never shared: what `Send` allows.
unsafe impl<T: Send> Sync for AtomicBox<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for AtomicBox<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn every_value_is_dropped_once_whoever_takes_it() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let places: Arc<[AtomicBox<Counted>; 2]> =
            Arc::new([AtomicBox::empty(), AtomicBox::empty()]);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (places, dropped) = (places.clone(), dropped.clone());
                std::thread::spawn(move || {
                    for at in 0..10_000 {
                        let _ = places[at % 2].put(Box::new(Counted(dropped.clone())));
                        drop(places[(at + 1) % 2].take());
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        drop(places);
        assert_eq!(dropped.load(Ordering::SeqCst), 40_000);
    }
}
