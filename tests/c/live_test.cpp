// The C++ header against a running bw-sandbox. Usage: live_test BASE_URL [CA_FILE]
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>
#include <type_traits>
#include <vector>

#include "bw_webrtc.h"

namespace {

// Runs between the return of bw_client_set_log and the next step of bw::Client::set_log.
thread_local void (*after_set_log)() = nullptr;
// The user data of the last call of bw_client_set_log on this thread.
thread_local void *last_user_data = nullptr;

bw_status set_log_slowly(bw_client *client, int32_t level, bw_log_callback callback, void *user_data,
                         char **error)
{
    const bw_status status = bw_client_set_log(client, level, callback, user_data, error);
    if (callback != nullptr) {
        last_user_data = user_data;
    }
    if (after_set_log != nullptr) {
        after_set_log();
    }
    return status;
}

}  // namespace

#define bw_client_set_log set_log_slowly
#include "bw_webrtc.hpp"
#undef bw_client_set_log

#include "check.h"

namespace {

bw::Config sandbox_config(int argc, char **argv)
{
    bw::Config config;
    const std::string url = argv[1];
    config.account_id("9900000").base_url(url).timeout_ms(60000);
    config.token_url(url.substr(0, url.rfind("/v1")) + "/api/v1/oauth2/token");
    config.endpoints_url(url.substr(0, url.rfind("/v1")) + "/v2");
    // A TLS handshake takes seconds under valgrind on a busy machine.
    config.set("connectTimeoutMs", 60000);
    if (argc > 2) {
        config.ca_file(argv[2]);
    }
    return config;
}

// Adds the sandbox's API credentials.
bw::Config with_credentials(const bw::Config &config)
{
    return bw::Config(config).client_id("client").client_secret("client-secret");
}

// Runs a part of the test. An exception is a failed check, also on a thread of the test.
template <typename Work>
void guarded(Work work)
{
    try {
        work();
    } catch (const std::exception &error) {
        CHECK(!"an exception");
        std::printf("%s\n", error.what());
    }
}

template <typename Work>
void check_throws(bw_status status, const char *outcome, int http_status, const char *part, Work work)
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

void creates_participants(const bw::Config &config)
{
    bw::Client client(with_credentials(config));
    const std::string response = client.create_participant(R"({"tag": "caf\u00e9"})");
    CHECK(bw::json_get(response, "/participant/id").size() == 36);
    CHECK(bw::json_get(response, "/participant/tag") == "caf\xc3\xa9");
    check_throws(BW_E_NO_VALUE, "", 0, "there is no value at", [&] { bw::json_get(response, "/no"); });
    check_throws(BW_E_INVALID_ARGUMENT, "not_sent", 0, "did you mean tag?",
          [&] { client.create_participant(R"({"tags": ""})"); });
    check_throws(BW_E_INVALID_ARGUMENT, "not_sent", 0, "UTF-8",
          [&] { client.create_participant(std::string("{}\0{}", 5)); });

    bw::Client moved(std::move(client));
    CHECK(client.handle() == nullptr);
    check_throws(BW_E_INVALID_HANDLE, "not_sent", 0, "client: is NULL", [&] { client.create_participant(); });
    std::vector<bw::Client> clients;
    clients.push_back(std::move(moved));
    clients.push_back(bw::Client(with_credentials(config)));
    clients[0] = std::move(clients[1]);
    clients.pop_back();
    CHECK(!clients[0].create_participant().empty());
}

void all_operations(const bw::Config &config)
{
    const bw::Client client(with_credentials(config));
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
    check_throws(BW_E_CONFLICT, "rejected", 409, "already in a session",
          [&] { client.add_participant_to_session(session, id); });
    client.remove_participant_from_session(session, id);
    client.delete_session(session);
    CHECK(client.call(R"({"operation": "deleteParticipant", "participantId": ")" + id + R"("})") == "null");
    check_throws(BW_E_NOT_FOUND, "rejected", 404, "did not find the resource", [&] { client.delete_participant(id); });
    check_throws(BW_E_INVALID_ARGUMENT, "not_sent", 0, "participantId: \"..\" is not an id",
          [&] { client.delete_participant(".."); });
    CHECK(bw::json_get(client.stats(), "/operations/deleteParticipant/calls") == "2");
    CHECK_TEXT(client.metrics().c_str(),
               "bw_webrtc_calls_total{operation=\"deleteParticipant\",status=\"BW_E_NOT_FOUND\"} 1\n");
    CHECK(bw::json_get(client.take_late(), "/late") == "[]");
}

void endpoints(const bw::Config &config)
{
    const bw::Client client(with_credentials(config));
    std::set<std::string> created;
    for (int i = 0; i < 5; i++) {
        const bw::Endpoint endpoint(client.create_endpoint(
            bw::EndpointRequest("INBOUND").tag("page").connection_metadata(R"({"n": 1})")));
        CHECK(endpoint.id.compare(0, 2, "e-") == 0 && endpoint.type == "WEBRTC");
        CHECK(endpoint.status == "DISCONNECTED" && *endpoint.tag == "page");
        CHECK(endpoint.token.has_value() && bw::json_get(bw::token_claims(*endpoint.token), "/verified") == "false");
        std::ostringstream text;
        text << endpoint;
        CHECK_TEXT(text.str().c_str(), endpoint.id.c_str());
        CHECK_TEXT(text.str().c_str(), "token=***");
        CHECK(text.str().find(*endpoint.token) == std::string::npos);
        created.insert(endpoint.id);
    }
    const bw::Endpoint one(client.get_endpoint(*created.begin()));
    CHECK(one.id == *created.begin() && !one.token && one.devices.empty());
    const bw::EndpointPage page(client.list_endpoints(bw::EndpointQuery().limit(2)));
    CHECK(page.endpoints.size() == 2 && page.next_cursor && *page.total_elements >= 5);

    std::set<std::string> found;
    for (const bw::Endpoint &endpoint : client.endpoints(R"({"limit": 2, "status": "DISCONNECTED"})")) {
        CHECK(found.insert(endpoint.id).second);
    }
    for (const std::string &id : created) {
        CHECK(found.count(id) == 1);
    }
    // A query may begin at a later page.
    const bw::Endpoints later = client.endpoints(
        bw::EndpointQuery().limit(2).after_cursor(*page.next_cursor));
    CHECK(std::distance(later.begin(), later.end()) == static_cast<long>(found.size()) - 2);
    for (const bw::Endpoint &endpoint : client.endpoints("{\"status\":\"CONNECTED\"}")) {
        CHECK(endpoint.id.empty());
    }
    check_throws(BW_E_INVALID_ARGUMENT, "not_sent", 0, "query.limit",
          [&] { client.endpoints(bw::EndpointQuery().limit(1001)).begin(); });
    check_throws(BW_E_INVALID_ARGUMENT, "not_sent", 0, "request.direction",
          [&] { client.create_endpoint(bw::EndpointRequest("UP")); });

    client.update_endpoint_bxml(one.id, "<Response><StartRecording/></Response>");
    check_throws(BW_E_INVALID_ARGUMENT, "not_sent", 0, "bxml",
          [&] { client.update_endpoint_bxml(one.id, "<Response>"); });
    for (const std::string &id : created) {
        client.delete_endpoint(id);
    }
    check_throws(BW_E_NOT_FOUND, "rejected", 404, "", [&] { client.get_endpoint(one.id); });
}

void typed_requests_and_results(const bw::Config &config)
{
    const bw::Client client(with_credentials(config));
    const bw::CreatedParticipant created(client.create_participant(
        bw::ParticipantRequest().publish({"AUDIO", "VIDEO"}).tag("\"typed\"").device_api_version("V3")));
    const std::string id = created.participant.id;
    CHECK(id.size() == 36 && created.token.size() > 200 && *created.participant.tag == "\"typed\"");
    CHECK(created.participant.publish_permissions.size() == 2 && !created.participant.callback_url);
    std::ostringstream text;
    text << created;
    CHECK(text.str() == "CreatedParticipant(id=" + id + ", token=***)");
    const bw::Session session(client.create_session(bw::SessionRequest().tag("room")));
    CHECK(session.id.size() == 36 && *session.tag == "room");
    CHECK(!bw::Session(client.create_session()).tag);

    client.add_participant_to_session(session.id, id, bw::Subscriptions::everyone(session.id));
    const bw::Participant joined(client.get_participant(id));
    CHECK(joined.sessions.size() == 1 && joined.sessions[0] == session.id);
    const auto members = bw::list<bw::Participant>(client.list_session_participants(session.id));
    CHECK(members.size() == 1 && members[0].id == id);
    CHECK(*bw::Subscriptions(client.get_participant_subscriptions(session.id, id)).session_id == session.id);
    const bw::CreatedParticipant other(client.create_participant());
    client.add_participant_to_session(session.id, other.participant.id, bw::Subscriptions());
    client.update_participant_subscriptions(session.id, id, bw::Subscriptions::to({other.participant.id}));
    const bw::Subscriptions heard(client.get_participant_subscriptions(session.id, id));
    CHECK(heard.participants.size() == 1 && heard.participants[0].participant_id == other.participant.id);

    bw::Queue queue(client);
    queue.submit(bw::Object().set("operation", "createSession").set("body", bw::SessionRequest().tag("queued")));
    bw::Completion completion;
    CHECK(queue.next(completion, -1) && *bw::Session(completion.answer()).tag == "queued");
    client.delete_session(session.id);
    client.delete_participant(id);
    try {
        client.get_participant(id);
        CHECK(!"no exception");
    } catch (const bw::Error &error) {
        CHECK(error.attempts() == 1 && error.request_id().has_value() && !error.retry_after());
    }
}

void log_moves_with_the_client(const bw::Config &config)
{
    std::mutex lock;
    std::vector<std::string> lines;
    {
        bw::Client client(with_credentials(config));
        client.create_session();
        client.set_log(BW_LOG_INFO, [&](int level, const char *line) {
            const std::lock_guard<std::mutex> guard(lock);
            CHECK(level == BW_LOG_INFO);
            lines.push_back(line);
            throw std::runtime_error("a sink that throws");
        });
        // The sink moves with the client, and is destroyed with it.
        const bw::Client moved(std::move(client));
        moved.create_participant();
    }
    CHECK(lines.size() == 1);
    CHECK_TEXT(lines[0].c_str(), "level=info event=call operation=createParticipant call=2 status=BW_OK httpStatus=200 ");
    bw::Client json(with_credentials(config).set("logFormat", "json"));
    json.set_log(BW_LOG_INFO, [&](int, const char *line) { lines.push_back(line); });
    json.create_session();
    CHECK(bw::json_get(lines.back(), "/event") == "call");
    CHECK(bw::json_get(lines.back(), "/operation") == "createSession");
    CHECK(bw::json_get(lines.back(), "/connection") == "new");
    json.set_log(BW_LOG_OFF);
    check_throws(BW_E_CONFIG, "", 0, "config.logFormat",
                 [&] { bw::Client(with_credentials(config).set("logFormat", "xml")); });
}

void queue_with_poll(const bw::Config &config)
{
    const bw::Client client(with_credentials(config));
    bw::Queue first(client, R"({"workers": 2})");
    bw::Queue queue(std::move(first));
    bw::Completion completion;
    int user_data = 7;
    CHECK(!queue.next(completion) && !queue.is_drained());
    const std::uint64_t id =
        queue.submit(R"({"operation": "createSession", "body": {"tag": "queued"}})", &user_data);
    struct pollfd entry = {queue.fd(), POLLIN, 0};
    CHECK(poll(&entry, 1, 60000) == 1 && entry.revents == POLLIN);
    CHECK(queue.next(completion) && completion.id() == id && completion.user_data() == &user_data);
    CHECK(completion.status() == BW_OK && bw::json_get(completion.answer(), "/tag") == "queued");
    CHECK(poll(&entry, 1, 0) == 0);
    CHECK(!queue.cancel(id));
    queue.submit(R"({"operation": "getSession", "sessionId": "none"})");
    CHECK(queue.next(completion, -1) && completion.status() == BW_E_BAD_REQUEST);
    check_throws(BW_E_BAD_REQUEST, "rejected", 400, "", [&] { completion.answer(); });
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "call.operation", [&] { queue.submit("{}"); });
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "did you mean workers?",
          [&] { bw::Queue(client, R"({"worker": 1})"); });
    queue.close();
    CHECK(!queue.next(completion, -1) && queue.is_drained());
    check_throws(BW_E_CLOSED, "not_sent", 0, "queue: is closed",
          [&] { queue.submit(R"({"operation": "createSession"})"); });
    check_throws(BW_E_INVALID_HANDLE, "", 0, "queue: is NULL", [&] { first.next(completion); });
}

