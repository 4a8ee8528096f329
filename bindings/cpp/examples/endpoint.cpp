// Creates an endpoint (BRTC), prints its id, the beginning of its token and its expiry, and deletes it.
#include <iostream>

#include "from_environment.hpp"

int main()
try {
    const bw::Client client(from_environment());
    const bw::Endpoint endpoint(
        client.create_endpoint(bw::EndpointRequest("BIDIRECTIONAL").tag("from C++")));
    const std::string token = endpoint.token.value_or("");
    std::cout << "endpoint    " << endpoint.id << "\ntoken       " << token.substr(0, 12) << "... ("
              << token.size() << " characters)\nexpires     " << endpoint.expiration_timestamp << "\n";
    // An endpoint counts towards the quota of the account until it expires.
    client.delete_endpoint(endpoint.id);
} catch (const bw::Error &error) {
    std::cerr << error.status_name() << ": " << error.what() << "\n";
    return 1;
}
