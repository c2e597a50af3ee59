#include "stats.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEYS_EVERY = 10 * 1000 /* ms between looks at the key directory */
};

struct stats {
    struct stats_sources sources;
    struct status_minute minutes[STATUS_MINUTES]; /* by minute % 60 */
    struct status_recent recent[STATUS_RECENT];
    uint64_t transactions; /* index of the next recent one */
    struct status_histogram upstream_seconds, sign_seconds, message_octets;
    struct tablestats *tables;
    bool keys_stale;
    uint64_t keys_looked; /* ms; 0: never */
};

/* ---- what happens ------------------------------------------------------- */

static void
copy(char *out, size_t size, struct slice text)
{
    text = slice_head(text, size - 1);
    memcpy(out, text.ptr != NULL ? text.ptr : "", text.len);
    out[text.len] = '\0';
}

void
stats_on_transaction(void *observer, const struct relay_summary *summary)
{
    struct stats *stats = observer;
    int64_t minute = summary->at / 60;
    struct status_minute *m = &stats->minutes[minute % STATUS_MINUTES];
    struct status_recent *r =
        &stats->recent[stats->transactions++ % STATUS_RECENT];

    if (m->minute != minute)
        *m = (struct status_minute){ .minute = minute };
    m->results[summary->result]++;

    *r = (struct status_recent){ .at = summary->at,
                                 .result = summary->result,
                                 .octets = summary->octets,
                                 .recipients = summary->recipients };
    copy(r->id, sizeof(r->id), summary->id);
    copy(r->listener, sizeof(r->listener), summary->listener);
    copy(r->reason, sizeof(r->reason), slice_from(summary->reason));
    status_mask(summary->from, r->from, sizeof(r->from));
    if (summary->recipients != 0)
        status_mask(summary->to, r->to, sizeof(r->to));

    if (summary->octets != 0)
        status_observe(&stats->message_octets, (double)summary->octets);
    if (summary->delivered)
        status_observe(&stats->upstream_seconds,
                       (double)summary->upstream_ms / 1000);
}

void
stats_on_signed(void *observer, uint64_t nanoseconds)
{
    struct stats *stats = observer;

    status_observe(&stats->sign_seconds, (double)nanoseconds / 1e9);
}

struct tablestats *
stats_tables(struct stats *stats)
{
    return stats->tables;
}

/* ---- its life ----------------------------------------------------------- */

static struct status_histogram
of_seconds(void)
{
    return (struct status_histogram){ .bounds = status_seconds_bounds,
                                      .bound_count =
                                          status_seconds_bound_count };
}

struct stats *
stats_new(const struct stats_sources *sources)
{
    struct stats *stats = mem_alloc(sizeof(*stats));

    stats->sources = *sources;
    stats->upstream_seconds = of_seconds();
    stats->sign_seconds = of_seconds();
    stats->tables = tablestats_new();
    stats->message_octets =
        (struct status_histogram){ .bounds = status_octets_bounds,
                                   .bound_count = status_octets_bound_count };
    return stats;
}

void
stats_free(struct stats *stats)
{
    tablestats_free(stats->tables);
    free(stats);
}

/* ---- the view ----------------------------------------------------------- */

static void
view_listeners(const struct listeners *listeners, struct arena *arena,
               struct status_view *view)
{
    size_t count = listeners->count;
    struct status_listener *list = arena_alloc(arena, count * sizeof(*list));

    for (size_t i = 0; i < count; i++) {
        const struct listener *l = &listeners->list[i];
        list[i] =
            (struct status_listener){ .name = l->entrance.conf.name,
                                      .address = l->entrance.conf.address.text,
                                      .role = l->entrance.conf.role,
                                      .active = l->entrance.active,
                                      .counters = l->entrance.counters };
    }
    view->listeners = list;
    view->listener_count = count;
}

