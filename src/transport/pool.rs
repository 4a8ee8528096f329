//! The connections that nobody uses, each leased to one call at a time.
//!
//! A thread finds the one that it used last, which is still in its core's cache and whose peer waits
//! there; else the one nearest to the front, so that few connections stay warm.

use super::connection::Connection;
use crate::sys::{AtomicBox, thread_number};

/// Places for idle connections.
pub struct Pool(Box<[AtomicBox<Connection>]>);

impl Pool {
    /// Room for so many idle connections.
    pub fn new(most: usize) -> Pool {
        Pool((0..most).map(|_| AtomicBox::empty()).collect())
    }

    /// An idle connection, if there is one.
    pub fn take(&self) -> Option<Box<Connection>> {
        self.places().find_map(AtomicBox::take)
    }

    /// Gives a connection back; it goes if there is no room.
    pub fn put(&self, connection: Box<Connection>) {
        let mut connection = connection;
        for place in self.places() {
            match place.put(connection) {
                Ok(()) => return,
                Err(back) => connection = back,
            }
        }
    }

    /// The thread's own place, then all from the front.
    fn places(&self) -> impl Iterator<Item = &AtomicBox<Connection>> {
        let own = self.0.get(thread_number() % self.0.len().max(1));
        own.into_iter().chain(&self.0)
    }
}
