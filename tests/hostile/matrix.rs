//! Runs every case and checks it: the result of the call must agree with the records of the service.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cases::{
    self, Again, Case, ConnectionKind, FAULTS, Fault, Frequency, OperationClass, PHASES, Phase,
    Target,
};
use super::fault_server::{FaultServer, PARTICIPANT, RecordedRequest, SESSION, TOKEN_PATH};
use super::resolver;
use super::support::abi::Client;
use super::support::certificates::{Authority, Validity};
use super::support::process::Sandbox;

/// The timeout of a call that only its deadline ends.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// The timeout of an attempt if the next one must succeed, also on a busy machine.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2000);
/// The delay that a busy machine may add.
const SLACK: Duration = Duration::from_secs(5);
/// More threads than processors, because most cases wait.
const THREADS: usize = 64;

/// How many cases of a fault in a phase ended with each status.
type StatusCounts = BTreeMap<String, usize>;

#[test]
fn every_result_agrees_with_the_records_of_the_service() {
    let cases = cases::all();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let result: Mutex<BTreeMap<(Target, usize, usize), StatusCounts>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judged = catch_unwind(AssertUnwindSafe(|| run(case)));
                    match judged.unwrap_or_else(|_| Err("panicked, see above".to_owned())) {
                        Ok(name) => {
                            let key = (case.target, case.phase as usize, case.fault as usize);
                            let mut result = result.lock().unwrap();
                            *result.entry(key).or_default().entry(name).or_default() += 1;
                        }
                        Err(why) => wrong.lock().unwrap().push(format!("{case:?}: {why}")),
                    }
                }
            });
        }
    });
    for ((target, phase, fault), names) in result.into_inner().unwrap() {
        println!("{target:?}: {:?} x {:?}: {names:?}", PHASES[phase], FAULTS[fault]);
    }
    println!("{} cases", cases.len());
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    // Fails if cases disappear from the table.
    assert!(cases.len() >= 3100, "only {} cases", cases.len());
}

/// The result of a call.
struct CallResult {
    status: String,
    outcome: Option<String>,
    attempts: u64,
    document: Value,
}

impl CallResult {
    fn of(result: Result<Value, Value>) -> CallResult {
        match result {
            Ok(document) => {
                CallResult { status: "BW_OK".to_owned(), outcome: None, attempts: 0, document }
            }
            Err(document) => {
                let error = &document["error"];
                CallResult {
                    status: error["name"].as_str().unwrap().to_owned(),
                    outcome: error["outcome"].as_str().map(str::to_owned),
                    attempts: error["attempts"].as_u64().unwrap(),
                    document,
                }
            }
        }
    }
}

struct Setup {
    server: Arc<FaultServer>,
    client: Client,
    host: String,
}

fn setup(case: &Case) -> Setup {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    static AUTHORITY: LazyLock<(Authority, Arc<rustls::ServerConfig>)> = LazyLock::new(|| {
        let authority = Authority::new("matrix");
        let server = authority.server("*.hosts.test", Validity::Now);
        (authority, server)
    });
    let proxied = matches!(case.phase, Phase::Proxy | Phase::Socks);
    let tls = case.tls.then(|| AUTHORITY.1.clone());
    let server = Arc::new(FaultServer::start(case.phase, case.fault, proxied, tls));
    let host = format!("n{}.hosts.test", COUNT.fetch_add(1, Ordering::Relaxed));
    let scheme = if case.tls { "https" } else { "http" };
    let port = server.address.port();
    let root = format!("{scheme}://{host}:{port}");
    let mut config = json!({
        "accountId": "9900000", "baseUrl": format!("{root}/v1"), "allowInsecureHttp": true,
        "connectTimeoutMs": 60_000, "timeoutMs": 60_000, "maxResponseBytes": 64 * 1024,
        "retryBaseMs": 1, "dnsTtlMs": 0, "ipFamily": "ipv4",
        "maxRetries": if case.frequency == Frequency::Always { 0 } else { 2 },
    });
    let credentials = match case.target {
        Target::Operation => json!({"username": "user", "password": "a password of the matrix"}),
        Target::TokenRequest => json!({
            "clientId": "client", "clientSecret": "a secret of the matrix",
            "tokenUrl": format!("{root}{TOKEN_PATH}"),
        }),
    };
    config.as_object_mut().unwrap().extend(credentials.as_object().unwrap().clone());
    if case.waits() && case.frequency == Frequency::Always {
        config["timeoutMs"] = json!(CALL_TIMEOUT.as_millis() as u64);
    }
    if case.waits() && case.frequency == Frequency::Once {
        config["attemptTimeoutMs"] = json!(ATTEMPT_TIMEOUT.as_millis() as u64);
    }
    if case.tls {
        config["caFile"] = json!(AUTHORITY.0.file);
    }
    match case.phase {
        Phase::Proxy => config["proxy"] = json!(format!("http://127.0.0.1:{port}")),
        Phase::Socks => config["proxy"] = json!(format!("socks5://127.0.0.1:{port}")),
        _ => {}
    }
    let client = Client::new(&config).unwrap_or_else(|error| panic!("{error}"));
    Setup { server, client, host }
}

