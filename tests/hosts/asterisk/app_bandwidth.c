/* An Asterisk dialplan application that creates a participant for the caller:
 *
 *     same => n,BandwidthParticipant(${CALLERID(num)})
 *     same => n,GotoIf($["${BANDWIDTH_STATUS}" != "BW_OK"]?failed)
 *
 * It sets BANDWIDTH_STATUS and, if that is BW_OK, BANDWIDTH_PARTICIPANT and BANDWIDTH_TOKEN. The
 * channel's media continues meanwhile (autoservice). The credentials are in the environment of
 * Asterisk: BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET.
 *
 * cc -shared -fPIC app_bandwidth.c -o app_bandwidth.so $(pkg-config --cflags --libs bw_webrtc) */
#define AST_MODULE_SELF_SYM __internal_app_bandwidth_self
#define AST_MODULE "app_bandwidth"
#include "asterisk.h"

#include "asterisk/channel.h"
#include "asterisk/logger.h"
#include "asterisk/module.h"
#include "asterisk/pbx.h"

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

static int load_module(void)
{
    bwt_error error;

    if (bwt_client_new(NULL, &client, &error) != BW_OK) {
        ast_log(LOG_ERROR, "%s: %s\n", app, error.message);
        bwt_error_clear(&error);
        return AST_MODULE_LOAD_DECLINE;
    }
    if (ast_register_application(app, participant_exec, "Create a Bandwidth WebRTC participant",
                                 "BandwidthParticipant([tag])") != 0) {
        /* Asterisk does not unload a module that declines to load. */
        bw_client_free(client);
        return AST_MODULE_LOAD_DECLINE;
    }
    return AST_MODULE_LOAD_SUCCESS;
}

static int unload_module(void)
{
    int failed = ast_unregister_application(app);

    /* Cancels calls in progress. */
    bw_client_free(client);
    return failed;
}

AST_MODULE_INFO_STANDARD(ASTERISK_GPL_KEY, "Participants of Bandwidth's WebRTC service");
