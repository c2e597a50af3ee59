/*
 * Sender Policy Framework (RFC 7208, with its errata; RFC 8616): may this
 * client send mail in the name of this domain?
 *
 * An evaluation is a machine without a clock: it names one question at a time
 * and goes on with the answer. It ends: at most ten terms ask, each at most
 * eleven times. How long answers may take is for the caller to say: DNS_TROUBLE
 * in place of an answer makes the result temperror.
 *
 * The text that exp= leads to is not asked for: it would be a stranger's words
 * in our replies.
 */
#ifndef ONWARD_AUTH_SPF_H
#define ONWARD_AUTH_SPF_H

#include "base.h"
#include "dns.h"

enum spf_result {
    SPF_NONE,
    SPF_NEUTRAL,
    SPF_PASS,
    SPF_FAIL,
    SPF_SOFTFAIL,
    SPF_TEMPERROR,
    SPF_PERMERROR,
};

const char *spf_result_word(enum spf_result result); /* as RFC 7208 has it */

enum spf_identity {
    SPF_MAILFROM,
    SPF_HELO,
};

struct spf_client {
    unsigned char address[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
    struct slice helo;         /* as the client said it */
    struct slice local;        /* of the reverse-path, without quotes */
    struct slice domain;       /* of the reverse-path; empty: the null path,
                                * which is judged as postmaster@HELO */
};

enum {
    SPF_TERMS_MAX = 10, /* terms that ask DNS (RFC 7208, 4.6.4) */
    SPF_VOID_MAX = 2,   /* terms that ask for what there is not */
    SPF_NAMES_MAX = 10, /* hosts of one mx, names of the client */
    /* Questions of one evaluation: its record, and for each term one question
     * and the addresses of ten hosts; the names of the client once. */
    SPF_QUESTIONS_MAX = 1 + SPF_TERMS_MAX * (1 + SPF_NAMES_MAX),
};

struct spf_verdict {
    enum spf_result result;
    enum spf_identity identity;
    struct slice domain;    /* of the identity, A-labels, lower case; octets of
                             * a stranger when the result is none */
    struct slice mechanism; /* that matched, as written, without its qualifier;
                             * empty: none did */
    struct slice path;      /* the same with the include and redirect terms
                             * that led to it: "include:a.example -> ip4:..." */
    const char *problem;    /* a sentence for none, temperror and permerror */
    struct slice about;     /* the name or term that the problem is about */
    unsigned terms;         /* that asked DNS, of SPF_TERMS_MAX */
    unsigned voids;         /* of them, those that found nothing */
    unsigned questions;     /* asked in all */
    bool anybody; /* the mechanism matches every client: all, ip4:0.0.0.0/0 */
};

struct spf;

/* Copies the client. NULL: memory is gone. */
struct spf *spf_new(const struct spf_client *client);
void spf_free(struct spf *spf);

/*
 * Begin with NULL, then give the answer to the question that the last call
 * returned. Returns the next question, good until the next call; NULL: the
 * evaluation is over.
 */
const struct dns_question *spf_step(struct spf *spf,
                                    const struct dns_answer *answer);

/* After the end; slices are good until spf_free. Octets of mechanism, path and
 * about are printable ASCII. */
const struct spf_verdict *spf_verdict(const struct spf *spf);

#endif
