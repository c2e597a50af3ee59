#include "http.h"

#include "daemon.h"
#include "httpanswer.h"
#include "sockets.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    PEERS_MAX = 32,
    PATIENCE = 5000, /* ms for a request and for its answer */
    BACKLOG = 32,
    UNIX_MODE = 0660
};

struct http_peer {
    struct conn conn; /* first: found by a cast */
    struct http *http;
    uv_timer_t timer;
    uv_shutdown_t shutdown;
    struct buf input;
    bool answered;
    bool closed;
    unsigned handles;
    TAILQ_ENTRY(http_peer) next; /* the oldest first */
};

struct http {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct daemon *daemon;
    enum conn_kind kind;
    struct conf_listener conf; /* as at start */
    struct arena arena;
    TAILQ_HEAD(, http_peer) peers;
    size_t peer_count;
    bool waiting; /* a connection that could not be accepted */
    bool closing;
    bool made; /* the unix socket is ours to remove */
};

static void accept_one(struct http *http);

/* ---- a connection ------------------------------------------------------- */

static void
release(struct http_peer *peer)
{
    if (--peer->handles != 0)
        return;
    buf_free(&peer->input);
    free(peer);
}

static void
on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void
on_conn_closed(struct conn *conn)
{
    release((struct http_peer *)conn);
}

static void
close_peer(struct http_peer *peer)
{
    struct http *http = peer->http;

    if (peer->closed)
        return;
    peer->closed = true;
    TAILQ_REMOVE(&http->peers, peer, next);
    http->peer_count--;
    conn_close(&peer->conn);
    uv_close((uv_handle_t *)&peer->timer, on_timer_closed);
    if (http->waiting && !http->closing)
        accept_one(http);
}

static void
on_patience_over(uv_timer_t *timer)
{
    close_peer(timer->data);
}

/* What it still sends is read, so that no reset destroys our answer; its EOF
 * or the timer closes. */
static void
on_shutdown(uv_shutdown_t *request, int status)
{
    struct http_peer *peer = request->data;

    if (!peer->closed && (status != 0 || peer->conn.ended))
        close_peer(peer);
}

static void
answer(struct http_peer *peer, enum admin_request request, struct slice path,
       bool head)
{
    struct buf out = { 0 };

    peer->answered = true;
    http_answer(peer->http->daemon, request, path, head, &out);
    conn_write(&peer->conn, buf_slice(&out));
    conn_flush(&peer->conn);
    buf_free(&out);
    uv_timer_start(&peer->timer, on_patience_over, PATIENCE, 0);
    peer->shutdown.data = peer;
    if (peer->conn.broken ||
        uv_shutdown(&peer->shutdown, &peer->conn.uv.stream, on_shutdown) != 0)
        close_peer(peer);
}

static void
on_octets(struct conn *conn, struct slice octets)
{
    struct http_peer *peer = (struct http_peer *)conn;
    struct slice path = { 0 };
    bool head = false;
    enum admin_request request;

    if (peer->answered)
        return;
    buf_append(&peer->input,
               slice_head(octets, ADMIN_REQUEST_MAX - peer->input.len));
    request = admin_request_parse(buf_slice(&peer->input), &path, &head);
    if (request != ADMIN_REQUEST_MORE)
        answer(peer, request, path, head);
}

static void
on_ended(struct conn *conn, int status)
{
    struct http_peer *peer = (struct http_peer *)conn;

    /* Half closed behind its request: the answer is still wanted. */
    if (status != 0 || !peer->answered || conn_unsent(conn) == 0)
        close_peer(peer);
}

static void
on_sent(struct conn *conn)
{
    if (conn->broken)
        close_peer((struct http_peer *)conn);
}

static const struct conn_events events = {
    .on_octets = on_octets,
    .on_ended = on_ended,
    .on_sent = on_sent,
    .on_closed = on_conn_closed,
};

/* ---- accepting ---------------------------------------------------------- */

static bool
is_local(const struct http_peer *peer)
{
    struct sockaddr_storage from;
    int size = sizeof(from);
    unsigned char address[16];

    return peer->http->kind == CONN_UNIX ||
           (uv_tcp_getpeername(&peer->conn.uv.tcp, (struct sockaddr *)&from,
                               &size) == 0 &&
            socket_address_bytes((struct sockaddr *)&from, address) &&
            socket_is_loopback(address));
}

