//! The README's first programs, as they stand there, compiled and run against bw-sandbox; and its
//! table of operations and tests.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::process::{Sandbox, library};

/// The first code block of this language in the README.
fn block(language: &str) -> &'static str {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

/// Runs the command against a sandbox, with the credentials in the environment.
fn creates_a_participant(mut program: Command) {
    let sandbox = Sandbox::start(&[]);
    let output = program
        .env("BW_BASE_URL", &sandbox.url)
        .env("BW_ACCOUNT_ID", "9900000")
        .env("BW_USERNAME", "user")
        .env("BW_PASSWORD", "secret")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{errors}");
    let id = printed.trim_end().strip_prefix("participant ").unwrap_or_default();
    assert_eq!(id.len(), 36, "{printed}{errors}");
}

fn compiled(compiler: &str, fallback: &str, standard: &str, language: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = block(language);
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines < 20, "a first program of {lines} lines");
    let source = scratch(&format!("first.{language}"));
    std::fs::write(&source, code).unwrap();
    let program = scratch(&format!("first-{language}"));
    let status = Command::new(std::env::var_os(compiler).unwrap_or(fallback.into()))
        .args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .arg("-I")
        .arg(root.join("include"))
        .arg("-I")
        .arg(root.join("bindings/c"))
        .arg(library("libbw_webrtc.a"))
        .args(["-lpthread", "-ldl", "-lm"])
        .status()
        .unwrap();
    assert!(status.success(), "the README's {language} program does not compile");
    Command::new(program)
}

#[test]
fn the_c_program_works() {
    creates_a_participant(compiled("CC", "cc", "-std=c99", "c"));
}

#[test]
fn the_cpp_program_works() {
    creates_a_participant(compiled("CXX", "c++", "-std=c++11", "cpp"));
}

#[test]
fn the_python_program_works() {
    let source = scratch("first.py");
    std::fs::write(&source, block("python")).unwrap();
    let mut program = Command::new(std::env::var_os("PYTHON").unwrap_or("python3".into()));
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("bindings/python/src");
    program
        .arg(source)
        .env("PYTHONPATH", modules)
        .env("BW_WEBRTC_LIBRARY", library("libbw_webrtc.so"));
    creates_a_participant(program);
}

#[test]
fn the_table_names_every_operation_and_leads_to_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = include_str!("../README.md");
    let rows: Vec<&str> = readme.lines().filter(|line| line.contains("](tests/c/")).collect();
    for operation in bw_webrtc::api::OPERATIONS {
        let known = rows.iter().any(|row| row.starts_with(&format!("| `{}`", operation.name)));
        assert!(known, "{} is missing", operation.name);
    }
    for row in rows {
        let cells: Vec<(&str, &str)> = row
            .split("[`")
            .skip(1)
            .map(|cell| cell.split_once("`](").unwrap())
            .map(|(name, rest)| (name, rest.split(')').next().unwrap()))
            .collect();
        assert_eq!(cells.len(), 3, "{row}");
        for (name, file) in cells {
            let test = std::fs::read_to_string(root.join(file)).expect(file);
            // The C test creates its participants by the typed layer, which calls it.
            let called = [format!("{name}("), name.replacen("bw_", "bwt_", 1) + "("];
            assert!(called.iter().any(|call| test.contains(call)), "{file} does not call {name}");
        }
    }
}
