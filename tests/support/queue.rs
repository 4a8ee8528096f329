//! Calls of the queue's C ABI.

use std::ffi::{CString, c_void};
use std::ptr;

use bw_webrtc::ffi::*;
use serde_json::Value;

use super::abi::{Client, document};
use super::secrets;

/// A queue that is freed when it is dropped.
pub struct Queue(pub *mut bw_queue);

// SAFETY: a handle is a number that any thread may use, which the tests show.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

/// A fetched completion.
#[derive(Debug)]
pub struct Completion {
    pub id: u64,
    pub user_data: usize,
    pub status: bw_status,
    pub document: Value,
}

impl Queue {
    pub fn new(client: &Client, options: &Value) -> Result<Queue, Value> {
        let options = CString::new(options.to_string()).unwrap();
        let (mut queue, mut error) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: a C string and two valid output parameters.
        let status =
            unsafe { bw_queue_new(client.0, options.as_ptr(), &raw mut queue, &raw mut error) };
        if status == BW_OK { Ok(Queue(queue)) } else { Err(document(status, error)) }
    }

    pub fn submit(&self, call: &Value, user_data: usize) -> Result<u64, Value> {
        let call = CString::new(call.to_string()).unwrap();
        let (mut id, mut error) = (0, ptr::null_mut());
        let data: *mut c_void = ptr::without_provenance_mut(user_data);
        // SAFETY: a C string and two valid output parameters; the data is never dereferenced.
        let status =
            unsafe { bw_queue_submit(self.0, call.as_ptr(), data, &raw mut id, &raw mut error) };
        if status == BW_OK {
            assert!(error.is_null() && id != 0);
            return Ok(id);
        }
        assert_eq!(id, 0);
        Err(document(status, error))
    }

    /// The next completion, or the status if there is none.
    pub fn next(&self, timeout_ms: i32) -> Result<Completion, bw_status> {
        let (mut id, mut data, mut status) = (7, ptr::null_mut(), 7);
        let mut out = ptr::null_mut();
        // SAFETY: four valid output parameters.
        let got = unsafe {
            bw_queue_next(
                self.0,
                timeout_ms,
                &raw mut id,
                &raw mut data,
                &raw mut status,
                &raw mut out,
            )
        };
        if got == BW_OK {
            let document = document(status, out);
            if status == BW_OK {
                secrets::add_token_of(&document);
            }
            return Ok(Completion { id, user_data: data.addr(), status, document });
        }
        assert_eq!((id, data.is_null()), (0, true));
        if got == BW_E_EMPTY || got == BW_E_CLOSED {
            assert!(out.is_null());
        } else {
            document(got, out);
        }
        Err(got)
    }

    /// Waits for completions until there are no more.
    pub fn drain(&self) -> Vec<Completion> {
        std::iter::from_fn(|| self.next(60_000).ok()).collect()
    }

    /// Fetches the available completions, and returns their number.
    pub fn drain_now(&self) -> usize {
        std::iter::from_fn(|| self.next(0).ok()).count()
    }

    pub fn cancel(&self, id: u64) -> bw_status {
        bw_queue_cancel(self.0, id)
    }

    pub fn close(&self) {
        assert_eq!(bw_queue_close(self.0), BW_OK);
    }

    /// Whether the descriptor is readable now.
    pub fn is_readable(&self) -> bool {
        let fd = bw_queue_fd(self.0);
        assert!(fd >= 0);
        let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry.
        let count = unsafe { libc::poll(&raw mut entry, 1, 0) };
        assert_eq!(entry.revents & !libc::POLLIN, 0);
        count == 1
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        bw_queue_free(self.0);
    }
}
