/* A host with timers and thread cancellation. Usage: signals timers CONFIG | cancel CONFIG */
#include "host.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>

static bw_client *client;
static atomic_int ticks, strangers;
static pid_t hosts[4];
static sigset_t alarms;
static int callers_take_it;

static void tick(int number)
{
    pid_t me = (pid_t)syscall(SYS_gettid);
    int i, mine = 0;

    (void)number;
    atomic_fetch_add(&ticks, 1);
    for (i = 0; i < 4; i++)
        mine |= hosts[i] == me;
    if (!mine)
        atomic_fetch_add(&strangers, 1);
}

static void *calls(void *at)
{
    char tag[16];
    int n, wrong = 0;

    hosts[(size_t)at] = (pid_t)syscall(SYS_gettid);
    pthread_sigmask(callers_take_it ? SIG_UNBLOCK : SIG_BLOCK, &alarms, NULL);
    for (n = 0; n < 5; n++) {
        sprintf(tag, "%d-%d", (int)(size_t)at, n);
        wrong += create(client, tag) != 0;
    }
    return (void *)(size_t)wrong;
}

static void three_threads(void)
{
    pthread_t threads[3];
    void *wrong;
    int i;

    for (i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, calls, (void *)(size_t)(i + 1));
    for (i = 0; i < 3; i++) {
        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL);
    }
}

/* 500 Hz, without SA_RESTART, while calls are slow and every one looks a name up. To see it fail,
 * take `Interrupted` out of `transfer` in src/transport/connection.rs; or, for the second half, the
 * pthread_sigmask out of src/sys/thread.rs. */
static void timers(void)
{
    struct itimerval often = {{0, 2000}, {0, 2000}};
    struct sigaction action;
    int before;

    memset(&action, 0, sizeof action);
    action.sa_handler = tick;
    sigaction(SIGALRM, &action, NULL);
    hosts[0] = (pid_t)syscall(SYS_gettid);
    /* The kernel would give them all to the first thread if it took them. */
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarms, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    callers_take_it = 1;
    three_threads();
    CHECK(atomic_load(&ticks) > 100);
    /* With the signal blocked in all threads of the host it could only run on one of ours. */
    callers_take_it = 0;
    before = atomic_load(&ticks);
    three_threads();
    CHECK(atomic_load(&ticks) == before);
    CHECK(atomic_load(&strangers) == 0);
    /* What the host had set is as it was. */
    sigaction(SIGALRM, NULL, &action);
    CHECK(action.sa_handler == tick);
    pthread_sigmask(SIG_BLOCK, NULL, &alarms);
    CHECK(sigismember(&alarms, SIGALRM) == 1 && sigismember(&alarms, SIGTERM) == 0);
}

static atomic_int ended;

static void *cancelled(void *unused)
{
    (void)unused;
    /* 10 if it comes back as it should. */
    atomic_store(&ended, 10 + create(client, "cancelled"));
    pthread_testcancel();
    return NULL;
}

/* The call ends first. To see it fail, take `hold_off_cancellation` out of src/ffi/boundary.rs. */
static void cancel(void)
{
    struct timespec moment = {0, 100000000};
    int n;

    for (n = 0; n < 5; n++) {
        pthread_t thread;
        void *result;
        atomic_store(&ended, 0);
        pthread_create(&thread, NULL, cancelled, NULL);
        nanosleep(&moment, NULL);
        CHECK(atomic_load(&ended) == 0);
        pthread_cancel(thread);
        CHECK(pthread_join(thread, &result) == 0);
        CHECK(result == PTHREAD_CANCELED && atomic_load(&ended) == 10);
    }
    CHECK(counted(client, "/inFlight") == 0);
    CHECK(create(client, "afterwards") == 0);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    client = client_of(argv[2]);
    if (strcmp(argv[1], "timers") == 0)
        timers();
    else
        cancel();
    bw_client_free(client);
    return sum_up();
}
