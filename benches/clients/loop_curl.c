/* libcurl's multi interface and cJSON in an event loop: an easy handle for each call in progress. */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

typedef struct slot_state {
    CURL *curl;
    char *response, *request;
    size_t length;
} slot_state;

static CURLM *multi;
static slot_state *slots;
static struct curl_slist *headers;

static void fail(const char *what)
{
    fprintf(stderr, "the benchmark failed: %s\n", what);
    exit(1);
}

static size_t on_data(char *data, size_t one, size_t count, void *to)
{
    slot_state *s = to;
    char *grown = realloc(s->response, s->length + count * one + 1);

    if (grown == NULL)
        return 0;
    s->response = grown;
    memcpy(s->response + s->length, data, count * one);
    s->length += count * one;
    s->response[s->length] = '\0';
    return count * one;
}

static void loop_begin(const char *base, const char *ca_file, long count)
{
    char url[512];
    long i;

    snprintf(url, sizeof url, "%s/accounts/9900000/participants", base);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, count);
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    slots = calloc((size_t)count, sizeof *slots);
    for (i = 0; i < count; i++) {
        CURL *curl = slots[i].curl = curl_easy_init();

        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_USERPWD, "user:secret");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &slots[i]);
        curl_easy_setopt(curl, CURLOPT_PRIVATE, (char *)(i + 1));
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 3000L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        if (ca_file != NULL)
            curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    }
}

static void loop_start(long slot)
{
    slot_state *s = &slots[slot];
    cJSON *body = cJSON_CreateObject();
    cJSON *permissions = cJSON_AddArrayToObject(body, "publishPermissions");

    cJSON_AddItemToArray(permissions, cJSON_CreateString("AUDIO"));
    cJSON_AddItemToArray(permissions, cJSON_CreateString("VIDEO"));
    cJSON_AddStringToObject(body, "tag", "a caller");
    free(s->request);
    s->request = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    s->length = 0;
    curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, s->request);
    curl_multi_add_handle(multi, s->curl);
}

static void loop_wait(void)
{
    int running;

    /* Starts what was added, as the manual says. */
    curl_multi_perform(multi, &running);
    if (curl_multi_poll(multi, NULL, 0, 1000, NULL) != CURLM_OK)
        fail("poll");
}

static void loop_handle(void)
{
    CURLMsg *message;
    int running, left;

    curl_multi_perform(multi, &running);
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        CURLcode result = message->data.result;
        CURL *curl = message->easy_handle;
        char *slot = NULL;
        long status = 0;
        cJSON *response;

        if (result != CURLE_OK)
            fail(curl_easy_strerror(result));
        curl_easy_getinfo(curl, CURLINFO_PRIVATE, &slot);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        curl_multi_remove_handle(multi, curl);
        response = cJSON_Parse(slots[(long)slot - 1].response);
        if (status != 200 || cJSON_GetObjectItem(response, "token") == NULL)
            fail("no token");
        cJSON_Delete(response);
        loop_done((long)slot - 1);
    }
}

static void loop_end(void)
{
    long i;

    for (i = 0; i < loop_slots; i++) {
        curl_easy_cleanup(slots[i].curl);
        free(slots[i].response);
        free(slots[i].request);
    }
    free(slots);
    curl_slist_free_all(headers);
    curl_multi_cleanup(multi);
}
