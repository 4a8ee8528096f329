//! The pool of idle connections.
//!
//! A thread first takes the connection that it used last, which is still in the cache of its core.
//! Otherwise it takes the first one, so that few connections stay in use.

use crate::sys::{AtomicBox, thread_index};

/// A fixed number of slots for idle connections.
pub struct Pool<T>(Box<[AtomicBox<T>]>);

impl<T> Pool<T> {
    /// Creates a pool with this many slots.
    pub fn new(capacity: usize) -> Pool<T> {
        Pool((0..capacity).map(|_| AtomicBox::empty()).collect())
    }

    /// Removes and returns an idle connection, if there is one.
    pub fn take(&self) -> Option<Box<T>> {
        self.slots().find_map(AtomicBox::take)
    }

    /// Puts a connection into a free slot. If there is none, drops it.
    pub fn put(&self, connection: Box<T>) {
        let mut connection = connection;
        for slot in self.slots() {
            match slot.put(connection) {
                Ok(()) => return,
                Err(back) => connection = back,
            }
        }
    }

    /// Drops the connections for which `keep` returns false.
    pub fn sweep(&self, mut keep: impl FnMut(&mut T) -> bool) {
        for slot in &self.0 {
            if let Some(one) = slot.take().and_then(|mut one| keep(&mut one).then_some(one)) {
                // Another thread may have filled the slot in the meantime.
                let _ = slot.put(one).map_err(|one| self.put(one));
            }
        }
    }

    /// The slot of this thread, then all slots.
    fn slots(&self) -> impl Iterator<Item = &AtomicBox<T>> {
        let own = self.0.get(thread_index() % self.0.len().max(1));
        own.into_iter().chain(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Barrier};

    #[test]
    fn thread_gets_back_its_own_connection() {
        let (pool, all) = (Arc::new(Pool::new(64)), Arc::new(Barrier::new(4)));
        let threads: Vec<_> = (0..4)
            .map(|mine| {
                let (pool, all) = (pool.clone(), all.clone());
                std::thread::spawn(move || {
                    pool.put(Box::new(mine));
                    all.wait();
                    let got = *pool.take().unwrap();
                    all.wait();
                    pool.put(Box::new(got));
                    got == mine
                })
            })
            .collect();
        // Other tests create threads too, so two of these may share a slot, but not all.
        let own = threads.into_iter().map(|thread| thread.join().unwrap());
        assert!(own.filter(|own| *own).count() >= 2);
        let mut left: Vec<i32> = std::iter::from_fn(|| pool.take()).map(|it| *it).collect();
        left.sort_unstable();
        assert_eq!(left, [0, 1, 2, 3]);
    }

    #[test]
    fn sweep_keeps_the_selected_connections() {
        let pool = Pool::new(8);
        (1..=6).for_each(|one| pool.put(Box::new(one)));
        pool.sweep(|one| *one % 3 == 0);
        let mut left: Vec<i32> = std::iter::from_fn(|| pool.take()).map(|it| *it).collect();
        left.sort_unstable();
        assert_eq!(left, [3, 6]);
    }

    #[test]
    fn full_pool_drops_connections() {
        let pool = Pool::new(0);
        pool.put(Box::new(1));
        assert!(pool.take().is_none());
        let pool = Pool::new(1);
        (1..=2).for_each(|one| pool.put(Box::new(one)));
        assert_eq!((pool.take().as_deref(), pool.take()), (Some(&1), None));
    }
}
