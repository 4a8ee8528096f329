/* An event loop that continues to run while participants are created. It polls the queue's descriptor
 * together with the other descriptors of the program. */
#include <poll.h>

#include "from_environment.h"

enum { CALLS = 5 };

/* Fetches all completions that are available, and returns their number. */
static int fetch(bw_queue *queue)
{
    void *name;
    char *document, *id;
    bw_status status;
    int count = 0;

    while (bw_queue_next(queue, 0, NULL, &name, &status, &document) == BW_OK) {
        id = status == BW_OK ? bwt_get(document, "/participant/id") : NULL;
        printf("%s: %s\n", (const char *)name, id != NULL ? id : bw_status_name(status));
        bw_free(id);
        bw_free(document);
        count++;
    }
    return count;
}

int main(void)
{
    static const char *const names[CALLS] = {"alice", "bob", "carol", "dave", "eve"};
    bwt_client_options options = from_environment();
    bwt_error error;
    bw_client *client;
    bw_queue *queue;
    struct pollfd entry;
    int i, waiting = 0, ticks = 0;

    if (bwt_client_new(&options, &client, &error) != BW_OK) {
        fprintf(stderr, "%s\n", error.message);
        bwt_error_clear(&error);
        return 1;
    }
    if (bw_queue_new(client, NULL, &queue, NULL) != BW_OK) {
        bw_client_free(client);
        return 1;
    }
    for (i = 0; i < CALLS; i++) {
        char call[128];
        sprintf(call, "{\"operation\": \"createParticipant\", \"body\": {\"tag\": \"%s\"}}", names[i]);
        waiting += bw_queue_submit(queue, call, (void *)names[i], NULL, NULL) == BW_OK;
    }
    entry.fd = bw_queue_fd(queue);
    entry.events = POLLIN;
    while (waiting > 0) {
        /* A timeout of 10 ms stands for the other work of the program. */
        if (poll(&entry, 1, 10) == 0)
            ticks++;
        else
            waiting -= fetch(queue);
    }
    puts(ticks > 0 ? "the loop continued meanwhile" : "the loop stood still meanwhile");
    /* Close the queue, fetch the remaining completions, and free the queue: each user_data is returned. */
    bw_queue_close(queue);
    fetch(queue);
    bw_queue_free(queue);
    bw_client_free(client);
    return 0;
}
