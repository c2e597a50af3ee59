#include "view.h"

#include "health.h"
#include "base.h"

/* ---- JSON --------------------------------------------------------------- */

static void
member_number(struct json *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_put_number(json, value);
}

static void
member_bool(struct json *json, const char *key, bool value)
{
    json_key(json, key);
    json_put_bool(json, value);
}

static void
member_lines(struct json *json, const char *key, struct slice lines)
{
    json_key(json, key);
    json_open(json, '[');
    while (lines.len != 0)
        json_put_string(json, slice_cut(&lines, '\n'));
    json_close(json, ']');
}

static void
put_results(struct json *json, const char *key, const uint64_t *results)
{
    json_key(json, key);
    json_open(json, '{');
    for (unsigned i = 0; i < RELAY_RESULTS; i++)
        member_number(json, status_result_word((enum relay_result)i),
                      results[i]);
    json_close(json, '}');
}

static void
put_listeners(const struct status_view *view, struct json *json)
{
    json_key(json, "listeners");
    json_open(json, '[');
    for (size_t i = 0; i < view->listener_count; i++) {
        const struct status_listener *l = &view->listeners[i];
        json_open(json, '{');
        json_member(json, "name", l->name);
        json_member(json, "address", l->address);
        json_member(json, "role",
                    l->role == CONF_INBOUND ? SLICE_OF("inbound")
                                            : SLICE_OF("outbound"));
        member_number(json, "active", l->active);
        member_number(json, "sessions", l->counters->sessions);
        put_results(json, "transactions", l->counters->transactions);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void
member_quantile(struct json *json, const char *key,
                const struct status_histogram *histogram, double share)
{
    double seconds = status_quantile(histogram, share);

    json_key(json, key);
    if (seconds < 0)
        json_put_null(json);
    else
        json_put_number(json, (uint64_t)(seconds * 1000 + 0.5));
}

static void
put_upstream(const struct status_view *view, const struct relay_counters *total,
             struct json *json)
{
    json_key(json, "upstream");
    json_open(json, '{');
    json_member(json, "address", view->upstream);
    json_member(json, "state",
                !view->upstream_known ? SLICE_OF("unknown")
                : view->upstream_up   ? SLICE_OF("up")
                                      : SLICE_OF("down"));
    member_quantile(json, "p50_ms", &view->upstream_seconds, 0.5);
    member_quantile(json, "p99_ms", &view->upstream_seconds, 0.99);
    member_number(json, "refused", total->upstream_refused);
    member_number(json, "timeouts", total->upstream_timeout);
    json_close(json, '}');
}

static void
put_counts(const struct relay_counters *c, struct json *json)
{
    json_key(json, "actions");
    json_open(json, '{');
    member_number(json, "forwarded", c->recipients_forward);
    member_number(json, "local", c->recipients_local);
    member_number(json, "passed", c->recipients_pass);
    member_number(json, "returned", c->recipients_srs_reverse);
    member_number(json, "rejected", c->recipients_reject);
    member_number(json, "deferred", c->recipients_defer);
    member_number(json, "discarded", c->recipients_discard);
    member_number(json, "signatures",
                  c->signatures_rsa + c->signatures_ed25519);
    json_close(json, '}');
    json_key(json, "reasons");
    json_open(json, '{');
    for (size_t i = 0; i < relay_outcome_count(); i++)
        if (c->reasons[i] != 0)
            member_number(json, relay_outcome_reason(i), c->reasons[i]);
    json_close(json, '}');
}

static void
put_tables(const struct status_view *view, struct json *json)
{
    json_key(json, "tables");
    json_open(json, '[');
    for (size_t i = 0; i < view->table_count; i++) {
        const struct status_table *t = &view->tables[i];
        json_open(json, '{');
        json_member(json, "table", t->spec);
        json_member(json, "use", slice_from(t->use));
        if (t->written != 0) {
            member_number(json, "entries", t->entries);
            member_number(json, "age",
                          t->written < view->now
                              ? (uint64_t)(view->now - t->written)
                              : 0);
        }
        member_bool(json, "stale", t->stale);
        member_bool(json, "failing", t->failing);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void
count_keys(const struct status_view *view, uint64_t counts[3])
{
    for (size_t i = 0; i < view->key_count; i++)
        counts[view->keys[i].state]++;
}

static void
put_keys(const struct status_view *view, struct json *json)
{
    uint64_t counts[3] = { 0 };

    count_keys(view, counts);
    json_key(json, "keys");
    json_open(json, '{');
    member_number(json, "active", counts[DKIM_KEY_ACTIVE]);
    member_number(json, "next", counts[DKIM_KEY_NEXT]);
    member_number(json, "old", counts[DKIM_KEY_OLD]);
    member_bool(json, "stale", view->keys_stale);
    json_close(json, '}');
}

static void
put_recent(const struct status_view *view, struct json *json)
{
    json_key(json, "recent");
    json_open(json, '[');
    for (size_t i = 0; i < view->recent_count; i++) {
        const struct status_recent *r = &view->recent[i];
        json_open(json, '{');
        json_member(json, "id", slice_from(r->id));
        member_number(json, "at", (uint64_t)r->at);
        json_member(json, "listener", slice_from(r->listener));
        json_member(json, "from", slice_from(r->from));
        json_member(json, "to", slice_from(r->to));
        json_member(json, "result", slice_from(status_result_word(r->result)));
        json_member(json, "reason", slice_from(r->reason));
        member_number(json, "size", r->octets);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void
status_json(const struct status_view *view, struct buf *out)
{
    struct json json = { .out = out };
    struct buf reasons = { 0 }, warnings = { 0 };
    struct arena arena = { 0 };
    struct relay_counters total = status_total(view, &arena);
    bool ready = status_ready(view, &reasons, &warnings);

    json_open(&json, '{');
    json_member(&json, "version", view->version);
    member_number(&json, "pid", view->pid);
    member_number(&json, "uptime", (uint64_t)(view->now - view->started));
    member_bool(&json, "ready", ready);
    member_lines(&json, "problems", buf_slice(&reasons));
    member_lines(&json, "warnings", buf_slice(&warnings));
    json_key(&json, "config");
    json_open(&json, '{');
    member_bool(&json, "ok", !view->config_failed);
    member_number(&json, "loaded", (uint64_t)view->config_loaded);
    json_close(&json, '}');
    put_listeners(view, &json);
    put_upstream(view, &total, &json);
    put_results(&json, "transactions", total.transactions);
    put_results(&json, "last_5_minutes", status_last(view, 5).results);
    put_results(&json, "last_hour", status_last(view, 60).results);
    put_counts(&total, &json);
    put_tables(view, &json);
    put_keys(view, &json);
    member_number(&json, "spool", view->spool_used);
    member_number(&json, "log_dropped", view->log_dropped);
    put_recent(view, &json);
    json_close(&json, '}');
    buf_putc(out, '\n');
    buf_free(&reasons);
    buf_free(&warnings);
    arena_free(&arena);
}

/* ---- the screen --------------------------------------------------------- */

static void
say_listeners(const struct status_view *view, struct buf *out)
{
    buf_puts(out, "listeners ");
    for (size_t i = 0; i < view->listener_count; i++) {
        const struct status_listener *l = &view->listeners[i];
        buf_printf(out, " %.*s %.*s  ", SLICE_ARG(l->name),
                   SLICE_ARG(l->address));
        status_put_number(out, l->active);
        buf_puts(out, " active  ");
    }
    buf_putc(out, '\n');
}

static void
say_upstream(const struct status_view *view, const struct relay_counters *c,
             struct buf *out)
{
    double half = status_quantile(&view->upstream_seconds, 0.5);
    double most = status_quantile(&view->upstream_seconds, 0.99);

    buf_printf(out, "upstream   %.*s  %s", SLICE_ARG(view->upstream),
               !view->upstream_known ? "not contacted yet"
               : view->upstream_up   ? "up"
                                     : "DOWN");
    if (half >= 0)
        buf_printf(out, "   <= %.0f ms p50", half * 1000);
    if (most >= 0)
        buf_printf(out, "  <= %.0f ms p99", most * 1000);
    buf_puts(out, "   ");
    status_put_number(out, c->upstream_refused);
    buf_puts(out, " refused\n");
}

static void
say_traffic(const struct status_view *view, const struct relay_counters *c,
            struct buf *out)
{
    struct status_minute last = status_last(view, 5);
    uint64_t all = 0;
    const char *separator = " (";

    for (unsigned i = 0; i < RELAY_RESULTS; i++)
        all += last.results[i];
    buf_puts(out, "last 5 min ");
    status_put_number(out, all);
    buf_printf(out, " messages  %.1f/s ", (double)all / 300);
    for (unsigned i = 0; i < RELAY_RESULTS; i++) {
        buf_printf(out, "  %s ", status_result_word((enum relay_result)i));
        status_put_number(out, last.results[i]);
    }
    buf_puts(out, "\nreasons   ");
    for (size_t i = 0; i < relay_outcome_count(); i++) {
        if (c->reasons[i] == 0)
            continue;
        buf_printf(out, "%s%s ", separator[0] == ',' ? ", " : " ",
                   relay_outcome_reason(i));
        status_put_number(out, c->reasons[i]);
        separator = ",";
    }
    buf_puts(out, separator[0] == ',' ? "\n" : " none\n");
    buf_puts(out, "actions    forwarded ");
    status_put_number(out, c->recipients_forward);
    buf_puts(out, "   local ");
    status_put_number(out, c->recipients_local);
    buf_puts(out, "   bounces returned ");
    status_put_number(out, c->recipients_srs_reverse);
    buf_puts(out, "   signed ");
    status_put_number(out, c->signatures_rsa + c->signatures_ed25519);
    buf_putc(out, '\n');
}

static void
say_tables(const struct status_view *view, struct buf *out)
{
    buf_puts(out, "tables    ");
    for (size_t i = 0; i < view->table_count; i++) {
        const struct status_table *t = &view->tables[i];
        buf_printf(out, "%s %s %.*s", i != 0 ? "          " : "", t->use,
                   SLICE_ARG(t->spec));
        if (t->written != 0) {
            buf_putc(out, ' ');
            status_put_number(out, t->entries);
            buf_puts(out, " (");
            status_put_age(out, view->now - t->written);
            buf_puts(out, t->stale ? " old, STALE)" : " old)");
        }
        if (t->failing)
            buf_puts(out, " FAILING");
        buf_putc(out, '\n');
    }
    if (view->table_count == 0)
        buf_puts(out, " none\n");
}

static void
say_keys(const struct status_view *view, struct buf *out)
{
    uint64_t counts[3] = { 0 };

    count_keys(view, counts);
    buf_puts(out, "keys       ");
    status_put_number(out, counts[DKIM_KEY_ACTIVE]);
    buf_puts(out, " active, ");
    status_put_number(out, counts[DKIM_KEY_NEXT]);
    buf_puts(out, " next, ");
    status_put_number(out, counts[DKIM_KEY_OLD]);
    buf_puts(out, view->keys_stale ? " old  STALE\n" : " old\n");
}

static void
say_lines(const char *word, struct slice lines, struct buf *out)
{
    while (lines.len != 0) {
        struct slice line = slice_cut(&lines, '\n');
        buf_printf(out, "%-10s %.*s\n", word, SLICE_ARG(line));
    }
}

void
status_text(const struct status_view *view, struct buf *out)
{
    struct buf reasons = { 0 }, warnings = { 0 };
    struct arena arena = { 0 };
    struct relay_counters total = status_total(view, &arena);
    bool ready = status_ready(view, &reasons, &warnings);

    buf_printf(out, "onward %.*s  up ", SLICE_ARG(view->version));
    status_put_age(out, view->now - view->started);
    buf_printf(out, "  pid %llu  config %s (loaded ",
               (unsigned long long)view->pid,
               view->config_failed ? "NOT RELOADED" : "ok");
    status_put_age(out, view->now - view->config_loaded);
    buf_printf(out, " ago)   %s\n", ready ? "READY" : "NOT READY");
    say_lines("problem", buf_slice(&reasons), out);
    say_lines("warning", buf_slice(&warnings), out);
    say_listeners(view, out);
    say_upstream(view, &total, out);
    say_traffic(view, &total, out);
    say_tables(view, out);
    say_keys(view, out);
    if (view->log_dropped != 0) {
        buf_puts(out, "log        ");
        status_put_number(out, view->log_dropped);
        buf_puts(out, " lines dropped\n");
    }
    buf_free(&reasons);
    buf_free(&warnings);
    arena_free(&arena);
}
