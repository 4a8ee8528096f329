// bw_webrtc.hpp: libbw_webrtc for C++11 and later, header-only.
//
// Requests and responses are JSON text. A failed call throws bw::Error:
//
//     bw::Client client(bw::Config().account_id("9900000").client_id("..").client_secret(".."));
//     std::string response = client.create_participant("{\"publishPermissions\":[\"AUDIO\"]}");
//     std::cout << bw::json_get(response, "/participant/id") << "\n";
//
// A JSON document is a std::string, a const char *, or an object with a method dump(), such as
// nlohmann::json. The library reports a null pointer as an invalid argument.
//
// All threads may use a client or a queue at the same time. While one thread moves or destroys it,
// no other thread may use it. A call blocks the calling thread up to the deadline of the
// configuration.
#ifndef BW_WEBRTC_HPP
#define BW_WEBRTC_HPP

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "bw_webrtc.h"

namespace bw {

namespace detail {

// A string from the library. It is freed by the destructor.
struct Free {
    void operator()(char *text) const noexcept { bw_free(text); }
};
using Text = std::unique_ptr<char, Free>;

inline std::string copy(const Text &text)
{
    return text ? std::string(text.get()) : std::string();
}

// The value at a JSON pointer, or "" if it is missing or null.
inline std::string get(const std::string &document, const char *pointer)
{
    char *raw = nullptr;
    const bw_status status = bw_json_get(document.c_str(), pointer, &raw);
    const Text text(raw);
    return status == BW_OK ? copy(text) : std::string();
}

// A string argument. A null pointer is passed on, and the library rejects it.
class Argument {
public:
    Argument(const char *text) : text_(text != nullptr ? text : ""), is_null_(text == nullptr) {}
    Argument(const std::string &text) : text_(text), is_null_(false) { replace_nul(); }
    // Any other class that converts to a std::string.
    template <typename T,
              typename = typename std::enable_if<
                  std::is_class<T>::value && std::is_convertible<const T &, std::string>::value>::type>
    Argument(const T &text) : text_(convert(text)), is_null_(false)
    {
        replace_nul();
    }
    Argument(std::nullptr_t) = delete;

    const char *c_str() const noexcept { return is_null_ ? nullptr : text_.c_str(); }
    // "" for a null pointer.
    const std::string &str() const noexcept { return text_; }

private:
    static std::string convert(const std::string &text) { return text; }
    // A C string ends at the first NUL. 0xff is invalid in UTF-8, so the library rejects the text
    // instead of using a part of it.
    void replace_nul()
    {
        for (char &c : text_) {
            if (c == '\0') {
                c = '\xff';
            }
        }
    }

    std::string text_;
    bool is_null_;
};

// Whether a type has a method dump() that returns a string, such as nlohmann::json.
template <typename T>
class HasDump {
    template <typename U>
    static typename std::is_convertible<decltype(std::declval<const U &>().dump()), std::string>::type
    test(int);
    template <typename U>
    static std::false_type test(...);

public:
    static const bool value = decltype(test<T>(0))::value;
};

// A JSON document argument. It has no constructor for classes that convert to std::string, because
// the conversion of an nlohmann::json throws unless it contains a string.
class Document {
public:
    Document(const char *json) : argument_(json) {}
    Document(const std::string &json) : argument_(json) {}
    template <typename T, typename = typename std::enable_if<HasDump<T>::value>::type>
    Document(const T &value) : argument_(std::string(value.dump()))
    {
    }
    Document(std::nullptr_t) = delete;

    const char *c_str() const noexcept { return argument_.c_str(); }
    const std::string &str() const noexcept { return argument_.str(); }

private:
    Argument argument_;
};

// Appends a JSON string.
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

// A failed call. what() states what was wrong and what to do.
class Error : public std::runtime_error {
public:
    // `document` is the error document of the call.
    Error(bw_status status, const std::string &document)
        : std::runtime_error(message_of(status, document)),
          status_(status),
          outcome_(detail::get(document, "/error/outcome")),
          http_status_(std::atoi(detail::get(document, "/error/httpStatus").c_str())),
          document_(document)
    {
    }

