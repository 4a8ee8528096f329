//! The kinds of handle that C programs hold.

use super::slots::{Guard, Slots};
use crate::client::Client;
use crate::error::{Error, Status};

/// A client of the service: a checked handle, not an address. Made by `bw_client_new`.
pub struct bw_client {
    _opaque: [u8; 0],
}

static CLIENTS: Slots<Client> = Slots::new(1);

/// Gives a client its handle.
///
/// # Errors
/// `Internal`, with a million clients alive.
pub fn publish(client: Client) -> Result<*mut bw_client, Error> {
    let number = CLIENTS.insert(Box::new(client)).map_err(|_| {
        Error::new(Status::Internal, "too many clients at once: free those no longer needed")
    })?;
    // A number in a pointer's clothes: nobody dereferences it.
    Ok(std::ptr::without_provenance_mut(number))
}

/// The client of a live handle.
///
/// # Errors
/// `InvalidHandle`.
pub fn client(handle: *const bw_client) -> Result<Guard<'static, Client>, Error> {
    CLIENTS.get(handle.addr()).ok_or_else(|| {
        let what = if handle.is_null() { "is NULL" } else { "is not a live client" };
        Error::new(
            Status::InvalidHandle,
            format!("client: {what}; pass what bw_client_new gave and bw_client_free has not had"),
        )
    })
}

/// Ends a handle; the client goes when its last call is done.
pub fn retire(handle: *const bw_client) -> Option<Guard<'static, Client>> {
    CLIENTS.remove(handle.addr())
}
