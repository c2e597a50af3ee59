/* What postconf prints, read and printed again. */
#include "postfix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct row {
    const char *name;
    const char *line;
    const char *printed; /* NULL: no service */
} rows[] = {
    { "columns of any width", "smtp       inet  n - y\t- - smtpd",
      "smtp inet n - y - - smtpd" },
    { "options", "a inet n - y - - smtpd -o x=1 -o y=",
      "a inet n - y - - smtpd -o x=1 -o y=" },
    { "an option with blanks", "a inet n - y - - smtpd -o {x = p, q} -o y=1",
      "a inet n - y - - smtpd -o {x=p, q} -o y=1" },
    { "braces in a value", "a inet n - y - - smtpd -o {x=inline:{{a = b}}}",
      "a inet n - y - - smtpd -o {x=inline:{{a = b}}}" },
    { "an equals sign in a value", "a inet n - y - - smtpd -o x=a=b",
      "a inet n - y - - smtpd -o x=a=b" },
    { "other arguments", "m unix - n n - - pipe flags=D argv=/x -o no",
      "m unix - n n - - pipe flags=D argv=/x -o no" },
    { "-v stays", "a inet n - y - - smtpd -v -o x=1",
      "a inet n - y - - smtpd -o x=1 -v" },
    { "a column is missing", "a inet n - y - smtpd", NULL },
    { "nothing", "", NULL },
    { "an open brace", "a inet n - y - - smtpd -o {x=1",
      "a inet n - y - - smtpd -o {x=1" },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
reads_services(void **state)
{
    const struct row *row = *state;
    struct arena arena = { 0 };
    struct postconf_service service;
    struct buf out = { 0 };

    bool ok = postconf_parse_service(slice_from(row->line), &arena, &service);
    assert_int_equal(ok, row->printed != NULL);
    if (ok) {
        postconf_print_service(&service, &out);
        assert_string_equal(buf_cstr(&out), row->printed);
    }
    buf_free(&out);
    arena_free(&arena);
}

static void
walks_lists(void **state)
{
    static const struct {
        const char *list;
        const char *elements; /* separated by "|" */
    } lists[] = {
        { "", "" },
        { "a", "a" },
        { " a, b\tc ,", "a|b|c" },
        { "hash:/x, inline:{{a = b, c}} {d e}",
          "hash:/x|inline:{{a = b, c}}|{d e}" },
        { "{open, b", "{open, b" },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct slice list = slice_from(lists[i].list), element;
        struct buf out = { 0 };
        while (postconf_next(&list, &element))
            buf_printf(&out, "%s%.*s", out.len != 0 ? "|" : "",
                       SLICE_ARG(element));
        assert_string_equal(buf_cstr(&out), lists[i].elements);
        buf_free(&out);
    }
    assert_true(
        postconf_lists(SLICE_OF("a, B.example"), SLICE_OF("b.example")));
    assert_false(
        postconf_lists(SLICE_OF("a.b.example"), SLICE_OF("b.example")));
}

static void
reads_times(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t seconds;
    } times[] = {
        { "100s", true, 100 }, { "100", true, 100 },  { "5m", true, 300 },
        { "2h", true, 7200 },  { "1d", true, 86400 }, { "", false, 0 },
        { "s", false, 0 },     { "${x}", false, 0 },  { "5x", false, 0 },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        uint64_t seconds = 0;
        assert_int_equal(
            postconf_seconds(slice_from(times[i].text), 's', &seconds),
            times[i].ok);
        if (times[i].ok)
            assert_int_equal(seconds, times[i].seconds);
    }
}

static void
quotes_for_a_shell(void **state)
{
    static const struct {
        const char *word, *quoted;
    } words[] = {
        { "smtp/inet/x=127.0.0.1:25", "smtp/inet/x=127.0.0.1:25" },
        { "a b", "'a b'" },
        { "$x", "'$x'" },
        { "it's", "'it'\\''s'" },
        { "", "''" },
        { "[::1]", "'[::1]'" },
        { "a;b", "'a;b'" },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct buf out = { 0 };
        postconf_quote(slice_from(words[i].word), &out);
        assert_string_equal(buf_cstr(&out), words[i].quoted);
        buf_free(&out);
    }
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 3] = {
        [ROWS] = cmocka_unit_test(walks_lists),
        [ROWS + 1] = cmocka_unit_test(reads_times),
        [ROWS + 2] = cmocka_unit_test(quotes_for_a_shell),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, reads_services, NULL,
                                        NULL, (void *)(uintptr_t)&rows[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
