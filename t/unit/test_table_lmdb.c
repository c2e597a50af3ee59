/* LMDB files: postmap's, ours, those of others, and their locks. */
#include "table.h"

#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/onward-lmdb-XXXXXX";

static const char *
path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static struct table *
open_table(const char *name)
{
    struct buf errors = { 0 };
    char spec[128];

    snprintf(spec, sizeof(spec), "lmdb:%s/%s", directory, name);
    struct table *table =
        table_open(slice_from(spec), TABLE_PAIRS, NULL, 0, &errors);
    if (table == NULL)
        fail_msg("%s", buf_cstr(&errors));
    buf_free(&errors);
    return table;
}

/* A file as another program makes it: count entries, with or without NUL. */
static void
make(const char *name, unsigned from, unsigned count, size_t nul,
     size_t map_size)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    char key[64], value[64];

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_mapsize(env, map_size), 0);
    assert_int_equal(
        mdb_env_open(env, path_of(name), MDB_NOSUBDIR | MDB_NOLOCK, 0644), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    for (unsigned i = from; i < from + count; i++) {
        snprintf(key, sizeof(key), "user%u@example.org", i);
        snprintf(value, sizeof(value), "target%u@example.net", i);
        MDB_val k = { strlen(key) + nul, key };
        MDB_val v = { strlen(value) + nul, value };
        assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
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
        assert_string_equal(buf_cstr(&value), want);
        assert_int_equal(value.len, strlen(want));
        snprintf(key, sizeof(key), "user%u@example.com", i);
        assert_int_equal(table_get(table, slice_from(key), &value, &line),
                         TABLE_MISS);
    }
    buf_free(&value);
}

static bool
count_entry(void *ctx, struct slice key, struct slice value, unsigned line)
{
    unsigned *n = ctx;

    assert_true(slice_ends_nocase(key, SLICE_OF("@example.org")));
    assert_true(slice_ends_nocase(value, SLICE_OF("@example.net")));
    assert_int_equal(line, 0);
    ++*n;
    return true;
}

static void
check_all(struct table *table, unsigned count)
{
    unsigned n = 0;

    has_all(table, count);
    assert_int_equal(table_each(table, count_entry, &n), TABLE_FOUND);
    assert_int_equal(n, count);
    assert_int_equal(table_count(table), count);
    table_unref(table);
}

/* LMDB files are those of one size of addresses and order of octets; the one
 * in t/data was written where addresses have 64 bits, the lowest octet first.
 */
static bool
is_like_the_writer(void)
{
    const uint16_t one = 1;
    unsigned char first;

    memcpy(&first, &one, 1);
    return sizeof(size_t) == 8 && first == 1;
}

static void
reads_what_postmap_wrote(void **state)
{
    struct buf errors = { 0 };

    (void)state;
    if (!is_like_the_writer())
        skip();
    check_all(table_open(slice_from("lmdb:" TEST_DATA "/table/postmap"),
                         TABLE_ALIASES, NULL, 0, &errors),
              300);
    buf_free(&errors);
}

static void
reads_keys_with_a_nul(void **state)
{
    (void)state;
    make("nul.lmdb", 0, 100, 1, 1 << 20);
    check_all(open_table("nul"), 100);
}

static void
reads_keys_without_a_nul(void **state)
{
    (void)state;
    make("bare.lmdb", 0, 100, 0, 1 << 20);
    check_all(open_table("bare"), 100);
}

/* Which of the two it is shows only when something is there. */
static void
learns_late_what_an_empty_file_holds(void **state)
{
    struct buf value = { 0 };
    unsigned line;

    (void)state;
    make("late.lmdb", 0, 0, 0, 1 << 20);
    struct table *table = open_table("late");
    assert_int_equal(table_count(table), 0);
    assert_int_equal(
        table_get(table, SLICE_OF("user0@example.org"), &value, &line),
        TABLE_MISS);
    make("late.lmdb", 0, 10, 1, 1 << 20);
    assert_false(table_is_stale(table));
    check_all(table, 10);
    buf_free(&value);
}

static void
follows_a_map_that_grew(void **state)
{
    (void)state;
    make("grow.lmdb", 0, 10, 1, 1 << 20);
    struct table *table = open_table("grow");
    has_all(table, 10);
    make("grow.lmdb", 10, 20000, 1, 64 << 20);
    check_all(table, 20010);
}

static void
odd_keys_are_misses(void **state)
{
    struct buf value = { 0 };
    char key[2000];
    unsigned line;

    (void)state;
    make("odd.lmdb", 0, 10, 1, 1 << 20);
    struct table *table = open_table("odd");
    memset(key, 'x', sizeof(key));
    for (size_t len = 0; len < sizeof(key); len += 100)
        assert_int_equal(
            table_get(table, (struct slice){ key, len }, &value, &line),
            TABLE_MISS);
    table_unref(table);
    buf_free(&value);
}

