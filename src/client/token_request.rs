//! The token request: its attempts, within the deadline of the call that needs the token.

use std::sync::Arc;
use std::time::Instant;

use zeroize::Zeroize;

use super::Client;
use super::attempts::{
    AttemptError, Call, LastAttempt, pause_before_retry, retry_cost, sleep, transport_error,
    unsupported_coding,
};
use super::log::Level;
use crate::api;
use crate::auth::{self, AccessToken, Authorization, Credentials, Purpose, RequestGuard};
use crate::error::{Error, ErrorResponse, Outcome, Status};
use crate::transport::{CallContext, Deadline, Request, Response, Transport};

/// The token endpoint, with its own connections.
pub struct TokenEndpoint {
    pub transport: Transport,
    /// The path of the token URL.
    pub target: String,
}

/// The authorization for an attempt of a call. Requests a token if necessary.
///
/// # Errors
/// Returns why there is no token. The attempt sent nothing to the service.
pub fn authorize(
    client: &Client,
    call: &Call<'_>,
    context: &CallContext<'_>,
) -> Result<Arc<Authorization>, Error> {
    client.authenticator.authorize(context, |credentials, purpose, guard| {
        let began = Instant::now();
        let mut last = LastAttempt::default();
        let result = request(client, call, credentials, purpose, guard, context, &mut last);
        let time = began.elapsed();
        let level = if result.is_ok() { Level::Info } else { Level::Warn };
        call.log(client, level, "token", |line| {
            last.add_to(line, result.as_ref().err());
            line.millis("durationMs", time);
            match &result {
                Ok(token) => line.value("lifetimeSeconds", token.lifetime().as_secs()),
                Err(error) => line.text("message", &error.message),
            };
        });
        result
    })
}

fn request(
    client: &Client,
    call: &Call<'_>,
    credentials: &Credentials,
    purpose: Purpose,
    guard: &RequestGuard<'_>,
    context: &CallContext<'_>,
    last: &mut LastAttempt,
) -> Result<AccessToken, Error> {
    let mut context = *context;
    // A token request creates nothing, so a cancelled call need not wait for its response.
    context.cancel.completes_if_sent = false;
    let max_retries = match purpose {
        Purpose::First => client.retry.max_retries,
        // The call has a valid token, and must not fail because the token endpoint is slow.
        Purpose::Renewal => {
            let left = context.deadline.remaining().unwrap_or_default();
            context.deadline = context.deadline.min(Deadline::after(left / 2));
            0
        }
    };
    let mut attempts = 0;
    let mut withdrawn = 0;
    loop {
        attempts += 1;
        let failed = match attempt(client, credentials, &context, last) {
            Ok(token) => {
                client.retry_budget.refill(withdrawn);
                return Ok(token);
            }
            Err(failed) => failed,
        };
        let waited = context.retry_after.get();
        let pause = pause_before_retry(client, &failed, attempts, max_retries, &context);
        let Some(pause) = pause else { return Err(failed.error) };
        guard.wait_for_retry_after(context.retry_after.get() - waited);
        withdrawn = retry_cost(&failed.error);
        call.log(client, Level::Warn, "tokenRetry", |line| {
            last.add_to(line, Some(&failed.error));
            line.value("attempt", attempts).millis("delayMs", pause);
            line.text("message", &failed.error.message);
        });
        sleep(pause, &context)?;
    }
}

fn attempt(
    client: &Client,
    credentials: &Credentials,
    context: &CallContext<'_>,
    last: &mut LastAttempt,
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
        // At most one is idle.
        needs_new_connection: false,
    };
    let requested = Instant::now();
    client.stats.token_request();
    let result = client.exchange(&endpoint.transport, &request, context);
    last.record(&result);
    match result {
        Ok(response) if (200..300).contains(&response.status) => success(response, requested),
        Ok(response) => Err(rejection(response, credentials)),
        Err(failure) => {
            let mut failed = transport_error(failure);
            failed.error.message = format!("the token request failed: {}", failed.error.message);
            Err(AttemptError { outcome: Outcome::NotSent, ..failed })
        }
    }
}

fn success(mut response: Response, requested: Instant) -> Result<AccessToken, AttemptError> {
    let parsed = match &response.body_error {
        Some(error) => Err((error.status, error.message.clone(), error.transient)),
        None if response.content_coding.is_some() => {
            Err((Status::Protocol, unsupported_coding(&response).message, false))
        }
        None => AccessToken::parse(&response.body, requested)
            .map_err(|why| (Status::Protocol, format!("{why}; check tokenUrl"), false)),
    };
    response.body.zeroize();
    parsed.map_err(|(status, why, transient)| {
        let message = format!("the token request failed: {why} (HTTP {})", response.status);
        let details = ErrorResponse {
            http_status: response.status,
            request_id: None,
            retry_after_ms: None,
            body: None,
        };
        let error = Error { response: Some(Box::new(details)), ..Error::new(status, message) };
        AttemptError { error, outcome: Outcome::NotSent, transient }
    })
}

fn rejection(mut response: Response, credentials: &Credentials) -> AttemptError {
    let secrets = credentials.secrets();
    let mut details = api::error_response(
        response.status,
        response.retry_after.as_deref(),
        if response.content_coding.is_some() { &[] } else { &response.body },
        &secrets.each_ref().map(|secret| secret.as_str()),
    );
    response.body.zeroize();
    // The body may contain a token, whatever the status is.
    details.body.take_if(|body| body.get().contains("_token"));
    let body = details.body.as_deref();
    let code = body.and_then(|body| api::text_member(body, "error"));
    let (status, mut message) = auth::token_error(response.status, code.as_deref());
    // RFC 6749, 5.2; gateways use other keys.
    let words = body.and_then(|body| {
        ["error_description", "error", "message"]
            .iter()
            .find_map(|name| api::text_member(body, name))
    });
    if let Some(words) = words {
        message.push_str(": ");
        message.push_str(&words);
    }
    // A token request creates nothing, so it can always be sent again.
    let transient = matches!(response.status, 408 | 421 | 425 | 429 | 500 | 502..=504);
    let error = Error { response: Some(Box::new(details)), ..Error::new(status, message) };
    AttemptError { error, outcome: Outcome::NotSent, transient }
}
