// bw_webrtc.hpp: libbw_webrtc for C++11 and later, header-only.
//
// Input and output are JSON text, failures are exceptions:
//
//     bw::Client client(bw::Config().account_id("9900000").client_id("..").client_secret(".."));
//     std::string response = client.create_participant("{\"publishPermissions\":[\"AUDIO\"]}");
//     std::cout << bw::json_get(response, "/participant/id") << "\n";
//
// A JSON document is a std::string, a const char *, or an object of a JSON library that has dump(),
// such as nlohmann::json. Null pointers are passed to the library, which reports them.
//
// All threads may use a client or a queue at the same time; while one thread moves or destroys it,
// no other thread may use it. A call blocks the calling thread up to the configured deadline.
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

// A string of the library, which is always freed.
struct Free {
    void operator()(char *text) const noexcept { bw_free(text); }
};
using Text = std::unique_ptr<char, Free>;

inline std::string copy(const Text &text)
{
    return text ? std::string(text.get()) : std::string();
}

// The value at a JSON pointer, or "" if there is none.
inline std::string get(const std::string &document, const char *pointer)
{
    char *raw = nullptr;
    const bw_status status = bw_json_get(document.c_str(), pointer, &raw);
    const Text text(raw);
    return status == BW_OK ? copy(text) : std::string();
}

// An id or another text as a C string. A null pointer stays one: the library rejects it.
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
    // Nothing after a NUL may be lost silently. The byte that replaces it occurs in no UTF-8, so that
    // the library rejects the text.
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

// Whether a type has dump(), as nlohmann::json has it.
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

// A JSON document as a C string. It has no constructor for classes that convert to a std::string:
// nlohmann::json does, and throws unless it is a JSON string.
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

// A failed call. what() is the library's message: what was wrong and what to do.
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
    // The HTTP status, or 0 if there was no response.
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

// The document of a call that succeeded; throws the error of a call that failed. Frees the text.
inline std::string finish(bw_status status, char *raw)
{
    const Text text(raw);
    if (status != BW_OK) {
        throw Error(status, copy(text));
    }
    return copy(text);
}

}  // namespace detail

