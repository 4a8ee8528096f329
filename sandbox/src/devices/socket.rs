//! The websocket of a device, with limits against misbehaving clients.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{self, Request};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, timeout};

use super::device::{Outgoing, Socket};
use super::engine::Command;
use super::signaling;
use crate::response::ServiceResponse;
use crate::sandbox::{Sandbox, State};

/// The largest message, in bytes. Offers of browsers have about 10 KB.
const MAX_MESSAGE: usize = 256 * 1024;
/// The number of messages that a device may send at once.
const BURST: f64 = 50.0;
/// The number of messages a second beyond that. A faster device waits.
const MESSAGES_PER_SECOND: f64 = 50.0;
/// The number of messages that may wait for a device that does not read: more than the responses to a
/// burst, which a busy machine makes all at once.
const MAX_OUTBOX: usize = 256;
/// How long sending may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two pings, which browsers answer by themselves.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long nothing may arrive before the device counts as lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a device may take to close the websocket after it has left.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Handles the request for a websocket.
pub async fn handle(
    extract::State(sandbox): extract::State<Arc<Sandbox>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let state = sandbox.state();
    let participant = match state.v1.participant_of_token(&parameter(request.uri(), "token")) {
        Ok(participant) => participant,
        Err(reason) => {
            // The SDK does not report why a connection fails.
            log(&sandbox, &format!("a device was rejected: {reason}"));
            return ServiceResponse::forbidden().into_http();
        }
    };
    let unique_id = parameter(request.uri(), "uniqueId");
    upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .max_write_buffer_size(2 * MAX_MESSAGE)
        .on_upgrade(move |socket| serve(socket, sandbox, state, participant, unique_id))
}

/// The value of a parameter of the query.
fn parameter(uri: &Uri, name: &str) -> String {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find(|(key, _)| key == name)
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

fn log(sandbox: &Sandbox, text: &str) {
    if !sandbox.arguments.quiet {
        eprintln!("bw-sandbox: {text}");
    }
}

/// Passes messages between the device and the engine until the websocket ends.
async fn serve(
    mut socket: WebSocket,
    sandbox: Arc<Sandbox>,
    state: Arc<State>,
    participant: String,
    unique_id: String,
) {
    let id = sandbox.devices.next_socket();
    let commands = &sandbox.devices.commands;
    let (outbox, mut outgoing) = mpsc::channel(MAX_OUTBOX);
    log(&sandbox, &format!("a device of participant {participant} connected"));
    let name = participant.clone();
    let opened = Socket::new(id, outbox);
    let open = Command::Open { participant, unique_id, state, socket: opened };
    if commands.send(open).await.is_err() {
        return;
    }
    let mut pings = tokio::time::interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rate = RateLimit::new();
    let mut last = Instant::now();
    let is_intentional = loop {
        tokio::select! {
            // The outbox first: a device that sends many messages must not fill it with the responses.
            biased;
            message = outgoing.recv() => {
                let sent = match message {
                    Some(Outgoing::Text(text)) => Message::Text(text.into()),
                    Some(Outgoing::Close(code)) => {
                        close(&mut socket, code).await;
                        break code == 1000;
                    }
                    // The device has not read for too long.
                    None => break false,
                };
                if !matches!(timeout(SEND_TIMEOUT, socket.send(sent)).await, Ok(Ok(()))) {
                    break false;
                }
            }
            _ = pings.tick() => {
                let ping = socket.send(Message::Ping(Default::default()));
                let is_sent = matches!(timeout(SEND_TIMEOUT, ping).await, Ok(Ok(())));
                if !is_sent || last.elapsed() >= IDLE_TIMEOUT {
                    break false;
                }
            }
            message = socket.recv() => {
                last = Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => {
                        rate.wait().await;
                        let request = signaling::parse(&text);
                        drop(text);
                        if commands.send(Command::Message { socket: id, request }).await.is_err() {
                            break false;
                        }
                    }
                    Some(Ok(Message::Close(frame))) => {
                        // This sends the response: without it, the SDK connects again.
                        drain(&mut socket).await;
                        break frame.is_some_and(|frame| frame.code == 1000);
                    }
                    Some(Ok(_)) => rate.wait().await,
                    None | Some(Err(_)) => break false,
                }
            }
        }
    };
    let _ = commands.send(Command::Closed { socket: id, is_intentional }).await;
    let how = if is_intentional { "left" } else { "was lost" };
    log(&sandbox, &format!("a device of participant {name} {how}"));
}

/// Closes the websocket.
async fn close(socket: &mut WebSocket, code: u16) {
    let frame = CloseFrame { code, reason: "".into() };
    let sent = timeout(SEND_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
    if matches!(sent, Ok(Ok(()))) {
        drain(socket).await;
    }
}

/// Reads until the device has closed the websocket. It may send its last messages before.
async fn drain(socket: &mut WebSocket) {
    let drain = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _ = timeout(CLOSE_TIMEOUT, drain).await;
}

/// Slows down a device that sends too many messages.
struct RateLimit {
    tokens: f64,
    updated: Instant,
}

impl RateLimit {
    fn new() -> RateLimit {
        RateLimit { tokens: BURST, updated: Instant::now() }
    }

    /// Waits until the device may send one more message.
    async fn wait(&mut self) {
        let now = Instant::now();
        let passed = (now - self.updated).as_secs_f64();
        self.tokens = (self.tokens + passed * MESSAGES_PER_SECOND).min(BURST) - 1.0;
        self.updated = now;
        if self.tokens < 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(-self.tokens / MESSAGES_PER_SECOND)).await;
        }
    }
}