fn call(client: &Client, class: OperationClass) -> CallResult {
    CallResult::of(client.call(class.operation(), SESSION, PARTICIPANT, class.document()))
}

/// Returns the status if the result agrees with the records.
fn run(case: &Case) -> Result<String, String> {
    let setup = setup(case);
    let server = &setup.server;
    if case.connection_kind == ConnectionKind::Reused {
        // The warm-up call has the short timeout too; a busy machine may take longer.
        let warm = (0..20).any(|_| call(&setup.client, OperationClass::Read).status == "BW_OK");
        check(warm, || "the warm-up failed".to_owned())?;
        if case.is_early() {
            server.close_idle();
        }
    }
    let warm_up = server.records().requests.len();
    let takes_fault = if case.frequency == Frequency::Once { 1 } else { usize::MAX };
    resolver::set_fault(
        &setup.host,
        if case.phase == Phase::Name { takes_fault } else { 0 },
        case.fault,
    );
    server.set_fault(takes_fault);
    if case.frequency == Frequency::Once && server.refuses_connections() {
        clear_fault_after_the_first_attempt(&setup);
    }
    let began = Instant::now();
    let result = call(&setup.client, case.class);
    let took = began.elapsed();
    server.clear_fault();
    resolver::set_fault(&setup.host, 0, case.fault);

    let requests: Vec<RecordedRequest> = {
        // The service may record a request after the call has ended.
        if result.status == "BW_OK" {
            let is_done =
                |request: &RecordedRequest| request.processed && !request.is_token_request();
            server.wait(|| server.records().requests[warm_up..].iter().any(is_done));
        }
        server.records().requests[warm_up..].to_vec()
    };
    judge(case, &result, &requests, took).and_then(|()| judge_next_call(case, &setup)).map_err(
        |why| {
            let requests: Vec<_> = server.records().requests[warm_up..].to_vec();
            format!(
                "{why}\n    result {} {:?} {}\n    requests {requests:?}",
                result.status, result.outcome, result.document
            )
        },
    )?;
    Ok(result.status)
}

/// An unreachable service cannot count attempts. The client logs each of them, in the calling thread and
/// before the next attempt.
fn clear_fault_after_the_first_attempt(setup: &Setup) {
    let server = Arc::downgrade(&setup.server);
    setup.client.on_line(move |_, line| {
        let is_retried =
            ["event=retry ", "event=tokenRetry "].iter().any(|words| line.contains(words));
        if let Some(server) = is_retried.then(|| server.upgrade()).flatten() {
            server.clear_fault();
        }
    });
}

fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn judge(
    case: &Case,
    result: &CallResult,
    requests: &[RecordedRequest],
    took: Duration,
) -> Result<(), String> {
    let expected = case.expected();
    let outcome = result.outcome.as_deref();
    let is = |status: &str| result.status == status;
    let (tokens, requests): (Vec<&RecordedRequest>, Vec<&RecordedRequest>) =
        requests.iter().partition(|request| request.is_token_request());

    // These conditions are independent of the fault.
    check(outcome != Some("not_sent") || requests.is_empty(), || {
        "not_sent, but the service received the request".into()
    })?;
    let processed = requests.iter().filter(|request| request.processed).count();
    check(outcome != Some("rejected") || processed == 0, || {
        "rejected, but the service processed the request".into()
    })?;
    check(!is("BW_OK") || processed > 0, || {
        "success, but the service processed no request".into()
    })?;
    let posts = requests.iter().filter(|e| e.line.starts_with("POST") && e.processed).count();
    check(posts <= 1, || format!("{posts} participants were created"))?;
    // At most one attempt may have been processed.
    let refused = case.phase == Phase::BodySent && case.fault == Fault::Refuse;
    check(case.class.is_repeatable() || refused || requests.len() <= 1, || {
        "a creation was repeated".into()
    })?;
    check(took < Duration::from_secs(30), || format!("took {took:?}"))?;

    // An operation is sent only with a token.
    let has_token = case.target == Target::Operation || tokens.iter().any(|token| token.processed);
    check(requests.is_empty() || has_token, || "sent without a token".into())?;

    // The result must be one that the fault allows.
    let succeeds_at_once = expected.statuses == ["BW_OK"];
    let may_succeed_again = case.frequency == Frequency::Once
        && expected.again == Again::Yes
        && (case.class.is_repeatable() || expected.outcomes != ["unknown"]);
    let must_succeed = succeeds_at_once
        || may_succeed_again
            && (case.class.is_repeatable() || !expected.outcomes.contains(&"unknown"));
    if is("BW_OK") {
        return check(succeeds_at_once || may_succeed_again, || "must not succeed".into());
    }
    check(!must_succeed, || "must succeed".into())?;
    check(expected.statuses.contains(&result.status.as_str()), || {
        format!("not one of {:?}", expected.statuses)
    })?;
    check(outcome.is_some_and(|outcome| expected.outcomes.contains(&outcome)), || {
        format!("not one of {:?}", expected.outcomes)
    })?;
    let attempts = if case.target == Target::Operation { 1 } else { 0 };
    check(result.attempts == attempts, || format!("{} attempts", result.attempts))?;
    let message = result.document["error"]["message"].as_str().unwrap_or_default();
    let is_named = case.target == Target::Operation || message.starts_with("the token request");
    check(is_named, || "the message does not name the token request".into())?;
    if case.waits() {
        let due = if case.frequency == Frequency::Always { CALL_TIMEOUT } else { ATTEMPT_TIMEOUT };
        check(took >= due - Duration::from_millis(50), || format!("ended after {took:?}"))?;
        check(took < due + SLACK, || format!("took {took:?}, not {due:?}"))?;
    }
    Ok(())
}

/// The next call succeeds, and not on the connection that was affected by the fault.
fn judge_next_call(case: &Case, setup: &Setup) -> Result<(), String> {
    let before = setup.server.records().requests.len();
    // The short timeout may expire on a busy machine.
    let next = (0..20)
        .map(|_| call(&setup.client, OperationClass::Read))
        .find(|next| next.status == "BW_OK" || !case.waits())
        .ok_or("the next call never succeeds")?;
    check(next.status == "BW_OK", || format!("the next call: {}", next.document))?;
    check(next.document["id"] == SESSION, || format!("the next call returned {}", next.document))?;
    let records = setup.server.records();
    let used = &records.requests[before..];
    let clean =
        used.iter().all(|request| !records.faulty_connections.contains(&request.connection));
    check(case.expected().reusable || clean, || {
        format!("a connection was used again: {:?} of {used:?}", records.faulty_connections)
    })
}

impl Case {
    /// Whether only the deadline ends the call.
    fn waits(&self) -> bool {
        self.expected().statuses == ["BW_E_TIMEOUT"]
    }
}

#[test]
fn matrix_uses_its_own_resolver() {
    // The library calls the resolver of this program, which knows no name of this machine.
    let sandbox = Sandbox::start(&[]);
    let port = sandbox.url.rsplit(':').next().unwrap().to_owned();
    let config = json!({"accountId": "9900000", "username": "user", "password": "secret",
        "baseUrl": format!("http://localhost:{port}"), "maxRetries": 0});
    let result = CallResult::of(Client::new(&config).unwrap().create("{}"));
    assert_eq!(result.status, "BW_E_RESOLVE", "{}", result.document);
}
