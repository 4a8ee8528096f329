/*
 * libbw_webrtc: control Bandwidth's WebRTC service from C.
 *
 * JSON text in, JSON text and a status out. Every function that talks to the service has the form
 *
 *     bw_status bw_verb_noun(bw_client *client, <JSON or ids>, char **out);
 *
 * 1. Status and document. The return value is BW_OK or the class of the failure. *out is always
 *    set: on BW_OK to the service's response, otherwise to the error document
 *
 *        {"error": {"status": 21, "name": "BW_E_UNAUTHORIZED", "message": "what is wrong, what to do",
 *                   "operation": "createParticipant", "outcome": "rejected", "attempts": 1,
 *                   "httpStatus": 401, "requestId": null, "retryAfterMs": null, "body": {..}}}
 *
 *    "outcome" reports whether the service may have processed the request: "not_sent" (nothing
 *    reached the service, safe to repeat), "rejected" (the service responded and did nothing),
 *    "unknown" (the request was sent and there was no usable response: it may have been processed).
 *    It is null if no service is involved.
 *    bw_json_get reads such documents for programs without a JSON library.
 * 2. Ownership. The caller frees text that a function returns through a char ** with bw_free, never
 *    with free (the program may use another C library's). A const char * result is static: never
 *    free it. Arguments stay the caller's and are not used after the function has returned.
 * 3. Text is UTF-8 and ends with a NUL.
 * 4. Handles are checked numbers, not addresses. A handle that is NULL, was freed or was never
 *    returned by this library gives BW_E_INVALID_HANDLE, whatever other threads do. Freeing a handle
 *    twice is harmless.
 * 5. Any thread may call any function at any time, also with the same client: make one client and
 *    share it. "Does not block" means no network. "Blocks up to the deadline" means that only the
 *    calling thread blocks, for no longer than timeoutMs, including retries and name resolution.
 *    A client also works in forked children, each with its own connections: make it before the
 *    fork. A thread that is cancelled completes its call first.
 * 6. If a thread must not block, such as that of an event loop, it submits calls to a queue
 *    (bw_queue_new), watches the queue's descriptor, and fetches completions. There are no callbacks
 *    for completions.
 * 7. Side effects. There is no global initialization. Nothing is printed, and no signal handler or
 *    locale is changed. Environment variables configure a client only through bw_client_new(NULL, ..),
 *    and never in a set-uid process. The process's first bw_client_new also reads the proxy
 *    variables, and ignores them: no other thread should call setenv meanwhile. Messages never
 *    contain secrets.
 *
 * A whole program (cc program.c -lbw_webrtc), with the credentials in BW_ACCOUNT_ID, BW_CLIENT_ID and
 * BW_CLIENT_SECRET:
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
 * The version of this header: major.
 */
#define BW_VERSION_MAJOR 0

/**
 * The version of this header: minor.
 */
#define BW_VERSION_MINOR 1

/**
 * The version of this header: patch.
 */
#define BW_VERSION_PATCH 0

/**
 * No lines.
 */
#define BW_LOG_OFF 0

/**
 * Calls that failed.
 */
#define BW_LOG_ERROR 1

/**
 * Also attempts that failed and are repeated.
 */
#define BW_LOG_WARN 2

/**
 * Also calls that succeeded.
 */
#define BW_LOG_INFO 3

/**
 * Also every attempt.
 */
#define BW_LOG_DEBUG 4

/**
 * A client of the service: a checked handle, not an address. Made by `bw_client_new`.
 */
typedef struct bw_client bw_client;

/**
 * A queue of calls: a checked handle, not an address. Made by `bw_queue_new`.
 */
typedef struct bw_queue bw_queue;

/**
 * What a function returns: `BW_OK`, or the class of the failure. Values are never renumbered;
 * later versions may add some.
 */
typedef int32_t bw_status;

/**
 * Takes a line about what a client does: its level (BW_LOG_ERROR and so on), the text, which ends
 * with the call, and the `user_data` of `bw_client_set_log`. No secret is ever in a line.
 */
typedef void (*bw_log_callback)(int32_t level, const char *line, void *user_data);

/**
 * It worked.
 */
#define BW_OK 0

/**
 * An argument, or the request document, is wrong; the message names the field.
 */
#define BW_E_INVALID_ARGUMENT 1

