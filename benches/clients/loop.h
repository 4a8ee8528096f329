/* The event loop clients in C: one thread keeps IN_FLIGHT calls in flight and starts a new call when one
 * completes. Usage: NAME BASE_URL CA_FILE|- CALLS IN_FLIGHT. After one warm-up call for each slot, CALLS
 * calls are made for each slot. Prints calls per second, CPU per call (microseconds), the longest time
 * that the loop did not wait for events (milliseconds), and memory (bytes). */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "measure.h"

/* Each program defines these functions: loop_begin prepares IN_FLIGHT slots, loop_start starts a call in
 * a slot, and loop_turn waits for events and calls loop_done for each completed call. */
static void loop_begin(const char *url, const char *ca_file, size_t in_flight);
static void loop_start(size_t slot);
static void loop_turn(void);
static void loop_end(void);

static size_t loop_left, loop_waiting;
static double loop_busy_since, loop_gap;

/* Before and after each wait. */
static void loop_waits(void)
{
    double busy = bench_now(CLOCK_MONOTONIC) - loop_busy_since;

    if (busy > loop_gap)
        loop_gap = busy;
}

static void loop_wakes(void) { loop_busy_since = bench_now(CLOCK_MONOTONIC); }

static void loop_done(size_t slot)
{
    loop_waiting--;
    if (loop_left > 0) {
        loop_left--;
        loop_waiting++;
        loop_start(slot);
    }
}

static void loop_run(size_t in_flight, size_t calls)
{
    size_t slot;

    loop_left = calls - in_flight;
    loop_waiting = in_flight;
    loop_wakes();
    for (slot = 0; slot < in_flight; slot++)
        loop_start(slot);
    while (loop_waiting > 0)
        loop_turn();
}

int main(int argc, char **argv)
{
    struct rlimit files;
    bench_memory empty, warm;
    double took, cpu;
    size_t in_flight, calls;

    if (argc < 5)
        return 2;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    in_flight = (size_t)atol(argv[4]);
    calls = (size_t)atol(argv[3]) * in_flight;
    empty = bench_memory_now();
    loop_begin(argv[1], strcmp(argv[2], "-") != 0 ? argv[2] : NULL, in_flight);
    loop_run(in_flight, in_flight);
    loop_gap = 0;
    cpu = bench_now(CLOCK_PROCESS_CPUTIME_ID);
    took = bench_now(CLOCK_MONOTONIC);
    loop_run(in_flight, calls);
    took = bench_now(CLOCK_MONOTONIC) - took;
    cpu = bench_now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    warm = bench_memory_now();
    printf("{\"rate\": %.1f, \"cpu\": %.2f, \"gap\": %.3f, \"empty\": %ld, \"warm\": %ld}\n",
           (double)calls / took * 1e6, cpu / (double)calls, loop_gap / 1e3, empty.own, warm.own);
    loop_end();
    return 0;
}

#endif
