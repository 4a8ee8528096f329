//! Calls of the C ABI in any order, with any handles, from several threads at once. Nothing crashes, every
//! call returns its document, and every call that a queue accepted completes once.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use bw_webrtc::ffi::*;

use super::abi::{checked_document, take_string};

const THREADS: usize = 3;
const SLOTS: usize = 6;

/// Live and freed handles that all threads use.
#[derive(Default)]
struct Handles {
    slots: [AtomicUsize; SLOTS],
    /// The number of calls that queues accepted.
    accepted: AtomicUsize,
    /// The number of completions that were fetched.
    completed: AtomicUsize,
}

impl Handles {
    fn get(&self, slot: u8) -> usize {
        match slot {
            // Values that are never handles.
            0xff => usize::MAX,
            0xfe => 1,
            0xfd => 0,
            _ => self.slots[usize::from(slot) % SLOTS].load(Ordering::SeqCst),
        }
    }

    fn put(&self, slot: u8, handle: usize) -> usize {
        self.slots[usize::from(slot) % SLOTS].swap(handle, Ordering::SeqCst)
    }
}

/// Each thread executes the steps in its own third of the input. A step has three bytes.
pub fn run(data: &[u8]) {
    let handles = Handles::default();
    let steps: Vec<&[u8]> = data.chunks_exact(3).take(3 * 24).collect();
    std::thread::scope(|scope| {
        for steps in steps.chunks(steps.len().div_ceil(THREADS).max(1)) {
            let handles = &handles;
            scope.spawn(move || steps.iter().for_each(|s| step(handles, s[0], s[1], s[2])));
        }
    });
    for slot in 0..SLOTS {
        drop_handle(&handles, handles.put(slot as u8, 0));
    }
    // A queue that was freed with calls in it discarded their completions. No call completes twice.
    let (accepted, completed) = (handles.accepted.into_inner(), handles.completed.into_inner());
    assert!(completed <= accepted, "{accepted} calls were accepted, {completed} completed");
}

/// Frees a client or a queue. The completions of a queue are fetched first.
fn drop_handle(handles: &Handles, handle: usize) {
    if bw_queue_close(handle as *mut bw_queue) == BW_OK {
        while next_completion(handles, handle, -1) != BW_E_CLOSED {}
        bw_queue_free(handle as *mut bw_queue);
    }
    bw_client_free(handle as *mut bw_client);
}

fn next_completion(handles: &Handles, queue: usize, timeout_ms: i32) -> bw_status {
    let (mut id, mut data, mut status, mut out) = (0, ptr::null_mut(), 0, ptr::null_mut());
    // SAFETY: four valid output parameters.
    let got = unsafe {
        bw_queue_next(
            queue as *mut bw_queue,
            timeout_ms,
            &raw mut id,
            &raw mut data,
            &raw mut status,
            &raw mut out,
        )
    };
    if got == BW_OK {
        handles.completed.fetch_add(1, Ordering::SeqCst);
        assert!(id != 0 && !data.is_null());
        let _ = checked_document(status, out);
    } else {
        take_string(out);
    }
    got
}

unsafe extern "C" fn check_log_line(level: i32, text: *const c_char, _: *mut c_void) {
    assert!((BW_LOG_ERROR..=BW_LOG_DEBUG).contains(&level));
    // SAFETY: a C string that is valid during the call.
    let text = unsafe { CStr::from_ptr(text) };
    assert!(!text.to_str().expect("UTF-8").contains("secret"));
}

fn step(handles: &Handles, action: u8, slot: u8, variant: u8) {
    const CONFIG: &CStr = c"{\"accountId\": \"1\", \"username\": \"u\", \"password\": \"secret\", \
        \"baseUrl\": \"http://127.0.0.1:1/v1\", \"maxRetries\": 1, \"retryBaseMs\": 1, \
        \"timeoutMs\": 2000}";
    let handle = handles.get(slot);
    let (client, queue) = (handle as *mut bw_client, handle as *mut bw_queue);
    let calls = [
        c"{\"operation\": \"createParticipant\"}",
        c"{\"operation\": \"getSession\", \"sessionId\": \"s\"}",
        c"{\"operation\": \"deleteParticipant\", \"participantId\": \"p\", \"timeoutMs\": 1}",
        c"{\"operation\": \"nothing\"}",
    ];
    let call = calls[usize::from(variant) % calls.len()];
    let (mut out, mut id) = (ptr::null_mut(), 0);
    let o = &raw mut out;
    // SAFETY: C strings, or NULL where it is allowed, valid output parameters, and handles, for which the
    // library accepts every number.
    let status = unsafe {
        match action % 17 {
            0 => {
                let mut created = ptr::null_mut();
                let status = bw_client_new(CONFIG.as_ptr(), &raw mut created, o);
                drop_handle(handles, handles.put(slot, created as usize));
                status
            }
            1 => {
                let mut created = ptr::null_mut();
                let options =
                    CString::new(format!("{{\"workers\": {}}}", variant % 3)).expect("no NUL");
                let status = bw_queue_new(client, options.as_ptr(), &raw mut created, o);
                if status == BW_OK {
                    drop_handle(handles, handles.put(variant, created as usize));
                }
                status
            }
            2 => {
                bw_client_free(client);
                return;
            }
            3 => {
                bw_queue_free(queue);
                return;
            }
            4 => bw_call(client, call.as_ptr(), o),
            5 => bw_create_participant(client, ptr::null(), o),
            6 => bw_get_participant(client, call.as_ptr(), o),
            7 if variant % 2 == 0 => {
                let status = bw_client_metrics(client, o);
                let text = take_string(out);
                if status == BW_OK {
                    assert!(text.is_some_and(|text| text.ends_with("# EOF\n")), "no metrics");
                }
                return;
            }
            7 => bw_client_stats(client, o),
            8 => bw_client_set_credentials(client, c"u".as_ptr(), c"secret".as_ptr(), o),
            9 => bw_client_set_log(
                client,
                (variant % 6).into(),
                Some(check_log_line),
                ptr::null_mut(),
                o,
            ),
            10 => {
                let data = ptr::dangling_mut();
                let status = bw_queue_submit(queue, call.as_ptr(), data, &raw mut id, o);
                if status == BW_OK {
                    handles.accepted.fetch_add(1, Ordering::SeqCst);
                    assert_ne!(id, 0);
                }
                status
            }
            11 => {
                next_completion(handles, handle, (variant % 3).into());
                return;
            }
            12 => {
                bw_queue_cancel(queue, u64::from(variant));
                return;
            }
            13 => {
                bw_queue_close(queue);
                return;
            }
            14 => {
                bw_queue_fd(queue);
                return;
            }
            15 => bw_update_participant_subscriptions(
                client,
                c"s".as_ptr(),
                c"p".as_ptr(),
                ptr::null(),
                o,
            ),
            _ => bw_call(client, ptr::null(), o),
        }
    };
    match take_string(out) {
        Some(text) => drop(serde_json::from_str::<serde_json::Value>(&text).expect("JSON")),
        None => assert_eq!(status, BW_OK, "no document"),
    }
}
