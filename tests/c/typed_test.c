/* All functions of the typed layer against a running bw-sandbox. Usage: typed_test BASE_URL [CA_FILE] */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

/* Allocations of the header that succeed before one fails; negative: all succeed. */
static int allocations = -1;
static int unwiped;

static void *limited_malloc(size_t size)
{
    return allocations == 0 || allocations-- == 0 ? NULL : malloc(size);
}

static void *limited_calloc(size_t count, size_t size)
{
    return allocations == 0 || allocations-- == 0 ? NULL : calloc(count, size);
}

/* A freed buffer of the header contains no secret. */
static void checked_free(void *text)
{
    unwiped += text != NULL && memchr(text, '{', 1) != NULL && strstr((char *)text, "TopSecret") != NULL;
    free(text);
}

/* A realloc does not wipe the old buffer. */
static __attribute__((unused)) void *checked_realloc(void *text, size_t size)
{
    unwiped += strstr((char *)text, "TopSecret") != NULL;
    return realloc(text, size);
}

#define malloc limited_malloc
#define calloc limited_calloc
#define free checked_free
#define realloc checked_realloc
#include "bw_webrtc_typed.h"
#undef malloc
#undef calloc
#undef free
#undef realloc

static bwt_client_options sandbox(int argc, char **argv)
{
    static char token_url[128], endpoints_url[128];
    bwt_client_options options = BWT_CLIENT_OPTIONS_INIT;

    CHECK(strlen(argv[1]) < 64);
    sprintf(token_url, "%.*s/api/v1/oauth2/token", (int)strlen(argv[1]) - 3, argv[1]);
    sprintf(endpoints_url, "%.*s/v2", (int)strlen(argv[1]) - 3, argv[1]);
    options.account_id = "9900000";
    options.client_id = "client";
    options.client_secret = "client-secret";
    options.base_url = argv[1];
    options.token_url = token_url;
    options.endpoints_url = endpoints_url;
    options.ca_file = argc > 2 ? argv[2] : NULL;
    options.timeout_ms = 60000;
    options.connect_timeout_ms = 60000;
    return options;
}

