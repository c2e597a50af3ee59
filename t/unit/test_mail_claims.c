/* Whose name a message may be taken to bear. */
#include "mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define OTHER "x@evil.example"

static const struct row {
    const char *name;
    struct slice header; /* without the empty line */
    const char *claims;  /* names among them, separated by blanks */
    const char * not ;   /* a name that is not */
} rows[] = {
    /* What can be read. */
    { "one author", SLICE("From: A <a@example.org>\r\n"), "example.org",
      "evil.example" },
    { "upper case", SLICE("FROM: a@Example.ORG\r\n"), "example.org", "ORG" },
    { "several", SLICE("From: " OTHER ", a@example.org\r\n"),
      "evil.example example.org", "" },
    { "a group", SLICE("From: g: " OTHER ", a@example.org;\r\n"),
      "evil.example example.org", "" },
    { "an obsolete route", SLICE("From: <@example.org:" OTHER ">\r\n"),
      "example.org evil.example", "" },
    { "a route over two",
      SLICE("From: <@a.example, @example.org:" OTHER ">\r\n"),
      "a.example example.org evil.example", "" },
    { "comments between the labels",
      SLICE("From: a@example (x@y.example) .(z)org\r\n"), "example.org",
      "y.example" },
    { "U-labels",
      SLICE("From: a@b\xc3\xbc"
            "cher.example\r\n"),
      "xn--bcher-kva.example", "" },
    { "a name in quotes is no author",
      SLICE("From: \"ceo@example.org\" <" OTHER ">\r\n"), "evil.example",
      "example.org" },
    { "nor is one in a comment", SLICE("From: " OTHER " (ceo@example.org)\r\n"),
      "evil.example", "example.org" },
    { "nor one in an encoded word",
      SLICE("From: =?utf-8?q?ceo=40example.org?= <" OTHER ">\r\n"),
      "evil.example", "example.org" },
    { "Sender is no author",
      SLICE("Sender: a@example.org\r\nFrom: " OTHER "\r\n"), "evil.example",
      "example.org" },
    { "one reading in spite of a comma",
      SLICE("From: example.org, sales <" OTHER ">,\r\n"), "evil.example",
      "example.org" },
    /* What cannot. */
    { "no From", SLICE("To: a@example.org\r\n"), "", "example.org" },
    { "an empty From", SLICE("From: \r\nTo: a@example.org\r\n"), "",
      "example.org" },
    { "null From", SLICE("From: <>\r\n"), "", "example.org" },
    { "two fields", SLICE("From: " OTHER "\r\nFrom: a@example.org\r\n"),
      "example.org evil.example", "" },
    { "two, the other way round",
      SLICE("From: a@example.org\r\nSubject: x\r\nfrom: " OTHER "\r\n"),
      "example.org evil.example", "" },
    { "a trailing dot", SLICE("From: a@example.org.\r\n"), "example.org", "" },
    { "two addresses without a comma",
      SLICE("From: <a@example.org> <" OTHER ">\r\n"), "example.org", "" },
    { "an address as a name", SLICE("From: a@example.org <" OTHER ">\r\n"),
      "example.org evil.example", "" },
    { "two at signs", SLICE("From: x@example.org@evil.example\r\n"),
      "example.org evil.example", "" },
    { "percent", SLICE("From: x%a@example.org@evil.example\r\n"), "example.org",
      "" },
    { "a fold in the domain, and a dot too many",
      SLICE("From: a@example.\r\n org.\r\n"), "example.org", "" },
    { "white space around the dot, and a dot too many",
      SLICE("From: a@example . \t org.\r\n"), "example.org", "" },
    { "a comment in the domain, and a dot too many",
      SLICE("From: a@exam(x)ple.org, a@example(x(y)).(z)org.\r\n"),
      "example.org", "" },
    { "quotes in the domain", SLICE("From: a@\"example\".org\r\n"),
      "example.org", "" },
    { "backslashes in the domain", SLICE("From: a@example\\.org\r\n"),
      "example.org", "" },
    { "an open quote", SLICE("From: \"a@example.org\r\n"), "example.org", "" },
    { "an open comment", SLICE("From: (a@example.org\r\n"), "example.org", "" },
    { "the only address in an encoded word",
      SLICE("From: =?utf-8?Q?a=40example=2Eorg?=\r\n"), "example.org", "" },
    { "in base64", SLICE("From: =?us-ascii?B?YUBleGFtcGxlLm9yZw==?=\r\n"),
      "example.org", "" },
    { "across encoded words",
      SLICE("From: =?utf-8?q?a=40exam?=\r\n =?utf-8?q?ple.org?=\r\n"),
      "example.org", "" },
    { "full-width letters", SLICE("From: a@\xef\xbd\x85xample.org\r\n"),
      "example.org", "" },
    { "an ideographic full stop", SLICE("From: a@example\xe3\x80\x82org\r\n"),
      "example.org", "" },
    { "a soft hyphen", SLICE("From: a@exam\xc2\xadple.org\r\n"), "example.org",
      "" },
    { "octets that are no text",
      SLICE("From: \xff\xfe"
            "a@\xff"
            "example.org\r\n"),
      "example.org", "" },
    { "a literal beside it", SLICE("From: x@[192.0.2.1], a@example.org\r\n"),
      "example.org", "" },
    { "a control character", SLICE("From: a@example.org\x01\r\n"),
      "example.org", "" },
    /* Headers that programs read differently. */
    { "a blank before the colon, and another From",
      SLICE("From : a@example.org\r\nFrom: " OTHER "\r\n"),
      "example.org evil.example", "" },
    { "behind a leading fold", SLICE(" folded\r\nFrom: a@example.org\r\n"),
      "example.org", "" },
    { "in the leading fold", SLICE(" From: a@example.org\r\n"), "example.org",
      "" },
    { "behind a byte-order mark",
      SLICE("\xef\xbb\xbf"
            "From: a@example.org\r\n"),
      "example.org", "" },
    { "behind a line without a colon",
      SLICE("Subject: x\r\nno colon\r\nFrom: a@example.org\r\n"), "example.org",
      "" },
    { "behind a name that is none",
      SLICE("From: " OTHER "\r\nX-\xc3\xa9: y\r\nFrom: a@example.org\r\n"),
      "example.org evil.example", "" },
    { "the line of a mailbox file",
      SLICE("From a@example.org Thu Jan 1\r\nFrom: " OTHER "\r\n"),
      "example.org evil.example", "" },
    { "an odd header, and others name it",
      SLICE("no colon\r\nFrom: " OTHER "\r\nTo: a@example.org\r\n"),
      "evil.example", "example.org" },
    { "a form feed", SLICE("From: " OTHER "\r\nFrom\f: a@example.org\r\n"),
      "example.org evil.example", "" },
    { "a comma in front, and a route behind it",
      SLICE("From: ,<@example.org:" OTHER ">,\r\n"), "example.org", "" },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static bool
has(const struct mail_claims *claims, struct slice name)
{
    for (size_t i = 0; i < claims->count; i++)
        if (slice_equal(claims->domains[i], name))
            return true;
    return false;
}

static void
read_claims(struct slice header, struct arena *arena,
            struct mail_claims *claims)
{
    struct mail_header index = { 0 };
    struct buf content = { 0 };

    buf_append(&content, header);
    buf_puts(&content, "\r\n");
    assert_true(mail_header_index(buf_slice(&content), &index));
    assert_true(mail_claims_read(&index, buf_slice(&content), arena, claims));
    mail_header_free(&index);
    buf_free(&content);
}

static void
claims_row(void **state)
{
    const struct row *row = *state;
    struct mail_claims claims;
    struct arena arena = { 0 };

    read_claims(row->header, &arena, &claims);
    struct slice wanted = slice_from(row->claims);
    while (wanted.len != 0) {
        struct slice name = slice_cut(&wanted, ' ');
        if (!has(&claims, name))
            fail_msg("%.*s is not among them", SLICE_ARG(name));
    }
    assert_false(has(&claims, slice_from(row->not )));
    if (row->claims[0] == '\0')
        assert_int_equal(claims.count, 0);
    assert_false(claims.more);
    arena_free(&arena);
}

/* How many there are is a stranger's choice. */
static void
many(void **state)
{
    static const char *const forms[] = { "From: x", "From: , x" };

    (void)state;
    for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
        struct mail_claims claims;
        struct arena arena = { 0 };
        struct buf header = { 0 };
        buf_puts(&header, forms[f]);
        for (unsigned i = 0; i < 500; i++)
            buf_printf(&header, "@d%u.example,\r\n x", i);
        buf_puts(&header, "@d.example\r\n");
        read_claims(buf_slice(&header), &arena, &claims);
        assert_int_equal(claims.count, MAIL_CLAIMS_MAX);
        assert_true(claims.more);
        /* In more octets than are read there may be any. */
        while (header.len < 2 * MAIL_FROM_OCTETS_MAX)
            buf_puts(&header, "From: x@d.example\r\n");
        read_claims(buf_slice(&header), &arena, &claims);
        assert_true(claims.more);
        buf_free(&header);
        arena_free(&arena);
    }
}