// Some threads replace the sink of one client while others make calls. Each sink checks that it was
// not destroyed.
void set_log_on_many_threads(const bw::Config &config)
{
    struct Sink {
        explicit Sink(std::atomic<long> &n) : text(64, 'x'), lines(n) {}
        Sink(const Sink &other) : text(other.text), lines(other.lines) {}
        ~Sink() { text.assign(64, 'y'); }
        void operator()(int, const char *) const
        {
            if (text == std::string(64, 'x')) {
                ++lines;
            } else {
                ++destroyed();
            }
        }
        static std::atomic<long> &destroyed()
        {
            static std::atomic<long> count(0);
            return count;
        }
        std::string text;
        std::atomic<long> &lines;
    };
    bw::Client client(with_credentials(config));
    std::atomic<long> lines(0);
    std::atomic<bool> stop(false);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++) {
        threads.emplace_back([&] {
            guarded([&] {
                while (!stop) {
                    client.set_log(BW_LOG_DEBUG, Sink(lines));
                    client.set_log(BW_LOG_OFF);
                }
            });
        });
    }
    for (int i = 0; i < 3; i++) {
        threads.emplace_back([&] {
            guarded([&] {
                for (int n = 0; n < 30; n++) {
                    client.create_session();
                }
            });
        });
    }
    for (std::size_t i = 3; i < threads.size(); i++) {
        threads[i].join();
    }
    // A child that is forked meanwhile replaces the sink, too.
    const pid_t child = fork();
    if (child == 0) {
        try {
            client.set_log(BW_LOG_DEBUG, Sink(lines));
            client.set_log(BW_LOG_OFF);
        } catch (...) {
            _exit(1);
        }
        // execl: valgrind does not report the leaks of the child.
        execl("/bin/true", "true", static_cast<char *>(nullptr));
        _exit(2);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    stop = true;
    for (std::size_t i = 0; i < 3; i++) {
        threads[i].join();
    }
    // A second set_log between the two steps of a first one.
    static std::atomic<bool> returned, changed;
    returned = changed = false;
    std::thread first([&] {
        after_set_log = [] {
            returned = true;
            // With a limit, because the second set_log waits for this one.
            for (int tries = 0; tries < 30 && !changed; tries++) {
                poll(nullptr, 0, 10);
            }
        };
        guarded([&] { client.set_log(BW_LOG_INFO, Sink(lines)); });
    });
    while (!returned) {
        poll(nullptr, 0, 1);
    }
    client.set_log(BW_LOG_INFO, Sink(lines));
    changed = true;
    first.join();
    const long before = lines;
    client.create_session();
    CHECK(lines == before + 1 && Sink::destroyed() == 0);

    // Inside a sink, the library rejects set_log, and the thread does not wait for itself.
    int rejected = 0;
    client.set_log(BW_LOG_INFO, [&](int, const char *) {
        check_throws(BW_E_INVALID_ARGUMENT, "", 0, "inside a callback",
              [&] { client.set_log(BW_LOG_OFF); });
        rejected++;
    });
    client.create_session();
    CHECK(rejected == 1);
    client.set_log(BW_LOG_OFF);
    bw::Client moved(std::move(client));
    check_throws(BW_E_INVALID_HANDLE, "", 0, "client", [&] { client.set_log(BW_LOG_OFF); });
}

