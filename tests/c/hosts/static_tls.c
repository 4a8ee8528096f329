/* A host with much thread-local data, which the C library puts on the stack of each thread: the
 * threads of the library have their own room in addition. Break: `min_stack` in src/sys/thread.rs.
 * Usage: static_tls CONFIG */
#include "host.h"

/* With this, 256 KiB of stack in all leave next to nothing. */
static __thread char data[244 * 1024];

int main(int argc, char **argv)
{
    bw_client *client;
    bw_queue *queue;
    bw_status status = BW_E_EMPTY;
    char *out = NULL;

    alarm(LIMIT);
    if (argc != 2)
        return 2;
    data[0] = 1;
    client = client_of(argv[1]);
    /* Resolves a name in one thread of the library, connects and calls in another. */
    CHECK(bw_queue_new(client, NULL, &queue, NULL) == BW_OK);
    CHECK(bw_queue_submit(queue, "{\"operation\": \"createSession\"}", NULL, NULL, NULL) == BW_OK);
    CHECK(bw_queue_next(queue, -1, NULL, NULL, &status, &out) == BW_OK && status == BW_OK);
    bw_free(out);
    bw_queue_free(queue);
    bw_client_free(client);
    CHECK(data[0] == 1);
    return sum_up();
}
