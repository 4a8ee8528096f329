/* A host that closes all descriptors from 3 up, as daemons do, while connections are open. Then it opens
 * other descriptors, which get the same numbers. To see it fail, let `is_ours` in src/sys/socket.rs return true.
 * Usage: descriptors CONFIG */
#include "host.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

static bw_client *client;

static void *warm(void *tag)
{
    return (void *)(size_t)create(client, tag);
}

static void warm_up(void)
{
    static const char *const tags[4] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    void *wrong;
    int i;

    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, warm, (void *)(size_t)tags[i]);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL);
    }
}

static void close_all(void)
{
    int fd;

    for (fd = 3; fd < 256; fd++)
        close(fd);
}

/* Neither end has received anything, and both ends are still connected to each other. */
static void is_untouched(int pair[2])
{
    struct pollfd ends[2];
    char bytes[4] = "";
    int i;

    for (i = 0; i < 2; i++) {
        ends[i].fd = pair[i];
        ends[i].events = POLLIN;
    }
    CHECK(poll(ends, 2, 0) == 0);
    for (i = 0; i < 2; i++) {
        CHECK(write(pair[i], "mine", 4) == 4);
        CHECK(read(pair[1 - i], bytes, 4) == 4 && memcmp(bytes, "mine", 4) == 0);
    }
}

int main(int argc, char **argv)
{
    enum { PAIRS = 20 };
    int pairs[PAIRS][2], i, files[40];

    if (argc != 2)
        return 2;
    alarm(LIMIT);
    client = client_of(argv[1]);
    warm_up();
    close_all();
    for (i = 0; i < PAIRS; i++)
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) == 0);
    CHECK(pairs[0][0] == 3);
    /* Each call finds a descriptor number that now belongs to the host. */
    warm_up();
    CHECK(create(client, "after") == 0);
    for (i = 0; i < PAIRS; i++)
        is_untouched(pairs[i]);

    /* Now the numbers belong to files, and later to sockets while the client is freed. */
    close_all();
    for (i = 0; i < 40; i++)
        files[i] = open("/dev/null", O_RDWR);
    CHECK(create(client, "among files") == 0);
    close_all();
    for (i = 0; i < PAIRS; i++)
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) == 0);
    bw_client_free(client);
    for (i = 0; i < PAIRS; i++)
        is_untouched(pairs[i]);
    CHECK(files[0] == 3);
    return sum_up();
}
