/* Makes one thing fail at a time: the n-th allocation, or the n-th call of a system function, for every n that
 * a small run reaches; once, or at every call from the n-th on. Each run is in a child process. It must end by
 * itself, with a status and a valid document for every call, without a write outside a block of memory, and
 * with a client that works when nothing fails any more. Only the failure of a small allocation may end the
 * process, by an abort with the documented message.
 * Usage: torture CONFIG [FUNCTION..]
 * This program defines the functions that fail, so that the library calls them here. */
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

/* The function that fails, or NULL. */
static const char *volatile failing;
static enum mode mode;
static int error_number;
static long fail_at, counted_calls;

/* Whether this thread is in the C library's resolver. Nothing fails there, since glibc 2.36 does not handle a
 * failed allocation (it dereferences NULL in nss_database.c, or can no longer resolve names). */
static __thread int in_resolver;

/* Whether this call must fail. */
static int fails(const char *function)
{
    const char *current = failing;
    long n;

    if (current == NULL || in_resolver || strcmp(current, function) != 0)
        return 0;
    n = __atomic_add_fetch(&counted_calls, 1, __ATOMIC_SEQ_CST);
    if (mode == FROM_THEN_ON ? n < fail_at : n != fail_at)
        return 0;
    errno = error_number;
    return 1;
}

/* -- Memory. Every block has a header and a trailer, which are checked when it is freed. -- */

