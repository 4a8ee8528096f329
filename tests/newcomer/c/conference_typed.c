/* The conference manager of conference.c with the structs of bw_webrtc_typed.h.
 * BW_CONFIG_FILE names the settings file. Exit status: 75 if the service is busy, or 0, or 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw_webrtc_typed.h"

enum { AGENT, CUSTOMER, SUPERVISOR, PEOPLE };

/* Prints why a call failed, clears the error, and returns the exit status of the program. */
static int failed(const char *task, bwt_error *error)
{
    char *delay = bwt_get(error->document, "/error/retryAfterMs");
    int result = error->status == BW_E_RATE_LIMITED ? 75 : 1;

    printf("%s: %s (outcome %s, HTTP %d): %s\n", task, bw_status_name(error->status),
           error->outcome != NULL ? error->outcome : "none", error->http_status,
           error->message != NULL ? error->message : "no memory");
    if (delay != NULL)
        printf("try again in %ld s\n", (strtol(delay, NULL, 10) + 999) / 1000);
    bw_free(delay);
    bwt_error_clear(error);
    return result;
}

/* Prints who is in the session, and whom they hear. */
static int list(bw_client *client, const char *session)
{
    bwt_participant_list people;
    bwt_subscriptions hears;
    bwt_error error;
    size_t i;

    if (bwt_list_session_participants(client, session, &people, &error) != BW_OK)
        return failed("list the participants", &error);
    for (i = 0; i < people.length; i++) {
        const bwt_participant *one = &people.items[i];
        if (bwt_get_participant_subscriptions(client, session, one->id, &hears, &error) != BW_OK) {
            bwt_participant_list_clear(&people);
            return failed("read the subscriptions", &error);
        }
        printf("  %s publishes%s%s%s, hears ", one->tag, one->publish_audio ? " audio" : "",
               one->publish_video ? " video" : "",
               one->publish_audio || one->publish_video ? "" : " nothing");
        if (hears.length > 0)
            printf("only %lu\n", (unsigned long)hears.length);
        else
            puts(hears.session_id != NULL ? "everyone" : "nobody");
        bwt_subscriptions_clear(&hears);
    }
    bwt_participant_list_clear(&people);
    return 0;
}

/* Creates the three participants and adds them to the session. */
static int fill(bw_client *client, const char *session, bwt_participant *people)
{
    static const bwt_participant_options options[] = {
        {1, 1, "agent", NULL, NULL, 0},
        {1, 0, "customer", NULL, NULL, 0},
        {0, 0, "supervisor", NULL, NULL, 1},
    };
    bwt_subscription_options everyone = BWT_SUBSCRIPTION_OPTIONS_INIT;
    bwt_error error;
    int who;

    everyone.session_id = session;
    for (who = 0; who < PEOPLE; who++)
        if (bwt_create_participant(client, &options[who], &people[who], &error) != BW_OK)
            return failed("create a participant", &error);
    for (who = 0; who < PEOPLE; who++) {
        printf("%s has a token of %lu characters\n", people[who].tag,
               (unsigned long)strlen(people[who].token));
        if (bwt_add_participant_to_session(client, session, people[who].id, &everyone, &error) != BW_OK)
            return failed("add a participant", &error);
    }
    return list(client, session);
}

/* From now on, the customer hears only the agent. */
static int limit(bw_client *client, const char *session, const bwt_participant *people)
{
    const char *agent = people[AGENT].id, *customer = people[CUSTOMER].id;
    bwt_subscription_options only_agent = BWT_SUBSCRIPTION_OPTIONS_INIT;
    bwt_error error;

    only_agent.participant_ids = &agent;
    only_agent.length = 1;
    if (bwt_update_participant_subscriptions(client, session, customer, &only_agent, &error) != BW_OK)
        return failed("change the subscriptions", &error);
    return list(client, session);
}

int main(void)
{
    bwt_participant people[PEOPLE];
    bwt_session session;
    bwt_error error;
    bw_client *client = NULL;
    char *metrics = NULL, *line;
    int who, result;

    memset(people, 0, sizeof people);
    if (bwt_client_new(NULL, &client, &error) != BW_OK)
        return failed("settings", &error);
    if (bwt_create_session(client, "the \"weekly\" review", &session, &error) != BW_OK)
        result = failed("create the session", &error);
    else
        result = fill(client, session.id, people);
    if (result == 0)
        result = limit(client, session.id, people);
    for (who = 0; who < PEOPLE && people[who].id != NULL; who++) {
        bwt_remove_participant_from_session(client, session.id, people[who].id, NULL);
        bwt_delete_participant(client, people[who].id, NULL);
        if (bwt_get_participant(client, people[who].id, NULL, &error) != BW_OK)
            failed(people[who].tag, &error);
        bwt_participant_clear(&people[who]);
    }
    if (session.id != NULL)
        bwt_delete_session(client, session.id, NULL);
    bwt_session_clear(&session);
    if (bw_client_metrics(client, &metrics) == BW_OK)
        for (line = strtok(metrics, "\n"); line != NULL; line = strtok(NULL, "\n"))
            if (strncmp(line, "bw_webrtc_calls_total", 21) == 0)
                puts(line);
    bw_free(metrics);
    bw_client_free(client);
    return result;
}
