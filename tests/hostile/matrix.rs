//! Runs every cell and judges it: what the caller was told must agree with what the service saw.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cell::{self, Again, Cell, Class, FAULTS, Fault, Lasting, Link, PHASES, Phase, Target};
use super::peer::{Exchange, PARTICIPANT, Peer, SESSION, TOKEN_PATH};
use super::resolver;
use super::support::abi::Client;
use super::support::certificates::{Authority, Validity};
use super::support::process::Sandbox;

/// How long a call may take that nothing but its deadline ends.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long an attempt may take where the next one must succeed, on a busy machine too.
const ATTEMPT: Duration = Duration::from_millis(2000);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(5);
/// Most cells wait.
const THREADS: usize = 32;

/// How many cells of a fault in a phase ended with each status.
type Names = BTreeMap<String, usize>;

#[test]
fn every_cell_agrees_with_what_the_service_saw() {
    let cells = cell::all();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let told: Mutex<BTreeMap<(Target, usize, usize), Names>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judged = catch_unwind(AssertUnwindSafe(|| run(cell)));
                    match judged.unwrap_or_else(|_| Err("panicked, see above".to_owned())) {
                        Ok(name) => {
                            let key = (cell.target, cell.phase as usize, cell.fault as usize);
                            let mut told = told.lock().unwrap();
                            *told.entry(key).or_default().entry(name).or_default() += 1;
                        }
                        Err(why) => wrong.lock().unwrap().push(format!("{cell:?}: {why}")),
                    }
                }
            });
        }
    });
    for ((target, phase, fault), names) in told.into_inner().unwrap() {
        println!("{target:?}: {:?} x {:?}: {names:?}", PHASES[phase], FAULTS[fault]);
    }
    println!("{} cells", cells.len());
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
    // The table itself must not shrink unseen.
    assert!(cells.len() >= 3100, "only {} cells", cells.len());
}

/// What a call came to.
struct Told {
    status: String,
    outcome: Option<String>,
    attempts: u64,
    document: Value,
}

impl Told {
    fn of(result: Result<Value, Value>) -> Told {
        match result {
            Ok(document) => {
                Told { status: "BW_OK".to_owned(), outcome: None, attempts: 0, document }
            }
            Err(document) => {
                let error = &document["error"];
                Told {
                    status: error["name"].as_str().unwrap().to_owned(),
                    outcome: error["outcome"].as_str().map(str::to_owned),
                    attempts: error["attempts"].as_u64().unwrap(),
                    document,
                }
            }
        }
    }
}

struct Scene {
    peer: Arc<Peer>,
    client: Client,
    host: String,
}

fn scene(cell: &Cell) -> Scene {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    static AUTHORITY: LazyLock<(Authority, Arc<rustls::ServerConfig>)> = LazyLock::new(|| {
        let authority = Authority::new("matrix");
        let server = authority.server("*.hosts.test", Validity::Now);
        (authority, server)
    });
    let proxied = matches!(cell.phase, Phase::Proxy | Phase::Socks);
    let tls = cell.tls.then(|| AUTHORITY.1.clone());
    let peer = Arc::new(Peer::start(cell.phase, cell.fault, proxied, tls));
    let host = format!("n{}.hosts.test", COUNT.fetch_add(1, Ordering::Relaxed));
    let scheme = if cell.tls { "https" } else { "http" };
    let port = peer.address.port();
    let lasts = cell.waits();
    let root = format!("{scheme}://{host}:{port}");
    let mut config = json!({
        "accountId": "9900000", "baseUrl": format!("{root}/v1"), "allowInsecureHttp": true,
        "connectTimeoutMs": 60_000, "timeoutMs": 60_000, "maxResponseBytes": 64 * 1024,
        "retryBaseMs": 1, "dnsTtlMs": 0, "ipFamily": "ipv4",
        "maxRetries": if cell.lasting == Lasting::Always { 0 } else { 2 },
    });
    let credentials = match cell.target {
        Target::Operation => json!({"username": "user", "password": "a password of the matrix"}),
        Target::TokenRequest => json!({
            "clientId": "client", "clientSecret": "a secret of the matrix",
            "tokenUrl": format!("{root}{TOKEN_PATH}"),
        }),
    };
    config.as_object_mut().unwrap().extend(credentials.as_object().unwrap().clone());
    if lasts && cell.lasting == Lasting::Always {
        config["timeoutMs"] = json!(PATIENCE.as_millis() as u64);
    }
    if lasts && cell.lasting == Lasting::Once {
        config["attemptTimeoutMs"] = json!(ATTEMPT.as_millis() as u64);
    }
    if cell.tls {
        config["caFile"] = json!(AUTHORITY.0.file);
    }
    match cell.phase {
        Phase::Proxy => config["proxy"] = json!(format!("http://127.0.0.1:{port}")),
        Phase::Socks => config["proxy"] = json!(format!("socks5://127.0.0.1:{port}")),
        _ => {}
    }
    let client = Client::new(&config).unwrap_or_else(|error| panic!("{error}"));
    Scene { peer, client, host }
}

