/*
 * bw_webrtc_typed.h: structs instead of JSON, for C programs without a JSON library.
 *
 * Header-only, for C89 and later, so that there is nothing else to build, link or keep at the same
 * version as the library. It uses bw_webrtc.h only. All names begin with bwt_, so that they do not
 * conflict with functions of later versions of libbw_webrtc.
 *
 *     bwt_participant_options options = BWT_PARTICIPANT_OPTIONS_INIT;
 *     bwt_participant participant;
 *     bwt_error error;
 *
 *     options.publish_audio = 1;
 *     options.tag = "caller 42";
 *     if (bwt_create_participant(client, &options, &participant, &error) == BW_OK) {
 *         puts(participant.id);
 *         bwt_participant_clear(&participant);
 *     } else {
 *         fprintf(stderr, "%s (outcome: %s)\n", error.message, error.outcome);
 *         bwt_error_clear(&error);
 *     }
 *
 * Each function bw_x that takes or returns JSON has a function bwt_x. It returns the status.
 *
 * 1. Results. On BW_OK, the result is filled, and the caller frees its strings and arrays with the
 *    _clear function of its type. Otherwise, the result is all zeroes and `error`, which may be
 *    NULL, is filled; clear it with bwt_error_clear. A string that the service did not send is NULL,
 *    and a number is 0. Lists have their length. `document` is the JSON text with all fields. A NULL
 *    result discards it, except for a new participant or endpoint, whose token is returned only
 *    once.
 * 2. Arguments. An options struct is initialized with its _INIT macro. Its strings are UTF-8, and
 *    are not used after the call. NULL and 0 select the defaults.
 * 3. Timeouts. A call has the timeout of its client. For another timeout, describe the call with a
 *    bwt_call_options, execute it with bwt_call, and read its result with the _take function of the
 *    result's type:
 *
 *        bwt_call_options call = BWT_CALL_OPTIONS_INIT;
 *        char *document;
 *
 *        call.operation = "getParticipant";
 *        call.participant_id = id;
 *        call.timeout_ms = 500;
 *        status = bwt_call(client, &call, &document);
 *        status = bwt_participant_take(&participant, status, document, &error);
 *
 * 4. Queues. A call for bwt_queue_submit is described in the same way, and the same _take functions
 *    read the status and the document of bw_queue_next.
 * 5. Threads and blocking. Each function behaves as the function of the same name in bw_webrtc.h.
 *    The _clear, _request and _take functions do not block.
 *
 * Contents: options, results, internal functions, reading results, writing requests, clients,
 * participants and sessions, endpoints, calls and queues, webhooks, phone calls and tokens.
 */
#ifndef BW_WEBRTC_TYPED_H
#define BW_WEBRTC_TYPED_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw_webrtc.h"

#if defined(__GNUC__)
#define BWT_FUNCTION static __attribute__((unused))
#else
#define BWT_FUNCTION static
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Options ---- */

/* The number 0, for an option in which 0 selects the default: options.max_retries = BWT_ZERO. */
#define BWT_ZERO (~0ul)

/* The configuration of a client. Required: account_id, and one pair of credentials. Either
 * client_id and client_secret (API credentials), or username and password (an API user; they stop
 * working on 2 December 2026). bw_client_new describes each key. */
typedef struct bwt_client_options {
    const char *account_id;
    const char *client_id;
    const char *client_secret;
    const char *username;
    const char *password;
    const char *base_url;      /* NULL: the URL of Bandwidth's service */
    const char *endpoints_url; /* NULL: Bandwidth's; required for endpoints with another base_url */
    const char *token_url;     /* NULL: Bandwidth's; required with client_id and base_url */
    const char *proxy;
    const char *roots;         /* "bundled" or "system" */
    const char *ca_file;       /* PEM file of certificate authorities, instead of roots */
    const char *client_cert_file;
    const char *client_key_file;
    const char *ip_family;     /* "any", "ipv4" or "ipv6" */
    const char *bind_address;
    const char *user_agent;
    const char *log_format;    /* "text" or "json" */
    const char *config_file;   /* a settings file, which the other options override */
    int environment;           /* not 0: also read BW_CONFIG_FILE and the environment */
    int allow_insecure_http;   /* not 0: allow http URLs for all hosts */
    unsigned long timeout_ms;  /* the deadline of a call, in milliseconds */
    unsigned long attempt_timeout_ms;
    unsigned long connect_timeout_ms;
    unsigned long max_retries; /* BWT_ZERO: no retries */
    unsigned long retry_base_ms;
    unsigned long retry_max_ms;
    unsigned long max_retry_after_ms;
    unsigned long dns_ttl_ms;
    unsigned long max_idle_connections;
    unsigned long idle_timeout_ms;
    unsigned long max_response_bytes;
} bwt_client_options;

#define BWT_CLIENT_OPTIONS_INIT                                                           \
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,  \
     NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/* The properties of a new participant. */
typedef struct bwt_participant_options {
    int publish_audio;              /* not 0: may publish audio */
    int publish_video;              /* not 0: may publish video */
    const char *tag;                /* at most 50 characters */
    const char *callback_url;       /* absolute http or https URL */
    const char *device_api_version; /* "V3", or the older "V2" */
    /* Not 0: if it may publish neither audio nor video, the request states so; otherwise the
     * request omits publishPermissions, and the service decides. */
    int publish_nothing;
} bwt_participant_options;

#define BWT_PARTICIPANT_OPTIONS_INIT {0, 0, NULL, NULL, NULL, 0}

/* Whom a participant is to hear: `participant_ids` if there are any; otherwise everyone in the
 * session `session_id`; otherwise (BWT_SUBSCRIPTION_OPTIONS_INIT) nobody. */
typedef struct bwt_subscription_options {
    const char *session_id;
    const char *const *participant_ids;
    size_t length;
    /* NULL: all streams. Otherwise an array of `length` items, one for each participant: NULL (all
     * of its streams), or its stream aliases, which end with NULL. */
    const char *const *const *stream_aliases;
} bwt_subscription_options;

#define BWT_SUBSCRIPTION_OPTIONS_INIT {NULL, NULL, 0, NULL}

/* The properties of a new endpoint. Required: direction. */
typedef struct bwt_endpoint_options {
    const char *direction;           /* "INBOUND", "OUTBOUND" or "BIDIRECTIONAL" */
    const char *tag;                 /* at most 1024 characters */
    const char *event_callback_url;  /* absolute http or https URL */
    const char *event_fallback_url;
    const char *connection_metadata; /* a JSON object */
} bwt_endpoint_options;

#define BWT_ENDPOINT_OPTIONS_INIT {NULL, NULL, NULL, NULL, NULL}

/* Which endpoints to list. BWT_ENDPOINT_QUERY_INIT selects all. */
typedef struct bwt_endpoint_query {
    const char *status;       /* "CONNECTED" or "DISCONNECTED" */
    const char *after_cursor; /* next_cursor of the previous page; valid until the call returns */
    unsigned long limit;      /* endpoints in a page, 1 to 1000 */
} bwt_endpoint_query;

#define BWT_ENDPOINT_QUERY_INIT {NULL, NULL, 0}

/* Any operation. Required: operation, and the ids that its own function takes. */
typedef struct bwt_call_options {
    const char *operation; /* the operation's name at the service, such as "getParticipant" */
    const char *session_id;
    const char *participant_id;
    const char *endpoint_id;
    const char *body;      /* the text from the _request function of the operation's options */
    const char *query;     /* for listEndpoints: the text from bwt_endpoint_query_request */
    const char *bxml;      /* for updateEndpointBxml */
    unsigned long timeout_ms;
} bwt_call_options;

#define BWT_CALL_OPTIONS_INIT {NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0}

/* The properties of a queue; see bw_queue_new. */
typedef struct bwt_queue_options {
    unsigned long workers;
    unsigned long backlog;
} bwt_queue_options;

#define BWT_QUEUE_OPTIONS_INIT {0, 0}

/* ---- Results ---- */

/* The reason why a call failed. Free the strings with bwt_error_clear. Each function fills it or sets
 * it to all zeroes: BWT_ERROR_INIT is needed only if no function may have been called. */
typedef struct bwt_error {
    bw_status status;
    int http_status;        /* 0: there was no response */
    char *message;          /* what was wrong and what to do; NULL if there was no memory */
    char *outcome;          /* "not_sent", "rejected", "unknown"; NULL if no request is involved */
    char *document;         /* the error document (JSON); NULL if there was no memory */
    char *request_id;       /* the service's id of the request, for Bandwidth's support */
    int64_t retry_after_ms; /* how long the service wants callers to wait; 0: not stated */
    int attempts;           /* the number of requests that were attempted */
} bwt_error;

