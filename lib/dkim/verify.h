/*
 * Verification of DKIM signatures (RFC 6376, 6; 8301; 8463; 8616).
 *
 * One verifier is one message. It reads the signature fields, names the key
 * questions, is given the answers in any order, says what has to be hashed,
 * and then judges. It asks nobody and reads no clock; its work is linear in
 * the octets of the message and in the number of signatures examined.
 *
 *     new -> ask, answer ... -> bodies new, update ..., finish -> check
 *
 * Everything up to the answers belongs on the loop. Hashing and check read
 * the verifier, the header and the bodies alone, so they may run on any
 * thread; nobody else touches the verifier meanwhile.
 */
#ifndef ONWARD_DKIM_VERIFY_H
#define ONWARD_DKIM_VERIFY_H

#include "base.h"
#include "dns.h"
#include "mail.h"

/* The result of RFC 8601, 2.7.1. */
enum dkim_result {
    DKIM_NONE, /* not examined; or a failure under a key in test mode (t=y),
                * which counts as unsigned (RFC 6376, 3.6.1) */
    DKIM_PASS,
    DKIM_FAIL,
    DKIM_POLICY, /* it would pass, but covers a part of the body only */
    DKIM_TEMPERROR,
    DKIM_PERMERROR,
};

/* Why it is no pass. */
enum dkim_reason {
    DKIM_REASON_NONE, /* passed */
    DKIM_NO_SIGNATURE,
    DKIM_BODY_HASH, /* with PERMERROR: l= is more than the body has */
    DKIM_SIGNATURE,
    DKIM_KEY_MISSING, /* no record, or none that can be read */
    DKIM_KEY_REVOKED,
    DKIM_KEY_WEAK, /* RSA below 1024 or over 8192 bits, or a key that is not
                    * for this: k=, h=, s=, t=s */
    DKIM_EXPIRED,
    DKIM_SYNTAX, /* also t= in the future, x= before t= */
    DKIM_SHA1,
    DKIM_PARTIAL_BODY,
    DKIM_TOO_MANY,
    DKIM_TROUBLE, /* DNS, memory, OpenSSL */
    DKIM_NOT_EXAMINED,
};

const char *dkim_result_word(enum dkim_result result);
const char *dkim_reason_word(enum dkim_reason reason); /* "" for a pass */

enum {
    DKIM_DOMAIN_MAX = 253,
    DKIM_B_START = 8, /* octets of b= that name a signature (RFC 6008) */
};

/* What is known of one signature. Slices point into the verifier. */
struct dkim_signature {
    struct slice domain;    /* d=, lower-case A-labels; empty: unreadable */
    struct slice selector;  /* the same */
    struct slice algorithm; /* "rsa-sha256", ...; empty: another one */
    struct slice b;         /* the first octets of b=, without white space */
    enum dkim_result result;
    enum dkim_reason reason;
    int64_t expires; /* x=; 0: never */
    unsigned bits;   /* of the key that verified it */
};

/* ---- keys -------------------------------------------------------------- */

/*
 * Public keys that were read, by the text of their records: to read one takes
 * as long as to verify with it. Bounded, the least recently used goes first.
 * Loop thread only.
 */
struct dkim_keycache;

enum {
    DKIM_KEYCACHE_WAYS = 4,
    DKIM_KEYCACHE_TEXT = 2048 /* longer records are not kept */
};
/* Room for about that many keys; NULL: memory is gone. */
struct dkim_keycache *dkim_keycache_new(size_t keys);
void dkim_keycache_free(struct dkim_keycache *cache);
size_t dkim_keycache_count(const struct dkim_keycache *cache);

/* ---- one message ------------------------------------------------------- */

enum dkim_extent {
    DKIM_CHECK_ALL,
    /* Until a signature of the one author's own domain has passed that will
     * pass for DKIM_LASTS seconds more; the others are then not examined. */
    DKIM_CHECK_ENOUGH,
};

enum {
    DKIM_LASTS = 5 * 86400 /* as long as mail waits in a queue of Postfix */
};

struct dkim_verify_request {
    const struct mail_header *header; /* lives as long as the verifier */
    const struct slice *authors; /* From's domains: signatures that may align
                                  * with one of them come first */
    size_t author_count;
    size_t max; /* signatures examined; what is broken counts */
    enum dkim_extent extent;
    int64_t now;
};

struct dkim_verifier;

/* NULL: memory is gone. */
struct dkim_verifier *
dkim_verifier_new(const struct dkim_verify_request *request);
void dkim_verifier_free(struct dkim_verifier *verifier);

/*
 * The next question that was not asked yet, and the ticket its answer is given
 * with. False: there is none. Each name is asked for once. The question lives
 * as long as the verifier.
 */
bool dkim_verifier_ask(struct dkim_verifier *verifier,
                       struct dns_question *question, size_t *ticket);

/* cache may be NULL. An answer that never comes is TROUBLE. */
void dkim_verifier_answer(struct dkim_verifier *verifier, size_t ticket,
                          const struct dns_answer *answer,
                          struct dkim_keycache *cache);

/* True while a question that was asked has no answer. */
bool dkim_verifier_waits(const struct dkim_verifier *verifier);

/* What has no answer yet is TROUBLE, and is not asked for any more. */
void dkim_verifier_give_up(struct dkim_verifier *verifier);

/* The body hashes that are needed for the signatures that can still pass. */
struct dkim_bodies;

enum dkim_bodies_use {
    DKIM_BODIES_VERIFY,
    DKIM_BODIES_VERIFY_AND_SIGN, /* the relaxed one in any case */
};
/* NULL: memory is gone, or OpenSSL failed. */
struct dkim_bodies *dkim_bodies_new(const struct dkim_verifier *verifier,
                                    enum dkim_bodies_use use);
/* False if there is nothing to hash: the body need not be read. */
bool dkim_bodies_wanted(const struct dkim_bodies *bodies);
bool dkim_bodies_update(struct dkim_bodies *bodies, struct slice octets);
/* relaxed: for dkim_sign, where it was wanted; or NULL. */
bool dkim_bodies_finish(struct dkim_bodies *bodies, unsigned char relaxed[32]);
void dkim_bodies_free(struct dkim_bodies *bodies);

/* Judge. bodies NULL, or one that failed: what needs them is TROUBLE. */
void dkim_verifier_check(struct dkim_verifier *verifier,
                         const struct dkim_bodies *bodies);

/* ---- what came out ----------------------------------------------------- */

/* Signature fields, examined or not, and the n-th of them from the top. Its
 * slices live until the next call. */
size_t dkim_verifier_count(const struct dkim_verifier *verifier);
struct dkim_signature dkim_verifier_signature(struct dkim_verifier *verifier,
                                              size_t n);

/* The examined ones, from the top: how many were stored. */
size_t dkim_verifier_examined(const struct dkim_verifier *verifier,
                              struct dkim_signature *signatures, size_t max);

/* True if a signature may pass once DNS answers. */
bool dkim_verifier_is_open(const struct dkim_verifier *verifier);

/* Why nothing passed, in one word for `verified=none(WORD)`: of the signature
 * that came first in the order of examination. REASON_NONE: one passed. */
enum dkim_reason dkim_verifier_why(const struct dkim_verifier *verifier);

#endif
