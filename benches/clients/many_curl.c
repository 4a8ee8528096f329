/* Many easy handles of libcurl, each set up as for a call. */
#include <curl/curl.h>
#include <string.h>

#include "many.h"

static struct curl_slist *headers;

static size_t on_data(char *data, size_t one, size_t count, void *unused)
{
    (void)data, (void)unused;
    return one * count;
}

static void *many_new(const char *url, const char *ca_file)
{
    char target[512];
    CURL *curl = curl_easy_init();

    if (headers == NULL)
        headers = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(target, sizeof target, "%s/accounts/9900000/participants", url);
    curl_easy_setopt(curl, CURLOPT_URL, target);
    curl_easy_setopt(curl, CURLOPT_USERPWD, "user:secret");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "{}");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (ca_file != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    return curl;
}

static void many_free(void *client) { curl_easy_cleanup(client); }

static void many_call(void *client)
{
    CURLcode failed = curl_easy_perform(client);

    if (failed != CURLE_OK)
        exit((fprintf(stderr, "%s\n", curl_easy_strerror(failed)), 1));
}
