#include "upstreams.h"

#include "daemon.h"
#include "dial.h"

#include <stdlib.h>
#include <string.h>

enum {
    IDLE_MAX = 256,     /* connections kept */
    LEAVE_TIME = 2000,  /* how long a QUIT may take, ms */
    BROKEN_TIME = 1000, /* how long a reply may still come, ms */
};

static const struct conn_events events;

static void on_connected(uv_connect_t *request, int status);

void
upstreams_init(struct upstreams *pool, struct daemon *daemon)
{
    *pool = (struct upstreams){ .daemon = daemon };
    TAILQ_INIT(&pool->all);
    TAILQ_INIT(&pool->idle);
    TAILQ_INIT(&pool->waiting);
    TAILQ_INIT(&pool->spare);
}

static void
contacted(struct upstreams *pool, bool up)
{
    pool->up = up;
    pool->contacted = clock_ms();
}

/* ---- dialling ---------------------------------------------------------- */

/* What is handed on meanwhile is for those that have dialled. */
static void
wait_for_greeting(struct upstream *up)
{
    if (up->user->on_handed == NULL)
        return;
    up->waits = true;
    TAILQ_INSERT_TAIL(&up->pool->waiting, up, waiting);
}

static void
stop_waiting(struct upstream *up)
{
    if (!up->waits)
        return;
    up->waits = false;
    TAILQ_REMOVE(&up->pool->waiting, up, waiting);
}

static void
take_from_spare(struct upstream *up)
{
    up->spare = false;
    TAILQ_REMOVE(&up->pool->spare, up, among);
}

static void
take_from_idle(struct upstream *up)
{
    TAILQ_REMOVE(&up->pool->idle, up, among);
    up->pool->idle_count--;
    conn_timer(&up->conn, 0);
}

static bool
has_address(const struct upstream *up, struct slice address)
{
    return address.len == strlen(up->address) &&
           memcmp(address.ptr, up->address, address.len) == 0;
}

/* One that is still good: what came in while it was idle (421, EOF) may not
 * have been read yet. */
static struct upstream *
find_idle(struct upstreams *pool, struct slice address)
{
    struct upstream *up = TAILQ_FIRST(&pool->idle);

    while (up != NULL) {
        struct upstream *next = TAILQ_NEXT(up, among);
        if (has_address(up, address)) {
            if (conn_is_quiet(&up->conn))
                return up;
            upstream_drop(up);
        }
        up = next;
    }
    return NULL;
}

/* One whose greeting somebody else waited for. */
static struct upstream *
find_spare(struct upstreams *pool, struct slice address)
{
    struct upstream *up = TAILQ_FIRST(&pool->spare);

    while (up != NULL) {
        struct upstream *next = TAILQ_NEXT(up, among);
        if (has_address(up, address)) {
            if (up->state == UPSTREAM_CONNECTING ||
                conn_peer_present(&up->conn))
                return up;
            upstream_drop(up);
        }
        up = next;
    }
    return NULL;
}

static struct upstream *
dial_new(struct upstreams *pool, const struct conf *conf)
{
    const struct conf_address *address = &conf->upstream.address;
    struct upstream *up = mem_alloc(sizeof(*up));
    struct loop *loop = &pool->daemon->loop;
    int error;

    conn_init(&up->conn, dial_kind(address), loop, &events);
    up->connect.data = up;
    up->pool = pool;
    up->state = UPSTREAM_CONNECTING;
    if (address->text.len < sizeof(up->address))
        memcpy(up->address, address->text.ptr, address->text.len);
    TAILQ_INSERT_TAIL(&pool->all, up, all);
    pool->count++;

    error = dial(&up->conn, &up->connect, address, on_connected);
    if (error != 0) {
        up->notice = UPSTREAM_FAILED;
        contacted(pool, false);
    } else {
        conn_timer(&up->conn, conf->upstream.connect_timeout);
    }
    return up;
}

/* up may be NULL. While it is connecting its timer goes on. */
static struct upstream *
take_spare(struct upstream *up)
{
    if (up == NULL)
        return NULL;
    take_from_spare(up);
    if (up->state == UPSTREAM_SPARE) {
        conn_timer(&up->conn, 0);
        up->state = UPSTREAM_OPEN;
        up->notice = UPSTREAM_GREETS;
        conn_read(&up->conn);
    }
    return up;
}

