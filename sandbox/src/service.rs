//! `/v1`: a request goes through route, credentials, account, faults and operation, in this order,
//! as at the service and the gateway in front of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Request, State};
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
    operation: Option<Operation>,
    method: String,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    connection: Connection,
    began: Instant,
    time: u64,
}

/// Handles every request outside `/_sandbox`.
pub async fn handle(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Some(connection) = head.extensions.get::<Connection>().cloned() else {
        return Reply::error(500, "a request without a connection").into_response(false);
    };
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect());
    let (began, time) = (Instant::now(), recorder::now_ms());
    let body = match read.await {
        Ok(Ok(body)) => body.to_bytes(),
        // hyper closes the connection, since what is left of the body was not read.
        _ => return Reply::error(413, "the body is too large or too slow").into_response(false),
    };
    let path = head.uri.path_and_query().map_or("", |path| path.as_str()).to_owned();
    let passing = Passing {
        operation: operations::route(&head.method, head.uri.path()).map(|r| r.operation),
        method: head.method.to_string(),
        path,
        headers: head.headers,
        body,
        connection,
        began,
        time,
    };
    let Some(route) = operations::route(&head.method, head.uri.path()) else {
        return finish(&sandbox, passing, Reply::forbidden(), &Effects::default());
    };
    if !sandbox.is_authorized(&passing.headers) {
        return finish(&sandbox, passing, Reply::unauthorized(), &Effects::default());
    }
    if route.account != sandbox.account {
        return finish(&sandbox, passing, Reply::forbidden(), &Effects::default());
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
        sandbox.service.perform(&route, &passing.body)
    };
    finish(&sandbox, passing, reply, &effects)
}

/// Keeps and logs the request, and sends the answer or what a fault makes of it.
fn finish(sandbox: &Sandbox, passing: Passing, reply: Reply, effects: &Effects) -> Response {
    let closed = effects.close_before || effects.close_after;
    let mode = if closed {
        Mode::Closed
    } else if effects.garbage {
        Mode::Garbage
    } else {
        effects.dribble.map_or(Mode::Good, Mode::Dribble)
    };
    passing.connection.conduct.set(mode);
    let status = (!closed).then_some(reply.status);
    let name = passing.operation.map(Operation::name);
    if !sandbox.quiet {
        let status = status.map_or("closed".to_owned(), |status| status.to_string());
        eprintln!(
            "bw-sandbox: #{} {} {} -> {status} ({}, {:.1} ms)",
            passing.connection.number,
            passing.method,
            passing.path,
            name.unwrap_or("no route"),
            passing.began.elapsed().as_secs_f64() * 1000.0,
        );
    }
    sandbox.recorder.keep(Seen {
        operation: name,
        method: passing.method,
        path: passing.path,
        status,
        connection: passing.connection.number,
        time: passing.time,
        headers: recorder::headers(&passing.headers),
        body: recorder::body(&passing.body),
    });
    reply.into_response(effects.truncate)
}
