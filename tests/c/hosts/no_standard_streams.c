/* A host that runs without descriptors 0 to 2. The library does not use these numbers, so that output
 * of the host never goes into a connection. Break: `Occupied` or `raised` in
 * src/sys/descriptor.rs. Usage: no_standard_streams CONFIG */
#include "host.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* The two functions below replace those of the C library, and count descriptors. */
static int opened, low;

static int checked(int fd)
{
    __atomic_add_fetch(&opened, 1, __ATOMIC_RELAXED);
    if (fd >= 0 && fd < 3)
        __atomic_add_fetch(&low, 1, __ATOMIC_RELAXED);
    return fd;
}

int socket(int family, int type, int protocol)
{
    return checked((int)syscall(SYS_socket, family, type, protocol));
}

int socketpair(int family, int type, int protocol, int fds[2])
{
    int result = (int)syscall(SYS_socketpair, family, type, protocol, fds);

    checked(fds[0]);
    checked(fds[1]);
    return result;
}

/* Returns 0, or a number that identifies the failure. */
static int without_streams(const char *config)
{
    bw_client *client;
    bw_queue *queue;
    bw_status status = BW_E_EMPTY;
    char *out = NULL;
    int fd;

    for (fd = 0; fd < 3; fd++)
        close(fd);
    if (bw_client_new(config, &client, NULL) != BW_OK)
        return 1;
    /* The connection stays open. */
    if (bw_create_participant(client, "{}", &out) != BW_OK)
        return 2;
    bw_free(out);
    if (bw_queue_new(client, NULL, &queue, NULL) != BW_OK || bw_queue_fd(queue) < 3)
        return 3;
    if (bw_queue_submit(queue, "{\"operation\": \"createSession\"}", NULL, NULL, NULL) != BW_OK ||
        bw_queue_next(queue, -1, NULL, NULL, &status, &out) != BW_OK || status != BW_OK)
        return 4;
    bw_free(out);
    /* A connection and the queue's descriptors. */
    if (opened < 3 || low != 0)
        return 5;
    for (fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            return 10 + fd;
    bw_queue_free(queue);
    bw_client_free(client);
    return 0;
}

int main(int argc, char **argv)
{
    pid_t child;
    int failed;

    alarm(LIMIT);
    if (argc != 2)
        return 2;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(LIMIT);
        _exit(without_streams(argv[1]));
    }
    failed = status_of(child);
    if (failed != 0)
        printf("the child ended with %d\n", failed);
    CHECK(failed == 0);
    return sum_up();
}
