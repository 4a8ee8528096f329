//! The attempt loop: one deadline, retries of safe requests, and the outcome of the call.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use super::Client;
use super::log::{Level, Line};
use super::retry_budget::{RETRY_COST, SUCCESS_REFILL, TIMEOUT_RETRY_COST};
use super::services::ServiceTransport;
use super::stats::CallCounter;
use super::token_request;
use crate::api::{self, Disposition, Ids, Operation, RetryClass, Service, UnusableBody};
use crate::auth::{Authorization, Kind};
use crate::error::{Error, ErrorResponse, Outcome, Status};
use crate::memory;
use crate::redact;
use crate::sys::{self, InterruptScope};
use crate::transport::{CallContext, Deadline, ExchangeError, Request, Response, Transport};

/// How often a sleeping call checks whether it was cancelled.
const CANCEL_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Why an attempt failed.
pub struct AttemptError {
    pub error: Error,
    pub outcome: Outcome,
    /// Whether another attempt may succeed.
    pub transient: bool,
}

/// One call, checked and ready to be sent.
pub struct Call<'a> {
    /// The operation.
    pub operation: &'static Operation,
    /// The service.
    pub service: &'a ServiceTransport,
    /// The ids in the path.
    pub ids: &'a Ids<'a>,
    /// The full path of the request.
    pub target: &'a str,
    /// The body of the request.
    pub body: Option<&'a str>,
    /// The `user_data` of a call in a queue; otherwise 0.
    pub user_data: usize,
    /// The number of the call in log lines.
    pub number: u64,
}

impl Call<'_> {
    /// Logs an event of the call. `add_fields` is called only if the line is logged.
    pub fn log(
        &self,
        client: &Client,
        level: Level,
        event: &str,
        add_fields: impl FnOnce(&mut Line),
    ) {
        client.log.line(level, event, |line| {
            line.text("operation", self.operation.name).value("call", self.number);
            let Ids { session, participant, endpoint } = self.ids;
            let ids =
                [("sessionId", session), ("participantId", participant), ("endpointId", endpoint)];
            for (key, id) in ids {
                // A call document may contain ids that are not in the path.
                let Some(id) = id.filter(|_| self.operation.has_id(key)) else { continue };
                // The caller may have passed a secret as an id.
                let secrets = client.authenticator.secrets();
                let secrets: Vec<&str> = secrets.iter().map(|secret| secret.as_str()).collect();
                line.text(key, &redact::id(&redact::without(id, &secrets, false)));
            }
            add_fields(line);
        });
    }
}

/// What the log states of the last attempt of a call.
#[derive(Default)]
pub struct LastAttempt {
    /// Its number, from 1.
    number: u32,
    /// The HTTP status, if there was a response. The error of a failed attempt states it, too.
    http_status: Option<u16>,
    /// Whether its connection was opened for it. None without a connection.
    opened: Option<bool>,
}

impl LastAttempt {
    /// Records the result of an exchange.
    pub fn record(&mut self, result: &Result<Response, ExchangeError>) {
        self.http_status = result.as_ref().ok().map(|response| response.status);
        self.opened = connection_opened(result);
    }

    /// Adds its fields, and those of its error, to a log line.
    pub fn add_to(&self, line: &mut Line, error: Option<&Error>) {
        line.text("status", error.map_or(Status::Ok, |error| error.status).name());
        let response = error.and_then(|error| error.response.as_ref());
        let http_status = match error {
            Some(_) => response.map(|response| response.http_status),
            None => self.http_status,
        };
        if let Some(status) = http_status {
            line.value("httpStatus", status);
        }
        if let Some(id) = response.and_then(|response| response.request_id.as_deref()) {
            line.text("requestId", &redact::line(id));
        }
        if let Some(opened) = self.opened {
            line.text("connection", if opened { "new" } else { "reused" });
        }
    }
}

/// Whether the connection of an exchange was opened for it. None without a connection.
fn connection_opened(result: &Result<Response, ExchangeError>) -> Option<bool> {
    match result {
        Ok(response) => Some(response.opened),
        Err(failure) => (failure.opened || failure.sent).then_some(failure.opened),
    }
}

/// Executes one call, and counts the call and its result.
pub fn execute_and_count(
    client: &Client,
    call: &Call<'_>,
    context: &CallContext<'_>,
) -> Result<String, Error> {
    let began = Instant::now();
    let result = execute(client, call, context);
    let status = result.as_ref().map_or_else(|error| error.status, |_| Status::Ok);
    client.stats.end(call.operation, status, Some(began.elapsed()));
    result
}

