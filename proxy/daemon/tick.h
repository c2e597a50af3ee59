/*
 * What is done every second: look whether tables were replaced; and every two
 * seconds: tell systemd how we are, give memory back. While the HTTP listener
 * is there, upstream is looked at every few seconds when no mail does it, so
 * that /readyz is never older than that.
 */
#ifndef ONWARD_TICK_H
#define ONWARD_TICK_H

#include "http.h"
#include "listener.h"
#include "notify.h"
#include "probe.h"
#include "reload.h"

struct ticker {
    /* Set by the caller. */
    struct loop *loop;
    struct relay_shared *shared;
    struct listeners *listeners;
    struct reload *reload;
    struct prober *prober;
    const struct notify *notify;
    struct http *http; /* NULL: off */
    /* Its own. */
    uv_timer_t timer;
    bool odd;
    uint64_t probed;       /* ms */
    uint64_t transactions; /* answered up to the last tick */
    uint64_t at;           /* when that was, ms */
    uint64_t sessions;     /* seen when memory was last given back */
    struct buf status;     /* as last sent */
};

void tick_open(struct ticker *ticker);
void tick_close(struct ticker *ticker);

#endif
