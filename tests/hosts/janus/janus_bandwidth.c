/* A Janus plugin that creates participants of Bandwidth's WebRTC service.
 *
 * The response to {"request": "create", "tag": ".."} is sent when the service has responded. The response to
 * {"request": "create_later", "tag": ".."} is sent immediately, and an event contains the participant.
 * bandwidth.json in Janus's configuration folder, or else the file that BW_CONFIG_FILE names, contains the
 * settings; environment variables override them. {"request": "reload"} of the Admin API
 * (message_plugin) reads the credentials again.
 *
 * cc -shared -fPIC -I/usr/include/janus janus_bandwidth.c -o libjanus_bandwidth.so \
 *   $(pkg-config --cflags --libs bw_webrtc glib-2.0 jansson) */
#include <jansson.h>
#include <plugins/plugin.h>
#include <debug.h>

#include "bw_webrtc.h"

#define PACKAGE "janus.plugin.bandwidth"
/* The id of a participant that does not exist. Reading it has no effect. */
#define CHECK "{\"operation\": \"getParticipant\", " \
              "\"participantId\": \"00000000-0000-0000-0000-000000000000\"}"

static int init(janus_callbacks *callback, const char *config_path);
static void destroy(void);
static struct janus_plugin_result *on_message(janus_plugin_session *handle, char *transaction,
                                              json_t *message, json_t *jsep);
static json_t *on_admin_message(json_t *message);

static int api(void) { return JANUS_PLUGIN_API_VERSION; }
static int version(void) { return 1; }
static const char *version_string(void) { return "0.1.0"; }
static const char *description(void) { return "Participants of Bandwidth's WebRTC service"; }
static const char *name(void) { return "Bandwidth"; }
static const char *author(void) { return "The libbw_webrtc developers"; }
static const char *package(void) { return PACKAGE; }
static void session(janus_plugin_session *handle, int *error) { (void)handle, (void)error; }
static void media(janus_plugin_session *handle) { (void)handle; }
static json_t *query(janus_plugin_session *handle) { (void)handle; return json_object(); }

static janus_plugin plugin = JANUS_PLUGIN_INIT(
    .init = init, .destroy = destroy, .get_api_compatibility = api,
    .get_version = version, .get_version_string = version_string, .get_description = description,
    .get_name = name, .get_author = author, .get_package = package, .create_session = session,
    .handle_message = on_message, .handle_admin_message = on_admin_message, .setup_media = media, .hangup_media = media,
    .destroy_session = session, .query_session = query);

static janus_callbacks *janus;
static bw_client *client;
static bw_queue *queue;
static GThread *events;

/* The caller of a call. */
typedef struct waiting {
    janus_plugin_session *handle;
    char *transaction;
} waiting;

static void done_with(waiting *whose)
{
    janus_refcount_decrease(&whose->handle->ref);
    g_free(whose->transaction), g_free(whose);
}

/* The event for the session: the status of the call, and the library's document. */
static json_t *reply(bw_status status, char *document)
{
    json_t *result = json_loads(document != NULL ? document : "null", JSON_DECODE_ANY, NULL);
    json_t *reply = json_pack("{s:s, s:s, s:o}", "bandwidth", "event", "status",
                              bw_status_name(status), "answer", result);
    bw_free(document);
    return reply;
}

/* Logs the message of an error document. */
static void log_error(const char *what, const char *document)
{
    char *message = NULL;

    bw_json_get(document, "/error/message", &message);
    JANUS_LOG(LOG_ERR, "%s: %s%s\n", PACKAGE, what, message);
    bw_free(message);
}

/* Pushes an event for every completion, until the queue is closed and all are fetched. */
static void *push_events(void *unused)
{
    void *data;
    char *document;
    bw_status status;

    while (bw_queue_next(queue, -1, NULL, &data, &status, &document) == BW_OK) {
        waiting *whose = data;
        json_t *event;

        if (whose == NULL) {
            /* This call checks the configuration. */
            if (status != BW_OK && status != BW_E_NOT_FOUND && status != BW_E_CANCELLED)
                log_error("calls will fail until this is fixed: ", document);
            bw_free(document);
            continue;
        }
        event = reply(status, document);
        janus->push_event(whose->handle, &plugin, whose->transaction, event, NULL);
        json_decref(event);
        done_with(whose);
    }
    return unused;
}