/// Executes one call and counts it, but not its result: a queue may report another one.
pub fn execute(
    client: &Client,
    call: &Call<'_>,
    context: &CallContext<'_>,
) -> Result<String, Error> {
    let _scope = InterruptScope::enter();
    let began = Instant::now();
    let counter = client.stats.begin(call.operation);
    let mut last = LastAttempt::default();
    let result = run_attempts(client, call, context, &counter, &mut last);
    let time = began.elapsed();
    let error = result.as_ref().err();
    let level = if error.is_some() { Level::Error } else { Level::Info };
    call.log(client, level, "call", |line| {
        last.add_to(line, error);
        line.value("attempts", last.number).millis("durationMs", time);
        if let Some(error) = error {
            if let Some(outcome) = error.outcome {
                line.text("outcome", outcome.name());
            }
            line.text("message", &error.message);
        }
    });
    result
}

fn run_attempts(
    client: &Client,
    call: &Call<'_>,
    context: &CallContext<'_>,
    counter: &CallCounter<'_>,
    last: &mut LastAttempt,
) -> Result<String, Error> {
    let mut attempts = 0;
    let mut unknown = false;
    let mut withdrawn = 0;
    let mut single_use_token = None;
    let mut rejected_token = false;
    let mut needs_new_connection = false;
    loop {
        last.opened = None;
        let authorization = match single_use_token.take() {
            Some(authorization) => authorization,
            None => token_request::authorize(client, call, context).map_err(|error| {
                let outcome = Some(if unknown { Outcome::Unknown } else { Outcome::NotSent });
                Error { attempts, outcome, ..error }
            })?,
        };
        attempts += 1;
        last.number = attempts;
        counter.attempt(attempts);
        call.log(client, Level::Debug, "attempt", |line| {
            line.value("attempt", attempts);
        });
        let attempted = attempt(client, call, context, &authorization, needs_new_connection, last);
        let failure = match attempted {
            Ok(document) => {
                client.retry_budget.refill(if withdrawn > 0 { withdrawn } else { SUCCESS_REFILL });
                return Ok(document);
            }
            Err(failure) => failure,
        };
        // The token may have been revoked. The service has not processed the request.
        if failure.error.status == Status::Unauthorized
            && authorization.kind() == Kind::Client
            && !rejected_token
        {
            rejected_token = true;
            client.authenticator.reject(&authorization);
            call.log(client, Level::Warn, "retry", |line| {
                last.add_to(line, Some(&failure.error));
                line.value("attempt", attempts).value("newToken", true);
                line.text("message", &failure.error.message);
            });
            continue;
        }
        if authorization.is_single_use() {
            single_use_token = Some(authorization);
        }
        if failure.outcome == Outcome::Unknown {
            unknown = true;
        } else if unknown && failure.outcome == Outcome::Rejected && !failure.transient {
            match resolve_unknown(client, call, &failure, context) {
                PriorAttempt::Succeeded => return Ok("null".to_owned()),
                PriorAttempt::Failed => unknown = false,
                PriorAttempt::Unknown => {}
            }
        }
        let outcome = Some(if unknown { Outcome::Unknown } else { failure.outcome });
        let may_retry = is_retryable(call.operation, failure.outcome);
        // The attempt with the rejected token does not count.
        let failed = attempts - u32::from(rejected_token);
        let pause = may_retry
            .then(|| {
                pause_before_retry(client, &failure, failed, client.retry.max_retries, context)
            })
            .flatten();
        let Some(pause) = pause else {
            return Err(Error { attempts, outcome, ..failure.error });
        };
        withdrawn = retry_cost(&failure.error);
        needs_new_connection = matches!(http_status(&failure), Some(408 | 421 | 425));
        call.log(client, Level::Warn, "retry", |line| {
            last.add_to(line, Some(&failure.error));
            line.value("attempt", attempts).millis("delayMs", pause);
            line.text("message", &failure.error.message);
        });
        if let Err(cancelled) = sleep(pause, context) {
            return Err(Error { attempts, outcome, ..cancelled });
        }
    }
}

/// The result of a prior attempt whose outcome was unknown.
enum PriorAttempt {
    /// The service executed it.
    Succeeded,
    /// The service did not execute it.
    Failed,
    /// It is still not known.
    Unknown,
}

