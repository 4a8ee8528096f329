/* The handles of a 32-bit process: a slot is never used again after its last generation, and no stale
 * handle is accepted. It uses a slot for more clients than a handle can distinguish. */
#include <stdint.h>
#include <stdlib.h>

#include "check_call.h"

/* See docs/abi.md, "32-bit systems". */
#define GENERATIONS 16383
#define INDEXES 65536
#define COUNT (GENERATIONS + 10)

static const char CONFIG[] = "{\"accountId\":\"1\",\"username\":\"u\",\"password\":\"" SECRET "\","
                             "\"baseUrl\":\"http://127.0.0.1:9/v1\"}";

static bw_client *new_client(void)
{
    bw_client *client = NULL;

    CHECK(bw_client_new(CONFIG, &client, NULL) == BW_OK);
    return client;
}

static bw_status use(bw_client *client)
{
    char *out = NULL;
    bw_status status = bw_client_stats(client, &out);

    bw_free(out);
    return status;
}

static int by_number(const void *one, const void *other)
{
    uintptr_t left = *(const uintptr_t *)one, right = *(const uintptr_t *)other;

    return (left > right) - (left < right);
}

int main(void)
{
    static uintptr_t handles[COUNT];
    static uintptr_t sorted[COUNT];
    size_t used[2] = {0, 0};
    size_t i, stale = 0, repeated = 0, unusable = 0;
    bw_client *last;

    CHECK(sizeof(void *) == 4);
    for (i = 0; i < COUNT; i++) {
        bw_client *client = new_client();

        handles[i] = (uintptr_t)client;
        unusable += use(client) != BW_OK;
        bw_client_free(client);
        stale += use(client) != BW_E_INVALID_HANDLE;
        used[handles[i] % INDEXES != 0]++;
    }
    CHECK(unusable == 0 && stale == 0);
    /* The first slot is used until its last generation. Then the next slot is. */
    CHECK(used[0] == GENERATIONS && used[1] == 10);

    /* While another client is alive, none of the old handles refers to it. */
    last = new_client();
    for (i = 0; i < COUNT; i++)
        stale += use((bw_client *)handles[i]) != BW_E_INVALID_HANDLE;
    CHECK(stale == 0);
    CHECK(use(last) == BW_OK);
    bw_client_free(last);

    memcpy(sorted, handles, sizeof handles);
    qsort(sorted, COUNT, sizeof *sorted, by_number);
    for (i = 1; i < COUNT; i++)
        repeated += sorted[i] == sorted[i - 1];
    CHECK(repeated == 0);
    return sum_up();
}
