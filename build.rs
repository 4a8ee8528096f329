//! Makes the C header from the doc comments of `src/ffi`, and names the shared library.

use std::env;
use std::path::{Path, PathBuf};

/// The sources of the header, in its order.
const SOURCES: &[&str] = &[
    "status",
    "version",
    "handles",
    "client",
    "participants",
    "sessions",
    "call",
    "queue",
    "log",
    "helpers",
    "text",
];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));

    // The name under which programs ask for the library; its number is the ABI's.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libbw_webrtc.so.0");
    // Threads and thread-local destructors of ours may outlive a dlclose: the code must stay.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");

    header(&root, &out.join("bw_webrtc.h"));
}

fn header(root: &Path, to: &Path) {
    let settings = root.join("cbindgen.toml");
    let lesson = root.join("src/ffi/header.txt");
    println!("cargo:rerun-if-changed={}", settings.display());
    println!("cargo:rerun-if-changed={}", lesson.display());
    println!("cargo:rerun-if-changed=build.rs");
    let mut config = cbindgen::Config::from_file(&settings).expect("cbindgen.toml can be read");
    config.after_includes = Some(format!(
        "\n/**\n * The version of this header.\n */\n#define BW_VERSION \"{}\"",
        env::var("CARGO_PKG_VERSION").expect("cargo sets it")
    ));
    config.header = Some(std::fs::read_to_string(&lesson).expect("the header's lesson is there"));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for name in SOURCES {
        let source = root.join("src/ffi").join(name).with_extension("rs");
        println!("cargo:rerun-if-changed={}", source.display());
        builder = builder.with_src(source);
    }
    let mut text = Vec::new();
    builder.generate().expect("src/ffi makes a header").write(&mut text);
    let text = String::from_utf8(text).expect("the sources are UTF-8");
    std::fs::write(to, for_c(&text)).expect("OUT_DIR can be written");
}

/// Takes out what the doc comments say to Rust programmers alone (`# Safety` to the comment's end),
/// and turns cbindgen's own `//` comments, which C89 does not know, into `/* */`.
fn for_c(header: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut skipping = false;
    for line in header.lines() {
        if line.trim() == "* # Safety" {
            skipping = true;
            // With the blank line in front of it.
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
