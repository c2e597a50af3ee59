#include "upstreams.h"

#include "dial.h"

#include <stdlib.h>

struct upstream_conn {
    struct conn conn; /* first: found by a cast */
    uv_connect_t connect;
    struct upstreams *upstreams;
    struct upstream up;
};

static struct upstream_conn *
conn_of(const struct upstream *up)
{
    return (struct upstream_conn *)((uintptr_t)up -
                                    offsetof(struct upstream_conn, up));
}

static struct upstream *
up_of(struct conn *conn)
{
    return &((struct upstream_conn *)conn)->up;
}

/* ---- events -------------------------------------------------------------- */

static void
on_connected(uv_connect_t *request, int status)
{
    struct upstream_conn *conn = request->data;

    if (status == UV_ECANCELED)
        return;
    if (status != 0) {
        pool_on_refused(&conn->up,
                        status == UV_ETIMEDOUT ? RELAY_LOST_TIMEOUT
                                               : RELAY_LOST_REFUSED,
                        clock_ms());
        return;
    }
    conn_no_delay(&conn->conn);
    pool_on_connected(&conn->up, clock_ms());
}

static void
on_octets(struct conn *conn, struct slice octets)
{
    pool_on_octets(up_of(conn), octets);
}

static void
on_ended(struct conn *conn, int status)
{
    (void)status;
    pool_on_ended(up_of(conn));
}

static void
on_sent(struct conn *conn)
{
    struct upstream *up = up_of(conn);

    if (conn->broken)
        pool_on_broken(up);
    if (up->user != NULL)
        up->user->on_sent(up);
}

static void
on_time(struct conn *conn)
{
    pool_on_time(up_of(conn), clock_ms());
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
    .on_time = on_time,
    .on_closed = on_closed,
};

/* ---- operations ---------------------------------------------------------- */

static struct upstream *
op_dial(void *ctx, const struct conf_address *address, bool *failed)
{
    struct upstreams *upstreams = ctx;
    struct upstream_conn *conn = mem_alloc(sizeof(*conn));

    conn_init(&conn->conn, dial_kind(address), upstreams->loop, &events);
    conn->upstreams = upstreams;
    conn->connect.data = conn;
    *failed = dial(&conn->conn, &conn->connect, address, on_connected) != 0;
    return &conn->up;
}

/* Upstream closes first, so that the port is not ours in TIME_WAIT. */
static void
op_quit(struct upstream *up)
{
    struct conn *conn = &conn_of(up)->conn;

    conn_write(conn, SLICE_OF("QUIT\r\n"));
    conn_flush(conn);
    conn_read(conn);
}

static void
op_read(struct upstream *up)
{
    conn_read(&conn_of(up)->conn);
}

static void
op_hold(struct upstream *up)
{
    conn_hold(&conn_of(up)->conn);
}

static bool
op_is_present(const struct upstream *up)
{
    return conn_peer_present(&conn_of(up)->conn);
}

static bool
op_has_unsent(const struct upstream *up)
{
    return conn_unsent(&conn_of(up)->conn) != 0;
}

static void
op_timer(struct upstream *up, unsigned milliseconds)
{
    conn_timer(&conn_of(up)->conn, milliseconds);
}

static void
op_close(struct upstream *up)
{
    struct upstreams *upstreams = conn_of(up)->upstreams;

    conn_close(&conn_of(up)->conn);
    upstreams->on_room(upstreams->ctx);
}

static const struct pool_ops ops = {
    .dial = op_dial,
    .quit = op_quit,
    .read = op_read,
    .hold = op_hold,
    .is_quiet = upstream_is_quiet,
    .is_present = op_is_present,
    .has_unsent = op_has_unsent,
    .timer = op_timer,
    .close = op_close,
};

void
upstreams_init(struct upstreams *upstreams, struct loop *loop)
{
    upstreams->loop = loop;
    pool_init(&upstreams->pool, &ops, upstreams, loop->log);
}

/* ---- for their users ----------------------------------------------------- */

struct upstream *
upstreams_dial(struct upstreams *upstreams, const struct conf *conf,
               const struct pool_wish *wish)
{
    struct pool_wish whole = *wish;

    whole.address = &conf->upstream.address;
    whole.connect_timeout = conf->upstream.connect_timeout;
    return pool_dial(&upstreams->pool, &whole, clock_ms());
}

static bool
is_connected(const struct upstream *up)
{
    return up->state == UPSTREAM_OPEN || up->state == UPSTREAM_GREETING;
}

void
upstream_write(struct upstream *up, struct slice octets)
{
    if (!is_connected(up))
        return;
    up->owes_writable = true;
    conn_write(&conn_of(up)->conn, octets);
}

size_t
upstream_send_file(struct upstream *up, int fd, uint64_t offset, size_t length)
{
    if (!is_connected(up))
        return 0;
    size_t sent = conn_send_file(&conn_of(up)->conn, fd, offset, length);
    if (sent != 0)
        up->owes_writable = true;
    return sent;
}

void
upstream_flush(struct upstream *up)
{
    struct conn *conn = &conn_of(up)->conn;

    conn_flush(conn);
    if (conn->broken)
        pool_on_broken(up);
}

bool
upstream_is_writable(const struct upstream *up)
{
    const struct conn *conn = &conn_of(up)->conn;

    return !conn->broken && conn_unsent(conn) <= CONN_LOW;
}

bool
upstream_is_quiet(const struct upstream *up)
{
    return conn_is_quiet(&conn_of(up)->conn);
}
