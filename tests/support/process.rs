//! Programs that the tests start: each ends with the test, by its own id.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Where cargo puts what it builds for this test run.
pub fn target_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // <target>/<profile>/deps/<test>
    test.ancestors().nth(2).unwrap().to_owned()
}

/// The sandbox's binary, built first if need be.
pub fn sandbox_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "bw-sandbox"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(status.success(), "bw-sandbox does not build");
        target_dir().parent().unwrap().join("debug/bw-sandbox")
    })
}

/// A running sandbox.
pub struct Sandbox {
    child: Child,
    pub url: String,
}

impl Sandbox {
    /// Starts it on a free port, with more arguments if given.
    pub fn start(arguments: &[&str]) -> Sandbox {
        let mut child = Command::new(sandbox_binary())
            .args(["--listen", "127.0.0.1:0", "--quiet"])
            .args(["--account", "9900000", "--username", "user", "--password", "secret"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        assert!(url.starts_with("http"), "the sandbox said {url:?} instead of its URL");
        Sandbox { child, url }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
