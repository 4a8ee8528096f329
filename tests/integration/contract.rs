//! The contract of the C ABI: the header, the exported symbols, invalid arguments, secrets in memory, and
//! the environment.

use std::ffi::{CStr, CString, c_char};
use std::process::Command;
use std::ptr;
use std::sync::Arc;

use crate::support::abi::{Client, document};
use crate::support::process::{library, run_in_child};
use crate::support::test_server::{TestServer, read_request_text, respond_with, response};
use bw_webrtc::ffi::*;
use serde_json::{Value, json};

const CONFIG: &str = r#"{"accountId":"1","username":"u","password":"pass-phrase"}"#;

/// The error document of `bw_client_new` for a configuration.
fn config_error(config: *const c_char) -> Value {
    let (mut client, mut error) = (ptr::dangling_mut(), ptr::null_mut());
    // SAFETY: NULL or a C string, and two valid output parameters.
    let status = unsafe { bw_client_new(config, &raw mut client, &raw mut error) };
    assert!(client.is_null(), "a client was created although the call failed");
    document(status, error)
}

/// The error document of a call that creates a participant.
fn create_error(client: *mut bw_client, request: *const c_char) -> Value {
    let mut out = ptr::null_mut();
    // SAFETY: NULL or a C string, and a valid output parameter.
    let status = unsafe { bw_create_participant(client, request, &raw mut out) };
    document(status, out)
}

fn assert_error(document: &Value, name: &str, part: &str) {
    assert_eq!(document["error"]["name"], name, "{document}");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains(part), "{part:?} is not in {message:?}");
}

#[test]
fn header_matches_the_sources() {
    let generated = include_str!(concat!(env!("OUT_DIR"), "/bw_webrtc.h"));
    let checked_in = include_str!("../../include/bw_webrtc.h");
    assert!(generated == checked_in, "include/bw_webrtc.h is out of date: run `make header`");
}

#[test]
fn the_shared_library_exports_what_the_header_declares_and_nothing_else() {
    let library = library("libbw_webrtc.so");
    let nm = Command::new("nm").args(["-D", "--defined-only"]).arg(&library).output().unwrap();
    assert!(
        nm.status.success(),
        "nm {}: {}",
        library.display(),
        String::from_utf8_lossy(&nm.stderr)
    );
    let listing = String::from_utf8(nm.stdout).unwrap();
    let exported: Vec<&str> =
        listing.lines().map(|line| line.split_whitespace().last().unwrap()).collect();
    let header = include_str!("../../include/bw_webrtc.h");
    let mut declared: Vec<&str> = header
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '(')
        .filter_map(|word| word.strip_suffix('(').or_else(|| word.split_once('(').map(|w| w.0)))
        // The introduction of the header uses this name for any function.
        .filter(|word| word.starts_with("bw_") && *word != "bw_verb_noun")
        .collect();
    declared.sort_unstable();
    declared.dedup();
    assert!(declared.contains(&"bw_create_participant"), "{declared:?}");
    assert_eq!(exported, declared);
}

#[test]
fn invalid_configuration_is_reported_with_its_keys() {
    for (config, name, part) in [
        (c"".as_ptr(), "BW_E_CONFIG", "config: is empty"),
        (c"[]".as_ptr(), "BW_E_CONFIG", "must be a JSON object, not an array"),
        (c"{".as_ptr(), "BW_E_CONFIG", "config: is not valid JSON (line 1, column 1)"),
        (c"{\"acountId\":\"1\"}".as_ptr(), "BW_E_CONFIG", "did you mean accountId?"),
        (c"\xff".as_ptr(), "BW_E_INVALID_ARGUMENT", "config_json: is not valid UTF-8 (at byte 0)"),
        (
            c"{\"accountId\":\"a\\u0000b\",\"timeoutMs\":[]}".as_ptr(),
            "BW_E_CONFIG",
            "config.accountId: must not contain U+0000; config.timeoutMs: must be a whole number",
        ),
    ] {
        assert_error(&config_error(config), name, part);
    }
    let huge = CString::new(format!("{{\"accountId\":\"{}\"}}", "x".repeat(10_000_000))).unwrap();
    assert_error(&config_error(huge.as_ptr()), "BW_E_CONFIG", "has more than 65536 bytes");
    let deep = CString::new("[".repeat(60_000)).unwrap();
    assert_error(&config_error(deep.as_ptr()), "BW_E_CONFIG", "is not valid JSON");
}

