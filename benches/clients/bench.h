/* The clients in C: each defines how to make one call, and this header measures it. Usage: NAME BASE_URL
 * CA_FILE|- CALLS [THREADS]. Each thread makes one warm-up call, then CALLS calls. Prints JSON: p50, p99
 * and CPU per call and the time from the start to the first response, in microseconds; calls per second;
 * and memory in bytes, at the start and after all threads have made calls.
 *
 * If BENCH_REFUSED is set, the server's certificate must be rejected, and the time until then is
 * measured. */
#ifndef BENCH_H
#define BENCH_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure.h"

#define ACCOUNT "9900000"
#define REQUEST "{\"publishPermissions\":[\"AUDIO\",\"VIDEO\"],\"tag\":\"a caller\"}"

/* Each client defines these functions: global initialization, the state of a thread, one call, and the
 * end of a thread. */
static void bench_begin(const char *url, const char *ca_file);
static void *bench_thread(void);
static void bench_call(void *thread);
static void bench_end(void *thread);

typedef struct bench_thread_times {
    double began, ended, cpu;
} bench_thread_times;

static int bench_calls, bench_threads;
static double *bench_times, bench_started, bench_cold;
static bench_thread_times *bench_of_threads;
static bench_memory bench_warm;
static pthread_barrier_t bench_together;

/* The certificate was rejected, which ends the measurement if BENCH_REFUSED is set. */
__attribute__((unused)) static void bench_refused(const char *what)
{
    if (getenv("BENCH_REFUSED") == NULL)
        bench_fail(what);
    printf("{\"cold\": %.2f}\n", bench_now(CLOCK_MONOTONIC) - bench_started);
    exit(0);
}

static int bench_order(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

static void *bench_work(void *number)
{
    double *times = bench_times + (size_t)number * (size_t)bench_calls, cpu;
    bench_thread_times *own = bench_of_threads + (size_t)number;
    void *thread = bench_thread();
    int i;

    bench_call(thread);
    if (number == NULL)
        bench_cold = bench_now(CLOCK_MONOTONIC) - bench_started;
    pthread_barrier_wait(&bench_together);
    cpu = bench_now(CLOCK_THREAD_CPUTIME_ID);
    own->began = bench_now(CLOCK_MONOTONIC);
    for (i = 0; i < bench_calls; i++) {
        double began = bench_now(CLOCK_MONOTONIC);
        bench_call(thread);
        times[i] = bench_now(CLOCK_MONOTONIC) - began;
    }
    own->ended = bench_now(CLOCK_MONOTONIC);
    own->cpu = bench_now(CLOCK_THREAD_CPUTIME_ID) - cpu;
    pthread_barrier_wait(&bench_together);
    if (number == NULL)
        bench_warm = bench_memory_now();
    pthread_barrier_wait(&bench_together);
    bench_end(thread);
    return NULL;
}

int main(int argc, char **argv)
{
    double began, ended, cpu = 0;
    bench_memory empty;
    pthread_t *threads;
    size_t all, i;

    if (argc < 4)
        return 2;
    bench_calls = atoi(argv[3]);
    bench_threads = argc > 4 ? atoi(argv[4]) : 1;
    all = (size_t)bench_calls * (size_t)bench_threads;
    bench_times = (double *)calloc(all + 1, sizeof *bench_times);
    bench_of_threads = (bench_thread_times *)calloc((size_t)bench_threads, sizeof *bench_of_threads);
    threads = (pthread_t *)calloc((size_t)bench_threads, sizeof *threads);
    pthread_barrier_init(&bench_together, NULL, (unsigned)bench_threads);
    empty = bench_memory_now();
    bench_started = bench_now(CLOCK_MONOTONIC);
    bench_begin(argv[1], strcmp(argv[2], "-") != 0 ? argv[2] : NULL);
    for (i = 1; i < (size_t)bench_threads; i++)
        if (pthread_create(&threads[i], NULL, bench_work, (void *)i) != 0)
            bench_fail("no thread");
    bench_work(NULL);
    for (i = 1; i < (size_t)bench_threads; i++)
        pthread_join(threads[i], NULL);
    began = bench_of_threads[0].began;
    ended = bench_of_threads[0].ended;
    for (i = 0; i < (size_t)bench_threads; i++) {
        began = bench_of_threads[i].began < began ? bench_of_threads[i].began : began;
        ended = bench_of_threads[i].ended > ended ? bench_of_threads[i].ended : ended;
        cpu += bench_of_threads[i].cpu;
    }
    qsort(bench_times, all, sizeof *bench_times, bench_order);
    printf("{\"p50\": %.2f, \"p99\": %.2f, \"cpu\": %.2f, \"rate\": %.0f, \"cold\": %.2f, "
           "\"empty\": %ld, \"warm\": %ld, \"resident\": %ld}\n",
           bench_times[all / 2], bench_times[all * 99 / 100], all > 0 ? cpu / (double)all : 0.0,
           (double)all / (ended - began) * 1e6, bench_cold, empty.own, bench_warm.own,
           bench_warm.resident);
    free(bench_times);
    free(bench_of_threads);
    free(threads);
    return 0;
}

#endif
