/*
 * socketmap.listen: the sockets of the socketmap server (lib/service/
 * mapserver.h), and what its maps answer (mapquery.h). Whoever connects may
 * ask: the address is loopback or a unix socket.
 */
#ifndef ONWARD_MAPLISTEN_H
#define ONWARD_MAPLISTEN_H

#include "descriptors.h"
#include "local.h"
#include "mapquery.h"

struct maplisten;

/* NULL without socketmap.listen; also, with a line in errors, when the address
 * cannot be bound. needs->client is its own. */
struct maplisten *maplisten_open(const struct mapquery_needs *needs,
                                 struct descriptors *descriptors,
                                 struct inherited *inherited,
                                 struct buf *errors);
bool maplisten_listen(struct maplisten *listen, struct buf *errors);

/* Connections end; the loop waits for what is being looked up. NULL is fine,
 * as for maplisten_free. Free after the loop has ended. */
void maplisten_close(struct maplisten *listen);
void maplisten_free(struct maplisten *listen);

#endif
