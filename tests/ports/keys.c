/* A host that has used all keys for thread-specific data. The standard library of Rust needs one,
 * and aborts the process if there is none. To see it fail, take `reserve_thread_key` out of
 * src/client/mod.rs, or its lock out of src/sys/thread.rs. Usage: keys CONFIG. */
#include "hosts/host.h"

#include <limits.h>

static pthread_key_t last;

/* Uses all keys that are left, and returns how many these were. */
static int use_keys(void)
{
    pthread_key_t key;
    int used = 0;

    for (; pthread_key_create(&key, NULL) == 0; used++)
        last = key;
    return used;
}

static pthread_barrier_t barrier;

static void *first_client(void *config)
{
    bw_client *client;

    pthread_barrier_wait(&barrier);
    client = client_of(config);
    bw_client_free(client);
    return client;
}

/* Threads that create the first client at the same time, while one key is left. */
static void last_key_in_threads(char *config)
{
    pthread_t threads[4];
    void *client;
    int i, round, failed = 0;

    for (round = 0; round < 20; round++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(LIMIT);
            use_keys();
            pthread_key_delete(last);
            pthread_barrier_init(&barrier, NULL, 4);
            for (i = 0; i < 4; i++)
                pthread_create(&threads[i], NULL, first_client, config);
            for (i = 0; i < 4; i++) {
                pthread_join(threads[i], &client);
                failed |= client == NULL;
            }
            _exit(failed);
        }
        CHECK(status_of(child) == 0);
    }
}

int main(int argc, char **argv)
{
    const char *call = "{\"operation\": \"createParticipant\"}";
    bw_status status = -1;
    bw_queue *queue;
    bw_client *client;
    char *out = NULL;

    if (argc != 2)
        return 2;
    alarm(LIMIT);
    last_key_in_threads(argv[1]);
    CHECK(use_keys() == PTHREAD_KEYS_MAX);
    CHECK_FAILURE(bw_client_new(argv[1], &client, &out), BW_E_INTERNAL, "pthread_key_create");
    /* The standard library never uses the key 0. */
    CHECK(pthread_key_delete(0) == 0);
    CHECK_FAILURE(bw_client_new(argv[1], &client, &out), BW_E_INTERNAL, "pthread_key_create");
    CHECK(pthread_key_delete(last) == 0);
    client = client_of(argv[1]);
    CHECK(use_keys() == 1);
    CHECK(create(client, "without keys") == 0);
    /* The queue starts threads. */
    CHECK(bw_queue_new(client, NULL, &queue, NULL) == BW_OK);
    CHECK(bw_queue_submit(queue, call, NULL, NULL, NULL) == BW_OK);
    CHECK(bw_queue_next(queue, LIMIT * 1000, NULL, NULL, &status, &out) == BW_OK);
    check_success(status, out, "participant");
    bw_queue_free(queue);
    bw_client_free(client);
    return sum_up();
}
