/* A host that sets an interrupt callback. The service delays getSession beyond the limit of this
 * program, and createSession by 0.4 s. Usage: interrupt CONFIG */
#include "host.h"

#include <sys/time.h>

static bw_client *client;
static volatile sig_atomic_t signalled;

/* What the callback does, and how often it ran. */
static int32_t (*work)(void);
static int runs, runs_on_other_threads;
static pthread_t main_thread;

static int32_t interrupted(void *user_data)
{
    CHECK(user_data == (void *)&runs);
    runs++;
    runs_on_other_threads += !pthread_equal(pthread_self(), main_thread);
    return work != NULL ? work() : 0;
}

static void set(int32_t (*function)(void))
{
    work = function;
    runs = 0;
    bw_thread_set_interrupt(interrupted, &runs);
}

static void on_signal(int number)
{
    signalled = number;
}

static int32_t was_signalled(void)
{
    return signalled;
}

/* A signal after 0.2 s, without SA_RESTART, ends a call. To see it fail, take `run_interrupt` out of
 * `transfer` in src/transport/stream.rs. */
static void signal_ends_a_call(void)
{
    struct itimerval once = {{0, 0}, {0, 200000}};
    struct sigaction action;
    char *out, *outcome = NULL;
    bw_status status;
    double began = now();

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &once, NULL);
    set(was_signalled);
    status = bw_get_session(client, "s", &out);
    CHECK(bw_json_get(out, "/error/outcome", &outcome) == BW_OK);
    CHECK_TEXT(outcome, "unknown");
    bw_free(outcome);
    check_failure(status, BW_E_CANCELLED, out, "cancelled while waiting for the response");
    CHECK(signalled == SIGALRM);
    printf("the call ended %.0f ms after the signal\n", (now() - began - 0.2) * 1000);
    signal(SIGALRM, SIG_DFL);
    alarm(LIMIT);
}

static void zero_continues(void)
{
    set(NULL);
    CHECK(create(client, "fast") == 0);
    CHECK(runs == 0);
    CHECK_SUCCESS(bw_create_session(client, "{}", &out), "id");
    /* Every 75 ms. */
    CHECK(runs > 1);
}

static void *call(void *unused)
{
    CHECK_SUCCESS(bw_create_session(client, "{}", &out), "id");
    return unused;
}

/* Neither other threads nor queues run the callback. */
static void other_threads(void)
{
    bw_queue *queue = NULL;
    pthread_t thread;
    bw_status status = -1;
    char *out = NULL;

    set(NULL);
    pthread_create(&thread, NULL, call, NULL);
    pthread_join(thread, NULL);
    CHECK(bw_queue_new(client, NULL, &queue, NULL) == BW_OK);
    CHECK(bw_queue_submit(queue, "{\"operation\": \"createSession\"}", NULL, NULL, NULL) == BW_OK);
    CHECK(bw_queue_next(queue, LIMIT * 1000, NULL, NULL, &status, &out) == BW_OK);
    check_success(status, out, "id");
    bw_queue_free(queue);
    CHECK(runs == 0 && runs_on_other_threads == 0);
}

static int32_t unset(void)
{
    bw_thread_set_interrupt(NULL, NULL);
    return 0;
}

/* Calls in the callback do not run it: the second one would not end. */
static int32_t make_calls(void)
{
    CHECK(create(client, "inner") == 0);
    CHECK_SUCCESS(bw_create_session(client, "{}", &out), "id");
    return unset();
}

static pid_t child;

static int32_t fork_once(void)
{
    if (child == 0) {
        fflush(stdout);
        child = fork();
        if (child == 0) {
            alarm(LIMIT);
            child = -1;
        }
    }
    return 0;
}

/* The child must not read the response to its parent's request. To see it fail, take `generation`
 * out of src/sys/interrupt.rs. */
static void fork_in_the_callback(void)
{
    char *out;
    bw_status status;

    set(fork_once);
    status = bw_create_session(client, "{}", &out);
    if (child == -1) {
        check_failure(status, BW_E_CANCELLED, out, "cancelled");
        CHECK(create(client, "child") == 0);
        fflush(stdout);
        _exit(failed_);
    }
    check_success(status, out, "id");
    CHECK(status_of(child) == 0);
}

static int32_t free_client(void)
{
    bw_client_free(client);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    alarm(LIMIT);
    main_thread = pthread_self();
    client = client_of(argv[1]);
    signal_ends_a_call();
    zero_continues();
    other_threads();
    set(unset);
    CHECK_SUCCESS(bw_create_session(client, "{}", &out), "id");
    CHECK(runs == 1);
    set(make_calls);
    CHECK_SUCCESS(bw_create_session(client, "{}", &out), "id");
    CHECK(runs == 1);
    fork_in_the_callback();
    set(free_client);
    CHECK_FAILURE(bw_get_session(client, "s", &out), BW_E_CANCELLED, "cancelled");
    CHECK_FAILURE(bw_get_session(client, "s", &out), BW_E_INVALID_HANDLE, "client");
    return sum_up();
}
