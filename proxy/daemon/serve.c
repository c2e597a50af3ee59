#include "commands.h"
#include "hostsecret.h"
#include "link.h"
#include "maplisten.h"
#include "maplookups.h"
#include "process.h"
#include "tick.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    PROBE_TIME = 900
}; /* ms: the listeners open within a second */

/*
 * The running process. One of these exists; each part is given what it needs of
 * it, and none knows it. All of it belongs to the loop's thread, except where a
 * job on the pool was given its own piece.
 */
struct daemon {
    struct loop loop;
    struct relay_shared shared;
    struct logsink *logsink;
    struct notify notify;
    struct reload reload; /* has the configuration in force */
    struct signer signer;
    struct upstreams upstreams;
    struct maplookups lookups;
    struct senders *senders;
    struct links links; /* all sessions */
    struct descriptors descriptors;
    struct listeners listeners;
    struct maplisten *maplisten; /* NULL: off */
    struct stats *stats;
    struct http *http; /* NULL: off */
    struct prober prober;
    struct ticker ticker;
    uv_signal_t hangup, terminate, interrupt;
    uv_timer_t drain; /* timeouts.drain */
    bool secret_kept; /* shared.secret is that of hostsecret.h */
    enum {
        STARTING,
        SERVING,  /* the listeners are open */
        STOPPING, /* SIGTERM came; shared.draining says so to the others */
        ENDED,    /* nothing is left to wait for */
    } state;
    bool served;
    int exit_status;
};

static void end(struct daemon *daemon);
static void keep_secret(struct daemon *daemon);

/* ---- stopping ---------------------------------------------------------- */

static void
on_drain_over(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;

    loop_log(&daemon->loop, LOG_LEVEL_WARNING,
             "timeouts.drain is over: %zu sessions are cut off",
             daemon->links.count);
    links_abort(&daemon->links);
}

static void
stop(struct daemon *daemon, const char *why)
{
    daemon->state = STOPPING;
    daemon->shared.draining = true;
    notify_stopping(&daemon->notify);
    loop_log(&daemon->loop, LOG_LEVEL_INFO,
             "stopping on %s: %zu sessions, %zu transactions under way", why,
             daemon->links.count, links_busy(&daemon->links));
    listeners_close(&daemon->listeners);
    probe_stop(&daemon->prober);
    pool_stop(&daemon->upstreams.pool);
    uv_timer_start(&daemon->drain, on_drain_over,
                   daemon->reload.conf->timeouts.drain, 0);
    links_drain(&daemon->links);
    if (daemon->links.count == 0)
        end(daemon);
}

/* A session is gone; while stopping, the last one ends the process. */
static void
on_link_gone(void *ctx)
{
    struct daemon *daemon = ctx;

    listeners_wake(&daemon->listeners);
    if (daemon->links.count != 0)
        return;
    /* An idle process holds no more than it has to. */
    spool_files_drop(&daemon->shared.spool.files);
    if (daemon->state == STOPPING)
        end(daemon);
}

static void
on_terminate(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;

    if (daemon->state < STOPPING)
        stop(daemon, number == SIGINT ? "SIGINT" : "SIGTERM");
    else if (number == SIGINT) /* somebody at a terminal insists */
        links_abort(&daemon->links);
}

static void
on_hangup(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;

    (void)number;
    reload_start(&daemon->reload);
}

/* ---- starting ---------------------------------------------------------- */

static void
catch_signal(struct daemon *daemon, uv_signal_t *handle, int number,
             uv_signal_cb on_signal)
{
    uv_signal_init(&daemon->loop.uv, handle);
    handle->data = daemon;
    uv_signal_start(handle, on_signal, number);
}

/* Errors of the start belong on standard error, where whoever started us
 * looks. */
static void
print_errors(struct buf *errors)
{
    struct slice rest = buf_slice(errors);

    while (rest.len != 0) {
        struct slice line = slice_cut(&rest, '\n');
        cli_error("%.*s", SLICE_ARG(line));
    }
    buf_free(errors);
}