/* ---- locks ------------------------------------------------------------- */

/* A child that holds Postfix' lock until the pipe is closed. */
static pid_t
hold_lock(const char *name, int *release)
{
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int ready[2], done[2];
    char c;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(path_of(name), O_RDWR);
        close(done[1]);
        c = fcntl(fd, F_SETLK, &range) == 0 ? 'y' : 'n';
        if (write(ready[1], &c, 1) == 1 && read(done[0], &c, 1) == 0)
            _exit(0);
        _exit(1);
    }
    close(done[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    close(ready[0]);
    *release = done[1];
    return pid;
}

static void
is_busy_while_postmap_writes(void **state)
{
    struct buf value = { 0 };
    unsigned line, n = 0;
    int release, status;

    (void)state;
    make("busy.lmdb", 0, 10, 1, 1 << 20);
    struct table *table = open_table("busy");
    pid_t pid = hold_lock("busy.lmdb", &release);
    assert_int_equal(
        table_get(table, SLICE_OF("user1@example.org"), &value, &line),
        TABLE_BUSY);
    assert_int_equal(table_each(table, count_entry, &n), TABLE_BUSY);
    close(release);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(
        table_get(table, SLICE_OF("user1@example.org"), &value, &line),
        TABLE_FOUND);
    /* And it keeps none itself, or postmap would wait for us. */
    pid = hold_lock("busy.lmdb", &release);
    close(release);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    table_unref(table);
    buf_free(&value);
}

/* ---- files ------------------------------------------------------------- */

static void
refuses_what_is_no_lmdb(void **state)
{
    static const struct {
        const char *spec, *why;
    } rows[] = {
        { "lmdb:/nonexistent/x",
          "/nonexistent/x.lmdb: No such file or directory\n" },
        { "lmdb:" TEST_DATA "/table/text",
          TEST_DATA "/table/text.lmdb: is no lmdb file as postmap writes it, "
                    "or is damaged\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf errors = { 0 };
        assert_null(table_open(slice_from(rows[i].spec), TABLE_PAIRS, NULL, 0,
                               &errors));
        assert_string_equal(buf_cstr(&errors), rows[i].why);
        buf_free(&errors);
    }
}

static void
writes_what_it_reads(void **state)
{
    struct buf text = { 0 }, errors = { 0 };
    const char *why;

    (void)state;
    for (unsigned i = 0; i < 3000; i++)
        buf_printf(&text, "user%u@example.org target%u@example.net\n", i, i);
    struct table *from = table_from_text(buf_slice(&text), SLICE_OF("t"),
                                         TABLE_ALIASES, &errors);
    assert_non_null(from);
    assert_true(lmdb_write(path_of("own.lmdb"), from, &why));
    check_all(open_table("own"), 3000);
    table_unref(from);
    buf_free(&text);
    buf_free(&errors);
}

static void
a_key_can_be_too_long_for_it(void **state)
{
    struct buf text = { 0 }, errors = { 0 };
    const char *why;

    (void)state;
    buf_printf(&text, "%0511d value\n", 1);
    struct table *from =
        table_from_text(buf_slice(&text), SLICE_OF("t"), TABLE_PAIRS, &errors);
    assert_non_null(from);
    assert_false(lmdb_write(path_of("long.lmdb"), from, &why));
    assert_string_equal(why, "a key is longer than 510 octets");
    table_unref(from);
    buf_free(&text);
    buf_free(&errors);
}

static void
a_new_file_is_noticed(void **state)
{
    char path[128];

    (void)state;
    make("life.lmdb", 0, 3, 1, 1 << 20);
    struct table *table = open_table("life");
    assert_false(table_is_stale(table));
    make("next.lmdb", 0, 5, 1, 1 << 20);
    snprintf(path, sizeof(path), "%s", path_of("next.lmdb"));
    assert_int_equal(rename(path, path_of("life.lmdb")), 0);
    assert_true(table_is_stale(table));
    check_all(table, 3);
    check_all(open_table("life"), 5);
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
        cmocka_unit_test(reads_what_postmap_wrote),
        cmocka_unit_test(reads_keys_with_a_nul),
        cmocka_unit_test(reads_keys_without_a_nul),
        cmocka_unit_test(learns_late_what_an_empty_file_holds),
        cmocka_unit_test(follows_a_map_that_grew),
        cmocka_unit_test(odd_keys_are_misses),
        cmocka_unit_test(is_busy_while_postmap_writes),
        cmocka_unit_test(refuses_what_is_no_lmdb),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(a_key_can_be_too_long_for_it),
        cmocka_unit_test(a_new_file_is_noticed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
