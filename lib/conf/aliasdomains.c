/*
 * The domains in which there is an alias, a rule or an SRS address of ours, so
 * that Postfix can be told (the socketmap map `domain`). Rules, domain_map and
 * the keys of texthash, cdb and lmdb are listed when tables are read; what a
 * socketmap or another kind of table holds has to be named by
 * forward.alias_domains.
 */
#include "build.h"

#include <stdlib.h>

enum {
    SETTLE_AT = 65536 /* names, before repetitions are dropped */
};

struct names {
    struct arena arena;
    struct slice *names;
    size_t count, room;
    size_t settled; /* the first ones: sorted, each once */
};

static void
settle(struct names *all)
{
    size_t count = 0;

    if (all->count != 0)
        qsort(all->names, all->count, sizeof(*all->names), conf_compare_names);
    for (size_t i = 0; i < all->count; i++)
        if (count == 0 ||
            conf_compare_names(&all->names[count - 1], &all->names[i]) != 0)
            all->names[count++] = all->names[i];
    all->count = all->settled = count;
}

static void
add(struct names *all, struct slice name)
{
    if (all->settled != 0 && bsearch(&name, all->names, all->settled,
                                     sizeof(name), conf_compare_names) != NULL)
        return;
    /* Addresses of one domain stand together. */
    if (all->count != 0 && slice_equal(all->names[all->count - 1], name))
        return;
    if (all->count == all->room) {
        all->room = 2 * all->room + 16;
        all->names = mem_realloc(all->names, all->room * sizeof(*all->names));
    }
    all->names[all->count++] = arena_copy(&all->arena, name);
    if (all->count - all->settled >= SETTLE_AT)
        settle(all);
}

/* "user@domain" or "@domain"; a key without a domain is in none of ours. */
static bool
add_key(void *ctx, struct slice key, struct slice value, unsigned line)
{
    size_t at = slice_find_last(key, '@');

    (void)value;
    (void)line;
    if (at < key.len && at + 1 < key.len)
        add(ctx, slice_tail(key, at + 1));
    return true;
}

static bool
add_name(void *ctx, struct slice key, struct slice value, unsigned line)
{
    (void)value;
    (void)line;
    add(ctx, key);
    return true;
}

static void
add_list(struct names *all, const struct domain_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].table == NULL)
            add(all, list->entries[i].name);
        else if (list->entries[i].table->kind != TABLE_SOCKETMAP)
            table_each(list->entries[i].table, add_name, all);
}

static void
add_aliases(struct names *all, const struct alias_list *list)
{
    struct arena arena = { 0 };
    struct slice domain;

    for (size_t i = 0; i < list->count; i++) {
        const struct alias_entry *entry = &list->entries[i];
        if (entry->rule != NULL) {
            if (alias_rule_domain(entry->rule, &arena, &domain))
                add(all, domain);
        } else if (entry->table->kind != TABLE_SOCKETMAP) {
            table_each(entry->table, add_key, all);
        }
    }
    arena_free(&arena);
}

void
conf_list_alias_domains(struct conf *conf, struct arena *arena)
{
    struct names all = { 0 };

    add_list(&all, &conf->forward.alias_domains);
    add_list(&all, &conf->srs.domain_map);
    add_aliases(&all, &conf->forward.aliases);
    for (size_t i = 0; i < conf->srs.every_count; i++)
        add(&all, conf->srs.every[i]);
    settle(&all);
    conf->forward.every_domain =
        arena_alloc(arena, (all.count + 1) * sizeof(*all.names));
    conf->forward.every_domain_count = all.count;
    for (size_t i = 0; i < all.count; i++)
        conf->forward.every_domain[i] = arena_copy(arena, all.names[i]);
    free(all.names);
    arena_free(&all.arena);
}

bool
conf_is_alias_domain(const struct conf *conf, struct slice domain)
{
    return conf->forward.every_domain_count != 0 &&
           bsearch(&domain, conf->forward.every_domain,
                   conf->forward.every_domain_count, sizeof(domain),
                   conf_compare_names) != NULL;
}
