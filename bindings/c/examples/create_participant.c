/* Creates a participant with the credentials in BW_ACCOUNT_ID, BW_USERNAME and BW_PASSWORD; BW_BASE_URL
 * and BW_CA_FILE point it at another service than Bandwidth's, such as bw-sandbox. */
#include "bw_webrtc_typed.h"

static int failed(bwt_error *error)
{
    fprintf(stderr, "%s: %s\n", bw_status_name(error->status), error->message);
    bwt_error_clear(error);
    return 1;
}

int main(void)
{
    bwt_client_options where = BWT_CLIENT_OPTIONS_INIT;
    bwt_participant_options wanted = BWT_PARTICIPANT_OPTIONS_INIT;
    bwt_participant participant;
    bwt_error error;
    bw_client *client;

    where.account_id = getenv("BW_ACCOUNT_ID");
    where.username = getenv("BW_USERNAME");
    where.password = getenv("BW_PASSWORD");
    where.base_url = getenv("BW_BASE_URL");
    where.ca_file = getenv("BW_CA_FILE");
    if (bwt_client_new(&where, &client, &error) != BW_OK)
        return failed(&error);

    wanted.publish_audio = 1;
    wanted.tag = "from C";
    if (bwt_create_participant(client, &wanted, &participant, &error) != BW_OK) {
        bw_client_free(client);
        return failed(&error);
    }
    printf("participant %s\ntoken       %.16s... (%lu characters)\n", participant.id,
           participant.token, (unsigned long)strlen(participant.token));
    bwt_participant_clear(&participant);
    bw_client_free(client);
    return 0;
}
