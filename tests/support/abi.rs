//! The C ABI as a C program calls it, with every text freed.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use bw_webrtc::ffi::*;
use serde_json::Value;

/// A client that is freed when it goes.
pub struct Client(pub *mut bw_client);

// SAFETY: handles are numbers that any thread may use: what the tests are to show.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// A client, or the error document.
    pub fn new(config: &Value) -> Result<Client, Value> {
        let config = CString::new(config.to_string()).unwrap();
        let (mut client, mut error) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: a C string and two writable places.
        let status = unsafe { bw_client_new(config.as_ptr(), &raw mut client, &raw mut error) };
        if status == BW_OK {
            assert!(error.is_null() && !client.is_null());
            return Ok(Client(client));
        }
        assert!(client.is_null());
        Err(document(status, error))
    }

    /// Creates a participant: the answer, or the error document.
    pub fn create(&self, request: &str) -> Result<Value, Value> {
        let request = CString::new(request).unwrap();
        let mut out = ptr::null_mut();
        // SAFETY: a C string and a writable place.
        let status = unsafe { bw_create_participant(self.0, request.as_ptr(), &raw mut out) };
        let document = document(status, out);
        if status == BW_OK { Ok(document) } else { Err(document) }
    }

    /// Changes the credentials.
    pub fn set_credentials(&self, username: &str, password: &str) -> Result<(), Value> {
        let (username, password) =
            (CString::new(username).unwrap(), CString::new(password).unwrap());
        let mut error = ptr::null_mut();
        // SAFETY: two C strings and a writable place.
        let status = unsafe {
            bw_client_set_credentials(self.0, username.as_ptr(), password.as_ptr(), &raw mut error)
        };
        if status == BW_OK {
            assert!(error.is_null());
            return Ok(());
        }
        Err(document(status, error))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        bw_client_free(self.0);
    }
}

/// The document that a function gave, which must be JSON and, on failure, agree with the status.
pub fn document(status: bw_status, text: *mut c_char) -> Value {
    assert!(!text.is_null(), "status {status} without a document");
    // SAFETY: given out by the library, freed once.
    let document: Value = unsafe {
        let copy = CStr::from_ptr(text).to_str().unwrap().to_owned();
        bw_free(text.cast());
        serde_json::from_str(&copy).unwrap()
    };
    if status != BW_OK {
        assert_eq!(document["error"]["status"], status, "{document}");
        // SAFETY: a static string.
        let name = unsafe { CStr::from_ptr(bw_status_name(status)) }.to_str().unwrap();
        assert_eq!(document["error"]["name"], name, "{document}");
    }
    document
}
