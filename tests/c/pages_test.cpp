// The classes of bw_webrtc.hpp against a service that returns unusual pages and errors.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <iterator>
#include <mutex>
#include <sstream>
#include <thread>
#include <type_traits>
#include <vector>

#include "bw_webrtc.hpp"
#include "check.h"

namespace {

static_assert(std::is_nothrow_copy_constructible<bw::Error>::value, "");
static_assert(std::is_nothrow_copy_assignable<bw::Error>::value, "");

// An HTTP server. Each request gets the response that a function returns for its path.
class Server {
public:
    explicit Server(const std::function<std::string(const std::string &)> &respond)
        : respond_(respond), listener_(socket(AF_INET, SOCK_STREAM, 0)), port_(0)
    {
        sockaddr_in address = {};
        socklen_t size = sizeof address;
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(bind(listener_, reinterpret_cast<sockaddr *>(&address), size) == 0);
        CHECK(listen(listener_, 16) == 0);
        CHECK(getsockname(listener_, reinterpret_cast<sockaddr *>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~Server()
    {
        shutdown(listener_, SHUT_RDWR);
        thread_.join();
        close(listener_);
    }
    bw::Client client() const
    {
        bw::Config config;
        config.account_id("1").username("u").password("p").set("maxRetries", 0).timeout_ms(60000);
        return bw::Client(config.endpoints_url("http://127.0.0.1:" + std::to_string(port_) + "/v2"));
    }
    std::vector<std::string> paths()
    {
        const std::lock_guard<std::mutex> guard(lock_);
        return paths_;
    }

private:
    void serve()
    {
        for (int fd; (fd = accept(listener_, nullptr, nullptr)) >= 0; close(fd)) {
            std::string request;
            char buffer[4096];
            while (request.find("\r\n\r\n") == std::string::npos) {
                const ssize_t count = recv(fd, buffer, sizeof buffer, 0);
                if (count <= 0) {
                    break;
                }
                request.append(buffer, static_cast<std::size_t>(count));
            }
            const std::size_t start = request.find(' ') + 1;
            const std::string path = request.substr(start, request.find(' ', start) - start);
            {
                const std::lock_guard<std::mutex> guard(lock_);
                paths_.push_back(path);
            }
            const std::string response = respond_(path);
            for (std::size_t sent = 0; sent < response.size();) {
                const ssize_t count =
                    send(fd, response.data() + sent, response.size() - sent, MSG_NOSIGNAL);
                if (count <= 0) {
                    break;
                }
                sent += static_cast<std::size_t>(count);
            }
        }
    }

    std::function<std::string(const std::string &)> respond_;
    int listener_;
    int port_;
    std::mutex lock_;
    std::vector<std::string> paths_;
    std::thread thread_;
};

std::string http(const std::string &body, const std::string &head = "200 OK\r\n")
{
    return "HTTP/1.1 " + head + "Content-Type: application/json\r\nConnection: close\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string endpoint(int n)
{
    return "{\"endpointId\":\"e-" + std::to_string(n) + "\",\"type\":\"WEBRTC\",\"status\":\"CONNECTED\","
           "\"tag\":\"a,]}\\\"\\\\\",\"unknown\":[{\"a\":[1,2]},{}]}";
}

// A page with the link to another page.
std::string page(const std::string &data, const std::string &href)
{
    const std::string link = href.empty() ? "" : ",{\"rel\":\"next\",\"href\":" + bw::json_quote(href) + "}";
    return http("{\"links\":[{\"rel\":\"self\",\"href\":\"http://h/?afterCursor=self\"}" + link +
                "],\"data\":" + data + ",\"errors\":[]}");
}

template <typename Work>
void check_throws(bw_status status, const char *part, Work work)
{
    try {
        work();
        CHECK(!"no exception");
    } catch (const bw::Error &error) {
        CHECK(error.status() == status);
        CHECK_TEXT(error.what(), part);
        CHECK(bw::json_get(error.document(), "/error/name") == error.status_name());
    }
}

long count(const bw::Endpoints &endpoints)
{
    return static_cast<long>(std::distance(endpoints.begin(), endpoints.end()));
}

void cursors_are_followed()
{
    // The links lead to another host; only their cursors are used.
    Server server([](const std::string &path) {
        if (path.find("afterCursor") == std::string::npos) {
            return page("[" + endpoint(1) + " , " + endpoint(2) + "]",
                        "https://192.0.2.1/steal?type=SIP&afterCursor=a%2Bb%2f%3D%3D&x=1#afterCursor=no");
        }
        if (path.find("afterCursor=a%2Bb%2F%3D%3D") != std::string::npos) {
            return page("[ ]", "/v2?xafterCursor=1&afterCursor=100%");
        }
        return page("[" + endpoint(3) + "]", "http://h/?limit=1");
    });
    const bw::Client client = server.client();
    std::string ids;
    for (const bw::Endpoint &found : client.endpoints("{\"limit\": 2, \"status\" : \"CONNECTED\"}")) {
        ids += found.id + " ";
        CHECK(*found.tag == "a,]}\"\\" && found.devices.empty());
    }
    CHECK(ids == "e-1 e-2 e-3 ");
    const std::vector<std::string> paths = server.paths();
    CHECK(paths.size() == 3);
    for (const std::string &path : paths) {
        CHECK_TEXT(path.c_str(), "limit=2");
        CHECK_TEXT(path.c_str(), "status=CONNECTED");
    }
    CHECK_TEXT(paths.back().c_str(), "afterCursor=100%25");
}

void repeated_cursors_are_rejected()
{
    int requests = 0;
    Server server([&](const std::string &) {
        requests++;
        const char *cursors[] = {"a", "b", "a"};
        return page("[" + endpoint(requests) + "]",
                    std::string("http://h/?afterCursor=") + cursors[(requests - 1) % 3]);
    });
    int found = 0;
    check_throws(BW_E_PROTOCOL, "the same cursor twice", [&] {
        const bw::Client client = server.client();
        for (const bw::Endpoint &endpoint : client.endpoints()) {
            found += endpoint.id.empty() ? 0 : 1;
        }
    });
    CHECK(found == 3);
}

// An iteration continues after an error.
void failed_pages_are_requested_again()
{
    int requests = 0;
    Server server([&](const std::string &path) {
        requests++;
        if (path.find("afterCursor=c") != std::string::npos) {
            return page("[" + endpoint(2) + "]", "");
        }
        if (path.find("afterCursor=b") != std::string::npos) {
            return requests < 5 ? http("{}", "503 Busy\r\n") : page("[]", "/?afterCursor=c");
        }
        return page("[" + endpoint(1) + "]", "/?afterCursor=b");
    });
    const bw::Client client = server.client();
    const bw::Endpoints all = client.endpoints();
    bw::Endpoints::iterator it = all.begin();
    for (int i = 0; i < 3; i++) {
        check_throws(BW_E_SERVER, "", [&] { ++it; });
        CHECK(it != all.end() && it->id == "e-1");
    }
    ++it;
    CHECK(it != all.end() && it->id == "e-2");
    ++it;
    CHECK(it == all.end());
}

void timestamps()
{
    const struct {
        const char *json;
        long long ms;
    } cases[] = {{"0", 0}, {"\"1605739845431\"", 1605739845431}, {"\"2026-99-99\"", -1},
                 {"\"soon\"", -1}, {"\"\"", -1}, {"-1", -1}, {"1.5", -1}, {"1e3", -1},
                 {"9007199254740992", -1}, {"9223372036854775807", -1}, {"{}", -1},
                 {"99999999999999999999", -1}, {"null", -1}};
    for (const auto &item : cases) {
        const bw::Event event(bw::Object().set_json("timestamp", item.json));
        CHECK(event.time.has_value() == (item.ms >= 0));
        CHECK(!event.time || event.time->time_since_epoch() == std::chrono::milliseconds(item.ms));
    }
    const bw::EndpointPage most(std::string("{\"data\":[],\"page\":{\"totalElements\":9007199254740991}}"));
    CHECK(most.total_elements == 9007199254740991);
    // More than the clock can count, if it counts nanoseconds.
    const bw::Event late(std::string("{\"timestamp\":9007199254740991}"));
    CHECK(!late.time || late.time->time_since_epoch() == std::chrono::milliseconds(9007199254740991));
}

void json_texts_are_checked()
{
    for (const char *json : {"{},\"eventCallbackUrl\":\"x\"", "", "{", "01", "\"a\",1", "{} x"}) {
        check_throws(BW_E_INVALID_ARGUMENT, "json: is",
                     [json] { bw::EndpointRequest("INBOUND").connection_metadata(json); });
    }
    const char *null_pointer = nullptr;
    CHECK(bw::Object().set_json("a", null_pointer).dump() == "{}");
    CHECK(bw::Object().set_json("a", "null").set_json("b", "\"{},1\"").dump() ==
          "{\"a\":null,\"b\":\"{},1\"}");
}

void unusual_pages()
{
    for (const char *data : {"null", "{}", "\"[1]\"", "[null]", "[1]", "[{}]", "[[]]", "[{\"endpointId\":null}]"}) {
        Server server([data](const std::string &) { return page(data, ""); });
        check_throws(BW_E_PROTOCOL, "", [&] { server.client().endpoints().begin(); });
    }
    for (const char *links : {"null", "{}", "[1,null,[],{}]", "[{\"rel\":\"next\"}]", "\"next\"",
                              "[{\"rel\":\"next\",\"href\":7}]", "[{\"rel\":\"next\",\"href\":\"?afterCursor=\"}]"}) {
        Server server([links](const std::string &) {
            return http("{\"links\":" + std::string(links) + ",\"data\":[" + endpoint(1) + "]}");
        });
        const bw::Client client = server.client();
        CHECK(count(client.endpoints()) == 1);
    }
    // A page of 1000 endpoints is split once.
    Server server([](const std::string &) {
        std::string data;
        for (int i = 0; i < 1000; i++) {
            data += (i > 0 ? "," : "") + endpoint(i);
        }
        return page("[" + data + "]", "");
    });
    const bw::Client client = server.client();
    CHECK(count(client.endpoints()) == 1000);
}

void results_from_documents()
{
    const bw::Endpoint endpoint(std::string(
        "{\"data\":{\"endpointId\":\"e\",\"token\":\"secret\",\"devices\":[{\"deviceId\":\"d-1\",\"deviceName\":"
        "\"phone\",\"status\":\"CONNECTED\"},{\"deviceId\":\"d-2\"}]},\"links\":[]}"));
    CHECK(endpoint.devices.size() == 2 && *endpoint.devices[0].name == "phone");
    CHECK(endpoint.devices[1].id == "d-2" && !endpoint.devices[1].name && *endpoint.token == "secret");
    const bw::Event event(bw::parse_event(
        "{\"event\":\"onLeave\",\"timestamp\":\"1605739845431\",\"participantId\":\"p\",\"new\":1}"));
    CHECK(event.name == "onLeave" && event.is_known && *event.participant_id == "p" && !event.tag);
    CHECK(event.time && event.time->time_since_epoch() == std::chrono::milliseconds(1605739845431));
    CHECK(!bw::Event(bw::parse_event("{\"event\":\"other\"}")).is_known);
    // {"a":"1","exp":1}
    const bw::Claims claims(bw::token_claims("e30.eyJhIjoiMSIsImV4cCI6MX0.c2ln"));
    CHECK(claims.account_id == "1" && claims.expires_at == 1 && !claims.participant_id && !claims.version);
    CHECK(bw::Claims().account_id == bw::optional<std::string>() && bw::Participant().id.empty());
    CHECK(bw::Participant().subscriptions.dump() == "{}" && !bw::Event().is_known && bw::Endpoint().id.empty());
    CHECK(bw::Subscriptions().dump() == "{}" && bw::Object().dump() == "{}");
    const bw::Subscriptions some(std::string(
        "{\"participants\":[{\"participantId\":\"p\",\"streamAliases\":[\"a\",\"b\"]}]}"));
    CHECK(some.participants[0].stream_aliases.size() == 2 && !some.session_id);
    CHECK(bw::Object().set("a", std::vector<std::string>{"\"", "b"}).set_json("c", "[1]").dump() ==
          "{\"a\":[\"\\\"\",\"b\"],\"c\":[1]}");
    CHECK(bw::array({}) == "[]");
    CHECK(bw::optional<int>(3).value() == 3 && bw::optional<int>().value_or(4) == 4);
    bw::optional<std::string> text = "a";
    CHECK(text == "a" && text != bw::optional<std::string>() && text->size() == 1);
    text.reset();
    CHECK(!text && text == bw::optional<std::string>());
#if __cplusplus >= 201703L
    static_assert(!std::is_same<bw::optional<int>, std::optional<int>>::value, "one class everywhere");
    const std::optional<std::string> none = text, some_text = bw::optional<std::string>("b");
    CHECK(!none && some_text == "b" && text == none && none == text && text == std::nullopt);
    text = some_text;
    CHECK(text == some_text && some_text == text && *text == "b" && text != none);
    text = std::nullopt;
    CHECK(!text.has_value());
    const std::string_view view = "{\"a\":\"b\"}, and more";
    CHECK(bw::json_get(view.substr(0, 9), std::string_view("/a")) == "b");
#endif
}

void errors()
{
    Server server([](const std::string &) {
        return http("{\"links\":[],\"data\":null,\"errors\":[{\"type\":\"too_many_endpoints\",\"description\":"
                    "\"too many\"}]}", "429 Too Many\r\nRetry-After: 900\r\n");
    });
    try {
        server.client().create_endpoint(bw::EndpointRequest("OUTBOUND"));
        CHECK(!"no exception");
    } catch (const bw::Error &error) {
        const bw::Error copied(error);
        CHECK(copied.status() == BW_E_RATE_LIMITED && copied.attempts() == 1);
        CHECK(copied.retry_after() && *copied.retry_after() == std::chrono::seconds(900));
        CHECK(!copied.request_id() && copied.outcome() == "rejected");
        CHECK(copied.what() == std::string(error.what()));
        bw::Error source(error);
        const bw::Error moved(std::move(source));
        CHECK(moved.attempts() == 1 && source.attempts() == 1 && source.outcome() == "rejected");
    }
}

}  // namespace

int main()
{
    cursors_are_followed();
    repeated_cursors_are_rejected();
    failed_pages_are_requested_again();
    timestamps();
    json_texts_are_checked();
    unusual_pages();
    results_from_documents();
    errors();
    return sum_up();
}
