//! Creating and freeing clients, and changing their credentials.

use std::ffi::c_char;
use std::sync::Arc;

use super::boundary::{Out, export_document, export_unit, export_value};
use super::handles::{CLIENTS, bw_client};
use super::status::bw_status;
use super::text;
use crate::client::{Client, Config};
use crate::error::Error;

/// Creates a client from a configuration, and opens no connection.
///
/// - `config_json`: one JSON object, or NULL. Unknown keys are rejected.
///   Required: `accountId`, and one pair of credentials. Either `clientId` and `clientSecret` (API
///   credentials, OAuth 2.0: the client requests an access token when a call needs one), or
///   `username` and `password` (an API user; they stop working on 2 December 2026).
///   Optional, with the default value:
///   - `baseUrl`: Bandwidth's URL of WebRTC v1.
///   - `endpointsUrl`: Bandwidth's URL of BRTC Endpoints. Required for calls of this service if
///     `baseUrl` or `tokenUrl` is not Bandwidth's.
///   - `tokenUrl`: Bandwidth's URL for token requests. Required with `clientId` if `baseUrl` is not
///     Bandwidth's.
///   - `timeoutMs`: 10000. The deadline of a call in milliseconds, including the token request,
///     name resolution, connection, TLS, and all retries.
///   - `attemptTimeoutMs`: not set. The limit of each attempt, within `timeoutMs`.
///   - `connectTimeoutMs`: 3000. The limit for name resolution, connection and TLS together.
///   - `maxRetries`: 2. The largest number of retries of a call.
///   - `retryBaseMs`: 100. The upper limit of the random delay before the first retry. The limit
///     doubles with each retry.
///   - `retryMaxMs`: 2000. The upper limit of the delay before any retry.
///   - `maxRetryAfterMs`: 5000. The largest sum of the Retry-After values that a call waits for,
///     including those of its token request. If the service requests a longer delay, the call fails
///     at once with the service's error.
///   - `proxy`: not set. "http://user:password@host:port" (HTTP CONNECT) or "socks5://..". A proxy
///     needs https URLs.
///   - `roots`: "bundled", the certificate authorities in the library. Or "system", those of the
///     system.
///   - `caFile`: not set. A PEM file of certificate authorities, which replace those of `roots`.
///   - `clientCertFile` and `clientKeyFile`: not set. PEM files of a client certificate and its
///     key.
///   - `ipFamily`: "any". Or "ipv4" or "ipv6", to use only IPv4 or only IPv6 addresses.
///   - `bindAddress`: not set. The local IP address from which connections are opened.
///   - `dnsTtlMs`: 30000. The time for which resolved addresses are cached.
///   - `maxIdleConnections`: 64. The number of idle connections that are kept for later calls.
///   - `idleTimeoutMs`: 15000. The time for which an idle connection is kept.
///   - `maxResponseBytes`: 1048576. The largest response that is accepted.
///   - `userAgent`: not set. Text that is appended to the User-Agent header.
///   - `allowInsecureHttp`: false. If true, http URLs are allowed for all hosts. Otherwise, they
///     are allowed for loopback hosts only.
///   - `logFormat`: "text", which is `key=value` pairs. Or "json", a JSON object per log line.
///   - `environment`: false. If true, the settings file named by BW_CONFIG_FILE and environment
///     variables are read as with NULL, and the other keys override them.
///   - `configFile`: not set. The path of a settings file, instead of BW_CONFIG_FILE. The other keys
///     override it.
/// - `client`: receives the client, or NULL on failure. Free it with `bw_client_free`.
/// - `error`: receives NULL, or the error document on failure. The caller frees it with `bw_free`.
///   `error` may be NULL.
///
/// NULL has the same meaning as `{"environment": true}`. The configuration is read, once, in this
/// call, from the settings file that the environment variable BW_CONFIG_FILE names, if it is set: a
/// JSON object with the keys above, except `environment` and `configFile`. A file that every user or
/// another group can write is rejected. The environment variables BW_ACCOUNT_ID, BW_CLIENT_ID and
/// BW_CLIENT_SECRET (or BW_USERNAME and BW_PASSWORD), BW_BASE_URL, BW_ENDPOINTS_URL and
/// BW_TOKEN_URL override the file. Credentials of one kind also replace those of the other kind in
/// the layers below. An empty variable counts as unset. The environment is never read in a set-uid
/// process: NULL and `environment` are rejected.
///
/// The first call in a process reads the variables ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and NO_PROXY
/// (also in lower case) and ignores them. During that call, no other thread may change the
/// environment.
///
/// Statuses: BW_OK, BW_E_CONFIG (the message names every invalid key), BW_E_INVALID_ARGUMENT
/// (`client` is NULL, or `config_json` is not UTF-8), BW_E_INTERNAL.
/// Any thread. Does not block (it reads files).
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
    export_unit(error, || {
        if client.is_null() {
            return Err(Error::invalid(
                "client: is NULL; pass a pointer to a variable for the handle",
            ));
        }
        // SAFETY: not NULL, so by the caller's promise writable.
        unsafe { client.write(std::ptr::null_mut()) };
        // SAFETY: promised by the caller.
        let config = match unsafe { text::optional("config_json", config_json) }? {
            Some(json) => Config::from_json(json)?,
            None => Config::from_environment()?,
        };
        let handle = CLIENTS.insert(Arc::new(Client::new(config)?))?;
        // SAFETY: as above.
        unsafe { client.write(handle) };
        Ok(())
    })
}

