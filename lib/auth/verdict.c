#include "verdict.h"

enum {
    ENFORCING = DMARC_POLICY_QUARANTINE | DMARC_POLICY_REJECT
};

const char *
auth_arrival_word(enum auth_arrival arrival)
{
    switch (arrival) {
    case AUTH_SURVIVES:
        return "survives";
    case AUTH_PLAIN:
        return "plain";
    case AUTH_FRAGILE:
        return "fragile";
    case AUTH_UNAUTHENTICATED:
        return "unauthenticated";
    case AUTH_FAILS:
        return "fails";
    case AUTH_ERROR:
        return "error";
    case AUTH_EXEMPT:
        return "exempt";
    }
    return "";
}

const char *
auth_action_word(enum auth_action action)
{
    switch (action) {
    case AUTH_FORWARD:
        return "forward";
    case AUTH_TAG:
        return "tag";
    case AUTH_REWRITE:
        return "rewrite";
    case AUTH_DEFER:
        return "defer";
    case AUTH_REJECT:
        return "reject";
    }
    return "";
}

/* ---- outcomes ---------------------------------------------------------- */

/* Without an enforcing policy: does anything pass? */
static unsigned
outcomes_unenforced(const struct auth_evidence *evidence)
{
    if (evidence->spf_passes || evidence->dkim_passes)
        return AUTH_CAN_BE_PLAIN;
    if (evidence->spf_open || evidence->dkim_open)
        return AUTH_CAN_BE_PLAIN | AUTH_CAN_BE_UNAUTHENTICATED;
    return AUTH_CAN_BE_UNAUTHENTICATED;
}

static unsigned
outcomes_enforced(const struct dmarc_verdict *dmarc, unsigned failure)
{
    unsigned outcomes = 0;

    if (dmarc->lasting)
        return AUTH_CAN_SURVIVE;
    if (dmarc->dkim_open)
        outcomes |= AUTH_CAN_SURVIVE;
    if (dmarc->spf || dmarc->dkim)
        return outcomes | AUTH_CAN_BE_FRAGILE;
    if (dmarc->spf_open)
        outcomes |= AUTH_CAN_BE_FRAGILE;
    return outcomes | failure;
}

static unsigned
outcomes_of_one(const struct auth_evidence *evidence)
{
    const struct dmarc_verdict *dmarc = evidence->dmarc[0];
    unsigned outcomes = 0;

    if (dmarc->policies & (DMARC_NO_POLICY | DMARC_POLICY_NONE))
        outcomes |= outcomes_unenforced(evidence);
    if (dmarc->policies & DMARC_POLICY_QUARANTINE)
        outcomes |= outcomes_enforced(dmarc, AUTH_CAN_FAIL_QUARANTINE);
    if (dmarc->policies & DMARC_POLICY_REJECT)
        outcomes |= outcomes_enforced(dmarc, AUTH_CAN_FAIL_REJECT);
    return outcomes;
}

/* Several authors are none that DMARC knows; with an enforcing policy among
 * theirs, one who does not authenticate could hide behind another. */
static unsigned
outcomes_of_several(const struct auth_evidence *evidence)
{
    unsigned outcomes = AUTH_CAN_BE_UNAUTHENTICATED;

    for (size_t i = 0; i < evidence->dmarc_count; i++) {
        unsigned policies = evidence->dmarc[i]->policies;
        if ((policies & ~(unsigned)ENFORCING) == 0)
            return AUTH_CAN_FAIL_REJECT;
        if (policies & ENFORCING)
            outcomes |= AUTH_CAN_FAIL_REJECT;
    }
    return outcomes;
}

unsigned
auth_outcomes(const struct auth_evidence *evidence)
{
    switch (evidence->author) {
    case AUTH_AUTHOR_NONE:
        break;
    case AUTH_AUTHOR_ONE:
        return outcomes_of_one(evidence);
    case AUTH_AUTHOR_SEVERAL:
        return outcomes_of_several(evidence);
    }
    return AUTH_CAN_BE_UNAUTHENTICATED;
}

