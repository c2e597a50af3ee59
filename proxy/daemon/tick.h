/*
 * What is done every second: look whether tables were replaced; and every two
 * seconds: tell systemd how we are, give memory back.
 */
#ifndef ONWARD_TICK_H
#define ONWARD_TICK_H

#include "base.h"

#include <uv.h>

struct daemon;

struct ticker {
    uv_timer_t timer;
    bool odd;
    uint64_t transactions; /* answered up to the last tick */
    uint64_t at;           /* when that was, ms */
    uint64_t sessions;     /* seen when memory was last given back */
    struct buf status;     /* as last sent */
};

void tick_open(struct daemon *daemon);
void tick_close(struct daemon *daemon);

/* "12 sessions, 4.1 msg/s, upstream up, 1,043,221 aliases (2 min old)" */
void tick_status(struct daemon *daemon, double rate, struct buf *out);

#endif
