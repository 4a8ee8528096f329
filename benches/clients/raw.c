/* A plain socket, with OpenSSL for TLS: the lower limit. The response is read to its end but not parsed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

typedef struct wire {
    int fd;
    SSL *ssl;
    char response[(1 << 20) + 4096];
} wire;

static int port;
static SSL_CTX *tls;
static char request[1024];

static void bench_begin(const char *url, const char *ca_file)
{
    const char *host = strstr(url, "://") + 3;

    port = atoi(strchr(host, ':') + 1);
    if (ca_file != NULL) {
        tls = SSL_CTX_new(TLS_client_method());
        SSL_CTX_load_verify_locations(tls, ca_file, NULL);
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    }
    snprintf(request, sizeof request,
             "POST /v1/accounts/" ACCOUNT "/participants HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
             "Authorization: Basic dXNlcjpzZWNyZXQ=\r\nContent-Type: application/json\r\n"
             "Content-Length: %d\r\n\r\n" REQUEST,
             port, (int)strlen(REQUEST));
}

static void *bench_thread(void)
{
    struct sockaddr_in address;
    wire *w = malloc(sizeof *w);
    int on = 1;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    w->ssl = NULL;
    w->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(w->fd, (struct sockaddr *)&address, sizeof address) != 0)
        bench_fail("no connection");
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (tls != NULL) {
        w->ssl = SSL_new(tls);
        SSL_set_fd(w->ssl, w->fd);
        if (SSL_connect(w->ssl) != 1)
            bench_fail("no TLS");
    }
    return w;
}

static void bench_call(void *thread)
{
    wire *w = thread;
    char *response = w->response, *end;
    int length = 0, whole = 0, room, count = (int)strlen(request);

    if ((w->ssl != NULL ? SSL_write(w->ssl, request, count)
                        : (int)write(w->fd, request, (size_t)count)) != count)
        bench_fail("not sent");
    while (whole == 0 || length < whole) {
        room = (int)sizeof w->response - 1 - length;
        count = w->ssl != NULL ? SSL_read(w->ssl, response + length, room)
                               : (int)read(w->fd, response + length, (size_t)room);
        if (count <= 0)
            bench_fail("no response");
        length += count;
        response[length] = '\0';
        end = strstr(response, "\r\n\r\n");
        if (end != NULL)
            whole = (int)(end + 4 - response) + atoi(strstr(response, "Content-Length:") + 15);
    }
}

static void bench_end(void *thread)
{
    wire *w = thread;

    SSL_free(w->ssl);
    close(w->fd);
    free(w);
}
