#include "mapsockets.h"

#include "dial.h"

#include <stdlib.h>

struct map_socket {
    struct conn conn; /* first: found by a cast */
    uv_connect_t connect;
    struct map_channel channel;
};

static struct map_socket *
socket_of(struct map_channel *channel)
{
    return (struct map_socket *)((char *)channel -
                                 offsetof(struct map_socket, channel));
}

/* ---- events ------------------------------------------------------------- */

static void
on_connected(uv_connect_t *request, int status)
{
    struct map_socket *socket = request->data;

    if (status == UV_ECANCELED)
        return;
    if (status != 0) {
        mapclient_on_lost(&socket->channel, uv_strerror(status), clock_ms());
        return;
    }
    conn_no_delay(&socket->conn);
    conn_read(&socket->conn);
    mapclient_on_connected(&socket->channel, clock_ms());
}

static void
on_octets(struct conn *conn, struct slice octets)
{
    mapclient_on_octets(&((struct map_socket *)conn)->channel, octets,
                        clock_ms());
}

static void
on_ended(struct conn *conn, int status)
{
    mapclient_on_lost(&((struct map_socket *)conn)->channel,
                      status == 0 ? "it closed the connection"
                                  : uv_strerror(status),
                      clock_ms());
}

static void
on_sent(struct conn *conn)
{
    (void)conn; /* an error is followed by on_ended */
}

static void
on_conn_time(struct conn *conn)
{
    (void)conn; /* the client has one timer for all */
}

static void
on_closed(struct conn *conn)
{
    free(conn);
}

static const struct conn_events events = {
    .on_octets = on_octets,
    .on_ended = on_ended,
    .on_sent = on_sent,
    .on_time = on_conn_time,
    .on_closed = on_closed,
};

static void
on_time(uv_timer_t *timer)
{
    struct mapsockets *sockets = timer->data;

    mapclient_on_time(sockets->client, clock_ms());
}

/* ---- operations ---------------------------------------------------------- */

static struct map_channel *
op_dial(void *ctx, const struct conf_address *address, const char **why)
{
    struct mapsockets *sockets = ctx;
    struct map_socket *socket = mem_alloc(sizeof(*socket));
    int error;

    conn_init(&socket->conn, dial_kind(address), sockets->loop, &events);
    socket->connect.data = socket;
    error = dial(&socket->conn, &socket->connect, address, on_connected);
    if (error == 0)
        return &socket->channel;
    *why = uv_strerror(error);
    conn_close(&socket->conn);
    return NULL;
}

static void
op_send(struct map_channel *channel, struct slice octets)
{
    conn_send(&socket_of(channel)->conn, octets);
}

static bool
op_is_quiet(struct map_channel *channel)
{
    return conn_is_quiet(&socket_of(channel)->conn);
}

static void
op_close(struct map_channel *channel)
{
    conn_close(&socket_of(channel)->conn);
}

static void
op_wake(void *ctx, uint64_t at)
{
    struct mapsockets *sockets = ctx;
    uint64_t now = clock_ms();

    if (at == MAPCLIENT_NEVER)
        uv_timer_stop(&sockets->timer);
    else
        uv_timer_start(&sockets->timer, on_time, at > now ? at - now : 0, 0);
}

static const struct mapclient_ops ops = {
    .dial = op_dial,
    .send = op_send,
    .is_quiet = op_is_quiet,
    .close = op_close,
    .wake = op_wake,
};

void
mapsockets_open(struct mapsockets *sockets, struct loop *loop)
{
    sockets->loop = loop;
    sockets->client = mapclient_new(&ops, sockets, loop->log);
    uv_timer_init(&loop->uv, &sockets->timer);
    sockets->timer.data = sockets;
}

void
mapsockets_close(struct mapsockets *sockets)
{
    mapclient_close(sockets->client);
    uv_close((uv_handle_t *)&sockets->timer, NULL);
}

void
mapsockets_free(struct mapsockets *sockets)
{
    mapclient_free(sockets->client);
}
