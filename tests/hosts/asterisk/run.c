/* Runs app_bandwidth.c with replacements for Asterisk's functions, on threads with the stack sizes of servers.
 * Usage: run FOLDER, with bandwidth.json in the folder */
#include <pthread.h>
#include <sys/stat.h>

#include "../../c/check.h"
#include "app_bandwidth.c"

static char settings[1024];

static void *calls(void *unused)
{
    struct ast_channel chan, wrong;
    char tag[51];
    int n;

    for (n = 0; n < 5; n++) {
        memset(&chan, 0, sizeof chan);
        sprintf(tag, "%lx-%d", (unsigned long)pthread_self(), n);
        CHECK(standin_registered(&chan, tag) == 0);
        CHECK(chan.was_served == 1 && chan.served == 0);
        CHECK(chan.count == 3 && strcmp(chan.values[0], "BW_OK") == 0);
        CHECK(strcmp(chan.names[1], "BANDWIDTH_PARTICIPANT") == 0 && strlen(chan.values[1]) == 36);
        CHECK(strcmp(chan.names[2], "BANDWIDTH_TOKEN") == 0 && strlen(chan.values[2]) > 100);
    }
    memset(&wrong, 0, sizeof wrong);
    CHECK(standin_registered(&wrong, "a tag that is longer than the fifty characters it may have") == 0);
    CHECK(wrong.count == 1 && strcmp(wrong.values[0], "BW_E_INVALID_ARGUMENT") == 0);
    CHECK(wrong.served == 0);
    return unused;
}

static void reloads(void)
{
    const struct standin_module *module = &standin_module;

    CHECK(module->load == load_module && module->unload == unload_module);
    CHECK(module->reload() == AST_MODULE_LOAD_SUCCESS);
    CHECK_TEXT(standin_logged, "\"credentialsReplaced\":false");
    CHECK(chmod(settings, 0646) == 0);
    CHECK(module->reload() == AST_MODULE_LOAD_DECLINE);
    CHECK_TEXT(standin_logged, "chmod o-w");
    CHECK(chmod(settings, 0600) == 0);
}

int main(int argc, char **argv)
{
    static const size_t stacks[] = {112 * 1024, 240 * 1024, 496 * 1024};
    size_t i;

    if (argc != 2)
        return 2;
    ast_config_AST_CONFIG_DIR = argv[1];
    snprintf(settings, sizeof settings, "%s/bandwidth.json", argv[1]);
    /* A module that declines to load frees its client. */
    standin_fails = 1;
    CHECK(load_module() == AST_MODULE_LOAD_DECLINE && standin_registered == NULL);
    CHECK(bw_client_stats(client, NULL) == BW_E_INVALID_HANDLE);
    standin_fails = 0;
    CHECK(load_module() == AST_MODULE_LOAD_SUCCESS);
    reloads();
    for (i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        CHECK(pthread_attr_setstacksize(&attributes, stacks[i]) == 0);
        CHECK(pthread_create(&thread, &attributes, calls, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    CHECK(unload_module() == 0 && standin_registered == NULL);
    return sum_up();
}
