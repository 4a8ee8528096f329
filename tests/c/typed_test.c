/* All functions of the typed layer against a running bw-sandbox. Usage: typed_test BASE_URL [CA_FILE] */
#include <stdlib.h>

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

static bw_client *new_client(int argc, char **argv)
{
    static char token_url[128], endpoints_url[128];
    bwt_client_options options = BWT_CLIENT_OPTIONS_INIT;
    bw_client *client = NULL;

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
    CHECK(bwt_client_new(&options, &client, NULL) == BW_OK);
    return client;
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
    const char *ids[1];

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
    CHECK(error.http_status == 409);
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

static void failed_allocations(bw_client *client)
{
    static const char *const ids[] = {"e-1"};
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
    for (limit = 0; limit < 4; limit++) {
        memset(&endpoint, 0, sizeof endpoint);
        allocations = limit;
        status = bwt_endpoint_read_(&endpoint, "{\"devices\":[{\"deviceId\":\"d\"}]}");
        allocations = -1;
        CHECK(status == (limit < 3 ? BW_E_INTERNAL : BW_OK));
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

static void helpers(void)
{
    static const char *const ids[] = {"e-1", "e<2>"};
    char url[] = "https://h/?x=1&afterCursor=a%2Bb%3d%&y#afterCursor=no", none[] = "/?xafterCursor=1";
    bwt_endpoint endpoint;
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
    CHECK(bwt_transfer_bxml("a.b.c", NULL, NULL, &bxml, &error) == BW_OK);
    CHECK_TEXT(bxml, "uui=\"a.b.c;encoding=jwt\"");
    bw_free(bxml);
    CHECK(bwt_transfer_bxml(NULL, NULL, NULL, &bxml, NULL) == BW_E_INVALID_ARGUMENT && bxml == NULL);
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
    bwt_endpoint_read_(&endpoint, "null");
    CHECK(endpoint.id == NULL && endpoint.devices == NULL);
}

int main(int argc, char **argv)
{
    bw_client *client;

    if (argc < 2)
        return 2;
    client = new_client(argc, argv);
    sessions_and_subscriptions(client);
    endpoints(client);
    failed_allocations(client);
    invalid_arguments(client);
    timestamps();
    helpers();
    bw_client_free(client);
    return sum_up();
}
