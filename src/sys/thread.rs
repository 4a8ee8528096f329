//! Threads that a host does not notice: named, small, and with all signals blocked.

use std::cell::Cell;
use std::ffi::c_void;
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

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

/// The stack of a thread of the library, in bytes, in addition to what the C library needs.
const STACK: usize = 256 * 1024;

/// Starts a detached thread in which all signals are blocked, so that no signal handler of the host
/// runs in it.
///
/// # Errors
/// The operating system's, if no thread can be created.
pub fn spawn_helper(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let stack = STACK.saturating_add(min_stack());
    let builder = thread::Builder::new().name(name.to_owned()).stack_size(stack);
    let work = move || {
        // Never ends: in a child that this thread forks, it would continue its work.
        std::mem::forget(InCall::enter());
        work();
    };
    masked(|| builder.spawn(work).map(drop)).and_then(|spawned| spawned)
}

/// What the C library takes of a thread's stack for itself: the thread-local variables of the host
/// and of its libraries (static TLS) are there, which may be larger than the stack.
fn min_stack() -> usize {
    /// It does not change. Not 0 once it is known, so that a child need not ask the loader.
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    let mut size = KNOWN.load(Ordering::Relaxed);
    if size == 0 {
        size = ask_min_stack().max(1);
        KNOWN.store(size, Ordering::Relaxed);
    }
    size
}

fn ask_min_stack() -> usize {
    type GetMinStack = unsafe extern "C" fn(*const libc::pthread_attr_t) -> libc::size_t;
    // Not linked with, because it is a private symbol of glibc. Others do not count the variables
    // as a part of the stack.
    // SAFETY: the name ends with NUL.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__pthread_get_minstack".as_ptr()) };
    if symbol.is_null() {
        return 0;
    }
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: in every version of glibc that has it, the function has this type. The attributes are
    // initialised before they are used and destroyed once.
    unsafe {
        let get_min_stack = std::mem::transmute::<*mut c_void, GetMinStack>(symbol);
        libc::pthread_attr_init(attributes.as_mut_ptr());
        let size = get_min_stack(attributes.as_ptr());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        size
    }
}

/// Does this with all signals blocked. A new thread inherits the mask, so it never runs without it.
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
            std::panic::resume_unwind(Box::new(()));
        })
        .unwrap();
        assert!(told.recv().is_err());
    }
}
