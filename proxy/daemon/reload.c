#include "reload.h"

#include "daemon.h"
#include "tablestats.h"

#include <stdlib.h>

static void
log_lines(struct daemon *daemon, enum log_level level, const char *what,
          const struct buf *lines)
{
    struct slice rest = buf_slice(lines);

    while (rest.len != 0) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.len != 0)
            loop_log(&daemon->loop, level, "%s: %.*s", what, SLICE_ARG(line));
    }
}

void
reload_init(struct reload *reload, struct daemon *daemon)
{
    *reload = (struct reload){ .daemon = daemon };
    reload->request.data = reload;
}

static void
free_retired(struct reload *reload)
{
    size_t kept = 0;

    if (reload->running)
        return;
    for (size_t i = 0; i < reload->retired_count; i++)
        if (reload->retired[i]->refs == 1)
            conf_unref(reload->retired[i]);
        else
            reload->retired[kept++] = reload->retired[i];
    reload->retired_count = kept;
}

/* New sessions get it from now on. */
static void
put_in_force(struct daemon *daemon, struct conf *conf)
{
    struct reload *reload = &daemon->reload;
    struct conf *before = daemon->conf;

    reload->retired =
        mem_realloc(reload->retired,
                    (reload->retired_count + 1) * sizeof(*reload->retired));
    reload->retired[reload->retired_count++] = before;
    tablestats_attach(stats_tables(daemon->stats), conf);
    tablestats_renewed(stats_tables(daemon->stats), before, conf);
    daemon->conf = conf;
    daemon->shared.spool.limit = conf->limits.spool_total;
    if (!slice_equal(before->upstream.address.text,
                     conf->upstream.address.text))
        pool_empty(&daemon->upstreams.pool);
    free_retired(reload);
}

static void
on_thread(uv_work_t *request)
{
    struct reload *reload = request->data;
    struct daemon *daemon = reload->daemon;

    /* daemon->conf does not change while this runs. */
    reload->loaded = cli_load_with(daemon->cli, daemon->conf, &reload->errors,
                                   &reload->warnings);
}

static void
succeeded(struct daemon *daemon)
{
    struct reload *reload = &daemon->reload;
    struct conf *conf = reload->loaded;

    reload->successes++;
    reload->failing = false;
    reload->succeeded = conf->loaded;
    put_in_force(daemon, conf);
    logsink_change(daemon->logsink, conf, &daemon->shared.log);
    lookups_forget(daemon->lookups.lookups);
    senders_reopen(daemon->senders, conf);
    daemon_keep_secret(daemon);
    log_lines(daemon, LOG_LEVEL_WARNING, "config", &reload->warnings);
    if (!listeners_match(daemon, conf))
        loop_log(&daemon->loop, LOG_LEVEL_WARNING,
                 "config: listeners change only at a restart");
    loop_log(&daemon->loop, LOG_LEVEL_INFO, "reloaded %.*s",
             SLICE_ARG(conf->path));
}

/* A job has come back. False: the process stops, and nobody wants what it has
 * loaded. */
static bool
came_back(struct reload *reload)
{
    reload->running = false;
    if (!reload->daemon->stopping)
        return true;
    if (reload->loaded != NULL)
        conf_unref(reload->loaded);
    return false;
}

/* What it has loaded is in force, or gone; and somebody may have asked for
 * the next one meanwhile. */
static void
conclude(struct reload *reload)
{
    reload->loaded = NULL;
    buf_free(&reload->errors);
    buf_free(&reload->warnings);
    if (reload->again && !reload->daemon->stopping) {
        reload->again = false;
        reload_start(reload->daemon);
    }
}

static void
on_done(uv_work_t *request, int status)
{
    struct reload *reload = request->data;
    struct daemon *daemon = reload->daemon;

    (void)status; /* we never cancel */
    if (!came_back(reload)) {
        conclude(reload);
        return;
    }
    if (reload->loaded != NULL) {
        succeeded(daemon);
    } else {
        reload->failures++;
        reload->failing = true;
        log_lines(daemon, LOG_LEVEL_ERROR, "config", &reload->errors);
        loop_log(&daemon->loop, LOG_LEVEL_ERROR,
                 "config: not reloaded, the old one stays in force");
    }
    notify_ready(&daemon->notify);
    conclude(reload);
}

void
reload_start(struct daemon *daemon)
{
    struct reload *reload = &daemon->reload;

    if (daemon->stopping)
        return;
    /* However many signals come while one runs: one more is enough. */
    if (reload->running) {
        reload->again = true;
        return;
    }
    reload->running = true;
    notify_reloading(&daemon->notify);
    uv_queue_work(&daemon->loop.uv, &reload->request, on_thread, on_done);
}

/* ---- tables ------------------------------------------------------------ */

static void
on_table_thread(uv_work_t *request)
{
    struct reload *reload = request->data;

    /* daemon->conf does not change while this runs. */
    reload->loaded = conf_refresh_tables(reload->daemon->conf, clock_now().wall,
                                         &reload->errors);
}

static void
on_tables_opened(uv_work_t *request, int status)
{
    struct reload *reload = request->data;
    struct daemon *daemon = reload->daemon;

    (void)status; /* we never cancel */
    if (came_back(reload)) {
        if (reload->loaded != NULL)
            put_in_force(daemon, reload->loaded);
        if (reload->errors.len != 0)
            tablestats_failed(stats_tables(daemon->stats), daemon->conf);
        log_lines(daemon, LOG_LEVEL_ERROR, "table", &reload->errors);
    }
    conclude(reload);
}

void
reload_tick(struct daemon *daemon)
{
    struct reload *reload = &daemon->reload;

    if (reload->running)
        return;
    free_retired(reload);
    if (daemon->stopping || !conf_tables_are_stale(daemon->conf))
        return;
    /* Opening one reads its index, which no session shall wait for. */
    reload->running = true;
    uv_queue_work(&daemon->loop.uv, &reload->request, on_table_thread,
                  on_tables_opened);
}

void
reload_free(struct reload *reload)
{
    free_retired(reload);
    free(reload->retired);
}
