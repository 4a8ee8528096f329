/* What the examples share: where the service is and who we are, from BW_ACCOUNT_ID, BW_USERNAME,
 * BW_PASSWORD, and, to point them at another service than Bandwidth's, BW_BASE_URL and BW_CA_FILE. */
#include "bw_webrtc_typed.h"

static bwt_client_options from_environment(void)
{
    bwt_client_options options = BWT_CLIENT_OPTIONS_INIT;

    options.account_id = getenv("BW_ACCOUNT_ID");
    options.username = getenv("BW_USERNAME");
    options.password = getenv("BW_PASSWORD");
    options.base_url = getenv("BW_BASE_URL");
    options.ca_file = getenv("BW_CA_FILE");
    return options;
}