/* Linear, whatever is repeated. */
static void
bounded(void **state)
{
    static const char *const units[] = {
        "(",      "(x",    ")",   "\"",      "<",         "=?",
        "=?a?q?", "a@b.c", ".",   "@",       "\\",        "From:\r\n",
        "\xc3",   "\xff.", "(()", "=?a?b?x", "=?a?q?\?=", "=?a?q?=40?= \t"
    };

    (void)state;
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        struct mail_claims claims;
        struct arena arena = { 0 };
        struct buf header = { 0 };
        buf_puts(&header, "From: ;");
        while (header.len < 1024 * 1024)
            buf_puts(&header, units[u]);
        buf_puts(&header, "\r\n");
        clock_t start = clock();
        read_claims(buf_slice(&header), &arena, &claims);
        if (clock() - start > 20 * CLOCKS_PER_SEC)
            fail_msg("%s: %ld ms", units[u],
                     (clock() - start) / (CLOCKS_PER_SEC / 1000));
        buf_free(&header);
        arena_free(&arena);
    }
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 2] = { 0 };

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, claims_row, NULL, NULL,
                                        (void *)(uintptr_t)&rows[i] };
    tests[ROWS] = (struct CMUnitTest)cmocka_unit_test(many);
    tests[ROWS + 1] = (struct CMUnitTest)cmocka_unit_test(bounded);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
