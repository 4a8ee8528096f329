/* libbw_webrtc from C. With -DWITH_CJSON, the program creates and parses JSON with cJSON, as with libcurl. */
#include "bench.h"
#include "ours_config.h"
#ifdef WITH_CJSON
#include <cjson/cJSON.h>
#endif

static bw_client *client;

static void bench_begin(const char *url, const char *ca_file) { client = ours_new(url, ca_file); }
static void *bench_thread(void) { return NULL; }
static void bench_end(void *thread) { (void)thread; }

static void bench_call(void *thread)
{
    char *out, *request = NULL;
    bw_status status;

    (void)thread;
#ifdef WITH_CJSON
    cJSON *body = cJSON_CreateObject(), *response;
    cJSON *permissions = cJSON_AddArrayToObject(body, "publishPermissions");
    cJSON_AddItemToArray(permissions, cJSON_CreateString("AUDIO"));
    cJSON_AddItemToArray(permissions, cJSON_CreateString("VIDEO"));
    cJSON_AddStringToObject(body, "tag", "a caller");
    request = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
#endif
    status = bw_create_participant(client, request != NULL ? request : REQUEST, &out);
    if (status == BW_E_TLS)
        bench_refused(out);
    if (status != BW_OK)
        bench_fail(out);
#ifdef WITH_CJSON
    response = cJSON_Parse(out);
    if (cJSON_GetObjectItem(response, "token") == NULL)
        bench_fail("no token");
    cJSON_Delete(response);
    free(request);
#endif
    bw_free(out);
}
