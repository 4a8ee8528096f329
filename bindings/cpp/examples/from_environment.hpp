// What the examples share: where the service is and who we are, from BW_ACCOUNT_ID, BW_USERNAME,
// BW_PASSWORD, and, to point them at another service than Bandwidth's, BW_BASE_URL and BW_CA_FILE.
#include "bw_webrtc.hpp"

inline bw::Config from_environment()
{
    static const char *const keys[][2] = {{"accountId", "BW_ACCOUNT_ID"},
                                          {"username", "BW_USERNAME"},
                                          {"password", "BW_PASSWORD"},
                                          {"baseUrl", "BW_BASE_URL"},
                                          {"caFile", "BW_CA_FILE"}};
    bw::Config config;
    for (const auto &key : keys) {
        if (const char *value = std::getenv(key[1])) {
            config.set(key[0], value);
        }
    }
    return config;
}
