#include "link_state.h"

#include <stdlib.h>
#include <string.h>

enum {
    FLUSH_TIME = 5000,  /* for the last reply, ms */
    LINGER_TIME = 1000, /* for the client to read it and close */
};

static const struct conn_events client_events;

static void begin_close(struct link *link);
static void release_pending(struct link *link);
static void on_looked_up(struct lookup *lookup,
                         const struct table_answer *answer);

/* ---- the start --------------------------------------------------------- */

static void
name_peer(struct link *link, const struct sockaddr *peer)
{
    memcpy(link->peer, "local", sizeof("local"));
    if (peer->sa_family == AF_INET)
        uv_ip4_name((const struct sockaddr_in *)peer, link->peer,
                    LINK_PEER_MAX);
    else if (peer->sa_family == AF_INET6)
        uv_ip6_name((const struct sockaddr_in6 *)peer, link->peer,
                    LINK_PEER_MAX);
}

static void
on_later(struct later *later)
{
    link_settle((struct link *)((char *)later - offsetof(struct link, later)));
}

void
links_init(struct links *links, struct loop *loop)
{
    *links = (struct links){ .loop = loop };
    TAILQ_INIT(&links->all);
}

bool
link_open(struct links *links, struct link_entrance *entrance, int fd,
          const struct sockaddr *peer, enum relay_welcome welcome)
{
    struct link *link = mem_try(sizeof(*link));

    if (link == NULL)
        return false;
    conn_init(&link->client, entrance->kind, links->loop, &client_events);
    link->links = links;
    link->entrance = entrance;
    entrance->active++;
    link->pending = 1;
    link->later.run = on_later;
    link->lookup.on_answer = on_looked_up;
    TAILQ_INIT(&link->upstreams);
    TAILQ_INSERT_TAIL(&links->all, link, all);
    links->count++;

    if (!conn_adopt(&link->client, fd)) {
        link->finished = true;
        begin_close(link);
        return true;
    }
    name_peer(link, peer);
    link->conf = conf_ref(*links->conf);
    link->session = relay_new(link->conf, &entrance->conf, links->shared,
                              entrance->counters, &link_ops, link,
                              slice_from(link->peer), welcome, clock_now());
    if (link->session == NULL)
        link->finished = true;
    link_settle(link);
    return true;
}

bool
link_is_live(const struct link *link)
{
    return link->state == LINK_OPEN && !link->finished;
}

/* ---- events ------------------------------------------------------------ */

static void
on_client_octets(struct conn *conn, struct slice octets)
{
    struct link *link = (struct link *)conn;

    if (link->state != LINK_OPEN) /* too late; read so that no reset */
        return;                   /* destroys our last reply */
    if (link->input.len != 0) {
        link->fresh = octets;
        link_keep_fresh(link);
    } else {
        link->fresh = octets;
    }
    link_settle(link);
}

static void
on_client_ended(struct conn *conn, int status)
{
    struct link *link = (struct link *)conn;

    (void)status; /* a front does not wait for our 221: no error, no line */
    switch (link->state) {
    case LINK_OPEN:
        if (!link->client_told) {
            link->client_told = true;
            relay_on_client_lost(link->session, clock_now());
        }
        link_settle(link);
        break;
    case LINK_FLUSHING:
        if (status != 0)
            begin_close(link);
        break;
    case LINK_LINGERING:
        begin_close(link);
        break;
    case LINK_CLOSING:
        break;
    }
}

static void
on_client_sent(struct conn *conn)
{
    struct link *link = (struct link *)conn;

    if (link->state == LINK_OPEN)
        link_settle(link);
    else if (conn->broken)
        begin_close(link);
}

static void
on_client_time(struct conn *conn)
{
    struct link *link = (struct link *)conn;

    if (link->state == LINK_OPEN)
        link_on_deadline(link);
    else
        begin_close(link);
}

static void
on_client_closed(struct conn *conn)
{
    release_pending((struct link *)conn);
}

static const struct conn_events client_events = {
    .on_octets = on_client_octets,
    .on_ended = on_client_ended,
    .on_sent = on_client_sent,
    .on_time = on_client_time,
    .on_closed = on_client_closed,
};

static void
on_upstream_open(struct upstream *up)
{
    struct link *link = up->owner;

    relay_on_upstream_open(link->session, up->outbound, NULL, clock_now());
    link_settle(link);
}

static void
on_upstream_octets(struct upstream *up, struct slice octets)
{
    struct link *link = up->owner;

    relay_on_upstream_octets(link->session, up->outbound, octets, clock_now());
    link_settle(link);
}

