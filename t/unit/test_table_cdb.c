/* Constant databases: ours, postmap's, and broken ones. */
#include "table.h"

#include "backend.h"

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

static char directory[] = "/tmp/onward-cdb-XXXXXX";

static const char *
path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static struct slice
spec_of(const char *name)
{
    static char spec[128];

    snprintf(spec, sizeof(spec), "cdb:%s/%s", directory, name);
    return slice_from(spec);
}

static void
write_file(const char *name, struct slice octets)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, octets.ptr, octets.len), octets.len);
    close(fd);
}

static void
read_file(const char *name, struct buf *out)
{
    int fd = open(path_of(name), O_RDONLY);
    struct stat st;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    buf_reserve(out, (size_t)st.st_size);
    assert_int_equal(read(fd, out->ptr, (size_t)st.st_size), st.st_size);
    out->len = (size_t)st.st_size;
    close(fd);
}

static struct table *
open_table(const char *name)
{
    struct buf errors = { 0 };
    struct table *table =
        table_open(spec_of(name), TABLE_PAIRS, NULL, 5, &errors);

    if (table == NULL)
        fail_msg("%s", buf_cstr(&errors));
    buf_free(&errors);
    return table;
}

static void
put(struct cdb_writer *writer, unsigned i)
{
    char key[64], value[4096];

    snprintf(key, sizeof(key), "user%u@example.org", i);
    /* Some are longer than what the reader takes at once. */
    int n = snprintf(value, sizeof(value), "target%u@example.net", i);
    if (i % 100 == 7) {
        memset(value + n, 'x', 2000);
        value[n + 2000] = '\0';
    }
    assert_true(cdb_writer_add(writer, slice_from(key), slice_from(value)));
}

static void
build(const char *name, unsigned count)
{
    int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC, 0644);
    struct cdb_writer *writer = cdb_writer_new(fd);

    assert_true(fd >= 0);
    for (unsigned i = 0; i < count; i++)
        put(writer, i);
    assert_true(cdb_writer_finish(writer));
    cdb_writer_free(writer);
    close(fd);
}

static void
has_all(const struct table *table, unsigned count)
{
    struct buf value = { 0 };
    char key[64], want[64];
    unsigned line;

    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "user%u@example.org", i);
        snprintf(want, sizeof(want), "target%u@example.net", i);
        assert_int_equal(table_get(table, slice_from(key), &value, &line),
                         TABLE_FOUND);
        assert_int_equal(strncmp(buf_cstr(&value), want, strlen(want)), 0);
        assert_int_equal(value.len, strlen(want) + (i % 100 == 7) * 2000u);
        snprintf(key, sizeof(key), "user%u@example.com", i);
        assert_int_equal(table_get(table, slice_from(key), &value, &line),
                         TABLE_MISS);
    }
    buf_free(&value);
}

static bool
count_entry(void *ctx, struct slice key, struct slice value, unsigned line)
{
    char want[64];
    unsigned *n = ctx;

    snprintf(want, sizeof(want), "user%u@example.org", *n);
    assert_true(slice_equal(key, slice_from(want)));
    assert_true(slice_starts_nocase(value, SLICE_OF("target")));
    assert_int_equal(line, 0);
    ++*n;
    return true;
}

static void
reads_what_it_wrote(void **state)
{
    static const unsigned counts[] = { 0, 1, 2, 255, 256, 5000 };

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        unsigned n = 0;
        build("own.cdb", counts[i]);
        struct table *table = open_table("own");
        assert_int_equal(table->entries, counts[i]);
        assert_int_equal(table->loaded, 5);
        has_all(table, counts[i]);
        assert_int_equal(table_each(table, count_entry, &n), TABLE_FOUND);
        assert_int_equal(n, counts[i]);
        table_unref(table);
    }
}

/* t/data/table/postmap.cdb was made by Postfix 3.7:
 * for i in $(seq 0 299); do echo user$i@example.org target$i@example.net */