struct upstream *
upstreams_dial(struct upstreams *pool, const struct conf *conf,
               enum relay_dial how, const struct upstream_user *user,
               void *owner)
{
    struct upstream *up = NULL;

    switch (how) {
    case RELAY_DIAL_ANY:
        up = find_idle(pool, conf->upstream.address.text);
        break;
    case RELAY_DIAL_FRESH:
        /* One was stale, so upstream was restarted: so are the others. */
        upstreams_empty(pool);
        break;
    }
    if (up != NULL) {
        take_from_idle(up);
        up->state = UPSTREAM_OPEN;
        up->notice = UPSTREAM_REUSED;
    } else if (how == RELAY_DIAL_ANY && user->on_handed != NULL) {
        up = take_spare(find_spare(pool, conf->upstream.address.text));
    }
    if (up == NULL)
        up = dial_new(pool, conf);
    up->user = user;
    up->owner = owner;
    pool->used_count++;
    if (how == RELAY_DIAL_ANY && up->notice != UPSTREAM_REUSED &&
        up->notice != UPSTREAM_FAILED)
        wait_for_greeting(up);
    return up;
}

static void
disown(struct upstream *up)
{
    if (up->user != NULL)
        up->pool->used_count--;
    up->user = NULL;
    stop_waiting(up);
}

static void
lost(struct upstream *up, enum relay_lost how)
{
    const struct upstream_user *user = up->user;

    disown(up);
    if (user != NULL)
        user->on_lost(up, how);
    upstream_drop(up);
}

/* Its greeting stays where it is until somebody wants it. */
static void
keep_spare(struct upstream *up)
{
    conn_hold(&up->conn);
    up->state = UPSTREAM_SPARE;
    conn_timer(&up->conn, up->keep_for);
}

static void
on_connected(uv_connect_t *request, int status)
{
    struct upstream *up = request->data;

    if (status == UV_ECANCELED || up->state != UPSTREAM_CONNECTING)
        return;
    contacted(up->pool, status == 0);
    if (status != 0) {
        lost(up,
             status == UV_ETIMEDOUT ? RELAY_LOST_TIMEOUT : RELAY_LOST_REFUSED);
        return;
    }
    conn_timer(&up->conn, 0);
    conn_no_delay(&up->conn);
    if (up->spare) {
        keep_spare(up);
        return;
    }
    up->state = UPSTREAM_OPEN;
    conn_read(&up->conn);
    up->user->on_open(up);
}

static void
on_timer(struct conn *conn)
{
    struct upstream *up = (struct upstream *)conn;

    switch (up->state) {
    case UPSTREAM_CONNECTING:
        contacted(up->pool, false);
        lost(up, RELAY_LOST_TIMEOUT);
        break;
    case UPSTREAM_OPEN: /* broken, and it had no more to say */
        lost(up, RELAY_LOST_CLOSED);
        break;
    case UPSTREAM_IDLE:
    case UPSTREAM_SPARE:
        upstream_quit(up);
        break;
    case UPSTREAM_LEAVING:
        upstream_drop(up);
        break;
    case UPSTREAM_CLOSED:
        break;
    }
}

/* ---- what the connection says ------------------------------------------ */

static void
on_octets(struct conn *conn, struct slice octets)
{
    struct upstream *up = (struct upstream *)conn;

    switch (up->state) {
    case UPSTREAM_OPEN:
        stop_waiting(up);
        up->user->on_octets(up, octets);
        break;
    case UPSTREAM_IDLE: /* nobody asked: of no use any more */
        upstream_drop(up);
        break;
    case UPSTREAM_LEAVING: /* the 221 */
    case UPSTREAM_CONNECTING:
    case UPSTREAM_SPARE: /* is not read */
    case UPSTREAM_CLOSED:
        break;
    }
}

static void
on_ended(struct conn *conn, int status)
{
    struct upstream *up = (struct upstream *)conn;

    (void)status;
    lost(up, RELAY_LOST_CLOSED);
}

/* It may have said why before it closed: that is read first, and after it the
 * EOF. The timer is for an upstream that leaves us neither. */
static void
notice_broken(struct upstream *up)
{
    if (up->conn.broken && up->state == UPSTREAM_OPEN &&
        !uv_is_active((uv_handle_t *)&up->conn.timer))
        conn_timer(&up->conn, BROKEN_TIME);
}

static void
on_sent(struct conn *conn)
{
    struct upstream *up = (struct upstream *)conn;

    notice_broken(up);
    if (up->user != NULL)
        up->user->on_sent(up);
}

void
upstream_flush(struct upstream *up)
{
    conn_flush(&up->conn);
    notice_broken(up);
}

/* ---- giving it back ---------------------------------------------------- */

