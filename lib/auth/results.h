/*
 * What we write about the authentication of a message, for others and for the
 * log. HELO names, d=, s= and From are octets of strangers: a value is written
 * only if it is a DNS name or a token; what is not is left out.
 */
#ifndef ONWARD_AUTH_RESULTS_H
#define ONWARD_AUTH_RESULTS_H

#include "dkim.h"
#include "dmarc.h"
#include "verdict.h"

struct auth_results {
    struct slice id;         /* authserv-id: our host name */
    const char *spf;         /* word of the result; NULL: not evaluated */
    struct slice spf_domain; /* that the result is about */
    bool spf_is_helo;        /* of HELO: the reverse-path was null */
    bool has_dkim;           /* evaluated */
    const struct dkim_signature *signatures; /* the examined ones */
    size_t signature_count;
    const char *dmarc;        /* word of the result; NULL: not evaluated */
    struct slice author;      /* From's domain */
    const char *dmarc_policy; /* after t=; NULL: none or unknown */
};

/*
 * Append the Authentication-Results field (RFC 8601) with its CRLF, folded so
 * that lines have at most 78 octets where values allow it, and 998 always. No
 * comments and no reasons: parsers of others stumble over them. False: the id
 * is no token, nothing was written.
 */
bool auth_results_print(const struct auth_results *results, struct buf *out);

/* Append "X-Onward-Arrival: WORD; domain=DOMAIN; policy=WORD" CRLF. */
void auth_arrival_print(enum auth_arrival arrival, struct slice domain,
                        enum dmarc_policy policy, struct buf *out);

/* Append the value of verified= in the log: d/s of the signatures that passed,
 * with commas between them, or none(WHY). */
void auth_verified_print(const struct dkim_signature *signatures, size_t count,
                         enum dkim_reason why, struct buf *out);

#endif
