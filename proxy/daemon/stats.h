/*
 * What is remembered for people who look: an hour of traffic by the minute,
 * the last transactions, durations.
 */
#ifndef ONWARD_STATS_H
#define ONWARD_STATS_H

#include "listener.h"
#include "logsink.h"
#include "reload.h"
#include "status.h"

struct stats;

/* What a view shows. */
struct stats_sources {
    int64_t started; /* seconds since 1970 */
    const struct relay_shared *shared;
    const struct listeners *listeners;
    const struct pool *pool;
    const struct reload *reload;
    const struct logsink *logsink;
};

struct stats *stats_new(const struct stats_sources *sources);
void stats_free(struct stats *stats);

/* Observers of sessions (relay_shared) and of the signer. */
void stats_on_transaction(void *stats, const struct relay_summary *summary);
void stats_on_signed(void *stats, uint64_t nanoseconds);

struct tablestats *stats_tables(struct stats *stats);

/* As it is now; everything in the view lives until the next event or until
 * the arena is freed. */
void stats_view(struct stats *stats, struct arena *arena,
                struct status_view *view);

#endif
