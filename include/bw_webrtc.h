/*
 * libbw_webrtc: control Bandwidth's WebRTC services from C.
 *
 * With BRTC, a program creates endpoints, passes their tokens to browsers and other devices, and
 * creates the BXML that connects phone calls to them. With WebRTC v1, it creates participants and
 * sessions, adds participants to sessions, and controls who hears whom. A new account has only BRTC.
 * Requests and responses are JSON text. Every function that sends a request to the service has this form:
 *
 *     bw_status bw_verb_noun(bw_client *client, <ids and JSON text>, char **out);
 *
 * `client` comes from bw_client_new. One client can send all requests of a program.
 *
 * 1. Credentials. A client uses API credentials (OAuth 2.0: clientId and clientSecret), or the user
 *    name and password of an API user. User names and passwords stop working on 2 December 2026.
 * 2. Status and document. The return value is BW_OK, or the reason why the call failed. On BW_OK,
 *    *out is the service's response. Otherwise, *out is the error document:
 *
 *        {"error": {"status": 21, "name": "BW_E_UNAUTHORIZED", "message": "what is wrong, what to do",
 *                   "operation": "createParticipant", "outcome": "rejected", "attempts": 1,
 *                   "httpStatus": 401, "requestId": null, "retryAfterMs": null, "body": {..}}}
 *
 *    "outcome" reports whether the service may have processed the request:
 *        "not_sent"  The service has not received the operation, or has rejected its access token and
 *                    no new token could be obtained. It is safe to repeat the call.
 *        "rejected"  The service responded, and it did nothing.
 *        "unknown"   The request was sent, but there was no usable response. The service may have
 *                    processed the request.
 *        null        The function sends no request.
 *    A program without a JSON library can read the documents with bw_json_get. `out` may be NULL if
 *    the document is not needed, except when a participant or an endpoint is created: its token is
 *    returned once.
 * 3. Retries. A client repeats a failed request, within the deadline, if this is safe. A create
 *    request with an unknown outcome is never repeated.
 * 4. Memory. The caller frees text that a function returns through a char ** with bw_free. Do not
 *    use free: the program and this library may use different C libraries. Text that is returned as
 *    a const char * is static: never free it. A function does not use its arguments after it has
 *    returned, except callbacks and user data.
 * 5. Text is UTF-8 and ends with a NUL.
 * 6. Handles are checked. A client or a queue is a number, not an address. If a handle is NULL, was
 *    freed, or was not returned by this library, functions return BW_E_INVALID_HANDLE. Freeing a
 *    handle twice has no effect.
 * 7. Threads. "Any thread" means that any thread may call the function at any time, also with a
 *    client that other threads use. "Does not block" means that the function does not wait for the
 *    network. "Blocks up to the deadline" means that the calling thread waits for at most
 *    timeoutMs, including retries and name resolution. If a thread is cancelled (pthread_cancel),
 *    it completes its current call first.
 * 8. Forks. A client can be created before a fork: each child process can use it, and opens its own
 *    connections.
 * 9. Queues. If a thread must not block, such as the thread of an event loop, submit calls to a
 *    queue (bw_queue_new), poll the queue's descriptor, and fetch the completions. Each accepted
 *    call completes exactly once. Before you free a queue, close it and fetch until BW_E_CLOSED.
 *    There are no completion callbacks.
 * 10. Late objects. If a create request completes after its call was cancelled, the participant,
 *    session or endpoint exists, but no caller has its id. bw_client_take_late returns the ids of such objects.
 * 11. Side effects. There is no global initialization. The library prints nothing, and it changes
 *    no signal handler and no locale. Messages never contain secrets. Environment variables
 *    configure a client only in bw_client_new(NULL, ..), with the key `environment`, and in
 *    bw_client_reload, and never in a set-uid process. However,
 *    the first bw_client_new in a process reads and ignores the proxy variables: during this call,
 *    no other thread may call setenv.
 *
 * A complete program for WebRTC v1 (to build it: cc program.c -lbw_webrtc). It reads the credentials from the
 * environment variables BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET:
 *
 *     #include <stdio.h>
 *     #include "bw_webrtc.h"
 *
 *     int main(void)
 *     {
 *         bw_client *client;
 *         char *text, *id = NULL;
 *         int failed = 1;
 *
 *         if (bw_client_new(NULL, &client, &text) != BW_OK) {
 *             fprintf(stderr, "%s\n", text);
 *             bw_free(text);
 *             return 1;
 *         }
 *         if (bw_create_participant(client, "{\"publishPermissions\":[\"AUDIO\"]}", &text) != BW_OK)
 *             fprintf(stderr, "%s\n", text);
 *         else if (bw_json_get(text, "/participant/id", &id) == BW_OK) {
 *             printf("participant %s\n", id);
 *             failed = 0;
 *         }
 *         bw_free(id);
 *         bw_free(text);
 *         bw_client_free(client);
 *         return failed;
 *     }
 */


#ifndef BW_WEBRTC_H
#define BW_WEBRTC_H

#include <stdint.h>

/**
 * The version of this header.
 */
#define BW_VERSION "0.1.0"

/**
 * The major version of this header.
 */
#define BW_VERSION_MAJOR 0

/**
 * The minor version of this header.
 */
#define BW_VERSION_MINOR 1

/**
 * The patch version of this header.
 */
#define BW_VERSION_PATCH 0

/**
 * The log is off.
 */
#define BW_LOG_OFF 0

/**
 * Log calls that failed.
 */
#define BW_LOG_ERROR 1

/**
 * Also log failed attempts that are retried.
 */
#define BW_LOG_WARN 2

/**
 * Also log calls that succeeded.
 */
#define BW_LOG_INFO 3

/**
 * Also log every attempt.
 */
#define BW_LOG_DEBUG 4

