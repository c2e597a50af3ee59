/*
 * The life of a configuration: loaded whole, never changed, freed with its
 * last session.
 *
 * What a table refresh leaves as it is (settings, rules, secrets, keys) lives
 * in a core of its own, with its own count, so that a refreshed snapshot does
 * not keep the one before it, and with that its replaced tables, alive.
 */
#include "build.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct conf_core {
    _Atomic unsigned refs; /* snapshots */
    struct arena arena;
    struct alias_rule **rules;
    size_t rule_count;
    struct srs_conf *srs;
    struct dkim_keyset *keys;
    struct smtp_suffixes *suffixes;
};

static void
core_unref(struct conf_core *core)
{
    if (--core->refs != 0)
        return;
    for (size_t i = 0; i < core->rule_count; i++)
        alias_rule_free(core->rules[i]);
    free(core->rules);
    srs_conf_free(core->srs);
    dkim_keyset_unref(core->keys);
    smtp_suffixes_free(core->suffixes);
    arena_free(&core->arena);
    free(core);
}

/* What has been built so far belongs to the core now. */
static void
core_take(struct conf_core *core, const struct conf *conf)
{
    const struct alias_list *list = &conf->forward.aliases;

    core->rules = mem_alloc((list->count + 1) * sizeof(core->rules[0]));
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].rule != NULL)
            core->rules[core->rule_count++] = list->entries[i].rule;
    core->srs = conf->srs.srs;
    core->keys = conf->dkim.keys;
}

static struct conf *
conf_new(void)
{
    struct conf *conf = mem_alloc(sizeof(*conf));

    conf->core = mem_alloc(sizeof(*conf->core));
    conf->core->refs = 1;
    conf->refs = 1;
    return conf;
}

static void
build_family(struct conf_reading *r, struct conf *conf)
{
    conf->core->suffixes = smtp_suffixes_load();
    conf->family.suffixes = conf->core->suffixes;
    if (conf->family.suffixes != NULL)
        conf_build_family(conf, r->arena);
    else
        conf_error_setting(r, "srs.domain",
                           "there is no list of public suffixes: install the "
                           "package publicsuffix");
}

static void
build(struct conf_reading *r, struct conf *conf)
{
    conf->path = arena_copy(r->arena, slice_from(r->inputs->path));
    conf->loaded = r->inputs->now;
    conf_build_network(r, conf);
    conf_build_forward(r, conf);
    conf_build_dkim(r, conf);
    conf_build_srs(r, conf);
    conf_list_alias_domains(conf, r->arena);
    conf_build_rest(r, conf);
    build_family(r, conf);
    conf_check(r, conf);
    conf_build_values(r, conf);
    core_take(conf->core, conf);
}

struct conf *
conf_load(const struct conf_inputs *inputs, struct buf *errors,
          struct buf *warnings)
{
    struct conf *conf = conf_new();
    struct arena scratch = { 0 };
    struct conf_source source = { .arena = &conf->core->arena };
    struct problems wrong = { .arena = &scratch };
    struct problems odd = { .arena = &scratch };
    struct conf_reading r = {
        .inputs = inputs,
        .arena = &conf->core->arena,
        .errors = &wrong,
        .warnings = &odd,
    };

    conf_reading_postfix(&r, inputs->postfix);
    if (conf_source_read(&source, inputs->path, &wrong))
        r.root = conf_tree_load(&source, r.arena, &wrong);
    if (r.root != NULL) {
        conf_reading_check(&r);
        build(&r, conf);
    }
    problems_print(&wrong, errors);
    problems_print(&odd, warnings);
    bool ok = wrong.count == 0;
    problems_free(&wrong);
    problems_free(&odd);
    conf_source_free(&source);
    arena_free(&scratch);
    if (!ok) {
        conf_unref(conf);
        return NULL;
    }
    return conf;
}

bool
conf_peek(const char *path, const char *name, struct buf *value)
{
    struct arena arena = { 0 };
    struct conf_source source = { .arena = &arena };
    struct problems ignored = { .arena = &arena };
    struct conf_reading r = { .arena = &arena };

    if (conf_source_read(&source, path, &ignored))
        r.root = conf_tree_load(&source, &arena, &ignored);
    bool ok = r.root != NULL;
    if (!ok) {
        static const struct conf_node nothing = { .kind = NODE_GROUP };
        r.root = &nothing;
    }
    buf_append(value, conf_get(&r, NULL, name).text);
    problems_free(&ignored);
    conf_source_free(&source);
    arena_free(&arena);
    return ok;
}

