// Creates a participant with the credentials in BW_ACCOUNT_ID, BW_USERNAME and BW_PASSWORD; BW_BASE_URL
// and BW_CA_FILE point it at another service than Bandwidth's, such as bw-sandbox.
#include <iostream>

#include "bw_webrtc.hpp"

int main()
try {
    bw::Config config;
    for (const auto &from : {std::make_pair("accountId", "BW_ACCOUNT_ID"), {"username", "BW_USERNAME"},
                             {"password", "BW_PASSWORD"}, {"baseUrl", "BW_BASE_URL"},
                             {"caFile", "BW_CA_FILE"}}) {
        if (const char *value = std::getenv(from.second)) {
            config.set(from.first, value);
        }
    }
    const bw::Client client(config);
    const std::string answer =
        client.create_participant(R"({"publishPermissions": ["AUDIO"], "tag": "from C++"})");
    const std::string token = bw::json_get(answer, "/token");
    std::cout << "participant " << bw::json_get(answer, "/participant/id") << "\ntoken       "
              << token.substr(0, 16) << "... (" << token.size() << " characters)\n";
} catch (const bw::Error &error) {
    std::cerr << error.status_name() << ": " << error.what() << "\n";
    return 1;
}
