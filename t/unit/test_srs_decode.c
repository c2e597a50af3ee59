/* What an address says to people: as reverse, and whose an expired one was. */
#include "srs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    JAN_1 = 1767225600,
    DAY = 86400,
    NOON = 43200
};

static const struct slice domain = SLICE("fwd.example");

static struct row {
    const char *name;
    struct slice sender; /* forwarded by us on 1 January; or */
    struct slice rcpt;   /* as it stands */
    int64_t later;       /* seconds from 00:00 of 1 January */
    enum srs_status status;
    const char *original; /* NULL: none */
    bool has_stamp;
} rows[] = {
    { "made today",
      SLICE("a@b.example"),
      { 0 },
      NOON,
      SRS_OK,
      "a@b.example",
      true },
    { "made ten days ago",
      SLICE("a@b.example"),
      { 0 },
      10 * DAY + NOON,
      SRS_OK,
      "a@b.example",
      true },
    { "made tomorrow",
      SLICE("a@b.example"),
      { 0 },
      -NOON,
      SRS_OK,
      "a@b.example",
      true },
    { "expired",
      SLICE("a@b.example"),
      { 0 },
      40 * DAY + NOON,
      SRS_EXPIRED,
      "a@b.example",
      true },
    { "SRS1",
      SLICE("SRS0=x=y@a.example"),
      { 0 },
      40 * DAY,
      SRS_OK,
      "SRS0=x=y@a.example",
      false },
    { "a wrong hash",
      { 0 },
      SLICE("SRS0=aaaaaa=7G=b=c@fwd.example"),
      0,
      SRS_HASH_BAD,
      NULL,
      false },
    { "malformed",
      { 0 },
      SLICE("SRS0=@fwd.example"),
      0,
      SRS_SYNTAX,
      NULL,
      false },
    { "no address", { 0 }, SLICE("SRS0="), 0, SRS_SYNTAX, NULL, false },
    { "no SRS", { 0 }, SLICE("bob@fwd.example"), 0, SRS_NOT_SRS, NULL, false },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static struct srs_conf *
conf_new(void)
{
    static const struct slice secret = SLICE("0123456789abcdef");
    struct srs_settings settings = {
        .secrets = &secret,
        .secret_count = 1,
        .hash_length = 6,
        .hash_minimum = 6,
        .max_age_days = 21,
    };
    const char *why;

    return srs_conf_new(&settings, &why);
}

static void
says(void **state)
{
    const struct row *row = *state;
    struct srs_conf *conf = conf_new();
    struct srs_decoded decoded;
    struct buf rcpt = { 0 }, original = { 0 };

    buf_append(&rcpt, row->rcpt);
    if (row->sender.ptr != NULL)
        assert_int_equal(srs_forward(conf, JAN_1, row->sender, domain, &rcpt),
                         SRS_OK);
    assert_int_equal(srs_decode(conf, JAN_1 + row->later, buf_slice(&rcpt),
                                &decoded, &original),
                     row->status);
    assert_false(decoded.token);
    assert_int_equal(decoded.has_stamp, row->has_stamp);
    assert_int_equal(decoded.made, row->has_stamp ? JAN_1 : 0);
    if (row->original == NULL)
        assert_int_equal(original.len, 0);
    else
        assert_string_equal(buf_cstr(&original), row->original);
    buf_free(&rcpt);
    buf_free(&original);
    srs_conf_free(conf);
}

/* A stamp says the day modulo 1024: one of the day after tomorrow is taken
 * for one of 1022 days ago, as everywhere. */
static void
too_far_ahead(void **state)
{
    struct srs_conf *conf = conf_new();
    struct srs_decoded decoded;
    struct buf rcpt = { 0 }, original = { 0 };
    (void)state;

    srs_forward(conf, JAN_1, SLICE_OF("\"a b\"@b.example"), domain, &rcpt);
    assert_int_equal(srs_decode(conf, JAN_1 - 2 * DAY, buf_slice(&rcpt),
                                &decoded, &original),
                     SRS_EXPIRED);
    assert_int_equal(decoded.made, JAN_1 - 1024 * (int64_t)DAY);
    assert_string_equal(buf_cstr(&original), "\"a b\"@b.example");
    buf_free(&rcpt);
    buf_free(&original);
    srs_conf_free(conf);
}

static void
token(void **state)
{
    struct srs_conf *conf = conf_new();
    struct srs_decoded decoded;
    struct buf rcpt = { 0 }, original = { 0 };
    char key[SRS_TOKEN_KEY];
    (void)state;

    srs_token_forward(conf, JAN_1, SLICE_OF("a@b.example"), domain, key, &rcpt);
    assert_int_equal(srs_decode(conf, JAN_1 + 3 * DAY, buf_slice(&rcpt),
                                &decoded, &original),
                     SRS_OK);
    assert_true(decoded.token);
    assert_memory_equal(decoded.key, key, sizeof(key));
    assert_int_equal(decoded.made, JAN_1);
    assert_int_equal(srs_decode(conf, JAN_1 + 40 * DAY, buf_slice(&rcpt),
                                &decoded, &original),
                     SRS_EXPIRED);
    assert_true(decoded.token && decoded.has_stamp);
    rcpt.ptr[5] = rcpt.ptr[5] == 'a' ? 'b' : 'a';
    assert_int_equal(
        srs_decode(conf, JAN_1, buf_slice(&rcpt), &decoded, &original),
        SRS_HASH_BAD);
    assert_int_equal(original.len, 0);
    buf_free(&rcpt);
    srs_conf_free(conf);
}

/* Each allocation fails in turn: never another answer, and nothing said. */
static void
no_memory(void **state)
{
    struct srs_conf *conf = conf_new();
    struct buf rcpt = { 0 };
    enum srs_status status = SRS_NO_MEMORY;
    size_t failed = 0;
    (void)state;

    srs_forward(conf, JAN_1, SLICE_OF("\"a b\"@b.example"), domain, &rcpt);
    while (status == SRS_NO_MEMORY) {
        struct srs_decoded decoded;
        struct buf original = { 0 };
        mem_fail_nth(failed + 1);
        status = srs_decode(conf, JAN_1 + 40 * DAY, buf_slice(&rcpt), &decoded,
                            &original);
        mem_fail_nth(0);
        if (status == SRS_NO_MEMORY)
            failed++;
        buf_free(&original);
    }
    assert_int_equal(status, SRS_EXPIRED);
    assert_true(failed >= 2);
    buf_free(&rcpt);
    srs_conf_free(conf);
}

int
main(void)
{
    struct CMUnitTest tests[3 + ROWS] = { cmocka_unit_test(token),
                                          cmocka_unit_test(too_far_ahead),
                                          cmocka_unit_test(no_memory) };

    for (size_t i = 0; i < ROWS; i++)
        tests[3 + i] =
            (struct CMUnitTest){ rows[i].name, says, NULL, NULL, &rows[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
