/*
 * Memory. Two kinds of request, and each call says which it is:
 *
 * mem_alloc   a size we chose ourselves. If it fails the process ends with a
 *             line on standard error: nothing is lost by that (invariant I1).
 * mem_try     a size or a number that a peer decides. NULL on failure; the
 *             caller answers 4xx.
 *
 * Both return zeroed memory. Free with free(). What is large and written
 * before it is read comes from mem_try_octets, as it was left.
 */
#ifndef ONWARD_BASE_MEM_H
#define ONWARD_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_try(size_t size);
void *mem_try_octets(size_t size);

/* realloc with the same two meanings; the new part is not zeroed. */
void *mem_realloc(void *ptr, size_t size);
void *mem_try_realloc(void *ptr, size_t size);

/*
 * For fault tests: the n-th call of a mem_try function from now on fails (1 =
 * the next one), and only that one. 0 turns it off. Returns how many such
 * calls were made since the last call of this function.
 */
size_t mem_fail_nth(size_t n);

/* Overwrites, in a way that the compiler may not leave out, then frees. */
void mem_free_secret(void *ptr, size_t size);

#endif
