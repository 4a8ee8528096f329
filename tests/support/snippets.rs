//! Running the documentation's blocks of code as a reader would, against a sandbox.
//!
//! A comment right above a block says what is special about it, in parts between semicolons:
//!
//! - `<!-- not run: why -->`: it is not run.
//! - `<!-- compiled only: why -->`: it is compiled, or checked for its syntax, and not run.
//! - `<!-- prints: participant {id} -->`: what it must print; `{id}` stands for any id.
//! - `<!-- needs: libcurl -->`: packages that pkg-config must know, or, for a shell, programs. Where one
//!   is missing the block is left out with a line, but in CI it fails.
//! - `<!-- printed -->`: no code, but what the block before it printed.
//! - `<!-- file: first.c -->`: it is also put into this file, for the blocks after it.
//!
//! The environment has the sandbox's API credentials; for a block that names `BW_USERNAME`, it has the
//! user name and the password instead.
//!
//! A block that is no whole program stands in `tests/docs/fragment.c.in` (`.cpp.in`, `.py.in`), which has
//! a client and the like for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bw_webrtc::client::Config;
use bw_webrtc::queue::Options;
use serde_json::Value;

use super::markdown::{Block, Page, root};
use super::process::{Sandbox, library, target_dir};

/// What the fragments' files have where the block goes, and where its first lines go.
const HERE: &str = "@BLOCK@";
const INCLUDES: &str = "@INCLUDES@";

/// A folder in which the commands of a page work as in the project's own.
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

    /// A program that finds the library, a sandbox and its credentials.
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
        // What is left over after a failure tells what was compiled.
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// Runs all blocks of a page; what is wrong with each, and how many were run.
pub fn run(page: &Page) -> (usize, Vec<String>) {
    let folder = Folder::new(page);
    let mut problems = Vec::new();
    let mut count = 0;
    let mut printed = None;
    for (number, block) in page.blocks().iter().enumerate() {
        let result = match block.note.as_deref() {
            Some("printed") => is_printed(printed.as_deref(), &block.code),
            _ => one(&folder, number, block).map(|output| {
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

fn is_printed(printed: Option<&str>, claimed: &str) -> Result<(), String> {
    let printed = printed.ok_or("no block that was run stands before it")?;
    match without_ids(printed) == without_ids(claimed) {
        true => Ok(()),
        false => Err(format!("printed was\n{printed}")),
    }
}

/// Every id in a text replaced by `{id}`.
fn without_ids(text: &str) -> String {
    let words = text.trim_end().split_inclusive(|c: char| !c.is_ascii_hexdigit() && c != '-');
    let replaced = words.map(|word| {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit() && c != '-');
        let is_id = bare.len() == 36 && bare.matches('-').count() == 4;
        if is_id { format!("{{id}}{}", &word[bare.len()..]) } else { word.to_owned() }
    });
    replaced.collect()
}

/// Runs one block; what it printed, if it was run.
fn one(folder: &Folder, number: usize, block: &Block) -> Result<Option<String>, String> {
    let told = |what: &str| {
        let note = block.note.as_deref().unwrap_or("");
        note.split("; ").find_map(|part| part.strip_prefix(what)?.strip_prefix(": "))
    };
    if let Some(name) = told("file") {
        folder.write(name, &block.code);
    }
    if let Some(why) = told("not run") {
        return if why.len() > 10 { Ok(None) } else { Err("does not say why not".into()) };
    }
    let only = told("compiled only").is_some();
    let needs: Vec<&str> =
        told("needs").map(|names| names.split(' ').collect()).unwrap_or_default();
    if let Some(missing) = missing(&block.language, &needs) {
        if std::env::var_os("CI").is_some() {
            return Err(format!("{missing} is needed"));
        }
        println!("{}: left out, since {missing} is not here", block.place);
        return Ok(None);
    }
    let sandbox = Sandbox::start(&[]);
    let command = match block.language.as_str() {
        "c" => compiled(folder, number, "c", &block.code, &needs)?,
        "cpp" => compiled(folder, number, "cpp", &block.code, &needs)?,
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
        "json" => return document(&block.code, &sandbox).map(|()| None),
        // Beside a package, what has no language is what something prints.
        "" if block.place.starts_with("bindings/") => return Ok(None),
        other => return Err(format!("{other:?} is not run, and it does not say why not")),
    };
    if only && matches!(block.language.as_str(), "c" | "cpp") {
        return Ok(None);
    }
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut command = folder.command(command.get_program(), &sandbox, &block.code);
    let printed = good(command.args(arguments).output())?;
    if let Some(claimed) = told("prints") {
        is_printed(Some(&printed), claimed)?;
    }
    Ok(Some(printed))
}

fn good(output: std::io::Result<Output>) -> Result<String, String> {
    let output = output.map_err(|why| why.to_string())?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(printed),
        false => Err(format!("{}\n{printed}{errors}", output.status)),
    }
}

/// What of these is not on this machine.
fn missing<'a>(language: &str, needs: &[&'a str]) -> Option<&'a str> {
    let there = |name: &str| {
        let mut question = match language {
            "sh" => Command::new("which"),
            _ => Command::new("pkg-config"),
        };
        if language != "sh" {
            question.arg("--exists");
        }
        question.arg(name).output().is_ok_and(|output| output.status.success())
    };
    needs.iter().copied().find(|name| !there(name))
}

/// The flags that these packages want.
fn flags_of(packages: &[&str]) -> Result<Vec<String>, String> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let said =
        good(Command::new("pkg-config").args(["--cflags", "--libs"]).args(packages).output())?;
    Ok(said.split_whitespace().map(str::to_owned).collect())
}

fn compiled(
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
        within(&format!("fragment.{ending}.in"), code)
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
    // What readers copy also compiles with clang, where it is installed.
    let clang = if ending == "c" { "clang" } else { "clang++" };
    if Command::new(clang).arg("--version").output().is_ok() {
        let only = ["-fsyntax-only", "-Wno-unused-command-line-argument"];
        good(command(clang.into()).args(only).args(flags_of(packages)?).output())?;
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
    good(output)?;
    Ok(Command::new(program))
}

fn python(code: &str) -> String {
    match code.contains("await ") && !code.contains("asyncio.run") {
        true => {
            let body: String = code.lines().map(|line| format!("    {line}\n")).collect();
            within("fragment.py.in", &format!("async def run():\n{body}\n\nasyncio.run(run())\n"))
        }
        false => within("fragment.py.in", code),
    }
}

/// The block in its surroundings.
fn within(surroundings: &str, code: &str) -> String {
    let path = root().join("tests/docs").join(surroundings);
    let (includes, rest): (Vec<&str>, Vec<&str>) =
        code.lines().partition(|line| line.starts_with("#include"));
    std::fs::read_to_string(path)
        .unwrap()
        .replace(INCLUDES, &includes.join("\n"))
        .replace(HERE, &rest.join("\n"))
}

/// Hands a document to whom it is for, as far as that can be told.
fn document(text: &str, sandbox: &Sandbox) -> Result<(), String> {
    let value: Value = serde_json::from_str(text).map_err(|why| why.to_string())?;
    let has = |key| value.get(key).is_some();
    if has("kind") {
        let (status, answer) = sandbox.control("POST", "/_sandbox/faults", text);
        return if status == 204 { Ok(()) } else { Err(answer) };
    }
    if has("accountId") {
        return Config::from_json(text).map(drop).map_err(|why| why.to_string());
    }
    if has("workers") {
        return Options::from_json(text).map(drop).map_err(|why| why.to_string());
    }
    Ok(())
}