// A configuration. Each key is described at bw_client_new.
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
    // For the whole call, in milliseconds.
    Config &timeout_ms(unsigned long v) { return set("timeoutMs", v); }
    // Any other key with a string, such as set("roots", "system"). A null pointer omits the key.
    Config &set(const char *key, const detail::Argument &value)
    {
        if (value.c_str() != nullptr) {
            begin(key);
            detail::append_string(json_, value.str());
        }
        return *this;
    }
    // Any other key with a number or a bool, such as set("maxRetries", 0).
    template <typename T>
    typename std::enable_if<std::is_arithmetic<T>::value, Config &>::type set(const char *key, T value)
    {
        static_assert(std::is_integral<T>::value, "numbers of the configuration are integers");
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

// A client of the service. It is move-only, and freed by its destructor.
class Client {
public:
    // Opens no connection. Throws Error (BW_E_CONFIG names every key that is wrong).
    explicit Client(const detail::Document &config) : log_(new Log), handle_(make(config.str().c_str()))
    {
    }
    explicit Client(const Config &config) : log_(new Log), handle_(make(config.json().c_str())) {}
    // Uses BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET (or BW_USERNAME and BW_PASSWORD),
    // BW_BASE_URL and BW_TOKEN_URL from the environment.
    static Client from_environment() { return Client(FromEnvironment()); }

    Client(Client &&other) noexcept : log_(std::move(other.log_)), handle_(other.handle_)
    {
        other.handle_ = nullptr;
    }
    Client &operator=(Client &&other) noexcept
    {
        // `other` frees what this object had.
        std::swap(handle_, other.handle_);
        std::swap(log_, other.log_);
        return *this;
    }
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;
    // Calls in progress on other threads return BW_E_CANCELLED. Inside a sink, the client's sink is
    // not destroyed.
    ~Client() { bw_client_free(release()); }

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

    // End of the generated part.

    // Executes any operation, given as one document; see bw_call.
    std::string call(const detail::Document &document) const { return invoke(bw_call, document); }
    // Returns counters of this client; see bw_client_stats.
    std::string stats() const { return invoke(bw_client_stats); }
    // Returns what calls of this client created and no caller received, as a document, and clears the
    // list; see bw_client_take_late.
    std::string take_late() const { return invoke(bw_client_take_late); }

    // Receives the level (BW_LOG_ERROR and so on) and the text of a line.
    using LogSink = std::function<void(int level, const char *line)>;
    // Sends lines of this level and above to the sink, or none with BW_LOG_OFF. The sink is called on
    // any thread, on several at once; what it throws is dropped; it must not call into the library.
    // When set_log has returned, the previous sink is not running and has been destroyed. Any
    // thread may call set_log, also while others call it.
    void set_log(int level, LogSink sink = LogSink())
    {
        std::unique_ptr<LogSink> next(level != BW_LOG_OFF && sink ? new LogSink(std::move(sink))
                                                                  : nullptr);
        const LogLock lock(log_.get());
        char *error = nullptr;
        const bw_status status = bw_client_set_log(
            handle_, level, next ? &Client::log_line : nullptr, next.get(), &error);
        detail::finish(status, error);
        std::swap(log_->sink, next);
    }

    // Changes the credentials for all attempts from now on: a client id and its secret, or a user
    // name and its password, whichever kind the client has. Throws Error, and keeps the old ones.
    void set_credentials(const detail::Argument &identifier, const detail::Argument &secret) const
    {
        invoke(bw_client_set_credentials, identifier, secret);
    }

    // The C handle, which this object still owns.
    bw_client *handle() const noexcept { return handle_; }
    // The C handle, which the caller owns from now on; its log is disabled.
    bw_client *release() noexcept
    {
        bw_client *handle = handle_;
        if (log_ && log_->sink) {
            bw_client_set_log(handle, BW_LOG_OFF, nullptr, nullptr, nullptr);
            if (in_sink()) {
                // The library rejected that: the sink may be running, so it is never destroyed.
                static_cast<void>(log_->sink.release());
            }
            log_->sink.reset();
        }
        handle_ = nullptr;
        return handle;
    }

private:
    struct FromEnvironment {};
    explicit Client(FromEnvironment) : log_(new Log), handle_(make(nullptr)) {}

    static bw_client *make(const char *config)
    {
        bw_client *client = nullptr;
        char *error = nullptr;
        const bw_status status = bw_client_new(config, &client, &error);
        detail::finish(status, error);
        return client;
    }

    // Calls a function of the library whose last parameter receives the document.
    template <typename Function, typename... Arguments>
    std::string invoke(Function function, const Arguments &...arguments) const
    {
        char *out = nullptr;
        const bw_status status = function(handle_, arguments.c_str()..., &out);
        return detail::finish(status, out);
    }

    // The log of a client. It has a fixed address while the client is moved.
    struct Log {
        Log() : owner(0) {}
        // The process whose thread is in set_log; 0 if there is none.
        std::atomic<long> owner;
        std::unique_ptr<LogSink> sink;
    };

    // One thread at a time replaces and destroys a sink. A thread inside a sink does not wait: the
    // library rejects its call. A forked child takes over what a thread of its parent has locked.
    class LogLock {
    public:
        explicit LogLock(Log *log) : log_(log != nullptr && !in_sink() ? log : nullptr)
        {
            const long self = static_cast<long>(getpid());
            long found = 0;
            while (log_ != nullptr && !log_->owner.compare_exchange_weak(found, self)) {
                if (found == self) {
                    std::this_thread::sleep_for(std::chrono::microseconds(50));
                    found = 0;
                }
            }
        }
        ~LogLock()
        {
            if (log_ != nullptr) {
                log_->owner.store(0);
            }
        }
        LogLock(const LogLock &) = delete;
        LogLock &operator=(const LogLock &) = delete;

    private:
        Log *log_;
    };

    // Whether this thread is inside a sink.
    static bool &in_sink()
    {
        static thread_local bool inside = false;
        return inside;
    }

    // A C++ exception must not reach the library.
    static void log_line(int32_t level, const char *line, void *sink)
    {
        const bool before = in_sink();
        in_sink() = true;
        try {
            (*static_cast<LogSink *>(sink))(level, line);
        } catch (...) {
        }
        in_sink() = before;
    }

    std::unique_ptr<Log> log_;
    bw_client *handle_;
};

// The completion of a call of a queue.
class Completion {
public:
    Completion() noexcept : id_(0), user_data_(nullptr), status_(BW_OK) {}

    // The number that submit gave.
    std::uint64_t id() const noexcept { return id_; }
    // The user data that was submitted with the call.
    void *user_data() const noexcept { return user_data_; }
    // The result: BW_OK or one of BW_E_*.
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

// A queue of calls, for event loops that must not block: watch fd() with poll, and fetch until next
// returns false. It is move-only. Completions that were not fetched are lost when it is destroyed:
// close() the queue and fetch them first.
class Queue {
public:
    // `options` is {"workers": 8, "backlog": 1024}. Throws Error.
    explicit Queue(const Client &client, const detail::Document &options = "{}")
        : handle_(nullptr), drained_(false)
    {
        char *error = nullptr;
        const bw_status status = bw_queue_new(client.handle(), options.c_str(), &handle_, &error);
        detail::finish(status, error);
    }
    Queue(Queue &&other) noexcept : handle_(other.handle_), drained_(other.drained_.load())
    {
        other.handle_ = nullptr;
        other.drained_ = false;
    }
    Queue &operator=(Queue &&other) noexcept
    {
        // `other` frees what this object had.
        std::swap(handle_, other.handle_);
        drained_ = other.drained_.exchange(drained_);
        return *this;
    }
    Queue(const Queue &) = delete;
    Queue &operator=(const Queue &) = delete;
    ~Queue() { bw_queue_free(handle_); }

    // Submits a call, given as one document (see bw_call); returns its number. Throws Error:
    // BW_E_QUEUE_FULL, BW_E_CLOSED, or BW_E_INVALID_ARGUMENT for the document.
    std::uint64_t submit(const detail::Document &call, void *user_data = nullptr) const
    {
        std::uint64_t id = 0;
        char *error = nullptr;
        const bw_status status = bw_queue_submit(handle_, call.c_str(), user_data, &id, &error);
        detail::finish(status, error);
        return id;
    }
    // The descriptor to poll: readable while completions are available. Never read, write or close
    // it. -1 if the queue has no descriptor.
    int fd() const noexcept { return bw_queue_fd(handle_); }
    // Fetches the next completion; waits up to timeout_ms milliseconds (0: does not wait, negative:
    // forever). Returns false if there is none; see is_drained. Throws Error. Several threads may
    // fetch at the same time, each into its own completion.
    bool next(Completion &completion, int timeout_ms = 0)
    {
        char *out = nullptr;
        const bw_status got = bw_queue_next(handle_, timeout_ms, &completion.id_,
                                            &completion.user_data_, &completion.status_, &out);
        const detail::Text text(out);
        if (got == BW_E_CLOSED) {
            drained_ = true;
        }
        if (got == BW_E_EMPTY || got == BW_E_CLOSED) {
            return false;
        }
        completion.document_ = detail::copy(text);
        if (got != BW_OK) {
            throw Error(got, completion.document_);
        }
        return true;
    }
    // Whether next found that the queue is closed and has no completion left.
    bool is_drained() const noexcept { return drained_; }
    // Cancels a call; false if it has already ended.
    bool cancel(std::uint64_t id) const noexcept { return bw_queue_cancel(handle_, id) == BW_OK; }
    // Accepts no more calls, and cancels all; their completions can still be fetched.
    void close() const noexcept { bw_queue_close(handle_); }

    // The C handle, which this object still owns.
    bw_queue *handle() const noexcept { return handle_; }

private:
    bw_queue *handle_;
    std::atomic<bool> drained_;
};

// The value at a JSON pointer in a document, a string without quotes. Throws Error (BW_E_NO_VALUE).
inline std::string json_get(const detail::Document &document, const detail::Argument &pointer)
{
    char *raw = nullptr;
    const bw_status status = bw_json_get(document.c_str(), pointer.c_str(), &raw);
    return detail::finish(status, raw);
}

// The BXML that moves a phone call into a session: {"bxml": .., "uuiLength": .., "warnings": [..]};
// see bw_transfer_bxml. If call_id or sip_uri is empty, it is omitted. Throws Error.
inline std::string transfer_bxml(const detail::Argument &token,
                                 const detail::Argument &call_id = "",
                                 const detail::Argument &sip_uri = "")
{
    char *raw = nullptr;
    const bw_status status = bw_transfer_bxml(
        token.c_str(), call_id.str().empty() ? nullptr : call_id.c_str(),
        sip_uri.str().empty() ? nullptr : sip_uri.c_str(), &raw);
    return detail::finish(status, raw);
}

// The body of a webhook, validated, with the timestamp as a number; see bw_parse_event. Throws Error.
inline std::string parse_event(const detail::Document &body)
{
    char *raw = nullptr;
    const bw_status status = bw_parse_event(body.c_str(), &raw);
    return detail::finish(status, raw);
}

// The claims of a token, which are not verified; see bw_token_claims. Throws Error.
inline std::string token_claims(const detail::Argument &token)
{
    char *raw = nullptr;
    const bw_status status = bw_token_claims(token.c_str(), &raw);
    return detail::finish(status, raw);
}

// The version of the loaded library.
inline std::string version()
{
    return bw_version();
}

}  // namespace bw

#endif  // BW_WEBRTC_HPP
