/* libbw_webrtc from C. With -DWITH_CJSON the caller makes and reads its JSON with cJSON, as it would
 * with libcurl. */
#include "bench.h"
#include "bw_webrtc.h"
#ifdef WITH_CJSON
#include <cjson/cJSON.h>
#endif

static bw_client *client;

static void bench_begin(const char *url, const char *ca_file)
{
    char config[1024], *error = NULL;

    snprintf(config, sizeof config,
             "{\"accountId\":\"" ACCOUNT "\",\"username\":\"user\",\"password\":\"secret\","
             "\"baseUrl\":\"%s\"%s%s%s}",
             url, ca_file != NULL ? ",\"caFile\":\"" : "", ca_file != NULL ? ca_file : "",
             ca_file != NULL ? "\"" : "");
    if (bw_client_new(config, &client, &error) != BW_OK)
        bench_fail(error);
}

static void *bench_thread(void) { return NULL; }
static void bench_end(void *thread) { (void)thread; }

static void bench_call(void *thread)
{
    char *out, *request = NULL;

    (void)thread;
#ifdef WITH_CJSON
    cJSON *body = cJSON_CreateObject(), *answer;
    cJSON *permissions = cJSON_AddArrayToObject(body, "publishPermissions");
    cJSON_AddItemToArray(permissions, cJSON_CreateString("AUDIO"));
    cJSON_AddItemToArray(permissions, cJSON_CreateString("VIDEO"));
    cJSON_AddStringToObject(body, "tag", "a caller");
    request = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
#endif
    if (bw_create_participant(client, request != NULL ? request : REQUEST, &out) != BW_OK)
        bench_fail(out);
#ifdef WITH_CJSON
    answer = cJSON_Parse(out);
    if (cJSON_GetObjectItem(answer, "token") == NULL)
        bench_fail("no token");
    cJSON_Delete(answer);
    free(request);
#endif
    bw_free(out);
}