/**
 * A client of the service. `bw_client_new` creates it. It is a checked handle, not an address.
 */
typedef struct bw_client bw_client;

/**
 * A queue of calls. `bw_queue_new` creates it. It is a checked handle, not an address.
 */
typedef struct bw_queue bw_queue;

/**
 * The result of a function: `BW_OK`, or the reason for its failure. Values are never renumbered.
 * Later versions may add values.
 */
typedef int32_t bw_status;

/**
 * Reports whether the call that is in progress must end.
 *
 * - `user_data`: the pointer that was passed to `bw_thread_set_interrupt`.
 *
 * Returns 0 to continue the call, and any other value to cancel it.
 */
typedef int32_t (*bw_interrupt_callback)(void *user_data);

/**
 * Receives a line of a client's log.
 *
 * - `level`: BW_LOG_ERROR, BW_LOG_WARN, BW_LOG_INFO or BW_LOG_DEBUG.
 * - `line`: one event, without a newline. It is valid during the call, and never contains a secret.
 *   The configuration key `logFormat` selects `key=value` pairs or a JSON object.
 * - `user_data`: the pointer that was passed to `bw_client_set_log`.
 */
typedef void (*bw_log_callback)(int32_t level, const char *line, void *user_data);

/**
 * Success.
 */
#define BW_OK 0

/**
 * An argument or the request document is invalid. The message names the field.
 */
#define BW_E_INVALID_ARGUMENT 1

/**
 * The handle is NULL, was freed, was not returned by this library, or is of the wrong type.
 */
#define BW_E_INVALID_HANDLE 2

/**
 * The configuration is invalid. The message names the key.
 */
#define BW_E_CONFIG 3

/**
 * The requested value is missing or null, or there is no such call in the queue.
 */
#define BW_E_NO_VALUE 4

/**
 * The host name of the service or the proxy could not be resolved.
 */
#define BW_E_RESOLVE 10

/**
 * No connection could be established.
 */
#define BW_E_CONNECT 11

/**
 * The TLS handshake failed, or the certificate is not trusted.
 */
#define BW_E_TLS 12

/**
 * The deadline expired. The message names the phase.
 */
#define BW_E_TIMEOUT 13

/**
 * The connection was lost.
 */
#define BW_E_NETWORK 14

/**
 * The response is not valid: truncated, too large, not JSON, or not HTTP.
 */
#define BW_E_PROTOCOL 15

/**
 * The proxy failed or rejected the request.
 */
#define BW_E_PROXY 16

/**
 * HTTP 400: the service rejected the request as invalid.
 */
#define BW_E_BAD_REQUEST 20

/**
 * HTTP 401: the credentials are invalid, or have no access to the account.
 */
#define BW_E_UNAUTHORIZED 21

/**
 * HTTP 403: the credentials have no role for WebRTC or no access to the account, or there is no
 * such route.
 */
#define BW_E_FORBIDDEN 22

/**
 * HTTP 404: there is no such participant, session or endpoint.
 */
#define BW_E_NOT_FOUND 23

/**
 * HTTP 409: the participant is already in a session, or the session is full.
 */
#define BW_E_CONFLICT 24

/**
 * HTTP 429: too many requests, or too many endpoints. `retryAfterMs` in the error document may state how long to wait.
 */
#define BW_E_RATE_LIMITED 25

/**
 * HTTP 5xx: the service or a gateway failed.
 */
#define BW_E_SERVER 26

/**
 * Any other HTTP status.
 */
#define BW_E_HTTP_STATUS 27

/**
 * The client was freed, or the call was cancelled, before the call completed.
 */
#define BW_E_CANCELLED 30

/**
 * The queue's backlog is full.
 */
#define BW_E_QUEUE_FULL 31

/**
 * No completion is available in the queue.
 */
#define BW_E_EMPTY 32

/**
 * The queue is closed.
 */
#define BW_E_CLOSED 33

/**
 * An error in the library, or no memory. Please report the message.
 */
#define BW_E_INTERNAL 40

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/**
 * Returns the name of a status, such as "BW_E_TIMEOUT".
 *
 * - `status`: any number. "BW_E_UNKNOWN" is returned if it is not a status.
 *
 * The text is static: never free it.
 * Any thread. Does not block.
 */
const char *bw_status_name(bw_status status);

/**
 * Returns the version of the loaded library, such as "0.1.0". Compare it with `BW_VERSION`.
 *
 * The text is static: never free it.
 * Any thread. Does not block.
 */
const char *bw_version(void);

/**
 * Returns the number of the ABI, which is also part of the library's file name.
 *
 * Later versions with the same number only add functions and values. A program works with the
 * version of the library that it was built with, and with every later version that has the same
 * ABI number.
 * Any thread. Does not block.
 */
uint32_t bw_abi_version(void);

