//! Which process this is. A forked child inherits every byte of its parent's memory, but it must
//! neither use the parent's connections nor wait for locks that the parent's threads hold.
//!
//! A page that the kernel wipes in a child tells without a system call, also after a bare clone
//! and in a new PID namespace, where the child may have its parent's number. Kernels before 4.14
//! have no such pages: there the C library's fork handler does the same.

use std::cell::Cell;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The mark of this process; 0 in one that has none yet.
static MARK: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
/// Used where no page can be had.
static PLAIN_MARK: AtomicU64 = AtomicU64::new(0);
/// The last generation that any process of this line of descent took.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A number that a process has in common with none of its ancestors. Never 0.
pub fn generation() -> u64 {
    let mark = mark();
    let known = mark.load(Ordering::Acquire);
    if known != 0 {
        return known;
    }
    // LAST is inherited, so this is more than any ancestor has.
    let next = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    match mark.compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => next,
        Err(taken) => taken,
    }
}

fn mark() -> &'static AtomicU64 {
    let known = MARK.load(Ordering::Acquire);
    // SAFETY: `make_mark` stores only pointers to what lives for ever.
    unsafe { known.as_ref() }.unwrap_or_else(make_mark)
}

#[cold]
fn make_mark() -> &'static AtomicU64 {
    let page = wiped_page().unwrap_or((&raw const PLAIN_MARK).cast_mut());
    // The first thread's is everybody's; another's page stays unused, once in a process.
    match MARK.compare_exchange(ptr::null_mut(), page, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            // SAFETY: the handler does nothing but an atomic store, and the library is never
            // unloaded (-z nodelete).
            unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        }
        Err(_) => return mark(),
    }
    // SAFETY: a static, or a page that is never unmapped.
    unsafe { &*page }
}

