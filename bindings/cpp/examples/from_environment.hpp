// Reads the configuration of the examples from the environment: BW_ACCOUNT_ID, BW_CLIENT_ID and
// BW_CLIENT_SECRET. Without BW_CLIENT_ID, the credentials are BW_USERNAME and BW_PASSWORD (they stop
// working on 2 December 2026). bw-sandbox also needs BW_BASE_URL, BW_ENDPOINTS_URL and BW_TOKEN_URL,
// and over TLS BW_CA_FILE.
#include "bw_webrtc.hpp"

// Returns the value of a variable, or a null pointer if it is not set or empty. bw::Config omits a key
// whose value is a null pointer.
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
    config.set("endpointsUrl", variable("BW_ENDPOINTS_URL"));
    return config.base_url(variable("BW_BASE_URL")).ca_file(variable("BW_CA_FILE"));
}
