//! What all requests share, and what a reset replaces.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use crate::auth::Auth;
use crate::cli::Arguments;
use crate::faults::Faults;
use crate::recorder::Recorder;
use crate::webhooks::{Deliveries, WebhookClient};
use crate::{v1, v2};

/// Everything that requests share.
pub struct Sandbox {
    /// The options of the command line.
    pub arguments: Arguments,
    /// The valid credentials.
    pub auth: Auth,
    /// Sends webhooks.
    pub webhook_client: WebhookClient,
    /// The number of live pages that receive events.
    pub pages: AtomicUsize,
    /// The devices that are connected.
    #[cfg(feature = "media")]
    pub devices: crate::devices::Devices,
    state: Mutex<Arc<State>>,
}

/// What a reset replaces as a whole: a request in progress continues with the old state.
pub struct State {
    /// WebRTC v1.
    pub v1: v1::Service,
    /// BRTC Endpoints (v2).
    pub v2: v2::Service,
    /// The faults that were added.
    pub faults: Faults,
    /// The recorded requests.
    pub recorder: Recorder,
    /// The webhooks that were sent.
    pub deliveries: Deliveries,
}

impl State {
    fn new(arguments: &Arguments) -> Arc<State> {
        Arc::new(State {
            v1: v1::Service::new(arguments),
            v2: v2::Service::new(arguments),
            faults: Faults::default(),
            recorder: Recorder::default(),
            deliveries: Deliveries::default(),
        })
    }
}

impl Sandbox {
    /// Creates a sandbox with the options of the command line.
    pub fn new(arguments: Arguments) -> Result<Sandbox, String> {
        Ok(Sandbox {
            auth: Auth::new(&arguments),
            webhook_client: WebhookClient::new(arguments.webhook_ca.as_deref())?,
            pages: AtomicUsize::new(0),
            #[cfg(feature = "media")]
            devices: crate::devices::Devices::new(&arguments)?,
            state: Mutex::new(State::new(&arguments)),
            arguments,
        })
    }

    /// The state since the last reset. Each request uses one from its beginning to its end.
    pub fn state(&self) -> Arc<State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Restores the initial state.
    pub fn reset(&self) {
        self.auth.reset();
        let new = State::new(&self.arguments);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}
