//! The attempt loop: one deadline, retries of what is safe to repeat, and the outcome of it all.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use super::Client;
use super::budget::{PLAIN_SUCCESS, RETRY, RETRY_AFTER_TIMEOUT};
use super::log::{Level, Millis};
use super::stats::Counted;
use super::token;
use crate::api::{self, Disposition, Ids, Operation, RetryClass, Service};
use crate::auth::{Authorization, Kind};
use crate::error::{Error, ErrorResponse, Outcome, Status};
use crate::memory;
use crate::redact;
use crate::transport::{Failure, Limits, Reply, Request, Transport};

/// The longest sleep that does not look whether the call was cancelled.
const NAP: Duration = Duration::from_millis(50);

/// Why an attempt failed.
pub struct AttemptError {
    pub error: Error,
    pub outcome: Outcome,
    /// Whether another attempt may succeed.
    pub transient: bool,
}

/// One call, checked and ready to be sent.
pub struct Call<'a> {
    /// What is to be done.
    pub operation: &'static Operation,
    /// The ids in the path.
    pub ids: &'a Ids<'a>,
    /// The whole path.
    pub target: &'a str,
    /// The body to send.
    pub body: Option<&'a str>,
}

/// Executes one call, counts it and its result.
pub fn run(client: &Client, call: &Call<'_>, limits: &Limits<'_>) -> Result<String, Error> {
    let began = Instant::now();
    let result = execute(client, call, limits);
    let status = result.as_ref().map_or_else(|error| error.status, |_| Status::Ok);
    client.stats.end(call.operation, status, Some(began.elapsed()));
    result
}

/// Executes one call and counts it, but not its result, which may not be what its caller receives.
pub fn execute(client: &Client, call: &Call<'_>, limits: &Limits<'_>) -> Result<String, Error> {
    let name = call.operation.name;
    let began = Instant::now();
    let counted = client.stats.begin(call.operation);
    let result = repeat(client, call, limits, &counted);
    let time = began.elapsed();
    match &result {
        Ok(_) => client.log.line(Level::Info, || format!("{name}: BW_OK after {}", Millis(time))),
        Err(error) => client.log.line(Level::Error, || {
            let attempts = error.attempts;
            let noun = if attempts == 1 { "attempt" } else { "attempts" };
            format!("{name}: {error} ({attempts} {noun}, {})", Millis(time))
        }),
    }
    result
}

fn repeat(
    client: &Client,
    call: &Call<'_>,
    limits: &Limits<'_>,
    counted: &Counted<'_>,
) -> Result<String, Error> {
    let mut attempts = 0;
    let mut unknown = false;
    let mut drawn = 0;
    let mut own_token = None;
    let mut rejected_token = false;
    loop {
        let authorization = match own_token.take() {
            Some(authorization) => authorization,
            None => token::authorize(client, limits).map_err(|error| {
                let outcome = Some(if unknown { Outcome::Unknown } else { Outcome::NotSent });
                Error { attempts, outcome, ..error }
            })?,
        };
        attempts += 1;
        counted.attempt(attempts);
        client.log.line(Level::Debug, || format!("{}: attempt {attempts}", call.operation.name));
        let ended = match attempt(client, call, limits, &authorization) {
            Ok(document) => {
                client.budget.refill(if drawn > 0 { drawn } else { PLAIN_SUCCESS });
                return Ok(document);
            }
            Err(ended) => ended,
        };
        // The service did nothing, since it did not accept the token: it may have been revoked.
        if ended.error.status == Status::Unauthorized
            && authorization.kind() == Kind::Client
            && !rejected_token
        {
            rejected_token = true;
            client.authenticator.reject(&authorization);
            client.log.line(Level::Warn, || {
                let name = call.operation.name;
                format!("{name}: attempt {attempts}: {}; again with a new token", ended.error)
            });
            continue;
        }
        if authorization.is_for_one_call() {
            own_token = Some(authorization);
        }
        if ended.outcome == Outcome::Unknown {
            unknown = true;
        } else if unknown && ended.outcome == Outcome::Rejected && !ended.transient {
            match came_of_it(client, call, &ended, limits) {
                Earlier::Done => return Ok("null".to_owned()),
                Earlier::NotDone => unknown = false,
                Earlier::NotKnown => {}
            }
        }
        let outcome = Some(if unknown { Outcome::Unknown } else { ended.outcome });
        let may_repeat = is_repeatable(call.operation, ended.outcome);
        // The attempt whose token was rejected is not one that failed.
        let failed = attempts - u32::from(rejected_token);
        let pause = may_repeat
            .then(|| pause_before_retry(client, &ended, failed, client.retry.max_retries, limits))
            .flatten();
        let Some(pause) = pause else {
            return Err(Error { attempts, outcome, ..ended.error });
        };
        drawn = retry_cost(&ended.error);
        client.log.line(Level::Warn, || {
            let name = call.operation.name;
            format!("{name}: attempt {attempts}: {}; again in {}", ended.error, Millis(pause))
        });
        if let Err(cancelled) = sleep(pause, limits) {
            return Err(Error { attempts, outcome, ..cancelled });
        }
    }
}

