//! The TCP sockets of this process, so that a forked child can close what it inherited of them: as
//! long as a child has them open, the service does not see its parent close them.
//!
//! Not here: sockets that a child shares on purpose. Nothing is shut down, and TLS is not involved.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::generation::{generation, was_forked_outside_calls};
use super::socket::identity_of;

/// How many sockets are registered at most; children do not close the others.
const ENTRIES: usize = 4096;
/// How many entries are tried for a free one.
const TRIES: usize = 64;

/// An entry that nobody uses.
const FREE: u64 = 0;
/// An entry that is being written.
const RESERVED: u64 = 1;
/// What is added to a descriptor, so that it is neither of the above.
const OFFSET: u64 = 2;

struct Slot {
    descriptor: AtomicU64,
    device: AtomicU64,
    inode: AtomicU64,
    generation: AtomicU64,
}

static SLOTS: [Slot; ENTRIES] = [const {
    Slot {
        descriptor: AtomicU64::new(FREE),
        device: AtomicU64::new(0),
        inode: AtomicU64::new(0),
        generation: AtomicU64::new(0),
    }
}; ENTRIES];

/// Where the next socket looks for an entry.
static NEXT: AtomicU64 = AtomicU64::new(0);
/// The generation of the process that has closed what it inherited.
static CLOSED_BY: AtomicU64 = AtomicU64::new(0);

/// A socket's registration, which ends when the value is dropped, after the socket is closed.
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
        let free = (start..start + TRIES).map(|at| at % ENTRIES).find(|at| {
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
        // In a child, another socket may have the entry of an inherited one.
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

/// Closes the sockets that this process inherited, once. Not if a thread may still use one of them:
/// it was in a call when it forked.
pub fn close(generation: u64) {
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
        // Only what is still the very socket: the host may have closed it and opened another file.
        if identity_of(fd).is_ok_and(|found| found == identity) {
            // SAFETY: the descriptor names a socket that the library opened, and no thread of this
            // process uses it.
            unsafe { libc::close(fd) };
        }
        slot.descriptor.store(FREE, Ordering::Release);
    }
}
