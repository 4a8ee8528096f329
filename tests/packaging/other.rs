//! Another Rust library in the same program, with its own copy of the Rust runtime.

use std::panic::catch_unwind;
use std::thread;

/// Returns 42, after it has used a thread, an allocation, and a caught panic.
#[no_mangle]
pub extern "C" fn other_library_result() -> i32 {
    let caught = catch_unwind(|| panic!("caught"));
    let parts: Vec<i32> = thread::spawn(|| vec![20, 22]).join().unwrap_or_default();
    if caught.is_err() { parts.iter().sum() } else { 0 }
}
