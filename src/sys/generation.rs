//! The process generation: a number that changes in a forked child, which must neither use its
//! parent's connections nor wait for locks that the parent's threads hold.
//!
//! The number is stored in a page that the kernel wipes in a child, where it can. Reading the number
//! takes no system call, and it also works after a bare clone and in a new PID namespace, where the
//! child may have its parent's pid. The C library's fork handler clears the number as well.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::os;

/// Points to the generation of this process; the generation is 0 until it is first needed.
static GENERATION_CELL: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
/// Used if no page can be mapped.
static FALLBACK_CELL: AtomicU64 = AtomicU64::new(0);
/// The last generation of this process or of its ancestors.
static LAST_GENERATION: AtomicU64 = AtomicU64::new(0);

/// The generation of this process. It differs from those of all its ancestors, and is never 0.
pub fn generation() -> u64 {
    let mark = generation_cell();
    let known = mark.load(Ordering::Acquire);
    if known != 0 {
        return known;
    }
    // LAST_GENERATION is inherited, so this is larger than any ancestor's.
    let next = LAST_GENERATION.fetch_add(1, Ordering::Relaxed) + 1;
    match mark.compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => next,
        Err(taken) => taken,
    }
}

fn generation_cell() -> &'static AtomicU64 {
    let known = GENERATION_CELL.load(Ordering::Acquire);
    // SAFETY: `init_generation_cell` stores only pointers that stay valid forever.
    unsafe { known.as_ref() }.unwrap_or_else(init_generation_cell)
}

#[cold]
fn init_generation_cell() -> &'static AtomicU64 {
    let page = map_wiped_page().unwrap_or((&raw const FALLBACK_CELL).cast_mut());
    // All threads use the page of the first thread; a page that another one mapped stays unused.
    match GENERATION_CELL.compare_exchange(
        ptr::null_mut(),
        page,
        Ordering::AcqRel,
        Ordering::Acquire,
    ) {
        Ok(_) => {
            os::keep_loaded();
            // SAFETY: the handler only uses atomics, and the library is never unloaded.
            unsafe { libc::pthread_atfork(None, None, Some(clear_generation)) };
        }
        Err(_) => return generation_cell(),
    }
    // SAFETY: a static, or a page that is never unmapped.
    unsafe { &*page }
}

thread_local! {
    /// How many calls into the library are on this thread's stack. It has no destructor.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// The generation of this process, if it was forked by a thread that was not in a library call.
static FORKED_OUTSIDE: AtomicU64 = AtomicU64::new(0);

/// Marks the calling thread as being in a library call, until the value is dropped.
pub struct InCall(());

impl InCall {
    /// Enters a library call. The value must be dropped on the same thread.
    pub fn enter() -> InCall {
        DEPTH.set(DEPTH.get() + 1);
        InCall(())
    }
}

impl Drop for InCall {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Whether this is a forked child in which no thread continues a call that began in the parent.
/// False in a child that did not run the fork handlers.
pub fn was_forked_outside_calls() -> bool {
    FORKED_OUTSIDE.load(Ordering::Acquire) == generation()
}

/// The fork handler of a child. It only uses atomics, because other threads may have held locks.
unsafe extern "C" fn clear_generation() {
    generation_cell().store(0, Ordering::Release);
    if DEPTH.get() == 0 {
        FORKED_OUTSIDE.store(generation(), Ordering::Release);
    }
}

fn map_wiped_page() -> Option<*mut AtomicU64> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let length = size_of::<AtomicU64>();
    // SAFETY: a new anonymous mapping (of the whole page that holds the length) touches nothing.
    let page = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the mapping was made above.
    unsafe { os::wipe_on_fork(page, length) };
    Some(page.cast())
}

/// Runs `work` in a forked child. Returns its result; false if it takes longer than 10 s, or if the
/// child was ended by a signal.
#[cfg(test)]
pub fn run_in_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs only `work`, and exits without running destructors.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: takes no pointer.
        unsafe { libc::alarm(10) };
        let code = i32::from(!work());
        // SAFETY: takes no pointer.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: the status is writable.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_descendant_has_its_own_generation() {
        let mine = generation();
        assert_eq!(generation(), mine);
        assert!(run_in_child(|| {
            let childs = generation();
            childs > mine && generation() == childs && run_in_child(|| generation() > childs)
        }));
        assert_eq!(generation(), mine);
    }

    #[test]
    fn fork_handler_suffices_without_the_page() {
        // Simulates a kernel that does not wipe the page.
        assert!(run_in_child(|| {
            let childs = generation();
            // SAFETY: fork would call it too.
            unsafe { clear_generation() };
            generation() > childs
        }));
    }
}
