/* libcurl and cJSON, as a careful C programmer writes it: one easy handle a thread, reused. */
#include <cjson/cJSON.h>
#include <curl/curl.h>

#include "bench.h"

typedef struct session {
    CURL *curl;
    struct curl_slist *headers;
    char *answer;
    size_t length;
} session;

static char url[512];
static const char *authority;

static size_t on_data(char *data, size_t one, size_t count, void *to)
{
    session *s = to;
    char *grown = realloc(s->answer, s->length + count * one + 1);

    if (grown == NULL)
        return 0;
    s->answer = grown;
    memcpy(s->answer + s->length, data, count * one);
    s->length += count * one;
    s->answer[s->length] = '\0';
    return count * one;
}

static void bench_begin(const char *base, const char *ca_file)
{
    snprintf(url, sizeof url, "%s/accounts/" ACCOUNT "/participants", base);
    authority = ca_file;
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void *bench_thread(void)
{
    session *s = calloc(1, sizeof *s);

    s->curl = curl_easy_init();
    s->headers = curl_slist_append(NULL, "Content-Type: application/json");
    curl_easy_setopt(s->curl, CURLOPT_URL, url);
    curl_easy_setopt(s->curl, CURLOPT_USERPWD, "user:secret");
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT_MS, 3000L);
    curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
    if (authority != NULL)
        curl_easy_setopt(s->curl, CURLOPT_CAINFO, authority);
    return s;
}

static void bench_call(void *thread)
{
    session *s = thread;
    cJSON *body = cJSON_CreateObject(), *answer;
    cJSON *permissions = cJSON_AddArrayToObject(body, "publishPermissions");
    char *request;
    long status = 0;
    CURLcode failed;

    cJSON_AddItemToArray(permissions, cJSON_CreateString("AUDIO"));
    cJSON_AddItemToArray(permissions, cJSON_CreateString("VIDEO"));
    cJSON_AddStringToObject(body, "tag", "a caller");
    request = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    s->length = 0;
    curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, request);
    failed = curl_easy_perform(s->curl);
    free(request);
    if (failed == CURLE_PEER_FAILED_VERIFICATION)
        bench_refused(curl_easy_strerror(failed));
    if (failed != CURLE_OK)
        bench_fail(curl_easy_strerror(failed));
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    answer = cJSON_Parse(s->answer);
    if (status != 200 || cJSON_GetObjectItem(answer, "token") == NULL)
        bench_fail("no token");
    cJSON_Delete(answer);
}

static void bench_end(void *thread)
{
    session *s = thread;

    curl_easy_cleanup(s->curl);
    curl_slist_free_all(s->headers);
    free(s->answer);
    free(s);
}
