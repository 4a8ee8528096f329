//! `/v1` and the token endpoint: a request goes through route, credentials, account, faults and
//! operation, in this order, as at the service and the gateway in front of it. At the token
//! endpoint the check of the credentials is the operation.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use http_body_util::{BodyExt, Limited};

use crate::auth::{self, Auth, TOKEN_OPERATION, TOKEN_PATH};
use crate::cli::Arguments;
use crate::faults::{Effects, Faults};
use crate::operations::{self, Route, Service};
use crate::recorder::{self, Recorder, Seen};
use crate::reply::Reply;
use crate::stream::{Connection, Mode};
use crate::webhooks::Webhooks;

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// How long a peer may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything that requests share.
pub struct Sandbox {
    /// The account that exists.
    pub account: String,
    /// The credentials that exist.
    pub auth: Auth,
    session_ttl: Duration,
    quiet: bool,
    store: Mutex<Arc<Store>>,
}

/// What a reset replaces, as a whole: a request that is in progress continues with the old one.
pub struct Store {
    /// What the service does and remembers.
    pub service: Service,
    /// The faults that were added.
    pub faults: Faults,
    /// The recorded requests.
    pub recorder: Recorder,
    /// The webhooks that were delivered.
    pub webhooks: Webhooks,
}

impl Store {
    fn new(account: &str, session_ttl: Duration) -> Arc<Store> {
        Arc::new(Store {
            service: Service::new(account, session_ttl),
            faults: Faults::default(),
            recorder: Recorder::default(),
            webhooks: Webhooks::default(),
        })
    }
}

impl Sandbox {
    /// A sandbox with the options of the command line.
    pub fn new(arguments: &Arguments) -> Sandbox {
        let session_ttl = Duration::from_secs(arguments.session_ttl);
        Sandbox {
            account: arguments.account.clone(),
            auth: Auth::new(arguments),
            session_ttl,
            quiet: arguments.quiet,
            store: Mutex::new(Store::new(&arguments.account, session_ttl)),
        }
    }

    /// The store since the last reset. Each request uses one from its beginning to its end.
    pub fn store(&self) -> Arc<Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Restores the initial state.
    pub fn reset(&self) {
        self.auth.reset();
        let new = Store::new(&self.account, self.session_ttl);
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}

/// What a request asks for.
enum Target<'a> {
    Token,
    Operation(Route<'a>),
}

impl Target<'_> {
    /// The target with this method and path; `None` if there is no such route.
    fn of<'a>(method: &Method, path: &'a str) -> Option<Target<'a>> {
        match path {
            TOKEN_PATH => Some(Target::Token),
            _ => operations::route(method, path).map(Target::Operation),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Target::Token => TOKEN_OPERATION,
            Target::Operation(route) => route.operation.name(),
        }
    }
}

/// A request that is on its way through.
struct Passing {
    sandbox: Arc<Sandbox>,
    store: Arc<Store>,
    id: u64,
    operation: Option<&'static str>,
    what: String,
    connection: Connection,
    began: Instant,
}

/// Handles every request outside `/_sandbox`.
pub async fn handle(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Some(connection) = head.extensions.get::<Connection>().cloned() else {
        return Reply::error(500, "a request without a connection").into_response(false);
    };
    let (began, time) = (Instant::now(), recorder::now_ms());
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect());
    let body = match read.await {
        Ok(Ok(body)) => body.to_bytes(),
        // hyper closes the connection, since what is left of the body was not read.
        _ => return Reply::error(413, "the body is too large or too slow").into_response(false),
    };
    let operation = Target::of(&head.method, head.uri.path()).map(|target| target.name());
    // Without the query: no operation has parameters, and some clients send a secret there.
    let path = head.uri.path().to_owned();
    let recorded_body = match operation {
        Some(name) if name != TOKEN_OPERATION => recorder::body(&body),
        _ => recorder::form(&body),
    };
    let store = sandbox.store();
    let passing = Passing {
        what: format!("{} {path}", head.method),
        // Kept at once: a peer that does not wait for the answer was seen all the same.
        id: store.recorder.keep(Seen {
            id: 0,
            operation,
            method: head.method.to_string(),
            path,
            status: None,
            connection: connection.number,
            time,
            headers: recorder::headers(&head.headers),
            body: recorded_body,
        }),
        sandbox,
        store,
        operation,
        connection,
        began,
    };
    // In a task of its own, since the service does what it was asked to though nobody waits.
    let answer = tokio::spawn(async move { answer(passing, &head, &body).await }).await;
    answer.unwrap_or_else(|_| Reply::error(500, "bw-sandbox failed").into_response(false))
}

async fn answer(passing: Passing, head: &Parts, body: &[u8]) -> Response {
    let target = match admit(&passing.sandbox, head) {
        Ok(target) => target,
        Err(rejection) => return finish(&passing, rejection, &Effects::default()),
    };
    let effects = passing.store.faults.effects(target.name());
    if !effects.delay.is_zero() {
        tokio::time::sleep(effects.delay).await;
    }
    let reply = if effects.close_before {
        Reply::nothing()
    } else if let Some(reply) = &effects.status {
        reply.clone()
    } else {
        match target {
            Target::Token => passing.sandbox.auth.issue(&head.headers, body),
            Target::Operation(route) => passing.store.service.perform(&route, body),
        }
    };
    finish(&passing, reply, &effects)
}

/// The target of a request that passes the gateway.
fn admit<'a>(sandbox: &Sandbox, head: &'a Parts) -> Result<Target<'a>, Reply> {
    let target = Target::of(&head.method, head.uri.path()).ok_or_else(Reply::forbidden)?;
    match &target {
        Target::Token if head.method != Method::POST => return Err(auth::method_not_allowed()),
        Target::Token => {}
        Target::Operation(route) => sandbox.auth.check(&head.headers, route.account)?,
    }
    Ok(target)
}

/// Notes and logs the answer, and makes of it what the faults want.
fn finish(passing: &Passing, reply: Reply, effects: &Effects) -> Response {
    // Of an answer without a body half is nothing.
    let truncated_to_nothing = effects.truncate && reply.body.is_none();
    let closed = effects.close_before || effects.close_after || truncated_to_nothing;
    let mode = if closed {
        Mode::Closed
    } else if effects.garbage {
        Mode::Garbage
    } else {
        effects.dribble.map_or(Mode::Good, Mode::Dribble)
    };
    passing.connection.conduct.set(mode);
    let status = (!closed).then_some(reply.status);
    passing.store.recorder.answered(passing.id, status);
    if !passing.sandbox.quiet {
        eprintln!(
            "bw-sandbox: #{} {} -> {} ({}, {:.1} ms)",
            passing.connection.number,
            passing.what,
            status.map_or("closed".to_owned(), |status| status.to_string()),
            passing.operation.unwrap_or("no route"),
            passing.began.elapsed().as_secs_f64() * 1000.0,
        );
    }
    reply.into_response(effects.truncate && !truncated_to_nothing)
}
