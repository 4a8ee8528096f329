//! Runs the code blocks of the documentation against a sandbox.
//!
//! A comment directly above a block contains options for it, separated by semicolons:
//!
//! - `<!-- not run: reason -->`: the block is not run.
//! - `<!-- compiled only: reason -->`: the block is compiled, or its syntax is checked, and it is not run.
//! - `<!-- prints: participant {id} -->`: the expected output; `{id}` matches any id.
//! - `<!-- needs: libcurl -->`: pkg-config packages, or programs for a shell block. If one is missing, the
//!   block is skipped with a message; in CI, it fails.
//! - `<!-- printed -->`: the block is the output of the block before it.
//! - `<!-- file: first.c -->`: the block is also written to this file, for the blocks after it.
//!
//! The environment contains the sandbox's API credentials. If a block contains `BW_USERNAME`, the environment
//! contains the user name and the password instead.
//!
//! A block that is not a complete program is inserted into `tests/docs/fragment.c.in` (`.cpp.in`, `.py.in`),
//! which declares a client and other variables for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bw_webrtc::client::Config;
use bw_webrtc::queue::Options;
use serde_json::Value;

use super::markdown::{Block, Page, root};
use super::process::{Sandbox, library, target_dir};

/// The placeholders in the fragment files: for the block, and for its `#include` lines.
const BLOCK: &str = "@BLOCK@";
const INCLUDES: &str = "@INCLUDES@";

/// A folder in which the commands of a page work as in the root of the project.
struct Folder(PathBuf);

