//! Threads that a host never notices: named, small, and deaf to its signals.

use std::cell::Cell;
use std::ffi::c_void;
use std::io;
use std::mem::MaybeUninit;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::generation::InCall;

/// The calling thread's number, from 0 on in the order in which threads first asked.
pub fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    thread_local! {
        // The number plus one. `Cell<usize>` has no destructor, so a thread that ends runs none.
        static NUMBER: Cell<usize> = const { Cell::new(0) };
    }
    let mut number = NUMBER.get();
    if number == 0 {
        number = NEXT.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(number);
    }
    number - 1
}

/// The stack of a thread of ours, in bytes.
const STACK: usize = 256 * 1024;

/// Starts a detached thread in which all signals are blocked, so that no handler of the host
/// ever runs there.
///
/// # Errors
/// The operating system's, if no thread can be made.
pub fn spawn_helper(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut short_name = [0; LONGEST_NAME + 1];
    let length = name.len().min(LONGEST_NAME);
    short_name[..length].copy_from_slice(&name.as_bytes()[..length]);
    let start = Box::into_raw(Box::new(Start { name: short_name, work: Box::new(work) }));
    let made = masked(|| {
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
        // SAFETY: `attributes` is initialised before its other uses and lives through them;
        // `thread` has room for the number that is written; `run` gets the pointer that it expects,
        // and nobody else uses it once the thread exists.
        unsafe {
            libc::pthread_attr_init(attributes.as_mut_ptr());
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
            let detached = libc::PTHREAD_CREATE_DETACHED;
            libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), detached);
            let made =
                libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), run, start.cast());
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            made
        }
    });
    made.and_then(|made| if made == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(made)) })
        .inspect_err(|_| {
            // SAFETY: from Box::into_raw above, and no thread has it.
            drop(unsafe { Box::from_raw(start) });
        })
}

/// As much of a thread's name as the kernel keeps.
const LONGEST_NAME: usize = 15;

/// What a new thread takes over.
struct Start {
    name: [u8; LONGEST_NAME + 1],
    work: Box<dyn FnOnce() + Send>,
}

extern "C" fn run(start: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn_helper` boxed it, for this thread alone.
    let start = unsafe { Box::from_raw(start.cast::<Start>()) };
    // SAFETY: the calling thread's own number, and a name that ends with NUL.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), start.name.as_ptr().cast()) };
    // Never ends: in a child that this thread forks, it would continue its work.
    std::mem::forget(InCall::enter());
    // As in one of std's threads, a panic ends this thread and no more.
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(start.work)) {
        // Its own destructor might panic, here where nobody can catch it.
        std::mem::forget(payload);
    }
    std::ptr::null_mut()
}

/// Does this with all signals blocked. A new thread inherits the mask, so that no window is left.
fn masked<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises `all`, which pthread_sigmask then reads, writing `old`.
    let masked = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr())
    };
    if masked != 0 {
        return Err(io::Error::from_raw_os_error(masked));
    }
    let result = work();
    // SAFETY: the call above succeeded and so initialised `old`.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), std::ptr::null_mut()) };
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_helper_has_its_name_and_takes_no_signal() {
        let (tell, told) = mpsc::channel();
        spawn_helper("bw-a-name-that-is-long", move || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let field = |key: &str| {
                let line = status.lines().find(|line| line.starts_with(key)).unwrap();
                line.split_whitespace().nth(1).unwrap().to_owned()
            };
            tell.send((field("Name:"), field("SigBlk:"))).unwrap();
        })
        .unwrap();
        let (name, blocked) = told.recv().unwrap();
        assert_eq!(name, "bw-a-name-that-");
        // All but SIGKILL, SIGSTOP, and the two that the C library keeps for itself.
        let open = u64::from_str_radix(&blocked, 16).unwrap().count_zeros();
        assert!(open <= 4, "{blocked}");
    }

    #[test]
    fn a_panic_in_a_helper_ends_it_alone() {
        let (tell, told) = mpsc::channel::<()>();
        spawn_helper("bw-panics", move || {
            let _tell = tell;
            // No message: the hook is the process's.
            panic::resume_unwind(Box::new(()));
        })
        .unwrap();
        assert!(told.recv().is_err());
    }
}
