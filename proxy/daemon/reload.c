#include "reload.h"

#include <stdlib.h>

static void
log_lines(const struct reload *reload, enum log_level level, const char *what,
          const struct buf *lines)
{
    struct slice rest = buf_slice(lines);

    while (rest.len != 0) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.len != 0)
            loop_log(reload->loop, level, "%s: %.*s", what, SLICE_ARG(line));
    }
}

void
reload_init(struct reload *reload, struct conf *conf, int64_t now)
{
    reload->conf = conf;
    reload->succeeded = now;
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
put_in_force(struct reload *reload, enum reload_scope scope)
{
    struct conf *before = reload->conf;

    reload->retired =
        mem_realloc(reload->retired,
                    (reload->retired_count + 1) * sizeof(*reload->retired));
    reload->retired[reload->retired_count++] = before;
    tablestats_attach(reload->tables, reload->loaded);
    tablestats_renewed(reload->tables, before, reload->loaded);
    reload->conf = reload->loaded;
    reload->on_change(reload->ctx, before, scope);
    free_retired(reload);
}

static void
on_thread(uv_work_t *request)
{
    struct reload *reload = request->data;

    /* reload->conf does not change while this runs. */
    reload->loaded = cli_load_with(reload->cli, reload->conf, &reload->errors,
                                   &reload->warnings);
}

static void
succeeded(struct reload *reload)
{
    reload->successes++;
    reload->failing = false;
    reload->succeeded = reload->loaded->loaded;
    put_in_force(reload, RELOAD_ALL);
    log_lines(reload, LOG_LEVEL_WARNING, "config", &reload->warnings);
    loop_log(reload->loop, LOG_LEVEL_INFO, "reloaded %.*s",
             SLICE_ARG(reload->conf->path));
}

/* A job has come back. False: the process stops, and nobody wants what it has
 * loaded. */
static bool
came_back(struct reload *reload)
{
    reload->running = false;
    if (!*reload->stopping)
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
    if (reload->again && !*reload->stopping) {
        reload->again = false;
        reload_start(reload);
    }
}

static void
on_done(uv_work_t *request, int status)
{
    struct reload *reload = request->data;

    (void)status; /* we never cancel */
    if (!came_back(reload)) {
        conclude(reload);
        return;
    }
    if (reload->loaded != NULL) {
        succeeded(reload);
    } else {
        reload->failures++;
        reload->failing = true;
        log_lines(reload, LOG_LEVEL_ERROR, "config", &reload->errors);
        loop_log(reload->loop, LOG_LEVEL_ERROR,
                 "config: not reloaded, the old one stays in force");
    }
    notify_ready(reload->notify);
    conclude(reload);
}

void
reload_start(struct reload *reload)
{
    if (*reload->stopping)
        return;
    /* However many signals come while one runs: one more is enough. */
    if (reload->running) {
        reload->again = true;
        return;
    }
    reload->running = true;
    notify_reloading(reload->notify);
    uv_queue_work(&reload->loop->uv, &reload->request, on_thread, on_done);
}

/* ---- tables ------------------------------------------------------------ */

static void
on_table_thread(uv_work_t *request)
{
    struct reload *reload = request->data;

    /* reload->conf does not change while this runs. */
    reload->loaded =
        conf_refresh_tables(reload->conf, clock_now().wall, &reload->errors);
}

static void
on_tables_opened(uv_work_t *request, int status)
{
    struct reload *reload = request->data;

    (void)status; /* we never cancel */
    if (came_back(reload)) {
        if (reload->loaded != NULL)
            put_in_force(reload, RELOAD_TABLES);
        if (reload->errors.len != 0)
            tablestats_failed(reload->tables, reload->conf);
        log_lines(reload, LOG_LEVEL_ERROR, "table", &reload->errors);
    }
    conclude(reload);
}

void
reload_tick(struct reload *reload)
{
    if (reload->running)
        return;
    free_retired(reload);
    if (*reload->stopping || !conf_tables_are_stale(reload->conf))
        return;
    /* Opening one reads its index, which no session shall wait for. */
    reload->running = true;
    uv_queue_work(&reload->loop->uv, &reload->request, on_table_thread,
                  on_tables_opened);
}

void
reload_free(struct reload *reload)
{
    free_retired(reload);
    free(reload->retired);
}
