/* A preloaded library that counts the allocations of a process. At exit, it writes their number and their size in
 * bytes to the file named by ALLOCATIONS_FILE. It calls glibc's functions by their internal names, since dlsym
 * allocates. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong allocations, bytes;

static void counted(size_t size)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&bytes, size, memory_order_relaxed);
}

void *malloc(size_t size)
{
    counted(size);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    counted(count * size);
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    counted(size);
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
    counted(size);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **to, size_t alignment, size_t size)
{
    *to = memalign(alignment, size);
    return *to != NULL ? 0 : ENOMEM;
}

__attribute__((destructor)) static void write_counts(void)
{
    const char *name = getenv("ALLOCATIONS_FILE");
    unsigned long count = allocations, size = bytes;
    FILE *file = name != NULL ? fopen(name, "w") : NULL;

    if (file != NULL) {
        fprintf(file, "%lu %lu\n", count, size);
        fclose(file);
    }
}
