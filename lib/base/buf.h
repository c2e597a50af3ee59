/*
 * Octets that we own and that grow. All zeroes is a valid empty buf.
 *
 * buf_append and its friends are for sizes we chose: they abort when memory
 * is gone. The buf_try_ forms are for what a peer decides: they return false
 * and leave the buf as it was.
 */
#ifndef ONWARD_BASE_BUF_H
#define ONWARD_BASE_BUF_H

#include "slice.h"

#include <stdarg.h>

struct buf {
    char *ptr;
    size_t len;
    size_t cap;
};

void buf_free(struct buf *b); /* afterwards empty and usable again */
void buf_free_secret(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */

void buf_append(struct buf *b, struct slice s);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_put_number(struct buf *b, uint64_t number); /* in decimal */
void buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

bool buf_try_append(struct buf *b, struct slice s);
bool buf_try_reserve(struct buf *b, size_t more); /* room for more octets */
void buf_reserve(struct buf *b, size_t more);

/* Remove the first n octets. */
void buf_drop(struct buf *b, size_t n);

struct slice buf_slice(const struct buf *b);

/* A NUL behind the content, which does not count: for calls that want a C
 * string. Content with a NUL in it would be cut; the caller looks first. */
const char *buf_cstr(struct buf *b);

#endif
