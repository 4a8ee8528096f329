//! A Rust program whose logger accepts every line: it receives its own lines and those of ureq, but no
//! secret. ureq-proto logs everything that it reads and writes, in lines of 16 bytes.

use std::io;
use std::sync::{Arc, Mutex};

use crate::support::abi::Client;
use crate::support::certificates::{Authority, Validity};
use crate::support::process::run_in_child;
use crate::support::test_server::{Behavior, TestServer, read_request};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use log::{Level, LevelFilter, Log, Metadata, Record};
use serde_json::{Value, json};

const PASSWORD: &str = "pa55-w0rd-of-the-logger-test";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJwIjoidGhlLWxvZ2dlci10ZXN0In0.c2lnbmF0dXJl";

struct Collector(Mutex<Vec<(Level, String, String)>>);

static LINES: Collector = Collector(Mutex::new(Vec::new()));

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.target().to_owned(), record.args().to_string());
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

fn take_lines() -> Vec<(Level, String, String)> {
    std::mem::take(&mut LINES.0.lock().unwrap())
}

/// The bytes in the lines that ureq-proto writes: 16 in hexadecimal, with dashes after the last.
fn dumped(lines: &[(Level, String, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (_, _, line) in lines.iter().filter(|(_, target, _)| target.starts_with("ureq_proto")) {
        let Some(hexadecimal) = line.get(..40) else { continue };
        let digits: String = hexadecimal.split(' ').collect();
        for at in (0..digits.len()).step_by(2) {
            match u8::from_str_radix(&digits[at..at + 2], 16) {
                Ok(byte) => bytes.push(byte),
                Err(_) => break,
            }
        }
    }
    bytes
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

/// The framings of a response with a body.
fn forms(body: &str) -> [(&'static str, String, bool); 4] {
    let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
    let (one, two) = body.split_at(body.len() / 2);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    [
        (
            "length",
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
            false,
        ),
        ("chunks", format!("{chunked}{}{}0\r\n\r\n", chunk(one), chunk(two)), false),
        ("invalid chunks", format!("{chunked}1\r\n{body}\r\n0\r\n\r\n"), false),
        ("end of connection", format!("HTTP/1.1 200 OK\r\n\r\n{body}"), true),
    ]
}

/// Sends the bytes in pieces of this size.
fn sends(bytes: &str, step: usize, closes: bool) -> Behavior {
    let bytes = bytes.to_owned();
    Arc::new(move |connection, state| -> io::Result<()> {
        while read_request(connection, state)? {
            for piece in bytes.as_bytes().chunks(step) {
                connection.write_all(piece)?;
                connection.flush()?;
            }
            if closes {
                return connection.send_close_notify();
            }
        }
        Ok(())
    })
}

#[test]
fn logger_of_a_rust_program_receives_every_line_and_no_secret() {
    // In its own process: a program has one logger.
    run_in_child("logger::child_with_a_logger", &[]);
}

#[test]
#[ignore = "runs in the process that another test starts"]
fn child_with_a_logger() {
    assert_eq!(log::STATIC_MAX_LEVEL, LevelFilter::Trace, "lines of the host are discarded");
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let authority = Authority::new("logger");
    let tls = authority.server("127.0.0.1", Validity::Now);
    let document = json!({"participant": {"id": "p"}, "token": TOKEN});
    let authorization = BASE64_STANDARD.encode(format!("user:{PASSWORD}"));
    let secrets = [PASSWORD, TOKEN, &TOKEN[..TOKEN.len() / 2], &authorization];
    for (form, bytes, closes) in forms(&document.to_string()) {
        for tls in [None, Some(tls.clone())] {
            for step in [7, 10_000] {
                let server = TestServer::start(tls.clone(), sends(&bytes, step, closes));
                let config = json!({
                    "accountId": "9900000", "username": "user", "password": PASSWORD,
                    "baseUrl": server.url(), "caFile": authority.file, "maxRetries": 0,
                });
                let client = Client::new(&config).unwrap();
                for _ in 0..2 {
                    let result: Result<Value, Value> = client.create("{}");
                    if form == "invalid chunks" {
                        assert_eq!(result.unwrap_err()["error"]["name"], "BW_E_PROTOCOL");
                    } else {
                        assert_eq!(result, Ok(document.clone()), "{form}");
                    }
                }
                let sent = server.state.requests.lock().unwrap().concat();
                assert_eq!(sent.matches(&authorization).count(), 2, "{sent}");
                log::trace!("a line of the host's own");
                let lines = take_lines();
                assert!(lines.iter().any(|(_, _, line)| line == "a line of the host's own"));
                let dumped = dumped(&lines);
                // Otherwise the test would check no bytes.
                for part in ["POST /v1/accounts/9900000/participants", "HTTP/1.1 200 OK\r\n"] {
                    assert!(contains(&dumped, part), "{form}: {part} was not dumped");
                }
                for secret in secrets {
                    assert!(!contains(&dumped, secret), "{form}, {step}: {secret} was dumped");
                    for (level, target, line) in &lines {
                        assert!(!line.contains(secret), "{form}: {level} {target}: {line}");
                    }
                }
            }
        }
    }
}
