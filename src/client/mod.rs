//! A client: what it was configured with, whose credentials it uses, and how it carries out calls.

mod attempts;
mod budget;
mod config;
mod credentials;
mod log;
mod stats;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::api::{self, Ids, Operation, Retry};
use crate::error::{Error, NO_MEMORY, Status};
use crate::sys::{self, PerProcess};
pub use crate::transport::{Family, Roots, TlsFiles};
use crate::transport::{Limits, Transport};

use attempts::Call;
use budget::Budget;
pub use config::Config;
use credentials::Credentials;
use log::Log;
pub use log::{Level, Sink};
use stats::Stats;

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
    /// Each process counts what it does itself.
    stats: PerProcess<Stats>,
    log: Log,
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
        check_memory()?;
        let parts = config.into_parts()?;
        let transport = Transport::new(parts.settings)
            .map_err(|why| Error::new(Status::Config, format!("config.baseUrl: {why}")))?;
        Ok(Client {
            transport,
            credentials: ArcSwap::from_pointee(parts.credentials),
            budget: Budget::new(),
            stats: PerProcess::new(),
            log: Log::default(),
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
        check_memory()?;
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

    /// Sends lines of this level and those that matter more to the sink, or none anywhere.
    pub fn set_log(&self, target: Option<(Level, Sink)>) {
        self.log.set(target);
    }

    /// What the client has done so far, as a JSON document.
    pub fn stats(&self) -> String {
        self.stats.document()
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
        operation: &'static Operation,
        ids: &Ids<'_>,
        request: Option<&str>,
    ) -> Result<String, Error> {
        let root = match operation.retry {
            Retry::Never => "request",
            _ => "subscriptions",
        };
        self.carry_out(operation, ids, root, request).map_err(|e| e.of(operation.name))
    }

    /// Carries out a call that is a document: `{"operation": .., "sessionId": .., ..}`, if `admit`
    /// has nothing against the operation.
    ///
    /// # Errors
    /// As for [`Client::create_participant`], and `admit`'s.
    pub fn call_document(
        &self,
        document: &str,
        admit: impl FnOnce(&Operation) -> Result<(), Error>,
    ) -> Result<String, Error> {
        let call = self.prepare(document)?;
        let operation = call.operation.name;
        let now = Instant::now();
        admit(call.operation)
            .and_then(|()| self.perform(&call, now, now + call.timeout, None))
            .map_err(|e| e.of(operation))
    }

    /// Reads and checks a call that is a document, to be carried out later.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn prepare(&self, document: &str) -> Result<Prepared, Error> {
        check_memory()?;
        check_size("call", document)?;
        let call = api::read_call(document).map_err(|(message, operation)| {
            let error = Error::invalid(message);
            match operation {
                Some(operation) => error.of(operation.name),
                None => error,
            }
        })?;
        let ids =
            Ids { session: call.session.as_deref(), participant: call.participant.as_deref() };
        let (target, body) = self
            .request(call.operation, &ids, "call.body", call.body)
            .map_err(|e| e.of(call.operation.name))?;
        Ok(Prepared {
            operation: call.operation,
            timeout: call.timeout.unwrap_or(self.timeout),
            target,
            body,
            session: call.session.map(Cow::into_owned),
            participant: call.participant.map(Cow::into_owned),
        })
    }

    /// Carries out a call that was prepared, within a deadline. If `abandoned` becomes true nobody
    /// waits for the answer any more; what was sent and may have made something is seen to its end
    /// all the same.
    ///
    /// # Errors
    /// As for [`Client::create_participant`].
    pub fn perform(
        &self,
        call: &Prepared,
        submitted: Instant,
        deadline: Instant,
        abandoned: Option<&Arc<AtomicBool>>,
    ) -> Result<String, Error> {
        let ids =
            Ids { session: call.session.as_deref(), participant: call.participant.as_deref() };
        let limits = Limits {
            deadline,
            cancelled: &self.cancelled,
            abandoned,
            must_know: call.operation.retry == Retry::Never,
        };
        let waited = submitted.elapsed();
        if waited > Duration::from_millis(1) {
            self.log.line(Level::Debug, || {
                format!("{}: waited {} for a worker", call.operation.name, log::Millis(waited))
            });
        }
        let (operation, target, body) = (call.operation, &call.target, call.body.as_deref());
        attempts::run(self, &Call { operation, ids: &ids, target, body }, &limits)
    }

    /// Whether the client was freed.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Keeps what came of a call that was cancelled under way: the service may have made something
    /// that nobody knows of.
    pub fn late_answer(&self, operation: &'static Operation, made: Option<String>) {
        self.log.line(Level::Warn, || {
            let what = made.as_deref().map_or_else(String::new, |id| format!(": {id} exists"));
            format!("{}: a call that was cancelled has ended{what}", operation.name)
        });
        self.stats.late_answer(operation, made);
    }

    fn carry_out(
        &self,
        operation: &'static Operation,
        ids: &Ids<'_>,
        root: &str,
        request: Option<&str>,
    ) -> Result<String, Error> {
        check_memory()?;
        let deadline = Instant::now() + self.timeout;
        let limits =
            Limits { deadline, cancelled: &self.cancelled, abandoned: None, must_know: false };
        let (target, body) = self.request(operation, ids, root, request)?;
        let call = Call { operation, ids, target: &target, body: body.as_deref() };
        attempts::run(self, &call, &limits)
    }

    /// The path and the body to send, checked.
    fn request(
        &self,
        operation: &'static Operation,
        ids: &Ids<'_>,
        root: &str,
        request: Option<&str>,
    ) -> Result<(String, Option<String>), Error> {
        let target = api::fill(&self.prefix, operation.path, ids).map_err(Error::invalid)?;
        check_size(root, request.unwrap_or(""))?;
        let body = match operation.body {
            Some(check) => check(root, request).map_err(Error::invalid)?,
            None => None,
        };
        Ok((target, body))
    }
}

/// A call that was read and checked.
pub struct Prepared {
    /// What is to be done.
    pub operation: &'static Operation,
    /// For the whole call.
    pub timeout: Duration,
    target: String,
    body: Option<String>,
    session: Option<String>,
    participant: Option<String>,
}

/// Nothing is begun without memory: what is under way may need the little that is left.
fn check_memory() -> Result<(), Error> {
    if sys::memory_is_short() { Err(Error::new(Status::Internal, NO_MEMORY)) } else { Ok(()) }
}

fn check_size(root: &str, text: &str) -> Result<(), Error> {
    if text.len() <= api::MAX_REQUEST {
        return Ok(());
    }
    let (length, most) = (text.len(), api::MAX_REQUEST);
    Err(Error::invalid(format!("{root}: has {length} bytes; at most {most} are allowed")))
}
