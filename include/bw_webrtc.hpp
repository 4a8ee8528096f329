// bw_webrtc.hpp: libbw_webrtc for C++11 and later, header-only.
//
// Requests and responses are JSON text. A failed call throws bw::Error:
//
//     bw::Client client(bw::Config().account_id("9900000").client_id("..").client_secret(".."));
//     std::string response = client.create_participant("{\"publishPermissions\":[\"AUDIO\"]}");
//     std::cout << bw::json_get(response, "/participant/id") << "\n";
//
// A JSON document is a std::string, a const char *, or an object with a method dump(), such as
// nlohmann::json or one of the request classes. The library reports a null pointer as an invalid
// argument. Each result class is constructed from a response:
//
//     bw::Participant participant(client.get_participant(id));
//     nlohmann::json json = participant;  // and json.get<bw::Participant>()
//
// All threads may use a client or a queue at the same time. While one thread moves or destroys it,
// no other thread may use it. A call blocks the calling thread up to the deadline of the
// configuration.
//
// Contents, in this order. Each part begins with a line of dashes.
//
//   Values      optional, TextArg, JsonArg
//   Errors      Error
//   Requests    Object, array, Config, ParticipantRequest, SessionRequest, EndpointRequest,
//               EndpointQuery
//   Results     Subscriptions, Session, Participant, CreatedParticipant, Device, Endpoint,
//               EndpointPage, Event, Claims, list; conversions of nlohmann::json
//   Clients     Endpoints, Client
//   Queues      Completion, Queue
//   Functions   json_get, json_length, json_quote, transfer_bxml, connect_bxml, uui, parse_event,
//               token_claims, version
//
// The namespace bw::detail is internal.
#ifndef BW_WEBRTC_HPP
#define BW_WEBRTC_HPP

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>
#if __cplusplus >= 201703L
#include <optional>
#include <string_view>
#endif

#include "bw_webrtc.h"

namespace bw {

// ---- Values -------------------------------------------------------------------------------------

// A value or nothing. It is the same class in every standard, so that a program may mix objects of
// C++11 and C++17. As of C++17, it converts to and from std::optional.
template <typename T>
class optional {
public:
    optional() : value_(), has_value_(false) {}
    template <typename U, typename = typename std::enable_if<
                              std::is_convertible<U &&, T>::value &&
                              !std::is_same<typename std::decay<U>::type, optional>::value>::type>
    optional(U &&value) : value_(std::forward<U>(value)), has_value_(true)
    {
    }
#if __cplusplus >= 201703L
    optional(std::nullopt_t) : optional() {}
    optional(const std::optional<T> &other)
        : value_(other ? *other : T()), has_value_(other.has_value())
    {
    }
    operator std::optional<T>() const
    {
        return has_value_ ? std::optional<T>(value_) : std::optional<T>();
    }
    friend bool operator==(const optional &a, std::nullopt_t) { return !a.has_value_; }
    friend bool operator!=(const optional &a, std::nullopt_t) { return a.has_value_; }
    friend bool operator==(const optional &a, const std::optional<T> &b)
    {
        return a == optional(b);
    }
    friend bool operator==(const std::optional<T> &a, const optional &b) { return b == a; }
    friend bool operator!=(const optional &a, const std::optional<T> &b) { return !(a == b); }
    friend bool operator!=(const std::optional<T> &a, const optional &b) { return !(a == b); }
#endif
    friend bool operator==(const optional &a, const optional &b)
    {
        return a.has_value_ == b.has_value_ && (!a.has_value_ || a.value_ == b.value_);
    }
    friend bool operator!=(const optional &a, const optional &b) { return !(a == b); }
    template <typename U>
    friend typename std::enable_if<std::is_convertible<const U &, T>::value, bool>::type operator==(
        const optional &a, const U &b)
    {
        return a.has_value_ && a.value_ == b;
    }
    template <typename U>
    friend typename std::enable_if<std::is_convertible<const U &, T>::value, bool>::type operator!=(
        const optional &a, const U &b)
    {
        return !(a == b);
    }

