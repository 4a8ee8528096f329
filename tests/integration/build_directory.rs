//! `make` and the scripts use the same build directory as cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The output of a command of the project, with this variable as the only one that names a directory.
fn output(program: &str, arguments: &[&str], variable: (&str, &str)) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET_DIR")
        // A make that runs this test sets these variables.
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .env(variable.0, variable.1)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn target_dir_script_prints_the_build_directory_of_cargo() {
    // CARGO_BUILD_TARGET_DIR is equivalent to build.target-dir in cargo's configuration.
    for variable in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
        let found = output("scripts/target-dir", &[], (variable, "/elsewhere/built"));
        assert_eq!(found, "/elsewhere/built\n", "{variable}");
    }
    let relative = output("scripts/target-dir", &[], ("CARGO_TARGET_DIR", "built"));
    assert_eq!(Path::new(relative.trim_end()), root().join("built"));
}

#[test]
fn make_uses_the_build_directory_of_cargo() {
    let targets = ["test-c", "test-python", "test-hosts", "test-packaging"];
    let arguments: Vec<&str> = ["-n"].into_iter().chain(targets).collect();
    let printed = output("make", &arguments, ("CARGO_TARGET_DIR", "/elsewhere/built"));
    for path in [
        "BW_LIB_DIR=/elsewhere/built/debug",
        "BW_SANDBOX=/elsewhere/built/debug/bw-sandbox",
        "BW_WEBRTC_LIBRARY=/elsewhere/built/debug/libbw_webrtc.so",
        "BW_WEBRTC_LIBRARY=/elsewhere/built/release/libbw_webrtc.so",
        "RELEASE_DIR=/elsewhere/built/",
    ] {
        assert!(printed.contains(path), "{path} is missing in\n{printed}");
    }
}

/// The files in these folders and their subfolders.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn no_script_assumes_the_name_of_the_build_directory() {
    let mut found = vec![root().join("Makefile")];
    for folder in ["scripts", "packaging", ".ci", "tests", "benches", "docs"] {
        files(&root().join(folder), &mut found);
    }
    let mut count = 0;
    for path in found {
        let ending = path.extension().unwrap_or_default().to_str().unwrap();
        if !["", "sh", "py"].contains(&ending) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        count += 1;
        for (number, line) in text.lines().enumerate() {
            let assumed = ["target/debug", "target/release", "\"target\" /"];
            assert!(
                !assumed.iter().any(|name| line.contains(name)),
                "{}:{}: ask scripts/target-dir: {line}",
                path.display(),
                number + 1
            );
        }
    }
    assert!(count > 30, "only {count} scripts were read");
}
