/* Creates an endpoint (BRTC), prints its id, the beginning of its token and its expiry, and deletes
 * it. */
#include "from_environment.h"

int main(void)
{
    static const char request[] =
        "{\"type\": \"WEBRTC\", \"direction\": \"BIDIRECTIONAL\", \"tag\": \"from C\"}";
    bwt_client_options options = from_environment();
    bwt_error error = {BW_OK, 0, NULL, NULL, NULL};
    char *endpoint = NULL, *id, *token, *expires;
    bw_client *client;

    if (bwt_client_new(&options, &client, &error) != BW_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    if (bw_create_endpoint(client, request, &endpoint) != BW_OK)
        return fprintf(stderr, "%s\n", endpoint != NULL ? endpoint : ""), 1;
    id = bwt_get(endpoint, "/data/endpointId");
    token = bwt_get(endpoint, "/data/token"); /* for the device: it is returned only once */
    expires = bwt_get(endpoint, "/data/expirationTimestamp");
    printf("endpoint    %s\ntoken       %.12s... (%lu characters)\nexpires     %s\n", id, token,
           (unsigned long)strlen(token), expires);
    /* An endpoint counts towards the quota of the account until it expires. */
    if (bw_delete_endpoint(client, id, NULL) != BW_OK)
        fprintf(stderr, "the endpoint was not deleted\n");
    bw_free(endpoint);
    bw_free(id);
    bw_free(token);
    bw_free(expires);
    bw_client_free(client);
    return 0;
}
