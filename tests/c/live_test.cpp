// Participants from C++ against a running bw-sandbox. Usage: live_test BASE_URL [CA_FILE]
#include <poll.h>

#include <mutex>
#include <vector>

#include "bw_webrtc.hpp"
#include "check.h"

namespace {

bw::Config where(int argc, char **argv)
{
    bw::Config config;
    config.account_id("9900000").username("user").base_url(argv[1]).timeout_ms(60000);
    if (argc > 2) {
        config.ca_file(argv[2]);
    }
    return config;
}

template <typename Work>
void fails(bw_status status, const char *outcome, int http_status, const char *part, Work work)
{
    try {
        work();
        CHECK(!"no exception");
    } catch (const bw::Error &error) {
        CHECK(error.status() == status);
        CHECK(error.outcome() == outcome);
        CHECK(error.http_status() == http_status);
        CHECK_TEXT(error.what(), part);
        CHECK_TEXT(error.document().c_str(), "\"error\"");
        CHECK(error.document().find("open sesame") == std::string::npos);
    }
}

void creates(const bw::Config &config)
{
    bw::Client client(bw::Config(config).password("secret"));
    const std::string answer = client.create_participant(R"({"tag": "caf\u00e9"})");
    CHECK(bw::json_get(answer, "/participant/id").size() == 36);
    CHECK(bw::json_get(answer, "/participant/tag") == "caf\xc3\xa9");
    fails(BW_E_NO_VALUE, "", 0, "there is nothing at", [&] { bw::json_get(answer, "/no"); });
    fails(BW_E_INVALID_ARGUMENT, "not_sent", 0, "did you mean tag?",
          [&] { client.create_participant(R"({"tags": ""})"); });
    fails(BW_E_INVALID_ARGUMENT, "not_sent", 0, "UTF-8",
          [&] { client.create_participant(std::string("{}\0{}", 5)); });

    bw::Client moved(std::move(client));
    CHECK(client.handle() == nullptr);
    fails(BW_E_INVALID_HANDLE, "not_sent", 0, "client: is NULL", [&] { client.create_participant(); });
    std::vector<bw::Client> clients;
    clients.push_back(std::move(moved));
    clients.push_back(bw::Client(bw::Config(config).password("secret")));
    clients[0] = std::move(clients[1]);
    clients.pop_back();
    CHECK(!clients[0].create_participant().empty());
}

void does_everything(const bw::Config &config)
{
    const bw::Client client(bw::Config(config).password("secret"));
    const std::string created = client.create_participant(R"({"tag": "everything"})");
    const std::string id = bw::json_get(created, "/participant/id");
    const std::string session = bw::json_get(client.create_session(R"({"tag": "room"})"), "/id");
    CHECK(bw::json_get(client.get_session(session), "/tag") == "room");
    CHECK(client.list_session_participants(session) == "[]");
    client.add_participant_to_session(session, id, R"({"sessionId": ")" + session + R"("})");
    CHECK(bw::json_get(client.get_participant(id), "/sessions/0") == session);
    CHECK(bw::json_get(client.list_session_participants(session), "/0/id") == id);
    CHECK(bw::json_get(client.get_participant_subscriptions(session, id), "/sessionId") == session);
    client.update_participant_subscriptions(session, id);
    CHECK(client.get_participant_subscriptions(session, id) == "{}");
    fails(BW_E_CONFLICT, "rejected", 409, "already in a session",
          [&] { client.add_participant_to_session(session, id); });
    client.remove_participant_from_session(session, id);
    client.delete_session(session);
    CHECK(client.call(R"({"operation": "deleteParticipant", "participantId": ")" + id + R"("})") == "null");
    fails(BW_E_NOT_FOUND, "rejected", 404, "knows no such thing", [&] { client.delete_participant(id); });
    fails(BW_E_INVALID_ARGUMENT, "not_sent", 0, "participantId: \"..\" is not an id",
          [&] { client.delete_participant(".."); });
    CHECK(bw::json_get(client.stats(), "/operations/deleteParticipant/calls") == "2");
    CHECK(bw::json_get(client.take_late(), "/late") == "[]");
}

void logs(const bw::Config &config)
{
    std::mutex lock;
    std::vector<std::string> lines;
    {
        bw::Client client(bw::Config(config).password("secret"));
        client.set_log(BW_LOG_INFO, [&](int level, const char *line) {
            const std::lock_guard<std::mutex> guard(lock);
            CHECK(level == BW_LOG_INFO);
            lines.push_back(line);
            throw std::runtime_error("a sink that throws");
        });
        // The sink moves along, and goes with the client.
        const bw::Client moved(std::move(client));
        moved.create_participant();
    }
    CHECK(lines.size() == 1);
    CHECK_TEXT(lines[0].c_str(), "createParticipant: BW_OK after");
}

void queues(const bw::Config &config)
{
    const bw::Client client(bw::Config(config).password("secret"));
    bw::Queue first(client, R"({"workers": 2})");
    bw::Queue queue(std::move(first));
    bw::Completion done;
    int mine = 7;
    CHECK(!queue.next(done) && !queue.is_drained());
    const std::uint64_t id =
        queue.submit(R"({"operation": "createSession", "body": {"tag": "queued"}})", &mine);
    struct pollfd entry = {queue.fd(), POLLIN, 0};
    CHECK(poll(&entry, 1, 60000) == 1 && entry.revents == POLLIN);
    CHECK(queue.next(done) && done.id() == id && done.user_data() == &mine);
    CHECK(done.status() == BW_OK && bw::json_get(done.answer(), "/tag") == "queued");
    CHECK(poll(&entry, 1, 0) == 0);
    CHECK(!queue.cancel(id));
    queue.submit(R"({"operation": "getSession", "sessionId": "none"})");
    CHECK(queue.next(done, -1) && done.status() == BW_E_BAD_REQUEST);
    fails(BW_E_BAD_REQUEST, "rejected", 400, "", [&] { done.answer(); });
    fails(BW_E_INVALID_ARGUMENT, "", 0, "call.operation", [&] { queue.submit("{}"); });
    fails(BW_E_INVALID_ARGUMENT, "", 0, "did you mean workers?",
          [&] { bw::Queue(client, R"({"worker": 1})"); });
    queue.close();
    CHECK(!queue.next(done, -1) && queue.is_drained());
    fails(BW_E_CLOSED, "not_sent", 0, "queue: is closed",
          [&] { queue.submit(R"({"operation": "createSession"})"); });
    fails(BW_E_INVALID_HANDLE, "", 0, "queue: is NULL", [&] { first.next(done); });
}

void helps()
{
    const std::string made = bw::transfer_bxml("abc.def.ghi", "c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1a4");
    CHECK(bw::json_get(made, "/uuiLength") == "81");
    CHECK_TEXT(bw::json_get(made, "/bxml").c_str(), "sip:sipx.webrtc.bandwidth.com:5060</SipUri>");
    fails(BW_E_INVALID_ARGUMENT, "", 0, "call_id: \"c-1\" is not", [] { bw::transfer_bxml("t", "c-1"); });
    fails(BW_E_INVALID_ARGUMENT, "", 0, "sip_uri: \"x\" is not", [] { bw::transfer_bxml("t", "", "x"); });
    const std::string event = bw::parse_event(
        R"({"event": "onLeave", "timestamp": "1605739845431", "participantId": "p"})");
    CHECK(bw::json_get(event, "/timestamp") == "1605739845431");
    fails(BW_E_INVALID_ARGUMENT, "", 0, "event.event: is missing", [] { bw::parse_event("{}"); });
    CHECK(bw::json_get(bw::token_claims("e30.eyJwIjoieCJ9.c2ln"), "/participantId") == "x");
    fails(BW_E_INVALID_ARGUMENT, "", 0, "is not a JWT", [] { bw::token_claims("x"); });
}

}  // namespace

int main(int argc, char **argv)
{
    if (argc < 2) {
        return 2;
    }
    const bw::Config config = where(argc, argv);
    creates(config);
    does_everything(config);
    logs(config);
    queues(config);
    helps();

    const bw::Client locked_out(bw::Config(config).password("open sesame"));
    fails(BW_E_UNAUTHORIZED, "rejected", 401, "check username and password",
          [&] { locked_out.create_participant(); });
    fails(BW_E_INVALID_ARGUMENT, "", 0, "colon",
          [&] { locked_out.set_credentials("a:b", "open sesame"); });
    locked_out.set_credentials("user", "secret");
    CHECK(!locked_out.create_participant().empty());

    fails(BW_E_CONFIG, "", 0, "did you mean timeoutMs?",
          [&] { bw::Client(bw::Config(config).set_number("timeout", 1)); });
    fails(BW_E_CONFIG, "", 0, "is not valid JSON", [&] { bw::Client(std::string("{")); });
    CHECK(bw::version() == BW_VERSION);
    return sum_up();
}