static void
on_upstream_lost(struct upstream *up, enum relay_lost how)
{
    struct link *link = up->owner;

    TAILQ_REMOVE(&link->upstreams, up, of_user);
    relay_on_upstream_lost(link->session, up->outbound, how, clock_now());
    link_settle(link);
}

static void
on_upstream_sent(struct upstream *up)
{
    link_settle(up->owner);
}

static void
on_upstream_handed(struct upstream *up, struct upstream *free)
{
    struct link *link = up->owner;

    TAILQ_REMOVE(&link->upstreams, up, of_user);
    TAILQ_INSERT_TAIL(&link->upstreams, free, of_user);
    link_settle_later(link);
}

const struct upstream_user link_upstream_events = {
    .on_open = on_upstream_open,
    .on_octets = on_upstream_octets,
    .on_lost = on_upstream_lost,
    .on_sent = on_upstream_sent,
    .on_handed = on_upstream_handed,
};

void
link_signed(void *ctx)
{
    struct link *link = ctx;

    relay_on_signed(link->session, clock_now());
    link_settle(link);
    release_pending(link);
}

static void
on_looked_up(struct lookup *lookup, const struct table_answer *answer)
{
    struct link *link =
        (struct link *)((char *)lookup - offsetof(struct link, lookup));

    relay_on_looked_up(link->session, answer, clock_now());
    link_settle(link);
    release_pending(link);
}

void
link_stored(void *ctx, const struct table_answer *answer)
{
    struct link *link = ctx;

    relay_on_stored(link->session, answer, clock_now());
    link_settle(link);
    release_pending(link);
}

/* ---- the end ----------------------------------------------------------- */

static void
drop_upstreams(struct link *link)
{
    struct upstream *up;

    while ((up = TAILQ_FIRST(&link->upstreams)) != NULL) {
        TAILQ_REMOVE(&link->upstreams, up, of_user);
        pool_drop(up);
    }
}

static void
on_shutdown(uv_shutdown_t *request, int status)
{
    struct link *link = request->data;

    if (link->state != LINK_FLUSHING)
        return;
    if (status != 0 || link->client.ended) {
        begin_close(link);
        return;
    }
    /* To close with octets unread would send a reset, which may overtake the
     * reply that stands in the client's buffer. */
    link->state = LINK_LINGERING;
    conn_timer(&link->client, LINGER_TIME);
}

void
link_finish(struct link *link)
{
    link->state = LINK_FLUSHING;
    drop_upstreams(link);
    buf_free(&link->input);
    conn_flush(&link->client);
    link->shutdown.data = link;
    bool ended = link->client.ended ||
                 (link->session != NULL && relay_has_quit(link->session) &&
                  link->fresh.len == 0);
    if (link->client.broken || (ended && conn_unsent(&link->client) == 0) ||
        uv_shutdown(&link->shutdown, &link->client.uv.stream, on_shutdown) !=
            0) {
        begin_close(link);
        return;
    }
    conn_timer(&link->client, FLUSH_TIME);
    conn_read(&link->client);
}

static void
begin_close(struct link *link)
{
    if (link->state == LINK_CLOSING)
        return;
    link->state = LINK_CLOSING;
    drop_upstreams(link);
    buf_free(&link->input);
    conn_close(&link->client);
}

static void
release_pending(struct link *link)
{
    struct links *links = link->links;

    if (--link->pending != 0)
        return;
    loop_not_later(links->loop, &link->later);
    TAILQ_REMOVE(&links->all, link, all);
    links->count--;
    link->entrance->active--;
    if (link->session != NULL)
        relay_free(link->session);
    if (link->conf != NULL)
        conf_unref(link->conf);
    free(link);
    links->on_gone(links->ctx);
}

void
links_drain(struct links *links)
{
    struct link *link, *next;

    for (link = TAILQ_FIRST(&links->all); link != NULL; link = next) {
        next = TAILQ_NEXT(link, all);
        if (!link_is_live(link))
            continue;
        relay_on_drain(link->session, clock_now());
        link_settle(link);
    }
}

void
links_abort(struct links *links)
{
    struct link *link, *next;

    for (link = TAILQ_FIRST(&links->all); link != NULL; link = next) {
        next = TAILQ_NEXT(link, all);
        if (link_is_live(link))
            relay_on_client_lost(link->session, clock_now());
        begin_close(link);
    }
}

size_t
links_busy(const struct links *links)
{
    struct link *link;
    size_t busy = 0;

    for (link = TAILQ_FIRST(&links->all); link != NULL;
         link = TAILQ_NEXT(link, all))
        if (link_is_live(link) && relay_is_busy(link->session))
            busy++;
    return busy;
}
