/* A busy host for minutes: many threads and a queue on one client, children that use it too, and
 * clients that come and go. Every call's end is written down, one line each, for `soak.py` to hold
 * against what the service has:
 *   K tag id   made          U tag   may be made          N tag   not made
 *   D id       removed       R id    may be removed       S id    not removed
 * Usage: soak CONFIG SECONDS THREADS FILE; waits for a line on its input before it ends. */
#include "../../c/hosts/host.h"

#include <fcntl.h>
#include <poll.h>

static const char *config;
static bw_client *client;
static bw_queue *queue;
static double end;
static int book;
static long calls, told;

static void note(const char *kind, const char *tag, const char *id)
{
    char line[200];
    int length = sprintf(line, "%s %.60s %.60s\n", kind, tag, id);

    /* One write a line, so that no two mix. */
    if (write(book, line, (size_t)length) != length)
        abort();
    __atomic_fetch_add(&told, 1, __ATOMIC_RELAXED);
}

/* What a failed call may have done: 'U' where the outcome is unknown. */
static int may_be_done(bw_status status, const char *out)
{
    char *outcome = NULL;
    int may = 0;

    if (bw_json_get(out, "/error/outcome", &outcome) == BW_OK)
        may = strcmp(outcome, "unknown") == 0;
    bw_free(outcome);
    if (out == NULL || status == BW_E_INTERNAL) {
        printf("%s: %s\n", bw_status_name(status), out != NULL ? out : "(NULL)");
        abort();
    }
    return may;
}

static void removes(bw_client *with, const char *id)
{
    char *out;
    bw_status status;

    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    status = bw_delete_participant(with, id, &out);
    if (status == BW_OK)
        note("D", "-", id);
    else
        note(may_be_done(status, out) ? "R" : "S", "-", id);
    bw_free(out);
}

/* Writes down how a creation ended, and removes most of what there is. */
static void made(bw_client *with, const char *tag, bw_status status, char *out, int keep)
{
    char *id = NULL, *came = NULL;

    if (status == BW_OK && bw_json_get(out, "/participant/id", &id) == BW_OK &&
        bw_json_get(out, "/participant/tag", &came) == BW_OK) {
        if (strcmp(tag, came) != 0) {
            printf("%s was given the participant of %s\n", tag, came);
            abort();
        }
        note("K", tag, id);
        if (!keep)
            removes(with, id);
    } else {
        note(status != BW_OK && may_be_done(status, out) ? "U" : "N", tag, "-");
    }
    bw_free(came);
    bw_free(id);
    bw_free(out);
}

static void creates(bw_client *with, const char *tag, int keep)
{
    char request[100], *out;
    bw_status status;

    sprintf(request, "{\"tag\": \"%.50s\"}", tag);
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    status = bw_create_participant(with, request, &out);
    made(with, tag, status, out, keep);
}

static void *works(void *number)
{
    char tag[50];
    int n;

    for (n = 0; now() < end; n++) {
        sprintf(tag, "t%ld-%d", (long)number, n);
        creates(client, tag, n % 16 == 0);
        usleep(40000);
    }
    return NULL;
}

static void *submits(void *unused)
{
    int n;

    (void)unused;
    for (n = 0; now() < end; n++) {
        char call[160], *tag = malloc(50);
        bw_status status;
        sprintf(tag, "q-%d", n);
        sprintf(call, "{\"operation\": \"createParticipant\", \"body\": {\"tag\": \"%s\"}}", tag);
        status = bw_queue_submit(queue, call, tag, NULL, NULL);
        if (status == BW_OK) {
            __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
        } else {
            /* Full: nothing else may be wrong with it. */
            if (status != BW_E_QUEUE_FULL)
                abort();
            free(tag);
        }
        usleep(5000);
    }
    return NULL;
}

static void *fetches(void *unused)
{
    struct pollfd entry = {bw_queue_fd(queue), POLLIN, 0};
    int n = 0;

    (void)unused;
    for (;;) {
        void *tag;
        char *out;
        bw_status status, got = bw_queue_next(queue, 0, NULL, &tag, &status, &out);
        if (got == BW_OK) {
            made(client, tag, status, out, n++ % 16 == 0);
            free(tag);
        } else {
            bw_free(out);
            if (got == BW_E_CLOSED)
                return NULL;
            poll(&entry, 1, 100);
        }
    }
}

static void *churns(void *unused)
{
    char tag[50];
    int n;

    (void)unused;
    for (n = 0; now() < end; n++) {
        bw_client *own = client_of(config);
        sprintf(tag, "c-%d", n);
        creates(own, tag, n % 16 == 0);
        bw_client_free(own);
        usleep(50000);
    }
    return NULL;
}

/* Children that use what their parent made; what they do not survive is found by their exit. */
static void *forks(void *wrong)
{
    char tag[50];
    int n, i;

    for (n = 0; now() < end; n++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(LIMIT);
            for (i = 0; i < 3; i++) {
                sprintf(tag, "f%d-%d", n, i);
                creates(client, tag, 1);
            }
            _exit(0);
        }
        if (status_of(child) != 0)
            ++*(int *)wrong;
        usleep(400000);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    enum { MOST = 256 };
    pthread_t threads[MOST], others[3], fetcher;
    int count = atoi(argv[3]), wrong = 0, i;
    char line[16];

    CHECK(argc == 5 && count <= MOST);
    config = argv[1];
    end = now() + atof(argv[2]);
    book = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CHECK(book >= 0);
    client = client_of(config);
    CHECK(bw_queue_new(client, NULL, &queue, NULL) == BW_OK);
    for (i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, works, (void *)(long)i);
    pthread_create(&fetcher, NULL, fetches, NULL);
    pthread_create(&others[0], NULL, submits, NULL);
    pthread_create(&others[1], NULL, churns, NULL);
    pthread_create(&others[2], NULL, forks, &wrong);
    for (i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < 3; i++)
        pthread_join(others[i], NULL);
    CHECK(bw_queue_close(queue) == BW_OK);
    pthread_join(fetcher, NULL);
    bw_queue_free(queue);
    bw_client_free(client);
    /* Of the children's calls only the lines are counted here. */
    CHECK(calls > 0 && told == calls);
    CHECK(wrong == 0);
    printf("%ld calls\n", calls);
    sum_up();
    fflush(stdout);
    /* So that whoever watches can look at what is left. */
    return fgets(line, sizeof line, stdin) == NULL || failed_ != 0;
}
