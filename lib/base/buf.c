#include "buf.h"

#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SMALLEST = 64,
    USUAL = 48 /* octets that a format gives */
};

void
buf_free(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){ 0 };
}

void
buf_free_secret(struct buf *b)
{
    mem_free_secret(b->ptr, b->cap);
    *b = (struct buf){ 0 };
}

void
buf_clear(struct buf *b)
{
    b->len = 0;
}

static size_t
grown(const struct buf *b, size_t more)
{
    size_t cap = b->cap < SMALLEST ? SMALLEST : b->cap;

    if (more > SIZE_MAX / 2 - b->len)
        return SIZE_MAX; /* no allocator grants that */
    while (cap < b->len + more)
        cap *= 2;
    return cap;
}

void
buf_reserve(struct buf *b, size_t more)
{
    if (b->cap - b->len >= more)
        return;
    size_t cap = grown(b, more);
    b->ptr = mem_realloc(b->ptr, cap);
    b->cap = cap;
}

bool
buf_try_reserve(struct buf *b, size_t more)
{
    if (b->cap - b->len >= more)
        return true;
    size_t cap = grown(b, more);
    char *ptr = mem_try_realloc(b->ptr, cap);
    if (ptr == NULL)
        return false;
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

static void
copy_in(struct buf *b, struct slice s)
{
    if (s.len != 0)
        memcpy(b->ptr + b->len, s.ptr, s.len);
    b->len += s.len;
}

void
buf_append(struct buf *b, struct slice s)
{
    buf_reserve(b, s.len);
    copy_in(b, s);
}

bool
buf_try_append(struct buf *b, struct slice s)
{
    if (!buf_try_reserve(b, s.len))
        return false;
    copy_in(b, s);
    return true;
}

void
buf_puts(struct buf *b, const char *text)
{
    buf_append(b, slice_from(text));
}

void
buf_putc(struct buf *b, char c)
{
    buf_reserve(b, 1);
    b->ptr[b->len++] = c;
}

void
buf_put_number(struct buf *b, uint64_t number)
{
    char digits[20]; /* of UINT64_MAX */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    buf_append(b, (struct slice){ digits + at, sizeof(digits) - at });
}

void
buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;

    /* Nearly everything fits at once. */
    buf_reserve(b, USUAL);
    size_t room = b->cap - b->len;
    va_copy(again, args);
    int need = vsnprintf(b->ptr + b->len, room, format, again);
    va_end(again);
    if (need < 0)
        abort();
    if ((size_t)need >= room) {
        buf_reserve(b, (size_t)need + 1);
        vsnprintf(b->ptr + b->len, (size_t)need + 1, format, args);
    }
    b->len += (size_t)need;
}

void
buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void
buf_drop(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
}

struct slice
buf_slice(const struct buf *b)
{
    return (struct slice){ b->ptr, b->len };
}

const char *
buf_cstr(struct buf *b)
{
    buf_reserve(b, 1);
    b->ptr[b->len] = '\0';
    return b->ptr;
}
