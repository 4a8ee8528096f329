//! The program: command line, output, TLS, lifetimes and signals.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::json;
use support::{
    SESSIONS, Sandbox, UNKNOWN_ID, assert_contains_none, authorization, basic, exchange, program,
    request, user_request, wait_for,
};

#[test]
fn first_line_is_the_url() {
    let sandbox = Sandbox::start(&[]);
    assert_eq!(sandbox.url, format!("http://{}/v1", sandbox.address));
    assert_ne!(sandbox.address.port(), 0);
}

#[test]
fn signals_stop_it_during_requests() {
    for signal in ["-TERM", "-INT"] {
        let mut sandbox = Sandbox::start(&[]);
        sandbox.add_fault(&json!({"operation": "*", "kind": "delay", "ms": 60_000}));
        let mut waiting = sandbox.connect();
        let path = format!("{SESSIONS}/{UNKNOWN_ID}");
        waiting.write_all(user_request("GET", &path, "").as_bytes()).unwrap();
        let idle = sandbox.connect();
        sandbox.signal(signal);
        assert_eq!(sandbox.wait_for_exit().code(), Some(0), "{signal}");
        drop(idle);
    }
}

#[test]
fn account_and_credentials_are_those_of_the_command_line() {
    let sandbox =
        Sandbox::start(&["--account", "77", "--username", "me", "--password", "a:b\u{e9}"]);
    let status = |pair| {
        let headers = authorization(&basic(pair));
        sandbox.send(&request("POST", "/v1/accounts/77/sessions", &headers, "")).status
    };
    assert_eq!((status("me:a:b\u{e9}"), status("user:secret")), (200, 401));
}

