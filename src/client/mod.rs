//! A client: what it was configured with, whose credentials it uses, and how it carries out calls.

mod attempts;
mod budget;
mod config;
mod log;
mod stats;
mod token;

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::api::{self, Ids, Operation, RetryClass};
use crate::auth::{Authenticator, Credentials};
use crate::error::{Error, Status};
use crate::memory;
use crate::redact;
use crate::sys::PerProcess;
pub use crate::transport::{Family, Roots, TlsFiles};
use crate::transport::{Limits, Transport};

use attempts::Call;
use budget::Budget;
pub use config::{BASE_URL, Config, TOKEN_URL};
use log::Log;
pub use log::{Level, Sink};
use stats::{Created, Stats};
use token::TokenEndpoint;

/// A client of the service. Used by any number of threads at once.
///
/// ```no_run
/// use bw_webrtc::client::{Client, Config};
///
/// let config = r#"{"accountId":"9900000","clientId":"client","clientSecret":"secret"}"#;
/// let client = Client::new(Config::from_json(config)?)?;
/// let created = client.create_participant(r#"{"publishPermissions":["AUDIO"]}"#)?;
/// # Ok::<(), bw_webrtc::error::Error>(())
/// ```
pub struct Client {
    transport: Transport,
    /// For client credentials.
    token_endpoint: Option<TokenEndpoint>,
    authenticator: Authenticator,
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
        let parts = config.into_parts()?;
        let transport = |settings| {
            Transport::new(settings)
                .map_err(|(key, why)| Error::new(Status::Config, format!("config.{key}: {why}")))
        };
        let token_endpoint = parts.token.map(|token| {
            transport(token.settings)
                .map(|transport| TokenEndpoint { transport, target: token.target })
        });
        Ok(Client {
            transport: transport(parts.settings)?,
            token_endpoint: token_endpoint.transpose()?,
            authenticator: Authenticator::new(parts.credentials),
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

    /// Replaces the client's pair of credentials: client id and client secret, or user name and
    /// password, whichever the client has. Attempts that begin from now on use the new pair. The
    /// access token of the previous pair is dropped.
    ///
    /// # Errors
    /// `Status::InvalidArgument`; the client keeps the previous pair.
    pub fn set_credentials(&self, identifier: &str, secret: &str) -> Result<(), Error> {
        let kind = self.authenticator.kind();
        let credentials = Credentials::new(kind, identifier, secret).map_err(|problems| {
            Error::invalid(problems.map(|(key, why)| format!("{key}: {why}")).join("; "))
        })?;
        self.authenticator.set_credentials(credentials);
        Ok(())
    }

    /// The configuration keys of the client's pair of credentials: `clientId` and `clientSecret`, or
    /// `username` and `password`.
    pub fn credential_keys(&self) -> [&'static str; 2] {
        self.authenticator.kind().keys()
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
        self.carry_out(operation, ids, &operation.request.name(), request)
            .map_err(|e| e.of(operation.name))
    }

    /// Executes a call that is a document: `{"operation": .., "sessionId": .., ..}`.
    ///
    /// # Errors
    /// As for [`Client::create_participant`].
    pub fn call_document(&self, document: &str) -> Result<String, Error> {
        let call = self.prepare(document)?;
        let now = Instant::now();
        let result = self.perform(&call, now, now + call.timeout, None);
        result.map_err(|e| e.of(call.operation.name))
    }

    /// Reads and checks a call that is a document, to be carried out later.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn prepare(&self, document: &str) -> Result<Prepared, Error> {
        check_size(&"call", document)?;
        let call = api::read_call(document).map_err(|(message, operation)| {
            let error = Error::invalid(message);
            match operation {
                Some(operation) => error.of(operation.name),
                None => error,
            }
        })?;
        let ids = Ids {
            session: call.session.as_deref(),
            participant: call.participant.as_deref(),
            endpoint: call.endpoint.as_deref(),
        };
        let path = format_args!("call.{}", call.operation.request.key().unwrap_or_default());
        let (target, body) = self
            .request(call.operation, &ids, &path, call.request.as_deref())
            .map_err(|e| e.of(call.operation.name))?;
        Ok(Prepared {
            operation: call.operation,
            timeout: call.timeout.unwrap_or(self.timeout),
            // Many calls can wait in a queue.
            target: memory::copy(&target)?,
            body: body.map(|body| memory::copy(&body)).transpose()?,
            session: call.session.map(Cow::into_owned),
            participant: call.participant.map(Cow::into_owned),
        })
    }

    /// Executes a call that was prepared, within a deadline. With `abandoned`, the result is not
    /// counted, since it may not be what the caller receives; if the flag becomes true, nobody waits
    /// for the response any more, but a request that was sent and may create something is executed
    /// to its end.
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
        let (session, participant) = (call.session.as_deref(), call.participant.as_deref());
        let ids = Ids { session, participant, endpoint: None };
        let limits = Limits {
            deadline,
            cancelled: &self.cancelled,
            abandoned,
            must_know: call.operation.retry == RetryClass::Create,
        };
        let waited = submitted.elapsed();
        if waited > Duration::from_millis(1) {
            self.log.line(Level::Debug, || {
                format!("{}: waited {} for a worker", call.operation.name, log::Millis(waited))
            });
        }
        let (operation, target, body) = (call.operation, &call.target, call.body.as_deref());
        let call = Call { operation, ids: &ids, target, body };
        match abandoned {
            Some(_) => attempts::execute(self, &call, &limits),
            None => attempts::run(self, &call, &limits),
        }
    }

