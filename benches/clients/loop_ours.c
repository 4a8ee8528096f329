/* The queue in an event loop: one thread that submits, polls the descriptor, and fetches. */
#include <poll.h>

#include "ours_config.h"

#include "loop.h"

#define CALL                                                                                      \
    "{\"operation\":\"createParticipant\",\"body\":"                                              \
    "{\"publishPermissions\":[\"AUDIO\",\"VIDEO\"],\"tag\":\"a caller\"}}"

static bw_client *client;
static bw_queue *queue;

static void fail(const char *what)
{
    fprintf(stderr, "the benchmark failed: %s\n", what);
    exit(1);
}

static void loop_begin(const char *url, const char *ca_file, long slots)
{
    char options[64];

    client = ours_new_with(url, ca_file, slots);
    snprintf(options, sizeof options, "{\"workers\":%ld,\"backlog\":%ld}", slots, slots + 1);
    if (bw_queue_new(client, options, &queue, NULL) != BW_OK)
        fail("no queue");
}

static void loop_start(long slot)
{
    char *error = NULL;

    if (bw_queue_submit(queue, CALL, (void *)(slot + 1), NULL, &error) != BW_OK)
        fail(error != NULL ? error : "not accepted");
}

static void loop_wait(void)
{
    struct pollfd entry = {-1, POLLIN, 0};

    entry.fd = bw_queue_fd(queue);
    poll(&entry, 1, -1);
}

static void loop_handle(void)
{
    bw_status status;
    void *slot;
    char *out;

    while (bw_queue_next(queue, 0, NULL, &slot, &status, &out) == BW_OK) {
        if (status != BW_OK)
            fail(out != NULL ? out : "no response");
        bw_free(out);
        loop_done((long)slot - 1);
    }
}

static void loop_end(void)
{
    bw_queue_free(queue);
    bw_client_free(client);
}
