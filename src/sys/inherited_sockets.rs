//! A registry of the process's TCP sockets, with which a forked child closes the sockets that it
//! inherited: while a child has a connection open, the service does not see its parent close it.
//!
//! The child only closes descriptors. It shuts nothing down and sends nothing.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::generation::{generation, was_forked_outside_calls};
use super::socket::has_identity;

/// The capacity of the registry. Children do not close further sockets.
const CAPACITY: usize = 4096;
/// How many slots are searched for a free one.
const PROBES: usize = 64;

/// The slot is free.
const FREE: u64 = 0;
/// The slot is being written.
const RESERVED: u64 = 1;
/// Added to a descriptor number, so that it differs from both values above.
const OFFSET: u64 = 2;

struct Slot {
    descriptor: AtomicU64,
    device: AtomicU64,
    inode: AtomicU64,
    generation: AtomicU64,
}

static SLOTS: [Slot; CAPACITY] = [const {
    Slot {
        descriptor: AtomicU64::new(FREE),
        device: AtomicU64::new(0),
        inode: AtomicU64::new(0),
        generation: AtomicU64::new(0),
    }
}; CAPACITY];

/// Where the search for the next slot starts.
static NEXT: AtomicU64 = AtomicU64::new(0);
/// The generation of the process that has closed its inherited sockets.
static CLOSED_BY: AtomicU64 = AtomicU64::new(0);

/// The registration of a socket. It must be dropped after the socket is closed.
#[derive(Debug)]
pub struct Registration {
    slot: Option<usize>,
    descriptor: u64,
    generation: u64,
}

impl Registration {
    /// Registers an open socket.
    pub fn new(fd: RawFd, (device, inode): (u64, u64)) -> Registration {
        let descriptor = u64::try_from(fd).unwrap_or(0) + OFFSET;
        let generation = generation();
        let start = NEXT.fetch_add(1, Ordering::Relaxed) as usize;
        let free = (start..start + PROBES).map(|at| at % CAPACITY).find(|at| {
            let slot = &SLOTS[*at].descriptor;
            slot.load(Ordering::Relaxed) == FREE
                && slot
                    .compare_exchange(FREE, RESERVED, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
        });
        if let Some(at) = free {
            let slot = &SLOTS[at];
            slot.device.store(device, Ordering::Relaxed);
            slot.inode.store(inode, Ordering::Relaxed);
            slot.generation.store(generation, Ordering::Relaxed);
            slot.descriptor.store(descriptor, Ordering::Release);
        }
        Registration { slot: free, descriptor, generation }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Some(slot) = self.slot.map(|at| &SLOTS[at]) else { return };
        // In a child, another socket may have got the slot of an inherited one.
        if slot.generation.load(Ordering::Relaxed) == self.generation {
            let _ = slot.descriptor.compare_exchange(
                self.descriptor,
                FREE,
                Ordering::Release,
                Ordering::Relaxed,
            );
        }
    }
}

/// Closes the sockets that this process inherited, once. Closes none if the process was forked by a
/// thread that was in a call, because that thread may still use one.
pub fn close_inherited(generation: u64) {
    if CLOSED_BY.load(Ordering::Relaxed) == generation
        || CLOSED_BY.swap(generation, Ordering::Relaxed) == generation
        || !was_forked_outside_calls()
    {
        return;
    }
    for slot in &SLOTS {
        let descriptor = slot.descriptor.load(Ordering::Acquire);
        if descriptor < OFFSET || slot.generation.load(Ordering::Relaxed) == generation {
            continue;
        }
        let identity = (slot.device.load(Ordering::Relaxed), slot.inode.load(Ordering::Relaxed));
        let Ok(fd) = RawFd::try_from(descriptor - OFFSET) else { continue };
        // The host may have closed the socket and opened another file with the same number.
        if has_identity(fd, identity) {
            // SAFETY: the descriptor names a socket that the library opened, and no thread of this
            // process uses it.
            unsafe { libc::close(fd) };
        }
        slot.descriptor.store(FREE, Ordering::Release);
    }
}
