/*
 * A resolver whose wire is a recorder, for the tests of it: what is sent is
 * kept, answers are made, time passes.
 */
#ifndef ONWARD_DNS_WORLD_H
#define ONWARD_DNS_WORLD_H

#include "dns.h"

enum {
    DNS_SENT_MAX = 4000,
    DNS_ASKERS = 1200,
};

struct dns_sent {
    struct dns_exchange *exchange; /* NULL: closed */
    unsigned server;
    enum dns_transport transport;
    unsigned char packet[DNS_QUERY_MAX];
    size_t len;
};

struct dns_asker {
    struct dns_waiter waiter;
    struct dns_world *world;
    bool answered;
    enum dns_status status;
    unsigned char address;
    struct dns_asker *leaves; /* when this one is answered */
    const char *asks;         /* the same */
};

struct dns_world {
    struct dns_resolver *resolver;
    struct dns_sent sent[DNS_SENT_MAX];
    size_t sent_count, open;
    unsigned refuses; /* servers, as bits, to which nothing can be sent */
    int64_t now;
    uint16_t id;
    size_t measured;
    struct dns_asker askers[DNS_ASKERS];
};

/* Servers, 3 seconds for a question, 1,000 questions at once. */
struct dns_world *dns_world_new(unsigned servers);
void dns_world_free(struct dns_world *w);

/* An address is asked for. */
void dns_world_ask(struct dns_world *w, struct dns_asker *asker,
                   const char *name);

/* Time passes, with every deadline on the way. */
void dns_world_wait(struct dns_world *w, int64_t milliseconds);

#define OK "\x81\x80"
#define SERVFAIL "\x81\x82"
#define NXDOMAIN "\x81\x83"
#define FORMERR "\x81\x81"
#define TRUNCATED "\x83\x80"

/* Answer what was sent as the i-th: with these flags, and with the address
 * 192.0.2.N if N is not 0. */
void dns_world_reply(struct dns_world *w, size_t i, const char *flags,
                     unsigned char address);

bool dns_sent_has_edns(const struct dns_sent *sent);

#endif
