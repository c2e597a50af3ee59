/* Packets, row by row: what answers say, and packets that lie. */
#include "dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The query has the id 0x1234 and asks for a.b; its question is at 12, "b" at
 * 14. */
#define HEAD(flags, questions, answers, authority, additional)                 \
    "\x12\x34" flags "\0" questions "\0" answers "\0" authority "\0" additional
#define OK "\x81\x80"
#define ASKED(type) "\1a\1b\0\0" type "\0\1"
#define OWNER "\xC0\x0C"
#define RR(type, ttl, len) "\0" type "\0\1\0\0\0" ttl "\0" len
#define SOA(ttl, minimum)                                                      \
    "\xC0\x0E" RR("\6", ttl, "\x18") "\1n\0\0" /* two names, in four octets */ \
                                     "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0"    \
                                     "\0" minimum
#define PACKET(octets)                                                         \
    {                                                                          \
        octets, sizeof(octets) - 1                                             \
    }
#define T_A "\1"
#define T_CNAME "\5"
#define T_PTR "\x0c"
#define T_MX "\x0f"
#define T_TXT "\x10"
#define T_AAAA "\x1c"

/* The answer as text: "FOUND 60: 192.0.2.1 ...". NULL: reading is not ANSWER.
 */
static const struct row {
    const char *name;
    enum dns_type type;
    struct slice packet;
    enum dns_reading reading;
    const char *answer;
} rows[] = {
    { "an address", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_A)
                 OWNER RR(T_A, "\x3c", "\4") "\xC0\0\2\1"),
      DNS_READ_ANSWER, "FOUND 60: c0000201" },
    { "the least TTL of several", DNS_A,
      PACKET(HEAD(OK, "\1", "\2", "\0", "\0") ASKED(T_A)
                 OWNER RR(T_A, "\x3c", "\4") "\xC0\0\2\1" OWNER RR(
                     T_A, "\x1e", "\4") "\xC0\0\2\2"),
      DNS_READ_ANSWER, "FOUND 30: c0000201 c0000202" },
    { "a TTL with its highest bit", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_A) OWNER
             "\0\1\0\1\x80\0\0\x3c\0\4\xC0\0\2\1"),
      DNS_READ_ANSWER, "FOUND 0: c0000201" },
    { "IPv6", DNS_AAAA,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_AAAA) OWNER RR(
          T_AAAA, "\1", "\x10") "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0"
                                "\0\1"),
      DNS_READ_ANSWER, "FOUND 1: 20010db8000000000000000000000001" },
    { "hosts, in lower case, by pointers", DNS_MX,
      PACKET(HEAD(OK, "\1", "\2", "\0", "\0") ASKED(T_MX)
                 OWNER RR(T_MX, "\1", "\6") "\0\x0a\1M\xC0\x0C" OWNER RR(
                     T_MX, "\1", "\3") "\0\0\0"),
      DNS_READ_ANSWER, "FOUND 1: 10/m.a.b 0/" },
    { "a name of the client", DNS_PTR,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_PTR)
                 OWNER RR(T_PTR, "\1", "\4") "\1X\xC0\x0E"),
      DNS_READ_ANSWER, "FOUND 1: 0/x.b" },
    { "odd octets in a name stay", DNS_PTR,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_PTR)
                 OWNER RR(T_PTR, "\1", "\6") "\4 ;\xff\1\0"),
      DNS_READ_ANSWER, "FOUND 1: 0/ ;\xff\1" },
    { "a dot within a label has no form: left out", DNS_PTR,
      PACKET(HEAD(OK, "\1", "\2", "\0", "\0") ASKED(T_PTR) OWNER RR(
          T_PTR, "\1", "\5") "\3x.y\0" OWNER RR(T_PTR, "\1", "\3") "\1z\0"),
      DNS_READ_ANSWER, "FOUND 1: 0/z" },
    { "and if there is no other: no data", DNS_PTR,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_PTR)
                 OWNER RR(T_PTR, "\1", "\5") "\3x.y\0"),
      DNS_READ_ANSWER, "NO_DATA 1:" },
    { "strings are joined", DNS_TXT,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_TXT)
                 OWNER RR(T_TXT, "\1", "\10") "\2v=\0\3spf"),
      DNS_READ_ANSWER, "FOUND 1: v=spf" },
    { "no strings at all", DNS_TXT,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_TXT)
                 OWNER RR(T_TXT, "\1", "\0")),
      DNS_READ_ANSWER, "FOUND 1: " },
    { "a string longer than its record", DNS_TXT,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_TXT)
                 OWNER RR(T_TXT, "\1", "\3") "\3ab"),
      DNS_READ_TROUBLE, NULL },
    { "an alias", DNS_A,
      PACKET(HEAD(OK, "\1", "\2", "\0", "\0") ASKED(T_A) OWNER RR(
          T_CNAME, "\5", "\4") "\1X\xC0\x0E"
                               "\1x\xC0\x0E" RR(T_A, "\x3c",
                                                "\4") "\xC0\0\2\1"),
      DNS_READ_ANSWER, "FOUND 5 alias: c0000201" },
    { "its records before it", DNS_A,
      PACKET(HEAD(OK, "\1", "\2", "\0", "\0") ASKED(T_A) "\1x\xC0\x0E" RR(
          T_A, "\x3c", "\4") "\xC0\0\2\1" OWNER RR(T_CNAME, "\5",
                                                   "\4") "\1X\xC0\x0E"),
      DNS_READ_ANSWER, "FOUND 5 alias: c0000201" },
    { "an alias to a name without records", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\1", "\0") ASKED(T_A) OWNER RR(
          T_CNAME, "\5", "\4") "\1X\xC0\x0E" SOA("\x3c", "\x3c")),
      DNS_READ_ANSWER, "NO_DATA 5 alias:" },
    { "an alias to a name that does not exist", DNS_A,
      PACKET(HEAD("\x81\x83", "\1", "\1", "\0", "\0") ASKED(T_A)
                 OWNER RR(T_CNAME, "\5", "\4") "\1X\xC0\x0E"),
      DNS_READ_ANSWER, "NO_NAME 0 alias:" },
    { "an alias to itself", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_A)
                 OWNER RR(T_CNAME, "\5", "\2") "\xC0\x0C"),
      DNS_READ_TROUBLE, NULL },
    { "an alias asked for itself", DNS_CNAME,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_CNAME)
                 OWNER RR(T_CNAME, "\5", "\2") "\xC0\x0C"),
      DNS_READ_ANSWER, "FOUND 5: 0/a.b" },
    { "an alias without a target", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_A)
                 OWNER RR(T_CNAME, "\5", "\0")),
      DNS_READ_TROUBLE, NULL },
    { "records of other names, types, classes do not count", DNS_A,
      PACKET(
          HEAD(OK, "\1", "\3", "\0", "\0")
              ASKED(T_A) "\xC0\x0E" RR(T_A, "\1", "\4") "\xC0\0\2\1" OWNER RR(
                  T_TXT, "\1", "\1") "\0" OWNER
                                     "\0\1\0\3\0\0\0\1\0\4\xC0\0\2\1"),
      DNS_READ_ANSWER, "NO_DATA 0:" },
    { "a negative answer lives as its SOA says", DNS_A,
      PACKET(HEAD("\x81\x83", "\1", "\0", "\1", "\0") ASKED(T_A)
                 SOA("\x3c", "\x0a")),
      DNS_READ_ANSWER, "NO_NAME 10:" },
    { "or as long as the SOA itself", DNS_A,
      PACKET(HEAD(OK, "\1", "\0", "\1", "\0") ASKED(T_A) SOA("\5", "\x0a")),
      DNS_READ_ANSWER, "NO_DATA 5:" },
    { "a SOA cut short", DNS_A,
      PACKET(HEAD(OK, "\1", "\0", "\1", "\0")
                 ASKED(T_A) "\xC0\x0E" RR("\6", "\1", "\4") "\1n\0\0"),
      DNS_READ_TROUBLE, NULL },
    { "without a SOA it does not live", DNS_A,
      PACKET(HEAD("\x81\x83", "\1", "\0", "\0", "\0") ASKED(T_A)),
      DNS_READ_ANSWER, "NO_NAME 0:" },
    { "of the authority itself", DNS_A,
      PACKET(HEAD("\x85\0", "\1", "\0", "\0", "\0") ASKED(T_A)),
      DNS_READ_ANSWER, "NO_DATA 0:" },
    { "nothing, from a server that does not recurse", DNS_A,
      PACKET(HEAD("\x81\0", "\1", "\0", "\0", "\0") ASKED(T_A)),
      DNS_READ_TROUBLE, NULL },
    { "the question in other case", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") "\1A\1B\0\0\1\0\1" OWNER RR(
          T_A, "\1", "\4") "\xC0\0\2\1"),
      DNS_READ_ANSWER, "FOUND 1: c0000201" },
    { "records that do not exist but are there", DNS_A,
      PACKET(HEAD("\x81\x83", "\1", "\1", "\0", "\0") ASKED(T_A)
                 OWNER RR(T_A, "\x3c", "\4") "\xC0\0\2\1"),
      DNS_READ_TROUBLE, NULL },
    { "an address of five octets", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_A)
                 OWNER RR(T_A, "\x3c", "\5") "\xC0\0\2\1\0"),
      DNS_READ_TROUBLE, NULL },
    { "octets after a host", DNS_MX,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_MX)
                 OWNER RR(T_MX, "\1", "\6") "\0\x0a\1m\0x"),
      DNS_READ_TROUBLE, NULL },
    { "a host that leads forward", DNS_MX,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_MX)
                 OWNER RR(T_MX, "\1", "\4") "\0\x0a\xC0\x2f\0\0\0\0\0\0"),
      DNS_READ_TROUBLE, NULL },
    { "a host that leads to itself", DNS_MX,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0") ASKED(T_MX)
                 OWNER RR(T_MX, "\1", "\4") "\0\x0a\xC0\x23"),
      DNS_READ_TROUBLE, NULL },
    { "an owner that leads to itself", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0")
                 ASKED(T_A) "\xC0\x15" RR(T_A, "\x3c", "\4") "\xC0\0\2\1"),
      DNS_READ_TROUBLE, NULL },
    { "a label of a kind that is not used", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\0")
                 ASKED(T_A) "\x41\0" RR(T_A, "\x3c", "\4") "\xC0\0\2\1"),
      DNS_READ_TROUBLE, NULL },
    { "more answers than there are", DNS_A,
      PACKET(HEAD(OK, "\1", "\2", "\0", "\0") ASKED(T_A)
                 OWNER RR(T_A, "\x3c", "\4") "\xC0\0\2\1"),
      DNS_READ_TROUBLE, NULL },
    { "more additional records than there are", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\1") ASKED(T_A)
                 OWNER RR(T_A, "\x3c", "\4") "\xC0\0\2\1"),
      DNS_READ_TROUBLE, NULL },
    { "EDNS", DNS_A,
      PACKET(HEAD(OK, "\1", "\1", "\0", "\1") ASKED(T_A)
                 OWNER RR(T_A, "\x3c", "\4") "\xC0\0\2\1"
                                             "\0\0\x29\4\xd0\0\0\0\0\0\0"),
      DNS_READ_ANSWER, "FOUND 60: c0000201" },
    { "an error in the upper bits, in EDNS", DNS_A,
      PACKET(HEAD(OK, "\1", "\0", "\0", "\1")
                 ASKED(T_A) "\0\0\x29\4\xd0\1\0\0\0\0\0"),
      DNS_READ_TROUBLE, NULL },
    { "truncated", DNS_A,
      PACKET(HEAD("\x83\x80", "\1", "\0", "\0", "\0") ASKED(T_A)),
      DNS_READ_TRUNCATED, NULL },
    { "SERVFAIL", DNS_A,
      PACKET(HEAD("\x81\x82", "\1", "\0", "\0", "\0") ASKED(T_A)),
      DNS_READ_TROUBLE, NULL },
    { "REFUSED", DNS_A,
      PACKET(HEAD("\x81\x85", "\1", "\0", "\0", "\0") ASKED(T_A)),
      DNS_READ_TROUBLE, NULL },
    { "REFUSED without the question", DNS_A,
      PACKET(HEAD("\x81\x85", "\0", "\0", "\0", "\0")), DNS_READ_TROUBLE,
      NULL },
    { "FORMERR", DNS_A,
      PACKET(HEAD("\x81\x81", "\1", "\0", "\0", "\0") ASKED(T_A)),
      DNS_READ_NO_EDNS, NULL },
    { "FORMERR without the question", DNS_A,
      PACKET(HEAD("\x81\x81", "\0", "\0", "\0", "\0")), DNS_READ_NO_EDNS,
      NULL },
    { "NOTIMP", DNS_A,
      PACKET(HEAD("\x81\x84", "\1", "\0", "\0", "\0") ASKED(T_A)),
      DNS_READ_NO_EDNS, NULL },
    { "an answer without the question", DNS_A,
      PACKET(HEAD(OK, "\0", "\1", "\0", "\0") "\1a\1b\0" RR(T_A, "\1",
                                                            "\4") "\xC0\0\2\1"),
      DNS_READ_FOREIGN, NULL },
    { "another id", DNS_A, PACKET("\x12\x35" OK "\0\1\0\0\0\0\0\0" ASKED(T_A)),
      DNS_READ_FOREIGN, NULL },
    { "another name", DNS_A,
      PACKET(HEAD(OK, "\1", "\0", "\0", "\0") "\1a\1c\0\0\1\0\1"),
      DNS_READ_FOREIGN, NULL },
    { "another type", DNS_A,
      PACKET(HEAD(OK, "\1", "\0", "\0", "\0") ASKED(T_TXT)), DNS_READ_FOREIGN,
      NULL },
    { "another class", DNS_A,
      PACKET(HEAD(OK, "\1", "\0", "\0", "\0") "\1a\1b\0\0\1\0\3"),
      DNS_READ_FOREIGN, NULL },
    { "the query itself", DNS_A,
      PACKET(HEAD("\1\x20", "\1", "\0", "\0", "\0") ASKED(T_A)),
      DNS_READ_FOREIGN, NULL },
    { "an answer to NOTIFY", DNS_A,
      PACKET(HEAD("\xa1\x80", "\1", "\0", "\0", "\0") ASKED(T_A)),
      DNS_READ_FOREIGN, NULL },
    { "eleven octets", DNS_A, PACKET("\x12\x34\x81\x80\0\1\0\0\0\0\0"),
      DNS_READ_FOREIGN, NULL },
    { "nothing", DNS_A, { NULL, 0 }, DNS_READ_FOREIGN, NULL },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
