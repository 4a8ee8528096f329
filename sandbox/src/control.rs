//! `/_sandbox`: the routes for tests. They need no credentials, so listen on loopback only.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::operations;
use crate::origin;
use crate::recorder::Seen;
use crate::reply::Reply;
use crate::service::Sandbox;
use crate::webhooks::Delivery;
use crate::world::Event;

type Shared = State<Arc<Sandbox>>;

/// The routes.
pub fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/faults", post(order_fault).delete(clear_faults))
        .route("/requests", get(requests))
        .route("/state", get(state))
        .route("/tokens/revoke", post(revoke_tokens))
        .route("/secret", post(rotate_secret))
        .route("/participants/{id}/{event}", post(device))
        .route("/webhooks", get(webhooks))
        .route("/reset", post(reset))
        .fallback(unknown)
        .layer(middleware::from_fn(reject_web_pages))
}

async fn reject_web_pages(request: Request, next: Next) -> Response {
    match origin::check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(message) => Reply::json(403, &json!({"error": message})).into_response(false),
    }
}

async fn order_fault(State(sandbox): Shared, body: Bytes) -> Response {
    done(sandbox.store().faults.order(&body))
}

fn done(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => Reply::nothing(),
        Err(message) => Reply::json(400, &json!({"error": message})),
    }
    .into_response(false)
}

async fn clear_faults(State(sandbox): Shared) -> Response {
    sandbox.store().faults.clear();
    Reply::nothing().into_response(false)
}

async fn requests(State(sandbox): Shared) -> Json<Vec<Seen>> {
    Json(sandbox.store().recorder.all())
}

async fn state(State(sandbox): Shared) -> Json<Value> {
    Json(sandbox.store().service.with_world(|world| world.state(&sandbox.account)))
}

async fn revoke_tokens(State(sandbox): Shared) -> Response {
    sandbox.auth.revoke();
    Reply::nothing().into_response(false)
}

async fn rotate_secret(State(sandbox): Shared, body: Bytes) -> Response {
    done(sandbox.auth.rotate(&body))
}

async fn device(State(sandbox): Shared, Path((id, event)): Path<(String, String)>) -> Response {
    let event = match event.as_str() {
        "connect" => Event::Connect,
        "leave" => Event::Leave,
        "disconnect" => Event::Disconnect,
        _ => return unknown().await,
    };
    let store = sandbox.store();
    match store.service.with_world(|world| world.device(&id, event)) {
        Err(refusal) => operations::refuse(refusal).into_response(false),
        Ok(notice) => {
            let delivery = store.webhooks.deliver(&id, event, notice).await;
            Reply::ok(&json!(delivery)).into_response(false)
        }
    }
}

async fn webhooks(State(sandbox): Shared) -> Json<Vec<Delivery>> {
    Json(sandbox.store().webhooks.all())
}

async fn reset(State(sandbox): Shared) -> Response {
    sandbox.reset();
    Reply::nothing().into_response(false)
}

async fn unknown() -> Response {
    let message = "no such route; see bw-sandbox --help";
    Reply::json(404, &json!({"error": message})).into_response(false)
}
