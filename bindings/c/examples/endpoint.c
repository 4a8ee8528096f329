/* Creates an endpoint (BRTC), prints its id, the beginning of its token and its expiry, and deletes
 * it. */
#include "from_environment.h"

int main(void)
{
    bwt_client_options options = from_environment();
    bwt_endpoint_options request = BWT_ENDPOINT_OPTIONS_INIT;
    bwt_endpoint endpoint;
    bwt_error error;
    bw_client *client;

    request.direction = "BIDIRECTIONAL";
    request.tag = "from C";
    if (bwt_client_new(&options, &client, &error) != BW_OK ||
        bwt_create_endpoint(client, &request, &endpoint, &error) != BW_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    /* The token is for the device: it is returned only once. */
    printf("endpoint    %s\ntoken       %.12s... (%lu characters)\nexpires     %s\n", endpoint.id,
           endpoint.token, (unsigned long)strlen(endpoint.token), endpoint.expiration_timestamp);
    /* An endpoint counts towards the quota of the account until it expires. */
    if (bwt_delete_endpoint(client, endpoint.id, &error) != BW_OK) {
        fprintf(stderr, "the endpoint was not deleted: %s\n", error.message);
        bwt_error_clear(&error);
    }
    bwt_endpoint_clear(&endpoint);
    bw_client_free(client);
    return 0;
}
