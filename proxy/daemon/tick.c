#include "tick.h"

#include "process.h"

enum {
    INTERVAL = 1000,    /* ms: a table is in force 2 s after it was replaced */
    PROBE_AFTER = 5000, /* ms without contact */
    PROBE_TIME = 3000,  /* ms for its answer */
};

static uint64_t
count_sessions(const struct ticker *ticker)
{
    uint64_t count = 0;

    for (size_t i = 0; i < ticker->listeners->count; i++)
        count += ticker->shared->counters[i].sessions;
    return count;
}

static uint64_t
count_transactions(const struct ticker *ticker)
{
    uint64_t count = 0;

    for (size_t i = 0; i < ticker->listeners->count; i++)
        for (size_t result = 0; result < RELAY_RESULTS; result++)
            count += ticker->shared->counters[i].transactions[result];
    return count;
}

/* ---- status ------------------------------------------------------------ */

/* With a comma for each thousand. */
static void
put_number(struct buf *out, uint64_t number)
{
    if (number >= 1000) {
        put_number(out, number / 1000);
        buf_printf(out, ",%03u", (unsigned)(number % 1000));
    } else {
        buf_printf(out, "%u", (unsigned)number);
    }
}

static void
put_age(struct buf *out, int64_t seconds)
{
    if (seconds < 60)
        buf_puts(out, "less than a minute old");
    else if (seconds < 2 * 3600)
        buf_printf(out, "%lld min old", (long long)(seconds / 60));
    else if (seconds < 2 * 86400)
        buf_printf(out, "%lld hours old", (long long)(seconds / 3600));
    else
        buf_printf(out, "%lld days old", (long long)(seconds / 86400));
}

static void
put_aliases(const struct ticker *ticker, struct buf *out)
{
    const struct alias_list *list = &ticker->reload->conf->forward.aliases;
    uint64_t count = 0;
    int64_t newest = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct table *table = list->entries[i].table;
        if (table == NULL) {
            count++;
            continue;
        }
        count += table->entries;
        int64_t written = table->stat.mtime_ns / 1000000000;
        if (written > newest)
            newest = written;
    }
    put_number(out, count);
    buf_puts(out, " aliases");
    if (newest != 0) {
        buf_puts(out, " (");
        put_age(out, clock_now().wall - newest);
        buf_putc(out, ')');
    }
}

/* "12 sessions, 4.1 msg/s, upstream up, 1,043,221 aliases (2 min old)" */
static void
put_status(const struct ticker *ticker, double rate, struct buf *out)
{
    const struct pool *pool = &ticker->prober->upstreams->pool;

    put_number(out, ticker->listeners->links->count);
    buf_printf(out, " sessions, %.1f msg/s, upstream %s, ", rate,
               pool->contacted == 0 ? "not contacted yet"
               : pool->up           ? "up"
                                    : "down");
    put_aliases(ticker, out);
}

static void
send_status(struct ticker *ticker)
{
    uint64_t transactions = count_transactions(ticker);
    uint64_t now = clock_ms();
    double seconds = (double)(now - ticker->at) / 1000;
    double rate = seconds > 0
                      ? (double)(transactions - ticker->transactions) / seconds
                      : 0;
    struct buf status = { 0 };

    ticker->transactions = transactions;
    ticker->at = now;
    put_status(ticker, rate, &status);
    if (!slice_equal(buf_slice(&status), buf_slice(&ticker->status)))
        notify_status(ticker->notify, "%.*s", SLICE_ARG(buf_slice(&status)));
    buf_free(&ticker->status);
    ticker->status = status;
}

/* ---- the tick ---------------------------------------------------------- */

/* Large messages and bursts leave holes that free does not give back. */
static void
give_memory_back(struct ticker *ticker)
{
    uint64_t sessions = count_sessions(ticker);

    if (sessions == ticker->sessions)
        return;
    ticker->sessions = sessions;
    process_trim();
}

static void
look_at_upstream(struct ticker *ticker)
{
    const struct pool *pool = &ticker->prober->upstreams->pool;
    uint64_t now = clock_ms();

    if (ticker->shared->draining || ticker->prober->probe != NULL ||
        now - pool->contacted < PROBE_AFTER ||
        now - ticker->probed < PROBE_AFTER ||
        !descriptors_suffice(ticker->listeners->descriptors))
        return;
    ticker->probed = now;
    probe_start(ticker->prober, PROBE_TIME, NULL, NULL);
}

static void
on_tick(uv_timer_t *timer)
{
    struct ticker *ticker = timer->data;

    reload_tick(ticker->reload);
    if (ticker->http != NULL) {
        http_wake(ticker->http);
        look_at_upstream(ticker);
    }
    ticker->odd = !ticker->odd;
    if (ticker->odd)
        return;
    spool_files_rest(&ticker->shared->spool.files);
    listeners_wake(ticker->listeners); /* memory may have been short */
    send_status(ticker);
    give_memory_back(ticker);
}

void
tick_open(struct ticker *ticker)
{
    uv_timer_init(&ticker->loop->uv, &ticker->timer);
    ticker->timer.data = ticker;
    ticker->at = clock_ms();
    send_status(ticker);
    uv_timer_start(&ticker->timer, on_tick, INTERVAL, INTERVAL);
}

void
tick_close(struct ticker *ticker)
{
    buf_free(&ticker->status);
    uv_close((uv_handle_t *)&ticker->timer, NULL);
}