static void
reads_what_postmap_wrote(void **state)
{
    struct buf errors = { 0 }, value = { 0 };
    struct table *table =
        table_open(slice_from("cdb:" TEST_DATA "/table/postmap"), TABLE_ALIASES,
                   NULL, 0, &errors);
    char key[64], want[64];
    unsigned line;
    unsigned n = 0;

    (void)state;
    assert_non_null(table);
    assert_int_equal(table->entries, 300);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "user%u@example.org", i);
        snprintf(want, sizeof(want), "target%u@example.net", i);
        assert_int_equal(table_get(table, slice_from(key), &value, &line),
                         TABLE_FOUND);
        assert_string_equal(buf_cstr(&value), want);
    }
    assert_int_equal(table_each(table, count_entry, &n), TABLE_FOUND);
    assert_int_equal(n, 300);
    table_unref(table);
    buf_free(&errors);
    buf_free(&value);
}

static void
writes_what_postmap_writes(void **state)
{
    struct buf theirs = { 0 }, ours = { 0 };
    char key[64], value[64];
    int fd = open(path_of("same.cdb"), O_RDWR | O_CREAT | O_TRUNC, 0644);
    struct cdb_writer *writer = cdb_writer_new(fd);
    int data = open(TEST_DATA "/table/postmap.cdb", O_RDONLY);
    struct stat st;

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "user%u@example.org", i);
        snprintf(value, sizeof(value), "target%u@example.net", i);
        cdb_writer_add(writer, slice_from(key), slice_from(value));
    }
    assert_true(cdb_writer_finish(writer));
    cdb_writer_free(writer);
    close(fd);
    read_file("same.cdb", &ours);
    assert_int_equal(fstat(data, &st), 0);
    buf_reserve(&theirs, (size_t)st.st_size);
    theirs.len = (size_t)read(data, theirs.ptr, (size_t)st.st_size);
    close(data);
    assert_int_equal(ours.len, theirs.len);
    assert_memory_equal(ours.ptr, theirs.ptr, ours.len);
    buf_free(&ours);
    buf_free(&theirs);
}

/* ---- broken files ------------------------------------------------------ */

static void
refuses(const char *name, const char *sentence)
{
    struct buf errors = { 0 };
    char want[256];
    struct table *table =
        table_open(spec_of(name), TABLE_PAIRS, NULL, 0, &errors);

    assert_null(table);
    snprintf(want, sizeof(want), "%s/%s.cdb: %s\n", directory, name, sentence);
    assert_string_equal(buf_cstr(&errors), want);
    buf_free(&errors);
}

static void
refuses_what_is_no_cdb(void **state)
{
    char header[2048];

    (void)state;
    refuses("absent", "No such file or directory");
    write_file("empty.cdb", SLICE_OF(""));
    refuses("empty", "is no cdb file, or is damaged");
    write_file("text.cdb", SLICE_OF("a@b.example c@d.example\n"));
    refuses("text", "is no cdb file, or is damaged");
    memset(header, 'x', sizeof(header));
    write_file("x.cdb", (struct slice){ header, sizeof(header) });
    refuses("x", "is no cdb file, or is damaged");
    /* What a builder that was killed leaves: the header is written last. */
    memset(header, 0, sizeof(header));
    write_file("zero.cdb", (struct slice){ header, sizeof(header) });
    refuses("zero", "is no cdb file, or is damaged");
    assert_int_equal(mkdir(path_of("directory.cdb"), 0755), 0);
    refuses("directory", "is no cdb file, or is damaged");
}

/* Cut anywhere, the file is refused or says "error" or what it said before. */
static void
a_cut_file_is_no_miss(void **state)
{
    struct buf whole = { 0 }, value = { 0 }, errors = { 0 };
    unsigned line;

    (void)state;
    build("whole.cdb", 20);
    read_file("whole.cdb", &whole);
    for (size_t len = 0; len < whole.len; len++) {
        write_file("cut.cdb", slice_head(buf_slice(&whole), len));
        struct table *table =
            table_open(spec_of("cut"), TABLE_PAIRS, NULL, 0, &errors);
        assert_null(table);
    }
    /* The same while it is open. */
    for (size_t len = 2048; len < whole.len; len += 7) {
        write_file("cut.cdb", buf_slice(&whole));
        struct table *table = open_table("cut");
        assert_int_equal(truncate(path_of("cut.cdb"), (off_t)len), 0);
        for (unsigned i = 0; i < 20; i++) {
            char key[64];
            snprintf(key, sizeof(key), "user%u@example.org", i);
            enum table_status status =
                table_get(table, slice_from(key), &value, &line);
            assert_int_not_equal(status, TABLE_MISS);
        }
        table_unref(table);
    }
    buf_free(&whole);
    buf_free(&value);
    buf_free(&errors);
}

