//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// A local, stateful stand-in for Bandwidth's WebRTC service.
///
/// The first line on standard output is the base URL to use. SIGTERM and SIGINT stop it. Requests
/// are logged to standard error. Nothing is kept on disk but the file of --ca-out.
#[derive(Parser)]
#[command(name = "bw-sandbox", version, args_override_self = true, after_help = CONTROL)]
pub struct Arguments {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The account that exists
    #[arg(long, default_value = "9900000")]
    pub account: String,
    /// The API user
    #[arg(long, default_value = "user")]
    pub username: String,
    /// The API user's password
    #[arg(long, default_value = "secret")]
    pub password: String,
    /// Speak HTTPS, with a certificate for localhost, 127.0.0.1, ::1 and the address listened on
    #[arg(long)]
    pub tls: bool,
    /// Write the certificate's authority to this PEM file, before the URL is printed
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_out: Option<PathBuf>,
    /// How long a session lives
    #[arg(long, value_name = "SECONDS", default_value_t = 9 * 3600)]
    pub session_ttl: u64,
    /// Log nothing
    #[arg(long)]
    pub quiet: bool,
}

const CONTROL: &str = "\
Beside /v1 there is, without credentials, for tests:
  POST   /_sandbox/faults        {\"operation\": a name or \"*\", \"kind\": .., \"count\": 3 or null, \"after\": 0}
                                 kinds: status (status, headers, body), delay (ms), close_before,
                                 close_after, truncate, garbage, dribble (bytesPerSecond)
  DELETE /_sandbox/faults        none any more
  GET    /_sandbox/requests      the last 10000 requests seen, without credentials
  GET    /_sandbox/state         account, sessions, participants, subscriptions
  POST   /_sandbox/participants/{id}/connect, /leave, /disconnect
                                 a device does so; the webhook goes to the participant's callbackUrl
                                 (http only)
  GET    /_sandbox/webhooks      the last 1000 deliveries and their results
  POST   /_sandbox/reset         as new";