print_record(struct buf *out, enum dns_type type, const struct dns_record *r)
{
    switch (type) {
    case DNS_A:
    case DNS_AAAA:
        for (size_t i = 0; i < (type == DNS_A ? 4 : 16); i++)
            buf_printf(out, "%02x", r->address[i]);
        break;
    case DNS_MX:
    case DNS_PTR:
    case DNS_CNAME:
        buf_printf(out, "%u/", r->preference);
        buf_append(out, r->name);
        break;
    case DNS_TXT:
        buf_append(out, r->text);
        break;
    }
}

static void
print_answer(struct buf *out, enum dns_type type,
             const struct dns_answer *answer)
{
    static const char *const words[] = { "FOUND", "NO_DATA", "NO_NAME",
                                         "TROUBLE" };

    buf_printf(out, "%s %u%s:", words[answer->status], answer->ttl,
               answer->alias ? " alias" : "");
    for (size_t i = 0; i < answer->count; i++) {
        buf_putc(out, ' ');
        print_record(out, type, &answer->records[i]);
    }
}

static void
reads(void **state)
{
    const struct row *row = *state;
    const struct dns_question question = { SLICE("a.b"), row->type };
    struct arena arena = { 0 };
    struct dns_answer answer;
    struct buf text = { 0 };
    /* In a block of its own length, for the sanitizer. */
    char *packet = malloc(row->packet.len + (row->packet.len == 0));

    if (row->packet.len != 0)
        memcpy(packet, row->packet.ptr, row->packet.len);
    assert_int_equal(dns_packet_read((struct slice){ packet, row->packet.len },
                                     0x1234, &question, &arena, &answer),
                     row->reading);
    free(packet);
    if (row->answer != NULL) {
        print_answer(&text, row->type, &answer);
        assert_string_equal(buf_cstr(&text), row->answer);
    } else {
        assert_int_equal(answer.status, DNS_TROUBLE);
        assert_int_equal(answer.count, 0);
    }
    buf_free(&text);
    arena_free(&arena);
}