/// What became of an earlier attempt, whose outcome was unknown.
enum Earlier {
    /// It did the work.
    Done,
    /// It did nothing.
    NotDone,
    /// Nobody can tell.
    NotKnown,
}

/// What a refusal tells of an earlier attempt.
fn came_of_it(
    client: &Client,
    call: &Call<'_>,
    ended: &AttemptError,
    limits: &Limits<'_>,
) -> Earlier {
    match (call.operation.retry, ended.error.status) {
        // Who may not ask has learned nothing.
        (_, Status::Unauthorized | Status::Forbidden) => Earlier::NotKnown,
        (RetryClass::Delete, Status::NotFound) => Earlier::Done,
        (RetryClass::AddParticipant, Status::Conflict) => is_joined(client, call, limits),
        // The service has now looked at the very same request and refused it.
        _ => Earlier::NotDone,
    }
}

/// Reads whether the participant is in the session that it was to join, with the subscriptions that
/// it was to have there.
fn is_joined(client: &Client, call: &Call<'_>, limits: &Limits<'_>) -> Earlier {
    let Some(session) = call.ids.session else { return Earlier::NotKnown };
    let read = |operation: &'static Operation| {
        let target = api::fill(&client.prefix, operation.path, call.ids).ok()?;
        let read = Call { operation, ids: call.ids, target: &target, body: None };
        repeat(client, &read, limits, &client.stats.begin_internal(operation)).ok()
    };
    let is_in_session = read(&api::GET_PARTICIPANT)
        .and_then(|participant| api::is_in_session(&participant, session));
    match is_in_session {
        None => Earlier::NotKnown,
        Some(false) => Earlier::NotDone,
        Some(true) => {
            let same = read(&api::GET_PARTICIPANT_SUBSCRIPTIONS)
                .and_then(|found| api::are_same_subscriptions(call.body, Some(&found)));
            match same {
                None => Earlier::NotKnown,
                Some(true) => Earlier::Done,
                // It was in the session before, with other subscriptions.
                Some(false) => Earlier::NotDone,
            }
        }
    }
}

fn attempt(
    client: &Client,
    call: &Call<'_>,
    limits: &Limits<'_>,
    authorization: &Authorization,
) -> Result<String, AttemptError> {
    let request = Request {
        method: call.operation.method.name(),
        target: call.target,
        body: call.body,
        content_type: call.operation.request.content_type(),
        authorization: authorization.header(),
    };
    match client.exchange(&client.transport, &request, limits) {
        Ok(reply) if (200..300).contains(&reply.status) => success(call.operation, reply),
        Ok(reply) => Err(refusal(call.operation.service, &reply, authorization)),
        Err(failure) => Err(transport_error(failure)),
    }
}

impl Client {
    /// Sends one request within the limits of an attempt, and counts its connection.
    pub(super) fn exchange(
        &self,
        transport: &Transport,
        request: &Request<'_>,
        limits: &Limits<'_>,
    ) -> Result<Reply, Failure> {
        let mut limits = *limits;
        if let Some(most) = self.attempt_timeout {
            limits.deadline = limits.deadline.min(Instant::now() + most);
        }
        let result = transport.exchange(request, &limits);
        let (opened, sent) = match &result {
            Ok(reply) => (reply.opened, true),
            Err(failure) => (failure.opened, failure.sent),
        };
        // An attempt that never had a connection is neither.
        if opened || sent {
            self.stats.connection(opened);
        }
        result
    }
}

fn success(operation: &Operation, reply: Reply) -> Result<String, AttemptError> {
    let status = reply.status;
    let (error, transient) = match reply.cut {
        Some(fault) => (Error::new(fault.status, fault.message), fault.transient),
        None if reply.coding.is_some() => (coded(&reply), false),
        None if memory::require_to_read(reply.body.len()).is_err() => (memory::exhausted(), false),
        None => match operation.response.check(reply.body) {
            Ok(document) => return Ok(document),
            Err(why) => (
                Error::new(Status::Protocol, format!("{why} (HTTP {status}); check baseUrl")),
                false,
            ),
        },
    };
    let response =
        ErrorResponse { http_status: status, request_id: None, retry_after_ms: None, body: None };
    let error = Error { response: Some(Box::new(response)), ..error };
    Err(AttemptError { error, outcome: Outcome::Unknown, transient })
}

