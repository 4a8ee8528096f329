/* Measurements for the clients in C: clocks, and the memory of this process as counted by the kernel. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct bench_memory {
    /* Private written memory, and resident memory, in bytes. */
    long own, resident;
} bench_memory;

static bench_memory bench_memory_now(void)
{
    bench_memory now = {0, 0};
    char line[256];
    long count;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");

    if (file == NULL)
        return perror("/proc/self/smaps_rollup"), exit(1), now;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Private_Dirty: %ld", &count) == 1)
            now.own = count * 1024;
        if (sscanf(line, "Rss: %ld", &count) == 1)
            now.resident = count * 1024;
    }
    fclose(file);
    return now;
}

/* In microseconds. */
__attribute__((unused)) static double bench_now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

__attribute__((unused)) static void bench_fail(const char *what)
{
    fprintf(stderr, "the benchmark failed: %s\n", what);
    exit(1);
}

#endif
