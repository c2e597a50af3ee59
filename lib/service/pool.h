/*
 * Connections to upstream: dialling, and the idle ones that a session has
 * released and the next may take (upstream.idle_timeout).
 *
 * Before a new connection is greeted Postfix may first have to start a process,
 * which on a busy machine takes a second, while connections that have one
 * become free. So a session that waits for the greeting gets what another one
 * releases, and the connection that it waited for is spare: the next session
 * that would have to dial waits for that greeting. (The longest envelope of a
 * busy machine: from 1.4 s to 0.2 s.)
 *
 * A user is a session or the probe. What happens to its connection is called
 * back from events, never from within pool_dial or another function that a
 * user calls: then `notice` says what the user has to hear after its event.
 */
#ifndef ONWARD_SERVICE_POOL_H
#define ONWARD_SERVICE_POOL_H

#include "relay.h"

#include <sys/queue.h>

enum {
    POOL_IDLE = 256,         /* idle connections kept */
    POOL_LEAVE_TIME = 2000,  /* how long a QUIT may take, ms */
    POOL_BROKEN_TIME = 1000, /* how long a reply may still come, ms */
    POOL_ADDRESS = 128       /* octets of a text; longer is never reused */
};

struct pool;
struct upstream;

struct upstream_user {
    void (*on_open)(struct upstream *up);
    void (*on_octets)(struct upstream *up, struct slice octets);
    /* The upstream is not the user's any more. */
    void (*on_lost)(struct upstream *up, enum relay_lost how);
    void (*on_sent)(struct upstream *up);
    /* `free` is the user's now, with a notice, in the place of `up`, of which
     * nothing was heard yet. NULL: it wants the one that it has dialled. */
    void (*on_handed)(struct upstream *up, struct upstream *free);
};

enum upstream_state {
    /* Its user's. */
    UPSTREAM_CONNECTING,
    UPSTREAM_GREETING, /* connected, nothing was heard yet */
    UPSTREAM_OPEN,
    UPSTREAM_BROKEN, /* nothing can be written; it may have said why */
    /* Nobody's. */
    UPSTREAM_IDLE, /* greeted, between transactions */
    UPSTREAM_SPARE_CONNECTING,
    UPSTREAM_SPARE,   /* connected, its greeting is not read yet */
    UPSTREAM_LEAVING, /* QUIT was sent, waiting for it to close */
    UPSTREAM_CLOSED,
};
enum {
    UPSTREAM_STATES = UPSTREAM_CLOSED
};

/* What pool_dial found out at once and its user still has to hear. */
enum upstream_notice {
    UPSTREAM_NOTHING,
    UPSTREAM_REUSED, /* it is open, known holds its EHLO */
    UPSTREAM_GREETS, /* it is open, the greeting follows */
    UPSTREAM_FAILED, /* it never will be; pool_drop it */
};

TAILQ_HEAD(upstream_list, upstream);

/* Embedded in what the process keeps of a connection. */
struct upstream {
    struct pool *pool;
    const struct upstream_user *user; /* NULL: nobody's */
    void *owner;                      /* of the user */
    unsigned outbound;                /* the user's number for it */
    enum upstream_state state;
    enum upstream_notice notice;
    bool takes_any;     /* while it connects and is not greeted */
    bool owes_writable; /* the user's own */
    unsigned keep_for;  /* as spare, ms */
    struct smtp_ehlo known;
    char address[POOL_ADDRESS];
    TAILQ_ENTRY(upstream) among;   /* those in its state */
    TAILQ_ENTRY(upstream) of_user; /* the user's own */
};

struct pool_ops {
    /* A new one, connecting: pool_on_connected or _on_lost follows. *failed: it
     * cannot be. */
    struct upstream *(*dial)(void *ctx, const struct conf_address *address,
                             bool *failed);
    void (*quit)(struct upstream *up); /* says QUIT, and reads */
    void (*read)(struct upstream *up);
    void (*hold)(struct upstream *up);
    /* Is nothing there to be read, no octets, no end? Is its end open? */
    bool (*is_quiet)(const struct upstream *up);
    bool (*is_present)(const struct upstream *up);
    bool (*has_unsent)(const struct upstream *up);
    /* pool_on_time after so many milliseconds; 0: not at all. */
    void (*timer)(struct upstream *up, unsigned milliseconds);
    /* No event follows; its memory is the process's again. */
    void (*close)(struct upstream *up);
};

struct pool {
    const struct pool_ops *ops;
    void *ctx;
    const struct log_sink *log;
    struct upstream_list in[UPSTREAM_STATES]; /* the oldest first */
    size_t count[UPSTREAM_STATES];
    bool stopped;
    bool up;            /* what the last contact said */
    uint64_t contacted; /* when that was, milliseconds; 0: never */
};

void pool_init(struct pool *pool, const struct pool_ops *ops, void *ctx,
               const struct log_sink *log);

struct pool_wish {
    const struct conf_address *address;
    unsigned connect_timeout; /* ms */
    enum relay_dial how;
    const struct upstream_user *user;
    void *owner;
    unsigned outbound;
};
/* A connection: an idle one, or a new one. Its notice is set when there is
 * something to say already; else on_open or on_lost follows. */
struct upstream *pool_dial(struct pool *pool, const struct pool_wish *wish,
                           uint64_t now);

/* The user is done with it: none of these calls back. */
void pool_drop(struct upstream *up); /* close at once, without QUIT */
void pool_quit(struct upstream *up); /* say QUIT, then close */
void pool_release(struct upstream *up, const struct smtp_ehlo *ehlo,
                  unsigned idle_timeout);

void pool_empty(struct pool *pool);   /* what is nobody's says QUIT */
void pool_shed(struct pool *pool);    /* ... is closed at once */
void pool_stop(struct pool *pool);    /* empty, and nothing is kept from now */
void pool_abandon(struct pool *pool); /* close all, of users too */
size_t pool_unused(const struct pool *pool); /* connections of nobody */

void pool_on_connected(struct upstream *up, uint64_t now);
void pool_on_refused(struct upstream *up, enum relay_lost how, uint64_t now);
void pool_on_octets(struct upstream *up, struct slice octets);
void pool_on_ended(struct upstream *up);
void pool_on_broken(struct upstream *up);
void pool_on_time(struct upstream *up, uint64_t now);

#endif