/**
 * The handle is NULL, was freed, was never returned by this library, or is of the wrong kind.
 */
#define BW_E_INVALID_HANDLE 2

/**
 * The configuration is wrong; the message names the key.
 */
#define BW_E_CONFIG 3

/**
 * There is no value, or null, at that place.
 */
#define BW_E_NO_VALUE 4

/**
 * The service's name could not be resolved.
 */
#define BW_E_RESOLVE 10

/**
 * No connection could be made.
 */
#define BW_E_CONNECT 11

/**
 * TLS failed: the certificate or the handshake.
 */
#define BW_E_TLS 12

/**
 * The time ran out; the message names the phase.
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
 * HTTP 401: the credentials are wrong, or have no access to the account.
 */
#define BW_E_UNAUTHORIZED 21

/**
 * HTTP 403: the credentials have no role for WebRTC or no access to the account, or there is no
 * such route.
 */
#define BW_E_FORBIDDEN 22

/**
 * HTTP 404: no such participant or session.
 */
#define BW_E_NOT_FOUND 23

/**
 * HTTP 409: the participant cannot be added to the session.
 */
#define BW_E_CONFLICT 24

/**
 * HTTP 429: too many requests; `retryAfterMs` may state how long to wait.
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
 * An error in the library itself; please report the message.
 */
#define BW_E_INTERNAL 40

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/**
 * The name of a status's constant, such as "BW_E_TIMEOUT".
 *
 * A value that is not a status gives "BW_E_UNKNOWN". The text is static: never free it.
 * Any thread. Does not block.
 */
const char *bw_status_name(bw_status status);

/**
 * The version of the library that is loaded, such as "0.1.0"; compare with `BW_VERSION`.
 *
 * The text is static: never free it. Any thread. Does not block.
 */
const char *bw_version(void);

/**
 * The number of the ABI, as in the name of the library file. Functions are added to an ABI, never
 * changed; a program works with every library of the ABI it was built for that is not older.
 *
 * Any thread. Does not block.
 */
uint32_t bw_abi_version(void);

/**
 * Makes a client from a configuration. Connects to nothing.
 *
 * `config_json` is one JSON object. Required: `accountId` and one pair of credentials, either
 * `clientId` and `clientSecret` (OAuth 2.0 API credentials; the client requests an access token
 * when a call needs one), or `username` and `password` (of an API user; they stop working on
 * 2 December 2026). Optional, with defaults: `baseUrl` (the service's), `tokenUrl` (the service's;
 * required with `clientId` if `baseUrl` is not the service's), `timeoutMs` (10000, the whole call,
 * a token request included), `attemptTimeoutMs`
 * (what is left of it), `connectTimeoutMs` (3000, name look-up and TLS included), `maxRetries` (2),
 * `retryBaseMs` (100), `retryMaxMs` (2000), `proxy` (none; "http://user:password@host:port", which
 * is asked to CONNECT, or "socks5://.."; it needs https URLs), `roots` ("bundled", or
 * "system"), `caFile` (PEM file of the authorities to trust instead), `clientCertFile`,
 * `clientKeyFile` (PEM), `ipFamily` ("any", "ipv4", "ipv6"), `bindAddress`, `dnsTtlMs` (30000),
 * `maxIdleConnections` (64), `idleTimeoutMs` (15000), `maxResponseBytes` (1048576), `userAgent`
 * (appended), `allowInsecureHttp` (false: plain http is for loopback only). A key that is not known
 * is refused. If `config_json` is NULL, the configuration is read from the environment variables
 * BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET (or BW_USERNAME and BW_PASSWORD), BW_BASE_URL and
 * BW_TOKEN_URL, once in this call. An empty variable counts as unset. NULL is rejected in a set-uid
 * process. Otherwise the environment has no effect: the first call in a process reads ALL_PROXY,
 * HTTPS_PROXY, HTTP_PROXY and NO_PROXY (also in lower case) and ignores them, so that no other
 * thread should change the environment during that call.
 *
 * The client also works in forked children: each process makes its own connections.
 *
 * `*client` gets the client, or NULL on failure; end it with `bw_client_free`. `*error` gets NULL,
 * or the error document on failure; free it with `bw_free`. `error` may be NULL.
 *
 * Statuses: BW_OK, BW_E_CONFIG (the message names every key that is wrong),
 * BW_E_INVALID_ARGUMENT (`client` is NULL, `config_json` is not UTF-8), BW_E_INTERNAL.
 * Any thread. Does not block (files are read).
 */
