#include "test_smtp.h"

static struct row {
    const char *name;
    struct slice wire;
    unsigned code; /* 0: bad */
    struct slice text;
    size_t left;
} rows[] = {
    { "one line", SLICE("250 2.1.0 Ok\r\n"), 250, SLICE("2.1.0 Ok"), 0 },
    { "two lines", SLICE("550-a\r\n550 b\r\n"), 550, SLICE("a\nb"), 0 },
    { "code only", SLICE("250\r\n"), 250, SLICE(""), 0 },
    { "code and blank", SLICE("250 \r\n"), 250, SLICE(""), 0 },
    { "empty lines inside", SLICE("250-\r\n250-\r\n250\r\n"), 250,
      SLICE("\n\n"), 0 },
    { "line feed alone", SLICE("250-a\n250 b\n"), 250, SLICE("a\nb"), 0 },
    { "pipelined", SLICE("250 a\r\n550 b\r\n"), 250, SLICE("a"), 7 },
    { "control characters", SLICE("250 a\tb\x1b[2Jc\x7f\r\n"), 250,
      SLICE("a?b?[2Jc?"), 0 },
    { "bare CR", SLICE("250 a\rb\r\r\n"), 250, SLICE("a?b?"), 0 },
    { "UTF-8", SLICE("250 \xC3\xA4\r\n"), 250, SLICE("\xC3\xA4"), 0 },
    { "no UTF-8", SLICE("250 \xE4x\xC0\xAF\r\n"), 250, SLICE("?x??"), 0 },
    { "C1 control", SLICE("250 \xC2\x9B!\r\n"), 250,
      SLICE("?"
            "?!"),
      0 },
    { "lowest and highest", SLICE("200 a\r\n"), 200, SLICE("a"), 0 },
    { "highest", SLICE("599 a\r\n"), 599, SLICE("a"), 0 },
    { "354", SLICE("354 go\r\n"), 354, SLICE("go"), 0 },

    { "empty line", SLICE("\r\n"), 0, SLICE(""), 0 },
    { "line feed", SLICE("\n"), 0, SLICE(""), 0 },
    { "text", SLICE("hello\r\n"), 0, SLICE(""), 0 },
    { "two digits", SLICE("25\r\n"), 0, SLICE(""), 0 },
    { "four digits", SLICE("2500 a\r\n"), 0, SLICE(""), 0 },
    { "no blank", SLICE("250a\r\n"), 0, SLICE(""), 0 },
    { "tab", SLICE("250\ta\r\n"), 0, SLICE(""), 0 },
    { "blank ahead", SLICE(" 250 a\r\n"), 0, SLICE(""), 0 },
    { "0xx", SLICE("050 a\r\n"), 0, SLICE(""), 0 },
    { "1xx", SLICE("199 a\r\n"), 0, SLICE(""), 0 },
    { "6xx", SLICE("600 a\r\n"), 0, SLICE(""), 0 },
    { "999", SLICE("999 a\r\n"), 0, SLICE(""), 0 },
    { "mixed codes", SLICE("250-a\r\n550 b\r\n"), 0, SLICE(""), 0 },
    { "mixed codes, same class", SLICE("250-a\r\n251 b\r\n"), 0, SLICE(""), 0 },
    { "garbage inside", SLICE("250-a\r\nb\r\n250 c\r\n"), 0, SLICE(""), 0 },
    { "NUL", SLICE("250 a\0b\r\n"), 0, SLICE(""), 0 },
    { "NUL in the code", SLICE("2\0 a\r\n"), 0, SLICE(""), 0 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static enum smtp_reply_status
take(struct smtp_reply_parser *parser, struct slice wire, size_t piece,
     struct smtp_reply *reply, size_t *left)
{
    enum smtp_reply_status status = SMTP_REPLY_MORE;
    struct slice rest = wire;

    while (rest.len != 0 && status == SMTP_REPLY_MORE) {
        struct slice in = exact(slice_head(rest, piece));
        const char *copy = in.ptr;
        size_t had = in.len;
        status = smtp_reply_take(parser, &in, reply);
        rest = slice_tail(rest, had - in.len);
        free((char *)copy);
        if (status == SMTP_REPLY_MORE)
            assert_int_equal(in.len, 0);
    }
    *left = rest.len;
    return status;
}

static void
check(const struct row *row, size_t piece)
{
    struct smtp_reply_parser parser = { 0 };
    struct smtp_reply reply;
    size_t left;
    enum smtp_reply_status status =
        take(&parser, row->wire, piece, &reply, &left);

    if (row->code == 0) {
        assert_int_equal(status, SMTP_REPLY_BAD);
    } else {
        assert_int_equal(status, SMTP_REPLY_DONE);
        assert_int_equal(reply.code, row->code);
        assert_slice(reply.text, row->text);
        assert_int_equal(left, row->left);
    }
    smtp_reply_parser_free(&parser);
}

static void
whole(void **state)
{
    check(*state, SIZE_MAX);
}

static void
bytewise(void **state)
{
    check(*state, 1);
}

static void
several_in_a_row(void **state)
{
    struct smtp_reply_parser parser = { 0 };
    struct smtp_reply reply;
    struct slice in = SLICE("250-a\r\n250 b\r\n354 c\r\n550\r\n25");
    (void)state;

    assert_int_equal(smtp_reply_take(&parser, &in, &reply), SMTP_REPLY_DONE);
    assert_slice(reply.text, SLICE_OF("a\nb"));
    assert_int_equal(smtp_reply_take(&parser, &in, &reply), SMTP_REPLY_DONE);
    assert_int_equal(reply.code, 354);
    assert_slice(reply.text, SLICE_OF("c"));
    assert_int_equal(smtp_reply_take(&parser, &in, &reply), SMTP_REPLY_DONE);
    assert_int_equal(reply.code, 550);
    assert_slice(reply.text, SLICE_OF(""));
    assert_int_equal(smtp_reply_take(&parser, &in, &reply), SMTP_REPLY_MORE);
    assert_int_equal(in.len, 0);
    smtp_reply_parser_free(&parser);
}

static void
number_of_lines(void **state)
{
    (void)state;

    for (size_t lines = 99; lines <= 101; lines++) {
        struct smtp_reply_parser parser = { 0 };
        struct smtp_reply reply;
        struct buf wire = { 0 };
        size_t left;
        for (size_t i = 1; i < lines; i++)
            buf_puts(&wire, "250-x\r\n");
        buf_puts(&wire, "250 y\r\n");
        assert_int_equal(
            take(&parser, buf_slice(&wire), SIZE_MAX, &reply, &left),
            lines <= SMTP_REPLY_LINES_MAX ? SMTP_REPLY_DONE : SMTP_REPLY_BAD);
        smtp_reply_parser_free(&parser);
        buf_free(&wire);
    }
}

static void
endless_continuation(void **state)
{
    struct smtp_reply_parser parser = { 0 };
    struct smtp_reply reply;
    size_t taken = 0;
    (void)state;

    for (;;) {
        struct slice in = SLICE("250-and so on\r\n");
        if (smtp_reply_take(&parser, &in, &reply) == SMTP_REPLY_BAD)
            break;
        assert_true(++taken <= SMTP_REPLY_LINES_MAX);
    }
    assert_true(parser.text.cap < 8192);
    smtp_reply_parser_free(&parser);
}

static void
length_of_a_line(void **state)
{
    static const size_t lengths[] = { 506, 507, 5000, 102396, 102397 };
    (void)state;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (size_t piece = 1; piece < 1000000; piece += 999998) {
            struct smtp_reply_parser parser = { 0 };
            struct smtp_reply reply;
            struct arena arena = { 0 };
            size_t left;
            struct slice wire = padded(&arena, "250 ", 'x', lengths[i], "\n");
            enum smtp_reply_status status =
                take(&parser, wire, piece, &reply, &left);
            if (lengths[i] + 4 > 100 * 1024) {
                assert_int_equal(status, SMTP_REPLY_BAD);
            } else {
                assert_int_equal(status, SMTP_REPLY_DONE);
                assert_int_equal(reply.text.len,
                                 lengths[i] < 506 ? lengths[i] : 506);
            }
            assert_true(parser.line.cap <= 512);
            smtp_reply_parser_free(&parser);
            arena_free(&arena);
        }
    }
}

/* A reply may have 100 lines of 100 KiB: 4 of 512 octets are kept, in whatever
 * pieces it comes, and printed they are a reply again. */
static void
what_is_kept(void **state)
{
    (void)state;

    for (size_t lines = 1; lines <= SMTP_REPLY_LINES_MAX; lines++) {
        struct smtp_reply_parser parser = { 0 };
        struct smtp_reply reply;
        struct buf wire = { 0 }, out = { 0 };
        size_t kept = lines < 4 ? lines : 4;
        size_t left;
        for (size_t i = 1; i <= lines; i++) {
            buf_printf(&wire, "250%c%zu ", i < lines ? '-' : ' ', i);
            for (size_t k = 0; k < 2000; k++)
                buf_putc(&wire, 'x');
            buf_puts(&wire, "\r\n");
        }
        assert_int_equal(
            take(&parser, buf_slice(&wire), 1 + lines * 7, &reply, &left),
            SMTP_REPLY_DONE);
        assert_int_equal(left, 0);
        assert_true(parser.text.cap <= 2048 && parser.line.cap <= 512);
        smtp_reply_print(&reply, &out);
        assert_int_equal(out.len, kept * 512);
        for (size_t i = 0; i < kept; i++) {
            const char *line = out.ptr + i * 512;
            assert_memory_equal(line, i + 1 < kept ? "250-" : "250 ", 4);
            assert_int_equal(line[4], (char)('1' + i));
            assert_memory_equal(line + 510, "\r\n", 2);
        }
        smtp_reply_parser_free(&parser);
        buf_free(&wire);
        buf_free(&out);
    }
}

static void
line_without_end(void **state)
{
    struct smtp_reply_parser parser = { 0 };
    struct smtp_reply reply;
    size_t taken = 0;
    (void)state;

    for (;;) {
        struct slice in = SLICE("2555555555555555");
        if (smtp_reply_take(&parser, &in, &reply) == SMTP_REPLY_BAD)
            break;
        taken += 16;
        assert_true(taken <= 100 * 1024);
    }
    smtp_reply_parser_free(&parser);
}

/* ---- printing ---------------------------------------------------------- */

static void
print(void **state)
{
    static const struct {
        struct smtp_reply reply;
        struct slice wire;
    } pairs[] = {
        { { 250, SLICE("2.1.0 Ok") }, SLICE("250 2.1.0 Ok\r\n") },
        { { 550, SLICE("a\nb\nc") }, SLICE("550-a\r\n550-b\r\n550 c\r\n") },
        { { 250, SLICE("") }, SLICE("250 \r\n") },
        { { 250, SLICE("\n") }, SLICE("250-\r\n250 \r\n") },
        { { 250, { NULL, 0 } }, SLICE("250 \r\n") },
        { { 550, SLICE("a\rb\0c\xff") }, SLICE("550 a?b?c?\r\n") },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct buf out = { 0 };
        smtp_reply_print(&pairs[i].reply, &out);
        assert_slice(buf_slice(&out), pairs[i].wire);
        buf_free(&out);
    }
}

static void
print_cuts_lines_at_512(void **state)
{
    struct arena arena = { 0 };
    (void)state;

    for (size_t n = 505; n <= 507; n++) {
        struct buf out = { 0 };
        struct smtp_reply reply = { 550, padded(&arena, "", 'x', n, "\nb") };
        smtp_reply_print(&reply, &out);
        assert_int_equal(slice_find(buf_slice(&out), '\n') + 1,
                         n < 506 ? n + 6 : 512);
        assert_true(
            slice_ends_nocase(buf_slice(&out), SLICE_OF("\r\n550 b\r\n")));
        buf_free(&out);
    }
    /* not in the middle of a character */
    struct buf out = { 0 };
    struct smtp_reply reply = { 550, padded(&arena, "", 'x', 505, "\xC3\xA4") };
    smtp_reply_print(&reply, &out);
    assert_int_equal(out.len, 511);
    buf_free(&out);
    arena_free(&arena);
}

static void
round_trip(void **state)
{
    (void)state;

    for (size_t i = 0; i < ROWS; i++) {
        struct smtp_reply_parser first = { 0 }, second = { 0 };
        struct smtp_reply reply, again;
        struct buf out = { 0 };
        size_t left;
        if (rows[i].code == 0)
            continue;
        take(&first, rows[i].wire, SIZE_MAX, &reply, &left);
        smtp_reply_print(&reply, &out);
        assert_int_equal(take(&second, buf_slice(&out), 1, &again, &left),
                         SMTP_REPLY_DONE);
        assert_int_equal(again.code, reply.code);
        assert_slice(again.text, reply.text);
        smtp_reply_parser_free(&first);
        smtp_reply_parser_free(&second);
        buf_free(&out);
    }
}

/* ---- looking into ------------------------------------------------------ */

static void
enhanced_codes(void **state)
{
    static const struct {
        const char *text, *code;
    } pairs[] = {
        { "2.1.0 Ok", "2.1.0" },
        { "5.7.26 no", "5.7.26" },
        { "4.123.456", "4.123.456" },
        { "5.1.1\nmore", "5.1.1" },
        { "", "" },
        { "Ok", "" },
        { "3.0.0 go", "" },
        { "2.1 Ok", "" },
        { "2.1.0.1 x", "" },
        { "2.1.1234 x", "" },
        { "22.1.0 x", "" },
        { "2..0 x", "" },
        { " 2.1.0 x", "" },
        { "2.1.", "" },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct smtp_reply reply = { 250, slice_from(pairs[i].text) };
        assert_slice(smtp_reply_enhanced(&reply), slice_from(pairs[i].code));
    }
}

static void
queue_ids(void **state)
{
    static const struct {
        const char *text, *id;
    } pairs[] = {
        { "2.0.0 Ok: queued as A0C25A7E440", "A0C25A7E440" },
        { "2.0.0 from MTA(smtp:[::1]:10026): 250 2.0.0 Ok: queued as 4kT9zP",
          "4kT9zP" },
        { "a\n2.0.0 Ok: queued as 4kT9zP\nb", "4kT9zP" },
        { "2.0.0 Ok: queued as <x>", "" },
        { "queued as ", "" },
        { "2.0.0 Ok", "" },
        { "", "" },
        { "queued as , queued as 1B", "1B" },
        { "queued as 1B, to=<x>", "1B" },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct smtp_reply reply = { 250, slice_from(pairs[i].text) };
        assert_slice(smtp_reply_queue_id(&reply), slice_from(pairs[i].id));
    }
}

static void
settings(void **state)
{
    static const char *const bad[] = {
        "",         "550",          "550 ",           "550  ",
        "550-x",    "250 2.0.0 Ok", "354 go",         "600 x",
        "99 x",     "5500 x",       "550 a\r\n250 b", "550 a\nb",
        "550 \x01", "550 \xff",     "x550 a",         " 550 a",
    };
    struct arena arena = { 0 };
    struct smtp_reply reply;
    (void)state;

    assert_true(smtp_reply_parse_setting(SLICE_OF("550 5.1.6 Gone"), &reply));
    assert_int_equal(reply.code, 550);
    assert_slice(reply.text, SLICE_OF("5.1.6 Gone"));
    assert_true(smtp_reply_parse_setting(SLICE_OF("450 x"), &reply));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(smtp_reply_parse_setting(slice_from(bad[i]), &reply));
    assert_true(
        smtp_reply_parse_setting(padded(&arena, "550 ", 'x', 506, ""), &reply));
    assert_false(
        smtp_reply_parse_setting(padded(&arena, "550 ", 'x', 507, ""), &reply));
    arena_free(&arena);
}

static void
memory_is_gone(void **state)
{
    (void)state;

    for (size_t n = 1;; n++) {
        struct smtp_reply_parser parser = { 0 };
        struct smtp_reply reply;
        struct slice in = SLICE("250-a\r\n250 b\r\n");
        mem_fail_nth(n);
        enum smtp_reply_status status = smtp_reply_take(&parser, &in, &reply);
        bool failed = mem_fail_nth(0) >= n;
        smtp_reply_parser_free(&parser);
        assert_int_equal(status, failed ? SMTP_REPLY_BAD : SMTP_REPLY_DONE);
        if (!failed)
            return;
    }
}

int
main(void)
{
    struct CMUnitTest tests[2 * ROWS + 13] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++) {
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, whole, NULL, NULL, &rows[i] };
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, bytewise, NULL, NULL, &rows[i] };
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(several_in_a_row);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(number_of_lines);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(endless_continuation);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(length_of_a_line);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_is_kept);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(line_without_end);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(print);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(print_cuts_lines_at_512);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(round_trip);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(enhanced_codes);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(queue_ids);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(settings);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(memory_is_gone);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("reply", tests, n, NULL, NULL);
}