static void
log_started(struct daemon *daemon)
{
    struct buf names = { 0 };

    for (size_t i = 0; i < daemon->listeners.count; i++) {
        const struct conf_listener *conf =
            &daemon->listeners.list[i].entrance.conf;
        buf_printf(&names, "%s%.*s=%.*s", i != 0 ? ", " : "",
                   SLICE_ARG(conf->name), SLICE_ARG(conf->address.text));
    }
    loop_log(&daemon->loop, LOG_LEVEL_INFO,
             "started, version " ONWARD_VERSION
             ": listeners %.*s, upstream %.*s",
             SLICE_ARG(buf_slice(&names)),
             SLICE_ARG(daemon->reload.conf->upstream.address.text));
    buf_free(&names);
    if (geteuid() == 0)
        loop_log(&daemon->loop, LOG_LEVEL_WARNING,
                 "running as root, which nothing here needs");
}

static void
open_ticker(struct daemon *daemon)
{
    daemon->ticker = (struct ticker){ .loop = &daemon->loop,
                                      .shared = &daemon->shared,
                                      .listeners = &daemon->listeners,
                                      .reload = &daemon->reload,
                                      .prober = &daemon->prober,
                                      .notify = &daemon->notify,
                                      .http = daemon->http };
    tick_open(&daemon->ticker);
}

/* The probe is done, whatever came of it. */
static void
on_probed(void *ctx)
{
    struct daemon *daemon = ctx;
    struct buf errors = { 0 };
    bool ok = listeners_listen(&daemon->listeners, &errors);

    http_listen(daemon->http);
    if (!maplisten_listen(daemon->maplisten, &errors) || !ok) {
        print_errors(&errors);
        daemon->exit_status = CLI_UNREACHABLE;
        stop(daemon, "an error");
        return;
    }
    daemon->state = SERVING;
    daemon->served = true;
    descriptors_measure(&daemon->descriptors);
    log_started(daemon);
    notify_ready(&daemon->notify);
    open_ticker(daemon);
}

static void
init_shared(struct daemon *daemon)
{
    struct relay_shared *shared = &daemon->shared;
    size_t listeners = daemon->reload.conf->listener_count;
    struct timespec now;

    shared->counters = mem_alloc((listeners + 1) * sizeof(*shared->counters));
    for (size_t i = 0; i < listeners; i++)
        shared->counters[i].reasons =
            mem_alloc((relay_outcome_count() + 1) * sizeof(uint64_t));
    shared->spool.limit = daemon->reload.conf->limits.spool_total;
    /* Session ids do not come again after a restart. */
    clock_gettime(CLOCK_REALTIME, &now);
    shared->next_id =
        ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) * 16;
    if (getrandom(&shared->unique, sizeof(shared->unique), 0) < 0)
        shared->unique = shared->next_id ^ (uint64_t)getpid();
    if (getrandom(shared->secret, sizeof(shared->secret), 0) < 0)
        memcpy(shared->secret, &shared->unique, sizeof(shared->unique));
}

/* Where there is no SRS secret: the one of this host. */
static void
keep_secret(struct daemon *daemon)
{
    struct buf why = { 0 };

    if (daemon->reload.conf->srs.enabled || daemon->secret_kept)
        return;
    daemon->secret_kept = hostsecret_keep(daemon->reload.conf->state_directory,
                                          daemon->shared.secret, &why);
    if (!daemon->secret_kept)
        loop_log(&daemon->loop, LOG_LEVEL_WARNING,
                 "no secret of this host (%.*s): loop marks are known until "
                 "the next restart",
                 SLICE_ARG(buf_slice(&why)));
    buf_free(&why);
}

static void
on_room(void *ctx)
{
    struct daemon *daemon = ctx;

    listeners_wake(&daemon->listeners);
}

/* Another configuration is in force: for new sessions, and at once for what is
 * the process's. */