bw_status bw_client_new(const char *config_json,
                        bw_client **client,
                        char **error);

/**
 * Ends a client. Calls in flight on other threads return BW_E_CANCELLED soon after.
 *
 * The handle is dead from then on: using or freeing it again is harmless and gives
 * BW_E_INVALID_HANDLE. NULL is fine. The client's memory, with its credentials wiped, goes when
 * the last call in flight has returned.
 * Any thread. Does not block.
 */
void bw_client_free(bw_client *client);

/**
 * Replaces a client's credentials, for every attempt that begins from now on.
 *
 * The pair is of the kind that the client has: `identifier` and `secret` are the client id and the
 * client secret, or the user name and the password (which stops working on 2 December 2026). The
 * access token of the previous pair is dropped. No call is dropped: attempts in progress end with
 * the previous pair. `error` may be NULL; `*error` gets NULL, or the error document on failure,
 * which the caller frees with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT (the client keeps the previous pair),
 * BW_E_INVALID_HANDLE.
 * Any thread. Does not block.
 */
bw_status bw_client_set_credentials(bw_client *client,
                                    const char *identifier,
                                    const char *secret,
                                    char **error);

/**
 * Creates a participant at the service (createParticipant) and gives its token.
 *
 * `request_json` is one JSON object, not NULL, all of whose fields may be left out: `callbackUrl`
 * (absolute URL), `publishPermissions` (array of "AUDIO", "VIDEO"), `tag` (at most 50 characters),
 * `deviceApiVersion` ("V3", or the older "V2"). It is checked before anything is sent; all problems
 * are named.
 *
 * `*out` gets the service's answer, `{"participant": {"id": .., ..}, "token": ".."}`, or the error
 * document; the caller frees it with `bw_free`. `out` must not be NULL: the token comes only once.
 * A request that the service may have processed is never repeated: if `outcome` is "unknown", a
 * participant may exist.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_create_participant(bw_client *client, const char *request_json, char **out);

/**
 * Reads a participant (getParticipant).
 *
 * `*out` gets the Participant document, or the error document; the caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_get_participant(bw_client *client, const char *participant_id, char **out);

/**
 * Removes a participant, out of its session too (deleteParticipant).
 *
 * `*out` gets `null`, or the error document; the caller frees it with `bw_free`. If its
 * media connection was lost, the participant has already been deleted: BW_E_NOT_FOUND.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_delete_participant(bw_client *client, const char *participant_id, char **out);

/**
 * Creates a session (createSession).
 *
 * `request_json` is `{"tag": ".."}` (at most 50 characters), or NULL. `*out` gets the Session
 * document, `{"id": .., "tag": ..}`, or the error document; the caller frees it with `bw_free`. A
 * request that the service may have processed is never repeated.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_create_session(bw_client *client, const char *request_json, char **out);

/**
 * Reads a session (getSession).
 *
 * `*out` gets the Session document, or the error document; the caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_get_session(bw_client *client, const char *session_id, char **out);

/**
 * Removes a session; its participants stay (deleteSession).
 *
 * `*out` gets `null`, or the error document; the caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_delete_session(bw_client *client, const char *session_id, char **out);

/**
 * Lists the participants in a session (listSessionParticipants).
 *
 * `*out` gets an array of Participant documents, `[]` if there are none, or the error document; the
 * caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_list_session_participants(bw_client *client, const char *session_id, char **out);

/**
 * Puts a participant into a session (addParticipantToSession).
 *
 * `subscriptions_json` says whom it hears: `{"sessionId": ".."}` everyone in the session, also who
 * comes later; `{"participants": [{"participantId": "..", "streamAliases": [".."]}]}` those; NULL,
 * `null` or `{}` nobody. `*out` gets `null`, or the error document; the caller frees it with
 * `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND, BW_E_CONFLICT (it is in a session, or the session is full).
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_add_participant_to_session(bw_client *client,
                                        const char *session_id,
                                        const char *participant_id,
                                        const char *subscriptions_json,
                                        char **out);

/**
 * Takes a participant out of a session (removeParticipantFromSession).
 *
 * `*out` gets `null`, or the error document; the caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_remove_participant_from_session(bw_client *client,
                                             const char *session_id,
                                             const char *participant_id,
                                             char **out);

/**
 * Reads whom a participant hears (getParticipantSubscriptions).
 *
 * `*out` gets the Subscriptions document, `{}` if it hears nobody, or the error document; the caller
 * frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_get_participant_subscriptions(bw_client *client,
                                           const char *session_id,
                                           const char *participant_id,
                                           char **out);

/**
 * Changes whom a participant hears (updateParticipantSubscriptions).
 *
 * `subscriptions_json` replaces the previous subscriptions; see `bw_add_participant_to_session`. `*out` gets `null`, or the error document; the caller frees it
 * with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
 * BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_update_participant_subscriptions(bw_client *client,
                                              const char *session_id,
                                              const char *participant_id,
                                              const char *subscriptions_json,
                                              char **out);

/**
 * Executes any operation, described by one JSON document.
 *
 * `call_json` is `{"operation": "addParticipantToSession", "sessionId": "..", "participantId": "..",
 * "body": {..}, "timeoutMs": 500}`: the operation's name at the service, its ids and its body, and
 * optionally a timeout for this call.
 *
 * `*out` gets what the operation's own function gives; the caller frees it with `bw_free`. It must
 * not be NULL if the operation is createParticipant. Statuses: those of the operation's function.
 * Any thread. Blocks up to the deadline.
 */
