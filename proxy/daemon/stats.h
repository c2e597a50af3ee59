/*
 * What is remembered for people who look: an hour of traffic by the minute,
 * the last transactions, durations. And while the HTTP listener is there,
 * upstream is looked at every few seconds when no mail does it, so that
 * /readyz is never older than that.
 */
#ifndef ONWARD_STATS_H
#define ONWARD_STATS_H

#include "status.h"

struct daemon;
struct stats;

struct stats *stats_open(struct daemon *daemon);
/* Once the start probe is done. */
void stats_start(struct stats *stats);
void stats_close(struct stats *stats);
void stats_free(struct stats *stats); /* after the loop has ended */

struct tablestats *stats_tables(struct stats *stats);

/* As it is now; everything in the view lives until the next event or until
 * the arena is freed. */
void stats_view(struct stats *stats, struct arena *arena,
                struct status_view *view);

#endif
