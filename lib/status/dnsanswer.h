/*
 * What the commands read in a DNS answer themselves (RFC 1035, section 4):
 * the target of an alias. For everything else c-ares has a reader.
 */
#ifndef ONWARD_STATUS_DNSANSWER_H
#define ONWARD_STATUS_DNSANSWER_H

#include "base.h"

enum dns_cname_answer {
    DNS_ANSWER_FOUND,
    DNS_ANSWER_NONE, /* no CNAME in it */
    DNS_ANSWER_BAD,  /* no message of DNS, or a damaged one */
};

/*
 * The first CNAME of the answer section. The name is appended to target
 * without its final dot, as zone files write it: a dot within a label and a
 * backslash behind a backslash, what cannot be printed as \DDD. Nothing is
 * appended unless found.
 */
enum dns_cname_answer dns_answer_cname(struct slice message,
                                       struct buf *target);

#endif
