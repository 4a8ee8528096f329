//! The C ABI as a C program calls it, with every text freed, and every line and error looked at for
//! secrets.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::Mutex;

use bw_webrtc::ffi::*;
use serde_json::Value;

use super::secrets;

/// A client that is freed when it goes.
pub struct Client(pub *mut bw_client);

// SAFETY: handles are numbers that any thread may use: what the tests are to show.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// A client, or the error document.
    pub fn new(config: &Value) -> Result<Client, Value> {
        secrets::add_credentials(
            config["username"].as_str().unwrap_or_default(),
            config["password"].as_str().unwrap_or_default(),
        );
        secrets::add_credentials(
            config["clientId"].as_str().unwrap_or_default(),
            config["clientSecret"].as_str().unwrap_or_default(),
        );
        let config = CString::new(config.to_string()).unwrap();
        let (mut client, mut error) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: a C string and two writable places.
        let status = unsafe { bw_client_new(config.as_ptr(), &raw mut client, &raw mut error) };
        if status == BW_OK {
            assert!(error.is_null() && !client.is_null());
            let client = Client(client);
            client.log(look, ptr::null_mut());
            return Ok(client);
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
        finish(status, document(status, out))
    }

    /// Any operation by its own function, called with these ids and this document.
    pub fn call(
        &self,
        operation: &str,
        session: &str,
        participant: &str,
        document: Option<&str>,
    ) -> Result<Value, Value> {
        let (session, participant) =
            (CString::new(session).unwrap(), CString::new(participant).unwrap());
        let document = document.map(|document| CString::new(document).unwrap());
        let (s, p) = (session.as_ptr(), participant.as_ptr());
        let d = document.as_ref().map_or(ptr::null(), |document| document.as_ptr());
        let mut out = ptr::null_mut();
        let o = &raw mut out;
        // SAFETY: C strings or NULL, and a writable place.
        let status = unsafe {
            match operation {
                "createParticipant" => bw_create_participant(self.0, d, o),
                "getParticipant" => bw_get_participant(self.0, p, o),
                "deleteParticipant" => bw_delete_participant(self.0, p, o),
                "createSession" => bw_create_session(self.0, d, o),
                "getSession" => bw_get_session(self.0, s, o),
                "deleteSession" => bw_delete_session(self.0, s, o),
                "listSessionParticipants" => bw_list_session_participants(self.0, s, o),
                "addParticipantToSession" => bw_add_participant_to_session(self.0, s, p, d, o),
                "removeParticipantFromSession" => {
                    bw_remove_participant_from_session(self.0, s, p, o)
                }
                "getParticipantSubscriptions" => bw_get_participant_subscriptions(self.0, s, p, o),
                "updateParticipantSubscriptions" => {
                    bw_update_participant_subscriptions(self.0, s, p, d, o)
                }
                other => panic!("no operation {other}"),
            }
        };
        finish(status, self::document(status, out))
    }

    /// Any operation by the generic entry.
    pub fn call_document(&self, document: &str) -> Result<Value, Value> {
        let document = CString::new(document).unwrap();
        let mut out = ptr::null_mut();
        // SAFETY: a C string and a writable place.
        let status = unsafe { bw_call(self.0, document.as_ptr(), &raw mut out) };
        finish(status, self::document(status, out))
    }

    /// What the client has done so far.
    pub fn stats(&self) -> Value {
        let mut out = ptr::null_mut();
        // SAFETY: a writable place.
        let status = unsafe { bw_client_stats(self.0, &raw mut out) };
        finish(status, document(status, out)).unwrap()
    }

    /// What calls created and no caller received.
    pub fn take_late(&self) -> Value {
        let mut out = ptr::null_mut();
        // SAFETY: a writable place.
        let status = unsafe { bw_client_take_late(self.0, &raw mut out) };
        finish(status, document(status, out)).unwrap()
    }

    /// Collects every line in `lines`, with its level.
    pub fn log_to(&self, lines: &'static Mutex<Vec<String>>) {
        self.on_line(move |level, line| lines.lock().unwrap().push(format!("{level} {line}")));
    }

    /// Hands every line to `take`, in the thread that the library logs in.
    pub fn on_line(&self, take: impl Fn(i32, &str) + Sync + 'static) {
        let take: Take = Box::new(take);
        self.log(hand_on, Box::into_raw(Box::new(take)).cast());
    }

    fn log(&self, callback: Callback, data: *mut c_void) {
        // SAFETY: the two callbacks of this file take what is handed to them, which lives for ever.
        let status = unsafe {
            bw_client_set_log(self.0, BW_LOG_DEBUG, Some(callback), data, ptr::null_mut())
        };
        assert_eq!(status, BW_OK);
    }

    /// Changes the credentials.
    pub fn set_credentials(&self, username: &str, password: &str) -> Result<(), Value> {
        secrets::add_credentials(username, password);
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

type Callback = unsafe extern "C" fn(i32, *const c_char, *mut c_void);

/// The callback of every client; a panic in it ends the test program.
unsafe extern "C" fn look(_: i32, line: *const c_char, _: *mut c_void) {
    // SAFETY: a C string for the length of the call.
    secrets::assert_none_in(unsafe { CStr::from_ptr(line) }.to_str().unwrap());
}

type Take = Box<dyn Fn(i32, &str) + Sync>;

/// The callback of `on_line`.
unsafe extern "C" fn hand_on(level: i32, line: *const c_char, data: *mut c_void) {
    // SAFETY: the line is a C string for the length of the call, the data what on_line passed.
    let (line, take) = unsafe { (CStr::from_ptr(line), &*data.cast_const().cast::<Take>()) };
    let line = line.to_str().unwrap();
    secrets::assert_none_in(line);
    take(level, line);
}

fn finish(status: bw_status, document: Value) -> Result<Value, Value> {
    if status != BW_OK {
        return Err(document);
    }
    secrets::add_token_of(&document);
    Ok(document)
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
        secrets::assert_none_in(&document.to_string());
        assert_eq!(document["error"]["status"], status, "{document}");
        // SAFETY: a static string.
        let name = unsafe { CStr::from_ptr(bw_status_name(status)) }.to_str().unwrap();
        assert_eq!(document["error"]["name"], name, "{document}");
    }
    document
}