    bool has_value() const noexcept { return has_value_; }
    explicit operator bool() const noexcept { return has_value_; }
    const T &operator*() const noexcept { return value_; }
    T &operator*() noexcept { return value_; }
    const T *operator->() const noexcept { return &value_; }
    T *operator->() noexcept { return &value_; }
    const T &value() const
    {
        if (!has_value_) {
            throw std::logic_error("bw::optional: there is no value");
        }
        return value_;
    }
    template <typename U>
    T value_or(U &&other) const
    {
        return has_value_ ? value_ : static_cast<T>(std::forward<U>(other));
    }
    void reset() { *this = optional(); }

private:
    T value_;
    bool has_value_;
};

namespace detail {

// A string from the library. It is freed by the destructor.
struct Free {
    void operator()(char *text) const noexcept { bw_free(text); }
};
using Text = std::unique_ptr<char, Free>;

inline std::string copy(const Text &text) { return text ? std::string(text.get()) : std::string(); }

// The value at a JSON pointer, if it is present and not null.
inline optional<std::string> find(const std::string &document, const char *pointer)
{
    if (document.empty()) {
        return optional<std::string>();
    }
    char *raw = nullptr;
    const bw_status status = bw_json_get(document.c_str(), pointer, &raw);
    const Text text(raw);
    return status == BW_OK ? optional<std::string>(copy(text)) : optional<std::string>();
}

// The value at a JSON pointer, or "" if it is missing or null.
inline std::string get(const std::string &document, const char *pointer)
{
    return find(document, pointer).value_or("");
}

// A number at a JSON pointer. None, unless its text is digits only and at most 2^53 - 1.
inline optional<std::int64_t> find_number(const std::string &document, const char *pointer)
{
    const std::string text = get(document, pointer);
    std::int64_t number = text.empty() ? -1 : 0;
    for (const char c : text) {
        number = c >= '0' && c <= '9' ? number * 10 + (c - '0') : -1;
        if (number < 0 || number > 9007199254740991) {
            return optional<std::int64_t>();
        }
    }
    return number < 0 ? optional<std::int64_t>() : optional<std::int64_t>(number);
}

// A number of milliseconds at a JSON pointer, which is at most a limit.
inline optional<std::chrono::milliseconds> find_ms(
    const std::string &document, const char *pointer,
    std::chrono::milliseconds limit = std::chrono::milliseconds::max())
{
    const optional<std::int64_t> ms = find_number(document, pointer);
    const bool is_valid = ms && *ms <= limit.count();
    return is_valid ? optional<std::chrono::milliseconds>(std::chrono::milliseconds(*ms))
                    : optional<std::chrono::milliseconds>();
}

// The items of a valid JSON array, or the members of an object, as JSON texts. One pass.
inline std::vector<std::string> split(const std::string &json)
{
    std::vector<std::string> parts;
    std::size_t start = 0;
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < json.size(); i++) {
        const char c = json[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            start = depth == 0 ? i + 1 : start;
            depth++;
        } else if (c == ']' || c == '}') {
            depth--;
        }
        const bool is_end = depth == 0 || (depth == 1 && c == ',');
        if (!in_string && is_end && (c == ',' || c == ']' || c == '}')) {
            const std::string part = json.substr(start, i - start);
            if (part.find_first_not_of(" \t\r\n") != std::string::npos) {
                parts.push_back(part);
            }
            start = i + 1;
        }
    }
    return parts;
}

// The items of an array in a document, as objects of a class that is constructed from JSON text.
template <typename T>
std::vector<T> items(const std::string &document, const char *pointer)
{
    const std::string array = get(document, pointer);
    std::vector<T> results;
    if (array.compare(0, 1, "[") == 0) {
        for (const std::string &item : split(array)) {
            results.push_back(T(item));
        }
    }
    return results;
}

// The strings of an array in a document.
inline std::vector<std::string> texts(const std::string &document, const char *pointer)
{
    std::vector<std::string> values = items<std::string>(document, pointer);
    for (std::string &value : values) {
        value = get(value, "");
    }
    return values;
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
    Argument(const T &text) : text_(convert(text)), is_null_(false) { replace_nul(); }
#if __cplusplus >= 201703L
    Argument(std::string_view text) : Argument(std::string(text)) {}
#endif
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
class Document : public Argument {
public:
    Document(const char *json) : Argument(json) {}
    Document(const std::string &json) : Argument(json) {}
    template <typename T, typename = typename std::enable_if<HasDump<T>::value>::type>
    Document(const T &value) : Argument(std::string(value.dump()))
    {
    }
#if __cplusplus >= 201703L
    Document(std::string_view json) : Argument(json) {}
#endif
    Document(std::nullptr_t) = delete;
};

}  // namespace detail

// A text argument: a const char *, a std::string, a std::string_view, or an object that converts to
// a std::string. The library reports a null pointer as an invalid argument.
using TextArg = const detail::Argument &;
// A JSON argument: JSON text, or an object with a method dump().
using JsonArg = const detail::Document &;

// ---- Errors -------------------------------------------------------------------------------------

// A failed call. what() states what was wrong and what to do. Copying it throws nothing.
class Error : public std::runtime_error {
public:
    // `document` is the error document of the call.
    Error(bw_status status, const std::string &document)
        : std::runtime_error(
              detail::find(document, "/error/message").value_or(bw_status_name(status))),
          status_(status),
          details_(std::make_shared<const Details>(document))
    {
    }

    // A move copies too, so that an error which was moved from is still complete.
    Error(const Error &) = default;
    Error &operator=(const Error &) = default;

    // The reason for the failure, one of BW_E_*.
    bw_status status() const noexcept { return status_; }
    // The name of the status, such as "BW_E_TIMEOUT".
    const char *status_name() const noexcept { return bw_status_name(status_); }
    // "not_sent", "rejected" or "unknown"; empty if no request to the service is involved.
    const std::string &outcome() const noexcept { return details_->outcome; }
    // The HTTP status of the response, or 0 if there was no response.
    int http_status() const noexcept { return details_->http_status; }
    // The number of requests that were attempted.
    int attempts() const noexcept { return details_->attempts; }
    // The service's id of the request, for Bandwidth's support.
    const optional<std::string> &request_id() const noexcept { return details_->request_id; }
    // How long the service wants callers to wait.
    const optional<std::chrono::milliseconds> &retry_after() const noexcept
    {
        return details_->retry_after;
    }
    // The error document (JSON).
    const std::string &document() const noexcept { return details_->document; }

private:
    struct Details {
        explicit Details(const std::string &json) : document(json) {}
        int number(const char *pointer) const
        {
            return static_cast<int>(detail::find_number(document, pointer).value_or(0));
        }