    // The reason for the failure, one of BW_E_*.
    bw_status status() const noexcept { return status_; }
    // The name of the status, such as "BW_E_TIMEOUT".
    const char *status_name() const noexcept { return bw_status_name(status_); }
    // "not_sent", "rejected" or "unknown"; empty if no request to the service is involved.
    const std::string &outcome() const noexcept { return outcome_; }
    // The HTTP status of the response, or 0 if there was no response.
    int http_status() const noexcept { return http_status_; }
    // The error document (JSON).
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

// Calls a function of the library, and adds its last argument, the pointer to the document. Returns
// the document. Throws Error.
template <typename Function, typename... Arguments>
std::string invoke(Function function, Arguments... arguments)
{
    char *out = nullptr;
    const bw_status status = function(arguments..., &out);
    const Text text(out);
    if (status != BW_OK) {
        throw Error(status, copy(text));
    }
    return copy(text);
}

}  // namespace detail

// The configuration of a client. bw_client_new describes each key.
class Config {
public:
    Config &account_id(const detail::Argument &v) { return set("accountId", v); }
    // API credentials (OAuth 2.0).
    Config &client_id(const detail::Argument &v) { return set("clientId", v); }
    Config &client_secret(const detail::Argument &v) { return set("clientSecret", v); }
    // An API user, instead of API credentials. User names and passwords stop working on
    // 2 December 2026.
    Config &username(const detail::Argument &v) { return set("username", v); }
    Config &password(const detail::Argument &v) { return set("password", v); }
    Config &base_url(const detail::Argument &v) { return set("baseUrl", v); }
    // Required with client_id if base_url is not the service's own.
    Config &token_url(const detail::Argument &v) { return set("tokenUrl", v); }
    Config &ca_file(const detail::Argument &v) { return set("caFile", v); }
    // The deadline of a call, in milliseconds.
    Config &timeout_ms(unsigned long v) { return set("timeoutMs", v); }
    // Sets any key to a string, such as set("roots", "system"). A null pointer omits the key.
    Config &set(const char *key, const detail::Argument &value)
    {
        if (value.c_str() != nullptr) {
            begin(key);
            detail::append_string(json_, value.str());
        }
        return *this;
    }
    // Sets any key to an integer or a bool, such as set("maxRetries", 0).
    template <typename T>
    typename std::enable_if<std::is_arithmetic<T>::value, Config &>::type set(const char *key, T value)
    {
        static_assert(std::is_integral<T>::value, "a number in the configuration is an integer");
        begin(key);
        json_ += std::is_same<T, bool>::value ? (value ? "true" : "false") : std::to_string(value);
        return *this;
    }
    // The same as set(key, value).
    Config &set_number(const char *key, unsigned long value) { return set(key, value); }
    // The same as set(key, value).
    Config &set_flag(const char *key, bool value) { return set(key, value); }
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

// A client of the service. It is movable but not copyable, and the destructor frees it.
class Client {
public:
    // Opens no connection. Throws Error: BW_E_CONFIG, with a message that names every invalid key.
    // A null pointer is an empty configuration; it does not select the environment.
    explicit Client(const detail::Document &config) : state_(new State(config.str().c_str())) {}
    explicit Client(const Config &config) : state_(new State(config.json().c_str())) {}
    // Reads the settings file that BW_CONFIG_FILE names, if it is set, and BW_ACCOUNT_ID,
    // BW_CLIENT_ID and BW_CLIENT_SECRET (or BW_USERNAME and BW_PASSWORD), BW_BASE_URL,
    // BW_ENDPOINTS_URL and BW_TOKEN_URL, which override the file. `options` override both.
    static Client from_environment(Config options = Config())
    {
        return Client(options.set("environment", true));
    }

    Client(Client &&) = default;
    Client &operator=(Client &&) = default;
    // Calls in progress on other threads fail with BW_E_CANCELLED. If the destructor runs inside
    // the client's log sink, the sink is not destroyed.
    ~Client() = default;

    // Generated by `make generated`; do not edit.

