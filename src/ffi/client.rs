//! Making clients, changing their credentials, and ending them.

use std::ffi::c_char;

use super::boundary::{Out, plain, silent};
use super::handles::{self, bw_client};
use super::status::bw_status;
use super::text;
use crate::client::{Client, Config};
use crate::error::Error;

/// Makes a client from a configuration. Connects to nothing.
///
/// `config_json` is one JSON object. Required: `accountId` and one pair of credentials, either
/// `clientId` and `clientSecret` (OAuth 2.0 API credentials; the client requests an access token
/// when a call needs one), or `username` and `password` (of an API user; they stop working on
/// 2 December 2026). Optional, with defaults: `baseUrl` (the service's), `tokenUrl` (the service's;
/// required with `clientId` if `baseUrl` is not the service's), `timeoutMs` (10000, the whole call,
/// a token request included), `attemptTimeoutMs`
/// (what is left of it), `connectTimeoutMs` (3000, name look-up and TLS included), `maxRetries` (2),
/// `retryBaseMs` (100), `retryMaxMs` (2000), `proxy` (none; "http://user:password@host:port", which
/// is asked to CONNECT, or "socks5://.."; it needs https URLs), `roots` ("bundled", or
/// "system"), `caFile` (PEM file of the authorities to trust instead), `clientCertFile`,
/// `clientKeyFile` (PEM), `ipFamily` ("any", "ipv4", "ipv6"), `bindAddress`, `dnsTtlMs` (30000),
/// `maxIdleConnections` (64), `idleTimeoutMs` (15000), `maxResponseBytes` (1048576), `userAgent`
/// (appended), `allowInsecureHttp` (false: plain http is for loopback only). A key that is not known
/// is refused. If `config_json` is NULL, the configuration is read from the environment variables
/// BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET (or BW_USERNAME and BW_PASSWORD), BW_BASE_URL and
/// BW_TOKEN_URL, once in this call. An empty variable counts as unset. NULL is rejected in a set-uid
/// process. Otherwise the environment has no effect: the first call in a process reads ALL_PROXY,
/// HTTPS_PROXY, HTTP_PROXY and NO_PROXY (also in lower case) and ignores them, so that no other
/// thread should change the environment during that call.
///
/// The client also works in forked children: each process makes its own connections.
///
/// `*client` gets the client, or NULL on failure; end it with `bw_client_free`. `*error` gets NULL,
/// or the error document on failure; free it with `bw_free`. `error` may be NULL.
///
/// Statuses: BW_OK, BW_E_CONFIG (the message names every key that is wrong),
/// BW_E_INVALID_ARGUMENT (`client` is NULL, `config_json` is not UTF-8), BW_E_INTERNAL.
/// Any thread. Does not block (files are read).
///
/// # Safety
/// `config_json` is NULL or a NUL-terminated string; `client` and `error` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_client_new(
    config_json: *const c_char,
    client: *mut *mut bw_client,
    error: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let error = unsafe { Out::new(error) };
    plain(error, || {
        if client.is_null() {
            return Err(Error::invalid("client: is NULL; pass where the handle is to go"));
        }
        // SAFETY: not NULL, so by the caller's promise writable.
        unsafe { client.write(std::ptr::null_mut()) };
        // SAFETY: promised by the caller.
        let config = match unsafe { text::optional("config_json", config_json) }? {
            Some(json) => Config::from_json(json)?,
            None => Config::from_environment()?,
        };
        let handle = handles::publish(Client::new(config)?)?;
        // SAFETY: as above.
        unsafe { client.write(handle) };
        Ok(())
    })
}

/// Ends a client. Calls in flight on other threads return BW_E_CANCELLED soon after.
///
/// The handle is dead from then on: using or freeing it again is harmless and gives
/// BW_E_INVALID_HANDLE. NULL is fine. The client's memory, with its credentials wiped, goes when
/// the last call in flight has returned.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_client_free(client: *mut bw_client) {
    silent(|| {
        if let Some(client) = handles::retire(client) {
            client.cancel();
        }
    });
}

/// Replaces a client's credentials, for every attempt that begins from now on.
///
/// The pair is of the kind that the client has: `identifier` and `secret` are the client id and the
/// client secret, or the user name and the password (which stops working on 2 December 2026). The
/// access token of the previous pair is dropped. No call is dropped: attempts in progress end with
/// the previous pair. `error` may be NULL; `*error` gets NULL, or the error document on failure,
/// which the caller frees with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT (the client keeps the previous pair),
/// BW_E_INVALID_HANDLE.
/// Any thread. Does not block.
///
/// # Safety
/// `identifier` and `secret` are NULL or NUL-terminated strings; `error` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_client_set_credentials(
    client: *mut bw_client,
    identifier: *const c_char,
    secret: *const c_char,
    error: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let error = unsafe { Out::new(error) };
    plain(error, || {
        let client = handles::client(client)?;
        let [identifier_key, secret_key] = client.credential_keys();
        // SAFETY: promised by the caller.
        let identifier = unsafe { text::required(identifier_key, identifier) }?;
        // SAFETY: promised by the caller.
        let secret = unsafe { text::required(secret_key, secret) }?;
        client.set_credentials(identifier, secret)
    })
}
