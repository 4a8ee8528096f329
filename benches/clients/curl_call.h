/* A call with libcurl and cJSON, as a careful C programmer writes it: the handle is reused. */
#ifndef BENCH_CURL_CALL_H
#define BENCH_CURL_CALL_H

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <string.h>

#include "measure.h"

typedef struct curl_call {
    CURL *curl;
    char *response;
    size_t length;
} curl_call;

static size_t curl_call_on_data(char *data, size_t one, size_t count, void *user_data)
{
    curl_call *call = user_data;
    char *grown = realloc(call->response, call->length + count * one + 1);

    if (grown == NULL)
        return 0;
    call->response = grown;
    memcpy(call->response + call->length, data, count * one);
    call->length += count * one;
    call->response[call->length] = '\0';
    return count * one;
}

static void curl_call_init(curl_call *call, const char *url, const char *ca_file,
                           struct curl_slist *headers)
{
    call->curl = curl_easy_init();
    curl_easy_setopt(call->curl, CURLOPT_URL, url);
    curl_easy_setopt(call->curl, CURLOPT_USERPWD, "user:secret");
    curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(call->curl, CURLOPT_WRITEFUNCTION, curl_call_on_data);
    curl_easy_setopt(call->curl, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(call->curl, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(call->curl, CURLOPT_CONNECTTIMEOUT_MS, 3000L);
    curl_easy_setopt(call->curl, CURLOPT_NOSIGNAL, 1L);
    if (ca_file != NULL)
        curl_easy_setopt(call->curl, CURLOPT_CAINFO, ca_file);
}

static struct curl_slist *curl_call_headers(void)
{
    return curl_slist_append(NULL, "Content-Type: application/json");
}

/* Returns a request body, to be freed after the call. */
static char *curl_call_request(curl_call *call)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *permissions = cJSON_AddArrayToObject(body, "publishPermissions");
    char *request;

    cJSON_AddItemToArray(permissions, cJSON_CreateString("AUDIO"));
    cJSON_AddItemToArray(permissions, cJSON_CreateString("VIDEO"));
    cJSON_AddStringToObject(body, "tag", "a caller");
    request = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    call->length = 0;
    curl_easy_setopt(call->curl, CURLOPT_POSTFIELDS, request);
    return request;
}

/* Ends the benchmark if the response is not a created participant. */
static void curl_call_check(curl_call *call)
{
    long status = 0;
    cJSON *response;

    curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    response = cJSON_Parse(call->response);
    if (status != 200 || cJSON_GetObjectItem(response, "token") == NULL)
        bench_fail("no token");
    cJSON_Delete(response);
}

static void curl_call_free(curl_call *call)
{
    curl_easy_cleanup(call->curl);
    free(call->response);
}

#endif