#[test]
fn null_out_parameter_is_accepted_unless_a_token_would_be_lost() {
    let config = CString::new(CONFIG).unwrap();
    let mut error = ptr::null_mut();
    // SAFETY: a C string, NULL, and a valid output parameter.
    let status = unsafe { bw_client_new(config.as_ptr(), ptr::null_mut(), &raw mut error) };
    assert_error(&document(status, error), "BW_E_INVALID_ARGUMENT", "client: is NULL");
    let mut client = ptr::null_mut();
    // SAFETY: as above; `error` may be NULL.
    unsafe {
        assert_eq!(bw_client_new(c"{".as_ptr(), &raw mut client, ptr::null_mut()), BW_E_CONFIG);
        assert_eq!(bw_client_new(config.as_ptr(), &raw mut client, ptr::null_mut()), BW_OK);
        let status = bw_create_participant(client, c"{}".as_ptr(), ptr::null_mut());
        assert_eq!(status, BW_E_INVALID_ARGUMENT, "a token would be lost");
    }
    assert_error(
        &create_error(client, ptr::null()),
        "BW_E_INVALID_ARGUMENT",
        "request_json: is NULL",
    );
    let bad = CString::new(b"{\"tag\":\"\xc3\"}".to_vec()).unwrap();
    assert_error(
        &create_error(client, bad.as_ptr()),
        "BW_E_INVALID_ARGUMENT",
        "not valid UTF-8 (at byte 8)",
    );
    assert_error(
        &create_error(ptr::null_mut(), c"{}".as_ptr()),
        "BW_E_INVALID_HANDLE",
        "client: is NULL",
    );
    let (mut error, name) = (ptr::null_mut(), c"u".as_ptr());
    // SAFETY: C strings or NULL, and a valid output parameter.
    let status = unsafe { bw_client_set_credentials(client, name, ptr::null(), &raw mut error) };
    assert_error(&document(status, error), "BW_E_INVALID_ARGUMENT", "password: is NULL");
    // SAFETY: NULL is allowed.
    unsafe { bw_free(ptr::null_mut()) };
    bw_client_free(ptr::null_mut());
    bw_client_free(client);
    bw_client_free(client);
    assert_error(&create_error(client, c"{}".as_ptr()), "BW_E_INVALID_HANDLE", "not a live client");
}

