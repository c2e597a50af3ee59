/*
 * The domain name system (RFC 1034, 1035, 2308): questions and answers,
 * packets, a zone in a file, a cache, and the resolver that joins them.
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
    bool alias;   /* the name that was asked for is a CNAME: it exists, also
                   * where its target does not (DNS_NO_NAME) */
};

enum {
    DNS_NAME_MAX = 253, /* octets of a name in text, without the final dot */
    DNS_LABEL_MAX = 63,
    DNS_CHAIN_MAX = 8, /* CNAMEs that are followed for one answer */
};

/*
 * True if the name can be asked for: labels of 1 to 63 octets of any kind,
 * with dots between them, at most DNS_NAME_MAX octets. A dot within a label
 * has no form here: records that name such a host are left out of answers.
 */
bool dns_name_is_askable(struct slice name);

bool dns_question_equal(const struct dns_question *a,
                        const struct dns_question *b);

/* ---- packets (RFC 1035, 4; RFC 2308; RFC 6891) -------------------------- */

enum {
    DNS_QUERY_MAX = 12 + 255 + 4 + 11, /* octets of a query of ours */
    DNS_UDP_MAX = 1232,     /* octets of an answer that a query by UDP allows */
    DNS_RECORDS_MAX = 1000, /* records in the answer section; more: trouble */
};

enum dns_edns {
    DNS_WITH_EDNS, /* an OPT record that allows answers of DNS_UDP_MAX */
    DNS_WITHOUT_EDNS,
};

/*
 * Write the query and return its length. The question is lower case and
 * askable. It wants recursion and the AD bit.
 */
size_t dns_packet_write(uint16_t id, const struct dns_question *question,
                        enum dns_edns edns,
                        unsigned char packet[DNS_QUERY_MAX]);

enum dns_reading {
    DNS_READ_ANSWER,    /* *answer is complete */
    DNS_READ_TRUNCATED, /* TC: to be asked by TCP */
    DNS_READ_FOREIGN,   /* no answer to this query: the wait goes on */
    DNS_READ_NO_EDNS,   /* FORMERR, NOTIMP: to be asked without EDNS */
    DNS_READ_TROUBLE,   /* SERVFAIL, REFUSED, malformed, too much, a server
                         * that does not recurse, memory is gone */
};

/*
 * Read a packet as the answer to the query that was sent with this id and
 * question. Records, names and texts of the answer are in the arena, except
 * with a negative answer, which has none. The TTL of a negative answer is that
 * of RFC 2308, 5: the lesser of the SOA's TTL and its MINIMUM; 0 without SOA.
 */
enum dns_reading dns_packet_read(struct slice packet, uint16_t id,
                                 const struct dns_question *question,
                                 struct arena *arena,
                                 struct dns_answer *answer);

/* ---- a zone in a file (--dns-file) -------------------------------------- */

struct dns_zone;

/*
 * Lines of NAME TYPE DATA: A, AAAA, CNAME, MX (preference and host), PTR, TXT
 * (quoted strings, joined); NAME TIMEOUT or NAME SERVFAIL for every type that
 * the name has no records of; a semicolon begins a comment. Names are read
 * without case, a final dot is optional. An octet is also written \DDD, and a
 * character that means something \C. The text is not needed afterwards. NULL:
 * what is wrong was appended to errors, one "FILE:LINE: sentence" a line.
 */
struct dns_zone *dns_zone_read(struct slice text, struct slice file,
                               struct buf *errors);
void dns_zone_free(struct dns_zone *zone);

/* The answer, CNAMEs followed; its memory is the zone's. A name that has no
 * line does not exist. */
void dns_zone_answer(const struct dns_zone *zone,
                     const struct dns_question *question,
                     struct dns_answer *answer);

/* ---- cache --------------------------------------------------------------- */

/*
 * Answers by question, for as long as they may be kept: records for their TTL,
 * at least a second and at most an hour; a negative answer at most 5 minutes;
 * trouble 5 seconds. `now` is milliseconds of a clock that does not jump.
 *
 * Both bounds always hold. What has to go is chosen by SIEVE (NSDI 2024): an
 * answer that was used again since it was last looked at stays. So a flood of
 * names that are asked for once does not drive out those of every day, as it
 * would with "least recently used".
 */
struct dns_cache;

/* The key makes places in the table unpredictable: random octets. Octets are
 * everything that the cache allocates. */
struct dns_cache *dns_cache_new(size_t entries, size_t octets,
                                const unsigned char key[16]);
void dns_cache_free(struct dns_cache *cache);

/* True if found. The answer's memory is the cache's, until dns_cache_put or
 * the next dns_cache_get; its TTL is that which is left. */
bool dns_cache_get(struct dns_cache *cache, const struct dns_question *question,
                   int64_t now, struct dns_answer *answer);

/* Copies. What is larger than a sixteenth of the octets is not kept, nor is
 * anything while memory is short. */
