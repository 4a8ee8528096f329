//! What all requests share, and what a reset replaces.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::auth::Auth;
use crate::cli::Arguments;
use crate::faults::Faults;
use crate::recorder::Recorder;
use crate::v1;
use crate::webhooks::Webhooks;

/// Everything that requests share.
pub struct Sandbox {
    /// The valid credentials.
    pub auth: Auth,
    /// Whether requests are not logged.
    pub quiet: bool,
    account: String,
    session_ttl: Duration,
    state: Mutex<Arc<State>>,
}

/// What a reset replaces as a whole: a request in progress continues with the old state.
pub struct State {
    /// WebRTC v1.
    pub v1: v1::Service,
    /// The faults that were added.
    pub faults: Faults,
    /// The recorded requests.
    pub recorder: Recorder,
    /// The webhooks that were delivered.
    pub webhooks: Webhooks,
}

impl State {
    fn new(account: &str, session_ttl: Duration) -> Arc<State> {
        Arc::new(State {
            v1: v1::Service::new(account, session_ttl),
            faults: Faults::default(),
            recorder: Recorder::default(),
            webhooks: Webhooks::default(),
        })
    }
}

impl Sandbox {
    /// Creates a sandbox with the options of the command line.
    pub fn new(arguments: &Arguments) -> Sandbox {
        let session_ttl = Duration::from_secs(arguments.session_ttl);
        Sandbox {
            auth: Auth::new(arguments),
            quiet: arguments.quiet,
            account: arguments.account.clone(),
            session_ttl,
            state: Mutex::new(State::new(&arguments.account, session_ttl)),
        }
    }

    /// The state since the last reset. Each request uses one from its beginning to its end.
    pub fn state(&self) -> Arc<State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Restores the initial state.
    pub fn reset(&self) {
        self.auth.reset();
        let new = State::new(&self.account, self.session_ttl);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}
