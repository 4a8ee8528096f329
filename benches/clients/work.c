/* The work of a bridge with one client: creates participants, adds them to sessions of ten, lists, removes and
 * deletes them. Usage: work BASE_URL PARTICIPANTS. Prints the CPU time and the elapsed time in microseconds, the
 * number of calls, and the memory before the client is created and at the end, in bytes. */
#include <time.h>

#include "measure.h"
#include "ours_config.h"

#define IN_A_SESSION 10

static long calls;

static double now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* The document of a successful call, or the value at `pointer` in it. */
static char *expect(bw_status status, char *out, const char *pointer)
{
    char *value;

    calls++;
    if (status != BW_OK) {
        fprintf(stderr, "%s\n", out);
        exit(1);
    }
    if (pointer == NULL)
        return out;
    if (bw_json_get(out, pointer, &value) != BW_OK)
        exit(1);
    bw_free(out);
    return value;
}

static void session_of(bw_client *client, int participants)
{
    char *out, *session, *ids[IN_A_SESSION];
    bw_status status = bw_create_session(client, NULL, &out);
    int i;

    session = expect(status, out, "/id");
    for (i = 0; i < participants; i++) {
        status = bw_create_participant(client, "{\"publishPermissions\":[\"AUDIO\"]}", &out);
        ids[i] = expect(status, out, "/participant/id");
        status = bw_add_participant_to_session(client, session, ids[i], NULL, &out);
        bw_free(expect(status, out, NULL));
    }
    status = bw_list_session_participants(client, session, &out);
    bw_free(expect(status, out, NULL));
    for (i = 0; i < participants; i++) {
        status = bw_remove_participant_from_session(client, session, ids[i], &out);
        bw_free(expect(status, out, NULL));
        status = bw_delete_participant(client, ids[i], &out);
        bw_free(expect(status, out, NULL));
        bw_free(ids[i]);
    }
    status = bw_delete_session(client, session, &out);
    bw_free(expect(status, out, NULL));
    bw_free(session);
}

int main(int argc, char **argv)
{
    double began, cpu;
    bench_memory empty, end;
    bw_client *client;
    int left;

    if (argc < 3)
        return 2;
    empty = bench_memory_now();
    client = ours_new(argv[1], NULL);
    session_of(client, 1); /* a warm connection */
    calls = 0;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    began = now(CLOCK_MONOTONIC);
    for (left = atoi(argv[2]); left > 0; left -= IN_A_SESSION)
        session_of(client, left < IN_A_SESSION ? left : IN_A_SESSION);
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    began = now(CLOCK_MONOTONIC) - began;
    end = bench_memory_now();
    printf("{\"cpu\": %.2f, \"time\": %.2f, \"calls\": %ld, \"empty\": %ld, \"end\": %ld}\n", cpu, began,
           calls, empty.own, end.own);
    bw_client_free(client);
    return 0;
}
