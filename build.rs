//! Generates the C header from the doc comments of `src/ffi`, and sets the name of the library.

use std::env;
use std::path::{Path, PathBuf};

/// The sources of the header, in order.
const SOURCES: &[&str] = &[
    "status",
    "version",
    "handles",
    "client",
    "participants",
    "sessions",
    "endpoints",
    "call",
    "queue",
    "interrupt",
    "log",
    "helpers",
    "text",
];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));

    // The name under which programs load the library; its number is the number of the ABI.
    if env::var("CARGO_CFG_TARGET_VENDOR").is_ok_and(|vendor| vendor == "apple") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libbw_webrtc.0.dylib");
    } else {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libbw_webrtc.so.0");
        // Threads and thread-local destructors of the library may outlive dlclose: keep the code mapped.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }

    generate_header(&root, &out.join("bw_webrtc.h"));
}

fn generate_header(root: &Path, to: &Path) {
    let settings = root.join("cbindgen.toml");
    let introduction = root.join("src/ffi/header.txt");
    println!("cargo:rerun-if-changed={}", settings.display());
    println!("cargo:rerun-if-changed={}", introduction.display());
    println!("cargo:rerun-if-changed=build.rs");
    let mut config = cbindgen::Config::from_file(&settings).expect("cbindgen.toml can be read");
    config.after_includes = Some(format!(
        "\n/**\n * The version of this header.\n */\n#define BW_VERSION \"{}\"",
        env::var("CARGO_PKG_VERSION").expect("cargo sets it")
    ));
    config.header = Some(std::fs::read_to_string(&introduction).expect("header.txt can be read"));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for name in SOURCES {
        let source = root.join("src/ffi").join(name).with_extension("rs");
        println!("cargo:rerun-if-changed={}", source.display());
        builder = builder.with_src(source);
    }
    let mut text = Vec::new();
    builder.generate().expect("cbindgen can read src/ffi").write(&mut text);
    let text = String::from_utf8(text).expect("the sources are UTF-8");
    std::fs::write(to, for_c(&text)).expect("OUT_DIR can be written");
}

/// Removes the `# Safety` sections, which are for Rust programmers, and converts cbindgen's own `//`
/// comments, which C89 does not have, to `/* */`.
fn for_c(header: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut skipping = false;
    for line in header.lines() {
        if line.trim() == "* # Safety" {
            skipping = true;
            // And the blank line before it.
            kept.pop();
        } else if line.trim() == "*/" {
            skipping = false;
        }
        if skipping {
            continue;
        }
        kept.push(match line.split_once(" // ") {
            Some((code, note)) if code.starts_with(['#', '}']) => format!("{code} /* {note} */"),
            _ => line.to_owned(),
        });
    }
    kept.join("\n") + "\n"
}
