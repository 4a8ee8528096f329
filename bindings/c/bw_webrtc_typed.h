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
 * Each operation bw_x has a function bwt_x. It returns the status. On BW_OK, the result is filled, and
 * the caller frees its strings and arrays with the _clear function of its type. Otherwise, the result
 * is all zeroes and `error`, which may be NULL, is filled; clear it with bwt_error_clear. A string that
 * the service did not send is NULL. Lists have their length. `document` is the JSON text with all
 * fields. A NULL result discards it, except for a new participant or endpoint, whose token is returned
 * only once.
 *
 * A call has the timeout of its client. For another timeout, use bw_call with "timeoutMs".
 *
 * Threads and blocking: each function behaves as the function of the same name in bw_webrtc.h.
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

/* The configuration of a client. NULL and 0 (BWT_CLIENT_OPTIONS_INIT) select the defaults. Required:
 * account_id, and one pair of credentials. Either client_id and client_secret (API credentials), or
 * username and password (an API user; they stop working on 2 December 2026). The strings are UTF-8
 * and are not used after the call. For other keys of the configuration, use bw_client_new. */
typedef struct bwt_client_options {
    const char *account_id;
    const char *client_id;
    const char *client_secret;
    const char *username;
    const char *password;
    const char *base_url;     /* NULL: the URL of Bandwidth's service */
    const char *token_url;    /* NULL: Bandwidth's; required with client_id and base_url */
    const char *ca_file;      /* PEM file of certificate authorities; NULL: those of the library */
    unsigned long timeout_ms; /* the deadline of a call in milliseconds; 0: 10000 */
    unsigned long connect_timeout_ms; /* the longest time to connect, with TLS; 0: 3000 */
    const char *endpoints_url; /* NULL: Bandwidth's; required for endpoints with another base_url */
} bwt_client_options;

#define BWT_CLIENT_OPTIONS_INIT {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL}

/* The properties of a new participant. NULL and 0 (BWT_PARTICIPANT_OPTIONS_INIT) select the service's
 * defaults. The strings are UTF-8 and are not used after the call. */
typedef struct bwt_participant_options {
    int publish_audio;              /* not 0: may publish audio */
    int publish_video;              /* not 0: may publish video */
    const char *tag;                /* at most 50 characters */
    const char *callback_url;       /* absolute http or https URL */
    const char *device_api_version; /* "V3", or the older "V2" */
} bwt_participant_options;

#define BWT_PARTICIPANT_OPTIONS_INIT {0, 0, NULL, NULL, NULL}

