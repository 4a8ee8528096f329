//! Threads that a host never notices: named, small, and deaf to its signals.

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

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
    let builder = thread::Builder::new().name(name.to_owned()).stack_size(STACK);
    // The mask is inherited, so it is set before the thread exists: no window is left.
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
    let spawned = builder.spawn(work);
    // SAFETY: the call above succeeded and so initialised `old`.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), std::ptr::null_mut()) };
    spawned.map(drop)
}
