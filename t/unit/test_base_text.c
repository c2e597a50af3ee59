/* Text as it is put together and shown: buffers, and the escapers of the log,
 * the only way that octets of a peer take into a line. */
#include "base.h"
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- escaping ---------------------------------------------------------- */

static const struct {
    const char *name;
    struct slice in, text, json;
} escapes[] = {
    { "nothing", SLICE(""), SLICE(""), SLICE("") },
    { "printable ASCII", SLICE("a b~!\\'"), SLICE("a b~!\\'"),
      SLICE("a b~!\\\\'") },
    { "a quote", SLICE("say \"x\""), SLICE("say \"x\""),
      SLICE("say \\\"x\\\"") },
    { "CR LF: no second line", SLICE("a\r\nb"), SLICE("a\\015\\012b"),
      SLICE("a\\u000d\\u000ab") },
    { "at both ends", SLICE("\na\n"), SLICE("\\012a\\012"),
      SLICE("\\u000aa\\u000a") },
    { "nothing but these", SLICE("\n\n"), SLICE("\\012\\012"),
      SLICE("\\u000a\\u000a") },
    { "NUL", SLICE("a\0b"), SLICE("a\\000b"), SLICE("a\\u0000b") },
    { "escape and DEL", SLICE("\x1b[31m\x7f"), SLICE("\\033[31m\\177"),
      SLICE("\\u001b[31m\\u007f") },
    { "UTF-8 of 2, 3 and 4", SLICE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
      SLICE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
      SLICE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") },
    { "UTF-8 among ASCII",
      SLICE("gr\xc3\xbc\xc3\x9f"
            "e"),
      SLICE("gr\xc3\xbc\xc3\x9f"
            "e"),
      SLICE("gr\xc3\xbc\xc3\x9f"
            "e") },
    { "a lone octet",
      SLICE("a\xe9"
            "b"),
      SLICE("a\\351b"), SLICE("a\\u00e9b") },
    { "cut UTF-8", SLICE("a\xe2\x82"), SLICE("a\\342\\202"),
      SLICE("a\\u00e2\\u0082") },
    { "an overlong slash", SLICE("\xc0\xaf"), SLICE("\\300\\257"),
      SLICE("\\u00c0\\u00af") },
    { "a surrogate", SLICE("\xed\xa0\x80"), SLICE("\\355\\240\\200"),
      SLICE("\\u00ed\\u00a0\\u0080") },
    { "C1, which terminals obey",
      SLICE("a\xc2\x9b"
            "c"),
      SLICE("a\\302\\233c"), SLICE("a\\u009bc") },
};

static void
assert_slice(const char *name, struct slice got, struct slice want)
{
    if (slice_equal(got, want))
        return;
    print_error("%s: got \"%.*s\", want \"%.*s\"\n", name, SLICE_ARG(got),
                SLICE_ARG(want));
    fail();
}

static void
no_octet_breaks_a_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
        struct buf out = { 0 };
        log_escape_text(&out, escapes[i].in);
        assert_slice(escapes[i].name, buf_slice(&out), escapes[i].text);
        buf_clear(&out);
        log_escape_json(&out, escapes[i].in);
        assert_slice(escapes[i].name, buf_slice(&out), escapes[i].json);
        buf_free(&out);
    }
}

static void
every_octet_in_every_place(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 0; at < 3; at++) {
            char text[3] = { 'x', 'y', 'z' };
            struct buf out = { 0 };
            text[at] = (char)c;
            log_escape_text(&out, (struct slice){ text, sizeof(text) });
            for (size_t i = 0; i < out.len; i++)
                assert_true(out.ptr[i] >= ' ' && out.ptr[i] <= '~');
            assert_int_equal(out.len, c >= ' ' && c <= '~' ? 3 : 6);
            buf_free(&out);
        }
}

/* ---- lines ------------------------------------------------------------- */

static struct buf written;

static void
keep(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    buf_append(&written, line);
}

static void
a_line_in_either_form(void **state)
{
    static const struct slice list[] = { SLICE("a@b"), SLICE("c@d") };
    static const char *const want[] = {
        "4K: client=x[::1], note=\"two words\", said=\"a \\\"b\\\"\", "
        "empty=\"\", from=<>, to=<a@b>,<c@d>, dkim=a@b,c@d, size=0, "
        "large=18446744073709551615",
        "{\"id\": \"4K\", \"client\": \"x[::1]\", \"note\": \"two words\", "
        "\"said\": \"a \\\"b\\\"\", \"empty\": \"\", \"from\": \"\", "
        "\"to\": [\"a@b\",\"c@d\"], \"dkim\": \"a@b,c@d\", \"size\": 0, "
        "\"large\": 18446744073709551615}",
    };

    (void)state;
    for (int json = 0; json <= 1; json++) {
        struct log_sink sink = { .write = keep,
                                 .level = LOG_LEVEL_INFO,
                                 .format =
                                     json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT };
        struct log_line line;
        log_begin(&line, &sink, LOG_LEVEL_INFO, SLICE_OF("4K"));
        log_value(&line, "client", SLICE_OF("x[::1]"));
        log_value(&line, "note", SLICE_OF("two words"));
        log_value(&line, "said", SLICE_OF("a \"b\""));
        log_value(&line, "empty", SLICE_OF(""));
        log_address(&line, "from", SLICE_OF(""));
        log_addresses(&line, "to", list, 2);
        log_words(&line, "dkim", list, 2);
        log_number(&line, "size", 0);
        log_number(&line, "large", UINT64_MAX);
        log_end(&line, &sink);
        assert_slice("a line", buf_slice(&written), slice_from(want[json]));
        buf_free(&written);
    }
}

/* ---- buffers ----------------------------------------------------------- */

static void
a_format_of_any_length(void **state)
{
    char long_text[300];

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    for (int len = 0; len < (int)sizeof(long_text); len++) {
        struct buf out = { 0 };
        buf_puts(&out, "before ");
        buf_printf(&out, "%.*s;%d", len, long_text, len);
        buf_puts(&out, " behind");
        char want[400];
        int n = snprintf(want, sizeof(want), "before %.*s;%d behind", len,
                         long_text, len);
        assert_slice("a format", buf_slice(&out),
                     (struct slice){ want, (size_t)n });
        buf_free(&out);
    }
}

static void
numbers(void **state)
{
    static const struct {
        uint64_t number;
        struct slice want;
    } rows[] = {
        { 0, SLICE("0") },       { 9, SLICE("9") },
        { 10, SLICE("10") },     { 4294967296, SLICE("4294967296") },
        { 1000, SLICE("1000") }, { UINT64_MAX, SLICE("18446744073709551615") },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = { 0 };
        uint64_t back;
        buf_put_number(&out, rows[i].number);
        assert_slice("a number", buf_slice(&out), rows[i].want);
        assert_true(slice_to_u64(buf_slice(&out), &back));
        assert_int_equal(back, rows[i].number);
        buf_free(&out);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_octet_breaks_a_line),
        cmocka_unit_test(every_octet_in_every_place),
        cmocka_unit_test(a_line_in_either_form),
        cmocka_unit_test(a_format_of_any_length),
        cmocka_unit_test(numbers),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
