// bw_webrtc.hpp: libbw_webrtc for C++11 and later, header-only.
//
// JSON text in, JSON text out, failures as exceptions:
//
//     bw::Client client(bw::Config().account_id("9900000").username("user").password("secret"));
//     std::string answer = client.create_participant("{\"publishPermissions\":[\"AUDIO\"]}");
//     std::cout << bw::json_get(answer, "/participant/id") << "\n";
//
// Any thread may use a client, also with others at the same time; only moving and destroying it is
// for one thread alone. Calls block the calling thread up to the deadline of the configuration.
#ifndef BW_WEBRTC_HPP
#define BW_WEBRTC_HPP

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "bw_webrtc.h"

namespace bw {

namespace detail {

// Text of the library's, freed whatever happens.
struct Free {
    void operator()(char *text) const noexcept { bw_free(text); }
};
using Text = std::unique_ptr<char, Free>;

inline std::string copy(const Text &text)
{
    return text ? std::string(text.get()) : std::string();
}

// The value at a pointer, or "" if there is none.
inline std::string get(const std::string &document, const char *pointer)
{
    char *raw = nullptr;
    const bw_status status = bw_json_get(document.c_str(), pointer, &raw);
    const Text text(raw);
    return status == BW_OK ? copy(text) : std::string();
}

// A std::string may hold a NUL; what is behind it must not be lost in silence. U+FFFD cannot stand
// for it either, so the byte becomes one that no JSON or UTF-8 takes, and the library refuses it.
inline std::string whole(const std::string &text)
{
    std::string safe(text);
    for (char &c : safe) {
        if (c == '\0') {
            c = '\xff';
        }
    }
    return safe;
}

inline void append_string(std::string &json, const std::string &text)
{
    static const char hex[] = "0123456789abcdef";
    json += '"';
    for (const char c : text) {
        const unsigned char byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            json += '\\';
            json += c;
        } else if (byte < 0x20) {
            json += "\\u00";
            json += hex[byte >> 4];
            json += hex[byte & 15];
        } else {
            json += c;
        }
    }
    json += '"';
}

}  // namespace detail

// A call that failed. what() is the library's message: what was wrong and what to do.
class Error : public std::runtime_error {
public:
    // From a status and its error document.
    Error(bw_status status, const std::string &document)
        : std::runtime_error(message_of(status, document)),
          status_(status),
          outcome_(detail::get(document, "/error/outcome")),
          http_status_(std::atoi(detail::get(document, "/error/httpStatus").c_str())),
          document_(document)
    {
    }

    // The class of the failure: one of BW_E_*.
    bw_status status() const noexcept { return status_; }
    // The constant's name, such as "BW_E_TIMEOUT".
    const char *status_name() const noexcept { return bw_status_name(status_); }
    // "not_sent", "rejected" or "unknown"; empty if the service was not involved.
    const std::string &outcome() const noexcept { return outcome_; }
    // The HTTP status, or 0 if there was no answer.
    int http_status() const noexcept { return http_status_; }
    // The whole error document, JSON.
    const std::string &document() const noexcept { return document_; }

private:
    static std::string message_of(bw_status status, const std::string &document)
    {
        const std::string message = detail::get(document, "/error/message");
        return message.empty() ? std::string(bw_status_name(status)) : message;
    }

    bw_status status_;
    std::string outcome_;
    int http_status_;
    std::string document_;
};

namespace detail {

// The document of a call that worked; throws the error of one that did not. Frees the text.
inline std::string finish(bw_status status, char *raw)
{
    const Text text(raw);
    if (status != BW_OK) {
        throw Error(status, copy(text));
    }
    return copy(text);
}

}  // namespace detail

// A configuration, key by key; each is described at bw_client_new.
class Config {
public:
    Config &account_id(const std::string &v) { return set("accountId", v); }
    Config &username(const std::string &v) { return set("username", v); }
    Config &password(const std::string &v) { return set("password", v); }
    Config &base_url(const std::string &v) { return set("baseUrl", v); }
    Config &ca_file(const std::string &v) { return set("caFile", v); }
    // The whole call, in milliseconds.
    Config &timeout_ms(unsigned long v) { return set_number("timeoutMs", v); }
    // Any other key with a text, such as set("roots", "system").
    Config &set(const char *key, const std::string &value)
    {
        begin(key);
        detail::append_string(json_, value);
        return *this;
    }
    // Any other key with a number, such as set_number("maxRetries", 0).
    Config &set_number(const char *key, unsigned long value)
    {
        begin(key);
        json_ += std::to_string(value);
        return *this;
    }
    // Any other key with true or false.
    Config &set_flag(const char *key, bool value)
    {
        begin(key);
        json_ += value ? "true" : "false";
        return *this;
    }
    // The JSON object.
    std::string json() const { return "{" + json_ + "}"; }

private:
    void begin(const char *key)
    {
        if (!json_.empty()) {
            json_ += ',';
        }
        detail::append_string(json_, key);
        json_ += ':';
    }

