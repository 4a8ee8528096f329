//! Values that each process creates for itself.

use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::generation::generation;
use super::inherited_sockets;

/// A value that each process creates when it first needs it. A value that a child inherited is
/// leaked, not dropped: dropping it could write to a socket that the parent still uses, or wait for
/// a lock whose holder does not exist in the child.
#[derive(Debug)]
pub struct PerProcess<T>(AtomicPtr<Instance<T>>);

#[derive(Debug)]
struct Instance<T> {
    generation: u64,
    value: T,
}

impl<T> PerProcess<T> {
    /// Creates an empty cell.
    pub const fn new() -> PerProcess<T> {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// The value of this process, which `create` creates if necessary. If several threads create it
    /// at the same time, the first one's is used. Does not block.
    pub fn get(&self, create: impl FnOnce() -> T) -> &T {
        let generation = generation();
        let known = self.0.load(Ordering::Acquire);
        // SAFETY: the pointer comes from Box::into_raw, and only `drop` frees it, when no borrow
        // exists. A value that a parent stored is replaced below but never freed.
        if let Some(instance) = unsafe { known.as_ref() } {
            if instance.generation == generation {
                return &instance.value;
            }
        }
        inherited_sockets::close_inherited(generation);
        let new = Box::into_raw(Box::new(Instance { generation, value: create() }));
        match self.0.compare_exchange(known, new, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: as above.
            Ok(_) => unsafe { &(*new).value },
            Err(others) => {
                // SAFETY: the pointer comes from Box::into_raw and was not stored.
                drop(unsafe { Box::from_raw(new) });
                // SAFETY: as above. It is not NULL: only a `get` of this process stores here, and it
                // stores a value of this generation.
                unsafe { &(*others).value }
            }
        }
    }
}

impl<T: Default> Deref for PerProcess<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.get(T::default)
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let known = *self.0.get_mut();
        // SAFETY: `get` stored the pointer, and no borrow exists any more.
        let owns_descriptor =
            unsafe { known.as_ref() }.is_some_and(|it| it.generation == generation());
        if owns_descriptor {
            // SAFETY: the pointer comes from Box::into_raw and is freed once.
            drop(unsafe { Box::from_raw(known) });
        }
    }
}

// SAFETY: any thread may create, share and drop the value.
unsafe impl<T: Send + Sync> Sync for PerProcess<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for PerProcess<T> {}

#[cfg(test)]
mod tests {
    use super::super::generation::run_in_child;
    use super::*;
    use std::sync::Arc;

    #[test]
    fn child_creates_its_own_value_and_does_not_drop_the_inherited_one() {
        struct CheckedDrop(Arc<()>);
        impl Drop for CheckedDrop {
            fn drop(&mut self) {
                assert!(Arc::strong_count(&self.0) > 0);
            }
        }
        let (parents, childs) = (Arc::new(()), Arc::new(()));
        let value: PerProcess<CheckedDrop> = PerProcess::new();
        value.get(|| CheckedDrop(parents.clone()));
        assert_eq!(Arc::strong_count(&parents), 2);
        assert!(run_in_child(|| {
            let is_new = Arc::ptr_eq(&value.get(|| CheckedDrop(childs.clone())).0, &childs);
            drop(value);
            is_new && Arc::strong_count(&parents) == 2 && Arc::strong_count(&childs) == 1
        }));
        drop(parents);
    }

    #[test]
    fn threads_share_one_value() {
        let value: Arc<PerProcess<Arc<()>>> = Arc::new(PerProcess::new());
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let value = value.clone();
                std::thread::spawn(move || Arc::as_ptr(value.get(|| Arc::new(()))) as usize)
            })
            .collect();
        let mut seen: Vec<usize> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        seen.dedup();
        assert_eq!(seen.len(), 1);
    }
}
