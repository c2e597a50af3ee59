/* Look-ups in a list of tables: keys in the order of virtual(5), extensions,
 * special values, and the wait for an answer. */
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct row {
    const char *name;
    const char *delimiters;
    const char *text; /* of the one table */
    const char *address;
    enum alias_status status;
    const char *result; /* targets, or the reply */
    const char *rule;   /* key that answered */
} rows[] = {
    { "an exact key", "+", "a@b.example c@d.example\n", "a@b.example",
      ALIAS_HIT, "c@d.example", "a@b.example" },
    { "nothing", "+", "a@b.example c@d.example\n", "x@b.example", ALIAS_NONE,
      NULL, NULL },
    { "keys are asked in lower case", "+", "a@b.example c@d.example\n",
      "A@B.EXAMPLE", ALIAS_HIT, "c@d.example", "a@b.example" },
    { "several targets", "+", "a@b.example c@d.example,e@f.example\n",
      "a@b.example", ALIAS_HIT, "c@d.example,e@f.example", "a@b.example" },
    { "an extension goes on to the targets", "+",
      "a@b.example c@d.example,e@f.example\n", "a+x@b.example", ALIAS_HIT,
      "c+x@d.example,e+x@f.example", "a@b.example" },
    { "an extension keeps its case", "+", "a@b.example c@d.example\n",
      "a+Xy@b.example", ALIAS_HIT, "c+Xy@d.example", "a@b.example" },
    { "a key with the extension comes first", "+",
      "a@b.example c@d.example\na+x@b.example e@f.example\n", "a+x@b.example",
      ALIAS_HIT, "e@f.example", "a+x@b.example" },
    { "the address comes before the domain", "+",
      "@b.example c@d.example\na@b.example e@f.example\n", "a+x@b.example",
      ALIAS_HIT, "e+x@f.example", "a@b.example" },
    { "a catch-all", "+", "@b.example c@d.example\n", "any@b.example",
      ALIAS_HIT, "c@d.example", "@b.example" },
    { "a catch-all gets no extension", "+", "@b.example c@d.example\n",
      "any+x@b.example", ALIAS_HIT, "c@d.example", "@b.example" },
    { "the same user at another domain", "+", "@b.example @d.example\n",
      "any+x@b.example", ALIAS_HIT, "any+x@d.example", "@b.example" },
    { "another domain for one user", "+", "a@b.example @d.example\n",
      "a@b.example", ALIAS_HIT, "a@d.example", "a@b.example" },
    { "another domain for one user, with extension", "+",
      "a@b.example @d.example, c@e.example\n", "a+x@b.example", ALIAS_HIT,
      "a+x@d.example,c+x@e.example", "a@b.example" },
    { "the second of several delimiters", "+-", "a@b.example c@d.example\n",
      "a-x@b.example", ALIAS_HIT, "c-x@d.example", "a@b.example" },
    { "the first delimiter in the address splits", "+-",
      "a@b.example c@d.example\n", "a-x+y@b.example", ALIAS_HIT,
      "c-x+y@d.example", "a@b.example" },
    { "a delimiter in front does not split", "+",
      "@b.example c@d.example\n+x@b.example e@f.example\n", "+x@b.example",
      ALIAS_HIT, "e@f.example", "+x@b.example" },
    { "nor does a later one then", "+", "+a@b.example c@d.example\n",
      "+a+x@b.example", ALIAS_NONE, NULL, NULL },
    { "no delimiter, no extension", "", "a@b.example c@d.example\n",
      "a+x@b.example", ALIAS_NONE, NULL, NULL },
    { "an empty extension is one", "+", "a@b.example c@d.example\n",
      "a+@b.example", ALIAS_HIT, "c+@d.example", "a@b.example" },
    { "owner-list is not split at a hyphen", "-",
      "owner@b.example c@d.example\n", "owner-list@b.example", ALIAS_NONE, NULL,
      NULL },
    { "nor is list-request", "-", "list@b.example c@d.example\n",
      "list-request@b.example", ALIAS_NONE, NULL, NULL },
    { "nor is mailer-daemon", "-", "mailer@b.example c@d.example\n",
      "mailer-daemon@b.example", ALIAS_NONE, NULL, NULL },
    { "with another delimiter owner-list is nothing special", "+",
      "owner-list@b.example c@d.example\n", "owner-list+x@b.example", ALIAS_HIT,
      "c+x@d.example", "owner-list@b.example" },
    { "a local copy", "+", "a@b.example c@d.example, a@b.example\n",
      "a+x@b.example", ALIAS_HIT, "c+x@d.example,a+x@b.example",
      "a@b.example" },
    { "a quoted local part", "+", "\"a b\"@c.example d@e.example\n",
      "\"A b\"@c.example", ALIAS_HIT, "d@e.example", "\"a b\"@c.example" },
    { "a quoted local part with extension", "+",
      "\"a b\"@c.example \"d e\"@f.example\n", "\"a b+x\"@c.example", ALIAS_HIT,
      "\"d e+x\"@f.example", "\"a b\"@c.example" },
    { "a local part that is quoted in vain", "+", "a@b.example c@d.example\n",
      "\"a\"@b.example", ALIAS_HIT, "c@d.example", "a@b.example" },
    { "an extension that needs quotes", "+", "a@b.example c@d.example\n",
      "\"a+x y\"@b.example", ALIAS_HIT, "\"c+x y\"@d.example", "a@b.example" },
    { "an extension that would route", "+", "a@b.example c@d.example\n",
      "a+x%evil.example@b.example", ALIAS_BAD_CAPTURE, NULL, NULL },
    { "a local part that would route", "+", "@b.example @d.example\n",
      "evil.example!x@b.example", ALIAS_BAD_CAPTURE, NULL, NULL },
    { "a target that gets too long", "+",
      "a@b.example abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
      "@d.example\n",
      "a+0123456789012@b.example", ALIAS_BAD_CAPTURE, NULL, NULL },
    { "A-labels first", "+",
      "a@b\xC3\xBC.example c@d.example\na@xn--b-eha.example e@f.example\n",
      "a@b\xC3\xBC.example", ALIAS_HIT, "e@f.example", "a@xn--b-eha.example" },
    { "then as written", "+", "a@b\xC3\xBC.example c@d.example\n",
      "a+x@b\xC3\xBC.example", ALIAS_HIT, "c+x@d.example",
      "a@b\xC3\xBC.example" },
    { "a literal domain", "+", "a@[192.0.2.1] c@d.example\n", "a@[192.0.2.1]",
      ALIAS_HIT, "c@d.example", "a@[192.0.2.1]" },
    { "a bare postmaster has no alias", "+", "@b.example c@d.example\n",
      "postmaster", ALIAS_NONE, NULL, NULL },
    { "a rejection", "+", "a@b.example reject:550 5.1.6 moved\n", "a@b.example",
      ALIAS_HIT, "550 5.1.6 moved", "a@b.example" },
    { "a rejection holds with extension", "+", "a@b.example reject:\n",
      "a+x@b.example", ALIAS_HIT, "", "a@b.example" },
    { "a deferral", "+", "a@b.example defer: 450 4.2.1 later\n", "a@b.example",
      ALIAS_HIT, "450 4.2.1 later", "a@b.example" },
    { "a virtual alias domain is no alias", "+", "b.example anything\n",
      "a@b.example", ALIAS_NONE, NULL, NULL },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static struct table *
load(const char *text, struct buf *errors)
{
    struct table *table = table_from_text(
        slice_from(text), SLICE_OF("texthash:t"), TABLE_ALIASES, errors);

    if (table == NULL)
        fail_msg("%s", buf_cstr(errors));
    return table;
}

static void
join(const struct alias_hit *hit, struct buf *joined)
{
    buf_clear(joined);
    for (size_t i = 0; i < hit->target_count; i++) {
        if (i != 0)
            buf_putc(joined, ',');
        buf_append(joined, hit->targets[i].text);
    }
}

static void
find(void **state)
{
    const struct row *row = *state;
    struct arena arena = { 0 };
    struct buf errors = { 0 }, joined = { 0 };
    struct alias_entry entry = { .table = load(row->text, &errors) };
    struct alias_list list = { .entries = &entry,
                               .count = 1,
                               .delimiters = slice_from(row->delimiters) };
    struct alias_cursor cursor = { 0 };
    struct alias_hit hit = { 0 };
    struct table_query query;
    struct smtp_path address;

    assert_true(smtp_address_parse(slice_from(row->address), &arena, &address));
    assert_int_equal(
        alias_find(&list, &address, &cursor, NULL, &arena, &hit, &query),
        row->status);
    if (row->status == ALIAS_HIT) {
        join(&hit, &joined);
        if (hit.action != ALIAS_FORWARD)
            buf_append(&joined, hit.reply);
        assert_string_equal(buf_cstr(&joined), row->result);
        assert_true(slice_equal(hit.rule, slice_from(row->rule)));
        assert_true(slice_starts_nocase(hit.origin, SLICE_OF("texthash:t:")));
    }
    table_unref(entry.table);
    buf_free(&errors);
    buf_free(&joined);
    arena_free(&arena);
}

/* ---- a socketmap in the middle ----------------------------------------- */

struct step {
    enum table_status answer;
    const char *value;
};

static struct wait_row {
    const char *name;
    const char *address;
    struct step steps[4]; /* what is answered, in this order */
    const char *asked;    /* keys, joined by blanks */
    enum alias_status status;
    const char *result;
} wait_rows[] = {
    { "the table before it answers",
      "first@b.example",
      { { 0 } },
      "",
      ALIAS_HIT,
      "one@d.example" },
    { "it is asked for each key, then the next entry",
      "last+x@b.example",
      { { TABLE_MISS, "" }, { TABLE_MISS, "" }, { TABLE_MISS, "" } },
      " last+x@b.example last@b.example @b.example",
      ALIAS_HIT,
      "three+x@d.example" },
    { "its answer to the first key",
      "a+x@b.example",
      { { TABLE_FOUND, "two@d.example" } },
      " a+x@b.example",
      ALIAS_HIT,
      "two@d.example" },
    { "its answer to the second key gets the extension",
      "a+x@b.example",
      { { TABLE_MISS, "" }, { TABLE_FOUND, "two@d.example" } },
      " a+x@b.example a@b.example",
      ALIAS_HIT,
      "two+x@d.example" },
    { "trouble is not a miss",
      "last@b.example",
      { { TABLE_ERROR, "TEMP no database" } },
      " last@b.example",
      ALIAS_ERROR,
      NULL },
    { "an answer that is no alias is trouble",
      "last@b.example",
      { { TABLE_FOUND, "|/bin/sh" } },
      " last@b.example",
      ALIAS_ERROR,
      NULL },
    { "nobody knows it",
      "x@b.example",
      { { TABLE_MISS, "" }, { TABLE_MISS, "" } },
      " x@b.example @b.example",
      ALIAS_NONE,
      NULL },
};
enum {
    WAIT_ROWS = sizeof(wait_rows) / sizeof(wait_rows[0])
};

static void
wait_for_answers(void **state)
{
    const struct wait_row *row = *state;
    struct arena arena = { 0 };
    struct buf errors = { 0 }, joined = { 0 }, asked = { 0 };
    struct table *socketmap =
        table_open(SLICE_OF("socketmap:inet:127.0.0.1:1:aliases"),
                   TABLE_ALIASES, NULL, 0, &errors);
    assert_non_null(socketmap);
    struct alias_entry entries[] = {
        { .table = load("first@b.example one@d.example\n", &errors) },
        { .table = socketmap },
        { .table = load("last@b.example three@d.example\n", &errors) },
    };
    struct alias_list list = { .entries = entries,
                               .count = 3,
                               .delimiters = SLICE("+") };
    struct alias_cursor cursor = { 0 };
    struct alias_hit hit = { 0 };
    struct table_query query;
    struct table_answer answer, *given = NULL;
    struct smtp_path address;
    enum alias_status status;
    size_t step = 0;

    smtp_address_parse(slice_from(row->address), &arena, &address);
    while ((status = alias_find(&list, &address, &cursor, given, &arena, &hit,
                                &query)) == ALIAS_ASK) {
        assert_ptr_equal(query.table, socketmap);
        buf_printf(&asked, " %.*s", SLICE_ARG(query.key));
        assert_in_range(step, 0, 3);
        answer = (struct table_answer){ row->steps[step].answer,
                                        slice_from(row->steps[step].value) };
        given = &answer;
        step++;
    }
    assert_int_equal(status, row->status);
    assert_string_equal(buf_cstr(&asked), row->asked);
    if (status == ALIAS_HIT) {
        join(&hit, &joined);
        assert_string_equal(buf_cstr(&joined), row->result);
    }
    for (size_t i = 0; i < 3; i++)
        table_unref(entries[i].table);
    buf_free(&errors);
    buf_free(&joined);
    buf_free(&asked);
    arena_free(&arena);
}

/* Every allocation that may fail is made to fail once: trouble, never "no
 * such alias", and nothing leaks. */
static void
memory_that_is_gone_is_trouble(void **state)
{
    struct arena keep = { 0 };
    struct buf errors = { 0 };
    struct alias_entry entry = {
        .table = load("a@b.example @e.example, c@d.example\n", &errors),
    };
    struct alias_list list = { .entries = &entry,
                               .count = 1,
                               .delimiters = SLICE("+") };
    struct smtp_path address;
    size_t calls = 1;

    (void)state;
    smtp_address_parse(SLICE_OF("a+x@b.example"), &keep, &address);
    for (size_t n = 0; n <= calls; n++) {
        struct arena arena = { 0 };
        struct alias_cursor cursor = { 0 };
        struct alias_hit hit;
        struct table_query query;
        mem_fail_nth(n != 0 ? n : SIZE_MAX); /* that one never comes */
        enum alias_status status =
            alias_find(&list, &address, &cursor, NULL, &arena, &hit, &query);
        size_t made = mem_fail_nth(0);
        if (n == 0) {
            assert_int_equal(status, ALIAS_HIT);
            calls = made;
            assert_in_range(calls, 1, 100);
        } else {
            assert_int_equal(status, ALIAS_ERROR);
        }
        arena_free(&arena);
    }
    table_unref(entry.table);
    buf_free(&errors);
    arena_free(&keep);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + WAIT_ROWS + 1] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, find, NULL, NULL, &rows[i] };
    for (size_t i = 0; i < WAIT_ROWS; i++)
        tests[n++] = (struct CMUnitTest){ wait_rows[i].name, wait_for_answers,
                                          NULL, NULL, &wait_rows[i] };
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(memory_that_is_gone_is_trouble);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
