//! A client: its configuration, its credentials, and the execution of calls.

mod attempts;
mod config;
mod log;
mod retry_budget;
mod services;
mod stats;
mod token_request;

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::api::{self, Ids, Operation, RetryClass};
use crate::auth::{Authenticator, Credentials};
use crate::error::{Error, Status};
use crate::memory;
use crate::redact;
use crate::sys::{self, PerProcess};
use crate::transport::{CallContext, CancelToken, Deadline};
pub use crate::transport::{Family, Roots, TlsFiles};

use attempts::Call;
pub use config::{BASE_URL, Config, ENDPOINTS_URL, TOKEN_URL};
use log::Log;
pub use log::{Format as LogFormat, Level, Sink};
use retry_budget::RetryBudget;
use services::{ServiceTransport, Services};
use stats::{LateObject, Stats};
use token_request::TokenEndpoint;

/// A client of the service. All threads may use it at the same time.
///
/// ```no_run
/// use bw_webrtc::client::{Client, Config};
///
/// let config = r#"{"accountId":"9900000","clientId":"client","clientSecret":"secret"}"#;
/// let client = Client::new(Config::from_json(config)?)?;
/// let response = client.create_participant(r#"{"publishPermissions":["AUDIO"]}"#)?;
/// # Ok::<(), bw_webrtc::error::Error>(())
/// ```
pub struct Client {
    services: Services,
    /// Only for client credentials.
    token_endpoint: Option<TokenEndpoint>,
    authenticator: Authenticator,
    retry_budget: RetryBudget,
    /// Each process has its own counters.
    stats: PerProcess<Stats>,
    log: Log,
    retry: config::RetryRules,
    timeout: Duration,
    attempt_timeout: Option<Duration>,
    cancelled: Arc<AtomicBool>,
    /// None if all settings are in code.
    reloader: Option<config::Reloader>,
}

impl Client {
    /// Creates a client with this configuration. Opens no connection.
    ///
    /// # Errors
    /// `Status::Config`; `Status::Internal` if the process has no key for thread-specific data left.
    pub fn new(config: Config) -> Result<Client, Error> {
        sys::reserve_thread_key().map_err(|error| {
            let message = format!(
                "this process has no key for thread-specific data left (pthread_key_create): \
                 {error}; create the first client earlier"
            );
            Error::new(Status::Internal, message)
        })?;
        let reloader = config::Reloader::new(&config);
        let parts = config.into_parts()?;
        let token_endpoint = parts.token.map(|token| {
            services::transport(token.settings)
                .map(|transport| TokenEndpoint { transport, target: token.target })
        });
        Ok(Client {
            services: Services::new(parts.services, parts.urls)?,
            token_endpoint: token_endpoint.transpose()?,
            authenticator: Authenticator::new(parts.credentials),
            retry_budget: RetryBudget::new(),
            stats: PerProcess::new(),
            log: Log::new(parts.log_format),
            retry: parts.retry,
            timeout: parts.timeout,
            attempt_timeout: parts.attempt_timeout,
            cancelled: Arc::default(),
            reloader,
        })
    }

    /// Replaces the credentials: client id and client secret, or user name and password, depending on
    /// the kind that the client has. Attempts that begin from now on use the new credentials. The
    /// access token of the previous ones is discarded.
    ///
    /// # Errors
    /// `Status::InvalidArgument`. The client keeps the previous credentials.
    pub fn set_credentials(&self, identifier: &str, secret: &str) -> Result<(), Error> {
        let kind = self.authenticator.kind();
        let credentials = Credentials::new(kind, identifier, secret).map_err(|problems| {
            Error::invalid(problems.map(|(key, why)| format!("{key}: {why}")).join("; "))
        })?;
        self.authenticator.set_credentials(credentials);
        Ok(())
    }

    /// Reads the settings file and the environment variables of the client's configuration again, and
    /// replaces the credentials if they have changed, as [`Client::set_credentials`] does. Returns
    /// `{"credentialsReplaced": .., "needsNewClient": [..]}`: whether they were replaced, and the other
    /// keys whose values have changed, which apply only to new clients.
    ///
    /// # Errors
    /// `Status::Config`, with all problems; also if the kind of credentials, the account or a URL has
    /// changed. The client keeps its credentials.
    pub fn reload(&self) -> Result<String, Error> {
        let Some(reloader) = &self.reloader else {
            return Err(Error::rejected(
                Status::Config,
                "the configuration has neither environment nor configFile, so there is nothing to \
                 reload; replace the credentials in code",
            ));
        };
        let (replaced, needs_new_client) = reloader.reload(&self.authenticator)?;
        if replaced {
            self.log.line(Level::Info, "reload", |line| {
                line.text("message", "the credentials were replaced");
            });
        }
        if !needs_new_client.is_empty() {
            self.log.line(Level::Warn, "reload", |line| {
                line.text("keys", &needs_new_client.join(" "));
                line.text("message", "these keys changed, which applies only to a new client");
            });
        }
        let keys: Vec<String> = needs_new_client.iter().map(|key| format!("\"{key}\"")).collect();
        Ok(format!(
            "{{\"credentialsReplaced\":{replaced},\"needsNewClient\":[{}]}}",
            keys.join(",")
        ))
    }

