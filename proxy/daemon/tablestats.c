#include "tablestats.h"

#include <stdlib.h>
#include <uv.h>

enum {
    TABLES_MAX = 64 /* names; there is no end to those of reloads */
};

struct tablestats {
    struct arena arena;
    struct table_meter meter;
    struct status_lookups list[TABLES_MAX];
    size_t count;
};

static struct status_lookups *
find(struct tablestats *stats, struct slice spec)
{
    for (size_t i = 0; i < stats->count; i++)
        if (slice_equal(stats->list[i].spec, spec))
            return &stats->list[i];
    if (stats->count == TABLES_MAX)
        return NULL;
    struct status_lookups *lookups = &stats->list[stats->count++];
    lookups->spec = arena_copy(&stats->arena, spec);
    lookups->seconds.bounds = status_lookup_bounds;
    lookups->seconds.bound_count = status_lookup_bound_count;
    return lookups;
}

void
tablestats_looked_up(struct tablestats *stats, struct slice spec,
                     enum table_status status, uint64_t nanoseconds)
{
    struct status_lookups *lookups = find(stats, spec);

    if (lookups == NULL)
        return;
    status_observe(&lookups->seconds, (double)nanoseconds / 1e9);
    lookups->failing = status == TABLE_ERROR;
    if (status == TABLE_FOUND)
        lookups->hit++;
    else if (status == TABLE_MISS)
        lookups->miss++;
    else
        lookups->error++;
}

static void
on_looked_up(void *ctx, const struct table *table, enum table_status status,
             uint64_t nanoseconds)
{
    tablestats_looked_up(ctx, table->spec, status, nanoseconds);
}

struct tablestats *
tablestats_new(void)
{
    struct tablestats *stats = mem_alloc(sizeof(*stats));

    stats->meter = (struct table_meter){ .clock = uv_hrtime,
                                         .looked_up = on_looked_up,
                                         .ctx = stats };
    return stats;
}

void
tablestats_free(struct tablestats *stats)
{
    arena_free(&stats->arena);
    free(stats);
}

/* The tables of a configuration, one after the other; NULL: that was all. */
static const struct table *
nth_table(const struct conf *conf, size_t n)
{
    const struct alias_list *aliases = &conf->forward.aliases;
    const struct domain_list *lists[] = { &conf->forward.local_domains,
                                          &conf->srs.domain_map };

    for (size_t i = 0; i < aliases->count; i++)
        if (aliases->entries[i].table != NULL && n-- == 0)
            return aliases->entries[i].table;
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < lists[k]->count; i++)
            if (lists[k]->entries[i].table != NULL && n-- == 0)
                return lists[k]->entries[i].table;
    return NULL;
}

void
tablestats_attach(struct tablestats *stats, struct conf *conf)
{
    const struct table *table;

    conf->forward.aliases.meter = &stats->meter;
    conf->forward.local_domains.meter = &stats->meter;
    conf->srs.domain_map.meter = &stats->meter;
    for (size_t i = 0; (table = nth_table(conf, i)) != NULL; i++)
        find(stats, table->spec); /* series that begin with zero */
}

/* The first table of that name; a name may be used several times. */
static const struct table *
table_of(const struct conf *conf, struct slice spec)
{
    const struct table *table;

    for (size_t i = 0; (table = nth_table(conf, i)) != NULL; i++)
        if (slice_equal(table->spec, spec))
            return table;
    return NULL;
}

void
tablestats_renewed(struct tablestats *stats, const struct conf *before,
                   const struct conf *after)
{
    const struct table *table;

    for (size_t i = 0; (table = nth_table(before, i)) != NULL; i++) {
        const struct table *now = table_of(after, table->spec);
        struct status_lookups *lookups = find(stats, table->spec);
        if (table != table_of(before, table->spec) || now == NULL ||
            lookups == NULL || now == table)
            continue;
        lookups->reloads++;
    }
}

void
tablestats_failed(struct tablestats *stats, const struct conf *conf)
{
    const struct table *table;

    for (size_t i = 0; (table = nth_table(conf, i)) != NULL; i++) {
        struct status_lookups *lookups = find(stats, table->spec);
        if (lookups != NULL && table == table_of(conf, table->spec) &&
            table_is_stale(table))
            lookups->reloads_failed++;
    }
}

const struct status_lookups *
tablestats_view(const struct tablestats *stats, size_t *count)
{
    *count = stats->count;
    return stats->list;
}