#[test]
fn tls_certificate_is_issued_by_the_authority_in_the_file() {
    let file = std::env::temp_dir().join(format!("bw-sandbox-{}-ca.pem", std::process::id()));
    let sandbox = Sandbox::start(&["--tls", "--ca-out", file.to_str().unwrap()]);
    assert_eq!(sandbox.url, format!("https://{}/v1", sandbox.address));
    for name in ["127.0.0.1", "localhost", "::1"] {
        let mut stream = sandbox.connect_tls(&file, name);
        let response = exchange(&mut stream, &user_request("POST", SESSIONS, "")).unwrap();
        assert_eq!(response.status, 200);
    }
    let mut stream = sandbox.connect_tls(&file, "example.com");
    assert!(exchange(&mut stream, "GET / HTTP/1.1\r\n\r\n").is_none());
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn sessions_expire() {
    let sandbox = Sandbox::start(&["--session-ttl", "1"]);
    let session = sandbox.session();
    let participant = sandbox.participant("{}");
    let membership = format!("/sessions/{session}/participants/{participant}");
    let body = json!({"sessionId": session}).to_string();
    assert_eq!(sandbox.call("PUT", &membership, &body).status, 204);
    wait_for("the expiry", || {
        let response = sandbox.call("GET", &format!("/sessions/{session}"), "");
        (response.status == 404).then_some(())
    });
    let participant = sandbox.call("GET", &format!("/participants/{participant}"), "").json;
    assert_eq!((&participant["sessions"], &participant["subscriptions"]), (&json!([]), &json!({})));
}

#[test]
fn requests_are_logged_without_credentials() {
    let (mut sandbox, log) = Sandbox::start_with_log(&[]);
    let mut log = BufReader::new(log);
    let path = format!("{SESSIONS}/{UNKNOWN_ID}");
    assert_eq!(sandbox.send(&user_request("GET", &path, "")).status, 404);
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert_eq!(line, format!("bw-sandbox: live page: http://{}/\n", sandbox.address));
    line.clear();
    log.read_line(&mut line).unwrap();
    assert!(line.contains(&format!("GET {path} -> 404 (getSession, ")), "{line}");
    sandbox.add_fault(&json!({"operation": "*", "kind": "close_before"}));
    assert_eq!(sandbox.send_raw(user_request("POST", SESSIONS, "")), b"");
    line += &sandbox.stop_and_read(log);
    assert!(line.contains("-> closed (createSession, "), "{line}");
    assert_contains_none(&line, &["secret", "dXNlc"]);
}

#[test]
fn quiet_disables_the_log() {
    let (mut sandbox, log) = Sandbox::start_with_log(&["--quiet"]);
    sandbox.session();
    assert_eq!(sandbox.stop_and_read(log), "");
}

#[test]
fn address_that_is_not_loopback_gets_a_warning() {
    // No machine has these addresses, so that nothing outside can connect during the test.
    for listen in ["192.0.2.1:0", "[2001:db8::1]:0"] {
        let output = program(&["--quiet", "--listen", listen]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let warning = text.lines().find(|line| line.contains("warning:"));
        assert!(warning.is_some_and(|line| line.contains("/_sandbox has no password")), "{text}");
    }
}

/// What the program prints until it has printed this many lines.
fn first_lines(arguments: &[&str], count: usize) -> Vec<String> {
    let mut child = program(arguments).arg("--quiet").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines = lines.take(count).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    lines
}

#[test]
fn env_prints_the_variables_of_a_client() {
    let secret = r#"it's "$HOME" `id` \"#;
    let arguments = ["--env", "--account", "77", "--client-id", "me", "--client-secret", secret];
    let lines = first_lines(&arguments, 8);
    let root = lines[0].strip_suffix("/v1").unwrap();
    assert!(root.starts_with("http://127.0.0.1:"), "{lines:?}");
    let names =
        ["ACCOUNT_ID", "CLIENT_ID", "CLIENT_SECRET", "BASE_URL", "ENDPOINTS_URL", "TOKEN_URL"];
    assert_eq!(lines[1], "unset BW_USERNAME BW_PASSWORD");
    for (line, name) in lines[2..].iter().zip(names) {
        assert!(line.starts_with(&format!("export BW_{name}='")), "{line}");
    }
    // The variables in a shell.
    let script = format!("{}\nenv -0 | grep -z ^BW_", lines[1..].join("\n"));
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env_clear().env("BW_USERNAME", "me").env("BW_PASSWORD", "old");
    let output = shell.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut variables: Vec<&str> = text.split_terminator('\0').collect();
    variables.sort_unstable();
    assert_eq!(
        variables,
        [
            "BW_ACCOUNT_ID=77".to_owned(),
            format!("BW_BASE_URL={root}/v1"),
            "BW_CLIENT_ID=me".to_owned(),
            format!("BW_CLIENT_SECRET={secret}"),
            format!("BW_ENDPOINTS_URL={root}/v2"),
            format!("BW_TOKEN_URL={root}/api/v1/oauth2/token"),
        ]
    );
}

#[test]
fn env_states_the_authority_file_in_a_comment() {
    // Relative to the working directory, which may not be the client's.
    let file = format!("target-bw-sandbox-{}-env\n.pem", std::process::id());
    let lines = first_lines(&["--env", "--tls", "--ca-out", &file], 9);
    std::fs::remove_file(&file).unwrap();
    assert!(lines[7].starts_with("export BW_TOKEN_URL='https://127.0.0.1:"), "{lines:?}");
    assert!(lines[8].starts_with('#') && lines[8].contains("caFile to \"/"), "{lines:?}");
    assert!(lines[8].ends_with("-env\\n.pem\""), "{lines:?}");
}

#[test]
fn tls_without_an_authority_file_gets_a_warning() {
    let lines = first_lines(&["--env", "--tls"], 9);
    assert!(lines[8].starts_with('#') && lines[8].contains("add --ca-out FILE"), "{lines:?}");
    let (mut sandbox, log) = Sandbox::start_with_log(&["--tls"]);
    let line = sandbox.stop_and_read(log);
    assert!(line.contains("warning: ") && line.contains("add --ca-out FILE"), "{line}");
}

#[test]
fn help_lists_all_options_and_routes() {
    let output = program(&["--help"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "--listen",
        "--account",
        "--username",
        "--password",
        "--client-id",
        "--client-secret",
        "--token-ttl",
        "--no-basic",
        "--env",
        "/api/v1/oauth2/token",
        "\"token\"",
        "/_sandbox/tokens/revoke",
        "/_sandbox/secret",
        "--tls",
        "--ca-out",
        "--session-ttl",
        "--endpoint-ttl",
        "--max-endpoints",
        "--endpoint-bxml",
        "--webhooks",
        "--webhook-ca",
        "--quiet",
        "/_sandbox/faults",
        "/_sandbox/requests",
        "/_sandbox/state",
        "/_sandbox/webhooks",
        "/_sandbox/reset",
        "/connect",
        "/leave",
        "/disconnect",
        "/eligible",
        "/ineligible",
        "/outbound",
        "close_before",
        "close_after",
        "truncate",
        "garbage",
        "dribble",
        "SIGTERM",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn invalid_arguments_are_reported() {
    let other = Sandbox::start(&[]);
    let address = other.address.to_string();
    for (arguments, reason) in [
        (vec!["--listen", address.as_str()], address.as_str()),
        (vec!["--listen", "nowhere"], "nowhere"),
        (vec!["--listen", "8081"], "use 127.0.0.1:8081"),
        (vec!["--listen", ":8081"], "use 127.0.0.1:8081"),
        (vec!["--listen", "localhost:8081"], "use 127.0.0.1:8081"),
        (vec!["--listen", "127.0.0.1"], "use 127.0.0.1:8080"),
        (vec!["--ca-out", "/tmp/x.pem"], "--tls"),
        (vec!["--tls", "--ca-out", "/nowhere/x.pem"], "/nowhere/x.pem"),
        (vec!["--session-ttl", "soon"], "soon"),
        (vec!["--token-ttl", "-1"], "-1"),
        (vec!["--endpoint-ttl", "0"], "0 is not in"),
        (vec!["--endpoint-ttl", "99999999999"], "is not in"),
        (vec!["--max-endpoints", "many"], "many"),
        (vec!["--webhooks", "both"], "docs, spec"),
        (vec!["--webhook-ca", "/nowhere/x.pem"], "/nowhere/x.pem"),
        (vec!["--webhook-ca", "/dev/null"], "/dev/null: it has none"),
        (vec!["--client-id", "a:b"], "colon"),
        (vec!["--username", "a:b"], "colon"),
        (vec!["--verbose"], "--verbose"),
    ] {
        let output = program(&arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(reason) && !text.contains("panicked"), "{arguments:?}: {text}");
    }
}
