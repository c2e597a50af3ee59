#include "http.h"

#include "httpanswer.h"

#include <stdlib.h>

enum {
    PEERS_MAX = 32,
    PATIENCE = 5000, /* ms for a request and for its answer */
    BACKLOG = 32,
    UNIX_MODE = 0660
};

struct http_peer {
    struct conn conn; /* first: found by a cast */
    struct http *http;
    uv_shutdown_t shutdown;
    struct buf input;
    bool answered;
    bool closed;
    TAILQ_ENTRY(http_peer) next; /* the oldest first */
};

struct http {
    struct local local;
    struct loop *loop;
    struct descriptors *descriptors;
    struct stats *stats;
    TAILQ_HEAD(, http_peer) peers;
    size_t peer_count;
    bool waiting; /* a connection that could not be accepted */
    bool closing;
};

static void accept_one(struct http *http);

/* ---- a connection ------------------------------------------------------- */

static void
on_conn_closed(struct conn *conn)
{
    buf_free(&((struct http_peer *)conn)->input);
    free(conn);
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
    if (http->waiting && !http->closing)
        accept_one(http);
}

static void
on_time(struct conn *conn)
{
    close_peer((struct http_peer *)conn);
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
answer(struct http_peer *peer, enum status_request request, struct slice path,
       bool head)
{
    struct buf out = { 0 };

    peer->answered = true;
    http_answer(peer->http->stats, request, path, head, &out);
    conn_write(&peer->conn, buf_slice(&out));
    conn_flush(&peer->conn);
    buf_free(&out);
    conn_timer(&peer->conn, PATIENCE);
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
    enum status_request request;

    if (peer->answered)
        return;
    buf_append(&peer->input,
               slice_head(octets, STATUS_REQUEST_MAX - peer->input.len));
    request = status_request_parse(buf_slice(&peer->input), &path, &head);
    if (request != STATUS_REQUEST_MORE)
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
    .on_time = on_time,
    .on_closed = on_conn_closed,
};

/* ---- accepting ---------------------------------------------------------- */

static void
accept_one(struct http *http)
{
    struct http_peer *peer = NULL;

    if (http->peer_count < PEERS_MAX && descriptors_suffice(http->descriptors))
        peer = mem_try(sizeof(*peer));
    http->waiting = peer == NULL;
    if (peer == NULL)
        return; /* until one of the others is done */
    conn_init(&peer->conn, http->local.kind, http->loop, &events);
    peer->http = http;
    TAILQ_INSERT_TAIL(&http->peers, peer, next);
    http->peer_count++;
    if (!local_accept(&http->local, &peer->conn)) {
        close_peer(peer);
        return;
    }
    conn_timer(&peer->conn, PATIENCE);
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
    loop_log(http->loop, LOG_LEVEL_WARNING,
             "http.listen: %.*s: %.*s: no metrics, no status; mail goes on",
             SLICE_ARG(http->local.conf.address.text), SLICE_ARG(why));
}

struct http *
http_open(struct loop *loop, const struct conf *conf,
          struct descriptors *descriptors, struct stats *stats,
          struct inherited *inherited)
{
    struct local_wish wish = {
        .name = SLICE("http"),
        .address = &conf->http.listen,
        .mode = UNIX_MODE,
    };
    struct buf why = { 0 };

    if (!conf->http.enabled)
        return NULL;
    struct http *http = mem_alloc(sizeof(*http));
    http->loop = loop;
    http->descriptors = descriptors;
    http->stats = stats;
    TAILQ_INIT(&http->peers);
    bool opened = local_open(&http->local, &loop->uv, inherited, &wish, &why);
    if (why.len != 0)
        complain(http, buf_slice(&why));
    buf_free(&why);
    if (!opened) {
        http_free(http);
        return NULL;
    }
    http->local.uv.handle.data = http;
    return http;
}

void
http_listen(struct http *http)
{
    int error = http == NULL
                    ? 0
                    : uv_listen(&http->local.uv.stream, BACKLOG, on_connection);

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
    local_close(&http->local);
    while ((peer = TAILQ_FIRST(&http->peers)) != NULL)
        close_peer(peer);
}

void
http_free(struct http *http)
{
    if (http == NULL)
        return;
    local_free(&http->local);
    free(http);
}