/**
 * Creates a client from a configuration, and opens no connection.
 *
 * - `config_json`: one JSON object, or NULL. Unknown keys are rejected.
 *   Required: `accountId`, and one pair of credentials. Either `clientId` and `clientSecret` (API
 *   credentials, OAuth 2.0: the client requests an access token when a call needs one), or
 *   `username` and `password` (an API user; they stop working on 2 December 2026).
 *   Optional, with the default value:
 *   - `baseUrl`: Bandwidth's URL of WebRTC v1.
 *   - `endpointsUrl`: Bandwidth's URL of BRTC Endpoints. Required for calls of this service if
 *     `baseUrl` or `tokenUrl` is not Bandwidth's.
 *   - `tokenUrl`: Bandwidth's URL for token requests. Required with `clientId` if `baseUrl` is not
 *     Bandwidth's.
 *   - `timeoutMs`: 10000. The deadline of a call in milliseconds, including the token request,
 *     name resolution, connection, TLS, and all retries.
 *   - `attemptTimeoutMs`: not set. The limit of each attempt, within `timeoutMs`.
 *   - `connectTimeoutMs`: 3000. The limit for name resolution, connection and TLS together.
 *   - `maxRetries`: 2. The largest number of retries of a call.
 *   - `retryBaseMs`: 100. The upper limit of the random delay before the first retry. The limit
 *     doubles with each retry.
 *   - `retryMaxMs`: 2000. The upper limit of the delay before any retry.
 *   - `maxRetryAfterMs`: 5000. The largest sum of the Retry-After values that a call waits for,
 *     including those of its token request. If the service requests a longer delay, the call fails
 *     at once with the service's error.
 *   - `proxy`: not set. "http://user:password@host:port" (HTTP CONNECT) or "socks5://..". A proxy
 *     needs https URLs.
 *   - `roots`: "bundled", the certificate authorities in the library. Or "system", those of the
 *     system.
 *   - `caFile`: not set. A PEM file of certificate authorities, which replace those of `roots`.
 *   - `clientCertFile` and `clientKeyFile`: not set. PEM files of a client certificate and its
 *     key.
 *   - `ipFamily`: "any". Or "ipv4" or "ipv6", to use only IPv4 or only IPv6 addresses.
 *   - `bindAddress`: not set. The local IP address from which connections are opened.
 *   - `dnsTtlMs`: 30000. The time for which resolved addresses are cached.
 *   - `maxIdleConnections`: 64. The number of idle connections that are kept for later calls.
 *   - `idleTimeoutMs`: 15000. The time for which an idle connection is kept.
 *   - `maxResponseBytes`: 1048576. The largest response that is accepted.
 *   - `userAgent`: not set. Text that is appended to the User-Agent header.
 *   - `allowInsecureHttp`: false. If true, http URLs are allowed for all hosts. Otherwise, they
 *     are allowed for loopback hosts only.
 *   - `logFormat`: "text", which is `key=value` pairs. Or "json", a JSON object per log line.
 *   - `environment`: false. If true, the settings file named by BW_CONFIG_FILE and environment
 *     variables are read as with NULL, and the other keys override them.
 *   - `configFile`: not set. The path of a settings file, instead of BW_CONFIG_FILE. The other keys
 *     override it.
 * - `client`: receives the client, or NULL on failure. Free it with `bw_client_free`.
 * - `error`: receives NULL, or the error document on failure. The caller frees it with `bw_free`.
 *   `error` may be NULL.
 *
 * NULL has the same meaning as `{"environment": true}`. The configuration is read, once, in this
 * call, from the settings file that the environment variable BW_CONFIG_FILE names, if it is set: a
 * JSON object with the keys above, except `environment` and `configFile`. A file that every user or
 * another group can write is rejected. The environment variables BW_ACCOUNT_ID, BW_CLIENT_ID and
 * BW_CLIENT_SECRET (or BW_USERNAME and BW_PASSWORD), BW_BASE_URL, BW_ENDPOINTS_URL and
 * BW_TOKEN_URL override the file. Credentials of one kind also replace those of the other kind in
 * the layers below. An empty variable counts as unset. The environment is never read in a set-uid
 * process: NULL and `environment` are rejected.
 *
 * The first call in a process reads the variables ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and NO_PROXY
 * (also in lower case) and ignores them. During that call, no other thread may change the
 * environment.
 *
 * Statuses: BW_OK, BW_E_CONFIG (the message names every invalid key), BW_E_INVALID_ARGUMENT
 * (`client` is NULL, or `config_json` is not UTF-8), BW_E_INTERNAL.
 * Any thread. Does not block (it reads files).
 */
bw_status bw_client_new(const char *config_json, bw_client **client, char **error);

/**
 * Frees a client, and cancels its calls.
 *
 * Calls in progress on other threads return BW_E_CANCELLED soon afterwards. The memory of the
 * client is released, and its credentials are erased, when the last of these calls has returned.
 *
 * - `client`: the client. NULL is allowed. The handle is invalid afterwards: functions return
 *   BW_E_INVALID_HANDLE for it, and freeing it again has no effect.
 *
 * Any thread. Does not block.
 */
void bw_client_free(bw_client *client);

/**
 * Reads a client's settings file and environment again, and replaces its credentials.
 *
 * This rotates a secret without a restart. No call is dropped: attempts in progress continue with
 * the previous credentials. If the credentials are the same as before, the client keeps its access
 * token. All other keys apply only to new clients.
 *
 * - `client`: a client that was created with NULL, `environment` or `configFile`. Each forked
 *   process must reload its own copy.
 * - `out`: receives `{"credentialsReplaced": true, "needsNewClient": ["timeoutMs"]}`, or the error
 *   document. `needsNewClient` contains the other keys whose values have changed since the client
 *   was created. The caller frees it with `bw_free`. `out` may be NULL.
 *
 * If the client reads the environment, no other thread may change it during this call.
 *
 * Statuses: BW_OK, BW_E_CONFIG (the configuration is invalid; or there is nothing to read again; or
 * the account, a URL or the kind of credentials has changed, so that the new credentials could be
 * sent to the wrong service), BW_E_INVALID_HANDLE, BW_E_INTERNAL. On failure, the client keeps its
 * credentials.
 * Any thread. Does not block (it reads files).
 */
bw_status bw_client_reload(bw_client *client, char **out);

/**
 * Replaces a client's credentials for all attempts that begin after this call.
 *
 * Attempts in progress continue with the previous credentials. The access token of the previous
 * credentials is discarded.
 *
 * - `identifier` and `secret`: credentials of the same kind as in the configuration: the client id
 *   and the client secret, or the user name and the password (until 2 December 2026).
 * - `error`: receives NULL, or the error document on failure. The caller frees it with `bw_free`.
 *   `error` may be NULL.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT (the client keeps the previous credentials),
 * BW_E_INVALID_HANDLE.
 * Any thread. Does not block.
 */
