/* An Asterisk dialplan application that creates a participant for the caller:
 *
 *     same => n,BandwidthParticipant(${CALLERID(num)})
 *     same => n,GotoIf($["${BANDWIDTH_STATUS}" != "BW_OK"]?failed)
 *
 * It sets BANDWIDTH_STATUS and, if that is BW_OK, BANDWIDTH_PARTICIPANT and BANDWIDTH_TOKEN. The
 * channel's media continues meanwhile (autoservice). The settings are in bandwidth.json in Asterisk's
 * configuration folder, or in the file that BW_CONFIG_FILE names; environment variables override
 * them. `module reload app_bandwidth.so` reads the credentials again.
 *
 * cc -shared -fPIC app_bandwidth.c -o app_bandwidth.so $(pkg-config --cflags --libs bw_webrtc) */
#define AST_MODULE_SELF_SYM __internal_app_bandwidth_self
#define AST_MODULE "app_bandwidth"
#include "asterisk.h"

#include "asterisk/channel.h"
#include "asterisk/logger.h"
#include "asterisk/module.h"
#include "asterisk/paths.h"
#include "asterisk/pbx.h"

#include <unistd.h>

#include "bw_webrtc_typed.h"

static const char app[] = "BandwidthParticipant";
static bw_client *client;

static int participant_exec(struct ast_channel *chan, const char *data)
{
    bwt_participant_options wanted = BWT_PARTICIPANT_OPTIONS_INIT;
    bwt_participant participant;
    bwt_error error;
    bw_status status;

    wanted.publish_audio = 1;
    wanted.tag = data != NULL && *data != '\0' ? data : NULL;
    if (ast_autoservice_start(chan) != 0)
        return -1;
    status = bwt_create_participant(client, &wanted, &participant, &error);
    ast_autoservice_stop(chan);

    pbx_builtin_setvar_helper(chan, "BANDWIDTH_STATUS", bw_status_name(status));
    if (status == BW_OK) {
        pbx_builtin_setvar_helper(chan, "BANDWIDTH_PARTICIPANT", participant.id);
        pbx_builtin_setvar_helper(chan, "BANDWIDTH_TOKEN", participant.token);
        bwt_participant_clear(&participant);
    } else {
        ast_log(LOG_WARNING, "%s: %s (outcome %s)\n", app, error.message, error.outcome);
        bwt_error_clear(&error);
    }
    return 0;
}

/* Logs the message of an error document, and frees the document. */
static int log_error(char *document)
{
    char *message = bwt_get(document, "/error/message");

    ast_log(LOG_ERROR, "%s: %s\n", app, message != NULL ? message : "no memory");
    bw_free(message);
    bw_free(document);
    return AST_MODULE_LOAD_DECLINE;
}

static int load_module(void)
{
    char path[1024], config[1200], *error = NULL;
    int has_file;

    snprintf(path, sizeof path, "%s/bandwidth.json", ast_config_AST_CONFIG_DIR);
    has_file = access(path, F_OK) == 0;
    snprintf(config, sizeof config, "{\"environment\": true, \"configFile\": \"%s\"}", path);
    if (bw_client_new(has_file ? config : NULL, &client, &error) != BW_OK)
        return log_error(error);
    if (ast_register_application(app, participant_exec, "Create a Bandwidth WebRTC participant",
                                 "BandwidthParticipant([tag])") != 0) {
        /* Asterisk does not unload a module that declines to load. */
        bw_client_free(client);
        return AST_MODULE_LOAD_DECLINE;
    }
    return AST_MODULE_LOAD_SUCCESS;
}

/* Drops no call. On failure, the client keeps its credentials. */
static int reload_module(void)
{
    char *document = NULL;

    if (bw_client_reload(client, &document) != BW_OK)
        return log_error(document);
    ast_log(LOG_NOTICE, "%s: %s\n", app, document);
    bw_free(document);
    return AST_MODULE_LOAD_SUCCESS;
}

static int unload_module(void)
{
    int failed = ast_unregister_application(app);

    /* Cancels calls in progress. */
    bw_client_free(client);
    return failed;
}

AST_MODULE_INFO(ASTERISK_GPL_KEY, AST_MODFLAG_DEFAULT, "Participants of Bandwidth's WebRTC service",
                .support_level = AST_MODULE_SUPPORT_EXTENDED, .load = load_module,
                .unload = unload_module, .reload = reload_module, );
