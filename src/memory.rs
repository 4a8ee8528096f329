//! Fallible allocation for sizes that a peer or a caller controls. All other failed allocations abort
//! the process, as in any Rust library.

use std::hint::black_box;

use crate::error::{Error, NO_MEMORY, Status};

/// The error of a failed allocation.
pub fn exhausted() -> Error {
    Error::new(Status::Internal, NO_MEMORY)
}

/// Copies a text.
///
/// # Errors
/// `Internal`, if there is not enough memory.
pub fn copy(text: &str) -> Result<String, Error> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len()).map_err(|_| exhausted())?;
    copy.push_str(text);
    Ok(copy)
}

/// Checks that this number of bytes can be allocated now.
///
/// # Errors
/// `Internal`, if there is not enough memory.
pub fn require(bytes: usize) -> Result<(), Error> {
    let mut probe: Vec<u8> = Vec::new();
    let reserved = probe.try_reserve_exact(bytes);
    // The optimizer would remove an allocation that is not used.
    black_box(&mut probe);
    reserved.map_err(|_| exhausted())
}

/// Checks that there is memory to read a JSON text of this size, including copies of its strings and
/// keys. Texts of usual size are not checked.
///
/// # Errors
/// `Internal`, if there is not enough memory.
pub fn require_to_read(bytes: usize) -> Result<(), Error> {
    const USUAL: usize = 32 * 1024;
    if bytes < USUAL { Ok(()) } else { require(bytes.saturating_mul(3)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_allocation_is_an_error() {
        assert!(require(32 * 1024).is_ok());
        assert_eq!(require(isize::MAX as usize).unwrap_err().status, Status::Internal);
        assert_eq!(copy("text").unwrap(), "text");
    }
}
