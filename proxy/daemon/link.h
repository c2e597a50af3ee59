/*
 * A link ties one relay session to the client's connection, its upstream
 * connections, its deadline and its jobs (signing, look-ups, the store of long
 * senders). It turns what happens into the session's events, and the session's
 * operations into I/O.
 *
 * After each event the link is settled: events that the operations gave rise
 * to are delivered, buffered octets are offered to the session, output is
 * flushed, and reading is paused or resumed. So an operation never calls back
 * into the session.
 *
 * It is freed when the session has finished and the last handle and job are
 * gone.
 */
#ifndef ONWARD_LINK_H
#define ONWARD_LINK_H

#include "conn.h"
#include "senders.h"
#include "signer.h"
#include "upstreams.h"

struct link;
struct sockaddr;
TAILQ_HEAD(link_list, link);

/* All sessions, and what they use. */
struct links {
    struct loop *loop;
    struct conf *const *conf; /* in force: a new session takes a reference */
    struct relay_shared *shared;
    struct upstreams *upstreams;
    struct lookups *lookups;
    struct senders *senders;
    struct signer *signer;
    void (*on_gone)(void *ctx); /* one of them */
    void *ctx;
    struct link_list all;
    size_t count;
};

/* Where sessions come in. */
struct link_entrance {
    enum conn_kind kind;
    struct conf_listener conf; /* as at start: only a restart changes it */
    struct relay_counters *counters;
    size_t active; /* sessions that came in here */
};

void links_init(struct links *links, struct loop *loop);

/* A session on a connection that was accepted. False: no memory; the
 * descriptor is still the caller's. */
bool link_open(struct links *links, struct link_entrance *entrance, int fd,
               const struct sockaddr *peer, enum relay_welcome welcome);

/* The process stops: 421 to those between transactions. */
void links_drain(struct links *links);
/* Time is up: close everything, without a dot. */
void links_abort(struct links *links);

/* Transactions under way. */
size_t links_busy(const struct links *links);

#endif