#define BWT_ERROR_INIT {BW_OK, 0, NULL, NULL, NULL, NULL, 0, 0}

/* A participant. Free the strings with bwt_participant_clear. */
typedef struct bwt_participant {
    char *id;                 /* the participant's id */
    char *token;              /* with which its device connects (a secret); NULL unless created */
    char *document;           /* the service's response (JSON) */
    char *tag;
    char *callback_url;
    char *device_api_version;
    char *session_id;         /* the session that it is in; NULL: none */
    int publish_audio;
    int publish_video;
} bwt_participant;

/* Participants. Free them with bwt_participant_list_clear. */
typedef struct bwt_participant_list {
    bwt_participant *items;
    size_t length;
} bwt_participant_list;

/* A session. Free the strings with bwt_session_clear. */
typedef struct bwt_session {
    char *id;
    char *tag;
    char *document;
} bwt_session;

/* Whom a participant hears. Free it with bwt_subscriptions_clear. */
typedef struct bwt_subscriptions {
    char *session_id;
    char **participant_ids;
    char ***stream_aliases; /* of each: NULL (all streams), or texts that end with NULL */
    size_t length;
    char *document;
} bwt_subscriptions;

/* A device of an endpoint, which owns it. */
typedef struct bwt_device {
    char *id;
    char *name;
    char *status; /* "CONNECTED" or "DISCONNECTED" */
    char *creation_timestamp;
} bwt_device;

/* An endpoint. Free it with bwt_endpoint_clear. */
typedef struct bwt_endpoint {
    char *id;
    char *token;  /* with which its device connects (a secret); NULL unless created */
    char *status; /* "CONNECTED" or "DISCONNECTED" */
    char *type;   /* "WEBRTC" */
    char *tag;
    char *creation_timestamp; /* ISO 8601 */
    char *expiration_timestamp;
    bwt_device *devices;
    size_t device_count;
    char *document;
} bwt_endpoint;

/* A page of endpoints. Free it with bwt_endpoint_page_clear. */
typedef struct bwt_endpoint_page {
    bwt_endpoint *items;
    size_t length;
    char *next_cursor; /* NULL: this is the last page */
} bwt_endpoint_page;

/* A webhook. Free the strings with bwt_event_clear. */
typedef struct bwt_event {
    char *name;           /* such as "onConnect" or "endpointConnected" */
    int is_known;         /* 0: the library does not know the event and did not check its fields */
    int64_t timestamp_ms; /* milliseconds since 1970; 0 if missing */
    char *participant_id;
    char *endpoint_id;
    char *device_id;
    char *account_id;
    char *tag;
    char *to;
    char *to_type;
    char *document;
} bwt_event;

/* The claims of a token, which are not verified. Free the strings with bwt_claims_clear. */
typedef struct bwt_claims {
    char *account_id;
    char *participant_id;
    char *version;
    int64_t expires_at;    /* seconds since 1970; 0 if missing */
    int64_t expires_in_ms; /* negative: the token has expired; 0 if missing */
    char *document;
} bwt_claims;

/* The result of bwt_client_reload. Free it with bwt_reload_clear. */
typedef struct bwt_reload {
    int credentials_replaced;
    char **needs_new_client; /* the other keys of the configuration whose values have changed */
    size_t length;
} bwt_reload;

/* The counters of a client; see bw_client_stats. Free the document with bwt_stats_clear. */
typedef struct bwt_stats {
    int64_t calls;
    int64_t attempts;
    int64_t retries;
    int64_t in_flight;
    int64_t queue_waiting;
    int64_t queue_running;
    int64_t queue_done;
    int64_t queue_cancelled;
    int64_t connections_opened;
    int64_t connections_reused;
    int64_t token_requests;
    int64_t late_answers;
    int64_t late_participants;
    int64_t late_sessions;
    int64_t late_endpoints;
    char *document; /* also contains the counters of each operation and status */
} bwt_stats;

/* A participant, session or endpoint whose id no caller received. */
typedef struct bwt_late {
    char *operation; /* such as "createParticipant" */
    char *id;
    char *tag;
    void *user_data; /* of bwt_queue_submit; NULL if the call was not in a queue */
} bwt_late;

/* Late objects, the oldest first; see bw_client_take_late. Free them with bwt_late_list_clear. */
typedef struct bwt_late_list {
    bwt_late *items;
    size_t length;
    int64_t dropped; /* the number of objects that were removed because the list was full */
    char *document;
} bwt_late_list;

/* Returns the value at a JSON pointer in a document (bw_json_get), or NULL if it is missing or
 * null. The caller frees it with bw_free. */
BWT_FUNCTION char *bwt_get(const char *document, const char *pointer)
{
    char *text = NULL;

    if (document == NULL)
        return NULL;
    if (bw_json_get(document, pointer, &text) != BW_OK) {
        bw_free(text);
        return NULL;
    }
    return text;
}

/* ---- Internal functions: their names end with an underscore ---- */

/* A string buffer that grows. `text` is NULL after a failed allocation. */
typedef struct bwt_text {
    char *text;
    size_t length;
    size_t capacity;
} bwt_text;

/* Overwrites a buffer, which may contain a secret, and frees it. */
BWT_FUNCTION void bwt_erase_(bwt_text *text)
{
    volatile char *byte = text->text;
    size_t i;

    for (i = 0; byte != NULL && i < text->length; i++)
        byte[i] = '\0';
    free(text->text);
    text->text = NULL;
}

BWT_FUNCTION void bwt_append_(bwt_text *to, const char *bytes, size_t count)
{
    if (to->text != NULL && count >= to->capacity - to->length) {
        size_t capacity = (to->capacity + count) * 2;
        char *grown = capacity > count ? (char *)malloc(capacity) : NULL;
        if (grown != NULL)
            memcpy(grown, to->text, to->length);
        bwt_erase_(to);
        to->text = grown;
        to->capacity = capacity;
    }
    if (to->text == NULL)
        return;
    memcpy(to->text + to->length, bytes, count);
    to->length += count;
    to->text[to->length] = '\0';
}

/* Begins a JSON object or array. */
BWT_FUNCTION bwt_text bwt_begin_(const char *bracket)
{
    bwt_text text = {NULL, 0, 128};

    text.text = (char *)malloc(text.capacity);
    bwt_append_(&text, bracket, 1);
    return text;
}

/* Appends a comma, unless the object or array has just begun. */
BWT_FUNCTION void bwt_append_comma_(bwt_text *to)
{
    if (to->text != NULL && strchr("[{", to->text[to->length - 1]) == NULL)
        bwt_append_(to, ",", 1);
}

/* Appends a JSON string. The library checks the UTF-8. */
BWT_FUNCTION void bwt_append_string_(bwt_text *to, const char *value)
{
    bwt_append_(to, "\"", 1);
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < 0x20) {
            char escape[8];
            sprintf(escape, "\\u%04x", (unsigned)c);
            bwt_append_(to, escape, 6);
        } else {
            bwt_append_(to, "\\", c == '"' || c == '\\' ? 1 : 0);
            bwt_append_(to, value, 1);
        }
    }
    bwt_append_(to, "\"", 1);
}

/* Appends "name": and JSON text, unless the text is NULL. */
BWT_FUNCTION void bwt_append_json_(bwt_text *to, const char *name, const char *json)
{
    if (json == NULL)
        return;
    bwt_append_comma_(to);
    bwt_append_string_(to, name);
    bwt_append_(to, ":", 1);
    bwt_append_(to, json, strlen(json));
}

/* Appends "name":"value", escaped for JSON, unless the value is NULL. */
BWT_FUNCTION void bwt_append_field_(bwt_text *to, const char *name, const char *value)
{
    if (value == NULL)
        return;
    bwt_append_json_(to, name, "");
    bwt_append_string_(to, value);
}

/* Appends "name":value, unless the value is 0. */
BWT_FUNCTION void bwt_append_number_(bwt_text *to, const char *name, unsigned long value)
{
    char text[32];

    sprintf(text, "%lu", value == BWT_ZERO ? 0 : value);
    if (value != 0)
        bwt_append_json_(to, name, text);
}

/* Whether a text is one JSON value, or NULL. Other text could add members to an object. */
BWT_FUNCTION int bwt_is_json_(const char *text)
{
    char *value = NULL;
    bw_status status = text != NULL ? bw_json_get(text, "", &value) : BW_OK;

    bw_free(value);
    return status == BW_OK || status == BW_E_NO_VALUE; /* null */
}

