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

#include "conn.h"
#include "relay.h"

struct daemon;

struct listener {
    struct daemon *daemon;
    int fd; /* -1: closed */
    uv_poll_t poll;
    enum conn_kind kind;
    struct conf_listener conf; /* as at start: only a restart changes it */
    struct arena arena;        /* of conf */
    struct relay_counters *counters;
    size_t active; /* its sessions */
    bool paused;
    char *made; /* path of a unix socket that we made; or NULL */
    uint64_t made_device, made_inode;
};

/* All of the configuration's listeners, and the socketmap server. False: each
 * that could not be bound has a line in errors. */
bool listeners_bind(struct daemon *daemon, struct buf *errors);
bool listeners_listen(struct daemon *daemon, struct buf *errors);

/* Are they still what the configuration says? */
bool listeners_match(const struct daemon *daemon, const struct conf *conf);

/* A session or a connection is gone: those that paused go on. */
void listeners_wake(struct daemon *daemon);

void listeners_close(struct daemon *daemon);
void listeners_free(struct daemon *daemon);

#endif