/// Determines the result of a prior attempt of unknown outcome from a later rejection.
fn resolve_unknown(
    client: &Client,
    call: &Call<'_>,
    failure: &AttemptError,
    context: &CallContext<'_>,
) -> PriorAttempt {
    match (call.operation.retry, failure.error.status) {
        (RetryClass::Delete, Status::NotFound) => PriorAttempt::Succeeded,
        (RetryClass::AddParticipant, Status::Conflict) => read_join_result(client, call, context),
        // There is nothing that the prior attempt could have changed.
        (_, Status::NotFound) => PriorAttempt::Failed,
        // The cause of any other rejection may not have existed during the prior attempt.
        _ => PriorAttempt::Unknown,
    }
}

/// Reads from the service whether the participant is in the session, with the requested
/// subscriptions.
fn read_join_result(client: &Client, call: &Call<'_>, context: &CallContext<'_>) -> PriorAttempt {
    let Some(session) = call.ids.session else { return PriorAttempt::Unknown };
    let read = |operation: &'static Operation| {
        let target = api::fill(&call.service.prefix, operation.path, call.ids).ok()?;
        let read = Call { operation, target: &target, body: None, user_data: 0, ..*call };
        let counter = client.stats.begin_internal(operation);
        run_attempts(client, &read, context, &counter, &mut LastAttempt::default()).ok()
    };
    let is_in_session = read(&api::GET_PARTICIPANT)
        .and_then(|participant| api::is_in_session(&participant, session));
    match is_in_session {
        None => PriorAttempt::Unknown,
        Some(false) => PriorAttempt::Failed,
        Some(true) => {
            let same = read(&api::GET_PARTICIPANT_SUBSCRIPTIONS)
                .and_then(|found| api::are_same_subscriptions(call.body, Some(&found)));
            match same {
                None => PriorAttempt::Unknown,
                Some(true) => PriorAttempt::Succeeded,
                // It joined the session earlier, with other subscriptions.
                Some(false) => PriorAttempt::Failed,
            }
        }
    }
}

fn attempt(
    client: &Client,
    call: &Call<'_>,
    context: &CallContext<'_>,
    authorization: &Authorization,
    needs_new_connection: bool,
    last: &mut LastAttempt,
) -> Result<String, AttemptError> {
    let request = Request {
        method: call.operation.method.name(),
        target: call.target,
        body: call.body,
        content_type: call.operation.request.content_type(),
        authorization: authorization.header(),
        needs_new_connection,
    };
    let result = client.exchange(&call.service.transport, &request, context);
    last.record(&result);
    match result {
        Ok(response) if (200..300).contains(&response.status) => success(client, call, response),
        Ok(response) => Err(rejection(call.operation.service, &response, authorization)),
        Err(failure) => Err(transport_error(failure)),
    }
}

impl Client {
    /// Sends one request within the context of an attempt, and counts its connection.
    pub(super) fn exchange(
        &self,
        transport: &Transport,
        request: &Request<'_>,
        context: &CallContext<'_>,
    ) -> Result<Response, ExchangeError> {
        let mut context = *context;
        if let Some(most) = self.attempt_timeout {
            context.deadline = context.deadline.min(Deadline::after(most));
        }
        let result = transport.exchange(request, &context);
        if let Some(opened) = connection_opened(&result) {
            self.stats.connection(opened);
        }
        result
    }
}

fn success(client: &Client, call: &Call<'_>, response: Response) -> Result<String, AttemptError> {
    let status = response.status;
    let operation = call.operation;
    let (error, transient, body) = match response.body_error {
        Some(error) => (Error::new(error.status, error.message), error.transient, response.body),
        None if response.content_coding.is_some() => {
            (unsupported_coding(&response), false, Vec::new())
        }
        None if memory::require_to_read(response.body.len()).is_err() => {
            (memory::exhausted(), false, response.body)
        }
        None => match operation.response.check(response.body) {
            Ok(document) => return Ok(document),
            Err(UnusableBody { problem, body }) => {
                let key = operation.service.url_key();
                let message = format!("{problem} (HTTP {status}); check {key}");
                (Error::new(Status::Protocol, message), false, body)
            }
        },
    };
    // Otherwise the caller could not delete what the service has created.
    let is_late =
        client.record_late_object(operation, Some(call.number), body, call.body, call.user_data);
    let response =
        ErrorResponse { http_status: status, request_id: None, retry_after_ms: None, body: None };
    let error = Error { response: Some(Box::new(response)), is_late, ..error };
    Err(AttemptError { error, outcome: Outcome::Unknown, transient })
}

/// The error of a response whose body is compressed, although the request does not allow that.
pub fn unsupported_coding(response: &Response) -> Error {
    let coding = redact::quoted(response.content_coding.as_deref().unwrap_or_default());
    let status = response.status;
    Error::new(
        Status::Protocol,
        format!(
            "the response has the content coding {coding} (HTTP {status}), which the request does \
             not accept; check what is between this machine and the service"
        ),
    )
}

