// libbw_webrtc through the C++ header.
#include <memory>

extern "C" {
#include "bench.h"
}
#include "bw_webrtc.hpp"

static std::unique_ptr<bw::Client> client;

static void bench_begin(const char *url, const char *ca_file)
{
    bw::Config config;
    config.account_id(ACCOUNT).username("user").password("secret").base_url(url);
    config.set_number("maxRetries", 0);
    if (ca_file != nullptr) {
        config.ca_file(ca_file);
    }
    client.reset(new bw::Client(config));
}

static void *bench_thread(void) { return nullptr; }
static void bench_end(void *) {}
static void bench_call(void *) { client->create_participant(REQUEST); }