        std::string document;
        std::string outcome = detail::get(document, "/error/outcome");
        int http_status = number("/error/httpStatus");
        int attempts = number("/error/attempts");
        optional<std::string> request_id = detail::find(document, "/error/requestId");
        optional<std::chrono::milliseconds> retry_after =
            detail::find_ms(document, "/error/retryAfterMs");
    };

    bw_status status_;
    std::shared_ptr<const Details> details_;
};

namespace detail {

// Appends a JSON string. It does not check the UTF-8: the function that receives the document does.
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

// Appends a JSON array of strings.
inline void append_strings(std::string &json, const std::vector<std::string> &values)
{
    json += '[';
    for (std::size_t i = 0; i < values.size(); i++) {
        json += i > 0 ? "," : "";
        append_string(json, values[i]);
    }
    json += ']';
}

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

// The error of a response that this header cannot use.
[[noreturn]] inline void throw_protocol(const char *operation, const std::string &message)
{
    std::string json = "{\"error\":{\"status\":15,\"name\":\"BW_E_PROTOCOL\",\"message\":";
    append_string(json, message);
    json += ",\"operation\":";
    append_string(json, operation);
    throw Error(BW_E_PROTOCOL, json + ",\"outcome\":\"unknown\",\"attempts\":1,\"httpStatus\":null,"
                                      "\"requestId\":null,\"retryAfterMs\":null,\"body\":null}}");
}

// A JSON object that is built key by key.
template <typename T>
class Builder {
public:
    using Self = T;
    // Sets a key to a string, such as set("roots", "system"). A null pointer omits the key.
    Self &set(const char *key, TextArg value)
    {
        if (value.c_str() != nullptr) {
            begin(key);
            append_string(json_, value.str());
        }
        return self();
    }
    // Sets a key to an integer or a bool, such as set("maxRetries", 0).
    template <typename U>
    typename std::enable_if<std::is_arithmetic<U>::value, T &>::type set(const char *key, U value)
    {
        static_assert(std::is_integral<U>::value, "a number is an integer");
        begin(key);
        json_ += std::is_same<U, bool>::value ? (value ? "true" : "false") : std::to_string(value);
        return self();
    }
    // Sets a key to an object with a method dump(), such as another builder or an nlohmann::json.
    template <typename U>
    typename std::enable_if<HasDump<U>::value, Self &>::type set(const char *key, const U &value)
    {
        return set_json(key, value);
    }
    // Sets a key to an array of strings.
    Self &set(const char *key, const std::vector<std::string> &values)
    {
        begin(key);
        append_strings(json_, values);
        return self();
    }
    // Sets a key to JSON text. A null pointer omits the key. Throws Error unless the text is one
    // JSON value.
    Self &set_json(const char *key, JsonArg json)
    {
        if (json.c_str() != nullptr) {
            char *raw = nullptr;
            const bw_status status = bw_json_get(json.c_str(), "", &raw);
            const Text text(raw);
            // BW_E_NO_VALUE: the JSON value null.
            if (status != BW_OK && status != BW_E_NO_VALUE) {
                throw Error(status, copy(text));
            }
            begin(key);
            json_ += json.str();
        }
        return self();
    }
    // The JSON text.
    std::string dump() const { return "{" + json_ + "}"; }

private:
    Self &self() { return static_cast<Self &>(*this); }
    void begin(const char *key)
    {
        json_ += json_.empty() ? "" : ",";
        append_string(json_, key);
        json_ += ':';
    }