/* Clears the memory of a result, which may be NULL. */
BWT_FUNCTION void bwt_zero_(void *result, size_t size)
{
    if (result != NULL)
        memset(result, 0, size);
}

/* Frees texts and their array. */
BWT_FUNCTION void bwt_texts_clear_(char **texts, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++)
        bw_free(texts[i]);
    free(texts);
}

/* Reads a string of a struct from its JSON object, or frees it if `object` is NULL. */
BWT_FUNCTION void bwt_field_(char **field, const char *object, const char *pointer)
{
    if (object == NULL)
        bw_free(*field);
    else
        *field = bwt_get(object, pointer);
}

/* Returns a number. 0, unless its text is digits only and at most 2^53 - 1. */
BWT_FUNCTION int64_t bwt_digits_(const char *text)
{
    int64_t number = 0;
    size_t i;

    for (i = 0; text != NULL && text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9' || i >= 16)
            return 0;
        number = number * 10 + (text[i] - '0');
    }
    return number >> 53 != 0 ? 0 : number;
}

/* Returns the number at a JSON pointer. */
BWT_FUNCTION int64_t bwt_number_(const char *document, const char *pointer)
{
    char *text = bwt_get(document, pointer);
    int64_t number = bwt_digits_(text);

    bw_free(text);
    return number;
}

/* Whether the value at a JSON pointer is this text. */
BWT_FUNCTION int bwt_is_(const char *document, const char *pointer, const char *value)
{
    char *text = bwt_get(document, pointer);
    int is = text != NULL && strcmp(text, value) == 0;

    bw_free(text);
    return is;
}

/* Splits the array at a pointer in one pass. `*items` are its items as bw_json_get returns them, or
 * NULL if there are none. Free with bwt_texts_clear_. Returns BW_E_INTERNAL if there is no memory. */
BWT_FUNCTION bw_status bwt_items_(const char *document, const char *pointer, char ***items,
                                  size_t *length)
{
    char *array = NULL, *c, *start;
    uint64_t count = 0;
    int depth = 0, in_string = 0;
    bw_status status = bw_json_get(document, pointer, &array);

    *items = NULL;
    *length = 0;
    if (status != BW_OK || array == NULL) {
        bw_free(array);
        return status == BW_OK || status == BW_E_INTERNAL ? BW_E_INTERNAL : BW_OK;
    }
    if (array[0] == '[')
        status = bw_json_length(array, "", &count, NULL);
    if (status == BW_OK && count > 0) {
        *items = (char **)calloc((size_t)count, sizeof **items);
        status = *items != NULL ? BW_OK : BW_E_INTERNAL;
    }
    start = array + 1;
    for (c = array; status == BW_OK && count > 0 && *c != '\0'; c++) {
        if (in_string) {
            if (*c == '\\')
                c++;
            else if (*c == '"')
                in_string = 0;
            continue;
        }
        if (*c == '"')
            in_string = 1;
        else if (*c == '[' || *c == '{')
            depth++;
        else if (*c == ']' || *c == '}')
            depth--;
        if (*length < count && ((*c == ',' && depth == 1) || depth == 0)) {
            *c = '\0';
            status = bw_json_get(start, "", &(*items)[*length]);
            if (status != BW_OK && status != BW_E_INTERNAL) {
                /* null, or a string that C cannot represent: an item without values. */
                bw_free((*items)[*length]);
                status = bw_json_get("{}", "", &(*items)[*length]);
            }
            if (status == BW_OK) {
                (*length)++;
            } else {
                bw_free((*items)[*length]);
                (*items)[*length] = NULL;
            }
            start = c + 1;
        }
    }
    bw_free(array);
    if (status != BW_OK) {
        bwt_texts_clear_(*items, *length);
        *items = NULL;
        *length = 0;
    }
    return status;
}

/* Replaces JSON values by the strings at a pointer in each. Returns the texts. */
BWT_FUNCTION char **bwt_texts_(char **items, size_t length, const char *pointer)
{
    size_t i;

    for (i = 0; i < length; i++) {
        char *item = items[i];
        items[i] = bwt_get(item, pointer);
        bw_free(item);
    }
    return items;
}

/* As bwt_items_, and returns an array of as many structs of a size, which are all zeroes. */
BWT_FUNCTION void *bwt_structs_(const char *document, const char *pointer, size_t size,
                                char ***items, size_t *length, bw_status *status)
{
    void *structs = NULL;

    *status = bwt_items_(document, pointer, items, length);
    if (*length > 0 && (structs = calloc(*length, size)) == NULL) {
        bwt_texts_clear_(*items, *length);
        *items = NULL;
        *length = 0;
        *status = BW_E_INTERNAL;
    }
    return structs;
}

/* ---- Reading results ---- */

/* Frees the strings of an error. NULL, and an error that was already cleared, are allowed. */
BWT_FUNCTION void bwt_error_clear(bwt_error *error)
{
    if (error == NULL)
        return;
    bw_free(error->message);
    bw_free(error->outcome);
    bw_free(error->request_id);
    bw_free(error->document);
    memset(error, 0, sizeof *error);
}

/*
 * The _take functions read the result of a call: the status and the document of bwt_call, bw_call,
 * bw_queue_next, or of the operation's own function. The library's document belongs to the
 * function: never free it. The function returns the status, and fills the result or `error`, as
 * described at the top. A NULL result discards the document.
 */

/* Takes the result of an operation that returns nothing, such as deleteSession. */
BWT_FUNCTION bw_status bwt_take(bw_status status, char *document, bwt_error *error)
{
    bwt_zero_(error, sizeof *error);
    if (status == BW_OK || error == NULL) {
        bw_free(document);
        return status;
    }
    error->status = status;
    error->http_status = (int)bwt_number_(document, "/error/httpStatus");
    error->attempts = (int)bwt_number_(document, "/error/attempts");
    error->retry_after_ms = bwt_number_(document, "/error/retryAfterMs");
    error->message = bwt_get(document, "/error/message");
    error->outcome = bwt_get(document, "/error/outcome");
    error->request_id = bwt_get(document, "/error/requestId");
    error->document = document;
    return status;
}

/* Internal: the error document for an invalid argument. The texts are short, and need no
 * escapes. */
BWT_FUNCTION char *bwt_refusal_(const char *name, const char *problem, const char *operation)
{
    const char *quote = operation != NULL ? "\"" : "";
    char document[512];

    sprintf(document,
            "{\"error\":{\"status\":1,\"name\":\"BW_E_INVALID_ARGUMENT\",\"message\":\"%s: %s\","
            "\"operation\":%s%s%s,\"outcome\":\"not_sent\",\"attempts\":0,\"httpStatus\":null,"
            "\"requestId\":null,\"retryAfterMs\":null,\"body\":null}}",
            name, problem, quote, operation != NULL ? operation : "null", quote);
    return bwt_get(document, "");
}

/* Internal: fills `error` for an invalid argument. */
BWT_FUNCTION bw_status bwt_refuse_(bwt_error *error, const char *name, const char *problem,
                                   const char *operation)
{
    return bwt_take(BW_E_INVALID_ARGUMENT, bwt_refusal_(name, problem, operation), error);
}

/* Internal: the library also rejects this, but without a document. */
BWT_FUNCTION bw_status bwt_refuse_null_(bwt_error *error, const char *name, const char *operation)
{
    return bwt_refuse_(error, name,
                       "is NULL; the token, which is returned only once, would be lost", operation);
}

/* Internal: reads the strings of a participant from its JSON object, or frees them. */
BWT_FUNCTION void bwt_participant_fields_(bwt_participant *participant, const char *object)
{
    bwt_field_(&participant->id, object, "/id");
    bwt_field_(&participant->tag, object, "/tag");
    bwt_field_(&participant->callback_url, object, "/callbackUrl");
    bwt_field_(&participant->device_api_version, object, "/deviceApiVersion");
    bwt_field_(&participant->session_id, object, "/sessions/0");
}

/* Frees the strings of a participant. NULL, and a cleared participant, are allowed. */
BWT_FUNCTION void bwt_participant_clear(bwt_participant *participant)
{
    if (participant == NULL)
        return;
    bwt_participant_fields_(participant, NULL);
    bw_free(participant->token);
    bw_free(participant->document);
    memset(participant, 0, sizeof *participant);
}

/* Internal: fills a participant from its JSON object. */
BWT_FUNCTION void bwt_participant_read_(bwt_participant *participant, const char *object)
{
    char *permissions = bwt_get(object, "/publishPermissions");

    bwt_participant_fields_(participant, object);
    participant->publish_audio = permissions != NULL && strstr(permissions, "\"AUDIO\"") != NULL;
    participant->publish_video = permissions != NULL && strstr(permissions, "\"VIDEO\"") != NULL;
    bw_free(permissions);
}

