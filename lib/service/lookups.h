/*
 * Look-ups in socketmaps for sessions: a cache, and one question for however
 * many askers wait for its answer.
 *
 * Found is remembered for 60 s, not found for 5 s, an error not at all; at most
 * 10,000 answers and 4 MiB, the oldest goes first.
 */
#ifndef ONWARD_SERVICE_LOOKUPS_H
#define ONWARD_SERVICE_LOOKUPS_H

#include "mapclient.h"

enum {
    LOOKUPS_TIME_FOUND = 60 * 1000, /* ms */
    LOOKUPS_TIME_MISS = 5 * 1000,
    LOOKUPS_ANSWERS = 10000,
    LOOKUPS_OCTETS = 4 * 1024 * 1024,
};

struct lookups;

/* Embedded in what the asker keeps; it lives until on_answer. */
struct lookup {
    /* Once, and not from within lookups_ask. The answer lives for the call. */
    void (*on_answer)(struct lookup *lookup, const struct table_answer *answer);
    /* Its own. */
    enum table_status status;
    struct buf value; /* a copy, of what was in the cache */
    TAILQ_ENTRY(lookup) next;
};

struct lookups_ops {
    /* lookups_deliver is to be called from the loop, soon. */
    void (*later)(void *ctx);
    /* A question was answered; spec is the table's, as configured. */
    void (*observe)(void *ctx, struct slice spec, enum table_status status,
                    uint64_t milliseconds);
};

struct lookups *lookups_new(struct mapclient *client,
                            const struct lookups_ops *ops, void *ctx);
void lookups_free(struct lookups *lookups); /* when nothing is asked */

/* lookup->on_answer is set. The query's slices are copied. */
void lookups_ask(struct lookups *lookups, struct lookup *lookup,
                 const struct table_query *query, uint64_t now);
void lookups_deliver(struct lookups *lookups);

/* Drop what is cached: the configuration was reloaded. */
void lookups_forget(struct lookups *lookups);

#endif
