/*
 * bw_webrtc_typed.h: structs instead of JSON, for C programs without a JSON library.
 *
 * Header-only, for C89 and later. It uses bw_webrtc.h only. All names begin with bwt_, so that they
 * do not conflict with functions of later versions of libbw_webrtc.
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

/* A participant that was created. Free the strings with bwt_participant_clear. */
typedef struct bwt_participant {
    char *id;       /* the participant's id */
    char *token;    /* the token with which its device connects (a secret) */
    char *document; /* the service's response (JSON) */
} bwt_participant;

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

BWT_FUNCTION void bwt_append_(bwt_text *to, const char *bytes, size_t count)
{
    if (to->text != NULL && count >= to->capacity - to->length) {
        size_t capacity = (to->capacity + count) * 2;
        char *grown = capacity > count ? (char *)realloc(to->text, capacity) : NULL;
        if (grown == NULL)
            free(to->text);
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
    if (config.text != NULL) {
        /* Erase the secret. */
        volatile char *byte = config.text;
        while (config.length-- > 0)
            *byte++ = '\0';
        free(config.text);
    }
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
    memset(participant, 0, sizeof *participant);
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
    if (participant == NULL) {
        /* bw_create_participant also rejects this, without a document. */
        static const char refusal[] =
            "{\"error\":{\"status\":1,\"name\":\"BW_E_INVALID_ARGUMENT\",\"message\":\"participant: is "
            "NULL; the token, which is returned only once, would be lost\","
            "\"operation\":\"createParticipant\",\"outcome\":\"not_sent\",\"attempts\":0,"
            "\"httpStatus\":null,\"requestId\":null,\"retryAfterMs\":null,\"body\":null}}";
        return bwt_error_take_(error, BW_E_INVALID_ARGUMENT, bwt_get(refusal, ""));
    }
    memset(participant, 0, sizeof *participant);
    request = bwt_participant_request(options);
    if (request == NULL)
        return bwt_error_take_(error, BW_E_INTERNAL, NULL);
    status = bw_create_participant(client, request, &document);
    free(request);
    if (status != BW_OK)
        return bwt_error_take_(error, status, document);
    participant->document = document;
    participant->id = bwt_get(document, "/participant/id");
    participant->token = bwt_get(document, "/token");
    return BW_OK;
}

#ifdef __cplusplus
}
#endif

#endif /* BW_WEBRTC_TYPED_H */
