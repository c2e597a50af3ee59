#include "link_state.h"

enum {
    LATE_AGAIN = 1, /* ms for the sockets, when a deadline has passed */
    CLIENT_HIGH = 64 * 1024, /* unsent octets at which we stop listening */
    INPUT_HIGH = 64 * 1024,  /* octets the session does not want yet */
    INPUT_MAX = INPUT_HIGH + 2 * LOOP_SCRATCH,
    WINDOWS = 8, /* of content for upstream, before it is others' turn */
};

/* ---- the session's operations ------------------------------------------- */

static struct upstream *
find_upstream(struct link *link, unsigned outbound)
{
    struct upstream *up;

    for (up = TAILQ_FIRST(&link->upstreams); up != NULL;
         up = TAILQ_NEXT(up, of_user))
        if (up->outbound == outbound)
            return up;
    return NULL;
}

/* Taken from the link's list: it is about to be dropped or released. */
static struct upstream *
detach_upstream(struct link *link, unsigned outbound)
{
    struct upstream *up = find_upstream(link, outbound);

    if (up != NULL)
        TAILQ_REMOVE(&link->upstreams, up, of_user);
    return up;
}

static void
op_to_client(void *ctx, struct slice octets)
{
    struct link *link = ctx;

    if (link->state != LINK_OPEN)
        return;
    /* At once, not at the end of the event: the session has grouped what
     * belongs together, and a final reply must be out before anything else is
     * done, or the window for a duplicate grows (RFC 1047). */
    conn_send(&link->client, octets);
}

static void
op_dial(void *ctx, unsigned outbound, enum relay_dial how)
{
    struct link *link = ctx;
    struct upstream *up;

    struct pool_wish wish = { .how = how,
                              .user = &link_upstream_events,
                              .owner = link,
                              .outbound = outbound };

    up = upstreams_dial(link->links->upstreams, link->conf, &wish);
    TAILQ_INSERT_TAIL(&link->upstreams, up, of_user);
}

static void
op_to_upstream(void *ctx, unsigned outbound, struct slice octets)
{
    struct link *link = ctx;
    struct upstream *up = find_upstream(link, outbound);

    if (up != NULL)
        upstream_write(up, octets);
}

static size_t
op_file_to_upstream(void *ctx, unsigned outbound, int fd, uint64_t offset,
                    size_t length)
{
    struct upstream *up = find_upstream(ctx, outbound);

    return up == NULL ? 0 : upstream_send_file(up, fd, offset, length);
}

static void
op_drop(void *ctx, unsigned outbound)
{
    struct upstream *up = detach_upstream(ctx, outbound);

    if (up != NULL)
        pool_drop(up);
}

static void
op_release(void *ctx, unsigned outbound, const struct smtp_ehlo *ehlo)
{
    struct link *link = ctx;
    struct upstream *up = detach_upstream(link, outbound);

    if (up == NULL)
        return;
    upstream_flush(up);
    pool_release(up, ehlo, link->conf->upstream.idle_timeout);
}

static void
op_look_up(void *ctx, const struct table_query *query)
{
    struct link *link = ctx;

    link->pending++;
    lookups_ask(link->links->lookups, &link->lookup, query, clock_ms());
}

static void
op_store(void *ctx, const struct relay_store_query *query)
{
    struct link *link = ctx;

    link->pending++;
    senders_ask(link->links->senders, query, link->conf, link_stored, link);
}

static void
op_sign(void *ctx, struct relay_sign_job *job)
{
    struct link *link = ctx;

    link->signed_now =
        signer_start(link->links->signer, job, link_signed, link);
    if (!link->signed_now)
        link->pending++;
}

static bool
op_client_present(void *ctx)
{
    struct link *link = ctx;

    return conn_peer_present(&link->client);
}

static bool
op_upstream_quiet(void *ctx, unsigned outbound)
{
    const struct upstream *up = find_upstream(ctx, outbound);

    return up != NULL && upstream_is_quiet(up);
}

void
link_on_deadline(struct link *link)
{
    if (!link->deadline_set)
        return;
    /* The process may have been stopped for a while, and what we waited for
     * lies in the socket: the loop looks there before this fires again. */
    if (!link->deadline_due) {
        link->deadline_due = true;
        conn_timer(&link->client, LATE_AGAIN);
        return;
    }
    link->deadline_set = false;
    relay_on_deadline(link->session, clock_now());
    link_settle(link);
}

static void
op_deadline(void *ctx, unsigned milliseconds)
{
    struct link *link = ctx;

    if (link->state != LINK_OPEN)
        return;
    link->deadline_due = false;
    link->deadline_set = milliseconds != 0;
    conn_timer(&link->client, milliseconds);
}

static void
op_finish(void *ctx)
{
    struct link *link = ctx;

    link->finished = true;
}

const struct relay_ops link_ops = {
    .to_client = op_to_client,
    .dial = op_dial,
    .to_upstream = op_to_upstream,
    .file_to_upstream = op_file_to_upstream,
    .drop = op_drop,
    .release = op_release,
    .look_up = op_look_up,
    .store = op_store,
    .sign = op_sign,
    .client_present = op_client_present,
    .upstream_quiet = op_upstream_quiet,
    .deadline = op_deadline,
    .finish = op_finish,
};

