/* The configuration that the clients of libbw_webrtc in C share. Without a file,
 * libcurl trusts the system's authorities, and this library its bundled ones; "system" selects the system's.
 * Retries are disabled, since no other client retries. With -DWITH_OAUTH, the client uses the API credentials of
 * bw-sandbox, whose token URL is on the same host. */
#ifndef BENCH_OURS_CONFIG_H
#define BENCH_OURS_CONFIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw_webrtc.h"

/* `idle` is the maximum number of idle connections; 0 selects the default. */
static bw_client *ours_new_with(const char *url, const char *ca_file, long idle)
{
    char config[1024], signing_in[256], roots[512] = "", kept[64] = "", *error = NULL;
    bw_client *client;

    if (ca_file != NULL && strcmp(ca_file, "system") == 0)
        snprintf(roots, sizeof roots, ",\"roots\":\"system\"");
    else if (ca_file != NULL)
        snprintf(roots, sizeof roots, ",\"caFile\":\"%s\"", ca_file);
    if (idle > 0)
        snprintf(kept, sizeof kept, ",\"maxIdleConnections\":%ld", idle);
#ifdef WITH_OAUTH
    snprintf(signing_in, sizeof signing_in,
             "\"clientId\":\"client\",\"clientSecret\":\"client-secret\","
             "\"tokenUrl\":\"%.*s/api/v1/oauth2/token\"",
             (int)(strlen(url) - strlen("/v1")), url);
#else
    snprintf(signing_in, sizeof signing_in, "\"username\":\"user\",\"password\":\"secret\"");
#endif
    snprintf(config, sizeof config,
             "{\"accountId\":\"9900000\",%s,\"maxRetries\":0,\"baseUrl\":\"%s\"%s%s}", signing_in,
             url, roots, kept);
    if (bw_client_new(config, &client, &error) != BW_OK) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return client;
}

__attribute__((unused)) static bw_client *ours_new(const char *url, const char *ca_file)
{
    return ours_new_with(url, ca_file, 0);
}

#endif