/* Every beginning of a packet is read as something, and never as an answer. */
static void
cut(void **state)
{
    const struct row *row = *state;
    const struct dns_question question = { SLICE("a.b"), row->type };
    struct arena arena = { 0 };
    struct dns_answer answer;

    for (size_t len = 0; len < row->packet.len; len++) {
        char *packet = malloc(len + 1);

        memcpy(packet, row->packet.ptr, len);
        assert_int_not_equal(dns_packet_read((struct slice){ packet, len },
                                             0x1234, &question, &arena,
                                             &answer),
                             DNS_READ_ANSWER);
        free(packet);
    }
    arena_free(&arena);
}

static void
put16(struct buf *out, size_t number)
{
    buf_putc(out, (char)(number >> 8));
    buf_putc(out, (char)number);
}

static void
put_head(struct buf *out, size_t answers)
{
    buf_append(out, SLICE_OF("\x12\x34\x81\x80\0\1"));
    put16(out, answers);
    buf_append(out, SLICE_OF("\0\0\0\0\1a\1b\0\0\1\0\1"));
}

/* A chain of `hops` CNAMEs, a.b -> c0.b -> c1.b ..., with an address at its
 * end. */
static enum dns_reading
read_chain(unsigned hops)
{
    const struct dns_question question = { SLICE("a.b"), DNS_A };
    struct arena arena = { 0 };
    struct dns_answer answer;
    struct buf packet = { 0 };

    put_head(&packet, hops + 1);
    for (unsigned i = 0; i <= hops; i++) {
        const char owner[] = { 1, (char)('a' + i), (char)0xC0, 0x0E };
        const char target[] = { 1, (char)('b' + i), (char)0xC0, 0x0E };

        buf_append(&packet, (struct slice){ owner, sizeof(owner) });
        if (i == hops) {
            buf_append(&packet, SLICE_OF("\0\1\0\1\0\0\0\1\0\4\xC0\0\2\1"));
        } else {
            buf_append(&packet, SLICE_OF("\0\5\0\1\0\0\0\1\0\4"));
            buf_append(&packet, (struct slice){ target, sizeof(target) });
        }
    }
    const enum dns_reading reading =
        dns_packet_read(buf_slice(&packet), 0x1234, &question, &arena, &answer);
    buf_free(&packet);
    arena_free(&arena);
    return reading;
}

