/* A server with minimal cost, over TCP or TLS, with one thread per connection. It sends the same response to every
 * request. Prints its port; then, for every line that it reads, the number of connections and requests since the
 * previous line. Usage: responder CERT_FILE|- KEY_FILE|- RESPONSE_BYTES
 * [TOGETHER [DELAY_MS]]: responses wait until TOGETHER requests have been received, so that as many are in
 * progress at once, and then DELAY_MS milliseconds, as over a slow network. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *tls;
static char *response;
static size_t response_length;
static atomic_long connections, requests;
static pthread_barrier_t together;
static int in_step;
static long delay;

static int get(SSL *ssl, int fd, char *to, int room)
{
    return ssl != NULL ? SSL_read(ssl, to, room) : (int)read(fd, to, (size_t)room);
}

static int put(SSL *ssl, int fd, const char *from, size_t count)
{
    while (count > 0) {
        int sent = ssl != NULL ? SSL_write(ssl, from, (int)count) : (int)write(fd, from, count);
        if (sent <= 0)
            return -1;
        from += sent;
        count -= (size_t)sent;
    }
    return 0;
}

static void *serve(void *argument)
{
    int fd = (int)(size_t)argument, on = 1;
    size_t length = 0;
    char *text = malloc(1 << 21);
    SSL *ssl = NULL;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (tls != NULL) {
        ssl = SSL_new(tls);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) != 1)
            goto end;
    }
    for (;;) {
        char *end, *field;
        size_t whole = 0;
        while (whole == 0 || length < whole) {
            int count = get(ssl, fd, text + length, (1 << 21) - 1 - (int)length);
            if (count <= 0)
                goto end;
            length += (size_t)count;
            text[length] = '\0';
            end = strstr(text, "\r\n\r\n");
            if (whole == 0 && end != NULL) {
                field = strcasestr(text, "\r\ncontent-length:");
                whole = (size_t)(end + 4 - text) +
                        (field != NULL && field < end ? (size_t)atol(field + 17) : 0);
            }
        }
        length = 0;
        atomic_fetch_add_explicit(&requests, 1, memory_order_relaxed);
        if (in_step)
            pthread_barrier_wait(&together);
        if (delay > 0)
            usleep((useconds_t)delay * 1000);
        if (put(ssl, fd, response, response_length) != 0)
            goto end;
    }
end:
    SSL_free(ssl);
    close(fd);
    free(text);
    return NULL;
}

/* A response like the service's, padded by its tag. A short response has only the required members, and is padded
 * by its token. */
static void make_response(size_t bytes)
{
    static const char *const parts[][2] = {
        {"{\"participant\":{\"id\":\"06149f58-57ab-49f8-a242-078eca71e79f\"},\"token\":\"", "\"}"},
        {"{\"participant\":{\"id\":\"06149f58-57ab-49f8-a242-078eca71e79f\",\"callbackUrl\":null,"
         "\"publishPermissions\":[\"AUDIO\",\"VIDEO\"],\"sessions\":[],\"subscriptions\":{},\"tag\":\"",
         "\",\"deviceApiVersion\":\"V3\"},\"token\":\"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
         "eyJhIjoiOTkwMDAwMCIsInAiOiIwNjE0OWY1OC01N2FiLTQ5ZjgtYTI0Mi0wNzhlY2E3MWU3OWYiLCJ2IjoiVjMiLCJl"
         "eHAiOjE3OTU1MTc5NjksInRpZCI6IjEyMzQ1Njc4In0.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl\"}"},
    };
    const char *const *around = parts[bytes >= 500];
    size_t fixed = strlen(around[0]) + strlen(around[1]);
    size_t fill = bytes > fixed ? bytes - fixed : 0;
    char *at = response = malloc(fixed + fill + 256);

    at += sprintf(at, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                  fixed + fill);
    at += sprintf(at, "%s", around[0]);
    memset(at, 't', fill);
    at += fill;
    at += sprintf(at, "%s", around[1]);
    response_length = (size_t)(at - response);
}

/* Prints the number of connections and requests since the previous report. */
static void *report(void *unused)
{
    char line[16];

    while (fgets(line, sizeof line, stdin) != NULL) {
        printf("%ld %ld\n", atomic_exchange(&connections, 0), atomic_exchange(&requests, 0));
        fflush(stdout);
    }
    return unused;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    struct rlimit files;
    pthread_t reporter;

    if (argc < 4)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    make_response((size_t)atol(argv[3]));
    if (argc > 5)
        delay = atol(argv[5]);
    if (argc > 4 && atoi(argv[4]) > 1) {
        in_step = 1;
        pthread_barrier_init(&together, NULL, (unsigned)atoi(argv[4]));
    }
    if (strcmp(argv[1], "-") != 0) {
        tls = SSL_CTX_new(TLS_server_method());
        if (SSL_CTX_use_certificate_chain_file(tls, argv[1]) != 1 ||
            SSL_CTX_use_PrivateKey_file(tls, argv[2], SSL_FILETYPE_PEM) != 1)
            return ERR_print_errors_fp(stderr), 1;
    }
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0)
        return perror("responder"), 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    pthread_create(&reporter, NULL, report, NULL);
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        atomic_fetch_add(&connections, fd >= 0);
        if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(size_t)fd) == 0)
            pthread_detach(thread);
    }
}