// The last reference to a client is dropped inside the client's own sink, which continues to run.
void client_is_destroyed_inside_its_sink(const bw::Config &config)
{
    struct Sink {
        explicit Sink(const std::shared_ptr<bw::Client> &own) : client(own), alive(new bool(true)) {}
        void operator()(int, const char *)
        {
            const std::shared_ptr<bool> is_alive(alive);
            client.reset();
            lines() += 1;
            survived() = *is_alive && is_alive.use_count() > 1;
        }
        static int &lines()
        {
            static int count = 0;
            return count;
        }
        static bool &survived()
        {
            static bool value = false;
            return value;
        }
        std::shared_ptr<bw::Client> client;
        std::shared_ptr<bool> alive;
    };
    std::shared_ptr<bw::Client> client(new bw::Client(with_credentials(config)));
    client->set_log(BW_LOG_INFO, Sink(client));
    void *const sink = last_user_data;
    bw_client *const handle = client->handle();
    client.reset();
    char *out = nullptr;
    bw_create_session(handle, nullptr, &out);
    bw_free(out);
    // The first line (the token request) destroys the client. The line of the call follows.
    CHECK(Sink::lines() > 0 && Sink::survived());
    CHECK(bw_create_session(handle, nullptr, nullptr) != BW_OK);
    // The library does not call the sink again.
    if (Sink::survived()) {
        delete static_cast<bw::Client::LogSink *>(sink);
    }
}