static void
chains_are_bounded(void **state)
{
    (void)state;
    for (unsigned hops = 0; hops <= DNS_CHAIN_MAX; hops++)
        assert_int_equal(read_chain(hops), DNS_READ_ANSWER);
    assert_int_equal(read_chain(DNS_CHAIN_MAX + 1), DNS_READ_TROUBLE);
}

static enum dns_reading
read_many(size_t records, struct arena *arena, struct dns_answer *answer)
{
    const struct dns_question question = { SLICE("a.b"), DNS_A };
    struct buf packet = { 0 };

    put_head(&packet, records);
    for (size_t i = 0; i < records; i++)
        buf_append(&packet, SLICE_OF("\xC0\x0C\0\1\0\1\0\0\0\1\0\4\xC0\0\2\1"));
    const enum dns_reading reading =
        dns_packet_read(buf_slice(&packet), 0x1234, &question, arena, answer);
    buf_free(&packet);
    return reading;
}

static void
records_are_bounded(void **state)
{
    struct arena arena = { 0 };
    struct dns_answer answer;

    (void)state;
    assert_int_equal(read_many(DNS_RECORDS_MAX, &arena, &answer),
                     DNS_READ_ANSWER);
    assert_int_equal(answer.count, DNS_RECORDS_MAX);
    assert_int_equal(read_many(DNS_RECORDS_MAX + 1, &arena, &answer),
                     DNS_READ_TROUBLE);
    arena_free(&arena);
}

