/* Time: the stamp, its age, and the edges of both. */
#include "srs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    DAY = 86400,
    SLOTS = 1024,
    JAN_1 = 1767225600
};

static const struct slice domain = SLICE("fwd.example");

static struct srs_conf *
conf_new(unsigned max_age)
{
    static const struct slice secret = SLICE("0123456789abcdef");
    struct srs_settings settings = {
        .secrets = &secret,
        .secret_count = 1,
        .hash_length = 6,
        .hash_minimum = 6,
        .max_age_days = max_age,
    };
    const char *why;

    return srs_conf_new(&settings, &why);
}

/* ---- the two characters ------------------------------------------------ */

static struct print {
    const char *name;
    int64_t now;
    const char *stamp;
} prints[] = {
    { "the epoch", 0, "AA" },
    { "the last second of a day", DAY - 1, "AA" },
    { "the second day", DAY, "AB" },
    { "2026-01-01", JAN_1, "7G" },
    { "2026-01-26, the last slot", 1769385600, "77" },
    { "2026-01-27, the first slot again", 1769385600 + DAY, "AA" },
    { "2028-11-16, and again", 1857945600, "AA" },
    { "after 2038", 2147483648, "IX" },
    { "before the epoch", -1, "77" },
    { "the start of the day before it", -DAY, "77" },
};
enum {
    PRINTS = sizeof(prints) / sizeof(prints[0])
};

static void
is_printed(void **state)
{
    const struct print *p = *state;
    char stamp[2];

    srs_stamp_print(p->now, stamp);
    assert_memory_equal(stamp, p->stamp, 2);
}

static struct parse {
    const char *name;
    struct slice text;
    int slot;
} parses[] = {
    { "first", SLICE("AA"), 0 },
    { "last", SLICE("77"), 1023 },
    { "lower case", SLICE("7g"), 998 },
    { "the high character first", SLICE("BA"), 32 },
    { "digit 2", SLICE("A2"), 26 },
    { "empty", SLICE(""), -1 },
    { "one character", SLICE("7"), -1 },
    { "three characters", SLICE("777"), -1 },
    { "digit 1", SLICE("1A"), -1 },
    { "digit 8", SLICE("A8"), -1 },
    { "two octets of UTF-8", SLICE("\xc3\x9f"), -1 },
    { "padding", SLICE("A="), -1 },
    { "below a", SLICE("A`"), -1 },
    { "above z", SLICE("A{"), -1 },
};
enum {
    PARSES = sizeof(parses) / sizeof(parses[0])
};

static void
is_parsed(void **state)
{
    const struct parse *p = *state;

    assert_int_equal(srs_stamp_parse(p->text), p->slot);
}

/* ---- age --------------------------------------------------------------- */

static struct age {
    const char *name;
    unsigned max_age;
    int64_t later; /* seconds from the start of the day it was made */
    enum srs_status status;
    unsigned days;
} ages[] = {
    { "at once", 21, 0, SRS_OK, 0 },
    { "the same day", 21, DAY - 1, SRS_OK, 0 },
    { "the next day", 21, DAY, SRS_OK, 1 },
    { "day 21, last second", 21, 22 * DAY - 1, SRS_OK, 21 },
    { "day 22, first second", 21, 22 * DAY, SRS_EXPIRED, 22 },
    { "max_age 1, last second", 1, 2 * DAY - 1, SRS_OK, 1 },
    { "max_age 1, expired", 1, 2 * DAY, SRS_EXPIRED, 2 },
    { "max_age 0, last second", 0, DAY - 1, SRS_OK, 0 },
    { "max_age 0, expired", 0, DAY, SRS_EXPIRED, 1 },
    { "max_age 1000", 1000, 1001 * DAY - 1, SRS_OK, 1000 },
    { "max_age 1000, expired", 1000, 1001 * DAY, SRS_EXPIRED, 1001 },
    { "clock a second behind", 21, -1, SRS_OK, 0 },
    { "clock a day behind", 21, -DAY, SRS_OK, 0 },
    { "clock more than a day behind", 21, -DAY - 1, SRS_EXPIRED, 1022 },
    { "day 1023 is tomorrow", 21, 1023 * DAY, SRS_OK, 0 },
    { "day 1024 is today", 21, 1024 * DAY, SRS_OK, 0 },
};
enum {
    AGES = sizeof(ages) / sizeof(ages[0])
};

