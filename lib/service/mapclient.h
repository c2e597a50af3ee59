/*
 * A client of socketmap servers: a few connections (channels) to each server,
 * one question at a time on each, two seconds for an answer from the moment of
 * asking. Whatever goes wrong is TABLE_ERROR, never "not found".
 *
 * Answers are given at the end of an event, when nothing is half done: the
 * asker may ask again at once. None is given from within mapclient_ask.
 *
 * Answers of the protocol do not say what they answer. So that none is taken
 * for another's, a channel is closed when its question has run out of time,
 * when more is said than was asked, and when something waits to be read there
 * before the next question. (A server that says an answer twice, the second
 * time after the next question, cannot be told from one that answers that.)
 */
#ifndef ONWARD_SERVICE_MAPCLIENT_H
#define ONWARD_SERVICE_MAPCLIENT_H

#include "conf.h"

#include <sys/queue.h>

enum {
    MAPCLIENT_CHANNELS = 4,          /* to one server */
    MAPCLIENT_ANSWER_TIME = 2000,    /* ms, from the moment of asking */
    MAPCLIENT_IDLE_TIME = 60 * 1000, /* ms that an unused channel is kept */
};

/* For mapclient_ops.wake: not at all. */
#define MAPCLIENT_NEVER UINT64_MAX

struct mapclient;
struct map_server;
struct map_question;

enum map_channel_state {
    MAP_CONNECTING,
    MAP_FREE,
    MAP_ASKED, /* its question is in flight */
    MAP_CLOSED,
};

/* Embedded in what the process keeps of a connection. */
struct map_channel {
    struct map_server *server;
    enum map_channel_state state;
    struct map_question *question; /* MAP_ASKED */
    unsigned answers;              /* so far */
    uint64_t expires;              /* MAP_FREE, ms */
    struct buf input;
    TAILQ_ENTRY(map_channel) next;
};

struct mapclient_ops {
    /* A new channel, connecting: mapclient_on_connected or _on_lost follows.
     * NULL: it cannot be, and *why is the reason. */
    struct map_channel *(*dial)(void *ctx, const struct conf_address *address,
                                const char **why);
    /* An error shows as mapclient_on_lost. */
    void (*send)(struct map_channel *channel, struct slice octets);
    /* Does nothing wait to be read there, no octets, no end? */
    bool (*is_quiet)(struct map_channel *channel);
    /* No event of it follows; its memory is the process's again. */
    void (*close)(struct map_channel *channel);
    /* mapclient_on_time at that time, ms; replaces the one before. */
    void (*wake)(void *ctx, uint64_t at);
};

enum map_question_state {
    MAP_WAITING, /* for a channel */
    MAP_SENT,
    MAP_ANSWERED, /* its asker is to be told */
};

/* Embedded in what the asker keeps; it lives until on_answer. */
struct map_question {
    void *ctx;
    /* Once. value lives for the call, in which the question may be freed. */
    void (*on_answer)(struct map_question *question, enum table_status status,
                      struct slice value, uint64_t now);
    /* The client's own. */
    struct map_server *server;
    enum map_question_state state;
    struct map_channel *channel; /* MAP_SENT */
    struct buf request;          /* a netstring */
    struct table_answer answer;  /* MAP_ANSWERED; it points into reply */
    struct buf reply;
    unsigned sent; /* how often */
    uint64_t deadline;
    TAILQ_ENTRY(map_question) next;    /* of the server's, or to be told */
    TAILQ_ENTRY(map_question) pending; /* not MAP_ANSWERED; by deadline */
};

struct mapclient *mapclient_new(const struct mapclient_ops *ops, void *ctx,
                                const struct log_sink *log);
/* Closes all channels, when nothing is asked any more; also from within the
 * last answer. */
void mapclient_close(struct mapclient *client);
/* Not from within an event. */
void mapclient_free(struct mapclient *client);

void mapclient_ask(struct mapclient *client, struct map_question *question,
                   const struct table_query *query, uint64_t now);

void mapclient_on_connected(struct map_channel *channel, uint64_t now);
void mapclient_on_octets(struct map_channel *channel, struct slice octets,
                         uint64_t now);
void mapclient_on_lost(struct map_channel *channel, const char *why,
                       uint64_t now);
void mapclient_on_time(struct mapclient *client, uint64_t now);

#endif