    std::string json_;
};

}  // namespace detail

// ---- Requests -----------------------------------------------------------------------------------

// A JSON object for any request, such as
// bw::Object().set("operation", "createSession").set("body", bw::Object().set("tag", "room")).
class Object : public detail::Builder<Object> {};

// Returns a JSON array of strings.
inline std::string array(const std::vector<std::string> &values)
{
    std::string json;
    detail::append_strings(json, values);
    return json;
}

// The configuration of a client. bw_client_new describes each key; set() accepts all of them.
class Config : public detail::Builder<Config> {
public:
    Self &account_id(TextArg v) { return set("accountId", v); }
    // API credentials (OAuth 2.0).
    Self &client_id(TextArg v) { return set("clientId", v); }
    Self &client_secret(TextArg v) { return set("clientSecret", v); }
    // An API user, instead of API credentials. User names and passwords stop working on
    // 2 December 2026.
    Self &username(TextArg v) { return set("username", v); }
    Self &password(TextArg v) { return set("password", v); }
    Self &base_url(TextArg v) { return set("baseUrl", v); }
    // Required with client_id if base_url is not the service's own.
    Self &token_url(TextArg v) { return set("tokenUrl", v); }
    Self &ca_file(TextArg v) { return set("caFile", v); }
    // The URL of BRTC Endpoints. Required for them if base_url is not the service's own.
    Self &endpoints_url(TextArg v) { return set("endpointsUrl", v); }
    // The deadline of a call, in milliseconds.
    Self &timeout_ms(unsigned long v) { return set("timeoutMs", v); }
    // The same as set(key, value).
    Self &set_number(const char *key, unsigned long value) { return set(key, value); }
    Self &set_flag(const char *key, bool value) { return set(key, value); }
    // The JSON object.
    std::string json() const { return dump(); }
};

// The request of create_participant.
class ParticipantRequest : public detail::Builder<ParticipantRequest> {
public:
    // "AUDIO" and "VIDEO".
    Self &publish(const std::vector<std::string> &v) { return set("publishPermissions", v); }
    Self &tag(TextArg v) { return set("tag", v); }
    Self &callback_url(TextArg v) { return set("callbackUrl", v); }
    Self &device_api_version(TextArg v) { return set("deviceApiVersion", v); }
};

// The request of create_session.
class SessionRequest : public detail::Builder<SessionRequest> {
public:
    Self &tag(TextArg v) { return set("tag", v); }
};

// The request of create_endpoint. The direction is "INBOUND", "OUTBOUND" or "BIDIRECTIONAL".
class EndpointRequest : public detail::Builder<EndpointRequest> {
public:
    explicit EndpointRequest(TextArg direction)
    {
        set("type", "WEBRTC").set("direction", direction);
    }
    Self &tag(TextArg v) { return set("tag", v); }
    Self &event_callback_url(TextArg v) { return set("eventCallbackUrl", v); }
    Self &event_fallback_url(TextArg v) { return set("eventFallbackUrl", v); }
    Self &connection_metadata(JsonArg v) { return set_json("connectionMetadata", v); }
};

// The query of list_endpoints and endpoints.
class EndpointQuery : public detail::Builder<EndpointQuery> {
public:
    // "CONNECTED" or "DISCONNECTED".
    Self &status(TextArg v) { return set("status", v); }
    // The number of endpoints in a page, from 1 to 1000.
    Self &limit(int v) { return set("limit", v); }
    Self &after_cursor(TextArg v) { return set("afterCursor", v); }
};

// ---- Results ------------------------------------------------------------------------------------

namespace detail {

// A result. Each member of a derived class reads its value from the document when the object is
// constructed. Without a document, strings are empty.
struct Result {
    Result() = default;
    explicit Result(JsonArg json) : document(json.str()) {}
    // The document, with all fields. It contains the token if the result has one.
    std::string document;
    std::string dump() const { return document; }

protected:
    std::string get(const char *pointer) const { return detail::get(document, pointer); }
    optional<std::string> find(const char *pointer) const
    {
        return detail::find(document, pointer);
    }
    std::vector<std::string> texts(const char *pointer) const
    {
        return detail::texts(document, pointer);
    }
    template <typename T>
    std::vector<T> items(const char *pointer) const { return detail::items<T>(document, pointer); }
};

// The parameter afterCursor of a URL, decoded. The URL itself is never used.
inline optional<std::string> cursor_of(const std::string &url)
{
    static const std::string name = "afterCursor=", hex = "0123456789abcdef0123456789ABCDEF";
    const std::string all = url.substr(0, url.find('#'));
    std::size_t at = all.find('?');
    while (at != std::string::npos && all.compare(at + 1, name.size(), name) != 0) {
        at = all.find('&', at + 1);
    }
    std::string decoded;
    at = at == std::string::npos ? all.size() : at + 1 + name.size();
    for (; at < all.size() && all[at] != '&'; at++) {
        const bool is_escape = all[at] == '%' && at + 2 < all.size();
        const std::size_t high = is_escape ? hex.find(all[at + 1]) : std::string::npos;
        const std::size_t low = is_escape ? hex.find(all[at + 2]) : std::string::npos;
        if (high == std::string::npos || low == std::string::npos) {
            decoded += all[at];
        } else {
            decoded += static_cast<char>((high % 16) << 4 | low % 16);
            at += 2;
        }
    }
    return decoded.empty() ? optional<std::string>() : optional<std::string>(decoded);
}

// The cursor of the page after a page of endpoints.
inline optional<std::string> next_cursor(const std::string &page)
{
    optional<std::string> cursor;
    for (const std::string &link : items<std::string>(page, "/links")) {
        if (!cursor && get(link, "/rel") == "next") {
            cursor = cursor_of(get(link, "/href"));
        }
    }
    return cursor;
}

}  // namespace detail

// Whom a participant hears: one participant, and optionally only some of its streams.
struct Subscription : detail::Result {
    using Result::Result;
    std::string participant_id = get("/participantId");
    std::vector<std::string> stream_aliases = texts("/streamAliases");
};

// Whom a participant hears: a result, and also the document of add_participant_to_session and
// update_participant_subscriptions.
struct Subscriptions : detail::Result {
    // Nobody.
    Subscriptions() : Result("{}") {}
    using Result::Result;
    // Everyone in the session, including participants that join later.
    static Subscriptions everyone(TextArg session_id)
    {
        return Subscriptions(Object().set("sessionId", session_id));
    }
    // These participants.
    static Subscriptions to(const std::vector<std::string> &participant_ids)
    {
        std::string list;
        for (const std::string &id : participant_ids) {
            list += (list.empty() ? "" : ",") + Object().set("participantId", id).dump();
        }
        return Subscriptions(Object().set_json("participants", "[" + list + "]"));
    }
    optional<std::string> session_id = find("/sessionId");
    std::vector<Subscription> participants = items<Subscription>("/participants");
};

struct Session : detail::Result {
    using Result::Result;
    std::string id = get("/id");
    optional<std::string> tag = find("/tag");
};

struct Participant : detail::Result {
    using Result::Result;
    std::string id = get("/id");
    optional<std::string> tag = find("/tag");
    optional<std::string> callback_url = find("/callbackUrl");
    optional<std::string> device_api_version = find("/deviceApiVersion");
    std::vector<std::string> publish_permissions = texts("/publishPermissions");
    // At most one id.
    std::vector<std::string> sessions = texts("/sessions");
    Subscriptions subscriptions = Subscriptions(find("/subscriptions").value_or("{}"));
};

// The response of create_participant.
struct CreatedParticipant : detail::Result {
    using Result::Result;
    Participant participant = Participant(get("/participant"));
    // The token with which its device connects. It is a secret.
    std::string token = get("/token");
};

// A device of an endpoint.
struct Device : detail::Result {
    using Result::Result;
    std::string id = get("/deviceId");
    optional<std::string> name = find("/deviceName");
    std::string status = get("/status");
    std::string creation_timestamp = get("/creationTimestamp");
};

// An endpoint: the response of create_endpoint or get_endpoint, or an item of list_endpoints.
struct Endpoint : detail::Result {
    Endpoint() = default;
    // Throws Error (BW_E_PROTOCOL) if the document contains no endpoint.
    explicit Endpoint(JsonArg json) : Result(detail::find(json.str(), "/data").value_or(json.str()))
    {
        if (id.empty()) {
            detail::throw_protocol("getEndpoint", "the response contains no endpointId");
        }
    }
    std::string id = get("/endpointId");
    std::string type = get("/type");
    // "CONNECTED" or "DISCONNECTED".
    std::string status = get("/status");
    // ISO 8601. The endpoint and its token end at the second one.
    std::string creation_timestamp = get("/creationTimestamp");
    std::string expiration_timestamp = get("/expirationTimestamp");
    optional<std::string> tag = find("/tag");
    // The token with which its device connects, in the response of create_endpoint only. It is a
    // secret.
    optional<std::string> token = find("/token");
    // Empty for an item of list_endpoints.
    std::vector<Device> devices = items<Device>("/devices");
};

// Writes the id and the status of an endpoint, but never its token.
inline std::ostream &operator<<(std::ostream &stream, const Endpoint &endpoint)
{
    return stream << "Endpoint(id=" << endpoint.id << ", status=" << endpoint.status
                  << (endpoint.token ? ", token=***)" : ")");
}

// Writes the id of a participant, but never its token.
inline std::ostream &operator<<(std::ostream &stream, const CreatedParticipant &created)
{
    return stream << "CreatedParticipant(id=" << created.participant.id << ", token=***)";
}

// One page of endpoints, the response of list_endpoints.
struct EndpointPage : detail::Result {
    EndpointPage() = default;
    // Throws Error (BW_E_PROTOCOL) if "data" is not an array of endpoints.
    explicit EndpointPage(JsonArg json) : Result(json)
    {
        if (get("/data").compare(0, 1, "[") != 0) {
            detail::throw_protocol("listEndpoints", "the response contains no array \"data\"");
        }
    }
    std::vector<Endpoint> endpoints = items<Endpoint>("/data");
    // The afterCursor of the next page; none for the last page.
    optional<std::string> next_cursor = detail::next_cursor(document);
    optional<std::int64_t> total_elements =
        detail::find_number(document, "/page/totalElements");
};

// A webhook, the result of parse_event.
struct Event : detail::Result {
    using Result::Result;
    // Such as "onConnect" or "endpointConnected".
    std::string name = get("/event");
    // Whether the library knows the event; otherwise, its fields are not checked.
    bool is_known = !document.empty() && get("/known") != "false";
    optional<std::chrono::system_clock::time_point> time = time_of(document);
    optional<std::string> participant_id = find("/participantId");
    optional<std::string> endpoint_id = find("/endpointId");
    optional<std::string> device_id = find("/deviceId");
    optional<std::string> account_id = find("/accountId");
    optional<std::string> tag = find("/tag");
    optional<std::string> to = find("/to");
    optional<std::string> to_type = find("/toType");

private:
    static optional<std::chrono::system_clock::time_point> time_of(const std::string &json)
    {
        using Time = std::chrono::system_clock::time_point;
        // The clock of most systems counts nanoseconds, and ends in the year 2262.
        const auto ms = detail::find_ms(json, "/timestamp",
                                        std::chrono::duration_cast<std::chrono::milliseconds>(
                                            Time::max().time_since_epoch()));
        return ms ? optional<Time>(Time(*ms)) : optional<Time>();
    }
};

// The claims of a token, which are not verified: the result of token_claims.
struct Claims : detail::Result {
    using Result::Result;
    optional<std::string> account_id = find("/accountId");
    optional<std::string> participant_id = find("/participantId");
    optional<std::string> version = find("/version");
    // Seconds since 1970.
    optional<std::int64_t> expires_at = detail::find_number(document, "/expiresAt");
};

// Returns the results of an array in a document, such as
// bw::list<bw::Participant>(client.list_session_participants(id)). Throws Error if the value at the
// JSON pointer is not an array.
template <typename T>
std::vector<T> list(JsonArg document, const char *pointer = "")
{
    if (detail::get(document.str(), pointer).compare(0, 1, "[") != 0) {
        throw Error(BW_E_INVALID_ARGUMENT,
                    "{\"error\":{\"message\":\"list: the value at the pointer is not an array\"}}");
    }
    return detail::items<T>(document.str(), pointer);
}

// The conversions between nlohmann::json and the requests and results above. nlohmann::json finds
// these functions; this header does not need it.
template <typename Json, typename T>
auto to_json(Json &json, const T &value) ->
    typename std::enable_if<detail::HasDump<T>::value,
                            decltype(Json::parse(value.dump()), void())>::type
{
    json = Json::parse(value.dump());
}
template <typename Json, typename T>
auto from_json(const Json &json, T &result) ->
    typename std::enable_if<std::is_base_of<detail::Result, T>::value &&
                            detail::HasDump<Json>::value>::type
{
    result = T(json.dump());
}

// ---- Clients ------------------------------------------------------------------------------------

// All endpoints that match a query, as a range for one loop:
// for (const bw::Endpoint &endpoint : client.endpoints()). Each page is requested when it is
// needed. The loop throws Error, also BW_E_PROTOCOL if the service repeats a cursor. Only one
// thread may use an iterator.
class Endpoints {
public:
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Endpoint;
        using difference_type = std::ptrdiff_t;
        using pointer = const Endpoint *;
        using reference = const Endpoint &;