bw_status bw_call(bw_client *client,
                  const char *call_json,
                  char **out);

/**
 * Makes a queue of calls for a host whose threads must not block. Starts no thread yet.
 *
 * `options_json` is `{"workers": 8, "backlog": 1024}`, or NULL. Both keys are optional: `workers` is
 * how many calls run at the same time, each on its own thread; `backlog` is how many calls may be
 * waiting, running or completed but not fetched. `*queue` gets the queue, or NULL on failure; end it with
 * `bw_queue_free`. It keeps what it needs of the client: freeing the client ends its calls as
 * cancelled. `*error` gets NULL, or the error document, which the caller frees with `bw_free`;
 * `error` may be NULL.
 *
 * In a forked child, the queue is empty and works. It has another descriptor there: call
 * `bw_queue_fd` again.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE.
 * Any thread. Does not block.
 */
bw_status bw_queue_new(bw_client *client,
                       const char *options_json,
                       bw_queue **queue,
                       char **error);

/**
 * Submits a call. It is completed exactly once, whatever happens to it.
 *
 * `call_json` is as for `bw_call`; it is checked now, and its time runs from now. `user_data` comes
 * back with the completion. `*id` gets the call's number, never 0; `id` may be NULL. `*error` gets
 * NULL, or the error document where nothing was accepted, which the caller frees with `bw_free`;
 * `error` may be NULL.
 *
 * Statuses: BW_OK, BW_E_QUEUE_FULL (fetch completions, or try later), BW_E_CLOSED,
 * BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_INTERNAL (no thread could be started, or there
 * is no memory for the call).
 * Any thread. Does not block.
 */
bw_status bw_queue_submit(bw_queue *queue,
                          const char *call_json,
                          void *user_data,
                          uint64_t *id,
                          char **error);

/**
 * The descriptor to watch with poll, epoll or select: readable while completions wait.
 *
 * Never read, write or close it. It stays valid until the queue is freed, which closes it: remove
 * it from your event loop first. In a forked child, or after the host closed it, call this function
 * again for a new one. -1 if the handle is invalid or no descriptor can be opened.
 * Any thread. Does not block.
 */
int bw_queue_fd(bw_queue *queue);

/**
 * Fetches the next completion.
 *
 * `timeout_ms` is how long to wait for one: 0 not at all, negative for ever. On BW_OK `*id` and
 * `*user_data` get the call's number and what was submitted with it, `*status` gets how the call
 * ended, and `*out` gets the service's answer, or the error document, which the caller frees with
 * `bw_free`. `id` and `user_data` may be NULL. If no completion is available, `*out` is NULL. If an
 * argument is invalid, `*out` is the error document.
 *
 * Statuses: BW_OK, BW_E_EMPTY (no completion in time), BW_E_CLOSED (the queue is closed, and all
 * completions were fetched), BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_INTERNAL (no memory
 * for the response; it can be fetched later).
 * Any thread. Blocks up to `timeout_ms`; a thread that is cancelled continues to wait until the
 * queue is closed or freed.
 */
