//! A client: what it was configured with, whose credentials it uses, and how it carries out calls.

mod attempts;
mod budget;
mod config;
mod credentials;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::api::{self, CheckBody, Ids, Operation};
use crate::error::{Error, Status};
pub use crate::transport::{Family, Roots, TlsFiles};
use crate::transport::{Limits, Transport};

use budget::Budget;
pub use config::Config;
use credentials::Credentials;

/// A client of the service. Used by any number of threads at once.
///
/// ```no_run
/// use bw_webrtc::client::{Client, Config};
///
/// let config = r#"{"accountId":"9900000","username":"user","password":"secret"}"#;
/// let client = Client::new(Config::from_json(config)?)?;
/// let answer = client.create_participant(r#"{"publishPermissions":["AUDIO"]}"#)?;
/// # Ok::<(), bw_webrtc::error::Error>(())
/// ```
pub struct Client {
    transport: Transport,
    credentials: ArcSwap<Credentials>,
    budget: Budget,
    retry: config::RetryRules,
    timeout: Duration,
    attempt_timeout: Option<Duration>,
    /// Path of the base URL and the account, in front of every operation's path.
    prefix: String,
    cancelled: Arc<AtomicBool>,
}

impl Client {
    /// A client with this configuration. Connects to nothing.
    ///
    /// # Errors
    /// `Status::Config`.
    pub fn new(config: Config) -> Result<Client, Error> {
        let parts = config.into_parts()?;
        let transport = Transport::new(parts.settings)
            .map_err(|why| Error::new(Status::Config, format!("config.baseUrl: {why}")))?;
        Ok(Client {
            transport,
            credentials: ArcSwap::from_pointee(parts.credentials),
            budget: Budget::new(),
            retry: parts.retry,
            timeout: parts.timeout,
            attempt_timeout: parts.attempt_timeout,
            prefix: parts.prefix,
            cancelled: Arc::default(),
        })
    }

    /// Uses these credentials for every attempt that begins from now on.
    ///
    /// # Errors
    /// `Status::InvalidArgument`, and the old ones stay.
    pub fn set_credentials(&self, username: &str, password: &str) -> Result<(), Error> {
        let credentials = Credentials::new(username, password).map_err(|problems| {
            Error::invalid(problems.map(|(name, why)| format!("{name}: {why}")).join("; "))
        })?;
        self.credentials.store(Arc::new(credentials));
        Ok(())
    }

    /// Makes all calls, those in flight and those to come, end as cancelled.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Creates a participant and its token; gives the service's answer.
    ///
    /// # Errors
    /// Any status that a call can have; `outcome` tells whether a participant may exist.
    pub fn create_participant(&self, request: &str) -> Result<String, Error> {
        self.call(&api::CREATE_PARTICIPANT, &Ids::default(), Some(request))
    }

    /// Carries out an operation within the client's time-out; gives the answer's document.
    ///
    /// # Errors
    /// As for [`Client::create_participant`].
    pub fn call(
        &self,
        operation: &Operation,
        ids: &Ids<'_>,
        request: Option<&str>,
    ) -> Result<String, Error> {
        let limits =
            Limits { deadline: Instant::now() + self.timeout, cancelled: self.cancelled.clone() };
        let path = api::fill(operation.path, ids).map_err(Error::invalid);
        let body = match (operation.body, request) {
            (Some(check), Some(request)) => check_request(check, request).map(Some),
            _ => Ok(None),
        };
        let (path, body) = path
            .and_then(|path| body.map(|body| (path, body)))
            .map_err(|error| error.of(operation.name))?;
        let target = format!("{}{path}", self.prefix);
        attempts::run(self, operation, &target, body.as_deref(), &limits)
    }
}

fn check_request(check: CheckBody, request: &str) -> Result<String, Error> {
    if request.len() > api::MAX_REQUEST {
        let (length, most) = (request.len(), api::MAX_REQUEST);
        return Err(Error::invalid(format!(
            "request: has {length} bytes; at most {most} are allowed"
        )));
    }
    check(request).map_err(Error::invalid)
}
