/* libcurl and cJSON: one easy handle for each thread. */
#include "bench.h"
#include "curl_call.h"

typedef struct session {
    curl_call call;
    struct curl_slist *headers;
} session;

static char url[512];
static const char *authority;

static void bench_begin(const char *base, const char *ca_file)
{
    snprintf(url, sizeof url, "%s/accounts/" ACCOUNT "/participants", base);
    authority = ca_file;
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void *bench_thread(void)
{
    session *s = calloc(1, sizeof *s);

    s->headers = curl_call_headers();
    curl_call_init(&s->call, url, authority, s->headers);
    return s;
}

static void bench_call(void *thread)
{
    session *s = thread;
    char *request = curl_call_request(&s->call);
    CURLcode failed = curl_easy_perform(s->call.curl);

    free(request);
    if (failed == CURLE_PEER_FAILED_VERIFICATION)
        bench_refused(curl_easy_strerror(failed));
    if (failed != CURLE_OK)
        bench_fail(curl_easy_strerror(failed));
    curl_call_check(&s->call);
}

static void bench_end(void *thread)
{
    session *s = thread;

    curl_call_free(&s->call);
    curl_slist_free_all(s->headers);
    free(s);
}
