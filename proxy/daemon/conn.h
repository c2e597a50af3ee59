/*
 * One stream, TCP or unix, and a timer: reads, writes that are collected and
 * queued, and what is still unsent, so that its owner can hold back.
 *
 * What conn_write gets during one event goes out with one conn_flush at its
 * end: one segment for each group of replies or commands. Only large pieces
 * are written at once, so that content is not copied when the socket takes
 * it.
 *
 * Errors first: an error while writing is remembered in `broken` and nothing
 * more is written; what the peer has said before may still be read. An error
 * or EOF while reading is on_ended. The owner closes, always, and may free
 * the memory in on_closed.
 */
#ifndef ONWARD_CONN_H
#define ONWARD_CONN_H

#include "loop.h"

enum {
    CONN_LOW = 32 * 1024 /* unsent octets at which on_sent is called */
};

struct conn;

struct conn_events {
    void (*on_octets)(struct conn *conn, struct slice octets);
    /* EOF (0) or an error (UV_E...); no more octets will come. */
    void (*on_ended)(struct conn *conn, int status);
    /* A queued write is done, and little or nothing is left; or it failed
     * (conn->broken). Never called from within conn_write or conn_flush. */
    void (*on_sent)(struct conn *conn);
    void (*on_time)(struct conn *conn); /* what conn_timer asked for */
    void (*on_closed)(struct conn *conn);
};

struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_timer_t timer;
    const struct conn_events *events;
    struct loop *loop;
    unsigned handles; /* not closed yet: the stream and the timer */
    struct buf out;   /* collected during this event */
    bool reading;
    bool ended;  /* on_ended was called */
    bool broken; /* a write failed */
};

enum conn_kind {
    CONN_TCP,
    CONN_UNIX
};

void conn_init(struct conn *conn, enum conn_kind kind, struct loop *loop,
               const struct conn_events *events);

/* Take over a connected socket; if that fails it was closed. */
bool conn_adopt(struct conn *conn, int fd);
/* Connected: nothing is held back to make larger segments. */
void conn_no_delay(struct conn *conn);

void conn_read(struct conn *conn);
void conn_hold(struct conn *conn); /* stop reading for now */

void conn_write(struct conn *conn, struct slice octets);
void conn_flush(struct conn *conn);

/* The same at once: what was collected, and these octets behind it. */
void conn_send(struct conn *conn, struct slice octets);
/* Octets of a file, without a copy of ours: how many the socket takes now.
 * 0: none, or it has an error, or something stands before them; conn_write
 * says which. */
size_t conn_send_file(struct conn *conn, int fd, uint64_t offset,
                      size_t length);
size_t conn_unsent(const struct conn *conn);

/* Is the peer still there: no FIN and no reset, read or unread? */
bool conn_peer_present(const struct conn *conn);

/* Nothing to read now: no octets, no EOF, no error? */
bool conn_is_quiet(const struct conn *conn);

/* on_time after so many milliseconds, once; 0: not at all. */
void conn_timer(struct conn *conn, unsigned milliseconds);

/* Closes at once; what is unsent is lost. on_closed follows. */
void conn_close(struct conn *conn);

#endif
