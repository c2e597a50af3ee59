/*
 * DMARC (RFC 9989): the policy of the author's domain, found by walking up the
 * tree of DNS, and whether an authenticated identifier aligns with it.
 *
 * An evaluation is a machine without a clock: it names one question at a time
 * and goes on with the answer. It ends: a walk has at most 8 questions, at most
 * DMARC_WALKS_MAX identifiers are walked, and each name is asked for once.
 * Domains are A-labels; case and one final dot do not count.
 *
 * The policy can be looked for before the identifiers are known:
 *
 *     new -> step ... NULL -> identify -> step ... NULL -> verdict
 */
#ifndef ONWARD_AUTH_DMARC_H
#define ONWARD_AUTH_DMARC_H

#include "base.h"
#include "dns.h"

enum dmarc_policy {
    DMARC_NO_POLICY = 1 << 0, /* no record, or none that applies */
    DMARC_POLICY_NONE = 1 << 1,
    DMARC_POLICY_QUARANTINE = 1 << 2,
    DMARC_POLICY_REJECT = 1 << 3,
};

enum {
    DMARC_ANY_POLICY = DMARC_NO_POLICY | DMARC_POLICY_NONE |
                       DMARC_POLICY_QUARANTINE | DMARC_POLICY_REJECT,
    DMARC_WALK_MAX = 8,   /* questions of one walk (4.10) */
    DMARC_WALKS_MAX = 10, /* identifiers that are walked for */
    DMARC_QUESTIONS_MAX = DMARC_WALK_MAX + DMARC_WALKS_MAX * DMARC_WALK_MAX + 1,
};

/* "none" for NO_POLICY too. */
const char *dmarc_policy_word(enum dmarc_policy policy);

enum dmarc_result {
    DMARC_NONE, /* no record: DMARC says nothing */
    DMARC_PASS,
    DMARC_FAIL,
    DMARC_TEMPERROR, /* DNS trouble: may pass or fail, or its policy is open */
};

const char *dmarc_result_word(enum dmarc_result result);

enum dmarc_method {
    DMARC_BY_SPF, /* of MAIL FROM, never of HELO (4.4.2) */
    DMARC_BY_DKIM,
};

/* A domain that passed, or would if DNS had answered. */
struct dmarc_identifier {
    struct slice domain; /* lives as long as the machine */
    enum dmarc_method method;
    bool passed; /* false: temperror */
    bool lasts;  /* the signature will still pass later */
};

enum dmarc_extent {
    DMARC_ALL,
    /* Walks end with the first lasting signature that aligns: whether other
     * identifiers align too stays unsaid, unless it is plain. */
    DMARC_ENOUGH,
};

struct dmarc_verdict {
    enum dmarc_result result;
    unsigned policies;   /* set of those it may be, after t=; one bit: known */
    struct slice author; /* as it was given, without final dot */
    struct slice record; /* the domain below whose _dmarc the record stands;
                          * empty: none, or unknown */
    struct slice organization; /* empty: not asked for, or unknown */
    bool spf, dkim;            /* aligned and passed */
    bool lasting;              /* dkim, by a signature that lasts */
    bool spf_open, dkim_open;  /* may align and pass yet */
    unsigned questions;        /* asked in all */
};

struct dmarc;

/* author lives as long as the machine. NULL: memory is gone. */
struct dmarc *dmarc_new(struct slice author, enum dmarc_extent extent);
void dmarc_free(struct dmarc *dmarc);

/*
 * Begin with NULL, then give the answer to the question that the last call
 * returned. Returns the next question, good until the next call; NULL: there
 * is none until the identifiers are given, or the evaluation is over.
 */
const struct dns_question *dmarc_step(struct dmarc *dmarc,
                                      const struct dns_answer *answer);

/* Copies the array. Afterwards dmarc_step(dmarc, NULL). False: memory is gone;
 * then the verdict is open. */
bool dmarc_identify(struct dmarc *dmarc,
                    const struct dmarc_identifier *identifiers, size_t count);

/* Before the end: `policies` and `record` are right once dmarc_step has
 * returned NULL. */
const struct dmarc_verdict *dmarc_verdict(const struct dmarc *dmarc);

#endif
