#include "mapserver.h"

#include "table.h"

#include <assert.h>

static void
enter(struct map_peer *peer, enum map_peer_state state)
{
    static const char *const names[] = {
        [MAP_PEER_IDLE] = "idle",     [MAP_PEER_RECEIVING] = "receiving",
        [MAP_PEER_ASKING] = "asking", [MAP_PEER_FULL] = "full",
        [MAP_PEER_CLOSED] = "closed",
    };

    assert(peer->state != MAP_PEER_CLOSED);
    if (peer->state == state)
        return;
    log_message(peer->server->log, LOG_LEVEL_DEBUG, (struct slice){ 0 },
                "socketmap.listen: a peer is %s", names[state]);
    peer->state = state;
}

/* What is kept of its input counts against the bound of all. */
static void
count_input(struct map_peer *peer)
{
    struct mapserver *server = peer->server;

    server->kept -= peer->counted;
    peer->counted =
        peer->input.len > MAPSERVER_EACH ? peer->input.len - MAPSERVER_EACH : 0;
    server->kept += peer->counted;
}

static void
close_peer(struct map_peer *peer)
{
    struct mapserver *server = peer->server;

    enter(peer, MAP_PEER_CLOSED);
    TAILQ_REMOVE(&server->peers, peer, next);
    server->peer_count--;
    buf_free(&peer->input);
    count_input(peer);
    server->ops->close(peer);
}

/* ---- requests ------------------------------------------------------------ */

static void
send_reply(struct map_peer *peer, struct slice reply)
{
    struct buf out = { 0 };

    netstring_print(reply, &out);
    peer->server->ops->send(peer, buf_slice(&out));
    buf_free(&out);
}

static bool
parse_name(struct slice text, enum map_name *name)
{
    static const struct slice names[] = {
        [MAP_RECIPIENT] = SLICE("recipient"),
        [MAP_FORWARD] = SLICE("forward"),
        [MAP_REVERSE] = SLICE("reverse"),
        [MAP_DOMAIN] = SLICE("domain"),
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal(text, names[i])) {
            *name = (enum map_name)i;
            return true;
        }
    return false;
}

/* A set-up that is wrong is told so, in Postfix' log. */
static void
serve(struct map_peer *peer, struct slice request)
{
    struct slice name = slice_head(request, slice_find(request, ' '));
    struct buf reply = { 0 };
    enum map_name map;

    if (name.len == request.len) {
        buf_puts(&reply, "PERM a request is NAME, blank, KEY");
    } else if (!parse_name(name, &map)) {
        buf_puts(&reply, "PERM there are the maps recipient, forward, reverse, "
                         "domain");
    } else if (!peer->server->ops->ask(
                   peer, map, slice_tail(request, name.len + 1), &reply)) {
        enter(peer, MAP_PEER_ASKING);
        return;
    }
    send_reply(peer, buf_slice(&reply));
    buf_free(&reply);
}

/* All requests that are complete, as long as the peer takes the answers.
 * Returns the octets that were used; false: what follows is no request. */
static bool
take_requests(struct map_peer *peer, size_t *used)
{
    struct slice rest = buf_slice(&peer->input);
    size_t size = rest.len;
    struct slice request;

    enter(peer, MAP_PEER_IDLE);
    while (peer->state == MAP_PEER_IDLE) {
        if (!peer->server->ops->has_room(peer)) {
            enter(peer, MAP_PEER_FULL);
            break;
        }
        enum netstring_status status =
            netstring_take(&rest, MAPSERVER_REQUEST, &request);
        if (status == NETSTRING_BAD)
            return false;
        if (status == NETSTRING_MORE)
            break;
        serve(peer, request);
    }
    *used = size - rest.len;
    return true;
}

/* A request that has begun must come to its end soon; one octet now and then
 * does not prolong that. */
static void
wait_for_more(struct map_peer *peer, bool was_receiving)
{
    const struct mapserver_ops *ops = peer->server->ops;

    if (peer->ended) {
        close_peer(peer);
        return;
    }
    ops->read(peer);
    if (peer->input.len == 0) {
        ops->timer(peer, MAPSERVER_IDLE_TIME);
        return;
    }
    enter(peer, MAP_PEER_RECEIVING);
    if (!was_receiving)
        ops->timer(peer, MAPSERVER_REQUEST_TIME);
}

