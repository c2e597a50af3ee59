/*
 * The socketmap server (socketmap.listen), for Postfix' look-ups: its protocol.
 * What the maps answer is the process's to find out.
 *
 * Requests of one peer are answered in order, one at a time. What is no
 * netstring, too long or too slow closes the connection.
 *
 * Bounds: MAPSERVER_PEERS connections, of which the one silent longest makes
 * room for another. Of a request that is not complete each peer may keep
 * MAPSERVER_EACH octets, all of them together MAPSERVER_ALL beyond that; what
 * would go over closes the connection. A peer is not served while it leaves
 * answers unread.
 */
#ifndef ONWARD_SERVICE_MAPSERVER_H
#define ONWARD_SERVICE_MAPSERVER_H

#include "base.h"

#include <sys/queue.h>

enum {
    MAPSERVER_REQUEST = 100000, /* octets: Postfix' own limit */
    MAPSERVER_PEERS = 4000,     /* one for each smtpd */
    MAPSERVER_EACH = 4 * 1024,
    MAPSERVER_ALL = 16 * 1024 * 1024,
    MAPSERVER_IDLE_TIME = 120 * 1000,   /* ms: Postfix keeps one for 100 s */
    MAPSERVER_REQUEST_TIME = 10 * 1000, /* ms, once a request has begun */
};

enum map_name {
    MAP_RECIPIENT,
    MAP_FORWARD,
    MAP_REVERSE,
    MAP_DOMAIN,
};

enum map_peer_state {
    MAP_PEER_IDLE,
    MAP_PEER_RECEIVING, /* a request has begun */
    MAP_PEER_ASKING,    /* a request is being answered */
    MAP_PEER_FULL,      /* it has to read its answers first */
    MAP_PEER_CLOSED,
};

struct mapserver;

/* Embedded in what the process keeps of a connection. */
struct map_peer {
    struct mapserver *server;
    enum map_peer_state state;
    bool ended; /* it has closed its side */
    struct buf input;
    size_t counted; /* of the octets of mapserver.kept */
    TAILQ_ENTRY(map_peer) next;
};

struct mapserver_ops {
    /* An answer: written with the others of the same event. */
    void (*send)(struct map_peer *peer, struct slice octets);
    /* Are few answers unread? If not, mapserver_on_sent follows. */
    bool (*has_room)(struct map_peer *peer);
    void (*read)(struct map_peer *peer);
    void (*hold)(struct map_peer *peer);
    /* mapserver_on_time after so many milliseconds; 0: not at all. */
    void (*timer)(struct map_peer *peer, unsigned milliseconds);
    /* What the map says of a key. True: it is in reply, "OK x", "NOTFOUND "...
     * False: mapserver_on_answer follows, also of a peer that is closed. */
    bool (*ask)(struct map_peer *peer, enum map_name name, struct slice key,
                struct buf *reply);
    /* No event of it follows but mapserver_on_answer. */
    void (*close)(struct map_peer *peer);
};

struct mapserver {
    const struct mapserver_ops *ops;
    const struct log_sink *log;
    TAILQ_HEAD(map_peer_list, map_peer) peers; /* the longest silent first */
    size_t peer_count;
    size_t kept; /* octets, beyond MAPSERVER_EACH of each peer */
};

void mapserver_init(struct mapserver *server, const struct mapserver_ops *ops,
                    const struct log_sink *log);

/* Room for one more: closes the peer that was silent longest, if need be.
 * False: all of them wait for answers. */
bool mapserver_has_room(const struct mapserver *server);
bool mapserver_make_room(struct mapserver *server);

/* Only if there is room. */
void mapserver_add(struct mapserver *server, struct map_peer *peer);
void mapserver_on_octets(struct map_peer *peer, struct slice octets);
void mapserver_on_ended(struct map_peer *peer);
void mapserver_on_broken(struct map_peer *peer); /* nothing can be written */
void mapserver_on_sent(struct map_peer *peer);
void mapserver_on_time(struct map_peer *peer);
void mapserver_on_answer(struct map_peer *peer, struct slice reply);
void mapserver_close(struct mapserver *server); /* all peers */

#endif
