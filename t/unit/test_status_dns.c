/* DNS answers, row by row: what an alias leads to, and messages that lie about
 * their lengths or lead round in circles. */
#include "status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNTS(questions, answers)                                             \
    "\x12\x34\x81\x80\0" questions "\0" answers "\0\0\0\0"
#define QUESTION "\1a\1b\0\0\5\0\1" /* at 12; "b" at 14 */
#define TTL "\0\0\0\1"
#define MESSAGE(octets)                                                        \
    {                                                                          \
        octets, sizeof(octets) - 1                                             \
    }

static const struct row {
    const char *name;
    struct slice message;
    enum dns_cname_answer answer;
    const char *target;
} rows[] = {
    { "a name in full",
      MESSAGE(COUNTS("\1", "\1") QUESTION "\xC0\x0C\0\5\0\1" TTL
                                          "\0\7\1x\3org\0"),
      DNS_ANSWER_FOUND, "x.org" },
    { "a name that ends in a pointer",
      MESSAGE(COUNTS("\1", "\1") QUESTION "\xC0\x0C\0\5\0\1" TTL
                                          "\0\4\1x\xC0\x0E"),
      DNS_ANSWER_FOUND, "x.b" },
    { "a pointer alone",
      MESSAGE(COUNTS("\1", "\1") QUESTION "\xC0\x0C\0\5\0\1" TTL
                                          "\0\2\xC0\x0C"),
      DNS_ANSWER_FOUND, "a.b" },
    { "the root",
      MESSAGE(COUNTS("\1", "\1") QUESTION "\xC0\x0C\0\5\0\1" TTL "\0\1\0"),
      DNS_ANSWER_FOUND, "" },
    { "behind another record",
      MESSAGE(COUNTS("\1", "\2") QUESTION "\xC0\x0C\0\x10\0\1" TTL
                                          "\0\2\1t" /* TXT */
                                          "\xC0\x0C\0\5\0\1" TTL "\0\3\1y\0"),
      DNS_ANSWER_FOUND, "y" },
    { "the first of two",
      MESSAGE(COUNTS("\1", "\2") QUESTION "\xC0\x0C\0\5\0\1" TTL "\0\3\1y\0"
                                          "\xC0\x0C\0\5\0\1" TTL "\0\3\1z\0"),
      DNS_ANSWER_FOUND, "y" },
    { "no question", MESSAGE(COUNTS("\0", "\1") "\0\0\5\0\1" TTL "\0\3\1y\0"),
      DNS_ANSWER_FOUND, "y" },
    { "what cannot be printed",
      MESSAGE(COUNTS("\0", "\1") "\0\0\5\0\1" TTL "\0\10\6\x1b[.\\ \xff\0"),
      DNS_ANSWER_FOUND, "\\027[\\.\\\\\\032\\255" },
    { "no answer", MESSAGE(COUNTS("\1", "\0") QUESTION), DNS_ANSWER_NONE, "" },
    { "another record only",
      MESSAGE(COUNTS("\1", "\1") QUESTION "\xC0\x0C\0\x10\0\1" TTL "\0\2\1t"),
      DNS_ANSWER_NONE, "" },
    { "nothing at all", MESSAGE(""), DNS_ANSWER_BAD, "" },
    { "eleven octets", MESSAGE("\0\0\0\0\0\0\0\0\0\0\0"), DNS_ANSWER_BAD, "" },
    { "a question that is not there", MESSAGE(COUNTS("\1", "\0")),
      DNS_ANSWER_BAD, "" },
    { "a question without its class", MESSAGE(COUNTS("\1", "\0") "\1a\0\0\5"),
      DNS_ANSWER_BAD, "" },
    { "an answer that is not there", MESSAGE(COUNTS("\1", "\1") QUESTION),
      DNS_ANSWER_BAD, "" },
    { "an answer that is cut",
      MESSAGE(COUNTS("\1", "\1") QUESTION "\xC0\x0C\0\5\0\1\0"), DNS_ANSWER_BAD,
      "" },
    { "data longer than the message",
      MESSAGE(COUNTS("\1", "\1") QUESTION "\xC0\x0C\0\5\0\1" TTL
                                          "\xff\xff\1y\0"),
      DNS_ANSWER_BAD, "" },
    { "a name longer than its data",
      MESSAGE(COUNTS("\1", "\1") QUESTION "\xC0\x0C\0\5\0\1" TTL "\0\2\1y\0"),
      DNS_ANSWER_BAD, "" },
    { "data longer than its name",
      MESSAGE(COUNTS("\1", "\1") QUESTION "\xC0\x0C\0\5\0\1" TTL "\0\4\1y\0\0"),
      DNS_ANSWER_BAD, "" },
    { "a label longer than the message",
      MESSAGE(COUNTS("\1", "\0") "\x3f"
                                 "a"),
      DNS_ANSWER_BAD, "" },
    { "a pointer to itself",
      MESSAGE(COUNTS("\1", "\1") QUESTION "\xC0\x0C\0\5\0\1" TTL
                                          "\0\2\xC0\x21"),
      DNS_ANSWER_BAD, "" },
    { "a pointer forward",
      MESSAGE(COUNTS("\0", "\1") "\xC0\x10\0\5\0\1" TTL "\0\1\0"),
      DNS_ANSWER_BAD, "" },
    { "two pointers in a circle", /* at 12: a, then back to itself */
      MESSAGE(COUNTS("\1", "\0") "\1a\xC0\x0C\0\5\0\1"), DNS_ANSWER_BAD, "" },
    { "half a pointer", MESSAGE(COUNTS("\1", "\0") "\xC0"), DNS_ANSWER_BAD,
      "" },
    { "a label of a kind that is reserved",
      MESSAGE(COUNTS("\1", "\0") "\x41x\0\0\5\0\1"), DNS_ANSWER_BAD, "" },
    { "65535 questions", MESSAGE("\0\0\0\0\xff\xff\0\1\0\0\0\0" QUESTION),
      DNS_ANSWER_BAD, "" },
};

