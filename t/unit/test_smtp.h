/* What the tests of lib/smtp share. */
#ifndef ONWARD_TEST_SMTP_H
#define ONWARD_TEST_SMTP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "smtp.h"

/* With the octets shown when they differ. */
#define assert_slice(got, want) check_slice((got), (want), __FILE__, __LINE__)

static inline void
check_slice(struct slice got, struct slice want, const char *file, int line)
{
    struct buf shown = { 0 };

    if (slice_equal(got, want))
        return;
    buf_puts(&shown, "got  ");
    log_escape_text(&shown, got);
    buf_puts(&shown, "\nwant ");
    log_escape_text(&shown, want);
    print_error("%s\n", buf_cstr(&shown));
    buf_free(&shown);
    _fail(file, line);
}

/* A copy of exactly this size, so that reading past its end is seen. */
static inline struct slice
exact(struct slice s)
{
    char *copy = malloc(s.len != 0 ? s.len : 1);

    assert_non_null(copy);
    if (s.len != 0)
        memcpy(copy, s.ptr, s.len);
    return (struct slice){ copy, s.len };
}

/* An arena copy of n times the octet c between head and tail. */
static inline struct slice
padded(struct arena *arena, const char *head, char c, size_t n,
       const char *tail)
{
    size_t before = strlen(head), after = strlen(tail);
    char *text = arena_alloc(arena, before + n + after + 1);

    memcpy(text, head, before);
    memset(text + before, c, n);
    memcpy(text + before + n, tail, after);
    return (struct slice){ text, before + n + after };
}

#endif
