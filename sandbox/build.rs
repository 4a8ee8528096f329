//! Copies the official device SDK, which `make device-sdk` has built, to where `src/page` embeds it.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=BW_DEVICE_SDK");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let source = env::var("BW_DEVICE_SDK").unwrap_or_default();
    for name in ["device-sdk.js", "device-sdk.txt"] {
        let text = if source.is_empty() {
            String::new()
        } else {
            let file = Path::new(&source).join(name);
            println!("cargo:rerun-if-changed={}", file.display());
            fs::read_to_string(&file).unwrap_or_else(|e| {
                panic!("BW_DEVICE_SDK: cannot read {} (run make device-sdk): {e}", file.display())
            })
        };
        fs::write(Path::new(&out).join(name), text).expect("OUT_DIR is writable");
    }
}