static void
accept_one(struct http *http)
{
    struct http_peer *peer = NULL;

    if (http->peer_count < PEERS_MAX && descriptors_suffice(http->daemon))
        peer = mem_try(sizeof(*peer));
    http->waiting = peer == NULL;
    if (peer == NULL)
        return; /* until one of the others is done */
    conn_init(&peer->conn, http->kind, &http->daemon->loop,
              &http->daemon->scratch, &events);
    uv_timer_init(&http->daemon->loop, &peer->timer);
    peer->timer.data = peer;
    peer->http = http;
    peer->handles = 2;
    TAILQ_INSERT_TAIL(&http->peers, peer, next);
    http->peer_count++;
    if (uv_accept(&http->uv.stream, &peer->conn.uv.stream) != 0 ||
        !is_local(peer)) {
        close_peer(peer);
        return;
    }
    uv_timer_start(&peer->timer, on_patience_over, PATIENCE, 0);
    conn_read(&peer->conn);
}

void
http_wake(struct http *http)
{
    if (http != NULL && http->waiting && !http->closing)
        accept_one(http);
}

static void
on_connection(uv_stream_t *stream, int status)
{
    if (status == 0)
        accept_one(stream->data);
}

/* ---- its life ----------------------------------------------------------- */

static void
complain(const struct http *http, struct slice why)
{
    daemon_log(http->daemon, LOG_LEVEL_WARNING,
               "http.listen: %.*s: %.*s: no metrics, no status; mail goes on",
               SLICE_ARG(http->conf.address.text), SLICE_ARG(why));
}

static int
adopt(struct http *http, int fd)
{
    uv_loop_t *loop = &http->daemon->loop;
    int error;

    if (http->kind == CONN_UNIX) {
        uv_pipe_init(loop, &http->uv.pipe, 0);
        error = uv_pipe_open(&http->uv.pipe, fd);
    } else {
        uv_tcp_init(loop, &http->uv.tcp);
        error = uv_tcp_open(&http->uv.tcp, fd);
    }
    http->uv.handle.data = http;
    return error;
}

struct http *
http_open(struct daemon *daemon, struct inherited *inherited)
{
    const struct conf_address *address = &daemon->conf->http.listen;
    struct http *http;
    struct buf why = { 0 };
    int fd;

    if (!daemon->conf->http.enabled)
        return NULL;
    http = mem_alloc(sizeof(*http));
    http->daemon = daemon;
    http->kind = address->kind == CONF_UNIX ? CONN_UNIX : CONN_TCP;
    TAILQ_INIT(&http->peers);
    http->conf.name = SLICE_OF("http");
    http->conf.mode = UNIX_MODE;
    http->conf.address = *address;
    http->conf.address.text = arena_copy(&http->arena, address->text);
    http->conf.address.host = arena_copy(&http->arena, address->host);
    http->conf.address.path = arena_copy(&http->arena, address->path);

    fd = inherited_find(inherited, &http->conf);
    if (fd < 0) {
        fd = socket_bind(&http->conf, &why);
        http->made = fd >= 0 && http->kind == CONN_UNIX;
    }
    if (fd < 0) {
        complain(http, buf_slice(&why));
        buf_free(&why);
        http_free(http);
        return NULL;
    }
    int error = adopt(http, fd);
    if (error != 0) {
        close(fd);
        complain(http, slice_from(uv_strerror(error)));
    }
    return http;
}

void
http_listen(struct http *http)
{
    int error =
        http == NULL ? 0 : uv_listen(&http->uv.stream, BACKLOG, on_connection);

    if (error != 0)
        complain(http, slice_from(uv_strerror(error)));
}

void
http_close(struct http *http)
{
    struct http_peer *peer;

    if (http == NULL || http->closing)
        return;
    http->closing = true;
    if (http->made)
        unlink(http->conf.address.path.ptr); /* a copy: a C string */
    uv_close(&http->uv.handle, NULL);
    while ((peer = TAILQ_FIRST(&http->peers)) != NULL)
        close_peer(peer);
}

void
http_free(struct http *http)
{
    if (http == NULL)
        return;
    arena_free(&http->arena);
    free(http);
}
