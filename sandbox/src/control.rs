//! `/_sandbox`: the routes for tests. They need no credentials, so listen on loopback only.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{self, Path};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::recorder::RecordedRequest;
use crate::response::ServiceResponse;
use crate::sandbox::{self, Sandbox};
use crate::webhooks::{Delivery, Webhook};
use crate::{origin, page};

type State = extract::State<Arc<Sandbox>>;

/// The routes.
pub fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/requests", get(requests))
        .route("/state", get(state))
        .route("/tokens/revoke", post(revoke_tokens))
        .route("/secret", post(rotate_secret))
        .route("/participants/{id}/{action}", post(participant_action))
        .route("/endpoints/{id}/{action}", post(endpoint_action))
        .route("/webhooks", get(webhooks))
        .route("/devices", get(devices))
        .route("/reset", post(reset))
        .route("/events", get(page::events))
        .route("/participants/{id}/token", post(participant_token))
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
    let state = sandbox.state();
    let mut account = state.v1.state(usize::MAX);
    account["id"] = json!(sandbox.arguments.account);
    account["endpoints"] = state.v2.state(usize::MAX);
    Json(json!({"accounts": [account]}))
}

async fn revoke_tokens(sandbox: State) -> Response {
    sandbox.auth.revoke();
    no_content(Ok(()))
}

async fn rotate_secret(sandbox: State, body: Bytes) -> Response {
    no_content(sandbox.auth.rotate(&body))
}

/// A new token of a participant, for the page that joins as this participant.
async fn participant_token(sandbox: State, Path(id): Path<String>) -> Response {
    let response = match sandbox.state().v1.issue_token(&id) {
        Ok(token) => ServiceResponse::ok(&json!({"token": token})),
        Err(response) => response,
    };
    response.with_header("Cache-Control", "no-store").into_http()
}

type DevicePath = Path<(String, String)>;

async fn participant_action(sandbox: State, Path((id, action)): DevicePath) -> Response {
    let Ok(action) = action.parse() else { return unknown_route().await };
    let state = sandbox.state();
    deliver(&sandbox, &state, state.v1.device_action(&id, action)).await
}

async fn endpoint_action(sandbox: State, Path((id, action)): DevicePath, body: Bytes) -> Response {
    let Ok(action) = action.parse() else { return unknown_route().await };
    let state = sandbox.state();
    deliver(&sandbox, &state, state.v2.device_action(&id, action, &body)).await
}

/// Sends the webhook of a device's action. The response is the delivery.
async fn deliver(
    sandbox: &Sandbox,
    state: &sandbox::State,
    webhook: Result<Webhook, ServiceResponse>,
) -> Response {
    match webhook {
        Err(response) => response.into_http(),
        Ok(webhook) => {
            let delivery = sandbox.webhook_client.deliver(webhook).await;
            state.deliveries.add(delivery.clone());
            ServiceResponse::ok(&json!(delivery)).into_http()
        }
    }
}

async fn webhooks(sandbox: State) -> Json<Vec<Delivery>> {
    Json(sandbox.state().deliveries.all())
}

#[cfg(feature = "media")]
async fn devices(sandbox: State) -> Json<Value> {
    Json(Value::clone(&sandbox.devices.snapshot()))
}

#[cfg(not(feature = "media"))]
async fn devices() -> Response {
    error(404, "this bw-sandbox is built without devices (cargo feature media)")
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
