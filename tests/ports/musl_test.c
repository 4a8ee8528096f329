/* A host with musl: threads with its default stack, and its resolver. Usage:
 *   musl_test threads CONFIG TLS_CONFIG   calls in threads with stacks of 128 KiB, and of 64 KiB
 *   musl_test call CONFIG STATUS TEXT     a call returns this status, and TEXT in its document
 *   musl_test cached CONFIG FILE          a second call, after FILE makes the DNS server silent
 *
 * For `threads`, the URLs contain a name to resolve, and the service responds to getSession with a
 * document of 512 KiB, and to createSession with a deeply nested error document. */
#include "hosts/host.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { KIB = 1024, DEFAULT_STACK = 128 * KIB, SMALL_STACK = 64 * KIB, OWN_STACK = 256 * KIB };
enum { LARGEST_REQUEST = 64 * KIB, LARGE_RESPONSE = 512 * KIB, PAINT = 0xa5 };

static bw_client *clients[2];
static atomic_int lines, lines_of_the_queue;

/* The threads that the library has started, and the smallest stack that it has requested. */
static atomic_int own_threads;
static atomic_size_t smallest_stack = SIZE_MAX;

static size_t stack_size(void)
{
    pthread_attr_t attributes;
    size_t size = 0;

    if (CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0))
        pthread_attr_getstacksize(&attributes, &size);
    pthread_attr_destroy(&attributes);
    return size;
}

static void on_line(int32_t level, const char *line, void *data)
{
    char name[16] = "";

    (void)level;
    (void)line;
    CHECK(data == &lines);
    atomic_fetch_add(&lines, 1);
    prctl(PR_GET_NAME, name);
    if (strcmp(name, "bw-queue") == 0 && CHECK(stack_size() >= OWN_STACK))
        atomic_fetch_add(&lines_of_the_queue, 1);
}

static void queue_calls(bw_client *client)
{
    static const char *const documents[] = {
        "{\"operation\": \"createParticipant\"}",
        "{\"operation\": \"getSession\", \"sessionId\": \"s\"}",
    };
    bw_queue *queue = NULL;
    int i;

    CHECK(bw_queue_new(client, "{\"workers\": 2}", &queue, NULL) == BW_OK);
    for (i = 0; i < 2; i++) {
        bw_status status = -1;
        void *data = NULL;
        char *out = NULL;
        CHECK(bw_queue_submit(queue, documents[i], &queue, NULL, NULL) == BW_OK);
        CHECK(bw_queue_next(queue, LIMIT * 1000, NULL, &data, &status, &out) == BW_OK);
        CHECK(data == &queue);
        check_success(status, out, "\"id\"");
    }
    bw_queue_free(queue);
}

/* Calls of every kind. With TLS, the first one performs a handshake and checks the certificate. */
static void *calls(void *stack)
{
    char *request = malloc(LARGEST_REQUEST + 1), *out = NULL;
    int i;

    if (stack == NULL) {
        printf("the default stack has %lu bytes\n", (unsigned long)stack_size());
        CHECK(stack_size() >= DEFAULT_STACK && stack_size() < DEFAULT_STACK + 16 * KIB);
    }
    memset(request, ' ', LARGEST_REQUEST);
    memcpy(request, "{\"tag\": \"x\"", 11);
    strcpy(request + LARGEST_REQUEST - 1, "}");
    for (i = 0; i < 2; i++) {
        CHECK_SUCCESS(bw_create_participant(clients[i], request, &out), "\"x\"");
        CHECK_FAILURE(bw_get_participant(clients[i], "p", &out), BW_E_BAD_REQUEST, "");
        CHECK_FAILURE(bw_create_participant(clients[i], "{\"tags\": 1}", &out),
                      BW_E_INVALID_ARGUMENT, "tags");
        CHECK(bw_create_session(clients[i], "{}", &out) == BW_E_BAD_REQUEST);
        CHECK_TEXT(out, "[[[[[[[[");
        bw_free(out);
        CHECK(bw_get_session(clients[i], "s", &out) == BW_OK && strlen(out) >= LARGE_RESPONSE);
        bw_free(out);
        queue_calls(clients[i]);
    }
    free(request);
    return NULL;
}

