/*
 * An upstream for one relay session that takes everything, but where its rules
 * say otherwise ("RCPT PATTERN REPLY", "DOT N REPLY"...; see
 * t/data/forwarding/README). It writes down each transaction that it accepted.
 */
#ifndef ONWARD_RELAY_SCRIPTED_H
#define ONWARD_RELAY_SCRIPTED_H

#include "relay_world.h"

enum {
    SCRIPTED_CONNECTIONS = 8
};

struct scripted {
    struct world *world;
    struct buf rules;     /* one a line */
    struct slice content; /* what the client sends as message */
    bool changed;         /* a message was not that, with fields above it */
    struct buf seen;      /* MAIL, RCPT... and "+ FIELDS", one a line */
    struct buf sender;    /* of the last MAIL */
    struct buf stored;    /* the last long sender */
    unsigned dots;
    struct scripted_connection {
        bool open, in_content;
        unsigned slot; /* of the world */
        struct buf verbs;
        struct buf envelope;
    } connections[SCRIPTED_CONNECTIONS];
    unsigned connection_count;
};

/* Answer what the session has sent, until it sends no more. */
void scripted_serve(struct scripted *up);

void scripted_free(struct scripted *up);

#endif
