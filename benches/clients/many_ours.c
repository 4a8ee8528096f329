/* Many clients of libbw_webrtc. */
#include "ours_config.h"

#include "many.h"

static void *many_new(const char *url, const char *ca_file) { return ours_new(url, ca_file); }
static void many_free(void *client) { bw_client_free(client); }

static void many_call(void *client)
{
    char *out;
    bw_status status = bw_create_participant(client, "{}", &out);

    if (status != BW_OK)
        exit((fprintf(stderr, "%s\n", out), 1));
    bw_free(out);
}
