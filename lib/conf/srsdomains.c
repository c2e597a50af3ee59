/*
 * All SRS domains: srs.domain, the `to` of domain_map and the values of its
 * tables. A bounce has to be known as ours by its domain alone, so they are
 * listed when tables are read, and looked up by halves. What a socketmap would
 * say cannot be listed.
 */
#include "build.h"

#include <stdlib.h>
#include <string.h>

int
conf_compare_names(const void *left, const void *right)
{
    const struct slice *a = left;
    const struct slice *b = right;

    for (size_t i = 0; i < a->len && i < b->len; i++) {
        int difference = (unsigned char)ascii_lower(a->ptr[i]) -
                         (unsigned char)ascii_lower(b->ptr[i]);
        if (difference != 0)
            return difference;
    }
    return (a->len > b->len) - (a->len < b->len);
}

static bool
is_listed(const struct conf *conf, struct slice domain)
{
    return bsearch(&domain, conf->srs.every, conf->srs.every_count,
                   sizeof(domain), conf_compare_names) != NULL;
}

/* A domain that Postfix takes for one of these after IDNA is that domain. */
bool
conf_is_srs_domain(const struct conf *conf, struct slice domain)
{
    struct arena arena = { 0 };
    struct slice ascii;

    if (!conf->srs.enabled || conf->srs.every_count == 0)
        return false;
    if (ascii_printable_length(domain) == domain.len)
        return is_listed(conf, domain);
    bool found =
        smtp_domain_to_ascii(domain, &arena, &ascii) && is_listed(conf, ascii);
    arena_free(&arena);
    return found;
}

/* ---- gathering --------------------------------------------------------- */

struct gathering {
    struct arena arena; /* of what is gathered: with all its repetitions */
    struct slice *names;
    size_t count, room;
    /* What a table holds and is no domain; NULL: not wanted. */
    void (*bad)(void *ctx, struct slice key, struct slice value, unsigned line);
    void *ctx;
};

static void
gather(struct gathering *all, struct slice name)
{
    /* Alias domains of one customer stand together. */
    if (all->count != 0 && slice_equal(all->names[all->count - 1], name))
        return;
    if (all->count == all->room) {
        all->room = 2 * all->room + 16;
        all->names = mem_realloc(all->names, all->room * sizeof(*all->names));
    }
    all->names[all->count++] = name;
}

static bool
gather_value(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct gathering *all = ctx;
    struct slice ascii;

    value = slice_trim(value);
    if (smtp_domain_is_valid(value) && slice_find(value, '.') != value.len &&
        smtp_domain_to_ascii(value, &all->arena, &ascii))
        gather(all, ascii);
    else if (all->bad != NULL)
        all->bad(all->ctx, key, value, line);
    return true;
}

/* Sorted, each once, in memory of the given arena. */
static void
settle(struct gathering *all, struct conf *conf, struct arena *arena)
{
    size_t count = 0;

    if (all->count != 0)
        qsort(all->names, all->count, sizeof(*all->names), conf_compare_names);
    for (size_t i = 0; i < all->count; i++)
        if (count == 0 ||
            conf_compare_names(&all->names[count - 1], &all->names[i]) != 0)
            all->names[count++] = all->names[i];
    conf->srs.every = arena_alloc(arena, (count + 1) * sizeof(*all->names));
    conf->srs.every_count = count;
    for (size_t i = 0; i < count; i++)
        conf->srs.every[i] = arena_copy(arena, all->names[i]);
    free(all->names);
    arena_free(&all->arena);
}

void
conf_list_srs_domains(struct conf *conf, struct arena *arena,
                      void (*bad)(void *ctx, struct slice key,
                                  struct slice value, unsigned line),
                      void *ctx)
{
    const struct domain_list *map = &conf->srs.domain_map;
    struct gathering all = { .bad = bad, .ctx = ctx };

    for (size_t i = 0; i < conf->srs.domain_count; i++)
        gather(&all, conf->srs.domains[i]);
    for (size_t i = 0; i < map->count; i++)
        if (map->entries[i].table != NULL &&
            map->entries[i].table->kind != TABLE_SOCKETMAP)
            table_each(map->entries[i].table, gather_value, &all);
    settle(&all, conf, arena);
}

void
conf_keep_srs_domains(struct conf *fresh, const struct conf *conf)
{
    const struct domain_list *map = &conf->srs.domain_map;
    bool has_table = false;

    for (size_t i = 0; i < map->count; i++) {
        has_table = has_table || map->entries[i].table != NULL;
        if (map->entries[i].table != fresh->srs.domain_map.entries[i].table) {
            conf_list_srs_domains(fresh, &fresh->arena, NULL, NULL);
            return;
        }
    }
    if (!has_table)
        return; /* it lives as long as the settings do */
    struct gathering all = { 0 };
    for (size_t i = 0; i < conf->srs.every_count; i++)
        gather(&all, conf->srs.every[i]);
    settle(&all, fresh, &fresh->arena);
}