    // Creates a participant, and the token for its device. It is never retried if the service may
    // have processed the request: if the outcome of the error is "unknown", a participant may
    // exist. The request may contain callbackUrl, publishPermissions, tag, deviceApiVersion.
    // Returns {"participant": {..}, "token": ".."}.
    std::string create_participant(const detail::Document &request = "{}") const
    {
        return invoke(bw_create_participant, request);
    }
    // Reads a participant. Returns the Participant document.
    std::string get_participant(const detail::Argument &participant_id) const
    {
        return invoke(bw_get_participant, participant_id);
    }
    // Deletes a participant, and removes it from its session. If its media connection was lost, the
    // participant has already been deleted.
    void delete_participant(const detail::Argument &participant_id) const
    {
        invoke(bw_delete_participant, participant_id);
    }
    // Creates a session. It is never retried if the service may have processed the request: if the
    // outcome of the error is "unknown", a session may exist. The request may contain tag. Returns
    // {"id": .., "tag": ..}.
    std::string create_session(const detail::Document &request = "{}") const
    {
        return invoke(bw_create_session, request);
    }
    // Reads a session. Returns the Session document.
    std::string get_session(const detail::Argument &session_id) const
    {
        return invoke(bw_get_session, session_id);
    }
    // Deletes a session; its participants remain.
    void delete_session(const detail::Argument &session_id) const
    {
        invoke(bw_delete_session, session_id);
    }
    // Lists the participants in a session. Returns an array of Participant documents.
    std::string list_session_participants(const detail::Argument &session_id) const
    {
        return invoke(bw_list_session_participants, session_id);
    }
    // Adds a participant to a session. The subscriptions are {"sessionId": ..}, {"participants":
    // [{"participantId": ..}]} or "{}" (nobody).
    void add_participant_to_session(const detail::Argument &session_id,
                                    const detail::Argument &participant_id,
                                    const detail::Document &subscriptions = "{}") const
    {
        invoke(bw_add_participant_to_session, session_id, participant_id, subscriptions);
    }
    // Removes a participant from a session.
    void remove_participant_from_session(const detail::Argument &session_id,
                                         const detail::Argument &participant_id) const
    {
        invoke(bw_remove_participant_from_session, session_id, participant_id);
    }
    // Reads whom a participant hears in a session. Returns the Subscriptions document, "{}" if the
    // participant hears nobody.
    std::string get_participant_subscriptions(const detail::Argument &session_id,
                                              const detail::Argument &participant_id) const
    {
        return invoke(bw_get_participant_subscriptions, session_id, participant_id);
    }
    // Changes whom a participant hears in a session. The new subscriptions replace the previous
    // ones. The subscriptions are {"sessionId": ..}, {"participants": [{"participantId": ..}]} or
    // "{}" (nobody).
    void update_participant_subscriptions(const detail::Argument &session_id,
                                          const detail::Argument &participant_id,
                                          const detail::Document &subscriptions = "{}") const
    {
        invoke(bw_update_participant_subscriptions, session_id, participant_id, subscriptions);
    }
    // Creates an endpoint, and the token for its device (BRTC). The endpoint and its token expire
    // 24 hours later. The operation is never retried if the service may have processed the request:
    // if the outcome of the error is "unknown", an endpoint may exist. The request must contain
    // type, direction, and may contain eventCallbackUrl, eventFallbackUrl, tag, connectionMetadata.
    // Returns {"data": {"endpointId": .., "token": "..", ..}, ..}.
    std::string create_endpoint(const detail::Document &request) const
    {
        return invoke(bw_create_endpoint, request);
    }
    // Lists one page of the account's endpoints (BRTC). The query may contain type, status,
    // afterCursor, limit. Returns {"data": [..], "links": [..], "page": {..}, ..}.
    std::string list_endpoints(const detail::Document &query = "{}") const
    {
        return invoke(bw_list_endpoints, query);
    }
    // Reads an endpoint and its devices (BRTC). Returns {"data": {"endpointId": .., "devices":
    // [..], ..}, ..}.
    std::string get_endpoint(const detail::Argument &endpoint_id) const
    {
        return invoke(bw_get_endpoint, endpoint_id);
    }
    // Deletes an endpoint, and ends its media (BRTC).
    void delete_endpoint(const detail::Argument &endpoint_id) const
    {
        invoke(bw_delete_endpoint, endpoint_id);
    }
    // Replaces the BXML of an endpoint (BRTC). Bandwidth documents this operation, but in 2026 the
    // service does not offer it yet.
    void update_endpoint_bxml(const detail::Argument &endpoint_id,
                              const detail::Argument &bxml) const
    {
        invoke(bw_update_endpoint_bxml, endpoint_id, bxml);
    }

    // End of the generated part.

    // Executes any operation, which is described by one JSON document; see bw_call.
    std::string call(const detail::Document &document) const { return invoke(bw_call, document); }
    // Returns the counters of this client; see bw_client_stats.
    std::string stats() const { return invoke(bw_client_stats); }
    // Returns these counters as OpenMetrics text, for Prometheus; see bw_client_metrics.
    std::string metrics() const { return invoke(bw_client_metrics); }
    // Returns the participants and sessions whose ids no caller received, and clears this list; see
    // bw_client_take_late.
    std::string take_late() const { return invoke(bw_client_take_late); }