bw_status bw_client_set_credentials(bw_client *client,
                                    const char *identifier,
                                    const char *secret,
                                    char **error);

/**
 * Creates a participant and its token (createParticipant).
 *
 * If `outcome` in the error document is "unknown", a participant may exist. The client does not
 * repeat such a request.
 *
 * - `request_json`: one JSON object, not NULL. All keys are optional: `callbackUrl` (absolute URL
 *   to which the service sends webhooks), `publishPermissions` (array of "AUDIO" and "VIDEO"),
 *   `tag` (at most 50 characters), `deviceApiVersion` ("V3", or the older "V2"). The object is
 *   checked before a request is sent, and the message names every problem.
 * - `out`: receives `{"participant": {"id": "..", ..}, "token": ".."}`, or the error document. The
 *   caller frees it with `bw_free`. `out` must not be NULL: the token is returned only once.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_create_participant(bw_client *client, const char *request_json, char **out);

/**
 * Returns a participant (getParticipant).
 *
 * - `participant_id`: the `id` of the participant.
 * - `out`: receives the Participant document, or the error document. The caller frees it with
 *   `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such
 * participant).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_get_participant(bw_client *client, const char *participant_id, char **out);

/**
 * Deletes a participant, and removes it from its session (deleteParticipant).
 *
 * If its media connection was lost, the service has already deleted the participant, and the
 * status is BW_E_NOT_FOUND.
 *
 * - `participant_id`: the `id` of the participant.
 * - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such
 * participant).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_delete_participant(bw_client *client, const char *participant_id, char **out);

/**
 * Creates a session (createSession).
 *
 * If `outcome` in the error document is "unknown", a session may exist. The client does not repeat
 * such a request.
 *
 * - `request_json`: `{"tag": ".."}` (at most 50 characters), `{}`, or NULL.
 * - `out`: receives the Session document, `{"id": "..", "tag": ".."}`, or the error document. The
 *   caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_create_session(bw_client *client, const char *request_json, char **out);

/**
 * Returns a session (getSession).
 *
 * - `session_id`: the `id` of the session.
 * - `out`: receives the Session document, or the error document. The caller frees it with
 *   `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_get_session(bw_client *client, const char *session_id, char **out);

/**
 * Deletes a session, but not its participants (deleteSession).
 *
 * - `session_id`: the `id` of the session.
 * - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_delete_session(bw_client *client, const char *session_id, char **out);

/**
 * Lists the participants in a session (listSessionParticipants).
 *
 * - `session_id`: the `id` of the session.
 * - `out`: receives an array of Participant documents (`[]` if the session is empty), or the error
 *   document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_list_session_participants(bw_client *client, const char *session_id, char **out);

/**
 * Adds a participant to a session (addParticipantToSession).
 *
 * - `session_id`: the `id` of the session.
 * - `participant_id`: the `id` of the participant.
 * - `subscriptions_json`: whom the participant hears.
 *   - `{"sessionId": ".."}`: everyone in the session, including participants that join later.
 *   - `{"participants": [{"participantId": ".."}, ..]}`: only these participants. With
 *     `"streamAliases": [".."]` next to a `participantId`: only these streams of the participant
 *     (if the array is empty, all of them).
 *   - `{}`, `null` or NULL: nobody.
 * - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session or
 * participant) or BW_E_CONFLICT (the participant is already in a session, or the session is full).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_add_participant_to_session(bw_client *client,
                                        const char *session_id,
                                        const char *participant_id,
                                        const char *subscriptions_json,
                                        char **out);

/**
 * Removes a participant from a session, but does not delete it (removeParticipantFromSession).
 *
 * - `session_id`: the `id` of the session.
 * - `participant_id`: the `id` of the participant.
 * - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session or
 * participant).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_remove_participant_from_session(bw_client *client,
                                             const char *session_id,
                                             const char *participant_id,
                                             char **out);

/**
 * Returns whom a participant hears (getParticipantSubscriptions).
 *
 * - `session_id`: the `id` of the session.
 * - `participant_id`: the `id` of the participant.
 * - `out`: receives the Subscriptions document (`{}` if the participant hears nobody), or the
 *   error document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session or
 * participant).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_get_participant_subscriptions(bw_client *client,
                                           const char *session_id,
                                           const char *participant_id,
                                           char **out);

/**
 * Replaces the subscriptions of a participant, which state whom it hears
 * (updateParticipantSubscriptions).
 *
 * - `session_id`: the `id` of the session.
 * - `participant_id`: the `id` of the participant.
 * - `subscriptions_json`: the new subscriptions, as for `bw_add_participant_to_session`.
 * - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session or
 * participant).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_update_participant_subscriptions(bw_client *client,
                                              const char *session_id,
                                              const char *participant_id,
                                              const char *subscriptions_json,
                                              char **out);

/**
 * Creates an endpoint and its token (createEndpoint). BRTC only.
 *
 * An endpoint and its token expire 24 hours later. If `outcome` in the error document is "unknown",
 * an endpoint may exist. The client does not repeat such a request.
 *
 * - `request_json`: one JSON object, not NULL. Required: `type` ("WEBRTC") and `direction`
 *   ("INBOUND", "OUTBOUND" or "BIDIRECTIONAL"). Optional: `eventCallbackUrl` and
 *   `eventFallbackUrl` (absolute URLs to which the service sends webhooks), `tag` (at most 1024
 *   characters), `connectionMetadata` (an object). The object is checked before a request is sent,
 *   and the message names every problem.
 * - `out`: receives `{"links": [..], "data": {"endpointId": "..", "token": "..", ..}, "errors":
 *   []}`, or the error document. The caller frees it with `bw_free`. `out` must not be NULL: the
 *   token is returned only once.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_RATE_LIMITED (the account has too many
 * endpoints; this is not retried).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_create_endpoint(bw_client *client, const char *request_json, char **out);

/**
 * Lists the endpoints of the account, one page at a time (listEndpoints). BRTC only.
 *
 * - `query_json`: `{"type": "WEBRTC", "status": "CONNECTED", "limit": 100, "afterCursor": ".."}`,
 *   where each key is optional, or NULL. `status` is "CONNECTED" or "DISCONNECTED". `limit` is the
 *   size of a page, from 1 to 1000 (at the service, the default is 100). `afterCursor` selects the
 *   page after another one: it is the parameter of that name in the URL of the link whose `rel` is
 *   "next" in the other page. The last page has no such link.
 * - `out`: receives `{"links": [..], "data": [{"endpointId": "..", ..}], "errors": [], "page":
 *   {..}}`, or the error document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_list_endpoints(bw_client *client, const char *query_json, char **out);

/**
 * Returns an endpoint and its devices, without the token (getEndpoint). BRTC only.
 *
 * - `endpoint_id`: the `endpointId` of the endpoint.
 * - `out`: receives `{"links": [..], "data": {"endpointId": "..", "devices": [..], ..}, "errors":
 *   []}`, or the error document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such endpoint).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_get_endpoint(bw_client *client, const char *endpoint_id, char **out);

/**
 * Deletes an endpoint, and ends its media (deleteEndpoint). BRTC only.
 *
 * - `endpoint_id`: the `endpointId` of the endpoint.
 * - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such endpoint).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_delete_endpoint(bw_client *client, const char *endpoint_id, char **out);

/**
 * Replaces the BXML of an endpoint (updateEndpointBxml). BRTC only.
 *
 * Bandwidth documents this operation, but in 2026 the service does not offer it yet.
 *
 * - `endpoint_id`: the `endpointId` of the endpoint.
 * - `bxml`: the BXML document, which must be well-formed XML without a DTD, with at most 64 namespace
 *   declarations, and at most 256 attributes in a tag.
 * - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
 * one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such endpoint).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_update_endpoint_bxml(bw_client *client,
                                  const char *endpoint_id,
                                  const char *bxml,
                                  char **out);

/**
 * Executes any operation, which is described by one JSON document.
 *
 * - `call_json`: `{"operation": "addParticipantToSession", "sessionId": "..", "participantId":
 *   "..", "body": {..}, "timeoutMs": 500}`. The keys are:
 *   - `operation`: required. The operation's name at the service.
 *   - `sessionId`, `participantId`, `endpointId`: the ids that the operation's own function takes.
 *   - `body`: the request document of the operation, as a JSON object.
 *   - `query`: the query of listEndpoints, as a JSON object.
 *   - `bxml`: the BXML of updateEndpointBxml, as a string.
 *   - `timeoutMs`: replaces the client's timeout for this call, 1 to 86400000.
 * - `out`: receives the same document as from the operation's own function. The caller frees it
 *   with `bw_free`. `out` must not be NULL if the operation returns a token (createParticipant and
 *   createEndpoint).
 *
 * Statuses: those of the operation's own function.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_call(bw_client *client, const char *call_json, char **out);

/**
 * Creates a queue of calls for programs whose threads must not block.
 *
 * The first submitted call starts the queue's threads. In a forked child, the queue is empty. The
 * child can use it, and must call `bw_queue_fd` to get a descriptor of its own.
 *
 * - `client`: executes the calls. If it is freed, the calls of the queue complete with
 *   BW_E_CANCELLED.
 * - `options_json`: `{"workers": 8, "backlog": 1024}`, or NULL. Both keys are optional, with these
 *   defaults. `workers`: the number of calls that are executed at the same time, each on its own
 *   thread. `backlog`: the largest number of calls that are waiting, running, or completed but not
 *   fetched.
 * - `queue`: receives the queue, or NULL on failure. Free it with `bw_queue_free`.
 * - `error`: receives NULL, or the error document on failure. The caller frees it with `bw_free`.
 *   `error` may be NULL.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_INTERNAL.
 * Any thread. Does not block.
 */
