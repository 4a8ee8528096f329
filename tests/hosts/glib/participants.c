/* Participants in a GLib main loop: the queue's descriptor is one of its sources. Prints the results, and the
 * longest time for which the loop was blocked. Usage: participants COUNT, with the credentials in
 * BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET.
 *
 * cc participants.c $(pkg-config --cflags --libs glib-2.0) -lbw_webrtc */
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>

#include "bw_webrtc.h"

static GMainLoop *loop;
static bw_queue *queue;
static int waiting;
static gint64 last, gap;

static gboolean on_completions(gint fd, GIOCondition condition, gpointer unused)
{
    void *tag;
    char *document, *came;
    bw_status status;

    (void)fd, (void)condition, (void)unused;
    while (bw_queue_next(queue, 0, NULL, &tag, &status, &document) == BW_OK) {
        if (status == BW_OK && bw_json_get(document, "/participant/tag", &came) == BW_OK) {
            g_print("%s %s\n", (char *)tag, g_str_equal(tag, came) ? "is created" : "IS ANOTHER");
            bw_free(came);
        } else {
            g_print("%s failed: %s\n", (char *)tag, document);
        }
        bw_free(document);
        g_free(tag);
        if (--waiting == 0)
            g_main_loop_quit(loop);
    }
    return G_SOURCE_CONTINUE;
}

/* Represents other work of the program. */
static gboolean on_tick(gpointer unused)
{
    gint64 now = g_get_monotonic_time();

    (void)unused;
    if (last != 0 && now - last > gap)
        gap = now - last;
    last = now;
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    bw_client *client;
    char *error = NULL;
    int n, count = argc > 1 ? atoi(argv[1]) : 1;

    if (bw_client_new(NULL, &client, &error) != BW_OK ||
        bw_queue_new(client, "{\"workers\": 16}", &queue, &error) != BW_OK)
        return g_printerr("%s\n", error), 1;
    loop = g_main_loop_new(NULL, FALSE);
    g_unix_fd_add(bw_queue_fd(queue), G_IO_IN, on_completions, NULL);
    g_timeout_add(5, on_tick, NULL);
    for (n = 0; n < count; n++) {
        char *tag = g_strdup_printf("caller %d", n);
        char *call = g_strdup_printf(
            "{\"operation\": \"createParticipant\", \"body\": {\"tag\": \"%s\"}}", tag);
        if (bw_queue_submit(queue, call, tag, NULL, &error) == BW_OK)
            waiting++;
        else
            g_printerr("%s\n", error);
        g_free(call);
    }
    if (waiting > 0)
        g_main_loop_run(loop);
    g_print("longest gap %" G_GINT64_FORMAT " ms\n", gap / 1000);
    bw_queue_close(queue);
    bw_queue_free(queue);
    bw_client_free(client);
    g_main_loop_unref(loop);
    return 0;
}