        iterator() = default;
        reference operator*() const { return state_->page.endpoints[state_->index]; }
        pointer operator->() const { return &**this; }
        // After an Error, the iterator is unchanged, and may be incremented again.
        iterator &operator++()
        {
            if (state_->index + 1 < state_->page.endpoints.size()) {
                state_->index++;
            } else {
                next_page();
            }
            return *this;
        }
        void operator++(int) { ++*this; }
        // Every iterator differs from the end, until it reaches it.
        bool operator==(const iterator &other) const { return state_ == other.state_; }
        bool operator!=(const iterator &other) const { return !(*this == other); }

    private:
        friend class Endpoints;
        struct State {
            bw_client *client;
            std::string query;
            EndpointPage page;
            std::size_t index;
            // Hashes of the cursors so far, because a cursor may be long.
            std::set<std::uint64_t> seen;
        };

        iterator(bw_client *client, const std::string &query)
            : state_(new State{client, query, fetch(client, query), 0, {}})
        {
            if (state_->page.endpoints.empty()) {
                next_page();
            }
        }
        static EndpointPage fetch(bw_client *client, const std::string &query)
        {
            return EndpointPage(detail::invoke(bw_list_endpoints, client, query.c_str()));
        }
        // Fetches pages until one contains endpoints. An exception leaves the state unchanged.
        void next_page()
        {
            State next = {state_->client, state_->query, EndpointPage(), 0, {}};
            optional<std::string> cursor = state_->page.next_cursor;
            do {
                if (!cursor) {
                    state_.reset();
                    return;
                }
                const std::uint64_t hashed = hash(*cursor);
                if (state_->seen.count(hashed) > 0 || !next.seen.insert(hashed).second) {
                    detail::throw_protocol("listEndpoints",
                                           "the service returned the same cursor twice");
                }
                next.query = with_cursor(next.query, *cursor);
                next.page = fetch(next.client, next.query);
                cursor = next.page.next_cursor;
            } while (next.page.endpoints.empty());
            state_->seen.insert(next.seen.begin(), next.seen.end());
            next.seen.swap(state_->seen);
            *state_ = std::move(next);
        }
        static std::uint64_t hash(const std::string &text)
        {
            std::uint64_t value = 14695981039346656037u;
            for (const char c : text) {
                value = (value ^ static_cast<unsigned char>(c)) * 1099511628211u;
            }
            return value;
        }
        // The query, in which the cursor replaces another one.
        static std::string with_cursor(const std::string &query, const std::string &cursor)
        {
            static const std::string key = "\"afterCursor\"";
            std::string json = Object().set("afterCursor", cursor).dump();
            json.pop_back();
            for (const std::string &member : detail::split(query)) {
                if (member.compare(member.find('"'), key.size(), key) != 0) {
                    json += "," + member;
                }
            }
            return json + "}";
        }

