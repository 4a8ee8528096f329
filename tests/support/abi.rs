//! Calls of the C ABI. Every text is freed, and every log line and error is checked for secrets.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::Mutex;

use bw_webrtc::ffi::*;
use serde_json::Value;

use super::secrets;

/// A client that is freed when it is dropped.
pub struct Client(pub *mut bw_client);

// SAFETY: a handle is a number that any thread may use, which the tests show.
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
        // SAFETY: a C string and two valid output parameters.
        let status = unsafe { bw_client_new(config.as_ptr(), &raw mut client, &raw mut error) };
        if status == BW_OK {
            assert!(error.is_null() && !client.is_null());
            let client = Client(client);
            client.log(check_line, ptr::null_mut());
            return Ok(client);
        }
        assert!(client.is_null());
        Err(document(status, error))
    }

    /// Creates a participant; returns the response, or the error document.
    pub fn create(&self, request: &str) -> Result<Value, Value> {
        let request = CString::new(request).unwrap();
        let mut out = ptr::null_mut();
        // SAFETY: a C string and a valid output parameter.
        let status = unsafe { bw_create_participant(self.0, request.as_ptr(), &raw mut out) };
        result(status, document(status, out))
    }

    /// Calls the function of an operation with these ids and this document.
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
        // SAFETY: C strings or NULL, and a valid output parameter.
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
        result(status, self::document(status, out))
    }

    /// Calls an operation with `bw_call`.
    pub fn call_document(&self, document: &str) -> Result<Value, Value> {
        let document = CString::new(document).unwrap();
        let mut out = ptr::null_mut();
        // SAFETY: a C string and a valid output parameter.
        let status = unsafe { bw_call(self.0, document.as_ptr(), &raw mut out) };
        result(status, self::document(status, out))
    }

    /// The statistics of the client.
    pub fn stats(&self) -> Value {
        let mut out = ptr::null_mut();
        // SAFETY: a valid output parameter.
        let status = unsafe { bw_client_stats(self.0, &raw mut out) };
        result(status, document(status, out)).unwrap()
    }

    /// The resources that were created and that no caller received.
    pub fn take_late(&self) -> Value {
        let mut out = ptr::null_mut();
        // SAFETY: a valid output parameter.
        let status = unsafe { bw_client_take_late(self.0, &raw mut out) };
        result(status, document(status, out)).unwrap()
    }

    /// Collects every log line in `lines`, with its level.
    pub fn log_to(&self, lines: &'static Mutex<Vec<String>>) {
        self.on_line(move |level, line| lines.lock().unwrap().push(format!("{level} {line}")));
    }

    /// Calls `handler` with every log line, in the thread that logs it.
    pub fn on_line(&self, handler: impl Fn(i32, &str) + Sync + 'static) {
        let handler: LineHandler = Box::new(handler);
        self.log(forward_line, Box::into_raw(Box::new(handler)).cast());
    }

    fn log(&self, callback: Callback, data: *mut c_void) {
        // SAFETY: the callbacks of this file accept the data that is passed with them, which is never freed.
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
        // SAFETY: two C strings and a valid output parameter.
        let status = unsafe {
            bw_client_set_credentials(self.0, username.as_ptr(), password.as_ptr(), &raw mut error)
        };
        if status == BW_OK {
            assert!(error.is_null());
            return Ok(());
        }
        Err(document(status, error))
    }

    /// Reads the settings again.
    pub fn reload(&self) -> Result<Value, Value> {
        let mut out = ptr::null_mut();
        // SAFETY: a valid output parameter.
        let status = unsafe { bw_client_reload(self.0, &raw mut out) };
        let text = document(status, out);
        if status == BW_OK { Ok(text) } else { Err(text) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        bw_client_free(self.0);
    }
}

type Callback = unsafe extern "C" fn(i32, *const c_char, *mut c_void);

/// The callback of every client; a panic in it aborts the test program.
unsafe extern "C" fn check_line(_: i32, line: *const c_char, _: *mut c_void) {
    // SAFETY: a C string for the duration of the call.
    secrets::assert_none_in(unsafe { CStr::from_ptr(line) }.to_str().unwrap());
}

type LineHandler = Box<dyn Fn(i32, &str) + Sync>;

/// The callback of `on_line`.
unsafe extern "C" fn forward_line(level: i32, line: *const c_char, data: *mut c_void) {
    // SAFETY: the line is a C string for the duration of the call, and on_line passed the data.
    let (line, handler) =
        unsafe { (CStr::from_ptr(line), &*data.cast_const().cast::<LineHandler>()) };
    let line = line.to_str().unwrap();
    secrets::assert_none_in(line);
    handler(level, line);
}

fn result(status: bw_status, document: Value) -> Result<Value, Value> {
    if status != BW_OK {
        return Err(document);
    }
    secrets::add_token_of(&document);
    Ok(document)
}

/// Parses and frees a document of the library, which must be JSON and match the status.
pub fn document(status: bw_status, text: *mut c_char) -> Value {
    assert!(!text.is_null(), "status {status} without a document");
    // SAFETY: returned by the library, and freed once.
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
