/* A host that has reached a limit of its machine: the error names the cause, and the host continues.
 * Usage: limits LITERAL_CONFIG NAME_CONFIG [descriptors|memory|chroot|high] */
#include "host.h"

#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Makes a call with a new client. The message must contain one of the two parts. */
static bw_status call(const char *config, const char *part, const char *other)
{
    bw_client *client;
    char *out = NULL, *message = NULL;
    bw_status status = bw_client_new(config, &client, &out);

    if (status == BW_OK)
        status = bw_create_participant(client, "{}", &out);
    if (part != NULL && bw_json_get(out, "/error/message", &message) == BW_OK)
        CHECK_TEXT(message, strstr(message, other) != NULL ? other : part);
    bw_free(message);
    bw_free(out);
    bw_client_free(client);
    return status;
}

static void descriptors(const char *literal, const char *name)
{
    struct rlimit none = {3, 64};
    bw_client *client = client_of(literal);
    int fd;

    fflush(stdout);
    while ((fd = dup(0)) >= 0 && fd < 50)
        continue;
    for (fd = 63; dup2(0, fd) == fd && fd > 3; fd--)
        continue;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(open("/dev/null", O_RDONLY) < 0 && errno == EMFILE);
    CHECK(call(literal, "no descriptor left", "Too many open files") != BW_OK);
    CHECK(call(name, "no descriptor left", "Too many open files") != BW_OK);
    CHECK(create(client, "none") == 1);
    for (fd = 3; fd < 64; fd++)
        close(fd);
    none.rlim_cur = 64;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(create(client, "some again") == 0);
    bw_client_free(client);
}

/* Descriptors of 1024 and above, which select(2) does not support. */
static void high(const char *literal, const char *name)
{
    struct rlimit many = {4096, 4096};
    int fd = 0;

    CHECK(setrlimit(RLIMIT_NOFILE, &many) == 0);
    while (fd < 2000)
        CHECK((fd = dup(0)) >= 0);
    CHECK(call(literal, NULL, NULL) == BW_OK);
    CHECK(call(name, NULL, NULL) == BW_OK);
}

/* Limits further allocations to this number of KiB. */
static void leave_free(long room)
{
    FILE *statm = fopen("/proc/self/statm", "r");
    long pages = 0;
    struct rlimit limit;

    if (statm == NULL || fscanf(statm, "%ld", &pages) != 1)
        _exit(3);
    fclose(statm);
    limit.rlim_cur = limit.rlim_max = (rlim_t)(pages * getpagesize() + room * 1024);
    setrlimit(RLIMIT_AS, &limit);
}

/* Returns whether the call failed because there was no memory, and frees the document. */
static int no_memory(bw_status status, char *out)
{
    int named = status == BW_E_INTERNAL && out != NULL && strstr(out, "out of memory") != NULL;

    if (!named)
        printf("%s: %.200s\n", bw_status_name(status), out != NULL ? out : "(NULL)");
    bw_free(out);
    return named;
}

/* Submits calls until there is no memory for another one; the service never responds. The last call is
 * rejected, and all accepted calls complete. */
static int backlog(const char *silent, long room)
{
    const char *call = "{\"operation\": \"createParticipant\", \"body\": {\"tag\": \"0123456789\"}}";
    bw_client *client = client_of(silent);
    bw_queue *queue = NULL;
    long accepted = 0, fetched = 0;
    char *out = NULL;
    void *data;
    bw_status status;

    /* The first allocation of a thread would reserve an arena of 64 MiB, at any time. */
    mallopt(M_ARENA_MAX, 1);
    if (bw_queue_new(client, "{\"workers\": 1, \"backlog\": 1048576}", &queue, NULL) != BW_OK)
        return 4;
    leave_free(room);
    while ((status = bw_queue_submit(queue, call, &accepted, NULL, &out)) == BW_OK)
        accepted++;
    if (!no_memory(status, out))
        return 5;
    bw_queue_close(queue);
    while (bw_queue_next(queue, 0, NULL, &data, &status, &out) == BW_OK) {
        fetched += data == &accepted && status == BW_E_CANCELLED;
        bw_free(out);
    }
    bw_queue_free(queue);
    if (fetched != accepted)
        return 6;
    /* More room than the table of calls takes was filled. */
    return room > 50000 && accepted < 10000 ? 7 : 0;
}

/* A file that is larger than the memory that is left. */
static int large_file(const char *literal)
{
    char path[] = "/tmp/bw-large-XXXXXX", config[1024];
    bw_client *client;
    char *out = NULL;
    bw_status status;
    int fd = mkstemp(path), result;

    if (fd < 0 || ftruncate(fd, 12 << 20) != 0)
        return 4;
    sprintf(config, "%.900s, \"caFile\": \"%s\"}", literal, path);
    /* The configuration's closing brace is where the key goes. */
    memcpy(config + strlen(literal) - 1, " ", 1);
    leave_free(8 << 10);
    status = bw_client_new(config, &client, &out);
    result = no_memory(status, out) ? 0 : 5;
    unlink(path);
    return result;
}

/* If there is no memory for a large input of the caller, the call fails. */
static void memory(const char *literal, const char *name)
{
    struct sockaddr_in address = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t length = sizeof address;
    int silent = socket(AF_INET, SOCK_STREAM, 0), status;
    char config[256];
    long room;
    pid_t pid;

    (void)name;
    CHECK(bind(silent, (struct sockaddr *)&address, length) == 0 && listen(silent, 8) == 0);
    CHECK(getsockname(silent, (struct sockaddr *)&address, &length) == 0);
    sprintf(config,
            "{\"accountId\": \"1\", \"username\": \"u\", \"password\": \"p\", \"timeoutMs\": 60000, "
            "\"baseUrl\": \"http://127.0.0.1:%d/v1\"}",
            ntohs(address.sin_port));
    /* Tables double when they are full, so each limit is reached at another place. */
    for (room = 2048; room < 72 << 10; room += 11003) {
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
            alarm(LIMIT);
            status = backlog(config, room);
            fflush(stdout);
            _exit(status);
        }
        status = status_of(pid);
        if (status != 0)
            printf("a backlog in %ld KiB: the child ended with %d\n", room, status);
        CHECK(status == 0);
    }
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        alarm(LIMIT);
        status = large_file(literal);
        fflush(stdout);
        _exit(status);
    }
    CHECK(status_of(pid) == 0);
    close(silent);
}

static void empty_chroot(const char *literal, const char *name)
{
    char folder[] = "/tmp/bw-empty-XXXXXX";
    bw_client *client = client_of(literal);

    CHECK(mkdtemp(folder) != NULL);
    if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) {
        printf("chroot is not allowed here, so none was tried\n");
        CHECK(getenv("CI") == NULL);
        return;
    }
    CHECK(chroot(folder) == 0 && chdir("/") == 0);
    CHECK(call(name, "/etc/resolv.conf is missing", "/etc/resolv.conf is missing") == BW_E_RESOLVE);
    CHECK(create(client, "inside") == 0);
    bw_client_free(client);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    alarm(3 * LIMIT);
    if (strcmp(argv[3], "descriptors") == 0)
        descriptors(argv[1], argv[2]);
    else if (strcmp(argv[3], "high") == 0)
        high(argv[1], argv[2]);
    else if (strcmp(argv[3], "memory") == 0)
        memory(argv[1], argv[2]);
    else
        empty_chroot(argv[1], argv[2]);
    return sum_up();
}
