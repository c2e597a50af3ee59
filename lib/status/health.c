#include "health.h"

static void
look_at_tables(const struct status_view *view, struct buf *warnings)
{
    for (size_t i = 0; i < view->table_count; i++)
        if (view->tables[i].stale) {
            buf_puts(warnings, "table ");
            log_escape_text(warnings, view->tables[i].spec); /* one line */
            buf_puts(warnings, " is older than its file: reload, or see the "
                               "log for why the file was not taken\n");
        }
    for (size_t i = 0; i < view->table_count; i++)
        if (view->tables[i].failing)
            buf_printf(warnings,
                       "table %.*s did not answer the last look-up: who needs "
                       "it gets 451, the log says why\n",
                       SLICE_ARG(view->tables[i].spec));
}

bool
status_ready(const struct status_view *view, struct buf *reasons,
             struct buf *warnings)
{
    bool ready = true;

    if (view->draining) {
        buf_puts(reasons, "draining: the process is stopping\n");
        ready = false;
    }
    if (!view->upstream_known) {
        buf_printf(reasons, "upstream %.*s was not reached yet\n",
                   SLICE_ARG(view->upstream));
        ready = false;
    } else if (!view->upstream_up) {
        buf_printf(reasons, "upstream %.*s is unreachable (tried %llu s ago)\n",
                   SLICE_ARG(view->upstream),
                   (unsigned long long)(view->upstream_tried_ms / 1000));
        ready = false;
    }
    look_at_tables(view, warnings);
    if (view->keys_stale)
        buf_puts(warnings, "the key set is older than its directory: reload\n");
    if (view->config_failed)
        buf_puts(warnings, "the last reload failed: onward check says why\n");
    return ready;
}
