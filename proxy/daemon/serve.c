#include "daemon.h"

#include "commands.h"
#include "hostsecret.h"
#include "probe.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    PROBE_TIME = 900
}; /* ms: the listeners open within a second */

static void end(struct daemon *daemon);

/* ---- stopping ---------------------------------------------------------- */

static void
on_drain_over(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;

    loop_log(&daemon->loop, LOG_LEVEL_WARNING,
             "timeouts.drain is over: %zu sessions are cut off",
             daemon->link_count);
    link_abort_all(daemon);
}

static void
stop(struct daemon *daemon, const char *why)
{
    daemon->stopping = true;
    daemon->shared.draining = true;
    notify_stopping(&daemon->notify);
    loop_log(&daemon->loop, LOG_LEVEL_INFO,
             "stopping on %s: %zu sessions, %zu transactions under way", why,
             daemon->link_count, link_busy_count(daemon));
    listeners_close(daemon);
    probe_stop(daemon);
    pool_stop(&daemon->upstreams.pool);
    uv_timer_start(&daemon->drain, on_drain_over, daemon->conf->timeouts.drain,
                   0);
    link_drain_all(daemon);
    if (daemon->link_count == 0)
        end(daemon);
}

void
daemon_link_gone(struct daemon *daemon)
{
    listeners_wake(daemon);
    if (daemon->link_count != 0)
        return;
    /* An idle process holds no more than it has to. */
    spool_files_drop(&daemon->shared.spool.files);
    if (daemon->stopping)
        end(daemon);
}

static void
on_terminate(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;

    if (!daemon->stopping)
        stop(daemon, number == SIGINT ? "SIGINT" : "SIGTERM");
    else if (number == SIGINT) /* somebody at a terminal insists */
        link_abort_all(daemon);
}

static void
on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    reload_start(handle->data);
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

    for (size_t i = 0; i < daemon->listener_count; i++) {
        const struct conf_listener *conf = &daemon->listeners[i].conf;
        buf_printf(&names, "%s%.*s=%.*s", i != 0 ? ", " : "",
                   SLICE_ARG(conf->name), SLICE_ARG(conf->address.text));
    }
    loop_log(&daemon->loop, LOG_LEVEL_INFO,
             "started, version " ONWARD_VERSION
             ": listeners %.*s, upstream %.*s",
             SLICE_ARG(buf_slice(&names)),
             SLICE_ARG(daemon->conf->upstream.address.text));
    buf_free(&names);
    if (geteuid() == 0)
        loop_log(&daemon->loop, LOG_LEVEL_WARNING,
                 "running as root, which nothing here needs");
}

/* The probe is done, whatever came of it. */
static void
on_probed(struct daemon *daemon)
{
    struct buf errors = { 0 };

    if (!listeners_listen(daemon, &errors)) {
        print_errors(&errors);
        daemon->exit_status = CLI_UNREACHABLE;
        stop(daemon, "an error");
        return;
    }
    daemon->serving = true;
    descriptors_measure(&daemon->descriptors);
    log_started(daemon);
    notify_ready(&daemon->notify);
    tick_open(daemon);
    stats_start(daemon->stats);
}

static void
init_shared(struct daemon *daemon)
{
    struct relay_shared *shared = &daemon->shared;
    size_t listeners = daemon->conf->listener_count;
    struct timespec now;

    shared->counters = mem_alloc((listeners + 1) * sizeof(*shared->counters));
    for (size_t i = 0; i < listeners; i++)
        shared->counters[i].reasons =
            mem_alloc((relay_outcome_count() + 1) * sizeof(uint64_t));
    shared->spool.limit = daemon->conf->limits.spool_total;
    /* Session ids do not come again after a restart. */
    clock_gettime(CLOCK_REALTIME, &now);
    shared->next_id =
        ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) * 16;
    if (getrandom(&shared->unique, sizeof(shared->unique), 0) < 0)
        shared->unique = shared->next_id ^ (uint64_t)getpid();
    if (getrandom(shared->secret, sizeof(shared->secret), 0) < 0)
        memcpy(shared->secret, &shared->unique, sizeof(shared->unique));
}

void
daemon_keep_secret(struct daemon *daemon)
{
    struct buf why = { 0 };

    if (daemon->conf->srs.enabled || daemon->secret_kept)
        return;
    daemon->secret_kept = hostsecret_keep(daemon->conf->state_directory,
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
    listeners_wake(ctx);
}

static void
init(struct daemon *daemon, const struct cli *cli, struct conf *conf)
{
    uv_loop_t *loop = &daemon->loop.uv;

    daemon->cli = cli;
    daemon->conf = conf;
    daemon->started = clock_now().wall;
    TAILQ_INIT(&daemon->links);
    loop_open(&daemon->loop, &daemon->shared.log);
    init_shared(daemon);
    daemon->logsink = logsink_open(loop, conf, &daemon->shared.log);
    signer_init(&daemon->signer, loop, process_threads());
    daemon->stats = stats_open(daemon);
    notify_open(&daemon->notify, loop);
    reload_init(&daemon->reload, daemon);
    daemon->reload.succeeded = daemon->started;
    upstreams_init(&daemon->upstreams, &daemon->loop);
    daemon->upstreams.on_room = on_room;
    daemon->upstreams.ctx = daemon;
    maplookups_open(&daemon->lookups, &daemon->loop,
                    stats_tables(daemon->stats));
    daemon_keep_secret(daemon);
    daemon->senders = senders_open(daemon, conf);
    uv_timer_init(loop, &daemon->retry);
    daemon->retry.data = daemon;
    uv_timer_init(loop, &daemon->drain);
    daemon->drain.data = daemon;
    catch_signal(daemon, &daemon->hangup, SIGHUP, on_hangup);
    catch_signal(daemon, &daemon->terminate, SIGTERM, on_terminate);
    catch_signal(daemon, &daemon->interrupt, SIGINT, on_terminate);
}

/* ---- the end ----------------------------------------------------------- */

/* Close what the loop waits for; it returns when all of it is closed. */
static void
end(struct daemon *daemon)
{
    if (daemon->ended)
        return;
    daemon->ended = true;
    listeners_close(daemon);
    if (daemon->serving)
        tick_close(daemon);
    maplookups_close(&daemon->lookups);
    maplisten_close(daemon->maplisten);
    http_close(daemon->http);
    stats_close(daemon->stats);
    pool_abandon(&daemon->upstreams.pool);
    loop_close(&daemon->loop);
    notify_close(&daemon->notify);
    uv_close((uv_handle_t *)&daemon->retry, NULL);
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
    for (size_t i = 0; i < daemon->listener_count; i++)
        free(shared->counters[i].reasons);
    free(shared->counters);
    spool_files_drop(&shared->spool.files);
    listeners_free(daemon);
    conf_unref(daemon->conf);
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
    if (listeners_bind(daemon, &errors)) {
        probe_start(daemon, PROBE_TIME, on_probed);
    } else {
        print_errors(&errors);
        daemon->exit_status = CLI_UNREACHABLE;
        end(daemon);
    }
    uv_run(&daemon->loop.uv, UV_RUN_DEFAULT);
    logsink_sum_up(daemon->logsink);
    if (daemon->serving)
        loop_log(&daemon->loop, LOG_LEVEL_INFO, "stopped");
    status = daemon->exit_status;
    destroy(daemon);
    return status;
}
