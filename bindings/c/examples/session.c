/* Creates a session and two participants that hear everyone in it, prints whom they hear, and deletes
 * all of them. */
#include "from_environment.h"

/* Prints the error document and exits if a call failed. Pass only documents that were set before:
 * C does not define in which order the arguments of a call are evaluated. */
static void require(bw_status status, const char *document)
{
    if (status != BW_OK) {
        fprintf(stderr, "%s: %s\n", bw_status_name(status), document != NULL ? document : "");
        exit(1);
    }
}

int main(void)
{
    static const bwt_participant_options properties[2] = {{1, 0, "alice", NULL, NULL, 0},
                                                          {1, 0, "bob", NULL, NULL, 0}};
    bwt_client_options options = from_environment();
    bwt_participant participants[2];
    bwt_error error = BWT_ERROR_INIT;
    char everyone[80], *session, *list, *out = NULL;
    bw_client *client;
    bw_status status;
    int i;

    status = bwt_client_new(&options, &client, &error);
    require(status, error.document);
    status = bw_create_session(client, "{\"tag\": \"a room\"}", &out);
    require(status, out);
    session = bwt_get(out, "/id");
    bw_free(out);
    sprintf(everyone, "{\"sessionId\": \"%.40s\"}", session);
    for (i = 0; i < 2; i++) {
        status = bwt_create_participant(client, &properties[i], &participants[i], &error);
        require(status, error.document);
        status = bw_add_participant_to_session(client, session, participants[i].id, everyone, &out);
        require(status, out);
        bw_free(out);
    }
    status = bw_list_session_participants(client, session, &list);
    require(status, list);
    for (i = 0; i < 2; i++) {
        char *tag = bwt_get(list, i == 0 ? "/0/tag" : "/1/tag");
        char *hears = bwt_get(list, i == 0 ? "/0/subscriptions/sessionId" : "/1/subscriptions/sessionId");
        printf("%s hears %s\n", tag, hears != NULL ? "everyone in the session" : "nobody");
        bw_free(tag);
        bw_free(hears);
        status = bw_delete_participant(client, participants[i].id, &out);
        require(status, out);
        bw_free(out);
        bwt_participant_clear(&participants[i]);
    }
    bw_free(list);
    status = bw_delete_session(client, session, &out);
    require(status, out);
    bw_free(out);
    bw_free(session);
    bw_client_free(client);
    return 0;
}
