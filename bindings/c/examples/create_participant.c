/* Creates a participant, and prints its id and the beginning of its token. */
#include "from_environment.h"

/* Prints and clears an error; returns the exit status. */
static int fail(bwt_error *error)
{
    fprintf(stderr, "%s: %s\n", bw_status_name(error->status), error->message);
    bwt_error_clear(error);
    return 1;
}

int main(void)
{
    bwt_client_options options = from_environment();
    bwt_participant_options properties = BWT_PARTICIPANT_OPTIONS_INIT;
    bwt_participant participant;
    bwt_error error;
    bw_client *client;

    if (bwt_client_new(&options, &client, &error) != BW_OK)
        return fail(&error);
    properties.publish_audio = 1;
    properties.tag = "from C";
    if (bwt_create_participant(client, &properties, &participant, &error) != BW_OK) {
        bw_client_free(client);
        return fail(&error);
    }
    printf("participant %s\ntoken       %.12s... (%lu characters)\n", participant.id,
           participant.token, (unsigned long)strlen(participant.token));
    bwt_participant_clear(&participant);
    bw_client_free(client);
    return 0;
}
