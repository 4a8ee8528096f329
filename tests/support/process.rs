//! Programs that the tests start: each ends with the test, by its own id.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

/// Where cargo puts what it builds for this test run.
pub fn target_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // <target>/<profile>/deps/<test>
    test.ancestors().nth(2).unwrap().to_owned()
}

/// The library as this test run built it: `target_dir` has what `cargo build` built last.
pub fn library(name: &str) -> PathBuf {
    target_dir().join("deps").join(name)
}

/// The sandbox's binary, built first if need be.
pub fn sandbox_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            // With the features that a build of the whole workspace has: nothing is compiled twice.
            .args(["build", "--quiet", "--workspace", "--bin", "bw-sandbox", "--target-dir"])
            .arg(target_dir().parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        // What cargo tells a test about its package: build scripts that look at it would run again, here
        // and then in the next build outside of a test.
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

/// A C program of `tests/c`, compiled and linked with the static library, so that no search path
/// matters; or `alone`, to load the shared one itself.
pub fn compile(source: &str, alone: bool) -> PathBuf {
    if alone {
        return compiled(source, "", |_| {});
    }
    compiled(source, "", |compiler| {
        compiler.arg(library("libbw_webrtc.a"));
    })
}

/// A C source of `tests/c` as a shared library, to be preloaded.
pub fn compile_shared(source: &str) -> PathBuf {
    compiled(source, ".so", |compiler| {
        compiler.args(["-shared", "-fPIC"]);
    })
}

fn compiled(source: &str, ending: &str, more: impl FnOnce(&mut Command)) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = Path::new(source).file_stem().unwrap().to_str().unwrap();
    // Tests of one program may compile the same source at the same time.
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

/// Runs a program that ends with its sum; fails, with what it printed, unless all is well.
pub fn run_checks(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let good = output.status.success() && printed.trim_end().ends_with(" passed, 0 failed");
    assert!(good, "{command:?}: {}\n{printed}\n{errors}", output.status);
    printed
}

/// Runs an ignored test of this program in its own process, and fails if it fails there.
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
    /// The authority to trust, with TLS.
    pub ca_file: Option<PathBuf>,
}

impl Sandbox {
    /// Starts it with TLS.
    pub fn start_tls() -> Sandbox {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let file = format!("ca-{}-{number}.pem", std::process::id());
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        let mut sandbox = Sandbox::start(&["--tls", "--ca-out", file.to_str().unwrap()]);
        sandbox.ca_file = Some(file);
        sandbox
    }

    /// One without and one with TLS.
    pub fn plain_and_tls() -> [Sandbox; 2] {
        [Sandbox::start(&[]), Sandbox::start_tls()]
    }

    /// A client's configuration with user name and password, and with more keys.
    pub fn config(&self, more: &Value) -> Value {
        self.config_with(json!({"username": "user", "password": "secret"}), more)
    }

    /// A client's configuration with client id and secret, and with more keys.
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

    /// The URL of its token endpoint.
    pub fn token_url(&self) -> String {
        self.url.replace("/v1", "/api/v1/oauth2/token")
    }

    /// Starts it on a free port, with more arguments if given.
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
        assert!(url.starts_with("http"), "the sandbox said {url:?} instead of its URL");
        Sandbox { child, url, ca_file: None }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
