#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The one piece of global state in lib/: fault injection for tests. Counting
 * alone would race between the loop and the pool, so it is off by default. */
static size_t fail_in;
static size_t tries;

static void
out_of_memory(size_t size)
{
    fprintf(stderr, "onward: out of memory (%zu octets)\n", size);
    abort();
}

static int
must_fail(void)
{
    if (fail_in == 0)
        return 0;
    tries++;
    return tries == fail_in;
}

void *
mem_alloc(size_t size)
{
    void *ptr = calloc(1, size != 0 ? size : 1);

    if (ptr == NULL)
        out_of_memory(size);
    return ptr;
}

void *
mem_try(size_t size)
{
    return must_fail() ? NULL : calloc(1, size != 0 ? size : 1);
}

void *
mem_try_octets(size_t size)
{
    return must_fail() ? NULL : malloc(size != 0 ? size : 1);
}

void *
mem_realloc(void *ptr, size_t size)
{
    void *grown = realloc(ptr, size != 0 ? size : 1);

    if (grown == NULL)
        out_of_memory(size);
    return grown;
}

void *
mem_try_realloc(void *ptr, size_t size)
{
    return must_fail() ? NULL : realloc(ptr, size != 0 ? size : 1);
}

size_t
mem_fail_nth(size_t n)
{
    size_t made = tries;

    fail_in = n;
    tries = 0;
    return made;
}

void
mem_free_secret(void *ptr, size_t size)
{
    if (ptr != NULL)
        explicit_bzero(ptr, size);
    free(ptr);
}
