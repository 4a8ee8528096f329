// Creates two sessions at the same time in asio coroutines (C++20). Prints their ids.
#include <asio.hpp>

#include <iostream>
#include <unordered_map>

#include "bw_webrtc.hpp"

// Calls of a bw::Queue that coroutines await. All coroutines run on the one thread of an io_context.
class AsyncClient {
public:
    AsyncClient(asio::io_context &context, const bw::Client &client)
        : queue_(client), ready_(context, queue_.fd())
    {
        asio::co_spawn(context, dispatch(), asio::detached);
    }
    // The queue closes its descriptor, not asio.
    ~AsyncClient() { ready_.release(); }

    // Executes a call (see bw_call), and returns the service's response. Throws bw::Error.
    asio::awaitable<std::string> call(bw::Object document)
    {
        const auto executor = co_await asio::this_coro::executor;
        Waiter waiter{asio::steady_timer(executor, asio::steady_timer::time_point::max()), {}};
        const Registration registration(waiters_, queue_.submit(document), &waiter);
        asio::error_code cancelled;
        // dispatch() cancels the timer when the call is complete.
        co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
        co_return waiter.completion.answer();
    }
    // Ends dispatch(), so that the io_context can stop.
    void stop() { ready_.cancel(); }

private:
    struct Waiter {
        asio::steady_timer timer;
        bw::Completion completion;
    };
    using Waiters = std::unordered_map<std::uint64_t, Waiter *>;

    // A coroutine that is destroyed does not wait any longer.
    struct Registration {
        Registration(Waiters &all, std::uint64_t number, Waiter *waiter) : waiters(all), id(number)
        {
            waiters.emplace(id, waiter);
        }
        ~Registration() { waiters.erase(id); }
        Registration(const Registration &) = delete;
        Waiters &waiters;
        std::uint64_t id;
    };

    asio::awaitable<void> dispatch()
    {
        asio::error_code error;
        bw::Completion done;
        while (!error) {
            while (queue_.next(done)) {
                if (const auto found = waiters_.find(done.id()); found != waiters_.end()) {
                    found->second->completion = done;
                    found->second->timer.cancel();
                }
            }
            co_await ready_.async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::redirect_error(asio::use_awaitable, error));
        }
    }

    bw::Queue queue_;
    asio::posix::stream_descriptor ready_;
    Waiters waiters_;
};

asio::awaitable<void> create_session(AsyncClient &client, const char *tag, int &left)
{
    try {
        bw::Object create;
        create.set("operation", "createSession").set("body", bw::SessionRequest().tag(tag));
        const std::string response = co_await client.call(create);
        const bw::Session session(response);
        std::cout << "session " << session.id << ": " << *session.tag << "\n";
        bw::Object remove;
        remove.set("operation", "deleteSession").set("sessionId", session.id);
        co_await client.call(remove);
    } catch (const bw::Error &error) {
        std::cerr << error.what() << "\n";
    }
    if (--left == 0) {
        client.stop();
    }
}

int main()
try {
    asio::io_context context(1);
    const bw::Client service = bw::Client::from_environment();
    AsyncClient client(context, service);
    int left = 2;
    asio::co_spawn(context, create_session(client, "first", left), asio::detached);
    asio::co_spawn(context, create_session(client, "second", left), asio::detached);
    context.run();
    return 0;
} catch (const bw::Error &error) {
    std::cerr << error.what() << "\n";
    return 1;
}
