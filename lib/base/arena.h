/*
 * Memory that is given back as a whole: what belongs to one transaction or to
 * one configuration. All zeroes is a valid empty arena.
 *
 * arena_alloc is for sizes we chose (aborts), arena_try for what a peer
 * decides (NULL). Memory comes zeroed and aligned for any type.
 */
#ifndef ONWARD_BASE_ARENA_H
#define ONWARD_BASE_ARENA_H

#include "slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
};

void *arena_alloc(struct arena *a, size_t size);
void *arena_try(struct arena *a, size_t size);

/* A copy that lives as long as the arena. The try form: false when memory is
 * gone; an empty slice always succeeds. A NUL stands behind each copy, so a
 * copy without NUL inside is a C string too. */
struct slice arena_copy(struct arena *a, struct slice s);
bool arena_try_copy(struct arena *a, struct slice s, struct slice *copy);
char *arena_cstr(struct arena *a, struct slice s);

/* Everything is free again; arena_reset keeps one block for the next use. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
