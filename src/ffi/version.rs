//! The versions of the library and of its ABI.

use std::ffi::c_char;

/// The major version of this header.
pub const BW_VERSION_MAJOR: u32 = 0;
/// The minor version of this header.
pub const BW_VERSION_MINOR: u32 = 1;
/// The patch version of this header.
pub const BW_VERSION_PATCH: u32 = 0;

/// The number in the SONAME.
const ABI: u32 = 0;

/// Returns the version of the loaded library, such as "0.1.0". Compare it with `BW_VERSION`.
///
/// The text is static: never free it.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_version() -> *const c_char {
    const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    TEXT.as_ptr().cast()
}

/// Returns the number of the ABI, which is also part of the library's file name.
///
/// Later versions with the same number only add functions and values. A program works with the
/// version of the library that it was built with, and with every later version that has the same
/// ABI number.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_abi_version() -> u32 {
    ABI
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_package_and_soname_have_the_same_version() {
        let parts = format!("{BW_VERSION_MAJOR}.{BW_VERSION_MINOR}.{BW_VERSION_PATCH}");
        assert_eq!(parts, env!("CARGO_PKG_VERSION"));
        let build = include_str!("../../build.rs");
        assert!(build.contains(&format!("libbw_webrtc.so.{ABI}")));
        assert!(build.contains(&format!("libbw_webrtc.{ABI}.dylib")));
    }
}
