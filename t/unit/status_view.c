#include "status_view.h"

struct view_parts *
view_new(void)
{
    struct view_parts *p = mem_alloc(sizeof(*p));
    size_t reasons = relay_outcome_count();

    for (size_t i = 0; i < 2; i++) {
        p->counters[i].reasons = mem_alloc(reasons * sizeof(uint64_t));
        p->listeners[i].counters = &p->counters[i];
    }
    p->listeners[0].name = SLICE_OF("mx");
    p->listeners[0].address = SLICE_OF("127.0.0.1:10025");
    p->listeners[0].role = CONF_INBOUND;
    p->listeners[0].active = 34;
    p->listeners[1].name = SLICE_OF("submission");
    p->listeners[1].address = SLICE_OF("127.0.0.1:10027");
    p->listeners[1].role = CONF_OUTBOUND;
    p->counters[0].sessions = 1300;
    p->counters[0].transactions[RELAY_ACCEPTED] = 1190;
    p->counters[0].transactions[RELAY_REJECTED] = 11;
    p->counters[0].recipients_forward = 902;
    p->counters[0].signatures_rsa = 40;
    p->counters[0].upstream_refused = 2;
    p->counters[0].reasons[3] = 5;
    p->counters[1].transactions[RELAY_ACCEPTED] = 7;
    p->counters[1].transactions[RELAY_DEFERRED] = 3;
    p->counters[1].recipients_forward = 1;
    p->counters[1].signatures_ed25519 = 2;
    p->counters[1].reasons[3] = 1;
    p->tables[0] = (struct status_table){
        .spec = SLICE("cdb:/var/lib/onward/aliases"),
        .use = "aliases",
        .entries = 1043221,
        .written = VIEW_NOW - 100,
    };
    p->tables[1] = (struct status_table){
        .spec = SLICE("socketmap:unix:/run/aliasd:alias"),
        .use = "aliases",
    };
    p->tables[2] = (struct status_table){
        .spec = SLICE("cdb:/var/lib/onward/domains"),
        .use = "domains",
        .entries = 5120,
        .written = VIEW_NOW - 3 * 86400,
    };
    p->keys[0] = (struct status_key){ SLICE("srs.example.org"), SLICE("s2026"),
                                      DKIM_RSA_SHA256, DKIM_KEY_ACTIVE };
    p->keys[1] = (struct status_key){ SLICE("example.org"), SLICE("e2027"),
                                      DKIM_ED25519_SHA256, DKIM_KEY_NEXT };
    for (size_t i = 0; i < 2; i++) {
        p->lookups[i].spec = p->tables[i].spec;
        p->lookups[i].seconds.bounds = status_lookup_bounds;
        p->lookups[i].seconds.bound_count = status_lookup_bound_count;
    }
    for (size_t i = 0; i < STATUS_MINUTES; i++)
        p->minutes[i].minute = VIEW_NOW / 60 - STATUS_MINUTES + 1 + (int64_t)i;
    p->minutes[STATUS_MINUTES - 1].results[RELAY_ACCEPTED] = 1000;
    p->minutes[STATUS_MINUTES - 1].results[RELAY_REJECTED] = 4;
    p->minutes[0].results[RELAY_DEFERRED] = 3;
    p->view = (struct status_view){
        .version = SLICE("1.0.0"),
        .openssl = SLICE("OpenSSL 3.0.22"),
        .now = VIEW_NOW,
        .started = VIEW_NOW - 12 * 86400 - 4 * 3600,
        .pid = 812,
        .listeners = p->listeners,
        .listener_count = 2,
        .upstream = SLICE("127.0.0.1:10026"),
        .upstream_known = true,
        .upstream_up = true,
        .upstream_tried_ms = 42000,
        .tables = p->tables,
        .table_count = 3,
        .keys = p->keys,
        .key_count = 2,
        .config_loaded = VIEW_NOW - 3 * 3600,
        .lookups = p->lookups,
        .lookup_count = 2,
        .minutes = p->minutes,
        .recent = p->recent,
        .upstream_seconds = { .bounds = status_seconds_bounds,
                              .bound_count = status_seconds_bound_count },
        .sign_seconds = { .bounds = status_seconds_bounds,
                          .bound_count = status_seconds_bound_count },
        .message_octets = { .bounds = status_octets_bounds,
                            .bound_count = status_octets_bound_count },
    };
    return p;
}

void
view_free(struct view_parts *parts)
{
    free(parts->counters[0].reasons);
    free(parts->counters[1].reasons);
    free(parts);
}

size_t
view_count(const struct buf *text, const char *part)
{
    size_t count = 0, len = strlen(part);

    for (size_t i = 0; i + len <= text->len; i++)
        count += memcmp(text->ptr + i, part, len) == 0;
    return count;
}

bool
view_complain(const struct buf *text, const char *part)
{
    print_error("about: %s\nin: %.*s\n", part, (int)text->len, text->ptr);
    return false;
}