bw_status bw_queue_new(bw_client *client, const char *options_json, bw_queue **queue, char **error);

/**
 * Submits a call to a queue. Each accepted call completes exactly once, even if it is cancelled.
 *
 * - `call_json`: the call, as for `bw_call`. This function checks it. The timeout of the call
 *   starts now and includes the time in the queue.
 * - `user_data`: any pointer. `bw_queue_next` returns it with the completion.
 * - `id`: receives the number of the call, or 0 on failure. The number of a call is never 0. `id`
 *   may be NULL.
 * - `error`: receives NULL, or the error document if the call was not accepted. The caller frees
 *   it with `bw_free`. `error` may be NULL.
 *
 * Statuses: BW_OK, BW_E_QUEUE_FULL (fetch completions, or try again later), BW_E_CLOSED (the queue
 * is closed, or its client was freed), BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_INTERNAL
 * (no memory, or no thread could be started).
 * Any thread. Does not block.
 */
bw_status bw_queue_submit(bw_queue *queue,
                          const char *call_json,
                          void *user_data,
                          uint64_t *id,
                          char **error);

/**
 * Returns the descriptor of a queue, which is readable while completions are available.
 *
 * Watch it with poll, epoll or select. Never read it, write to it, or close it. It stays valid
 * until `bw_queue_free` closes it: remove it from the event loop first. Call this function again
 * in a forked child, or after the program has closed the descriptor.
 *
 * The function returns -1 if the handle is invalid or if no descriptor can be opened.
 * Any thread. Does not block.
 */
int bw_queue_fd(bw_queue *queue);

