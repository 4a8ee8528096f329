/* Runs mod_bandwidth.c with replacements for FreeSWITCH's functions, on threads with the stack sizes of servers.
 * Usage: run FOLDER, with bandwidth.json in the folder */
#include <sys/stat.h>
#include <time.h>

#include "../../c/check.h"
#include "bw_webrtc.h"

static int queue_fails;

static bw_status new_queue(bw_client *client, const char *options, bw_queue **queue, char **error)
{
    return bw_queue_new(client, queue_fails ? "{\"workers\":0}" : options, queue, error);
}

#define bw_queue_new new_queue
#include "mod_bandwidth.c"

enum { EACH = 10, STACKS = 3 };

static switch_status_t write_text(switch_stream_handle_t *stream, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vsnprintf(stream->text, sizeof stream->text, format, values);
    va_end(values);
    return SWITCH_STATUS_SUCCESS;
}

static pthread_t on_stack(size_t size, void *(*work)(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstacksize(&attributes, size) == 0);
    CHECK(pthread_create(&thread, &attributes, work, NULL) == 0);
    return thread;
}

static void *commands(void *unused)
{
    switch_stream_handle_t stream = {"", write_text};
    int n;

    for (n = 0; n < EACH; n++) {
        CHECK(standin_api.function("a \"caller\"", NULL, &stream) == SWITCH_STATUS_SUCCESS);
        CHECK_TEXT(stream.text, "+OK Job-UUID: job-");
    }
    standin_api.function("a tag that is longer than the fifty characters it may have", NULL, &stream);
    CHECK_TEXT(stream.text, "-ERR call.body.tag: ");
    return unused;
}

static void *runtime(void *unused)
{
    CHECK(mod_bandwidth_runtime() == SWITCH_STATUS_TERM);
    return unused;
}

static int fired(void)
{
    int count;

    pthread_mutex_lock(&standin_fired.lock);
    count = standin_fired.count;
    pthread_mutex_unlock(&standin_fired.lock);
    return count;
}

/* A module that fails to load frees what it created. */
static void does_not_load(void)
{
    switch_loadable_module_interface_t *module;

    queue_fails = 1;
    CHECK(mod_bandwidth_load(&module, NULL) == SWITCH_STATUS_FALSE);
    CHECK(bw_client_stats(client, NULL) == BW_E_INVALID_HANDLE);
    queue_fails = 0;
    standin_fails = 1;
    CHECK(mod_bandwidth_load(&module, NULL) == SWITCH_STATUS_MEMERR);
    CHECK(bw_client_stats(client, NULL) == BW_E_INVALID_HANDLE);
    CHECK(bw_queue_close(queue) == BW_E_INVALID_HANDLE);
    standin_fails = 0;
}

static void reloads(const char *folder)
{
    switch_stream_handle_t stream = {"", write_text};
    char settings[1024];

    snprintf(settings, sizeof settings, "%s/bandwidth.json", folder);
    CHECK(strcmp(standin_reload.name, "bandwidth_reload") == 0);
    CHECK(standin_reload.function("", NULL, &stream) == SWITCH_STATUS_SUCCESS);
    CHECK_TEXT(stream.text, "+OK {\"credentialsReplaced\":false");
    CHECK(chmod(settings, 0646) == 0);
    CHECK(standin_reload.function("", NULL, &stream) == SWITCH_STATUS_SUCCESS);
    CHECK_TEXT(stream.text, "-ERR ");
    CHECK_TEXT(stream.text, "chmod o-w");
    CHECK(chmod(settings, 0600) == 0);
}

int main(int argc, char **argv)
{
    static const size_t stacks[STACKS] = {112 * 1024, 240 * 1024, 496 * 1024};
    switch_loadable_module_interface_t *module;
    struct timespec moment = {0, 10000000};
    pthread_t running;
    int i, tries;

    if (argc != 2)
        return 2;
    SWITCH_GLOBAL_dirs.conf_dir = argv[1];
    does_not_load();
    CHECK(mod_bandwidth_load(&module, NULL) == SWITCH_STATUS_SUCCESS);
    CHECK(strcmp(module->name, "mod_bandwidth") == 0);
    CHECK(strcmp(standin_api.name, "bandwidth_create") == 0);
    reloads(argv[1]);
    running = on_stack(stacks[1], runtime);
    for (i = 0; i < STACKS; i++)
        CHECK(pthread_join(on_stack(stacks[i], commands), NULL) == 0);
    for (tries = 0; tries < 3000 && fired() < STACKS * EACH; tries++)
        nanosleep(&moment, NULL);
    CHECK(fired() == STACKS * EACH);
    for (i = 0; i < fired(); i++) {
        switch_event_t *event = standin_fired.events[i];
        CHECK_TEXT(event->job, "job-");
        CHECK(strcmp(event->status, "BW_OK") == 0);
        CHECK_TEXT(event->body, "a \\\"caller\\\"");
        free(event->body);
        free(event);
    }
    CHECK(mod_bandwidth_shutdown() == SWITCH_STATUS_SUCCESS);
    CHECK(pthread_join(running, NULL) == 0);
    return sum_up();
}
