/*
 * LMDB files that are damaged, cut or made to harm. The file is what another
 * program wrote, so nothing in it may end us: a look-up says "error", or what
 * it said before.
 */
#include "table.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    KEYS = 600,
    LONG_EVERY = 50, /* these have a value that fills pages of its own */
    LONG_VALUE = 9000,
    PAGE = 4096,
};

static char directory[] = "/tmp/onward-lmdb-XXXXXX";
static char path[64], spec[64];
static struct buf good;

static void
put_key(unsigned i, char key[64])
{
    snprintf(key, 64, "user%u@example.org", i);
}

static size_t
value_len(unsigned i)
{
    return i % LONG_EVERY == 0 ? LONG_VALUE + i : 20 + i % 40;
}

static void
write_file(struct slice octets)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, octets.ptr, octets.len), octets.len);
    close(fd);
}

static struct table *
try_open(void)
{
    struct buf errors = { 0 };
    struct table *table =
        table_open(slice_from(spec), TABLE_PAIRS, NULL, 0, &errors);

    assert_true((table == NULL) == (errors.len != 0));
    buf_free(&errors);
    return table;
}

/* How many of all keys are found, each with its own value. */
static unsigned
count_found(const struct table *table, bool may_fail)
{
    struct buf value = { 0 };
    unsigned line, found = 0;
    char key[64];

    for (unsigned i = 0; i < KEYS; i++) {
        put_key(i, key);
        enum table_status status =
            table_get(table, slice_from(key), &value, &line);
        if (status == TABLE_FOUND && (may_fail || value.len == value_len(i)))
            found++;
        assert_true(may_fail || status == TABLE_FOUND);
    }
    buf_free(&value);
    return found;
}

static bool
on_entry(void *ctx, struct slice key, struct slice value, unsigned line)
{
    unsigned *count = ctx;
    size_t sum = 0;

    (void)line;
    for (size_t i = 0; i < key.len; i++)
        sum += (unsigned char)key.ptr[i];
    for (size_t i = 0; i < value.len; i++)
        sum += (unsigned char)value.ptr[i];
    assert_true(sum < SIZE_MAX); /* all of it was read */
    ++*count;
    return true;
}

static void
long_values_are_read_whole(void **state)
{
    unsigned count = 0;

    (void)state;
    write_file(buf_slice(&good));
    struct table *table = try_open();
    assert_non_null(table);
    assert_int_equal(count_found(table, false), KEYS);
    assert_int_equal(table_count(table), KEYS);
    assert_int_equal(table_each(table, on_entry, &count), TABLE_FOUND);
    assert_int_equal(count, KEYS);
    table_unref(table);
}

static void
a_cut_file_is_an_error(void **state)
{
    (void)state;
    for (size_t len = 0; len < good.len; len += 1 + len / 9) {
        write_file(slice_head(buf_slice(&good), len));
        struct table *table = try_open();
        if (table == NULL)
            continue;
        unsigned count = 0;
        count_found(table, true);
        table_each(table, on_entry, &count);
        table_unref(table);
    }
}

/* This was a SIGBUS. */
static void
a_file_cut_under_us_is_an_error(void **state)
{
    struct buf value = { 0 };
    unsigned line, count = 0;

    (void)state;
    write_file(buf_slice(&good));
    struct table *table = try_open();
    assert_non_null(table);
    assert_int_equal(count_found(table, false), KEYS);
    assert_int_equal(truncate(path, 2 * PAGE), 0);
    assert_int_equal(
        table_get(table, SLICE_OF("user1@example.org"), &value, &line),
        TABLE_ERROR);
    assert_int_equal(table_each(table, on_entry, &count), TABLE_ERROR);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(
        table_get(table, SLICE_OF("user1@example.org"), &value, &line),
        TABLE_ERROR);
    assert_int_equal(table_count(table), 0);
    table_unref(table);
    buf_free(&value);
}

