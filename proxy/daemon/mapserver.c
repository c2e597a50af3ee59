#include "mapserver.h"

#include "daemon.h"
#include "local.h"
#include "mapquery.h"

#include <stdlib.h>

enum {
    BACKLOG = 1024,
    REQUEST_MAX = 100000,     /* octets: Postfix' own limit */
    CLIENTS_MAX = 4000,       /* one for each smtpd */
    IDLE_TIME = 120 * 1000,   /* ms: longer than Postfix keeps one (100 s) */
    REQUEST_TIME = 10 * 1000, /* ms for a request, once it has begun */
    UNIX_MODE = 0666, /* as open as loopback; a socket unit can narrow it */
};

struct map_peer {
    struct conn conn; /* first: found by a cast */
    struct mapserver *server;
    uv_timer_t timer; /* its patience; while a query runs, the query's */
    struct buf input;
    struct mapquery query;
    bool asking;  /* a query runs */
    bool looping; /* in take_requests */
    bool closed;
    unsigned handles;
    TAILQ_ENTRY(map_peer) next; /* the one longest silent first */
};

struct mapserver {
    struct local local;
    struct daemon *daemon;
    struct mapsockets sockets; /* of the socketmaps that we ask */
    bool client_open;
    TAILQ_HEAD(, map_peer) peers;
    size_t peer_count;
    size_t asking; /* queries that run */
    bool closing;
    bool waiting; /* a connection that could not be accepted */
};

static const struct conn_events events;

static void take_requests(struct map_peer *peer);
static void accept_one(struct mapserver *server);

/* ---- the end of a connection ------------------------------------------- */

static void
free_peer(struct map_peer *peer)
{
    if (peer->handles != 0 || peer->asking)
        return;
    buf_free(&peer->input);
    free(peer);
}

static void
on_timer_closed(uv_handle_t *handle)
{
    struct map_peer *peer =
        (struct map_peer *)((char *)handle - offsetof(struct map_peer, timer));

    peer->handles--;
    free_peer(peer);
}

static void
close_timer(struct map_peer *peer)
{
    uv_close((uv_handle_t *)&peer->timer, on_timer_closed);
}

static void
on_conn_closed(struct conn *conn)
{
    struct map_peer *peer = (struct map_peer *)conn;

    peer->handles--;
    free_peer(peer);
}

static void
close_peer(struct map_peer *peer)
{
    struct mapserver *server = peer->server;

    if (peer->closed)
        return;
    peer->closed = true;
    TAILQ_REMOVE(&server->peers, peer, next);
    server->peer_count--;
    conn_close(&peer->conn);
    if (!peer->asking) /* a query may be waiting for the timer */
        close_timer(peer);
    if (server->waiting && !server->closing)
        accept_one(server);
}

/* ---- requests ---------------------------------------------------------- */

static void
on_patience_over(uv_timer_t *timer)
{
    close_peer(
        (struct map_peer *)((char *)timer - offsetof(struct map_peer, timer)));
}

static void
end_closing(struct mapserver *server)
{
    if (server->closing && server->asking == 0 && server->client_open) {
        mapsockets_close(&server->sockets);
        server->client_open = false;
    }
}

static void
on_answer(struct mapquery *query, struct slice reply)
{
    struct map_peer *peer =
        (struct map_peer *)((char *)query - offsetof(struct map_peer, query));
    struct mapserver *server = peer->server;
    struct buf out = { 0 };

    peer->asking = false;
    server->asking--;
    end_closing(server);
    if (peer->closed) {
        close_timer(peer);
        return;
    }
    netstring_print(reply, &out);
    conn_write(&peer->conn, buf_slice(&out));
    buf_free(&out);
    if (!peer->looping)
        take_requests(peer);
}

static void
refuse(struct map_peer *peer, const char *why)
{
    struct buf out = { 0 };

    netstring_print(slice_from(why), &out);
    conn_write(&peer->conn, buf_slice(&out));
    buf_free(&out);
}

static void
serve(struct map_peer *peer, struct slice request)
{
    struct slice name = slice_head(request, slice_find(request, ' '));
    enum map_name map;

    /* The set-up is wrong, and says so in Postfix' log. */
    if (name.len == request.len) {
        refuse(peer, "PERM a request is NAME, blank, KEY");
    } else if (!mapquery_name(name, &map)) {
        refuse(peer, "PERM there are the maps recipient, forward, reverse");
    } else {
        peer->asking = true;
        peer->server->asking++;
        uv_timer_stop(&peer->timer);
        mapquery_start(&peer->query, map, slice_tail(request, name.len + 1));
    }
}

static bool
wants_more(const struct map_peer *peer)
{
    return !peer->closed && !peer->asking && !peer->conn.broken &&
           conn_unsent(&peer->conn) <= CONN_LOW;
}

/* All that are complete, as long as the peer takes the answers. */
static void
take_requests(struct map_peer *peer)
{
    struct slice rest = buf_slice(&peer->input);
    size_t size = rest.len;
    struct slice request;

    peer->looping = true;
    while (wants_more(peer)) {
        enum netstring_status status =
            netstring_take(&rest, REQUEST_MAX, &request);
        if (status == NETSTRING_BAD)
            close_peer(peer);
        if (status != NETSTRING_DONE)
            break;
        serve(peer, request);
    }
    peer->looping = false;
    if (peer->closed)
        return;
    buf_drop(&peer->input, size - rest.len);
    if (peer->input.len == 0)
        buf_free(&peer->input);
    conn_flush(&peer->conn);
    if (peer->conn.broken) {
        close_peer(peer);
        return;
    }
    if (peer->asking) {
        conn_hold(&peer->conn);
        return;
    }
    TAILQ_REMOVE(&peer->server->peers, peer, next);
    TAILQ_INSERT_TAIL(&peer->server->peers, peer, next);
    if (peer->conn.ended) {
        close_peer(peer);
        return;
    }
    if (wants_more(peer))
        conn_read(&peer->conn);
    else
        conn_hold(&peer->conn);
    /* A request that has begun must come to its end soon; one octet now and
     * then does not prolong that. */
    if (peer->input.len == 0)
        uv_timer_start(&peer->timer, on_patience_over, IDLE_TIME, 0);
    else if (size != peer->input.len ||
             !uv_is_active((uv_handle_t *)&peer->timer) ||
             uv_timer_get_due_in(&peer->timer) > REQUEST_TIME)
        uv_timer_start(&peer->timer, on_patience_over, REQUEST_TIME, 0);
}

