/* Everything that can fail does, one thing at a time: the n-th allocation, or the n-th call of one
 * of the system's functions, for every n that a small run comes to; once, or from then on. Each run
 * is in a child of its own: it must end by itself, with a status for every call, every document in
 * order, no memory written where it must not be, and a client that works once all is well again. Only
 * a small allocation that fails may end the process instead, by an abort that says so.
 * Usage: torture CONFIG [FUNCTION..]
 * The functions are defined here, so that the library's calls of them come by. */
#include "../../c/hosts/host.h"

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum mode { ONCE, FROM_THEN_ON, SHORT };

/* What fails; NULL where nothing does. */
static const char *volatile victim;
static enum mode mode;
static int error_number;
static long due, counted_calls;

/* In the C library's resolver, which does not survive a lack of memory (glibc 2.36 follows a NULL
 * pointer in nss_database.c, or forgets for good how to look names up): nothing of ours. */
static __thread int in_resolver;

/* Whether this call is to fail. */
static int fails(const char *function)
{
    const char *now_failing = victim;
    long n;

    if (now_failing == NULL || in_resolver || strcmp(now_failing, function) != 0)
        return 0;
    n = __atomic_add_fetch(&counted_calls, 1, __ATOMIC_SEQ_CST);
    if (mode == FROM_THEN_ON ? n < due : n != due)
        return 0;
    errno = error_number;
    return 1;
}

/* -- Memory. Every block has a frame around it, which is looked at when it is freed. -- */

