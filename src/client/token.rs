//! The token request: its attempts, within the deadline of the call that needs the token.

use std::sync::Arc;
use std::time::Instant;

use zeroize::Zeroize;

use super::Client;
use super::attempts::{
    AttemptError, coded, pause_before_retry, retry_cost, sleep, transport_error,
};
use super::log::{Level, Millis};
use crate::api;
use crate::auth::{self, AccessToken, Authorization, Credentials, Purpose};
use crate::error::{Error, ErrorResponse, Outcome, Status};
use crate::transport::{Limits, Reply, Request, Transport};

/// Where tokens are requested. It has connections of its own.
pub struct TokenEndpoint {
    pub transport: Transport,
    /// The path of the token URL.
    pub target: String,
}

/// What an attempt authenticates with; requests a token if necessary.
///
/// # Errors
/// Why there is no token. Nothing was sent to the service in its attempt.
pub fn authorize(client: &Client, limits: &Limits<'_>) -> Result<Arc<Authorization>, Error> {
    client.authenticator.authorize(limits, |credentials, purpose| {
        let began = Instant::now();
        let result = request(client, credentials, purpose, limits);
        let time = Millis(began.elapsed());
        match &result {
            Ok(token) => client.log.line(Level::Info, || {
                let seconds = token.lifetime().as_secs();
                format!("token request: BW_OK after {time}; the token is valid for {seconds} s")
            }),
            Err(error) => client.log.line(Level::Warn, || format!("{error} (after {time})")),
        }
        result
    })
}

fn request(
    client: &Client,
    credentials: &Credentials,
    purpose: Purpose,
    limits: &Limits<'_>,
) -> Result<AccessToken, Error> {
    let mut limits = *limits;
    // Nothing is lost if a token is not received: a cancelled call ends at once.
    limits.must_know = false;
    let max_retries = match purpose {
        Purpose::First => client.retry.max_retries,
        // The call has a valid token: it must not fail because a new one is slow to come.
        Purpose::Renewal => {
            let left = limits.left().unwrap_or_default();
            limits.deadline = limits.deadline.min(Instant::now() + left / 2);
            0
        }
    };
    let mut attempts = 0;
    let mut drawn = 0;
    loop {
        attempts += 1;
        let failed = match attempt(client, credentials, &limits) {
            Ok(token) => {
                client.budget.refill(drawn);
                return Ok(token);
            }
            Err(failed) => failed,
        };
        let pause = pause_before_retry(client, &failed, attempts, max_retries, &limits);
        let Some(pause) = pause else { return Err(failed.error) };
        drawn = retry_cost(&failed.error);
        client
            .log
            .line(Level::Warn, || format!("{}; next attempt in {}", failed.error, Millis(pause)));
        sleep(pause, &limits)?;
    }
}

fn attempt(
    client: &Client,
    credentials: &Credentials,
    limits: &Limits<'_>,
) -> Result<AccessToken, AttemptError> {
    let Some(endpoint) = &client.token_endpoint else {
        let error = Error::new(Status::Internal, "a client without a token URL requests a token");
        return Err(AttemptError { error, outcome: Outcome::NotSent, transient: false });
    };
    let request = Request {
        method: "POST",
        target: &endpoint.target,
        body: Some(auth::TOKEN_REQUEST),
        content_type: "application/x-www-form-urlencoded",
        authorization: credentials.basic(),
    };
    let requested = Instant::now();
    client.stats.token_request();
    match client.exchange(&endpoint.transport, &request, limits) {
        Ok(reply) if (200..300).contains(&reply.status) => success(reply, requested),
        Ok(reply) => Err(rejection(reply, credentials)),
        Err(failure) => {
            let mut failed = transport_error(failure);
            failed.error.message = format!("the token request failed: {}", failed.error.message);
            Err(AttemptError { outcome: Outcome::NotSent, ..failed })
        }
    }
}

fn success(mut reply: Reply, requested: Instant) -> Result<AccessToken, AttemptError> {
    let parsed = match &reply.cut {
        Some(fault) => Err((fault.status, fault.message.clone(), fault.transient)),
        None if reply.coding.is_some() => Err((Status::Protocol, coded(&reply).message, false)),
        None => AccessToken::parse(&reply.body, requested)
            .map_err(|why| (Status::Protocol, format!("{why}; check tokenUrl"), false)),
    };
    reply.body.zeroize();
    parsed.map_err(|(status, why, transient)| {
        let message = format!("the token request failed: {why} (HTTP {})", reply.status);
        let response = ErrorResponse {
            http_status: reply.status,
            request_id: None,
            retry_after_ms: None,
            body: None,
        };
        let error = Error { response: Some(Box::new(response)), ..Error::new(status, message) };
        AttemptError { error, outcome: Outcome::NotSent, transient }
    })
}

fn rejection(mut reply: Reply, credentials: &Credentials) -> AttemptError {
    let secrets = credentials.secrets();
    let mut response = api::error_response(
        reply.status,
        reply.retry_after.as_deref(),
        if reply.coding.is_some() { &[] } else { &reply.body },
        &secrets.each_ref().map(|secret| secret.as_str()),
    );
    reply.body.zeroize();
    // Whatever the status says, a token is not shown.
    response.body.take_if(|body| body.get().contains("_token"));
    let body = response.body.as_deref();
    let code = body.and_then(|body| api::text_member(body, "error"));
    let (status, mut message) = auth::token_error(reply.status, code.as_deref());
    // RFC 6749, 5.2; a gateway in front of the endpoint uses other keys.
    let words = body.and_then(|body| {
        ["error_description", "error", "message"]
            .iter()
            .find_map(|name| api::text_member(body, name))
    });
    if let Some(words) = words {
        message.push_str(": ");
        message.push_str(&words);
    }
    let transient = matches!(reply.status, 429 | 500 | 502..=504);
    let error = Error { response: Some(Box::new(response)), ..Error::new(status, message) };
    AttemptError { error, outcome: Outcome::NotSent, transient }
}