static void sessions_and_subscriptions(bw_client *client)
{
    bwt_participant_options properties = BWT_PARTICIPANT_OPTIONS_INIT;
    bwt_subscription_options whom = BWT_SUBSCRIPTION_OPTIONS_INIT;
    bwt_participant first, second, read;
    bwt_participant_list list;
    bwt_subscriptions heard;
    bwt_session session, again;
    bwt_error error;
    const char *ids[1], *aliases[] = {"a \"camera\"", "screen", NULL};
    const char *const *streams[1];

    properties.publish_audio = 1;
    properties.tag = "first";
    CHECK(bwt_create_participant(client, &properties, &first, NULL) == BW_OK && first.publish_audio);
    CHECK_TEXT(first.tag, "first");
    CHECK(bwt_create_participant(client, NULL, &second, NULL) == BW_OK && !second.publish_video);
    CHECK(bwt_create_session(client, "a \"room\"", &session, &error) == BW_OK);
    CHECK(bwt_get_session(client, session.id, &again, &error) == BW_OK);
    CHECK(strcmp(again.id, session.id) == 0 && strcmp(again.tag, "a \"room\"") == 0);
    bwt_session_clear(&again);
    CHECK(bwt_list_session_participants(client, session.id, &list, &error) == BW_OK && list.length == 0);
    bwt_participant_list_clear(&list);

    whom.session_id = session.id;
    CHECK(bwt_add_participant_to_session(client, session.id, first.id, &whom, &error) == BW_OK);
    CHECK(bwt_add_participant_to_session(client, session.id, second.id, NULL, &error) == BW_OK);
    CHECK(bwt_add_participant_to_session(client, session.id, second.id, NULL, &error) == BW_E_CONFLICT);
    CHECK(error.http_status == 409 && error.attempts == 1 && error.retry_after_ms == 0);
    CHECK(error.request_id != NULL);
    bwt_error_clear(&error);
    CHECK(bwt_get_participant(client, first.id, &read, &error) == BW_OK && read.token == NULL);
    CHECK(read.session_id != NULL && strcmp(read.session_id, session.id) == 0);
    bwt_participant_clear(&read);
    CHECK(bwt_list_session_participants(client, session.id, &list, &error) == BW_OK);
    if (CHECK(list.length == 2)) {
        CHECK(strcmp(list.items[0].id, first.id) == 0 || strcmp(list.items[1].id, first.id) == 0);
        CHECK_TEXT(list.items[1].document, list.items[1].id);
    }
    bwt_participant_list_clear(&list);
    bwt_participant_list_clear(&list);
    CHECK(bwt_get_participant_subscriptions(client, session.id, first.id, &heard, &error) == BW_OK);
    CHECK(heard.length == 0);
    CHECK_TEXT(heard.session_id, session.id);
    bwt_subscriptions_clear(&heard);
    ids[0] = second.id;
    whom.session_id = NULL;
    whom.participant_ids = ids;
    whom.length = 1;
    CHECK(bwt_update_participant_subscriptions(client, session.id, first.id, &whom, &error) == BW_OK);
    CHECK(bwt_get_participant_subscriptions(client, session.id, first.id, &heard, &error) == BW_OK);
    CHECK(heard.length == 1 && strcmp(heard.participant_ids[0], second.id) == 0);
    CHECK(heard.length == 1 && heard.stream_aliases[0] == NULL);
    bwt_subscriptions_clear(&heard);
    streams[0] = aliases;
    whom.stream_aliases = streams;
    CHECK(bwt_update_participant_subscriptions(client, session.id, first.id, &whom, &error) == BW_OK);
    CHECK(bwt_get_participant_subscriptions(client, session.id, first.id, &heard, &error) == BW_OK);
    if (CHECK(heard.length == 1 && heard.stream_aliases[0] != NULL)) {
        CHECK_TEXT(heard.stream_aliases[0][0], "a \"camera\"");
        CHECK_TEXT(heard.stream_aliases[0][1], "screen");
        CHECK(heard.stream_aliases[0][2] == NULL);
    }
    bwt_subscriptions_clear(&heard);
    CHECK(bwt_remove_participant_from_session(client, session.id, first.id, &error) == BW_OK);
    CHECK(bwt_delete_session(client, session.id, &error) == BW_OK);
    CHECK(bwt_get_session(client, session.id, &again, &error) == BW_E_NOT_FOUND && again.id == NULL);
    bwt_error_clear(&error);
    CHECK(bwt_delete_participant(client, first.id, &error) == BW_OK);
    CHECK(bwt_get_participant(client, first.id, NULL, NULL) == BW_E_NOT_FOUND);
    CHECK(bwt_delete_participant(client, NULL, &error) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(error.message, "participant_id: is NULL");
    bwt_error_clear(&error);
    bwt_session_clear(&session);
    bwt_participant_clear(&first);
    bwt_participant_clear(&second);
}

static void endpoints(bw_client *client)
{
    bwt_endpoint_options options = BWT_ENDPOINT_OPTIONS_INIT;
    bwt_endpoint_query query = BWT_ENDPOINT_QUERY_INIT;
    bwt_endpoint endpoint, read;
    bwt_endpoint_page page;
    bwt_error error;
    char *cursor = NULL;
    int i, pages = 0, found = 0;

    for (i = 0; i < 3; i++) {
        options.direction = "INBOUND";
        options.tag = "typed, ]} \"";
        options.connection_metadata = "{\"a\": [1]}";
        CHECK(bwt_create_endpoint(client, &options, &endpoint, &error) == BW_OK);
        CHECK(endpoint.id != NULL && endpoint.token != NULL && endpoint.device_count == 0);
        CHECK_TEXT(endpoint.status, "DISCONNECTED");
        CHECK_TEXT(endpoint.expiration_timestamp, "T");
        if (i < 2)
            bwt_endpoint_clear(&endpoint);
    }
    CHECK(bwt_get_endpoint(client, endpoint.id, &read, &error) == BW_OK && read.token == NULL);
    CHECK_TEXT(read.tag, options.tag);
    bwt_endpoint_clear(&read);
    query.limit = 1;
    do {
        query.after_cursor = cursor;
        CHECK(bwt_list_endpoints(client, &query, &page, &error) == BW_OK && page.length == 1);
        bw_free(cursor);
        cursor = page.next_cursor;
        page.next_cursor = NULL;
        found += page.length == 1 && strcmp(page.items[0].id, endpoint.id) == 0;
        bwt_endpoint_page_clear(&page);
    } while (cursor != NULL && ++pages < 1000);
    CHECK(pages >= 2 && pages < 1000 && found == 1);
    query.limit = 0;
    query.after_cursor = NULL;
    query.status = "CONNECTED";
    CHECK(bwt_list_endpoints(client, &query, &page, &error) == BW_OK && page.length == 0);
    CHECK(page.items == NULL && page.next_cursor == NULL);
    bwt_endpoint_page_clear(&page);
    query.status = "OPEN";
    CHECK(bwt_list_endpoints(client, &query, &page, &error) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(error.message, "query.status");
    bwt_error_clear(&error);
    CHECK(bwt_update_endpoint_bxml(client, endpoint.id, "<Response/>", &error) == BW_OK);
    CHECK(bwt_delete_endpoint(client, endpoint.id, &error) == BW_OK);
    CHECK(bwt_get_endpoint(client, endpoint.id, NULL, NULL) == BW_E_NOT_FOUND);
    CHECK(bwt_create_endpoint(client, &options, NULL, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bwt_create_endpoint(client, &options, NULL, &error) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(error.message, "endpoint: is NULL");
    bwt_error_clear(&error);
    CHECK(bwt_create_endpoint(client, NULL, &read, &error) == BW_E_INVALID_ARGUMENT && read.id == NULL);
    CHECK_TEXT(error.message, "request.direction: is missing");
    bwt_error_clear(&error);
    bwt_endpoint_clear(&endpoint);
}

/* A call with a timeout of its own, and the calls of a queue. */
static void calls_and_queues(bw_client *client)
{
    bwt_call_options call = BWT_CALL_OPTIONS_INIT, none = BWT_CALL_OPTIONS_INIT;
    bwt_queue_options options = BWT_QUEUE_OPTIONS_INIT;
    bwt_participant_options properties = BWT_PARTICIPANT_OPTIONS_INIT;
    bwt_endpoint_query query = BWT_ENDPOINT_QUERY_INIT;
    bwt_participant created, read;
    bwt_endpoint_page page;
    bwt_late_list late;
    bwt_error error;
    bw_queue *queue;
    bw_status status;
    uint64_t id, completed;
    void *user_data;
    char *document, *body;
    int value = 7;

    properties.tag = "queued";
    body = bwt_participant_request(&properties);
    call.operation = "createParticipant";
    call.body = body;
    call.timeout_ms = 60000;
    options.workers = 2;
    CHECK(bwt_queue_new(client, &options, &queue, &error) == BW_OK && queue != NULL);
    CHECK(bwt_queue_submit(queue, &call, &value, &id, &error) == BW_OK && id != 0);
    CHECK(bw_queue_next(queue, -1, &completed, &user_data, &status, &document) == BW_OK);
    CHECK(completed == id && user_data == &value);
    CHECK(bwt_participant_take(&created, status, document, &error) == BW_OK && created.token != NULL);
    CHECK_TEXT(created.tag, "queued");
    free(body);

    call = none;
    call.operation = "getParticipant";
    call.participant_id = created.id;
    call.timeout_ms = 60000;
    status = bwt_call(client, &call, &document);
    CHECK(bwt_participant_take(&read, status, document, &error) == BW_OK && read.token == NULL);
    CHECK(strcmp(read.id, created.id) == 0);
    CHECK_TEXT(read.device_api_version, "V3");
    bwt_participant_clear(&read);
    call.timeout_ms = 86400001;
    status = bwt_call(client, &call, &document);
    CHECK(bwt_participant_take(&read, status, document, &error) == BW_E_INVALID_ARGUMENT && read.id == NULL);
    CHECK_TEXT(error.message, "call.timeoutMs");
    bwt_error_clear(&error);
    call.timeout_ms = 0;
    call.operation = "deleteParticipant";
    status = bwt_call(client, &call, &document);
    CHECK(bwt_take(status, document, &error) == BW_OK);
    bwt_participant_clear(&created);
    query.limit = 1;
    body = bwt_endpoint_query_request(&query);
    call = none;
    call.operation = "listEndpoints";
    call.query = body;
    status = bwt_call(client, &call, &document);
    CHECK(bwt_endpoint_page_take(&page, status, document, &error) == BW_OK && page.length <= 1);
    bwt_endpoint_page_clear(&page);
    free(body);

    /* A body that is not one JSON value could add other members to the call. */
    call.query = NULL;
    call.body = "{},\"timeoutMs\":1";
    CHECK(bwt_queue_submit(queue, &call, NULL, &id, &error) == BW_E_INVALID_ARGUMENT && id == 0);
    CHECK_TEXT(error.message, "call.body: is not one valid JSON value");
    CHECK(bwt_call_request(&call) == NULL);
    bwt_error_clear(&error);
    CHECK(bwt_call(client, NULL, &document) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(document, "call: is NULL");
    bw_free(document);
    CHECK(bwt_queue_submit(queue, &none, NULL, NULL, &error) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(error.message, "call.operation: is missing");
    bwt_error_clear(&error);
    bw_queue_free(queue);
    options.workers = 1000000;
    CHECK(bwt_queue_new(client, &options, &queue, &error) == BW_E_INVALID_ARGUMENT && queue == NULL);
    CHECK_TEXT(error.message, "workers");
    bwt_error_clear(&error);

    /* The ids of objects that no caller receives. */
    CHECK(bwt_queue_new(client, NULL, &queue, &error) == BW_OK);
    body = bwt_session_request("late");
    call = none;
    call.operation = "createSession";
    call.body = body;
    CHECK(bwt_queue_submit(queue, &call, &value, NULL, &error) == BW_OK);
    if (queue != NULL) {
        struct pollfd done;
        done.fd = bw_queue_fd(queue);
        done.events = POLLIN;
        CHECK(poll(&done, 1, 60000) == 1);
    }
    bw_queue_free(queue);
    CHECK(bw_create_session(client, body, NULL) == BW_OK);
    free(body);
    CHECK(bwt_client_take_late(client, NULL, &error) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(error.message, "list: is NULL");
    bwt_error_clear(&error);
    CHECK(bwt_client_take_late(client, &late, &error) == BW_OK && late.dropped == 0);
    if (CHECK(late.length == 2)) {
        CHECK_TEXT(late.items[0].operation, "createSession");
        CHECK_TEXT(late.items[0].tag, "late");
        CHECK(strlen(late.items[0].id) == 36 && late.items[0].user_data == &value);
        CHECK(strlen(late.items[1].id) == 36 && late.items[1].user_data == NULL);
    }
    bwt_late_list_clear(&late);
    CHECK(bwt_client_take_late(client, &late, &error) == BW_OK && late.length == 0);
    bwt_late_list_clear(&late);
}

static void count_line(int32_t level, const char *line, void *count)
{
    CHECK(level == BW_LOG_INFO);
    CHECK_TEXT(line, "{\"");
    ++*(int *)count;
}

/* Every option reaches the library. */
static void client_options(bwt_client_options options)
{
    static const char *const keys[] = {
        "proxy", "roots", "ipFamily", "bindAddress", "logFormat", "timeoutMs", "attemptTimeoutMs",
        "connectTimeoutMs", "maxRetries", "retryBaseMs", "retryMaxMs", "maxRetryAfterMs", "dnsTtlMs",
        "maxIdleConnections", "idleTimeoutMs", "maxResponseBytes"};
    bwt_client_options wrong = options;
    bw_client *client;
    bwt_session session;
    bwt_error error;
    char key[40];
    size_t i;

    /* A message names only the first problems. */
    for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const int at = (int)i;
        const unsigned long number = 4000000000ul;
        wrong = options;
        wrong.proxy = at == 0 ? "ftp://wrong" : NULL;
        wrong.roots = at == 1 ? "wrong" : NULL;
        wrong.ip_family = at == 2 ? "wrong" : NULL;
        wrong.bind_address = at == 3 ? "wrong" : NULL;
        wrong.log_format = at == 4 ? "wrong" : NULL;
        wrong.timeout_ms = at == 5 ? number : 0;
        wrong.attempt_timeout_ms = at == 6 ? number : 0;
        wrong.connect_timeout_ms = at == 7 ? number : 0;
        wrong.max_retries = at == 8 ? number : 0;
        wrong.retry_base_ms = at == 9 ? number : 0;
        wrong.retry_max_ms = at == 10 ? number : 0;
        wrong.max_retry_after_ms = at == 11 ? number : 0;
        wrong.dns_ttl_ms = at == 12 ? number : 0;
        wrong.max_idle_connections = at == 13 ? number : 0;
        wrong.idle_timeout_ms = at == 14 ? number : 0;
        wrong.max_response_bytes = at == 15 ? number : 0;
        CHECK(bwt_client_new(&wrong, &client, &error) == BW_E_CONFIG && client == NULL);
        sprintf(key, "config.%s", keys[i]);
        CHECK_TEXT(error.message, key);
        bwt_error_clear(&error);
    }
    for (i = 0; i < 4; i++) {
        static const char *const files[] = {"ca", "cert", "key", "settings"};
        wrong = options;
        sprintf(key, "/nonexistent/%s", files[i]);
        wrong.ca_file = i == 0 ? key : options.ca_file;
        wrong.client_cert_file = i == 1 ? key : i == 2 ? "/dev/null" : NULL;
        wrong.client_key_file = i == 2 ? key : i == 1 ? "/dev/null" : NULL;
        wrong.config_file = i == 3 ? key : NULL;
        CHECK(bwt_client_new(&wrong, &client, &error) == BW_E_CONFIG);
        CHECK_TEXT(error.message, i == 2 ? "client" : key);
        bwt_error_clear(&error);
    }
    wrong = options;
    wrong.user_agent = "a\nb";
    CHECK(bwt_client_new(&wrong, &client, &error) == BW_E_CONFIG);
    CHECK_TEXT(error.message, "config.userAgent");
    bwt_error_clear(&error);
    wrong = options;
    wrong.base_url = "http://192.0.2.1/v1";
    CHECK(bwt_client_new(&wrong, &client, &error) == BW_E_CONFIG);
    CHECK_TEXT(error.message, "config.baseUrl");
    bwt_error_clear(&error);
    wrong.allow_insecure_http = 1;
    CHECK(bwt_client_new(&wrong, &client, &error) == BW_OK);
    bw_client_free(client);
    wrong = options;
    wrong.account_id = NULL;
    CHECK(setenv("BW_ACCOUNT_ID", "9900000", 1) == 0);
    CHECK(bwt_client_new(&wrong, &client, NULL) == BW_E_CONFIG);
    wrong.environment = 1;
    CHECK(bwt_client_new(&wrong, &client, &error) == BW_OK);
    bw_client_free(client);
    CHECK(unsetenv("BW_ACCOUNT_ID") == 0);

    /* The number 0 differs from the default. Port 1 is closed. */
    for (i = 0; i < 2; i++) {
        wrong = options;
        wrong.base_url = "http://127.0.0.1:1/v1";
        wrong.client_id = wrong.client_secret = wrong.token_url = NULL;
        wrong.username = wrong.password = "user";
        wrong.max_retries = i == 0 ? BWT_ZERO : 1;
        wrong.ca_file = NULL;
        CHECK(bwt_client_new(&wrong, &client, &error) == BW_OK);
        CHECK(bwt_create_session(client, NULL, &session, &error) == BW_E_CONNECT);
        CHECK(error.attempts == (int)i + 1);
        CHECK_TEXT(error.outcome, "not_sent");
        bwt_error_clear(&error);
        bw_client_free(client);
    }
}

static void write_settings(const char *path, const char *secret, int max_retries)
{
    FILE *file = fopen(path, "w");

    if (CHECK(file != NULL)) {
        fprintf(file, "{\"clientId\": \"client\", \"clientSecret\": \"%s\", \"maxRetries\": %d}", secret,
                max_retries);
        fclose(file);
    }
}

/* The settings of a client that change later, and what it reports. */
static void reload_log_and_counters(bwt_client_options options)
{
    char path[] = "/tmp/bwt-settings-XXXXXX", *text = NULL;
    int lines = 0, descriptor = mkstemp(path), limit;
    bw_client *client;
    bwt_reload reload;
    bwt_stats stats;
    bwt_session session;
    bwt_error error;
    bw_status status = BW_E_INTERNAL;

    CHECK(descriptor >= 0);
    write_settings(path, "wrong", 1);
    options.client_id = options.client_secret = NULL;
    options.config_file = path;
    options.log_format = "json";
    CHECK(bwt_client_new(&options, &client, &error) == BW_OK);
    CHECK(bwt_create_session(client, NULL, &session, &error) == BW_E_UNAUTHORIZED);
    bwt_error_clear(&error);
    CHECK(bwt_client_reload(client, &reload, &error) == BW_OK);
    CHECK(!reload.credentials_replaced && reload.length == 0);
    bwt_reload_clear(&reload);
    write_settings(path, "client-secret", 2);
    CHECK(bwt_client_reload(client, &reload, &error) == BW_OK && reload.credentials_replaced);
    if (CHECK(reload.length == 1))
        CHECK_TEXT(reload.needs_new_client[0], "maxRetries");
    bwt_reload_clear(&reload);
    for (limit = 0; status != BW_OK && limit < 10; limit++) {
        allocations = limit;
        status = bwt_client_reload(client, &reload, &error);
        allocations = -1;
        CHECK(status == BW_OK ? reload.length == 1 : reload.needs_new_client == NULL);
        bwt_error_clear(&error);
    }
    CHECK(limit > 1 && limit < 10);
    bwt_reload_clear(&reload);

    CHECK(bwt_client_set_log(client, BW_LOG_INFO, NULL, NULL, &error) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(error.message, "callback");
    bwt_error_clear(&error);
    CHECK(bwt_client_set_log(client, BW_LOG_INFO, count_line, &lines, &error) == BW_OK);
    CHECK(bwt_create_session(client, "a", &session, &error) == BW_OK && lines > 0);
    bwt_session_clear(&session);
    CHECK(bwt_client_set_log(client, BW_LOG_OFF, NULL, NULL, NULL) == BW_OK);
    CHECK(bwt_client_stats(client, &stats, &error) == BW_OK);
    CHECK(stats.calls == 2 && stats.in_flight == 0 && stats.token_requests == 2);
    CHECK(stats.connections_opened + stats.connections_reused == 3 && stats.queue_waiting == 0);
    CHECK_TEXT(stats.document, "\"BW_E_UNAUTHORIZED\":1");
    bwt_stats_clear(&stats);
    CHECK(bwt_client_metrics(client, &text, &error) == BW_OK);
    CHECK_TEXT(text, "bw_webrtc_calls_total{operation=\"createSession\",status=\"BW_OK\"} 1\n");
    bw_free(text);
    CHECK(bwt_client_metrics(client, NULL, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bwt_client_set_credentials(client, "", "secret", &error) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(error.message, "clientId: is empty");
    bwt_error_clear(&error);
    CHECK(bwt_client_set_credentials(client, "client", "client-secret", &error) == BW_OK);
    CHECK(unlink(path) == 0 && close(descriptor) == 0);
    CHECK(bwt_client_set_credentials(client, "client", "client-secret", NULL) == BW_OK);
    CHECK(bwt_client_reload(client, &reload, &error) == BW_E_CONFIG && reload.length == 0);
    bwt_error_clear(&error);
    bw_client_free(client);
    CHECK(bwt_client_stats(client, &stats, &error) == BW_E_INVALID_HANDLE && stats.calls == 0);
    bwt_error_clear(&error);
    CHECK(bwt_client_metrics(client, &text, NULL) == BW_E_INVALID_HANDLE && text == NULL);
}

static void failed_allocations(bw_client *client)
{
    static const char *const ids[] = {"e-1"};
    bwt_subscriptions heard;
    bwt_late_list late;
    bwt_endpoint_page page;
    bwt_endpoint endpoint;
    bwt_error error;
    char *bxml;
    int limit;
    bw_status status = BW_E_INTERNAL;

    for (limit = 0; status != BW_OK && limit < 1000; limit++) {
        allocations = limit;
        status = bwt_list_endpoints(client, NULL, &page, &error);
        allocations = -1;
        CHECK(status == BW_E_INTERNAL ? page.items == NULL && page.length == 0 : page.length > 0);
        bwt_error_clear(&error);
    }
    CHECK(limit > 2 && limit < 1000);
    bwt_endpoint_page_clear(&page);
    status = BW_E_INTERNAL;
    for (limit = 0; status != BW_OK && limit < 20; limit++) {
        const char *json = "{\"participants\":[{\"participantId\":\"p\",\"streamAliases\":[\"a\"]}]}";
        char *document = bwt_get(json, "");
        allocations = limit;
        status = bwt_subscriptions_take(&heard, BW_OK, document, &error);
        allocations = -1;
        CHECK(status == BW_OK ? heard.length == 1 : heard.document == NULL && heard.length == 0);
        bwt_error_clear(&error);
    }
    CHECK(limit > 4 && limit < 20);
    bwt_subscriptions_clear(&heard);
    /* The ids are not lost if there is no memory for the array. */
    CHECK(bw_create_session(client, NULL, NULL) == BW_OK);
    allocations = 0;
    CHECK(bwt_client_take_late(client, &late, &error) == BW_E_INTERNAL && late.length == 0);
    allocations = -1;
    CHECK_TEXT(error.document, "\"createSession\"");
    bwt_error_clear(&error);
    for (limit = 0; limit < 3; limit++) {
        memset(&endpoint, 0, sizeof endpoint);
        allocations = limit;
        status = bwt_endpoint_read_(&endpoint, "{\"devices\":[{\"deviceId\":\"d\"}]}");
        allocations = -1;
        CHECK(status == (limit < 2 ? BW_E_INTERNAL : BW_OK));
        bwt_endpoint_clear(&endpoint);
    }
    allocations = 1;
    CHECK(bwt_connect_bxml(ids, 1, NULL, NULL, &bxml, &error) == BW_E_INTERNAL && bxml == NULL);
    allocations = -1;
    bwt_error_clear(&error);
}

static void invalid_arguments(bw_client *client)
{
    static const char *const wrong[] = {"{},\"eventCallbackUrl\":\"https://h\"", "", "{", "{} 1"};
    bwt_endpoint_options options = BWT_ENDPOINT_OPTIONS_INIT;
    bwt_subscription_options whom = BWT_SUBSCRIPTION_OPTIONS_INIT;
    bwt_client_options secret = BWT_CLIENT_OPTIONS_INIT;
    bwt_endpoint endpoint;
    bwt_error error;
    char url[1000], *bxml;
    size_t i;

    options.direction = "INBOUND";
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        options.connection_metadata = wrong[i];
        CHECK(bwt_create_endpoint(client, &options, &endpoint, &error) == BW_E_INVALID_ARGUMENT);
        CHECK_TEXT(error.message, "connection_metadata: is not one valid JSON value");
        CHECK(endpoint.id == NULL && bwt_endpoint_request(&options) == NULL);
        bwt_error_clear(&error);
    }
    CHECK(bwt_connect_bxml(NULL, 1, NULL, NULL, &bxml, &error) == BW_E_INVALID_ARGUMENT && bxml == NULL);
    CHECK_TEXT(error.message, "endpoint_ids: is NULL");
    bwt_error_clear(&error);
    CHECK(bwt_connect_bxml(NULL, 0, NULL, NULL, NULL, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bwt_transfer_bxml("a.b.c", NULL, NULL, NULL, &error) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(error.message, "bxml: is NULL");
    bwt_error_clear(&error);
    whom.length = 2;
    CHECK(bwt_add_participant_to_session(client, "s", "p", &whom, &error) == BW_E_INVALID_ARGUMENT);
    CHECK_TEXT(error.message, "participant_ids: is NULL");
    bwt_error_clear(&error);
    CHECK(bwt_update_participant_subscriptions(client, "s", "p", &whom, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bwt_subscriptions_request(&whom) == NULL);
    /* The buffer grows after the secret was written to it. */
    memset(url, 'a', sizeof url);
    url[sizeof url - 1] = '\0';
    secret.client_secret = "TopSecret";
    secret.base_url = url;
    CHECK(bwt_client_new(&secret, &client, NULL) != BW_OK && unwiped == 0);
}

static void timestamps(void)
{
    static const struct {
        const char *body;
        long seconds;
    } cases[] = {{"\"1605739845431\"", 1605739845}, {"1605739845431", 1605739845}, {"\"2026-99-99\"", 0},
                 {"1605739845.4", 0}, {"-1605739845431", 0}, {"9007199254740992", 0},
                 {"9223372036854775807", 0}, {"99999999999999999999", 0}};
    bwt_event event;
    char body[200];
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sprintf(body, "{\"event\":\"other\",\"timestamp\":%s}", cases[i].body);
        if (CHECK(bwt_parse_event(body, &event, NULL) == BW_OK))
            CHECK(event.timestamp_ms / 1000 == cases[i].seconds);
        bwt_event_clear(&event);
    }
}

static void permissions(void)
{
    bwt_participant_options options = BWT_PARTICIPANT_OPTIONS_INIT;
    char *request = bwt_participant_request(&options);

    CHECK(request != NULL && strcmp(request, "{}") == 0);
    free(request);
    options.publish_nothing = 1;
    request = bwt_participant_request(&options);
    CHECK(request != NULL && strcmp(request, "{\"publishPermissions\":[]}") == 0);
    free(request);
    options.publish_video = 1;
    request = bwt_participant_request(&options);
    CHECK(request != NULL && strcmp(request, "{\"publishPermissions\":[\"VIDEO\"]}") == 0);
    free(request);
}

static void helpers(void)
{
    static const char *const ids[] = {"e-1", "e<2>"};
    char url[] = "https://h/?x=1&afterCursor=a%2Bb%3d%&y#afterCursor=no", none[] = "/?xafterCursor=1";
    static const char *const some[] = {"e-1", NULL};
    bwt_endpoint endpoint;
    bwt_claims claims;
    bwt_event event;
    bwt_error error;
    char *bxml = NULL;

    CHECK(bwt_parse_event("{\"event\":\"onLeave\",\"timestamp\":\"1605739845431\",\"participantId\":\"p\","
                          "\"tag\":\"t\"}", &event, &error) == BW_OK);
    CHECK(event.timestamp_ms / 1000 == 1605739845 && event.is_known && event.endpoint_id == NULL);
    CHECK_TEXT(event.participant_id, "p");
    bwt_event_clear(&event);
    CHECK(bwt_parse_event("{\"event\":\"next\"}", &event, &error) == BW_OK && !event.is_known);
    bwt_event_clear(&event);
    CHECK(bwt_parse_event("{}", &event, &error) == BW_E_INVALID_ARGUMENT && event.name == NULL);
    bwt_error_clear(&error);
    CHECK(bwt_connect_bxml(ids, 2, "/a?b&c", NULL, &bxml, &error) == BW_OK);
    CHECK_TEXT(bxml, "<Connect eventCallbackUrl=\"/a?b&amp;c\"><Endpoint>e-1</Endpoint><Endpoint>e&lt;2&gt;");
    bw_free(bxml);
    CHECK(bwt_connect_bxml(ids, 0, NULL, NULL, &bxml, &error) == BW_E_INVALID_ARGUMENT && bxml == NULL);
    CHECK_TEXT(error.message, "endpoint_ids: is empty");
    bwt_error_clear(&error);
    CHECK(bwt_connect_bxml(some, 2, NULL, NULL, &bxml, NULL) == BW_E_INVALID_ARGUMENT && bxml == NULL);
    CHECK(bwt_transfer_bxml("a.b.c", NULL, NULL, &bxml, &error) == BW_OK);
    CHECK_TEXT(bxml, "uui=\"a.b.c;encoding=jwt\"");
    bw_free(bxml);
    CHECK(bwt_transfer_bxml(NULL, NULL, NULL, &bxml, NULL) == BW_E_INVALID_ARGUMENT && bxml == NULL);
    CHECK(bwt_uui("a.b.c", "c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1a4", &bxml, &error) == BW_OK);
    CHECK_TEXT(bxml, "93d6f3c0be5845960b744fa28015d8ede84bd1a4;encoding=base64,a.b.c;encoding=jwt");
    bw_free(bxml);
    CHECK(bwt_uui("t", "c-1", &bxml, &error) == BW_E_INVALID_ARGUMENT && bxml == NULL);
    CHECK_TEXT(error.message, "call_id");
    bwt_error_clear(&error);
    CHECK(bwt_uui("t", NULL, NULL, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bwt_token_claims("e30.eyJwIjoieCJ9.c2ln", &claims, &error) == BW_OK);
    CHECK(claims.account_id == NULL && claims.expires_at == 0 && claims.expires_in_ms == 0);
    CHECK_TEXT(claims.participant_id, "x");
    bwt_claims_clear(&claims);
    /* {"exp":1} */
    CHECK(bwt_token_claims("e30.eyJleHAiOjF9.c2ln", &claims, &error) == BW_OK);
    CHECK(claims.expires_at == 1 && claims.expires_in_ms < -1000000);
    CHECK_TEXT(claims.document, "\"verified\":false");
    bwt_claims_clear(&claims);
    CHECK(bwt_token_claims("x", &claims, &error) == BW_E_INVALID_ARGUMENT && claims.document == NULL);
    CHECK_TEXT(error.message, "is not a JWT");
    bwt_error_clear(&error);
    CHECK(bwt_cursor_(url) && strcmp(url, "a+b=%") == 0);
    CHECK(!bwt_cursor_(none));
    memset(&endpoint, 0, sizeof endpoint);
    bwt_endpoint_read_(&endpoint, "{\"endpointId\":\"e\",\"devices\":[{\"deviceId\":\"d,]\\\"\",\"deviceName\":"
                                  "\"n\"} , {\"deviceId\":\"x\",\"status\":\"CONNECTED\"}]}");
    if (CHECK(endpoint.device_count == 2)) {
        CHECK_TEXT(endpoint.devices[0].id, "d,]\"");
        CHECK(endpoint.devices[0].status == NULL && strcmp(endpoint.devices[1].status, "CONNECTED") == 0);
    }
    bwt_endpoint_clear(&endpoint);
    /* Items that are not objects do not lose the endpoint. */
    memset(&endpoint, 0, sizeof endpoint);
    CHECK(bwt_endpoint_read_(&endpoint, "{\"endpointId\":\"e\",\"devices\":[null,\"\\u0000\"]}") == BW_OK);
    CHECK(endpoint.id != NULL && endpoint.device_count == 2 && endpoint.devices[0].id == NULL);
    bwt_endpoint_clear(&endpoint);
    bwt_endpoint_read_(&endpoint, "null");
    CHECK(endpoint.id == NULL && endpoint.devices == NULL);
}

int main(int argc, char **argv)
{
    bwt_client_options options;
    bw_client *client = NULL;

    if (argc < 2)
        return 2;
    options = sandbox(argc, argv);
    CHECK(bwt_client_new(&options, &client, NULL) == BW_OK);
    sessions_and_subscriptions(client);
    endpoints(client);
    calls_and_queues(client);
    client_options(options);
    reload_log_and_counters(options);
    failed_allocations(client);
    invalid_arguments(client);
    timestamps();
    permissions();
    helpers();
    bw_client_free(client);
    return sum_up();
}
