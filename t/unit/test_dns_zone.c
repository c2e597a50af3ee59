/* Zones in a file: what a line says, what is answered, what is wrong. */
#include "dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char text[] =
    "; a comment\n"
    "\n"
    "  \t ; another\n"
    "Host.Example. A 192.0.2.2\r\n"
    "host.example\tA\t192.0.2.1 ; after a record\n"
    "host.example AAAA 2001:db8::1\n"
    "host.example txt \"one \" \"two; \\\"three\\\" \\\\ \\000\\255\"\n"
    "host.example TXT \"second\";comment\n"
    "mx.example MX 20 B.Example.\n"
    "mx.example MX 10 a.example\n"
    "mx.example MX 0 .\n"
    "1.2.0.192.in-addr.arpa PTR Host.example.\n"
    "alias.example CNAME alias2.example\n"
    "alias2.example CNAME host.example\n"
    "dangling.example CNAME nowhere.example\n"
    "root.example CNAME .\n"
    "loop.example CNAME LOOP.example\n"
    "dead.example TIMEOUT\n"
    "half.example TXT \"there\"\n"
    "half.example TIMEOUT\n"
    "broken.example SERVFAIL\n"
    "to-dead.example CNAME dead.example\n"
    "odd\\032octets\\059.example A 192.0.2.9\n"
    "quoted\\;.example A 192.0.2.10\n"
    "empty.example TXT\n"
    "below.parent.example A 192.0.2.3\n"
    "c1.example CNAME c2.example\n"
    "c2.example CNAME c3.example\n"
    "c3.example CNAME c4.example\n"
    "c4.example CNAME c5.example\n"
    "c5.example CNAME c6.example\n"
    "c6.example CNAME c7.example\n"
    "c7.example CNAME c8.example\n"
    "c8.example CNAME c9.example\n"
    "c9.example CNAME host.example\n"
    "last.example A 192.0.2.4";

static const struct row {
    const char *name;
    struct dns_question question;
    const char *answer;
} rows[] = {
    { "records in the order of the file",
      { SLICE("host.example"), DNS_A },
      "FOUND: 192.0.2.2 192.0.2.1" },
    { "another type of the name",
      { SLICE("host.example"), DNS_AAAA },
      "FOUND: 32.1.13.184" },
    { "texts",
      { SLICE("host.example"), DNS_TXT },
      "FOUND: [one two; \"three\" \\ ~\xff] [second]" },
    { "hosts",
      { SLICE("mx.example"), DNS_MX },
      "FOUND: 20/b.example 10/a.example 0/" },
    { "a name",
      { SLICE("1.2.0.192.in-addr.arpa"), DNS_PTR },
      "FOUND: 0/host.example" },
    { "the name has other types",
      { SLICE("host.example"), DNS_MX },
      "NO_DATA:" },
    { "the name stands nowhere", { SLICE("no.example"), DNS_A }, "NO_NAME:" },
    { "nor does a parent", { SLICE("parent.example"), DNS_A }, "NO_NAME:" },
    { "aliases are followed",
      { SLICE("alias.example"), DNS_A },
      "FOUND alias: 192.0.2.2 192.0.2.1" },
    { "unless they are asked for",
      { SLICE("alias.example"), DNS_CNAME },
      "FOUND: 0/alias2.example" },
    { "to a name without the type",
      { SLICE("alias.example"), DNS_MX },
      "NO_DATA alias:" },
    { "to nowhere", { SLICE("dangling.example"), DNS_A }, "NO_NAME alias:" },
    { "to the root", { SLICE("root.example"), DNS_A }, "NO_NAME alias:" },
    { "to itself", { SLICE("loop.example"), DNS_A }, "TROUBLE alias:" },
    { "eight aliases",
      { SLICE("c2.example"), DNS_A },
      "FOUND alias: 192.0.2.2 192.0.2.1" },
    { "nine aliases", { SLICE("c1.example"), DNS_A }, "TROUBLE alias:" },
    { "a time-out", { SLICE("dead.example"), DNS_TXT }, "TROUBLE:" },
    { "a failure", { SLICE("broken.example"), DNS_A }, "TROUBLE:" },
    { "a time-out of the types that are not there",
      { SLICE("half.example"), DNS_A },
      "TROUBLE:" },
    { "not of those that are",
      { SLICE("half.example"), DNS_TXT },
      "FOUND: [there]" },
    { "an alias to a time-out",
      { SLICE("to-dead.example"), DNS_A },
      "TROUBLE alias:" },
    { "odd octets",
      { SLICE("odd octets;.example"), DNS_A },
      "FOUND: 192.0.2.9" },
    { "an escaped character",
      { SLICE("quoted;.example"), DNS_A },
      "FOUND: 192.0.2.10" },
    { "a text without strings",
      { SLICE("empty.example"), DNS_TXT },
      "FOUND: []" },
    { "the last line needs no end",
      { SLICE("last.example"), DNS_A },
      "FOUND: 192.0.2.4" },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

/* With a tilde for NUL. */
static void
print_text(struct buf *out, struct slice octets)
{
    buf_puts(out, " [");
    for (size_t i = 0; i < octets.len; i++)
        buf_putc(out, octets.ptr[i] != '\0' ? octets.ptr[i] : '~');
    buf_putc(out, ']');
}

static void
print_answer(struct buf *out, enum dns_type type,
             const struct dns_answer *answer)
{
    static const char *const words[] = { "FOUND", "NO_DATA", "NO_NAME",
                                         "TROUBLE" };

    buf_printf(out, "%s%s:", words[answer->status],
               answer->alias ? " alias" : "");
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *r = &answer->records[i];

        if (type == DNS_A || type == DNS_AAAA)
            buf_printf(out, " %u.%u.%u.%u", r->address[0], r->address[1],
                       r->address[2], r->address[3]);
        else if (type == DNS_TXT)
            print_text(out, r->text);
        else
            buf_printf(out, " %u/%.*s", r->preference, SLICE_ARG(r->name));
    }
}

