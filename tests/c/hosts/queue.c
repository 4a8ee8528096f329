/* Event loops with a queue: poll, select and epoll, in parents and children, and in a host that closes
 * the descriptor. Usage: queue CONFIG */
#include "host.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

static bw_client *client;

/* Waits with poll (0), select (1) or epoll (2). Returns whether the descriptor is readable. */
static int is_readable(int fd, int function, int ms)
{
    struct timeval time = {ms / 1000, ms % 1000 * 1000};
    struct epoll_event event = {EPOLLIN, {0}}, came;
    struct pollfd entry = {fd, POLLIN, 0};
    fd_set set;
    int ready, set_of_epoll;

    switch (function) {
    case 0:
        return poll(&entry, 1, ms) == 1 && entry.revents == POLLIN;
    case 1:
        FD_ZERO(&set);
        FD_SET(fd, &set);
        return select(fd + 1, &set, NULL, NULL, &time) == 1;
    default:
        set_of_epoll = epoll_create1(EPOLL_CLOEXEC);
        epoll_ctl(set_of_epoll, EPOLL_CTL_ADD, fd, &event);
        ready = epoll_wait(set_of_epoll, &came, 1, ms);
        close(set_of_epoll);
        return ready == 1 && came.events == EPOLLIN;
    }
}

/* Submits calls and fetches the completions in an event loop. Returns the number of completions that
 * succeeded, with the right tag and user data. */
static int loop(bw_queue *queue, const char *who, int count, int function)
{
    char (*tags)[40] = calloc((size_t)count, sizeof *tags);
    int fetched = 0, succeeded = 0, n, fd = bw_queue_fd(queue);

    for (n = 0; n < count; n++) {
        char call[160];
        sprintf(tags[n], "%.10s-%ld-%d", who, (long)getpid(), n);
        sprintf(call, "{\"operation\": \"createParticipant\", \"body\": {\"tag\": \"%s\"}}", tags[n]);
        if (bw_queue_submit(queue, call, tags[n], NULL, NULL) != BW_OK)
            fetched++;
    }
    while (fetched < count && is_readable(fd, function, LIMIT * 1000)) {
        char *out, *tag = NULL;
        void *data;
        bw_status status;
        while (bw_queue_next(queue, 0, NULL, &data, &status, &out) == BW_OK) {
            fetched++;
            if (status == BW_OK && bw_json_get(out, "/participant/tag", &tag) == BW_OK)
                succeeded += strcmp(tag, data) == 0;
            else
                printf("%s: %s\n", (char *)data, out);
            bw_free(tag);
            bw_free(out);
            tag = NULL;
        }
        if (bw_queue_fd(queue) != fd)
            break;
    }
    /* No call is running that could make it readable again. */
    CHECK(!is_readable(fd, function, 0));
    free(tags);
    return succeeded;
}

static bw_queue *queue_of(const char *options)
{
    bw_queue *queue = NULL;

    CHECK(bw_queue_new(client, options, &queue, NULL) == BW_OK);
    return queue;
}

/* Four children, each with its own descriptor, while the parent continues. */
static void forks(void)
{
    bw_queue *queue = queue_of("{\"workers\": 4}");
    pid_t pids[4];
    char *out;
    bw_status status;
    int i, before;

    CHECK(loop(queue, "before", 10, 0) == 10);
    before = bw_queue_fd(queue);
    /* The children do not receive the completions of these calls. */
    for (i = 0; i < 4; i++)
        CHECK(bw_queue_submit(queue, "{\"operation\": \"createSession\"}", NULL, NULL, NULL) == BW_OK);
    fflush(stdout);
    for (i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            int own, wrong;
            alarm(LIMIT);
            wrong = bw_queue_next(queue, 0, NULL, NULL, &status, &out) != BW_E_EMPTY;
            own = bw_queue_fd(queue);
            wrong += own < 0 || own == before;
            wrong += loop(queue, "child", 40, i % 3) != 40;
            if (i % 2)
                bw_queue_free(queue);
            fflush(stdout);
            _exit(wrong + failed_);
        }
    }
    for (i = 0; i < 4; i++) {
        CHECK(bw_queue_next(queue, LIMIT * 1000, NULL, NULL, &status, &out) == BW_OK);
        CHECK(status == BW_OK);
        bw_free(out);
    }
    CHECK(bw_queue_fd(queue) == before);
    CHECK(loop(queue, "meanwhile", 20, 0) == 20);
    for (i = 0; i < 4; i++)
        CHECK(status_of(pids[i]) == 0);
    bw_queue_free(queue);
}

/* The host closes all descriptors and opens others with the same numbers. The library writes nothing to
 * them, and no completion is lost. */
static void closed_descriptors(void)
{
    bw_queue *queue = queue_of(NULL);
    int pairs[10][2], i, fd, count = 0;
    char *out, byte;
    bw_status status;

    CHECK(loop(queue, "warm", 10, 0) == 10);
    CHECK(bw_queue_submit(queue, "{\"operation\": \"createSession\"}", NULL, NULL, NULL) == BW_OK);
    /* A host must not close a descriptor while a call writes to it: wait until the call is complete. */
    CHECK(is_readable(bw_queue_fd(queue), 0, LIMIT * 1000));
    for (fd = 3; fd < 256; fd++)
        close(fd);
    for (i = 0; i < 10; i++)
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]) == 0);
    for (i = 0; i < 5; i++)
        CHECK(bw_queue_submit(queue, "{\"operation\": \"createSession\"}", NULL, NULL, NULL) == BW_OK);
    /* A new descriptor, which is readable if completions are available. */
    fd = bw_queue_fd(queue);
    CHECK(fd > pairs[9][1]);
    while (count < 6 && is_readable(fd, 0, LIMIT * 1000))
        while (bw_queue_next(queue, 0, NULL, NULL, &status, &out) == BW_OK) {
            bw_free(out);
            count++;
        }
    CHECK(count == 6);
    bw_queue_free(queue);
    for (i = 0; i < 20; i++)
        CHECK(read(pairs[i / 2][i % 2], &byte, 1) < 0 && errno == EAGAIN);
    for (i = 0; i < 20; i++)
        close(pairs[i / 2][i % 2]);
}

int main(int argc, char **argv)
{
    bw_queue *queue;
    int function;

    if (argc != 2)
        return 2;
    alarm(2 * LIMIT);
    client = client_of(argv[1]);
    queue = queue_of("{\"workers\": 16}");
    for (function = 0; function < 3; function++)
        CHECK(loop(queue, "loop", 40, function) == 40);
    bw_queue_free(queue);
    forks();
    closed_descriptors();
    bw_client_free(client);
    return sum_up();
}
