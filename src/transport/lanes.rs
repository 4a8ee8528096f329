//! The lanes: each an agent with at most one connection, leased to one call at a time.
//!
//! One agent for all would make threads wait for each other, since ureq probes connections under
//! its pool's lock. The lane given back last is near the front, so that few connections stay warm.

use std::sync::Arc;

use super::wire::Wire;
use crate::sys::AtomicBox;

/// An agent and the state that its connector and connections share with the caller.
pub struct Lane {
    /// ureq, with our transport under it.
    pub agent: ureq::Agent,
    /// The state of the exchange under way.
    pub wire: Arc<Wire>,
}

/// The lanes that nobody uses.
pub struct Lanes(Box<[AtomicBox<Lane>]>);

impl Lanes {
    /// Room for so many idle lanes.
    pub fn new(most: usize) -> Lanes {
        Lanes((0..most).map(|_| AtomicBox::empty()).collect())
    }

    /// An idle lane, if there is one.
    pub fn take(&self) -> Option<Box<Lane>> {
        self.0.iter().find_map(AtomicBox::take)
    }

    /// Gives a lane back; it goes if there is no room.
    pub fn put(&self, lane: Box<Lane>) {
        let mut lane = lane;
        for place in &self.0 {
            match place.put(lane) {
                Ok(()) => return,
                Err(back) => lane = back,
            }
        }
    }
}
