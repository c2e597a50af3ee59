/*
 * The verdict on a message that is to be forwarded: what a strict receiver
 * behind us will make of it, in one word, and what is to be done by the policy
 * of the alias. Pure functions of results.
 *
 * Where a look-up failed, several outcomes are possible. It matters only if
 * they are treated differently.
 */
#ifndef ONWARD_AUTH_VERDICT_H
#define ONWARD_AUTH_VERDICT_H

#include "dmarc.h"

enum auth_arrival {
    AUTH_SURVIVES, /* DMARC passes by an aligned signature that lasts */
    AUTH_PLAIN,    /* no enforcing policy; SPF or DKIM passes */
    AUTH_FRAGILE,  /* DMARC passes, but not behind us; enforcing policy */
    AUTH_UNAUTHENTICATED, /* no enforcing policy, and nothing passes */
    AUTH_FAILS,           /* DMARC fails, enforcing policy */
    AUTH_ERROR,  /* DNS trouble, and the possible outcomes differ in action */
    AUTH_EXEMPT, /* not judged */
};

const char *auth_arrival_word(enum auth_arrival arrival);

/* What may be the case. */
enum auth_outcome {
    AUTH_CAN_SURVIVE = 1 << 0,
    AUTH_CAN_BE_PLAIN = 1 << 1,
    AUTH_CAN_BE_FRAGILE = 1 << 2,
    AUTH_CAN_BE_UNAUTHENTICATED = 1 << 3,
    AUTH_CAN_FAIL_QUARANTINE = 1 << 4,
    AUTH_CAN_FAIL_REJECT = 1 << 5,
};

enum auth_author {
    AUTH_AUTHOR_NONE,    /* From is not there or cannot be read */
    AUTH_AUTHOR_ONE,     /* one domain */
    AUTH_AUTHOR_SEVERAL, /* several domains or fields */
};

enum {
    AUTH_AUTHORS_MAX = 4 /* domains of several authors that are asked for */
};

struct auth_evidence {
    enum auth_author author;
    /* Of the one author; of several, those that were asked for. */
    const struct dmarc_verdict *dmarc[AUTH_AUTHORS_MAX];
    size_t dmarc_count;
    bool spf_passes, dkim_passes; /* of MAIL FROM or HELO; of any domain */
    bool spf_open, dkim_open;     /* may pass: DNS trouble */
};

/* The set of outcomes that are possible; one bit if nothing is open. */
unsigned auth_outcomes(const struct auth_evidence *evidence);

/* ---- policy ------------------------------------------------------------ */

enum auth_action {
    AUTH_FORWARD,
    AUTH_TAG,     /* with the sender's own reverse-path, unsigned */
    AUTH_REWRITE, /* From */
    AUTH_DEFER,   /* 451 */
    AUTH_REJECT,  /* 550 */
};

const char *auth_action_word(enum auth_action action);

/* A named set of actions. */
struct auth_policy {
    enum auth_action fails;            /* p=reject */
    enum auth_action fails_quarantine; /* p=quarantine */
    enum auth_action unauthenticated;
    enum auth_action fragile; /* at targets that are strict */
    enum auth_action error;   /* FORWARD or DEFER */
};

/* What else decides, for one recipient. */
struct auth_recipient {
    const struct auth_policy *policy;
    bool null_sender;   /* bounces are never refused as unauthenticated */
    bool is_relayed;    /* by a gateway of ours, or the client is not known */
    bool strict_target; /* the target acts on DMARC */
};

/* Never REJECT while an outcome is possible that would not be rejected. */
enum auth_action auth_decide(unsigned outcomes,
                             const struct auth_recipient *recipient);

/*
 * The word for the log. Of several outcomes that all recipients treat alike it
 * is plain, or else the worst; where they are not treated alike it is error. No
 * outcome: exempt.
 */
enum auth_arrival auth_arrive(unsigned outcomes,
                              const struct auth_recipient *recipients,
                              size_t count);

enum auth_fate {
    AUTH_ACCEPTED,
    AUTH_REFUSED,  /* 550 at the final dot */
    AUTH_DEFERRED, /* 451 at the final dot */
};

/*
 * One message has one reply: it is refused if every recipient that leaves would
 * be and nothing stays, deferred if one of them would be. Else those that would
 * be are forwarded with a tag: their entries become AUTH_TAG, and *outvoted is
 * true.
 */
enum auth_fate auth_settle(enum auth_action *actions, size_t count, bool stays,
                           bool *outvoted);

#endif
