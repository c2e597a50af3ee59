/*
 * The domain name system as questions and answers (RFC 1034, 1035, 2308).
 *
 * An evaluator (SPF, DMARC, DKIM verification) names a question and is given
 * the answer later; it does not know where answers come from. Nothing here
 * waits or reads a clock.
 */
#ifndef ONWARD_DNS_H
#define ONWARD_DNS_H

#include "base.h"

/* Types of records, with their numbers on the wire. */
enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
};

struct dns_question {
    struct slice name; /* ASCII lower case, no final dot */
    enum dns_type type;
};

enum dns_status {
    DNS_FOUND,   /* at least one record of the type that was asked for */
    DNS_NO_DATA, /* the name exists, without records of this type */
    DNS_NO_NAME, /* the name does not exist (NXDOMAIN) */
    DNS_TROUBLE, /* no usable answer: time-out, SERVFAIL, malformed, refused */
};

/* One record of an answer. Which member counts follows from the type. */
struct dns_record {
    unsigned preference; /* MX */
    struct slice name;   /* MX, PTR, CNAME: lower case, no final dot; the MX
                          * of RFC 7505 that is "." has length 0 */
    struct slice text;   /* TXT: its strings joined without a blank */
    unsigned char address[16]; /* A: the first 4 octets; AAAA: all */
};

/*
 * The answer to a question, CNAMEs followed. Records are there with DNS_FOUND
 * alone and in the order of the message. Memory: whoever made the answer; it
 * has to live for the call it is passed to.
 */
struct dns_answer {
    enum dns_status status;
    const struct dns_record *records;
    size_t count;
    uint32_t ttl; /* seconds: the least of the records and CNAMEs used */
};

#endif
