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
/// `config_json` is one JSON object. Required: `accountId`, `username`, `password`. Optional, with
/// defaults: `baseUrl` (the service's), `timeoutMs` (10000, the whole call), `attemptTimeoutMs`
/// (what is left of it), `connectTimeoutMs` (3000, name look-up and TLS included), `maxRetries` (2),
/// `retryBaseMs` (100), `retryMaxMs` (2000), `proxy` (none; "http://user:password@host:port", which
/// is asked to CONNECT, or "socks5://.."; it needs an https baseUrl), `roots` ("bundled", or
/// "system"), `caFile` (PEM file of the authorities to trust instead), `clientCertFile`,
/// `clientKeyFile` (PEM), `ipFamily` ("any", "ipv4", "ipv6"), `bindAddress`, `dnsTtlMs` (30000),
/// `maxIdleConnections` (64), `idleTimeoutMs` (15000), `maxResponseBytes` (1048576), `userAgent`
/// (appended), `allowInsecureHttp` (false: plain http is for loopback only). A key that is not known
/// is refused. NULL reads BW_ACCOUNT_ID, BW_USERNAME, BW_PASSWORD and BW_BASE_URL from the
/// environment, once, and is refused in a set-uid process. Otherwise the environment has no effect:
/// the first call in a process reads ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and NO_PROXY (also in lower
/// case) and ignores them, so that no other thread should change the environment during that call.
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

/// Changes a client's credentials, for every attempt that begins from now on.
///
/// No call is dropped: attempts under way end with the old ones. `error` may be NULL; `*error` gets
/// NULL, or the error document on failure, which the caller frees with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT (the old ones stay), BW_E_INVALID_HANDLE.
/// Any thread. Does not block.
///
/// # Safety
/// `username` and `password` are NULL or NUL-terminated strings; `error` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_client_set_credentials(
    client: *mut bw_client,
    username: *const c_char,
    password: *const c_char,
    error: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let error = unsafe { Out::new(error) };
    plain(error, || {
        let client = handles::client(client)?;
        // SAFETY: promised by the caller.
        let username = unsafe { text::required("username", username) }?;
        // SAFETY: promised by the caller.
        let password = unsafe { text::required("password", password) }?;
        client.set_credentials(username, password)
    })
}
