//! Another Rust library, as a host may have one: it brings a Rust runtime of its own.

use std::panic::catch_unwind;
use std::thread;

/// 42, by way of a thread, an allocation, and a panic that is caught.
#[no_mangle]
pub extern "C" fn other_answer() -> i32 {
    let caught = catch_unwind(|| panic!("as it should"));
    let parts: Vec<i32> = thread::spawn(|| vec![20, 22]).join().unwrap_or_default();
    if caught.is_err() { parts.iter().sum() } else { 0 }
}