extern void *__libc_malloc(size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

/* Allocations of at least this many bytes depend on the caller or the peer: each can fail. */
#define LARGE (32 * 1024)
#define LARGE_MALLOC "malloc of 32 KiB or more"

#define MAGIC 0x626c6f636b2e2e2eULL
#define GONE 0x676f6e652e2e2e2eULL
#define TAIL 16

struct frame {
    void *whole;
    size_t size;
    uint64_t reserved, magic;
};

static void *framed(size_t alignment, size_t size)
{
    size_t head = alignment > sizeof(struct frame) ? alignment : sizeof(struct frame);
    char *whole;
    struct frame *frame;

    if (fails("malloc") || (size >= LARGE && fails(LARGE_MALLOC)) || size > SIZE_MAX / 2)
        return errno = ENOMEM, NULL;
    whole = alignment > 16 ? __libc_memalign(alignment, head + size + TAIL)
                           : __libc_malloc(head + size + TAIL);
    if (whole == NULL)
        return NULL;
    frame = (struct frame *)(void *)(whole + head) - 1;
    frame->whole = whole;
    frame->size = size;
    frame->magic = MAGIC;
    memset(whole + head, 0xa5, size);
    memset(whole + head + size, 0x5a, TAIL);
    return whole + head;
}

static void corrupt(const char *what)
{
    static const char text[] = "torture: memory was corrupted: ";
    ssize_t ignored = write(1, text, sizeof text - 1);

    ignored += write(1, what, strlen(what));
    ignored += write(1, "\n", 1);
    _exit(ignored > 0 ? 97 : 98);
}

static struct frame *frame_of(void *block)
{
    struct frame *frame = (struct frame *)block - 1;
    const unsigned char *tail = (unsigned char *)block + frame->size;
    int i;

    if (frame->magic == GONE)
        corrupt("freed twice, or used after it was freed");
    if (frame->magic != MAGIC)
        corrupt("in front of a block, or not a block");
    for (i = 0; i < TAIL; i++)
        if (tail[i] != 0x5a)
            corrupt("behind a block");
    return frame;
}

void *malloc(size_t size)
{
    return framed(16, size);
}

void free(void *block)
{
    struct frame *frame;

    if (block == NULL)
        return;
    frame = frame_of(block);
    memset(block, 0xdd, frame->size);
    frame->magic = GONE;
    __libc_free(frame->whole);
}

void *calloc(size_t count, size_t size)
{
    void *block = count != 0 && size > SIZE_MAX / count ? NULL : malloc(count * size);

    return block != NULL ? memset(block, 0, count * size) : NULL;
}

void *realloc(void *block, size_t size)
{
    void *other = malloc(size);
    size_t old;

    if (other == NULL || block == NULL)
        return other;
    old = frame_of(block)->size;
    memcpy(other, block, old < size ? old : size);
    free(block);
    return other;
}

int posix_memalign(void **place, size_t alignment, size_t size)
{
    void *block = framed(alignment, size);

    if (block == NULL)
        return ENOMEM;
    *place = block;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return framed(alignment, size);
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
    return framed(alignment, size);
}

size_t malloc_usable_size(void *block);
size_t malloc_usable_size(void *block)
{
    return block != NULL ? frame_of(block)->size : 0;
}

/* -- The system's functions. -- */

#define REAL(function) \
    static __typeof__(&function) real; \
    if (real == NULL) \
        *(void **)&real = dlsym(RTLD_NEXT, #function)

int socket(int family, int type, int protocol)
{
    REAL(socket);
    return fails("socket") ? -1 : real(family, type, protocol);
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t length)
{
    REAL(connect);
    return fails("connect") ? -1 : real(fd, to, length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    REAL(send);
    if (fails("send")) {
        if (mode != SHORT)
            return -1;
        length = length > 1 ? 1 : length;
    }
    return real(fd, bytes, length, flags);
}

ssize_t recv(int fd, void *room, size_t length, int flags)
{
    REAL(recv);
    if (fails("recv")) {
        if (mode != SHORT)
            return -1;
        length = length > 1 ? 1 : length;
    }
    return real(fd, room, length, flags);
}

int poll(struct pollfd *entries, nfds_t count, int time)
{
    REAL(poll);
    return fails("poll") ? -1 : real(entries, count, time);
}

int socketpair(int family, int type, int protocol, int fds[2])
{
    REAL(socketpair);
    return fails("socketpair") ? -1 : real(family, type, protocol, fds);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    REAL(getsockopt);
    return fails("getsockopt") ? -1 : real(fd, level, name, value, length);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    REAL(setsockopt);
    return fails("setsockopt") ? -1 : real(fd, level, name, value, length);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    void *argument;

    REAL(ioctl);
    va_start(rest, request);
    argument = va_arg(rest, void *);
    va_end(rest);
    return fails("ioctl") ? -1 : real(fd, request, argument);
}

int fstat(int fd, struct stat *about)
{
    REAL(fstat);
    return fails("fstat") ? -1 : real(fd, about);
}

int madvise(void *start, size_t length, int advice)
{
    REAL(madvise);
    return fails("madvise") ? -1 : real(start, length, advice);
}

void *mmap64(void *start, size_t length, int protection, int flags, int fd, off_t offset);
void *mmap64(void *start, size_t length, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap64);
    return fails("mmap") ? MAP_FAILED : real(start, length, protection, flags, fd, offset);
}

void *mmap(void *start, size_t length, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap);
    return fails("mmap") ? MAP_FAILED : real(start, length, protection, flags, fd, offset);
}

int open64(const char *path, int flags, ...);
int open64(const char *path, int flags, ...)
{
    va_list rest;
    int rights;

    REAL(open64);
    va_start(rest, flags);
    rights = va_arg(rest, int);
    va_end(rest);
    return fails("open") ? -1 : real(path, flags, rights);
}

static volatile long threads_made;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    REAL(pthread_create);
    if (fails("pthread_create"))
        return error_number;
    __sync_fetch_and_add(&threads_made, 1);
    return real(thread, attributes, start, argument);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int result;

    REAL(getaddrinfo);
    if (fails("getaddrinfo"))
        return error_number;
    in_resolver = 1;
    result = real(name, service, hints, found);
    in_resolver = 0;
    return result;
}

/* -- The run. -- */

static int wrong;

static void expect(int holds, const char *what, bw_status status, const char *document)
{
    if (holds)
        return;
    wrong = 1;
    printf("%s %ld (%s): %s: %s: %.300s\n", victim != NULL ? victim : "(nothing)", due,
           mode == ONCE ? "once" : mode == SHORT ? "short" : "from then on", what,
           bw_status_name(status), document != NULL ? document : "(NULL)");
}

/* Every status has its document; without memory for it, a failure may have none. */
static bw_status took(const char *what, bw_status status, char *document, int wants)
{
    const char *failing = victim;
    int no_memory = failing != NULL && strncmp(failing, "malloc", 6) == 0;

    expect(status >= 0 && strcmp(bw_status_name(status), "BW_E_UNKNOWN") != 0, what, status, document);
    if (status == BW_OK)
        expect((document != NULL) == wants, what, status, document);
    else
        expect(no_memory || (document != NULL && strstr(document, "\"error\"") != NULL), what,
               status, document);
    /* Nothing but a lack of memory and of threads is the library's own affair. */
    if (status == BW_E_INTERNAL && document != NULL)
        expect(strstr(document, "emory") != NULL || strstr(document, "thread") != NULL, what, status,
               document);
    if (status != BW_OK && failing == NULL && status != BW_E_NOT_FOUND)
        printf("nothing fails, but %s: %.300s\n", what, document != NULL ? document : "(NULL)");
    bw_free(document);
    return status;
}

