/* Reads the configuration of the examples from the environment: BW_ACCOUNT_ID, BW_CLIENT_ID and
 * BW_CLIENT_SECRET. Without BW_CLIENT_ID, the credentials are BW_USERNAME and BW_PASSWORD (they stop
 * working on 2 December 2026). bw-sandbox also needs BW_BASE_URL, BW_ENDPOINTS_URL and BW_TOKEN_URL,
 * and over TLS BW_CA_FILE. */
#include "bw_webrtc_typed.h"

/* Returns the value of a variable, or NULL if it is not set or empty. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0' ? value : NULL;
}

static bwt_client_options from_environment(void)
{
    bwt_client_options options = BWT_CLIENT_OPTIONS_INIT;

    options.account_id = variable("BW_ACCOUNT_ID");
    options.client_id = variable("BW_CLIENT_ID");
    if (options.client_id != NULL) {
        options.client_secret = variable("BW_CLIENT_SECRET");
        options.token_url = variable("BW_TOKEN_URL");
    } else {
        options.username = variable("BW_USERNAME");
        options.password = variable("BW_PASSWORD");
    }
    options.base_url = variable("BW_BASE_URL");
    options.endpoints_url = variable("BW_ENDPOINTS_URL");
    options.ca_file = variable("BW_CA_FILE");
    return options;
}
