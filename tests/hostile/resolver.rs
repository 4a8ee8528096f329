//! The resolver of this test program, which replaces that of the C library. It knows names under `.test`
//! only, and injects the faults of each name.

use std::collections::HashMap;
use std::ffi::CStr;
use std::mem::size_of;
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use libc::{addrinfo, c_char, c_int, sockaddr_in};

use super::cases::Fault;

/// For each name, the fault and the number of lookups that it still affects.
static FAULTS: Mutex<Option<HashMap<String, (usize, Fault)>>> = Mutex::new(None);

/// Injects the fault into the next `count` lookups of this name.
pub fn set_fault(name: &str, count: usize, fault: Fault) {
    let mut faults = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
    faults.get_or_insert_default().insert(name.to_owned(), (count, fault));
}

fn takes_fault(name: &str) -> Option<Fault> {
    let mut faults = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (left, fault) = faults.get_or_insert_default().get_mut(name)?;
    *left = left.checked_sub(1)?;
    Some(*fault)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    _service: *const c_char,
    _hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> c_int {
    // SAFETY: the caller passes a C string.
    let name = unsafe { CStr::from_ptr(node) }.to_str().unwrap();
    if !name.ends_with(".test") {
        return libc::EAI_NONAME;
    }
    let mut family = libc::AF_INET;
    let count = match takes_fault(name) {
        Some(Fault::Refuse) => return libc::EAI_NONAME,
        Some(Fault::Stall) => {
            std::thread::sleep(Duration::from_millis(2500));
            1
        }
        Some(Fault::Dribble) => {
            std::thread::sleep(Duration::from_millis(100));
            1
        }
        Some(Fault::Garbage) => {
            family = libc::AF_UNIX;
            3
        }
        Some(Fault::Duplicate) => 3,
        Some(Fault::Oversize) => 1000,
        _ => 1,
    };
    let list = (0..count).fold(ptr::null_mut(), |next, _| entry(family, next));
    // SAFETY: the caller passes a writable pointer.
    unsafe { result.write(list) };
    0
}

/// An entry for 127.0.0.1, in one allocation with its address.
fn entry(family: c_int, next: *mut addrinfo) -> *mut addrinfo {
    // SAFETY: plain integers and pointers, for which zeros are valid.
    let mut both: Box<(addrinfo, sockaddr_in)> = unsafe { Box::new(std::mem::zeroed()) };
    both.1.sin_family = family as libc::sa_family_t;
    both.1.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
    both.0.ai_family = family;
    both.0.ai_socktype = libc::SOCK_STREAM;
    both.0.ai_addrlen = size_of::<sockaddr_in>() as libc::socklen_t;
    both.0.ai_next = next;
    let both = Box::into_raw(both);
    // SAFETY: the pointer is from Box::into_raw, and the allocation does not move.
    unsafe {
        (*both).0.ai_addr = (&raw mut (*both).1).cast();
        &raw mut (*both).0
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn freeaddrinfo(mut list: *mut addrinfo) {
    while !list.is_null() {
        // SAFETY: `entry` allocated it. The first field of a tuple may not be at its start.
        list = unsafe {
            let offset = std::mem::offset_of!((addrinfo, sockaddr_in), 0);
            let both = list.cast::<u8>().sub(offset).cast::<(addrinfo, sockaddr_in)>();
            Box::from_raw(both).0.ai_next
        };
    }
}
