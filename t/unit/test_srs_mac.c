/* The hashes: their exact values, and which of them are taken. */
#include "mac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum {
    JAN_1 = 1767225600
}; /* 2026-01-01, stamp 7G */

/* Made with another implementation of HMAC: the format must never change. */
static struct value {
    const char *name;
    struct srs_claim claim;
    struct slice hash;
} values[] = {
    { "srs0",
      { SLICE("onward-srs0"),
        { SLICE("7G"), SLICE("example.com"), SLICE("bob") },
        3,
        SLICE("fwd.example") },
      SLICE("R_sir57S1S7IHcZCV4wlT6ThTR7JIUyuEZpW5qESOzo") },
    { "case is folded",
      { SLICE("onward-srs0"),
        { SLICE("7g"), SLICE("Example.COM"), SLICE("Bob") },
        3,
        SLICE("FWD.example") },
      SLICE("R_sir57S1S7IHcZCV4wlT6ThTR7JIUyuEZpW5qESOzo") },
    { "the boundary of host and user counts",
      { SLICE("onward-srs0"),
        { SLICE("7G"), SLICE("example.co"), SLICE("mbob") },
        3,
        SLICE("fwd.example") },
      SLICE("PMf_S8eBF_mOJHMevXQhwEDBXapeaqnWXFGEl14v3f4") },
    { "the SRS domain counts",
      { SLICE("onward-srs0"),
        { SLICE("7G"), SLICE("example.com"), SLICE("bob") },
        3,
        SLICE("other.example") },
      SLICE("GvBaRHlk2uRIHxkijnPXslL4bBvxqJ2p918cV7ISeOM") },
    { "srs1",
      { SLICE("onward-srs1"),
        { SLICE("a.example"), SLICE("=HO2F=7G=origin.example=Alice.Smith+x") },
        2,
        SLICE("fwd.example") },
      SLICE("OncMBNGOgwuFrAzJpnoAxh3BWidfq5rOtdUDnF6YSuk") },
};
enum {
    VALUES = sizeof(values) / sizeof(values[0])
};

static void
has_value(void **state)
{
    const struct value *v = *state;
    const struct slice secret = SLICE("0123456789abcdef");
    const char *why;
    struct srs_keys *keys = srs_keys_new(&secret, 1, false, &why);
    char text[SRS_HASH_SHA256_MAX];

    assert_non_null(keys);
    assert_true(srs_mac_sign(keys, SRS_MAC_SHA256, &v->claim, text));
    assert_int_equal(v->hash.len, sizeof(text));
    assert_memory_equal(text, v->hash.ptr, sizeof(text));
    srs_keys_free(keys);
}

/* ---- what is taken ----------------------------------------------------- */

/* All are bob@example.com of 2026-01-01 at fwd.example. */
#define SHA256_BOB "R_sir57S1S7IHcZCV4wlT6ThTR7JIUyuEZpW5qESOzo"
#define CLASSIC_BOB "/92Aii27ufF0Ie51uSwNKT8ty80"

