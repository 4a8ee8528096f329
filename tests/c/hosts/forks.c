/* A host that forks, as Kamailio does. The parent creates a client and opens connections. Children,
 * grandchildren, a daemon, and the first process of a new PID namespace use it, and so does the parent.
 * To see it fail, let `generation` in src/sys/generation.rs return 1.
 * Usage: forks CONFIG; the tags that were sent can be looked up at the sandbox. */
#include "host.h"

#include <sched.h>
#include <sys/socket.h>

static bw_client *client;
/* Only the parent has threads of this queue. */
static bw_queue *queue;

/* Makes calls, each with its own tag. Returns the number of failures. */
static int calls(const char *who, int count)
{
    char tag[51];
    int n, wrong = 0;

    for (n = 0; n < count; n++) {
        snprintf(tag, sizeof tag, "%.20s-%ld-%d", who, (long)getpid(), n);
        wrong += create(client, tag) != 0;
    }
    fflush(stdout);
    return wrong;
}

static void *caller(void *who)
{
    return (void *)(size_t)calls(who, 10);
}

static const char *const NAMES[2][4] = {{"warm_a", "warm_b", "warm_c", "warm_d"},
                                        {"again_a", "again_b", "again_c", "again_d"}};

/* Makes calls on four threads at the same time, so that four connections stay open. */
static void warm_up(const char *const names[4])
{
    pthread_t threads[4];
    void *wrong;
    int i;

    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, caller, (void *)(size_t)names[i]);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL);
    }
}

/* Makes the calls in a child, whose exit status is the number of failures. */
static pid_t child(const char *who, int count, int frees)
{
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        int wrong;
        alarm(LIMIT);
        wrong = calls(who, count);
        if (frees)
            bw_client_free(client);
        /* Half of the children run exit handlers. */
        if (frees)
            exit(wrong);
        _exit(wrong);
    }
    return pid;
}

static void eight_children(void)
{
    pid_t pids[8];
    int i;

    for (i = 0; i < 8; i++)
        pids[i] = child("child", 50, i % 2);
    CHECK(calls("parent", 50) == 0);
    for (i = 0; i < 8; i++)
        CHECK(status_of(pids[i]) == 0);
}

/* The number of open TCP sockets of this process. */
static int tcp_sockets(void)
{
    int fd, domain, count = 0;

    for (fd = 3; fd < 256; fd++) {
        socklen_t length = sizeof domain;
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0)
            count += domain == AF_INET || domain == AF_INET6;
    }
    return count;
}

/* A child closes inherited sockets when it first uses the client, and its own sockets when it frees the
 * client, whatever the parent's threads do at the time of the fork. */
static void inherited_sockets(const char *who)
{
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        int inherited = tcp_sockets(), used, left, wrong;
        alarm(LIMIT);
        wrong = calls(who, 1);
        used = tcp_sockets();
        bw_queue_free(queue);
        bw_client_free(client);
        left = tcp_sockets();
        if (inherited < 4 || used != 1 || left != 0) {
            printf("%s: %d inherited, %d in use, %d left\n", who, inherited, used, left);
            fflush(stdout);
            wrong++;
        }
        _exit(wrong);
    }
    CHECK(status_of(pid) == 0);
}

static void a_grandchild_and_its_parents(void)
{
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        pid_t grandchild;
        int wrong;
        alarm(LIMIT);
        wrong = calls("middle", 2);
        grandchild = child("grandchild", 5, 1);
        wrong += calls("middle-again", 2) + (status_of(grandchild) != 0);
        _exit(wrong);
    }
    CHECK(status_of(pid) == 0);
    /* A child that makes no call passes the client on to its own child. */
    pid = fork();
    if (pid == 0)
        _exit(status_of(child("silent-middle", 5, 0)));
    CHECK(status_of(pid) == 0);
}

static void a_daemon(void)
{
    int ends[2];
    char wrong = 1;
    pid_t pid;

    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        alarm(LIMIT);
        close(0);
        close(1);
        close(2);
        wrong = (char)calls("daemon", 10);
        _exit(write(ends[1], &wrong, 1) != 1);
    }
    close(ends[1]);
    CHECK(status_of(pid) == 0);
    CHECK(read(ends[0], &wrong, 1) == 1 && wrong == 0);
    close(ends[0]);
}

static void process_one(void)
{
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        /* A process without root privileges needs a user namespace. */
        if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
            _exit(99);
        pid = fork();
        if (pid == 0) {
            alarm(LIMIT);
            _exit(getpid() == 1 ? calls("first", 10) : 98);
        }
        _exit(status_of(pid));
    }
    switch (status_of(pid)) {
    case 99:
        printf("PID namespaces are not allowed here, so none was tried\n");
        CHECK(getenv("CI") == NULL);
        break;
    case 0:
        CHECK(1);
        break;
    default:
        CHECK(!"the first process of a namespace could not call");
    }
}

static volatile int stop;

static void *steady(void *who)
{
    char tag[51];
    int n, wrong = 0;

    for (n = 0; !stop; n++) {
        snprintf(tag, sizeof tag, "%s-%ld-%d", (const char *)who, (long)getpid(), n);
        wrong += create(client, tag) != 0;
    }
    return (void *)(size_t)wrong;
}

static void a_hundred_forks_while_four_threads_call(void)
{
    pthread_t threads[4];
    static char names[4][9];
    void *wrong;
    int i;

    for (i = 0; i < 4; i++) {
        sprintf(names[i], "steady_%c", 'a' + i);
        pthread_create(&threads[i], NULL, steady, names[i]);
    }
    for (i = 0; i < 100; i++)
        CHECK(status_of(child("storm", 1, i % 2)) == 0);
    for (i = 0; i < 20; i++)
        inherited_sockets("busy");
    stop = 1;
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL);
    }
}

int main(int argc, char **argv)
{
    long opened;
    bw_status status;
    char *out;

    if (argc != 2)
        return 2;
    alarm(3 * LIMIT);
    client = client_of(argv[1]);
    warm_up(NAMES[0]);
    opened = counted(client, "/connectionsOpened");
    CHECK(opened == 4);
    CHECK(bw_queue_new(client, NULL, &queue, NULL) == BW_OK);
    CHECK(bw_queue_submit(queue, "{\"operation\": \"createSession\"}", NULL, NULL, NULL) == BW_OK);
    CHECK(bw_queue_next(queue, LIMIT * 1000, NULL, NULL, &status, &out) == BW_OK);
    bw_free(out);
    eight_children();
    inherited_sockets("idle");
    a_grandchild_and_its_parents();
    a_daemon();
    process_one();
    warm_up(NAMES[1]);
    /* No child has closed or used a connection of the parent: all four still work. */
    CHECK(counted(client, "/connectionsOpened") == opened);
    a_hundred_forks_while_four_threads_call();
    CHECK(counted(client, "/inFlight") == 0);
    bw_queue_free(queue);
    bw_client_free(client);
    return sum_up();
}
