//! The C ABI in any order, with any handles, from several threads at once: nothing may crash, no
//! document may be missing, and every call that a queue took must come back once.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use bw_webrtc::ffi::*;

use super::abi::{checked, take};

const THREADS: usize = 3;
const PLACES: usize = 6;

/// Handles that all threads use, live and dead.
#[derive(Default)]
struct Handles {
    places: [AtomicUsize; PLACES],
    /// Calls that queues took, and completions that came.
    taken: AtomicUsize,
    came: AtomicUsize,
}

impl Handles {
    fn get(&self, which: u8) -> usize {
        match which {
            // What nobody ever gave out.
            0xff => usize::MAX,
            0xfe => 1,
            0xfd => 0,
            _ => self.places[usize::from(which) % PLACES].load(Ordering::SeqCst),
        }
    }

    fn put(&self, which: u8, handle: usize) -> usize {
        self.places[usize::from(which) % PLACES].swap(handle, Ordering::SeqCst)
    }
}

/// Each thread takes the steps in its own third of the input: three bytes each.
pub fn run(data: &[u8]) {
    let handles = Handles::default();
    let steps: Vec<&[u8]> = data.chunks_exact(3).take(3 * 24).collect();
    std::thread::scope(|scope| {
        for steps in steps.chunks(steps.len().div_ceil(THREADS).max(1)) {
            let handles = &handles;
            scope.spawn(move || steps.iter().for_each(|s| step(handles, s[0], s[1], s[2])));
        }
    });
    for place in 0..PLACES {
        drop_handle(&handles, handles.put(place as u8, 0));
    }
    // Those of queues that were freed with calls in them are gone; none comes twice.
    let (taken, came) = (handles.taken.into_inner(), handles.came.into_inner());
    assert!(came <= taken, "{taken} calls were taken, {came} came back");
}

/// Frees a client or a queue, whichever it is; of a queue all is fetched first.
fn drop_handle(handles: &Handles, handle: usize) {
    if bw_queue_close(handle as *mut bw_queue) == BW_OK {
        while next(handles, handle, -1) != BW_E_CLOSED {}
        bw_queue_free(handle as *mut bw_queue);
    }
    bw_client_free(handle as *mut bw_client);
}

fn next(handles: &Handles, queue: usize, wait: i32) -> bw_status {
    let (mut id, mut data, mut status, mut out) = (0, ptr::null_mut(), 0, ptr::null_mut());
    // SAFETY: four writable places.
    let got = unsafe {
        bw_queue_next(
            queue as *mut bw_queue,
            wait,
            &raw mut id,
            &raw mut data,
            &raw mut status,
            &raw mut out,
        )
    };
    if got == BW_OK {
        handles.came.fetch_add(1, Ordering::SeqCst);
        assert!(id != 0 && !data.is_null());
        let _ = checked(status, out);
    } else {
        take(out);
    }
    got
}

unsafe extern "C" fn line(level: i32, text: *const c_char, _: *mut c_void) {
    assert!((BW_LOG_ERROR..=BW_LOG_DEBUG).contains(&level));
    // SAFETY: a C string for the length of the call.
    let text = unsafe { CStr::from_ptr(text) };
    assert!(!text.to_str().expect("UTF-8").contains("secret"));
}

fn step(handles: &Handles, what: u8, which: u8, how: u8) {
    const CONFIG: &CStr = c"{\"accountId\": \"1\", \"username\": \"u\", \"password\": \"secret\", \
        \"baseUrl\": \"http://127.0.0.1:1/v1\", \"maxRetries\": 1, \"retryBaseMs\": 1, \
        \"timeoutMs\": 2000}";
    let handle = handles.get(which);
    let (client, queue) = (handle as *mut bw_client, handle as *mut bw_queue);
    let calls = [
        c"{\"operation\": \"createParticipant\"}",
        c"{\"operation\": \"getSession\", \"sessionId\": \"s\"}",
        c"{\"operation\": \"deleteParticipant\", \"participantId\": \"p\", \"timeoutMs\": 1}",
        c"{\"operation\": \"nothing\"}",
    ];
    let call = calls[usize::from(how) % calls.len()];
    let (mut out, mut id) = (ptr::null_mut(), 0);
    let o = &raw mut out;
    // SAFETY: C strings, NULL where it may be, writable places, and handles of all kinds, of which
    // the library promises to take any number.
    let status = unsafe {
        match what % 17 {
            0 => {
                let mut made = ptr::null_mut();
                let status = bw_client_new(CONFIG.as_ptr(), &raw mut made, o);
                drop_handle(handles, handles.put(which, made as usize));
                status
            }
            1 => {
                let mut made = ptr::null_mut();
                let options =
                    CString::new(format!("{{\"workers\": {}}}", how % 3)).expect("no NUL");
                let status = bw_queue_new(client, options.as_ptr(), &raw mut made, o);
                if status == BW_OK {
                    drop_handle(handles, handles.put(how, made as usize));
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
            7 => bw_client_stats(client, o),
            8 => bw_client_set_credentials(client, c"u".as_ptr(), c"secret".as_ptr(), o),
            9 => bw_client_set_log(client, (how % 6).into(), Some(line), ptr::null_mut(), o),
            10 => {
                let data = ptr::dangling_mut();
                let status = bw_queue_submit(queue, call.as_ptr(), data, &raw mut id, o);
                if status == BW_OK {
                    handles.taken.fetch_add(1, Ordering::SeqCst);
                    assert_ne!(id, 0);
                }
                status
            }
            11 => {
                next(handles, handle, (how % 3).into());
                return;
            }
            12 => {
                bw_queue_cancel(queue, u64::from(how));
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
    match take(out) {
        Some(text) => drop(serde_json::from_str::<serde_json::Value>(&text).expect("JSON")),
        None => assert_eq!(status, BW_OK, "no document"),
    }
}