void queue_is_drained_by_many_threads(const bw::Config &config)
{
    const bw::Client client(with_credentials(config));
    bw::Queue queue(client, R"({"workers": 4})");
    const int calls = 50;
    for (int i = 0; i < calls; i++) {
        queue.submit(R"({"operation": "createSession"})");
    }
    std::atomic<int> fetched(0);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&] {
            guarded([&] {
                bw::Completion completion;
                while (!queue.is_drained()) {
                    fetched += queue.next(completion, -1) ? 1 : 0;
                }
            });
        });
    }
    queue.close();
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(fetched == calls && queue.is_drained());

    bw::Queue moved(std::move(queue));
    CHECK(moved.is_drained() && !queue.is_drained());
    bw::Queue other(client);
    CHECK(!other.is_drained());
    other = std::move(moved);
    CHECK(other.is_drained() && !moved.is_drained());
}

// Like nlohmann::json: the conversion to a string throws if the value is not a string.
class Json {
public:
    explicit Json(const std::string &text) : text_(text) {}
    std::string dump(int = -1, char = ' ', bool = false) const { return text_; }
    template <typename T, typename = typename std::enable_if<std::is_same<T, std::string>::value>::type>
    operator T() const
    {
        if (text_[0] != '"') {
            throw std::logic_error("type must be string, but is object");
        }
        return text_.substr(1, text_.size() - 2);
    }

private:
    std::string text_;
};