static void
go_on(struct map_peer *peer)
{
    struct mapserver *server = peer->server;
    bool was_receiving = peer->state == MAP_PEER_RECEIVING;
    size_t used;

    if (!take_requests(peer, &used)) {
        close_peer(peer);
        return;
    }
    buf_drop(&peer->input, used);
    if (peer->input.len == 0)
        buf_free(&peer->input);
    count_input(peer);
    if (server->kept > MAPSERVER_ALL) {
        log_message(server->log, LOG_LEVEL_WARNING, (struct slice){ 0 },
                    "socketmap.listen: peers have sent too much that is not "
                    "answered yet: one is closed");
        close_peer(peer);
        return;
    }
    TAILQ_REMOVE(&server->peers, peer, next);
    TAILQ_INSERT_TAIL(&server->peers, peer, next);
    switch (peer->state) {
    case MAP_PEER_IDLE:
        wait_for_more(peer, was_receiving && used == 0);
        break;
    case MAP_PEER_ASKING:
        server->ops->hold(peer);
        server->ops->timer(peer, 0);
        break;
    case MAP_PEER_FULL:
        server->ops->hold(peer);
        server->ops->timer(peer, MAPSERVER_REQUEST_TIME);
        break;
    case MAP_PEER_RECEIVING:
    case MAP_PEER_CLOSED:
        break;
    }
}

/* ---- events -------------------------------------------------------------- */

void
mapserver_on_octets(struct map_peer *peer, struct slice octets)
{
    if (peer->state == MAP_PEER_CLOSED)
        return;
    if (!buf_try_append(&peer->input, octets))
        close_peer(peer);
    else if (peer->state != MAP_PEER_ASKING)
        go_on(peer);
}

/* A peer that has closed its side still gets the answers that are due. */
void
mapserver_on_ended(struct map_peer *peer)
{
    peer->ended = true;
    if (peer->state == MAP_PEER_IDLE || peer->state == MAP_PEER_RECEIVING)
        close_peer(peer);
}

void
mapserver_on_broken(struct map_peer *peer)
{
    if (peer->state != MAP_PEER_CLOSED)
        close_peer(peer);
}

void
mapserver_on_sent(struct map_peer *peer)
{
    if (peer->state == MAP_PEER_FULL)
        go_on(peer);
}

void
mapserver_on_time(struct map_peer *peer)
{
    if (peer->state != MAP_PEER_ASKING && peer->state != MAP_PEER_CLOSED)
        close_peer(peer);
}

void
mapserver_on_answer(struct map_peer *peer, struct slice reply)
{
    if (peer->state == MAP_PEER_CLOSED)
        return;
    assert(peer->state == MAP_PEER_ASKING);
    send_reply(peer, reply);
    go_on(peer);
}

/* ---- peers --------------------------------------------------------------- */

void
mapserver_init(struct mapserver *server, const struct mapserver_ops *ops,
               const struct log_sink *log)
{
    *server = (struct mapserver){ .ops = ops, .log = log };
    TAILQ_INIT(&server->peers);
}

bool
mapserver_has_room(const struct mapserver *server)
{
    return server->peer_count < MAPSERVER_PEERS;
}

bool
mapserver_make_room(struct mapserver *server)
{
    struct map_peer *peer = TAILQ_FIRST(&server->peers);

    while (peer != NULL && peer->state == MAP_PEER_ASKING)
        peer = TAILQ_NEXT(peer, next);
    if (peer != NULL)
        close_peer(peer);
    return peer != NULL;
}

void
mapserver_add(struct mapserver *server, struct map_peer *peer)
{
    *peer = (struct map_peer){ .server = server };
    TAILQ_INSERT_TAIL(&server->peers, peer, next);
    server->peer_count++;
    server->ops->timer(peer, MAPSERVER_IDLE_TIME);
    server->ops->read(peer);
}

void
mapserver_close(struct mapserver *server)
{
    while (!TAILQ_EMPTY(&server->peers))
        close_peer(TAILQ_FIRST(&server->peers));
}
