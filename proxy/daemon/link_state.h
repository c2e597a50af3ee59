/*
 * The inside of a link, for its two files: link.c has its life, link_io.c
 * its events, the session's operations, and what follows each event.
 */
#ifndef ONWARD_LINK_STATE_H
#define ONWARD_LINK_STATE_H

#include "link.h"

enum link_state {
    LINK_OPEN,
    LINK_FLUSHING,  /* the session has finished; its last reply goes out */
    LINK_LINGERING, /* our FIN went out; waiting for the client's */
    LINK_CLOSING,   /* handles closing, jobs still running */
};

enum {
    LINK_PEER_MAX = 48
}; /* of an address as text */

struct link {
    struct conn client; /* first: a conn's link is found by a cast */
    struct links *links;
    struct link_entrance *entrance;
    struct relay_session *session;
    struct conf *conf; /* that the session began with */
    struct upstream_list upstreams;
    struct buf input;   /* octets the session has not used yet; */
    size_t input_used;  /* of them, those that it has */
    struct slice fresh; /* of the read under way: not copied yet */
    uv_shutdown_t shutdown;
    enum link_state state;
    unsigned pending; /* handles and jobs */
    bool finished;    /* the session said so */
    bool signed_now;  /* at once: relay_on_signed is to be called */
    bool client_told; /* relay_on_client_lost was called */
    bool deadline_set;
    bool deadline_due;        /* it has passed, but the sockets come first */
    char peer[LINK_PEER_MAX]; /* the session's view of it */
    TAILQ_ENTRY(link) all;
    struct later later;
    struct lookup lookup;
};

extern const struct relay_ops link_ops;
extern const struct upstream_user link_upstream_events;

/* Jobs are done; each was counted in pending. */
void link_signed(void *link);
void link_stored(void *link, const struct table_answer *answer);

/* The session has not finished. */
bool link_is_live(const struct link *link);

void link_on_deadline(struct link *link);
void link_settle(struct link *link);
void link_settle_later(struct link *link); /* in this round of the loop */
/* Keep what the session did not use of a read: the scratch is somebody
 * else's next. */
void link_keep_fresh(struct link *link);
/* The session has finished: its last reply goes out, then all is closed. */
void link_finish(struct link *link);

#endif