    // Receives a line of the log and its level (BW_LOG_ERROR and so on).
    using LogSink = std::function<void(int level, const char *line)>;
    // Sends the lines of this level and of more important levels to the sink. BW_LOG_OFF disables
    // the log. The sink is called on any thread, also on several threads at the same time. It must
    // not call into the library, and its exceptions are ignored. When set_log returns, the previous
    // sink is not running and has been destroyed. Several threads may call set_log at the same
    // time. Throws Error.
    void set_log(int level, LogSink sink = LogSink())
    {
        std::unique_ptr<LogSink> next(level != BW_LOG_OFF && sink ? new LogSink(std::move(sink))
                                                                  : nullptr);
        const LogLock lock(state_.get());
        detail::invoke(bw_client_set_log, handle(), level, next ? &State::log_line : nullptr,
                       next.get());
        std::swap(state_->sink, next);
    }

    // Replaces the credentials for all attempts that begin after this call: a client id and its
    // secret, or a user name and its password, as in the configuration. Throws Error, and keeps the
    // previous credentials.
    void set_credentials(const detail::Argument &identifier, const detail::Argument &secret) const
    {
        invoke(bw_client_set_credentials, identifier, secret);
    }

    // Reads the settings file and the environment again, and replaces the credentials if they have
    // changed. All other settings apply only to new clients. Returns {"credentialsReplaced": ..,
    // "needsNewClient": [..]}. Throws Error, and keeps the previous credentials.
    std::string reload() const { return invoke(bw_client_reload); }

    // The C handle, which this object still owns; null after a move.
    bw_client *handle() const noexcept { return state_ ? state_->handle : nullptr; }
    // Returns the C handle, which the caller then owns, and disables its log.
    bw_client *release() noexcept
    {
        bw_client *released = handle();
        if (state_) {
            state_->disable_log();
            state_->handle = nullptr;
            state_.reset();
        }
        return released;
    }

private:
    // It keeps its address while the client is moved, because the library calls its sink.
    struct State {
        // A null pointer reads the configuration from the environment.
        explicit State(const char *config) : handle(nullptr), log_owner(0)
        {
            detail::invoke(bw_client_new, config, &handle);
        }
        ~State()
        {
            disable_log();
            bw_client_free(handle);
        }
        State(const State &) = delete;
        State &operator=(const State &) = delete;

        void disable_log() noexcept
        {
            if (sink) {
                bw_client_set_log(handle, BW_LOG_OFF, nullptr, nullptr, nullptr);
                if (in_sink()) {
                    // The library rejected the call above. The sink may be running: never destroy
                    // it.
                    static_cast<void>(sink.release());
                }
                sink.reset();
            }
        }

        // The callback for the library, which no exception may reach.
        static void log_line(int32_t level, const char *line, void *sink)
        {
            const bool was_in_sink = in_sink();
            in_sink() = true;
            try {
                (*static_cast<LogSink *>(sink))(level, line);
            } catch (...) {
            }
            in_sink() = was_in_sink;
        }

        // Whether this thread is inside a sink.
        static bool &in_sink()
        {
            static thread_local bool inside = false;
            return inside;
        }

        bw_client *handle;
        std::unique_ptr<LogSink> sink;
        // The process that holds the lock of the sink, or 0.
        std::atomic<long> log_owner;
    };

    // Locks the sink of a client while set_log replaces it. A mutex would stay locked in a child
    // process if another thread held it during the fork; here, the child takes over the lock of its
    // parent. A thread inside a sink takes no lock, because the library rejects its call.
    class LogLock {
    public:
        explicit LogLock(State *state) : state_(State::in_sink() ? nullptr : state)
        {
            const long self = static_cast<long>(getpid());
            long owner = 0;
            while (state_ != nullptr && !state_->log_owner.compare_exchange_weak(owner, self)) {
                if (owner == self) {
                    std::this_thread::sleep_for(std::chrono::microseconds(50));
                    owner = 0;
                }
            }
        }
        ~LogLock()
        {
            if (state_ != nullptr) {
                state_->log_owner.store(0);
            }
        }
        LogLock(const LogLock &) = delete;
        LogLock &operator=(const LogLock &) = delete;

    private:
        State *state_;
    };

    explicit Client(std::unique_ptr<State> state) : state_(std::move(state)) {}

    // Calls a function of the library whose first parameter is the client.
    template <typename Function, typename... Arguments>
    std::string invoke(Function function, const Arguments &...arguments) const
    {
        return detail::invoke(function, handle(), arguments.c_str()...);
    }

    std::unique_ptr<State> state_;
};

// The completion of a call in a queue.
class Completion {
public:
    Completion() noexcept : id_(0), user_data_(nullptr), status_(BW_OK) {}

