/* How tables are named, opened and refused; and lists of domains. */
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- names ------------------------------------------------------------- */

static struct spec_row {
    const char *spec;
    int is_spec;
    const char *path, *name; /* of a socketmap */
    const char *error;       /* or this */
} spec_rows[] = {
    { "example.org", 0, NULL, NULL, NULL },
    { ":x", 0, NULL, NULL, NULL },
    { "", 0, NULL, NULL, NULL },
    { "[IPv6:2001:db8::1]", 0, NULL, NULL, NULL },
    { "hash:/etc/aliases", 1, NULL, NULL,
      "hash:/etc/aliases: tables are texthash:, cdb:, lmdb: and socketmap:; "
      "of others make one: postmap -s TYPE:FILE | onward map build cdb:FILE "
      "-\n" },
    { "cdb:", 1, NULL, NULL, "cdb:: a path is missing\n" },
    { "texthash:/nonexistent/aliases", 1, NULL, NULL,
      "/nonexistent/aliases: No such file or directory\n" },
    { "texthash:/tmp", 1, NULL, NULL, "/tmp: is not a regular file\n" },
    { "cdb:/nonexistent/aliases", 1, NULL, NULL,
      "/nonexistent/aliases.cdb: No such file or directory\n" },
    { "socketmap:inet:127.0.0.1:10028:recipient", 1, "inet:127.0.0.1:10028",
      "recipient", NULL },
    { "socketmap:inet:[::1]:10028:recipient", 1, "inet:[::1]:10028",
      "recipient", NULL },
    { "socketmap:unix:/run/aliasd/sock:alias", 1, "unix:/run/aliasd/sock",
      "alias", NULL },
    { "socketmap:inet:127.0.0.1:10028", 1, NULL, NULL, "socketmap" },
    { "socketmap:inet:127.0.0.1:0:x", 1, NULL, NULL, "socketmap" },
    { "socketmap:inet:127.0.0.1:65536:x", 1, NULL, NULL, "socketmap" },
    { "socketmap:inet:127.0.0.1:smtp:x", 1, NULL, NULL, "socketmap" },
    { "socketmap:inet::10028:x", 1, NULL, NULL, "socketmap" },
    { "socketmap:inet:127.0.0.1:10028:", 1, NULL, NULL, "socketmap" },
    { "socketmap:inet:127.0.0.1:10028:a b", 1, NULL, NULL, "socketmap" },
    { "socketmap:unix:relative:x", 1, NULL, NULL, "socketmap" },
    { "socketmap:unix:/x", 1, NULL, NULL, "socketmap" },
    { "socketmap:tcp:127.0.0.1:1:x", 1, NULL, NULL, "socketmap" },
    { "socketmap:x", 1, NULL, NULL, "socketmap" },
};
enum {
    SPEC_ROWS = sizeof(spec_rows) / sizeof(spec_rows[0])
};

static void
check_spec(void **state)
{
    const struct spec_row *row = *state;
    struct buf errors = { 0 }, want = { 0 };

    assert_int_equal(table_spec_is(slice_from(row->spec)), row->is_spec);
    if (!row->is_spec)
        return;
    struct table *table =
        table_open(slice_from(row->spec), TABLE_ALIASES, NULL, 0, &errors);
    if (row->error != NULL) {
        assert_null(table);
        if (strcmp(row->error, "socketmap") == 0)
            buf_printf(&want,
                       "%s: write socketmap:inet:HOST:PORT:NAME or "
                       "socketmap:unix:/PATH:NAME\n",
                       row->spec);
        else
            buf_puts(&want, row->error);
        assert_string_equal(buf_cstr(&errors), buf_cstr(&want));
    } else {
        assert_non_null(table);
        assert_true(slice_equal(table->spec, slice_from(row->spec)));
        assert_true(slice_equal(table->path, slice_from(row->path)));
        assert_true(slice_equal(table->name, slice_from(row->name)));
        assert_int_equal(table->kind, TABLE_SOCKETMAP);
        assert_false(table_is_stale(table));
        /* Nothing to read again: the same one. */
        assert_ptr_equal(
            table_open(slice_from(row->spec), TABLE_ALIASES, table, 0, &errors),
            table);
        table_unref(table);
    }
    table_unref(table);
    buf_free(&errors);
    buf_free(&want);
}