        std::shared_ptr<State> state_;
    };

    // Requests the first page.
    iterator begin() const { return iterator(client_, query_); }
    iterator end() const { return iterator(); }

private:
    friend class Client;
    Endpoints(bw_client *client, const std::string &query) : client_(client), query_(query) {}

    bw_client *client_;
    std::string query_;
};

// A client of the service. It is movable but not copyable, and the destructor frees it.
class Client {
public:
    // Opens no connection. Throws Error: BW_E_CONFIG, with a message that names every invalid key.
    // A null pointer is an empty configuration; it does not select the environment.
    explicit Client(JsonArg config) : state_(new State(config.str().c_str())) {}
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
    std::string create_participant(JsonArg request = "{}") const
    {
        return invoke(bw_create_participant, request);
    }
    // Reads a participant. Returns the Participant document.
    std::string get_participant(TextArg participant_id) const
    {
        return invoke(bw_get_participant, participant_id);
    }
    // Deletes a participant, and removes it from its session. If its media connection was lost, the
    // participant has already been deleted.
    void delete_participant(TextArg participant_id) const
    {
        invoke(bw_delete_participant, participant_id);
    }
    // Creates a session. It is never retried if the service may have processed the request: if the
    // outcome of the error is "unknown", a session may exist. The request may contain tag. Returns
    // {"id": .., "tag": ..}.
    std::string create_session(JsonArg request = "{}") const
    {
        return invoke(bw_create_session, request);
    }
    // Reads a session. Returns the Session document.
    std::string get_session(TextArg session_id) const { return invoke(bw_get_session, session_id); }
    // Deletes a session; its participants remain.
    void delete_session(TextArg session_id) const { invoke(bw_delete_session, session_id); }
    // Lists the participants in a session. Returns an array of Participant documents.
    std::string list_session_participants(TextArg session_id) const
    {
        return invoke(bw_list_session_participants, session_id);
    }
    // Adds a participant to a session. The subscriptions are {"sessionId": ..}, {"participants":
    // [{"participantId": ..}]} or "{}" (nobody).
    void add_participant_to_session(TextArg session_id,
                                    TextArg participant_id,
                                    JsonArg subscriptions = "{}") const
    {
        invoke(bw_add_participant_to_session, session_id, participant_id, subscriptions);
    }
    // Removes a participant from a session.
    void remove_participant_from_session(TextArg session_id, TextArg participant_id) const
    {
        invoke(bw_remove_participant_from_session, session_id, participant_id);
    }
    // Reads whom a participant hears in a session. Returns the Subscriptions document, "{}" if the
    // participant hears nobody.
    std::string get_participant_subscriptions(TextArg session_id, TextArg participant_id) const
    {
        return invoke(bw_get_participant_subscriptions, session_id, participant_id);
    }
    // Changes whom a participant hears in a session. The new subscriptions replace the previous
    // ones. The subscriptions are {"sessionId": ..}, {"participants": [{"participantId": ..}]} or
    // "{}" (nobody).
    void update_participant_subscriptions(TextArg session_id,
                                          TextArg participant_id,
                                          JsonArg subscriptions = "{}") const
    {
        invoke(bw_update_participant_subscriptions, session_id, participant_id, subscriptions);
    }
    // Creates an endpoint, and the token for its device (BRTC). The endpoint and its token expire
    // 24 hours later. The operation is never retried if the service may have processed the request:
    // if the outcome of the error is "unknown", an endpoint may exist. The request must contain
    // type, direction, and may contain eventCallbackUrl, eventFallbackUrl, tag, connectionMetadata.
    // Returns {"data": {"endpointId": .., "token": "..", ..}, ..}.
    std::string create_endpoint(JsonArg request) const
    {
        return invoke(bw_create_endpoint, request);
    }
    // Lists one page of the account's endpoints (BRTC). The query may contain type, status,
    // afterCursor, limit. Returns {"data": [..], "links": [..], "page": {..}, ..}.
    std::string list_endpoints(JsonArg query = "{}") const
    {
        return invoke(bw_list_endpoints, query);
    }
    // Reads an endpoint and its devices (BRTC). Returns {"data": {"endpointId": .., "devices":
    // [..], ..}, ..}.
    std::string get_endpoint(TextArg endpoint_id) const
    {
        return invoke(bw_get_endpoint, endpoint_id);
    }
    // Deletes an endpoint, and ends its media (BRTC).
    void delete_endpoint(TextArg endpoint_id) const { invoke(bw_delete_endpoint, endpoint_id); }
    // Replaces the BXML of an endpoint (BRTC). Bandwidth documents this operation, but in 2026 the
    // service does not offer it yet.
    void update_endpoint_bxml(TextArg endpoint_id, TextArg bxml) const
    {
        invoke(bw_update_endpoint_bxml, endpoint_id, bxml);
    }