static bw_status queued(bw_client *client)
{
    static const char call[] = "{\"operation\": \"createSession\"}";
    bw_queue *queue = NULL;
    char *out = NULL;
    bw_status status, got, result = BW_OK;
    int accepted = 0, came = 0, n;
    long before = threads_made;

    status = bw_queue_new(client, "{\"workers\": 2, \"backlog\": 100000}", &queue, &out);
    expect((status == BW_OK) == (queue != NULL), "a queue", status, out);
    if (took("queue_new", status, out, 0) != BW_OK)
        return status;
    for (n = 0; n < 2; n++) {
        status = bw_queue_submit(queue, call, &accepted, NULL, &out);
        /* One that keeps the time and one that works are enough. */
        if (victim != NULL && strcmp(victim, "pthread_create") == 0 && threads_made - before >= 2)
            expect(status == BW_OK, "a worker runs", status, out);
        accepted += took("queue_submit", status, out, 0) == BW_OK;
    }
    if (bw_queue_fd(queue) < 0)
        result = BW_E_INTERNAL;
    for (n = 0; n < accepted; n++) {
        void *data = NULL;
        got = bw_queue_next(queue, 20000, NULL, &data, &status, &out);
        if (got == BW_E_INTERNAL && victim != NULL) {
            /* Without memory to fetch it with, it must wait until there is some. */
            const char *failing = victim;
            bw_free(out);
            victim = NULL;
            got = bw_queue_next(queue, 20000, NULL, &data, &status, &out);
            victim = failing;
        }
        if (got != BW_OK) {
            expect(0, "a completion", got, out);
            bw_free(out);
            continue;
        }
        came += data == &accepted;
        if (took("queue_next", status, out, 1) != BW_OK)
            result = status;
    }
    expect(came == accepted, "all completions", status, NULL);
    bw_queue_close(queue);
    bw_queue_free(queue);
    return accepted == 2 ? result : BW_E_QUEUE_FULL;
}

