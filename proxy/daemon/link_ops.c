#include "link_state.h"

/* When a deadline has passed, how long the sockets are looked at first, ms. */
enum {
    LATE_AGAIN = 1
};

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

    up = upstreams_dial(&link->daemon->upstreams, link->conf, &wish);
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

    link_job_started(link);
    lookups_ask(link->daemon->lookups.lookups, &link->lookup, query,
                clock_ms());
}

static void
op_store(void *ctx, const struct relay_store_query *query)
{
    struct link *link = ctx;

    senders_ask(link->daemon->senders, query, link->conf, link);
}

static void
op_sign(void *ctx, struct relay_sign_job *job)
{
    struct link *link = ctx;

    link->signed_now =
        signer_start(&link->daemon->signer, job, link_signed, link);
    if (!link->signed_now)
        link_job_started(link);
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
