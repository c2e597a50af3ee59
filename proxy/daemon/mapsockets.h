/* The sockets and the timer of a socketmap client (lib/service/mapclient.h). */
#ifndef ONWARD_MAPSOCKETS_H
#define ONWARD_MAPSOCKETS_H

#include "conn.h"
#include "service.h"

struct mapsockets {
    struct loop *loop;
    struct mapclient *client;
    uv_timer_t timer;
};

void mapsockets_open(struct mapsockets *sockets, struct loop *loop);
/* When nothing is asked any more; also from within the last answer. Free after
 * the loop has ended. */
void mapsockets_close(struct mapsockets *sockets);
void mapsockets_free(struct mapsockets *sockets);

#endif
