/* Received fields, Date and Message-ID. */
#include "mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- fields that are counted and found --------------------------------- */

static struct row {
    const char *name;
    struct slice content;
    unsigned hops;
} rows[] = {
    { "no header", SLICE("\r\nbody\r\n"), 0 },
    { "nothing of interest", SLICE("Subject: x\r\n\r\n"), 0 },
    { "one hop", SLICE("Received: by a\r\nSubject: x\r\n\r\n"), 1 },
    { "hops in any case, folded, with other names between",
      SLICE("RECEIVED: by a\r\n\tfor b\r\nReceived-SPF: none\r\n"
            "received: by c\r\nX-Received: by d\r\n\r\n"),
      2 },
    { "hops in the body do not count",
      SLICE("Received: by a\r\n\r\nReceived: by b\r\n"), 1 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
is_read(void **state)
{
    const struct row *row = *state;
    struct mail_header header = { 0 };

    assert_true(mail_header_index(row->content, &header));
    assert_int_equal(mail_trace_hops(&header), row->hops);
    mail_header_free(&header);
}

/* ---- Date and Message-ID ------------------------------------------------ */

static struct date {
    const char *name;
    int64_t now;
    const char *field;
} dates[] = {
    { "the epoch", 0, "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n" },
    { "the second before it", -1, "Date: Wed, 31 Dec 1969 23:59:59 +0000\r\n" },
    { "a day without a leading zero", 1767225600 + 3661,
      "Date: Thu, 1 Jan 2026 01:01:01 +0000\r\n" },
    { "two digits", 1795507200, "Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n" },
    { "a leap day", 1835395199, "Date: Mon, 28 Feb 2028 23:59:59 +0000\r\n" },
    { "the last second of a leap day", 1835481599,
      "Date: Tue, 29 Feb 2028 23:59:59 +0000\r\n" },
    { "after a leap day", 1835481600,
      "Date: Wed, 1 Mar 2028 00:00:00 +0000\r\n" },
    { "2000 had a leap day", 951782400,
      "Date: Tue, 29 Feb 2000 00:00:00 +0000\r\n" },
    { "2100 has none", 4107542400, "Date: Mon, 1 Mar 2100 00:00:00 +0000\r\n" },
    { "the last day of a year", 1798761599,
      "Date: Thu, 31 Dec 2026 23:59:59 +0000\r\n" },
};
enum {
    DATES = sizeof(dates) / sizeof(dates[0])
};

static void
is_printed(void **state)
{
    const struct date *date = *state;
    struct buf out = { 0 };

    mail_date_print(date->now, &out);
    assert_string_equal(buf_cstr(&out), date->field);
    buf_free(&out);
}

/* Each day of 800 years has the number that follows, by a calendar that
 * counts days one by one. */
static void
every_day(void **state)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char weekdays[] = "ThuFriSatSunMonTueWed";
    static const unsigned lengths[] = { 31, 28, 31, 30, 31, 30,
                                        31, 31, 30, 31, 30, 31 };
    unsigned year = 1970, month = 0, day = 1;
    struct buf out = { 0 }, want = { 0 };
    (void)state;

    for (int64_t n = 0; n < 2 * 146097; n++) {
        buf_clear(&out);
        buf_clear(&want);
        mail_date_print(n * 86400, &out);
        buf_printf(&want, "Date: %.3s, %u %.3s %u 00:00:00 +0000\r\n",
                   weekdays + 3 * (n % 7), day, months + 3 * month, year);
        assert_string_equal(buf_cstr(&out), buf_cstr(&want));
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (++day > lengths[month] + (month == 1 && leap)) {
            day = 1;
            month = (month + 1) % 12;
            year += month == 0;
        }
    }
    buf_free(&out);
    buf_free(&want);
}

static void
message_id(void **state)
{
    struct buf out = { 0 };
    (void)state;

    mail_message_id_print(1795507200, 0xABC, SLICE_OF("mx.example.org"), &out);
    assert_string_equal(buf_cstr(&out),
                        "Message-ID: <1795507200.0000000000000abc@"
                        "mx.example.org>\r\n");
    buf_clear(&out);
    mail_message_id_print(1, UINT64_MAX, SLICE_OF("h"), &out);
    assert_string_equal(buf_cstr(&out),
                        "Message-ID: <1.ffffffffffffffff@h>\r\n");
    buf_free(&out);
}

static void
original_to(void **state)
{
    struct buf out = { 0 }, alias = { 0 };

    (void)state;
    mail_original_to_print(SLICE_OF("\"a b\"@Public.example"), false, &out);
    assert_string_equal(buf_cstr(&out),
                        "X-Original-To: \"a b\"@Public.example\r\n");
    buf_clear(&out);
    mail_original_to_print(SLICE_OF("\xc3\xa4@b.example"), false, &out);
    assert_int_equal(out.len, 0);
    mail_original_to_print(SLICE_OF("\xc3\xa4@b.example"), true, &out);
    assert_string_equal(buf_cstr(&out),
                        "X-Original-To: \xc3\xa4@b.example\r\n");
    while (alias.len < 998 - strlen("X-Original-To: "))
        buf_putc(&alias, 'x');
    buf_clear(&out);
    mail_original_to_print(buf_slice(&alias), false, &out);
    assert_int_equal(out.len, 1000);
    buf_putc(&alias, 'x');
    buf_clear(&out);
    mail_original_to_print(buf_slice(&alias), false, &out);
    assert_int_equal(out.len, 0);
    buf_free(&alias);
    buf_free(&out);
}

int
main(void)
{
    struct CMUnitTest tests[3 + ROWS + DATES] = {
        cmocka_unit_test(original_to),
        cmocka_unit_test(every_day),
        cmocka_unit_test(message_id),
    };
    size_t n = 3;

    for (size_t i = 0; i < ROWS; i++)
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, is_read, NULL, NULL, &rows[i] };
    for (size_t i = 0; i < DATES; i++)
        tests[n++] = (struct CMUnitTest){ dates[i].name, is_printed, NULL, NULL,
                                          &dates[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