static bool
is_stale(const struct table *table)
{
    struct stat st;
    struct buf path = { 0 };
    bool stale;

    if (table->kind == TABLE_SOCKETMAP)
        return false;
    buf_append(&path, table->path);
    stale = stat(buf_cstr(&path), &st) != 0 ||
            (table->kind != TABLE_LMDB && /* is written in place */
             ((uint64_t)st.st_ino != table->stat.inode ||
              st.st_size != table->stat.size ||
              st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec !=
                  table->stat.mtime_ns));
    buf_free(&path);
    return stale;
}

static bool
is_failing(const struct status_view *view, struct slice spec)
{
    for (size_t i = 0; i < view->lookup_count; i++)
        if (slice_equal(view->lookups[i].spec, spec))
            return view->lookups[i].failing;
    return false;
}

static void
add_table(const struct status_view *view, struct status_table *list,
          size_t *count, const struct table *table, const char *use)
{
    if (table == NULL)
        return;
    list[(*count)++] = (struct status_table){
        .spec = table->spec,
        .use = use,
        .entries = table_count(table),
        .written = table->kind == TABLE_SOCKETMAP
                       ? 0
                       : table->stat.mtime_ns / 1000000000,
        .stale = is_stale(table),
        .failing = is_failing(view, table->spec),
    };
}

static void
view_tables(const struct conf *conf, struct arena *arena,
            struct status_view *view)
{
    const struct alias_list *aliases = &conf->forward.aliases;
    const struct domain_list *local = &conf->forward.local_domains;
    const struct domain_list *map = &conf->srs.domain_map;
    size_t count = 0;
    struct status_table *list = arena_alloc(
        arena, (aliases->count + local->count + map->count) * sizeof(*list));

    for (size_t i = 0; i < aliases->count; i++)
        add_table(view, list, &count, aliases->entries[i].table, "aliases");
    for (size_t i = 0; i < local->count; i++)
        add_table(view, list, &count, local->entries[i].table, "domains");
    for (size_t i = 0; i < map->count; i++)
        add_table(view, list, &count, map->entries[i].table, "domain map");
    view->tables = list;
    view->table_count = count;
}

static bool
is_newer(struct slice path, int64_t loaded)
{
    struct buf text = { 0 };
    struct stat st;
    bool newer;

    buf_append(&text, path);
    newer = stat(buf_cstr(&text), &st) != 0 || st.st_mtime > loaded;
    buf_free(&text);
    return newer;
}

/* Written in place, or replaced by another of its name. */
static bool
key_has_changed(const struct dkim_key *key)
{
    struct buf text = { 0 };
    struct stat st;
    bool changed;

    buf_append(&text, key->path);
    changed =
        stat(buf_cstr(&text), &st) != 0 || (uint64_t)st.st_dev != key->device ||
        (uint64_t)st.st_ino != key->inode || st.st_size != key->size ||
        st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec != key->mtime_ns;
    buf_free(&text);
    return changed;
}

/* Keys come, go and change their state by renames, which their directory
 * shows; and a file may be written in place. */
static bool
keys_are_stale(const struct reload *reload)
{
    const struct conf *conf = reload->conf;
    int64_t loaded = reload->succeeded;
    struct slice before = { 0 };

    if (conf->dkim.keys == NULL)
        return false;
    if (is_newer(conf->dkim.key_directory, loaded))
        return true;
    for (size_t i = 0; i < dkim_keyset_count(conf->dkim.keys); i++) {
        const struct dkim_key *key = dkim_keyset_key(conf->dkim.keys, i);
        struct slice path = key->path;
        struct slice directory = slice_head(path, slice_find_last(path, '/'));
        if (key_has_changed(key))
            return true;
        if (!slice_equal(directory, before) && is_newer(directory, loaded))
            return true;
        before = directory;
    }
    return false;
}

