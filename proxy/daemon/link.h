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
#include "relay.h"

#include <sys/queue.h>

struct daemon;
struct link;
struct listener;
TAILQ_HEAD(link_list, link);

/* A session on a connection that was accepted. False: no memory; the
 * descriptor is still the caller's. */
struct sockaddr;
bool link_open(struct daemon *daemon, struct listener *listener, int fd,
               const struct sockaddr *peer, enum relay_welcome welcome);

/* The process stops: 421 to those between transactions. */
void link_drain_all(struct daemon *daemon);
/* Time is up: close everything, without a dot. */
void link_abort_all(struct daemon *daemon);

/* Transactions under way. */
size_t link_busy_count(const struct daemon *daemon);

/* For the parts that run a link's jobs. */
void link_job_started(struct link *link);
void link_signed(void *link);
void link_stored(struct link *link, const struct table_answer *answer);

#endif