// Whether client.get_session(value) and client.create_session(value) compile.
template <typename T>
struct Compiles {
    template <typename U>
    static std::true_type argument(
        decltype(std::declval<const bw::Client &>().get_session(std::declval<U>())) *);
    template <typename U>
    static std::false_type argument(...);
    template <typename U>
    static std::true_type document(
        decltype(std::declval<const bw::Client &>().create_session(std::declval<U>())) *);
    template <typename U>
    static std::false_type document(...);

    static const bool as_argument = decltype(argument<T>(nullptr))::value;
    static const bool as_document = decltype(document<T>(nullptr))::value;
};

struct Text {
    operator std::string() const { return "text"; }
};

static_assert(Compiles<const char *>::as_argument && Compiles<std::string>::as_argument, "");
static_assert(Compiles<Text>::as_argument && Compiles<Json>::as_argument, "");
static_assert(!Compiles<std::nullptr_t>::as_argument && !Compiles<int>::as_argument, "");
static_assert(Compiles<const char *>::as_document && Compiles<std::string>::as_document, "");
static_assert(Compiles<Json>::as_document && !Compiles<Text>::as_document, "");
static_assert(!Compiles<std::nullptr_t>::as_document && !Compiles<int>::as_document, "");

void argument_types(const bw::Config &config)
{
    CHECK(bw::Config().set("maxRetries", 0).set("roots", "system").set("x", std::string("y")).json() ==
          R"({"maxRetries":0,"roots":"system","x":"y"})");
    CHECK(bw::Config().set("a", true).set("b", -1L).set("c", 5UL).set_flag("d", false).json() ==
          R"({"a":true,"b":-1,"c":5,"d":false})");
    const char *unset = nullptr;
    CHECK(bw::Config().account_id(unset).set("roots", unset).json() == "{}");

    bw::Config more = with_credentials(config);
    const bw::Client client(more.set("maxRetries", 0));
    const Json request(R"({"tag": "from an object"})");
    const std::string session = client.create_session(request);
    CHECK(bw::json_get(session, "/tag") == "from an object");
    const std::string id = bw::json_get(session, "/id");
    CHECK(client.get_session(Json('"' + id + '"')) == session);
    CHECK(bw::json_get(request, "/tag") == "from an object");
    bw::Queue queue(client, Json(R"({"workers": 1})"));
    queue.submit(Json(R"({"operation": "getSession", "sessionId": ")" + id + R"("})"));
    bw::Completion completion;
    CHECK(queue.next(completion, -1) && completion.document() == session);
    check_throws(BW_E_CONFIG, "", 0, "config", [&] { bw::Client(Json("{}")); });

    check_throws(BW_E_INVALID_ARGUMENT, "not_sent", 0, "session_id: is NULL",
          [&] { client.get_session(unset); });
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "call_json: is NULL", [&] { client.call(unset); });
    check_throws(BW_E_INVALID_ARGUMENT, "not_sent", 0, "UTF-8",
          [&] { client.get_session(std::string("a\0b", 3)); });
    check_throws(BW_E_CONFIG, "", 0, "config", [&] { bw::Client client(unset); });
}

