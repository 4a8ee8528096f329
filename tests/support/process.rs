//! Programs that the tests compile and start. Each is stopped when its test ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

/// The directory of the profile that this test program was built with.
pub fn target_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // <target>/<profile>/deps/<test>
    test.ancestors().nth(2).unwrap().to_owned()
}

/// The library that was built for this test program; `target_dir` contains that of the last `cargo build`.
pub fn library(name: &str) -> PathBuf {
    target_dir().join("deps").join(name)
}

/// The path of bw-sandbox: the value of `BW_SANDBOX`, or a program that this function builds.
pub fn sandbox_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(program) = std::env::var_os("BW_SANDBOX") {
            return program.into();
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--package", "bw-sandbox", "--target-dir"])
            .arg(target_dir().parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        // Cargo sets these variables for a test. Build scripts that read them would run again, here and in
        // the next build outside of a test.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_")
                    || name.starts_with("CARGO_MANIFEST_")
                    || name == "OUT_DIR"
            }) {
                cargo.env_remove(name);
            }
        }
        let status = cargo.status().unwrap();
        assert!(status.success(), "bw-sandbox does not build");
        target_dir().parent().unwrap().join("debug/bw-sandbox")
    })
}

/// A path for a scratch file of this name, which no other test uses.
pub fn scratch_file(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{number}-{name}", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Compiles a C program of `tests/c`. It is linked with the static library, so that no search path is used; if
/// `alone`, it is not linked, for a program that loads the shared library.
pub fn compile(source: &str, alone: bool) -> PathBuf {
    if alone {
        return compiled(source, "", |_| {});
    }
    compiled(source, "", |compiler| {
        compiler.arg(library("libbw_webrtc.a"));
    })
}

/// Compiles a C source of `tests/c` as a shared library, to be preloaded.
pub fn compile_shared(source: &str) -> PathBuf {
    compiled(source, ".so", |compiler| {
        compiler.args(["-shared", "-fPIC"]);
    })
}

fn compiled(source: &str, ending: &str, more: impl FnOnce(&mut Command)) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = Path::new(source).file_stem().unwrap().to_str().unwrap();
    // The path is the same in every run, so that old programs are overwritten.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let test = std::env::current_exe().unwrap();
    let test = test.file_stem().unwrap().to_str().unwrap();
    let product =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{name}-{number}{ending}"));
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
    compiler
        .args(["-std=gnu99", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(root.join("include"))
        .arg(root.join("tests/c").join(source))
        .arg("-o")
        .arg(&product);
    more(&mut compiler);
    let status = compiler.args(["-lpthread", "-ldl", "-lm"]).status().unwrap();
    assert!(status.success(), "tests/c/{source} does not compile");
    product
}

/// Runs a program whose last line counts its checks; fails, with its output, if one of them failed.
pub fn run_checks(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let good = output.status.success() && printed.trim_end().ends_with(" passed, 0 failed");
    assert!(good, "{command:?}: {}\n{printed}\n{errors}", output.status);
    printed
}

/// Runs an ignored test of this program in a child process, and fails if the test fails.
pub fn run_in_child(test: &str, environment: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", test])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let (printed, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let has_passed = output.status.success() && printed.contains("test result: ok. 1 passed");
    assert!(has_passed, "{test}: {}\n{printed}\n{errors}", output.status);
}

/// A running sandbox.
pub struct Sandbox {
    child: Child,
    pub url: String,
    /// The certificate authority, with TLS.
    pub ca_file: Option<PathBuf>,
}

impl Sandbox {
    /// Starts a sandbox with TLS.
    pub fn start_tls() -> Sandbox {
        let file = scratch_file("ca.pem");
        let mut sandbox = Sandbox::start(&["--tls", "--ca-out", file.to_str().unwrap()]);
        sandbox.ca_file = Some(file);
        sandbox
    }

    /// Starts a sandbox without TLS and one with TLS.
    pub fn plain_and_tls() -> [Sandbox; 2] {
        [Sandbox::start(&[]), Sandbox::start_tls()]
    }

    /// A client's configuration with a user name and a password; `more` adds or replaces keys.
    pub fn config(&self, more: &Value) -> Value {
        self.config_with(json!({"username": "user", "password": "secret"}), more)
    }

    /// A client's configuration with a client id and secret; `more` adds or replaces keys.
    pub fn oauth_config(&self, more: &Value) -> Value {
        let credentials = json!({
            "clientId": "client", "clientSecret": "client-secret", "tokenUrl": self.token_url(),
        });
        self.config_with(credentials, more)
    }

    fn config_with(&self, mut config: Value, more: &Value) -> Value {
        let members = config.as_object_mut().unwrap();
        members.insert("accountId".to_owned(), json!("9900000"));
        members.insert("baseUrl".to_owned(), json!(self.url));
        if let Some(file) = &self.ca_file {
            members.insert("caFile".to_owned(), json!(file));
        }
        members.extend(more.as_object().unwrap().clone());
        config
    }

    /// The URL of the token endpoint.
    pub fn token_url(&self) -> String {
        self.url.replace("/v1", "/api/v1/oauth2/token")
    }

    /// Starts a sandbox on a free port, with these additional arguments.
    pub fn start(arguments: &[&str]) -> Sandbox {
        let mut child = Command::new(sandbox_binary())
            .args(["--listen", "127.0.0.1:0", "--quiet"])
            .args(["--account", "9900000", "--username", "user", "--password", "secret"])
            .args(["--client-id", "client", "--client-secret", "client-secret"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        assert!(url.starts_with("http"), "the sandbox printed {url:?} instead of its URL");
        Sandbox { child, url, ca_file: None }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
