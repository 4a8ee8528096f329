/* A session in one breath: two participants who hear everyone in it. */
#include "from_environment.h"

static void must(bw_status status, const char *document)
{
    if (status != BW_OK) {
        fprintf(stderr, "%s: %s\n", bw_status_name(status), document != NULL ? document : "");
        exit(1);
    }
}

int main(void)
{
    bwt_client_options where = from_environment();
    bwt_participant_options wanted[2] = {{1, 0, "alice", NULL, NULL}, {1, 0, "bob", NULL, NULL}};
    bwt_participant who[2];
    char everyone[80], *session, *out = NULL;
    bw_client *client;

    must(bwt_client_new(&where, &client, NULL), "no client: is the environment set?");
    must(bw_create_session(client, "{\"tag\": \"a room\"}", &out), out);
    session = bwt_get(out, "/id");
    sprintf(everyone, "{\"sessionId\": \"%.40s\"}", session);
    for (int i = 0; i < 2; i++) {
        must(bwt_create_participant(client, &wanted[i], &who[i], NULL), "no participant");
        must(bw_add_participant_to_session(client, session, who[i].id, everyone, NULL), "not added");
    }
    bw_free(out);
    must(bw_list_session_participants(client, session, &out), out);
    for (int i = 0; i < 2; i++) {
        char *tag = bwt_get(out, i == 0 ? "/0/tag" : "/1/tag");
        char *hears = bwt_get(out, i == 0 ? "/0/subscriptions/sessionId" : "/1/subscriptions/sessionId");
        printf("%s hears %s\n", tag, hears != NULL ? "everyone in the session" : "nobody");
        bw_free(tag), bw_free(hears);
        must(bw_delete_participant(client, who[i].id, NULL), "not deleted");
        bwt_participant_clear(&who[i]);
    }
    must(bw_delete_session(client, session, NULL), "not deleted");
    bw_free(out), bw_free(session), bw_client_free(client);
}