    // End of the generated part.

    // Returns all endpoints that match the query, as a range for one loop (BRTC). The client must
    // exist during the loop.
    Endpoints endpoints(JsonArg query = "{}") const
    {
        return Endpoints(handle(), query.str().empty() ? "{}" : query.str());
    }
    // Executes any operation, which is described by one JSON document; see bw_call.
    std::string call(JsonArg document) const { return invoke(bw_call, document); }
    // Returns the counters of this client; see bw_client_stats.
    std::string stats() const { return invoke(bw_client_stats); }
    // Returns these counters as OpenMetrics text, for Prometheus; see bw_client_metrics.
    std::string metrics() const { return invoke(bw_client_metrics); }
    // Returns the participants, sessions and endpoints whose ids no caller received, and clears
    // this list; see bw_client_take_late.
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
        std::unique_lock<ProcessLock> lock;
        // A thread inside a sink takes no lock, because the library rejects its call.
        if (state_ && !State::in_sink()) {
            lock = std::unique_lock<ProcessLock>(state_->log_lock);
        }
        detail::invoke(bw_client_set_log, handle(), level, next ? &State::log_line : nullptr,
                       next.get());
        std::swap(state_->sink, next);
    }

    // Replaces the credentials for all attempts that begin after this call: a client id and its
    // secret, or a user name and its password, as in the configuration. Throws Error, and keeps the
    // previous credentials.
    void set_credentials(TextArg identifier, TextArg secret) const
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
    // A lock that a child process takes over from its parent. A mutex would stay locked in the child
    // if another thread held it during the fork.
    class ProcessLock {
    public:
        void lock()
        {
            const long self = static_cast<long>(getpid());
            for (long owner = 0; !owner_.compare_exchange_weak(owner, self);) {
                if (owner == self) {
                    std::this_thread::sleep_for(std::chrono::microseconds(50));
                    owner = 0;
                }
            }
        }
        void unlock() { owner_.store(0); }

    private:
        // The process that holds the lock, or 0.
        std::atomic<long> owner_{0};
    };

    // It keeps its address while the client is moved, because the library calls its sink.
    struct State {
        // A null pointer reads the configuration from the environment.
        explicit State(const char *config) : handle(nullptr)
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
        // Held while set_log replaces the sink.
        ProcessLock log_lock;
    };

    // Calls a function of the library whose first parameter is the client.
    template <typename Function, typename... Arguments>
    std::string invoke(Function function, const Arguments &...arguments) const
    {
        return detail::invoke(function, handle(), arguments.c_str()...);
    }

    std::unique_ptr<State> state_;
};

