//! Devices of WebRTC v1: the websocket of the official SDK, and the media between participants.
//!
//! | module | contents |
//! |---|---|
//! | `planner` | who receives which track; pure |
//! | `signaling`, `sdp` | the messages of a device, and what its offers contain; pure |
//! | `socket` | the websocket: the check of the token, and the limits against misbehaving clients |
//! | `engine` | the thread that owns all devices, and forwards media |
//! | `device`, `peer` | a device with its offers and answers, and one peer connection |
//!
//! Media is forwarded as it arrives, and never decoded. The websockets only pass messages to the
//! engine, so that neither of them delays the API.

mod device;
mod engine;
mod peer;
mod planner;
mod sdp;
mod signaling;
mod socket;

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use self::engine::{Command, Engine};
use self::peer::Sockets;
use crate::cli::Arguments;
use crate::sandbox::Sandbox;

/// The number of commands that may wait. A websocket whose command does not fit waits.
const MAX_COMMANDS: usize = 256;

/// The connection of the sandbox to its devices.
pub struct Devices {
    commands: mpsc::Sender<Command>,
    /// What the engine's thread takes over.
    start: Mutex<Option<(mpsc::Receiver<Command>, Vec<UdpSocket>)>>,
    snapshot: Mutex<Arc<Value>>,
    next_socket: AtomicU64,
}

impl Devices {
    /// Binds the UDP sockets.
    pub fn new(arguments: &Arguments) -> Result<Devices, String> {
        let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let listen = arguments.listen.ip();
        let listen = (!listen.is_unspecified()).then_some(listen);
        for address in listen.into_iter().chain(arguments.media_address.iter().copied()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let bind = |address| {
            UdpSocket::bind((address, 0))
                .map_err(|e| format!("cannot receive media at {address}: {e}"))
        };
        let sockets = addresses.into_iter().map(bind).collect::<Result<_, _>>()?;
        let (commands, receiver) = mpsc::channel(MAX_COMMANDS);
        Ok(Devices {
            commands,
            start: Mutex::new(Some((receiver, sockets))),
            snapshot: Mutex::new(Arc::new(snapshot(Vec::new(), 0))),
            next_socket: AtomicU64::new(1),
        })
    }

    /// The devices and their media, as of the last 50 milliseconds.
    ///
    /// `devices` has an element for each device: `participantId`, `deviceId`, `connected` (whether it
    /// has a websocket), `heartbeats` (the number that it has answered), `published` (tracks with
    /// `streamId`, `alias`, `mediaType`, `bytes`, `frames`, and `level`: the audio level from -127 to
    /// 0 dBov, or null) and `received` (tracks with `participantId`, `streamId`, `mediaType`, `bytes`,
    /// `frames`). `ignoredDatagrams` counts those that belong to no connection. Does not block.
    pub fn snapshot(&self) -> Arc<Value> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_snapshot(&self, devices: Vec<Value>, ignored: u64) {
        let new = Arc::new(snapshot(devices, ignored));
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}

fn snapshot(devices: Vec<Value>, ignored: u64) -> Value {
    json!({"devices": devices, "ignoredDatagrams": ignored})
}

/// The route of the websocket.
pub fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route("/v3/", get(socket::handle)).route("/v3", get(socket::handle))
}

/// Starts the engine's thread. Must be called once, in a runtime, which sends the webhooks.
pub fn start(sandbox: &Arc<Sandbox>) -> Result<(), String> {
    let start = sandbox.devices.start.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((commands, sockets)) = start else { return Ok(()) };
    let fail = |e| format!("cannot start the media: {e}");
    str0m::crypto::from_feature_flags().install_process_default();
    let (sandbox, handle) = (sandbox.clone(), tokio::runtime::Handle::current());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
    let sockets = {
        let _in_runtime = runtime.enter();
        Sockets::new(sockets).map_err(fail)?
    };
    let run = move || runtime.block_on(Engine::new(sandbox, handle, sockets).run(commands));
    std::thread::Builder::new().name("media".into()).spawn(run).map_err(fail)?;
    Ok(())
}

impl Devices {
    fn next_socket(&self) -> u64 {
        self.next_socket.fetch_add(1, Ordering::Relaxed)
    }
}
