/* What the tests of lib/dkim share: files of t/data/dkim. */
#ifndef TEST_DKIM_H
#define TEST_DKIM_H

#include "dkim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DKIM_DATA TEST_DATA "/dkim/"

static inline void
read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    char piece[4096];
    size_t n = 0;

    if (file == NULL)
        fail_msg("cannot open %s", path);
    while ((n = fread(piece, 1, sizeof(piece), file)) != 0)
        buf_append(out, (struct slice){ piece, n });
    fclose(file);
}

static inline struct dkim_key *
read_key(const char *name, const char *domain, const char *selector)
{
    struct buf path = { 0 };
    struct buf pem = { 0 };
    const char *why = NULL;

    buf_printf(&path, DKIM_DATA "keys/%s", name);
    read_file(buf_cstr(&path), &pem);
    struct dkim_key *key = dkim_key_parse(buf_slice(&pem), slice_from(domain),
                                          slice_from(selector), &why);
    if (key == NULL)
        fail_msg("%s: %s", name, why);
    buf_free(&path);
    buf_free(&pem);
    return key;
}

static inline void
hash_body(struct slice body, size_t piece, unsigned char hash[32])
{
    struct dkim_body *digest = dkim_body_new(DKIM_RELAXED);

    assert_non_null(digest);
    while (body.len != 0) {
        /* A copy of its own size, so that a sanitizer sees a read behind it. */
        struct slice part = slice_head(body, piece);
        char *copy = malloc(part.len);
        memcpy(copy, part.ptr, part.len);
        assert_true(dkim_body_update(digest, (struct slice){ copy, part.len }));
        free(copy);
        body = slice_tail(body, part.len);
    }
    assert_true(dkim_body_finish(digest, hash));
    dkim_body_free(digest);
}

#endif