static void
on_change(void *ctx, const struct conf *before, enum reload_scope scope)
{
    struct daemon *daemon = ctx;
    const struct conf *conf = daemon->reload.conf;

    daemon->shared.spool.limit = conf->limits.spool_total;
    if (!slice_equal(before->upstream.address.text,
                     conf->upstream.address.text))
        pool_empty(&daemon->upstreams.pool);
    switch (scope) {
    case RELOAD_TABLES:
        return;
    case RELOAD_ALL:
        break;
    }
    logsink_change(daemon->logsink, conf, &daemon->shared.log);
    lookups_forget(daemon->lookups.lookups);
    senders_reopen(daemon->senders, conf);
    keep_secret(daemon);
    if (!listeners_match(&daemon->listeners, conf))
        loop_log(&daemon->loop, LOG_LEVEL_WARNING,
                 "config: listeners change only at a restart");
}

static void
init_stats(struct daemon *daemon)
{
    struct stats_sources sources = {
        .started = clock_now().wall,
        .shared = &daemon->shared,
        .listeners = &daemon->listeners,
        .pool = &daemon->upstreams.pool,
        .reload = &daemon->reload,
        .logsink = daemon->logsink,
    };

    daemon->stats = stats_new(&sources);
    tablestats_attach(stats_tables(daemon->stats), daemon->reload.conf);
    daemon->shared.on_transaction = stats_on_transaction;
    daemon->shared.observer = daemon->stats;
    daemon->signer.observe = stats_on_signed;
    daemon->signer.observer = daemon->stats;
}

static void
init_reload(struct daemon *daemon, const struct cli *cli)
{
    struct reload *reload = &daemon->reload;

    reload->loop = &daemon->loop;
    reload->cli = cli;
    reload->notify = &daemon->notify;
    reload->tables = stats_tables(daemon->stats);
    reload->stopping = &daemon->shared.draining;
    reload->on_change = on_change;
    reload->ctx = daemon;
}

static void
init_links(struct daemon *daemon)
{
    struct links *links = &daemon->links;

    links_init(links, &daemon->loop);
    links->conf = &daemon->reload.conf;
    links->shared = &daemon->shared;
    links->upstreams = &daemon->upstreams;
    links->lookups = daemon->lookups.lookups;
    links->senders = daemon->senders;
    links->signer = &daemon->signer;
    links->on_gone = on_link_gone;
    links->ctx = daemon;
    daemon->descriptors.sessions = &links->count;
    daemon->descriptors.pool = &daemon->upstreams.pool;
    daemon->descriptors.files = &daemon->shared.spool.files;
    daemon->prober = (struct prober){ .upstreams = &daemon->upstreams,
                                      .conf = &daemon->reload.conf,
                                      .shared = &daemon->shared };
}

static void
init(struct daemon *daemon, const struct cli *cli, struct conf *conf)
{
    uv_loop_t *loop = &daemon->loop.uv;

    reload_init(&daemon->reload, conf, clock_now().wall);
    loop_open(&daemon->loop, &daemon->shared.log);
    init_shared(daemon);
    daemon->logsink = logsink_open(loop, conf, &daemon->shared.log);
    signer_init(&daemon->signer, loop, process_threads());
    init_stats(daemon);
    notify_open(&daemon->notify, loop);
    init_reload(daemon, cli);
    upstreams_init(&daemon->upstreams, &daemon->loop);
    daemon->upstreams.on_room = on_room;
    daemon->upstreams.ctx = daemon;
    maplookups_open(&daemon->lookups, &daemon->loop,
                    stats_tables(daemon->stats));
    keep_secret(daemon);
    daemon->senders = senders_open(&daemon->loop, conf);
    init_links(daemon);
    listeners_init(&daemon->listeners, &daemon->links, &daemon->descriptors);
    uv_timer_init(loop, &daemon->drain);
    daemon->drain.data = daemon;
    catch_signal(daemon, &daemon->hangup, SIGHUP, on_hangup);
    catch_signal(daemon, &daemon->terminate, SIGTERM, on_terminate);
    catch_signal(daemon, &daemon->interrupt, SIGINT, on_terminate);
}

