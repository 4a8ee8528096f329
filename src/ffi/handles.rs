//! The kinds of handle that C programs hold: clients and queues.

use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use super::handle_table::{Guard, HandleTable};
use crate::client::Client;
use crate::error::{Error, Status};
use crate::queue::Queue;

/// A client of the service. `bw_client_new` creates it. It is a checked handle, not an address.
pub struct bw_client {
    _opaque: [u8; 0],
}

/// A queue of calls. `bw_queue_new` creates it. It is a checked handle, not an address.
pub struct bw_queue {
    _opaque: [u8; 0],
}

/// The clients of this process.
pub(super) static CLIENTS: Handles<bw_client, Arc<Client>> = Handles::new("client", 1);
/// The queues of this process.
pub(super) static QUEUES: Handles<bw_queue, Queue> = Handles::new("queue", 2);

/// The values of type `T` for which C programs have handles of type `*mut H`.
pub struct Handles<H, T: 'static> {
    /// The name in messages and in the functions `bw_<name>_new` and `bw_<name>_free`.
    name: &'static str,
    table: HandleTable<T>,
    handle: PhantomData<fn(*mut H)>,
}

impl<H, T: Send + Sync> Handles<H, T> {
    const fn new(name: &'static str, kind: u64) -> Handles<H, T> {
        Handles { name, table: HandleTable::new(kind), handle: PhantomData }
    }

    /// Stores a value and returns its handle.
    ///
    /// # Errors
    /// `Internal` if a million values exist (65,536 on 32-bit systems).
    pub fn insert(&self, value: T) -> Result<*mut H, Error> {
        // The pointer carries a number and is never dereferenced.
        self.table.insert(Box::new(value)).map(ptr::without_provenance_mut).map_err(|_| {
            let name = self.name;
            let message = format!("too many {name} handles exist; free those that are not in use");
            Error::new(Status::Internal, message)
        })
    }

    /// Returns the value of a handle. It is not dropped before the guard is.
    ///
    /// # Errors
    /// `InvalidHandle`.
    pub fn get(&'static self, handle: *const H) -> Result<Guard<'static, T>, Error> {
        self.table.get(handle.addr()).ok_or_else(|| {
            let name = self.name;
            let problem = match handle.is_null() {
                true => "is NULL".to_owned(),
                false => format!("is not a live {name}"),
            };
            let remedy =
                format!("pass a handle that bw_{name}_new returned and that was not freed");
            Error::new(Status::InvalidHandle, format!("{name}: {problem}; {remedy}"))
        })
    }

    /// Invalidates a handle and returns its value, or `None` if the handle is not valid. The value
    /// is dropped after its last guard.
    pub fn remove(&'static self, handle: *const H) -> Option<Guard<'static, T>> {
        self.table.remove(handle.addr())
    }
}
