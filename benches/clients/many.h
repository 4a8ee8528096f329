/* Many clients in one process. Usage: NAME BASE_URL CA_FILE|- CLIENTS [unconnected]. Prints the CPU time of
 * creating the clients (microseconds), and the memory that creating them and one call of each added (bytes).
 * With "unconnected", no calls are made. */
#include <sys/resource.h>
#include <time.h>

#include "measure.h"

/* Each program defines these functions. */
static void *many_new(const char *url, const char *ca_file);
static void many_call(void *client);
static void many_free(void *client);

static double many_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
    const char *ca_file;
    bench_memory empty, made, warm;
    struct rlimit files;
    void **clients, *one;
    double took;
    long count, i;
    int calls = argc < 5;

    if (argc < 4)
        return 2;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    ca_file = strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
    count = atol(argv[3]);
    clients = malloc((size_t)count * sizeof *clients);
    /* The first client also causes allocations that occur once per process. */
    one = many_new(argv[1], ca_file);
    if (calls)
        many_call(one);
    empty = bench_memory_now();
    took = many_now();
    for (i = 0; i < count; i++)
        clients[i] = many_new(argv[1], ca_file);
    took = many_now() - took;
    made = bench_memory_now();
    for (i = 0; calls && i < count; i++)
        many_call(clients[i]);
    warm = bench_memory_now();
    printf("{\"start\": %.2f, \"made\": %ld, \"warm\": %ld}\n", took, made.own - empty.own,
           warm.own - empty.own);
    for (i = 0; i < count; i++)
        many_free(clients[i]);
    many_free(one);
    free(clients);
    return 0;
}