#[test]
fn invalid_requests_are_not_sent() {
    let server = TestServer::start(None, respond_with(response("200 OK", "", "{}")));
    let client = Client::new(&json!({
        "accountId": "1", "username": "u", "password": "p", "baseUrl": server.url(),
    }))
    .unwrap();
    let huge = format!("{{\"tag\":\"{}\"}}", "x".repeat(10_000_000));
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    let deep_inside = format!("{{\"tag\":{deep}}}");
    let problems = r#"{"tags":"x","publishPermissions":["AUDOI"],"callbackUrl":5}"#;
    for (request, part) in [
        ("", "request: is empty"),
        ("nonsense", "request: is not valid JSON"),
        ("\"text\"", "must be a JSON object, not a string"),
        (huge.as_str(), "has 10000010 bytes; at most 65536"),
        (&deep, "must be a JSON object, not an array"),
        (&deep_inside, "request.tag: must be a string, not an array"),
        (r#"{"tag":"\u0000"}"#, "request.tag: must not contain U+0000"),
        (problems, "request.tags: is not known; did you mean tag?"),
        (problems, "request.publishPermissions[0]: \"AUDOI\" is not one of AUDIO, VIDEO"),
        (problems, "request.callbackUrl: must be a string, not a number"),
    ] {
        let error = client.create(request).unwrap_err();
        assert_error(&error, "BW_E_INVALID_ARGUMENT", part);
        assert_eq!(error["error"]["outcome"], "not_sent");
        assert_eq!(error["error"]["attempts"], 0);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn freed_and_invalid_handles_are_rejected_on_every_thread() {
    let config: Value = serde_json::from_str(CONFIG).unwrap();
    std::thread::scope(|scope| {
        for seed in 0..8_usize {
            let config = &config;
            scope.spawn(move || {
                for round in 0..300_usize {
                    let client = Client::new(config).unwrap();
                    bw_client_free(client.0);
                    assert_error(
                        &create_error(client.0, c"{}".as_ptr()),
                        "BW_E_INVALID_HANDLE",
                        "client",
                    );
                    let invented =
                        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(round as u32);
                    let invented = ptr::without_provenance_mut(invented);
                    bw_client_free(invented);
                    assert_error(
                        &create_error(invented, c"{}".as_ptr()),
                        "BW_E_INVALID_HANDLE",
                        "client",
                    );
                }
            });
        }
    });
}

#[test]
fn every_status_number_has_a_name() {
    for (status, name) in [(0, "BW_OK"), (21, "BW_E_UNAUTHORIZED"), (-5, "BW_E_UNKNOWN")] {
        // SAFETY: a static string.
        let text = unsafe { CStr::from_ptr(bw_status_name(status)) };
        assert_eq!(text.to_str().unwrap(), name);
    }
}

#[test]
fn null_configuration_is_read_from_the_environment() {
    let server = TestServer::start(None, respond_with(response("401 Unauthorized", "", "{}")));
    let url = server.url();
    let all = [
        ("BW_ACCOUNT_ID", "77"),
        ("BW_USERNAME", "env-user"),
        ("BW_PASSWORD", "env-secret"),
        ("BW_BASE_URL", url.as_str()),
    ];
    run_in_child("contract::child_with_an_environment", &all);
    let received = server.state.requests.lock().unwrap()[0].clone();
    assert!(received.starts_with("POST /v1/accounts/77/participants "), "{received}");
    assert!(received.contains("Basic ZW52LXVzZXI6ZW52LXNlY3JldA==\r\n"), "{received}");
    run_in_child("contract::child_without_a_password", &all[..2]);
}

#[test]
#[ignore = "runs in the process that another test starts"]
fn child_with_an_environment() {
    let mut client = ptr::null_mut();
    // SAFETY: NULL, and a valid output parameter.
    assert_eq!(unsafe { bw_client_new(ptr::null(), &raw mut client, ptr::null_mut()) }, BW_OK);
    assert_error(&create_error(client, c"{}".as_ptr()), "BW_E_UNAUTHORIZED", "HTTP 401");
}

#[test]
#[ignore = "runs in the process that another test starts"]
fn child_without_a_password() {
    assert_error(&config_error(ptr::null()), "BW_E_CONFIG", "BW_PASSWORD is not set");
}

#[test]
fn other_environment_variables_have_no_effect() {
    // A proxy that must not be contacted, and a certificate store that must not be read.
    let proxy = TestServer::start(None, respond_with(response("200 OK", "", "{}")));
    let address = format!("http://{}", proxy.address);
    let environment: Vec<(&str, &str)> =
        ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"]
            .into_iter()
            .map(|name| (name, address.as_str()))
            .chain([("SSL_CERT_FILE", "/nowhere"), ("BW_BASE_URL", "http://127.0.0.1:1")])
            .collect();
    run_in_child("contract::child_with_proxies", &environment);
    assert_eq!(proxy.connections(), 0);
}

#[test]
#[ignore = "runs in the process that another test starts"]
fn child_with_proxies() {
    let server = TestServer::start(None, respond_with(response("403 Forbidden", "", "{}")));
    let client = Client::new(&json!({
        "accountId": "1", "username": "u", "password": "p", "baseUrl": server.url(),
    }))
    .unwrap();
    assert_error(&client.create("{}").unwrap_err(), "BW_E_FORBIDDEN", "HTTP 403");
    Client::new(&serde_json::from_str(CONFIG).unwrap()).unwrap();
}

#[test]
fn credentials_are_wiped_from_memory() {
    // The server is in this process, so that its copies are not in the child's memory.
    let server = TestServer::start(None, respond_with(response("401 Unauthorized", "", "{}")));
    run_in_child("contract::child_searches_its_memory", &[("TEST_URL", &server.url())]);
    let received = server.state.requests.lock().unwrap();
    let headers = HEADERS.map(|(one, two)| format!("Basic {one}{two}\r\n"));
    assert!(received[0].contains(&headers[0]) && received[1].contains(&headers[1]));
}

/// The passwords and their Basic headers, in halves that the compiler does not join, so that the search does
/// not find the constants.
const PASSWORDS: [Halves; 2] = [("Correct-Hor", "se-Battery-1"), ("Correct-Hor", "se-Staple-22")];
const HEADERS: [Halves; 2] =
    [("dTpDb3JyZWN0LUh", "vcnNlLUJhdHRlcnktMQ=="), ("dTpDb3JyZWN0LUh", "vcnNlLVN0YXBsZS0yMg==")];

/// A secret in halves.
type Halves = (&'static str, &'static str);

/// A client whose configuration ends with this secret. The copies of the secret outside the client are
/// overwritten.
fn client_with_secret(config: &str, secret: Halves) -> *mut bw_client {
    let mut client = ptr::null_mut();
    with_text(&[config, secret.0, secret.1, "\"}"], |config| {
        // SAFETY: a C string and a valid output parameter.
        unsafe { bw_client_new(config, &raw mut client, ptr::null_mut()) }
    });
    client
}

/// Replaces the secret of the client, and overwrites the copies outside the client.
fn set_secret(client: *mut bw_client, secret: Halves) {
    with_text(&[secret.0, secret.1], |secret| {
        // SAFETY: two C strings.
        unsafe { bw_client_set_credentials(client, c"u".as_ptr(), secret, ptr::null_mut()) }
    });
}

/// Calls a function, which must succeed, with a C string, and overwrites the string.
fn with_text(parts: &[&str], function: impl FnOnce(*const c_char) -> bw_status) {
    let mut text = [parts, &["\0"]].concat().concat().into_bytes();
    assert_eq!(function(text.as_ptr().cast()), BW_OK);
    text.fill(0);
    std::hint::black_box(&text);
}

fn assert_wiped(secrets: impl IntoIterator<Item = Halves>) {
    for secret in secrets {
        assert_eq!(occurrences(secret), 0, "{secret:?} is still in memory");
    }
}

/// Fails if a password, or its header, is still in the memory of this process after the client has made calls,
/// changed its credentials, and been freed.
#[test]
#[ignore = "runs in the process that another test starts"]
fn child_searches_its_memory() {
    let url = std::env::var("TEST_URL").unwrap();
    let config =
        format!("{{\"accountId\":\"1\",\"username\":\"u\",\"baseUrl\":\"{url}\",\"password\":\"");
    let [first, second] = PASSWORDS;
    let client = client_with_secret(&config, first);
    create_error(client, c"{}".as_ptr());
    set_secret(client, second);
    create_error(client, c"{}".as_ptr());
    // The search must find the credentials that are in use.
    assert!(
        occurrences(PASSWORDS[1]) > 0 && occurrences(HEADERS[1]) > 0,
        "the search finds nothing"
    );
    bw_client_free(client);
    assert_wiped(PASSWORDS.into_iter().chain(HEADERS));
}

#[test]
fn client_credentials_and_access_tokens_are_wiped_from_memory() {
    for chunked in [false, true] {
        // The service rejects the first token. The second is discarded with its credentials.
        let tokens = std::sync::atomic::AtomicUsize::new(0);
        let server = TestServer::start(
            None,
            Arc::new(move |connection, state| {
                while let Some(request) = read_request_text(connection, state)? {
                    let text = if request.starts_with("POST /token ") {
                        let number = tokens.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        let (one, two) = TOKENS[number.min(2)];
                        let body = format!(r#"{{"access_token":"{one}{two}","expires_in":900}}"#);
                        let length = body.len();
                        match chunked {
                            false => response("200 OK", "", &body),
                            true => format!(
                                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                                 {length:x}\r\n{body}\r\n0\r\n\r\n"
                            ),
                        }
                    } else if request.contains(&format!("{}{}", TOKENS[0].0, TOKENS[0].1)) {
                        response("401 Unauthorized", "", "{}")
                    } else {
                        response("403 Forbidden", "", "{}")
                    };
                    connection.write_all(text.as_bytes())?;
                }
                Ok(())
            }),
        );
        run_in_child(
            "contract::child_searches_its_memory_for_tokens",
            &[("TEST_URL", &server.url())],
        );
        let received = server.state.requests.lock().unwrap();
        for (one, two) in TOKENS {
            assert!(received.iter().any(|request| request.contains(&format!("Bearer {one}{two}"))));
        }
    }
}

/// The access tokens, in halves as well.
const TOKENS: [Halves; 3] = [
    ("eyJhbGciOi.First-Tok", "en.of-the-service-1"),
    ("eyJhbGciOi.Second-To", "ken.of-the-service-2"),
    ("eyJhbGciOi.Third-Tok", "en.of-the-service-3"),
];

/// Fails if a client secret or an access token is still in the memory of this process after the client has
/// made calls, changed its credentials, and been freed.
#[test]
#[ignore = "runs in the process that another test starts"]
fn child_searches_its_memory_for_tokens() {
    let url = std::env::var("TEST_URL").unwrap();
    let token_url = url.replace("/v1", "/token");
    let config = format!(
        "{{\"accountId\":\"1\",\"baseUrl\":\"{url}\",\"tokenUrl\":\"{token_url}\",\
         \"clientId\":\"u\",\"clientSecret\":\""
    );
    let [first, second] = PASSWORDS;
    let client = client_with_secret(&config, first);
    assert_error(&create_error(client, c"{}".as_ptr()), "BW_E_FORBIDDEN", "HTTP 403");
    assert!(
        occurrences(TOKENS[1]) > 0 && occurrences(PASSWORDS[0]) > 0,
        "the search finds nothing"
    );
    assert_wiped([TOKENS[0]]);
    set_secret(client, second);
    assert_wiped([TOKENS[1], PASSWORDS[0], HEADERS[0]]);
    assert_error(&create_error(client, c"{}".as_ptr()), "BW_E_FORBIDDEN", "HTTP 403");
    assert!(occurrences(TOKENS[2]) > 0, "the search finds nothing");
    bw_client_free(client);
    assert_wiped(PASSWORDS.into_iter().chain(HEADERS).chain(TOKENS));
}

/// Counts the joined halves in the writable memory of this process.
fn occurrences((one, two): Halves) -> usize {
    use std::os::unix::fs::FileExt;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    // Large enough for its own mapping, which the search skips.
    let mut window = vec![0_u8; 8 << 20];
    let own = window.as_ptr() as usize;
    let length = one.len() + two.len();
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let parse = |hex| usize::from_str_radix(hex, 16).unwrap();
        let (start, end) = (parse(start), parse(end));
        let around = [(start, end.min(own)), (start.max(own + window.len()), end)];
        for (mut at, end) in around {
            while at < end {
                let size = window.len().min(end - at);
                // Some special mappings cannot be read.
                if memory.read_exact_at(&mut window[..size], at as u64).is_ok() {
                    found += window[..size]
                        .windows(length)
                        .filter(|w| w.starts_with(one.as_bytes()) && w.ends_with(two.as_bytes()))
                        .count();
                }
                // A match that spans two windows is found in the second.
                at += if size < window.len() { size } else { size - length };
            }
        }
    }
    found
}
