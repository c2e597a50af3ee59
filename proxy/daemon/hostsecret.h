/*
 * The secret of a host that has no SRS secret: 32 random octets, made once, in
 * DIRECTORY/host.secret. Loop marks and hashed addresses in the log are keyed
 * from it, so a loop is known again after a restart, and what one host wrote
 * nobody else can compute. (Each host of several knows its own marks alone: a
 * loop through all of them ends when it comes to one a second time.)
 */
#ifndef ONWARD_HOSTSECRET_H
#define ONWARD_HOSTSECRET_H

#include "relay.h"

/*
 * secret: random octets; they are written to the file where there is none, and
 * replaced by its content where there is one, so that daemons that share the
 * directory have the same. False: a sentence in why; the secret stays as it
 * was, good for this process.
 */
bool hostsecret_keep(struct slice directory, char secret[RELAY_SECRET],
                     struct buf *why);

#endif