/* ---- after each event ---------------------------------------------------- */

/* What dialling found out at once. */
static bool
deliver_notices(struct link *link)
{
    struct upstream *up = TAILQ_FIRST(&link->upstreams);

    while (up != NULL && up->notice == UPSTREAM_NOTHING)
        up = TAILQ_NEXT(up, of_user);
    if (up == NULL)
        return false;

    unsigned outbound = up->outbound;
    enum upstream_notice notice = up->notice;
    up->notice = UPSTREAM_NOTHING;
    switch (notice) {
    case UPSTREAM_NOTHING:
        break;
    case UPSTREAM_REUSED:
        relay_on_upstream_open(link->session, outbound, &up->known,
                               clock_now());
        break;
    case UPSTREAM_GREETS:
        relay_on_upstream_open(link->session, outbound, NULL, clock_now());
        break;
    case UPSTREAM_FAILED:
        TAILQ_REMOVE(&link->upstreams, up, of_user);
        pool_drop(up);
        relay_on_upstream_lost(link->session, outbound, RELAY_LOST_REFUSED,
                               clock_now());
        break;
    }
    return true;
}

/* Tell the session that upstream took what it had written. */
static bool
deliver_writable(struct link *link)
{
    struct upstream *up;

    for (up = TAILQ_FIRST(&link->upstreams); up != NULL;
         up = TAILQ_NEXT(up, of_user)) {
        upstream_flush(up);
        if (up->owes_writable && upstream_is_writable(up)) {
            up->owes_writable = false;
            relay_on_writable(link->session, up->outbound, clock_now());
            return true;
        }
    }
    return false;
}

/* What the loop signed itself: the session was in the middle of something. */
static bool
deliver_signed(struct link *link)
{
    if (!link->signed_now)
        return false;
    link->signed_now = false;
    relay_on_signed(link->session, clock_now());
    return true;
}

static struct slice
unused_input(const struct link *link)
{
    return slice_tail(buf_slice(&link->input), link->input_used);
}

static bool
client_has_room(struct link *link)
{
    if (conn_unsent(&link->client) >= CLIENT_HIGH)
        conn_flush(&link->client);
    return conn_unsent(&link->client) < CLIENT_HIGH;
}

/* Offer the session what has come from the client, until it gives way to
 * others. */
static bool
pump(struct link *link, bool *gave_way)
{
    bool progress = false;

    while (!*gave_way && link_is_live(link) &&
           relay_wants_client(link->session) && client_has_room(link)) {
        struct slice in = unused_input(link);
        bool buffered = in.len != 0;
        size_t used;

        if (!buffered)
            in = link->fresh;
        if (in.len == 0)
            break;
        used = relay_on_client_octets(link->session, in, clock_now());
        if (used == 0)
            break;
        progress = true;
        if (!buffered) {
            link->fresh = slice_tail(link->fresh, used);
        } else if ((link->input_used += used) == link->input.len) {
            buf_free(&link->input);
            link->input_used = 0;
        }
        *gave_way = relay_gives_way(link->session);
    }
    return progress;
}

void
link_keep_fresh(struct link *link)
{
    buf_drop(&link->input, link->input_used);
    link->input_used = 0;
    if (link->fresh.len != 0 && link_is_live(link) &&
        (link->input.len + link->fresh.len > INPUT_MAX ||
         !buf_try_append(&link->input, link->fresh)))
        link->client.broken = true;
    link->fresh = (struct slice){ 0 };
}

void
link_settle_later(struct link *link)
{
    loop_later(link->links->loop, &link->later);
}

static void
steer_reading(struct link *link)
{
    bool full = link->input.len >= INPUT_HIGH ||
                conn_unsent(&link->client) >= CLIENT_HIGH;
    bool unwanted = link->input.len != 0 && !relay_wants_client(link->session);

    /* While nothing is left over reading goes on even if the session wants
     * nothing now: that is how a client that leaves is noticed, and it saves
     * two system calls for each command. */
    if (full || unwanted)
        conn_hold(&link->client);
    else
        conn_read(&link->client);
}

static void
settle_open(struct link *link)
{
    unsigned windows = 0;
    bool gave_way = false;

    while (link_is_live(link)) {
        if (deliver_signed(link) || deliver_notices(link) ||
            pump(link, &gave_way))
            continue;
        if (windows < WINDOWS && deliver_writable(link)) {
            windows++;
            continue;
        }
        if (link->client.broken && !link->client_told) {
            link->client_told = true;
            relay_on_client_lost(link->session, clock_now());
            continue;
        }
        break;
    }
    link_keep_fresh(link);
    conn_flush(&link->client);
    if (link->client.broken && !link->client_told && link_is_live(link)) {
        link_settle_later(link);
        return;
    }
    if (windows == WINDOWS || gave_way)
        link_settle_later(link);
    if (link_is_live(link))
        steer_reading(link);
}

void
link_settle(struct link *link)
{
    if (link->state == LINK_OPEN)
        settle_open(link);
    deliver_signed(link); /* to a session that ended in the same breath */
    if (link->state == LINK_OPEN && link->finished)
        link_finish(link);
}
