// Creates an endpoint (BRTC), prints its id, the beginning of its token and its expiry, and deletes it.
#include <iostream>

#include "from_environment.hpp"

int main()
try {
    const bw::Client client(from_environment());
    const std::string response = client.create_endpoint(
        R"({"type": "WEBRTC", "direction": "BIDIRECTIONAL", "tag": "from C++"})");
    const std::string id = bw::json_get(response, "/data/endpointId");
    const std::string token = bw::json_get(response, "/data/token");
    std::cout << "endpoint    " << id << "\ntoken       " << token.substr(0, 12) << "... ("
              << token.size() << " characters)\nexpires     "
              << bw::json_get(response, "/data/expirationTimestamp") << "\n";
    // An endpoint counts towards the quota of the account until it expires.
    client.delete_endpoint(id);
} catch (const bw::Error &error) {
    std::cerr << error.status_name() << ": " << error.what() << "\n";
    return 1;
}
