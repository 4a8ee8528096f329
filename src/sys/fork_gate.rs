//! Keeps forks out of work that a child could not finish, such as the lazy initialization of a
//! dependency: a child that inherits it half done would wait for a thread that it does not have.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Held by the work, or by a fork.
static GATE: AtomicBool = AtomicBool::new(false);
/// Whether a fork holds it.
static HELD_BY_FORK: AtomicBool = AtomicBool::new(false);
/// Whether the handlers are registered.
static REGISTERED: AtomicBool = AtomicBool::new(false);

const PAUSE: Duration = Duration::from_micros(50);
/// A fork waits no longer than a second: the work takes microseconds.
const PAUSES: u32 = 20_000;

/// Does some work while no fork begins. The work must not fork and must be short.
pub fn without_forks<T>(work: impl FnOnce() -> T) -> T {
    struct Open;
    impl Drop for Open {
        fn drop(&mut self) {
            GATE.store(false, Ordering::Release);
        }
    }
    while !close() {
        thread::sleep(PAUSE);
    }
    let _open = Open;
    if !REGISTERED.swap(true, Ordering::Relaxed) {
        // SAFETY: the handlers only use atomics and sleep, and the library is never unloaded
        // (-z nodelete).
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(in_child)) };
    }
    work()
}

fn close() -> bool {
    GATE.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
}

unsafe extern "C" fn before() {
    for _ in 0..PAUSES {
        if close() {
            HELD_BY_FORK.store(true, Ordering::Relaxed);
            return;
        }
        thread::sleep(PAUSE);
    }
}

unsafe extern "C" fn after() {
    if HELD_BY_FORK.swap(false, Ordering::Relaxed) {
        GATE.store(false, Ordering::Release);
    }
}

unsafe extern "C" fn in_child() {
    HELD_BY_FORK.store(false, Ordering::Relaxed);
    GATE.store(false, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::super::generation::in_a_child;
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_fork_waits_for_the_work_and_the_child_can_work_too() {
        // Registers the handlers.
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
        assert!(in_a_child(|| {
            // SAFETY: takes no pointer.
            unsafe { libc::alarm(10) };
            done.load(Ordering::SeqCst) && without_forks(|| true)
        }));
        worker.join().unwrap();
        assert!(without_forks(|| true));
    }
}