/* A participant. Free the strings with bwt_participant_clear. */
typedef struct bwt_participant {
    char *id;           /* the participant's id */
    char *token;        /* the token with which its device connects (a secret); NULL unless created */
    char *document;     /* the service's response (JSON) */
    char *tag;
    char *callback_url;
    char *session_id;   /* the session that it is in; NULL: none */
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

/* Whom a participant is to hear: `participant_ids` if there are any; otherwise everyone in the session
 * `session_id`; otherwise (BWT_SUBSCRIPTION_OPTIONS_INIT) nobody. For single streams, use JSON. */
typedef struct bwt_subscription_options {
    const char *session_id;
    const char *const *participant_ids;
    size_t length;
} bwt_subscription_options;

#define BWT_SUBSCRIPTION_OPTIONS_INIT {NULL, NULL, 0}

/* Whom a participant hears. Free it with bwt_subscriptions_clear. */
typedef struct bwt_subscriptions {
    char *session_id;
    char **participant_ids;
    size_t length;
    char *document;
} bwt_subscriptions;

/* The properties of a new endpoint. Required: direction. */
typedef struct bwt_endpoint_options {
    const char *direction;           /* "INBOUND", "OUTBOUND" or "BIDIRECTIONAL" */
    const char *tag;                 /* at most 1024 characters */
    const char *event_callback_url;  /* absolute http or https URL */
    const char *event_fallback_url;
    const char *connection_metadata; /* a JSON object */
} bwt_endpoint_options;

#define BWT_ENDPOINT_OPTIONS_INIT {NULL, NULL, NULL, NULL, NULL}

/* A device of an endpoint. */
typedef struct bwt_device {
    char *id;
    char *name;
    char *status; /* "CONNECTED" or "DISCONNECTED" */
} bwt_device;

/* An endpoint. Free it with bwt_endpoint_clear. */
typedef struct bwt_endpoint {
    char *id;
    char *token; /* the token with which its device connects (a secret); NULL unless created */
    char *status; /* "CONNECTED" or "DISCONNECTED" */
    char *tag;
    char *creation_timestamp; /* ISO 8601 */
    char *expiration_timestamp;
    bwt_device *devices;
    size_t device_count;
    char *document;
} bwt_endpoint;

/* Which endpoints to list. NULL and 0 (BWT_ENDPOINT_QUERY_INIT) select all. */
typedef struct bwt_endpoint_query {
    const char *status;
    const char *after_cursor; /* next_cursor of the previous page; valid until the call returns */
    unsigned long limit;      /* endpoints in a page, 1 to 1000 */
} bwt_endpoint_query;

#define BWT_ENDPOINT_QUERY_INIT {NULL, NULL, 0}

/* A page of endpoints. Free it with bwt_endpoint_page_clear. */
typedef struct bwt_endpoint_page {
    bwt_endpoint *items;
    size_t length;
    char *next_cursor; /* NULL: this is the last page */
} bwt_endpoint_page;

/* A webhook. Free the strings with bwt_event_clear. */
typedef struct bwt_event {
    char *name;           /* such as "onConnect" or "endpointConnected" */
    int is_known;         /* 0: the library does not know the event and has not checked its fields */
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

/* The reason why a call failed. Free the strings with bwt_error_clear. */
typedef struct bwt_error {
    bw_status status;
    int http_status; /* 0: there was no response */
    char *message;   /* what was wrong and what to do; NULL if there was no memory */
    char *outcome;   /* "not_sent", "rejected", "unknown"; NULL if no request is involved */
    char *document;  /* the error document (JSON); NULL if there was no memory */
} bwt_error;

/* Internal: a string buffer that grows. `text` is NULL after a failed allocation. */
typedef struct bwt_text {
    char *text;
    size_t length;
    size_t capacity;
} bwt_text;

/* Internal: overwrites a buffer, which may contain a secret, and frees it. */
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

/* Appends "name":"value", escaped for JSON, unless the value is NULL. The library checks the UTF-8. */
BWT_FUNCTION void bwt_append_field_(bwt_text *to, const char *name, const char *value)
{
    static const char hex[] = "0123456789abcdef";
    const char *from;

    if (value == NULL)
        return;
    bwt_append_(to, to->length > 1 ? ",\"" : "\"", to->length > 1 ? 2 : 1);
    bwt_append_(to, name, strlen(name));
    bwt_append_(to, "\":\"", 3);
    for (from = value; *from != '\0'; from++) {
        unsigned char c = (unsigned char)*from;
        if (c == '"' || c == '\\') {
            bwt_append_(to, "\\", 1);
            bwt_append_(to, from, 1);
        } else if (c < 0x20) {
            char escape[6];
            memcpy(escape, "\\u00", 4);
            escape[4] = hex[c >> 4];
            escape[5] = hex[c & 15];
            bwt_append_(to, escape, sizeof escape);
        } else {
            bwt_append_(to, from, 1);
        }
    }
    bwt_append_(to, "\"", 1);
}

/* Appends "name":value, unless the value is 0. */
BWT_FUNCTION void bwt_append_number_(bwt_text *to, const char *name, unsigned long value)
{
    char text[80];

    if (value == 0)
        return;
    sprintf(text, "%s\"%.40s\":%lu", to->length > 1 ? "," : "", name, value);
    bwt_append_(to, text, strlen(text));
}

/* Returns the value at a JSON pointer in a document (bw_json_get), or NULL if it is missing or null.
 * The caller frees it with bw_free. */
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

/* Frees the strings of an error. NULL, and an error that was already cleared, are allowed. */
BWT_FUNCTION void bwt_error_clear(bwt_error *error)
{
    if (error == NULL)
        return;
    bw_free(error->message);
    bw_free(error->outcome);
    bw_free(error->document);
    memset(error, 0, sizeof *error);
}

/* Fills `error`, which may be NULL, and becomes the owner of `document`. Returns `status`. */
BWT_FUNCTION bw_status bwt_error_take_(bwt_error *error, bw_status status, char *document)
{
    char *http_status;

    if (error == NULL) {
        bw_free(document);
        return status;
    }
    http_status = bwt_get(document, "/error/httpStatus");
    error->status = status;
    error->http_status = http_status != NULL ? atoi(http_status) : 0;
    error->message = bwt_get(document, "/error/message");
    error->outcome = bwt_get(document, "/error/outcome");
    error->document = document;
    bw_free(http_status);
    return status;
}

/*
 * Creates a client (bw_client_new). If `options` is NULL, the configuration is read from the
 * environment.
 *
 * On BW_OK, the caller frees `*client` with bw_client_free. Otherwise, `*client` is NULL and `error`
 * is filled; the caller clears it with bwt_error_clear. `error` may be NULL.
 */
BWT_FUNCTION bw_status bwt_client_new(const bwt_client_options *options,
                                      bw_client **client,
                                      bwt_error *error)
{
    bwt_text config = {NULL, 0, 256};
    char *document = NULL;
    bw_status status;

    if (error != NULL)
        memset(error, 0, sizeof *error);
    if (client != NULL)
        *client = NULL;
    if (options != NULL) {
        config.text = (char *)malloc(config.capacity);
        bwt_append_(&config, "{", 1);
        bwt_append_field_(&config, "accountId", options->account_id);
        bwt_append_field_(&config, "clientId", options->client_id);
        bwt_append_field_(&config, "clientSecret", options->client_secret);
        bwt_append_field_(&config, "username", options->username);
        bwt_append_field_(&config, "password", options->password);
        bwt_append_field_(&config, "baseUrl", options->base_url);
        bwt_append_field_(&config, "tokenUrl", options->token_url);
        bwt_append_field_(&config, "caFile", options->ca_file);
        bwt_append_field_(&config, "endpointsUrl", options->endpoints_url);
        bwt_append_number_(&config, "timeoutMs", options->timeout_ms);
        bwt_append_number_(&config, "connectTimeoutMs", options->connect_timeout_ms);
        bwt_append_(&config, "}", 1);
        if (config.text == NULL)
            return bwt_error_take_(error, BW_E_INTERNAL, NULL);
    }
    status = bw_client_new(config.text, client, &document);
    bwt_erase_(&config);
    return status == BW_OK ? BW_OK : bwt_error_take_(error, status, document);
}

/* Frees the strings of a participant. NULL, and a cleared participant, are allowed. */
BWT_FUNCTION void bwt_participant_clear(bwt_participant *participant)
{
    if (participant == NULL)
        return;
    bw_free(participant->id);
    bw_free(participant->token);
    bw_free(participant->document);
    bw_free(participant->tag);
    bw_free(participant->callback_url);
    bw_free(participant->session_id);
    memset(participant, 0, sizeof *participant);
}

/* Fills the fields of a participant from its JSON object. */
BWT_FUNCTION void bwt_participant_read_(bwt_participant *participant, const char *object)
{
    char *permissions = bwt_get(object, "/publishPermissions");

    participant->id = bwt_get(object, "/id");
    participant->tag = bwt_get(object, "/tag");
    participant->callback_url = bwt_get(object, "/callbackUrl");
    participant->session_id = bwt_get(object, "/sessions/0");
    participant->publish_audio = permissions != NULL && strstr(permissions, "\"AUDIO\"") != NULL;
    participant->publish_video = permissions != NULL && strstr(permissions, "\"VIDEO\"") != NULL;
    bw_free(permissions);
}

/*
 * Returns the request document of createParticipant as JSON text: the "body" of the document for
 * bw_queue_submit and bw_call. `options` may be NULL. The caller frees the text with free, not with
 * bw_free. NULL if there is no memory.
 */
BWT_FUNCTION char *bwt_participant_request(const bwt_participant_options *options)
{
    bwt_text request = {NULL, 0, 64};

    request.text = (char *)malloc(request.capacity);
    bwt_append_(&request, "{", 1);
    if (options != NULL) {
        if (options->publish_audio != 0 || options->publish_video != 0) {
            const char *both = "\"publishPermissions\":[\"AUDIO\",\"VIDEO\"]";
            const char *audio = "\"publishPermissions\":[\"AUDIO\"]";
            const char *video = "\"publishPermissions\":[\"VIDEO\"]";
            const char *field = options->publish_video == 0   ? audio
                                : options->publish_audio == 0 ? video
                                                              : both;
            bwt_append_(&request, field, strlen(field));
        }
        bwt_append_field_(&request, "tag", options->tag);
        bwt_append_field_(&request, "callbackUrl", options->callback_url);
        bwt_append_field_(&request, "deviceApiVersion", options->device_api_version);
    }
    bwt_append_(&request, "}", 1);
    return request.text;
}

/* Internal: fills `error` with a message. The texts are short, and need no escapes. */
BWT_FUNCTION bw_status bwt_refuse_(bwt_error *error,
                                   const char *name,
                                   const char *problem,
                                   const char *operation)
{
    const char *quote = operation != NULL ? "\"" : "";
    char document[512];

    sprintf(document,
            "{\"error\":{\"status\":1,\"name\":\"BW_E_INVALID_ARGUMENT\",\"message\":\"%s: %s\","
            "\"operation\":%s%s%s,\"outcome\":\"not_sent\",\"attempts\":0,\"httpStatus\":null,"
            "\"requestId\":null,\"retryAfterMs\":null,\"body\":null}}",
            name, problem, quote, operation != NULL ? operation : "null", quote);
    return bwt_error_take_(error, BW_E_INVALID_ARGUMENT, bwt_get(document, ""));
}

/* Internal: the library also rejects this, but without a document. */
BWT_FUNCTION bw_status bwt_refuse_null_(bwt_error *error, const char *name, const char *operation)
{
    return bwt_refuse_(error, name, "is NULL; the token, which is returned only once, would be lost",
                       operation);
}

/*
 * Creates a participant: bw_create_participant with structs.
 *
 * `options` may be NULL (the service's defaults). On BW_OK `participant` is filled; clear it with
 * bwt_participant_clear. On failure `participant` is all zeroes and `error`, which may be NULL, is
 * filled; clear it with bwt_error_clear. Its strings are NULL only if an allocation failed. Statuses:
 * those of bw_create_participant; BW_E_INTERNAL if an allocation failed before anything was sent.
 */
BWT_FUNCTION bw_status bwt_create_participant(bw_client *client,
                                              const bwt_participant_options *options,
                                              bwt_participant *participant,
                                              bwt_error *error)
{
    char *request, *document = NULL;
    bw_status status;

    if (error != NULL)
        memset(error, 0, sizeof *error);
    if (participant == NULL)
        return bwt_refuse_null_(error, "participant", "createParticipant");
    memset(participant, 0, sizeof *participant);
    request = bwt_participant_request(options);
    if (request == NULL)
        return bwt_error_take_(error, BW_E_INTERNAL, NULL);
    status = bw_create_participant(client, request, &document);
    free(request);
    if (status != BW_OK)
        return bwt_error_take_(error, status, document);
    request = bwt_get(document, "/participant");
    bwt_participant_read_(participant, request);
    bw_free(request);
    participant->document = document;
    participant->token = bwt_get(document, "/token");
    return BW_OK;
}

/* Internal: clears `error`, so that it can be filled. */
BWT_FUNCTION void bwt_begin_(bwt_error *error)
{
    if (error != NULL)
        memset(error, 0, sizeof *error);
}

/* Internal: the end of a call without a result. */
BWT_FUNCTION bw_status bwt_finish_(bwt_error *error, bw_status status, char *document)
{
    if (status != BW_OK)
        return bwt_error_take_(error, status, document);
    bw_free(document);
    return BW_OK;
}

/* Internal: a copy of a part of a text, for bw_free; NULL if there is no memory. */
BWT_FUNCTION char *bwt_copy_(const char *text, size_t length)
{
    char *copy = (char *)malloc(length + 1);

    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

/* Internal: frees texts and their array. */
BWT_FUNCTION void bwt_texts_clear_(char **texts, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++)
        bw_free(texts[i]);
    free(texts);
}

/* Internal: splits the array at a pointer in one pass. `*items` are its items as JSON texts, or NULL if
 * there are none. Free with bwt_texts_clear_. Returns BW_E_INTERNAL if there is no memory. */
BWT_FUNCTION bw_status bwt_items_(const char *document,
                                  const char *pointer,
                                  char ***items,
                                  size_t *length)
{
    char *array = NULL;
    const char *c, *start;
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
            char *item = bwt_copy_(start, (size_t)(c - start));
            if (item == NULL)
                status = BW_E_INTERNAL;
            else
                (*items)[(*length)++] = item;
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

/* Reads a participant (bw_get_participant). */
BWT_FUNCTION bw_status bwt_get_participant(bw_client *client,
                                           const char *participant_id,
                                           bwt_participant *participant,
                                           bwt_error *error)
{
    char *document = NULL;
    bw_status status;

    bwt_begin_(error);
    if (participant != NULL)
        memset(participant, 0, sizeof *participant);
    status = bw_get_participant(client, participant_id, &document);
    if (status != BW_OK || participant == NULL)
        return bwt_finish_(error, status, document);
    bwt_participant_read_(participant, document);
    participant->document = document;
    return BW_OK;
}

/* Deletes a participant (bw_delete_participant). */
BWT_FUNCTION bw_status bwt_delete_participant(bw_client *client,
                                              const char *participant_id,
                                              bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_delete_participant(client, participant_id, &document);

    bwt_begin_(error);
    return bwt_finish_(error, status, document);
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

/* Internal: fills a session from a response. */
BWT_FUNCTION bw_status bwt_session_take_(bwt_session *session,
                                         bw_status status,
                                         char *document,
                                         bwt_error *error)
{
    bwt_begin_(error);
    if (session != NULL)
        memset(session, 0, sizeof *session);
    if (status != BW_OK || session == NULL)
        return bwt_finish_(error, status, document);
    session->id = bwt_get(document, "/id");
    session->tag = bwt_get(document, "/tag");
    session->document = document;
    return BW_OK;
}

/* Creates a session (bw_create_session). `tag` may be NULL. */
BWT_FUNCTION bw_status bwt_create_session(bw_client *client,
                                          const char *tag,
                                          bwt_session *session,
                                          bwt_error *error)
{
    bwt_text request = {NULL, 0, 64};
    char *document = NULL;
    bw_status status = BW_E_INTERNAL;

    request.text = (char *)malloc(request.capacity);
    bwt_append_(&request, "{", 1);
    bwt_append_field_(&request, "tag", tag);
    bwt_append_(&request, "}", 1);
    if (request.text != NULL)
        status = bw_create_session(client, request.text, &document);
    free(request.text);
    return bwt_session_take_(session, status, document, error);
}

/* Reads a session (bw_get_session). */
BWT_FUNCTION bw_status bwt_get_session(bw_client *client,
                                       const char *session_id,
                                       bwt_session *session,
                                       bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_get_session(client, session_id, &document);

    return bwt_session_take_(session, status, document, error);
}

/* Deletes a session (bw_delete_session). */
BWT_FUNCTION bw_status bwt_delete_session(bw_client *client,
                                          const char *session_id,
                                          bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_delete_session(client, session_id, &document);

    bwt_begin_(error);
    return bwt_finish_(error, status, document);
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

/* Lists the participants in a session (bw_list_session_participants). */
BWT_FUNCTION bw_status bwt_list_session_participants(bw_client *client,
                                                     const char *session_id,
                                                     bwt_participant_list *list,
                                                     bwt_error *error)
{
    char *document = NULL, **items;
    size_t i, count;
    bw_status status = bw_list_session_participants(client, session_id, &document);

    bwt_begin_(error);
    if (list != NULL)
        memset(list, 0, sizeof *list);
    if (status != BW_OK || list == NULL)
        return bwt_finish_(error, status, document);
    status = bwt_items_(document, "", &items, &count);
    bw_free(document);
    if (status != BW_OK)
        return bwt_error_take_(error, status, NULL);
    if (count == 0)
        return BW_OK;
    list->items = (bwt_participant *)calloc(count, sizeof *list->items);
    if (list->items == NULL) {
        bwt_texts_clear_(items, count);
        return bwt_error_take_(error, BW_E_INTERNAL, NULL);
    }
    list->length = count;
    for (i = 0; i < count; i++) {
        bwt_participant_read_(&list->items[i], items[i]);
        list->items[i].document = items[i];
    }
    free(items);
    return BW_OK;
}

/*
 * Returns a Subscriptions document as JSON text: the body of addParticipantToSession and
 * updateParticipantSubscriptions. `options` may be NULL (nobody). The caller frees the text with free.
 * NULL if there is no memory, or if participant_ids is NULL with a length.
 */
BWT_FUNCTION char *bwt_subscriptions_request(const bwt_subscription_options *options)
{
    bwt_text request = {NULL, 0, 128};
    size_t i;

    if (options != NULL && options->length > 0 && options->participant_ids == NULL)
        return NULL;
    request.text = (char *)malloc(request.capacity);
    bwt_append_(&request, "{", 1);
    if (options != NULL)
        bwt_append_field_(&request, "sessionId", options->session_id);
    if (options != NULL && options->length > 0) {
        const char *head = request.length > 1 ? ",\"participants\":[" : "\"participants\":[";
        bwt_append_(&request, head, strlen(head));
        for (i = 0; i < options->length; i++) {
            bwt_text item = {NULL, 0, 64};
            item.text = (char *)malloc(item.capacity);
            bwt_append_(&item, "{", 1);
            bwt_append_field_(&item, "participantId", options->participant_ids[i]);
            bwt_append_(&item, "}", 1);
            if (i > 0)
                bwt_append_(&request, ",", 1);
            if (item.text == NULL) {
                free(request.text);
                return NULL;
            }
            bwt_append_(&request, item.text, item.length);
            free(item.text);
        }
        bwt_append_(&request, "]", 1);
    }
    bwt_append_(&request, "}", 1);
    return request.text;
}

/* Adds a participant to a session (bw_add_participant_to_session). `options` may be NULL. */
BWT_FUNCTION bw_status bwt_add_participant_to_session(bw_client *client,
                                                      const char *session_id,
                                                      const char *participant_id,
                                                      const bwt_subscription_options *options,
                                                      bwt_error *error)
{
    char *document = NULL, *request = bwt_subscriptions_request(options);
    bw_status status = BW_E_INTERNAL;

    bwt_begin_(error);
    if (request == NULL && options != NULL && options->length > 0 && options->participant_ids == NULL)
        return bwt_refuse_(error, "participant_ids", "is NULL, but length is not 0", "addParticipantToSession");
    if (request != NULL)
        status = bw_add_participant_to_session(client, session_id, participant_id, request, &document);
    free(request);
    return bwt_finish_(error, status, document);
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

    bwt_begin_(error);
    return bwt_finish_(error, status, document);
}

/* Replaces the subscriptions of a participant (bw_update_participant_subscriptions). `options` may be
 * NULL (nobody). */
BWT_FUNCTION bw_status bwt_update_participant_subscriptions(bw_client *client,
                                                            const char *session_id,
                                                            const char *participant_id,
                                                            const bwt_subscription_options *options,
                                                            bwt_error *error)
{
    char *document = NULL, *request = bwt_subscriptions_request(options);
    bw_status status = BW_E_INTERNAL;

    bwt_begin_(error);
    if (request == NULL && options != NULL && options->length > 0 && options->participant_ids == NULL)
        return bwt_refuse_(error, "participant_ids", "is NULL, but length is not 0", "updateParticipantSubscriptions");
    if (request != NULL)
        status = bw_update_participant_subscriptions(client, session_id, participant_id, request,
                                                     &document);
    free(request);
    return bwt_finish_(error, status, document);
}

/* Frees subscriptions. NULL, and cleared subscriptions, are allowed. */
BWT_FUNCTION void bwt_subscriptions_clear(bwt_subscriptions *subscriptions)
{
    if (subscriptions == NULL)
        return;
    bw_free(subscriptions->session_id);
    bwt_texts_clear_(subscriptions->participant_ids, subscriptions->length);
    bw_free(subscriptions->document);
    memset(subscriptions, 0, sizeof *subscriptions);
}

/* Reads whom a participant hears (bw_get_participant_subscriptions). */
BWT_FUNCTION bw_status bwt_get_participant_subscriptions(bw_client *client,
                                                         const char *session_id,
                                                         const char *participant_id,
                                                         bwt_subscriptions *subscriptions,
                                                         bwt_error *error)
{
    char *document = NULL;
    size_t i;
    bw_status status =
        bw_get_participant_subscriptions(client, session_id, participant_id, &document);

    bwt_begin_(error);
    if (subscriptions != NULL)
        memset(subscriptions, 0, sizeof *subscriptions);
    if (status != BW_OK || subscriptions == NULL)
        return bwt_finish_(error, status, document);
    subscriptions->session_id = bwt_get(document, "/sessionId");
    status = bwt_items_(document, "/participants", &subscriptions->participant_ids,
                        &subscriptions->length);
    if (status != BW_OK) {
        bwt_subscriptions_clear(subscriptions);
        bw_free(document);
        return bwt_error_take_(error, status, NULL);
    }
    for (i = 0; i < subscriptions->length; i++) {
        char *item = subscriptions->participant_ids[i];
        subscriptions->participant_ids[i] = bwt_get(item, "/participantId");
        bw_free(item);
    }
    subscriptions->document = document;
    return BW_OK;
}

/* Frees an endpoint. NULL, and a cleared endpoint, are allowed. */
BWT_FUNCTION void bwt_endpoint_clear(bwt_endpoint *endpoint)
{
    size_t i;

    if (endpoint == NULL)
        return;
    for (i = 0; i < endpoint->device_count; i++) {
        bw_free(endpoint->devices[i].id);
        bw_free(endpoint->devices[i].name);
        bw_free(endpoint->devices[i].status);
    }
    free(endpoint->devices);
    bw_free(endpoint->id);
    bw_free(endpoint->token);
    bw_free(endpoint->status);
    bw_free(endpoint->tag);
    bw_free(endpoint->creation_timestamp);
    bw_free(endpoint->expiration_timestamp);
    bw_free(endpoint->document);
    memset(endpoint, 0, sizeof *endpoint);
}

/* Internal: fills an endpoint from its JSON object. Returns BW_E_INTERNAL if there is no memory. */
BWT_FUNCTION bw_status bwt_endpoint_read_(bwt_endpoint *endpoint, const char *object)
{
    size_t i, count;
    char **devices;
    bw_status status = bwt_items_(object, "/devices", &devices, &count);

    endpoint->id = bwt_get(object, "/endpointId");
    endpoint->token = bwt_get(object, "/token");
    endpoint->status = bwt_get(object, "/status");
    endpoint->tag = bwt_get(object, "/tag");
    endpoint->creation_timestamp = bwt_get(object, "/creationTimestamp");
    endpoint->expiration_timestamp = bwt_get(object, "/expirationTimestamp");
    endpoint->devices =
        count > 0 ? (bwt_device *)calloc(count, sizeof *endpoint->devices) : NULL;
    endpoint->device_count = endpoint->devices != NULL ? count : 0;
    if (endpoint->device_count < count)
        status = BW_E_INTERNAL;
    for (i = 0; i < endpoint->device_count; i++) {
        endpoint->devices[i].id = bwt_get(devices[i], "/deviceId");
        endpoint->devices[i].name = bwt_get(devices[i], "/deviceName");
        endpoint->devices[i].status = bwt_get(devices[i], "/status");
    }
    bwt_texts_clear_(devices, count);
    return status;
}

/* Internal: fills an endpoint from a response. */
BWT_FUNCTION bw_status bwt_endpoint_take_(bwt_endpoint *endpoint,
                                          bw_status status,
                                          char *document,
                                          bwt_error *error)
{
    char *data;

    bwt_begin_(error);
    if (endpoint != NULL)
        memset(endpoint, 0, sizeof *endpoint);
    if (status != BW_OK || endpoint == NULL)
        return bwt_finish_(error, status, document);
    data = bwt_get(document, "/data");
    if (data != NULL)
        status = bwt_endpoint_read_(endpoint, data);
    bw_free(data);
    endpoint->document = document;
    if (status != BW_OK) {
        bwt_endpoint_clear(endpoint);
        return bwt_error_take_(error, status, NULL);
    }
    return BW_OK;
}

/*
 * Returns the request document of createEndpoint as JSON text: the "body" of the document for
 * bw_queue_submit and bw_call. The caller frees the text with free. NULL if there is no memory, or if
 * connection_metadata is not exactly one JSON value.
 */
BWT_FUNCTION char *bwt_endpoint_request(const bwt_endpoint_options *options)
{
    bwt_text request = {NULL, 0, 256};

    request.text = (char *)malloc(request.capacity);
    bwt_append_(&request, "{", 1);
    bwt_append_field_(&request, "type", "WEBRTC");
    if (options != NULL) {
        bwt_append_field_(&request, "direction", options->direction);
        bwt_append_field_(&request, "tag", options->tag);
        bwt_append_field_(&request, "eventCallbackUrl", options->event_callback_url);
        bwt_append_field_(&request, "eventFallbackUrl", options->event_fallback_url);
        if (options->connection_metadata != NULL) {
            char *value = NULL;
            bw_status status = bw_json_get(options->connection_metadata, "", &value);
            bw_free(value);
            /* Not exactly one JSON value. */
            if (status != BW_OK && status != BW_E_NO_VALUE) {
                free(request.text);
                return NULL;
            }
            bwt_append_(&request, ",\"connectionMetadata\":", 22);
            bwt_append_(&request, options->connection_metadata, strlen(options->connection_metadata));
        }
    }
    bwt_append_(&request, "}", 1);
    return request.text;
}

/* Creates an endpoint and its token (bw_create_endpoint). `endpoint` must not be NULL. */
BWT_FUNCTION bw_status bwt_create_endpoint(bw_client *client,
                                           const bwt_endpoint_options *options,
                                           bwt_endpoint *endpoint,
                                           bwt_error *error)
{
    char *document = NULL, *request;
    bw_status status = BW_E_INTERNAL;

    if (error != NULL)
        memset(error, 0, sizeof *error);
    if (endpoint == NULL)
        return bwt_refuse_null_(error, "endpoint", "createEndpoint");
    memset(endpoint, 0, sizeof *endpoint);
    if (options != NULL && options->connection_metadata != NULL) {
        status = bw_json_get(options->connection_metadata, "", &document);
        bw_free(document);
        document = NULL;
        if (status == BW_E_INVALID_ARGUMENT)
            return bwt_refuse_(error, "connection_metadata", "is not one valid JSON value",
                               "createEndpoint");
        status = BW_E_INTERNAL;
    }
    request = bwt_endpoint_request(options);
    if (request != NULL)
        status = bw_create_endpoint(client, request, &document);
    free(request);
    return bwt_endpoint_take_(endpoint, status, document, error);
}

/* Reads an endpoint and its devices (bw_get_endpoint). */
BWT_FUNCTION bw_status bwt_get_endpoint(bw_client *client,
                                        const char *endpoint_id,
                                        bwt_endpoint *endpoint,
                                        bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_get_endpoint(client, endpoint_id, &document);

    return bwt_endpoint_take_(endpoint, status, document, error);
}

/* Deletes an endpoint (bw_delete_endpoint). */
BWT_FUNCTION bw_status bwt_delete_endpoint(bw_client *client,
                                           const char *endpoint_id,
                                           bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_delete_endpoint(client, endpoint_id, &document);

    bwt_begin_(error);
    return bwt_finish_(error, status, document);
}

/* Replaces the BXML of an endpoint (bw_update_endpoint_bxml). */
BWT_FUNCTION bw_status bwt_update_endpoint_bxml(bw_client *client,
                                                const char *endpoint_id,
                                                const char *bxml,
                                                bwt_error *error)
{
    char *document = NULL;
    bw_status status = bw_update_endpoint_bxml(client, endpoint_id, bxml, &document);

    bwt_begin_(error);
    return bwt_finish_(error, status, document);
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

/* Internal: replaces a URL by its parameter afterCursor, which is decoded. Returns 0 if there is none. */
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

/* Lists one page of endpoints (bw_list_endpoints). `query` may be NULL. The function overwrites `page`:
 * clear a previous page first. For the next page, set `after_cursor` to `next_cursor`, which must stay
 * valid until the call returns. Therefore, take it out of the page before you clear the page:
 *
 *     cursor = page.next_cursor;
 *     page.next_cursor = NULL;
 *     bwt_endpoint_page_clear(&page);
 *
 * Free it with bw_free after the call. Stop if a cursor is repeated. */
BWT_FUNCTION bw_status bwt_list_endpoints(bw_client *client,
                                          const bwt_endpoint_query *query,
                                          bwt_endpoint_page *page,
                                          bwt_error *error)
{
    bwt_text request = {NULL, 0, 128};
    char *document = NULL, **items;
    size_t i, count;
    bw_status status = BW_E_INTERNAL;

    bwt_begin_(error);
    if (page != NULL)
        memset(page, 0, sizeof *page);
    request.text = (char *)malloc(request.capacity);
    bwt_append_(&request, "{", 1);
    if (query != NULL) {
        bwt_append_field_(&request, "status", query->status);
        bwt_append_field_(&request, "afterCursor", query->after_cursor);
        bwt_append_number_(&request, "limit", query->limit);
    }
    bwt_append_(&request, "}", 1);
    if (request.text != NULL)
        status = bw_list_endpoints(client, request.text, &document);
    free(request.text);
    if (status != BW_OK || page == NULL)
        return bwt_finish_(error, status, document);
    status = bwt_items_(document, "/links", &items, &count);
    for (i = 0; i < count; i++) {
        char *rel = bwt_get(items[i], "/rel");
        char *href = bwt_get(items[i], "/href");
        if (page->next_cursor == NULL && rel != NULL && strcmp(rel, "next") == 0 && href != NULL &&
            bwt_cursor_(href)) {
            page->next_cursor = href;
            href = NULL;
        }
        bw_free(rel);
        bw_free(href);
    }
    bwt_texts_clear_(items, count);
    if (status == BW_OK)
        status = bwt_items_(document, "/data", &items, &count);
    else
        items = NULL, count = 0;
    bw_free(document);
    page->items = count > 0 ? (bwt_endpoint *)calloc(count, sizeof *page->items) : NULL;
    if (count > 0 && page->items == NULL) {
        bwt_texts_clear_(items, count);
        count = 0;
        items = NULL;
        status = BW_E_INTERNAL;
    }
    page->length = count;
    for (i = 0; i < count; i++) {
        bw_status read = bwt_endpoint_read_(&page->items[i], items[i]);
        page->items[i].document = items[i];
        status = read != BW_OK ? read : status;
    }
    free(items);
    if (status != BW_OK) {
        bwt_endpoint_page_clear(page);
        return bwt_error_take_(error, status, NULL);
    }
    return BW_OK;
}

/* Frees the strings of an event. NULL, and a cleared event, are allowed. */
BWT_FUNCTION void bwt_event_clear(bwt_event *event)
{
    if (event == NULL)
        return;
    bw_free(event->name);
    bw_free(event->participant_id);
    bw_free(event->endpoint_id);
    bw_free(event->device_id);
    bw_free(event->account_id);
    bw_free(event->tag);
    bw_free(event->to);
    bw_free(event->to_type);
    bw_free(event->document);
    memset(event, 0, sizeof *event);
}

/* Checks and reads the body of a webhook (bw_parse_event). */
BWT_FUNCTION bw_status bwt_parse_event(const char *body, bwt_event *event, bwt_error *error)
{
    char *document = NULL, *known, *time;
    const char *digit;
    bw_status status = bw_parse_event(body, &document);

    bwt_begin_(error);
    if (event != NULL)
        memset(event, 0, sizeof *event);
    if (status != BW_OK || event == NULL)
        return bwt_finish_(error, status, document);
    known = bwt_get(document, "/known");
    time = bwt_get(document, "/timestamp");
    event->name = bwt_get(document, "/event");
    event->is_known = known == NULL || strcmp(known, "false") != 0;
    /* Digits only, and at most 2^53 - 1. An unknown event may contain anything. */
    for (digit = time; digit != NULL && *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9' || digit - time >= 16) {
            event->timestamp_ms = 0;
            break;
        }
        event->timestamp_ms = event->timestamp_ms * 10 + (*digit - '0');
    }
    if (event->timestamp_ms >> 53 != 0)
        event->timestamp_ms = 0;
    event->participant_id = bwt_get(document, "/participantId");
    event->endpoint_id = bwt_get(document, "/endpointId");
    event->device_id = bwt_get(document, "/deviceId");
    event->account_id = bwt_get(document, "/accountId");
    event->tag = bwt_get(document, "/tag");
    event->to = bwt_get(document, "/to");
    event->to_type = bwt_get(document, "/toType");
    event->document = document;
    bw_free(known);
    bw_free(time);
    return BW_OK;
}

/* Internal: reads the BXML from a document. */
BWT_FUNCTION bw_status bwt_bxml_take_(char **bxml, bw_status status, char *document, bwt_error *error)
{
    *bxml = NULL;
    if (status != BW_OK)
        return bwt_error_take_(error, status, document);
    *bxml = bwt_get(document, "/bxml");
    bw_free(document);
    return *bxml != NULL ? BW_OK : bwt_error_take_(error, BW_E_INTERNAL, NULL);
}

/* Creates the BXML that connects a phone call to endpoints (bw_connect_bxml). `endpoint_ids` are
 * `length` ids. The URLs may be NULL. The caller frees `*bxml` with bw_free. */
BWT_FUNCTION bw_status bwt_connect_bxml(const char *const *endpoint_ids,
                                        size_t length,
                                        const char *event_callback_url,
                                        const char *event_fallback_url,
                                        char **bxml,
                                        bwt_error *error)
{
    bwt_text ids = {NULL, 0, 128}, options = {NULL, 0, 128};
    char *document = NULL;
    size_t i;
    bw_status status = BW_OK;

    bwt_begin_(error);
    if (bxml == NULL)
        return bwt_refuse_(error, "bxml", "is NULL", NULL);
    *bxml = NULL;
    if (endpoint_ids == NULL && length > 0)
        return bwt_refuse_(error, "endpoint_ids", "is NULL, but length is not 0", NULL);
    ids.text = (char *)malloc(ids.capacity);
    options.text = (char *)malloc(options.capacity);
    bwt_append_(&ids, "[", 1);
    for (i = 0; i < length && status == BW_OK; i++) {
        char *quoted = NULL;
        status = bw_json_quote(endpoint_ids[i], &quoted);
        if (status != BW_OK) {
            document = quoted;
        } else {
            bwt_append_(&ids, ",", i > 0 ? 1 : 0);
            bwt_append_(&ids, quoted, strlen(quoted));
            bw_free(quoted);
        }
    }
    bwt_append_(&ids, "]", 1);
    bwt_append_(&options, "{", 1);
    bwt_append_field_(&options, "eventCallbackUrl", event_callback_url);
    bwt_append_field_(&options, "eventFallbackUrl", event_fallback_url);
    bwt_append_(&options, "}", 1);
    if (ids.text == NULL || options.text == NULL)
        status = status == BW_OK ? BW_E_INTERNAL : status;
    else if (status == BW_OK)
        status = bw_connect_bxml(ids.text, options.text, &document);
    free(ids.text);
    free(options.text);
    return bwt_bxml_take_(bxml, status, document, error);
}

/* Creates the BXML that transfers a phone call to a session (bw_transfer_bxml). `call_id` and `sip_uri`
 * may be NULL. The caller frees `*bxml` with bw_free. */
BWT_FUNCTION bw_status bwt_transfer_bxml(const char *token,
                                         const char *call_id,
                                         const char *sip_uri,
                                         char **bxml,
                                         bwt_error *error)
{
    char *document = NULL;
    bw_status status;

    bwt_begin_(error);
    if (bxml == NULL)
        return bwt_refuse_(error, "bxml", "is NULL", NULL);
    status = bw_transfer_bxml(token, call_id, sip_uri, &document);
    return bwt_bxml_take_(bxml, status, document, error);
}

#ifdef __cplusplus
}
#endif

#endif /* BW_WEBRTC_TYPED_H */
