//! What happens when the process has no memory left: Rust programs end there, which a library must
//! not do to its host. So a reserve lies ready from which what is under way is brought to its end,
//! and nothing new is begun until there is memory again.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The size of the reserve. It is part of the library's zeroed data, of which the kernel gives no
/// page before it is touched.
const RESERVE: usize = 1 << 20;
/// As much as a call needs that opens a TLS connection, with some to spare.
const PROBE: usize = 512 << 10;

#[global_allocator]
static ALLOCATOR: WithReserve = WithReserve;

static SHORT: AtomicBool = AtomicBool::new(false);
static RESERVED: Reserve =
    Reserve { bytes: UnsafeCell::new([0; RESERVE]), state: AtomicU64::new(0) };

/// Whether memory ran out and there is still none.
pub fn memory_is_short() -> bool {
    SHORT.load(Ordering::Relaxed) && !has_come_back()
}

#[cold]
fn has_come_back() -> bool {
    // SAFETY: what malloc gives, or NULL, goes back to free.
    let found = unsafe {
        let probe = libc::malloc(PROBE);
        libc::free(probe);
        !probe.is_null()
    };
    if found {
        SHORT.store(false, Ordering::Relaxed);
    }
    found
}

/// The system's allocator, and behind it the reserve.
struct WithReserve;

// SAFETY: every block comes whole from the system's allocator or from the reserve, and goes back to
// where its address says that it came from.
unsafe impl GlobalAlloc for WithReserve {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: promised by the caller.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() { RESERVED.alloc(layout) } else { block }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: promised by the caller.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            return block;
        }
        let block = RESERVED.alloc(layout);
        if !block.is_null() {
            // SAFETY: the block has that size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if RESERVED.has(block) {
            RESERVED.release();
        } else {
            // SAFETY: promised by the caller, and the block is not of the reserve.
            unsafe { System.dealloc(block, layout) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !RESERVED.has(block) {
            // SAFETY: promised by the caller, and the block is not of the reserve.
            let new = unsafe { System.realloc(block, layout, size) };
            if !new.is_null() {
                return new;
            }
        }
        // SAFETY: the caller promised a size that is not 0 and does not overflow.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks have so many bytes, and the new one is nobody else's; the old one
            // goes back once.
            unsafe {
                ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
        }
        new
    }
}

/// Blocks are cut off one after the other, and all at once become free when the last one does.
struct Reserve {
    bytes: UnsafeCell<[u8; RESERVE]>,
    /// `blocks in use << 32 | bytes cut off`.
    state: AtomicU64,
}

// SAFETY: the bytes are reached only through blocks that do not overlap.
unsafe impl Sync for Reserve {}

impl Reserve {
    #[cold]
    fn alloc(&self, layout: Layout) -> *mut u8 {
        SHORT.store(true, Ordering::Relaxed);
        let base: *mut u8 = self.bytes.get().cast();
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let (blocks, cut) = (state >> 32, (state as u32) as usize);
            let padding = (base as usize + cut).wrapping_neg() & (layout.align() - 1);
            let end = (cut + padding).saturating_add(layout.size());
            if end > RESERVE {
                return ptr::null_mut();
            }
            let next = (blocks + 1) << 32 | end as u64;
            match self.state.compare_exchange_weak(
                state,
                next,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                // SAFETY: `end` is inside the array, so this is too.
                Ok(_) => return unsafe { base.add(cut + padding) },
                Err(now) => state = now,
            }
        }
    }

    fn has(&self, block: *mut u8) -> bool {
        (block as usize).wrapping_sub(self.bytes.get() as usize) < RESERVE
    }

    #[cold]
    fn release(&self) {
        // Release here and Acquire in `alloc`: what was done with the blocks happened before their
        // bytes are given out anew.
        let _ = self.state.fetch_update(Ordering::Release, Ordering::Relaxed, |state| {
            let blocks = (state >> 32) - 1;
            Some(if blocks == 0 { 0 } else { blocks << 32 | state & 0xffff_ffff })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_gives_blocks_that_do_not_overlap_and_is_whole_again_in_the_end() {
        static RESERVE_OF_TEST: Reserve =
            Reserve { bytes: UnsafeCell::new([0; RESERVE]), state: AtomicU64::new(0) };
        let reserve = &RESERVE_OF_TEST;
        for _ in 0..2 {
            let mut blocks: Vec<(usize, usize)> = Vec::new();
            for (size, align) in [(1, 1), (100, 64), (3, 2), (4096, 4096), (8, 8), (500_000, 16)] {
                let block = reserve.alloc(Layout::from_size_align(size, align).unwrap()) as usize;
                assert!(block % align == 0 && reserve.has(block as *mut u8));
                let mut others = blocks.iter();
                assert!(others.all(|(at, size)| at + size <= block));
                blocks.push((block, size));
            }
            assert!(reserve.alloc(Layout::new::<[u8; RESERVE]>()).is_null());
            blocks.iter().for_each(|_| reserve.release());
            assert_eq!(reserve.state.load(Ordering::Relaxed), 0);
        }
        let elsewhere = 0_u8;
        assert!(!reserve.has((&raw const elsewhere).cast_mut()));
        // The process's own memory is not short, and that is found out.
        assert!(!memory_is_short());
    }
}
