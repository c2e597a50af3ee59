/* Tokens that stand in for long senders. */
#include "srs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    JAN_1 = 1767225600,
    DAY = 86400
};

static const struct slice domain = SLICE("fwd.example");
static const struct slice long_sender =
    SLICE("bounces+1234567-aaaa-bob=private.example-0123456789@mail."
          "newsletter.example");

static struct srs_conf *
conf_new(size_t first, size_t count)
{
    static const struct slice secrets[] = { SLICE("a new secret, 21 oct."),
                                            SLICE("0123456789abcdef") };
    struct srs_settings settings = {
        .secrets = secrets + first,
        .secret_count = count,
        .hash_length = 6,
        .hash_minimum = 6,
        .max_age_days = 21,
    };
    const char *why;

    return srs_conf_new(&settings, &why);
}

static void
goes_and_comes(void **state)
{
    struct srs_conf *conf = conf_new(1, 1);
    char key[SRS_TOKEN_KEY], back[SRS_TOKEN_KEY];
    struct buf out = { 0 }, address = { 0 };
    (void)state;

    assert_int_equal(
        srs_token_forward(conf, JAN_1, long_sender, domain, key, &out), SRS_OK);
    assert_int_equal(srs_local_length(buf_slice(&out)), 58);
    assert_true(srs_has_tag(buf_slice(&out)));
    assert_memory_equal(out.ptr + 22, "7G==", 4);
    assert_int_equal(srs_token_reverse(conf, JAN_1, buf_slice(&out), back),
                     SRS_OK);
    assert_memory_equal(key, back, sizeof(key));
    for (size_t i = 0; i < sizeof(key); i++)
        assert_non_null(strchr("abcdefghijklmnopqrstuvwxyz234567", key[i]));

    /* It is no address, and srs_reverse knows. */
    assert_int_equal(srs_reverse(conf, JAN_1, buf_slice(&out), &address, NULL),
                     SRS_SYNTAX);
    buf_free(&out);
    srs_conf_free(conf);
}

static void
survives_case(void **state)
{
    struct srs_conf *conf = conf_new(1, 1);
    char key[SRS_TOKEN_KEY], back[SRS_TOKEN_KEY];
    struct buf out = { 0 };
    (void)state;

    srs_token_forward(conf, JAN_1, long_sender, domain, key, &out);
    for (size_t i = 0; i < out.len; i++)
        out.ptr[i] = ascii_lower(out.ptr[i]);
    assert_int_equal(srs_token_reverse(conf, JAN_1, buf_slice(&out), back),
                     SRS_OK);
    assert_memory_equal(key, back, sizeof(key));
    for (size_t i = 0; i < out.len; i++)
        if (ascii_is_alpha(out.ptr[i]))
            out.ptr[i] = (char)(out.ptr[i] - 32);
    assert_int_equal(srs_token_reverse(conf, JAN_1, buf_slice(&out), back),
                     SRS_OK);
    assert_memory_equal(key, back, sizeof(key));
    buf_free(&out);
    srs_conf_free(conf);
}

/* The key is the sender's, not the day's or the domain's. */
static void
key_is_the_senders(void **state)
{
    struct srs_conf *conf = conf_new(1, 1);
    struct srs_conf *other = conf_new(0, 1);
    char a[SRS_TOKEN_KEY], b[SRS_TOKEN_KEY];
    struct buf out = { 0 };
    (void)state;

    srs_token_forward(conf, JAN_1, long_sender, domain, a, &out);
    srs_token_forward(conf, JAN_1 + 9 * DAY, long_sender,
                      SLICE_OF("other.example"), b, &out);
    assert_memory_equal(a, b, sizeof(a));
    srs_token_forward(conf, JAN_1, SLICE_OF("Bob@a.example"), domain, a, &out);
    srs_token_forward(conf, JAN_1, SLICE_OF("bob@a.example"), domain, b, &out);
    assert_memory_not_equal(a, b, sizeof(a));
    /* Without the secret nobody can tell whose it is. */
    srs_token_forward(other, JAN_1, SLICE_OF("bob@a.example"), domain, a, &out);
    assert_memory_not_equal(a, b, sizeof(a));
    buf_free(&out);
    srs_conf_free(conf);
    srs_conf_free(other);
}

static void
expires(void **state)
{
    struct srs_conf *conf = conf_new(1, 1);
    char key[SRS_TOKEN_KEY];
    struct buf out = { 0 };
    (void)state;

    srs_token_forward(conf, JAN_1, long_sender, domain, key, &out);
    struct slice token = buf_slice(&out);
    assert_int_equal(srs_token_reverse(conf, JAN_1 + 22 * DAY - 1, token, key),
                     SRS_OK);
    assert_int_equal(srs_token_reverse(conf, JAN_1 + 22 * DAY, token, key),
                     SRS_EXPIRED);
    assert_int_equal(srs_token_reverse(conf, JAN_1 - DAY, token, key), SRS_OK);
    assert_int_equal(srs_token_reverse(conf, JAN_1 - DAY - 1, token, key),
                     SRS_EXPIRED);
    buf_free(&out);
    srs_conf_free(conf);
}

static void
secrets_rotate(void **state)
{
    struct srs_conf *old = conf_new(1, 1);
    struct srs_conf *both = conf_new(0, 2);
    struct srs_conf *new = conf_new(0, 1);
    char a[SRS_TOKEN_KEY], b[SRS_TOKEN_KEY];
    struct buf out = { 0 };
    (void)state;

    srs_token_forward(old, JAN_1, long_sender, domain, a, &out);
    assert_int_equal(srs_token_reverse(both, JAN_1, buf_slice(&out), b),
                     SRS_OK);
    assert_memory_equal(a, b, sizeof(a));
    assert_int_equal(srs_token_reverse(new, JAN_1, buf_slice(&out), b),
                     SRS_HASH_BAD);
    buf_free(&out);
    srs_conf_free(old);
    srs_conf_free(both);
    srs_conf_free(new);
}