    /// Whether the client was freed.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Counts a call that moves from one stage of a queue (waiting, running, done) to another.
    pub(crate) fn count_queued(&self, from: Option<usize>, to: Option<usize>) {
        self.stats.queued(from, to);
    }

    /// Counts the completion of a call in a queue.
    pub(crate) fn count_completed(
        &self,
        operation: &Operation,
        status: Status,
        time: Option<Duration>,
        has_begun: bool,
    ) {
        self.stats.completed(operation, status, time, has_begun);
    }

    /// Counts the response to a call that was cancelled while it was executed, and keeps what the
    /// call created: the service has it, and no caller received it. `document` is the response, if
    /// the call succeeded.
    pub(crate) fn late_response(
        &self,
        operation: &'static Operation,
        document: Option<&str>,
        request: Option<&str>,
        user_data: usize,
    ) {
        let created = document
            .is_some_and(|document| self.keep_created(operation, document, request, user_data));
        if !created {
            self.log.line(Level::Warn, || {
                format!("{}: a call that was cancelled has ended", operation.name)
            });
            self.stats.late_response();
        }
    }

    /// Keeps what a call created, if it created something, because its response reached no caller.
    /// Gives whether it did.
    pub(crate) fn keep_created(
        &self,
        operation: &'static Operation,
        document: &str,
        request: Option<&str>,
        user_data: usize,
    ) -> bool {
        let Some(id) = operation.response.created_id(document) else { return false };
        // The list is bounded, and so is what it holds: the service's ids have 36 characters.
        let id: String = id.chars().take(256).collect();
        self.log.line(Level::Warn, || {
            let id = redact::line(&id);
            format!("{}: {id} exists, but no caller received the response", operation.name)
        });
        let tag = request.and_then(api::tag_of);
        self.stats.late_response();
        self.stats.keep(Created { operation, id, tag, user_data });
        true
    }

    /// Takes what was created and reached no caller out of the client's list, and hands it, as a
    /// document, to `deliver`. If that fails, the list stays.
    pub(crate) fn take_late(&self, deliver: impl FnOnce(&str) -> bool) -> bool {
        let taken = self.stats.take_late();
        let is_delivered = deliver(&taken.document());
        if !is_delivered {
            self.stats.restore_late(taken);
        }
        is_delivered
    }

    fn carry_out(
        &self,
        operation: &'static Operation,
        ids: &Ids<'_>,
        path: &dyn Display,
        request: Option<&str>,
    ) -> Result<String, Error> {
        let deadline = Instant::now() + self.timeout;
        let limits =
            Limits { deadline, cancelled: &self.cancelled, abandoned: None, must_know: false };
        let (target, body) = self.request(operation, ids, path, request)?;
        let call = Call { operation, ids, target: &target, body: body.as_deref() };
        attempts::run(self, &call, &limits)
    }

    /// The path and the body to send, checked.
    fn request(
        &self,
        operation: &'static Operation,
        ids: &Ids<'_>,
        path: &dyn Display,
        request: Option<&str>,
    ) -> Result<(String, Option<String>), Error> {
        let mut target = api::fill(&self.prefix, operation.path, ids).map_err(Error::invalid)?;
        check_size(path, request.unwrap_or(""))?;
        let body = operation.request.check(path, request).map_err(Error::invalid)?;
        match body {
            Some(query) if operation.request.is_query() => {
                target.push('?');
                target.push_str(&query);
                Ok((target, None))
            }
            body => Ok((target, body)),
        }
    }
}

/// A call that was read and checked.
pub struct Prepared {
    /// What is to be done.
    pub operation: &'static Operation,
    /// For the whole call.
    pub timeout: Duration,
    target: String,
    /// The body to send.
    pub body: Option<String>,
    session: Option<String>,
    participant: Option<String>,
}

fn check_size(path: &dyn Display, text: &str) -> Result<(), Error> {
    if text.len() <= api::MAX_REQUEST {
        return Ok(());
    }
    let (length, most) = (text.len(), api::MAX_REQUEST);
    Err(Error::invalid(format!("{path}: has {length} bytes; at most {most} are allowed")))
}