impl Folder {
    fn new(page: &Page) -> Folder {
        let name = page.path.display().to_string().replace(['/', '.'], "-");
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let release = folder.join("target/release");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&release).unwrap();
        let link = |from: PathBuf, to: PathBuf| std::os::unix::fs::symlink(from, to).unwrap();
        for name in ["include", "bindings", "tests"] {
            link(root().join(name), folder.join(name));
        }
        for name in ["libbw_webrtc.so", "libbw_webrtc.so.0"] {
            link(library("libbw_webrtc.so"), release.join(name));
        }
        link(library("libbw_webrtc.a"), release.join("libbw_webrtc.a"));
        link(target_dir().join("bw-sandbox"), release.join("bw-sandbox"));
        Folder(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A command with the paths of the library and the sandbox, and the sandbox's credentials.
    fn command(
        &self,
        program: impl AsRef<std::ffi::OsStr>,
        sandbox: &Sandbox,
        code: &str,
    ) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap_or_default();
        let names_user = code.contains("BW_USERNAME") && !code.contains("BW_CLIENT_ID");
        let pair = match names_user {
            true => [("BW_USERNAME", "user"), ("BW_PASSWORD", "secret")],
            false => [("BW_CLIENT_ID", "client"), ("BW_CLIENT_SECRET", "client-secret")],
        };
        for name in ["BW_USERNAME", "BW_PASSWORD", "BW_CLIENT_ID", "BW_CLIENT_SECRET"] {
            command.env_remove(name);
        }
        command
            .current_dir(&self.0)
            .env("BW_BASE_URL", &sandbox.url)
            .env("BW_ENDPOINTS_URL", sandbox.url.replace("/v1", "/v2"))
            .env("BW_TOKEN_URL", sandbox.token_url())
            .env("BW_ACCOUNT_ID", "9900000")
            .envs(pair)
            .env("BW_SANDBOX", self.0.join("target/release/bw-sandbox"))
            .env("BW_WEBRTC_LIBRARY", library("libbw_webrtc.so"))
            .env("PYTHONPATH", root().join("bindings/python/src"))
            .env("PATH", format!("{}:{path}", self.0.join("target/release").display()));
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The folder is kept after a failure, for debugging.
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// Runs all blocks of a page. Returns how many were run, and the problems.
pub fn run(page: &Page) -> (usize, Vec<String>) {
    let folder = Folder::new(page);
    let mut problems = Vec::new();
    let mut count = 0;
    let mut printed = None;
    for (number, block) in page.blocks().iter().enumerate() {
        let result = match block.note.as_deref() {
            Some("printed") => compare_output(printed.as_deref(), &block.code),
            _ => run_block(&folder, number, block).map(|output| {
                count += usize::from(output.is_some());
                printed = output;
            }),
        };
        if let Err(why) = result {
            problems.push(format!("{}: {}", block.place, why.trim_end()));
        }
    }
    (count, problems)
}

fn compare_output(printed: Option<&str>, expected: &str) -> Result<(), String> {
    let printed = printed.ok_or("no block before it was run")?;
    match without_ids(printed) == without_ids(expected) {
        true => Ok(()),
        false => Err(format!("the output was\n{printed}")),
    }
}

/// Replaces every id in a text with `{id}`.
fn without_ids(text: &str) -> String {
    let words = text.trim_end().split_inclusive(|c: char| !c.is_ascii_hexdigit() && c != '-');
    let replaced = words.map(|word| {
        let id = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit() && c != '-');
        let is_id = id.len() == 36 && id.matches('-').count() == 4;
        if is_id { format!("{{id}}{}", &word[id.len()..]) } else { word.to_owned() }
    });
    replaced.collect()
}

/// Runs one block. Returns its output, or `None` if the block was not run.
fn run_block(folder: &Folder, number: usize, block: &Block) -> Result<Option<String>, String> {
    let option = |name: &str| {
        let note = block.note.as_deref().unwrap_or("");
        note.split("; ").find_map(|part| part.strip_prefix(name)?.strip_prefix(": "))
    };
    if let Some(name) = option("file") {
        folder.write(name, &block.code);
    }
    if let Some(why) = option("not run") {
        return if why.len() > 10 {
            Ok(None)
        } else {
            Err("the reason for \"not run\" is missing".into())
        };
    }
    let only = option("compiled only").is_some();
    let needs: Vec<&str> =
        option("needs").map(|names| names.split(' ').collect()).unwrap_or_default();
    if let Some(missing) = missing(&block.language, &needs) {
        if std::env::var_os("CI").is_some() {
            return Err(format!("{missing} is needed"));
        }
        println!("{}: skipped, since {missing} is not installed", block.place);
        return Ok(None);
    }
    let sandbox = Sandbox::start(&[]);
    let command = match block.language.as_str() {
        "c" => compile(folder, number, "c", &block.code, &needs)?,
        "cpp" => compile(folder, number, "cpp", &block.code, &needs)?,
        "python" => {
            let source = folder.write(&format!("block{number}.py"), &python(&block.code));
            let mut command = Command::new(std::env::var_os("PYTHON").unwrap_or("python3".into()));
            if only {
                command.args(["-m", "py_compile"]);
            }
            command.arg(source);
            command
        }
        "sh" => {
            let mut command = Command::new("bash");
            command.args(if only { ["-n", "-e", "-c"] } else { ["-u", "-e", "-c"] });
            command.arg(&block.code);
            command
        }
        "json" => return check_document(&block.code, &sandbox).map(|()| None),
        // In the README of a package, a block without a language is the output of a program.
        "" if block.place.starts_with("bindings/") => return Ok(None),
        other => return Err(format!("blocks in {other:?} are not run; add `not run: reason`")),
    };
    if only && matches!(block.language.as_str(), "c" | "cpp") {
        return Ok(None);
    }
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut command = folder.command(command.get_program(), &sandbox, &block.code);
    let printed = successful_output(command.args(arguments).output())?;
    if let Some(expected) = option("prints") {
        compare_output(Some(&printed), expected)?;
    }
    Ok(Some(printed))
}

/// The standard output of a successful command.
fn successful_output(output: std::io::Result<Output>) -> Result<String, String> {
    let output = output.map_err(|why| why.to_string())?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(printed),
        false => Err(format!("{}\n{printed}{errors}", output.status)),
    }
}

/// The first of these packages or programs that is not installed.
fn missing<'a>(language: &str, needs: &[&'a str]) -> Option<&'a str> {
    let is_installed = |name: &str| {
        let mut command = match language {
            "sh" => Command::new("which"),
            _ => Command::new("pkg-config"),
        };
        if language != "sh" {
            command.arg("--exists");
        }
        command.arg(name).output().is_ok_and(|output| output.status.success())
    };
    needs.iter().copied().find(|name| !is_installed(name))
}

