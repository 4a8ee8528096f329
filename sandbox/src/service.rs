//! `/v1`: a request goes through route, credentials, account, faults and operation, in this order,
//! as at the service and the gateway in front of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Limited};
use subtle::ConstantTimeEq;

use crate::cli::Arguments;
use crate::faults::{Effects, Faults};
use crate::operations::{self, Operation, Service};
use crate::recorder::{self, Recorder, Seen};
use crate::reply::Reply;
use crate::server::Connection;
use crate::stream::Mode;
use crate::webhooks::Webhooks;

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// How long a peer may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything that requests share.
pub struct Sandbox {
    /// The account that exists.
    pub account: String,
    /// What the service does and remembers.
    pub service: Service,
    /// The faults that are ordered.
    pub faults: Faults,
    /// The requests that were seen.
    pub recorder: Recorder,
    /// The webhooks that were delivered.
    pub webhooks: Arc<Webhooks>,
    authorization: String,
    quiet: bool,
}

impl Sandbox {
    /// A sandbox as the command line wants it.
    pub fn new(arguments: &Arguments) -> Sandbox {
        let pair = format!("{}:{}", arguments.username, arguments.password);
        let ttl = Duration::from_secs(arguments.session_ttl);
        Sandbox {
            account: arguments.account.clone(),
            service: Service::new(&arguments.account, ttl),
            faults: Faults::default(),
            recorder: Recorder::default(),
            webhooks: Arc::default(),
            authorization: format!("Basic {}", BASE64_STANDARD.encode(pair)),
            quiet: arguments.quiet,
        }
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::AUTHORIZATION)
            .is_some_and(|given| given.as_bytes().ct_eq(self.authorization.as_bytes()).into())
    }
}

/// A request that is on its way through.
struct Passing {
    sandbox: Arc<Sandbox>,
    id: u64,
    operation: Option<Operation>,
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
    let operation = operations::route(&head.method, head.uri.path()).map(|r| r.operation);
    let path = head.uri.path_and_query().map_or("", |path| path.as_str()).to_owned();
    let passing = Passing {
        what: format!("{} {path}", head.method),
        // Kept at once: a peer that does not wait for the answer was seen all the same.
        id: sandbox.recorder.keep(Seen {
            id: 0,
            operation: operation.map(Operation::name),
            method: head.method.to_string(),
            path,
            status: None,
            connection: connection.number,
            time,
            headers: recorder::headers(&head.headers),
            body: recorder::body(&body),
        }),
        sandbox,
        operation,
        connection,
        began,
    };
    // In a task of its own, since the service does what it was asked to though nobody waits.
    let answer = tokio::spawn(async move { answer(passing, &head, &body).await }).await;
    answer.unwrap_or_else(|_| Reply::error(500, "bw-sandbox failed").into_response(false))
}

async fn answer(passing: Passing, head: &Parts, body: &[u8]) -> Response {
    let sandbox = passing.sandbox.clone();
    let none = Effects::default();
    let Some(route) = operations::route(&head.method, head.uri.path()) else {
        return finish(&passing, Reply::forbidden(), &none);
    };
    if !sandbox.is_authorized(&head.headers) {
        return finish(&passing, Reply::unauthorized(), &none);
    }
    if route.account != sandbox.account {
        return finish(&passing, Reply::forbidden(), &none);
    }
    let effects = sandbox.faults.effects(route.operation.name());
    if !effects.delay.is_zero() {
        tokio::time::sleep(effects.delay).await;
    }
    let reply = if effects.close_before {
        Reply::nothing()
    } else if let Some(reply) = &effects.status {
        reply.clone()
    } else {
        sandbox.service.perform(&route, body)
    };
    finish(&passing, reply, &effects)
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
    let sandbox = &passing.sandbox;
    sandbox.recorder.answered(passing.id, status);
    if !sandbox.quiet {
        eprintln!(
            "bw-sandbox: #{} {} -> {} ({}, {:.1} ms)",
            passing.connection.number,
            passing.what,
            status.map_or("closed".to_owned(), |status| status.to_string()),
            passing.operation.map_or("no route", Operation::name),
            passing.began.elapsed().as_secs_f64() * 1000.0,
        );
    }
    reply.into_response(effects.truncate && !truncated_to_nothing)
}
