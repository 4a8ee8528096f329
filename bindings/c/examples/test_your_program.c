/* Tests a program with bw-sandbox: if the service works, if it is busy, and if a response is lost. */
#include "bw_sandbox.h"
#include "bw_webrtc_typed.h"

/* The program that is tested: creates a participant for a caller. Returns 1 on success, 0 on failure,
 * or -1 if it is unknown whether the participant exists. */
static int invite(bw_client *client, const char *caller)
{
    bwt_participant_options properties = BWT_PARTICIPANT_OPTIONS_INIT;
    bwt_participant participant;
    bwt_error error;
    int known;

    properties.publish_audio = 1;
    properties.tag = caller;
    if (bwt_create_participant(client, &properties, &participant, &error) == BW_OK) {
        bwt_participant_clear(&participant);
        return 1;
    }
    known = error.outcome == NULL || strcmp(error.outcome, "unknown") != 0;
    bwt_error_clear(&error);
    return known ? 0 : -1;
}

/* Returns the number of createParticipant requests since the last reset. */
static int create_requests(const bw_sandbox *sandbox)
{
    char *recorded = bw_sandbox_control(sandbox, "GET", "/requests", ""), pointer[32], *operation;
    int i, count = 0;

    for (i = 0;; i++) {
        sprintf(pointer, "/%d/operation", i);
        operation = bwt_get(recorded, pointer);
        if (operation == NULL)
            break;
        count += strcmp(operation, "createParticipant") == 0;
        bw_free(operation);
    }
    free(recorded);
    return count;
}

static int passed, failed;

static void expect(int condition, const char *expectation)
{
    printf("%s %s\n", condition ? "ok  " : "FAIL", expectation);
    condition ? passed++ : failed++;
}

static void reset(const bw_sandbox *sandbox)
{
    free(bw_sandbox_control(sandbox, "POST", "/reset", ""));
}

int main(void)
{
    bw_sandbox sandbox;
    bw_client *client;

    if (bw_sandbox_start(&sandbox) != 0) {
        fprintf(stderr, "bw-sandbox cannot be started: is it on PATH, or BW_SANDBOX set?\n");
        return 1;
    }
    if (bw_client_new(sandbox.config, &client, NULL) != BW_OK) {
        bw_sandbox_stop(&sandbox);
        return 1;
    }

    expect(invite(client, "alice") == 1 && create_requests(&sandbox) == 1, "a caller is invited");

    reset(&sandbox);
    bw_sandbox_fault(&sandbox, "{\"operation\": \"createParticipant\", \"kind\": \"status\","
                               " \"status\": 503, \"headers\": {\"Retry-After\": \"0\"}}");
    expect(invite(client, "bob") == 1 && create_requests(&sandbox) == 2, "a call to a busy service is retried");

    reset(&sandbox);
    bw_sandbox_fault(&sandbox, "{\"operation\": \"createParticipant\", \"kind\": \"close_after\"}");
    expect(invite(client, "carol") == -1 && create_requests(&sandbox) == 1,
           "a create request whose response is lost is not retried: carol may exist");

    bw_client_free(client);
    bw_sandbox_stop(&sandbox);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
