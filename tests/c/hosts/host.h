/* Functions for the programs that act as a host: a call whose response is checked, waits with a limit,
 * and the checks of check_call.h. Each program takes the client's configuration (JSON) as an argument. */
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

#include "../check_call.h"

/* The limit of a wait, in seconds. */
#define LIMIT 60

/* The monotonic time in seconds. */
HELPER double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Creates a client, or prints the error. */
HELPER bw_client *client_of(const char *config)
{
    bw_client *client;
    char *error;

    if (bw_client_new(config, &client, &error) != BW_OK)
        printf("no client: %s\n", error);
    bw_free(error);
    return client;
}

/* Creates a participant with this tag. Returns 0, or 1 if the call failed, or 2 if the response has
 * another tag and therefore belongs to another call. */
HELPER int create(bw_client *client, const char *tag)
{
    char request[128], *out, *received = NULL;
    bw_status status;
    int result = 1;

    sprintf(request, "{\"tag\": \"%.50s\"}", tag);
    status = bw_create_participant(client, request, &out);
    if (status == BW_OK && bw_json_get(out, "/participant/tag", &received) == BW_OK)
        result = strcmp(received, tag) == 0 ? 0 : 2;
    if (result != 0)
        printf("%s: %s: %s\n", tag, bw_status_name(status), out != NULL ? out : "(NULL)");
    bw_free(received);
    bw_free(out);
    return result;
}

/* Returns one of the client's counters, or -1. */
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

/* Waits for a child. Returns its exit status, or -1 if it was killed, for example by its alarm. */
HELPER int status_of(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
