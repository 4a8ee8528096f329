//! The engines whose connection is idle, each leased to one call at a time.
//!
//! A thread finds the one that it used last, which is still in its core's cache and whose peer waits
//! there; else the one nearest to the front, so that few connections stay warm.

use crate::sys::{AtomicBox, thread_index};

/// Places for idle connections.
pub struct Pool<T>(Box<[AtomicBox<T>]>);

impl<T> Pool<T> {
    /// Room for so many idle connections.
    pub fn new(most: usize) -> Pool<T> {
        Pool((0..most).map(|_| AtomicBox::empty()).collect())
    }

    /// An idle connection, if there is one.
    pub fn take(&self) -> Option<Box<T>> {
        self.places().find_map(AtomicBox::take)
    }

    /// Gives a connection back; it goes if there is no room.
    pub fn put(&self, connection: Box<T>) {
        let mut connection = connection;
        for place in self.places() {
            match place.put(connection) {
                Ok(()) => return,
                Err(back) => connection = back,
            }
        }
    }

    /// Drops those that are not to be kept.
    pub fn sweep(&self, mut keep: impl FnMut(&mut T) -> bool) {
        for place in &self.0 {
            if let Some(one) = place.take().and_then(|mut one| keep(&mut one).then_some(one)) {
                // Another may have come into the place meanwhile.
                let _ = place.put(one).map_err(|one| self.put(one));
            }
        }
    }

    /// The thread's own place, then all from the front.
    fn places(&self) -> impl Iterator<Item = &AtomicBox<T>> {
        let own = self.0.get(thread_index() % self.0.len().max(1));
        own.into_iter().chain(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Barrier};

    #[test]
    fn a_thread_gets_back_what_it_put_and_anybody_what_is_left() {
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
        // Other tests make threads too, so two of these could share a place; never most of them.
        let own = threads.into_iter().map(|thread| thread.join().unwrap());
        assert!(own.filter(|own| *own).count() >= 2);
        let mut left: Vec<i32> = std::iter::from_fn(|| pool.take()).map(|it| *it).collect();
        left.sort_unstable();
        assert_eq!(left, [0, 1, 2, 3]);
    }

    #[test]
    fn a_sweep_leaves_what_is_to_be_kept() {
        let pool = Pool::new(8);
        (1..=6).for_each(|one| pool.put(Box::new(one)));
        pool.sweep(|one| *one % 3 == 0);
        let mut left: Vec<i32> = std::iter::from_fn(|| pool.take()).map(|it| *it).collect();
        left.sort_unstable();
        assert_eq!(left, [3, 6]);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let pool = Pool::new(0);
        pool.put(Box::new(1));
        assert!(pool.take().is_none());
        let pool = Pool::new(1);
        (1..=2).for_each(|one| pool.put(Box::new(one)));
        assert_eq!((pool.take().as_deref(), pool.take()), (Some(&1), None));
    }
}
