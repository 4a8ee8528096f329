//! `/v1`, `/v2` and the token endpoint: a request passes routing, credentials, account, faults and
//! operation, in this order, as it does at the service and the gateway in front of it. At the token
//! endpoint the check of the credentials is the operation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{Method, header};
use axum::response::Response;
use http_body_util::{BodyExt, Limited};

use crate::auth::{self, TOKEN_OPERATION, TOKEN_PATH};
use crate::clock;
use crate::faults::Effects;
use crate::recorder::{self, RecordedRequest};
use crate::response::ServiceResponse;
use crate::sandbox::{Sandbox, State};
use crate::stream::{Connection, Mode};
use crate::{v1, v2};

/// The largest request body, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// What a request is for.
enum Target<'a> {
    Token,
    V1(v1::Route<'a>),
    V2(v2::Route<'a>),
}

impl Target<'_> {
    /// The target with this method and path; `None` if there is no such route.
    fn new<'a>(method: &Method, path: &'a str) -> Option<Target<'a>> {
        match path {
            TOKEN_PATH => Some(Target::Token),
            _ => v1::route(method, path)
                .map(Target::V1)
                .or_else(|| v2::route(method, path).map(Target::V2)),
        }
    }

    /// The name of the operation; `None` if the resource does not have this method.
    fn operation(&self) -> Option<&'static str> {
        match self {
            Target::Token => Some(TOKEN_OPERATION),
            Target::V1(route) => Some(route.operation.name()),
            Target::V2(route) => route.operation.map(v2::Operation::name),
        }
    }
}

/// A request in progress, without its head and body.
struct Context {
    sandbox: Arc<Sandbox>,
    state: Arc<State>,
    record_id: u64,
    operation: Option<&'static str>,
    request_line: String,
    connection: Connection,
    started: Instant,
}

/// Handles every request outside `/_sandbox`.
pub async fn handle(
    extract::State(sandbox): extract::State<Arc<Sandbox>>,
    request: extract::Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Some(connection) = head.extensions.get::<Connection>().cloned() else {
        return ServiceResponse::error(500, "the request has no connection").into_http();
    };
    let (started, time) = (Instant::now(), clock::unix_millis());
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect());
    let body = match read.await {
        Ok(Ok(body)) => body.to_bytes(),
        // hyper closes the connection, because the rest of the body was not read.
        _ => {
            let message = "the request body is too large or too slow";
            return ServiceResponse::error(413, message).into_http();
        }
    };
    let operation =
        Target::new(&head.method, head.uri.path()).and_then(|target| target.operation());
    // Without the query, which is recorded separately: some clients send a secret there.
    let path = head.uri.path().to_owned();
    let recorded_body = match operation {
        Some(name) if name != TOKEN_OPERATION => recorder::redact_body(&body),
        _ => recorder::redact_form(&body),
    };
    let state = sandbox.state();
    let context = Context {
        request_line: format!("{} {path}", head.method),
        // Recorded now: the request of a client that does not wait for the response counts as well.
        record_id: state.recorder.add(RecordedRequest {
            id: 0,
            revision: 0,
            operation,
            method: head.method.to_string(),
            path,
            status: None,
            duration: None,
            connection: connection.number,
            time,
            query: recorder::redact_query(head.uri.query().unwrap_or_default()),
            headers: recorder::recorded_headers(&head.headers),
            body: recorded_body,
        }),
        sandbox,
        state,
        operation,
        connection,
        started,
    };
    // In a separate task: the service completes a request even if the client has disconnected.
    let response = tokio::spawn(async move { respond(context, &head, &body).await }).await;
    response.unwrap_or_else(|_| ServiceResponse::error(500, "bw-sandbox failed").into_http())
}

async fn respond(context: Context, head: &Parts, body: &[u8]) -> Response {
    let target = match authorize(&context.sandbox, head) {
        Ok(target) => target,
        Err(rejection) => return finish(&context, rejection, &Effects::default()),
    };
    let effects = context.state.faults.effects(target.operation().unwrap_or_default());
    if !effects.delay.is_zero() {
        tokio::time::sleep(effects.delay).await;
    }
    let response = if effects.close_before {
        ServiceResponse::no_content()
    } else if let Some(response) = &effects.status {
        response.clone()
    } else {
        match target {
            Target::Token => context.sandbox.auth.issue_token(&head.headers, body),
            Target::V1(route) => context.state.v1.execute(&route, body),
            Target::V2(route) => {
                context.state.v2.execute(&route, head, &origin(&context.sandbox, head), body)
            }
        }
    };
    finish(&context, response, &effects)
}

/// The target of a request that passes the gateway.
fn authorize<'a>(sandbox: &Sandbox, head: &'a Parts) -> Result<Target<'a>, ServiceResponse> {
    let target =
        Target::new(&head.method, head.uri.path()).ok_or_else(ServiceResponse::forbidden)?;
    match &target {
        Target::Token if head.method != Method::POST => return Err(auth::method_not_allowed()),
        Target::Token => {}
        Target::V1(route) => {
            let checked = sandbox.auth.check(&head.headers, route.account);
            checked.map_err(v1::authentication_failure)?;
        }
        Target::V2(route) => {
            let checked = sandbox.auth.check(&head.headers, route.account);
            checked.map_err(|error| v2::authentication_failure(error, route.account))?;
            if route.operation.is_none() {
                return Err(v2::method_not_allowed(route));
            }
        }
    }
    Ok(target)
}

/// The scheme and the authority that the client used, for links in responses.
fn origin(sandbox: &Sandbox, head: &Parts) -> String {
    let scheme = if sandbox.arguments.tls { "https" } else { "http" };
    let host = || head.headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    let authority = head.uri.authority().cloned().or_else(host);
    let authority = authority.unwrap_or_else(|| Authority::from_static("localhost"));
    format!("{scheme}://{authority}")
}

/// Records and logs the response, and applies the faults to it.
fn finish(context: &Context, response: ServiceResponse, effects: &Effects) -> Response {
    // A response without a body cannot be cut in half.
    let nothing_to_truncate = effects.truncate && response.body.is_none();
    let closed = effects.close_before || effects.close_after || nothing_to_truncate;
    let mode = if closed {
        Mode::Closed
    } else if effects.garbage {
        Mode::Garbage
    } else {
        effects.dribble.map_or(Mode::Normal, Mode::Dribble)
    };
    context.connection.mode.set(mode);
    let status = (!closed).then_some(response.status);
    context.state.recorder.set_status(context.record_id, status);
    if !context.sandbox.arguments.quiet {
        eprintln!(
            "bw-sandbox: #{} {} -> {} ({}, {:.1} ms)",
            context.connection.number,
            context.request_line,
            status.map_or("closed".to_owned(), |status| status.to_string()),
            context.operation.unwrap_or("no route"),
            context.started.elapsed().as_secs_f64() * 1000.0,
        );
    }
    match effects.truncate && !nothing_to_truncate {
        true => response.into_truncated_http(),
        false => response.into_http(),
    }
}
