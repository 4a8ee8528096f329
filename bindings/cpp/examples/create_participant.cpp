// Creates a participant, and prints its id and the beginning of its token.
#include <iostream>

#include "from_environment.hpp"

int main()
try {
    const bw::Client client(from_environment());
    const std::string response =
        client.create_participant(R"({"publishPermissions": ["AUDIO"], "tag": "from C++"})");
    const std::string token = bw::json_get(response, "/token");
    std::cout << "participant " << bw::json_get(response, "/participant/id") << "\ntoken       "
              << token.substr(0, 12) << "... (" << token.size() << " characters)\n";
} catch (const bw::Error &error) {
    std::cerr << error.status_name() << ": " << error.what() << "\n";
    return 1;
}
