/* libbw_webrtc's queue in an event loop, with as many workers as calls in flight. */
#include <poll.h>

#include "loop.h"
#include "ours_config.h"

#define CALL                                                                                      \
    "{\"operation\":\"createParticipant\",\"body\":"                                              \
    "{\"publishPermissions\":[\"AUDIO\",\"VIDEO\"],\"tag\":\"a caller\"}}"

static bw_client *client;
static bw_queue *queue;
static struct pollfd events;

static void loop_begin(const char *url, const char *ca_file, size_t in_flight)
{
    char options[64];

    client = ours_new_with(url, ca_file, (long)in_flight);
    snprintf(options, sizeof options, "{\"workers\":%zu,\"backlog\":%zu}", in_flight, in_flight + 1);
    if (bw_queue_new(client, options, &queue, NULL) != BW_OK)
        bench_fail("no queue");
    events.fd = bw_queue_fd(queue);
    events.events = POLLIN;
}

static void loop_start(size_t slot)
{
    char *error;

    if (bw_queue_submit(queue, CALL, (void *)slot, NULL, &error) != BW_OK)
        bench_fail(error);
}

/* A turn takes at most this many completions, because a loop also serves other descriptors. */
#define PER_TURN 64

static void loop_turn(void)
{
    bw_status status;
    void *slot;
    char *out;
    int left = PER_TURN;

    loop_waits();
    poll(&events, 1, -1);
    loop_wakes();
    while (left-- > 0 && bw_queue_next(queue, 0, NULL, &slot, &status, &out) == BW_OK) {
        if (status != BW_OK)
            bench_fail(out);
        bw_free(out);
        loop_done((size_t)slot);
    }
}

static void loop_end(void)
{
    bw_queue_free(queue);
    bw_client_free(client);
}
