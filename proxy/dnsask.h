/* DNS for the commands: blocking, many questions at once. */
#ifndef ONWARD_DNSASK_H
#define ONWARD_DNSASK_H

#include "conf.h"
#include "dns.h"

enum {
    DNS_RECORDS_KEPT = 100 /* that are kept of one answer */
};

struct dns_query {
    const char *name;       /* in */
    enum dns_type type;     /* TXT, MX or CNAME */
    enum dns_status status; /* out, from here on in the arena */
    const char *why;        /* more about TROUBLE */
    struct slice *records;  /* TXT: the strings of one record joined; MX: the
                             * hosts; CNAME: the target, one */
    size_t count;
};

/*
 * Ask all of them: dns.servers, or else the resolvers of the system. Each has
 * dns.timeout, with one repetition in it.
 */
void dns_ask(const struct conf *conf, struct dns_query *queries, size_t count,
             struct arena *arena);

/* A question of any type, and its answer in the arena. */
struct dns_wanted {
    struct dns_question question; /* in */
    struct dns_answer answer;
};

/* The same for these. conf NULL: the resolvers of the system, 3 s. */
void dns_ask_any(const struct conf *conf, struct dns_wanted *wanted,
                 size_t count, struct arena *arena);

#endif