static void
view_keys(struct stats *stats, struct arena *arena, struct status_view *view)
{
    const struct conf *conf = stats->sources.reload->conf;
    const struct dkim_keyset *set = conf->dkim.keys;
    size_t count = set == NULL ? 0 : dkim_keyset_count(set);
    struct status_key *list = arena_alloc(arena, count * sizeof(*list));
    uint64_t now = clock_ms();

    for (size_t i = 0; i < count; i++) {
        const struct dkim_key *key = dkim_keyset_key(set, i);
        list[i] = (struct status_key){ key->domain, key->selector,
                                       key->algorithm, key->state };
    }
    view->keys = list;
    view->key_count = count;
    if (stats->keys_looked == 0 || now - stats->keys_looked >= KEYS_EVERY ||
        stats->keys_stale) {
        stats->keys_looked = now;
        stats->keys_stale = keys_are_stale(stats->sources.reload);
    }
    view->keys_stale = stats->keys_stale;
}

static void
view_traffic(const struct stats *stats, int64_t now, struct arena *arena,
             struct status_view *view)
{
    struct status_minute *minutes =
        arena_alloc(arena, STATUS_MINUTES * sizeof(*minutes));
    struct status_recent *recent =
        arena_alloc(arena, STATUS_RECENT * sizeof(*recent));
    size_t count = stats->transactions < STATUS_RECENT
                       ? (size_t)stats->transactions
                       : STATUS_RECENT;

    for (int64_t i = 0; i < STATUS_MINUTES; i++) {
        int64_t minute = now / 60 - STATUS_MINUTES + 1 + i;
        minutes[i] = stats->minutes[minute % STATUS_MINUTES];
        if (minutes[i].minute != minute)
            minutes[i] = (struct status_minute){ .minute = minute };
    }
    for (size_t i = 0; i < count; i++)
        recent[i] =
            stats->recent[(stats->transactions - 1 - i) % STATUS_RECENT];
    view->minutes = minutes;
    view->recent = recent;
    view->recent_count = count;
}

static void
view_process(struct status_view *view)
{
    struct rusage usage;
    struct rlimit limit;
    size_t resident = 0;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        view->cpu_seconds =
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    if (uv_resident_set_memory(&resident) == 0)
        view->resident_octets = resident;
    view->open_fds = descriptors_open();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        view->max_fds = limit.rlim_cur;
}

void
stats_view(struct stats *stats, struct arena *arena, struct status_view *view)
{
    const struct stats_sources *from = &stats->sources;
    const struct relay_shared *shared = from->shared;
    const struct reload *reload = from->reload;
    const struct conf *conf = reload->conf;
    const struct pool *pool = from->pool;
    struct relay_time now = clock_now();

    *view = (struct status_view){
        .version = SLICE_OF(ONWARD_VERSION),
        .revision = SLICE_OF(ONWARD_REVISION),
        .openssl = SLICE_OF(ONWARD_LIBRARIES),
        .now = now.wall,
        .started = from->started,
        .pid = (uint64_t)getpid(),
        .draining = shared->draining,
        .upstream = conf->upstream.address.text,
        .upstream_known = pool->contacted != 0,
        .upstream_up = pool->up,
        .upstream_tried_ms = now.ms - pool->contacted,
        .config_loaded = reload->succeeded,
        .config_failed = reload->failing,
        .reloads = reload->successes,
        .reloads_failed = reload->failures,
        .spool_used = shared->spool.used + shared->spool.in_memory,
        .spool_limit = shared->spool.limit,
        .log_dropped = logsink_dropped(from->logsink),
        .upstream_seconds = stats->upstream_seconds,
        .sign_seconds = stats->sign_seconds,
        .message_octets = stats->message_octets,
    };
    view->lookups = tablestats_view(stats->tables, &view->lookup_count);
    view->openssl = slice_head(view->openssl, slice_find(view->openssl, ','));
    view_listeners(from->listeners, arena, view);
    view_tables(conf, arena, view);
    view_keys(stats, arena, view);
    view_traffic(stats, now.wall, arena, view);
    view_process(view);
}