/* Replaces the C library's function: records the stacks of the library's threads. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    size_t size = 0, smallest = atomic_load(&smallest_stack);

    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    if (run != calls) {
        if (attributes != NULL)
            pthread_attr_getstacksize(attributes, &size);
        atomic_fetch_add(&own_threads, 1);
        while (size < smallest && !atomic_compare_exchange_weak(&smallest_stack, &smallest, size))
            continue;
    }
    return real(thread, attributes, run, argument);
}

/* New clients, whose calls open connections. */
static void set_clients(const char *config, const char *tls_config)
{
    int i;

    for (i = 0; i < 2; i++) {
        bw_client_free(clients[i]);
        clients[i] = client_of(i == 0 ? config : tls_config);
        CHECK(bw_client_set_log(clients[i], BW_LOG_DEBUG, on_line, &lines, NULL) == BW_OK);
    }
}

static void threads(const char *config, const char *tls_config)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    pthread_attr_t attributes;
    pthread_t thread;
    unsigned char *stack;
    size_t untouched = 0;

    set_clients(config, tls_config);
    CHECK(pthread_create(&thread, NULL, calls, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    /* Two lookups, and for each queue its timer and two workers. */
    CHECK(atomic_load(&own_threads) >= 8 && atomic_load(&smallest_stack) >= OWN_STACK);
    CHECK(atomic_load(&lines) > 20 && atomic_load(&lines_of_the_queue) > 0);

    set_clients(config, tls_config);
    stack = mmap(NULL, SMALL_STACK + 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
    /* A guard page below the stack. */
    CHECK(stack != MAP_FAILED && mprotect(stack, 4096, PROT_NONE) == 0);
    stack += 4096;
    memset(stack, PAINT, SMALL_STACK);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, stack, SMALL_STACK) == 0);
    CHECK(pthread_create(&thread, &attributes, calls, stack) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    while (untouched < SMALL_STACK && stack[untouched] == PAINT)
        untouched++;
    printf("calls took %d of %d bytes of stack\n", SMALL_STACK - (int)untouched, SMALL_STACK);
    CHECK(untouched > 0);
    bw_client_free(clients[0]);
    bw_client_free(clients[1]);
}

/* A lookup that still runs after the call does not delay bw_client_free. */
static void call(const char *config, const char *status_name, const char *text)
{
    bw_client *client = client_of(config);
    char *out = NULL;
    double began = now(), took;
    bw_status status = bw_create_participant(client, "{}", &out);

    took = now() - began;
    printf("%s after %.0f ms: %.300s\n", bw_status_name(status), took * 1000, out);
    CHECK(strcmp(bw_status_name(status), status_name) == 0);
    CHECK_TEXT(out, text);
    if (status != BW_OK)
        CHECK_TEXT(out, "\"outcome\":\"not_sent\"");
    bw_free(out);
    began = now();
    bw_client_free(client);
    CHECK(now() - began < 1);
}

/* Each call resolves the name and opens a connection. */
static void cached(const char *config, const char *silent_file)
{
    bw_client *client = client_of(config);
    double began;
    FILE *file;

    CHECK(create(client, "resolved") == 0);
    file = fopen(silent_file, "w");
    if (CHECK(file != NULL))
        fclose(file);
    began = now();
    CHECK(create(client, "from the cache") == 0);
    printf("the address in the cache was used after %.0f ms\n", (now() - began) * 1000);
    /* Otherwise, the lookup has not failed. */
    CHECK(now() - began > 0.4);
    began = now();
    bw_client_free(client);
    CHECK(now() - began < 1);
}

int main(int argc, char **argv)
{
    alarm(LIMIT);
    if (argc == 4 && strcmp(argv[1], "threads") == 0)
        threads(argv[2], argv[3]);
    else if (argc == 5 && strcmp(argv[1], "call") == 0)
        call(argv[2], argv[3], argv[4]);
    else if (argc == 4 && strcmp(argv[1], "cached") == 0)
        cached(argv[2], argv[3]);
    else
        return 2;
    return sum_up();
}