/* ---- policy ------------------------------------------------------------ */

static enum auth_action
act_on(enum auth_outcome outcome, const struct auth_recipient *recipient)
{
    const struct auth_policy *policy = recipient->policy;

    switch (outcome) {
    case AUTH_CAN_SURVIVE:
    case AUTH_CAN_BE_PLAIN:
        return AUTH_FORWARD;
    case AUTH_CAN_BE_FRAGILE:
        return recipient->strict_target ? policy->fragile : AUTH_FORWARD;
    case AUTH_CAN_BE_UNAUTHENTICATED:
        return recipient->null_sender || recipient->is_relayed
                   ? AUTH_FORWARD
                   : policy->unauthenticated;
    case AUTH_CAN_FAIL_QUARANTINE:
        return policy->fails_quarantine;
    case AUTH_CAN_FAIL_REJECT:
        return policy->fails;
    }
    return AUTH_FORWARD;
}

/* True if all outcomes have the same action. No outcome: forward. */
static bool
agree(unsigned outcomes, const struct auth_recipient *recipient,
      enum auth_action *action)
{
    bool any = false;

    *action = AUTH_FORWARD;
    for (unsigned bit = AUTH_CAN_SURVIVE; bit <= AUTH_CAN_FAIL_REJECT;
         bit <<= 1) {
        if ((outcomes & bit) == 0)
            continue;
        enum auth_action one = act_on((enum auth_outcome)bit, recipient);
        if (any && one != *action)
            return false;
        *action = one;
        any = true;
    }
    return true;
}

enum auth_action
auth_decide(unsigned outcomes, const struct auth_recipient *recipient)
{
    enum auth_action action;

    if (agree(outcomes, recipient, &action))
        return action;
    return recipient->policy->error;
}

/* Of several outcomes: plain, which claims the least of the author's domain;
 * or the worst. */
static enum auth_arrival
word_for(unsigned outcomes)
{
    if (outcomes & AUTH_CAN_BE_PLAIN)
        return AUTH_PLAIN;
    if (outcomes & (AUTH_CAN_FAIL_QUARANTINE | AUTH_CAN_FAIL_REJECT))
        return AUTH_FAILS;
    if (outcomes & AUTH_CAN_BE_UNAUTHENTICATED)
        return AUTH_UNAUTHENTICATED;
    if (outcomes & AUTH_CAN_BE_FRAGILE)
        return AUTH_FRAGILE;
    return outcomes & AUTH_CAN_SURVIVE ? AUTH_SURVIVES : AUTH_EXEMPT;
}

enum auth_arrival
auth_arrive(unsigned outcomes, const struct auth_recipient *recipients,
            size_t count)
{
    enum auth_action action;

    for (size_t i = 0; i < count; i++)
        if (!agree(outcomes, &recipients[i], &action))
            return AUTH_ERROR;
    return word_for(outcomes);
}

static bool
refuses(enum auth_action action)
{
    return action == AUTH_REJECT || action == AUTH_DEFER;
}

enum auth_fate
auth_settle(enum auth_action *actions, size_t count, bool stays, bool *outvoted)
{
    size_t refused = 0;
    size_t deferred = 0;

    *outvoted = false;
    for (size_t i = 0; i < count; i++) {
        refused += refuses(actions[i]);
        deferred += actions[i] == AUTH_DEFER;
    }
    if (refused == 0)
        return AUTH_ACCEPTED;
    if (refused == count && !stays)
        return deferred != 0 ? AUTH_DEFERRED : AUTH_REFUSED;
    *outvoted = true;
    for (size_t i = 0; i < count; i++)
        if (refuses(actions[i]))
            actions[i] = AUTH_TAG;
    return AUTH_ACCEPTED;
}
