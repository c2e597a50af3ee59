/* The limit on guesses: what it counts, and whom it holds back. */
#include "srs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    NOON = 1795521600,
    MAX = 10
};

static struct srs_conf *
conf_new(void)
{
    const struct slice secret = SLICE("0123456789abcdef");
    const struct srs_settings settings = {
        .secrets = &secret,
        .secret_count = 1,
        .hash_length = 8,
        .hash_minimum = 6,
        .max_age_days = 21,
    };
    const char *why = NULL;
    struct srs_conf *conf = srs_conf_new(&settings, &why);

    assert_non_null(conf);
    return conf;
}

static void
add(struct srs_guesses *guesses, const struct srs_conf *conf, unsigned n)
{
    char text[64];
    int len =
        snprintf(text, sizeof(text), "SRS0=%06u=AA=x.example=y@srs.example", n);

    srs_guesses_add(guesses, conf, NOON, (struct slice){ text, (size_t)len });
}

static bool
blocks(struct srs_guesses *guesses, const char *local)
{
    return srs_guesses_block(guesses, NOON, MAX, slice_from(local));
}

static void
short_hashes_are_held_back(void **state)
{
    struct srs_guesses guesses = { 0 };
    struct srs_conf *conf = conf_new();
    (void)state;

    for (unsigned n = 0; n < MAX; n++) {
        assert_false(blocks(&guesses, "SRS0=aaaaaa=AA=x.example=y"));
        add(&guesses, conf, n);
    }
    assert_true(blocks(&guesses, "SRS0=aaaaaa=AA=x.example=y"));
    assert_true(blocks(&guesses, "SRS0=aaaaaaa=AA=x.example=y"));
    assert_true(blocks(&guesses, "srs1-aaaa=x.example==y"));
    assert_true(blocks(&guesses, "SRS0==AA=x.example=aaaaaaaaaa"));
    assert_true(blocks(&guesses, "SRS0="));
    assert_false(blocks(&guesses, "SRS0=aaaaaaaa=AA=x.example=y"));
    assert_false(blocks(&guesses, "srs0+AAAAAAAA=AA=x.example=y"));
    assert_false(blocks(&guesses, "SRS1=aaaaaaaaa=x.example==y"));
    assert_false(blocks(&guesses, "SRS0=aaaaaaaaaaaaaaaa=AA==abcdefg"));
    /* Until the minute is over. */
    assert_false(srs_guesses_block(&guesses, NOON + 60, MAX,
                                   SLICE_OF("SRS0=aaaaaa=AA=x.example=y")));
    srs_conf_free(conf);
}

static void
an_address_is_counted_once(void **state)
{
    struct srs_guesses guesses = { 0 };
    struct srs_conf *conf = conf_new();
    (void)state;

    for (unsigned i = 0; i < 1000; i++)
        add(&guesses, conf, i % (MAX - 1));
    assert_int_equal(guesses.count, MAX - 1);
    assert_false(blocks(&guesses, "SRS0=aaaaaa=AA=x.example=y"));
    add(&guesses, conf, MAX);
    assert_true(blocks(&guesses, "SRS0=aaaaaa=AA=x.example=y"));
    srs_guesses_add(&guesses, conf, NOON + 60, SLICE_OF("SRS0=x@srs.example"));
    assert_int_equal(guesses.count, 1);
    srs_conf_free(conf);
}

/* What is remembered is bounded; the others are counted again, never less. */
static void
many_are_all_counted(void **state)
{
    struct srs_guesses guesses = { 0 };
    struct srs_conf *conf = conf_new();
    (void)state;

    for (unsigned n = 0; n < 50000; n++)
        add(&guesses, conf, n);
    assert_int_equal(guesses.count, 50000);
    srs_conf_free(conf);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_hashes_are_held_back),
        cmocka_unit_test(an_address_is_counted_once),
        cmocka_unit_test(many_are_all_counted),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
