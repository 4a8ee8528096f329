/* A FreeSWITCH module: the API command `bandwidth_create [tag]` returns the id of a job immediately, and an
 * event bandwidth::participant contains the participant. No FreeSWITCH thread waits for the service. The
 * settings are in bandwidth.json in FreeSWITCH's configuration folder, or in the file that BW_CONFIG_FILE names;
 * environment variables override them. `bandwidth_reload` reads the credentials again.
 *
 * cc -shared -fPIC mod_bandwidth.c -o mod_bandwidth.so $(pkg-config --cflags --libs bw_webrtc freeswitch) */
#include <switch.h>
#include <unistd.h>

#include "bw_webrtc_typed.h"

#define EVENT "bandwidth::participant"

SWITCH_MODULE_LOAD_FUNCTION(mod_bandwidth_load);
SWITCH_MODULE_SHUTDOWN_FUNCTION(mod_bandwidth_shutdown);
SWITCH_MODULE_RUNTIME_FUNCTION(mod_bandwidth_runtime);
SWITCH_MODULE_DEFINITION(mod_bandwidth, mod_bandwidth_load, mod_bandwidth_shutdown,
                         mod_bandwidth_runtime);

static bw_client *client;
static bw_queue *queue;

SWITCH_STANDARD_API(bandwidth_create)
{
    char job[SWITCH_UUID_FORMATTED_LENGTH + 1], *kept, *request, *call = NULL, *error = NULL;
    bwt_participant_options wanted = BWT_PARTICIPANT_OPTIONS_INIT;

    (void)session;
    wanted.publish_audio = 1;
    wanted.tag = zstr(cmd) ? NULL : cmd;
    switch_uuid_str(job, sizeof job);
    kept = strdup(job);
    request = bwt_participant_request(&wanted);
    if (request != NULL)
        call = switch_mprintf("{\"operation\": \"createParticipant\", \"body\": %s}", request);
    if (call != NULL && bw_queue_submit(queue, call, kept, NULL, &error) == BW_OK) {
        stream->write_function(stream, "+OK Job-UUID: %s\n", job);
    } else {
        char *message = bwt_get(error, "/error/message");
        stream->write_function(stream, "-ERR %s\n", message != NULL ? message : "no memory");
        bw_free(message);
        free(kept);
    }
    bw_free(error);
    free(call);
    free(request);
    return SWITCH_STATUS_SUCCESS;
}

/* Drops no call. On failure, the client keeps its credentials. */
SWITCH_STANDARD_API(bandwidth_reload)
{
    char *document = NULL, *message = NULL;

    (void)cmd, (void)session;
    if (bw_client_reload(client, &document) == BW_OK) {
        stream->write_function(stream, "+OK %s\n", document);
    } else {
        message = bwt_get(document, "/error/message");
        stream->write_function(stream, "-ERR %s\n", message != NULL ? message : "no memory");
    }
    bw_free(message);
    bw_free(document);
    return SWITCH_STATUS_SUCCESS;
}

/* Fires an event for every completion, in a thread that FreeSWITCH creates. */
SWITCH_MODULE_RUNTIME_FUNCTION(mod_bandwidth_runtime)
{
    void *job;
    char *document;
    bw_status status;

    while (bw_queue_next(queue, -1, NULL, &job, &status, &document) == BW_OK) {
        switch_event_t *event;
        if (switch_event_create_subclass(&event, SWITCH_EVENT_CUSTOM, EVENT) ==
            SWITCH_STATUS_SUCCESS) {
            switch_event_add_header_string(event, SWITCH_STACK_BOTTOM, "Job-UUID", (char *)job);
            switch_event_add_header_string(event, SWITCH_STACK_BOTTOM, "Bandwidth-Status",
                                           bw_status_name(status));
            switch_event_add_body(event, "%s", document);
            switch_event_fire(&event);
        }
        bw_free(document);
        free(job);
    }
    /* The queue is closed, and an event was fired for every job. */
    bw_queue_free(queue);
    bw_client_free(client);
    return SWITCH_STATUS_TERM;
}

SWITCH_MODULE_LOAD_FUNCTION(mod_bandwidth_load)
{
    switch_api_interface_t *api_interface;
    char path[1024], config[1200], *error = NULL;
    int has_file;

    snprintf(path, sizeof path, "%s/bandwidth.json", SWITCH_GLOBAL_dirs.conf_dir);
    has_file = access(path, F_OK) == 0;
    snprintf(config, sizeof config, "{\"environment\": true, \"configFile\": \"%s\"}", path);
    if (bw_client_new(has_file ? config : NULL, &client, &error) != BW_OK ||
        bw_queue_new(client, NULL, &queue, &error) != BW_OK) {
        char *message = bwt_get(error, "/error/message");
        switch_log_printf(SWITCH_CHANNEL_LOG, SWITCH_LOG_ERROR, "mod_bandwidth: %s\n", message);
        bw_free(message);
        bw_free(error);
        /* FreeSWITCH does not shut down a module that fails to load. */
        bw_client_free(client);
        return SWITCH_STATUS_FALSE;
    }
    *module_interface = switch_loadable_module_create_module_interface(pool, modname);
    if (*module_interface == NULL) {
        bw_queue_free(queue);
        bw_client_free(client);
        return SWITCH_STATUS_MEMERR;
    }
    SWITCH_ADD_API(api_interface, "bandwidth_create", "Create a participant", bandwidth_create,
                   "[<tag>]");
    SWITCH_ADD_API(api_interface, "bandwidth_reload", "Read the credentials again", bandwidth_reload, "");
    return SWITCH_STATUS_SUCCESS;
}

/* After this function, FreeSWITCH waits for the end of the runtime function. */
SWITCH_MODULE_SHUTDOWN_FUNCTION(mod_bandwidth_shutdown)
{
    bw_queue_close(queue);
    return SWITCH_STATUS_SUCCESS;
}
