/* A host with much thread-local data, which the C library places on the stack of each thread. The stacks
 * of the library's threads are larger by this amount. Break: `min_stack` in src/sys/thread.rs.
 * Usage: static_tls CONFIG */
#include "host.h"

/* A stack of 256 KiB without this addition would have almost no space left. */
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
    /* One thread of the library resolves the name, another one connects and makes the call. */
    CHECK(bw_queue_new(client, NULL, &queue, NULL) == BW_OK);
    CHECK(bw_queue_submit(queue, "{\"operation\": \"createSession\"}", NULL, NULL, NULL) == BW_OK);
    CHECK(bw_queue_next(queue, -1, NULL, NULL, &status, &out) == BW_OK && status == BW_OK);
    bw_free(out);
    bw_queue_free(queue);
    bw_client_free(client);
    CHECK(data[0] == 1);
    return sum_up();
}
