/* A host at the limits of its machine: a status that names the cause, and the host lives.
 * Usage: limits LITERAL_CONFIG NAME_CONFIG [descriptors|memory|chroot|high] */
#include "host.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* What a call with a client of its own comes to; the message must hold one of the parts. */
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

/* Descriptors that select(2) could not take. */
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

/* Takes all memory that there is, and gives back so many KiB of it. */
static void leave_free(long room)
{
    void **last = NULL, **block;

    while ((block = malloc(1000)) != NULL) {
        *block = last;
        last = block;
    }
    for (; room > 0 && last != NULL; room--) {
        block = *last;
        free(last);
        last = block;
    }
}

/* Calls with ever less memory, each in a child of its own: whatever they come to, none crashes. */
static void memory(const char *literal, const char *name)
{
    int died = 0, refused = 0, worked = 0;
    long room;

    (void)name;
    for (room = 600; room >= 0; room -= 4) {
        pid_t pid = fork();
        if (pid == 0) {
            FILE *statm = fopen("/proc/self/statm", "r");
            long pages = 0;
            struct rlimit limit;
            bw_client *client;
            char *out = NULL;
            bw_status status;
            alarm(LIMIT);
            if (statm == NULL || fscanf(statm, "%ld", &pages) != 1)
                _exit(3);
            fclose(statm);
            limit.rlim_cur = limit.rlim_max = (rlim_t)(pages * getpagesize());
            setrlimit(RLIMIT_AS, &limit);
            leave_free(room);
            status = bw_client_new(literal, &client, &out);
            if (status == BW_OK)
                status = bw_create_participant(client, "{}", &out);
            if (status != BW_OK && out != NULL && strstr(out, "memory") == NULL &&
                strstr(out, "emory") == NULL)
                _exit(4);
            _exit(status == BW_OK ? 0 : 1);
        }
        switch (status_of(pid)) {
        case 0:
            worked++;
            break;
        case 1:
            refused++;
            break;
        default:
            died++;
            printf("with %ld KiB of room it died, or did not name the cause\n", room);
        }
    }
    printf("%d calls worked, %d were refused for want of memory\n", worked, refused);
    CHECK(died == 0);
    CHECK(worked > 0 && refused > 0);
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