/**
 * Fetches the next completion of a queue.
 *
 * - `timeout_ms`: the longest time to wait for a completion, in milliseconds. 0: do not wait.
 *   Negative: wait without a limit.
 * - `id` and `user_data`: receive the number and the user data of the call. Each may be NULL.
 * - `status`: receives the status of the call. It must not be NULL.
 * - `out`: receives the service's response, or the error document of the call. It must not be
 *   NULL. The caller frees the document with `bw_free`.
 *
 * If the function returns BW_OK, `*out` belongs to the completion. If it returns
 * BW_E_INVALID_ARGUMENT or BW_E_INVALID_HANDLE, `*out` is the error document of this function.
 * Otherwise, `*out` is NULL.
 *
 * Statuses: BW_OK, BW_E_EMPTY (no completion within `timeout_ms`), BW_E_CLOSED (the queue is
 * closed and all completions were fetched, or the queue was freed), BW_E_INVALID_ARGUMENT,
 * BW_E_INVALID_HANDLE, BW_E_INTERNAL (no memory for the document; the completion can be fetched
 * later).
 * Any thread. Blocks up to `timeout_ms`. pthread_cancel does not interrupt the wait.
 */
bw_status bw_queue_next(bw_queue *queue,
                        int32_t timeout_ms,
                        uint64_t *id,
                        void **user_data,
                        bw_status *status,
                        char **out);

/**
 * Cancels a call. Its completion, with BW_E_CANCELLED, can be fetched immediately.
 *
 * If the call was waiting, its outcome is "not_sent". If it was running, its outcome is "unknown".
 * A running create request is executed to its end. The object that it creates is logged, and kept
 * for `bw_client_take_late`.
 *
 * - `id`: the number of the call, from `bw_queue_submit`.
 *
 * Statuses: BW_OK, BW_E_NO_VALUE (the call has completed, or there is no such call),
 * BW_E_INVALID_HANDLE.
 * Any thread. Does not block.
 */
bw_status bw_queue_cancel(bw_queue *queue, uint64_t id);

/**
 * Closes a queue: it accepts no more calls, and cancels all calls that are waiting or running.
 *
 * Completions can still be fetched; `bw_queue_next` returns BW_E_CLOSED after the last one. To get
 * every `user_data` back, close the queue, fetch until BW_E_CLOSED, and free the queue.
 *
 * Statuses: BW_OK, BW_E_INVALID_HANDLE.
 * Any thread. Does not block.
 */
bw_status bw_queue_close(bw_queue *queue);

/**
 * Frees a queue, and discards the completions that were not fetched.
 *
 * Calls that are waiting or running are cancelled. Threads that wait in `bw_queue_next` return
 * BW_E_CLOSED. Participants and sessions whose completions were not fetched are kept for
 * `bw_client_take_late`. The descriptor of the queue is closed: remove it from the event loop
 * first.
 *
 * - `queue`: the queue. NULL is allowed. The handle is invalid afterwards, and freeing it again
 *   has no effect.
 *
 * Any thread. Does not block.
 */
void bw_queue_free(bw_queue *queue);

/**
 * Sets a callback that can cancel the calls of the calling thread, for example after Ctrl-C.
 *
 * While a function that "blocks up to the deadline" waits on this thread, it calls the callback on
 * this thread: about every 75 milliseconds, and as soon as a signal interrupts a wait for the
 * network. This applies to all clients, and to the waits for name resolution, a connection, a
 * token, a response and a retry. A call that does not wait that long does not call it. Calls in
 * queues and bw_queue_next never call it, and neither do other threads.
 *
 * If the callback returns a value other than 0, the call is cancelled: it returns BW_E_CANCELLED,
 * and `outcome` in the error document reports whether the service may have processed the request.
 *
 * - `callback`: the callback, which replaces the previous one of this thread; NULL: none, which is
 *   the default of each thread. It must not throw an exception, and must not call longjmp. It may
 *   call this library, and free the client. Calls that it makes do not call it again, unless it
 *   sets the callback again. If it forks, the call continues only in the parent, and is cancelled
 *   in the child. A child has the callback of the thread that forked.
 * - `user_data`: any pointer; the callback receives it. To free it, first set another callback on
 *   this thread.
 *
 * Any thread. Does not block.
 */
void bw_thread_set_interrupt(bw_interrupt_callback callback, void *user_data);

/**
 * Sends the log of a client to a callback. The log is off by default.
 *
 * - `level`: the most detailed level that is logged: BW_LOG_ERROR, BW_LOG_WARN, BW_LOG_INFO or
 *   BW_LOG_DEBUG. BW_LOG_OFF disables the log; then `callback` may be NULL.
 * - `callback`: called on each thread that executes calls, also on several threads at the same
 *   time. It must not throw an exception, and must not call this library. It should return
 *   quickly.
 * - `user_data`: any pointer; the callback receives it.
 * - `error`: receives NULL, or the error document on failure. The caller frees it with `bw_free`.
 *   `error` may be NULL.
 *
 * After this function has returned, the previous callback is not running, and is never called
 * again. Therefore, disable the log before you free `user_data`, and before `bw_client_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE.
 * Any thread, except inside a callback. Waits for callbacks that are running.
 */
bw_status bw_client_set_log(bw_client *client,
                            int32_t level,
                            bw_log_callback callback,
                            void *user_data,
                            char **error);