void helpers()
{
    const std::string made = bw::transfer_bxml("abc.def.ghi", "c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1a4");
    CHECK(bw::json_get(made, "/uuiLength") == "81");
    CHECK_TEXT(bw::json_get(made, "/bxml").c_str(), "sip:sipx.webrtc.bandwidth.com:5060</SipUri>");
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "call_id: \"c-1\" is not", [] { bw::transfer_bxml("t", "c-1"); });
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "sip_uri: \"x\" is not", [] { bw::transfer_bxml("t", "", "x"); });
    const std::string event = bw::parse_event(
        R"({"event": "onLeave", "timestamp": "1605739845431", "participantId": "p"})");
    CHECK(bw::json_get(event, "/timestamp") == "1605739845431");
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "event.event: is missing", [] { bw::parse_event("{}"); });
    CHECK(bw::json_get(bw::token_claims("e30.eyJwIjoieCJ9.c2ln"), "/participantId") == "x");
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "is not a JWT", [] { bw::token_claims("x"); });
    const std::string connect =
        bw::connect_bxml(bw::array({"e-1", "e-2"}), R"({"eventCallbackUrl": "/x"})");
    CHECK_TEXT(bw::json_get(connect, "/bxml").c_str(),
          "<Connect eventCallbackUrl=\"/x\"><Endpoint>e-1</Endpoint><Endpoint>e-2</Endpoint></Connect>");
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "endpoint_ids: is empty", [] { bw::connect_bxml("[]"); });
    CHECK(bw::uui("abc.def.ghi") == "abc.def.ghi;encoding=jwt");
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "call_id: \"c-1\" is not", [] { bw::uui("t", "c-1"); });
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "is not an array", [] { bw::list<bw::Endpoint>("{\"data\":[]}"); });
    CHECK(bw::json_quote("a\"b") == "\"a\\\"b\"" && bw::json_length("{\"a\":[1,2]}", "/a") == 2);
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "must be an array or an object", [] { bw::json_length("1"); });
}