    std::string json_;
};

// A client of the service. Move-only; ends when it goes.
class Client {
public:
    // Connects to nothing. Throws Error (BW_E_CONFIG names every key that is wrong).
    explicit Client(const std::string &config_json) : handle_(make(config_json)) {}
    explicit Client(const Config &config) : handle_(make(config.json())) {}
    // With BW_ACCOUNT_ID, BW_USERNAME, BW_PASSWORD and BW_BASE_URL from the environment.
    static Client from_environment() { return Client(make(nullptr)); }

    Client(Client &&other) noexcept : handle_(other.handle_), sink_(std::move(other.sink_))
    {
        other.handle_ = nullptr;
    }
    Client &operator=(Client &&other) noexcept
    {
        // What this held goes with `other`.
        std::swap(handle_, other.handle_);
        std::swap(sink_, other.sink_);
        return *this;
    }
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;
    // Calls in flight on other threads return BW_E_CANCELLED.
    ~Client() { bw_client_free(release()); }

    // Creates a participant; gives {"participant": {..}, "token": ".."}. Throws Error; its
    // outcome() tells whether a participant may exist all the same.
    std::string create_participant(const std::string &request_json = "{}") const
    {
        char *out = nullptr;
        const std::string request = detail::whole(request_json);
        const bw_status status = bw_create_participant(handle_, request.c_str(), &out);
        return detail::finish(status, out);
    }

    // The Participant document.
    std::string get_participant(const std::string &participant_id) const
    {
        return by_id(bw_get_participant, participant_id);
    }
    // Removes a participant, out of its session too.
    void delete_participant(const std::string &participant_id) const
    {
        by_id(bw_delete_participant, participant_id);
    }
    // Creates a session; gives {"id": .., "tag": ..}.
    std::string create_session(const std::string &request_json = "{}") const
    {
        return by_id(bw_create_session, request_json);
    }
    // The Session document.
    std::string get_session(const std::string &session_id) const
    {
        return by_id(bw_get_session, session_id);
    }
    // Removes a session; its participants stay.
    void delete_session(const std::string &session_id) const
    {
        by_id(bw_delete_session, session_id);
    }
    // An array of Participant documents.
    std::string list_session_participants(const std::string &session_id) const
    {
        return by_id(bw_list_session_participants, session_id);
    }
    // Puts a participant into a session; the subscriptions say whom it hears ("{}": nobody).
    void add_participant_to_session(const std::string &session_id,
                                    const std::string &participant_id,
                                    const std::string &subscriptions_json = "{}") const
    {
        by_ids(bw_add_participant_to_session, session_id, participant_id, subscriptions_json);
    }
    // Takes a participant out of a session.
    void remove_participant_from_session(const std::string &session_id,
                                         const std::string &participant_id) const
    {
        by_ids(bw_remove_participant_from_session, session_id, participant_id);
    }
    // The Subscriptions document; "{}" if it hears nobody.
    std::string get_participant_subscriptions(const std::string &session_id,
                                              const std::string &participant_id) const
    {
        return by_ids(bw_get_participant_subscriptions, session_id, participant_id);
    }
    // Changes whom a participant hears ("{}": nobody).
    void update_participant_subscriptions(const std::string &session_id,
                                          const std::string &participant_id,
                                          const std::string &subscriptions_json = "{}") const
    {
        by_ids(bw_update_participant_subscriptions, session_id, participant_id, subscriptions_json);
    }
    // Any operation, the whole call being one document; see bw_call.
    std::string call(const std::string &call_json) const { return by_id(bw_call, call_json); }
    // What this client has done so far; see bw_client_stats.
    std::string stats() const
    {
        char *out = nullptr;
        const bw_status status = bw_client_stats(handle_, &out);
        return detail::finish(status, out);
    }
    // What calls of this client created and no caller received, as a document; see
    // bw_client_take_late. The list is empty afterwards.
    std::string take_late() const
    {
        char *out = nullptr;
        const bw_status status = bw_client_take_late(handle_, &out);
        return detail::finish(status, out);
    }

