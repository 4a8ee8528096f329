/* bw-sandbox for the tests of a C program: start it, simulate failures, read the requests.
 *
 * Copy this file to your tests. It requires only POSIX; compile with -std=gnu99 or
 * -D_POSIX_C_SOURCE=200112L. The program is the one that BW_SANDBOX names, otherwise bw-sandbox on PATH.
 */
#ifndef BW_SANDBOX_H
#define BW_SANDBOX_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct bw_sandbox {
    pid_t pid;
    int port;
    char url[64];       /* the baseUrl for a client */
    char token_url[96]; /* the tokenUrl for a client */
    char config[384];   /* a whole configuration for bw_client_new */
} bw_sandbox;

/* Starts a sandbox on a free port. Returns 0, or -1 if it cannot be started. */
static int bw_sandbox_start(bw_sandbox *sandbox)
{
    const char *program = getenv("BW_SANDBOX");
    FILE *output;
    int ends[2], host[4];

    memset(sandbox, 0, sizeof *sandbox);
    if (pipe(ends) != 0)
        return -1;
    sandbox->pid = fork();
    if (sandbox->pid == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execlp(program != NULL ? program : "bw-sandbox", "bw-sandbox", "--quiet", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    output = fdopen(ends[0], "r");
    /* The sandbox prints its URL when it is ready. */
    if (output == NULL || fgets(sandbox->url, sizeof sandbox->url, output) == NULL ||
        sscanf(sandbox->url, "http://%d.%d.%d.%d:%d/", &host[0], &host[1], &host[2], &host[3],
               &sandbox->port) != 5) {
        if (output != NULL)
            fclose(output);
        if (sandbox->pid > 0)
            waitpid(sandbox->pid, NULL, 0);
        return -1;
    }
    fclose(output);
    sandbox->url[strcspn(sandbox->url, "\n")] = '\0';
    sprintf(sandbox->token_url, "http://127.0.0.1:%d/api/v1/oauth2/token", sandbox->port);
    sprintf(sandbox->config,
            "{\"accountId\": \"9900000\", \"clientId\": \"client\", \"clientSecret\": \"client-secret\","
            " \"baseUrl\": \"%s\", \"tokenUrl\": \"%s\"}",
            sandbox->url, sandbox->token_url);
    return 0;
}

static void bw_sandbox_stop(bw_sandbox *sandbox)
{
    if (sandbox->pid > 0) {
        kill(sandbox->pid, SIGTERM);
        waitpid(sandbox->pid, NULL, 0);
    }
    sandbox->pid = 0;
}

/* A request under /_sandbox, such as ("POST", "/faults", "{..}") or ("GET", "/requests", "").
 * Returns the body of the response, which the caller frees with free, or NULL on failure. */
static char *bw_sandbox_control(const bw_sandbox *sandbox, const char *method, const char *path,
                                const char *body)
{
    struct sockaddr_in address;
    size_t length = 0, room = 65536;
    char head[512], *text = malloc(room), *response = NULL;
    ssize_t count = 1;
    int connection = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)sandbox->port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(head, sizeof head, "%s /_sandbox%s HTTP/1.0\r\nContent-Length: %lu\r\n\r\n", method,
             path, (unsigned long)strlen(body));
    if (text != NULL && connect(connection, (struct sockaddr *)&address, sizeof address) == 0 &&
        write(connection, head, strlen(head)) == (ssize_t)strlen(head) &&
        write(connection, body, strlen(body)) == (ssize_t)strlen(body)) {
        while (text != NULL && (count = read(connection, text + length, room - length - 1)) > 0) {
            length += (size_t)count;
            if (length + 1 == room) {
                char *more = realloc(text, room *= 2);
                if (more == NULL)
                    free(text);
                text = more;
            }
        }
        if (text != NULL && count == 0) {
            text[length] = '\0';
            response = strstr(text, "\r\n\r\n");
        }
    }
    if (response != NULL && strncmp(text + 8, " 2", 2) == 0)
        memmove(text, response + 4, strlen(response + 4) + 1);
    else
        free(text), text = NULL;
    close(connection);
    return text;
}

/* Simulates a failure, such as "{\"operation\": \"createParticipant\", \"kind\": \"close_after\"}".
 * Returns 0, or -1 if the sandbox rejects it. */
static int bw_sandbox_fault(const bw_sandbox *sandbox, const char *fault)
{
    char *response = bw_sandbox_control(sandbox, "POST", "/faults", fault);
    int failed = response == NULL;

    free(response);
    return failed ? -1 : 0;
}

#endif