static void
set_number(struct buf *file, size_t at, uint32_t n)
{
    for (size_t i = 0; i < 4; i++)
        file->ptr[at + i] = (char)(n >> 8 * i & 0xFF);
}

/* A table without an empty slot must not be searched for ever, and no builder
 * makes one: it is damage, and not the answer that the key is not there. */
static void
a_full_table_is_an_error(void **state)
{
    struct buf file = { 0 }, value = { 0 };
    unsigned line;

    (void)state;
    build("one.cdb", 1);
    read_file("one.cdb", &file);
    uint32_t slots = (uint32_t)(file.len - 16);
    for (size_t i = 0; i < 2; i++) { /* no slot is free, none is right */
        set_number(&file, slots + 8 * i,
                   0x7f00 + cdb_hash(SLICE_OF("user0@example.org")) % 256);
        set_number(&file, slots + 8 * i + 4, 2048);
    }
    write_file("full.cdb", buf_slice(&file));
    struct table *table = open_table("full");
    assert_int_equal(
        table_get(table, SLICE_OF("user0@example.org"), &value, &line),
        TABLE_ERROR);
    table_unref(table);
    buf_free(&file);
    buf_free(&value);
}

/* What a file system may leave after a crash of the machine: the length is
 * right, a part is zeros. An empty slot says "not there", so it is found when
 * the file is opened; a record, when it is asked for. */
static void
zeros_are_no_miss(void **state)
{
    struct buf good = { 0 }, file = { 0 }, value = { 0 };
    unsigned line;
    char key[64];

    (void)state;
    build("good.cdb", 1000);
    read_file("good.cdb", &good);
    const size_t slots = good.len - 16 * 1000; /* where the tables begin */
    const size_t steps[] = { 64, 512, 4096 };
    for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
        for (size_t at = slots; at + steps[s] <= good.len; at += steps[s]) {
            buf_clear(&file);
            buf_append(&file, buf_slice(&good));
            memset(file.ptr + at, 0, steps[s]);
            write_file("zeros.cdb", buf_slice(&file));
            refuses("zeros", "is damaged: a part of its index is empty; "
                             "build it again");
        }
    }
    buf_clear(&file);
    buf_append(&file, buf_slice(&good));
    memset(file.ptr + 2048, 0, slots - 2048);
    write_file("zeros.cdb", buf_slice(&file));
    struct table *table = open_table("zeros");
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "user%u@example.org", i);
        assert_int_equal(table_get(table, slice_from(key), &value, &line),
                         TABLE_ERROR);
    }
    table_unref(table);
    buf_free(&good);
    buf_free(&file);
    buf_free(&value);
}

/* A disk that gave back 0xff for everything behind the header: an alias that
 * is "not there" would be sent on to the address it hides. */
static void
overwritten_slots_are_no_miss(void **state)
{
    struct buf file = { 0 }, value = { 0 };
    unsigned line;

    (void)state;
    build("good.cdb", 1000);
    read_file("good.cdb", &file);
    memset(file.ptr + 2048, 0xff, file.len - 2048);
    write_file("ff.cdb", buf_slice(&file));
    struct table *table = open_table("ff");
    for (unsigned i = 0; i < 1000; i++) {
        char key[64];
        snprintf(key, sizeof(key), "user%u@example.org", i);
        assert_int_equal(table_get(table, slice_from(key), &value, &line),
                         TABLE_ERROR);
    }
    table_unref(table);
    buf_free(&file);
    buf_free(&value);
}

static const struct hostile_row {
    const char *name;
    size_t at; /* from the start of the record */
    uint32_t number;
} hostile_rows[] = {
    { "a key of 4 GiB", 0, UINT32_MAX },
    { "a value of 4 GiB", 4, UINT32_MAX },
    { "a value that ends behind the records", 4, 1000 },
};