void settings_file(const bw::Config &config)
{
    char path[] = "/tmp/bw-settings-XXXXXX";
    const int descriptor = mkstemp(path);
    const std::string json = bw::Config(config).client_id("client").client_secret("client-secret").json();

    CHECK(descriptor >= 0);
    CHECK(write(descriptor, json.data(), json.size()) == static_cast<ssize_t>(json.size()));
    CHECK(setenv("BW_CONFIG_FILE", path, 1) == 0);
    const bw::Client client = bw::Client::from_environment(bw::Config().timeout_ms(9000));
    CHECK(!client.create_participant().empty());
    CHECK(client.reload() == "{\"credentialsReplaced\":false,\"needsNewClient\":[]}");
    check_throws(BW_E_CONFIG, "", 0, "config.timeoutMs: must be a whole number",
                 [] { bw::Client::from_environment(bw::Config().timeout_ms(0)); });
    CHECK(fchmod(descriptor, 0666) == 0);
    check_throws(BW_E_CONFIG, "", 0, "chmod go-w", [&] { client.reload(); });
    check_throws(BW_E_CONFIG, "", 0, "chmod go-w", [] { bw::Client::from_environment(); });
    CHECK(unsetenv("BW_CONFIG_FILE") == 0 && unlink(path) == 0 && close(descriptor) == 0);
}

void credentials(const bw::Config &config)
{
    const bw::Client wrong_secret(bw::Config(config).client_id("client").client_secret("open sesame"));
    check_throws(BW_E_UNAUTHORIZED, "not_sent", 401, "check clientId and clientSecret",
          [&] { wrong_secret.create_participant(); });
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "client",
          [&] { wrong_secret.set_credentials("", "open sesame"); });
    wrong_secret.set_credentials("client", "client-secret");
    CHECK(!wrong_secret.create_participant().empty());

    const bw::Client user(bw::Config(config).username("user").password("open sesame"));
    check_throws(BW_E_UNAUTHORIZED, "rejected", 401, "check username and password",
          [&] { user.create_participant(); });
    check_throws(BW_E_INVALID_ARGUMENT, "", 0, "colon", [&] { user.set_credentials("a:b", "open sesame"); });
    user.set_credentials("user", "secret");
    CHECK(!user.create_participant().empty());

    check_throws(BW_E_CONFIG, "", 0, "did you mean timeoutMs?",
          [&] { bw::Client(bw::Config(config).set_number("timeout", 1)); });
    check_throws(BW_E_CONFIG, "", 0, "is not valid JSON", [&] { bw::Client(std::string("{")); });
    CHECK(bw::version() == BW_VERSION);
}

}  // namespace

int main(int argc, char **argv)
{
    if (argc < 2) {
        return 2;
    }
    const bw::Config config = sandbox_config(argc, argv);
    for (void (*part)(const bw::Config &) :
         {creates_participants, all_operations, endpoints, typed_requests_and_results, log_moves_with_the_client, set_log_on_many_threads,
          client_is_destroyed_inside_its_sink, queue_with_poll, queue_is_drained_by_many_threads,
          argument_types, settings_file, credentials}) {
        guarded([&] { part(config); });
    }
    guarded(helpers);
    return sum_up();
}
