//! Name resolution: lookups are cached and never block a call beyond its deadline. A preloaded library
//! replaces the resolver, so that it can stop responding.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::support::process::{Sandbox, compile, compile_shared, run_checks, scratch_file};
use serde_json::{Value, json};

struct Stage {
    program: PathBuf,
    shim: PathBuf,
}

impl Stage {
    fn new() -> Stage {
        Stage {
            program: compile("hosts/names.c", false),
            shim: compile_shared("hosts/resolver_shim.c"),
        }
    }

    fn play(&self, scene: &str, addresses: &str, config: &Value) {
        let file = |kind: &str| scratch_file(&format!("{kind}-{scene}"));
        let mut command = Command::new(&self.program);
        command
            .args([scene, &config.to_string()])
            .env("LD_PRELOAD", &self.shim)
            .env("SHIM_ADDRESSES", addresses)
            .env("SERVICE_PORT", port_of(config["baseUrl"].as_str().unwrap()).to_string())
            .env("SHIM_COUNT_FILE", file("count"))
            .env("SHIM_SILENT_FILE", file("silent"))
            .env("SHIM_NO_THREADS_FILE", file("threadless"));
        print!("{}", run_checks(&mut command));
    }
}

fn by_name(sandbox: &Sandbox, more: &Value) -> Value {
    let mut config = sandbox.config(more);
    config["baseUrl"] = json!(sandbox.url.replace("127.0.0.1", "localhost"));
    config
}

#[test]
fn lookups_are_cached_and_never_block_beyond_the_deadline() {
    let stage = Stage::new();
    let sandbox = Sandbox::start(&[]);
    let play = |scene: &str, more: Value| {
        stage.play(scene, "127.0.0.1", &by_name(&sandbox, &more));
    };
    stage.play("literal", "127.0.0.1", &sandbox.config(&json!({"maxIdleConnections": 0})));
    play("pooled", json!({"dnsTtlMs": 0}));
    play("fresh", json!({"maxIdleConnections": 0, "dnsTtlMs": 300}));
    play("silent", json!({"timeoutMs": 500, "maxRetries": 0}));
    play("cancelled", json!({"timeoutMs": 30_000}));
    play("interrupted", json!({"timeoutMs": 30_000}));
    play("inherited", json!({"dnsTtlMs": 300}));
    play("threadless", json!({"maxRetries": 0}));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = by_name(&sandbox, &json!({"dnsTtlMs": 3_600_000, "maxRetries": 0}));
    config["baseUrl"] = json!(format!("http://localhost:{}/v1", closed.port()));
    stage.play("useless", "127.0.0.1", &config);
}

#[test]
fn cached_addresses_are_kept_when_connections_fail() {
    let stage = Stage::new();
    let sandbox = Sandbox::start(&[]);
    let hour = json!({"dnsTtlMs": 3_600_000, "maxRetries": 0, "maxIdleConnections": 0});
    stage.play("no_descriptor", "127.0.0.1", &by_name(&sandbox, &hour));
    let mut config = by_name(&sandbox, &hour);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    config["baseUrl"] = json!(format!("http://localhost:{}/v1", closed.port()));
    stage.play("outage", "127.0.0.1", &config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, _taken) = fill_backlog(&listener);
    config["baseUrl"] = json!(format!("http://localhost:{}/v1", address.port()));
    config["timeoutMs"] = json!(200);
    stage.play("deadline", "127.0.0.1", &config);
    (config["timeoutMs"], config["connectTimeoutMs"]) = (json!(10_000), json!(200));
    stage.play("connect_timeout", "127.0.0.1", &config);
}

/// Fills the backlog of the listener, so that it never responds to new connections.
fn fill_backlog(listener: &TcpListener) -> (SocketAddr, Vec<io::Result<TcpStream>>) {
    // SAFETY: takes no pointer; shortens the backlog of a listener that is ours.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let address = listener.local_addr().unwrap();
    let taken: Vec<_> =
        (0..4).map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(300))).collect();
    assert!(taken.iter().any(Result::is_err), "the backlog is not full");
    (address, taken)
}

fn port_of(url: &str) -> u16 {
    url.split([':', '/']).nth(4).unwrap().parse().unwrap()
}

#[test]
fn unreachable_address_is_skipped_quickly() {
    let sandbox = Sandbox::start(&[]);
    // The same port of the other address family.
    let full = TcpListener::bind((Ipv6Addr::LOCALHOST, port_of(&sandbox.url))).unwrap();
    let _taken = fill_backlog(&full);
    Stage::new().play("dead_route", "::1,127.0.0.1", &by_name(&sandbox, &json!({})));
}