bw_status bw_queue_next(bw_queue *queue,
                        int32_t timeout_ms,
                        uint64_t *id,
                        void **user_data,
                        bw_status *status,
                        char **out);

/**
 * Cancels a call. Its completion (BW_E_CANCELLED) can be fetched at once.
 *
 * The outcome of a call that still waited is `not_sent`. The outcome of a call that was running is
 * `unknown`: if it may have created something, its response is still awaited. What it created is
 * logged, and kept for `bw_client_take_late`.
 *
 * Statuses: BW_OK, BW_E_NO_VALUE (the call has completed, or there never was such a call),
 * BW_E_INVALID_HANDLE.
 * Any thread. Does not block.
 */
bw_status bw_queue_cancel(bw_queue *queue, uint64_t id);

/**
 * Accepts no more calls, and cancels all that are waiting or running, as `bw_queue_cancel` does.
 *
 * Their completions can still be fetched; then `bw_queue_next` returns BW_E_CLOSED. To get every
 * `user_data` back: close the queue, fetch until BW_E_CLOSED, and free the queue.
 *
 * Statuses: BW_OK, BW_E_INVALID_HANDLE.
 * Any thread. Does not block.
 */
bw_status bw_queue_close(bw_queue *queue);

/**
 * Frees a queue, and discards the completions that were not fetched. Threads that wait in `bw_queue_next` get BW_E_CLOSED.
 *
 * Calls that wait or run are cancelled, as by `bw_queue_cancel`. What completed calls created is
 * kept for `bw_client_take_late` if their completions were not fetched. The descriptor of
 * `bw_queue_fd` is closed: remove it from your event loop before. The handle is invalid from then
 * on: using or freeing it again is harmless. NULL is allowed.
 * Any thread. Does not block.
 */
void bw_queue_free(bw_queue *queue);

/**
 * Sends lines about what a client does to a callback; off at first.
 *
 * `level` is how much is wanted: BW_LOG_OFF (then `callback` is not looked at), BW_LOG_ERROR,
 * BW_LOG_WARN, BW_LOG_INFO or BW_LOG_DEBUG. `callback` is called on whatever thread does the work,
 * on several at once, with `user_data`; it must not throw, not call into this library, and not take
 * long. When a later `bw_client_set_log` has returned, no call of the old callback is running or
 * will come: disable logging before you free `user_data`, and before `bw_client_free`. `error` may be
 * NULL; `*error` gets NULL, or the error document, which the caller frees with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE.
 * Any thread, but not inside a callback. Waits for callbacks that are running.
 */
bw_status bw_client_set_log(bw_client *client,
                            int32_t level,
                            bw_log_callback callback,
                            void *user_data,
                            char **error);

/**
 * Reports what a client has done so far.
 *
 * `*out` gets `{"calls", "attempts", "retries", "inFlight", "statuses": {"BW_OK": 5, ..}, "queue":
 * {"waiting", "running", "done", "cancelled"}, "connectionsOpened", "connectionsReused",
 * "tokenRequests", "lateAnswers", "lateParticipants", "lateSessions", "operations":
 * {"createParticipant": {"calls", "attempts", "retries", "inFlight", "statuses", "times":
 * [{"belowUs": 1000, "count": 5}, ..], "timeSumUs": 3120}, ..}}`, or the error document. The caller
 * frees it with `bw_free`.
 *
 * The counts are those of this process since the client was made. `statuses` counts each completed
 * call by the status that its caller receives: a call that is cancelled or expires in a queue counts
 * as BW_E_CANCELLED or BW_E_TIMEOUT, even if the service executes it. `tokenRequests` counts the
 * token requests that were sent, which are not among the `attempts`. `queue` has the calls in all
 * queues of the client now (those that wait, run, and are done but not fetched), and how many have
 * been cancelled. `times` is a histogram of the calls that were executed: `belowUs` is the upper bound
 * in microseconds, or null above 10 s; the lower bound is the previous one of 0, 1, 5, 10, 25, 50, 100,
 * 250, 1000, 2500 and 10000 ms. Empty ranges are left out. `timeSumUs` is the sum of these times.
 * `lateAnswers` counts the responses that reached no caller; the other two list the ids that
 * `bw_client_take_late` would give. New keys may be added.
 *
 * Statuses: BW_OK, BW_E_INVALID_HANDLE.
 * Any thread. Does not block.
 */