fn rejection(service: Service, response: &Response, authorization: &Authorization) -> AttemptError {
    let secrets = authorization.secrets();
    let secrets: Vec<&str> = secrets.iter().map(|secret| secret.as_str()).collect();
    // A compressed body is not shown.
    let body = if response.content_coding.is_some() { &[][..] } else { &response.body };
    let details =
        api::error_response(response.status, response.retry_after.as_deref(), body, &secrets);
    let meaning = api::classify(service, &details, body, authorization.kind().keys());
    let error =
        Error { response: Some(Box::new(details)), ..Error::new(meaning.status, meaning.message) };
    let outcome = match meaning.disposition {
        Disposition::Unknown => Outcome::Unknown,
        Disposition::Rejected | Disposition::Throttled => Outcome::Rejected,
    };
    let transient = match meaning.disposition {
        // 408 on a reused connection: the server closed it while it was idle. On a new connection, a
        // gateway may have sent the response after waiting for the service.
        Disposition::Rejected => response.status == 408 && !response.opened,
        Disposition::Throttled => true,
        // Only after these may another attempt succeed.
        Disposition::Unknown => matches!(response.status, 500 | 502 | 503 | 504),
    };
    AttemptError { error, outcome, transient }
}

/// The error of an attempt without a response.
pub fn transport_error(failure: ExchangeError) -> AttemptError {
    let outcome = if failure.sent { Outcome::Unknown } else { Outcome::NotSent };
    let error = failure.error;
    AttemptError {
        error: Error::new(error.status, error.message),
        outcome,
        transient: error.transient,
    }
}

fn http_status(failure: &AttemptError) -> Option<u16> {
    failure.error.response.as_ref().map(|response| response.http_status)
}

fn is_retryable(operation: &Operation, outcome: Outcome) -> bool {
    outcome != Outcome::Unknown || operation.retry != RetryClass::Create
}

/// How long to wait before the next attempt, whose cost is withdrawn from the client's retry budget.
/// None if there is no further attempt.
pub fn pause_before_retry(
    client: &Client,
    failure: &AttemptError,
    attempts: u32,
    max_retries: u32,
    context: &CallContext<'_>,
) -> Option<Duration> {
    let rules = &client.retry;
    if !failure.transient || attempts > max_retries {
        return None;
    }
    let jittered = rules.ceiling(attempts).mul_f64(jitter());
    let retry_after = failure.error.response.as_ref().and_then(|answer| answer.retry_after_ms);
    let retry_after = Duration::from_millis(retry_after.unwrap_or(0));
    let waited = context.retry_after.get() + retry_after;
    if !retry_after.is_zero() && waited > rules.max_retry_after {
        return None;
    }
    let pause = jittered.max(retry_after);
    context
        .deadline
        .remaining()
        .filter(|left| pause < *left)
        .filter(|_| client.retry_budget.try_withdraw(retry_cost(&failure.error)))?;
    context.retry_after.set(waited);
    Some(pause)
}

/// The cost of a retry after this error.
pub fn retry_cost(error: &Error) -> u32 {
    if error.status == Status::Timeout { TIMEOUT_RETRY_COST } else { RETRY_COST }
}

/// A random factor from 0 to 1.
fn jitter() -> f64 {
    // A forked child has the same hash keys as its parent, but another time and process id.
    let bits = RandomState::new().hash_one((Instant::now(), std::process::id()));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Sleeps, unless the call is cancelled.
///
/// # Errors
/// `Status::Cancelled`.
pub fn sleep(pause: Duration, context: &CallContext<'_>) -> Result<(), Error> {
    let until = Instant::now() + pause;
    loop {
        if context.cancel.is_cancelled(false) {
            return Err(Error::new(
                Status::Cancelled,
                "the call was cancelled while it waited for the next attempt",
            ));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(CANCEL_CHECK_INTERVAL));
        sys::run_interrupt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_spread_evenly() {
        let drawn: Vec<f64> = (0..2000).map(|_| jitter()).collect();
        assert!(drawn.iter().all(|part| (0.0..1.0).contains(part)));
        for tenth in 0..10 {
            let count = drawn.iter().filter(|part| (**part * 10.0) as i32 == tenth).count();
            // 200 are expected. Fewer than 100 are practically impossible.
            assert!(count > 100, "{count} between {tenth}/10 and the next");
        }
    }
}
