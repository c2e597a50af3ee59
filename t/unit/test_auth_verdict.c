/* The word and the action, for every kind of evidence and policy. */
#include "auth_dmarc.h"

#define NO_RECORD DMARC_NO_POLICY
#define P_NONE DMARC_POLICY_NONE
#define QUAR DMARC_POLICY_QUARANTINE
#define REJECT DMARC_POLICY_REJECT

static const struct auth_policy usual = {
    .fails = AUTH_REJECT,
    .fails_quarantine = AUTH_FORWARD,
    .unauthenticated = AUTH_REJECT,
    .fragile = AUTH_FORWARD,
    .error = AUTH_DEFER,
};

/*
 * What passes: "s" SPF, "d" a signature; "S", "D" they may, DNS being in
 * trouble. Aligned: the same letters, and "l" for a signature that lasts.
 */
static struct row {
    const char *name;
    const char *passes;
    const char *aligned;
    unsigned policies;
    enum auth_arrival arrival;
    enum auth_action action; /* by the usual policy */
} rows[] = {
    { "an aligned signature", "d", "dl", REJECT, AUTH_SURVIVES, AUTH_FORWARD },
    { "the same under quarantine", "d", "dl", QUAR, AUTH_SURVIVES,
      AUTH_FORWARD },
    { "an aligned signature under p=none", "d", "dl", P_NONE, AUTH_PLAIN,
      AUTH_FORWARD },
    { "an aligned signature without a record", "d", "", NO_RECORD, AUTH_PLAIN,
      AUTH_FORWARD },
    { "SPF without a record", "s", "", NO_RECORD, AUTH_PLAIN, AUTH_FORWARD },
    { "SPF of a stranger under p=none", "s", "", P_NONE, AUTH_PLAIN,
      AUTH_FORWARD },
    { "SPF aligned", "s", "s", REJECT, AUTH_FRAGILE, AUTH_FORWARD },
    { "a signature that does not last", "d", "d", QUAR, AUTH_FRAGILE,
      AUTH_FORWARD },
    { "nothing, p=reject", "", "", REJECT, AUTH_FAILS, AUTH_REJECT },
    { "nothing, p=quarantine", "", "", QUAR, AUTH_FAILS, AUTH_FORWARD },
    { "a stranger's signature, p=reject", "sd", "", REJECT, AUTH_FAILS,
      AUTH_REJECT },
    { "nothing, p=none", "", "", P_NONE, AUTH_UNAUTHENTICATED, AUTH_REJECT },
    { "nothing, no record", "", "", NO_RECORD, AUTH_UNAUTHENTICATED,
      AUTH_REJECT },

    { "the key of an aligned signature", "D", "D", REJECT, AUTH_ERROR,
      AUTH_DEFER },
    { "the same under quarantine has one action", "D", "D", QUAR, AUTH_FAILS,
      AUTH_FORWARD },
    { "the key of a stranger's signature", "D", "", REJECT, AUTH_FAILS,
      AUTH_REJECT },
    { "the same without a record", "D", "", NO_RECORD, AUTH_ERROR, AUTH_DEFER },
    { "the same, and SPF passes", "sD", "", NO_RECORD, AUTH_PLAIN,
      AUTH_FORWARD },
    { "SPF aligned, the key in trouble", "sD", "sD", REJECT, AUTH_FRAGILE,
      AUTH_FORWARD },
    { "SPF in trouble, p=reject, aligned", "S", "S", REJECT, AUTH_ERROR,
      AUTH_DEFER },
    { "SPF in trouble, a signature aligned", "Sd", "dl", REJECT, AUTH_SURVIVES,
      AUTH_FORWARD },
    { "the policy in trouble, a signature aligned", "d", "dl", DMARC_ANY_POLICY,
      AUTH_PLAIN, AUTH_FORWARD },
    { "the policy in trouble, SPF aligned", "s", "s", DMARC_ANY_POLICY,
      AUTH_PLAIN, AUTH_FORWARD },
    { "the policy in trouble, SPF of a stranger", "s", "", DMARC_ANY_POLICY,
      AUTH_ERROR, AUTH_DEFER },
    { "the policy in trouble, nothing passes", "", "", DMARC_ANY_POLICY,
      AUTH_ERROR, AUTH_DEFER },
    { "np or sp, nothing passes", "", "", QUAR | REJECT, AUTH_ERROR,
      AUTH_DEFER },
    { "np or sp, aligned", "d", "dl", QUAR | REJECT, AUTH_SURVIVES,
      AUTH_FORWARD },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static bool
has(const char *letters, char letter)
{
    return strchr(letters, letter) != NULL;
}

static void
judged(void **state)
{
    const struct row *row = *state;
    struct dmarc_verdict dmarc = {
        .policies = row->policies,
        .spf = has(row->aligned, 's'),
        .dkim = has(row->aligned, 'd'),
        .lasting = has(row->aligned, 'l'),
        .spf_open = has(row->aligned, 'S'),
        .dkim_open = has(row->aligned, 'D'),
    };
    struct auth_evidence evidence = {
        .author = AUTH_AUTHOR_ONE,
        .dmarc = { &dmarc },
        .dmarc_count = 1,
        .spf_passes = has(row->passes, 's'),
        .dkim_passes = has(row->passes, 'd'),
        .spf_open = has(row->passes, 'S'),
        .dkim_open = has(row->passes, 'D'),
    };
    struct auth_recipient recipient = { .policy = &usual,
                                        .strict_target = true };
    unsigned outcomes = auth_outcomes(&evidence);

    assert_string_equal(auth_arrival_word(auth_arrive(outcomes, &recipient, 1)),
                        auth_arrival_word(row->arrival));
    assert_string_equal(auth_action_word(auth_decide(outcomes, &recipient)),
                        auth_action_word(row->action));
}

/* ---- authors ----------------------------------------------------------- */

static void
several_authors(void **state)
{
    static const struct {
        unsigned first, second;
        unsigned outcomes;
    } cases[] = {
        { NO_RECORD, P_NONE, AUTH_CAN_BE_UNAUTHENTICATED },
        { NO_RECORD, REJECT, AUTH_CAN_FAIL_REJECT },
        { QUAR, NO_RECORD, AUTH_CAN_FAIL_REJECT },
        { NO_RECORD, DMARC_ANY_POLICY,
          AUTH_CAN_FAIL_REJECT | AUTH_CAN_BE_UNAUTHENTICATED },
        { DMARC_ANY_POLICY, REJECT, AUTH_CAN_FAIL_REJECT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dmarc_verdict first = { .policies = cases[i].first };
        struct dmarc_verdict second = { .policies = cases[i].second };
        struct auth_evidence evidence = {
            .author = AUTH_AUTHOR_SEVERAL,
            .dmarc = { &first, &second },
            .dmarc_count = 2,
            .spf_passes = true,
            .dkim_passes = true,
        };
        assert_int_equal(auth_outcomes(&evidence), cases[i].outcomes);
    }
    struct auth_evidence none = { .author = AUTH_AUTHOR_NONE,
                                  .spf_passes = true };
    assert_int_equal(auth_outcomes(&none), AUTH_CAN_BE_UNAUTHENTICATED);
}

/* ---- recipients -------------------------------------------------------- */

static void
what_a_recipient_changes(void **state)
{
    struct auth_policy policy = usual;
    struct auth_recipient recipient = { .policy = &policy };

    (void)state;
    assert_int_equal(auth_decide(AUTH_CAN_BE_UNAUTHENTICATED, &recipient),
                     AUTH_REJECT);
    recipient.null_sender = true;
    assert_int_equal(auth_decide(AUTH_CAN_BE_UNAUTHENTICATED, &recipient),
                     AUTH_FORWARD);
    assert_int_equal(auth_decide(AUTH_CAN_FAIL_REJECT, &recipient),
                     AUTH_REJECT);
    recipient.null_sender = false;
    recipient.is_relayed = true;
    assert_int_equal(auth_decide(AUTH_CAN_BE_UNAUTHENTICATED, &recipient),
                     AUTH_FORWARD);
    policy.fragile = AUTH_REWRITE;
    assert_int_equal(auth_decide(AUTH_CAN_BE_FRAGILE, &recipient),
                     AUTH_FORWARD);
    recipient.strict_target = true;
    assert_int_equal(auth_decide(AUTH_CAN_BE_FRAGILE, &recipient),
                     AUTH_REWRITE);
    /* What could survive is not rewritten on suspicion. */
    assert_int_equal(
        auth_decide(AUTH_CAN_BE_FRAGILE | AUTH_CAN_SURVIVE, &recipient),
        AUTH_DEFER);
    policy.error = AUTH_FORWARD;
    assert_int_equal(
        auth_decide(AUTH_CAN_BE_FRAGILE | AUTH_CAN_SURVIVE, &recipient),
        AUTH_FORWARD);
    assert_int_equal(auth_decide(0, &recipient), AUTH_FORWARD);
    assert_int_equal(auth_arrive(0, &recipient, 1), AUTH_EXEMPT);
}

/* The word is error if for any recipient the outcomes differ. */
static void
words_of_several_recipients(void **state)
{
    struct auth_policy lenient = usual;
    struct auth_recipient recipients[2] = { { .policy = &usual },
                                            { .policy = &lenient } };
    unsigned outcomes = AUTH_CAN_BE_PLAIN | AUTH_CAN_BE_UNAUTHENTICATED;

    (void)state;
    lenient.unauthenticated = AUTH_FORWARD;
    assert_int_equal(auth_arrive(outcomes, recipients, 2), AUTH_ERROR);
    assert_int_equal(auth_arrive(outcomes, recipients + 1, 1), AUTH_PLAIN);
    assert_int_equal(auth_arrive(AUTH_CAN_BE_UNAUTHENTICATED, recipients, 2),
                     AUTH_UNAUTHENTICATED);
}

/* A rejection needs certainty, whatever the outcomes and the policy. */
static void
never_rejects_on_suspicion(void **state)
{
    static const enum auth_action actions[] = { AUTH_FORWARD, AUTH_TAG,
                                                AUTH_REJECT };

    (void)state;
    for (unsigned outcomes = 1; outcomes < 64; outcomes++)
        for (unsigned choice = 0; choice < 81; choice++) {
            struct auth_policy policy = {
                .fails = actions[choice % 3],
                .fails_quarantine = actions[choice / 3 % 3],
                .unauthenticated = actions[choice / 9 % 3],
                .fragile = actions[choice / 27 % 3],
                .error = AUTH_DEFER,
            };
            struct auth_recipient recipient = { .policy = &policy,
                                                .strict_target = true };
            if (auth_decide(outcomes, &recipient) != AUTH_REJECT)
                continue;
            for (unsigned bit = 1; bit < 64; bit <<= 1)
                if (outcomes & bit)
                    assert_int_equal(auth_decide(bit, &recipient), AUTH_REJECT);
        }
}

static void
one_message_one_reply(void **state)
{
    static const struct {
        enum auth_action before[3];
        size_t count;
        bool stays;
        enum auth_fate fate;
        enum auth_action after[3];
        bool outvoted;
    } cases[] = {
        { { AUTH_FORWARD, AUTH_TAG },
          2,
          false,
          AUTH_ACCEPTED,
          { AUTH_FORWARD, AUTH_TAG },
          false },
        { { AUTH_REJECT, AUTH_REJECT },
          2,
          false,
          AUTH_REFUSED,
          { AUTH_REJECT, AUTH_REJECT },
          false },
        { { AUTH_REJECT, AUTH_DEFER },
          2,
          false,
          AUTH_DEFERRED,
          { AUTH_REJECT, AUTH_DEFER },
          false },
        { { AUTH_REJECT, AUTH_FORWARD, AUTH_DEFER },
          3,
          false,
          AUTH_ACCEPTED,
          { AUTH_TAG, AUTH_FORWARD, AUTH_TAG },
          true },
        { { AUTH_REJECT }, 1, true, AUTH_ACCEPTED, { AUTH_TAG }, true },
        { { AUTH_FORWARD }, 0, true, AUTH_ACCEPTED, { AUTH_FORWARD }, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum auth_action actions[3];
        bool outvoted = false;
        memcpy(actions, cases[i].before, sizeof(actions));
        assert_int_equal(
            auth_settle(actions, cases[i].count, cases[i].stays, &outvoted),
            cases[i].fate);
        assert_int_equal(outvoted, cases[i].outvoted);
        assert_memory_equal(actions, cases[i].after, sizeof(actions));
    }
}

int
main(void)
{
    enum {
        OTHERS = 5
    };
    struct CMUnitTest tests[ROWS + OTHERS] = {
        cmocka_unit_test(several_authors),
        cmocka_unit_test(what_a_recipient_changes),
        cmocka_unit_test(words_of_several_recipients),
        cmocka_unit_test(never_rejects_on_suspicion),
        cmocka_unit_test(one_message_one_reply),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[i + OTHERS] =
            (struct CMUnitTest){ rows[i].name, judged, NULL, NULL, &rows[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