static void
no_octet_may_change(void **state)
{
    struct srs_conf *conf = conf_new(1, 1);
    char key[SRS_TOKEN_KEY];
    struct buf out = { 0 };
    (void)state;

    srs_token_forward(conf, JAN_1, long_sender, domain, key, &out);
    for (size_t i = 5; i < out.len; i++) {
        char before = out.ptr[i];
        for (unsigned c = 0; c < 256; c++) {
            if (ascii_lower((char)c) == ascii_lower(before) ||
                strchr("+-_/", before) != NULL)
                continue; /* folded in hashes */
            out.ptr[i] = (char)c;
            assert_int_not_equal(
                srs_token_reverse(conf, JAN_1, buf_slice(&out), key), SRS_OK);
        }
        out.ptr[i] = before;
        struct slice cut = slice_head(buf_slice(&out), i);
        assert_int_not_equal(srs_token_reverse(conf, JAN_1, cut, key), SRS_OK);
    }
    buf_free(&out);
    srs_conf_free(conf);
}

/* ---- what it is and what not ------------------------------------------- */

static struct row {
    const char *name;
    struct slice rcpt;
    enum srs_status status;
} rows[] = {
    { "an ordinary address", SLICE("bob@fwd.example"), SRS_NOT_SRS },
    { "an SRS0 address", SLICE("SRS0=R_sir5=7G=example.com=bob@fwd.example"),
      SRS_NOT_SRS },
    { "an SRS1 address", SLICE("SRS1=x=a.example==b=c@fwd.example"),
      SRS_NOT_SRS },
    { "SRS1 with an empty host", SLICE("SRS1=x===b=c@fwd.example"),
      SRS_NOT_SRS },
    { "an empty user", SLICE("SRS0=x=7G==@fwd.example"), SRS_NOT_SRS },
    { "no address", SLICE("SRS0=x=7G==abc"), SRS_SYNTAX },
    { "a short key", SLICE("SRS0=aaaaaaaaaaaaaaaa=7G==abc@fwd.example"),
      SRS_SYNTAX },
    { "a key with a bad character",
      SLICE("SRS0=aaaaaaaaaaaaaaaa=7G==abcdefghijklmnopqrstuvwxyz234561@"
            "fwd.example"),
      SRS_SYNTAX },
    { "a bad stamp",
      SLICE("SRS0=aaaaaaaaaaaaaaaa=7==abcdefghijklmnopqrstuvwxyz234567@"
            "fwd.example"),
      SRS_SYNTAX },
    { "a short hash",
      SLICE("SRS0=aaaaaaaaaaaaaaa=7G==abcdefghijklmnopqrstuvwxyz234567@"
            "fwd.example"),
      SRS_HASH_SHORT },
    { "a wrong hash",
      SLICE("SRS0=aaaaaaaaaaaaaaaa=7G==abcdefghijklmnopqrstuvwxyz234567@"
            "fwd.example"),
      SRS_HASH_BAD },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
is_told_apart(void **state)
{
    const struct row *row = *state;
    struct srs_conf *conf = conf_new(1, 1);
    char key[SRS_TOKEN_KEY];

    assert_int_equal(srs_token_reverse(conf, JAN_1, row->rcpt, key),
                     row->status);
    srs_conf_free(conf);
}

static void
what_needs_none_gets_none(void **state)
{
    struct srs_conf *conf = conf_new(1, 1);
    char key[SRS_TOKEN_KEY];
    struct buf out = { 0 };
    (void)state;

    assert_int_equal(
        srs_token_forward(conf, JAN_1, SLICE_OF(""), domain, key, &out),
        SRS_NULL_SENDER);
    assert_int_equal(
        srs_token_forward(conf, JAN_1, SLICE_OF("a b@c"), domain, key, &out),
        SRS_SYNTAX);
    assert_int_equal(out.len, 0);
    assert_int_equal(srs_token_forward(conf, JAN_1, SLICE_OF("a@fwd.example"),
                                       domain, key, &out),
                     SRS_OUR_DOMAIN);
    assert_memory_equal(out.ptr, "a@fwd.example", out.len);
    buf_free(&out);
    for (size_t n = 1; n < 3; n++) {
        mem_fail_nth(n);
        enum srs_status status = srs_token_forward(
            conf, JAN_1, SLICE_OF("\"a b\"@c.example"), domain, key, &out);
        mem_fail_nth(0);
        assert_int_equal(status, SRS_NO_MEMORY);
        assert_int_equal(out.len, 0);
        buf_free(&out);
    }
    srs_conf_free(conf);
}

int
main(void)
{
    struct CMUnitTest tests[7 + ROWS] = {
        cmocka_unit_test(goes_and_comes),
        cmocka_unit_test(survives_case),
        cmocka_unit_test(key_is_the_senders),
        cmocka_unit_test(expires),
        cmocka_unit_test(secrets_rotate),
        cmocka_unit_test(no_octet_may_change),
        cmocka_unit_test(what_needs_none_gets_none),
    };
    size_t n = 7;

    for (size_t i = 0; i < ROWS; i++)
        tests[n++] = (struct CMUnitTest){ rows[i].name, is_told_apart, NULL,
                                          NULL, &rows[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