static struct take {
    const char *name;
    struct srs_settings settings;
    struct slice rcpt;
    enum srs_status status;
    struct srs_found found;
} takes[] = {
    { "six characters",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=R_sir5=7G=example.com=bob@fwd.example"),
      SRS_OK,
      { 0 } },
    { "all characters",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=" SHA256_BOB "=7G=example.com=bob@fwd.example"),
      SRS_OK,
      { 0 } },
    { "a tail is not ignored",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=R_sir5x=7G=example.com=bob@fwd.example"),
      SRS_HASH_BAD,
      { 0 } },
    { "the last character counts",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=R_sir57S1S7IHcZCV4wlT6ThTR7JIUyuEZpW5qESOzp=7G=example.com="
            "bob@fwd.example"),
      SRS_HASH_BAD,
      { 0 } },
    { "longer than the MAC",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=" SHA256_BOB "A=7G=example.com=bob@fwd.example"),
      SRS_HASH_BAD,
      { 0 } },
    { "shorter than the minimum",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=R_sir=7G=example.com=bob@fwd.example"),
      SRS_HASH_SHORT,
      { 0 } },
    { "a lower minimum",
      { .hash_length = 6, .hash_minimum = 5 },
      SLICE("SRS0=R_sir=7G=example.com=bob@fwd.example"),
      SRS_OK,
      { 0 } },
    { "in the other alphabet",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=R/sir5=7G=example.com=bob@fwd.example"),
      SRS_OK,
      { 0 } },
    { "in lower case",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("srs0=r_sir5=7g=example.com=bob@fwd.example"),
      SRS_OK,
      { .case_folded = true } },
    { "in upper case",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=R_SIR5=7G=EXAMPLE.COM=BOB@FWD.EXAMPLE"),
      SRS_OK,
      { .case_folded = true } },
    { "at another SRS domain",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=R_sir5=7G=example.com=bob@other.example"),
      SRS_HASH_BAD,
      { 0 } },
    { "user and host shifted",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=R_sir5=7G=example.co=mbob@fwd.example"),
      SRS_HASH_BAD,
      { 0 } },
    { "SRS1 as SRS0",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=OncMBN=HO=2F=7G=origin.example=x@fwd.example"),
      SRS_HASH_BAD,
      { 0 } },
    { "classic is not asked for",
      { .hash_length = 6, .hash_minimum = 6 },
      SLICE("SRS0=" CLASSIC_BOB "=7G=example.com=bob@fwd.example"),
      SRS_HASH_BAD,
      { 0 } },
    { "accept_classic, six characters",
      { .hash_length = 6, .hash_minimum = 6, .accept_classic = true },
      SLICE("SRS0=/92Aii=7G=example.com=bob@fwd.example"),
      SRS_OK,
      { .classic = true } },
    { "accept_classic, four characters are enough",
      { .hash_length = 6, .hash_minimum = 6, .accept_classic = true },
      SLICE("SRS0=/92A=7G=example.com=bob@fwd.example"),
      SRS_OK,
      { .classic = true } },
    { "accept_classic, three are not",
      { .hash_length = 6, .hash_minimum = 6, .accept_classic = true },
      SLICE("SRS0=/92=7G=example.com=bob@fwd.example"),
      SRS_HASH_SHORT,
      { 0 } },
    { "accept_classic does not shorten ours",
      { .hash_length = 6, .hash_minimum = 6, .accept_classic = true },
      SLICE("SRS0=R_si=7G=example.com=bob@fwd.example"),
      SRS_HASH_BAD,
      { 0 } },
    { "accept_classic, all 27 characters",
      { .hash_length = 6, .hash_minimum = 6, .accept_classic = true },
      SLICE("SRS0=" CLASSIC_BOB "=7G=example.com=bob@fwd.example"),
      SRS_OK,
      { .classic = true } },
    { "accept_classic, ours still good",
      { .hash_length = 6, .hash_minimum = 6, .accept_classic = true },
      SLICE("SRS0=R_sir5=7G=example.com=bob@fwd.example"),
      SRS_OK,
      { 0 } },
    { "classic does not take ours",
      { .mac = SRS_MAC_CLASSIC, .hash_length = 4, .hash_minimum = 4 },
      SLICE("SRS0=R_sir5=7G=example.com=bob@fwd.example"),
      SRS_HASH_BAD,
      { 0 } },
    { "classic, 28 characters",
      { .mac = SRS_MAC_CLASSIC, .hash_length = 4, .hash_minimum = 4 },
      SLICE("SRS0=" CLASSIC_BOB "A=7G=example.com=bob@fwd.example"),
      SRS_HASH_BAD,
      { 0 } },
};
enum {
    TAKES = sizeof(takes) / sizeof(takes[0])
};