bw_status bw_client_stats(bw_client *client,
                          char **out);

/**
 * Takes the list of what calls of a client created and no caller received.
 *
 * `*out` gets `{"late": [{"operation": "createParticipant", "id": "..", "tag": "..", "userData":
 * 17}, ..], "dropped": 0}`, the oldest first, or the error document. The caller frees it with
 * `bw_free`. The list is empty afterwards. It contains each participant and session whose call was
 * cancelled while it was running, whose completion was not fetched when its queue was freed, or
 * whose response could not be handed over because there was no memory or `out` was NULL. `id` is the
 * service's, `tag` is the request's or null, and `userData` is what was submitted with the call, as
 * a number; 0 outside of a queue. At most 1024 are kept; `dropped` counts the oldest ones, which had
 * to make room.
 *
 * A call that is cancelled is added when its response arrives. To see all, call this function right
 * before `bw_client_free`, which ends also such calls.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT (`out` is NULL), BW_E_INVALID_HANDLE, BW_E_INTERNAL (no
 * memory; the list stays).
 * Any thread. Does not block.
 */
bw_status bw_client_take_late(bw_client *client,
                              char **out);

/**
 * Reads one value out of a JSON document, for programs without a JSON library.
 *
 * `pointer` is a JSON pointer (RFC 6901): "/participant/id", "/sessions/0"; "" is the whole
 * document; in a key `~1` stands for a slash and `~0` for a tilde. A string comes without its
 * quotes and escapes, anything else as its JSON text.
 *
 * `*text` gets the value, or the error document on failure; the caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_NO_VALUE (nothing there, or null), BW_E_INVALID_ARGUMENT (not JSON, not a
 * pointer, more than 64 levels, or a string with U+0000, which C cannot hold).
 * Any thread. Does not block.
 */
bw_status bw_json_get(const char *json, const char *pointer, char **text);

/**
 * Makes the BXML that moves a phone call into a session, for the answer to a voice webhook.
 *
 * `token` is the participant's. `call_id` is the phone call's ("c-93d6f3c0-be584596-..") or NULL.
 * `sip_uri` is where to transfer to, or NULL for the service's bridge. All is checked and escaped.
 *
 * `*out` gets `{"bxml": "..", "uuiLength": 81, "warnings": [".."]}` (a warning where the uui is
 * longer than its documented 256 characters), or the error document; the caller frees it with
 * `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT.
 * Any thread. Does not block.
 */
bw_status bw_transfer_bxml(const char *token, const char *call_id, const char *sip_uri, char **out);

/**
 * Checks a webhook that the service posted to a callbackUrl.
 *
 * `body` is the request's body. `*out` gets the event, `{"event": "onConnect", "timestamp":
 * 1605739845431, "participantId": "..", "deviceId": "..", "tag": ".."}`, its time a number of
 * milliseconds since 1970 and unknown fields as they were, or the error document; the caller frees
 * it with `bw_free`. `event` is "onConnect", "onLeave" or "onDisconnect".
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT (the message names every field that is wrong).
 * Any thread. Does not block.
 */
bw_status bw_parse_event(const char *body, char **out);

/**
 * Decodes the claims of a participant's token. They are not verified: only the service can do that.
 *
 * `*out` gets `{"accountId": "..", "participantId": "..", "version": "V3", "expiresAt": 1795510659,
 * "expiresInMs": 32400000, "claims": {..}, "verified": false}` (`expiresAt` in seconds since 1970;
 * what the token does not contain is null), or the error document, which quotes nothing of the token;
 * the caller frees it with `bw_free`.
 *
 * Statuses: BW_OK, BW_E_INVALID_ARGUMENT.
 * Any thread. Does not block.
 */
bw_status bw_token_claims(const char *token,
                          char **out);

/**
 * Frees text that a function of this library returned through a `char **`.
 *
 * NULL is allowed. Never pass static text. Any thread. Does not block.
 */
void bw_free(void *text);

#ifdef __cplusplus
}  /* extern "C" */
#endif  /* __cplusplus */

#endif  /* BW_WEBRTC_H */
