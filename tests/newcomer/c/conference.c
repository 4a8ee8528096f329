/* A conference manager in C: an agent and a customer talk, and a silent supervisor listens.
 * BW_CONFIG_FILE names the settings file. Exit status: 75 if the service is busy, or 0, or 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw_webrtc.h"

enum { AGENT, CUSTOMER, SUPERVISOR, PEOPLE };

static const char *const names[PEOPLE] = {"agent", "customer", "supervisor"};
static const char *const permissions[PEOPLE] = {"[\"AUDIO\", \"VIDEO\"]", "[\"AUDIO\"]", "[]"};

/* Returns a value of a document, or NULL. */
static char *value(const char *document, const char *pointer)
{
    char *text = NULL;

    if (bw_json_get(document, pointer, &text) == BW_OK)
        return text;
    bw_free(text);
    return NULL;
}

/* Prints why a call failed, if it failed, and frees its document. Returns the exit status. */
static int finish(const char *task, bw_status status, char *document)
{
    if (status != BW_OK) {
        char *message = value(document, "/error/message");
        char *outcome = value(document, "/error/outcome");
        char *delay = value(document, "/error/retryAfterMs");
        printf("%s: %s (outcome %s): %s\n", task, bw_status_name(status),
               outcome != NULL ? outcome : "none", message);
        if (delay != NULL)
            printf("try again in %ld s\n", (strtol(delay, NULL, 10) + 999) / 1000);
        bw_free(message);
        bw_free(outcome);
        bw_free(delay);
    }
    bw_free(document);
    return status == BW_OK ? 0 : status == BW_E_RATE_LIMITED ? 75 : 1;
}

/* Creates a participant that hears everyone. Stores its id, which the caller frees. */
static int add(bw_client *client, const char *session, int who, char **id)
{
    char json[200], *document = NULL, *token;
    bw_status status;

    snprintf(json, sizeof json, "{\"tag\": \"%s\", \"publishPermissions\": %s}", names[who],
             permissions[who]);
    status = bw_create_participant(client, json, &document);
    if (status != BW_OK)
        return finish("create a participant", status, document);
    *id = value(document, "/participant/id");
    token = value(document, "/token");
    printf("%s has a token of %lu characters\n", names[who], (unsigned long)strlen(token));
    bw_free(token);
    bw_free(document);
    snprintf(json, sizeof json, "{\"sessionId\": \"%s\"}", session);
    status = bw_add_participant_to_session(client, session, *id, json, &document);
    return finish("add a participant", status, document);
}

/* Prints who is in the session, and whom they hear. */
static int list(bw_client *client, const char *session)
{
    char *document = NULL;
    uint64_t count = 0, i;
    bw_status status = bw_list_session_participants(client, session, &document);

    if (status == BW_OK)
        bw_json_length(document, "", &count, NULL);
    for (i = 0; i < count; i++) {
        char pointer[80], *tag, *publishes;
        uint64_t heard = 0;

        snprintf(pointer, sizeof pointer, "/%d/tag", (int)i);
        tag = value(document, pointer);
        snprintf(pointer, sizeof pointer, "/%d/publishPermissions", (int)i);
        publishes = value(document, pointer);
        snprintf(pointer, sizeof pointer, "/%d/subscriptions/participants", (int)i);
        bw_json_length(document, pointer, &heard, NULL);
        printf("  %s publishes %s, hears ", tag, publishes != NULL ? publishes : "nothing");
        if (heard > 0)
            printf("only %d\n", (int)heard);
        else
            puts("everyone");
        bw_free(tag);
        bw_free(publishes);
    }
    return finish("list the participants", status, document);
}

/* Holds the conference. Deletes everyone and the session afterwards. */
static int hold(bw_client *client, const char *session)
{
    char *ids[PEOPLE] = {NULL, NULL, NULL}, *document = NULL, json[200];
    int who, result = 0;
    bw_status status;

    for (who = 0; who < PEOPLE && result == 0; who++)
        result = add(client, session, who, &ids[who]);
    if (result == 0)
        result = list(client, session);
    if (result == 0) { /* from now on, the customer hears only the agent */
        snprintf(json, sizeof json, "{\"participants\": [{\"participantId\": \"%s\"}]}", ids[AGENT]);
        status = bw_update_participant_subscriptions(client, session, ids[CUSTOMER], json, &document);
        result = finish("change the subscriptions", status, document);
    }
    if (result == 0)
        result = list(client, session);
    for (who = 0; who < PEOPLE && ids[who] != NULL; who++) {
        bw_remove_participant_from_session(client, session, ids[who], NULL);
        bw_delete_participant(client, ids[who], NULL);
        status = bw_get_participant(client, ids[who], &document);
        finish(names[who], status, document);
        bw_free(ids[who]);
    }
    bw_delete_session(client, session, NULL);
    return result;
}

int main(void)
{
    bw_client *client = NULL;
    char *document = NULL, *session, *line, *tag = NULL, json[200];
    int result;
    bw_status status = bw_client_new(NULL, &client, &document);

    if (status != BW_OK)
        return finish("settings", status, document);
    bw_json_quote("the \"weekly\" review", &tag);
    snprintf(json, sizeof json, "{\"tag\": %s}", tag);
    bw_free(tag);
    status = bw_create_session(client, json, &document);
    session = status == BW_OK ? value(document, "/id") : NULL;
    result = finish("create the session", status, document);
    if (result == 0)
        result = hold(client, session);
    bw_free(session);
    if (bw_client_metrics(client, &document) == BW_OK)
        for (line = strtok(document, "\n"); line != NULL; line = strtok(NULL, "\n"))
            if (strncmp(line, "bw_webrtc_calls_total{", 22) == 0)
                puts(line);
    bw_free(document);
    bw_client_free(client);
    return result;
}