/* Some of everything; BW_OK if all went well. */
static bw_status run(const char *config)
{
    bw_client *client = NULL;
    char *out = NULL;
    bw_status status, worst = BW_OK;

    status = bw_client_new(config, &client, &out);
    expect((status == BW_OK) == (client != NULL), "a client", status, out);
    if (took("client_new", status, out, 0) != BW_OK)
        return status;
#define STEP(call, wants) \
    do { \
        out = NULL; \
        status = call; \
        if (took(#call, status, out, wants) != BW_OK) \
            worst = status; \
    } while (0)
    STEP(bw_create_participant(client, "{\"tag\": \"t\"}", &out), 1);
    STEP(bw_create_session(client, NULL, &out), 1);
    STEP(bw_client_stats(client, &out), 1);
    STEP(bw_client_set_credentials(client, "user", "secret", &out), 0);
    STEP(bw_json_get("{\"a\": [\"b\"]}", "/a/0", &out), 1);
    STEP(bw_parse_event("{\"event\": \"onLeave\", \"timestamp\": \"1\", \"participantId\": \"p\"}", &out), 1);
    STEP(bw_transfer_bxml("aaaa.bbbb.cccc", NULL, NULL, &out), 1);
    status = queued(client);
    if (status != BW_OK)
        worst = status;
    out = NULL;
    /* Nobody has this one: a refusal is its success. */
    status = bw_get_participant(client, "00000000-0000-4000-8000-000000000000", &out);
    if (took("get_participant", status, out, 1) != BW_E_NOT_FOUND)
        worst = status;
    victim = NULL;
    status = bw_create_participant(client, "{}", &out);
    expect(status == BW_OK, "the same client, once all is well", status, out);
    bw_free(out);
    bw_client_free(client);
    return worst;
}

/* What the documentation says of a small allocation that fails. */
#define RUSTS_ABORT "memory allocation of "
/* And what the C library says if it is its own, for a destructor of a thread-local variable. */
#define GLIBCS_ABORT "failed to register TLS destructor: out of memory"

static long aborts;

/* One run with the n-th call failing: 0 well, 1 not reached any more, else wrong. */
static int point(const char *config)
{
    char said[4096];
    pid_t child;
    int status = 0, errors[2];
    ssize_t length, count;

    if (pipe(errors) != 0)
        return 8;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        bw_status worst;
        dup2(errors[1], 2);
        close(errors[0]);
        close(errors[1]);
        alarm(LIMIT);
        counted_calls = 0;
        worst = run(config);
        victim = NULL;
        fflush(stdout);
        if (wrong)
            _exit(3);
        if (counted_calls < due)
            _exit(worst == BW_OK ? 1 : 4);
        worst = run(config);
        fflush(stdout);
        _exit(worst == BW_OK && !wrong ? 0 : 5);

    }
    close(errors[1]);
    for (length = 0; length < (ssize_t)sizeof said - 1; length += count)
        if ((count = read(errors[0], said + length, sizeof said - 1 - (size_t)length)) <= 0)
            break;
    said[length] = '\0';
    close(errors[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    if (WTERMSIG(status) == SIGABRT && strcmp(victim, "malloc") == 0 &&
        (strstr(said, RUSTS_ABORT) != NULL || strstr(said, GLIBCS_ABORT) != NULL)) {
        aborts++;
        return 0;
    }
    printf("%s %ld: killed by signal %d: %s\n", victim, due, WTERMSIG(status), said);
    return 9;
}

struct torture {
    const char *function;
    enum mode mode;
    int error;
};

static const struct torture tortures[] = {
    {"malloc", ONCE, ENOMEM},
    {"malloc", FROM_THEN_ON, ENOMEM},
    {LARGE_MALLOC, ONCE, ENOMEM},
    {LARGE_MALLOC, FROM_THEN_ON, ENOMEM},
    {"socket", ONCE, EMFILE},
    {"socket", FROM_THEN_ON, ENFILE},
    {"connect", ONCE, ECONNREFUSED},
    {"connect", FROM_THEN_ON, ENETUNREACH},
    {"send", ONCE, ECONNRESET},
    {"send", ONCE, EINTR},
    {"send", ONCE, EAGAIN},
    {"send", FROM_THEN_ON, EPIPE},
    {"send", SHORT, 0},
    {"recv", ONCE, ECONNRESET},
    {"recv", ONCE, EINTR},
    {"recv", ONCE, EAGAIN},
    {"recv", FROM_THEN_ON, ECONNRESET},
    {"recv", SHORT, 0},
    {"poll", ONCE, ENOMEM},
    {"poll", ONCE, EINTR},
    {"poll", FROM_THEN_ON, ENOMEM},
    {"socketpair", ONCE, EMFILE},
    {"getsockopt", ONCE, ENOBUFS},
    {"setsockopt", ONCE, ENOMEM},
    {"ioctl", ONCE, EIO},
    {"fstat", ONCE, EBADF},
    {"fstat", FROM_THEN_ON, EBADF},
    {"madvise", ONCE, EINVAL},
    {"mmap", ONCE, ENOMEM},
    {"mmap", FROM_THEN_ON, ENOMEM},
    {"open", ONCE, EMFILE},
    {"open", FROM_THEN_ON, EACCES},
    {"pthread_create", ONCE, EAGAIN},
    {"pthread_create", FROM_THEN_ON, EAGAIN},
    {"getaddrinfo", ONCE, EAI_MEMORY},
    {"getaddrinfo", FROM_THEN_ON, EAI_SYSTEM},
};

static int wanted(const char *function, int argc, char **argv)
{
    int i;

    for (i = 2; i < argc; i++)
        if (strcmp(argv[i], function) == 0)
            return 1;
    return argc == 2;
}

int main(int argc, char **argv)
{
    size_t i;

    for (i = 0; i < sizeof tortures / sizeof *tortures; i++) {
        int result = 0;
        long bad = 0;
        double began = now();
        if (!wanted(tortures[i].function, argc, argv))
            continue;
        mode = tortures[i].mode;
        error_number = tortures[i].error;
        for (due = 1; due < 20000 && bad < 10; due++) {
            victim = tortures[i].function;
            result = point(argv[1]);
            if (result == 1)
                break;
            if (result != 0) {
                bad++;
                printf("%s %ld: the run ended with %d\n", tortures[i].function, due, result);
            }
            CHECK(result == 0);
        }
        CHECK(result == 1);
        printf("%s, %s: %ld points, %ld documented aborts, %ld bad, %.1f s\n", tortures[i].function,
               mode == SHORT ? "a byte at a time"
                             : mode == ONCE ? strerror(error_number) : "from then on",
               due - 1, aborts, bad, now() - began);
        aborts = 0;
    }
    return sum_up();
}
