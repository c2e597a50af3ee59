/*
 * The text of a record as terms (RFC 7208, 4.6, 5, 6, 12). Nothing is expanded
 * or evaluated here.
 */
#ifndef ONWARD_AUTH_SPFRECORD_H
#define ONWARD_AUTH_SPFRECORD_H

#include "spf.h"

enum spf_kind {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    /* Modifiers. */
    SPF_REDIRECT,
    SPF_EXP,
    SPF_UNKNOWN,
};

struct spf_term {
    enum spf_kind kind;
    enum spf_result qualifier; /* the result if the mechanism matches */
    struct slice text;         /* as written, without its qualifier */
    struct slice spec;         /* its domain-spec; empty: there is none */
    unsigned char address[16]; /* IP6; IP4: the first four octets */
    unsigned prefix4, prefix6; /* lengths of A, MX, IP4, IP6 */
};

/* True if a TXT record is one of SPF, version 1 (4.5). */
bool spf_record_is_ours(struct slice text);

struct spf_record {
    struct slice terms; /* from the first one that has a say about the client:
                         * networks before it, which the client is not in, need
                         * not be read again */
    struct slice redirect; /* the modifier's text; empty: there is none */
    bool has_all;          /* so redirect is ignored */
};

/* Read every term. NULL: the record is in order; else what is wrong, and
 * *about is the term. */
const char *spf_record_read(struct slice text, const unsigned char client[16],
                            struct spf_record *record, struct slice *about);

/* The client is in the network: four octets and prefix4 for a client of IPv4,
 * sixteen and prefix6 for one of IPv6. */
bool spf_is_in(const unsigned char client[16], const unsigned char *network,
               unsigned prefix4, unsigned prefix6);

/* The term is ip4 or ip6, and the client is in its network. */
bool spf_network_matches(const struct spf_term *term,
                         const unsigned char client[16]);

/*
 * The next term of *rest, which is left after it; false: there is none. *why
 * is NULL if the term is in order.
 */
bool spf_term_next(struct slice *rest, struct spf_term *term, const char **why);

#endif