static void
is_judged(void **state)
{
    const struct age *a = *state;
    struct srs_conf *conf = conf_new(a->max_age);
    struct buf out = { 0 }, back = { 0 };

    /* For every slot, so over the wrap as well. */
    for (int64_t day = 0; day < SLOTS; day++) {
        int64_t made = JAN_1 + day * DAY;
        struct srs_found found;
        buf_clear(&out);
        buf_clear(&back);
        assert_int_equal(
            srs_forward(conf, made, SLICE_OF("bob@example.com"), domain, &out),
            SRS_OK);
        assert_int_equal(
            srs_reverse(conf, made + a->later, buf_slice(&out), &back, &found),
            a->status);
        assert_int_equal(found.age_days, a->days);
        assert_int_equal(back.len != 0, a->status == SRS_OK);
    }
    buf_free(&out);
    buf_free(&back);
    srs_conf_free(conf);
}

/* All 1024 stamps differ, follow each other and are read back. */
static void
sweep(void **state)
{
    int before = -1;
    (void)state;

    for (int64_t day = 0; day < SLOTS; day++) {
        char stamp[2], folded[2];
        srs_stamp_print(day * DAY + day % DAY, stamp);
        int slot = srs_stamp_parse((struct slice){ stamp, 2 });
        assert_int_equal(slot, before + 1);
        before = slot;
        folded[0] = ascii_lower(stamp[0]);
        folded[1] = ascii_lower(stamp[1]);
        assert_int_equal(srs_stamp_parse((struct slice){ folded, 2 }), slot);
    }
}

/* Of all stamps exactly 23 are taken today: 22 days and tomorrow. */
static void
window(void **state)
{
    struct srs_conf *conf = conf_new(21);
    struct buf out = { 0 }, back = { 0 };
    unsigned taken = 0;
    (void)state;

    for (int64_t day = 0; day < SLOTS; day++) {
        buf_clear(&out);
        srs_forward(conf, day * DAY, SLICE_OF("bob@example.com"), domain, &out);
        taken +=
            srs_reverse(conf, JAN_1, buf_slice(&out), &back, NULL) == SRS_OK;
    }
    assert_int_equal(taken, 23);
    buf_free(&out);
    buf_free(&back);
    srs_conf_free(conf);
}

/* SRS1 has no stamp: the first forwarder's says when it is too old. */
static void
srs1_does_not_expire(void **state)
{
    struct srs_conf *conf = conf_new(21);
    struct buf out = { 0 }, back = { 0 };
    (void)state;

    srs_forward(conf, JAN_1, SLICE_OF("SRS0=abcd=7G=c.example=bob@a.example"),
                domain, &out);
    assert_int_equal(srs_reverse(conf, JAN_1 + 500 * (int64_t)DAY,
                                 buf_slice(&out), &back, NULL),
                     SRS_OK);
    buf_free(&out);
    buf_free(&back);
    srs_conf_free(conf);
}

int
main(void)
{
    struct CMUnitTest tests[3 + PRINTS + PARSES + AGES] = {
        cmocka_unit_test(sweep),
        cmocka_unit_test(window),
        cmocka_unit_test(srs1_does_not_expire),
    };
    size_t n = 3;

    for (size_t i = 0; i < PRINTS; i++)
        tests[n++] = (struct CMUnitTest){ prints[i].name, is_printed, NULL,
                                          NULL, &prints[i] };
    for (size_t i = 0; i < PARSES; i++)
        tests[n++] = (struct CMUnitTest){ parses[i].name, is_parsed, NULL, NULL,
                                          &parses[i] };
    for (size_t i = 0; i < AGES; i++)
        tests[n++] = (struct CMUnitTest){ ages[i].name, is_judged, NULL, NULL,
                                          &ages[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
