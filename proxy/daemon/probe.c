#include "probe.h"

#include <stdlib.h>

struct probe {
    struct prober *prober;
    struct conf *conf; /* its name stands in the client's EHLO */
    struct upstream *up;
    struct smtp_client client;
    uv_timer_t timer;
    void (*on_done)(void *ctx);
    void *ctx;
};

static void
on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void
end(struct probe *probe)
{
    probe->prober->probe = NULL;
    smtp_client_free(&probe->client);
    conf_unref(probe->conf);
    uv_close((uv_handle_t *)&probe->timer, on_timer_closed);
}

static void
finish(struct probe *probe)
{
    void (*on_done)(void *) = probe->on_done;
    void *ctx = probe->ctx;

    if (probe->up != NULL)
        pool_quit(probe->up);
    end(probe);
    if (on_done != NULL)
        on_done(ctx);
}

static void
on_open(struct upstream *up)
{
    struct probe *probe = up->owner;

    smtp_client_open(&probe->client, probe->conf->hostname);
}

static void
on_octets(struct upstream *up, struct slice octets)
{
    struct probe *probe = up->owner;
    struct relay_shared *shared = probe->prober->shared;
    struct buf out = { 0 };
    enum smtp_step step;
    struct smtp_reply reply;
    enum smtp_client_event event =
        smtp_client_take(&probe->client, &octets, &out, &step, &reply);

    upstream_write(up, buf_slice(&out));
    buf_free(&out);
    upstream_flush(up);
    switch (event) {
    case SMTP_CLIENT_MORE:
        return;
    case SMTP_CLIENT_READY:
        shared->upstream = probe->client.ehlo;
        shared->upstream_seen = true;
        break;
    case SMTP_CLIENT_REFUSED:
        probe->prober->upstreams->pool.up = false;
        loop_log(probe->prober->upstreams->loop, LOG_LEVEL_WARNING,
                 "upstream refused the probe: %u %.*s", reply.code,
                 SLICE_ARG(reply.text));
        break;
    case SMTP_CLIENT_REPLY:
    case SMTP_CLIENT_BAD:
        probe->prober->upstreams->pool.up = false;
        loop_log(probe->prober->upstreams->loop, LOG_LEVEL_WARNING,
                 "upstream's greeting was not understood");
        break;
    }
    finish(probe);
}

static void
on_lost(struct upstream *up, enum relay_lost how)
{
    struct probe *probe = up->owner;
    static const char *const words[] = {
        [RELAY_LOST_REFUSED] = "cannot be reached",
        [RELAY_LOST_TIMEOUT] = "does not answer",
        [RELAY_LOST_CLOSED] = "closed the connection",
    };

    loop_log(probe->prober->upstreams->loop, LOG_LEVEL_WARNING,
             "upstream %.*s %s", SLICE_ARG(probe->conf->upstream.address.text),
             words[how]);
    probe->up = NULL;
    finish(probe);
}

static void
on_sent(struct upstream *up)
{
    (void)up;
}

static const struct upstream_user user = {
    .on_open = on_open,
    .on_octets = on_octets,
    .on_lost = on_lost,
    .on_sent = on_sent,
};

static void
on_timer(uv_timer_t *timer)
{
    struct probe *probe = timer->data;

    if (probe->up != NULL && probe->up->notice != UPSTREAM_FAILED)
        loop_log(probe->prober->upstreams->loop, LOG_LEVEL_WARNING,
                 "upstream %.*s did not answer the probe in time",
                 SLICE_ARG(probe->conf->upstream.address.text));
    /* That it accepts connections is not enough. */
    probe->prober->upstreams->pool.up = false;
    finish(probe);
}

void
probe_start(struct prober *prober, unsigned limit, void (*on_done)(void *ctx),
            void *ctx)
{
    struct probe *probe = mem_alloc(sizeof(*probe));

    *probe = (struct probe){ .prober = prober,
                             .conf = conf_ref(*prober->conf),
                             .on_done = on_done,
                             .ctx = ctx };
    prober->probe = probe;
    uv_timer_init(&prober->upstreams->loop->uv, &probe->timer);
    probe->timer.data = probe;
    struct pool_wish wish = { .how = RELAY_DIAL_FRESH,
                              .user = &user,
                              .owner = probe };
    probe->up = upstreams_dial(prober->upstreams, probe->conf, &wish);
    if (probe->up->notice == UPSTREAM_FAILED) {
        pool_drop(probe->up);
        probe->up = NULL;
        limit = 0;
    }
    uv_timer_start(&probe->timer, on_timer, limit, 0);
}

void
probe_stop(struct prober *prober)
{
    struct probe *probe = prober->probe;

    if (probe == NULL)
        return;
    if (probe->up != NULL)
        pool_drop(probe->up);
    end(probe);
}
