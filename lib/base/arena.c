#include "arena.h"

#include "mem.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* Small, because a transaction of the usual size needs some hundred octets
 * and thousands of them may be open at once. */
enum {
    BLOCK = 1024,
    ALIGN = alignof(max_align_t)
};

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) char data[];
};

static void *
take(struct arena *a, size_t size)
{
    struct arena_block *b = a->blocks;

    if (b == NULL || b->size - b->used < size)
        return NULL;
    void *ptr = b->data + b->used;
    b->used += size;
    memset(ptr, 0, size);
    return ptr;
}

static size_t
rounded(size_t size)
{
    if (size == 0)
        size = 1;
    if (size > SIZE_MAX / 2)
        return SIZE_MAX / 2; /* no allocator grants that */
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t
block_size(size_t size)
{
    return sizeof(struct arena_block) + (size > BLOCK ? size : BLOCK);
}

static void *
add_block(struct arena *a, struct arena_block *b, size_t size)
{
    b->size = size > BLOCK ? size : BLOCK;
    b->used = 0;
    b->next = a->blocks;
    a->blocks = b;
    return take(a, size);
}

void *
arena_alloc(struct arena *a, size_t size)
{
    size = rounded(size);
    void *ptr = take(a, size);
    return ptr != NULL ? ptr : add_block(a, mem_alloc(block_size(size)), size);
}

void *
arena_try(struct arena *a, size_t size)
{
    size = rounded(size);
    void *ptr = take(a, size);
    if (ptr != NULL)
        return ptr;
    struct arena_block *b = mem_try(block_size(size));
    return b != NULL ? add_block(a, b, size) : NULL;
}

static struct slice
fill(char *to, struct slice s)
{
    if (s.len != 0)
        memcpy(to, s.ptr, s.len);
    to[s.len] = '\0';
    return (struct slice){ to, s.len };
}

struct slice
arena_copy(struct arena *a, struct slice s)
{
    return fill(arena_alloc(a, s.len + 1), s);
}

bool
arena_try_copy(struct arena *a, struct slice s, struct slice *copy)
{
    if (s.len == 0) {
        *copy = SLICE_OF("");
        return true;
    }
    char *to = arena_try(a, s.len + 1);
    if (to == NULL)
        return false;
    *copy = fill(to, s);
    return true;
}

char *
arena_cstr(struct arena *a, struct slice s)
{
    char *to = arena_alloc(a, s.len + 1);

    fill(to, s);
    return to;
}

static void
free_blocks(struct arena_block *b)
{
    while (b != NULL) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void
arena_reset(struct arena *a)
{
    struct arena_block *keep = a->blocks;

    if (keep == NULL)
        return;
    free_blocks(keep->next);
    keep->next = NULL;
    keep->used = 0;
    if (keep->size > BLOCK) {
        free(keep);
        a->blocks = NULL;
    }
}

void
arena_free(struct arena *a)
{
    free_blocks(a->blocks);
    a->blocks = NULL;
}
