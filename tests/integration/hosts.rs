//! C programs that act as difficult host processes. Each source describes its behavior, and the change of the
//! library that makes it fail.

use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use crate::support::abi::Client;
use crate::support::process::{Sandbox, compile, library, run_checks, scratch_file};
use crate::support::queue::Queue;
use crate::support::wait_until;
use bw_webrtc::ffi::bw_queue_fd;
use serde_json::{Value, json};

fn delay(sandbox: &Sandbox, ms: u64) {
    sandbox.fault(&json!({"operation": "*", "kind": "delay", "ms": ms, "count": null}));
}

/// A client's configuration with a host name instead of the address.
fn by_name(sandbox: &Sandbox, more: &Value) -> String {
    let mut config = sandbox.config(more);
    config["baseUrl"] = json!(sandbox.url.replace("127.0.0.1", "localhost"));
    config.to_string()
}

#[test]
fn foreign_descriptors_are_never_used() {
    let program = compile("hosts/descriptors.c", false);
    for sandbox in Sandbox::plain_and_tls() {
        delay(&sandbox, 50);
        run_checks(Command::new(&program).arg(sandbox.config(&json!({})).to_string()));
    }
}

#[test]
fn standard_stream_descriptors_stay_free() {
    let program = compile("hosts/no_standard_streams.c", false);
    for sandbox in Sandbox::plain_and_tls() {
        run_checks(Command::new(&program).arg(sandbox.config(&json!({})).to_string()));
    }
}

#[test]
fn thread_stacks_have_room_for_static_tls() {
    let program = compile("hosts/static_tls.c", false);
    for sandbox in Sandbox::plain_and_tls() {
        run_checks(Command::new(&program).arg(by_name(&sandbox, &json!({}))));
    }
}

#[test]
fn idle_connections_age_while_the_system_is_suspended() {
    let program = compile("hosts/suspend.c", false);
    let sandbox = Sandbox::start(&[]);
    run_checks(Command::new(&program).arg(sandbox.config(&json!({})).to_string()));
}

#[test]
fn signals_and_thread_cancellation_are_harmless() {
    let program = compile("hosts/signals.c", false);
    for sandbox in Sandbox::plain_and_tls() {
        delay(&sandbox, 200);
        // Every call opens a connection, and resolves the name for it.
        let more = json!({"maxIdleConnections": 0, "dnsTtlMs": 0});
        run_checks(Command::new(&program).arg("timers").arg(by_name(&sandbox, &more)));
        delay(&sandbox, 300);
        run_checks(
            Command::new(&program).arg("cancel").arg(sandbox.config(&json!({})).to_string()),
        );
    }
}

#[test]
fn interrupt_callback_cancels_calls_of_its_thread() {
    let program = compile("hosts/interrupt.c", false);
    for sandbox in Sandbox::plain_and_tls() {
        for (operation, ms) in [("getSession", 120_000), ("createSession", 400)] {
            sandbox
                .fault(&json!({"operation": operation, "kind": "delay", "ms": ms, "count": null}));
        }
        let config = sandbox.config(&json!({"timeoutMs": 100_000}));
        run_checks(Command::new(&program).arg(config.to_string()));
    }
}

#[test]
fn resource_limits_are_reported() {
    let program = compile("hosts/limits.c", false);
    let plain = Sandbox::start(&[]);
    for what in ["descriptors", "high", "chroot", "memory"] {
        let literal = plain.config(&json!({})).to_string();
        run_checks(Command::new(&program).arg(literal).arg(by_name(&plain, &json!({}))).arg(what));
    }
}

#[test]
fn library_can_be_loaded_and_unloaded_repeatedly() {
    let program = compile("hosts/unload.c", true);
    let sandbox = Sandbox::start_tls();
    let config = sandbox.config(&json!({})).to_string();
    let shared = library("libbw_webrtc.so");
    run_checks(Command::new(&program).arg(&shared).arg(&config));
    // Old C libraries lack this weak symbol: a copy of the library refers to another name.
    let mut bytes = std::fs::read(&shared).unwrap();
    let name = b"\0__cxa_thread_atexit_impl\0";
    let places: Vec<usize> =
        (0..bytes.len() - name.len()).filter(|at| bytes[*at..].starts_with(name)).collect();
    assert!(!places.is_empty(), "the library does not use the symbol any more");
    for at in places {
        bytes[at + 1..][..name.len() - 2].copy_from_slice(b"__cxa_thread_atexit_none");
    }
    let copy = scratch_file("old.so");
    std::fs::write(&copy, bytes).unwrap();
    run_checks(Command::new(&program).arg(&copy).arg(&config));
    std::fs::remove_file(&copy).unwrap();
}

