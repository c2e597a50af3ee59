/* Text as it is put together and shown: buffers, and the escapers of the log,
 * the only way that octets of a peer take into a line. */
#include "base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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
    { "a direction override",
      SLICE("a\xe2\x80\xae"
            "b"),
      SLICE("a\\x{202e}b"), SLICE("a\\u202eb") },
    { "isolates, marks, joiners, a soft hyphen, a byte order mark",
      SLICE("\xe2\x81\xa6\xe2\x80\x8f\xe2\x80\x8d\xc2\xad\xef\xbb\xbf"),
      SLICE("\\x{2066}\\x{200f}\\x{200d}\\x{ad}\\x{feff}"),
      SLICE("\\u2066\\u200f\\u200d\\u00ad\\ufeff") },
    { "line and paragraph separator", SLICE("\xe2\x80\xa8\xe2\x80\xa9"),
      SLICE("\\x{2028}\\x{2029}"), SLICE("\\u2028\\u2029") },
    { "tags, beyond 16 bits", SLICE("\xf3\xa0\x81\x81"), SLICE("\\x{e0041}"),
      SLICE("\\udb40\\udc41") },
    { "their neighbours are shown",
      SLICE("\xe2\x80\xaf\xe2\x80\xa7\xc2\xac\xc2\xae"),
      SLICE("\xe2\x80\xaf\xe2\x80\xa7\xc2\xac\xc2\xae"),
      SLICE("\xe2\x80\xaf\xe2\x80\xa7\xc2\xac\xc2\xae") },
};

static const struct {
    const char *name;
    struct slice in, address;
} addresses[] = {
    { "as it is", SLICE("SRS0=x+y=JN=s.example=a@srs.example"),
      SLICE("SRS0=x+y=JN=s.example=a@srs.example") },
    { "the end of an address and fields of ours",
      SLICE("\"x>, status=sent, reply=\\\"250 Ok\\\" y\"@evil.example"),
      SLICE("\\x{22}x\\x{3e},\\x{20}status=sent,\\x{20}reply=\\x{5c}\\x{22}"
            "250\\x{20}Ok\\x{5c}\\x{22}\\x{20}y\\x{22}@evil.example") },
    { "an escape that was typed and one that was made", SLICE("\\012<\n"),
      SLICE("\\x{5c}012\\x{3c}\\012") },
    { "a direction override", SLICE("a\xe2\x80\xaegro"),
      SLICE("a\\x{202e}gro") },
    { "a tag, beyond 16 bits", SLICE("\xf3\xa0\x81\x81"), SLICE("\\x{e0041}") },
    { "letters of all kinds",
      SLICE("gr\xc3\xbc\xc3\x9f"
            "e@\xe4\xbe\x8b.example"),
      SLICE("gr\xc3\xbc\xc3\x9f"
            "e@\xe4\xbe\x8b.example") },
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

/* And what was escaped is read as it was. */
static void
no_octet_leaves_its_brackets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct buf out = { 0 }, back = { 0 };
        log_escape(&out, LOG_ESCAPE_ADDRESS, addresses[i].in, SIZE_MAX);
        assert_slice(addresses[i].name, buf_slice(&out), addresses[i].address);
        log_unescape(&back, LOG_ESCAPE_ADDRESS, buf_slice(&out));
        assert_slice(addresses[i].name, buf_slice(&back), addresses[i].in);
        buf_clear(&out);
        buf_clear(&back);
        log_escape(&out, LOG_ESCAPE_JSON, addresses[i].in, SIZE_MAX);
        log_unescape(&back, LOG_ESCAPE_JSON, buf_slice(&out));
        assert_slice(addresses[i].name, buf_slice(&back), addresses[i].in);
        buf_free(&out);
        buf_free(&back);
    }
}

/* At every bound: not longer, no half escape, and dots if it was cut. */
static void
text_is_cut_between_characters(void **state)
{
    static const struct slice text =
        SLICE("ab\"c\xc3\xa9 \x1b\xe2\x80\xae<\\\xff"
              "dddddddd");
    static const enum log_escape ways[] = { LOG_ESCAPE_TEXT, LOG_ESCAPE_QUOTED,
                                            LOG_ESCAPE_ADDRESS,
                                            LOG_ESCAPE_JSON };

    (void)state;
    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        struct buf whole = { 0 };
        log_escape(&whole, ways[w], text, SIZE_MAX);
        for (size_t max = 3; max <= whole.len + 1; max++) {
            struct buf out = { 0 }, again = { 0 };
            bool known = false;
            log_escape(&out, ways[w], text, max);
            assert_true(out.len <= max);
            if (max >= whole.len) {
                assert_slice("whole", buf_slice(&out), buf_slice(&whole));
                buf_free(&out);
                continue;
            }
            assert_true(out.len > max - 14 || max < 14);
            assert_memory_equal(out.ptr + out.len - 3, "...", 3);
            for (size_t n = 0; n <= text.len && !known; n++) {
                buf_clear(&again);
                log_escape(&again, ways[w], slice_head(text, n), SIZE_MAX);
                buf_puts(&again, "...");
                known = slice_equal(buf_slice(&again), buf_slice(&out));
            }
            assert_true(known);
            buf_free(&out);
            buf_free(&again);
        }
        buf_free(&whole);
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
keep(void *ctx, const struct log_line *line)
{
    (void)ctx;
    buf_append(&written, buf_slice(&line->text));
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
        log_addresses(&line, "to", list, 2, 1);
        log_words(&line, "dkim", list, 2);
        log_number(&line, "size", 0);
        log_number(&line, "large", UINT64_MAX);
        log_end(&line, &sink);
        assert_slice("a line", buf_slice(&written), slice_from(want[json]));
        buf_free(&written);
    }
}

