/* A busy host: many threads and a queue share one client, child processes use the client too, and other clients
 * are created and freed. The result of every call is written to a file, one line each, which `soak.py` compares
 * with the state of the service:
 *   K tag id   created       U tag   may be created       N tag   not created
 *   D id       deleted       R id    may be deleted       S id    not deleted
 * Usage: soak CONFIG SECONDS THREADS FILE. Waits for a line on standard input before it ends. */
#include "../../c/hosts/host.h"

#include <fcntl.h>
#include <poll.h>

static const char *config;
static bw_client *client;
static bw_queue *queue;
static double end;
static int record_file;
static long calls, recorded;

static void record(const char *kind, const char *tag, const char *id)
{
    char line[200];
    int length = sprintf(line, "%s %.60s %.60s\n", kind, tag, id);

    /* One write per line, so that lines of different processes do not mix. */
    if (write(record_file, line, (size_t)length) != length)
        abort();
    __atomic_fetch_add(&recorded, 1, __ATOMIC_RELAXED);
}

/* Whether the outcome of a failed call is unknown. */
static int is_outcome_unknown(bw_status status, const char *out)
{
    char *outcome = NULL;
    int is_unknown = 0;

    if (bw_json_get(out, "/error/outcome", &outcome) == BW_OK)
        is_unknown = strcmp(outcome, "unknown") == 0;
    bw_free(outcome);
    if (out == NULL || status == BW_E_INTERNAL) {
        printf("%s: %s\n", bw_status_name(status), out != NULL ? out : "(NULL)");
        abort();
    }
    return is_unknown;
}

static void delete_participant(bw_client *with, const char *id)
{
    char *out;
    bw_status status;

    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    status = bw_delete_participant(with, id, &out);
    if (status == BW_OK)
        record("D", "-", id);
    else
        record(is_outcome_unknown(status, out) ? "R" : "S", "-", id);
    bw_free(out);
}

/* Records the result of a create call, and deletes the participant unless it must be kept. */
static void record_creation(bw_client *with, const char *tag, bw_status status, char *out, int keep)
{
    char *id = NULL, *returned_tag = NULL;

    if (status == BW_OK && bw_json_get(out, "/participant/id", &id) == BW_OK &&
        bw_json_get(out, "/participant/tag", &returned_tag) == BW_OK) {
        if (strcmp(tag, returned_tag) != 0) {
            printf("the call with tag %s returned the participant with tag %s\n", tag, returned_tag);
            abort();
        }
        record("K", tag, id);
        if (!keep)
            delete_participant(with, id);
    } else {
        record(status != BW_OK && is_outcome_unknown(status, out) ? "U" : "N", tag, "-");
    }
    bw_free(returned_tag);
    bw_free(id);
    bw_free(out);
}

static void create_participant(bw_client *with, const char *tag, int keep)
{
    char request[100], *out;
    bw_status status;

    sprintf(request, "{\"tag\": \"%.50s\"}", tag);
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    status = bw_create_participant(with, request, &out);
    record_creation(with, tag, status, out, keep);
}

static void *run_caller(void *number)
{
    char tag[50];
    int n;

    for (n = 0; now() < end; n++) {
        sprintf(tag, "t%ld-%d", (long)number, n);
        create_participant(client, tag, n % 16 == 0);
        usleep(40000);
    }
    return NULL;
}

static void *run_submitter(void *unused)
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
            /* A full backlog is the only allowed error. */
            if (status != BW_E_QUEUE_FULL)
                abort();
            free(tag);
        }
        usleep(5000);
    }
    return NULL;
}

static void *run_fetcher(void *unused)
{
    struct pollfd entry = {bw_queue_fd(queue), POLLIN, 0};
    int n = 0;

    (void)unused;
    for (;;) {
        void *tag;
        char *out;
        bw_status status, got = bw_queue_next(queue, 0, NULL, &tag, &status, &out);
        if (got == BW_OK) {
            record_creation(client, tag, status, out, n++ % 16 == 0);
            free(tag);
        } else {
            bw_free(out);
            if (got == BW_E_CLOSED)
                return NULL;
            poll(&entry, 1, 100);
        }
    }
}

static void *run_short_lived_clients(void *unused)
{
    char tag[50];
    int n;

    (void)unused;
    for (n = 0; now() < end; n++) {
        bw_client *own = client_of(config);
        sprintf(tag, "c-%d", n);
        create_participant(own, tag, n % 16 == 0);
        bw_client_free(own);
        usleep(50000);
    }
    return NULL;
}

/* Child processes that use their parent's client. Counts the children that fail. */
static void *run_children(void *failures)
{
    char tag[50];
    int n, i;

    for (n = 0; now() < end; n++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(LIMIT);
            for (i = 0; i < 3; i++) {
                sprintf(tag, "f%d-%d", n, i);
                create_participant(client, tag, 1);
            }
            _exit(0);
        }
        if (status_of(child) != 0)
            ++*(int *)failures;
        usleep(400000);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    enum { MOST = 256 };
    pthread_t threads[MOST], others[3], fetcher;
    int count = atoi(argv[3]), failures = 0, i;
    char line[16];

    CHECK(argc == 5 && count <= MOST);
    config = argv[1];
    end = now() + atof(argv[2]);
    record_file = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CHECK(record_file >= 0);
    client = client_of(config);
    CHECK(bw_queue_new(client, NULL, &queue, NULL) == BW_OK);
    for (i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, run_caller, (void *)(long)i);
    pthread_create(&fetcher, NULL, run_fetcher, NULL);
    pthread_create(&others[0], NULL, run_submitter, NULL);
    pthread_create(&others[1], NULL, run_short_lived_clients, NULL);
    pthread_create(&others[2], NULL, run_children, &failures);
    for (i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < 3; i++)
        pthread_join(others[i], NULL);
    CHECK(bw_queue_close(queue) == BW_OK);
    pthread_join(fetcher, NULL);
    bw_queue_free(queue);
    bw_client_free(client);
    /* Each process counts its own calls and lines, so the calls of the children are not included. */
    CHECK(calls > 0 && recorded == calls);
    CHECK(failures == 0);
    printf("%ld calls\n", calls);
    sum_up();
    fflush(stdout);
    /* soak.py checks the threads and descriptors of this process before it ends. */
    return fgets(line, sizeof line, stdin) == NULL || failed_ != 0;
}