/// The error of a response whose body is compressed, although the request does not allow that.
pub fn coded(reply: &Reply) -> Error {
    let coding = redact::quoted(reply.coding.as_deref().unwrap_or_default());
    let status = reply.status;
    Error::new(
        Status::Protocol,
        format!(
            "the response has the content coding {coding} (HTTP {status}), which the request does \
             not accept; check what is between this machine and the service"
        ),
    )
}

fn refusal(service: Service, reply: &Reply, authorization: &Authorization) -> AttemptError {
    let secrets = authorization.secrets();
    let secrets: Vec<&str> = secrets.iter().map(|secret| secret.as_str()).collect();
    // A body that cannot be read is not shown.
    let body = if reply.coding.is_some() { &[][..] } else { &reply.body };
    let response = api::error_response(reply.status, reply.retry_after.as_deref(), body, &secrets);
    let meaning = api::classify(service, &response, authorization.kind().keys());
    let error =
        Error { response: Some(Box::new(response)), ..Error::new(meaning.status, meaning.message) };
    let outcome = match meaning.disposition {
        Disposition::Unknown => Outcome::Unknown,
        Disposition::Rejected | Disposition::Throttled => Outcome::Rejected,
    };
    let transient = match meaning.disposition {
        // The server closed an idle connection when the request was on its way. On a new connection
        // it may be a gateway that waited for the service.
        Disposition::Rejected => reply.status == 408 && !reply.opened,
        Disposition::Throttled => true,
        // Of the others only these say that a repetition may help.
        Disposition::Unknown => matches!(reply.status, 500 | 502 | 503 | 504),
    };
    AttemptError { error, outcome, transient }
}

/// The error of an attempt without a response.
pub fn transport_error(failure: Failure) -> AttemptError {
    let outcome = if failure.sent { Outcome::Unknown } else { Outcome::NotSent };
    let fault = failure.fault;
    AttemptError {
        error: Error::new(fault.status, fault.message),
        outcome,
        transient: fault.transient,
    }
}

fn is_repeatable(operation: &Operation, outcome: Outcome) -> bool {
    outcome != Outcome::Unknown || operation.retry != RetryClass::Create
}

/// How long to wait before the next attempt, whose cost is drawn from the client's retry budget;
/// none if no attempt may follow.
pub fn pause_before_retry(
    client: &Client,
    ended: &AttemptError,
    attempts: u32,
    max_retries: u32,
    limits: &Limits<'_>,
) -> Option<Duration> {
    let rules = &client.retry;
    if !ended.transient || attempts > max_retries {
        return None;
    }
    let jittered = rules.ceiling(attempts).mul_f64(fraction());
    let asked = ended.error.response.as_ref().and_then(|response| response.retry_after_ms);
    let pause = jittered.max(Duration::from_millis(asked.unwrap_or(0)));
    limits
        .left()
        .filter(|left| pause < *left)
        .filter(|_| client.budget.draw(retry_cost(&ended.error)))
        .map(|_| pause)
}

/// What a retry after this error draws from the budget.
pub fn retry_cost(error: &Error) -> u32 {
    if error.status == Status::Timeout { RETRY_AFTER_TIMEOUT } else { RETRY }
}

/// A random part of one, for jitter.
fn fraction() -> f64 {
    // A forked child has the same keys as its parent, but not the same time and id.
    let bits = RandomState::new().hash_one((Instant::now(), std::process::id()));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Waits, unless the call is cancelled.
///
/// # Errors
/// `Status::Cancelled`.
pub fn sleep(pause: Duration, limits: &Limits<'_>) -> Result<(), Error> {
    let until = Instant::now() + pause;
    loop {
        if limits.is_over(false) {
            return Err(Error::new(
                Status::Cancelled,
                "the call was cancelled while it waited to try again",
            ));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(NAP));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_spread_over_all_of_one() {
        let drawn: Vec<f64> = (0..2000).map(|_| fraction()).collect();
        assert!(drawn.iter().all(|part| (0.0..1.0).contains(part)));
        for tenth in 0..10 {
            let count = drawn.iter().filter(|part| (**part * 10.0) as i32 == tenth).count();
            // 200 are expected; fewer than 100 come once in the age of the universe.
            assert!(count > 100, "{count} between {tenth}/10 and the next");
        }
    }
}