/* What a file system may leave after a crash. */
static void
pages_of_nul_are_an_error(void **state)
{
    struct buf value = { 0 };
    unsigned line, count = 0;

    (void)state;
    struct buf zeroed = { 0 };
    buf_append(&zeroed, buf_slice(&good));
    memset(zeroed.ptr + 2 * PAGE, 0, zeroed.len - 2 * PAGE);
    write_file(buf_slice(&zeroed));
    struct table *table = try_open();
    assert_non_null(table);
    assert_int_equal(
        table_get(table, SLICE_OF("user1@example.org"), &value, &line),
        TABLE_ERROR);
    assert_int_equal(
        table_get(table, SLICE_OF("nobody@example.org"), &value, &line),
        TABLE_ERROR);
    assert_int_equal(table_each(table, on_entry, &count), TABLE_ERROR);
    table_unref(table);
    memset(zeroed.ptr, 0, zeroed.len);
    write_file(buf_slice(&zeroed));
    assert_null(try_open());
    buf_free(&zeroed);
    buf_free(&value);
}

/* A branch whose only way leads back to itself. */
static void
a_tree_without_an_end_is_an_error(void **state)
{
    struct buf file = { 0 }, value = { 0 };
    unsigned line, count = 0;
    uint64_t root;

    (void)state;
    /* The places are those of a file with addresses of 64 bits. */
    if (sizeof(size_t) != 8)
        skip();
    buf_append(&file, buf_slice(&good));
    /* Of the later meta: where the second database's root stands. */
    const size_t at = PAGE + 16 + 72 + 40;
    memcpy(&root, file.ptr + at, sizeof(root));
    assert_true(root < file.len / PAGE);
    char *page = file.ptr + root * PAGE;
    uint16_t lower, offset;
    memcpy(&lower, page + 12, 2);
    for (unsigned i = 0; i < (lower - 16u) / 2; i++) {
        memcpy(&offset, page + 16 + 2 * i, 2);
        memcpy(page + offset, &root, 4);
    }
    write_file(buf_slice(&file));
    struct table *table = try_open();
    assert_non_null(table);
    assert_int_equal(
        table_get(table, SLICE_OF("user1@example.org"), &value, &line),
        TABLE_ERROR);
    assert_int_equal(table_each(table, on_entry, &count), TABLE_ERROR);
    table_unref(table);
    buf_free(&file);
    buf_free(&value);
}

/* Octets changed anywhere: nothing ends us. (Sanitizers look on.) */
static void
any_octet_may_be_wrong(void **state)
{
    uint64_t random = 0x9e3779b97f4a7c15;
    struct buf file = { 0 };

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        buf_clear(&file);
        buf_append(&file, buf_slice(&good));
        for (unsigned i = 0; i < 1 + round % 40; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            /* Most in the heads of pages, where it hurts most. */
            size_t at = random % 4 == 0
                            ? (random >> 8) % file.len
                            : (random >> 8) % (file.len / PAGE) * PAGE +
                                  (random >> 40) % 160;
            file.ptr[at] = (char)(random >> 56);
        }
        write_file(buf_slice(&file));
        struct table *table = try_open();
        if (table == NULL)
            continue;
        unsigned count = 0;
        count_found(table, true);
        table_count(table);
        table_each(table, on_entry, &count);
        table_unref(table);
    }
    buf_free(&file);
}

static int
set_up(void **state)
{
    struct buf text = { 0 }, errors = { 0 };
    char key[64];
    const char *why;

    (void)state;
    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(path, sizeof(path), "%s/x.lmdb", directory);
    snprintf(spec, sizeof(spec), "lmdb:%s/x", directory);
    for (unsigned i = 0; i < KEYS; i++) {
        put_key(i, key);
        buf_printf(&text, "%s %0*d\n", key, (int)value_len(i), 7);
    }
    struct table *from =
        table_from_text(buf_slice(&text), SLICE_OF("t"), TABLE_PAIRS, &errors);
    if (from == NULL || !lmdb_write(path, from, &why))
        return 1;
    table_unref(from);
    buf_free(&text);
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return 1;
    buf_reserve(&good, (size_t)st.st_size);
    good.len = (size_t)st.st_size;
    const bool ok = read(fd, good.ptr, good.len) == st.st_size;
    close(fd);
    return !ok;
}

static int
tear_down(void **state)
{
    (void)state;
    unlink(path);
    rmdir(directory);
    buf_free(&good);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_values_are_read_whole),
        cmocka_unit_test(a_cut_file_is_an_error),
        cmocka_unit_test(a_file_cut_under_us_is_an_error),
        cmocka_unit_test(pages_of_nul_are_an_error),
        cmocka_unit_test(a_tree_without_an_end_is_an_error),
        cmocka_unit_test(any_octet_may_be_wrong),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
