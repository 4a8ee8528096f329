/* How to test YOUR program with bw-sandbox: what does it do if the service works, if it is busy, and
 * if a response is lost? */
#include "bw_sandbox.h"
#include "bw_webrtc_typed.h"

/* Your program: invites a caller. Returns 1 if done, 0 if not done, -1 if that is unknown. */
static int invite(bw_client *client, const char *caller)
{
    bwt_participant_options wanted = BWT_PARTICIPANT_OPTIONS_INIT;
    bwt_participant participant;
    bwt_error error;
    int known;

    wanted.publish_audio = 1;
    wanted.tag = caller;
    if (bwt_create_participant(client, &wanted, &participant, &error) == BW_OK) {
        bwt_participant_clear(&participant);
        return 1;
    }
    known = error.outcome == NULL || strcmp(error.outcome, "unknown") != 0;
    bwt_error_clear(&error);
    return known ? 0 : -1;
}

/* How many participants were requested since the sandbox was reset, by its record of requests. */
static int requests(const bw_sandbox *sandbox)
{
    char *seen = bw_sandbox_control(sandbox, "GET", "/requests", ""), pointer[32], *operation;
    int i, count = 0;

    for (i = 0;; i++) {
        sprintf(pointer, "/%d/operation", i);
        operation = bwt_get(seen, pointer);
        if (operation == NULL)
            break;
        count += strcmp(operation, "createParticipant") == 0;
        bw_free(operation);
    }
    free(seen);
    return count;
}

static int passed, failed;

static void expect(int holds, const char *what)
{
    printf("%s %s\n", holds ? "ok  " : "FAIL", what);
    holds ? passed++ : failed++;
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

    expect(invite(client, "alice") == 1 && requests(&sandbox) == 1, "a caller is invited");

    reset(&sandbox);
    bw_sandbox_fault(&sandbox, "{\"operation\": \"createParticipant\", \"kind\": \"status\","
                               " \"status\": 503, \"headers\": {\"Retry-After\": \"0\"}}");
    expect(invite(client, "bob") == 1 && requests(&sandbox) == 2, "a call to a busy service is retried");

    reset(&sandbox);
    bw_sandbox_fault(&sandbox, "{\"operation\": \"createParticipant\", \"kind\": \"close_after\"}");
    expect(invite(client, "carol") == -1 && requests(&sandbox) == 1,
           "a create request whose response is lost is not retried: carol may exist");

    bw_client_free(client);
    bw_sandbox_stop(&sandbox);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