/**
 * Returns the counters of a client.
 *
 * - `out`: receives the document below, or the error document. The caller frees it with `bw_free`.
 *
 * `{"calls", "attempts", "retries", "inFlight", "statuses": {"BW_OK": 5, ..}, "queue": {"waiting",
 * "running", "done", "cancelled"}, "connectionsOpened", "connectionsReused", "tokenRequests",
 * "lateAnswers", "lateParticipants", "lateSessions", "lateEndpoints", "operations":
 * {"createParticipant": {"calls", "attempts", "retries", "inFlight", "statuses", "times":
 * [{"belowUs": 1000, "count": 5}, ..], "timeSumUs": 3120}, ..}}`
 *
 * The counters start at zero when the client is created, and again in each forked child.
 *
 * - `statuses`: for each status, the number of completed calls that returned it to the caller.
 *   A call that was cancelled in a queue counts as BW_E_CANCELLED, and a call that expired in a
 *   queue counts as BW_E_TIMEOUT, even if the service executes it.
 * - `queue`: `waiting`, `running` and `done` (completed but not fetched) are the present numbers
 *   of calls in all queues of the client. `cancelled` is the number of calls that were cancelled
 *   so far.
 * - `tokenRequests`: the token requests that were sent. They are not part of `attempts`.
 * - `times`: a histogram of the durations of executed calls. `belowUs` is the upper bound of a
 *   range in microseconds: 1, 5, 10, 25, 50, 100, 250, 1000, 2500 or 10000 ms, or null for longer
 *   calls. Ranges without calls are omitted. `timeSumUs` is the sum of the durations.
 * - `lateAnswers`: the number of responses that no caller received. `lateParticipants`,
 *   `lateSessions` and `lateEndpoints` are the ids that `bw_client_take_late` returns.
 *
 * Later versions may add keys.
 *
 * Statuses: BW_OK, BW_E_INVALID_HANDLE, BW_E_INTERNAL.
 * Any thread. Does not block.
 */
bw_status bw_client_stats(bw_client *client, char **out);

/**
 * Returns the counters of a client as OpenMetrics text, for Prometheus.
 *
 * - `out`: receives the text, or the error document. The caller frees it with `bw_free`.
 *
 * The text ends with `# EOF` and a newline. It is valid OpenMetrics 1.0 and also valid in the
 * Prometheus text format, so that an HTTP server may send it as `application/openmetrics-text;
 * version=1.0.0; charset=utf-8` or as `text/plain; version=0.0.4`. Values are sums over all threads
 * and queues of the client. They start at zero when the client is created, and again in each forked
 * child.
 *
 * - `bw_webrtc_calls_total{operation,status}`: completed calls, by the status that the caller
 *   received.
 * - `bw_webrtc_attempts_total{operation}`, `bw_webrtc_retries_total{operation}`: attempts, and the
 *   attempts after the first of a call.
 * - `bw_webrtc_calls_in_flight{operation}`: calls that are being executed.
 * - `bw_webrtc_call_duration_seconds{operation}`: a histogram of the durations of executed calls, as
 *   `bw_webrtc_call_duration_seconds_bucket`, `bw_webrtc_call_duration_seconds_sum` and
 *   `bw_webrtc_call_duration_seconds_count`.
 * - `bw_webrtc_connections_opened_total`, `bw_webrtc_connections_reused_total`: attempts and token
 *   requests on a new or an idle connection.
 * - `bw_webrtc_token_requests_total`: token requests.
 * - `bw_webrtc_queue_calls{stage}`: calls in queues: `waiting`, `running`, or `done` (completed but
 *   not fetched).
 * - `bw_webrtc_queue_cancelled_total`: calls that were cancelled in queues.
 * - `bw_webrtc_late_responses_total`: responses that no caller received.
 *
 * The series of an operation exist after its first call. Label values are names of operations,
 * statuses and stages only, so that the number of series is limited. Later versions may add
 * metrics.
 *
 * Statuses: BW_OK, BW_E_INVALID_HANDLE, BW_E_INTERNAL.
 * Any thread. Does not block.
 */
bw_status bw_client_metrics(bw_client *client,
                            char **out);

/**
 * Returns the list of participants, sessions and endpoints whose ids no caller received, and clears
 * the list.
 *
 * An object is in the list if its call was cancelled while it was running, if its completion was
 * not fetched before `bw_queue_free`, if `out` was NULL or there was no memory for the response, or
 * if the response was invalid or cut off, but contains the id.
 *
 * - `out`: receives `{"late": [{"operation": "createParticipant", "id": "..", "tag": "..",
 *   "userData": 17}, ..], "dropped": 0}`, the oldest object first, or the error document. The
 *   caller frees it with `bw_free`. `out` must not be NULL.
 *   - `id`: the service's id of the object. `tag`: the tag in the request, or null.
 *   - `userData`: the `user_data` of `bw_queue_submit` as a number; 0 if the call was not in a
 *     queue.
 *   - `dropped`: the number of objects that were removed from the list because it holds at most
 *     1024.
 *
 * The object of a cancelled call is added when the response arrives. `bw_client_free` aborts calls
 * that still wait for their response. To get the complete list, call this function immediately
 * before it.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT (`out` is NULL), BW_E_INVALID_HANDLE, BW_E_INTERNAL (no
 * memory; the list is not cleared).
 * Any thread. Does not block.
 */
bw_status bw_client_take_late(bw_client *client, char **out);

/**
 * Returns one value of a JSON document, for programs without a JSON library.
 *
 * - `json`: the document.
 * - `pointer`: a JSON pointer (RFC 6901), such as "/participant/id" or "/sessions/0". "" selects
 *   the whole document. In a key, `~1` stands for a slash and `~0` for a tilde.
 * - `text`: receives the value, or the error document on failure. The caller frees it with
 *   `bw_free`. A string is returned without quotes and escapes, any other value as JSON text.
 *
 * Statuses: BW_OK, BW_E_NO_VALUE (the value is missing or null), BW_E_INVALID_ARGUMENT (`json` is
 * not JSON or has more than 64 levels, `pointer` is not a JSON pointer, or the value is a string
 * that contains U+0000, which a C string cannot contain).
 * Any thread. Does not block.
 */
bw_status bw_json_get(const char *json, const char *pointer, char **text);

