//! Which library this is.

use std::ffi::c_char;

/// The version of this header: major.
pub const BW_VERSION_MAJOR: u32 = 0;
/// The version of this header: minor.
pub const BW_VERSION_MINOR: u32 = 1;
/// The version of this header: patch.
pub const BW_VERSION_PATCH: u32 = 0;

/// The ABI's number, which is in the SONAME too.
const ABI: u32 = 0;

/// The version of the library that is loaded, such as "0.1.0"; compare with `BW_VERSION`.
///
/// The text is static: never free it. Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_version() -> *const c_char {
    const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    TEXT.as_ptr().cast()
}

/// The number of the ABI, as in the name of the library file. Functions are added to an ABI, never
/// changed; a program works with every library of the ABI it was built for that is not older.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_abi_version() -> u32 {
    ABI
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_versions_agree() {
        let parts = format!("{BW_VERSION_MAJOR}.{BW_VERSION_MINOR}.{BW_VERSION_PATCH}");
        assert_eq!(parts, env!("CARGO_PKG_VERSION"));
        assert!(include_str!("../../build.rs").contains(&format!("libbw_webrtc.so.{ABI}")));
    }
}
