/* Creates a session of two participants that hear everyone in it, and deletes everything. */
#include "from_environment.h"

/* Returns the document of a call that succeeded; otherwise prints the error and exits. Each call is
 * complete before its document is passed here: C does not define which of two arguments is
 * evaluated first. */
static char *must(bw_status status, char *document)
{
    if (status != BW_OK) {
        fprintf(stderr, "%s: %s\n", bw_status_name(status), document != NULL ? document : "");
        bw_free(document);
        exit(1);
    }
    return document;
}

int main(void)
{
    bwt_client_options options = from_environment();
    bwt_participant_options wanted[2] = {{1, 0, "alice", NULL, NULL}, {1, 0, "bob", NULL, NULL}};
    bwt_participant made[2];
    bwt_error error;
    char everyone[80], *session, *list, *out = NULL;
    bw_client *client;
    bw_status status;
    int i;

    status = bwt_client_new(&options, &client, &error);
    must(status, status != BW_OK ? error.document : NULL);
    status = bw_create_session(client, "{\"tag\": \"a room\"}", &out);
    must(status, out);
    session = bwt_get(out, "/id");
    bw_free(out);
    sprintf(everyone, "{\"sessionId\": \"%.40s\"}", session);
    for (i = 0; i < 2; i++) {
        status = bwt_create_participant(client, &wanted[i], &made[i], &error);
        must(status, status != BW_OK ? error.document : NULL);
        status = bw_add_participant_to_session(client, session, made[i].id, everyone, &out);
        bw_free(must(status, out));
    }
    status = bw_list_session_participants(client, session, &list);
    must(status, list);
    for (i = 0; i < 2; i++) {
        char *tag = bwt_get(list, i == 0 ? "/0/tag" : "/1/tag");
        char *hears = bwt_get(list, i == 0 ? "/0/subscriptions/sessionId" : "/1/subscriptions/sessionId");
        printf("%s hears %s\n", tag, hears != NULL ? "everyone in the session" : "nobody");
        bw_free(tag);
        bw_free(hears);
        status = bw_delete_participant(client, made[i].id, &out);
        bw_free(must(status, out));
        bwt_participant_clear(&made[i]);
    }
    bw_free(list);
    status = bw_delete_session(client, session, &out);
    bw_free(must(status, out));
    bw_free(session);
    bw_client_free(client);
    return 0;
}