thread_local! {
    /// How many functions of the library this thread is in. Without a destructor.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// The generation of the process, if it was forked by a thread that was in no function of the
/// library.
static FORKED_OUTSIDE: AtomicU64 = AtomicU64::new(0);

/// Marks the calling thread as one that is in a function of the library.
pub struct InCall(());

impl InCall {
    /// Until the value is dropped, on the same thread.
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

/// Whether this is a child in which no thread continues a call that began in the parent. False in a
/// child that did not run the fork handlers.
pub fn was_forked_outside_calls() -> bool {
    FORKED_OUTSIDE.load(Ordering::Acquire) == generation()
}

/// Runs in every child that fork makes. Atomic operations alone: other threads may have held locks.
unsafe extern "C" fn forked() {
    mark().store(0, Ordering::Release);
    if DEPTH.get() == 0 {
        FORKED_OUTSIDE.store(generation(), Ordering::Release);
    }
}

fn wiped_page() -> Option<*mut AtomicU64> {
    const MADV_WIPEONFORK: libc::c_int = 18;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let length = size_of::<AtomicU64>();
    // SAFETY: a new anonymous mapping (of the whole page that holds the length) touches nothing.
    let page = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the mapping is ours. An old kernel refuses, and the fork handler does it alone.
    unsafe { libc::madvise(page, length, MADV_WIPEONFORK) };
    Some(page.cast())
}

/// A value that each process makes for itself, when it first needs it. What a child inherited is
/// forgotten, not dropped: dropping could write to what the parent still uses, or wait for a lock
/// whose holder is not in the child.
#[derive(Debug)]
pub struct PerProcess<T>(AtomicPtr<Own<T>>);

#[derive(Debug)]
struct Own<T> {
    generation: u64,
    value: T,
}

impl<T> PerProcess<T> {
    /// No value yet.
    pub const fn new() -> PerProcess<T> {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// This process's value. If threads make it at the same time, one wins, and nobody waits.
    pub fn get(&self, make: impl FnOnce() -> T) -> &T {
        let generation = generation();
        let known = self.0.load(Ordering::Acquire);
        // SAFETY: what is stored comes from Box::into_raw and is dropped by `drop` alone, which has no
        // borrow beside it. What a parent stored is replaced here but never dropped, so a reference
        // that another thread took before the fork would still be good.
        if let Some(own) = unsafe { known.as_ref() } {
            if own.generation == generation {
                return &own.value;
            }
        }
        super::inherited::close(generation);
        let new = Box::into_raw(Box::new(Own { generation, value: make() }));
        match self.0.compare_exchange(known, new, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: as above.
            Ok(_) => unsafe { &(*new).value },
            Err(others) => {
                // SAFETY: from Box::into_raw, and not stored.
                drop(unsafe { Box::from_raw(new) });
                // SAFETY: as above, and not NULL: only a `get` of this process stores here, and what it
                // stores is not NULL and of this generation.
                unsafe { &(*others).value }
            }
        }
    }
}

impl<T: Default> Deref for PerProcess<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.get(T::default)
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let known = *self.0.get_mut();
        // SAFETY: stored by `get`, and borrowed by nobody any more.
        let is_ours = unsafe { known.as_ref() }.is_some_and(|own| own.generation == generation());
        if is_ours {
            // SAFETY: from Box::into_raw, and dropped once.
            drop(unsafe { Box::from_raw(known) });
        }
    }
}

// SAFETY: the value is made and dropped on any thread, and shared by all.
unsafe impl<T: Send + Sync> Sync for PerProcess<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for PerProcess<T> {}

/// Runs `work` in a forked child. Returns its result; false if the child was ended by a signal.
#[cfg(test)]
pub(super) fn in_a_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child touches nothing but what `work` does, and ends without destructors.
    let child = unsafe { libc::fork() };
    if child == 0 {
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
    use std::sync::Arc;

    #[test]
    fn a_child_has_another_generation_and_its_child_another_yet() {
        let mine = generation();
        assert_eq!(generation(), mine);
        assert!(in_a_child(|| {
            let childs = generation();
            childs > mine && generation() == childs && in_a_child(|| generation() > childs)
        }));
        assert_eq!(generation(), mine);
    }

    #[test]
    fn each_way_of_telling_suffices_alone() {
        let mine = generation();
        // A bare clone runs no fork handler, so this is the page's doing.
        // SAFETY: as fork, without handlers; the child calls nothing but `generation` and exits.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            let code = i32::from(generation() <= mine);
            // SAFETY: takes no pointer.
            unsafe { libc::_exit(code) };
        }
        let mut status = -1;
        // SAFETY: the status is writable.
        unsafe { libc::waitpid(child as libc::pid_t, &raw mut status, 0) };
        assert_eq!(status, 0, "the page was not wiped");
        // The handler does the same where the page is not wiped.
        assert!(in_a_child(|| {
            let childs = generation();
            // SAFETY: what fork would call.
            unsafe { forked() };
            generation() > childs
        }));
    }

    #[test]
    fn a_child_makes_its_own_value_and_forgets_the_parents() {
        struct Loud(Arc<()>);
        impl Drop for Loud {
            fn drop(&mut self) {
                assert!(Arc::strong_count(&self.0) > 0);
            }
        }
        let (parents, childs) = (Arc::new(()), Arc::new(()));
        let value: PerProcess<Loud> = PerProcess::new();
        value.get(|| Loud(parents.clone()));
        assert_eq!(Arc::strong_count(&parents), 2);
        assert!(in_a_child(|| {
            let own = Arc::ptr_eq(&value.get(|| Loud(childs.clone())).0, &childs);
            drop(value);
            own && Arc::strong_count(&parents) == 2 && Arc::strong_count(&childs) == 1
        }));
        drop(parents);
    }

    #[test]
    fn threads_share_one_value() {
        let value: Arc<PerProcess<Arc<()>>> = Arc::new(PerProcess::new());
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let value = value.clone();
                std::thread::spawn(move || Arc::as_ptr(value.get(|| Arc::new(()))) as usize)
            })
            .collect();
        let mut seen: Vec<usize> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        seen.dedup();
        assert_eq!(seen.len(), 1);
    }
}
