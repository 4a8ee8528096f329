/* libcurl's multi interface in an event loop, with an easy handle for each call in flight, and cJSON. */
#include "curl_call.h"
#include "loop.h"

typedef struct call {
    curl_call curl;
    size_t slot;
    char *request;
} call;

static CURLM *multi;
static struct curl_slist *headers;
static call *all;
static size_t count;

static void loop_begin(const char *url, const char *ca_file, size_t in_flight)
{
    char target[512];
    size_t i;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(target, sizeof target, "%s/accounts/9900000/participants", url);
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)in_flight);
    headers = curl_call_headers();
    count = in_flight;
    all = calloc(count, sizeof *all);
    for (i = 0; i < count; i++) {
        all[i].slot = i;
        curl_call_init(&all[i].curl, target, ca_file, headers);
        curl_easy_setopt(all[i].curl.curl, CURLOPT_PRIVATE, &all[i]);
    }
}

static void loop_start(size_t slot)
{
    call *c = &all[slot];

    free(c->request);
    c->request = curl_call_request(&c->curl);
    curl_multi_add_handle(multi, c->curl.curl);
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
        call *c;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        curl_multi_remove_handle(multi, message->easy_handle);
        if (result != CURLE_OK)
            bench_fail(curl_easy_strerror(result));
        curl_call_check(&c->curl);
        loop_done(c->slot);
    }
}

static void loop_end(void)
{
    size_t i;

    for (i = 0; i < count; i++) {
        curl_multi_remove_handle(multi, all[i].curl.curl);
        curl_call_free(&all[i].curl);
        free(all[i].request);
    }
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    free(all);
}
