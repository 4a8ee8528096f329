/* What the clients in C share: each says how to make one call, and this measures it. Usage of every
 * client: NAME BASE_URL CA_FILE|- CALLS [THREADS]. Prints p50, p99 and CPU a call, and the time from
 * nothing to the first answer, in microseconds; and the calls a second. */
#ifndef BENCH_H
#define BENCH_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define ACCOUNT "9900000"
#define REQUEST "{\"publishPermissions\":[\"AUDIO\",\"VIDEO\"],\"tag\":\"a caller\"}"

/* Before all threads; what one thread uses; one call; its end. Each client defines them. */
static void bench_begin(const char *url, const char *ca_file);
static void *bench_thread(void);
static void bench_call(void *thread);
static void bench_end(void *thread);

static int bench_calls, bench_threads;
static double *bench_times, bench_started, bench_cold;

static void bench_fail(const char *what)
{
    fprintf(stderr, "the benchmark failed: %s\n", what);
    exit(1);
}

static double bench_now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int bench_order(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

static void *bench_work(void *number)
{
    double *times = bench_times + (size_t)number * (size_t)bench_calls;
    void *thread = bench_thread();
    int i;

    for (i = 0; i < bench_calls; i++) {
        double began = bench_now(CLOCK_MONOTONIC);
        bench_call(thread);
        times[i] = bench_now(CLOCK_MONOTONIC) - began;
        if (i == 0 && number == NULL)
            bench_cold = bench_now(CLOCK_MONOTONIC) - bench_started;
    }
    bench_end(thread);
    return NULL;
}

int main(int argc, char **argv)
{
    double began, took, cpu;
    size_t all, i;

    if (argc < 4)
        return 2;
    bench_calls = atoi(argv[3]);
    bench_threads = argc > 4 ? atoi(argv[4]) : 1;
    all = (size_t)bench_calls * (size_t)bench_threads;
    bench_times = (double *)malloc(all * sizeof *bench_times);
    bench_started = bench_now(CLOCK_MONOTONIC);
    bench_begin(argv[1], strcmp(argv[2], "-") != 0 ? argv[2] : NULL);
    began = bench_now(CLOCK_MONOTONIC);
    cpu = bench_now(CLOCK_PROCESS_CPUTIME_ID);
    if (bench_threads == 1) {
        bench_work(NULL);
    } else {
        pthread_t *threads = (pthread_t *)malloc((size_t)bench_threads * sizeof *threads);
        for (i = 0; i < (size_t)bench_threads; i++)
            pthread_create(&threads[i], NULL, bench_work, (void *)i);
        for (i = 0; i < (size_t)bench_threads; i++)
            pthread_join(threads[i], NULL);
        free(threads);
    }
    took = bench_now(CLOCK_MONOTONIC) - began;
    cpu = bench_now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    qsort(bench_times, all, sizeof *bench_times, bench_order);
    printf("{\"p50\": %.2f, \"p99\": %.2f, \"cpu\": %.2f, \"rate\": %.0f, "
           "\"cold\": %.2f}\n",
           bench_times[all / 2], bench_times[all * 99 / 100], cpu / (double)all,
           (double)all / took * 1e6, bench_cold);
    free(bench_times);
    return 0;
}

#endif
