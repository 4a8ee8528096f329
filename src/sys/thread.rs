//! Helper threads: named, with a small stack, and with all signals blocked.

use std::cell::Cell;
use std::ffi::c_void;
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Thread};

use once_cell::race::OnceBox;

use super::generation::InCall;
use super::per_process::PerProcess;

/// The index of the calling thread. Threads are numbered from 0 in the order of their first call.
pub fn thread_index() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    thread_local! {
        // The index plus one. `Cell<usize>` has no destructor, so none runs at the end of a thread.
        static INDEX_PLUS_ONE: Cell<usize> = const { Cell::new(0) };
    }
    let mut index = INDEX_PLUS_ONE.get();
    if index == 0 {
        index = NEXT.fetch_add(1, Ordering::Relaxed);
        INDEX_PLUS_ONE.set(index);
    }
    index - 1
}

/// The stack size of a helper thread in bytes, in addition to what the C library needs.
const STACK_SIZE: usize = 256 * 1024;

/// Starts a detached thread in which all signals are blocked, so that no signal handler of the host
/// runs in it.
///
/// # Errors
/// Returns the operating system's error if the thread cannot be created.
pub fn spawn_helper(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let stack = STACK_SIZE.saturating_add(min_stack());
    let builder = thread::Builder::new().name(name.to_owned()).stack_size(stack);
    let work = move || {
        // Never left: if this thread forks, it continues its work in the child.
        std::mem::forget(InCall::enter());
        work();
    };
    with_signals_blocked(|| builder.spawn(work).map(drop)).and_then(|spawned| spawned)
}

/// Makes the standard library create the key with which it cleans up after threads. Otherwise it
/// creates the key with the first helper thread or variable of a thread, and aborts the process if the
/// host has used all keys (128 with musl, 1024 with glibc).
///
/// # Errors
/// No key is left.
pub fn reserve_thread_key() -> io::Result<()> {
    // The thread that made it create the key. Owned here, because nothing frees that of the main
    // thread, and tools would report it as a leak.
    static RESERVED_BY: OnceBox<Thread> = OnceBox::new();
    // Otherwise two threads could take the last key from each other.
    static LOCK: PerProcess<Mutex<()>> = PerProcess::new();
    if RESERVED_BY.get().is_some() {
        return Ok(());
    }
    let _locked = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    if RESERVED_BY.get().is_some() {
        return Ok(());
    }
    let first = new_key()?;
    // The standard library does not use the key 0: it then creates another one.
    let second = if first == 0 { new_key() } else { Ok(0) };
    // SAFETY: created above, and deleted before anything uses it.
    unsafe { libc::pthread_key_delete(first) };
    let second = second?;
    if second != 0 {
        // SAFETY: as above.
        unsafe { libc::pthread_key_delete(second) };
    }
    let _ = RESERVED_BY.set(Box::new(thread::current()));
    Ok(())
}

fn new_key() -> io::Result<libc::pthread_key_t> {
    let mut key = 0;
    // SAFETY: the key is writable.
    match unsafe { libc::pthread_key_create(&raw mut key, None) } {
        0 => Ok(key),
        failure => Err(io::Error::from_raw_os_error(failure)),
    }
}

/// How much of a thread's stack the C library uses itself. It contains the thread-local variables of
/// the host and its libraries (static TLS), which may be larger than the stack.
fn min_stack() -> usize {
    /// 0 until it is known, and never after, so that a forked child need not query the loader.
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    let mut size = KNOWN.load(Ordering::Relaxed);
    if size == 0 {
        size = query_min_stack().max(1);
        KNOWN.store(size, Ordering::Relaxed);
    }
    size
}

fn query_min_stack() -> usize {
    type GetMinStack = unsafe extern "C" fn(*const libc::pthread_attr_t) -> libc::size_t;
    // A private symbol of glibc, so it is not linked. Other C libraries do not place the variables in
    // the stack.
    // SAFETY: the name ends with NUL.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__pthread_get_minstack".as_ptr()) };
    if symbol.is_null() {
        return 0;
    }
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: in every version of glibc that has it, the function has this type. The attributes are
    // initialized before they are used and destroyed once.
    unsafe {
        let get_min_stack = std::mem::transmute::<*mut c_void, GetMinStack>(symbol);
        libc::pthread_attr_init(attributes.as_mut_ptr());
        let size = get_min_stack(attributes.as_ptr());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        size
    }
}

/// Runs `work` with all signals blocked. A thread that it creates inherits the signal mask.
fn with_signals_blocked<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initializes `all`, which pthread_sigmask then reads, writing `old`.
    let failure = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr())
    };
    if failure != 0 {
        return Err(io::Error::from_raw_os_error(failure));
    }
    let result = work();
    // SAFETY: the call above succeeded and so initialized `old`.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), std::ptr::null_mut()) };
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn panic_in_a_helper_thread_ends_only_that_thread() {
        let (sender, receiver) = mpsc::channel::<()>();
        spawn_helper("bw-panics", move || {
            let _sender = sender;
            // Unlike `panic!`, it does not call the panic hook, which is the process's.
            std::panic::resume_unwind(Box::new(()));
        })
        .unwrap();
        assert!(receiver.recv().is_err());
    }
}
