/* The memory of this process, as the kernel counts it. */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stdio.h>
#include <stdlib.h>

typedef struct bench_memory {
    /* Bytes that are this process's alone and that it has written to; bytes that are in memory. */
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

#endif
