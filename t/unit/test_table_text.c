/* virtual(5) text: lines, keys, values, and everything that is wrong. */
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct row {
    const char *name;
    enum table_use use;
    struct slice text;
    const char *entries; /* "LINE key=value;" each */
    const char *errors;
} rows[] = {
    { "an empty file", TABLE_ALIASES, SLICE(""), "", "" },
    { "comments and blank lines", TABLE_ALIASES, SLICE("# a\n\n   \n\t# b\n#c"),
      "", "" },
    { "one alias", TABLE_ALIASES, SLICE("a@b.example c@d.example\n"),
      "1 a@b.example=c@d.example;", "" },
    { "no newline at the end", TABLE_ALIASES, SLICE("a@b.example c@d.example"),
      "1 a@b.example=c@d.example;", "" },
    { "tabs, CR and trailing blanks", TABLE_ALIASES,
      SLICE("a@b.example\t\tc@d.example  \r\n"), "1 a@b.example=c@d.example;",
      "" },
    { "keys are folded, values are not", TABLE_ALIASES,
      SLICE("A@B.Example C@D.Example\n"), "1 a@b.example=C@D.Example;", "" },
    { "several targets", TABLE_ALIASES,
      SLICE("a@b.example c@d.example, e@f.example g@h.example\n"),
      "1 a@b.example=c@d.example, e@f.example g@h.example;", "" },
    { "a continuation line", TABLE_ALIASES,
      SLICE("a@b.example c@d.example,\n  e@f.example\n"),
      "1 a@b.example=c@d.example,  e@f.example;", "" },
    { "a comment inside a logical line", TABLE_ALIASES,
      SLICE("a@b.example c@d.example,\n# not yet\n\n  e@f.example\n"),
      "1 a@b.example=c@d.example,  e@f.example;", "" },
    { "the value in the next line", TABLE_ALIASES,
      SLICE("a@b.example\n c@d.example\n"), "1 a@b.example=c@d.example;", "" },
    { "a catch-all", TABLE_ALIASES, SLICE("@b.example c@d.example\n"),
      "1 @b.example=c@d.example;", "" },
    { "a domain as target", TABLE_ALIASES, SLICE("@b.example @d.example\n"),
      "1 @b.example=@d.example;", "" },
    { "a quoted key with a blank", TABLE_ALIASES,
      SLICE("\"a b\"@c.example d@e.example\n"),
      "1 \"a b\"@c.example=d@e.example;", "" },
    { "a quoted target with blank and comma", TABLE_ALIASES,
      SLICE("a@b.example \"x, y\"@d.example,e@f.example\n"),
      "1 a@b.example=\"x, y\"@d.example,e@f.example;", "" },
    { "a rejection", TABLE_ALIASES,
      SLICE("a@b.example reject:550 5.1.6 moved\n"),
      "1 a@b.example=reject:550 5.1.6 moved;", "" },
    { "a rejection without text", TABLE_ALIASES, SLICE("a@b.example reject:\n"),
      "1 a@b.example=reject:;", "" },
    { "a deferral", TABLE_ALIASES, SLICE("a@b.example defer:450 later\n"),
      "1 a@b.example=defer:450 later;", "" },
    { "a discard", TABLE_ALIASES, SLICE("a@b.example discard:\n"),
      "1 a@b.example=discard:;", "" },
    { "a virtual alias domain is no alias", TABLE_ALIASES,
      SLICE("b.example anything\na@b.example c@d.example\n"),
      "1 b.example=anything;2 a@b.example=c@d.example;", "" },
    { "UTF-8", TABLE_ALIASES,
      SLICE("b\xC3\xBC@b.example c@d\xC3\xBC.example\n"),
      "1 b\xC3\xBC@b.example=c@d\xC3\xBC.example;", "" },
    { "domains have any value", TABLE_DOMAINS,
      SLICE("b.example OK\nD.example 1 # x\n"),
      "1 b.example=OK;2 d.example=1 # x;", "" },

    { "a key without value", TABLE_ALIASES, SLICE("a@b.example\n"), "",
      "t:1: \"a@b.example\" has no value\n" },
    { "all errors are told", TABLE_ALIASES,
      SLICE("a@b.example\n# x\nc@d.example\n"), "",
      "t:1: \"a@b.example\" has no value\n"
      "t:3: \"c@d.example\" has no value\n" },
    { "a continuation of nothing", TABLE_ALIASES,
      SLICE("  a@b.example c@d.example\n"), "",
      "t:1: the line begins with a blank but continues nothing\n" },
    { "a duplicate", TABLE_ALIASES,
      SLICE("a@b.example c@d.example\nA@b.example c@d.example\n"), "",
      "t:2: \"a@b.example\" is there already, in line 1\n" },
    { "a NUL", TABLE_ALIASES, SLICE("a@b.example c\0@d.example\n"), "",
      "t:1: the line holds a NUL\n" },
    { "not UTF-8", TABLE_ALIASES, SLICE("a@b.example c\xFF@d.example\n"), "",
      "t:1: the line is not UTF-8\n" },
    { "a byte-order mark", TABLE_ALIASES,
      SLICE("\xEF\xBB\xBF"
            "a@b.example c@d.example\n"),
      "", "t:1: the file begins with a byte-order mark\n" },
    { "an open quote", TABLE_ALIASES, SLICE("\"a@b.example c@d.example\n"), "",
      "t:1: a quote is not closed\n" },
    { "two at signs", TABLE_ALIASES, SLICE("a@b.example bob@@gmail.test\n"), "",
      "t:1: \"bob@@gmail.test\" is not an address\n" },
    { "the second target is looked at", TABLE_ALIASES,
      SLICE("a@b.example c@d.example,\n e\n"), "",
      "t:1: \"e\" has no domain\n" },
    { "a bare target", TABLE_ALIASES, SLICE("a@b.example bob\n"), "",
      "t:1: \"bob\" has no domain\n" },
    { "a command", TABLE_ALIASES, SLICE("a@b.example |/bin/x\n"), "",
      "t:1: \"|/bin/x\" is a command; only addresses are targets\n" },
    { "a quoted command", TABLE_ALIASES, SLICE("a@b.example \"|/bin/x y\"\n"),
      "",
      "t:1: \"\"|/bin/x y\"\" is a command or a file; only addresses are "
      "targets\n" },
    { "a file", TABLE_ALIASES, SLICE("a@b.example /var/mail/x\n"), "",
      "t:1: \"/var/mail/x\" is a file; only addresses are targets\n" },
    { "an include", TABLE_ALIASES, SLICE("a@b.example :include:/x\n"), "",
      "t:1: \":include:/x\" is an include; only addresses are targets\n" },
    { "a local part of 65 octets", TABLE_ALIASES,
      SLICE("a@b.example "
            "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm"
            "@d.example\n"),
      "",
      "t:1: \"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij"
      "klm@d.example\" has a local part of more than 64 octets\n" },
    { "a bad domain", TABLE_ALIASES, SLICE("a@b.example c@d..example\n"), "",
      "t:1: \"c@d..example\" is not an address\n" },
    { "a domain with an outer hyphen", TABLE_ALIASES,
      SLICE("a@b.example c@d-.example\n"), "",
      "t:1: \"c@d-.example\" has a bad domain\n" },
    { "only commas", TABLE_ALIASES, SLICE("a@b.example ,,\n"), "",
      "t:1: \",,\" names no target\n" },
    { "a domain as second target", TABLE_ALIASES,
      SLICE("a@b.example c@d.example, @e.example\n"), "",
      "t:1: \"@e.example\" must be the first target\n" },
    { "a bad domain as target", TABLE_ALIASES, SLICE("a@b.example @-\n"), "",
      "t:1: \"@-\" is not a domain\n" },
    { "a bad reply", TABLE_ALIASES, SLICE("a@b.example reject:250 ok\n"), "",
      "t:1: \"250 ok\" is no reply; write \"550 5.1.6 text\", 4xx or 5xx\n" },
    { "a 5xx deferral", TABLE_ALIASES, SLICE("a@b.example defer:550 no\n"), "",
      "t:1: \"550 no\" is a 5xx reply; defer wants 4xx\n" },
    { "text behind discard", TABLE_ALIASES,
      SLICE("a@b.example discard:550 x\n"), "",
      "t:1: \"550 x\" is a reply, which belongs to reject or defer\n" },
    { "a key of aliases(5)", TABLE_ALIASES, SLICE("bob: c@d.example\n"), "",
      "t:1: \"bob:\" ends with a colon, as in aliases(5); write "
      "user@domain\n" },
    { "a bare key", TABLE_ALIASES, SLICE("bob c@d.example\n"), "",
      "t:1: \"bob\" is no key: write user@domain or @domain\n" },
    { "a key that lost its at sign", TABLE_ALIASES,
      SLICE("bob.b.example c@d.example\n"), "",
      "t:1: \"bob.b.example\" is no key: write user@domain or @domain\n" },
    { "a bad key", TABLE_ALIASES, SLICE("a@@b.example c@d.example\n"), "",
      "t:1: \"a@@b.example\" is not an address\n" },
    { "a bad catch-all", TABLE_ALIASES, SLICE("@b_.example c@d.example\n"), "",
      "t:1: \"@b_.example\" is not a domain\n" },
    { "a key that is quoted in vain", TABLE_ALIASES,
      SLICE("\"a\"@b.example c@d.example\n"), "",
      "t:1: \"\"a\"@b.example\" is quoted where it need not be and would "
      "never be found\n" },
    { "a terminal escape in an error", TABLE_ALIASES,
      SLICE("a\x1B[2J@b.example c@d.example\n"), "",
      "t:1: \"a\\033[2j@b.example\" is not an address\n" },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static bool
print_entry(void *ctx, struct slice key, struct slice value, unsigned line)
{
    buf_printf(ctx, "%u %.*s=%.*s;", line, SLICE_ARG(key), SLICE_ARG(value));
    return true;
}

static void
load(void **state)
{
    const struct row *row = *state;
    struct buf errors = { 0 }, entries = { 0 };
    struct table *table =
        table_from_text(row->text, SLICE_OF("t"), row->use, &errors);

    assert_string_equal(buf_cstr(&errors), row->errors);
    assert_int_equal(table != NULL, row->errors[0] == '\0');
    if (table != NULL) {
        assert_int_equal(table_each(table, print_entry, &entries), TABLE_FOUND);
        assert_string_equal(buf_cstr(&entries), row->entries);
    }
    table_unref(table);
    buf_free(&errors);
    buf_free(&entries);
}

static void
hundred_errors_are_enough(void **state)
{
    struct buf text = { 0 }, errors = { 0 };

    (void)state;
    for (unsigned i = 0; i < 123; i++)
        buf_printf(&text, "k%u\n", i);
    assert_false(table_text_each(buf_slice(&text), SLICE_OF("t"), print_entry,
                                 &errors, &errors));
    assert_non_null(strstr(buf_cstr(&errors), "t:100: \"k99\" has no value"));
    assert_null(strstr(buf_cstr(&errors), "t:101:"));
    assert_non_null(strstr(buf_cstr(&errors), "t: and 23 more errors\n"));
    buf_free(&text);
    buf_free(&errors);
}

static bool
stop_at_second(void *ctx, struct slice key, struct slice value, unsigned line)
{
    unsigned *last = ctx;

    (void)key;
    (void)value;
    *last = line;
    return line < 2;
}

static void
visit_can_stop(void **state)
{
    struct buf errors = { 0 };
    unsigned last = 0;

    (void)state;
    assert_true(table_text_each(SLICE_OF("a 1\nb 2\nc 3\n"), SLICE_OF("t"),
                                stop_at_second, &last, &errors));
    assert_int_equal(last, 2);
    buf_free(&errors);
}

/* Every key of a table large enough to grow some times, and its line. */
static void
finds_every_key(void **state)
{
    enum {
        MANY = 5000
    };
    struct buf text = { 0 }, errors = { 0 }, value = { 0 };
    char key[32], want[32];

    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        buf_printf(&text, "key%u value%u\n", i, i * 7);
    struct table *table =
        table_from_text(buf_slice(&text), SLICE_OF("t"), TABLE_PAIRS, &errors);
    assert_non_null(table);
    assert_int_equal(table->entries, MANY);
    assert_int_equal(table_count(table), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        unsigned line;
        snprintf(key, sizeof(key), "key%u", i);
        snprintf(want, sizeof(want), "value%u", i * 7);
        assert_int_equal(table_get(table, slice_from(key), &value, &line),
                         TABLE_FOUND);
        assert_string_equal(buf_cstr(&value), want);
        assert_int_equal(line, i + 1);
        snprintf(key, sizeof(key), "key%ux", i);
        assert_int_equal(table_get(table, slice_from(key), &value, &line),
                         TABLE_MISS);
        assert_int_equal(line, 0);
    }
    table_unref(table);
    buf_free(&text);
    buf_free(&errors);
    buf_free(&value);
}

static void
entry_problems(void **state)
{
    (void)state;
    assert_null(
        table_alias_problem(SLICE_OF("a@b.example"), SLICE_OF("c@d.example")));
    assert_string_equal(
        table_alias_problem(SLICE_OF("a@b.example"), SLICE_OF("c")),
        "has no domain");
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 4] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, load, NULL, NULL, &rows[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(hundred_errors_are_enough);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(visit_can_stop);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(finds_every_key);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(entry_problems);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
