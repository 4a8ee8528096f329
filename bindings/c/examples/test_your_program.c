/* How to test YOUR program against bw-sandbox: what does it do when the service is well, when it is
 * busy, and when an answer is lost? */
#include "bw_sandbox.h"
#include "bw_webrtc_typed.h"

/* Stands for your program: invites a caller; 1 done, 0 refused, -1 nobody knows. */
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

/* How many requests the sandbox saw since it was reset. */
static int requests(const bw_sandbox *sandbox)
{
    char *seen = bw_sandbox_control(sandbox, "GET", "/requests", ""), pointer[16], *one;
    int count = 0;

    for (;; count++) {
        sprintf(pointer, "/%d", count);
        if (bw_json_get(seen, pointer, &one) != BW_OK)
            break;
        bw_free(one);
    }
    bw_free(one);
    free(seen);
    return count;
}

static int passed, failed;

static void expect(int holds, const char *what)
{
    printf("%s %s\n", holds ? "ok  " : "FAIL", what);
    holds ? passed++ : failed++;
}

static void anew(const bw_sandbox *sandbox)
{
    free(bw_sandbox_control(sandbox, "POST", "/reset", ""));
}

int main(void)
{
    bw_sandbox sandbox;
    bw_client *client;

    if (bw_sandbox_start(&sandbox) != 0)
        return fprintf(stderr, "bw-sandbox cannot be started: is it on PATH, or BW_SANDBOX set?\n"), 1;
    if (bw_client_new(sandbox.config, &client, NULL) != BW_OK)
        return bw_sandbox_stop(&sandbox), 1;

    expect(invite(client, "alice") == 1 && requests(&sandbox) == 1, "a caller is invited");

    anew(&sandbox);
    bw_sandbox_fault(&sandbox, "{\"operation\": \"createParticipant\", \"kind\": \"status\","
                               " \"status\": 429}");
    expect(invite(client, "bob") == 1 && requests(&sandbox) == 2, "a busy service is asked again");

    anew(&sandbox);
    bw_sandbox_fault(&sandbox, "{\"operation\": \"createParticipant\", \"kind\": \"close_after\"}");
    expect(invite(client, "carol") == -1 && requests(&sandbox) == 1,
           "a lost answer is not asked for twice: carol may exist");

    bw_client_free(client);
    bw_sandbox_stop(&sandbox);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