/* Takes the result of createParticipant (with the token) or getParticipant. */
BWT_FUNCTION bw_status bwt_participant_take(bwt_participant *participant, bw_status status,
                                            char *document, bwt_error *error)
{
    char *created;

    bwt_zero_(participant, sizeof *participant);
    if (status != BW_OK || participant == NULL)
        return bwt_take(status, document, error);
    created = bwt_get(document, "/participant");
    bwt_participant_read_(participant, created != NULL ? created : document);
    if (created != NULL)
        participant->token = bwt_get(document, "/token");
    bw_free(created);
    participant->document = document;
    return bwt_take(BW_OK, NULL, error);
}

/* Frees a list of participants. NULL, and a cleared list, are allowed. */
BWT_FUNCTION void bwt_participant_list_clear(bwt_participant_list *list)
{
    size_t i;

    if (list == NULL)
        return;
    for (i = 0; i < list->length; i++)
        bwt_participant_clear(&list->items[i]);
    free(list->items);
    memset(list, 0, sizeof *list);
}

/* Takes the result of listSessionParticipants. */
BWT_FUNCTION bw_status bwt_participant_list_take(bwt_participant_list *list, bw_status status,
                                                 char *document, bwt_error *error)
{
    char **items;
    size_t i;

    bwt_zero_(list, sizeof *list);
    if (status != BW_OK || list == NULL)
        return bwt_take(status, document, error);
    list->items = (bwt_participant *)bwt_structs_(document, "", sizeof *list->items, &items,
                                                  &list->length, &status);
    bw_free(document);
    for (i = 0; i < list->length; i++) {
        bwt_participant_read_(&list->items[i], items[i]);
        list->items[i].document = items[i];
    }
    free(items);
    return bwt_take(status, NULL, error);
}

/* Frees the strings of a session. NULL, and a cleared session, are allowed. */
BWT_FUNCTION void bwt_session_clear(bwt_session *session)
{
    if (session == NULL)
        return;
    bw_free(session->id);
    bw_free(session->tag);
    bw_free(session->document);
    memset(session, 0, sizeof *session);
}

/* Takes the result of createSession or getSession. */
BWT_FUNCTION bw_status bwt_session_take(bwt_session *session, bw_status status, char *document,
                                        bwt_error *error)
{
    bwt_zero_(session, sizeof *session);
    if (status != BW_OK || session == NULL)
        return bwt_take(status, document, error);
    session->id = bwt_get(document, "/id");
    session->tag = bwt_get(document, "/tag");
    session->document = document;
    return bwt_take(BW_OK, NULL, error);
}

/* Frees subscriptions. NULL, and cleared subscriptions, are allowed. */
BWT_FUNCTION void bwt_subscriptions_clear(bwt_subscriptions *subscriptions)
{
    size_t i, count;

    if (subscriptions == NULL)
        return;
    for (i = 0; subscriptions->stream_aliases != NULL && i < subscriptions->length; i++) {
        char **aliases = subscriptions->stream_aliases[i];
        for (count = 0; aliases != NULL && aliases[count] != NULL; count++)
            bw_free(aliases[count]);
        free(aliases);
    }
    free(subscriptions->stream_aliases);
    bwt_texts_clear_(subscriptions->participant_ids, subscriptions->length);
    bw_free(subscriptions->session_id);
    bw_free(subscriptions->document);
    memset(subscriptions, 0, sizeof *subscriptions);
}

/* Internal: returns the stream aliases of a subscription, which end with NULL; NULL: all
 * streams. */
BWT_FUNCTION char **bwt_aliases_(const char *item, bw_status *status)
{
    char **items, **aliases = NULL;
    size_t i, length, count = 0;
    bw_status read = bwt_items_(item, "/streamAliases", &items, &length);

    if (length > 0 && (aliases = (char **)calloc(length + 1, sizeof *aliases)) == NULL)
        read = BW_E_INTERNAL;
    for (i = 0; aliases != NULL && i < length; i++) {
        if (strcmp(items[i], "{}") == 0) /* not a string */
            continue;
        aliases[count++] = items[i];
        items[i] = NULL;
    }
    bwt_texts_clear_(items, length);
    *status = read != BW_OK ? read : *status;
    return aliases;
}

/* Takes the result of getParticipantSubscriptions. */
BWT_FUNCTION bw_status bwt_subscriptions_take(bwt_subscriptions *subscriptions, bw_status status,
                                              char *document, bwt_error *error)
{
    char **items;
    size_t i;

    bwt_zero_(subscriptions, sizeof *subscriptions);
    if (status != BW_OK || subscriptions == NULL)
        return bwt_take(status, document, error);
    subscriptions->session_id = bwt_get(document, "/sessionId");
    subscriptions->document = document;
    subscriptions->stream_aliases = (char ***)bwt_structs_(
        document, "/participants", sizeof *subscriptions->stream_aliases, &items,
        &subscriptions->length, &status);
    for (i = 0; i < subscriptions->length; i++)
        subscriptions->stream_aliases[i] = bwt_aliases_(items[i], &status);
    subscriptions->participant_ids = bwt_texts_(items, subscriptions->length, "/participantId");
    if (status != BW_OK)
        bwt_subscriptions_clear(subscriptions);
    return bwt_take(status, NULL, error);
}

/* Internal: reads the strings of a device from its JSON object, or frees them. */
BWT_FUNCTION void bwt_device_fields_(bwt_device *device, const char *object)
{
    bwt_field_(&device->id, object, "/deviceId");
    bwt_field_(&device->name, object, "/deviceName");
    bwt_field_(&device->status, object, "/status");
    bwt_field_(&device->creation_timestamp, object, "/creationTimestamp");
}

/* Internal: reads the strings of an endpoint from its JSON object, or frees them. */
BWT_FUNCTION void bwt_endpoint_fields_(bwt_endpoint *endpoint, const char *object)
{
    bwt_field_(&endpoint->id, object, "/endpointId");
    bwt_field_(&endpoint->token, object, "/token");
    bwt_field_(&endpoint->status, object, "/status");
    bwt_field_(&endpoint->type, object, "/type");
    bwt_field_(&endpoint->tag, object, "/tag");
    bwt_field_(&endpoint->creation_timestamp, object, "/creationTimestamp");
    bwt_field_(&endpoint->expiration_timestamp, object, "/expirationTimestamp");
}

/* Frees an endpoint. NULL, and a cleared endpoint, are allowed. */
BWT_FUNCTION void bwt_endpoint_clear(bwt_endpoint *endpoint)
{
    size_t i;

    if (endpoint == NULL)
        return;
    for (i = 0; i < endpoint->device_count; i++)
        bwt_device_fields_(&endpoint->devices[i], NULL);
    free(endpoint->devices);
    bwt_endpoint_fields_(endpoint, NULL);
    bw_free(endpoint->document);
    memset(endpoint, 0, sizeof *endpoint);
}

/* Internal: fills an endpoint from its JSON object. Returns BW_E_INTERNAL if there is no memory. */
BWT_FUNCTION bw_status bwt_endpoint_read_(bwt_endpoint *endpoint, const char *object)
{
    char **devices;
    size_t i;
    bw_status status;

    bwt_endpoint_fields_(endpoint, object);
    endpoint->devices = (bwt_device *)bwt_structs_(object, "/devices", sizeof *endpoint->devices,
                                                   &devices, &endpoint->device_count, &status);
    for (i = 0; i < endpoint->device_count; i++)
        bwt_device_fields_(&endpoint->devices[i], devices[i]);
    bwt_texts_clear_(devices, endpoint->device_count);
    return status;
}

/* Takes the result of createEndpoint (with the token) or getEndpoint. */
BWT_FUNCTION bw_status bwt_endpoint_take(bwt_endpoint *endpoint, bw_status status, char *document,
                                         bwt_error *error)
{
    char *data;

    bwt_zero_(endpoint, sizeof *endpoint);
    if (status != BW_OK || endpoint == NULL)
        return bwt_take(status, document, error);
    data = bwt_get(document, "/data");
    if (data != NULL)
        status = bwt_endpoint_read_(endpoint, data);
    bw_free(data);
    endpoint->document = document;
    if (status != BW_OK)
        bwt_endpoint_clear(endpoint);
    return bwt_take(status, NULL, error);
}

/* Frees a page of endpoints. NULL, and a cleared page, are allowed. */
BWT_FUNCTION void bwt_endpoint_page_clear(bwt_endpoint_page *page)
{
    size_t i;

    if (page == NULL)
        return;
    for (i = 0; i < page->length; i++)
        bwt_endpoint_clear(&page->items[i]);
    free(page->items);
    bw_free(page->next_cursor);
    memset(page, 0, sizeof *page);
}

