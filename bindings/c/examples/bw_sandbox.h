/* Runs bw-sandbox in the tests of a C program: starts it, simulates failures, reads the requests.
 *
 * Copy this file to your tests. It needs POSIX: compile with -std=gnu99 or -D_POSIX_C_SOURCE=200112L.
 * The environment variable BW_SANDBOX names the program; without it, bw-sandbox is found on PATH.
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
    char config[384];   /* a complete configuration for bw_client_new */
} bw_sandbox;

/* Starts a sandbox on a free port. Returns 0, or -1 if it cannot be started. */
static int bw_sandbox_start(bw_sandbox *sandbox)
{
    const char *program = getenv("BW_SANDBOX");
    FILE *output;
    int fds[2], octet[4];

    memset(sandbox, 0, sizeof *sandbox);
    if (pipe(fds) != 0)
        return -1;
    sandbox->pid = fork();
    if (sandbox->pid == 0) {
        dup2(fds[1], 1);
        close(fds[0]);
        close(fds[1]);
        execlp(program != NULL ? program : "bw-sandbox", "bw-sandbox", "--quiet", (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    output = fdopen(fds[0], "r");
    /* The sandbox prints its URL when it is ready. */
    if (output == NULL || fgets(sandbox->url, sizeof sandbox->url, output) == NULL ||
        sscanf(sandbox->url, "http://%d.%d.%d.%d:%d/", &octet[0], &octet[1], &octet[2], &octet[3],
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

/* Stops a sandbox. A sandbox that is not running is allowed. */
static void bw_sandbox_stop(bw_sandbox *sandbox)
{
    if (sandbox->pid > 0) {
        kill(sandbox->pid, SIGTERM);
        waitpid(sandbox->pid, NULL, 0);
    }
    sandbox->pid = 0;
}

/* Sends a request to /_sandbox, such as ("POST", "/faults", "{..}") or ("GET", "/requests", "").
 * Returns the body of the response, which the caller frees with free, or NULL on failure. */
static char *bw_sandbox_control(const bw_sandbox *sandbox, const char *method, const char *path,
                                const char *body)
{
    struct sockaddr_in address;
    size_t length = 0, capacity = 65536;
    char head[512], *text = malloc(capacity), *body_text = NULL;
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
        while (text != NULL && (count = read(connection, text + length, capacity - length - 1)) > 0) {
            length += (size_t)count;
            if (length + 1 == capacity) {
                char *grown = realloc(text, capacity *= 2);
                if (grown == NULL)
                    free(text);
                text = grown;
            }
        }
        if (text != NULL && count == 0) {
            text[length] = '\0';
            body_text = strstr(text, "\r\n\r\n");
        }
    }
    if (body_text != NULL && strncmp(text + 8, " 2", 2) == 0) {
        memmove(text, body_text + 4, strlen(body_text + 4) + 1);
    } else {
        free(text);
        text = NULL;
    }
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
