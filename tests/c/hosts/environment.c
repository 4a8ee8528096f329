/* A host that changes its environment during calls, one that counts reads of it, and a set-uid host.
 * Usage: environment changes CONFIG | counts CONFIG | secure CONFIG */
#include "host.h"

static volatile int stop;
static int reads;

/* Replaces the C library's function: counts the reads of proxy variables. */
char *getenv(const char *name)
{
    size_t length = strlen(name);
    char **entry;

    reads += strstr(name, "PROXY") != NULL || strstr(name, "proxy") != NULL;
    for (entry = environ; entry != NULL && *entry != NULL; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    return NULL;
}

static void *change(void *unused)
{
    char name[32];
    unsigned n;

    for (n = 0; !stop; n++) {
        sprintf(name, "VARIABLE_%u", n % 500);
        setenv(name, "a value that takes some room in the environment", 1);
        setenv("HTTPS_PROXY", n % 2 ? "http://127.0.0.1:1" : "http://127.0.0.1:2", 1);
        unsetenv(name);
    }
    return unused;
}

/* To see it fail, read a variable (std::env::var_os) for every new connection in `open` of
 * src/transport/route.rs, as HTTP clients do to find a proxy: it reads the environment while it
 * changes. */
static void changes(const char *config)
{
    bw_client *client = client_of(config);
    pthread_t thread;
    int n, wrong = 0;

    pthread_create(&thread, NULL, change, NULL);
    for (n = 0; n < 2000; n++)
        wrong += create(client, "steady") != 0;
    CHECK(wrong == 0);
    for (n = 0; n < 200; n++) {
        bw_client *later = client_of(config);
        wrong += create(later, "later") != 0;
        bw_client_free(later);
    }
    CHECK(wrong == 0);
    stop = 1;
    pthread_join(thread, NULL);
    bw_client_free(client);
}

/* To see it fail, call ureq's `Agent::config_builder()` for every engine in src/transport/engine.rs.
 *
 * Only the first client reads the proxy variables, and it ignores them. */
static void counts(const char *config)
{
    bw_client *client;
    int n, first;
    pid_t child;

    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    setenv("HTTP_PROXY", "socks5://127.0.0.1:1", 1);
    client = client_of(config);
    first = reads;
    CHECK(first > 0 && first <= 8);
    for (n = 0; n < 3; n++) {
        bw_client *later = client_of(config);
        CHECK(create(client, "first") == 0);
        CHECK(create(later, "later") == 0);
        bw_client_free(later);
    }
    CHECK(reads == first);
    child = fork();
    if (child == 0) {
        bw_client *own;

        alarm(LIMIT);
        own = client_of(config);
        _exit(create(own, "child") != 0 || create(client, "inherited") != 0 || reads != first);
    }
    CHECK(status_of(child) == 0);
    bw_client_free(client);
}

/* The user that starts a set-uid program controls its environment. */
static void secure(const char *config)
{
    bw_client *client;
    char *error;

    CHECK(getuid() != geteuid());
    CHECK(bw_client_new(NULL, &client, &error) == BW_E_CONFIG && client == NULL);
    CHECK_TEXT(error, "set-uid process does not read its configuration from the environment");
    bw_free(error);
    CHECK(bw_client_new("{\"environment\":true}", &client, &error) == BW_E_CONFIG);
    CHECK_TEXT(error, "set-uid process does not read its configuration from the environment");
    bw_free(error);
    counts(config);
}

int main(int argc, char **argv)
{
    alarm(LIMIT);
    if (argc != 3)
        return 2;
    if (strcmp(argv[1], "changes") == 0)
        changes(argv[2]);
    else if (strcmp(argv[1], "counts") == 0)
        counts(argv[2]);
    else
        secure(argv[2]);
    return sum_up();
}
