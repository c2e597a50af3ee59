/*
 * LMDB files of any content: opening, a look-up and a walk end, and read
 * nothing outside. The first octet is the number of the page whose start the
 * rest takes the place of, in a file of one leaf and one long value; 255: the
 * rest is the whole file.
 */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FILE_MAX = 64 * 1024,
    WHOLE = 255
};

/* What we write ourselves. */
static const struct buf *
good_file(void)
{
    static struct buf file;
    struct buf text = { 0 }, errors = { 0 };
    const char *why;
    char path[64];

    if (file.len != 0)
        return &file;
    for (int i = 0; i < 40; i++)
        buf_printf(&text, "user%d@b.example %0*d\n", i, i == 7 ? 5000 : 200, i);
    struct table *table =
        table_from_text(buf_slice(&text), SLICE_OF("t"), TABLE_PAIRS, &errors);
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (table == NULL || fd < 0 || !lmdb_write(path, table, &why))
        abort();
    buf_reserve(&file, FILE_MAX);
    ssize_t len = pread(fd, file.ptr, FILE_MAX, 0);
    if (len <= 0)
        abort();
    file.len = (size_t)len;
    close(fd);
    table_unref(table);
    buf_free(&text);
    return &file;
}

static bool
on_entry(void *ctx, struct slice key, struct slice value, unsigned line)
{
    size_t *left = ctx;

    if (line != 0 || key.len > FILE_MAX || value.len > FILE_MAX)
        abort();
    return (*left)-- != 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf file = { 0 }, value = { 0 };
    struct table_stat stat;
    const char *why;
    char path[64];

    if (size == 0 || size > FILE_MAX)
        return 0;
    if (data[0] != WHOLE) {
        const size_t at = (size_t)data[0] % 16 * 4096;
        buf_append(&file, buf_slice(good_file()));
        for (size_t i = 1; i < size && at + i - 1 < file.len; i++)
            file.ptr[at + i - 1] = (char)data[i];
    } else {
        buf_append(&file, (struct slice){ (const char *)data + 1, size - 1 });
    }
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (write(fd, file.ptr, file.len) != (ssize_t)file.len)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct lmdb *lmdb = lmdb_open(path, &stat, &why);
    if (lmdb != NULL) {
        size_t left = 1000;
        lmdb_get(lmdb, SLICE_OF("user7@b.example"), &value);
        lmdb_get(lmdb, SLICE_OF("user23@b.example"), &value);
        lmdb_get(lmdb, SLICE_OF("nobody"), &value);
        lmdb_each(lmdb, on_entry, &left);
        lmdb_count(lmdb);
        lmdb_close(lmdb);
    }
    close(fd);
    buf_free(&file);
    buf_free(&value);
    return 0;
}