/* Memory that is gone is trouble, and never a part of an answer. */
static void
memory_is_gone(void **state)
{
    struct arena arena = { 0 };
    struct dns_answer answer;

    (void)state;
    mem_fail_nth(1);
    assert_int_equal(read_many(100, &arena, &answer), DNS_READ_TROUBLE);
    assert_int_equal(answer.count, 0);
    mem_fail_nth(0);
    arena_free(&arena);
}

/* ---- queries --------------------------------------------------------------
 */

static void
query_with_edns(void **state)
{
    const struct dns_question question = { SLICE("a.b"), DNS_TXT };
    static const char wanted[] = "\x12\x34\1\x20\0\1\0\0\0\0\0\1"
                                 "\1a\1b\0\0\x10\0\1"
                                 "\0\0\x29\4\xd0\0\0\0\0\0\0";
    unsigned char packet[DNS_QUERY_MAX];

    (void)state;
    assert_int_equal(dns_packet_write(0x1234, &question, DNS_WITH_EDNS, packet),
                     sizeof(wanted) - 1);
    assert_memory_equal(packet, wanted, sizeof(wanted) - 1);
}

static void
query_without_edns(void **state)
{
    const struct dns_question question = { SLICE("a.b"), DNS_AAAA };
    static const char wanted[] = "\xff\xff\1\x20\0\1\0\0\0\0\0\0"
                                 "\1a\1b\0\0\x1c\0\1";
    unsigned char packet[DNS_QUERY_MAX];

    (void)state;
    assert_int_equal(
        dns_packet_write(0xffff, &question, DNS_WITHOUT_EDNS, packet),
        sizeof(wanted) - 1);
    assert_memory_equal(packet, wanted, sizeof(wanted) - 1);
}

