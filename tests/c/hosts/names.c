/* A host whose resolver is resolver_shim.c. Each scene states what to break to see it fail.
 * Usage: names SCENE CONFIG, with the shim preloaded and its files in the environment. */
#include "host.h"
#include "../threads.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

static bw_client *client;

static long lookups(void)
{
    struct stat about;

    return stat(getenv("SHIM_COUNT_FILE"), &about) == 0 ? (long)about.st_size : 0;
}

/* Creates the file that the variable names. */
static void put(const char *variable)
{
    close(open(getenv(variable), O_WRONLY | O_CREAT, 0600));
}

/* A call fails with this status, and the message contains `part`. */
static void fails(bw_status status, const char *part)
{
    CHECK_FAILURE(bw_create_participant(client, "{}", &out), status, part);
}

/* An IP address needs no lookup and no thread. Break: the parse at the top of `addresses`. */
static void literal(void)
{
    put("SHIM_NO_THREADS_FILE");
    CHECK(create(client, "a literal address") == 0);
    CHECK(lookups() == 0);
}

/* Break: start no connection from the pool (`Pool::take`). */
static void pooled(void)
{
    int n, wrong = 0;

    for (n = 0; n < 1000; n++)
        wrong += create(client, "one of a thousand") != 0;
    CHECK(wrong == 0 && lookups() == 1);
}

/* Every call opens a connection (maxIdleConnections 0); dnsTtlMs is 300. Break: the ttl in
 * `addresses`. */
static void fresh(void)
{
    CHECK(create(client, "1") == 0 && create(client, "2") == 0 && create(client, "3") == 0);
    CHECK(lookups() == 1);
    nap(350);
    CHECK(create(client, "4") == 0 && lookups() == 2);
}

/* No server listens at the address, which is cached for an hour. Break: `mark_stale` in happy_eyeballs.rs. */
static void refused_address(void)
{
    fails(BW_E_CONNECT, "check that a server is listening there");
    CHECK(lookups() == 1);
    fails(BW_E_CONNECT, "check that a server is listening there");
    CHECK(lookups() == 2);
}

/* The service of `outage`: sends one response on each connection. */
static void *service(void *listener)
{
    static const char response[] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 52\r\n\r\n"
                                   "{\"participant\": {\"id\": \"p\", \"tag\": \"x\"},\"token\":\"t\"}";
    char request[4096];

    for (;;) {
        int fd = accept(*(int *)listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        /* The request is sent in one piece. */
        if (read(fd, request, sizeof request) > 0)
            CHECK(write(fd, response, sizeof response - 1) == (ssize_t)sizeof response - 1);
        close(fd);
    }
}

/* The service restarts while the DNS server is down: the address that refused a connection is used
 * again, also in a child whose own resolver never responds. Break: let `mark_stale` store no
 * addresses. */
static void outage(void)
{
    struct sockaddr_in address = {0};
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    pthread_t thread;
    pid_t child;

    fails(BW_E_CONNECT, "check that a server is listening there");
    put("SHIM_SILENT_FILE");
    fails(BW_E_CONNECT, "check that a server is listening there");
    fails(BW_E_CONNECT, "check that a server is listening there");
    CHECK(lookups() == 2);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(getenv("SERVICE_PORT")));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 9) == 0);
    pthread_create(&thread, NULL, service, &listener);
    CHECK(create(client, "x") == 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(LIMIT);
        _exit(create(client, "x") + create(client, "x"));
    }
    CHECK(status_of(child) == 0);
}

/* A limit of this process does not affect the cached address, which is valid for an hour. Break:
 * `is_local` in happy_eyeballs.rs. */
static void no_descriptor(void)
{
    struct rlimit limit, none;

    CHECK(create(client, "before") == 0);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    fails(BW_E_CONNECT, "no descriptor left");
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK(create(client, "after") == 0);
    CHECK(lookups() == 1);
}

/* No server accepts connections at the address. If the call's deadline expires, the address stays valid; if
 * the connect timeout expires, it becomes stale. Break: `connect_timed_out` in happy_eyeballs.rs. */
static void deadline(void)
{
    fails(BW_E_TIMEOUT, "connecting");
    fails(BW_E_TIMEOUT, "connecting");
    CHECK(lookups() == 1);
}

static void connect_timeout(void)
{
    fails(BW_E_TIMEOUT, "connecting");
    fails(BW_E_TIMEOUT, "connecting");
    CHECK(lookups() == 2);
}

