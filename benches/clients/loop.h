/* What the event-loop clients share. Usage: NAME BASE_URL CA_FILE|- CALLS IN_PROGRESS. Makes IN_PROGRESS
 * calls to warm up, and then CALLS, of which IN_PROGRESS are in progress at any time, in one thread.
 * Prints, as JSON: p50, p99 and CPU a call, and the longest gap of the loop, in microseconds; calls a
 * second; and memory in bytes. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <sys/resource.h>
#include <time.h>

#include "memory.h"

/* Each client defines them: prepares; starts the call of a slot; waits until something is ready;
 * handles what is ready, with `loop_done` for each response. */
static void loop_begin(const char *url, const char *ca_file, long slots);
static void loop_start(long slot);
static void loop_wait(void);
static void loop_handle(void);
static void loop_end(void);

static double *loop_began, *loop_times;
static long loop_slots, loop_calls, loop_started, loop_ended;
static int loop_warm;

static double loop_now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void loop_next(long slot)
{
    loop_began[slot] = loop_now(CLOCK_MONOTONIC);
    loop_started++;
    loop_start(slot);
}

/* The call of this slot has its response. The slot makes the next call. */
static void loop_done(long slot)
{
    if (loop_warm)
        loop_times[loop_ended] = loop_now(CLOCK_MONOTONIC) - loop_began[slot];
    loop_ended++;
    if (loop_warm && loop_started < loop_calls)
        loop_next(slot);
}

static int loop_order(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

/* Makes calls until `calls` have ended; the longest time in which the loop did not poll. */
static double loop_run(long calls)
{
    double longest = 0, woken;
    long slot;

    loop_calls = calls;
    loop_started = loop_ended = 0;
    woken = loop_now(CLOCK_MONOTONIC);
    for (slot = 0; slot < loop_slots; slot++)
        loop_next(slot);
    while (loop_ended < calls) {
        double busy = loop_now(CLOCK_MONOTONIC) - woken;
        /* The first burst of calls is the program's own. */
        if (loop_ended > 0 && busy > longest)
            longest = busy;
        loop_wait();
        woken = loop_now(CLOCK_MONOTONIC);
        loop_handle();
    }
    return longest;
}

int main(int argc, char **argv)
{
    double began, took, cpu, gap;
    bench_memory empty, warm;
    struct rlimit files;

    if (argc < 5)
        return 2;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    loop_slots = atol(argv[4]);
    loop_calls = atol(argv[3]);
    if (loop_calls < loop_slots)
        loop_calls = loop_slots;
    loop_began = calloc((size_t)loop_slots, sizeof *loop_began);
    loop_times = calloc((size_t)(loop_calls + loop_slots), sizeof *loop_times);
    empty = bench_memory_now();
    loop_begin(argv[1], strcmp(argv[2], "-") != 0 ? argv[2] : NULL, loop_slots);
    took = (double)loop_calls;
    loop_run(loop_slots);
    loop_warm = 1;
    cpu = loop_now(CLOCK_PROCESS_CPUTIME_ID);
    began = loop_now(CLOCK_MONOTONIC);
    gap = loop_run((long)took);
    took = loop_now(CLOCK_MONOTONIC) - began;
    cpu = loop_now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    warm = bench_memory_now();
    qsort(loop_times, (size_t)loop_ended, sizeof *loop_times, loop_order);
    printf("{\"p50\": %.2f, \"p99\": %.2f, \"cpu\": %.2f, \"rate\": %.0f, \"gap\": %.2f, "
           "\"empty\": %ld, \"warm\": %ld, \"resident\": %ld}\n",
           loop_times[loop_ended / 2], loop_times[loop_ended * 99 / 100], cpu / (double)loop_ended,
           (double)loop_ended / took * 1e6, gap, empty.own, warm.own, warm.resident);
    loop_end();
    free(loop_began);
    free(loop_times);
    return 0;
}

#endif
