/* A GStreamer pipeline that continues while participants are created: the queue's descriptor is a source of the
 * pipeline's main loop. Prints the number of buffers and the longest time between two. Usage: participants COUNT, with the credentials in BW_ACCOUNT_ID,
 * BW_CLIENT_ID and BW_CLIENT_SECRET.
 *
 * cc participants.c $(pkg-config --cflags --libs gstreamer-1.0) -lbw_webrtc */
#include <glib-unix.h>
#include <gst/gst.h>
#include <stdlib.h>

#include "bw_webrtc.h"

static bw_queue *queue;
static GstElement *pipeline;
static int waiting, created, buffers;
static gint64 last, gap;

/* Called in the pipeline's thread every 10 ms. */
static void on_buffer(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer unused)
{
    gint64 now = g_get_monotonic_time();

    (void)sink, (void)buffer, (void)pad, (void)unused;
    /* The first buffers arrive in a burst while the pipeline starts. */
    if (++buffers > 10 && now - last > gap)
        gap = now - last;
    last = now;
}

static gboolean on_completions(gint fd, GIOCondition condition, gpointer unused)
{
    char *document;
    bw_status status;

    (void)fd, (void)condition, (void)unused;
    while (bw_queue_next(queue, 0, NULL, NULL, &status, &document) == BW_OK) {
        if (status == BW_OK)
            created++;
        else
            g_printerr("%s\n", document);
        bw_free(document);
        waiting--;
    }
    return G_SOURCE_CONTINUE;
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer loop)
{
    (void)bus;
    if (GST_MESSAGE_TYPE(message) & (GST_MESSAGE_EOS | GST_MESSAGE_ERROR))
        g_main_loop_quit(loop);
    return TRUE;
}

int main(int argc, char **argv)
{
    int n, count = argc > 1 ? atoi(argv[1]) : 1;
    bw_client *client;
    char *problem = NULL;
    GError *error = NULL;
    GMainLoop *loop;
    GstBus *bus;

    gst_init(NULL, NULL);
    pipeline = gst_parse_launch("audiotestsrc is-live=true num-buffers=150 samplesperbuffer=480 ! "
                                "audio/x-raw,rate=48000 ! fakesink name=sink signal-handoffs=true",
                                &error);
    if (pipeline == NULL)
        return g_printerr("%s\n", error->message), 1;
    if (bw_client_new(NULL, &client, &problem) != BW_OK ||
        bw_queue_new(client, NULL, &queue, &problem) != BW_OK)
        return g_printerr("%s\n", problem), 1;
    loop = g_main_loop_new(NULL, FALSE);
    g_signal_connect(gst_bin_get_by_name(GST_BIN(pipeline), "sink"), "handoff", G_CALLBACK(on_buffer),
                     NULL);
    bus = gst_element_get_bus(pipeline);
    gst_bus_add_watch(bus, on_message, loop);
    g_unix_fd_add(bw_queue_fd(queue), G_IO_IN, on_completions, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (n = 0; n < count; n++)
        waiting += bw_queue_submit(queue, "{\"operation\": \"createParticipant\"}", NULL, NULL,
                                   NULL) == BW_OK;
    g_main_loop_run(loop);
    g_print("%d buffers, %d participants, longest gap %" G_GINT64_FORMAT " ms\n", buffers, created,
            gap / 1000);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    bw_queue_free(queue);
    bw_client_free(client);
    return waiting != 0;
}
