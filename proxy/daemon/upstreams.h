/*
 * Connections to upstream: dialling, and the idle ones that a session has
 * released and the next may take (upstream.idle_timeout).
 *
 * Behind a new connection Postfix may first have to start a process, which on a
 * busy machine takes a second, while connections that have one become free. So
 * a session that waits for the greeting gets what another one releases, and
 * the connection that it waited for is spare: the next session that would
 * have to dial waits for that greeting.
 *
 * A user is a session (link.c) or the probe. What happens to its connection is
 * called back from the loop, never from within upstreams_dial or a function
 * that writes: then `notice` says what the user has to hear after its event.
 */
#ifndef ONWARD_UPSTREAMS_H
#define ONWARD_UPSTREAMS_H

#include "conn.h"
#include "relay.h"

#include <sys/queue.h>

struct daemon;
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
    UPSTREAM_CONNECTING,
    UPSTREAM_OPEN,
    UPSTREAM_IDLE,    /* nobody's; in the pool */
    UPSTREAM_SPARE,   /* nobody's; connected, its greeting is not read yet */
    UPSTREAM_LEAVING, /* QUIT was sent, waiting for it to close */
    UPSTREAM_CLOSED,
};

/* What upstreams_dial found out at once and its user still has to hear. */
enum upstream_notice {
    UPSTREAM_NOTHING,
    UPSTREAM_REUSED, /* it is open, known holds its EHLO */
    UPSTREAM_GREETS, /* it is open, the greeting follows */
    UPSTREAM_FAILED, /* it never will be; upstream_drop it */
};

enum {
    UPSTREAM_ADDRESS_MAX = 128
};

struct upstream {
    struct conn conn;
    uv_connect_t connect;
    struct upstreams *pool;
    const struct upstream_user *user; /* NULL: nobody's */
    void *owner;                      /* of the user */
    unsigned outbound;                /* the user's number for it */
    enum upstream_state state;
    enum upstream_notice notice;
    bool owes_writable; /* the session waits for relay_on_writable */
    bool waits;         /* in the list of those that wait for a greeting */
    bool spare;         /* in the list of those */
    unsigned keep_for;  /* as spare, ms */
    struct smtp_ehlo known;
    char address[UPSTREAM_ADDRESS_MAX]; /* empty: too long, never reused */
    TAILQ_ENTRY(upstream) all;
    TAILQ_ENTRY(upstream) among; /* idle, spare, or those of its user */
    TAILQ_ENTRY(upstream) waiting;
};
TAILQ_HEAD(upstream_list, upstream);

struct upstreams {
    struct daemon *daemon;
    struct upstream_list all;
    struct upstream_list idle;           /* last used first */
    struct upstream_list waiting, spare; /* oldest first */
    size_t count;                        /* all */
    size_t used_count;                   /* those that have a user */
    size_t idle_count;
    bool up;            /* what the last contact said */
    uint64_t contacted; /* when that was, milliseconds; 0: never */
};

void upstreams_init(struct upstreams *pool, struct daemon *daemon);

/*
 * A connection to conf->upstream: an idle one, or a new one within
 * connect_timeout. Its notice is set when there is something to say already;
 * else on_open or on_lost follows.
 */
struct upstream *upstreams_dial(struct upstreams *pool, const struct conf *conf,
                                enum relay_dial how,
                                const struct upstream_user *user, void *owner);

/* Write out what conn_write collected. If that fails, what upstream had to say
 * is still read before on_lost. */
void upstream_flush(struct upstream *up);

/* The user is done with it: none of these calls back. */
void upstream_drop(struct upstream *up); /* close at once, without QUIT */
void upstream_quit(struct upstream *up); /* say QUIT, then close */
void upstream_release(struct upstream *up, const struct smtp_ehlo *ehlo,
                      unsigned idle_timeout);

/* Everything idle says QUIT: the process stops, or upstream.address changed. */
void upstreams_empty(struct upstreams *pool);
/* Everything that nobody uses is closed at once: descriptors are short. */
void upstreams_shed(struct upstreams *pool);

/* Close every connection at once (those of sessions were dropped). */
void upstreams_abandon(struct upstreams *pool);

#endif
