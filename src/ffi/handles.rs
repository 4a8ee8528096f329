//! The kinds of handle that C programs hold.

use std::sync::Arc;

use super::slots::{Guard, Slots};
use crate::client::Client;
use crate::error::{Error, Status};
use crate::queue::Queue;

/// A client of the service: a checked handle, not an address. Made by `bw_client_new`.
pub struct bw_client {
    _opaque: [u8; 0],
}

/// A queue of calls: a checked handle, not an address. Made by `bw_queue_new`.
pub struct bw_queue {
    _opaque: [u8; 0],
}

static CLIENTS: Slots<Arc<Client>> = Slots::new(1);
static QUEUES: Slots<Queue> = Slots::new(2);

/// Gives a client its handle.
///
/// # Errors
/// `Internal`, with a million clients alive.
pub fn publish(client: Client) -> Result<*mut bw_client, Error> {
    let number = CLIENTS.insert(Box::new(Arc::new(client))).map_err(|_| {
        Error::new(Status::Internal, "too many clients at once: free those no longer needed")
    })?;
    // A number in a pointer's clothes: nobody dereferences it.
    Ok(std::ptr::without_provenance_mut(number))
}

/// The client of a live handle.
///
/// # Errors
/// `InvalidHandle`.
pub fn client(handle: *const bw_client) -> Result<Guard<'static, Arc<Client>>, Error> {
    CLIENTS.get(handle.addr()).ok_or_else(|| {
        let what = if handle.is_null() { "is NULL" } else { "is not a live client" };
        Error::new(
            Status::InvalidHandle,
            format!("client: {what}; pass what bw_client_new gave and bw_client_free has not had"),
        )
    })
}

/// Ends a handle; the client goes when its last call is done.
pub fn retire(handle: *const bw_client) -> Option<Guard<'static, Arc<Client>>> {
    CLIENTS.remove(handle.addr())
}

/// Gives a queue its handle.
///
/// # Errors
/// `Internal`, with a million queues alive.
pub fn publish_queue(queue: Queue) -> Result<*mut bw_queue, Error> {
    let number = QUEUES.insert(Box::new(queue)).map_err(|_| {
        Error::new(Status::Internal, "too many queues at once: free those no longer needed")
    })?;
    Ok(std::ptr::without_provenance_mut(number))
}

/// The queue of a live handle.
///
/// # Errors
/// `InvalidHandle`.
pub fn queue(handle: *const bw_queue) -> Result<Guard<'static, Queue>, Error> {
    QUEUES.get(handle.addr()).ok_or_else(|| {
        let what = if handle.is_null() { "is NULL" } else { "is not a live queue" };
        Error::new(
            Status::InvalidHandle,
            format!("queue: {what}; pass what bw_queue_new gave and bw_queue_free has not had"),
        )
    })
}

/// Ends a handle; the queue goes when its last user is done.
pub fn retire_queue(handle: *const bw_queue) -> Option<Guard<'static, Queue>> {
    QUEUES.remove(handle.addr())
}