    // Takes the level (BW_LOG_ERROR and so on) and the text of a line.
    using LogSink = std::function<void(int level, const char *line)>;
    // Sends lines of this level and those that matter more to the sink, or none with BW_LOG_OFF. The
    // sink is called on any thread, several at once; what it throws is dropped; it must not call
    // into this client. When set_log returns, the old sink is not running any more.
    void set_log(int level, LogSink sink = LogSink())
    {
        std::unique_ptr<LogSink> next(level != BW_LOG_OFF && sink ? new LogSink(std::move(sink))
                                                                  : nullptr);
        char *error = nullptr;
        const bw_status status = bw_client_set_log(
            handle_, level, next ? &Client::log_line : nullptr, next.get(), &error);
        detail::finish(status, error);
        sink_ = std::move(next);
    }

    // Uses these credentials from the next attempt on. Throws Error, and the old ones stay.
    void set_credentials(const std::string &username, const std::string &password) const
    {
        char *error = nullptr;
        const std::string name = detail::whole(username);
        const std::string secret = detail::whole(password);
        const bw_status status =
            bw_client_set_credentials(handle_, name.c_str(), secret.c_str(), &error);
        detail::finish(status, error);
    }

    // The C handle, still owned by this object.
    bw_client *handle() const noexcept { return handle_; }
    // The C handle, owned by the caller from now on; its log is off.
    bw_client *release() noexcept
    {
        bw_client *handle = handle_;
        if (sink_) {
            bw_client_set_log(handle, BW_LOG_OFF, nullptr, nullptr, nullptr);
            sink_.reset();
        }
        handle_ = nullptr;
        return handle;
    }

private:
    explicit Client(bw_client *handle) noexcept : handle_(handle) {}

    static bw_client *make(const std::string &config) { return make(detail::whole(config).c_str()); }
    static bw_client *make(const char *config)
    {
        bw_client *client = nullptr;
        char *error = nullptr;
        const bw_status status = bw_client_new(config, &client, &error);
        detail::finish(status, error);
        return client;
    }

    // Calls a function that takes one text.
    std::string by_id(bw_status (*function)(bw_client *, const char *, char **),
                      const std::string &text) const
    {
        char *out = nullptr;
        const bw_status status = function(handle_, detail::whole(text).c_str(), &out);
        return detail::finish(status, out);
    }
    // Calls a function that takes two ids, and perhaps a document.
    template <typename Function, typename... Document>
    std::string by_ids(Function function,
                       const std::string &session_id,
                       const std::string &participant_id,
                       const Document &...document) const
    {
        char *out = nullptr;
        const bw_status status =
            function(handle_, detail::whole(session_id).c_str(), detail::whole(participant_id).c_str(),
                     detail::whole(document).c_str()..., &out);
        return detail::finish(status, out);
    }

    // A C++ exception must not cross into the library.
    static void log_line(int32_t level, const char *line, void *sink)
    {
        try {
            (*static_cast<LogSink *>(sink))(level, line);
        } catch (...) {
        }
    }

    bw_client *handle_;
    std::unique_ptr<LogSink> sink_;
};

// A call of a queue's that has ended.
class Completion {
public:
    Completion() noexcept : id_(0), user_data_(nullptr), status_(BW_OK) {}

    // The number that submit gave.
    std::uint64_t id() const noexcept { return id_; }
    // What was submitted with the call.
    void *user_data() const noexcept { return user_data_; }
    // How it ended: BW_OK or one of BW_E_*.
    bw_status status() const noexcept { return status_; }
    // The service's answer, or the error document.
    const std::string &document() const noexcept { return document_; }
    // The service's answer. Throws Error if the call failed.
    const std::string &answer() const
    {
        if (status_ != BW_OK) {
            throw Error(status_, document_);
        }
        return document_;
    }

private:
    friend class Queue;

    std::uint64_t id_;
    void *user_data_;
    bw_status status_;
    std::string document_;
};

