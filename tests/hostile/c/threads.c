/* Many threads use one client and one queue, while others change the credentials and the log callback, read
 * the statistics, cancel calls, and free clients during calls. Run with a data race detector.
 * Usage: threads CONFIG [ROUNDS] */
#include "../../c/hosts/host.h"

#include <poll.h>

#define CALLERS 6
#define SUBMITTERS 3

static const char *config;
static bw_client *client;
static bw_queue *queue;
static int rounds = 20;
static int stop;

static void *run_caller(void *name)
{
    char tag[40];
    long failed = 0;
    int n;

    for (n = 0; n < rounds; n++) {
        sprintf(tag, "%s-%d", (const char *)name, n);
        failed += create(client, tag) != 0;
    }
    return (void *)failed;
}

/* Returns the number of accepted calls. */
static void *run_submitter(void *name)
{
    long accepted = 0;
    int n;

    for (n = 0; n < rounds; n++) {
        uint64_t id;
        if (bw_queue_submit(queue, "{\"operation\": \"createSession\"}", name, &id, NULL) != BW_OK)
            continue;
        accepted++;
        if (n % 4 == 0)
            bw_queue_cancel(queue, id);
    }
    return (void *)accepted;
}

/* Returns the number of completions with the right user data. */
static void *run_fetcher(void *unused)
{
    long fetched = 0;

    (void)unused;
    for (;;) {
        void *data = NULL;
        bw_status status, got;
        char *out;
        uint64_t id;
        got = bw_queue_next(queue, 200, &id, &data, &status, &out);
        if (got == BW_E_CLOSED)
            return (void *)fetched;
        if (got == BW_OK) {
            fetched += data != NULL && id != 0 && (status == BW_OK || status == BW_E_CANCELLED);
            bw_free(out);
        }
    }
}

/* Called by many threads concurrently. */
static void count_line(int32_t level, const char *text, void *count)
{
    __atomic_fetch_add((long *)count, level + (text[0] != 0), __ATOMIC_RELAXED);
}

static void *run_settings(void *unused)
{
    static long counts[2];
    long lines = 0;
    int n;

    (void)unused;
    for (n = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); n++) {
        char *stats;
        bw_client_set_credentials(client, "user", "secret", NULL);
        bw_client_set_log(client, BW_LOG_DEBUG, count_line, &counts[n % 2], NULL);
        /* No call of the previous callback is running any more, so its counter needs no atomic. */
        lines += counts[(n + 1) % 2];
        counts[(n + 1) % 2] = 0;
        bw_client_stats(client, &stats);
        bw_free(stats);
        bw_client_metrics(client, &stats);
        bw_free(stats);
        bw_queue_fd(queue);
        usleep(500);
    }
    bw_client_set_log(client, BW_LOG_OFF, NULL, NULL, NULL);
    return (void *)lines;
}

/* Clients that are freed by another thread while they are in use. */
static void *call_until_freed(void *handle)
{
    char *out;
    bw_status status;

    do {
        status = bw_create_session(handle, NULL, &out);
        bw_free(out);
    } while (status == BW_OK);
    return (void *)(long)(status == BW_E_INVALID_HANDLE || status == BW_E_CANCELLED);
}

static void *run_short_lived_clients(void *unused)
{
    long well = 0;
    int n;

    (void)unused;
    for (n = 0; n < rounds / 2; n++) {
        pthread_t threads[2];
        bw_client *own = client_of(config);
        void *result;
        int i;
        for (i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, call_until_freed, own);
        usleep(2000);
        bw_client_free(own);
        for (i = 0; i < 2; i++) {
            pthread_join(threads[i], &result);
            well += result != NULL;
        }
    }
    return (void *)well;
}

int main(int argc, char **argv)
{
    static char names[CALLERS + SUBMITTERS][16];
    pthread_t callers[CALLERS], submitters[SUBMITTERS], fetchers[2], disturber, churner;
    long failed = 0, accepted = 0, fetched = 0;
    void *result;
    int i;

    config = argv[1];
    if (argc > 2)
        rounds = atoi(argv[2]);
    client = client_of(config);
    CHECK(bw_queue_new(client, "{\"workers\": 4, \"backlog\": 64}", &queue, NULL) == BW_OK);
    for (i = 0; i < CALLERS + SUBMITTERS; i++)
        sprintf(names[i], "t%d", i);
    pthread_create(&disturber, NULL, run_settings, NULL);
    pthread_create(&churner, NULL, run_short_lived_clients, NULL);
    for (i = 0; i < 2; i++)
        pthread_create(&fetchers[i], NULL, run_fetcher, NULL);
    for (i = 0; i < CALLERS; i++)
        pthread_create(&callers[i], NULL, run_caller, names[i]);
    for (i = 0; i < SUBMITTERS; i++)
        pthread_create(&submitters[i], NULL, run_submitter, names[CALLERS + i]);
    for (i = 0; i < CALLERS; i++) {
        pthread_join(callers[i], &result);
        failed += (long)result;
    }
    for (i = 0; i < SUBMITTERS; i++) {
        pthread_join(submitters[i], &result);
        accepted += (long)result;
    }
    pthread_join(churner, &result);
    CHECK((long)result == rounds / 2 * 2);
    CHECK(bw_queue_close(queue) == BW_OK);
    for (i = 0; i < 2; i++) {
        pthread_join(fetchers[i], &result);
        fetched += (long)result;
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    pthread_join(disturber, &result);
    CHECK((long)result > 0);
    bw_queue_free(queue);
    bw_client_free(client);
    CHECK(failed == 0);
    CHECK(accepted > 0 && fetched == accepted);
    printf("%ld calls queued, %ld fetched\n", accepted, fetched);
    return sum_up();
}
