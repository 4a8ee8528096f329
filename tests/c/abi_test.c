/* The C ABI without a server: invalid arguments, invalid handles, and the memory of a million clients.
 * Usage: abi_test [NUMBER_OF_CLIENTS] */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "check_call.h"

static const char CONFIG[] = "{\"accountId\":\"1\",\"username\":\"u\",\"password\":\"" SECRET "\","
                             "\"baseUrl\":\"http://127.0.0.1:9/v1\",\"maxRetries\":0,"
                             "\"endpointsUrl\":\"http://127.0.0.1:9/v2\"}";

static bw_client *new_client(void)
{
    bw_client *client = NULL;
    char *error = NULL;

    CHECK(bw_client_new(CONFIG, &client, &error) == BW_OK);
    CHECK(client != NULL && error == NULL);
    return client;
}

static void reject_config(const char *config, bw_status expected, const char *part)
{
    bw_client *client = (bw_client *)&client;

    CHECK_FAILURE(bw_client_new(config, &client, &out), expected, part);
    CHECK(client == NULL);
}

static void reject_request(bw_client *client, const char *request, bw_status expected, const char *part)
{
    CHECK_FAILURE(bw_create_participant(client, request, &out), expected, part);
}

static char *repeated(const char *head, char with, size_t count, const char *tail)
{
    char *text = malloc(strlen(head) + count + strlen(tail) + 1);

    if (text == NULL)
        abort();
    strcpy(text, head);
    memset(text + strlen(head), with, count);
    strcpy(text + strlen(head) + count, tail);
    return text;
}

static void invalid_configurations(void)
{
    char *huge = repeated("{\"username\":\"", 'x', 10 * 1000 * 1000, "\"}");
    char *deep = repeated("{\"username\":", '[', 60 * 1000, "}");

    reject_config("", BW_E_CONFIG, "config: is empty");
    reject_config("nonsense", BW_E_CONFIG, "config: is not valid JSON");
    reject_config("[]", BW_E_CONFIG, "not an array");
    reject_config("5", BW_E_CONFIG, "not a number");
    reject_config("{\"\xff\":1}", BW_E_INVALID_ARGUMENT, "config_json: is not valid UTF-8");
    reject_config("{\"tiemoutMs\":1}", BW_E_CONFIG, "did you mean timeoutMs?");
    reject_config("{\"password\":7,\"timeoutMs\":\"x\"}", BW_E_CONFIG,
                  "config.password: must be a string, not a number; config.timeoutMs: must be a whole "
                  "number");
    reject_config("{\"password\":\"a\\u0000b\"}", BW_E_CONFIG, "config.password: must not contain U+0000");
    reject_config(huge, BW_E_CONFIG, "has more than 65536 bytes");
    reject_config(deep, BW_E_CONFIG, "is not valid JSON");
    reject_config("{\"environment\":1}", BW_E_CONFIG, "config.environment: must be a boolean");
    reject_config("{\"configFile\":\"\"}", BW_E_CONFIG, "config.configFile: is empty");
    reject_config("{\"configFile\":\"/nowhere\"}", BW_E_CONFIG,
                  "/nowhere: the settings file cannot be read");
    free(huge);
    free(deep);
}