struct conf *
conf_ref(struct conf *conf)
{
    conf->refs++;
    return conf;
}

/* Calls visit for each place in the snapshot that holds a table. */
static void
each_table(struct conf *conf,
           void (*visit)(void *ctx, struct table **table, enum table_use use),
           void *ctx)
{
    struct alias_list *aliases = &conf->forward.aliases;
    struct domain_list *domains = &conf->forward.local_domains;
    struct domain_list *named = &conf->forward.alias_domains;
    struct domain_list *map = &conf->srs.domain_map;

    for (size_t i = 0; i < aliases->count; i++)
        if (aliases->entries[i].table != NULL)
            visit(ctx, &aliases->entries[i].table, TABLE_ALIASES);
    for (size_t i = 0; i < domains->count; i++)
        if (domains->entries[i].table != NULL)
            visit(ctx, &domains->entries[i].table, TABLE_DOMAINS);
    for (size_t i = 0; i < named->count; i++)
        if (named->entries[i].table != NULL)
            visit(ctx, &named->entries[i].table, TABLE_DOMAINS);
    for (size_t i = 0; i < map->count; i++)
        if (map->entries[i].table != NULL)
            visit(ctx, &map->entries[i].table, TABLE_PAIRS);
}

static void
unref_table(void *ctx, struct table **table, enum table_use use)
{
    (void)ctx;
    (void)use;
    table_unref(*table);
}

void
conf_unref(struct conf *conf)
{
    if (conf == NULL || --conf->refs != 0)
        return;
    each_table(conf, unref_table, NULL);
    core_unref(conf->core);
    arena_free(&conf->arena);
    free(conf);
}

struct refresh {
    struct buf *errors;
    int64_t now;
    bool stale; /* any table is */
    bool renewed;
};

static void
look_at_table(void *ctx, struct table **table, enum table_use use)
{
    struct refresh *refresh = ctx;

    (void)use;
    refresh->stale |= table_is_stale(*table);
}

/* One more reference of the table, or of the one that takes its place. */
static void
renew_table(void *ctx, struct table **table, enum table_use use)
{
    struct refresh *refresh = ctx;
    struct table *fresh = NULL;

    if (table_is_stale(*table))
        fresh = table_open((*table)->spec, use, *table, refresh->now,
                           refresh->errors);
    if (fresh == NULL)
        fresh = table_ref(*table);
    refresh->renewed |= fresh != *table;
    *table = fresh;
}

static void *
copy_array(struct arena *arena, const void *array, size_t size)
{
    void *copy = arena_alloc(arena, size + 1);

    if (size != 0)
        memcpy(copy, array, size);
    return copy;
}

static void
copy_domains(struct arena *arena, struct domain_list *list)
{
    list->entries = copy_array(arena, list->entries,
                               list->count * sizeof(list->entries[0]));
}

bool
conf_tables_are_stale(struct conf *conf)
{
    struct refresh refresh = { 0 };

    each_table(conf, look_at_table, &refresh);
    return refresh.stale;
}

struct conf *
conf_refresh_tables(struct conf *conf, int64_t now, struct buf *errors)
{
    struct refresh refresh = { .errors = errors, .now = now };

    if (!conf_tables_are_stale(conf))
        return NULL;
    struct conf *fresh = mem_alloc(sizeof(*fresh));
    struct alias_list *aliases = &fresh->forward.aliases;

    /* But its count, which sessions on the loop change meanwhile. */
    const size_t counted = offsetof(struct conf, arena);
    memcpy((char *)fresh + counted, (const char *)conf + counted,
           sizeof(*fresh) - counted);
    fresh->refs = 1;
    fresh->arena = (struct arena){ 0 };
    fresh->core->refs++;
    aliases->entries = copy_array(&fresh->arena, aliases->entries,
                                  aliases->count * sizeof(aliases->entries[0]));
    copy_domains(&fresh->arena, &fresh->forward.local_domains);
    copy_domains(&fresh->arena, &fresh->forward.alias_domains);
    copy_domains(&fresh->arena, &fresh->srs.domain_map);
    each_table(fresh, renew_table, &refresh);
    if (!refresh.renewed) {
        conf_unref(fresh);
        return NULL;
    }
    conf_keep_srs_domains(fresh, conf);
    conf_list_alias_domains(fresh, &fresh->arena);
    if (fresh->srs.every != conf->srs.every)
        conf_build_family(fresh, &fresh->arena);
    return fresh;
}