static int init(janus_callbacks *callback, const char *config_path)
{
    char *file = g_build_filename(config_path, "bandwidth.json", NULL), *error = NULL;
    json_t *settings = json_pack("{s:b}", "environment", 1);
    char *config;

    janus = callback;
    if (g_file_test(file, G_FILE_TEST_EXISTS))
        json_object_set_new(settings, "configFile", json_string(file));
    config = json_dumps(settings, 0);
    if (bw_client_new(config, &client, &error) != BW_OK ||
        bw_queue_new(client, NULL, &queue, &error) != BW_OK)
        log_error("", error);
    free(config), json_decref(settings), g_free(file), bw_free(error);
    if (queue == NULL) {
        /* Janus does not destroy a plugin that failed to initialize. */
        bw_client_free(client);
        return -1;
    }
    /* The result is only logged, so that Janus also starts without the service. */
    bw_queue_submit(queue, CHECK, NULL, NULL, NULL);
    events = g_thread_new("bandwidth", push_events, NULL);
    return 0;
}

/* 1. Accept no new calls, and cancel all others. 2. Push every event. 3. Free the rest. */
static void destroy(void)
{
    bw_queue_close(queue);
    g_thread_join(events);
    bw_queue_free(queue), bw_client_free(client);
}

static struct janus_plugin_result *on_message(janus_plugin_session *handle, char *transaction,
                                              json_t *message, json_t *jsep)
{
    const char *request = json_string_value(json_object_get(message, "request"));
    json_t *body = json_pack("{s:[s], s:O?}", "publishPermissions", "AUDIO", "tag",
                             json_object_get(message, "tag"));
    struct janus_plugin_result *result;
    char *document = NULL;
    bw_status status;

    if (g_strcmp0(request, "create_later") == 0) {
        json_t *call = json_pack("{s:s, s:o}", "operation", "createParticipant", "body", body);
        char *text = json_dumps(call, 0);
        waiting *whose = g_new0(waiting, 1);
        whose->handle = handle, whose->transaction = g_strdup(transaction);
        janus_refcount_increase(&handle->ref);
        status = bw_queue_submit(queue, text, whose, NULL, &document);
        free(text), json_decref(call);
        if (status == BW_OK) {
            result = janus_plugin_result_new(JANUS_PLUGIN_OK_WAIT, NULL, NULL);
        } else {
            janus_refcount_decrease(&handle->ref);
            g_free(whose->transaction);
            g_free(whose);
            result = janus_plugin_result_new(JANUS_PLUGIN_OK, NULL, reply(status, document));
        }
    } else if (g_strcmp0(request, "create") == 0) {
        char *text = json_dumps(body, 0);
        status = bw_create_participant(client, text, &document);
        free(text), json_decref(body);
        result = janus_plugin_result_new(JANUS_PLUGIN_OK, NULL, reply(status, document));
    } else {
        json_decref(body);
        result = janus_plugin_result_new(JANUS_PLUGIN_ERROR, "request: create or create_later", NULL);
    }
    /* Janus passes ownership of these. */
    g_free(transaction), json_decref(message), json_decref(jsep);
    return result;
}

/* Drops no call. On failure, the client keeps its credentials. */
static json_t *on_admin_message(json_t *message)
{
    const char *request = json_string_value(json_object_get(message, "request"));
    char *document = NULL;
    bw_status status;

    if (g_strcmp0(request, "reload") != 0)
        return json_pack("{s:s}", "error", "request: reload");
    status = bw_client_reload(client, &document);
    return reply(status, document);
}

janus_plugin *create(void) { return &plugin; }
