/*
 * Asking socketmaps for sessions: a cache (60 s; misses 5 s), and one question
 * for however many sessions wait for its answer. Whatever goes wrong is
 * TABLE_ERROR, never "not found". The network is mapclient's.
 */
#ifndef ONWARD_LOOKUP_H
#define ONWARD_LOOKUP_H

#include "link.h"

struct daemon;
struct lookups;

struct lookups *lookups_open(struct daemon *daemon);

/* link_looked_up follows, always, from the loop. */
void lookups_ask(struct lookups *lookups, const struct table_query *query,
                 struct link *link);

/* Drop what is cached: the configuration was reloaded. */
void lookups_forget(struct lookups *lookups);

/* When no session is left. Free after the loop has ended. */
void lookups_close(struct lookups *lookups);
void lookups_free(struct lookups *lookups);

#endif
