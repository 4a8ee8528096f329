// The examples' configuration: BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET. For a service other
// than Bandwidth's, also BW_BASE_URL, BW_TOKEN_URL and BW_CA_FILE. If there is no BW_CLIENT_ID, an API
// user in BW_USERNAME and BW_PASSWORD (they stop working on 2 December 2026).
#include "bw_webrtc.hpp"

// The value of a variable; null if it is not set or empty, which omits the key of the configuration.
inline const char *variable(const char *name)
{
    const char *value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
}

inline bw::Config from_environment()
{
    bw::Config config;
    config.account_id(variable("BW_ACCOUNT_ID"));
    if (const char *client_id = variable("BW_CLIENT_ID")) {
        config.client_id(client_id).client_secret(variable("BW_CLIENT_SECRET"));
        config.token_url(variable("BW_TOKEN_URL"));
    } else {
        config.username(variable("BW_USERNAME")).password(variable("BW_PASSWORD"));
    }
    return config.base_url(variable("BW_BASE_URL")).ca_file(variable("BW_CA_FILE"));
}
