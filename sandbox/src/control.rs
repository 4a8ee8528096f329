//! `/_sandbox`: the routes for tests. They need no credentials, so listen on loopback only.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{self, Path};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::origin;
use crate::recorder::RecordedRequest;
use crate::response::ServiceResponse;
use crate::sandbox::Sandbox;
use crate::webhooks::Delivery;

type State = extract::State<Arc<Sandbox>>;

/// The routes.
pub fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/requests", get(requests))
        .route("/state", get(state))
        .route("/tokens/revoke", post(revoke_tokens))
        .route("/secret", post(rotate_secret))
        .route("/participants/{id}/{action}", post(participant_device))
        .route("/webhooks", get(webhooks))
        .route("/reset", post(reset))
        .fallback(unknown_route)
        .layer(middleware::from_fn(reject_web_pages))
}

async fn reject_web_pages(request: extract::Request, next: Next) -> Response {
    match origin::check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(message) => error(403, message),
    }
}

async fn add_fault(sandbox: State, body: Bytes) -> Response {
    no_content(sandbox.state().faults.add(&body))
}

async fn clear_faults(sandbox: State) -> Response {
    sandbox.state().faults.clear();
    no_content(Ok(()))
}

async fn requests(sandbox: State) -> Json<Vec<RecordedRequest>> {
    Json(sandbox.state().recorder.requests())
}

async fn state(sandbox: State) -> Json<Value> {
    Json(json!({"accounts": [sandbox.state().v1.state()]}))
}

async fn revoke_tokens(sandbox: State) -> Response {
    sandbox.auth.revoke();
    no_content(Ok(()))
}

async fn rotate_secret(sandbox: State, body: Bytes) -> Response {
    no_content(sandbox.auth.rotate(&body))
}

async fn participant_device(
    sandbox: State,
    Path((id, action)): Path<(String, String)>,
) -> Response {
    let Some(action) = action.parse().ok() else { return unknown_route().await };
    let state = sandbox.state();
    match state.v1.device_action(&id, action) {
        Err(response) => response.into_http(),
        Ok(webhook) => {
            let delivery = state.webhooks.deliver(webhook).await;
            ServiceResponse::ok(&json!(delivery)).into_http()
        }
    }
}

async fn webhooks(sandbox: State) -> Json<Vec<Delivery>> {
    Json(sandbox.state().webhooks.deliveries())
}

async fn reset(sandbox: State) -> Response {
    sandbox.reset();
    no_content(Ok(()))
}

async fn unknown_route() -> Response {
    error(404, "no such route; see bw-sandbox --help")
}

fn no_content(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => ServiceResponse::no_content().into_http(),
        Err(message) => error(400, &message),
    }
}

fn error(status: u16, message: &str) -> Response {
    ServiceResponse::json(status, &json!({"error": message})).into_http()
}
