#include "maplisten.h"

#include "mapsockets.h"

#include <stdlib.h>

enum {
    BACKLOG = 1024,
    UNREAD = 4 * 1024, /* octets of answers until a peer has to read them */
    UNIX_MODE = 0666,  /* as open as loopback; a socket unit can narrow it */
};

struct map_conn {
    struct conn conn; /* first: found by a cast */
    struct maplisten *listen;
    struct map_peer peer;
    struct mapquery query;
    struct buf *reply; /* for a query that answers at once */
    enum {
        QUERY_NONE,
        QUERY_RUNS,
        QUERY_BUSY, /* in the list of those that try again */
    } query_state;
    bool gone; /* the connection is closed, memory and all */
    TAILQ_ENTRY(map_conn) next;
};

struct maplisten {
    struct local local;
    struct descriptors *descriptors;
    struct mapquery_needs needs;
    struct mapserver server;
    struct mapsockets sockets; /* of the socketmaps that we ask */
    bool sockets_open;
    size_t running; /* queries */
    TAILQ_HEAD(map_conn_list, map_conn) busy;
    uv_timer_t again; /* for those */
    bool closing;
    bool waiting; /* a connection that could not be accepted */
};

static void flush(struct map_conn *conn);
static void accept_one(struct maplisten *listen);

static struct map_conn *
conn_of(struct map_peer *peer)
{
    return (struct map_conn *)((char *)peer - offsetof(struct map_conn, peer));
}

/* ---- queries ------------------------------------------------------------- */

static void
end_closing(struct maplisten *listen)
{
    if (!listen->closing || listen->running != 0 || !listen->sockets_open)
        return;
    listen->sockets_open = false;
    mapsockets_close(&listen->sockets);
    uv_close((uv_handle_t *)&listen->again, NULL);
}

static void
on_answer(struct mapquery *query, struct slice reply)
{
    struct map_conn *conn =
        (struct map_conn *)((char *)query - offsetof(struct map_conn, query));
    struct maplisten *listen = conn->listen;

    conn->query_state = QUERY_NONE;
    listen->running--;
    if (conn->gone) {
        free(conn);
    } else if (conn->reply != NULL) {
        buf_append(conn->reply, reply);
    } else {
        mapserver_on_answer(&conn->peer, reply);
        flush(conn);
    }
    end_closing(listen);
}

static void
on_again(uv_timer_t *timer)
{
    struct maplisten *listen = timer->data;
    struct map_conn *conn, *last = TAILQ_LAST(&listen->busy, map_conn_list);

    do {
        conn = TAILQ_FIRST(&listen->busy);
        TAILQ_REMOVE(&listen->busy, conn, next);
        conn->query_state = QUERY_RUNS;
        mapquery_try_again(&conn->query);
    } while (conn != last);
}

static void
try_later(struct mapquery *query)
{
    struct map_conn *conn =
        (struct map_conn *)((char *)query - offsetof(struct map_conn, query));
    struct maplisten *listen = conn->listen;

    conn->query_state = QUERY_BUSY;
    TAILQ_INSERT_TAIL(&listen->busy, conn, next);
    if (!uv_is_active((uv_handle_t *)&listen->again))
        uv_timer_start(&listen->again, on_again, MAPQUERY_BUSY_TIME, 0);
}

/* ---- operations ---------------------------------------------------------- */

static void
op_send(struct map_peer *peer, struct slice octets)
{
    conn_write(&conn_of(peer)->conn, octets);
}

static bool
op_has_room(struct map_peer *peer)
{
    const struct conn *conn = &conn_of(peer)->conn;

    return !conn->broken && conn_unsent(conn) <= UNREAD;
}

static void
op_read(struct map_peer *peer)
{
    conn_read(&conn_of(peer)->conn);
}

static void
op_hold(struct map_peer *peer)
{
    conn_hold(&conn_of(peer)->conn);
}

static void
op_timer(struct map_peer *peer, unsigned milliseconds)
{
    conn_timer(&conn_of(peer)->conn, milliseconds);
}

static bool
op_ask(struct map_peer *peer, enum map_name name, struct slice key,
       struct buf *reply)
{
    struct map_conn *conn = conn_of(peer);

    conn->query_state = QUERY_RUNS;
    conn->listen->running++;
    conn->reply = reply;
    mapquery_start(&conn->query, name, key);
    conn->reply = NULL;
    return conn->query_state == QUERY_NONE;
}

static void
op_close(struct map_peer *peer)
{
    conn_flush(&conn_of(peer)->conn);
    conn_close(&conn_of(peer)->conn);
}

static const struct mapserver_ops ops = {
    .send = op_send,
    .has_room = op_has_room,
    .read = op_read,
    .hold = op_hold,
    .timer = op_timer,
    .ask = op_ask,
    .close = op_close,
};

/* ---- events -------------------------------------------------------------- */

/* At the end of each event. */
static void
flush(struct map_conn *conn)
{
    while (true) {
        conn_flush(&conn->conn);
        if (conn->conn.broken)
            mapserver_on_broken(&conn->peer);
        if (conn->peer.state != MAP_PEER_FULL || !op_has_room(&conn->peer))
            return;
        mapserver_on_sent(&conn->peer);
    }
}

