/* A host with timers and thread cancellation. Usage: signals timers CONFIG | cancel CONFIG */
#include "host.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>

static bw_client *client;
static atomic_int ticks, ticks_on_other_threads;
static pid_t host_threads[4];
static sigset_t alarms;
static int callers_unblock_it;

static void tick(int number)
{
    pid_t self = (pid_t)syscall(SYS_gettid);
    int i, is_host_thread = 0;

    (void)number;
    atomic_fetch_add(&ticks, 1);
    for (i = 0; i < 4; i++)
        is_host_thread |= host_threads[i] == self;
    if (!is_host_thread)
        atomic_fetch_add(&ticks_on_other_threads, 1);
}

static void *calls(void *at)
{
    char tag[16];
    int n, wrong = 0;

    host_threads[(size_t)at] = (pid_t)syscall(SYS_gettid);
    pthread_sigmask(callers_unblock_it ? SIG_UNBLOCK : SIG_BLOCK, &alarms, NULL);
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
    host_threads[0] = (pid_t)syscall(SYS_gettid);
    /* The main thread blocks the signal. Otherwise, the kernel would send all of them to it. */
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarms, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    callers_unblock_it = 1;
    three_threads();
    CHECK(atomic_load(&ticks) > 100);
    /* All threads of the host block the signal, so only a thread of the library could receive it. */
    callers_unblock_it = 0;
    before = atomic_load(&ticks);
    three_threads();
    CHECK(atomic_load(&ticks) == before);
    CHECK(atomic_load(&ticks_on_other_threads) == 0);
    /* The handler and the mask of the host are unchanged. */
    sigaction(SIGALRM, NULL, &action);
    CHECK(action.sa_handler == tick);
    pthread_sigmask(SIG_BLOCK, NULL, &alarms);
    CHECK(sigismember(&alarms, SIGALRM) == 1 && sigismember(&alarms, SIGTERM) == 0);
}

static atomic_int ended;

static void *cancelled(void *unused)
{
    (void)unused;
    /* 10 if the call succeeds. */
    atomic_store(&ended, 10 + create(client, "cancelled"));
    pthread_testcancel();
    return NULL;
}

/* The call completes before the thread is cancelled. To see it fail, take `hold_off_cancellation` out of src/ffi/boundary.rs. */
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
