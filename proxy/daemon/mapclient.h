/*
 * A client of socketmap servers: a few connections to each server, one request
 * at a time on each, two seconds for an answer, from the moment of asking.
 */
#ifndef ONWARD_MAPCLIENT_H
#define ONWARD_MAPCLIENT_H

#include "conn.h"
#include "table.h"

#include <sys/queue.h>

struct daemon;
struct mapclient;
struct map_server;
struct map_channel;

/* Embedded in what the asker keeps; it lives until on_answer. */
struct map_question {
    void *ctx;
    /* Once; also from within mapclient_ask. value lives for the call. */
    void (*on_answer)(struct map_question *question, enum table_status status,
                      struct slice value);
    /* The client's own. */
    struct map_server *server;
    struct map_channel *channel; /* that it was sent on; NULL: waits */
    struct buf request;          /* a netstring */
    uint64_t deadline;
    bool tried_again;
    TAILQ_ENTRY(map_question) waiting; /* of its server */
    TAILQ_ENTRY(map_question) pending; /* all, by deadline */
};

struct mapclient *mapclient_open(struct daemon *daemon);
void mapclient_ask(struct mapclient *client, struct map_question *question,
                   const struct table_query *query);
/* When nothing is asked any more. Free after the loop has ended. */
void mapclient_close(struct mapclient *client);
void mapclient_free(struct mapclient *client);

#endif
