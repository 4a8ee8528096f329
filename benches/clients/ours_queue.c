/* libbw_webrtc's queue: one thread submits and fetches, with one call in flight per worker. Usage: ours_queue
 * BASE_URL CA_FILE|- CALLS WORKERS, where CALLS is per worker. Prints the same figures as the other clients. */
#include <time.h>

#include "measure.h"
#include "ours_config.h"

#define CALL                                                                                      \
    "{\"operation\":\"createParticipant\",\"body\":"                                              \
    "{\"publishPermissions\":[\"AUDIO\",\"VIDEO\"],\"tag\":\"a caller\"}}"

static double now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int order(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

static void submit(bw_queue *queue, double *began)
{
    char *error;

    *began = now(CLOCK_MONOTONIC);
    if (bw_queue_submit(queue, CALL, began, NULL, &error) != BW_OK)
        exit((fprintf(stderr, "%s\n", error), 1));
}

/* Fetches one completion, and replaces the start time of its call by its duration. */
static void fetch(bw_queue *queue)
{
    bw_status status;
    void *began;
    char *out;

    if (bw_queue_next(queue, -1, NULL, &began, &status, &out) != BW_OK || status != BW_OK)
        exit((fprintf(stderr, "%s\n", out != NULL ? out : "no completion"), 1));
    *(double *)began = now(CLOCK_MONOTONIC) - *(double *)began;
    bw_free(out);
}

int main(int argc, char **argv)
{
    double *times, began, took, cpu, *first;
    bw_client *client;
    bw_queue *queue;
    bench_memory empty, warm;
    char options[64];
    size_t workers, all, submitted = 0, i;

    if (argc < 5)
        return 2;
    workers = (size_t)atol(argv[4]);
    all = (size_t)atol(argv[3]) * workers;
    times = calloc(all, sizeof *times);
    first = calloc(workers, sizeof *first);
    empty = bench_memory_now();
    client = ours_new(argv[1], strcmp(argv[2], "-") != 0 ? argv[2] : NULL);
    snprintf(options, sizeof options, "{\"workers\":%zu,\"backlog\":%zu}", workers, workers + 1);
    if (bw_queue_new(client, options, &queue, NULL) != BW_OK)
        return 1;
    for (i = 0; i < workers; i++)
        submit(queue, &first[i]);
    for (i = 0; i < workers; i++)
        fetch(queue);
    cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    began = now(CLOCK_MONOTONIC);
    while (submitted < workers && submitted < all)
        submit(queue, &times[submitted++]);
    for (i = 0; i < all; i++) {
        fetch(queue);
        if (submitted < all)
            submit(queue, &times[submitted++]);
    }
    took = now(CLOCK_MONOTONIC) - began;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    warm = bench_memory_now();
    qsort(times, all, sizeof *times, order);
    printf("{\"p50\": %.2f, \"p99\": %.2f, \"cpu\": %.2f, \"rate\": %.0f, \"empty\": %ld, "
           "\"warm\": %ld, \"resident\": %ld}\n",
           times[all / 2], times[all * 99 / 100], cpu / (double)all, (double)all / took * 1e6,
           empty.own, warm.own, warm.resident);
    bw_queue_free(queue);
    bw_client_free(client);
    free(first);
    free(times);
    return 0;
}