static void
lengths_are_not_believed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hostile_rows) / sizeof(hostile_rows[0]);
         i++) {
        struct buf file = { 0 }, value = { 0 };
        unsigned line, n = 0;
        build("one.cdb", 1);
        read_file("one.cdb", &file);
        set_number(&file, 2048 + hostile_rows[i].at, hostile_rows[i].number);
        write_file("hostile.cdb", buf_slice(&file));
        struct table *table = open_table("hostile");
        assert_int_equal(
            table_get(table, SLICE_OF("user0@example.org"), &value, &line),
            TABLE_ERROR);
        assert_int_equal(table_each(table, count_entry, &n), TABLE_ERROR);
        table_unref(table);
        buf_free(&file);
        buf_free(&value);
    }
}

static void
writer_stops_at_4_gib(void **state)
{
    int fd = open("/dev/null", O_WRONLY);
    struct cdb_writer *writer = cdb_writer_new(fd);
    struct buf big = { 0 };
    unsigned added = 0;

    (void)state;
    buf_reserve(&big, 64 << 20);
    big.len = 64 << 20;
    memset(big.ptr, 'x', big.len);
    while (added < 100 &&
           cdb_writer_add(writer, SLICE_OF("key"), buf_slice(&big)))
        added++;
    assert_int_equal(added, 63); /* the 64th would end behind 4 GiB */
    assert_false(cdb_writer_add(writer, SLICE_OF("k"), SLICE_OF("v")));
    assert_false(cdb_writer_finish(writer));
    cdb_writer_free(writer);
    buf_free(&big);
    close(fd);
}

static void
writer_tells_of_a_full_disk(void **state)
{
    int fd = open("/dev/full", O_WRONLY);
    struct cdb_writer *writer = cdb_writer_new(fd);

    (void)state;
    if (fd < 0)
        skip();
    assert_true(cdb_writer_add(writer, SLICE_OF("k"), SLICE_OF("v")));
    assert_false(cdb_writer_finish(writer));
    cdb_writer_free(writer);
    close(fd);
}

/* ---- life -------------------------------------------------------------- */

static void
a_new_file_is_noticed(void **state)
{
    struct buf errors = { 0 }, value = { 0 };
    unsigned line;
    char path[128];

    (void)state;
    build("life.cdb", 3);
    struct table *table = open_table("life");
    assert_false(table_is_stale(table));
    assert_ptr_equal(
        table_open(spec_of("life"), TABLE_PAIRS, table, 9, &errors), table);
    assert_int_equal(table->refs, 2);
    table_unref(table);

    build("next.cdb", 5);
    snprintf(path, sizeof(path), "%s", path_of("next.cdb"));
    assert_int_equal(rename(path, path_of("life.cdb")), 0);
    assert_true(table_is_stale(table));
    /* What is open goes on with the old file. */
    assert_int_equal(
        table_get(table, SLICE_OF("user4@example.org"), &value, &line),
        TABLE_MISS);
    struct table *next =
        table_open(spec_of("life"), TABLE_PAIRS, table, 9, &errors);
    assert_non_null(next);
    assert_ptr_not_equal(next, table);
    assert_int_equal(next->entries, 5);
    assert_int_equal(unlink(path_of("life.cdb")), 0);
    assert_false(table_is_stale(next));
    has_all(next, 5);
    has_all(table, 3);
    table_unref(table);
    table_unref(next);
    buf_free(&errors);
    buf_free(&value);
}

static void
another_use_opens_anew(void **state)
{
    struct buf errors = { 0 };

    (void)state;
    build("use.cdb", 3);
    struct table *table = open_table("use");
    struct table *other =
        table_open(spec_of("use"), TABLE_ALIASES, table, 0, &errors);
    assert_ptr_not_equal(other, table);
    table_unref(table);
    table_unref(other);
    buf_free(&errors);
}

static int
set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL;
}

static int
tear_down(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(reads_what_postmap_wrote),
        cmocka_unit_test(writes_what_postmap_writes),
        cmocka_unit_test(refuses_what_is_no_cdb),
        cmocka_unit_test(a_cut_file_is_no_miss),
        cmocka_unit_test(a_full_table_is_an_error),
        cmocka_unit_test(zeros_are_no_miss),
        cmocka_unit_test(overwritten_slots_are_no_miss),
        cmocka_unit_test(lengths_are_not_believed),
        cmocka_unit_test(writer_stops_at_4_gib),
        cmocka_unit_test(writer_tells_of_a_full_disk),
        cmocka_unit_test(a_new_file_is_noticed),
        cmocka_unit_test(another_use_opens_anew),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
