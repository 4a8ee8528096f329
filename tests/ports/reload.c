/* A host that unloads the library and loads it again, while a client exists and threads of the
 * library run. musl ignores dlclose. With glibc, the library stays loaded because of -z nodelete in
 * build.rs. The program is not linked with the library. Usage: reload LIBRARY CONFIG */
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include "bw_webrtc.h"
#include "check.h"
#include "threads.h"

static bw_status (*client_new)(const char *, bw_client **, char **);
static void (*client_free)(bw_client *);
static bw_status (*create_participant)(bw_client *, const char *, char **);
static bw_status (*queue_new)(bw_client *, const char *, bw_queue **, char **);
static bw_status (*queue_submit)(bw_queue *, const char *, void *, uint64_t *, char **);
static bw_status (*queue_next)(bw_queue *, int32_t, uint64_t *, void **, bw_status *, char **);
static void (*queue_free)(bw_queue *);
static void (*text_free)(void *);

static void *load(const char *library)
{
    void *module = dlopen(library, RTLD_NOW | RTLD_LOCAL);

    if (module == NULL) {
        printf("%s\n", dlerror());
        return NULL;
    }
    *(void **)&client_new = dlsym(module, "bw_client_new");
    *(void **)&client_free = dlsym(module, "bw_client_free");
    *(void **)&create_participant = dlsym(module, "bw_create_participant");
    *(void **)&queue_new = dlsym(module, "bw_queue_new");
    *(void **)&queue_submit = dlsym(module, "bw_queue_submit");
    *(void **)&queue_next = dlsym(module, "bw_queue_next");
    *(void **)&queue_free = dlsym(module, "bw_queue_free");
    *(void **)&text_free = dlsym(module, "bw_free");
    return module;
}

static void call(bw_client *client)
{
    char *out = NULL;

    CHECK(create_participant(client, "{}", &out) == BW_OK);
    CHECK_TEXT(out, "participant");
    text_free(out);
}

/* A thread of the library makes the call. */
static void submit(bw_queue *queue)
{
    CHECK(queue_submit(queue, "{\"operation\": \"createParticipant\"}", NULL, NULL, NULL) == BW_OK);
}

static void fetch(bw_queue *queue)
{
    bw_status status = -1;
    char *out = NULL;

    CHECK(queue_next(queue, 60000, NULL, NULL, &status, &out) == BW_OK && status == BW_OK);
    CHECK_TEXT(out, "participant");
    text_free(out);
}

/* Loads the library, and makes a call. Nothing of the library is in use afterwards. */
static void *plugin(void *arguments)
{
    char **argv = arguments;
    bw_client *client = NULL;
    void *module = load(argv[1]);

    if (CHECK(module != NULL && client_new(argv[2], &client, NULL) == BW_OK))
        call(client);
    client_free(client);
    return module;
}

int main(int argc, char **argv)
{
    bw_client *client = NULL, *other = NULL;
    bw_queue *queue = NULL;
    pthread_t thread;
    void *module = NULL;
    int n, running;

    if (argc != 3)
        return 2;
    alarm(60);
    CHECK(dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == NULL);
    CHECK(pthread_create(&thread, NULL, plugin, argv) == 0 && pthread_join(thread, &module) == 0);
    if (!CHECK(module != NULL && dlclose(module) == 0))
        return sum_up();
    /* To see it fail with glibc, take -z nodelete out of build.rs. */
    module = dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD);
    CHECK(module != NULL);
    if (module != NULL)
        dlclose(module);
    module = load(argv[1]);
    if (!CHECK(module != NULL))
        return sum_up();
    CHECK(client_new(argv[2], &client, NULL) == BW_OK);
    call(client);
    CHECK(queue_new(client, "{\"workers\": 2}", &queue, NULL) == BW_OK);
    submit(queue);
    fetch(queue);
    running = threads();
    CHECK(running > 1);
    for (n = 0; n < 5; n++) {
        /* A thread is in a call while the library is unloaded. */
        submit(queue);
        nap(10);
        CHECK(dlclose(module) == 0);
        CHECK(threads() == running);
        module = load(argv[1]);
        if (!CHECK(module != NULL))
            break;
        /* Clients and queues of before are still valid, and new ones work. */
        fetch(queue);
        call(client);
        CHECK(client_new(argv[2], &other, NULL) == BW_OK);
        call(other);
        client_free(other);
    }
    queue_free(queue);
    client_free(client);
    CHECK(dlclose(module) == 0);
    return sum_up();
}
