/* A host that loads and unloads a module, and whose threads end afterwards. tests/ports/reload.c
 * is the test that fails without -z nodelete. Usage: unload LIBRARY CONFIG */
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include "../check.h"
#include "bw_webrtc.h"

static const char *library, *config;

/* Loads the library, makes a call, and unloads it. Its thread-local data is destroyed later. */
static void *plugin(void *unused)
{
    bw_status (*new)(const char *, bw_client **, char **);
    bw_status (*create_participant)(bw_client *, const char *, char **);
    void (*client_free)(bw_client *);
    void (*text_free)(void *);
    bw_client *client;
    char *out = NULL;
    void *module = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    bw_status status = -1;

    (void)unused;
    if (module == NULL) {
        printf("%s\n", dlerror());
        return (void *)1;
    }
    *(void **)&new = dlsym(module, "bw_client_new");
    *(void **)&create_participant = dlsym(module, "bw_create_participant");
    *(void **)&client_free = dlsym(module, "bw_client_free");
    *(void **)&text_free = dlsym(module, "bw_free");
    if (new(config, &client, &out) == BW_OK)
        status = create_participant(client, "{}", &out);
    if (status != BW_OK)
        printf("%s\n", out != NULL ? out : "(NULL)");
    text_free(out);
    client_free(client);
    dlclose(module);
    return (void *)(size_t)(status != BW_OK);
}

int main(int argc, char **argv)
{
    int n;

    if (argc != 3)
        return 2;
    alarm(60);
    library = argv[1];
    config = argv[2];
    for (n = 0; n < 20; n++) {
        pthread_t thread;
        void *wrong;
        CHECK(pthread_create(&thread, NULL, plugin, NULL) == 0);
        CHECK(pthread_join(thread, &wrong) == 0 && wrong == NULL);
        CHECK(plugin(NULL) == NULL);
    }
    return sum_up();
}
