//! The table of the configuration keys.

use zeroize::Zeroizing;

use super::Config;
use crate::client::log::Format;
use crate::json::document::{Field, Rule, Value};
use crate::transport::{Family, Roots};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Stores a value that was checked.
pub type Set = fn(&mut Config, Value<'_>);

const fn field(name: &'static str, rule: Rule, data: Set) -> Field<Set> {
    Field { name, rule, is_required: false, data }
}

/// Every key, the check of its value, and the field that it sets.
pub const FIELDS: &[Field<Set>] = &[
    field("accountId", Rule::Text, |c, v| c.account_id = v.into_string()),
    field("clientId", Rule::Text, |c, v| c.client_id = Some(v.into_string())),
    field("clientSecret", Rule::Text, |c, v| c.client_secret = Some(secret(v))),
    field("username", Rule::Text, |c, v| c.username = Some(v.into_string())),
    field("password", Rule::Text, |c, v| c.password = Some(secret(v))),
    field("baseUrl", Rule::Text, |c, v| c.base_url = Some(v.into_string())),
    field("endpointsUrl", Rule::Text, |c, v| c.endpoints_url = Some(v.into_string())),
    field("tokenUrl", Rule::Text, |c, v| c.token_url = Some(v.into_string())),
    field("timeoutMs", Rule::Integer(1, DAY_MS), |c, v| c.timeout_ms = v.integer()),
    field("attemptTimeoutMs", Rule::Integer(1, DAY_MS), |c, v| {
        c.attempt_timeout_ms = Some(v.integer());
    }),
    field("connectTimeoutMs", Rule::Integer(1, DAY_MS), |c, v| c.connect_timeout_ms = v.integer()),
    field("maxRetries", Rule::Integer(0, 10), |c, v| c.max_retries = v.integer()),
    field("retryBaseMs", Rule::Integer(1, HOUR_MS), |c, v| c.retry_base_ms = v.integer()),
    field("retryMaxMs", Rule::Integer(1, HOUR_MS), |c, v| c.retry_max_ms = v.integer()),
    field("maxRetryAfterMs", Rule::Integer(0, DAY_MS), |c, v| c.max_retry_after_ms = v.integer()),
    field("proxy", Rule::Text, |c, v| c.proxy = Some(secret(v))),
    field("roots", Rule::OneOf(&["bundled", "system"]), |c, v| {
        c.roots = if v.into_text() == "system" { Roots::System } else { Roots::Bundled };
    }),
    field("caFile", Rule::Text, |c, v| c.tls_files.ca = Some(v.into_string())),
    field("clientCertFile", Rule::Text, |c, v| c.tls_files.client_cert = Some(v.into_string())),
    field("clientKeyFile", Rule::Text, |c, v| c.tls_files.client_key = Some(v.into_string())),
    field("ipFamily", Rule::OneOf(&["any", "ipv4", "ipv6"]), |c, v| {
        c.ip_family = match &*v.into_text() {
            "ipv4" => Family::V4,
            "ipv6" => Family::V6,
            _ => Family::Any,
        };
    }),
    field("bindAddress", Rule::IpAddress, |c, v| c.bind_address = v.into_text().parse().ok()),
    field("dnsTtlMs", Rule::Integer(0, DAY_MS), |c, v| c.dns_ttl_ms = v.integer()),
    field("maxIdleConnections", Rule::Integer(0, 1024), |c, v| {
        c.max_idle_connections = v.integer()
    }),
    field("idleTimeoutMs", Rule::Integer(0, DAY_MS), |c, v| c.idle_timeout_ms = v.integer()),
    field("maxResponseBytes", Rule::Integer(1024, 1 << 28), |c, v| {
        c.max_response_bytes = v.integer();
    }),
    field("userAgent", Rule::Text, |c, v| c.user_agent = Some(v.into_string())),
    field("allowInsecureHttp", Rule::Boolean, |c, v| c.allow_insecure_http = v.boolean()),
    field("logFormat", Rule::OneOf(&["text", "json"]), |c, v| {
        c.log_format = if v.into_text() == "json" { Format::Json } else { Format::Text };
    }),
    field("environment", Rule::Boolean, |c, v| c.environment = v.boolean()),
    field("configFile", Rule::Id, |c, v| c.config_file = Some(v.into_string())),
];

fn secret(value: Value<'_>) -> Zeroizing<String> {
    Zeroizing::new(value.into_string())
}