static void
is_taken(void **state)
{
    const struct take *t = *state;
    const struct slice secret = SLICE("0123456789abcdef");
    struct srs_settings settings = t->settings;
    struct srs_found found;
    struct buf out = { 0 };
    const char *why;

    settings.secrets = &secret;
    settings.secret_count = 1;
    settings.max_age_days = 21;
    struct srs_conf *conf = srs_conf_new(&settings, &why);
    assert_non_null(conf);
    assert_int_equal(srs_reverse(conf, JAN_1, t->rcpt, &out, &found),
                     t->status);
    assert_int_equal(found.kind, t->found.kind);
    assert_int_equal(found.classic, t->found.classic);
    assert_int_equal(found.case_folded, t->found.case_folded);
    assert_int_equal(out.len != 0, t->status == SRS_OK);
    assert_int_equal(srs_reverse(conf, JAN_1, t->rcpt, &out, NULL), t->status);
    buf_free(&out);
    srs_conf_free(conf);
}

/* Any of the secrets verifies, and found says which; the first signs. */
static void
secrets_rotate(void **state)
{
    static const struct slice all[] = { SLICE("the newest secret of all"),
                                        SLICE("0123456789abcdef"),
                                        SLICE("the oldest secret of all") };
    struct srs_settings settings = { .hash_length = 6,
                                     .hash_minimum = 6,
                                     .max_age_days = 21 };
    const struct slice domain = SLICE("fwd.example");
    const char *why;
    (void)state;

    for (unsigned old = 0; old < 3; old++) {
        struct buf out = { 0 }, back = { 0 };
        struct srs_found found;
        settings.secrets = &all[old];
        settings.secret_count = 1;
        struct srs_conf *one = srs_conf_new(&settings, &why);
        settings.secrets = all;
        settings.secret_count = 3;
        struct srs_conf *three = srs_conf_new(&settings, &why);
        assert_int_equal(srs_conf_secret_count(three), 3);
        assert_true(slice_equal(srs_conf_secret(three), all[0]));

        assert_int_equal(
            srs_forward(one, JAN_1, SLICE_OF("bob@example.com"), domain, &out),
            SRS_OK);
        assert_int_equal(
            srs_reverse(three, JAN_1, buf_slice(&out), &back, &found), SRS_OK);
        assert_int_equal(found.secret, old);
        buf_clear(&out);
        buf_clear(&back);
        assert_int_equal(srs_forward(three, JAN_1, SLICE_OF("bob@example.com"),
                                     domain, &out),
                         SRS_OK);
        assert_int_equal(
            srs_reverse(one, JAN_1, buf_slice(&out), &back, &found),
            old == 0 ? SRS_OK : SRS_HASH_BAD);
        buf_free(&out);
        buf_free(&back);
        srs_conf_free(one);
        srs_conf_free(three);
    }
}

static void
settings_are_checked(void **state)
{
    static const struct slice secret = SLICE("0123456789abcdef");
    static const struct srs_settings bad[] = {
        { .hash_length = 6, .hash_minimum = 6 }, /* no secret */
        { &secret, 1, .hash_length = 44, .hash_minimum = 6 },
        { &secret, 1, .hash_length = 0, .hash_minimum = 0 },
        { &secret, 1, .hash_length = 6, .hash_minimum = 7 },
        { &secret, 1, SRS_MAC_CLASSIC, .hash_length = 28, .hash_minimum = 4 },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *why = NULL;
        assert_null(srs_conf_new(&bad[i], &why));
        assert_non_null(why);
    }
}

int
main(void)
{
    struct CMUnitTest tests[VALUES + TAKES + 2] = {
        cmocka_unit_test(secrets_rotate),
        cmocka_unit_test(settings_are_checked),
    };
    size_t n = 2;

    for (size_t i = 0; i < VALUES; i++)
        tests[n++] = (struct CMUnitTest){ values[i].name, has_value, NULL, NULL,
                                          &values[i] };
    for (size_t i = 0; i < TAKES; i++)
        tests[n++] = (struct CMUnitTest){ takes[i].name, is_taken, NULL, NULL,
                                          &takes[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