static void
on_octets(struct conn *conn, struct slice octets)
{
    struct map_peer *peer = (struct map_peer *)conn;

    if (!buf_try_append(&peer->input, octets))
        close_peer(peer);
    else
        take_requests(peer);
}

static void
on_ended(struct conn *conn, int status)
{
    struct map_peer *peer = (struct map_peer *)conn;

    /* Whoever has closed its side still gets the answer that is due. */
    if (status != 0 || !peer->asking)
        close_peer(peer);
}

static void
on_sent(struct conn *conn)
{
    struct map_peer *peer = (struct map_peer *)conn;

    if (conn->broken)
        close_peer(peer);
    else if (!peer->asking)
        take_requests(peer);
}

static const struct conn_events events = {
    .on_octets = on_octets,
    .on_ended = on_ended,
    .on_sent = on_sent,
    .on_closed = on_conn_closed,
};

/* ---- accepting --------------------------------------------------------- */

/* Too many: the one that has been silent longest makes room. Postfix connects
 * again when it needs it. */
static void
make_room(struct mapserver *server)
{
    struct map_peer *peer;

    if (server->peer_count < CLIENTS_MAX && descriptors_suffice(server->daemon))
        return;
    TAILQ_FOREACH(peer, &server->peers, next)
    if (!peer->asking) {
        server->waiting = false;
        close_peer(peer);
        return;
    }
}

static void
accept_one(struct mapserver *server)
{
    struct map_peer *peer;

    make_room(server);
    peer = server->peer_count < CLIENTS_MAX ? mem_try(sizeof(*peer)) : NULL;
    server->waiting = peer == NULL;
    if (peer == NULL)
        return;
    conn_init(&peer->conn, server->local.kind, &server->daemon->loop, &events);
    uv_timer_init(&server->daemon->loop.uv, &peer->timer);
    peer->server = server;
    peer->handles = 2;
    peer->query.daemon = server->daemon;
    peer->query.client = server->sockets.client;
    peer->query.timer = &peer->timer;
    peer->query.on_answer = on_answer;
    TAILQ_INSERT_TAIL(&server->peers, peer, next);
    server->peer_count++;
    if (!local_accept(&server->local, &peer->conn)) {
        close_peer(peer);
        return;
    }
    if (server->local.kind == CONN_TCP)
        uv_tcp_nodelay(&peer->conn.uv.tcp, 1);
    uv_timer_start(&peer->timer, on_patience_over, IDLE_TIME, 0);
    conn_read(&peer->conn);
}

static void
on_connection(uv_stream_t *stream, int status)
{
    struct mapserver *server = stream->data;

    if (status == 0)
        accept_one(server);
    else
        loop_log(&server->daemon->loop, LOG_LEVEL_WARNING,
                 "socketmap.listen: cannot accept: %s", uv_strerror(status));
}

/* ---- its life ---------------------------------------------------------- */

static void
complain(const struct mapserver *server, struct slice why, struct buf *errors)
{
    buf_printf(errors, "socketmap.listen: %.*s: %.*s\n",
               SLICE_ARG(server->local.conf.address.text), SLICE_ARG(why));
}

struct mapserver *
mapserver_open(struct daemon *daemon, struct inherited *inherited,
               struct buf *errors)
{
    struct local_wish wish = {
        .name = SLICE("socketmap"),
        .address = &daemon->conf->socketmap.listen,
        .mode = UNIX_MODE,
    };
    struct buf why = { 0 };

    if (!daemon->conf->socketmap.enabled)
        return NULL;
    struct mapserver *server = mem_alloc(sizeof(*server));
    server->daemon = daemon;
    TAILQ_INIT(&server->peers);
    bool opened =
        local_open(&server->local, &daemon->loop.uv, inherited, &wish, &why);
    if (why.len != 0)
        complain(server, buf_slice(&why), errors);
    buf_free(&why);
    if (!opened) {
        local_free(&server->local);
        free(server);
        return NULL;
    }
    server->local.uv.handle.data = server;
    mapsockets_open(&server->sockets, &daemon->loop);
    server->client_open = true;
    return server;
}

bool
mapserver_listen(struct mapserver *server, struct buf *errors)
{
    int error = server == NULL ? 0
                               : uv_listen(&server->local.uv.stream, BACKLOG,
                                           on_connection);

    if (error != 0)
        complain(server, slice_from(uv_strerror(error)), errors);
    return error == 0;
}

void
mapserver_close(struct mapserver *server)
{
    struct map_peer *peer;

    if (server == NULL || server->closing)
        return;
    server->closing = true;
    local_close(&server->local);
    while ((peer = TAILQ_FIRST(&server->peers)) != NULL)
        close_peer(peer);
    end_closing(server);
}

void
mapserver_free(struct mapserver *server)
{
    if (server == NULL)
        return;
    local_free(&server->local);
    free(server);
}