static void
on_octets(struct conn *conn, struct slice octets)
{
    mapserver_on_octets(&((struct map_conn *)conn)->peer, octets);
    flush((struct map_conn *)conn);
}

static void
on_ended(struct conn *conn, int status)
{
    if (status == 0)
        mapserver_on_ended(&((struct map_conn *)conn)->peer);
    else
        mapserver_on_broken(&((struct map_conn *)conn)->peer);
}

static void
on_sent(struct conn *conn)
{
    flush((struct map_conn *)conn);
}

static void
on_time(struct conn *conn)
{
    mapserver_on_time(&((struct map_conn *)conn)->peer);
}

static void
on_closed(struct conn *c)
{
    struct map_conn *conn = (struct map_conn *)c;
    struct maplisten *listen = conn->listen;

    conn->gone = true;
    if (conn->query_state == QUERY_NONE)
        free(conn);
    if (listen->waiting && !listen->closing)
        accept_one(listen);
}

static const struct conn_events events = {
    .on_octets = on_octets,
    .on_ended = on_ended,
    .on_sent = on_sent,
    .on_time = on_time,
    .on_closed = on_closed,
};

/* ---- accepting ----------------------------------------------------------- */

static void
accept_one(struct maplisten *listen)
{
    struct map_conn *conn = NULL;

    if (mapserver_has_room(&listen->server))
        conn = mem_try(sizeof(*conn));
    listen->waiting = conn == NULL;
    if (conn == NULL)
        return;
    conn_init(&conn->conn, listen->local.kind, listen->needs.loop, &events);
    conn->listen = listen;
    conn->query.needs = &listen->needs;
    conn->query.try_later = try_later;
    conn->query.on_answer = on_answer;
    if (!local_accept(&listen->local, &conn->conn)) {
        conn_close(&conn->conn);
        return;
    }
    conn_no_delay(&conn->conn);
    mapserver_add(&listen->server, &conn->peer);
}

static void
on_connection(uv_stream_t *stream, int status)
{
    struct maplisten *listen = stream->data;

    bool short_of_room = !mapserver_has_room(&listen->server) ||
                         !descriptors_suffice(listen->descriptors);

    if (status != 0)
        loop_log(listen->needs.loop, LOG_LEVEL_WARNING,
                 "socketmap.listen: cannot accept: %s", uv_strerror(status));
    else if (short_of_room && mapserver_make_room(&listen->server))
        listen->waiting = true; /* until that one is closed */
    else
        accept_one(listen);
}

/* ---- its life ------------------------------------------------------------ */

static void
complain(const struct maplisten *listen, struct slice why, struct buf *errors)
{
    buf_printf(errors, "socketmap.listen: %.*s: %.*s\n",
               SLICE_ARG(listen->local.conf.address.text), SLICE_ARG(why));
}

struct maplisten *
maplisten_open(const struct mapquery_needs *needs,
               struct descriptors *descriptors, struct inherited *inherited,
               struct buf *errors)
{
    const struct conf *conf = *needs->conf;
    struct loop *loop = needs->loop;
    struct local_wish wish = {
        .name = SLICE("socketmap"),
        .address = &conf->socketmap.listen,
        .mode = UNIX_MODE,
    };
    struct buf why = { 0 };

    if (!conf->socketmap.enabled)
        return NULL;
    struct maplisten *listen = mem_alloc(sizeof(*listen));
    listen->needs = *needs;
    listen->descriptors = descriptors;
    bool opened = local_open(&listen->local, &loop->uv, inherited, &wish, &why);
    if (why.len != 0)
        complain(listen, buf_slice(&why), errors);
    buf_free(&why);
    if (!opened) {
        maplisten_free(listen);
        return NULL;
    }
    listen->local.uv.handle.data = listen;
    mapserver_init(&listen->server, &ops, loop->log);
    mapsockets_open(&listen->sockets, loop);
    listen->needs.client = listen->sockets.client;
    listen->sockets_open = true;
    TAILQ_INIT(&listen->busy);
    uv_timer_init(&loop->uv, &listen->again);
    listen->again.data = listen;
    return listen;
}

bool
maplisten_listen(struct maplisten *listen, struct buf *errors)
{
    int error = listen == NULL ? 0
                               : uv_listen(&listen->local.uv.stream, BACKLOG,
                                           on_connection);

    if (error != 0)
        complain(listen, slice_from(uv_strerror(error)), errors);
    return error == 0;
}

void
maplisten_close(struct maplisten *listen)
{
    if (listen == NULL || listen->closing)
        return;
    listen->closing = true;
    local_close(&listen->local);
    mapserver_close(&listen->server);
    end_closing(listen);
}

void
maplisten_free(struct maplisten *listen)
{
    if (listen == NULL)
        return;
    if (listen->sockets.client != NULL)
        mapsockets_free(&listen->sockets);
    local_free(&listen->local);
    free(listen);
}
