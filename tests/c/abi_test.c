/* The C ABI without a server: invalid arguments, invalid handles, and the memory of a million clients.
 * Usage: abi_test [NUMBER_OF_CLIENTS] */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "check_call.h"

static const char CONFIG[] = "{\"accountId\":\"1\",\"username\":\"u\",\"password\":\"" SECRET "\","
                             "\"baseUrl\":\"http://127.0.0.1:9/v1\",\"maxRetries\":0}";

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

    if (file == NULL || fscanf(file, "%ld %ld", &size, &resident) != 2)
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
    handles_on_many_threads();
    bw_client_free(client);
    memory_stays_constant(argc > 1 ? atol(argv[1]) : 1000 * 1000);
    return sum_up();
}