/// Frees a client, and cancels its calls.
///
/// Calls in progress on other threads return BW_E_CANCELLED soon afterwards. The memory of the
/// client is released, and its credentials are erased, when the last of these calls has returned.
///
/// - `client`: the client. NULL is allowed. The handle is invalid afterwards: functions return
///   BW_E_INVALID_HANDLE for it, and freeing it again has no effect.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_client_free(client: *mut bw_client) {
    export_value((), || {
        if let Some(client) = CLIENTS.remove(client) {
            client.cancel();
        }
        Ok(())
    });
}

/// Reads a client's settings file and environment again, and replaces its credentials.
///
/// This rotates a secret without a restart. No call is dropped: attempts in progress continue with
/// the previous credentials. If the credentials are the same as before, the client keeps its access
/// token. All other keys apply only to new clients.
///
/// - `client`: a client that was created with NULL, `environment` or `configFile`. Each forked
///   process must reload its own copy.
/// - `out`: receives `{"credentialsReplaced": true, "needsNewClient": ["timeoutMs"]}`, or the error
///   document. `needsNewClient` contains the other keys whose values have changed since the client
///   was created. The caller frees it with `bw_free`. `out` may be NULL.
///
/// If the client reads the environment, no other thread may change it during this call.
///
/// Statuses: BW_OK, BW_E_CONFIG (the configuration is invalid; or there is nothing to read again; or
/// the account, a URL or the kind of credentials has changed, so that the new credentials could be
/// sent to the wrong service), BW_E_INVALID_HANDLE, BW_E_INTERNAL. On failure, the client keeps its
/// credentials.
/// Any thread. Does not block (it reads files).
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_client_reload(
    client: *mut bw_client,
    out: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    export_document(out, || CLIENTS.get(client)?.reload())
}

/// Replaces a client's credentials for all attempts that begin after this call.
///
/// Attempts in progress continue with the previous credentials. The access token of the previous
/// credentials is discarded.
///
/// - `identifier` and `secret`: credentials of the same kind as in the configuration: the client id
///   and the client secret, or the user name and the password (until 2 December 2026).
/// - `error`: receives NULL, or the error document on failure. The caller frees it with `bw_free`.
///   `error` may be NULL.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT (the client keeps the previous credentials),
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
    export_unit(error, || {
        let client = CLIENTS.get(client)?;
        let [identifier_key, secret_key] = client.credential_keys();
        // SAFETY: promised by the caller.
        let identifier = unsafe { text::required(identifier_key, identifier) }?;
        // SAFETY: promised by the caller.
        let secret = unsafe { text::required(secret_key, secret) }?;
        client.set_credentials(identifier, secret)
    })
}
