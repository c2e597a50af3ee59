/*
 * The socketmap server (socketmap.listen), for Postfix' look-ups:
 *
 *   recipient  an existing alias, or a genuine SRS address of ours: the
 *              address itself, so that a Postfix which expands it by mistake
 *              changes nothing. One that a rule rejects with a `reply` is
 *              found too, for the proxy to say so. Anything else is not.
 *   forward    the SRS address of a sender, as PostSRSd 2 names the map.
 *   reverse    the sender of an SRS address of ours; foreign and forged ones
 *              are not found, never an error.
 *
 * Requests of one connection are answered in order, one at a time. What is no
 * netstring, or is too long or too slow, closes the connection; trouble of our
 * own is TEMP. Whoever connects may ask: the address is loopback or a unix
 * socket.
 */
#ifndef ONWARD_MAPSERVER_H
#define ONWARD_MAPSERVER_H

#include "base.h"

struct daemon;
struct inherited;
struct mapserver;

/* NULL without socketmap.listen; also, with a line in errors, when the address
 * cannot be bound. */
struct mapserver *mapserver_open(struct daemon *daemon,
                                 struct inherited *inherited,
                                 struct buf *errors);
bool mapserver_listen(struct mapserver *server, struct buf *errors);

/* Connections end; the loop waits for what is being looked up. NULL is fine,
 * as for mapserver_free. Free after the loop has ended. */
void mapserver_close(struct mapserver *server);
void mapserver_free(struct mapserver *server);

#endif
