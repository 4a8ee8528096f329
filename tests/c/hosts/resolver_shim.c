/* A library for LD_PRELOAD that simulates a resolver, and a machine without free threads.
 * SHIM_ADDRESSES: the addresses of every name, such as "127.0.0.1" or "::1,127.0.0.1".
 * SHIM_SILENT_FILE: while this file exists, no lookup ends. SHIM_COUNT_FILE: each lookup appends a byte.
 * SHIM_NO_THREADS_FILE: while this file exists, no thread can be created. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int exists(const char *variable)
{
    const char *file = getenv(variable);

    return file != NULL && access(file, F_OK) == 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    struct addrinfo **end = list;
    char addresses[256], *one, *rest = addresses;
    int fd = open(getenv("SHIM_COUNT_FILE"), O_WRONLY | O_APPEND | O_CREAT, 0600);

    (void)name;
    if (fd < 0 || write(fd, "x", 1) != 1)
        abort();
    close(fd);
    while (exists("SHIM_SILENT_FILE"))
        usleep(20000);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    snprintf(addresses, sizeof addresses, "%s", getenv("SHIM_ADDRESSES"));
    *list = NULL;
    while ((one = strsep(&rest, ",")) != NULL) {
        int failed = real(one, service, hints, end);
        if (failed != 0)
            return failed;
        while (*end != NULL)
            end = &(*end)->ai_next;
    }
    return 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    if (exists("SHIM_NO_THREADS_FILE"))
        return EAGAIN;
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, start, argument);
}