static void
texthash_of_a_file(void **state)
{
    struct buf errors = { 0 }, value = { 0 };
    struct slice spec = slice_from("texthash:" TEST_DATA "/table/aliases");
    struct table *table = table_open(spec, TABLE_ALIASES, NULL, 7, &errors);
    unsigned line;

    (void)state;
    if (table == NULL)
        fail_msg("%s", buf_cstr(&errors));
    assert_int_equal(table->entries, 6);
    assert_int_equal(table->loaded, 7);
    assert_int_equal(
        table_get(table, SLICE_OF("info@example.org"), &value, &line),
        TABLE_FOUND);
    assert_string_equal(buf_cstr(&value), "bob@gmail.test, info@example.org");
    assert_int_equal(line, 4);
    assert_ptr_equal(table_open(spec, TABLE_ALIASES, table, 8, &errors), table);
    table_unref(table);
    table_unref(table);
    buf_free(&errors);
    buf_free(&value);
}

/* ---- domains ----------------------------------------------------------- */

static struct domain_row {
    const char *name;
    const char *domain;
    enum table_status answer; /* of the socketmap; ASK: it is not asked */
    enum table_status status;
    const char *value;
} domain_rows[] = {
    { "a literal name", "one.example", TABLE_ASK, TABLE_FOUND, "srs1" },
    { "case does not matter", "ONE.Example", TABLE_ASK, TABLE_FOUND, "srs1" },
    { "no sub-domains", "x.one.example", TABLE_MISS, TABLE_MISS, NULL },
    { "a name with an empty value", "plain.example", TABLE_ASK, TABLE_FOUND,
      "" },
    { "a table", "two.example", TABLE_ASK, TABLE_FOUND, "srs2" },
    { "the first entry answers", "both.example", TABLE_ASK, TABLE_FOUND,
      "literal" },
    { "A-labels of U-labels", "b\xC3\xBC.example", TABLE_ASK, TABLE_FOUND,
      "srs3" },
    { "a table that holds U-labels", "\xC3\xA4.example", TABLE_ASK, TABLE_FOUND,
      "srs4" },
    { "a socketmap that knows it", "far.example", TABLE_FOUND, TABLE_FOUND,
      "fetched" },
    { "a socketmap that does not", "far.example", TABLE_MISS, TABLE_MISS,
      NULL },
    { "what stands behind the socketmap", "last.example", TABLE_MISS,
      TABLE_FOUND, "srs5" },
    { "a socketmap in trouble", "last.example", TABLE_ERROR, TABLE_ERROR,
      NULL },
    { "no domain at all", "", TABLE_ASK, TABLE_MISS, NULL },
};
enum {
    DOMAIN_ROWS = sizeof(domain_rows) / sizeof(domain_rows[0])
};

static void
find_domain(void **state)
{
    const struct domain_row *row = *state;
    struct arena arena = { 0 };
    struct buf errors = { 0 };
    struct domain_entry entries[] = {
        { .name = SLICE("one.example"), .to = SLICE("srs1") },
        { .name = SLICE("plain.example") },
        { .name = SLICE("both.example"), .to = SLICE("literal") },
        { .table = table_from_text(
              SLICE_OF("two.example srs2\nboth.example table\n"
                       "xn--b-eha.example srs3\n\xC3\xA4.example srs4\n"),
              SLICE_OF("t"), TABLE_DOMAINS, &errors) },
        { .table = table_open(SLICE_OF("socketmap:unix:/x:domains"),
                              TABLE_DOMAINS, NULL, 0, &errors) },
        { .name = SLICE("last.example"), .to = SLICE("srs5") },
    };
    struct domain_list list = { .entries = entries,
                                .count = sizeof(entries) / sizeof(entries[0]) };
    struct alias_cursor cursor = { 0 };
    struct table_query query;
    struct slice value = { 0 };

    enum table_status status = domain_find(
        &list, slice_from(row->domain), &cursor, NULL, &arena, &value, &query);
    assert_int_equal(status == TABLE_ASK, row->answer != TABLE_ASK);
    if (status == TABLE_ASK) {
        struct table_answer answer = { row->answer, SLICE("fetched") };
        assert_ptr_equal(query.table, entries[4].table);
        assert_true(slice_equal(query.key, slice_from(row->domain)));
        status = domain_find(&list, slice_from(row->domain), &cursor, &answer,
                             &arena, &value, &query);
    }
    assert_int_equal(status, row->status);
    if (status == TABLE_FOUND)
        assert_true(slice_equal(value, slice_from(row->value)));
    table_unref(entries[3].table);
    table_unref(entries[4].table);
    buf_free(&errors);
    arena_free(&arena);
}

int
main(void)
{
    struct CMUnitTest tests[SPEC_ROWS + DOMAIN_ROWS + 1] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < SPEC_ROWS; i++)
        tests[n++] = (struct CMUnitTest){ spec_rows[i].spec, check_spec, NULL,
                                          NULL, &spec_rows[i] };
    for (size_t i = 0; i < DOMAIN_ROWS; i++)
        tests[n++] = (struct CMUnitTest){ domain_rows[i].name, find_domain,
                                          NULL, NULL, &domain_rows[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(texthash_of_a_file);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
