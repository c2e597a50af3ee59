/*
 * The store of long senders (srs.long_sender = "store"): an LMDB file in
 * state_directory, bounded in size and age. Requests run on the thread pool,
 * because they wait for the disk.
 */
#ifndef ONWARD_SENDERS_H
#define ONWARD_SENDERS_H

#include "loop.h"

struct senders;
struct senderstore;

/* A problem is logged; requests are then answered TABLE_ERROR. */
struct senders *senders_open(struct loop *loop, const struct conf *conf);

/* on_stored follows, always, from the loop. conf: how long senders are kept. */
void senders_ask(struct senders *senders, const struct relay_store_query *query,
                 const struct conf *conf,
                 void (*on_stored)(void *ctx,
                                   const struct table_answer *answer),
                 void *ctx);

/* The configuration was reloaded: opens the store if it is wanted now. */
void senders_reopen(struct senders *senders, const struct conf *conf);

/* For others that ask it: it blocks. NULL: it is not open. */
struct senderstore *senders_store(const struct senders *senders);
/* How long a sender is kept from its last use. */
int64_t senders_keep_seconds(const struct conf *conf);

void senders_close(struct senders *senders);

#endif
