#include "conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

/* From here on octets are written at once and not collected. */
enum {
    COLLECT_MAX = 32 * 1024
};

struct conn_queued {
    uv_write_t request;
    char octets[];
};

void
conn_init(struct conn *conn, enum conn_kind kind, struct loop *loop,
          const struct conn_events *events)
{
    *conn = (struct conn){ .events = events, .loop = loop };
    if (kind == CONN_TCP)
        uv_tcp_init(&loop->uv, &conn->uv.tcp);
    else
        uv_pipe_init(&loop->uv, &conn->uv.pipe, 0);
    uv_timer_init(&loop->uv, &conn->timer);
    conn->uv.handle.data = conn->timer.data = conn;
    conn->handles = 2;
}

bool
conn_adopt(struct conn *conn, int fd)
{
    int error = conn->uv.handle.type == UV_TCP
                    ? uv_tcp_open(&conn->uv.tcp, fd)
                    : uv_pipe_open(&conn->uv.pipe, fd);

    if (error != 0) {
        close(fd);
        return false;
    }
    conn_no_delay(conn);
    return true;
}

void
conn_no_delay(struct conn *conn)
{
    if (conn->uv.handle.type == UV_TCP)
        uv_tcp_nodelay(&conn->uv.tcp, 1);
}

static void
on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *memory)
{
    struct conn *conn = handle->data;

    (void)size;
    *memory = uv_buf_init(conn->loop->scratch, LOOP_SCRATCH);
}

static void
on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *memory)
{
    struct conn *conn = stream->data;

    if (count == 0) /* EAGAIN */
        return;
    if (count > 0) {
        struct slice octets = { memory->base, (size_t)count };
        conn->events->on_octets(conn, octets);
        return;
    }
    conn_hold(conn);
    conn->ended = true;
    conn->events->on_ended(conn, count == UV_EOF ? 0 : (int)count);
}

void
conn_read(struct conn *conn)
{
    if (conn->reading || conn->ended || uv_is_closing(&conn->uv.handle))
        return;
    /* Fails only for a stream that was never connected. */
    if (uv_read_start(&conn->uv.stream, on_alloc, on_read) == 0)
        conn->reading = true;
}

void
conn_hold(struct conn *conn)
{
    if (!conn->reading)
        return;
    uv_read_stop(&conn->uv.stream);
    conn->reading = false;
}

static void
on_written(uv_write_t *request, int status)
{
    struct conn *conn = request->data;

    free(request);
    if (status == UV_ECANCELED) /* we closed it */
        return;
    if (status < 0)
        conn->broken = true;
    if (conn->broken || conn_unsent(conn) <= CONN_LOW)
        conn->events->on_sent(conn);
}

/* a and b, less the octets that have gone out already. */
static void
queue(struct conn *conn, struct slice a, struct slice b, size_t gone)
{
    struct slice rest_a = slice_tail(a, gone);
    struct slice rest_b = gone > a.len ? slice_tail(b, gone - a.len) : b;
    size_t size = rest_a.len + rest_b.len;
    struct conn_queued *queued;
    uv_buf_t piece;

    if (size == 0)
        return;
    queued = mem_try(sizeof(*queued) + size);
    if (queued == NULL) {
        conn->broken = true;
        return;
    }
    if (rest_a.len != 0)
        memcpy(queued->octets, rest_a.ptr, rest_a.len);
    if (rest_b.len != 0)
        memcpy(queued->octets + rest_a.len, rest_b.ptr, rest_b.len);
    queued->request.data = conn;
    piece = uv_buf_init(queued->octets, (unsigned)size);
    if (uv_write(&queued->request, &conn->uv.stream, &piece, 1, on_written) !=
        0) {
        free(queued);
        conn->broken = true;
    }
}

static uv_buf_t
piece_of(struct slice s)
{
    /* uv_buf_t has no const; libuv only reads. */
    return (uv_buf_t){ .base = (char *)(uintptr_t)s.ptr, .len = s.len };
}

static void
send_out(struct conn *conn, struct slice a, struct slice b)
{
    uv_buf_t pieces[2];
    unsigned count = 0;
    int sent;

    if (a.len != 0)
        pieces[count++] = piece_of(a);
    if (b.len != 0)
        pieces[count++] = piece_of(b);
    if (count == 0)
        return;
    sent = uv_try_write(&conn->uv.stream, pieces, count);
    if (sent == UV_EAGAIN)
        sent = 0;
    if (sent < 0)
        conn->broken = true;
    else
        queue(conn, a, b, (size_t)sent);
}

void
conn_write(struct conn *conn, struct slice octets)
{
    if (conn->broken || uv_is_closing(&conn->uv.handle))
        return;
    if (conn->out.len + octets.len > COLLECT_MAX) {
        send_out(conn, buf_slice(&conn->out), octets);
        buf_free(&conn->out);
    } else if (!buf_try_append(&conn->out, octets)) {
        conn->broken = true;
    }
}

void
conn_flush(struct conn *conn)
{
    if (conn->out.len == 0)
        return;
    if (!conn->broken && !uv_is_closing(&conn->uv.handle))
        send_out(conn, buf_slice(&conn->out), (struct slice){ 0 });
    buf_free(&conn->out);
}

void
conn_send(struct conn *conn, struct slice octets)
{
    if (conn->broken || uv_is_closing(&conn->uv.handle))
        return;
    send_out(conn, buf_slice(&conn->out), octets);
    buf_free(&conn->out);
}

size_t
conn_send_file(struct conn *conn, int fd, uint64_t offset, size_t length)
{
    off_t from = (off_t)offset;
    int socket;

    if (conn->broken || conn->out.len != 0 || conn_unsent(conn) != 0 ||
        uv_fileno(&conn->uv.handle, &socket) != 0)
        return 0;
    ssize_t sent = sendfile(socket, fd, &from, length);
    return sent > 0 ? (size_t)sent : 0;
}

size_t
conn_unsent(const struct conn *conn)
{
    return conn->out.len + uv_stream_get_write_queue_size(&conn->uv.stream);
}

bool
conn_peer_present(const struct conn *conn)
{
    struct pollfd look = { .events = POLLRDHUP };

    if (conn->ended || conn->broken ||
        uv_fileno(&conn->uv.handle, &look.fd) != 0)
        return false;
    if (poll(&look, 1, 0) < 0)
        return errno == EINTR; /* not known to be gone */
    return (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0;
}

bool
conn_is_quiet(const struct conn *conn)
{
    char octet;
    int fd;

    if (conn->ended || conn->broken || uv_fileno(&conn->uv.handle, &fd) != 0)
        return false;
    return recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

static void
on_time(uv_timer_t *timer)
{
    struct conn *conn = timer->data;

    conn->events->on_time(conn);
}

void
conn_timer(struct conn *conn, unsigned milliseconds)
{
    if (uv_is_closing(&conn->uv.handle))
        return;
    if (milliseconds == 0)
        uv_timer_stop(&conn->timer);
    else
        uv_timer_start(&conn->timer, on_time, milliseconds, 0);
}

static void
on_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;

    if (--conn->handles == 0)
        conn->events->on_closed(conn);
}

void
conn_close(struct conn *conn)
{
    if (uv_is_closing(&conn->uv.handle))
        return;
    buf_free(&conn->out);
    conn->reading = false;
    uv_close(&conn->uv.handle, on_closed);
    uv_close((uv_handle_t *)&conn->timer, on_closed);
}
