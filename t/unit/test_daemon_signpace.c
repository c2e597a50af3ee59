/* Which messages the loop signs itself, and how long it may take for them. */
#include "signpace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    US = 1000,
    MS = 1000 * US
};

static const struct signpace_work rsa = { .rsa = 1, .octets = 10240 };
static const struct signpace_work ed25519 = { .ed25519 = 1, .octets = 10240 };

/* Known to take so long, and some time has passed. */
static struct signpace
known(struct signpace_work work, uint64_t cost)
{
    struct signpace pace = { 0 };

    signpace_learn(&pace, &work, cost);
    return pace;
}

static void
what_is_not_known_is_not_quick(void **state)
{
    struct signpace pace = { 0 };

    (void)state;
    assert_false(signpace_take(&pace, &rsa, 1000 * MS));
    signpace_learn(&pace, &rsa, 230 * US);
    signpace_back(&pace, &rsa);
    assert_true(signpace_take(&pace, &rsa, 1001 * MS));
    assert_false(signpace_take(&pace, &ed25519, 1002 * MS));
}

static void
what_takes_long_is_for_threads(void **state)
{
    static const struct {
        const char *name;
        struct signpace_work work;
        uint64_t cost;
        bool quick;
    } rows[] = {
        { "Ed25519", { .ed25519 = 1 }, 30 * US, true },
        { "RSA-2048", { .rsa = 1 }, 230 * US, true },
        { "both", { .rsa = 1, .ed25519 = 1 }, 260 * US, true },
        { "at the limit", { .rsa = 2 }, 500 * US, true },
        { "over it: a slow machine", { .rsa = 1 }, 501 * US, false },
        { "a large key", { .rsa = 1, .slow = true }, 1, false },
        { "content at the limit", { .rsa = 1, .octets = 65536 }, 1, true },
        { "long content", { .rsa = 1, .octets = 65537 }, 1, false },
        { "as many keys as are counted", { .rsa = 3, .ed25519 = 3 }, 1, true },
        { "more", { .rsa = 4 }, 1, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct signpace pace = known(rows[i].work, rows[i].cost);
        if (signpace_take(&pace, &rows[i].work, 100 * MS) != rows[i].quick)
            fail_msg("%s", rows[i].name);
        if (!rows[i].quick)
            signpace_back(&pace, &rows[i].work);
        assert_int_equal(pace.away, 0);
    }
}

static void
while_threads_sign_all_is_theirs(void **state)
{
    struct signpace pace = known(ed25519, 30 * US);

    (void)state;
    assert_false(signpace_take(&pace, &rsa, 100 * MS));
    assert_false(signpace_take(&pace, &ed25519, 101 * MS));
    signpace_back(&pace, &rsa);
    assert_false(signpace_take(&pace, &ed25519, 102 * MS));
    signpace_back(&pace, &ed25519);
    signpace_back(&pace, &ed25519);
    assert_true(signpace_take(&pace, &ed25519, 103 * MS));
}

static void
but_what_takes_long_is_in_nobodys_way(void **state)
{
    static const struct signpace_work large = { .rsa = 1, .slow = true };
    static const struct signpace_work long_one = { .rsa = 1,
                                                   .octets = 1 << 20 };
    struct signpace pace = known(rsa, 230 * US);

    (void)state;
    assert_false(signpace_take(&pace, &large, 100 * MS));
    assert_false(signpace_take(&pace, &long_one, 100 * MS));
    assert_true(signpace_take(&pace, &rsa, 101 * MS));
    signpace_back(&pace, &large);
    signpace_back(&pace, &long_one);
    assert_int_equal(pace.away, 0);
}

/* However fast they come: 1 ms in one go, and a quarter of the time. */
static void
the_loop_has_other_things_to_do(void **state)
{
    struct signpace pace = known(rsa, 250 * US);
    uint64_t spent = 0;
    unsigned at_once = 0;

    (void)state;
    while (signpace_take(&pace, &rsa, 1000 * MS))
        at_once++;
    assert_int_equal(at_once, 4);
    signpace_back(&pace, &rsa);

    pace = known(rsa, 250 * US);
    for (uint64_t now = 1000 * MS; now < 2000 * MS; now += 10 * US) {
        if (signpace_take(&pace, &rsa, now))
            spent += 250 * US;
        else
            signpace_back(&pace, &rsa);
    }
    assert_true(spent <= 251 * (uint64_t)MS);
    assert_true(spent >= 249 * (uint64_t)MS);
}

/* A clock that stands, or that was behind. */
static void
a_clock_that_stands(void **state)
{
    struct signpace pace = known(rsa, 250 * US);

    (void)state;
    assert_true(signpace_take(&pace, &rsa, 100 * MS));
    assert_true(signpace_take(&pace, &rsa, 50 * MS));
    assert_true(pace.budget <= SIGNPACE_BURST);
}

/* A machine that has become slower, and faster again. */
static void
the_last_ones_count(void **state)
{
    struct signpace pace = known(rsa, 200 * US);

    (void)state;
    for (int i = 0; i < 20; i++)
        signpace_learn(&pace, &rsa, 900 * US);
    assert_false(signpace_take(&pace, &rsa, 100 * MS));
    signpace_back(&pace, &rsa);
    for (int i = 0; i < 20; i++)
        signpace_learn(&pace, &rsa, 200 * US);
    assert_true(signpace_take(&pace, &rsa, 200 * MS));
    signpace_learn(&pace, &ed25519, 0);
    assert_true(signpace_take(&pace, &ed25519, 300 * MS));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_not_quick),
        cmocka_unit_test(what_takes_long_is_for_threads),
        cmocka_unit_test(while_threads_sign_all_is_theirs),
        cmocka_unit_test(but_what_takes_long_is_in_nobodys_way),
        cmocka_unit_test(the_loop_has_other_things_to_do),
        cmocka_unit_test(a_clock_that_stands),
        cmocka_unit_test(the_last_ones_count),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
