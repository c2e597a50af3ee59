/* The look-ups of sessions (lib/service/lookups.h), over sockets. */
#ifndef ONWARD_MAPLOOKUPS_H
#define ONWARD_MAPLOOKUPS_H

#include "mapsockets.h"

struct tablestats;

struct maplookups {
    struct mapsockets sockets;
    struct lookups *lookups;
    struct later deliver;
    struct tablestats *stats; /* counts the answers */
};

void maplookups_open(struct maplookups *maps, struct loop *loop,
                     struct tablestats *stats);
/* When no session is left; also from within the last answer. Free after the
 * loop has ended. */
void maplookups_close(struct maplookups *maps);
void maplookups_free(struct maplookups *maps);

#endif
