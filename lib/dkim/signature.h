/* One DKIM-Signature field as it was read, for the files of this directory. */
#ifndef ONWARD_DKIM_SIGNATURE_H
#define ONWARD_DKIM_SIGNATURE_H

#include "dkim.h"

enum {
    DKIM_NAMES_MAX = 1000,     /* in h= */
    DKIM_CLOCK_SKEW = 300,     /* seconds that t= may be ahead */
    DKIM_SIGNATURE_MAX = 1024, /* octets of b=: RSA of 8192 bits */
};

/*
 * Domain and selector are parts of `question`, which is in memory that the
 * caller gave; see the functions. The slices point into the field.
 */
struct dkim_parsed {
    struct mail_field field;
    enum dkim_reason reason; /* REASON_NONE: the field is in order */
    char *question;          /* SELECTOR._domainkey.DOMAIN */
    unsigned char question_len, selector_len, domain_len;
    unsigned char b_start_len;
    char b_start[DKIM_B_START];
    struct slice algorithm_word;
    enum dkim_algorithm algorithm;
    enum dkim_canon header_canon, body_canon;
    struct slice names; /* h= */
    struct slice b;
    struct slice b_whole; /* with the white space around it */
    unsigned char body_hash[32];
    bool has_limit; /* l= */
    uint64_t limit;
    bool below_domain; /* i= is in a domain below d= */
    int64_t made;      /* t=; 0: none */
    int64_t expires;   /* x=; 0: never */
};

/*
 * Read a field. What is wrong with it becomes `reason`; domain, selector and
 * algorithm are there for as far as they could be read.
 */
void dkim_signature_parse(const struct mail_field *field, int64_t now,
                          char question[DKIM_DOMAIN_MAX],
                          struct dkim_parsed *parsed);

struct slice dkim_parsed_domain(const struct dkim_parsed *parsed);
struct slice dkim_parsed_selector(const struct dkim_parsed *parsed);
struct slice dkim_parsed_question(const struct dkim_parsed *parsed);

/* ---- the digest that is signed ----------------------------------------- */

/* The header, sorted so that an instance of a name is found in few steps. */
struct dkim_fields {
    const struct mail_header *header;
    uint64_t *order; /* hash of the name << 32 | index, names together */
    uint32_t *taken; /* instances that h= has asked for, at the first entry of
                      * each name */
};

bool dkim_fields_index(const struct mail_header *header,
                       struct dkim_fields *fields);
void dkim_fields_free(struct dkim_fields *fields);

/* SHA-256 over the fields that h= names and the signature field itself with an
 * empty b= (RFC 6376, 3.7). False: OpenSSL failed or memory is gone. */
bool dkim_signed_digest(const struct dkim_fields *fields,
                        const struct dkim_parsed *parsed,
                        unsigned char digest[32]);

#endif
