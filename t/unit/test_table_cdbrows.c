/*
 * What a look-up in a constant database meets beside its record: other keys of
 * the same hash, positions that point nowhere, records that end too early.
 * None of it is taken for the record, and damage is never "not there".
 */
#include "backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct file {
    int fd;
    struct cdb_writer *writer;
    struct buf octets;
};

static void
begin(struct file *file)
{
    *file = (struct file){ .fd = memfd_create("cdb", MFD_CLOEXEC) };
    assert_true(file->fd >= 0);
    file->writer = cdb_writer_new(file->fd);
}

static void
add(struct file *file, struct slice key, struct slice value)
{
    assert_true(cdb_writer_add(file->writer, key, value));
}

/* Written, and its octets are at hand to be damaged. */
static void
end(struct file *file)
{
    assert_true(cdb_writer_finish(file->writer));
    cdb_writer_free(file->writer);
    size_t size = (size_t)lseek(file->fd, 0, SEEK_END);
    buf_reserve(&file->octets, size);
    assert_int_equal(pread(file->fd, file->octets.ptr, size, 0), size);
    file->octets.len = size;
}

static void
set_number(struct file *file, size_t at, uint32_t n)
{
    for (size_t i = 0; i < 4; i++)
        file->octets.ptr[at + i] = (char)(n >> 8 * i & 0xFF);
}

