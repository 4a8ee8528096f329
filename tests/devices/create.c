/* Creates a session and two participants that hear and see everyone in it, and prints lines for a
 * shell with their ids and tokens. */
#include "from_environment.h"

/* Prints the error document and exits if a call failed. */
static void require(bw_status status, const char *document)
{
    if (status != BW_OK) {
        fprintf(stderr, "%s: %s\n", bw_status_name(status), document != NULL ? document : "");
        exit(1);
    }
}

int main(void)
{
    static const bwt_participant_options properties[2] = {{1, 1, "alice", NULL, NULL, 0},
                                                          {1, 1, "bob", NULL, NULL, 0}};
    static const char *const names[2] = {"alice", "bob"};
    bwt_client_options options = from_environment();
    bwt_participant participant;
    bwt_error error = BWT_ERROR_INIT;
    char everyone[80], *session, *out = NULL;
    bw_client *client;
    bw_status status;
    int i;

    status = bwt_client_new(&options, &client, &error);
    require(status, error.document);
    status = bw_create_session(client, "{\"tag\": \"a room\"}", &out);
    require(status, out);
    session = bwt_get(out, "/id");
    bw_free(out);
    printf("session=%s\n", session);
    sprintf(everyone, "{\"sessionId\": \"%.40s\"}", session);
    for (i = 0; i < 2; i++) {
        status = bwt_create_participant(client, &properties[i], &participant, &error);
        require(status, error.document);
        status = bw_add_participant_to_session(client, session, participant.id, everyone, &out);
        require(status, out);
        bw_free(out);
        printf("%s=%s %s_token=%s\n", names[i], participant.id, names[i], participant.token);
        bwt_participant_clear(&participant);
    }
    bw_free(session);
    bw_client_free(client);
    return 0;
}
