/* A host whose machine was suspended: meanwhile, the boot-time clock ran, but not the monotonic clock.
 * An idle connection that is older than idleTimeoutMs is not used. Break: `idle_since` by
 * std::time::Instant. Usage: suspend CONFIG */
#include "host.h"

#include <sys/syscall.h>

static time_t suspended;

/* Replaces the C library's function. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);

    if (result == 0 && clock == CLOCK_BOOTTIME)
        time->tv_sec += suspended;
    return result;
}

int main(int argc, char **argv)
{
    bw_client *client;

    alarm(LIMIT);
    if (argc != 2)
        return 2;
    client = client_of(argv[1]);
    CHECK(create(client, "before") == 0 && create(client, "again") == 0);
    CHECK(counted(client, "/connectionsOpened") == 1);
    suspended = 3600;
    CHECK(create(client, "after") == 0 && create(client, "again") == 0);
    CHECK(counted(client, "/connectionsOpened") == 2);
    bw_client_free(client);
    return sum_up();
}
