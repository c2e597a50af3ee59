#include "tick.h"

#include "daemon.h"

enum {
    INTERVAL = 1000 /* ms: a table is in force 2 s after it was replaced */
};

static uint64_t
count_sessions(const struct daemon *daemon)
{
    uint64_t count = 0;

    for (size_t i = 0; i < daemon->listener_count; i++)
        count += daemon->shared.counters[i].sessions;
    return count;
}

static uint64_t
count_transactions(const struct daemon *daemon)
{
    uint64_t count = 0;

    for (size_t i = 0; i < daemon->listener_count; i++)
        for (size_t result = 0; result < RELAY_RESULTS; result++)
            count += daemon->shared.counters[i].transactions[result];
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
put_aliases(const struct daemon *daemon, struct buf *out)
{
    const struct alias_list *list = &daemon->conf->forward.aliases;
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

void
tick_status(struct daemon *daemon, double rate, struct buf *out)
{
    const struct pool *pool = &daemon->upstreams.pool;

    put_number(out, daemon->link_count);
    buf_printf(out, " sessions, %.1f msg/s, upstream %s, ", rate,
               pool->contacted == 0 ? "not contacted yet"
               : pool->up           ? "up"
                                    : "down");
    put_aliases(daemon, out);
}

static void
send_status(struct daemon *daemon)
{
    struct ticker *ticker = &daemon->ticker;
    uint64_t transactions = count_transactions(daemon);
    uint64_t now = clock_ms();
    double seconds = (double)(now - ticker->at) / 1000;
    double rate = seconds > 0
                      ? (double)(transactions - ticker->transactions) / seconds
                      : 0;
    struct buf status = { 0 };

    ticker->transactions = transactions;
    ticker->at = now;
    tick_status(daemon, rate, &status);
    if (!slice_equal(buf_slice(&status), buf_slice(&ticker->status)))
        notify_status(&daemon->notify, "%.*s", SLICE_ARG(buf_slice(&status)));
    buf_free(&ticker->status);
    ticker->status = status;
}

/* ---- the tick ---------------------------------------------------------- */

/* Large messages and bursts leave holes that free does not give back. */
static void
give_memory_back(struct daemon *daemon)
{
    uint64_t sessions = count_sessions(daemon);

    if (sessions == daemon->ticker.sessions)
        return;
    daemon->ticker.sessions = sessions;
    process_trim();
}

static void
on_tick(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;

    reload_tick(daemon);
    daemon->ticker.odd = !daemon->ticker.odd;
    if (daemon->ticker.odd)
        return;
    spool_files_rest(&daemon->shared.spool.files);
    listeners_wake(daemon); /* memory may have been what was short */
    send_status(daemon);
    give_memory_back(daemon);
}

void
tick_open(struct daemon *daemon)
{
    struct ticker *ticker = &daemon->ticker;

    uv_timer_init(&daemon->loop.uv, &ticker->timer);
    ticker->timer.data = daemon;
    ticker->at = clock_ms();
    send_status(daemon);
    uv_timer_start(&ticker->timer, on_tick, INTERVAL, INTERVAL);
}

void
tick_close(struct daemon *daemon)
{
    buf_free(&daemon->ticker.status);
    uv_close((uv_handle_t *)&daemon->ticker.timer, NULL);
}
