// Creates a session and two participants that hear everyone in it, prints whom they hear, and deletes
// all of them.
#include <iostream>
#include <vector>

#include "from_environment.hpp"

int main()
try {
    const bw::Client client(from_environment());
    const std::string session = bw::json_get(client.create_session(R"({"tag": "a room"})"), "/id");
    const std::string everyone = R"({"sessionId": ")" + session + R"("})";
    std::vector<std::string> ids;
    for (const char *request : {R"({"tag": "alice"})", R"({"tag": "bob"})"}) {
        ids.push_back(bw::json_get(client.create_participant(request), "/participant/id"));
        client.add_participant_to_session(session, ids.back(), everyone);
    }
    const std::string list = client.list_session_participants(session);
    for (const std::string index : {"/0", "/1"}) {
        const std::string subscriptions = bw::json_get(list, index + "/subscriptions");
        std::cout << bw::json_get(list, index + "/tag") << " hears "
                  << (subscriptions == "{}" ? "nobody" : "everyone in the session") << "\n";
    }
    for (const std::string &id : ids) {
        client.delete_participant(id);
    }
    client.delete_session(session);
} catch (const bw::Error &error) {
    std::cerr << error.status_name() << ": " << error.what() << "\n";
    return 1;
}