    // The number that submit returned.
    std::uint64_t id() const noexcept { return id_; }
    // The user data that was submitted with the call.
    void *user_data() const noexcept { return user_data_; }
    // The status of the call: BW_OK or one of BW_E_*.
    bw_status status() const noexcept { return status_; }
    // The service's response, or the error document.
    const std::string &document() const noexcept { return document_; }
    // The service's response. Throws Error if the call failed.
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

// A queue of calls, for event loops that must not block: poll fd(), and fetch until next returns
// false. It is movable but not copyable. The destructor discards the completions that were not
// fetched: close() the queue and fetch them first.
class Queue {
public:
    // `options` is {"workers": 8, "backlog": 1024}; see bw_queue_new. Throws Error.
    explicit Queue(const Client &client, const detail::Document &options = "{}")
        : state_(new State(client.handle(), options.c_str()))
    {
    }

    // Submits a call, which is described by one JSON document (see bw_call), and returns its
    // number. Throws Error, such as BW_E_QUEUE_FULL, BW_E_CLOSED or BW_E_INVALID_ARGUMENT.
    std::uint64_t submit(const detail::Document &call, void *user_data = nullptr) const
    {
        std::uint64_t id = 0;
        detail::invoke(bw_queue_submit, handle(), call.c_str(), user_data, &id);
        return id;
    }
    // The descriptor to poll, which is readable while completions are available. Never read it,
    // write to it, or close it. -1 if there is no descriptor.
    int fd() const noexcept { return bw_queue_fd(handle()); }
    // Fetches the next completion. Waits up to timeout_ms milliseconds; 0 does not wait, and a
    // negative value waits without a limit. Returns false if no completion is available; see
    // is_drained. Throws Error. Several threads may fetch at the same time, each with a Completion
    // of its own.
    bool next(Completion &completion, int timeout_ms = 0)
    {
        char *out = nullptr;
        const bw_status status = bw_queue_next(handle(), timeout_ms, &completion.id_,
                                               &completion.user_data_, &completion.status_, &out);
        const detail::Text text(out);
        if (status == BW_E_CLOSED && state_) {
            state_->is_drained = true;
        }
        if (status == BW_E_EMPTY || status == BW_E_CLOSED) {
            return false;
        }
        completion.document_ = detail::copy(text);
        if (status != BW_OK) {
            throw Error(status, completion.document_);
        }
        return true;
    }
    // Whether next has reported that the queue is closed and all completions were fetched.
    bool is_drained() const noexcept { return state_ && state_->is_drained; }
    // Cancels a call. Returns false if it has already completed.
    bool cancel(std::uint64_t id) const noexcept { return bw_queue_cancel(handle(), id) == BW_OK; }
    // Accepts no more calls, and cancels all calls. Their completions can still be fetched.
    void close() const noexcept { bw_queue_close(handle()); }

    // The C handle, which this object still owns; null after a move.
    bw_queue *handle() const noexcept { return state_ ? state_->handle : nullptr; }

private:
    struct State {
        State(bw_client *client, const char *options) : handle(nullptr), is_drained(false)
        {
            detail::invoke(bw_queue_new, client, options, &handle);
        }
        ~State() { bw_queue_free(handle); }
        State(const State &) = delete;
        State &operator=(const State &) = delete;

        bw_queue *handle;
        std::atomic<bool> is_drained;
    };

    std::unique_ptr<State> state_;
};

// Returns one value of a JSON document, a string without quotes; see bw_json_get. Throws Error
// (BW_E_NO_VALUE if the value is missing or null).
inline std::string json_get(const detail::Document &document, const detail::Argument &pointer)
{
    return detail::invoke(bw_json_get, document.c_str(), pointer.c_str());
}

// Returns the BXML that transfers a phone call to a session, as {"bxml": .., "uuiLength": ..,
// "warnings": [..]}; see bw_transfer_bxml. An empty call_id or sip_uri is omitted. Throws Error.
inline std::string transfer_bxml(const detail::Argument &token,
                                 const detail::Argument &call_id = "",
                                 const detail::Argument &sip_uri = "")
{
    return detail::invoke(bw_transfer_bxml, token.c_str(),
                          call_id.str().empty() ? nullptr : call_id.c_str(),
                          sip_uri.str().empty() ? nullptr : sip_uri.c_str());
}

// Checks the body of a webhook, and returns it with a numeric timestamp; see bw_parse_event. Throws
// Error.
inline std::string parse_event(const detail::Document &body)
{
    return detail::invoke(bw_parse_event, body.c_str());
}

// Returns the claims of a token, which are not verified; see bw_token_claims. Throws Error.
inline std::string token_claims(const detail::Argument &token)
{
    return detail::invoke(bw_token_claims, token.c_str());
}

// The version of the loaded library.
inline std::string version()
{
    return bw_version();
}

}  // namespace bw

#endif  // BW_WEBRTC_HPP
