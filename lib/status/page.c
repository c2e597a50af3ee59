#include "page.h"

#include "health.h"

#include <time.h>

/* img-src is for the empty icon, which keeps browsers from asking for one. */
const char status_page_policy[] =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, "
    "initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<link rel=\"icon\" href=\"data:,\">\n"
    "<title>Onward</title>\n<style>\n"
    ":root{--bg:#fff;--fg:#1b1f24;--soft:#59636e;--line:#d8dee4;"
    "--ok:#1a7f37;--bad:#b42318;--wait:#9a6700}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#0f1419;--fg:#e6e9ed;"
    "--soft:#9aa4af;--line:#303841;--ok:#4ac26b;--bad:#ff7b72;"
    "--wait:#e3b341}}\n"
    "body{margin:0 auto;padding:1rem;max-width:64rem;background:var(--bg);"
    "color:var(--fg);font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.3rem}h2{font-size:1rem;margin:1.6rem 0 .3rem}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top;"
    "border-bottom:1px solid var(--line);overflow-wrap:anywhere}\n"
    "th{font-weight:500;color:var(--soft)}.n{text-align:right;"
    "font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    ".w{white-space:nowrap}.ok{color:var(--ok)}.bad{color:var(--bad)}.wait{"
    "color:var(--wait)}"
    ".soft{color:var(--soft)}\n"
    ".wide{overflow-x:auto}.wide table{min-width:36rem}\n"
    "svg{width:100%;height:auto;display:block}\n"
    "svg .accepted{fill:var(--ok)}svg .rejected{fill:var(--bad)}"
    "svg .other{fill:var(--wait)}svg line{stroke:var(--line)}\n"
    "</style></head><body>\n";

static void
put_text(struct buf *out, struct slice text)
{
    for (size_t len; text.len != 0; text = slice_tail(text, len)) {
        char c = text.ptr[0];
        len = utf8_length(text);
        if (len == 0) { /* a file may have any name */
            buf_puts(out, "\xef\xbf\xbd");
            len = 1;
        } else if (c == '<') {
            buf_puts(out, "&lt;");
        } else if (c == '>') {
            buf_puts(out, "&gt;");
        } else if (c == '&') {
            buf_puts(out, "&amp;");
        } else if (c == '"') {
            buf_puts(out, "&quot;");
        } else if (ascii_is_control(c)) {
            buf_putc(out, ' ');
        } else if (utf8_shown_length(text) == 0) { /* it shows others wrong */
            buf_puts(out, "\xef\xbf\xbd");
        } else {
            buf_append(out, slice_head(text, len));
        }
    }
}

static void
put_row(struct buf *out, struct slice name, uint64_t value)
{
    buf_puts(out, "<tr><td>");
    put_text(out, name);
    buf_puts(out, "</td><td class=\"n\">");
    status_put_number(out, value);
    buf_puts(out, "</td></tr>\n");
}

static void
put_lines(struct buf *out, const char *class, struct slice lines)
{
    while (lines.len != 0) {
        buf_printf(out, "<p class=\"%s\">", class);
        put_text(out, slice_cut(&lines, '\n'));
        buf_puts(out, "</p>\n");
    }
}

/* ---- the last hour ------------------------------------------------------ */

enum {
    BAR = 10, /* a minute's width */
    HEIGHT = 120
};

static void
put_bar(struct buf *out, const char *class, size_t minute, double *base,
        uint64_t count, double scale)
{
    double height = (double)count * scale;

    if (count == 0)
        return;
    *base -= height;
    buf_printf(out,
               "<rect class=\"%s\" x=\"%zu\" y=\"%.1f\" width=\"%d\" "
               "height=\"%.1f\"/>",
               class, minute * BAR + 1, *base, BAR - 2, height);
}

static void
put_hour(const struct status_view *view, struct buf *out)
{
    struct status_minute hour = status_last(view, STATUS_MINUTES);
    uint64_t most = 1, all = 0;

    for (size_t i = 0; i < STATUS_MINUTES; i++) {
        uint64_t sum = 0;
        for (size_t k = 0; k < RELAY_RESULTS; k++)
            sum += view->minutes[i].results[k];
        if (sum > most)
            most = sum;
        all += sum;
    }
    buf_puts(out, "<h2>Last hour: ");
    status_put_number(out, all);
    buf_printf(out,
               " messages</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" "
               "aria-label=\"messages a minute, at most %llu\">"
               "<line x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>",
               STATUS_MINUTES * BAR, HEIGHT + 2, (unsigned long long)most,
               STATUS_MINUTES * BAR, HEIGHT + 1, HEIGHT + 1);
    for (size_t i = 0; i < STATUS_MINUTES; i++) {
        const uint64_t *r = view->minutes[i].results;
        double base = HEIGHT, scale = (double)HEIGHT / (double)most;
        put_bar(out, "accepted", i, &base, r[RELAY_ACCEPTED], scale);
        put_bar(out, "rejected", i, &base, r[RELAY_REJECTED], scale);
        put_bar(out, "other", i, &base,
                r[RELAY_DEFERRED] + r[RELAY_ABORTED] + r[RELAY_DISCARDED],
                scale);
    }
    buf_puts(out, "</svg>\n<p class=\"soft\">at most ");
    status_put_number(out, all == 0 ? 0 : most);
    buf_puts(out, " a minute;");
    static const char *const classes[RELAY_RESULTS] = {
        [RELAY_ACCEPTED] = "ok",    [RELAY_REJECTED] = "bad",
        [RELAY_DEFERRED] = "wait",  [RELAY_ABORTED] = "wait",
        [RELAY_DISCARDED] = "wait",
    };
    for (unsigned i = 0; i < RELAY_RESULTS; i++) {
        buf_printf(out, " <span class=\"%s\">%s ", classes[i],
                   status_result_word((enum relay_result)i));
        status_put_number(out, hour.results[i]);
        buf_puts(out, "</span>");
    }
    buf_puts(out, "</p>\n");
}

/* ---- tables ------------------------------------------------------------- */

static void
put_counts(const struct relay_counters *c, struct buf *out)
{
    buf_puts(out, "<h2>Since the start</h2><table>\n");
    put_row(out, SLICE_OF("recipients forwarded"), c->recipients_forward);
    put_row(out, SLICE_OF("recipients local"), c->recipients_local);
    put_row(out, SLICE_OF("recipients passed on"), c->recipients_pass);
    put_row(out, SLICE_OF("bounces returned"), c->recipients_srs_reverse);
    put_row(out, SLICE_OF("signatures"),
            c->signatures_rsa + c->signatures_ed25519);
    buf_puts(out, "</table>\n<h2>Refused, deferred, aborted, and why</h2>"
                  "<table>\n");
    for (size_t i = 0; i < relay_outcome_count(); i++)
        if (c->reasons[i] != 0)
            put_row(out, slice_from(relay_outcome_reason(i)), c->reasons[i]);
    buf_puts(out, "</table>\n");
}

static void
put_listeners(const struct status_view *view, struct buf *out)
{
    buf_puts(out, "<h2>Listeners and upstream</h2><table>\n");
    for (size_t i = 0; i < view->listener_count; i++) {
        buf_puts(out, "<tr><td>");
        put_text(out, view->listeners[i].name);
        buf_puts(out, "</td><td>");
        put_text(out, view->listeners[i].address);
        buf_puts(out, "</td><td class=\"n\">");
        status_put_number(out, view->listeners[i].active);
        buf_puts(out, " active</td></tr>\n");
    }
    buf_puts(out, "<tr><td>upstream</td><td>");
    put_text(out, view->upstream);
    buf_printf(out, "</td><td class=\"n %s\">%s</td></tr>\n</table>\n",
               view->upstream_up ? "ok" : "bad",
               !view->upstream_known ? "not contacted yet"
               : view->upstream_up   ? "up"
                                     : "down");
}

static void
put_tables(const struct status_view *view, struct buf *out)
{
    buf_puts(out, "<h2>Tables</h2><table>\n");
    for (size_t i = 0; i < view->table_count; i++) {
        const struct status_table *t = &view->tables[i];
        buf_printf(out, "<tr><td class=\"w\">%s</td><td>", t->use);
        put_text(out, t->spec);
        buf_puts(out, "</td><td class=\"n\">");
        if (t->written != 0) {
            status_put_number(out, t->entries);
            buf_puts(out, " entries</td><td class=\"n\">");
            status_put_age(out, view->now - t->written);
            buf_puts(out, " old");
            if (t->stale)
                buf_puts(out, " <span class=\"wait\">stale</span>");
        } else {
            buf_puts(out, "asked</td><td>");
        }
        if (t->failing)
            buf_puts(out, " <span class=\"wait\">failing</span>");
        buf_puts(out, "</td></tr>\n");
    }
    if (view->table_count == 0)
        buf_puts(out, "<tr><td class=\"soft\">none</td></tr>\n");
    buf_puts(out, "</table>\n");
}

enum {
    KEYS_SHOWN = 50
};

static void
put_keys(const struct status_view *view, struct buf *out)
{
    buf_puts(out, "<h2>Keys: ");
    status_put_number(out, view->key_count);
    buf_puts(out, "</h2><table>\n");
    for (size_t i = 0; i < view->key_count && i < KEYS_SHOWN; i++) {
        const struct status_key *k = &view->keys[i];
        buf_puts(out, "<tr><td>");
        put_text(out, k->domain);
        buf_puts(out, "</td><td>");
        put_text(out, k->selector);
        buf_printf(out, "</td><td>%s</td><td>%s</td></tr>\n",
                   dkim_algorithm_word(k->algorithm),
                   dkim_key_state_word(k->state));
    }
    if (view->key_count > KEYS_SHOWN)
        buf_puts(out, "<tr><td class=\"soft\">and more: onward dkim "
                      "list</td></tr>\n");
    buf_puts(out, "</table>\n");
}

static void
put_recent(const struct status_view *view, struct buf *out)
{
    buf_puts(out, "<h2>Recent transactions</h2><div class=\"wide\"><table>\n"
                  "<tr><th>UTC</th><th>id</th><th>from</th><th>to</th>"
                  "<th>result</th></tr>\n");
    for (size_t i = 0; i < view->recent_count; i++) {
        const struct status_recent *r = &view->recent[i];
        time_t at = (time_t)r->at;
        struct tm tm;
        char clock[16] = "";
        if (gmtime_r(&at, &tm) != NULL)
            strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
        buf_printf(out, "<tr><td class=\"w\">%s</td><td class=\"w\">", clock);
        put_text(out, slice_from(r->id));
        buf_puts(out, "</td><td>");
        put_text(out, slice_from(r->from));
        buf_puts(out, "</td><td>");
        put_text(out, slice_from(r->to));
        if (r->recipients > 1)
            buf_printf(out, " and %zu more", r->recipients - 1);
        buf_printf(out, "</td><td class=\"%s\">%s",
                   r->result == RELAY_ACCEPTED   ? "ok"
                   : r->result == RELAY_REJECTED ? "bad"
                                                 : "wait",
                   status_result_word(r->result));
        if (r->reason[0] != '\0') {
            buf_puts(out, ": ");
            put_text(out, slice_from(r->reason));
        }
        buf_puts(out, "</td></tr>\n");
    }
    buf_puts(out, "</table></div>\n");
}

void
status_page(const struct status_view *view, struct buf *out)
{
    struct buf reasons = { 0 }, warnings = { 0 };
    struct arena arena = { 0 };
    struct relay_counters total = status_total(view, &arena);
    bool ready = status_ready(view, &reasons, &warnings);

    buf_puts(out, head);
    buf_printf(out, "<h1>Onward <span class=\"%s\">%s</span></h1>\n",
               ready ? "ok" : "bad", ready ? "ready" : "not ready");
    put_lines(out, "bad", buf_slice(&reasons));
    put_lines(out, "wait", buf_slice(&warnings));
    buf_puts(out, "<p class=\"soft\">version ");
    put_text(out, view->version);
    buf_puts(out, ", up ");
    status_put_age(out, view->now - view->started);
    buf_puts(out, ", configuration loaded ");
    status_put_age(out, view->now - view->config_loaded);
    buf_puts(out, " ago</p>\n");
    put_hour(view, out);
    put_listeners(view, out);
    put_counts(&total, out);
    put_tables(view, out);
    put_keys(view, out);
    put_recent(view, out);
    buf_puts(out, "</body></html>\n");
    buf_free(&reasons);
    buf_free(&warnings);
    arena_free(&arena);
}