static struct cdb *
open_file(struct file *file)
{
    char path[64];
    struct table_stat stat;
    const char *why = "";

    assert_int_equal(pwrite(file->fd, file->octets.ptr, file->octets.len, 0),
                     file->octets.len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
    struct cdb *cdb = cdb_open(path, &stat, &why);
    if (cdb == NULL)
        fail_msg("%s", why);
    return cdb;
}

static void
finish(struct file *file, struct cdb *cdb)
{
    cdb_close(cdb);
    buf_free(&file->octets);
    close(file->fd);
}

static void
finds(const struct cdb *cdb, struct slice key, enum table_status status,
      struct slice want)
{
    struct buf value = { 0 };

    assert_int_equal(cdb_get(cdb, key, &value), status);
    if (status == TABLE_FOUND)
        assert_true(slice_equal(buf_slice(&value), want));
    buf_free(&value);
}

/* ---- the same hash ----------------------------------------------------- */

/* Two keys of two octets each, with one hash: h * 33 ^ c, twice. */
static void
colliding(char one[2], char other[2])
{
    for (unsigned i = 0; i < 1U << 16; i++) {
        for (unsigned k = i + 1; k < i + 512; k++) {
            one[0] = (char)(i >> 8);
            one[1] = (char)(i & 0xFF);
            other[0] = (char)(k >> 8 & 0xFF);
            other[1] = (char)(k & 0xFF);
            if (one[0] > ' ' && other[0] > ' ' && one[1] > ' ' &&
                other[1] > ' ' && one[0] != other[0] &&
                cdb_hash((struct slice){ one, 2 }) ==
                    cdb_hash((struct slice){ other, 2 }))
                return;
        }
    }
    fail_msg("no two keys with one hash");
}

/* With short values and with such that are read in a second step. */
static void
keys_of_one_hash_are_told_apart(void **state)
{
    static char long_value[3000];
    char one[2], other[2];

    (void)state;
    memset(long_value, 'v', sizeof(long_value));
    colliding(one, other);
    for (size_t len = 5; len <= sizeof(long_value);
         len += sizeof(long_value) - 5) {
        struct slice first = { one, 2 }, second = { other, 2 };
        struct slice value = { long_value, len };
        struct file file;
        begin(&file);
        add(&file, first, value);
        end(&file);
        struct cdb *cdb = open_file(&file);
        finds(cdb, first, TABLE_FOUND, value);
        finds(cdb, second, TABLE_MISS, value);
        finish(&file, cdb);

        begin(&file);
        add(&file, first, value);
        add(&file, second, SLICE_OF("other"));
        end(&file);
        cdb = open_file(&file);
        finds(cdb, first, TABLE_FOUND, value);
        finds(cdb, second, TABLE_FOUND, SLICE_OF("other"));
        finish(&file, cdb);
    }
}

/* The hash in the slot is the key's, the record is somebody else's, which no
 * builder writes. */
static void
a_record_of_another_hash_is_damage(void **state)
{
    struct file file;

    (void)state;
    begin(&file);
    add(&file, SLICE_OF("a@b.example"), SLICE_OF("c@d.example"));
    end(&file);
    size_t slots = file.octets.len - 16;
    /* As if the record had been written for "a@b.exampl". */
    set_number(&file, 2048, 10);
    set_number(&file, 2052, 12);
    struct cdb *cdb = open_file(&file);
    assert_true(slots > 2048);
    finds(cdb, SLICE_OF("a@b.example"), TABLE_ERROR, SLICE_OF(""));
    finish(&file, cdb);
}

/* ---- positions --------------------------------------------------------- */

static void
a_position_outside_of_the_records_is_damage(void **state)
{
    static const uint32_t positions[] = { 1, 2047, UINT32_MAX, 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
        struct file file;
        begin(&file);
        add(&file, SLICE_OF("a@b.example"), SLICE_OF("c@d.example"));
        end(&file);
        size_t slots = file.octets.len - 16;
        uint32_t bad = positions[i];
        if (bad == 0) /* its last octets, which hold no two lengths */
            bad = (uint32_t)slots - 7;
        for (size_t at = slots; at < file.octets.len; at += 8)
            if (memcmp(file.octets.ptr + at + 4, "\0\0\0\0", 4) != 0)
                set_number(&file, at + 4, bad);
        struct cdb *cdb = open_file(&file);
        finds(cdb, SLICE_OF("a@b.example"), TABLE_ERROR, SLICE_OF(""));
        finish(&file, cdb);
    }
}

/* ---- all records ------------------------------------------------------- */

struct visits {
    unsigned seen, most;
};

static bool
visit(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct visits *visits = ctx;

    (void)key;
    (void)value;
    (void)line;
    return ++visits->seen < visits->most;
}

static void
walk(struct file *file)
{
    begin(file);
    add(file, SLICE_OF("a@b.example"), SLICE_OF("c@d.example"));
    add(file, SLICE_OF("e@f.example"), SLICE_OF("g@h.example"));
    end(file);
}

static void
a_walk_ends_when_told(void **state)
{
    struct visits visits = { .most = 1 };
    struct file file;

    (void)state;
    walk(&file);
    struct cdb *cdb = open_file(&file);
    assert_int_equal(cdb_each(cdb, visit, &visits), TABLE_FOUND);
    assert_int_equal(visits.seen, 1);
    finish(&file, cdb);
}

static void
a_walk_tells_of_octets_that_are_no_record(void **state)
{
    struct visits visits = { .most = 9 };
    struct file file;

    (void)state;
    walk(&file);
    /* The second record ends four octets too early. */
    set_number(&file, 2048 + 8 + 22 + 4, 7);
    struct cdb *cdb = open_file(&file);
    assert_int_equal(cdb_each(cdb, visit, &visits), TABLE_ERROR);
    assert_int_equal(visits.seen, 2);
    finish(&file, cdb);
}

static void
a_walk_tells_of_a_file_that_was_cut(void **state)
{
    struct visits visits = { .most = 9 };
    struct file file;

    (void)state;
    walk(&file);
    struct cdb *cdb = open_file(&file);
    assert_int_equal(ftruncate(file.fd, 2060), 0);
    assert_int_equal(cdb_each(cdb, visit, &visits), TABLE_ERROR);
    assert_int_equal(visits.seen, 0);
    finds(cdb, SLICE_OF("a@b.example"), TABLE_ERROR, SLICE_OF(""));
    finish(&file, cdb);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_one_hash_are_told_apart),
        cmocka_unit_test(a_record_of_another_hash_is_damage),
        cmocka_unit_test(a_position_outside_of_the_records_is_damage),
        cmocka_unit_test(a_walk_ends_when_told),
        cmocka_unit_test(a_walk_tells_of_octets_that_are_no_record),
        cmocka_unit_test(a_walk_tells_of_a_file_that_was_cut),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
