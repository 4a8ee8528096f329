/* A replacement for the parts of FreeSWITCH's header that mod_bandwidth.c uses. It is not FreeSWITCH. */
#ifndef SWITCH_STANDIN_H
#define SWITCH_STANDIN_H

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int switch_status_t;
#define SWITCH_STATUS_SUCCESS 0
#define SWITCH_STATUS_FALSE 1
#define SWITCH_STATUS_TERM 2
#define SWITCH_STATUS_MEMERR 3
#define SWITCH_UUID_FORMATTED_LENGTH 256
#define SWITCH_STACK_BOTTOM 0
#define SWITCH_EVENT_CUSTOM 0
#define SWITCH_CHANNEL_LOG 0
#define SWITCH_LOG_ERROR "ERROR"
#define zstr(text) ((text) == NULL || *(text) == '\0')

typedef struct switch_core_session switch_core_session_t;
typedef struct switch_memory_pool switch_memory_pool_t;
typedef struct switch_loadable_module_interface {
    const char *name;
} switch_loadable_module_interface_t;

typedef struct switch_stream_handle {
    char text[4096];
    switch_status_t (*write_function)(struct switch_stream_handle *, const char *, ...);
} switch_stream_handle_t;

typedef switch_status_t (*switch_api_function_t)(const char *, switch_core_session_t *,
                                                 switch_stream_handle_t *);
typedef struct switch_api_interface {
    const char *name;
    switch_api_function_t function;
} switch_api_interface_t;

typedef struct switch_event {
    char job[300], status[64], *body;
} switch_event_t;

/* Whether the module cannot be registered. */
static int standin_fails;
/* What the module registered, and the events that it fired. */
static switch_api_interface_t standin_api, standin_reload;
/* FreeSWITCH's folders. */
static struct {
    const char *conf_dir;
} SWITCH_GLOBAL_dirs = {"/nowhere"};
static struct {
    pthread_mutex_t lock;
    switch_event_t *events[256];
    int count;
} standin_fired = {PTHREAD_MUTEX_INITIALIZER, {NULL}, 0};

#define SWITCH_STANDARD_API(name) \
    static switch_status_t name(const char *cmd, switch_core_session_t *session, \
                                switch_stream_handle_t *stream)
#define SWITCH_MODULE_LOAD_FUNCTION(name) \
    switch_status_t name(switch_loadable_module_interface_t **module_interface, \
                         switch_memory_pool_t *pool)
#define SWITCH_MODULE_RUNTIME_FUNCTION(name) switch_status_t name(void)
#define SWITCH_MODULE_SHUTDOWN_FUNCTION(name) switch_status_t name(void)
#define SWITCH_MODULE_DEFINITION(name, load, shutdown, runtime) static const char modname[] = #name
#define SWITCH_ADD_API(interface, its_name, description, its_function, syntax) \
    do { \
        interface = strcmp(its_name, "bandwidth_reload") == 0 ? &standin_reload : &standin_api; \
        interface->name = its_name; \
        interface->function = its_function; \
    } while (0)

static switch_loadable_module_interface_t *
switch_loadable_module_create_module_interface(switch_memory_pool_t *pool, const char *name)
{
    static switch_loadable_module_interface_t module;

    (void)pool;
    module.name = name;
    return standin_fails ? NULL : &module;
}

static char *switch_mprintf(const char *format, const char *text)
{
    size_t room = strlen(format) + strlen(text) + 1;
    char *made = malloc(room);

    if (made != NULL)
        snprintf(made, room, format, text);
    return made;
}

static char *switch_uuid_str(char *text, size_t room)
{
    static int last;

    snprintf(text, room, "job-%d", __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED));
    return text;
}

static void switch_log_printf(int channel, const char *level, const char *format, const char *text)
{
    (void)channel;
    printf("%s ", level);
    printf(format, text);
}

static switch_status_t switch_event_create_subclass(switch_event_t **event, int kind, const char *name)
{
    (void)kind, (void)name;
    *event = calloc(1, sizeof **event);
    return *event != NULL ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

static switch_status_t switch_event_add_header_string(switch_event_t *event, int stack,
                                                      const char *name, const char *value)
{
    (void)stack;
    if (strcmp(name, "Job-UUID") == 0)
        snprintf(event->job, sizeof event->job, "%s", value);
    else
        snprintf(event->status, sizeof event->status, "%s", value);
    return SWITCH_STATUS_SUCCESS;
}

static switch_status_t switch_event_add_body(switch_event_t *event, const char *format,
                                             const char *text)
{
    (void)format;
    event->body = strdup(text);
    return SWITCH_STATUS_SUCCESS;
}

static void switch_event_fire(switch_event_t **event)
{
    pthread_mutex_lock(&standin_fired.lock);
    standin_fired.events[standin_fired.count++] = *event;
    pthread_mutex_unlock(&standin_fired.lock);
    *event = NULL;
}

#endif