static void invalid_requests(bw_client *client)
{
    char *huge = repeated("{\"tag\":\"", 'x', 10 * 1000 * 1000, "\"}");
    char *deep = repeated("", '[', 100 * 1000, "");
    char *out = NULL;

    reject_request(client, NULL, BW_E_INVALID_ARGUMENT, "request_json: is NULL");
    reject_request(client, "", BW_E_INVALID_ARGUMENT, "request: is empty");
    reject_request(client, "{]", BW_E_INVALID_ARGUMENT, "request: is not valid JSON");
    reject_request(client, "null", BW_E_INVALID_ARGUMENT, "not null");
    reject_request(client, "{\"tag\":\"\xc3\x28\"}", BW_E_INVALID_ARGUMENT, "not valid UTF-8 (at byte 8)");
    reject_request(client, "{\"tag\":\"\\u0000\"}", BW_E_INVALID_ARGUMENT, "must not contain U+0000");
    reject_request(client, "{\"tag\":1,\"tagg\":2,\"publishPermissions\":[\"AUDOI\"]}",
                   BW_E_INVALID_ARGUMENT,
                   "request.tag: must be a string, not a number; request.tagg: is not known; did you "
                   "mean tag?; request.publishPermissions[0]: \"AUDOI\" is not one of AUDIO, VIDEO");
    reject_request(client, huge, BW_E_INVALID_ARGUMENT, "at most 65536 are allowed");
    reject_request(client, deep, BW_E_INVALID_ARGUMENT, "request: ");
    reject_request(NULL, "{}", BW_E_INVALID_HANDLE, "client: is NULL");
    CHECK(bw_create_participant(client, "{}", NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bw_client_set_credentials(client, NULL, "x", &out) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(out, "is NULL");
    bw_free(out);
    CHECK(bw_client_set_credentials(client, "u", "new", &out) == BW_OK && out == NULL);
    CHECK(bw_client_set_credentials(NULL, "u", "new", NULL) == BW_E_INVALID_HANDLE);
    CHECK_FAILURE(bw_client_reload(client, &out), BW_E_CONFIG, "there is nothing to reload");
    CHECK_FAILURE(bw_client_reload(NULL, &out), BW_E_INVALID_HANDLE, "client: is NULL");
    CHECK(bw_client_reload(client, NULL) == BW_E_CONFIG);
    free(huge);
    free(deep);
}

static void reject_value(const char *json, const char *pointer, bw_status expected, const char *part)
{
    CHECK_FAILURE(bw_json_get(json, pointer, &out), expected, part);
}

static void json_get(void)
{
    char *text = NULL;

    CHECK(bw_json_get("{\"a\":[true,\"b\\\"\"]}", "/a/1", &text) == BW_OK);
    CHECK(text != NULL && strcmp(text, "b\"") == 0);
    bw_free(text);
    reject_value("{}", "/a", BW_E_NO_VALUE, "there is no value at \"/a\"");
    reject_value(NULL, "", BW_E_INVALID_ARGUMENT, "json: is NULL");
    reject_value("{}", NULL, BW_E_INVALID_ARGUMENT, "pointer: is NULL");
    reject_value("{", "", BW_E_INVALID_ARGUMENT, "json: is not valid JSON");
    reject_value("\"\\u0000\"", "", BW_E_INVALID_ARGUMENT, "U+0000");
    CHECK(bw_json_get("{}", "", NULL) == BW_OK);
}

static void json_length_and_quote(void)
{
    uint64_t length = 7;
    char *huge = repeated("", '"', 1000 * 1000, "");

    CHECK(bw_json_length("{\"a\":[1,[2],{}]}", "/a", &length, NULL) == BW_OK && length == 3);
    CHECK(bw_json_length("{\"a\":1}", "", &length, NULL) == BW_OK && length == 1);
    CHECK_FAILURE(bw_json_length("{}", "/a", &length, &out), BW_E_NO_VALUE, "no value at \"/a\"");
    CHECK(length == 0);
    CHECK_FAILURE(bw_json_length(NULL, "", NULL, &out), BW_E_INVALID_ARGUMENT, "json: is NULL");
    CHECK_FAILURE(bw_json_length("{}", NULL, NULL, &out), BW_E_INVALID_ARGUMENT, "pointer: is NULL");
    CHECK_FAILURE(bw_json_length("[\"\xff\"]", "", NULL, &out), BW_E_INVALID_ARGUMENT, "not valid UTF-8");
    CHECK_FAILURE(bw_json_length("[1", "", NULL, &out), BW_E_INVALID_ARGUMENT, "is not valid JSON");
    CHECK_FAILURE(bw_json_length("\"a\"", "", NULL, &out), BW_E_INVALID_ARGUMENT, "an array or an object");
    CHECK_SUCCESS(bw_json_quote("a\"\\\n\xc3\xa9", &out), "\"a\\\"\\\\\\n\xc3\xa9\"");
    CHECK_FAILURE(bw_json_quote(NULL, &out), BW_E_INVALID_ARGUMENT, "text: is NULL");
    CHECK_FAILURE(bw_json_quote("\xed\xa0\x80", &out), BW_E_INVALID_ARGUMENT, "not valid UTF-8");
    CHECK(bw_json_quote("", NULL) == BW_OK);
    CHECK_SUCCESS(bw_json_quote(huge, &out), "\\\"\\\"");
    free(huge);
}

enum endpoint_call { CREATE, LIST, GET, DELETE, UPDATE, UPDATE_ID, CONNECT, CONNECT_OPTIONS, UUI, UUI_CALL };

static bw_status call_endpoint(enum endpoint_call call, bw_client *client, const char *text, char **out)
{
    switch (call) {
    case CREATE: return bw_create_endpoint(client, text, out);
    case LIST: return bw_list_endpoints(client, text, out);
    case GET: return bw_get_endpoint(client, text, out);
    case DELETE: return bw_delete_endpoint(client, text, out);
    case UPDATE: return bw_update_endpoint_bxml(client, "e-1", text, out);
    case UPDATE_ID: return bw_update_endpoint_bxml(client, text, "<Response/>", out);
    case CONNECT: return bw_connect_bxml(text, NULL, out);
    case CONNECT_OPTIONS: return bw_connect_bxml("[\"e-1\"]", text, out);
    case UUI: return bw_uui(text, NULL, out);
    default: return bw_uui("a.b.c", text, out);
    }
}

/* Every text argument of the functions for endpoints, with invalid texts. */
static void invalid_endpoint_arguments(bw_client *client)
{
    static const struct {
        enum endpoint_call call;
        const char *text, *part;
    } cases[] = {
        {CREATE, "[]", "request: must be a JSON object"},
        {CREATE, "{}", "request.type: is missing"},
        {CREATE, "{\"type\":\"SIP\",\"direction\":7,\"tag\":[]}", "request.direction: must be a string"},
        {CREATE, "{\"type\":\"WEBRTC\",\"direction\":\"INBOUND\",\"connectionMetadata\":[]}",
         "request.connectionMetadata: must be"},
        {CREATE, "{\"type\":\"WEBRTC\",\"direction\":\"INBOUND\",\"eventCallbackUrl\":\"/x\"}",
         "request.eventCallbackUrl: "},
        {LIST, "[]", "query: must be a JSON object"},
        {LIST, "{\"limit\":0}", "query.limit: "},
        {LIST, "{\"limit\":\"1\"}", "query.limit: "},
        {LIST, "{\"status\":\"connected\"}", "query.status: "},
        {LIST, "{\"cursor\":\"x\"}", "query.cursor: is not known"},
        {GET, "", "endpointId: "},
        {GET, "..", "endpointId: "},
        {DELETE, ".", "endpointId: "},
        {UPDATE, "", "bxml: "},
        {UPDATE, "<Response>", "bxml: "},
        {UPDATE, "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "bxml: "},
        {UPDATE_ID, "..", "endpointId: "},
        {CONNECT, "{}", "endpoint_ids: must be an array"},
        {CONNECT, "[]", "endpoint_ids: is empty"},
        {CONNECT, "[[]]", "endpoint_ids[0]: must be a string"},
        {CONNECT, "[\"e\\u0000\"]", "endpoint_ids[0]: "},
        {CONNECT_OPTIONS, "[]", "options: must be a JSON object"},
        {CONNECT_OPTIONS, "{\"eventCallbackUrl\":7}", "options.eventCallbackUrl: must be a string"},
        {UUI, "", "token: "},
        {UUI, "a b", "token: "},
        {UUI_CALL, "c-1", "call_id: "},
    };
    char *huge = repeated("", 'x', 10 * 1000 * 1000, "");
    char *deep = repeated("", '[', 100 * 1000, "");
    size_t i;
    int call;

    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_FAILURE(call_endpoint(cases[i].call, client, cases[i].text, &out), BW_E_INVALID_ARGUMENT,
                      cases[i].part);
    for (call = CREATE; call <= UUI_CALL; call++) {
        int is_pure = call >= CONNECT;
        CHECK_FAILURE(call_endpoint(call, client, "\xc3\x28", &out), BW_E_INVALID_ARGUMENT, "not valid UTF-8");
        CHECK_FAILURE(call_endpoint(call, client, huge, &out), BW_E_INVALID_ARGUMENT, "");
        CHECK_FAILURE(call_endpoint(call, client, deep, &out), BW_E_INVALID_ARGUMENT, "");
        if (call != LIST && call != CONNECT_OPTIONS && call != UUI_CALL)
            CHECK_FAILURE(call_endpoint(call, client, NULL, &out), BW_E_INVALID_ARGUMENT, "is NULL");
        if (!is_pure) {
            bw_client *freed = new_client();
            bw_client_free(freed);
            CHECK_FAILURE(call_endpoint(call, NULL, "{}", &out), BW_E_INVALID_HANDLE, "client: is NULL");
            CHECK_FAILURE(call_endpoint(call, freed, "{}", &out), BW_E_INVALID_HANDLE, "not a live client");
            CHECK(call_endpoint(call, freed, "{}", NULL) != BW_OK);
        }
    }
    CHECK(bw_create_endpoint(client, "{\"type\":\"WEBRTC\",\"direction\":\"INBOUND\"}", NULL) ==
          BW_E_INVALID_ARGUMENT);
    CHECK(bw_connect_bxml("[\"e-1\"]", NULL, NULL) == BW_OK && bw_uui("a.b.c", NULL, NULL) == BW_OK);
    free(huge);
    free(deep);
}

static void names_and_versions(void)
{
    CHECK(strcmp(bw_status_name(BW_OK), "BW_OK") == 0);
    CHECK(strcmp(bw_status_name(BW_E_INTERNAL), "BW_E_INTERNAL") == 0);
    CHECK(strcmp(bw_status_name(5), "BW_E_UNKNOWN") == 0);
    CHECK(strcmp(bw_status_name(INT32_MIN), "BW_E_UNKNOWN") == 0);
    CHECK(strcmp(bw_version(), BW_VERSION) == 0);
    CHECK(bw_abi_version() == 0);
    bw_free(NULL);
    bw_client_free(NULL);
}

static void *use_invalid_handles(void *freed)
{
    uintptr_t seed = (uintptr_t)freed;
    intptr_t wrong = 0;
    int i;

    for (i = 0; i < 2000; i++) {
        char *out = NULL;
        bw_client *client = freed;
        if (i % 2 != 0) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            client = (bw_client *)seed;
        }
        bw_client_free(client);
        wrong += bw_create_participant(client, "{}", &out) != BW_E_INVALID_HANDLE;
        wrong += out == NULL;
        bw_free(out);
    }
    return (void *)wrong;
}

static void *free_client(void *client)
{
    bw_client_free(client);
    return NULL;
}

static void *use_client(void *client)
{
    intptr_t wrong = 0;
    int i;

    for (i = 0; i < 200; i++) {
        char *out = NULL;
        /* No server listens at the port, so the call fails to connect until the client is freed. */
        bw_status status = bw_create_participant(client, "{}", &out);
        wrong += status != BW_E_CONNECT && status != BW_E_CANCELLED && status != BW_E_INVALID_HANDLE;
        bw_free(out);
    }
    return (void *)wrong;
}

static void handles_on_many_threads(void)
{
    pthread_t thread[8];
    bw_client *freed = new_client(), *shared = new_client();
    void *wrong;
    int i;

    bw_client_free(freed);
    bw_client_free(freed);
    for (i = 0; i < 8; i++)
        CHECK(pthread_create(&thread[i], NULL, use_invalid_handles, freed) == 0);
    for (i = 0; i < 8; i++) {
        pthread_join(thread[i], &wrong);
        CHECK(wrong == NULL);
    }
    for (i = 0; i < 8; i++)
        CHECK(pthread_create(&thread[i], NULL, i < 5 ? use_client : free_client, shared) == 0);
    for (i = 0; i < 8; i++) {
        pthread_join(thread[i], &wrong);
        CHECK(wrong == NULL);
    }
    reject_request(shared, "{}", BW_E_INVALID_HANDLE, "client: is not a live client");
}

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL)
        return 0; /* Not Linux: memory is not measured. */
    if (fscanf(file, "%ld %ld", &size, &resident) != 2)
        abort();
    fclose(file);
    return resident;
}

static void memory_stays_constant(long clients)
{
    long before = 0, after, i;

    for (i = 0; i < clients; i++) {
        bw_client *client = NULL;
        if (i == clients / 10)
            before = resident_pages();
        if (bw_client_new(CONFIG, &client, NULL) != BW_OK)
            break;
        bw_client_free(client);
    }
    after = resident_pages();
    CHECK(i == clients);
    /* If each of a million clients leaked one byte, 1 MB (256 pages) would be missing. */
    printf("%ld clients: %ld pages resident, then %ld\n", clients, before, after);
    CHECK(after - before < 256);
}

int main(int argc, char **argv)
{
    bw_client *client = new_client();

    names_and_versions();
    invalid_configurations();
    invalid_requests(client);
    json_get();
    json_length_and_quote();
    invalid_endpoint_arguments(client);
    handles_on_many_threads();
    bw_client_free(client);
    memory_stays_constant(argc > 1 ? atol(argv[1]) : 1000 * 1000);
    return sum_up();
}
