/*
 * One look at upstream: greeting, EHLO, QUIT. At start, so that our own EHLO
 * can be the intersection with what upstream offers.
 */
#ifndef ONWARD_PROBE_H
#define ONWARD_PROBE_H

#include "daemon.h"

/* on_done is called once, from the loop, at most `limit` milliseconds later.
 * What was learnt is in daemon->shared.upstream. */
void probe_start(struct daemon *daemon, unsigned limit,
                 void (*on_done)(struct daemon *daemon));

/* Without on_done, if one is under way. */
void probe_stop(struct daemon *daemon);

#endif