// A queue of calls, for event loops that must not block: watch fd() with poll, and fetch until next
// gives false. Move-only; what was not fetched when it goes is lost: close() and fetch it first.
class Queue {
public:
    // `options` is {"workers": 8, "backlog": 1024}. Throws Error.
    explicit Queue(const Client &client, const std::string &options_json = "{}") : handle_(nullptr)
    {
        char *error = nullptr;
        const bw_status status = bw_queue_new(
            client.handle(), detail::whole(options_json).c_str(), &handle_, &error);
        detail::finish(status, error);
    }
    Queue(Queue &&other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
    Queue &operator=(Queue &&other) noexcept
    {
        std::swap(handle_, other.handle_);
        return *this;
    }
    Queue(const Queue &) = delete;
    Queue &operator=(const Queue &) = delete;
    ~Queue() { bw_queue_free(handle_); }

    // Submits a call, which is one document (see bw_call); its number. Throws Error: BW_E_QUEUE_FULL,
    // BW_E_CLOSED, or what is wrong with the document.
    std::uint64_t submit(const std::string &call_json, void *user_data = nullptr) const
    {
        std::uint64_t id = 0;
        char *error = nullptr;
        const bw_status status = bw_queue_submit(
            handle_, detail::whole(call_json).c_str(), user_data, &id, &error);
        detail::finish(status, error);
        return id;
    }
    // Readable while completions wait; never read, write or close it. -1 if there is none to be had.
    int fd() const noexcept { return bw_queue_fd(handle_); }
    // Fetches the next completion, waiting so many milliseconds for it (0: not, negative: for ever).
    // False if there is none; see is_drained. Throws Error.
    bool next(Completion &completion, int timeout_ms = 0)
    {
        char *out = nullptr;
        const bw_status got = bw_queue_next(handle_, timeout_ms, &completion.id_,
                                            &completion.user_data_, &completion.status_, &out);
        const detail::Text text(out);
        drained_ = got == BW_E_CLOSED;
        if (got == BW_E_EMPTY || got == BW_E_CLOSED) {
            return false;
        }
        completion.document_ = detail::copy(text);
        if (got != BW_OK) {
            throw Error(got, completion.document_);
        }
        return true;
    }
    // Whether the last next said that a closed queue has nothing left.
    bool is_drained() const noexcept { return drained_; }
    // Ends a call at once; false if it has ended already.
    bool cancel(std::uint64_t id) const noexcept { return bw_queue_cancel(handle_, id) == BW_OK; }
    // Takes no more calls, and ends all; their completions stay to be fetched.
    void close() const noexcept { bw_queue_close(handle_); }

    // The C handle, still owned by this object.
    bw_queue *handle() const noexcept { return handle_; }

private:
    bw_queue *handle_;
    bool drained_ = false;
};

// The value at a JSON pointer in a document, a string unquoted. Throws Error (BW_E_NO_VALUE).
inline std::string json_get(const std::string &document, const std::string &pointer)
{
    char *raw = nullptr;
    const std::string json = detail::whole(document);
    const bw_status status = bw_json_get(json.c_str(), detail::whole(pointer).c_str(), &raw);
    return detail::finish(status, raw);
}

// The BXML that moves a phone call into a session: {"bxml": .., "uuiLength": .., "warnings": [..]};
// see bw_transfer_bxml. An empty call_id or sip_uri means none. Throws Error.
inline std::string transfer_bxml(const std::string &token,
                                 const std::string &call_id = "",
                                 const std::string &sip_uri = "")
{
    char *raw = nullptr;
    const std::string call = detail::whole(call_id);
    const std::string uri = detail::whole(sip_uri);
    const bw_status status =
        bw_transfer_bxml(detail::whole(token).c_str(), call.empty() ? nullptr : call.c_str(),
                         uri.empty() ? nullptr : uri.c_str(), &raw);
    return detail::finish(status, raw);
}

// A webhook's body, checked, its timestamp a number; see bw_parse_event. Throws Error.
inline std::string parse_event(const std::string &body)
{
    char *raw = nullptr;
    const bw_status status = bw_parse_event(detail::whole(body).c_str(), &raw);
    return detail::finish(status, raw);
}

// What a token says of itself, unverified; see bw_token_claims. Throws Error.
inline std::string token_claims(const std::string &token)
{
    char *raw = nullptr;
    const bw_status status = bw_token_claims(detail::whole(token).c_str(), &raw);
    return detail::finish(status, raw);
}

// The version of the library that is loaded.
inline std::string version()
{
    return bw_version();
}

}  // namespace bw

#endif  // BW_WEBRTC_HPP
