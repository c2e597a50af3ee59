/*
 * The world around one relay session, without a socket in it: a configuration
 * in a directory of its own, a client, upstream connections, a log. What the
 * session does is recorded; what a process would deliver from its loop,
 * world_settle delivers.
 */
#ifndef ONWARD_RELAY_WORLD_H
#define ONWARD_RELAY_WORLD_H

#include "relay.h"

enum {
    WORLD_UPSTREAMS = 4
};

struct world_upstream {
    struct buf sent; /* to upstream, not yet looked at */
    enum {
        WORLD_CLOSED,
        WORLD_DIALLED,
        WORLD_OPEN
    } state;
    bool wrote;
};

struct world {
    struct conf *conf;
    struct relay_shared shared;
    struct relay_counters counters[2];
    struct relay_session *session;
    struct relay_time now;
    struct buf from_client; /* not taken yet */
    struct buf to_client;
    struct buf log;
    struct world_upstream up[WORLD_UPSTREAMS];
    struct buf effects; /* one a line: "dialled 0", "dropped 1"... */
    struct relay_sign_job *job;
    bool hold_sign, client_gone, asked, finished;
    unsigned unread; /* bits: octets of that upstream were not delivered yet */
    bool no_srs;     /* the usual groups without srs */
    unsigned deadline;
    unsigned file_calls; /* of file_to_upstream */
    uint64_t file_octets;
    char directory[64];
};

/* A directory of its own; the clock at 2026-01-01. */
void world_begin(struct world *world);

/* A file in it, mode 0640. */
void world_write(const struct world *world, const char *name,
                 struct slice text);

/* A key that signs for a domain (always the same one for all domains). */
void world_key(const struct world *world, const char *domain,
               const char *selector);

/* Load a configuration: the usual groups, but those that the text has itself.
 * @DIR@ in it is the directory. False: *errors says why. */
bool world_load(struct world *world, struct slice text, struct buf *errors);

/* The session; it greets. */
void world_open(struct world *world, struct slice listener,
                enum relay_welcome welcome);

/* Deliver what follows from what the session did, until nothing does. */
void world_settle(struct world *world);

void world_client_says(struct world *world, struct slice octets);
/* Opens the connection if it was dialled. */
void world_upstream_says(struct world *world, unsigned i, struct slice octets);

/* Ends the session, frees all. False: the spool's quota is not back at 0. */
bool world_end(struct world *world);

/* `*` in the pattern stands for anything. */
bool world_matches(struct slice pattern, struct slice text);

#endif