static void *waiter(void *unused)
{
    fails(BW_E_TIMEOUT, "resolving the host name");
    return unused;
}

/* The name server never responds: one helper thread serves all waiting callers. Break: `running_since` in resolver.rs. */
static void silent(void)
{
    pthread_t callers[10];
    int i, before = threads();
    double began = now();

    put("SHIM_SILENT_FILE");
    for (i = 0; i < 10; i++)
        pthread_create(&callers[i], NULL, waiter, NULL);
    for (i = 0; i < 10; i++)
        pthread_join(callers[i], NULL);
    CHECK(threads() == before + 1 && lookups() == 1);
    printf("timeoutMs 500, and the last of 10 came back after %.0f ms\n", (now() - began) * 1000);
    fails(BW_E_TIMEOUT, "resolving the host name");
    CHECK(threads() == before + 1 && lookups() == 1);
    /* The resolver responds again, and calls succeed again. */
    unlink(getenv("SHIM_SILENT_FILE"));
    for (i = 0; i < 100 && threads() > before; i++)
        nap(100);
    CHECK(create(client, "after the resolver responds") == 0);
}

static void *caller(void *unused)
{
    fails(BW_E_CANCELLED, "resolving the host name");
    return unused;
}

/* A caller that waits for a name is cancelled when the client is freed. Break: CANCEL_CHECK_INTERVAL in `lookup_or_wait`. */
static void cancelled(void)
{
    pthread_t callers[8];
    double began;
    int i;

    put("SHIM_SILENT_FILE");
    for (i = 0; i < 8; i++)
        pthread_create(&callers[i], NULL, caller, NULL);
    while (lookups() == 0 || counted(client, "/inFlight") < 8)
        nap(10);
    began = now();
    bw_client_free(client);
    for (i = 0; i < 8; i++)
        pthread_join(callers[i], NULL);
    printf("8 cancelled calls came back after %.0f ms\n", (now() - began) * 1000);
    CHECK(now() - began < 10);
}

static int32_t interrupt(void *unused)
{
    (void)unused;
    /* If a lock were held here, the lookup could not end, and neither could this call. */
    if (unlink(getenv("SHIM_SILENT_FILE")) == 0)
        CHECK(create(client, "in the callback") == 0);
    return 1;
}

/* The interrupt callback runs while a caller waits for a name. */
static void interrupted(void)
{
    put("SHIM_SILENT_FILE");
    bw_thread_set_interrupt(interrupt, NULL);
    fails(BW_E_CANCELLED, "resolving the host name");
}

/* A child inherits its parent's DNS cache, since its own resolver may never respond. Break: the `dns_cache`
 * that `Transport` passes on. */
static void inherited(void)
{
    pid_t child;

    CHECK(create(client, "parent") == 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        int wrong;
        alarm(LIMIT);
        put("SHIM_SILENT_FILE");
        wrong = create(client, "fresh") != 0;
        nap(350);
        wrong += create(client, "stale") != 0;
        fflush(stdout);
        _exit(wrong);
    }
    CHECK(status_of(child) == 0);
}

static void threadless(void)
{
    put("SHIM_NO_THREADS_FILE");
    fails(BW_E_RESOLVE, "cannot start a thread");
    unlink(getenv("SHIM_NO_THREADS_FILE"));
    CHECK(create(client, "threads again") == 0);
}

/* The first address never responds. Break: ATTEMPT_DELAY in happy_eyeballs.rs. */
static void dead_route(void)
{
    double began = now(), took;

    CHECK(create(client, "the other address") == 0);
    took = now() - began;
    printf("after %.0f ms by the second address\n", took * 1000);
    CHECK(took < 1);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*play)(void);
    } scenes[] = {{"outage", outage},       {"no_descriptor", no_descriptor},
                  {"deadline", deadline},   {"connect_timeout", connect_timeout},
                  {"literal", literal},       {"pooled", pooled},         {"fresh", fresh},
                  {"useless", refused_address},       {"silent", silent},         {"inherited", inherited},
                  {"threadless", threadless}, {"dead_route", dead_route}, {"cancelled", cancelled},
                  {"interrupted", interrupted}};
    size_t i;

    alarm(LIMIT);
    if (argc != 3)
        return 2;
    client = client_of(argv[2]);
    for (i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
        if (strcmp(scenes[i].name, argv[1]) == 0)
            scenes[i].play();
    bw_client_free(client);
    return sum_up();
}