#[test]
fn library_has_its_soname_and_nodelete() {
    let output =
        Command::new("readelf").arg("-d").arg(library("libbw_webrtc.so")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("soname: [libbw_webrtc.so.0]"), "{text}");
    assert!(
        text.lines().any(|line| line.contains("FLAGS_1") && line.contains("NODELETE")),
        "{text}"
    );
}

#[test]
fn environment_may_change_during_calls() {
    let program = compile("hosts/environment.c", false);
    let sandbox = Sandbox::start(&[]);
    run_checks(Command::new(&program).arg("changes").arg(sandbox.config(&json!({})).to_string()));
}

#[test]
fn proxy_variables_are_read_once_and_have_no_effect() {
    let program = compile("hosts/environment.c", false);
    let sandbox = Sandbox::start(&[]);
    run_checks(Command::new(&program).arg("counts").arg(sandbox.config(&json!({})).to_string()));
}

#[test]
fn set_uid_process_rejects_configuration_from_the_environment() {
    let program = compile("hosts/environment.c", false);
    let copy = program.with_extension("setuid");
    std::fs::copy(&program, &copy).unwrap();
    // Another user id, usually that of nobody.
    if let Err(error) = chown(&copy, Some(65534), None) {
        assert!(std::env::var_os("CI").is_none(), "{error}");
        eprintln!("only root can make a set-uid program of another user's: {error}");
        return;
    }
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let mut command = Command::new(&copy);
    for name in ["BW_ACCOUNT_ID", "BW_USERNAME", "BW_PASSWORD"] {
        command.env(name, "set");
    }
    let sandbox = Sandbox::start(&[]);
    run_checks(command.arg("secure").arg(sandbox.config(&json!({})).to_string()));
}

/// The device and inode of a descriptor.
fn identity(fd: i32) -> Option<(u64, u64)> {
    // SAFETY: a stat is plain integers, for which zeros are valid.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the place is writable.
    (unsafe { libc::fstat(fd, &raw mut stat) } == 0).then_some((stat.st_dev, stat.st_ino))
}

#[test]
fn freeing_closes_the_descriptor_while_a_call_runs() {
    let sandbox = Sandbox::start(&[]);
    let client = Client::new(&sandbox.config(&json!({}))).unwrap();
    let call = json!({"operation": "createParticipant", "body": {}});
    let queue = Queue::new(&client, &json!({"workers": 1})).unwrap();
    let fd = bw_queue_fd(queue.0);
    let before = identity(fd).unwrap();
    // SAFETY: takes no pointer.
    let watcher = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    // SAFETY: the event is readable.
    assert_eq!(unsafe { libc::epoll_ctl(watcher, libc::EPOLL_CTL_ADD, fd, &raw mut event) }, 0);
    queue.submit(&call, 1).unwrap();
    wait_until("a completion", || queue.is_readable());
    delay(&sandbox, 1000);
    queue.submit(&call, 2).unwrap();
    wait_until("the call", || sandbox.requests("createParticipant").len() == 2);
    // SAFETY: there is room for one event.
    let ready = |ms| unsafe { libc::epoll_wait(watcher, &raw mut event, 1, ms) };
    let mut ready = ready;
    assert_eq!(ready(0), 1);
    drop(queue);
    assert_eq!(ready(0), 0, "an event loop would spin");
    assert_ne!(identity(fd), Some(before), "the descriptor is still open");
    wait_until("the response", || client.stats()["lateAnswers"] == 2);
    assert_eq!(ready(0), 0);
    // SAFETY: this test opened it.
    unsafe { libc::close(watcher) };
}
