//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// A local, stateful simulator of Bandwidth's WebRTC services: WebRTC v1 and BRTC Endpoints (v2).
///
/// The first line on standard output is the base URL of WebRTC v1. SIGTERM and SIGINT stop it. Requests
/// are logged to standard error. Nothing is stored on disk except the file of --ca-out.
#[derive(Clone, Parser)]
#[command(name = "bw-sandbox", version, args_override_self = true, after_help = CONTROL)]
pub struct Arguments {
    /// The address and port to listen on; port 0 selects a free port
    #[arg(long, default_value = "127.0.0.1:0", value_parser = address)]
    pub listen: SocketAddr,
    /// The account id
    #[arg(long, default_value = "9900000")]
    pub account: String,
    /// The client id of the API credentials (OAuth 2.0)
    #[arg(long, default_value = "client", value_parser = without_colon)]
    pub client_id: String,
    /// The client secret of the API credentials
    #[arg(long, default_value = "client-secret")]
    pub client_secret: String,
    /// The lifetime of an access token
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub token_ttl: u64,
    /// The API user (HTTP Basic)
    #[arg(long, default_value = "user", value_parser = without_colon)]
    pub username: String,
    /// The API user's password
    #[arg(long, default_value = "secret")]
    pub password: String,
    /// Reject the API user, as the service does from 2 December 2026 on
    #[arg(long)]
    pub no_basic: bool,
    /// Use HTTPS, with a certificate for localhost, 127.0.0.1, ::1 and the address listened on
    #[arg(long)]
    pub tls: bool,
    /// Write the certificate authority to this PEM file before the URL is printed
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_out: Option<PathBuf>,
    /// The lifetime of a session
    #[arg(long, value_name = "SECONDS", default_value_t = 9 * 3600)]
    pub session_ttl: u64,
    /// The lifetime of a participant's token
    #[arg(long, value_name = "SECONDS", default_value_t = 9 * 3600)]
    pub participant_token_ttl: u64,
    /// The lifetime of an endpoint
    #[arg(long, value_name = "SECONDS", default_value_t = 24 * 3600, value_parser = endpoint_ttl())]
    pub endpoint_ttl: u64,
    /// The largest number of endpoints; any number by default
    #[arg(long, value_name = "NUMBER")]
    pub max_endpoints: Option<usize>,
    /// Serve updateEndpointBxml, which the service documents but does not serve (405)
    #[arg(long)]
    pub endpoint_bxml: bool,
    /// The form of the webhooks of endpoints: as in the documentation's pages, or as in the OpenAPI
    /// document
    #[arg(long, value_name = "FORM", value_enum, default_value_t = WebhookForm::Docs)]
    pub webhooks: WebhookForm,
    /// Trust the certificate authorities in this PEM file, in addition to the public ones, when
    /// webhooks are sent to https URLs
    #[arg(long, value_name = "FILE")]
    pub webhook_ca: Option<PathBuf>,
    /// An address of this machine at which devices on other machines send their media, in addition
    /// to 127.0.0.1 and the address listened on; can be repeated
    #[cfg(feature = "media")]
    #[arg(long, value_name = "ADDRESS")]
    pub media_address: Vec<std::net::IpAddr>,
    /// After the URL, print lines for a shell that export everything that a client needs
    #[arg(long)]
    pub env: bool,
    /// Do not log requests
    #[arg(long)]
    pub quiet: bool,
}

/// The form of the webhooks of endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WebhookForm {
    Docs,
    Spec,
}

/// At most ten years, so that the year of each time has four digits.
fn endpoint_ttl() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=10 * 365 * 24 * 3600)
}

/// Parses an address and a port. The error message suggests a valid value.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(8080_u16);
        format!("it must be an IP address and a port; use 127.0.0.1:{port}")
    })
}

/// HTTP Basic cannot transport a name that contains a colon.
fn without_colon(name: &str) -> Result<String, &'static str> {
    match name.contains(':') {
        true => Err("it must not contain a colon"),
        false => Ok(name.to_owned()),
    }
}

const CONTROL: &str = "\
Authentication: POST /api/v1/oauth2/token with --client-id and --client-secret as HTTP Basic and
the form body grant_type=client_credentials returns an access token. /v1 and /v2 accept it as Bearer,
and HTTP Basic with --username and --password unless --no-basic is given.

Routes for tests, without authentication, and not for web pages of other sites (the Host header must
be localhost or an IP address, and Origin, if present, the same):
  GET    /                       the live page: sessions, requests, webhooks, faults
  GET    /_sandbox/events        what the live page shows, as server-sent events
  POST   /_sandbox/faults        adds a fault:
                                 {\"operation\": .., \"kind\": .., \"count\": 3 or null, \"after\": 0}
                                 operation: a name, \"token\", or \"*\" (all operations of /v1
                                 and /v2)
                                 kinds: status (status, headers, body), delay (ms), close_before,
                                 close_after, truncate, garbage, dribble (bytesPerSecond)
  DELETE /_sandbox/faults        removes all faults
  GET    /_sandbox/requests      the last 10000 requests, without credentials
  GET    /_sandbox/state         account, sessions, participants, subscriptions, endpoints
  POST   /_sandbox/tokens/revoke
                                 invalidates all access tokens that were issued
  POST   /_sandbox/secret        replaces secrets: {\"clientSecret\": \"..\"}, {\"password\": \"..\"}
                                 or both; access tokens that were issued stay valid
  POST   /_sandbox/participants/{id}/connect, /leave, /disconnect
                                 simulates this action of a device; the webhook is sent to the
                                 participant's callbackUrl
  POST   /_sandbox/participants/{id}/token
                                 a new token of the participant: {\"token\": \"..\"}
  POST   /_sandbox/endpoints/{id}/connect, /disconnect, /eligible, /ineligible, /outbound
                                 simulates this action of a device; the webhook is sent to the
                                 endpoint's eventCallbackUrl; outbound has a body:
                                 {\"to\": \"+19195551234\", \"toType\": \"PHONE_NUMBER\"}
  GET    /_sandbox/devices       the connected devices and their media (builds with devices)
  GET    /_sandbox/webhooks      the last 1000 deliveries and their results
  POST   /_sandbox/reset         restores the initial state, and the secrets of the command line;
                                 access tokens stay as they are";
