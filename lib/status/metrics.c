#include "metrics.h"

struct sample { /* of a family with one label that takes fixed values */
    const char *label;
    uint64_t value;
};

static void
put_family(struct buf *out, const char *name, const char *type,
           const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
put_escaped(struct buf *out, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\\' || value.ptr[i] == '"')
            buf_putc(out, '\\');
        if (value.ptr[i] == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, value.ptr[i]);
    }
}

static void
put_labelled(struct buf *out, const char *name, const char *label,
             struct slice value)
{
    buf_printf(out, "%s{%s=\"", name, label);
    put_escaped(out, value);
}

static void
put_number(struct buf *out, const char *name, const char *type,
           const char *help, uint64_t value)
{
    put_family(out, name, type, help);
    buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void
put_samples(struct buf *out, const char *name, const char *help,
            const char *label, const struct sample *samples, size_t count)
{
    put_family(out, name, "counter", help);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s{%s=\"%s\"} %llu\n", name, label, samples[i].label,
                   (unsigned long long)samples[i].value);
}
#define PUT_SAMPLES(out, name, help, label, samples)                           \
    put_samples(out, name, help, label, samples,                               \
                sizeof(samples) / sizeof((samples)[0]))

/* One series; labels are empty or "table=\"...\"". */
static void
put_series(struct buf *out, const char *name, struct slice labels,
           const struct status_histogram *h)
{
    const char *comma = labels.len != 0 ? "," : "";
    uint64_t count = 0;

    for (size_t i = 0; i < h->bound_count; i++) {
        count += h->counts[i];
        buf_printf(out, "%s_bucket{%.*s%sle=\"%.10g\"} %llu\n", name,
                   SLICE_ARG(labels), comma, h->bounds[i],
                   (unsigned long long)count);
    }
    count += h->counts[h->bound_count];
    buf_printf(out, "%s_bucket{%.*s%sle=\"+Inf\"} %llu\n", name,
               SLICE_ARG(labels), comma, (unsigned long long)count);
    const char *open = labels.len != 0 ? "{" : "";
    const char *shut = labels.len != 0 ? "}" : "";
    buf_printf(out, "%s_sum%s%.*s%s %.10g\n", name, open, SLICE_ARG(labels),
               shut, h->sum);
    buf_printf(out, "%s_count%s%.*s%s %llu\n", name, open, SLICE_ARG(labels),
               shut, (unsigned long long)count);
}

static void
put_histogram(struct buf *out, const char *name, const char *help,
              const struct status_histogram *h)
{
    put_family(out, name, "histogram", help);
    put_series(out, name, SLICE_OF(""), h);
}

static void
put_listeners(const struct status_view *view, struct buf *out)
{
    const char *name = "onward_sessions_total";

    put_family(out, name, "counter", "Client sessions.");
    for (size_t i = 0; i < view->listener_count; i++) {
        const struct status_listener *l = &view->listeners[i];
        put_labelled(out, name, "listener", l->name);
        buf_printf(out, "\"} %llu\n",
                   (unsigned long long)l->counters->sessions);
    }
    name = "onward_sessions_active";
    put_family(out, name, "gauge", "Client sessions now open.");
    for (size_t i = 0; i < view->listener_count; i++) {
        put_labelled(out, name, "listener", view->listeners[i].name);
        buf_printf(out, "\"} %llu\n",
                   (unsigned long long)view->listeners[i].active);
    }
    name = "onward_transactions_total";
    put_family(out, name, "counter",
               "Transactions that have ended, by their only result.");
    for (size_t i = 0; i < view->listener_count; i++)
        for (unsigned k = 0; k < RELAY_RESULTS; k++) {
            const struct status_listener *l = &view->listeners[i];
            put_labelled(out, name, "listener", l->name);
            buf_printf(out, "\",result=\"%s\"} %llu\n",
                       status_result_word((enum relay_result)k),
                       (unsigned long long)l->counters->transactions[k]);
        }
}

static void
put_recipients(const struct relay_counters *c, struct buf *out)
{
    const struct sample actions[] = {
        { "forward", c->recipients_forward },
        { "local", c->recipients_local },
        { "srs_reverse", c->recipients_srs_reverse },
        { "pass", c->recipients_pass },
        { "reject", c->recipients_reject },
        { "defer", c->recipients_defer },
        { "discard", c->recipients_discard },
    };
    const struct sample rewrites[] = {
        { "srs0", c->srs_srs0 },         { "srs1", c->srs_srs1 },
        { "stored", c->srs_stored },     { "skipped", c->srs_skipped },
        { "too_long", c->srs_too_long },
    };
    const struct sample reverse[] = {
        { "ok", c->srs_ok },
        { "hash", c->srs_hash },
        { "expired", c->srs_expired },
        { "malformed", c->srs_malformed },
        { "not_null", c->srs_not_null },
    };

    PUT_SAMPLES(out, "onward_recipients_total", "Recipients by what was done.",
                "action", actions);
    PUT_SAMPLES(out, "onward_srs_rewrites_total",
                "Reverse-paths by how SRS rewrote them; too_long counts "
                "besides.",
                "kind", rewrites);
    PUT_SAMPLES(out, "onward_srs_reverse_total",
                "SRS recipients by how their verification ended.", "result",
                reverse);
}

static void
put_reasons(const struct relay_counters *c, struct buf *out)
{
    const char *name = "onward_rejects_total";
    size_t count = relay_outcome_count();

    put_family(out, name, "counter",
               "Refusals, deferrals and aborts by their reason in the log.");
    for (size_t i = 0; i < count; i++) {
        const char *reason = relay_outcome_reason(i);
        uint64_t sum = 0;
        bool seen = false;
        /* Several outcomes may share a word. */
        for (size_t k = 0; k < count; k++)
            if (slice_equal(slice_from(reason),
                            slice_from(relay_outcome_reason(k)))) {
                seen = seen || k < i;
                sum += c->reasons[k];
            }
        if (!seen)
            buf_printf(out, "%s{reason=\"%s\"} %llu\n", name, reason,
                       (unsigned long long)sum);
    }
}

static void
put_dkim(const struct status_view *view, const struct relay_counters *c,
         struct buf *out)
{
    const char *name = "onward_dkim_signatures_total";
    const char *const states[] = { "next", "active", "old" };
    uint64_t counts[3] = { 0 };

    put_family(out, name, "counter", "Signatures; none: mail left unsigned.");
    buf_printf(out,
               "%s{algorithm=\"rsa\",result=\"ok\"} %llu\n"
               "%s{algorithm=\"ed25519\",result=\"ok\"} %llu\n"
               "%s{algorithm=\"any\",result=\"error\"} %llu\n"
               "%s{algorithm=\"none\",result=\"unsigned\"} %llu\n",
               name, (unsigned long long)c->signatures_rsa, name,
               (unsigned long long)c->signatures_ed25519, name,
               (unsigned long long)c->sign_errors, name,
               (unsigned long long)c->unsigned_mail);
    put_histogram(out, "onward_dkim_sign_duration_seconds",
                  "From the end of content to the signatures of a message.",
                  &view->sign_seconds);
    for (size_t i = 0; i < view->key_count; i++)
        counts[view->keys[i].state]++;
    put_family(out, "onward_dkim_keys", "gauge", "Keys loaded, by state.");
    for (size_t i = 0; i < 3; i++)
        buf_printf(out, "onward_dkim_keys{state=\"%s\"} %llu\n", states[i],
                   (unsigned long long)counts[i]);
    put_number(out, "onward_dkim_keys_stale", "gauge",
               "1: the key directory is newer than the keys loaded.",
               view->keys_stale);
}

enum table_value {
    TABLE_ENTRIES,
    TABLE_AGE,
    TABLE_STALE
};

/* A table may be in use several times: one series each. */
static bool
is_repeated(const struct status_view *view, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (slice_equal(view->tables[i].spec, view->tables[index].spec))
            return true;
    return false;
}

static void
put_table_family(const struct status_view *view, struct buf *out,
                 const char *name, const char *help, enum table_value which)
{
    put_family(out, name, "gauge", help);
    for (size_t i = 0; i < view->table_count; i++) {
        const struct status_table *t = &view->tables[i];
        int64_t value = 0;
        if (is_repeated(view, i) || t->written == 0)
            continue;
        switch (which) {
        case TABLE_ENTRIES:
            value = (int64_t)t->entries;
            break;
        case TABLE_AGE:
            value = view->now > t->written ? view->now - t->written : 0;
            break;
        case TABLE_STALE:
            value = t->stale;
            break;
        }
        put_labelled(out, name, "table", t->spec);
        buf_printf(out, "\"} %lld\n", (long long)value);
    }
}

static void
put_result(struct buf *out, const char *name, struct slice table,
           const char *result, uint64_t value)
{
    put_labelled(out, name, "table", table);
    buf_printf(out, "\",result=\"%s\"} %llu\n", result,
               (unsigned long long)value);
}

static void
put_lookups(const struct status_view *view, struct buf *out)
{
    const char *name = "onward_table_lookups_total";

    put_family(out, name, "counter",
               "Look-ups of keys; answers from the cache of a socketmap left "
               "out.");
    for (size_t i = 0; i < view->lookup_count; i++) {
        const struct status_lookups *t = &view->lookups[i];
        put_result(out, name, t->spec, "hit", t->hit);
        put_result(out, name, t->spec, "miss", t->miss);
        put_result(out, name, t->spec, "error", t->error);
    }
    name = "onward_table_lookup_duration_seconds";
    put_family(out, name, "histogram", "Of one look-up.");
    for (size_t i = 0; i < view->lookup_count; i++) {
        struct buf labels = { 0 };
        buf_puts(&labels, "table=\"");
        put_escaped(&labels, view->lookups[i].spec);
        buf_putc(&labels, '"');
        put_series(out, name, buf_slice(&labels), &view->lookups[i].seconds);
        buf_free(&labels);
    }
    name = "onward_table_reloads_total";
    put_family(out, name, "counter",
               "Files of tables taken over since the start, and attempts that "
               "failed.");
    for (size_t i = 0; i < view->lookup_count; i++) {
        const struct status_lookups *t = &view->lookups[i];
        put_result(out, name, t->spec, "success", t->reloads);
        put_result(out, name, t->spec, "failure", t->reloads_failed);
    }
}

static void
put_tables(const struct status_view *view, struct buf *out)
{
    put_table_family(view, out, "onward_table_entries",
                     "Entries of a table in force.", TABLE_ENTRIES);
    put_table_family(view, out, "onward_table_age_seconds",
                     "Since the file of a table was written.", TABLE_AGE);
    put_table_family(view, out, "onward_table_stale",
                     "1: the file is newer than the table in force.",
                     TABLE_STALE);
    put_lookups(view, out);
}

static void
put_upstream(const struct status_view *view, const struct relay_counters *c,
             struct buf *out)
{
    const struct sample replies[] = {
        { "2xx", c->upstream_2xx },         { "4xx", c->upstream_4xx },
        { "5xx", c->upstream_5xx },         { "timeout", c->upstream_timeout },
        { "refused", c->upstream_refused }, { "lost", c->upstream_lost },
        { "garbled", c->upstream_garbled },
    };

    PUT_SAMPLES(out, "onward_upstream_replies_total",
                "Final replies of upstream, and what came instead.", "class",
                replies);
    put_number(out, "onward_upstream_up", "gauge",
               "1: the last contact with upstream succeeded.",
               view->upstream_known && view->upstream_up);
    put_histogram(out, "onward_upstream_duration_seconds",
                  "From the first octet of content sent to the reply at its "
                  "end.",
                  &view->upstream_seconds);
    put_histogram(out, "onward_message_bytes", "Size of messages received.",
                  &view->message_octets);
}

static void
put_config(const struct status_view *view, struct buf *out)
{
    const struct sample reloads[] = {
        { "success", view->reloads },
        { "failure", view->reloads_failed },
    };

    put_number(out, "onward_config_last_reload_success_timestamp_seconds",
               "gauge", "When the configuration in force was loaded.",
               (uint64_t)view->config_loaded);
    put_number(out, "onward_config_last_reload_successful", "gauge",
               "0: the last reload failed.", !view->config_failed);
    PUT_SAMPLES(out, "onward_config_reloads_total", "Reloads by result.",
                "result", reloads);
}

static void
put_process(const struct status_view *view, struct buf *out)
{
    put_family(out, "process_cpu_seconds_total", "counter",
               "User and system time.");
    buf_printf(out, "process_cpu_seconds_total %.3f\n", view->cpu_seconds);
    put_number(out, "process_resident_memory_bytes", "gauge",
               "Resident memory.", view->resident_octets);
    put_number(out, "process_open_fds", "gauge", "Open descriptors.",
               view->open_fds);
    put_number(out, "process_max_fds", "gauge", "Descriptors allowed.",
               view->max_fds);
    put_number(out, "process_start_time_seconds", "gauge",
               "When the process started.", (uint64_t)view->started);
}

void
status_metrics(const struct status_view *view, struct buf *out)
{
    struct arena arena = { 0 };
    struct relay_counters total = status_total(view, &arena);

    put_family(out, "onward_build_info", "gauge", "1, with the versions.");
    put_labelled(out, "onward_build_info", "version", view->version);
    buf_puts(out, "\",revision=\"");
    put_escaped(out, view->revision);
    buf_puts(out, "\",openssl=\"");
    put_escaped(out, view->openssl);
    buf_puts(out, "\"} 1\n");
    put_listeners(view, out);
    put_recipients(&total, out);
    put_reasons(&total, out);
    put_dkim(view, &total, out);
    put_tables(view, out);
    put_upstream(view, &total, out);
    put_number(out, "onward_spool_bytes", "gauge",
               "Content held in memory and files.", view->spool_used);
    put_number(out, "onward_log_dropped_lines_total", "counter",
               "Log lines that were dropped because the log did not keep up.",
               view->log_dropped);
    put_number(out, "onward_long_lines_total", "counter",
               "Messages with lines longer than SMTP allows.",
               total.long_lines);
    put_config(view, out);
    put_process(view, out);
    arena_free(&arena);
}
