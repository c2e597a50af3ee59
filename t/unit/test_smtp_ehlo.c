#include "test_smtp.h"

/* ---- EHLO -------------------------------------------------------------- */

static struct row {
    const char *name;
    const char *text;
    unsigned keywords, xforward;
    uint64_t size;
} rows[] = {
    { "nothing", "mx.example", 0, 0, 0 },
    { "empty", "", 0, 0, 0 },
    { "Postfix",
      "mx\nPIPELINING\nSIZE 10240000\nETRN\nSTARTTLS\nXFORWARD NAME ADDR "
      "PROTO HELO SOURCE PORT IDENT\nENHANCEDSTATUSCODES\n8BITMIME\nDSN\n"
      "SMTPUTF8\nCHUNKING",
      SMTP_HAS_ALL, (1 << XFORWARD_ATTRIBUTES) - 1, 10240000 },
    { "lower case", "mx\npipelining\nsize 5",
      SMTP_HAS_PIPELINING | SMTP_HAS_SIZE, 0, 5 },
    { "size without a number", "mx\nSIZE", SMTP_HAS_SIZE, 0, 0 },
    { "size 0", "mx\nSIZE 0", SMTP_HAS_SIZE, 0, 0 },
    { "size beyond 64 bits", "mx\nSIZE 99999999999999999999", SMTP_HAS_SIZE, 0,
      0 },
    { "size no number", "mx\nSIZE x", SMTP_HAS_SIZE, 0, 0 },
    { "the name is no keyword", "PIPELINING\nDSN", SMTP_HAS_DSN, 0, 0 },
    { "longer words", "mx\nDSNX\nXDSN\n8BITMIMEX", 0, 0, 0 },
    { "some attributes", "mx\nXFORWARD name  FOO ADDR", SMTP_HAS_XFORWARD,
      1 << XFORWARD_NAME | 1 << XFORWARD_ADDR, 0 },
    { "empty lines", "mx\n\n \nDSN\n", SMTP_HAS_DSN, 0, 0 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
offers(void **state)
{
    const struct row *row = *state;
    struct slice text = exact(slice_from(row->text));
    struct smtp_reply reply = { 250, text };
    struct smtp_ehlo ehlo;

    smtp_ehlo_parse(&reply, &ehlo);
    assert_int_equal(ehlo.keywords, row->keywords);
    assert_int_equal(ehlo.xforward, row->xforward);
    assert_true(ehlo.size == row->size);
    free((char *)text.ptr);
}

static void
ours(void **state)
{
    static const char all[] = "250-proxy.example\r\n"
                              "250-PIPELINING\r\n"
                              "250-SIZE\r\n"
                              "250-8BITMIME\r\n"
                              "250-SMTPUTF8\r\n"
                              "250-DSN\r\n"
                              "250-ENHANCEDSTATUSCODES\r\n"
                              "250 XFORWARD NAME ADDR PORT HELO IDENT PROTO "
                              "SOURCE\r\n";
    static const char least[] = "250-proxy.example\r\n"
                                "250-PIPELINING\r\n"
                                "250-ENHANCEDSTATUSCODES\r\n"
                                "250 XFORWARD NAME ADDR PORT HELO IDENT "
                                "PROTO SOURCE\r\n";
    struct smtp_ehlo nothing = { 0 };
    struct buf out = { 0 };
    (void)state;

    smtp_ehlo_print(SLICE_OF("proxy.example"), NULL, 0, &out);
    assert_slice(buf_slice(&out), slice_from(all));
    buf_clear(&out);
    smtp_ehlo_print(SLICE_OF("proxy.example"), &nothing, 1000, &out);
    assert_slice(buf_slice(&out), slice_from(least));
    buf_free(&out);
}

/* The smaller of the two limits, and what we print we also read. */
static void
ours_is_read_back(void **state)
{
    static const struct {
        uint64_t upstream, limit, offered;
    } sizes[] = { { 0, 0, 0 }, { 0, 7, 7 }, { 9, 0, 9 },
                  { 9, 7, 7 }, { 7, 9, 7 }, { UINT64_MAX, 0, UINT64_MAX } };
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (unsigned set = 0; set <= SMTP_HAS_ALL; set++) {
            struct smtp_ehlo upstream = { .keywords = set,
                                          .size = sizes[i].upstream };
            struct smtp_reply_parser parser = { .keep_all = true };
            struct smtp_reply reply;
            struct smtp_ehlo read;
            struct buf out = { 0 };
            smtp_ehlo_print(SLICE_OF("p"), &upstream, sizes[i].limit, &out);
            struct slice in = buf_slice(&out);
            assert_int_equal(smtp_reply_take(&parser, &in, &reply),
                             SMTP_REPLY_DONE);
            assert_int_equal(in.len, 0);
            smtp_ehlo_parse(&reply, &read);
            assert_int_equal(read.keywords, set | SMTP_HAS_PIPELINING |
                                                SMTP_HAS_ENHANCED |
                                                SMTP_HAS_XFORWARD);
            assert_int_equal(read.xforward, (1 << XFORWARD_ATTRIBUTES) - 1);
            assert_true(read.size ==
                        (set & SMTP_HAS_SIZE ? sizes[i].offered : 0));
            smtp_reply_parser_free(&parser);
            buf_free(&out);
        }
    }
}

/* ---- XFORWARD ---------------------------------------------------------- */

static void
front_line(void **state)
{
    struct xforward x = { 0 };
    struct buf out = { 0 };
    (void)state;

    assert_true(xforward_is_empty(&x));
    assert_int_equal(xforward_print(&x, ~0u, &out), 0);
    assert_int_equal(out.len, 0);
    assert_int_equal(
        xforward_parse(SLICE_OF("NAME=localhost ADDR=IPv6:2001:db8::1 "
                                "PORT=58542 HELO=cli+2Bent=x "
                                "IDENT=[UNAVAILABLE] PROTO=ESMTP "
                                "SOURCE=LOCAL"),
                       &x),
        XFORWARD_OK);
    assert_false(xforward_is_empty(&x));

    xforward_value(&x, XFORWARD_HELO, &out);
    assert_slice(buf_slice(&out), SLICE_OF("cli+ent=x"));
    buf_clear(&out);
    xforward_value(&x, XFORWARD_IDENT, &out);
    assert_int_equal(out.len, 0);

    /* octet for octet, but SOURCE */
    assert_int_equal(xforward_print(&x, ~0u, &out), 1);
    assert_slice(buf_slice(&out),
                 SLICE_OF("XFORWARD NAME=localhost ADDR=IPv6:2001:db8::1 "
                          "PORT=58542 HELO=cli+2Bent=x IDENT=[UNAVAILABLE] "
                          "PROTO=ESMTP SOURCE=REMOTE\r\n"));
    buf_clear(&out);

    /* only what is offered there */
    assert_int_equal(
        xforward_print(&x, 1u << XFORWARD_ADDR | 1u << XFORWARD_PROTO, &out),
        1);
    assert_slice(buf_slice(&out),
                 SLICE_OF("XFORWARD ADDR=IPv6:2001:db8::1 PROTO=ESMTP\r\n"));
    buf_clear(&out);
    assert_int_equal(xforward_print(&x, 0, &out), 0);
    assert_int_equal(out.len, 0);

    buf_free(&out);
    xforward_free(&x);
    assert_true(xforward_is_empty(&x));
}

static void
later_values_replace(void **state)
{
    struct xforward x = { 0 };
    struct buf out = { 0 };
    (void)state;

    assert_int_equal(xforward_parse(SLICE_OF("NAME=a ADDR=1.2.3.4"), &x),
                     XFORWARD_OK);
    assert_int_equal(xforward_parse(SLICE_OF(" name=b\tPORT=1 NAME=c "), &x),
                     XFORWARD_OK);
    xforward_print(&x, ~0u, &out);
    assert_slice(buf_slice(&out),
                 SLICE_OF("XFORWARD NAME=c ADDR=1.2.3.4 PORT=1 "
                          "SOURCE=REMOTE\r\n"));
    buf_free(&out);
    xforward_free(&x);
}

static void
all_or_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "NAME",
        "NAME=",
        "=a",
        "NAME=b FOO=c",
        "NAME=b ADDR",
        "NAME=b ADDR=+",
        "NAME=b ADDR=+2",
        "NAME=b ADDR=+GG",
        "NAME=b ADDR=\x01",
        "NAME=b ADDR=\xC3\xA4",
        "NAME=b LOGIN=root",
    };
    struct xforward x = { 0 };
    (void)state;

    assert_int_equal(xforward_parse(SLICE_OF("NAME=a"), &x), XFORWARD_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(xforward_parse(slice_from(bad[i]), &x), XFORWARD_BAD);
        assert_slice(buf_slice(&x.value[XFORWARD_NAME]), SLICE_OF("a"));
        assert_null(x.value[XFORWARD_ADDR].ptr);
    }
    xforward_free(&x);
}

