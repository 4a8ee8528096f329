//! Every fault of the network in a C program under valgrind: the same errors, no leak and no invalid
//! access.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::support::faults::{self, TOKEN};
use crate::support::process::{compile, scratch_file};

#[test]
fn c_program_handles_every_fault_without_a_leak() {
    let program = compile("calls.c", false);
    let cases = faults::all();
    let mut lines = String::new();
    for case in &cases {
        writeln!(
            lines,
            "{}|{}|{}|{}|{}|{}|{TOKEN}",
            case.name, case.config, case.request, case.status, case.outcome, case.message_part
        )
        .unwrap();
    }
    let file = scratch_file("faults.txt");
    std::fs::write(&file, lines).unwrap();

    let output = valgrind(&program).arg(&file).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}\n{printed}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let checks = format!("{} passed, 0 failed", cases.len() * 8);
    assert!(printed.trim_end().ends_with(&checks), "{printed}");
}

/// A command that runs the program under valgrind. Without valgrind, it runs the program alone, and panics
/// if the variable `VALGRIND` is `require`.
fn valgrind(program: &Path) -> Command {
    if Command::new("valgrind").arg("--version").output().is_ok() {
        let mut command = Command::new("valgrind");
        // ring's assembly writes bytes that valgrind cannot follow; see tests/c/run.sh.
        command.args(["--quiet", "--error-exitcode=99", "--undef-value-errors=no"]);
        command.args(["--leak-check=full", "--show-leak-kinds=definite,indirect,possible"]);
        command.arg("--errors-for-leak-kinds=definite,indirect,possible").arg(program);
        return command;
    }
    assert!(
        std::env::var_os("VALGRIND").is_none_or(|v| v != "require"),
        "valgrind is not installed"
    );
    eprintln!("valgrind was not found, so the test does not check for leaks");
    Command::new(program)
}