extern void *__libc_malloc(size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

/* The size of allocations of at least this many bytes depends on the caller or the service. Their failure must be
 * reported. */
#define LARGE (32 * 1024)
#define LARGE_MALLOC "malloc of 32 KiB or more"

#define MAGIC 0x626c6f636b2e2e2eULL
#define FREED 0x676f6e652e2e2e2eULL
#define TRAILER 16

struct header {
    void *allocation;
    size_t size;
    uint64_t reserved, magic;
};

static void *allocate(size_t alignment, size_t size)
{
    size_t offset = alignment > sizeof(struct header) ? alignment : sizeof(struct header);
    char *allocation;
    struct header *header;

    if (fails("malloc") || (size >= LARGE && fails(LARGE_MALLOC)) || size > SIZE_MAX / 2)
        return errno = ENOMEM, NULL;
    allocation = alignment > 16 ? __libc_memalign(alignment, offset + size + TRAILER)
                           : __libc_malloc(offset + size + TRAILER);
    if (allocation == NULL)
        return NULL;
    header = (struct header *)(void *)(allocation + offset) - 1;
    header->allocation = allocation;
    header->size = size;
    header->magic = MAGIC;
    memset(allocation + offset, 0xa5, size);
    memset(allocation + offset + size, 0x5a, TRAILER);
    return allocation + offset;
}

static void report_corruption(const char *what)
{
    static const char text[] = "torture: memory was corrupted: ";
    ssize_t ignored = write(1, text, sizeof text - 1);

    ignored += write(1, what, strlen(what));
    ignored += write(1, "\n", 1);
    _exit(ignored > 0 ? 97 : 98);
}

static struct header *header_of(void *block)
{
    struct header *header = (struct header *)block - 1;
    const unsigned char *trailer = (unsigned char *)block + header->size;
    int i;

    if (header->magic == FREED)
        report_corruption("double free, or use after free");
    if (header->magic != MAGIC)
        report_corruption("a write before a block, or a pointer to no block");
    for (i = 0; i < TRAILER; i++)
        if (trailer[i] != 0x5a)
            report_corruption("a write after the end of a block");
    return header;
}

void *malloc(size_t size)
{
    return allocate(16, size);
}

void free(void *block)
{
    struct header *header;

    if (block == NULL)
        return;
    header = header_of(block);
    memset(block, 0xdd, header->size);
    header->magic = FREED;
    __libc_free(header->allocation);
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
    old = header_of(block)->size;
    memcpy(other, block, old < size ? old : size);
    free(block);
    return other;
}

int posix_memalign(void **place, size_t alignment, size_t size)
{
    void *block = allocate(alignment, size);

    if (block == NULL)
        return ENOMEM;
    *place = block;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return allocate(alignment, size);
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
    return allocate(alignment, size);
}

size_t malloc_usable_size(void *block);
size_t malloc_usable_size(void *block)
{
    return block != NULL ? header_of(block)->size : 0;
}

/* -- System functions. -- */

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

static volatile long threads_created;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    REAL(pthread_create);
    if (fails("pthread_create"))
        return error_number;
    __sync_fetch_and_add(&threads_created, 1);
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

static int has_failed;

static void expect(int holds, const char *what, bw_status status, const char *document)
{
    if (holds)
        return;
    has_failed = 1;
    printf("%s %ld (%s): %s: %s: %.300s\n", failing != NULL ? failing : "(nothing)", fail_at,
           mode == ONCE ? "once" : mode == SHORT ? "short" : "from then on", what,
           bw_status_name(status), document != NULL ? document : "(NULL)");
}

/* Checks and frees the result of a call. Every failure has an error document, unless there is no memory for it. */
static bw_status check_result(const char *what, bw_status status, char *document, int has_document)
{
    const char *current = failing;
    int no_memory = current != NULL && strncmp(current, "malloc", 6) == 0;

    expect(status >= 0 && strcmp(bw_status_name(status), "BW_E_UNKNOWN") != 0, what, status, document);
    if (status == BW_OK)
        expect((document != NULL) == has_document, what, status, document);
    else
        expect(no_memory || (document != NULL && strstr(document, "\"error\"") != NULL), what,
               status, document);
    /* BW_E_INTERNAL is allowed only if memory or a thread could not be allocated. */
    if (status == BW_E_INTERNAL && document != NULL)
        expect(strstr(document, "emory") != NULL || strstr(document, "thread") != NULL, what, status,
               document);
    if (status != BW_OK && current == NULL && status != BW_E_NOT_FOUND)
        printf("%s failed although no function fails: %.300s\n", what, document != NULL ? document : "(NULL)");
    bw_free(document);
    return status;
}

/* Runs two calls through a queue; every accepted call must complete. */
static bw_status run_queue(bw_client *client)
{
    static const char call[] = "{\"operation\": \"createSession\"}";
    bw_queue *queue = NULL;
    char *out = NULL;
    bw_status status, got, result = BW_OK;
    int accepted = 0, completed = 0, n;
    long before = threads_created;

    status = bw_queue_new(client, "{\"workers\": 2, \"backlog\": 100000}", &queue, &out);
    expect((status == BW_OK) == (queue != NULL), "a queue", status, out);
    if (check_result("queue_new", status, out, 0) != BW_OK)
        return status;
    for (n = 0; n < 2; n++) {
        status = bw_queue_submit(queue, call, &accepted, NULL, &out);
        /* A timer thread and one worker are enough. */
        if (failing != NULL && strcmp(failing, "pthread_create") == 0 && threads_created - before >= 2)
            expect(status == BW_OK, "a worker runs", status, out);
        accepted += check_result("queue_submit", status, out, 0) == BW_OK;
    }
    if (bw_queue_fd(queue) < 0)
        result = BW_E_INTERNAL;
    for (n = 0; n < accepted; n++) {
        void *data = NULL;
        got = bw_queue_next(queue, 20000, NULL, &data, &status, &out);
        if (got == BW_E_INTERNAL && failing != NULL) {
            /* The completion stays in the queue until there is memory to fetch it. */
            const char *current = failing;
            bw_free(out);
            failing = NULL;
            got = bw_queue_next(queue, 20000, NULL, &data, &status, &out);
            failing = current;
        }
        if (got != BW_OK) {
            expect(0, "a completion", got, out);
            bw_free(out);
            continue;
        }
        completed += data == &accepted;
        if (check_result("queue_next", status, out, 1) != BW_OK)
            result = status;
    }
    expect(completed == accepted, "all completions", status, NULL);
    bw_queue_close(queue);
    bw_queue_free(queue);
    return accepted == 2 ? result : BW_E_QUEUE_FULL;
}

/* Calls a sample of the functions. Returns BW_OK if all calls succeeded. */
static bw_status run(const char *config)
{
    bw_client *client = NULL;
    char *out = NULL;
    bw_status status, worst = BW_OK;

    status = bw_client_new(config, &client, &out);
    expect((status == BW_OK) == (client != NULL), "a client", status, out);
    if (check_result("client_new", status, out, 0) != BW_OK)
        return status;
#define STEP(call, wants) \
    do { \
        out = NULL; \
        status = call; \
        if (check_result(#call, status, out, wants) != BW_OK) \
            worst = status; \
    } while (0)
    STEP(bw_create_participant(client, "{\"tag\": \"t\"}", &out), 1);
    STEP(bw_create_session(client, NULL, &out), 1);
    STEP(bw_client_stats(client, &out), 1);
    STEP(bw_client_metrics(client, &out), 1);
    STEP(bw_client_set_credentials(client, "user", "secret", &out), 0);
    STEP(bw_json_get("{\"a\": [\"b\"]}", "/a/0", &out), 1);
    STEP(bw_parse_event("{\"event\": \"onLeave\", \"timestamp\": \"1\", \"participantId\": \"p\"}", &out), 1);
    STEP(bw_transfer_bxml("aaaa.bbbb.cccc", NULL, NULL, &out), 1);
    status = run_queue(client);
    if (status != BW_OK)
        worst = status;
    out = NULL;
    /* This participant does not exist: BW_E_NOT_FOUND is the expected status. */
    status = bw_get_participant(client, "00000000-0000-4000-8000-000000000000", &out);
    if (check_result("get_participant", status, out, 1) != BW_E_NOT_FOUND)
        worst = status;
    failing = NULL;
    status = bw_create_participant(client, "{}", &out);
    expect(status == BW_OK, "the same client, when nothing fails any more", status, out);
    bw_free(out);
    bw_client_free(client);
    return worst;
}

/* The message of Rust's abort after the failure of a small allocation, as documented. */
#define RUST_ABORT "memory allocation of "
/* The message of the C library's abort, if it cannot register the destructor of a thread-local variable. */
#define GLIBC_ABORT "failed to register TLS destructor: out of memory"

static long aborts;

/* Runs a child in which the n-th call fails. Returns 0 if it passed, 1 if it made fewer than n calls, and another
 * value if it failed. */
static int run_point(const char *config)
{
    char output[4096];
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
        failing = NULL;
        fflush(stdout);
        if (has_failed)
            _exit(3);
        if (counted_calls < fail_at)
            _exit(worst == BW_OK ? 1 : 4);
        worst = run(config);
        fflush(stdout);
        _exit(worst == BW_OK && !has_failed ? 0 : 5);
    }
    close(errors[1]);
    for (length = 0; length < (ssize_t)sizeof output - 1; length += count)
        if ((count = read(errors[0], output + length, sizeof output - 1 - (size_t)length)) <= 0)
            break;
    output[length] = '\0';
    close(errors[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    if (WTERMSIG(status) == SIGABRT && strcmp(failing, "malloc") == 0 &&
        (strstr(output, RUST_ABORT) != NULL || strstr(output, GLIBC_ABORT) != NULL)) {
        aborts++;
        return 0;
    }
    printf("%s %ld: killed by signal %d: %s\n", failing, fail_at, WTERMSIG(status), output);
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

/* Whether the arguments select this function. */
static int is_selected(const char *function, int argc, char **argv)
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
        long failed = 0;
        double began = now();
        if (!is_selected(tortures[i].function, argc, argv))
            continue;
        mode = tortures[i].mode;
        error_number = tortures[i].error;
        for (fail_at = 1; fail_at < 20000 && failed < 10; fail_at++) {
            failing = tortures[i].function;
            result = run_point(argv[1]);
            if (result == 1)
                break;
            if (result != 0) {
                failed++;
                printf("%s %ld: the run ended with %d\n", tortures[i].function, fail_at, result);
            }
            CHECK(result == 0);
        }
        CHECK(result == 1);
        printf("%s, %s: %ld points, %ld documented aborts, %ld failed, %.1f s\n", tortures[i].function,
               mode == SHORT ? "a byte at a time"
                             : mode == ONCE ? strerror(error_number) : "from then on",
               fail_at - 1, aborts, failed, now() - began);
        aborts = 0;
    }
    return sum_up();
}