// ---- Queues -------------------------------------------------------------------------------------

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
    explicit Queue(const Client &client, JsonArg options = "{}")
        : state_(new State(client.handle(), options.c_str()))
    {
    }

    // Submits a call, which is described by one JSON document (see bw_call), and returns its
    // number. Throws Error, such as BW_E_QUEUE_FULL, BW_E_CLOSED or BW_E_INVALID_ARGUMENT.
    std::uint64_t submit(JsonArg call, void *user_data = nullptr) const
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

// ---- Functions ----------------------------------------------------------------------------------

// Returns one value of a JSON document, a string without quotes; see bw_json_get. Throws Error
// (BW_E_NO_VALUE if the value is missing or null).
inline std::string json_get(JsonArg document, TextArg pointer)
{
    return detail::invoke(bw_json_get, document.c_str(), pointer.c_str());
}

// Returns the number of items of an array, or of members of an object; see bw_json_length. Throws
// Error.
inline std::uint64_t json_length(JsonArg document, TextArg pointer = "")
{
    std::uint64_t length = 0;
    detail::invoke(bw_json_length, document.c_str(), pointer.c_str(), &length);
    return length;
}

// Returns a text as a JSON string, with quotes and escapes; see bw_json_quote. Throws Error.
inline std::string json_quote(TextArg text) { return detail::invoke(bw_json_quote, text.c_str()); }

// Returns the BXML that transfers a phone call to a session, as {"bxml": .., "uuiLength": ..,
// "warnings": [..]}; see bw_transfer_bxml. An empty call_id or sip_uri is omitted. Throws Error.
inline std::string transfer_bxml(TextArg token, TextArg call_id = "", TextArg sip_uri = "")
{
    return detail::invoke(bw_transfer_bxml, token.c_str(),
                          call_id.str().empty() ? nullptr : call_id.c_str(),
                          sip_uri.str().empty() ? nullptr : sip_uri.c_str());
}

// Returns the BXML that connects a phone call to endpoints, as {"bxml": ..}; see bw_connect_bxml.
// `endpoint_ids` is a JSON array, such as bw::array({endpoint.id}). Throws Error.
inline std::string connect_bxml(JsonArg endpoint_ids,
                                JsonArg options = "{}")
{
    return detail::invoke(bw_connect_bxml, endpoint_ids.c_str(), options.c_str());
}

// Returns the uui value with which a phone call joins the session of a participant; see bw_uui. An
// empty call_id is omitted. The value is a secret. Throws Error.
inline std::string uui(TextArg token, TextArg call_id = "")
{
    return detail::invoke(bw_uui, token.c_str(), call_id.str().empty() ? nullptr : call_id.c_str());
}

// Checks the body of a webhook, and returns it in one form, the document of an Event; see
// bw_parse_event. Throws Error.
inline std::string parse_event(JsonArg body)
{
    return detail::invoke(bw_parse_event, body.c_str());
}

// Returns the claims of a token, which are not verified, the document of a Claims; see
// bw_token_claims. Throws Error.
inline std::string token_claims(TextArg token)
{
    return detail::invoke(bw_token_claims, token.c_str());
}

// The version of the loaded library.
inline std::string version() { return bw_version(); }

}  // namespace bw

#endif  // BW_WEBRTC_HPP
