/* A host that forks while one of its threads requests an access token. The children request their own
 * tokens, and their children use the inherited tokens.
 * To see it fail, let Authenticator.requests in src/auth be no PerProcess value.
 * Usage: token_fork CONFIG. The token endpoint must delay its first response. */
#include "host.h"

static bw_client *client;

static void *first_call(void *unused)
{
    (void)unused;
    return (void *)(size_t)create(client, "first");
}

/* Makes fifty calls, then one in a grandchild. Returns the number of failures. */
static int calls(void)
{
    char tag[51];
    int n, wrong = 0;
    pid_t grandchild;

    alarm(LIMIT);
    for (n = 0; n < 50; n++) {
        snprintf(tag, sizeof tag, "child-%ld-%d", (long)getpid(), n);
        wrong += create(client, tag) != 0;
    }
    fflush(stdout);
    grandchild = fork();
    if (grandchild == 0) {
        alarm(LIMIT);
        snprintf(tag, sizeof tag, "grandchild-%ld", (long)getpid());
        wrong = create(client, tag) != 0 || counted(client, "/tokenRequests") != 0;
        bw_client_free(client);
        fflush(stdout);
        _exit(wrong);
    }
    return wrong + (status_of(grandchild) != 0);
}

int main(int argc, char **argv)
{
    pid_t children[8];
    pthread_t thread;
    void *wrong;
    double limit;
    int i;

    if (argc != 2)
        return 2;
    alarm(3 * LIMIT);
    client = client_of(argv[1]);
    CHECK(pthread_create(&thread, NULL, first_call, NULL) == 0);
    limit = now() + LIMIT;
    while (counted(client, "/tokenRequests") != 1 && now() < limit)
        usleep(1000);
    fflush(stdout);
    for (i = 0; i < 8; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(calls());
    }
    for (i = 0; i < 8; i++)
        CHECK(status_of(children[i]) == 0);
    pthread_join(thread, &wrong);
    CHECK(wrong == NULL);
    CHECK(create(client, "last") == 0);
    CHECK(counted(client, "/tokenRequests") == 1);
    bw_client_free(client);
    return sum_up();
}
