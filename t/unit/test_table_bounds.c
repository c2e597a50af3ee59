/* What a table's file may claim, and how much of it is believed: its values,
 * its lines, its size. */
#include "table.h"

#include "backend.h"

#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/onward-bounds-XXXXXX";
static char octets[2 * TABLE_VALUE_MAX + 2];

static struct slice
path_of(const char *type, const char *name)
{
    static char path[2][128];
    static unsigned turn;
    char *to = path[turn++ % 2];

    snprintf(to, sizeof(path[0]), "%s%s/%s", type, directory, name);
    return slice_from(to);
}

static int
create(const char *name)
{
    int fd = open(path_of("", name).ptr, O_RDWR | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    return fd;
}

static bool
on_record(void *ctx, struct slice key, struct slice value, unsigned line)
{
    (void)key;
    (void)value;
    (void)line;
    ++*(unsigned *)ctx;
    return true;
}

/* One record "k" of the longest value, and "l" of one octet more. */
static void
expect_bounds(struct slice spec)
{
    struct buf errors = { 0 }, value = { 0 };
    unsigned seen = 0, line;
    struct table *table = table_open(spec, TABLE_PAIRS, NULL, 0, &errors);

    if (table == NULL)
        fail_msg("%s", buf_cstr(&errors));
    assert_int_equal(table_get(table, SLICE_OF("k"), &value, &line),
                     TABLE_FOUND);
    assert_int_equal(value.len, TABLE_VALUE_MAX);
    assert_int_equal(table_get(table, SLICE_OF("l"), &value, &line),
                     TABLE_ERROR);
    assert_int_equal(table_get(table, SLICE_OF("m"), &value, &line),
                     TABLE_MISS);
    assert_int_equal(table_each(table, on_record, &seen), TABLE_ERROR);
    assert_int_equal(seen, 1);
    table_unref(table);
    buf_free(&errors);
    buf_free(&value);
}

static void
cdb_values(void **state)
{
    int fd = create("c.cdb");
    struct cdb_writer *writer = cdb_writer_new(fd);

    (void)state;
    assert_true(cdb_writer_add(writer, SLICE_OF("k"),
                               (struct slice){ octets, TABLE_VALUE_MAX }));
    assert_true(cdb_writer_add(writer, SLICE_OF("l"),
                               (struct slice){ octets, TABLE_VALUE_MAX + 1 }));
    assert_true(cdb_writer_finish(writer));
    cdb_writer_free(writer);
    close(fd);
    expect_bounds(path_of("cdb:", "c"));
}

static void
put(MDB_txn *txn, MDB_dbi dbi, const char *key, size_t key_len, size_t len)
{
    MDB_val name = { key_len, (void *)key }, value = { len, octets };

    assert_int_equal(mdb_put(txn, dbi, &name, &value, 0), 0);
}

/* As postmap writes it on Debian, and as it comes from others. */
static void
lmdb_values(void **state)
{
    for (size_t nul = 0; nul <= 1; nul++) {
        const char *name = nul != 0 ? "nul.lmdb" : "bare.lmdb";
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi dbi;

        (void)state;
        assert_int_equal(mdb_env_create(&env), 0);
        assert_int_equal(mdb_env_set_mapsize(env, 10 << 20), 0);
        assert_int_equal(mdb_env_open(env, path_of("", name).ptr,
                                      MDB_NOSUBDIR | MDB_NOLOCK, 0644),
                         0);
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
        assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
        octets[TABLE_VALUE_MAX] = nul != 0 ? '\0' : 'x';
        put(txn, dbi, "k", 1 + nul, TABLE_VALUE_MAX + nul);
        octets[TABLE_VALUE_MAX] = 'x';
        octets[TABLE_VALUE_MAX + 1] = nul != 0 ? '\0' : 'x';
        put(txn, dbi, "l", 1 + nul, TABLE_VALUE_MAX + 1 + nul);
        octets[TABLE_VALUE_MAX + 1] = 'x';
        assert_int_equal(mdb_txn_commit(txn), 0);
        mdb_env_close(env);
        expect_bounds(path_of("lmdb:", nul != 0 ? "nul" : "bare"));
    }
}

/* A line of `blanks` and a value of `len` octets: the error, or NULL. */
static void
expect_text(size_t blanks, size_t len, const char *error)
{
    struct buf text = { 0 }, errors = { 0 };

    buf_puts(&text, "j v\nk ");
    for (size_t i = 0; i < blanks; i++)
        buf_putc(&text, ' ');
    buf_append(&text, (struct slice){ octets, len });
    buf_puts(&text, "\n  more\nl v\n");
    struct table *table =
        table_from_text(buf_slice(&text), SLICE_OF("t"), TABLE_PAIRS, &errors);
    if (error == NULL)
        assert_non_null(table);
    else
        assert_string_equal(buf_cstr(&errors), error);
    table_unref(table);
    buf_free(&text);
    buf_free(&errors);
}

static void
text_values(void **state)
{
    (void)state;
    expect_text(0, TABLE_VALUE_MAX - 6, NULL);
    expect_text(0, TABLE_VALUE_MAX - 5,
                "t:2: \"k\" has a value of more than 100000 octets\n");
    expect_text(0, 2 * TABLE_VALUE_MAX,
                "t:2: the line is longer than 200000 octets\n");
    expect_text(TABLE_VALUE_MAX, TABLE_VALUE_MAX + 1,
                "t:2: the line is longer than 200000 octets\n");
}

/* Its size is judged before it is read. */
static void
text_files(void **state)
{
    static const struct {
        off_t size;
        const char *end;
    } rows[] = {
        { (off_t)1 << 40, "is larger than 256 MiB; make it a cdb or lmdb\n" },
        { ((off_t)256 << 20) + 1,
          "is larger than 256 MiB; make it a cdb or lmdb\n" },
        { (off_t)100 << 20, ":1: the line is longer than 200000 octets\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf errors = { 0 };
        int fd = create("sparse");
        assert_int_equal(ftruncate(fd, rows[i].size), 0);
        close(fd);
        assert_null(table_open(path_of("texthash:", "sparse"), TABLE_ALIASES,
                               NULL, 0, &errors));
        assert_non_null(strstr(buf_cstr(&errors), rows[i].end));
        buf_free(&errors);
    }
}

static int
set_up(void **state)
{
    (void)state;
    memset(octets, 'x', sizeof(octets));
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
        cmocka_unit_test(cdb_values),
        cmocka_unit_test(lmdb_values),
        cmocka_unit_test(text_values),
        cmocka_unit_test(text_files),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