/* All that listens. False: what could not be bound has a line in errors. */
static bool
bind_all(struct daemon *daemon, struct buf *errors)
{
    struct mapquery_needs needs = { .loop = &daemon->loop,
                                    .conf = &daemon->reload.conf,
                                    .shared = &daemon->shared,
                                    .senders = daemon->senders };
    struct inherited inherited;
    struct buf unwanted = { 0 };

    inherited_take(&inherited);
    bool ok = listeners_bind(&daemon->listeners, &inherited, errors);
    daemon->maplisten =
        maplisten_open(&needs, &daemon->descriptors, &inherited, errors);
    daemon->http = http_open(&daemon->loop, daemon->reload.conf,
                             &daemon->descriptors, daemon->stats, &inherited);
    inherited_free(&inherited, &unwanted);
    if (unwanted.len != 0)
        loop_log(&daemon->loop, LOG_LEVEL_WARNING,
                 "inherited sockets that no listener wants: %.*s",
                 SLICE_ARG(buf_slice(&unwanted)));
    buf_free(&unwanted);
    return ok && errors->len == 0;
}

/* ---- the end ----------------------------------------------------------- */

/* Close what the loop waits for; it returns when all of it is closed. */
static void
end(struct daemon *daemon)
{
    if (daemon->state == ENDED)
        return;
    daemon->state = ENDED;
    listeners_end(&daemon->listeners);
    if (daemon->served)
        tick_close(&daemon->ticker);
    maplookups_close(&daemon->lookups);
    maplisten_close(daemon->maplisten);
    http_close(daemon->http);
    pool_abandon(&daemon->upstreams.pool);
    loop_close(&daemon->loop);
    notify_close(&daemon->notify);
    uv_close((uv_handle_t *)&daemon->drain, NULL);
    uv_close((uv_handle_t *)&daemon->hangup, NULL);
    uv_close((uv_handle_t *)&daemon->terminate, NULL);
    uv_close((uv_handle_t *)&daemon->interrupt, NULL);
}

static void
destroy(struct daemon *daemon)
{
    struct relay_shared *shared = &daemon->shared;

    logsink_close(daemon->logsink);
    uv_run(&daemon->loop.uv, UV_RUN_DEFAULT);
    loop_free(&daemon->loop);
    logsink_free(daemon->logsink);
    maplookups_free(&daemon->lookups);
    maplisten_free(daemon->maplisten);
    http_free(daemon->http);
    stats_free(daemon->stats);
    senders_close(daemon->senders);
    reload_free(&daemon->reload);
    for (size_t i = 0; i < daemon->listeners.count; i++)
        free(shared->counters[i].reasons);
    free(shared->counters);
    spool_files_drop(&shared->spool.files);
    listeners_free(&daemon->listeners);
    conf_unref(daemon->reload.conf);
    free(daemon);
}

int
command_serve(const struct cli *cli, int argc, char **argv)
{
    struct buf errors = { 0 };
    struct daemon *daemon;
    struct conf *conf;
    int status;

    if (argc > 1)
        return cli_usage(argv[0]);
    process_prepare();
    conf = cli_load(cli);
    if (conf == NULL)
        return CLI_BAD_CONF;

    daemon = mem_alloc(sizeof(*daemon));
    init(daemon, cli, conf);
    if (bind_all(daemon, &errors)) {
        probe_start(&daemon->prober, PROBE_TIME, on_probed, daemon);
    } else {
        print_errors(&errors);
        daemon->exit_status = CLI_UNREACHABLE;
        end(daemon);
    }
    uv_run(&daemon->loop.uv, UV_RUN_DEFAULT);
    logsink_sum_up(daemon->logsink);
    if (daemon->served)
        loop_log(&daemon->loop, LOG_LEVEL_INFO, "stopped");
    status = daemon->exit_status;
    destroy(daemon);
    return status;
}
