/* A replacement for the parts of Asterisk's headers that app_bandwidth.c uses. It is not Asterisk. */
#ifndef ASTERISK_STANDIN_H
#define ASTERISK_STANDIN_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define AST_MODULE_LOAD_SUCCESS 0
#define AST_MODULE_LOAD_DECLINE 1
#define ASTERISK_GPL_KEY "GPL"
#define LOG_ERROR "ERROR"
#define LOG_WARNING "WARNING"
#define LOG_NOTICE "NOTICE"
#define AST_MODFLAG_DEFAULT 0
#define AST_MODULE_SUPPORT_EXTENDED 1
#define AST_MODULE_INFO(key, flags, text, ...) \
    static const struct standin_module standin_module = {key, flags, text, __VA_ARGS__}

struct standin_module {
    const char *key;
    int flags;
    const char *description;
    int support_level;
    int (*load)(void), (*unload)(void), (*reload)(void);
};

/* Asterisk's configuration folder. */
static const char *ast_config_AST_CONFIG_DIR = "/nowhere";

struct ast_channel {
    int served, was_served;
    char names[4][32], values[4][512];
    int count;
};

typedef int (*standin_app)(struct ast_channel *, const char *);
static standin_app standin_registered;
/* Whether an application cannot be registered. */
static int standin_fails;

static int ast_register_application(const char *name, standin_app run, const char *synopsis,
                                    const char *description)
{
    (void)name, (void)synopsis, (void)description;
    if (standin_fails)
        return -1;
    standin_registered = run;
    return 0;
}

static int ast_unregister_application(const char *name)
{
    (void)name;
    standin_registered = NULL;
    return 0;
}

static int ast_autoservice_start(struct ast_channel *chan)
{
    chan->was_served++;
    return chan->served++ != 0;
}

static int ast_autoservice_stop(struct ast_channel *chan) { return --chan->served != 0; }

static int pbx_builtin_setvar_helper(struct ast_channel *chan, const char *name, const char *value)
{
    snprintf(chan->names[chan->count], sizeof chan->names[0], "%s", name);
    snprintf(chan->values[chan->count], sizeof chan->values[0], "%s", value);
    chan->count++;
    return 0;
}

/* The last line of the log. */
static char standin_logged[1024];

static void ast_log(const char *level, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    printf("%s ", level);
    vprintf(format, values);
    va_end(values);
    va_start(values, format);
    vsnprintf(standin_logged, sizeof standin_logged, format, values);
    va_end(values);
}

#endif
