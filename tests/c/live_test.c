/* Participants from C against a running bw-sandbox: the ABI and the typed layer.
 * Usage: live_test BASE_URL [CA_FILE] */
#include "bw_webrtc_typed.h"
#include "check.h"

static bwt_client_options where(char **argv, int argc)
{
    bwt_client_options options = BWT_CLIENT_OPTIONS_INIT;

    options.account_id = "9900000";
    options.username = "user";
    options.password = "secret";
    options.base_url = argv[1];
    options.ca_file = argc > 2 ? argv[2] : NULL;
    options.timeout_ms = 60000;
    return options;
}

static void creates(const bwt_client_options *options)
{
    static const char tag[] = "\"quoted\" \\ tab\t caf\xc3\xa9 \x01";
    bwt_participant_options wanted = BWT_PARTICIPANT_OPTIONS_INIT;
    bwt_participant participant;
    bwt_error error;
    bw_client *client = NULL;
    char *text = NULL;

    CHECK(bwt_client_new(options, &client, &error) == BW_OK);
    wanted.publish_audio = 1;
    wanted.publish_video = 1;
    wanted.tag = tag;
    wanted.callback_url = "http://127.0.0.1:1/hook";
    wanted.device_api_version = "V3";
    if (CHECK(bwt_create_participant(client, &wanted, &participant, &error) == BW_OK)) {
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

    wanted.tag = "\xff";
    CHECK(bwt_create_participant(client, &wanted, &participant, &error) == BW_E_INVALID_ARGUMENT);
    CHECK(participant.id == NULL && participant.token == NULL && participant.document == NULL);
    CHECK_TEXT(error.message, "not valid UTF-8");
    CHECK_TEXT(error.outcome, "not_sent");
    bwt_error_clear(&error);
    bwt_error_clear(&error);
    CHECK(bwt_create_participant(client, NULL, NULL, NULL) == BW_E_INVALID_ARGUMENT);
    bw_client_free(client);
    CHECK(bwt_create_participant(client, NULL, &participant, &error) == BW_E_INVALID_HANDLE);
    bwt_error_clear(&error);
}

static void is_refused(const bwt_client_options *options, bw_status status, int http_status)
{
    bwt_participant participant;
    bwt_error error;
    bw_client *client = NULL;

    CHECK(bwt_client_new(options, &client, NULL) == BW_OK);
    CHECK(bwt_create_participant(client, NULL, &participant, &error) == status);
    CHECK(error.http_status == http_status);
    CHECK_TEXT(error.outcome, "rejected");
    bwt_error_clear(&error);
    if (status == BW_E_UNAUTHORIZED) {
        char *failure = NULL;
        CHECK(bw_client_set_credentials(client, "user", "secret", &failure) == BW_OK);
        CHECK(bwt_create_participant(client, NULL, &participant, &error) == BW_OK);
        bwt_participant_clear(&participant);
    }
    bw_client_free(client);
}

int main(int argc, char **argv)
{
    bwt_client_options options;
    bwt_error error;
    bw_client *client;

    if (argc < 2)
        return 2;
    options = where(argv, argc);
    creates(&options);
    options.password = "wrong \"password\"";
    is_refused(&options, BW_E_UNAUTHORIZED, 401);
    options.password = "secret";
    options.account_id = "another";
    is_refused(&options, BW_E_FORBIDDEN, 403);
    options.account_id = NULL;
    CHECK(bwt_client_new(&options, &client, &error) == BW_E_CONFIG && client == NULL);
    CHECK_TEXT(error.message, "config.accountId: is empty");
    bwt_error_clear(&error);
    return sum_up();
}
