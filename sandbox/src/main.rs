//! bw-sandbox: a local, stateful simulator of Bandwidth's WebRTC service.
//!
//! Written from the service's documentation, on purpose not from the library's sources: a mistake
//! that both shared would hide.
//!
//! | module | contents |
//! |---|---|
//! | `cli` | the command line |
//! | `server`, `stream`, `tls` | connections: accepting them, and making them fail on command |
//! | `service` | `/v1` and the token endpoint: route, credentials, faults, operation, in this order |
//! | `auth` | the token endpoint, and the check of credentials |
//! | `operations`, `world`, `documents`, `token` | what the service does and remembers |
//! | `reply` | answers, and the service's error bodies |
//! | `control`, `origin`, `faults`, `recorder`, `webhooks` | `/_sandbox`: the routes for tests |

mod auth;
mod cli;
mod control;
mod documents;
mod faults;
mod operations;
mod origin;
mod recorder;
mod reply;
mod server;
mod service;
mod stream;
mod tls;
mod token;
mod webhooks;
mod world;

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use clap::Parser;

use crate::cli::Arguments;
use crate::service::Sandbox;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("no threads can be started: {error}")),
    };
    let result = runtime.block_on(async {
        let router = Router::new()
            .nest("/_sandbox", control::routes())
            .fallback(service::handle)
            .with_state(Arc::new(Sandbox::new(&arguments)));
        let server = server::Server::bind(&arguments, router).await?;
        server.announce(&arguments)?;
        tokio::select! {
            () = server.run() => {}
            () = server::stop_signal() => {}
        }
        Ok::<(), String>(())
    });
    // Connections that are still open are not waited for.
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
