/* DNS for the commands: blocking, many questions at once. The daemon asks no
 * DNS on the way of a message. */
#ifndef ONWARD_DNS_H
#define ONWARD_DNS_H

#include "conf.h"

enum dns_type {
    DNS_TXT,
    DNS_MX,
    DNS_CNAME
};

enum dns_status {
    DNS_FOUND,
    DNS_NONE,    /* no such name, or nothing of that type */
    DNS_TROUBLE, /* no answer, or none that can be read; `why` says more */
};

struct dns_query {
    const char *name; /* in */
    enum dns_type type;
    enum dns_status status; /* out, from here on in the arena */
    const char *why;
    struct slice *records; /* TXT: the strings of one record joined; MX: the
                            * hosts; CNAME: the target, one */
    size_t count;
};

/*
 * Ask all of them: dns.servers, or else the resolvers of the system. Each has
 * dns.timeout, with one repetition in it.
 */
void dns_ask(const struct conf *conf, struct dns_query *queries, size_t count,
             struct arena *arena);

#endif