/**
 * Returns the number of items of an array, or of members of an object, in a JSON document.
 *
 * - `json` and `pointer`: as for `bw_json_get`.
 * - `length`: receives the number, or 0 on failure. It may be NULL.
 * - `error`: receives NULL, or the error document on failure. The caller frees it with `bw_free`.
 *   `error` may be NULL.
 *
 * Statuses: BW_OK, BW_E_NO_VALUE (the value is missing or null), BW_E_INVALID_ARGUMENT (as for
 * `bw_json_get`, or the value is neither an array nor an object), BW_E_INTERNAL.
 * Any thread. Does not block.
 */
bw_status bw_json_length(const char *json, const char *pointer, uint64_t *length, char **error);

/**
 * Returns a text as a JSON string, for programs that write JSON documents themselves.
 *
 * - `text`: the text, such as a tag that a user has typed.
 * - `out`: receives the text with quotes and escapes, such as `"say \"hi\""`, or the error document.
 *   The caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT (`text` is NULL or not valid UTF-8), BW_E_INTERNAL.
 * Any thread. Does not block.
 */
bw_status bw_json_quote(const char *text,
                        char **out);

/**
 * Creates the BXML that transfers a phone call to a session, for the response to a voice webhook.
 *
 * - `token`: the token of a participant in that session.
 * - `call_id`: the id of the phone call ("c-93d6f3c0-be584596-.."), or NULL.
 * - `sip_uri`: the destination of the transfer, or NULL for the SIP URI of the service.
 * - `out`: receives `{"bxml": "..", "uuiLength": 81, "warnings": [".."]}`, or the error document.
 *   The caller frees it with `bw_free`. There is a warning if the uui parameter in the BXML is
 *   longer than the documented limit of 256 characters.
 *
 * All arguments are checked and escaped.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INTERNAL.
 * Any thread. Does not block.
 */
bw_status bw_transfer_bxml(const char *token, const char *call_id, const char *sip_uri, char **out);

/**
 * Creates the BXML that connects a phone call to endpoints, for the response to a voice webhook.
 *
 * - `endpoint_ids_json`: a JSON array of the ids of the endpoints, such as `["e-15ac29a2-.."]`.
 * - `options_json`: `{"eventCallbackUrl": "..", "eventFallbackUrl": ".."}`, where each key is
 *   optional and a URL may be relative, or NULL.
 * - `out`: receives `{"bxml": ".."}`, or the error document. The caller frees it with `bw_free`.
 *
 * All arguments are checked and escaped.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INTERNAL.
 * Any thread. Does not block.
 */
bw_status bw_connect_bxml(const char *endpoint_ids_json, const char *options_json, char **out);

/**
 * Creates the uui value with which a phone call joins the session of a participant.
 *
 * `bw_transfer_bxml` writes it into a `<Transfer>`. The value alone is needed for `<Bridge>`,
 * `<Conference>`, and calls that the Voice API makes. WebRTC v1 only.
 *
 * - `token`: the token of the participant.
 * - `call_id`: the id of the phone call ("c-93d6f3c0-be584596-.."), or NULL.
 * - `text`: receives the value, which is not JSON, or the error document. The caller frees it with
 *   `bw_free`. The value contains the token: it is a secret.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INTERNAL.
 * Any thread. Does not block.
 */
bw_status bw_uui(const char *token, const char *call_id, char **text);

/**
 * Checks a webhook that a service has sent to a callback URL, and returns it in one form.
 *
 * - `body`: the body of the webhook request.
 * - `out`: receives `{"event": "onConnect", "timestamp": 1605739845431, "participantId": "..",
 *   "deviceId": "..", "tag": ".."}`, or the error document. The caller frees it with `bw_free`.
 *
 * WebRTC v1: `event` is "onConnect", "onLeave" or "onDisconnect". `timestamp` is a number, the
 * milliseconds since 1970; also accepted as a string of digits. `participantId` is a string that
 * is not empty. `deviceId` and `tag` are strings, if they are present and not null. An event that
 * violates this is an error.
 *
 * BRTC: `event` is "endpointConnected", "endpointDisconnected", "endpointEligible",
 * "endpointIneligible", "outboundConnectionRequest" (with `to` and `toType`) or "connectStatus".
 * `endpointId` is a string that is not empty, except that "connectStatus" may have none. Nothing
 * else is required. `timestamp` is a number of milliseconds if the service sent an integer, a
 * string of digits or an ISO 8601 time; any other value is unchanged, and it may be missing. The
 * names of the OpenAPI document are converted: `eventType` to `event`, `eventTime` to `timestamp`,
 * a string `tags` to `tag`, and the id in `device` is also `deviceId`.
 *
 * An unknown event is not an error, because the service may add events: it is converted as an
 * event of BRTC, not checked, and has `"known": false`. No other result has `known`.
 *
 * All other fields are returned unchanged. If a field is repeated, an event of v1 is rejected, and
 * any other event keeps the last value.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT (the message names every invalid field), BW_E_INTERNAL.
 * Any thread. Does not block.
 */
bw_status bw_parse_event(const char *body, char **out);

/**
 * Decodes the claims of a token, but does not verify them.
 *
 * Only the service can verify a token.
 *
 * - `token`: the token of a participant or an endpoint.
 * - `out`: receives `{"accountId": "..", "participantId": "..", "version": "V3", "expiresAt":
 *   1795510659, "expiresInMs": 32400000, "claims": {..}, "verified": false}`, or the error
 *   document. The caller frees it with `bw_free`. `expiresAt` is in seconds since 1970. A claim
 *   that the token does not contain is null. The error document contains no part of the token.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INTERNAL.
 * Any thread. Does not block.
 */
bw_status bw_token_claims(const char *token, char **out);

/**
 * Frees text that a function of this library returned through a `char **`.
 *
 * - `text`: the text. NULL is allowed. Never pass text that was returned as a `const char *`.
 *
 * Any thread. Does not block.
 */
void bw_free(void *text);

#ifdef __cplusplus
}  /* extern "C" */
#endif  /* __cplusplus */

#endif  /* BW_WEBRTC_H */
