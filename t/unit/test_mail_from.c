#include "mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct row {
    const char *name;
    struct slice from; /* what stands behind "From:" */
    enum mail_from_status status;
    const char *domain;
} rows[] = {
    /* addresses */
    { "bare address", SLICE(" alice@example.org"), MAIL_FROM_OK,
      "example.org" },
    { "no blank behind the colon", SLICE("alice@example.org"), MAIL_FROM_OK,
      "example.org" },
    { "name and address", SLICE(" Alice Example <alice@example.org>"),
      MAIL_FROM_OK, "example.org" },
    { "upper case", SLICE(" a@EXAMPLE.Org"), MAIL_FROM_OK, "example.org" },
    { "one label", SLICE(" root@localhost"), MAIL_FROM_OK, "localhost" },
    { "underscore and digits", SLICE(" a@my_host.1.example"), MAIL_FROM_OK,
      "my_host.1.example" },
    { "name with dots", SLICE(" J. R. Hacker <j@example.org>"), MAIL_FROM_OK,
      "example.org" },
    { "quoted local part", SLICE(" \"a;b=c d@x\"@example.org"), MAIL_FROM_OK,
      "example.org" },
    { "UTF-8 local part", SLICE(" \xd0\xb6@example.org"), MAIL_FROM_OK,
      "example.org" },
    { "UTF-8 name", SLICE(" Ren\xc3\xa9 <r@example.org>"), MAIL_FROM_OK,
      "example.org" },
    { "encoded word is not decoded",
      SLICE(" =?utf-8?Q?x=40bank.example?= <a@example.org>"), MAIL_FROM_OK,
      "example.org" },
    { "dots in a row in the local part", SLICE(" a..b.@example.org"),
      MAIL_FROM_OK, "example.org" },
    /* decoys */
    { "address in quotes as the name",
      SLICE(" \"boss@bank.example\" <a@example.org>"), MAIL_FROM_OK,
      "example.org" },
    { "angle brackets in quotes",
      SLICE(" \"Boss <boss@bank.example>\" <a@example.org>"), MAIL_FROM_OK,
      "example.org" },
    { "address in a comment",
      SLICE(" (boss@bank.example) a@example.org (x@y.example)"), MAIL_FROM_OK,
      "example.org" },
    { "nested comment with quoted parenthesis",
      SLICE(" a@example.org (one (two \\) three) four)"), MAIL_FROM_OK,
      "example.org" },
    { "quotes in a comment", SLICE(" a@example.org (\")"), MAIL_FROM_OK,
      "example.org" },
    { "escaped quote", SLICE(" \"a\\\" <b@bank.example>\" <a@example.org>"),
      MAIL_FROM_OK, "example.org" },
    { "folds and comments inside the address",
      SLICE(" Alice\r\n <alice(c1)@(c2)\r\n example.(c3)org>"), MAIL_FROM_OK,
      "example.org" },
    { "route", SLICE(" <@relay.bank.example,@b.example:a@example.org>"),
      MAIL_FROM_OK, "example.org" },
    /* groups and lists */
    { "group", SLICE(" team: a@example.org;"), MAIL_FROM_OK, "example.org" },
    { "group with names", SLICE(" \"t\": A <a@example.org>, b@example.org ;"),
      MAIL_FROM_OK, "example.org" },
    { "group and mailbox", SLICE(" t: a@example.org;, b@example.org"),
      MAIL_FROM_OK, "example.org" },
    { "empty group beside a mailbox", SLICE(" t:;, b@example.org"),
      MAIL_FROM_OK, "example.org" },
    { "list in one domain", SLICE(" a@example.org, B <b@EXAMPLE.org>"),
      MAIL_FROM_OK, "example.org" },
    { "list in two domains", SLICE(" a@example.org, b@example.net"),
      MAIL_FROM_DISAGREE, "" },
    { "domain and its child", SLICE(" a@example.org, b@news.example.org"),
      MAIL_FROM_DISAGREE, "" },
    { "group in two domains", SLICE(" t: a@example.org, b@example.net;"),
      MAIL_FROM_DISAGREE, "" },
    /* obsolete forms (RFC 5322, 4.4), and what hides an address */
    { "blanks around at sign and dots", SLICE(" a . b @ example . org"),
      MAIL_FROM_OK, "example.org" },
    { "comments inside angle brackets",
      SLICE(" < (x) a@example.org (y@bank.example) >"), MAIL_FROM_OK,
      "example.org" },
    { "comment between labels", SLICE(" a@example(.bank).org"), MAIL_FROM_OK,
      "example.org" },
    { "name that begins with a dot", SLICE(" .J <a@example.org>"), MAIL_FROM_OK,
      "example.org" },
    { "quote in a comment does not open quotes",
      SLICE(" (\") <a@example.org> (\")"), MAIL_FROM_OK, "example.org" },
    { "escaped parenthesis hides an address",
      SLICE(" (x\\) <y@bank.example>) <a@example.org>"), MAIL_FROM_OK,
      "example.org" },
    { "encoded word hides angle brackets",
      SLICE(" =?utf-8?B?PGJvc3NAYmFuay5leGFtcGxlPg==?= <a@example.org>"),
      MAIL_FROM_OK, "example.org" },
    { "encoded word as the local part", SLICE(" =?utf-8?Q?x?=@example.org"),
      MAIL_FROM_OK, "example.org" },
    { "encoded word hides the only at sign",
      SLICE(" =?utf-8?Q?a=40example.org?="), MAIL_FROM_UNREADABLE, "" },
    { "encoded word as the domain", SLICE(" a@=?utf-8?Q?example.org?="),
      MAIL_FROM_UNREADABLE, "" },
    { "encoded word with a blank and an at sign",
      SLICE(" =?utf-8?Q?a b@bank.example?= <a@example.org>"),
      MAIL_FROM_UNREADABLE, "" },
    { "empty places in a list", SLICE(" , a@example.org, ,"), MAIL_FROM_OK,
      "example.org" },
    { "empty places in a route", SLICE(" <,,@x.example,,:a@example.org>"),
      MAIL_FROM_UNREADABLE, "" },
    { "comment open inside a comment",
      SLICE(" a@example.org (a (b) <x@bank.example>"), MAIL_FROM_UNREADABLE,
      "" },
    { "comment closed before it opens", SLICE(" ) a@example.org"), MAIL_FROM_OK,
      "example.org" },
    { "backslash outside of quotes", SLICE(" a\\@bank.example@example.org"),
      MAIL_FROM_UNREADABLE, "" },
    { "escaped NUL", SLICE(" \"\\\0\" <a@example.org>"), MAIL_FROM_UNREADABLE,
      "" },
    { "escaped CR", SLICE(" \"\\\r\n x\" <a@example.org>"), MAIL_FROM_OK,
      "example.org" },
    { "escape sequence of a terminal", SLICE(" \x1b[1mA <a@example.org>"),
      MAIL_FROM_UNREADABLE, "" },
    { "overlong at sign",
      SLICE(" a\xc1\x80"
            "bank.example@example.org"),
      MAIL_FROM_UNREADABLE, "" },
    { "surrogate", SLICE(" \xed\xa0\x80 <a@example.org>"), MAIL_FROM_UNREADABLE,
      "" },
    { "quoted local part in brackets, quoted name",
      SLICE(" \"x@bank.example\" <\"y@bank.example\"@example.org>"),
      MAIL_FROM_OK, "example.org" },
    { "percent and bang in the local part",
      SLICE(" bank.example!a%b.example@example.org"), MAIL_FROM_OK,
      "example.org" },
    { "unquoted comma in the name", SLICE(" Doe, John <a@example.org>"),
      MAIL_FROM_OK, "example.org" },
    { "apostrophes are no quotes",
      SLICE(" 'boss@bank.example' <a@example.org>"), MAIL_FROM_UNREADABLE, "" },
    { "quoted name without brackets", SLICE(" \"A\" a@example.org"),
      MAIL_FROM_OK, "example.org" },
    { "brackets in the name", SLICE(" John [boss] <a@example.org>"),
      MAIL_FROM_OK, "example.org" },
    { "the address as its own name", SLICE(" a@example.org <a@example.org>"),
      MAIL_FROM_OK, "example.org" },
    { "the same domain as its name", SLICE(" b@EXAMPLE.org <a@example.org>"),
      MAIL_FROM_OK, "example.org" },
    { "empty brackets behind the address", SLICE(" a@example.org <>"),
      MAIL_FROM_UNREADABLE, "" },
    { "name in brackets behind the address", SLICE(" <a@example.org> <x>,"),
      MAIL_FROM_UNREADABLE, "" },
    { "comma, and another domain in quotes",
      SLICE(" Doe, \"b@bank.example\" <a@example.org>"), MAIL_FROM_UNREADABLE,
      "" },
    { "comma, and another domain in a comment",
      SLICE(" Doe, J (b@bank.example) <a@example.org>"), MAIL_FROM_UNREADABLE,
      "" },
    { "comma, and another domain in an encoded word",
      SLICE(" Doe, =?utf-8?b?YkBiYW5rLmV4YW1wbGU=?= <a@example.org>"),
      MAIL_FROM_UNREADABLE, "" },
    { "comma, and another domain across two encoded words",
      SLICE(" Doe, =?utf-8?q?b=40?= =?us-ascii?Q?bank=2Eexample?= "
            "<a@example.org>"),
      MAIL_FROM_UNREADABLE, "" },
    { "comma, and encoded words without an address",
      SLICE(" Doe, =?utf-8?q?J=C3=B6hn?= <a@example.org>"), MAIL_FROM_OK,
      "example.org" },
    { "comma, and a trailing dot", SLICE(" Doe, J <a@example.org.>"),
      MAIL_FROM_UNREADABLE, "" },
    { "comma, and a literal", SLICE(" Doe, J <a@[192.0.2.1]>"),
      MAIL_FROM_UNREADABLE, "" },
    { "comma, and a blank in the domain", SLICE(" Doe, J <a@example. org>"),
      MAIL_FROM_UNREADABLE, "" },
    { "comma, and a path behind the domain", SLICE(" Doe, J <a@example.org/x>"),
      MAIL_FROM_UNREADABLE, "" },
    { "comma, and two at signs", SLICE(" Doe, J <a@example.org@example.org>"),
      MAIL_FROM_UNREADABLE, "" },
    { "mailto", SLICE(" <mailto:a@example.org>"), MAIL_FROM_OK, "example.org" },
    { "the same address in brackets twice",
      SLICE(" <a@example.org> <a@example.org>"), MAIL_FROM_OK, "example.org" },
    /* groups (RFC 6854) */
    { "two groups of one domain",
      SLICE(" A: a@example.org;, B: b@example.org;"), MAIL_FROM_OK,
      "example.org" },
    { "two groups of two domains",
      SLICE(" A: a@example.org;, B: b@bank.example;"), MAIL_FROM_DISAGREE, "" },
    { "group in quotes", SLICE(" \"x: a@bank.example;\" <a@example.org>"),
      MAIL_FROM_OK, "example.org" },
    { "text behind a group", SLICE(" t: a@example.org; x"), MAIL_FROM_OK,
      "example.org" },
    { "address behind a group without a comma",
      SLICE(" t: a@example.org; b@bank.example"), MAIL_FROM_UNREADABLE, "" },
    { "address as the name of a group",
      SLICE(" boss@bank.example: a@example.org;"), MAIL_FROM_UNREADABLE, "" },
    /* IDNA */
    { "A-label", SLICE(" a@xn--bcher-kva.example"), MAIL_FROM_OK,
      "xn--bcher-kva.example" },
    { "U-label",
      SLICE(" a@b\xc3\xbc"
            "cher.example"),
      MAIL_FROM_OK, "xn--bcher-kva.example" },
    { "U-label, ASCII in upper case",
      SLICE(" a@B\xc3\xbc"
            "CHER.Example"),
      MAIL_FROM_OK, "xn--bcher-kva.example" },
    { "U-label with comment",
      SLICE(" a@b\xc3\xbc"
            "cher(x).example"),
      MAIL_FROM_OK, "xn--bcher-kva.example" },
    { "decomposed",
      SLICE(" a@bu\xcc\x88"
            "cher.example"),
      MAIL_FROM_UNREADABLE, "" },
    { "U-label in upper case",
      SLICE(" a@B\xc3\x9c"
            "CHER.example"),
      MAIL_FROM_UNREADABLE, "" },
    { "symbol, not in IDNA", SLICE(" a@\xe2\x98\x83.example"),
      MAIL_FROM_UNREADABLE, "" },
    { "ideographic full stop", SLICE(" a@example\xe3\x80\x82org"),
      MAIL_FROM_UNREADABLE, "" },
    { "full-width letters", SLICE(" a@\xef\xbd\x85xample.org"),
      MAIL_FROM_UNREADABLE, "" },
    { "Latin-1 in the domain",
      SLICE(" a@b\xfc"
            "cher.example"),
      MAIL_FROM_UNREADABLE, "" },
    { "Latin-1 in the name", SLICE(" Ren\xe9 <r@example.org>"),
      MAIL_FROM_UNREADABLE, "" },
    { "A-label in upper case", SLICE(" a@XN--BCHER-KVA.example"), MAIL_FROM_OK,
      "xn--bcher-kva.example" },
    { "two scripts in a label are a domain of their own",
      SLICE(" a@ex\xd0\xb0mple.org"), MAIL_FROM_OK, "xn--exmple-4nf.org" },
    { "sharp s is not ss",
      SLICE(" a@stra\xc3\x9f"
            "e.example"),
      MAIL_FROM_OK, "xn--strae-oqa.example" },
    { "zero-width joiner",
      SLICE(" a@a\xe2\x80\x8d"
            "b.example"),
      MAIL_FROM_UNREADABLE, "" },
    { "soft hyphen", SLICE(" a@exam\xc2\xadple.org"), MAIL_FROM_UNREADABLE,
      "" },
    { "right-to-left override", SLICE(" a@exam\xe2\x80\xaeple.org"),
      MAIL_FROM_UNREADABLE, "" },
    { "two directions in a label",
      SLICE(" a@\xd7\x90"
            "a.example"),
      MAIL_FROM_UNREADABLE, "" },
    { "full-width full stop", SLICE(" a@example\xef\xbc\x8eorg"),
      MAIL_FROM_UNREADABLE, "" },
    { "no-break space in the domain", SLICE(" a@exam\xc2\xa0ple.org"),
      MAIL_FROM_UNREADABLE, "" },
    { "literal of IPv6", SLICE(" a@[IPv6:2001:db8::1]"), MAIL_FROM_UNREADABLE,
      "" },
    { "literal and a name", SLICE(" a@[192.0.2.1].example.org"),
      MAIL_FROM_UNREADABLE, "" },
    { "two trailing dots in brackets", SLICE(" A <a@example.org..>"),
      MAIL_FROM_UNREADABLE, "" },
    /* what is no address */
    { "empty", SLICE(""), MAIL_FROM_UNREADABLE, "" },
    { "blanks", SLICE(" \t \r\n "), MAIL_FROM_UNREADABLE, "" },
    { "empty angle brackets", SLICE(" <>"), MAIL_FROM_UNREADABLE, "" },
    { "group without members", SLICE(" undisclosed:;"), MAIL_FROM_UNREADABLE,
      "" },
    { "no domain", SLICE(" alice"), MAIL_FROM_UNREADABLE, "" },
    { "no domain in brackets", SLICE(" <alice>"), MAIL_FROM_UNREADABLE, "" },
    { "no domain behind the at sign", SLICE(" alice@"), MAIL_FROM_UNREADABLE,
      "" },
    { "no local part", SLICE(" @example.org"), MAIL_FROM_UNREADABLE, "" },
    { "no local part in brackets", SLICE(" <@example.org>"),
      MAIL_FROM_UNREADABLE, "" },
    { "only dots", SLICE(" ..@example.org"), MAIL_FROM_UNREADABLE, "" },
    { "domain literal", SLICE(" a@[192.0.2.1]"), MAIL_FROM_UNREADABLE, "" },
    { "trailing dot", SLICE(" a@example.org."), MAIL_FROM_UNREADABLE, "" },
    { "leading dot", SLICE(" a@.example.org"), MAIL_FROM_UNREADABLE, "" },
    { "two dots", SLICE(" a@example..org"), MAIL_FROM_UNREADABLE, "" },
    { "two at signs", SLICE(" a@example.org@bank.example"),
      MAIL_FROM_UNREADABLE, "" },
    { "two addresses without a comma", SLICE(" <a@example.org> <b@x.example>"),
      MAIL_FROM_UNREADABLE, "" },
    { "address as an unquoted name",
      SLICE(" boss@bank.example <a@example.org>"), MAIL_FROM_UNREADABLE, "" },
    { "text behind the address", SLICE(" <a@example.org> x"), MAIL_FROM_OK,
      "example.org" },
    { "comma at the end", SLICE(" a@example.org,"), MAIL_FROM_OK,
      "example.org" },
    { "comma at the start", SLICE(" ,a@example.org"), MAIL_FROM_OK,
      "example.org" },
    { "semicolon instead of comma", SLICE(" a@example.org; b@example.org"),
      MAIL_FROM_OK, "example.org" },
    { "words without a comma", SLICE(" a b@example.org"), MAIL_FROM_OK,
      "example.org" },
    { "quotes open", SLICE(" \"Alice <a@example.org>"), MAIL_FROM_UNREADABLE,
      "" },
    { "comment open", SLICE(" a@example.org (x"), MAIL_FROM_UNREADABLE, "" },
    { "comment closed twice", SLICE(" a@example.org (x))"), MAIL_FROM_OK,
      "example.org" },
    { "bracket open", SLICE(" A <a@example.org"), MAIL_FROM_OK, "example.org" },
    { "bracket in a bracket", SLICE(" <<a@example.org>>"), MAIL_FROM_OK,
      "example.org" },
    { "group open", SLICE(" t: a@example.org"), MAIL_FROM_OK, "example.org" },
    { "group in a group", SLICE(" t: u: a@example.org;;"), MAIL_FROM_OK,
      "example.org" },
    { "route without an address", SLICE(" <@relay.example:>"),
      MAIL_FROM_UNREADABLE, "" },
    { "encoded word and a second address",
      SLICE(" =?utf-8?B?YUBiYW5r?=, <a@example.org>"), MAIL_FROM_UNREADABLE,
      "" },
    { "NUL", SLICE(" a@example.org\0x"), MAIL_FROM_UNREADABLE, "" },
    { "NUL in a quoted name", SLICE(" \"a\0\" <a@example.org>"),
      MAIL_FROM_UNREADABLE, "" },
    { "bare CR", SLICE(" a\r <a@example.org>"), MAIL_FROM_UNREADABLE, "" },
    { "bare LF", SLICE(" a\n <a@example.org>"), MAIL_FROM_UNREADABLE, "" },
    { "DEL in a comment", SLICE(" a@example.org (\x7f)"), MAIL_FROM_UNREADABLE,
      "" },
    { "form feed", SLICE(" a@example.org\f"), MAIL_FROM_UNREADABLE, "" },
    { "percent in the domain", SLICE(" a@ex%ample.org"), MAIL_FROM_UNREADABLE,
      "" },
    { "hyphen first", SLICE(" a@-example.org"), MAIL_FROM_UNREADABLE, "" },
    { "label of 63",
      SLICE(" a@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            ".org"),
      MAIL_FROM_OK,
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org" },
    { "label of 64",
      SLICE(
          " a@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          ".org"),
      MAIL_FROM_UNREADABLE, "" },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static enum mail_from_status
read_from(struct slice content, struct arena *arena, struct slice *domain)
{
    struct mail_header header = { 0 };

    assert_true(mail_header_index(content, &header));
    enum mail_from_status status = mail_from_domain(&header, arena, domain);
    mail_header_free(&header);
    return status;
}

static void
from_row(void **state)
{
    const struct row *row = *state;
    struct arena arena = { 0 };
    struct buf content = { 0 };
    struct slice domain = { 0 };

    buf_puts(&content, "To: x@y.example\r\nFrom:");
    buf_append(&content, row->from);
    buf_puts(&content, "\r\nSubject: z\r\n\r\n");
    assert_int_equal(read_from(buf_slice(&content), &arena, &domain),
                     row->status);
    assert_int_equal(domain.len, strlen(row->domain));
    assert_memory_equal(domain.ptr != NULL ? domain.ptr : "", row->domain,
                        domain.len);
    buf_free(&content);
    arena_free(&arena);
}

static void
how_many_fields(void **state)
{
    struct arena arena = { 0 };
    struct slice domain = { 0 };

    (void)state;
    assert_int_equal(
        read_from(SLICE_OF("To: a@b\r\n\r\nFrom: a@b\r\n"), &arena, &domain),
        MAIL_FROM_MISSING);
    assert_int_equal(
        read_from(SLICE_OF("From: a@b\r\nfrom: a@b\r\n\r\n"), &arena, &domain),
        MAIL_FROM_SEVERAL);
    assert_int_equal(
        read_from(SLICE_OF("From: a@b\r\nFROM : c@d\r\n\r\n"), &arena, &domain),
        MAIL_FROM_SEVERAL);
    arena_free(&arena);
}

static void
all_domains(void **state)
{
    static const struct slice content =
        SLICE("From: a@one.example, t: b@Two.example, c@one.example;\r\n\r\n");
    struct mail_header header = { 0 };
    struct arena arena = { 0 };
    struct slice *domains = NULL;
    size_t count = 0;

    (void)state;
    assert_true(mail_header_index(content, &header));
    assert_int_equal(mail_from_domains(&header, &arena, &domains, &count),
                     MAIL_FROM_OK);
    assert_int_equal(count, 3);
    assert_true(slice_equal(domains[0], SLICE_OF("one.example")));
    assert_true(slice_equal(domains[1], SLICE_OF("two.example")));
    assert_true(slice_equal(domains[2], SLICE_OF("one.example")));
    mail_header_free(&header);
    arena_free(&arena);
}

/* A hundred authors are one domain, until the last is of another. */
static void
many_authors(void **state)
{
    struct arena arena = { 0 };
    struct buf content = { 0 };
    struct slice domain = { 0 };

    (void)state;
    buf_puts(&content, "From: author0@example.org");
    for (unsigned i = 1; i < 100; i++)
        buf_printf(&content, ",\r\n Author %u <author%u@EXAMPLE.org>", i, i);
    size_t len = content.len;
    buf_puts(&content, "\r\n\r\n");
    assert_int_equal(read_from(buf_slice(&content), &arena, &domain),
                     MAIL_FROM_OK);
    assert_true(slice_equal(domain, SLICE_OF("example.org")));
    content.len = len;
    buf_puts(&content, ", x@bank.example\r\n\r\n");
    assert_int_equal(read_from(buf_slice(&content), &arena, &domain),
                     MAIL_FROM_DISAGREE);
    buf_free(&content);
    arena_free(&arena);
}

/* Depth and length are a stranger's choice. */
static void
bounded(void **state)
{
    static const char *const units[] = {
        "(", ")", "\"", "<", "a@b.c,", "a.", "@a,", "t:", "(\\)\r\n ", "a\r\n "
    };

    (void)state;
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        struct arena arena = { 0 };
        struct buf content = { 0 };
        struct slice domain = { 0 };
        buf_puts(&content, "From: ");
        clock_t start = clock();
        for (size_t max = MAIL_FROM_OCTETS_MAX - 16; max <= 1024 * 1024;
             max *= 2) {
            while (content.len < max)
                buf_puts(&content, units[u]);
            size_t len = content.len;
            buf_puts(&content, "\r\n\r\n");
            assert_int_equal(read_from(buf_slice(&content), &arena, &domain),
                             strcmp(units[u], "a@b.c,") == 0 &&
                                     max < MAIL_FROM_OCTETS_MAX
                                 ? MAIL_FROM_OK
                                 : MAIL_FROM_UNREADABLE);
            content.len = len;
        }
        assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
        buf_free(&content);
        arena_free(&arena);
    }
}

static void
mailbox(void **state)
{
    static const struct {
        const char *from;
        const char *local; /* NULL: not one mailbox */
        const char *domain;
    } mailboxes[] = {
        { "a.b@Example.org", "a.b", "example.org" },
        { "Alice <a@example.org> (x@y)", "a", "example.org" },
        { "Alice X. <\"a \\\" b\".c@example.org>", "a \" b.c", "example.org" },
        { " (c) a (d) . (e) b (f) @ (g) example . org", "a.b", "example.org" },
        { "team: a@example.org;", "a", "example.org" },
        { "<@one.example,@two.example:a@example.org>", "a", "example.org" },
        { "\xc3\xa4@\xc3\xa4.example", "\xc3\xa4", "xn--4ca.example" },
        { "a@example.org, b@example.org", NULL, NULL },
        { "a@example.org,", NULL, NULL },
        { "team:;", NULL, NULL },
        { "a", NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(mailboxes) / sizeof(mailboxes[0]); i++) {
        struct mail_header header = { 0 };
        struct arena arena = { 0 };
        struct buf content = { 0 };
        struct slice local, domain;
        buf_printf(&content, "From: %s\r\n\r\n", mailboxes[i].from);
        assert_true(mail_header_index(buf_slice(&content), &header));
        bool one = mail_from_mailbox(&header, &arena, &local, &domain);
        assert_int_equal(one, mailboxes[i].local != NULL);
        if (one) {
            assert_true(slice_equal(local, slice_from(mailboxes[i].local)));
            assert_true(slice_equal(domain, slice_from(mailboxes[i].domain)));
        }
        mail_header_free(&header);
        buf_free(&content);
        arena_free(&arena);
    }
}

static void
no_memory(void **state)
{
    enum mail_from_status status = MAIL_FROM_NO_MEMORY;
    size_t n = 0;

    (void)state;
    while (status == MAIL_FROM_NO_MEMORY) {
        static const struct slice content =
            SLICE("From: a@one.example, b@one.example\r\n\r\n");
        struct mail_header header = { 0 };
        struct arena arena = { 0 };
        struct slice domain = { 0 };
        assert_true(mail_header_index(content, &header));
        mem_fail_nth(++n);
        status = mail_from_domain(&header, &arena, &domain);
        mem_fail_nth(0);
        mail_header_free(&header);
        arena_free(&arena);
    }
    assert_int_equal(status, MAIL_FROM_OK);
    assert_true(n > 2);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 6] = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[count++] =
            (struct CMUnitTest){ rows[i].name, from_row, NULL, NULL, &rows[i] };
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(how_many_fields);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(all_domains);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(many_authors);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(bounded);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(mailbox);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(no_memory);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
