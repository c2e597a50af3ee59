/* The sockets and timers of the connections to upstream (lib/service/pool.h),
 * and what their users do with them. */
#ifndef ONWARD_UPSTREAMS_H
#define ONWARD_UPSTREAMS_H

#include "conn.h"
#include "service.h"

struct upstreams {
    struct pool pool;
    struct loop *loop;
    /* A connection was closed, or is about to be: a descriptor is free. */
    void (*on_room)(void *ctx);
    void *ctx;
};

void upstreams_init(struct upstreams *upstreams, struct loop *loop);

struct upstream *upstreams_dial(struct upstreams *upstreams,
                                const struct conf *conf,
                                const struct pool_wish *wish);

/* Octets are collected; what is due is written out by upstream_flush. If that
 * fails, what upstream had to say is still read before on_lost. */
void upstream_write(struct upstream *up, struct slice octets);
size_t upstream_send_file(struct upstream *up, int fd, uint64_t offset,
                          size_t length);
void upstream_flush(struct upstream *up);

/* Little is unsent, and more can be written. */
bool upstream_is_writable(const struct upstream *up);
/* Nothing waits to be read there. */
bool upstream_is_quiet(const struct upstream *up);

#endif