fn call(client: &Client, class: Class) -> Told {
    Told::of(client.call(class.operation(), SESSION, PARTICIPANT, class.document()))
}

/// The status, if all agrees.
fn run(cell: &Cell) -> Result<String, String> {
    let scene = scene(cell);
    let peer = &scene.peer;
    if cell.link == Link::Reused {
        // The warm-up has the patience of a call that waits; a busy machine may take longer.
        let warm = (0..20).any(|_| call(&scene.client, Class::Read).status == "BW_OK");
        check(warm, || "the warm-up failed".to_owned())?;
        if cell.is_early() {
            peer.hang_up();
        }
    }
    let warm_up = peer.seen().exchanges.len();
    let strikes = if cell.lasting == Lasting::Once { 1 } else { usize::MAX };
    resolver::order(&scene.host, if cell.phase == Phase::Name { strikes } else { 0 }, cell.fault);
    peer.arm(strikes);
    if cell.lasting == Lasting::Once && peer.is_parked() {
        heal_after_the_first_attempt(&scene);
    }
    let began = Instant::now();
    let told = call(&scene.client, cell.class);
    let took = began.elapsed();
    peer.heal();
    resolver::order(&scene.host, 0, cell.fault);

    let exchanges: Vec<Exchange> = {
        // The service may be slower than the call in noticing what it read.
        if told.status == "BW_OK" {
            let is_done = |exchange: &Exchange| exchange.acted && !exchange.is_token_request();
            peer.wait(|| peer.seen().exchanges[warm_up..].iter().any(is_done));
        }
        peer.seen().exchanges[warm_up..].to_vec()
    };
    judge(cell, &told, &exchanges, took).and_then(|()| judge_the_next(cell, &scene)).map_err(
        |why| {
            let saw: Vec<_> = peer.seen().exchanges[warm_up..].to_vec();
            format!(
                "{why}\n    told {} {:?} {}\n    saw {saw:?}",
                told.status, told.outcome, told.document
            )
        },
    )?;
    Ok(told.status)
}

/// A service that cannot be reached cannot count attempts: the client's log tells of them, in the
/// calling thread and before the next one.
fn heal_after_the_first_attempt(scene: &Scene) {
    let peer = Arc::downgrade(&scene.peer);
    scene.client.on_line(move |_, line| {
        let is_retried = ["again in", "next attempt in"].iter().any(|words| line.contains(words));
        if let Some(peer) = is_retried.then(|| peer.upgrade()).flatten() {
            peer.heal();
        }
    });
}

fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn judge(cell: &Cell, told: &Told, saw: &[Exchange], took: Duration) -> Result<(), String> {
    let expected = cell.expected();
    let outcome = told.outcome.as_deref();
    let is = |status: &str| told.status == status;
    let (tokens, saw): (Vec<&Exchange>, Vec<&Exchange>) =
        saw.iter().partition(|exchange| exchange.is_token_request());

    // What holds whatever the fault.
    check(outcome != Some("not_sent") || saw.is_empty(), || "not_sent, but it was seen".into())?;
    let acted = saw.iter().filter(|exchange| exchange.acted).count();
    check(outcome != Some("rejected") || acted == 0, || "rejected, but it was done".into())?;
    check(!is("BW_OK") || acted > 0, || "success, but nothing was done".into())?;
    let posts = saw.iter().filter(|e| e.line.starts_with("POST") && e.acted).count();
    check(posts <= 1, || format!("{posts} participants were created"))?;
    // It takes at most one attempt in which the service may have acted.
    let refused = cell.phase == Phase::BodySent && cell.fault == Fault::Refuse;
    check(cell.class.is_repeatable() || refused || saw.len() <= 1, || {
        "a creation was repeated".into()
    })?;
    check(took < Duration::from_secs(30), || format!("took {took:?}"))?;

    // An operation is sent once its token is there.
    let has_token = cell.target == Target::Operation || tokens.iter().any(|token| token.acted);
    check(saw.is_empty() || has_token, || "sent without a token".into())?;

    // What this fault must come to.
    let succeeds_at_once = expected.statuses == ["BW_OK"];
    let may_succeed_again = cell.lasting == Lasting::Once
        && expected.again == Again::Yes
        && (cell.class.is_repeatable() || expected.outcomes != ["unknown"]);
    let must_succeed = succeeds_at_once
        || may_succeed_again
            && (cell.class.is_repeatable() || !expected.outcomes.contains(&"unknown"));
    if is("BW_OK") {
        return check(succeeds_at_once || may_succeed_again, || "must not succeed".into());
    }
    check(!must_succeed, || "must succeed".into())?;
    check(expected.statuses.contains(&told.status.as_str()), || {
        format!("not one of {:?}", expected.statuses)
    })?;
    check(outcome.is_some_and(|outcome| expected.outcomes.contains(&outcome)), || {
        format!("not one of {:?}", expected.outcomes)
    })?;
    let attempts = if cell.target == Target::Operation { 1 } else { 0 };
    check(told.attempts == attempts, || format!("{} attempts", told.attempts))?;
    let message = told.document["error"]["message"].as_str().unwrap_or_default();
    let is_named = cell.target == Target::Operation || message.starts_with("the token request");
    check(is_named, || "the message does not name the token request".into())?;
    if cell.waits() {
        let due = if cell.lasting == Lasting::Always { PATIENCE } else { ATTEMPT };
        check(took >= due - Duration::from_millis(50), || format!("gave up after {took:?}"))?;
        check(took < due + SLACK, || format!("took {took:?}, not {due:?}"))?;
    }
    Ok(())
}

/// The client goes on, and not on the connection that the fault struck.
fn judge_the_next(cell: &Cell, scene: &Scene) -> Result<(), String> {
    let before = scene.peer.seen().exchanges.len();
    // The patience of a call that waits may be short for a busy machine.
    let next = (0..20)
        .map(|_| call(&scene.client, Class::Read))
        .find(|next| next.status == "BW_OK" || !cell.waits())
        .ok_or("the next call never succeeds")?;
    check(next.status == "BW_OK", || format!("the next call: {}", next.document))?;
    check(next.document["id"] == SESSION, || format!("the next call got {}", next.document))?;
    let seen = scene.peer.seen();
    let used = &seen.exchanges[before..];
    let clean = used.iter().all(|exchange| !seen.struck.contains(&exchange.connection));
    check(cell.expected().reusable || clean, || {
        format!("a connection was used again: {:?} of {used:?}", seen.struck)
    })
}

impl Cell {
    /// Whether only the deadline ends the call.
    fn waits(&self) -> bool {
        self.expected().statuses == ["BW_E_TIMEOUT"]
    }
}

#[test]
fn the_names_of_the_matrix_are_the_program_s_own() {
    // The resolver of this file is what the library asks: no name of the machine's is known.
    let sandbox = Sandbox::start(&[]);
    let port = sandbox.url.rsplit(':').next().unwrap().to_owned();
    let config = json!({"accountId": "9900000", "username": "user", "password": "secret",
        "baseUrl": format!("http://localhost:{port}"), "maxRetries": 0});
    let told = Told::of(Client::new(&config).unwrap().create("{}"));
    assert_eq!(told.status, "BW_E_RESOLVE", "{}", told.document);
}