static void
on_conn_closed(struct conn *conn)
{
    free(conn);
}

void
upstream_drop(struct upstream *up)
{
    struct upstreams *pool = up->pool;

    if (up->state == UPSTREAM_CLOSED)
        return;
    if (up->state == UPSTREAM_IDLE)
        take_from_idle(up);
    if (up->spare)
        take_from_spare(up);
    up->state = UPSTREAM_CLOSED;
    disown(up);
    TAILQ_REMOVE(&pool->all, up, all);
    pool->count--;
    conn_close(&up->conn);
    listeners_wake(pool->daemon);
}

void
upstream_quit(struct upstream *up)
{
    if (up->state == UPSTREAM_IDLE)
        take_from_idle(up);
    if (up->spare)
        take_from_spare(up);
    disown(up);
    if (up->state == UPSTREAM_CONNECTING || up->conn.broken || up->conn.ended) {
        upstream_drop(up);
        return;
    }
    up->state = UPSTREAM_LEAVING;
    conn_write(&up->conn, SLICE_OF("QUIT\r\n"));
    conn_flush(&up->conn);
    /* Upstream closes first, so that the port is not ours in TIME_WAIT. */
    conn_read(&up->conn);
    conn_timer(&up->conn, LEAVE_TIME);
}

/* In the place of one that waits for its greeting. */
static void
hand_over(struct upstream *up, struct upstream *waiting, unsigned keep_for)
{
    struct upstreams *pool = up->pool;
    const struct upstream_user *user = waiting->user;

    up->user = user;
    up->owner = waiting->owner;
    up->outbound = waiting->outbound;
    up->notice = UPSTREAM_REUSED;
    pool->used_count++;
    user->on_handed(waiting, up);
    disown(waiting);
    waiting->owner = NULL;
    waiting->notice = UPSTREAM_NOTHING;
    waiting->keep_for = keep_for;
    waiting->spare = true;
    TAILQ_INSERT_TAIL(&pool->spare, waiting, among);
    if (waiting->state == UPSTREAM_OPEN)
        keep_spare(waiting);
}

static struct upstream *
find_waiting(const struct upstream *up)
{
    struct upstream *waiting;

    for (waiting = TAILQ_FIRST(&up->pool->waiting); waiting != NULL;
         waiting = TAILQ_NEXT(waiting, waiting))
        if (strcmp(waiting->address, up->address) == 0)
            return waiting;
    return NULL;
}

void
upstream_release(struct upstream *up, const struct smtp_ehlo *ehlo,
                 unsigned idle_timeout)
{
    struct upstreams *pool = up->pool;

    if (up->state != UPSTREAM_OPEN || idle_timeout == 0 || ehlo == NULL ||
        up->address[0] == '\0' || conn_unsent(&up->conn) != 0 ||
        pool->daemon->stopping || pool->idle_count >= IDLE_MAX) {
        upstream_quit(up);
        return;
    }
    disown(up);
    up->owner = NULL;
    up->owes_writable = false;
    up->notice = UPSTREAM_NOTHING;
    up->known = *ehlo;
    struct upstream *waiting = find_waiting(up);
    if (waiting != NULL && conn_is_quiet(&up->conn)) {
        hand_over(up, waiting, idle_timeout);
        return;
    }
    up->state = UPSTREAM_IDLE;
    TAILQ_INSERT_HEAD(&pool->idle, up, among);
    pool->idle_count++;
    conn_timer(&up->conn, idle_timeout);
}

void
upstreams_empty(struct upstreams *pool)
{
    struct upstream *up;

    while ((up = TAILQ_FIRST(&pool->idle)) != NULL ||
           (up = TAILQ_FIRST(&pool->spare)) != NULL)
        upstream_quit(up);
}

void
upstreams_shed(struct upstreams *pool)
{
    struct upstream *up, *next;

    for (up = TAILQ_FIRST(&pool->all); up != NULL; up = next) {
        next = TAILQ_NEXT(up, all);
        if (up->state == UPSTREAM_IDLE || up->state == UPSTREAM_LEAVING ||
            up->spare)
            upstream_drop(up);
    }
}

void
upstreams_abandon(struct upstreams *pool)
{
    struct upstream *up;

    while ((up = TAILQ_FIRST(&pool->all)) != NULL)
        upstream_drop(up);
}

static const struct conn_events events = {
    .on_octets = on_octets,
    .on_ended = on_ended,
    .on_sent = on_sent,
    .on_time = on_timer,
    .on_closed = on_conn_closed,
};
