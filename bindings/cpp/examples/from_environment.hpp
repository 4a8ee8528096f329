// The examples' configuration: BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET. For a service other
// than Bandwidth's, also BW_BASE_URL, BW_TOKEN_URL and BW_CA_FILE. If there is no BW_CLIENT_ID, an API
// user in BW_USERNAME and BW_PASSWORD (they stop working on 2 December 2026).
#include "bw_webrtc.hpp"

inline bw::Config from_environment()
{
    bw::Config config;
    // A variable that is not set omits its key.
    config.account_id(std::getenv("BW_ACCOUNT_ID"));
    if (const char *client_id = std::getenv("BW_CLIENT_ID")) {
        config.client_id(client_id).client_secret(std::getenv("BW_CLIENT_SECRET"));
        config.token_url(std::getenv("BW_TOKEN_URL"));
    } else {
        config.username(std::getenv("BW_USERNAME")).password(std::getenv("BW_PASSWORD"));
    }
    return config.base_url(std::getenv("BW_BASE_URL")).ca_file(std::getenv("BW_CA_FILE"));
}
