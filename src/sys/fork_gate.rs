//! Delays forks during work that a child could not finish, such as the lazy initialization of a
//! dependency: a child that inherits it half done would wait for a thread that does not exist there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Whether the gate is closed, by the work or by a fork.
static CLOSED: AtomicBool = AtomicBool::new(false);
/// Whether a fork closed the gate.
static CLOSED_BY_FORK: AtomicBool = AtomicBool::new(false);
/// Whether the fork handlers are registered.
static REGISTERED: AtomicBool = AtomicBool::new(false);

/// The time between two attempts to close the gate.
const POLL_INTERVAL: Duration = Duration::from_micros(50);
/// A fork waits at most one second. The work takes microseconds.
const MAX_POLLS: u32 = 20_000;

/// Runs `work`, during which no other thread can fork. It must be short and must not fork.
pub fn without_forks<T>(work: impl FnOnce() -> T) -> T {
    struct OpenOnDrop;
    impl Drop for OpenOnDrop {
        fn drop(&mut self) {
            CLOSED.store(false, Ordering::Release);
        }
    }
    while !try_close() {
        thread::sleep(POLL_INTERVAL);
    }
    let _open_on_drop = OpenOnDrop;
    if !REGISTERED.swap(true, Ordering::Relaxed) {
        // SAFETY: the handlers only use atomics and sleep, and the library is never unloaded
        // (see `os::keep_loaded`).
        unsafe {
            libc::pthread_atfork(
                Some(before_fork),
                Some(after_fork_in_parent),
                Some(after_fork_in_child),
            )
        };
    }
    work()
}

fn try_close() -> bool {
    CLOSED.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
}

unsafe extern "C" fn before_fork() {
    for _ in 0..MAX_POLLS {
        if try_close() {
            CLOSED_BY_FORK.store(true, Ordering::Relaxed);
            return;
        }
        thread::sleep(POLL_INTERVAL);
    }
}

unsafe extern "C" fn after_fork_in_parent() {
    if CLOSED_BY_FORK.swap(false, Ordering::Relaxed) {
        CLOSED.store(false, Ordering::Release);
    }
}

unsafe extern "C" fn after_fork_in_child() {
    CLOSED_BY_FORK.store(false, Ordering::Relaxed);
    CLOSED.store(false, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::super::generation::run_in_child;
    use super::*;
    use std::sync::Arc;

    #[test]
    fn fork_waits_for_the_work_and_the_child_can_use_the_gate() {
        // Registers the fork handlers.
        without_forks(|| ());
        let (begun, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (begins, ends) = (begun.clone(), done.clone());
        let worker = thread::spawn(move || {
            without_forks(|| {
                begins.store(true, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(200));
                ends.store(true, Ordering::SeqCst);
            });
        });
        while !begun.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        assert!(run_in_child(|| { done.load(Ordering::SeqCst) && without_forks(|| true) }));
        worker.join().unwrap();
        assert!(without_forks(|| true));
    }
}
