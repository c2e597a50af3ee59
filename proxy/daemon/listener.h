/*
 * The listeners: bound before the start probe, so that an address in use is
 * an error at once; listening after it. Accepting pauses, with connections
 * waiting in the backlog, while there are too many sessions or too few
 * descriptors.
 *
 * We accept ourselves: when descriptors are short libuv would close waiting
 * connections in silence, or turn in a loop of its own.
 */
#ifndef ONWARD_LISTENER_H
#define ONWARD_LISTENER_H

#include "descriptors.h"
#include "link.h"
#include "sockets.h"

struct listener {
    struct listeners *all;
    int fd; /* -1: closed */
    uv_poll_t poll;
    struct link_entrance entrance;
    struct arena arena; /* of its conf */
    bool paused;
    char *made; /* path of a unix socket that we made; or NULL */
    uint64_t made_device, made_inode;
};

struct listeners {
    struct links *links;
    struct descriptors *descriptors;
    struct listener *list;
    size_t count;
    uv_timer_t retry; /* of those that paused */
};

void listeners_init(struct listeners *listeners, struct links *links,
                    struct descriptors *descriptors);

/* All of the configuration's listeners. False: each that could not be bound
 * has a line in errors. */
bool listeners_bind(struct listeners *listeners, struct inherited *inherited,
                    struct buf *errors);
bool listeners_listen(struct listeners *listeners, struct buf *errors);

/* Are they still what the configuration says? */
bool listeners_match(const struct listeners *listeners,
                     const struct conf *conf);

/* A session or a connection is gone: those that paused go on. */
void listeners_wake(struct listeners *listeners);

void listeners_close(struct listeners *listeners); /* may be repeated */
void listeners_end(struct listeners *listeners);   /* and the timer */
void listeners_free(struct listeners *listeners);

#endif
