/* A host that changes its environment while we call; and a set-uid one.
 * Usage: environment changes CONFIG | secure */
#include "host.h"

static volatile int over;

static void *change(void *unused)
{
    char name[32];
    unsigned n;

    for (n = 0; !over; n++) {
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
    over = 1;
    pthread_join(thread, NULL);
    bw_client_free(client);
}

/* Its variables are those of whoever started it. */
static void secure(void)
{
    bw_client *client;
    char *error;

    CHECK(getuid() != geteuid());
    CHECK(bw_client_new(NULL, &client, &error) == BW_E_CONFIG && client == NULL);
    CHECK_TEXT(error, "set-uid process does not read its configuration from the environment");
    bw_free(error);
}

int main(int argc, char **argv)
{
    alarm(LIMIT);
    if (argc == 3)
        changes(argv[2]);
    else
        secure();
    return sum_up();
}
