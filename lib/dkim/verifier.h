/* One message in verification, for the files of this directory. */
#ifndef ONWARD_DKIM_VERIFIER_H
#define ONWARD_DKIM_VERIFIER_H

#include "pubkey.h"
#include "signature.h"

enum {
    DKIM_KEYS_MAX = 3, /* records under one name that are tried (6.1.2) */
};

/* How near the domain of a signature is to From's. */
enum dkim_rank {
    DKIM_RANK_SAME,
    DKIM_RANK_RELATED, /* two labels at the end are the same: may align */
    DKIM_RANK_OTHER,
};

struct dkim_examined {
    struct dkim_parsed parsed;
    size_t place; /* among the signature fields, from the top */
    enum dkim_rank rank;
    size_t asker; /* the one that asks for the key: the first of its name */
    bool asked, answered;
    enum dkim_reason answer; /* REASON_NONE: there are keys */
    struct dkim_pubkey *keys[DKIM_KEYS_MAX];
    size_t key_count;
    enum dkim_result result;
    enum dkim_reason reason;
    unsigned bits;
};

struct dkim_verifier {
    const struct mail_header *header;
    int64_t now;
    enum dkim_extent extent;
    bool one_author;
    size_t total;                   /* signature fields */
    uint32_t *fields;               /* where they are in the header */
    struct dkim_examined *examined; /* in the order of examination */
    size_t count, max;
    struct dkim_parsed scratch; /* of one that is not examined */
    char scratch_question[DKIM_DOMAIN_MAX];
};

/* REASON_NONE if the signature has a key to try. */
enum dkim_reason dkim_judge_keys(const struct dkim_examined *one);
/* The same for one key. */
enum dkim_reason dkim_judge_key(const struct dkim_pubkey *key,
                                const struct dkim_parsed *parsed);

enum {
    DKIM_CANONS = 2
};

struct dkim_bodies {
    struct dkim_body *body[DKIM_CANONS]; /* NULL: not wanted */
    unsigned char hash[DKIM_CANONS][32];
    bool finished;
};

#endif
