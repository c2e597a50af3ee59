/*
 * One look at upstream: greeting, EHLO, QUIT. At start, so that our own EHLO
 * can be the intersection with what upstream offers; and while nobody else
 * does, for whoever asks how it is.
 */
#ifndef ONWARD_PROBE_H
#define ONWARD_PROBE_H

#include "upstreams.h"

struct probe;

struct prober {
    struct upstreams *upstreams;
    struct conf *const *conf;    /* in force */
    struct relay_shared *shared; /* what is learnt goes here */
    struct probe *probe;         /* under way, or NULL */
};

/* on_done (or NULL) is called once, from the loop, at most `limit` milliseconds
 * later. */
void probe_start(struct prober *prober, unsigned limit,
                 void (*on_done)(void *ctx), void *ctx);

/* Without on_done, if one is under way. */
void probe_stop(struct prober *prober);

#endif
