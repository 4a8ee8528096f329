/* A host whose threads have a stack of 64 KiB. The stack is filled with a pattern to measure how much of
 * it a call uses. Needs a release build: without optimization, calls use more. Usage: stack CONFIG */
#include "host.h"

#include <sys/mman.h>

enum { STACK = 64 * 1024, PAINT = 0xa5 };

static bw_client *client;

static void *calls(void *unused)
{
    (void)unused;
    /* A call that opens a TLS connection, one that uses it, and one that fails with an error document. */
    return (void *)(size_t)(create(client, "cold") + create(client, "warm") +
                            (bw_get_participant(client, "no id", NULL) != BW_E_BAD_REQUEST));
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *wrong = NULL;
    unsigned char *stack;
    size_t untouched = 0;

    if (argc != 2)
        return 2;
    alarm(LIMIT);
    client = client_of(argv[1]);
    stack = mmap(NULL, STACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* A guard page below the stack. */
    CHECK(stack != MAP_FAILED && mprotect(stack, 4096, PROT_NONE) == 0);
    stack += 4096;
    memset(stack, PAINT, STACK);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, stack, STACK) == 0);
    CHECK(pthread_create(&thread, &attributes, calls, NULL) == 0);
    CHECK(pthread_join(thread, &wrong) == 0 && wrong == NULL);
    while (untouched < STACK && stack[untouched] == PAINT)
        untouched++;
    printf("calls over TLS took %lu of %d bytes of stack\n", (unsigned long)(STACK - untouched),
           (int)STACK);
    CHECK(untouched > 0);
    bw_client_free(client);
    return sum_up();
}