    /// The configuration keys of the credentials: `clientId` and `clientSecret`, or `username` and
    /// `password`.
    pub fn credential_keys(&self) -> [&'static str; 2] {
        self.authenticator.kind().keys()
    }

    /// Cancels all calls, including later ones.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Sends log lines up to this level to the sink; None disables the log.
    pub fn set_log(&self, target: Option<(Level, Sink)>) {
        self.log.set(target);
    }

    /// The counters of the client, as a JSON document.
    pub fn stats(&self) -> String {
        self.stats.document()
    }

    /// The counters of the client, as OpenMetrics text.
    pub fn metrics(&self) -> String {
        self.stats.metrics()
    }

    /// Creates a participant and its token, and returns the service's response. Blocks up to the
    /// client's timeout.
    ///
    /// # Errors
    /// Any status of a call. `outcome` states whether a participant may exist.
    pub fn create_participant(&self, request: &str) -> Result<String, Error> {
        self.call(&api::CREATE_PARTICIPANT, &Ids::default(), Some(request))
    }

    /// Executes an operation within the client's timeout, and returns the document of the response.
    ///
    /// # Errors
    /// As for [`Client::create_participant`].
    pub fn call(
        &self,
        operation: &'static Operation,
        ids: &Ids<'_>,
        request: Option<&str>,
    ) -> Result<String, Error> {
        self.execute_request(operation, ids, &operation.request.name(), request)
            .map_err(|e| e.of(operation.name))
    }

    /// Executes a call given as a document: `{"operation": .., "sessionId": .., ..}`.
    ///
    /// # Errors
    /// As for [`Client::create_participant`].
    pub fn call_document(&self, document: &str) -> Result<String, Error> {
        let call = self.prepare(document)?;
        let now = Instant::now();
        let result = self.execute_prepared(&call, now, now + call.timeout, None);
        result.map_err(|e| e.of(call.operation.name))
    }

    /// Reads and checks a call given as a document, without executing it.
    ///
    /// # Errors
    /// Returns the problems of the document.
    pub fn prepare(&self, document: &str) -> Result<PreparedCall, Error> {
        check_size(&"call", document, api::MAX_CALL)?;
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
            .services
            .get(call.operation.service)
            .and_then(|service| {
                request_for(service, call.operation, &ids, &path, call.request.as_deref())
            })
            .map_err(|e| e.of(call.operation.name))?;
        Ok(PreparedCall {
            operation: call.operation,
            timeout: call.timeout.unwrap_or(self.timeout),
            // Many calls can wait in a queue.
            target: memory::copy(&target)?,
            body: body.map(|body| memory::copy(&body)).transpose()?,
            session: call.session.map(Cow::into_owned),
            participant: call.participant.map(Cow::into_owned),
            endpoint: call.endpoint.map(Cow::into_owned),
            number: self.stats.next_call(),
            user_data: 0,
        })
    }

