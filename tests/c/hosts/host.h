/* What the programs that play a host share: a call whose answer must be the caller's own, waits with
 * a limit, and the sum at the end (see check.h). Each takes the client's configuration as JSON. */
#ifndef HOST_H
#define HOST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../check.h"
#include "bw_webrtc.h"

/* Not every program uses all. */
#define HELPER static __attribute__((unused))

/* After so many seconds, whatever is waited for hangs. */
#define LIMIT 60

HELPER double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

HELPER bw_client *client_of(const char *config)
{
    bw_client *client;
    char *error;

    if (bw_client_new(config, &client, &error) != BW_OK)
        printf("no client: %s\n", error);
    bw_free(error);
    return client;
}

/* Creates a participant with this tag; 0, or 1 where that failed, or 2 where it came back with
 * somebody else's tag. */
HELPER int create(bw_client *client, const char *tag)
{
    char request[128], *out, *came = NULL;
    bw_status status;
    int result = 1;

    sprintf(request, "{\"tag\": \"%.50s\"}", tag);
    status = bw_create_participant(client, request, &out);
    if (status == BW_OK && bw_json_get(out, "/participant/tag", &came) == BW_OK)
        result = strcmp(came, tag) == 0 ? 0 : 2;
    if (result != 0)
        printf("%s: %s: %s\n", tag, bw_status_name(status), out != NULL ? out : "(NULL)");
    bw_free(came);
    bw_free(out);
    return result;
}

/* A number in the client's counters. */
HELPER long counted(bw_client *client, const char *pointer)
{
    char *stats, *text = NULL;
    long number = -1;

    if (bw_client_stats(client, &stats) == BW_OK && bw_json_get(stats, pointer, &text) == BW_OK)
        number = atol(text);
    bw_free(text);
    bw_free(stats);
    return number;
}

/* The exit status of a child; -1 if it was killed, as by its own alarm where it hangs. */
HELPER int status_of(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
