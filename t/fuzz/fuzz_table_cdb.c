/*
 * Constant databases. A file of any content is an error or tells the truth
 * about itself: it ends, reads nothing outside, and what a walk finds first
 * under a key is what a look-up finds, or the look-up calls it damaged or does
 * not find it, as its tables may be wrong. And what we write we find.
 */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cdb *
open_fd(int fd)
{
    char path[64];
    struct table_stat stat;
    const char *why;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return cdb_open(path, &stat, &why);
}

static void
check(bool holds)
{
    if (!holds)
        abort();
}

/* ---- any octets -------------------------------------------------------- */

struct walk {
    const struct cdb *cdb;
    size_t size;
    size_t visited;
};

static bool
on_any(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct walk *walk = ctx;
    struct buf found = { 0 };

    check(line == 0 && key.len + value.len <= walk->size);
    check(++walk->visited <= walk->size / 8);
    if (cdb_get(walk->cdb, key, &found) == TABLE_FOUND)
        check(found.len <= walk->size);
    buf_free(&found);
    return walk->visited < 1000;
}

static void
read_any(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct buf value = { 0 };

    check(write(fd, data, size) == (ssize_t)size);
    struct cdb *cdb = open_fd(fd);
    close(fd);
    if (cdb == NULL)
        return;
    struct walk walk = { .cdb = cdb, .size = size };
    cdb_each(cdb, on_any, &walk);
    cdb_get(cdb, SLICE_OF("a@b.example"), &value);
    cdb_get(cdb, (struct slice){ (const char *)data, size < 300 ? size : 300 },
            &value);
    buf_free(&value);
    cdb_close(cdb);
}

/* ---- our own ----------------------------------------------------------- */

/* "key value\n" each; a key may come twice, then the first one is found. */
static bool
next_entry(struct slice *in, struct slice *key, struct slice *value)
{
    if (in->len == 0)
        return false;
    *value = slice_cut(in, '\n');
    *key = slice_cut(value, ' ');
    return true;
}

struct follow {
    struct slice rest;
};

static bool
on_own(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct follow *follow = ctx;
    struct slice want_key, want_value;

    (void)line;
    check(next_entry(&follow->rest, &want_key, &want_value));
    check(slice_equal(key, want_key) && slice_equal(value, want_value));
    return true;
}

static struct slice
first_value(struct slice in, struct slice wanted)
{
    struct slice key, value;

    while (next_entry(&in, &key, &value))
        if (slice_equal(key, wanted))
            return value;
    abort();
}

static void
write_own(struct slice text)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct cdb_writer *writer = cdb_writer_new(fd);
    struct slice rest = text, key, value;
    struct buf found = { 0 };
    uint64_t count = 0;

    for (; next_entry(&rest, &key, &value); count++)
        check(cdb_writer_add(writer, key, value));
    check(cdb_writer_finish(writer));
    cdb_writer_free(writer);
    struct cdb *cdb = open_fd(fd);
    close(fd);
    check(cdb != NULL && cdb_count(cdb) == count);
    for (rest = text; next_entry(&rest, &key, &value);) {
        if (key.len == 0)
            continue; /* nobody asks for the empty key */
        check(cdb_get(cdb, key, &found) == TABLE_FOUND);
        check(slice_equal(buf_slice(&found), first_value(text, key)));
    }
    struct follow follow = { text };
    check(cdb_each(cdb, on_own, &follow) == TABLE_FOUND);
    check(follow.rest.len == 0);
    buf_free(&found);
    cdb_close(cdb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size != 0 && data[0] == 'w')
        write_own((struct slice){ (const char *)data + 1, size - 1 });
    else
        read_any(data, size);
    return 0;
}