/* Values of any length, lists of 300 addresses: the tail stands, whole. */
static void
a_line_has_a_bound(void **state)
{
    static const char *const fills[] = {
        "x", "\"", "\x1b", "\xe2\x80\xae", "\xf3\xa0\x81\x81", "\xff"
    };
    struct slice list[300];
    struct buf text = { 0 };

    (void)state;
    for (size_t f = 0; f < sizeof(fills) / sizeof(fills[0]); f++)
        for (size_t length = 5; length <= 5120; length *= 4)
            for (int json = 0; json <= 1; json++) {
                struct log_sink sink = { .write = keep,
                                         .level = LOG_LEVEL_INFO,
                                         .format = json ? LOG_FORMAT_JSON
                                                        : LOG_FORMAT_TEXT };
                struct log_line line, tail;

                buf_clear(&text);
                while (text.len < length)
                    buf_puts(&text, fills[f]);
                for (size_t i = 0; i < 300; i++)
                    list[i] = buf_slice(&text);
                log_begin(&line, &sink, LOG_LEVEL_INFO, SLICE_OF("4K"));
                log_value(&line, "client", buf_slice(&text));
                log_address(&line, "from", buf_slice(&text));
                log_begin_tail(&tail, &line);
                log_words(&tail, "dkim", list, 300);
                log_value(&tail, "status", SLICE_OF("sent"));
                log_value(&tail, "reply", buf_slice(&text));
                log_keep_tail(&line, &tail);
                log_addresses(&line, "srs", list, 16, 3);
                log_addresses(&line, "orig_to", list, 300, 2);
                log_addresses(&line, "to", list, 300, 1);
                log_append_tail(&line, &tail);
                log_end(&line, &sink);
                assert_in_range(written.len, 100, 3900);
                assert_non_null(
                    strstr(buf_cstr(&written),
                           json ? "\"status\": \"sent\", \"reply\": \""
                                : ", status=sent, reply="));
                assert_non_null(strstr(buf_cstr(&written),
                                       json ? "\"more\": " : ", more="));
                buf_free(&written);
            }
    buf_free(&text);
}

/* What is shown and what is not make up the list. */
static void
a_list_is_cut_and_counted(void **state)
{
    static const struct slice address =
        SLICE("0123456789012345678901234567890123456789@public.example");
    struct slice list[100];

    (void)state;
    for (size_t i = 0; i < 100; i++)
        list[i] = address;
    for (int json = 0; json <= 1; json++) {
        struct log_sink sink = { .write = keep,
                                 .level = LOG_LEVEL_INFO,
                                 .format =
                                     json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT };
        struct log_line line;
        unsigned long shown = 0;

        log_begin(&line, &sink, LOG_LEVEL_INFO, SLICE_OF("4K"));
        log_addresses(&line, "orig_to", list, 100, 2);
        log_addresses(&line, "to", list, 3, 1);
        log_end(&line, &sink);
        const char *text = buf_cstr(&written);
        const char *more = strstr(text, json ? ", \"more\": " : ", more=");
        assert_non_null(more);
        for (const char *at = text; at < more; at += address.len)
            if ((at = strstr(at, address.ptr)) != NULL && at < more)
                shown++;
            else
                break;
        assert_in_range(shown, 20, 60);
        assert_int_equal(strtoul(more + (json ? 10 : 7), NULL, 10),
                         100 - shown);
        assert_null(strstr(more + 4, "more"));
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
        cmocka_unit_test(no_octet_leaves_its_brackets),
        cmocka_unit_test(text_is_cut_between_characters),
        cmocka_unit_test(every_octet_in_every_place),
        cmocka_unit_test(a_line_in_either_form),
        cmocka_unit_test(a_line_has_a_bound),
        cmocka_unit_test(a_list_is_cut_and_counted),
        cmocka_unit_test(a_format_of_any_length),
        cmocka_unit_test(numbers),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
