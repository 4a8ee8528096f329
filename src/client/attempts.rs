//! The attempt loop: one deadline, retries of what is safe to repeat, and the outcome of it all.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

use super::Client;
use super::budget::{PLAIN_SUCCESS, RETRY, RETRY_AFTER_TIMEOUT};
use super::log::{Level, Millis};
use super::stats::Counted;
use crate::api::{self, Ids, Operation, Retry, Settled};
use crate::error::{Answer, Error, Outcome, Status};
use crate::transport::{Failure, Limits, Reply, Request};

/// The longest sleep that does not look whether the call was cancelled.
const NAP: Duration = Duration::from_millis(50);

/// How an attempt that gave no document ended.
struct Ended {
    error: Error,
    outcome: Outcome,
    /// Whether another attempt could fare better at all.
    transient: bool,
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

/// Carries out one call, counts it and tells of it.
pub fn run(client: &Client, call: &Call<'_>, limits: &Limits<'_>) -> Result<String, Error> {
    let name = call.operation.name;
    let began = Instant::now();
    let counted = client.stats.begin(call.operation);
    let result = repeat(client, call, limits, &counted);
    let time = began.elapsed();
    match &result {
        Ok(_) => {
            client.log.line(Level::Info, || format!("{name}: BW_OK after {}", Millis(time)));
            counted.end(Status::Ok, time);
        }
        Err(error) => {
            client.log.line(Level::Error, || {
                format!("{name}: {error} ({} attempts, {})", error.attempts, Millis(time))
            });
            counted.end(error.status, time);
        }
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
    loop {
        attempts += 1;
        if attempts > 1 {
            counted.retry();
        }
        client.log.line(Level::Debug, || format!("{}: attempt {attempts}", call.operation.name));
        let ended = match attempt(client, call, limits) {
            Ok(document) => {
                client.budget.refill(if attempts > 1 { drawn } else { PLAIN_SUCCESS });
                return Ok(document);
            }
            Err(ended) => ended,
        };
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
        let cost = if ended.error.status == Status::Timeout { RETRY_AFTER_TIMEOUT } else { RETRY };
        let pause = pause_before_retry(client, &ended, attempts, limits)
            .filter(|_| is_repeatable(call.operation, ended.outcome))
            .filter(|_| client.budget.draw(cost));
        let Some(pause) = pause else {
            return Err(Error { attempts, outcome, ..ended.error });
        };
        drawn = cost;
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
fn came_of_it(client: &Client, call: &Call<'_>, ended: &Ended, limits: &Limits<'_>) -> Earlier {
    match (call.operation.retry, ended.error.status) {
        // Who may not ask has learned nothing.
        (_, Status::Unauthorized | Status::Forbidden) => Earlier::NotKnown,
        (Retry::Removal, Status::NotFound) => Earlier::Done,
        (Retry::Joining, Status::Conflict) => is_joined(client, call, limits),
        // The service has now looked at the very same request and refused it.
        _ => Earlier::NotDone,
    }
}

/// Asks the participant whether it is in the session that it was to join.
fn is_joined(client: &Client, call: &Call<'_>, limits: &Limits<'_>) -> Earlier {
    let Some(session) = call.ids.session else { return Earlier::NotKnown };
    let operation = &api::GET_PARTICIPANT;
    let Ok(target) = api::fill(&client.prefix, operation.path, call.ids) else {
        return Earlier::NotKnown;
    };
    let read = Call { operation, ids: call.ids, target: &target, body: None };
    match run(client, &read, limits) {
        Ok(document) if api::is_in_session(&document, session) => Earlier::Done,
        Ok(_) => Earlier::NotDone,
        Err(_) => Earlier::NotKnown,
    }
}

fn attempt(client: &Client, call: &Call<'_>, limits: &Limits<'_>) -> Result<String, Ended> {
    // One set of credentials for the attempt, whatever is set meanwhile.
    let credentials = client.credentials.load();
    let request = Request {
        method: call.operation.method.name(),
        target: call.target,
        body: call.body,
        content_type: "application/json",
        authorization: credentials.authorization(),
    };
    let mut limits = *limits;
    if let Some(most) = client.attempt_timeout {
        limits.deadline = limits.deadline.min(Instant::now() + most);
    }
    let result = client.transport.exchange(&request, &limits);
    let (opened, sent) = match &result {
        Ok(reply) => (reply.opened, true),
        Err(failure) => (failure.opened, failure.sent),
    };
    // An attempt that never had a connection is neither.
    if opened || sent {
        client.stats.connection(opened);
    }
    match result {
        Ok(reply) if (200..300).contains(&reply.status) => success(call.operation, reply),
        Ok(reply) => {
            let secrets = credentials.secrets();
            Err(refusal(reply, &secrets.each_ref().map(|secret| secret.as_str())))
        }
        Err(failure) => Err(no_answer(failure)),
    }
}

fn success(operation: &Operation, reply: Reply) -> Result<String, Ended> {
    let status = reply.status;
    let (error, transient) = match reply.cut {
        Some(fault) => (Error::new(fault.status, fault.message), fault.transient),
        None => match operation.answer.check(reply.body) {
            Ok(document) => return Ok(document),
            Err(why) => (
                Error::new(Status::Protocol, format!("{why} (HTTP {status}); check baseUrl")),
                false,
            ),
        },
    };
    let answer = Answer { http_status: status, request_id: None, retry_after_ms: None, body: None };
    let error = Error { answer: Some(Box::new(answer)), ..error };
    Err(Ended { error, outcome: Outcome::Unknown, transient })
}

fn refusal(reply: Reply, secrets: &[&str]) -> Ended {
    let body = api::shown_body(&reply.body, secrets);
    let answer = Answer {
        http_status: reply.status,
        request_id: api::request_id(body.as_deref()),
        retry_after_ms: reply.retry_after.as_deref().and_then(retry_after),
        body,
    };
    let meaning = api::classify(&answer);
    let error =
        Error { answer: Some(Box::new(answer)), ..Error::new(meaning.status, meaning.message) };
    let outcome = match meaning.settled {
        Settled::Unknown => Outcome::Unknown,
        Settled::Refused | Settled::TurnedAway => Outcome::Rejected,
    };
    let transient = match meaning.settled {
        Settled::Refused => false,
        Settled::TurnedAway => true,
        // Of the others only these say that a repetition may help.
        Settled::Unknown => matches!(reply.status, 500 | 502 | 504),
    };
    Ended { error, outcome, transient }
}

fn no_answer(failure: Failure) -> Ended {
    let outcome = if failure.sent { Outcome::Unknown } else { Outcome::NotSent };
    let fault = failure.fault;
    Ended { error: Error::new(fault.status, fault.message), outcome, transient: fault.transient }
}

fn is_repeatable(operation: &Operation, outcome: Outcome) -> bool {
    outcome != Outcome::Unknown || operation.retry != Retry::Never
}

/// How long to wait before the next attempt; none if there is to be none.
fn pause_before_retry(
    client: &Client,
    ended: &Ended,
    attempts: u32,
    limits: &Limits<'_>,
) -> Option<Duration> {
    let rules = &client.retry;
    if !ended.transient || attempts > rules.max_retries {
        return None;
    }
    let jittered = rules.ceiling(attempts).mul_f64(fraction());
    let asked = ended.error.answer.as_ref().and_then(|answer| answer.retry_after_ms);
    let pause = jittered.max(Duration::from_millis(asked.unwrap_or(0)));
    limits.left().filter(|left| pause < *left).map(|_| pause)
}

/// A random part of one, for jitter.
fn fraction() -> f64 {
    // A forked child has the same keys as its parent, but not the same time and id.
    let bits = RandomState::new().hash_one((Instant::now(), std::process::id()));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

fn sleep(pause: Duration, limits: &Limits<'_>) -> Result<(), Error> {
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

/// Retry-After in milliseconds: seconds, or an HTTP date.
fn retry_after(header: &str) -> Option<u64> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let until = httpdate::parse_http_date(header).ok()?;
    let left = until.duration_since(SystemTime::now()).unwrap_or_default();
    u64::try_from(left.as_millis()).ok()
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

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("2"), Some(2000));
        assert_eq!(retry_after(" 0 "), Some(0));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!((58_000..=60_000).contains(&retry_after(&soon).unwrap()));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("99999999999999999999"), None);
    }
}
