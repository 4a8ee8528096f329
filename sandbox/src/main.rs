//! bw-sandbox: a local, stateful simulator of Bandwidth's WebRTC services.
//!
//! It is written from the services' documentation and deliberately not from the library's sources:
//! a mistake that both shared would stay hidden.
//!
//! | module | contents |
//! |---|---|
//! | `cli` | the command line |
//! | `server`, `stream`, `tls` | accepts connections, and makes them fail on request |
//! | `gateway` | `/v1`, `/v2` and the token endpoint: routing, credentials, faults, operation |
//! | `control`, `origin` | `/_sandbox`: the routes for tests, and who may use them |
//! | `page` | the live page and its events |
//! | `devices` | the websocket of the device SDKs, and the media (feature `media`) |
//! | `sandbox` | what all requests share, and what a reset replaces |
//! | `auth`, `jwt` | the token endpoint, the check of credentials, and tokens |
//! | `v1` | WebRTC v1: its operations, and the state that they work on |
//! | `v2` | BRTC Endpoints: likewise |
//! | `faults`, `recorder`, `webhooks` | the simulated failures, the recorded requests, the deliveries |
//! | `response` | responses, and the error bodies of WebRTC v1 |
//! | `clock` | the time |
//!
//! Dependencies point in one direction: `main` → `server`, `control`, `page`, `gateway` → `sandbox` →
//! `faults` → `v1`, `v2` → `auth` → `recorder`, `webhooks`, `response`, `stream`, `jwt`, `cli`, `clock`. Only
//! `devices` and `sandbox` use each other: the sandbox contains the sender of the engine's commands.

mod auth;
mod cli;
mod clock;
mod control;
#[cfg(feature = "media")]
mod devices;
mod faults;
mod gateway;
mod jwt;
mod origin;
mod page;
mod recorder;
mod response;
mod sandbox;
mod server;
mod stream;
mod tls;
mod v1;
mod v2;
mod webhooks;

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use clap::Parser;

use crate::cli::Arguments;
use crate::sandbox::Sandbox;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start threads: {error}")),
    };
    let result = runtime.block_on(async {
        let sandbox = Arc::new(Sandbox::new(arguments.clone())?);
        let router = Router::new()
            .merge(page::routes())
            .nest("/_sandbox", control::routes())
            .fallback(gateway::handle);
        #[cfg(feature = "media")]
        let router = {
            devices::start(&sandbox)?;
            router.merge(devices::routes())
        };
        let router = router.with_state(sandbox);
        let server = server::Server::bind(&arguments, router).await?;
        // Before the URL is printed: who has read it may already send a signal.
        let stop_signal = server::stop_signal();
        server.print_url(&arguments)?;
        tokio::select! {
            () = server.run() => {}
            () = stop_signal => {}
        }
        Ok::<(), String>(())
    });
    // Does not wait for open connections.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("bw-sandbox: {message}");
    ExitCode::FAILURE
}
