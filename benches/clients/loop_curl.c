/* libcurl's multi interface in an event loop, with an easy handle for each call in flight, and cJSON. */
#include <cjson/cJSON.h>
#include <curl/curl.h>

#include "loop.h"

typedef struct call {
    CURL *curl;
    size_t slot;
    char *request, *answer;
    size_t length;
} call;

static CURLM *multi;
static struct curl_slist *headers;
static call *all;
static size_t count;

static size_t on_data(char *data, size_t one, size_t size, void *to)
{
    call *c = to;
    char *grown = realloc(c->answer, c->length + size * one + 1);

    if (grown == NULL)
        return 0;
    c->answer = grown;
    memcpy(c->answer + c->length, data, size * one);
    c->length += size * one;
    c->answer[c->length] = '\0';
    return size * one;
}

static void loop_begin(const char *url, const char *ca_file, size_t in_flight)
{
    char target[512];
    size_t i;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(target, sizeof target, "%s/accounts/9900000/participants", url);
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)in_flight);
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    count = in_flight;
    all = calloc(count, sizeof *all);
    for (i = 0; i < count; i++) {
        call *c = &all[i];

        c->slot = i;
        c->curl = curl_easy_init();
        curl_easy_setopt(c->curl, CURLOPT_URL, target);
        curl_easy_setopt(c->curl, CURLOPT_USERPWD, "user:secret");
        curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_data);
        curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
        curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
        curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, 10000L);
        curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, 3000L);
        curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
        if (ca_file != NULL)
            curl_easy_setopt(c->curl, CURLOPT_CAINFO, ca_file);
    }
}

static void loop_start(size_t slot)
{
    call *c = &all[slot];
    cJSON *body = cJSON_CreateObject();
    cJSON *permissions = cJSON_AddArrayToObject(body, "publishPermissions");

    cJSON_AddItemToArray(permissions, cJSON_CreateString("AUDIO"));
    cJSON_AddItemToArray(permissions, cJSON_CreateString("VIDEO"));
    cJSON_AddStringToObject(body, "tag", "a caller");
    free(c->request);
    c->request = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    c->length = 0;
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->request);
    curl_multi_add_handle(multi, c->curl);
}

static void loop_turn(void)
{
    CURLMsg *message;
    int running, left;

    loop_waits();
    curl_multi_poll(multi, NULL, 0, 1000, NULL);
    loop_wakes();
    curl_multi_perform(multi, &running);
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        CURLcode result = message->data.result;
        long status = 0;
        cJSON *answer;
        call *c;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        curl_multi_remove_handle(multi, message->easy_handle);
        if (result != CURLE_OK)
            loop_fail(curl_easy_strerror(result));
        answer = cJSON_Parse(c->answer);
        if (status != 200 || cJSON_GetObjectItem(answer, "token") == NULL)
            loop_fail("no token");
        cJSON_Delete(answer);
        loop_done(c->slot);
    }
}

static void loop_end(void)
{
    size_t i;

    for (i = 0; i < count; i++) {
        curl_multi_remove_handle(multi, all[i].curl);
        curl_easy_cleanup(all[i].curl);
        free(all[i].request);
        free(all[i].answer);
    }
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    free(all);
}