static void
lengths(void **state)
{
    struct arena arena = { 0 };
    struct xforward x = { 0 };
    struct buf out = { 0 };
    (void)state;

    assert_int_equal(xforward_parse(padded(&arena, "NAME=", 'n', 255, ""), &x),
                     XFORWARD_OK);
    assert_int_equal(xforward_parse(padded(&arena, "NAME=", 'n', 256, ""), &x),
                     XFORWARD_BAD);
    assert_int_equal(xforward_parse(padded(&arena, "HELO=", 'h', 255, ""), &x),
                     XFORWARD_OK);
    assert_int_equal(xforward_parse(padded(&arena, "IDENT=", 'i', 255, ""), &x),
                     XFORWARD_OK);
    assert_int_equal(xforward_parse(padded(&arena, "PROTO=", 'p', 65, ""), &x),
                     XFORWARD_BAD);
    /* no line over 512 octets, nothing lost */
    assert_int_equal(xforward_print(&x, ~0u, &out), 3);
    struct slice rest = buf_slice(&out);
    size_t values = 0;
    while (rest.len != 0) {
        size_t end = slice_find(rest, '\n');
        assert_true(end + 1 <= 512);
        assert_true(slice_starts_nocase(rest, SLICE_OF("XFORWARD ")));
        for (size_t i = 0; i < end; i++)
            values += rest.ptr[i] == '=';
        rest = slice_tail(rest, end + 1);
    }
    assert_int_equal(values, 4);
    buf_free(&out);
    xforward_free(&x);
    arena_free(&arena);
}

static void
memory_is_gone(void **state)
{
    (void)state;

    for (size_t n = 1;; n++) {
        struct xforward x = { 0 };
        assert_int_equal(xforward_parse(SLICE_OF("NAME=a"), &x), XFORWARD_OK);
        mem_fail_nth(n);
        enum xforward_status status =
            xforward_parse(SLICE_OF("NAME=b ADDR=c"), &x);
        bool failed = mem_fail_nth(0) >= n;
        assert_int_equal(status, failed ? XFORWARD_NO_MEMORY : XFORWARD_OK);
        assert_slice(buf_slice(&x.value[XFORWARD_NAME]),
                     failed ? SLICE_OF("a") : SLICE_OF("b"));
        xforward_free(&x);
        if (!failed)
            return;
    }
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 7] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, offers, NULL, NULL, &rows[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(ours);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(ours_is_read_back);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(front_line);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(later_values_replace);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(all_or_nothing);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(lengths);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(memory_is_gone);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("ehlo", tests, n, NULL, NULL);
}
