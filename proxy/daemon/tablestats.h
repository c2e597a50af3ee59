/*
 * How often each table was asked, how long that took, and how often its file
 * was taken over: counted by its name in the configuration, over reloads.
 */
#ifndef ONWARD_TABLESTATS_H
#define ONWARD_TABLESTATS_H

#include "conf.h"
#include "status.h"

struct tablestats;

struct tablestats *tablestats_new(void);
void tablestats_free(struct tablestats *stats);

/* Its look-ups are counted from now on. Before sessions get it. */
void tablestats_attach(struct tablestats *stats, struct conf *conf);

/* The answer of a socketmap. */
void tablestats_looked_up(struct tablestats *stats, struct slice spec,
                          enum table_status status, uint64_t nanoseconds);

/* Another configuration is in force: which of its tables are new? */
void tablestats_renewed(struct tablestats *stats, const struct conf *before,
                        const struct conf *after);
/* A file was replaced and could not be read; the table before it stays. */
void tablestats_failed(struct tablestats *stats, const struct conf *conf);

/* They live as long as the stats, and change. */
const struct status_lookups *tablestats_view(const struct tablestats *stats,
                                             size_t *count);

#endif
