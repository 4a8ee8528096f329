// Participants from C++ against a running bw-sandbox. Usage: live_test BASE_URL [CA_FILE]
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

}  // namespace

int main(int argc, char **argv)
{
    if (argc < 2) {
        return 2;
    }
    const bw::Config config = where(argc, argv);
    creates(config);

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