    /// Executes a prepared call within a deadline. `cancelled` is the flag of a queued call, whose
    /// result the queue counts. If it becomes true, the call ends, except that a create request that
    /// was already sent is executed to its end, because its result states what then exists.
    ///
    /// # Errors
    /// As for [`Client::create_participant`].
    pub fn execute_prepared(
        &self,
        call: &PreparedCall,
        submitted: Instant,
        deadline: Instant,
        cancelled: Option<&Arc<AtomicBool>>,
    ) -> Result<String, Error> {
        let ids = Ids {
            session: call.session.as_deref(),
            participant: call.participant.as_deref(),
            endpoint: call.endpoint.as_deref(),
        };
        let context = CallContext {
            deadline: Deadline(deadline),
            cancel: CancelToken {
                client: &self.cancelled,
                call: cancelled,
                completes_if_sent: call.operation.retry == RetryClass::Create,
            },
            retry_after: &Cell::default(),
        };
        let (operation, target, body) = (call.operation, &call.target, call.body.as_deref());
        let service = self.services.get(operation.service)?;
        let (number, user_data) = (call.number, call.user_data);
        let call = Call { operation, service, ids: &ids, target, body, user_data, number };
        let waited = submitted.elapsed();
        if waited > Duration::from_millis(1) {
            call.log(self, Level::Debug, "wait", |line| {
                line.millis("waitMs", waited);
            });
        }
        match cancelled {
            Some(_) => attempts::execute(self, &call, &context),
            None => attempts::execute_and_count(self, &call, &context),
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

    /// Counts the completion of a queued call.
    pub(crate) fn count_completed(
        &self,
        operation: &Operation,
        status: Status,
        time: Option<Duration>,
        has_begun: bool,
    ) {
        self.stats.completed(operation, status, time, has_begun);
    }

    /// Counts the response to a call that was cancelled while it was running, and records the object
    /// that it created, which no caller received. `call` is its number, and `document` the response
    /// if it succeeded.
    pub(crate) fn late_response(
        &self,
        operation: &'static Operation,
        call: u64,
        document: Option<&str>,
        request: Option<&str>,
        user_data: usize,
    ) {
        let created = document.is_some_and(|document| {
            self.record_late_object(operation, Some(call), document, request, user_data)
        });
        if !created {
            self.log.line(Level::Warn, "late", |line| {
                line.text("operation", operation.name).value("call", call);
                line.text("message", "a cancelled call has completed");
            });
            self.stats.late_response();
        }
    }

    /// Records the object that a call created, if any, because no caller received the response.
    /// Returns whether it created one. `call` is the number of the call, if it is known.
    pub(crate) fn record_late_object(
        &self,
        operation: &'static Operation,
        call: Option<u64>,
        response: impl AsRef<[u8]>,
        request: Option<&str>,
        user_data: usize,
    ) -> bool {
        let id = operation.response.created_id(response.as_ref());
        let Some(id) = id else { return false };
        // Bounds the memory of the list. The service's ids have 36 characters.
        let id: String = id.chars().take(256).collect();
        self.log.line(Level::Warn, "late", |line| {
            line.text("operation", operation.name);
            if let Some(call) = call {
                line.value("call", call);
            }
            line.text("created", &redact::line(&id));
            line.text("message", "the object exists, but no caller received the response");
        });
        let tag = request.and_then(api::tag_of);
        self.stats.late_response();
        self.stats.record_late_object(LateObject { operation, id, tag, user_data });
        true
    }

    /// Passes the list of objects that no caller received to `deliver`, as a document, and clears it
    /// if `deliver` returns true.
    pub(crate) fn take_late(&self, deliver: impl FnOnce(&str) -> bool) -> bool {
        let late = self.stats.take_late_objects();
        let is_delivered = deliver(&late.document());
        if !is_delivered {
            self.stats.restore_late_objects(late);
        }
        is_delivered
    }

    fn execute_request(
        &self,
        operation: &'static Operation,
        ids: &Ids<'_>,
        path: &dyn Display,
        request: Option<&str>,
    ) -> Result<String, Error> {
        let cancel = CancelToken { client: &self.cancelled, call: None, completes_if_sent: false };
        let deadline = Deadline::after(self.timeout);
        let context = CallContext { deadline, cancel, retry_after: &Cell::default() };
        let service = self.services.get(operation.service)?;
        let (target, body) = request_for(service, operation, ids, path, request)?;
        let (target, body, number) = (&*target, body.as_deref(), self.stats.next_call());
        let call = Call { operation, service, ids, target, body, user_data: 0, number };
        attempts::execute_and_count(self, &call, &context)
    }
}

/// Checks the arguments of a call and returns the path and the body of its request. `path` is the name
/// of the request document in messages.
fn request_for(
    service: &ServiceTransport,
    operation: &'static Operation,
    ids: &Ids<'_>,
    path: &dyn Display,
    request: Option<&str>,
) -> Result<(String, Option<String>), Error> {
    let mut target = api::fill(&service.prefix, operation.path, ids).map_err(Error::invalid)?;
    check_size(path, request.unwrap_or(""), api::MAX_REQUEST)?;
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

/// A call that was read and checked.
pub struct PreparedCall {
    /// The operation.
    pub operation: &'static Operation,
    /// The timeout of the whole call.
    pub timeout: Duration,
    target: String,
    /// The body of the request.
    pub body: Option<String>,
    /// The `user_data` of a call in a queue; otherwise 0.
    pub user_data: usize,
    session: Option<String>,
    participant: Option<String>,
    endpoint: Option<String>,
    /// The number of the call in log lines.
    pub number: u64,
}

fn check_size(path: &dyn Display, text: &str, most: usize) -> Result<(), Error> {
    if text.len() <= most {
        return Ok(());
    }
    let length = text.len();
    Err(Error::invalid(format!("{path}: has {length} bytes; at most {most} are allowed")))
}
