/*
 * The listeners: bound before the start probe, so that an address in use is
 * an error at once; listening after it. Accepting pauses, with connections
 * waiting in the backlog, while there are too many sessions or too few
 * descriptors.
 */
#ifndef ONWARD_LISTENER_H
#define ONWARD_LISTENER_H

#include "conn.h"
#include "relay.h"

struct daemon;

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct daemon *daemon;
    enum conn_kind kind;
    struct conf_listener conf; /* as at start: only a restart changes it */
    struct arena arena;        /* of conf */
    struct relay_counters *counters;
    bool open;   /* the handle is in use */
    bool paused; /* a connection waits to be accepted */
    char *made;  /* path of a unix socket that we made; or NULL */
};

/* All of the configuration's listeners, and the socketmap server. False: each
 * that could not be bound has a line in errors. */
bool listeners_bind(struct daemon *daemon, struct buf *errors);
bool listeners_listen(struct daemon *daemon, struct buf *errors);

/* Are they still what the configuration says? */
bool listeners_match(const struct daemon *daemon, const struct conf *conf);

/* May this peer speak to us: loopback, unix, or in allow_from? */
bool listener_admits(const struct listener *listener,
                     const struct conn *client);

/* A session or a connection is gone: accept what waited, in the loop's next
 * turn. */
void listeners_wake(struct daemon *daemon);

void listeners_close(struct daemon *daemon);
void listeners_free(struct daemon *daemon);

#endif