void dns_cache_put(struct dns_cache *cache, const struct dns_question *question,
                   const struct dns_answer *answer, int64_t now);

struct dns_cache_size {
    size_t entries;
    size_t octets;
};
struct dns_cache_size dns_cache_size(const struct dns_cache *cache);

/* ---- resolver ------------------------------------------------------------ */

/*
 * Questions of many to some name servers, without a socket: packets leave
 * through dns_resolver_ops and come back as events.
 *
 * Each question is out once, however many wait for it. It has `timeout` in
 * all: the servers are asked in turn, those that keep silent again, three
 * times or once each; one that refuses or fails is followed by the next at
 * once. A server that answered while others kept silent is asked first for the
 * next five minutes. A truncated answer is asked for again by TCP, a server
 * that does not know EDNS without it.
 *
 * When three questions in a row ended without a word from any server, all
 * later ones are answered DNS_TROUBLE at once, except one a second, which
 * finds out whether a server is back. Any packet of a server ends that.
 */
struct dns_resolver;

enum dns_transport {
    DNS_UDP,
    DNS_TCP,
};

/* One question at one server. `wire` belongs to the ops. */
struct dns_exchange {
    void *wire;
    unsigned server; /* index, from 0 */
    /* Private to the resolver. */
    struct dns_flight *flight;
    uint16_t id;
    unsigned char state;
    bool plain; /* sent without EDNS */
};

/* Embedded in whatever waits for an answer; all zeroes before. */
struct dns_waiter {
    struct dns_waiter *next, *previous;
    struct dns_flight *flight; /* NULL: it waits for nothing */
};

struct dns_resolver_ops {
    /* Send the packet (without the two octets of length that TCP wants). The
     * same exchange may be sent again: by UDP as a repetition, by TCP after
     * UDP. False: it cannot be sent, now or later. */
    bool (*send)(void *ctx, struct dns_exchange *exchange,
                 enum dns_transport transport, struct slice packet);
    /* No answer to the exchange is wanted any more; it is gone afterwards.
     * Comes for each exchange for which send was called. */
    void (*close)(void *ctx, struct dns_exchange *exchange);
    /* The answer that the waiter waits for, good for the call. This op alone
     * may call dns_resolver_ask and dns_waiter_leave. */
    void (*answered)(void *ctx, struct dns_waiter *waiter,
                     const struct dns_answer *answer);
    /* A question that was out has ended, after `took` milliseconds. */
    void (*measured)(void *ctx, enum dns_status status, int64_t took);
    /* Random and unpredictable: the id of a query. */
    uint16_t (*new_id)(void *ctx);
};

struct dns_resolver_settings {
    unsigned servers;      /* how many there are; 0: every answer is trouble */
    unsigned timeout;      /* milliseconds, for one question in all */
    size_t in_flight;      /* questions out at once; more: trouble */
    size_t entries;        /* of the cache */
    size_t octets;         /* of the cache */
    unsigned char key[16]; /* random */
};

enum {
    DNS_SERVERS_MAX = 8 /* those after are not asked */
};

struct dns_resolver *
dns_resolver_new(const struct dns_resolver_settings *settings,
                 const struct dns_resolver_ops *ops, void *ctx);

/* Everything that waits gets DNS_TROUBLE, all exchanges are closed. */
void dns_resolver_free(struct dns_resolver *resolver);

/*
 * True: *answer is there, until the next call to the resolver. False: the
 * waiter is answered later, by ops->answered, not during this call. The
 * question is copied; one that is not askable has the answer DNS_NO_NAME.
 */
bool dns_resolver_ask(struct dns_resolver *resolver,
                      const struct dns_question *question, int64_t now,
                      struct dns_waiter *waiter, struct dns_answer *answer);

/* The waiter is not answered. Its question goes on, for the cache. */
void dns_waiter_leave(struct dns_waiter *waiter);

void dns_resolver_on_packet(struct dns_resolver *resolver,
                            struct dns_exchange *exchange,
                            enum dns_transport transport, struct slice packet,
                            int64_t now);
/* The exchange cannot be answered: refused, unreachable, closed, no socket. */
void dns_resolver_on_failed(struct dns_resolver *resolver,
                            struct dns_exchange *exchange,
                            enum dns_transport transport, int64_t now);
/* To be called when the time of dns_resolver_deadline has come, or after. */
void dns_resolver_on_deadline(struct dns_resolver *resolver, int64_t now);
int64_t
dns_resolver_deadline(const struct dns_resolver *resolver); /* or
                                                             * INT64_MAX */

struct dns_resolver_view {
    uint64_t cached;   /* questions answered from the cache */
    uint64_t answered; /* records came from a server */
    uint64_t none;     /* a server says: no such name, no such records */
    uint64_t trouble;  /* time-outs, failures, too many questions */
    size_t in_flight;
    struct dns_cache_size cache;
    bool down; /* no server has answered lately */
};
struct dns_resolver_view dns_resolver_view(const struct dns_resolver *resolver);

#endif