static void
askable_names(void **state)
{
    char name[300];
    unsigned char packet[DNS_QUERY_MAX];

    (void)state;
    assert_true(dns_name_is_askable(SLICE_OF("a")));
    assert_true(dns_name_is_askable(SLICE_OF("a b.\1.%")));
    assert_false(dns_name_is_askable(SLICE_OF("")));
    assert_false(dns_name_is_askable(SLICE_OF(".")));
    assert_false(dns_name_is_askable(SLICE_OF("a.")));
    assert_false(dns_name_is_askable(SLICE_OF(".a")));
    assert_false(dns_name_is_askable(SLICE_OF("a..b")));
    memset(name, 'x', sizeof(name));
    assert_true(dns_name_is_askable((struct slice){ name, 63 }));
    assert_false(dns_name_is_askable((struct slice){ name, 64 }));
    name[63] = name[127] = name[191] = '.';
    assert_true(dns_name_is_askable((struct slice){ name, 253 }));
    assert_false(dns_name_is_askable((struct slice){ name, 254 }));
    const struct dns_question longest = { { name, 253 }, DNS_A };
    assert_int_equal(dns_packet_write(0, &longest, DNS_WITH_EDNS, packet),
                     DNS_QUERY_MAX);
}

int
main(void)
{
    struct CMUnitTest tests[2 * ROWS + 16] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++) {
        tests[n++] = (struct CMUnitTest){ rows[i].name, reads, NULL, NULL,
                                          (void *)&rows[i] };
        if (rows[i].answer != NULL)
            tests[n++] = (struct CMUnitTest){ rows[i].name, cut, NULL, NULL,
                                              (void *)&rows[i] };
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(chains_are_bounded);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(records_are_bounded);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(memory_is_gone);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(query_with_edns);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(query_without_edns);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(askable_names);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("packet", tests, n, NULL, NULL);
}
