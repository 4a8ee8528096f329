/* All functions of the C ABI, and the typed layer, against a running bw-sandbox.
 * Usage: live_test BASE_URL [CA_FILE] */
#include "bw_webrtc_typed.h"
#include "check_call.h"

static bwt_client_options client_options(char **argv, int argc)
{
    static char token_url[128], endpoints_url[128];
    bwt_client_options options = BWT_CLIENT_OPTIONS_INIT;

    CHECK(strlen(argv[1]) < 64 && strcmp(argv[1] + strlen(argv[1]) - 3, "/v1") == 0);
    sprintf(token_url, "%.*s/api/v1/oauth2/token", (int)strlen(argv[1]) - 3, argv[1]);
    sprintf(endpoints_url, "%.*s/v2", (int)strlen(argv[1]) - 3, argv[1]);
    options.endpoints_url = endpoints_url;
    options.account_id = "9900000";
    options.client_id = "client";
    options.client_secret = "client-secret";
    options.base_url = argv[1];
    options.token_url = token_url;
    options.ca_file = argc > 2 ? argv[2] : NULL;
    options.timeout_ms = 60000;
    /* A TLS handshake takes seconds under valgrind on a busy machine. */
    options.connect_timeout_ms = 60000;
    return options;
}

static void creates_participants(const bwt_client_options *options)
{
    static const char tag[] = "\"quoted\" \\ tab\t caf\xc3\xa9 \x01";
    bwt_participant_options properties = BWT_PARTICIPANT_OPTIONS_INIT;
    bwt_participant participant;
    bwt_error error;
    bw_client *client = NULL;
    char *text = NULL;

    CHECK(bwt_client_new(options, &client, &error) == BW_OK);
    properties.publish_audio = 1;
    properties.publish_video = 1;
    properties.tag = tag;
    properties.callback_url = "http://127.0.0.1:1/hook";
    properties.device_api_version = "V3";
    if (CHECK(bwt_create_participant(client, &properties, &participant, &error) == BW_OK)) {
        CHECK(strlen(participant.id) == 36);
        CHECK(strlen(participant.token) > 200);
        CHECK(bw_json_get(participant.document, "/participant/tag", &text) == BW_OK);
        CHECK(text != NULL && strcmp(text, tag) == 0);
        bw_free(text);
        CHECK(bw_json_get(participant.document, "/participant/publishPermissions/1", &text) == BW_OK);
        CHECK_TEXT(text, "VIDEO");
        bw_free(text);
    }
    bwt_participant_clear(&participant);
    bwt_participant_clear(&participant);
    CHECK(bwt_create_participant(client, NULL, &participant, NULL) == BW_OK);
    bwt_participant_clear(&participant);

    properties.tag = "\xff";
    CHECK(bwt_create_participant(client, &properties, &participant, &error) == BW_E_INVALID_ARGUMENT);
    CHECK(participant.id == NULL && participant.token == NULL && participant.document == NULL);
    CHECK_TEXT(error.message, "not valid UTF-8");
    CHECK_TEXT(error.outcome, "not_sent");
    bwt_error_clear(&error);
    bwt_error_clear(&error);
    CHECK(bwt_create_participant(client, NULL, NULL, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bwt_create_participant(client, NULL, NULL, &error) == BW_E_INVALID_ARGUMENT);
    CHECK(error.status == BW_E_INVALID_ARGUMENT && error.http_status == 0);
    CHECK(error.message != NULL && strncmp(error.message, "participant: ", 13) == 0);
    CHECK(error.outcome != NULL && strcmp(error.outcome, "not_sent") == 0 && error.document != NULL);
    bwt_error_clear(&error);
    bw_client_free(client);
    CHECK(bwt_create_participant(client, NULL, &participant, &error) == BW_E_INVALID_HANDLE);
    bwt_error_clear(&error);
}

static void is_rejected(const bwt_client_options *options, bw_status status, int http_status,
                        const char *outcome, const char *message)
{
    bwt_participant participant;
    bwt_error error;
    bw_client *client = NULL;

    CHECK(bwt_client_new(options, &client, NULL) == BW_OK);
    CHECK(bwt_create_participant(client, NULL, &participant, &error) == status);
    CHECK(error.http_status == http_status);
    CHECK_TEXT(error.outcome, outcome);
    CHECK_TEXT(error.message, message);
    CHECK(error.document != NULL && strstr(error.document, "open sesame") == NULL);
    bwt_error_clear(&error);
    if (status == BW_E_UNAUTHORIZED) {
        int is_user = options->username != NULL;
        char *failure = NULL;
        CHECK(bw_client_set_credentials(client, is_user ? "user" : "client",
                                        is_user ? "secret" : "client-secret", &failure) == BW_OK);
        CHECK(bwt_create_participant(client, NULL, &participant, &error) == BW_OK);
        bwt_participant_clear(&participant);
    }
    bw_client_free(client);
}

static void count_line(int32_t level, const char *line, void *count)
{
    CHECK(level >= BW_LOG_ERROR && level <= BW_LOG_DEBUG);
    CHECK(strstr(line, "secret") == NULL && strstr(line, "eyJ") == NULL);
    ++*(int *)count;
}

static void all_operations(const bwt_client_options *options)
{
    bwt_participant participant;
    bw_client *client = NULL;
    char everyone[80], call[160], *document = NULL, *session;
    int lines = 0;

    CHECK(bwt_client_new(options, &client, NULL) == BW_OK);
    CHECK(bw_client_set_log(client, BW_LOG_DEBUG, count_line, &lines, NULL) == BW_OK);
    CHECK(bw_client_set_log(client, 9, count_line, &lines, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bw_client_set_log(client, BW_LOG_INFO, NULL, NULL, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bwt_create_participant(client, NULL, &participant, NULL) == BW_OK);
    CHECK(bw_create_session(client, NULL, &document) == BW_OK);
    session = bwt_get(document, "/id");
    bw_free(document);
    sprintf(everyone, "{\"sessionId\": \"%.40s\"}", session);
    CHECK_SUCCESS(bw_get_session(client, session, &out), session);
    CHECK_SUCCESS(bw_list_session_participants(client, session, &out), "[]");
    CHECK_SUCCESS(bw_add_participant_to_session(client, session, participant.id, everyone, &out), "null");
    CHECK_SUCCESS(bw_get_participant(client, participant.id, &out), session);
    CHECK_SUCCESS(bw_list_session_participants(client, session, &out), participant.id);
    CHECK_SUCCESS(bw_get_participant_subscriptions(client, session, participant.id, &out), session);
    CHECK_SUCCESS(bw_update_participant_subscriptions(client, session, participant.id, NULL, &out), "null");
    CHECK_SUCCESS(bw_get_participant_subscriptions(client, session, participant.id, &out), "{}");
    CHECK_SUCCESS(bw_remove_participant_from_session(client, session, participant.id, &out), "null");
    sprintf(call, "{\"operation\": \"deleteSession\", \"sessionId\": \"%.40s\"}", session);
    CHECK_SUCCESS(bw_call(client, call, &out), "null");
    CHECK(bw_delete_session(client, session, NULL) == BW_E_NOT_FOUND);
    CHECK(bw_delete_participant(client, participant.id, NULL) == BW_OK);
    CHECK(bw_call(client, "{\"operation\": \"createParticipant\"}", NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bw_call(client, NULL, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bw_get_session(client, NULL, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bw_get_session(client, "..", NULL) == BW_E_INVALID_ARGUMENT);
    CHECK_SUCCESS(bw_client_stats(client, &out), "\"getParticipantSubscriptions\":{\"attempts\":2,\"calls\":2");
    CHECK_SUCCESS(bw_client_metrics(client, &out),
                  "bw_webrtc_calls_total{operation=\"deleteSession\",status=\"BW_E_NOT_FOUND\"} 1\n");
    CHECK(bw_client_metrics(client, NULL) == BW_OK);
    CHECK(bw_create_session(client, NULL, NULL) == BW_OK);
    CHECK_SUCCESS(bw_client_take_late(client, &out), "\"operation\":\"createSession\",\"tag\":null");
    CHECK_SUCCESS(bw_client_take_late(client, &out), "{\"dropped\":0,\"late\":[]}");
    CHECK(bw_client_set_log(client, BW_LOG_OFF, NULL, NULL, NULL) == BW_OK);
    CHECK(lines > 20);
    lines = 0;
    CHECK(bw_get_session(client, session, NULL) == BW_E_NOT_FOUND && lines == 0);
    bw_free(session);
    bwt_participant_clear(&participant);
    bw_client_free(client);
}

static void endpoints(const bwt_client_options *options)
{
    bw_client *client = NULL;
    char *id, *document = NULL;
    uint64_t count = 0;

    CHECK(bwt_client_new(options, &client, NULL) == BW_OK);
    CHECK(bw_create_endpoint(client, "{\"type\":\"WEBRTC\",\"direction\":\"OUTBOUND\"}", &document) == BW_OK);
    id = bwt_get(document, "/data/endpointId");
    CHECK_TEXT(document, "\"token\"");
    bw_free(document);
    CHECK_SUCCESS(bw_get_endpoint(client, id, &out), id);
    CHECK(bw_list_endpoints(client, "{\"limit\":1000,\"status\":\"DISCONNECTED\"}", &document) == BW_OK);
    CHECK(bw_json_length(document, "/data", &count, NULL) == BW_OK && count >= 1);
    CHECK_TEXT(document, id);
    bw_free(document);
    CHECK_SUCCESS(bw_list_endpoints(client, NULL, &out), "\"page\"");
    CHECK_SUCCESS(bw_update_endpoint_bxml(client, id, "<Response><StartRecording/></Response>", &out), "null");
    CHECK_SUCCESS(bw_delete_endpoint(client, id, &out), "null");
    CHECK_FAILURE(bw_get_endpoint(client, id, &out), BW_E_NOT_FOUND, "");
    bw_free(id);
    bw_client_free(client);
}

static void helpers(void)
{
    CHECK_SUCCESS(bw_transfer_bxml("a.b.c", NULL, NULL, &out), "uui=\\\"a.b.c;encoding=jwt\\\"");
    CHECK_SUCCESS(
        bw_parse_event("{\"event\":\"onLeave\",\"timestamp\":\"5\",\"participantId\":\"p\"}", &out),
        "\"timestamp\":5");
    CHECK_SUCCESS(bw_connect_bxml("[\"e-1\"]", "{\"eventCallbackUrl\":\"/x?a&b\"}", &out),
                  "<Connect eventCallbackUrl=\\\"/x?a&amp;b\\\"><Endpoint>e-1</Endpoint></Connect>");
    CHECK_SUCCESS(bw_uui("a.b.c", "c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1a4", &out),
                  "93d6f3c0be5845960b744fa28015d8ede84bd1a4;encoding=base64,a.b.c;encoding=jwt");
    CHECK_SUCCESS(bw_token_claims("e30.eyJwIjoieCJ9.c2ln", &out), "\"participantId\":\"x\"");
    CHECK_FAILURE(bw_transfer_bxml(NULL, NULL, NULL, &out), BW_E_INVALID_ARGUMENT, "token: is NULL");
    CHECK(bw_parse_event(NULL, NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bw_token_claims("\xff", NULL) == BW_E_INVALID_ARGUMENT);
    CHECK(bw_client_stats(NULL, NULL) == BW_E_INVALID_HANDLE);
    CHECK_FAILURE(bw_client_metrics(NULL, &out), BW_E_INVALID_HANDLE, "client");
    CHECK(bw_client_set_log(NULL, BW_LOG_OFF, NULL, NULL, NULL) == BW_E_INVALID_HANDLE);
}

int main(int argc, char **argv)
{
    bwt_client_options options;
    bwt_error error;
    bw_client *client;

    if (argc < 2)
        return 2;
    options = client_options(argv, argc);
    creates_participants(&options);
    all_operations(&options);
    endpoints(&options);
    helpers();
    options.client_secret = "wrong \"open sesame\"";
    is_rejected(&options, BW_E_UNAUTHORIZED, 401, "not_sent", "check clientId and clientSecret");
    options.client_secret = "client-secret";
    options.account_id = "another";
    is_rejected(&options, BW_E_FORBIDDEN, 403, "rejected", "role for WebRTC");
    CHECK_FAILURE(bw_client_new("{\"accountId\": \"1\", \"clientId\": \"c\", \"clientSecret\": \"s\", "
                                "\"logFormat\": \"xml\"}", &client, &out),
                  BW_E_CONFIG, "is not one of text, json");
    options.account_id = NULL;
    CHECK(bwt_client_new(&options, &client, &error) == BW_E_CONFIG && client == NULL);
    CHECK_TEXT(error.message, "config.accountId: is missing");
    bwt_error_clear(&error);
    options.account_id = "9900000";
    options.token_url = NULL;
    CHECK(bwt_client_new(&options, &client, &error) == BW_E_CONFIG && client == NULL);
    CHECK_TEXT(error.message, "config.tokenUrl: is missing");
    bwt_error_clear(&error);
    options.client_id = NULL;
    options.client_secret = NULL;
    options.username = "user";
    options.password = "wrong \"open sesame\"";
    is_rejected(&options, BW_E_UNAUTHORIZED, 401, "rejected", "check username and password");
    options.password = "secret";
    creates_participants(&options);
    return sum_up();
}