/* Internal: the value of a hexadecimal digit, or -1. */
BWT_FUNCTION int bwt_hex_(char digit)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = digit != '\0' ? strchr(digits, digit) : NULL;

    return found != NULL ? (int)(found - digits) % 16 : -1;
}

/* Internal: replaces a URL by its parameter afterCursor, which is decoded. Returns 0 if there is
 * none. */
BWT_FUNCTION int bwt_cursor_(char *url)
{
    static const char name[] = "afterCursor=";
    char *from, *to = url;

    url[strcspn(url, "#")] = '\0';
    from = strchr(url, '?');
    while (from != NULL && strncmp(from + 1, name, sizeof name - 1) != 0)
        from = strchr(from + 1, '&');
    if (from == NULL)
        return 0;
    for (from += sizeof name; *from != '\0' && *from != '&'; from++) {
        int high = *from == '%' ? bwt_hex_(from[1]) : -1;
        int low = high >= 0 ? bwt_hex_(from[2]) : -1;
        if (low >= 0 && high + low > 0) {
            *to++ = (char)(high * 16 + low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return to != url;
}

/* Takes the result of listEndpoints. */
BWT_FUNCTION bw_status bwt_endpoint_page_take(bwt_endpoint_page *page, bw_status status,
                                              char *document, bwt_error *error)
{
    char **items;
    size_t i, count;

    bwt_zero_(page, sizeof *page);
    if (status != BW_OK || page == NULL)
        return bwt_take(status, document, error);
    status = bwt_items_(document, "/links", &items, &count);
    for (i = 0; i < count && page->next_cursor == NULL; i++) {
        char *href = bwt_is_(items[i], "/rel", "next") ? bwt_get(items[i], "/href") : NULL;
        if (href != NULL && bwt_cursor_(href))
            page->next_cursor = href;
        else
            bw_free(href);
    }
    bwt_texts_clear_(items, count);
    items = NULL;
    if (status == BW_OK)
        page->items = (bwt_endpoint *)bwt_structs_(document, "/data", sizeof *page->items, &items,
                                                   &page->length, &status);
    bw_free(document);
    for (i = 0; i < page->length; i++) {
        bw_status read = bwt_endpoint_read_(&page->items[i], items[i]);
        page->items[i].document = items[i];
        status = read != BW_OK ? read : status;
    }
    free(items);
    if (status != BW_OK)
        bwt_endpoint_page_clear(page);
    return bwt_take(status, NULL, error);
}

/* Internal: takes a text. With a pointer, the text is the value there in the document. */
BWT_FUNCTION bw_status bwt_text_take_(char **text, const char *pointer, bw_status status,
                                      char *document, bwt_error *error)
{
    *text = NULL;
    if (status != BW_OK)
        return bwt_take(status, document, error);
    *text = pointer != NULL ? bwt_get(document, pointer) : document;
    if (pointer != NULL)
        bw_free(document);
    return bwt_take(*text != NULL ? BW_OK : BW_E_INTERNAL, NULL, error);
}

/* ---- Writing requests ---- */

/*
 * The _request functions return a request document as JSON text: the `body` or the `query` of a
 * bwt_call_options. The caller frees the text with free, not with bw_free. They return NULL if
 * there is no memory. `options` may be NULL, which selects the defaults.
 */

/* Returns the body of createParticipant. */
BWT_FUNCTION char *bwt_participant_request(const bwt_participant_options *options)
{
    bwt_text request = bwt_begin_("{");

    if (options != NULL) {
        int audio = options->publish_audio != 0, video = options->publish_video != 0;
        const char *nothing = options->publish_nothing ? "[]" : NULL;
        const char *permissions = audio && video ? "[\"AUDIO\",\"VIDEO\"]"
                                  : audio        ? "[\"AUDIO\"]"
                                  : video        ? "[\"VIDEO\"]"
                                                 : nothing;
        bwt_append_json_(&request, "publishPermissions", permissions);
        bwt_append_field_(&request, "tag", options->tag);
        bwt_append_field_(&request, "callbackUrl", options->callback_url);
        bwt_append_field_(&request, "deviceApiVersion", options->device_api_version);
    }
    bwt_append_(&request, "}", 1);
    return request.text;
}

/* Returns the body of createSession. `tag` may be NULL. */
BWT_FUNCTION char *bwt_session_request(const char *tag)
{
    bwt_text request = bwt_begin_("{");

    bwt_append_field_(&request, "tag", tag);
    bwt_append_(&request, "}", 1);
    return request.text;
}

/* Returns the body of addParticipantToSession and updateParticipantSubscriptions. NULL also if
 * participant_ids is NULL with a length. */
BWT_FUNCTION char *bwt_subscriptions_request(const bwt_subscription_options *options)
{
    bwt_text request;
    size_t i, length = options != NULL ? options->length : 0;

    if (length > 0 && options->participant_ids == NULL)
        return NULL;
    request = bwt_begin_("{");
    if (options != NULL)
        bwt_append_field_(&request, "sessionId", options->session_id);
    bwt_append_json_(&request, "participants", length > 0 ? "[" : NULL);
    for (i = 0; i < length; i++) {
        const char *const *aliases =
            options->stream_aliases != NULL ? options->stream_aliases[i] : NULL;
        bwt_append_comma_(&request);
        bwt_append_(&request, "{", 1);
        bwt_append_field_(&request, "participantId", options->participant_ids[i]);
        if (aliases != NULL) {
            bwt_append_json_(&request, "streamAliases", "[");
            for (; *aliases != NULL; aliases++) {
                bwt_append_comma_(&request);
                bwt_append_string_(&request, *aliases);
            }
            bwt_append_(&request, "]", 1);
        }
        bwt_append_(&request, "}", 1);
    }
    bwt_append_(&request, "]", length > 0 ? 1 : 0);
    bwt_append_(&request, "}", 1);
    return request.text;
}

/* Returns the body of createEndpoint. NULL also if connection_metadata is not exactly one JSON
 * value. */
BWT_FUNCTION char *bwt_endpoint_request(const bwt_endpoint_options *options)
{
    bwt_text request;

    if (options != NULL && !bwt_is_json_(options->connection_metadata))
        return NULL;
    request = bwt_begin_("{");
    bwt_append_field_(&request, "type", "WEBRTC");
    if (options != NULL) {
        bwt_append_field_(&request, "direction", options->direction);
        bwt_append_field_(&request, "tag", options->tag);
        bwt_append_field_(&request, "eventCallbackUrl", options->event_callback_url);
        bwt_append_field_(&request, "eventFallbackUrl", options->event_fallback_url);
        bwt_append_json_(&request, "connectionMetadata", options->connection_metadata);
    }
    bwt_append_(&request, "}", 1);
    return request.text;
}

/* Returns the query of listEndpoints. */
BWT_FUNCTION char *bwt_endpoint_query_request(const bwt_endpoint_query *options)
{
    bwt_text request = bwt_begin_("{");

    if (options != NULL) {
        bwt_append_field_(&request, "status", options->status);
        bwt_append_field_(&request, "afterCursor", options->after_cursor);
        bwt_append_number_(&request, "limit", options->limit);
    }
    bwt_append_(&request, "}", 1);
    return request.text;
}

/* ---- Clients ---- */

/*
 * Creates a client (bw_client_new). If `options` is NULL, the configuration is read from the
 * environment.
 *
 * On BW_OK, the caller frees `*client` with bw_client_free. Otherwise, `*client` is NULL.
 */
BWT_FUNCTION bw_status bwt_client_new(const bwt_client_options *options, bw_client **client,
                                      bwt_error *error)
{
    bwt_text config = {NULL, 0, 0};
    char *document = NULL;
    bw_status status;

    if (client != NULL)
        *client = NULL;
    if (options != NULL) {
        config = bwt_begin_("{");
        bwt_append_field_(&config, "accountId", options->account_id);
        bwt_append_field_(&config, "clientId", options->client_id);
        bwt_append_field_(&config, "clientSecret", options->client_secret);
        bwt_append_field_(&config, "username", options->username);
        bwt_append_field_(&config, "password", options->password);
        bwt_append_field_(&config, "baseUrl", options->base_url);
        bwt_append_field_(&config, "endpointsUrl", options->endpoints_url);
        bwt_append_field_(&config, "tokenUrl", options->token_url);
        bwt_append_field_(&config, "proxy", options->proxy);
        bwt_append_field_(&config, "roots", options->roots);
        bwt_append_field_(&config, "caFile", options->ca_file);
        bwt_append_field_(&config, "clientCertFile", options->client_cert_file);
        bwt_append_field_(&config, "clientKeyFile", options->client_key_file);
        bwt_append_field_(&config, "ipFamily", options->ip_family);
        bwt_append_field_(&config, "bindAddress", options->bind_address);
        bwt_append_field_(&config, "userAgent", options->user_agent);
        bwt_append_field_(&config, "logFormat", options->log_format);
        bwt_append_field_(&config, "configFile", options->config_file);
        bwt_append_json_(&config, "environment", options->environment ? "true" : NULL);
        bwt_append_json_(&config, "allowInsecureHttp",
                         options->allow_insecure_http ? "true" : NULL);
        bwt_append_number_(&config, "timeoutMs", options->timeout_ms);
        bwt_append_number_(&config, "attemptTimeoutMs", options->attempt_timeout_ms);
        bwt_append_number_(&config, "connectTimeoutMs", options->connect_timeout_ms);
        bwt_append_number_(&config, "maxRetries", options->max_retries);
        bwt_append_number_(&config, "retryBaseMs", options->retry_base_ms);
        bwt_append_number_(&config, "retryMaxMs", options->retry_max_ms);
        bwt_append_number_(&config, "maxRetryAfterMs", options->max_retry_after_ms);
        bwt_append_number_(&config, "dnsTtlMs", options->dns_ttl_ms);
        bwt_append_number_(&config, "maxIdleConnections", options->max_idle_connections);
        bwt_append_number_(&config, "idleTimeoutMs", options->idle_timeout_ms);
        bwt_append_number_(&config, "maxResponseBytes", options->max_response_bytes);
        bwt_append_(&config, "}", 1);
        if (config.text == NULL)
            return bwt_take(BW_E_INTERNAL, NULL, error);
    }
    status = bw_client_new(config.text, client, &document);
    bwt_erase_(&config);
    return bwt_take(status, document, error);
}

/* Replaces the credentials of a client (bw_client_set_credentials). */
BWT_FUNCTION bw_status bwt_client_set_credentials(bw_client *client, const char *identifier,
                                                  const char *secret, bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_client_set_credentials(client, identifier, secret, &document);

    return bwt_take(status, document, error);
}

/* Sends the log of a client to a callback (bw_client_set_log). */
BWT_FUNCTION bw_status bwt_client_set_log(bw_client *client, int32_t level,
                                          bw_log_callback callback, void *user_data,
                                          bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_client_set_log(client, level, callback, user_data, &document);

    return bwt_take(status, document, error);
}

/* Frees the result of bwt_client_reload. NULL, and a cleared result, are allowed. */
BWT_FUNCTION void bwt_reload_clear(bwt_reload *reload)
{
    if (reload == NULL)
        return;
    bwt_texts_clear_(reload->needs_new_client, reload->length);
    memset(reload, 0, sizeof *reload);
}

/* Reads the settings file and the environment again (bw_client_reload). If it returns BW_E_INTERNAL
 * because there is no memory for `reload`, the credentials may have been replaced. */
BWT_FUNCTION bw_status bwt_client_reload(bw_client *client, bwt_reload *reload, bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_client_reload(client, &document);

    bwt_zero_(reload, sizeof *reload);
    if (status != BW_OK || reload == NULL)
        return bwt_take(status, document, error);
    reload->credentials_replaced = bwt_is_(document, "/credentialsReplaced", "true");
    status = bwt_items_(document, "/needsNewClient", &reload->needs_new_client, &reload->length);
    bw_free(document);
    if (status != BW_OK)
        bwt_reload_clear(reload);
    return bwt_take(status, NULL, error);
}

/* Frees the document of the counters. NULL, and cleared counters, are allowed. */
BWT_FUNCTION void bwt_stats_clear(bwt_stats *stats)
{
    if (stats == NULL)
        return;
    bw_free(stats->document);
    memset(stats, 0, sizeof *stats);
}

/* Returns the counters of a client (bw_client_stats). */
BWT_FUNCTION bw_status bwt_client_stats(bw_client *client, bwt_stats *stats, bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_client_stats(client, &document);

    bwt_zero_(stats, sizeof *stats);
    if (status != BW_OK || stats == NULL)
        return bwt_take(status, document, error);
    stats->calls = bwt_number_(document, "/calls");
    stats->attempts = bwt_number_(document, "/attempts");
    stats->retries = bwt_number_(document, "/retries");
    stats->in_flight = bwt_number_(document, "/inFlight");
    stats->queue_waiting = bwt_number_(document, "/queue/waiting");
    stats->queue_running = bwt_number_(document, "/queue/running");
    stats->queue_done = bwt_number_(document, "/queue/done");
    stats->queue_cancelled = bwt_number_(document, "/queue/cancelled");
    stats->connections_opened = bwt_number_(document, "/connectionsOpened");
    stats->connections_reused = bwt_number_(document, "/connectionsReused");
    stats->token_requests = bwt_number_(document, "/tokenRequests");
    stats->late_answers = bwt_number_(document, "/lateAnswers");
    stats->late_participants = bwt_number_(document, "/lateParticipants");
    stats->late_sessions = bwt_number_(document, "/lateSessions");
    stats->late_endpoints = bwt_number_(document, "/lateEndpoints");
    stats->document = document;
    return bwt_take(BW_OK, NULL, error);
}

/* Returns the counters as OpenMetrics text (bw_client_metrics). The caller frees `*text` with
 * bw_free. */
BWT_FUNCTION bw_status bwt_client_metrics(bw_client *client, char **text, bwt_error *error)
{
    char *document = NULL;
    bw_status status;

    if (text == NULL)
        return bwt_refuse_(error, "text", "is NULL", NULL);
    status = bw_client_metrics(client, &document);
    return bwt_text_take_(text, NULL, status, document, error);
}

/* Frees a list of late objects. NULL, and a cleared list, are allowed. */
BWT_FUNCTION void bwt_late_list_clear(bwt_late_list *list)
{
    size_t i;

    if (list == NULL)
        return;
    for (i = 0; i < list->length; i++) {
        bw_free(list->items[i].operation);
        bw_free(list->items[i].id);
        bw_free(list->items[i].tag);
    }
    free(list->items);
    bw_free(list->document);
    memset(list, 0, sizeof *list);
}

/* Returns the late objects, and clears the list of the client (bw_client_take_late). `list` must
 * not be NULL. If it returns BW_E_INTERNAL and `error->document` is not NULL, there was no memory
 * for `items`, and the document contains either the reason or the late objects. */
BWT_FUNCTION bw_status bwt_client_take_late(bw_client *client, bwt_late_list *list,
                                            bwt_error *error)
{
    char *document = NULL, **items;
    size_t i;
    bw_status status;

    if (list == NULL)
        return bwt_refuse_(error, "list", "is NULL; the ids would be lost", NULL);
    memset(list, 0, sizeof *list);
    status = bw_client_take_late(client, &document);
    if (status != BW_OK)
        return bwt_take(status, document, error);
    list->items = (bwt_late *)bwt_structs_(document, "/late", sizeof *list->items, &items,
                                           &list->length, &status);
    if (status != BW_OK)
        return bwt_take(status, document, error);
    for (i = 0; i < list->length; i++) {
        char *user_data = bwt_get(items[i], "/userData"), *digit;
        uintptr_t number = 0;
        for (digit = user_data; digit != NULL && *digit >= '0' && *digit <= '9'; digit++)
            number = number * 10 + (uintptr_t)(*digit - '0');
        list->items[i].operation = bwt_get(items[i], "/operation");
        list->items[i].id = bwt_get(items[i], "/id");
        list->items[i].tag = bwt_get(items[i], "/tag");
        list->items[i].user_data = (void *)number;
        bw_free(user_data);
    }
    bwt_texts_clear_(items, list->length);
    list->dropped = bwt_number_(document, "/dropped");
    list->document = document;
    return bwt_take(BW_OK, NULL, error);
}

/* ---- Participants and sessions ---- */

/* Creates a participant and its token (bw_create_participant). `options` may be NULL. `participant`
 * must not be NULL. */
BWT_FUNCTION bw_status bwt_create_participant(bw_client *client,
                                              const bwt_participant_options *options,
                                              bwt_participant *participant, bwt_error *error)
{
    char *request, *document = NULL;
    bw_status status = BW_E_INTERNAL;

    if (participant == NULL)
        return bwt_refuse_null_(error, "participant", "createParticipant");
    request = bwt_participant_request(options);
    if (request != NULL)
        status = bw_create_participant(client, request, &document);
    free(request);
    return bwt_participant_take(participant, status, document, error);
}

/* Reads a participant (bw_get_participant). */
BWT_FUNCTION bw_status bwt_get_participant(bw_client *client, const char *participant_id,
                                           bwt_participant *participant, bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_get_participant(client, participant_id, &document);

    return bwt_participant_take(participant, status, document, error);
}

/* Deletes a participant (bw_delete_participant). */
BWT_FUNCTION bw_status bwt_delete_participant(bw_client *client, const char *participant_id,
                                              bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_delete_participant(client, participant_id, &document);

    return bwt_take(status, document, error);
}

/* Creates a session (bw_create_session). `tag` may be NULL. */
BWT_FUNCTION bw_status bwt_create_session(bw_client *client, const char *tag, bwt_session *session,
                                          bwt_error *error)
{
    char *document = NULL, *request = bwt_session_request(tag);
    bw_status status = BW_E_INTERNAL;

    if (request != NULL)
        status = bw_create_session(client, request, &document);
    free(request);
    return bwt_session_take(session, status, document, error);
}

/* Reads a session (bw_get_session). */
BWT_FUNCTION bw_status bwt_get_session(bw_client *client, const char *session_id,
                                       bwt_session *session, bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_get_session(client, session_id, &document);

    return bwt_session_take(session, status, document, error);
}

/* Deletes a session (bw_delete_session). */
BWT_FUNCTION bw_status bwt_delete_session(bw_client *client, const char *session_id,
                                          bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_delete_session(client, session_id, &document);

    return bwt_take(status, document, error);
}

/* Lists the participants in a session (bw_list_session_participants). */
BWT_FUNCTION bw_status bwt_list_session_participants(bw_client *client, const char *session_id,
                                                     bwt_participant_list *list, bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_list_session_participants(client, session_id, &document);

    return bwt_participant_list_take(list, status, document, error);
}

/* Internal: adds a participant to a session, or replaces its subscriptions. */
BWT_FUNCTION bw_status bwt_subscribe_(bw_status (*function)(bw_client *, const char *, const char *,
                                                            const char *, char **),
                                      const char *operation, bw_client *client,
                                      const char *session_id, const char *participant_id,
                                      const bwt_subscription_options *options, bwt_error *error)
{
    char *document = NULL, *request;
    bw_status status = BW_E_INTERNAL;

    if (options != NULL && options->length > 0 && options->participant_ids == NULL)
        return bwt_refuse_(error, "participant_ids", "is NULL, but length is not 0", operation);
    request = bwt_subscriptions_request(options);
    if (request != NULL)
        status = function(client, session_id, participant_id, request, &document);
    free(request);
    return bwt_take(status, document, error);
}

/* Adds a participant to a session (bw_add_participant_to_session). `options` may be NULL
 * (nobody). */
BWT_FUNCTION bw_status bwt_add_participant_to_session(bw_client *client, const char *session_id,
                                                      const char *participant_id,
                                                      const bwt_subscription_options *options,
                                                      bwt_error *error)
{
    return bwt_subscribe_(bw_add_participant_to_session, "addParticipantToSession", client,
                          session_id, participant_id, options, error);
}

/* Removes a participant from a session (bw_remove_participant_from_session). */
BWT_FUNCTION bw_status bwt_remove_participant_from_session(bw_client *client,
                                                           const char *session_id,
                                                           const char *participant_id,
                                                           bwt_error *error)
{
    char *document = NULL;
    bw_status status =
        bw_remove_participant_from_session(client, session_id, participant_id, &document);

    return bwt_take(status, document, error);
}

/* Reads whom a participant hears (bw_get_participant_subscriptions). */
BWT_FUNCTION bw_status bwt_get_participant_subscriptions(bw_client *client, const char *session_id,
                                                         const char *participant_id,
                                                         bwt_subscriptions *subscriptions,
                                                         bwt_error *error)
{
    char *document = NULL;
    bw_status status =
        bw_get_participant_subscriptions(client, session_id, participant_id, &document);

    return bwt_subscriptions_take(subscriptions, status, document, error);
}

/* Replaces the subscriptions of a participant (bw_update_participant_subscriptions). `options` may
 * be NULL (nobody). */
BWT_FUNCTION bw_status bwt_update_participant_subscriptions(bw_client *client,
                                                            const char *session_id,
                                                            const char *participant_id,
                                                            const bwt_subscription_options *options,
                                                            bwt_error *error)
{
    return bwt_subscribe_(bw_update_participant_subscriptions, "updateParticipantSubscriptions",
                          client, session_id, participant_id, options, error);
}

/* ---- Endpoints (BRTC) ---- */

/* Creates an endpoint and its token (bw_create_endpoint). `endpoint` must not be NULL. */
BWT_FUNCTION bw_status bwt_create_endpoint(bw_client *client, const bwt_endpoint_options *options,
                                           bwt_endpoint *endpoint, bwt_error *error)
{
    char *document = NULL, *request;
    bw_status status = BW_E_INTERNAL;

    if (endpoint == NULL)
        return bwt_refuse_null_(error, "endpoint", "createEndpoint");
    memset(endpoint, 0, sizeof *endpoint);
    if (options != NULL && !bwt_is_json_(options->connection_metadata))
        return bwt_refuse_(error, "connection_metadata", "is not one valid JSON value",
                           "createEndpoint");
    request = bwt_endpoint_request(options);
    if (request != NULL)
        status = bw_create_endpoint(client, request, &document);
    free(request);
    return bwt_endpoint_take(endpoint, status, document, error);
}

/* Lists one page of endpoints (bw_list_endpoints). `query` may be NULL. The function overwrites
 * `page`: clear a previous page first. For the next page, set `after_cursor` to `next_cursor`,
 * which must stay valid until the call returns. Therefore, take it out of the page before you clear
 * it:
 *
 *     cursor = page.next_cursor;
 *     page.next_cursor = NULL;
 *     bwt_endpoint_page_clear(&page);
 *
 * Free it with bw_free after the call. Stop if a cursor is repeated. */
BWT_FUNCTION bw_status bwt_list_endpoints(bw_client *client, const bwt_endpoint_query *query,
                                          bwt_endpoint_page *page, bwt_error *error)
{
    char *document = NULL, *request = bwt_endpoint_query_request(query);
    bw_status status = BW_E_INTERNAL;

    if (request != NULL)
        status = bw_list_endpoints(client, request, &document);
    free(request);
    return bwt_endpoint_page_take(page, status, document, error);
}

/* Reads an endpoint and its devices (bw_get_endpoint). */
BWT_FUNCTION bw_status bwt_get_endpoint(bw_client *client, const char *endpoint_id,
                                        bwt_endpoint *endpoint, bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_get_endpoint(client, endpoint_id, &document);

    return bwt_endpoint_take(endpoint, status, document, error);
}

/* Deletes an endpoint (bw_delete_endpoint). */
BWT_FUNCTION bw_status bwt_delete_endpoint(bw_client *client, const char *endpoint_id,
                                           bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_delete_endpoint(client, endpoint_id, &document);

    return bwt_take(status, document, error);
}

/* Replaces the BXML of an endpoint (bw_update_endpoint_bxml). */
BWT_FUNCTION bw_status bwt_update_endpoint_bxml(bw_client *client, const char *endpoint_id,
                                                const char *bxml, bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_update_endpoint_bxml(client, endpoint_id, bxml, &document);

    return bwt_take(status, document, error);
}

/* ---- Calls and queues ---- */

/* Returns the document of a call for bw_call and bw_queue_submit. The caller frees the text with
 * free. NULL if there is no memory, or if `body` or `query` is not exactly one JSON value. */
BWT_FUNCTION char *bwt_call_request(const bwt_call_options *call)
{
    bwt_text request;

    if (!bwt_is_json_(call->body) || !bwt_is_json_(call->query))
        return NULL;
    request = bwt_begin_("{");
    bwt_append_field_(&request, "operation", call->operation);
    bwt_append_field_(&request, "sessionId", call->session_id);
    bwt_append_field_(&request, "participantId", call->participant_id);
    bwt_append_field_(&request, "endpointId", call->endpoint_id);
    bwt_append_json_(&request, "body", call->body);
    bwt_append_json_(&request, "query", call->query);
    bwt_append_field_(&request, "bxml", call->bxml);
    bwt_append_number_(&request, "timeoutMs", call->timeout_ms);
    bwt_append_(&request, "}", 1);
    return request.text;
}

/* Internal: the document of a call. Otherwise NULL, and `*status` and `*document` are the
 * reason. */
BWT_FUNCTION char *bwt_call_open_(const bwt_call_options *call, bw_status *status, char **document)
{
    const char *invalid = call == NULL                 ? "call"
                          : !bwt_is_json_(call->body)  ? "call.body"
                          : !bwt_is_json_(call->query) ? "call.query"
                                                       : NULL;
    const char *problem = call == NULL ? "is NULL" : "is not one valid JSON value";

    *status = invalid != NULL ? BW_E_INVALID_ARGUMENT : BW_E_INTERNAL;
    *document = NULL;
    if (invalid == NULL)
        return bwt_call_request(call);
    *document = bwt_refusal_(invalid, problem, NULL);
    return NULL;
}

/*
 * Executes a call (bw_call), and returns its status. `*document` receives the response or the error
 * document: pass both to the _take function of the result's type, or free the document with
 * bw_free. `document` must not be NULL.
 */
BWT_FUNCTION bw_status bwt_call(bw_client *client, const bwt_call_options *call, char **document)
{
    bw_status status;
    char *request = bwt_call_open_(call, &status, document);

    if (request != NULL)
        status = bw_call(client, request, document);
    free(request);
    return status;
}

/* Creates a queue (bw_queue_new). `options` may be NULL. On BW_OK, the caller frees `*queue` with
 * bw_queue_free. Otherwise, `*queue` is NULL. */
BWT_FUNCTION bw_status bwt_queue_new(bw_client *client, const bwt_queue_options *options,
                                     bw_queue **queue, bwt_error *error)
{
    bwt_text request = bwt_begin_("{");
    char *document = NULL;
    bw_status status = BW_E_INTERNAL;

    if (queue != NULL)
        *queue = NULL;
    if (options != NULL) {
        bwt_append_number_(&request, "workers", options->workers);
        bwt_append_number_(&request, "backlog", options->backlog);
    }
    bwt_append_(&request, "}", 1);
    if (request.text != NULL)
        status = bw_queue_new(client, request.text, queue, &document);
    free(request.text);
    return bwt_take(status, document, error);
}

/* Submits a call to a queue (bw_queue_submit). `id` receives its number, or 0 on failure; it may be
 * NULL. Fetch the completion with bw_queue_next, and read it with a _take function. */
BWT_FUNCTION bw_status bwt_queue_submit(bw_queue *queue, const bwt_call_options *call,
                                        void *user_data, uint64_t *id, bwt_error *error)
{
    char *document, *request;
    bw_status status;

    if (id != NULL)
        *id = 0;
    request = bwt_call_open_(call, &status, &document);
    if (request != NULL)
        status = bw_queue_submit(queue, request, user_data, id, &document);
    free(request);
    return bwt_take(status, document, error);
}

/* ---- Webhooks, phone calls and tokens ---- */

/* Internal: reads the strings of an event from its document, or frees them. */
BWT_FUNCTION void bwt_event_fields_(bwt_event *event, const char *object)
{
    bwt_field_(&event->name, object, "/event");
    bwt_field_(&event->participant_id, object, "/participantId");
    bwt_field_(&event->endpoint_id, object, "/endpointId");
    bwt_field_(&event->device_id, object, "/deviceId");
    bwt_field_(&event->account_id, object, "/accountId");
    bwt_field_(&event->tag, object, "/tag");
    bwt_field_(&event->to, object, "/to");
    bwt_field_(&event->to_type, object, "/toType");
}

/* Frees the strings of an event. NULL, and a cleared event, are allowed. */
BWT_FUNCTION void bwt_event_clear(bwt_event *event)
{
    if (event == NULL)
        return;
    bwt_event_fields_(event, NULL);
    bw_free(event->document);
    memset(event, 0, sizeof *event);
}

/* Checks and reads the body of a webhook (bw_parse_event). */
BWT_FUNCTION bw_status bwt_parse_event(const char *body, bwt_event *event, bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_parse_event(body, &document);

    bwt_zero_(event, sizeof *event);
    if (status != BW_OK || event == NULL)
        return bwt_take(status, document, error);
    bwt_event_fields_(event, document);
    event->is_known = !bwt_is_(document, "/known", "false");
    /* The timestamp of an unknown event may be anything. */
    event->timestamp_ms = bwt_number_(document, "/timestamp");
    event->document = document;
    return bwt_take(BW_OK, NULL, error);
}

/* Creates the BXML that connects a phone call to endpoints (bw_connect_bxml). `endpoint_ids` are
 * `length` ids. The URLs may be NULL. The caller frees `*bxml` with bw_free. */
BWT_FUNCTION bw_status bwt_connect_bxml(const char *const *endpoint_ids, size_t length,
                                        const char *event_callback_url,
                                        const char *event_fallback_url, char **bxml,
                                        bwt_error *error)
{
    bwt_text ids, options;
    char *document = NULL;
    size_t i;
    bw_status status = BW_E_INTERNAL;

    if (bxml == NULL)
        return bwt_refuse_(error, "bxml", "is NULL", NULL);
    *bxml = NULL;
    if (endpoint_ids == NULL && length > 0)
        return bwt_refuse_(error, "endpoint_ids", "is NULL, but length is not 0", NULL);
    for (i = 0; i < length; i++)
        if (endpoint_ids[i] == NULL)
            return bwt_refuse_(error, "endpoint_ids", "contains NULL", NULL);
    ids = bwt_begin_("[");
    for (i = 0; i < length; i++) {
        bwt_append_comma_(&ids);
        bwt_append_string_(&ids, endpoint_ids[i]);
    }
    bwt_append_(&ids, "]", 1);
    options = bwt_begin_("{");
    bwt_append_field_(&options, "eventCallbackUrl", event_callback_url);
    bwt_append_field_(&options, "eventFallbackUrl", event_fallback_url);
    bwt_append_(&options, "}", 1);
    if (ids.text != NULL && options.text != NULL)
        status = bw_connect_bxml(ids.text, options.text, &document);
    free(ids.text);
    free(options.text);
    return bwt_text_take_(bxml, "/bxml", status, document, error);
}

/* Creates the BXML that transfers a phone call to a session (bw_transfer_bxml, which also returns
 * warnings). `call_id` and `sip_uri` may be NULL. The caller frees `*bxml` with bw_free. */
BWT_FUNCTION bw_status bwt_transfer_bxml(const char *token, const char *call_id,
                                         const char *sip_uri, char **bxml, bwt_error *error)
{
    char *document = NULL;
    bw_status status;

    if (bxml == NULL)
        return bwt_refuse_(error, "bxml", "is NULL", NULL);
    status = bw_transfer_bxml(token, call_id, sip_uri, &document);
    return bwt_text_take_(bxml, "/bxml", status, document, error);
}

/* Creates the uui value with which a phone call joins a session (bw_uui). `call_id` may be NULL.
 * The caller frees `*uui`, which is a secret, with bw_free. */
BWT_FUNCTION bw_status bwt_uui(const char *token, const char *call_id, char **uui, bwt_error *error)
{
    char *document = NULL;
    bw_status status;

    if (uui == NULL)
        return bwt_refuse_(error, "uui", "is NULL", NULL);
    status = bw_uui(token, call_id, &document);
    return bwt_text_take_(uui, NULL, status, document, error);
}

/* Frees the strings of the claims. NULL, and cleared claims, are allowed. */
BWT_FUNCTION void bwt_claims_clear(bwt_claims *claims)
{
    if (claims == NULL)
        return;
    bw_free(claims->account_id);
    bw_free(claims->participant_id);
    bw_free(claims->version);
    bw_free(claims->document);
    memset(claims, 0, sizeof *claims);
}

/* Decodes the claims of a token, but does not verify them (bw_token_claims). */
BWT_FUNCTION bw_status bwt_token_claims(const char *token, bwt_claims *claims, bwt_error *error)
{
    char *document = NULL, *left;
    bw_status status = bw_token_claims(token, &document);

    bwt_zero_(claims, sizeof *claims);
    if (status != BW_OK || claims == NULL)
        return bwt_take(status, document, error);
    left = bwt_get(document, "/expiresInMs");
    claims->account_id = bwt_get(document, "/accountId");
    claims->participant_id = bwt_get(document, "/participantId");
    claims->version = bwt_get(document, "/version");
    claims->expires_at = bwt_number_(document, "/expiresAt");
    claims->expires_in_ms =
        left != NULL && left[0] == '-' ? -bwt_digits_(left + 1) : bwt_digits_(left);
    claims->document = document;
    bw_free(left);
    return bwt_take(BW_OK, NULL, error);
}

#ifdef __cplusplus
}
#endif

#endif /* BW_WEBRTC_TYPED_H */