/// The compiler flags of these pkg-config packages.
fn flags_of(packages: &[&str]) -> Result<Vec<String>, String> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let flags = successful_output(
        Command::new("pkg-config").args(["--cflags", "--libs"]).args(packages).output(),
    )?;
    Ok(flags.split_whitespace().map(str::to_owned).collect())
}

/// Compiles a block, and returns the command that runs it.
fn compile(
    folder: &Folder,
    number: usize,
    ending: &str,
    code: &str,
    packages: &[&str],
) -> Result<Command, String> {
    let (compiler, fallback, standard) = match ending {
        "c" => ("CC", "cc", "-std=gnu99"),
        _ => ("CXX", "c++", "-std=c++11"),
    };
    let mut flags = vec!["-Wall", "-Wextra", "-Wpedantic", "-Wsequence-point", "-Werror"];
    let code = if code.contains(" main(") {
        code.to_owned()
    } else {
        flags.push("-Wno-unused");
        insert_into(&format!("fragment.{ending}.in"), code)
    };
    let source = folder.write(&format!("block{number}.{ending}"), &code);
    let program = folder.0.join(format!("block{number}-{ending}"));
    let libraries = folder.0.join("target/release");
    let command = |compiler: std::ffi::OsString| {
        let mut command = Command::new(compiler);
        command.arg(standard).args(&flags).arg(&source);
        for folder in ["include", "bindings/c", "bindings/c/examples"] {
            command.arg(format!("-I{}", root().join(folder).display()));
        }
        command
    };
    // The block must also compile with clang, if it is installed.
    let clang = if ending == "c" { "clang" } else { "clang++" };
    if Command::new(clang).arg("--version").output().is_ok() {
        let only = ["-fsyntax-only", "-Wno-unused-command-line-argument"];
        successful_output(command(clang.into()).args(only).args(flags_of(packages)?).output())?;
    }
    let output = command(std::env::var_os(compiler).unwrap_or(fallback.into()))
        .arg("-o")
        .arg(&program)
        .arg(format!("-L{}", libraries.display()))
        .arg("-lbw_webrtc")
        .arg(format!("-Wl,-rpath,{}", libraries.display()))
        .arg("-lpthread")
        .args(flags_of(packages)?)
        .output();
    successful_output(output)?;
    Ok(Command::new(program))
}

/// Inserts a Python block into the fragment, and runs it in an event loop if it contains `await`.
fn python(code: &str) -> String {
    match code.contains("await ") && !code.contains("asyncio.run") {
        true => {
            let body: String = code.lines().map(|line| format!("    {line}\n")).collect();
            insert_into(
                "fragment.py.in",
                &format!("async def run():\n{body}\n\nasyncio.run(run())\n"),
            )
        }
        false => insert_into("fragment.py.in", code),
    }
}

/// Inserts a block into a fragment file.
fn insert_into(fragment: &str, code: &str) -> String {
    let path = root().join("tests/docs").join(fragment);
    let (includes, rest): (Vec<&str>, Vec<&str>) =
        code.lines().partition(|line| line.starts_with("#include"));
    std::fs::read_to_string(path)
        .unwrap()
        .replace(INCLUDES, &includes.join("\n"))
        .replace(BLOCK, &rest.join("\n"))
}

/// Passes a document to its parser, which is chosen by the keys. Other documents must be valid JSON.
fn check_document(text: &str, sandbox: &Sandbox) -> Result<(), String> {
    let value: Value = serde_json::from_str(text).map_err(|why| why.to_string())?;
    let has = |key| value.get(key).is_some();
    if has("kind") {
        let (status, body) = sandbox.control("POST", "/_sandbox/faults", text);
        return if status == 204 { Ok(()) } else { Err(body) };
    }
    if has("accountId") {
        return Config::from_json(text).map(drop).map_err(|why| why.to_string());
    }
    if has("workers") {
        return Options::from_json(text).map(drop).map_err(|why| why.to_string());
    }
    Ok(())
}