static void
answers(void **state)
{
    const struct row *row = *state;
    struct buf errors = { 0 }, out = { 0 };
    struct dns_zone *zone =
        dns_zone_read(slice_from(text), SLICE_OF("z"), &errors);
    struct dns_answer answer;

    assert_non_null(zone);
    assert_int_equal(errors.len, 0);
    dns_zone_answer(zone, &row->question, &answer);
    print_answer(&out, row->question.type, &answer);
    assert_string_equal(buf_cstr(&out), row->answer);
    buf_free(&out);
    buf_free(&errors);
    dns_zone_free(zone);
}

static const struct bad {
    const char *line;
    const char *why;
} bads[] = {
    { "host.example", "after the name: A, AAAA, CNAME, MX, PTR, TXT, TIMEOUT "
                      "or SERVFAIL" },
    { "host.example SOA x", "after the name: A, AAAA, CNAME, MX, PTR, TXT, "
                            "TIMEOUT or SERVFAIL" },
    { ". A 192.0.2.1", "a line begins with a name" },
    { "host.example A", "A wants an IPv4 address" },
    { "host.example A 192.0.2", "A wants an IPv4 address" },
    { "host.example A 2001:db8::1", "A wants an IPv4 address" },
    { "host.example AAAA 192.0.2.1", "AAAA wants an IPv6 address" },
    { "host.example A 192.0.2.1 192.0.2.2",
      "more on the line than belongs to the record" },
    { "host.example TIMEOUT A", "more on the line than belongs to the record" },
    { "host.example MX mail.example",
      "MX wants a preference from 0 to 65535 and a host" },
    { "host.example MX 65536 mail.example",
      "MX wants a preference from 0 to 65535 and a host" },
    { "host.example TXT v=spf1", "TXT wants its strings in double quotes" },
    { "host.example TXT \"v=spf1", "a string without its closing quote" },
    { "host.example TXT \"v=spf1\\\"", "a string without its closing quote" },
    { "host.example TXT \"\\256\"",
      "a backslash wants three digits up to 255, or the character itself" },
    { "ho\\1st.example A 192.0.2.1",
      "a backslash wants three digits up to 255, or the character itself" },
    { "host\\046x.example A 192.0.2.1",
      "a dot within a label cannot be asked for" },
};
enum {
    BADS = sizeof(bads) / sizeof(bads[0])
};

static void
is_wrong(void **state)
{
    const struct bad *bad = *state;
    struct buf lines = { 0 }, errors = { 0 }, wanted = { 0 };

    buf_printf(&lines, "ok.example A 192.0.2.1\n%s\n", bad->line);
    buf_printf(&wanted, "FILE:2: %s\n", bad->why);
    assert_null(dns_zone_read(buf_slice(&lines), SLICE_OF("FILE"), &errors));
    assert_string_equal(buf_cstr(&errors), buf_cstr(&wanted));
    buf_free(&lines);
    buf_free(&errors);
    buf_free(&wanted);
}

/* All errors come at once, but a file that is something else has thousands. */
static void
errors_are_counted(void **state)
{
    struct buf lines = { 0 }, errors = { 0 };

    (void)state;
    for (unsigned i = 0; i < 250; i++)
        buf_puts(&lines, "x\n");
    assert_null(dns_zone_read(buf_slice(&lines), SLICE_OF("F"), &errors));
    assert_non_null(strstr(buf_cstr(&errors), "F:100: "));
    assert_null(strstr(buf_cstr(&errors), "F:101: "));
    assert_non_null(strstr(buf_cstr(&errors), "F: 150 more errors\n"));
    buf_free(&lines);
    buf_free(&errors);
}

static void
nothing_at_all(void **state)
{
    const struct dns_question question = { SLICE("a.example"), DNS_A };
    struct buf errors = { 0 };
    struct dns_zone *zone = dns_zone_read(SLICE_OF(""), SLICE_OF("F"), &errors);
    struct dns_answer answer;

    (void)state;
    assert_non_null(zone);
    dns_zone_answer(zone, &question, &answer);
    assert_int_equal(answer.status, DNS_NO_NAME);
    dns_zone_free(zone);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + BADS + 2] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[n++] = (struct CMUnitTest){ rows[i].name, answers, NULL, NULL,
                                          (void *)&rows[i] };
    for (size_t i = 0; i < BADS; i++)
        tests[n++] = (struct CMUnitTest){ bads[i].line, is_wrong, NULL, NULL,
                                          (void *)&bads[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(errors_are_counted);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(nothing_at_all);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("zone", tests, n, NULL, NULL);
}