/* In memory that ends where the message does. */
static enum dns_cname_answer
read_exactly(struct slice message, struct buf *target)
{
    char *copy = malloc(message.len + 1);

    assert_non_null(copy);
    memmove(copy + 1, message.ptr, message.len);
    enum dns_cname_answer answer =
        dns_answer_cname((struct slice){ copy + 1, message.len }, target);
    free(copy);
    return answer;
}

static void
answers(void **state)
{
    const struct row *row = *state;
    struct buf target = { 0 };

    assert_int_equal(read_exactly(row->message, &target), row->answer);
    assert_string_equal(buf_cstr(&target), row->target);
    buf_clear(&target);
    /* Cut anywhere, it is damaged: nothing is made up of a part. */
    for (size_t n = 0; row->answer == DNS_ANSWER_FOUND && n < row->message.len;
         n++) {
        enum dns_cname_answer answer =
            read_exactly(slice_head(row->message, n), &target);
        if (answer == DNS_ANSWER_FOUND) /* of the first of two */
            assert_string_equal(buf_cstr(&target), row->target);
        else
            assert_int_equal(answer, DNS_ANSWER_BAD);
        buf_clear(&target);
    }
    buf_free(&target);
}

/* 127 labels of one octet are a name, one more is none. */
static void
a_name_has_255_octets_at_most(void **state)
{
    (void)state;
    for (unsigned labels = 126; labels <= 128; labels++) {
        struct buf message = { 0 }, target = { 0 };
        buf_append(&message,
                   (struct slice)MESSAGE(COUNTS("\0", "\1") "\0\0\5"
                                                            "\0\1" TTL));
        unsigned size = 2 * labels + 1;
        buf_putc(&message, (char)(size >> 8));
        buf_putc(&message, (char)(size & 0xFF));
        for (unsigned i = 0; i < labels; i++)
            buf_append(&message, SLICE_OF("\1x"));
        buf_putc(&message, '\0');
        assert_int_equal(dns_answer_cname(buf_slice(&message), &target),
                         labels <= 127 ? DNS_ANSWER_FOUND : DNS_ANSWER_BAD);
        assert_int_equal(target.len, labels <= 127 ? 2 * labels - 1 : 0);
        buf_free(&message);
        buf_free(&target);
    }
}

int
main(void)
{
    enum {
        ROWS = sizeof(rows) / sizeof(rows[0])
    };
    struct CMUnitTest tests[ROWS + 1] = { 0 };

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, answers, NULL, NULL,
                                        (void *)(uintptr_t)&rows[i] };
    tests[ROWS] =
        (struct CMUnitTest)cmocka_unit_test(a_name_has_255_octets_at_most);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
