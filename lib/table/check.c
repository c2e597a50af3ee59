/*
 * Cycles, depth and size of expansions, as far as they are decided by rules
 * and texthash tables alone.
 *
 * Each rule and each key is a start, and its expansion is walked the way the
 * relay would. Where a cdb, lmdb or socketmap would be asked before anything
 * answers, the walk ends: what it holds may change any time, and at run time
 * the relay finds the same trouble (451). So each error that is reported is
 * one for a real address.
 */
#include "backend.h"

#include "entries.h"

#include <stdlib.h>

enum {
    DEPTH_MAX = 10,
    REPORTS_MAX = 100
};

#define TOO_DEEP ": expansion is deeper than 10"

/* One address of the expansion at hand, in the order they were met. */
struct node {
    struct smtp_path path;
    size_t parent; /* index + 1; 0: the start itself */
    unsigned depth;
    unsigned height; /* of the expansion below it, once that is known */
    bool open;       /* it is being expanded: meeting it again is a cycle */
};

struct walk {
    const struct alias_list *list;
    unsigned max_targets;
    struct buf *errors;
    unsigned reports;
    struct arena arena; /* of one start */

    struct slice origin; /* of the start */
    unsigned line;       /* the same in a texthash; else 0 */
    struct slice text;   /* what the start is called in a report */
    struct node *nodes;
    size_t count, room;
    unsigned targets; /* addresses that are expanded no further */
    bool reported;    /* one sentence for each start is enough */

    /* Cycles that were told of, by their least address. */
    struct arena kept;
    struct slice *cycles;
    size_t cycle_count, cycle_room;
};

/* ---- reports ----------------------------------------------------------- */

static void
begin_report(struct walk *walk)
{
    walk->reported = true;
    walk->reports++;
    buf_append(walk->errors, walk->origin);
    if (walk->line != 0)
        buf_printf(walk->errors, ":%u", walk->line);
    buf_puts(walk->errors, ": ");
}

/* The way from the start to a node, "a -> b -> c". */
static void
print_way(const struct walk *walk, size_t node, struct buf *out)
{
    if (walk->nodes[node].parent != 0) {
        print_way(walk, walk->nodes[node].parent - 1, out);
        buf_puts(out, " -> ");
    }
    log_escape_text(out, walk->nodes[node].path.text);
}

static void
report_way(struct walk *walk, size_t node, const char *why)
{
    if (walk->reported || walk->reports >= REPORTS_MAX)
        return;
    begin_report(walk);
    print_way(walk, node, walk->errors);
    buf_printf(walk->errors, "%s\n", why);
}

/* In the order of their octets, letters in lower case. */
static bool
is_less(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        char x = ascii_lower(a.ptr[i]);
        char y = ascii_lower(b.ptr[i]);
        if (x != y)
            return x < y;
    }
    return a.len < b.len;
}

/* Each start that leads into a cycle finds it: it is told once. */
static bool
is_new_cycle(struct walk *walk, size_t first, size_t last)
{
    struct slice least = walk->nodes[last].path.text;

    for (size_t i = last; i != first; i = walk->nodes[i].parent - 1)
        if (is_less(walk->nodes[i].path.text, least))
            least = walk->nodes[i].path.text;
    if (is_less(walk->nodes[first].path.text, least))
        least = walk->nodes[first].path.text;
    for (size_t i = 0; i < walk->cycle_count; i++)
        if (slice_equal_nocase(walk->cycles[i], least))
            return false;
    if (walk->cycle_count == walk->cycle_room) {
        walk->cycle_room = 2 * walk->cycle_room + 8;
        walk->cycles =
            mem_realloc(walk->cycles, walk->cycle_room * sizeof(*walk->cycles));
    }
    walk->cycles[walk->cycle_count++] = arena_copy(&walk->kept, least);
    return true;
}

/* The part of the way from `first`, which `last` leads back to. */
static void
report_cycle(struct walk *walk, size_t first, size_t last)
{
    struct buf way = { 0 };

    if (walk->reported || walk->reports >= REPORTS_MAX ||
        !is_new_cycle(walk, first, last)) {
        walk->reported = true;
        return;
    }
    size_t parent = walk->nodes[first].parent;
    walk->nodes[first].parent = 0;
    print_way(walk, last, &way);
    walk->nodes[first].parent = parent;
    begin_report(walk);
    buf_append(walk->errors, buf_slice(&way));
    buf_puts(walk->errors, " -> ");
    log_escape_text(walk->errors, walk->nodes[first].path.text);
    buf_puts(walk->errors, ": a cycle; take one of these out\n");
    buf_free(&way);
}

/* ---- one start --------------------------------------------------------- */

static size_t
add_node(struct walk *walk, const struct smtp_path *path, size_t parent,
         unsigned depth)
{
    if (walk->count == walk->room) {
        walk->room = 2 * walk->room + 64;
        walk->nodes =
            mem_realloc(walk->nodes, walk->room * sizeof(*walk->nodes));
    }
    walk->nodes[walk->count] =
        (struct node){ .path = *path, .parent = parent, .depth = depth };
    return walk->count++;
}

/* Index + 1 of the node of this address; 0: not met yet. */
static size_t
met(const struct walk *walk, const struct smtp_path *path)
{
    for (size_t i = 0; i < walk->count; i++)
        if (smtp_path_equal(&walk->nodes[i].path, path))
            return i + 1;
    return 0;
}

/* The first entry that answers without asking outside. */
static enum alias_status
find(struct walk *walk, const struct smtp_path *path, struct alias_hit *hit)
{
    struct alias_list one = *walk->list;
    struct table_query query;

    for (size_t i = 0; i < walk->list->count; i++) {
        const struct alias_entry *entry = &walk->list->entries[i];
        struct alias_cursor cursor = { 0 };
        if (entry->rule == NULL && entry->table->kind != TABLE_TEXTHASH)
            return ALIAS_ASK;
        one.entries = &walk->list->entries[i];
        one.count = 1;
        enum alias_status status =
            alias_find(&one, path, &cursor, NULL, &walk->arena, hit, &query);
        if (status != ALIAS_NONE)
            return status;
    }
    return ALIAS_NONE;
}

static void expand(struct walk *walk, size_t node);

static void
count_target(struct walk *walk)
{
    if (++walk->targets <= walk->max_targets || walk->reported ||
        walk->reports >= REPORTS_MAX)
        return;
    begin_report(walk);
    log_escape_text(walk->errors, walk->text);
    buf_printf(walk->errors, ": more than %u targets (max_targets)\n",
               walk->max_targets);
}

/* The expansion of a node that was walked before, at another depth. */
static void
check_again(struct walk *walk, size_t node, unsigned depth, size_t parent)
{
    if (depth + walk->nodes[node].height > DEPTH_MAX)
        report_way(walk, parent, TOO_DEEP);
}

/* One target of node `parent` (index + 1; 0: of a start without address). */
static void
follow(struct walk *walk, const struct smtp_path *target, size_t parent)
{
    size_t known = met(walk, target);
    unsigned depth = parent == 0 ? 1 : walk->nodes[parent - 1].depth + 1;

    if (known == 0) {
        known = add_node(walk, target, parent, depth) + 1;
        expand(walk, known - 1);
    } else if (known == parent) {
        count_target(walk); /* its own target: a copy stays */
        return;
    } else if (walk->nodes[known - 1].open) {
        report_cycle(walk, known - 1, parent - 1);
        return;
    } else if (parent != 0) {
        check_again(walk, known - 1, depth, parent - 1);
    }
    if (parent != 0 &&
        walk->nodes[parent - 1].height < walk->nodes[known - 1].height + 1)
        walk->nodes[parent - 1].height = walk->nodes[known - 1].height + 1;
}

static void
expand(struct walk *walk, size_t node)
{
    struct smtp_path path = walk->nodes[node].path;
    struct alias_hit hit;

    enum alias_status status = find(walk, &path, &hit);
    if (status != ALIAS_HIT || hit.action != ALIAS_FORWARD) {
        if (status == ALIAS_NONE || status == ALIAS_ASK)
            count_target(walk);
        return;
    }
    if (walk->nodes[node].depth >= DEPTH_MAX) {
        report_way(walk, node, TOO_DEEP);
        return;
    }
    walk->nodes[node].open = true;
    for (size_t i = 0; i < hit.target_count && !walk->reported; i++)
        follow(walk, &hit.targets[i], node + 1);
    walk->nodes[node].open = false;
    if (walk->nodes[node].height == 0)
        walk->nodes[node].height = 1;
}

static void
begin_start(struct walk *walk, struct slice origin, unsigned line,
            struct slice text)
{
    arena_reset(&walk->arena);
    walk->origin = origin;
    walk->line = line;
    walk->text = text;
    walk->count = 0;
    walk->targets = 0;
    walk->reported = false;
}

/* An address that is one of those asked for. */
static void
start_address(struct walk *walk, const struct smtp_path *path)
{
    expand(walk, add_node(walk, path, 0, 0));
}

/* ---- all starts -------------------------------------------------------- */

static void
start_rule(struct walk *walk, const struct alias_entry *entry)
{
    struct smtp_path path;
    struct slice text = alias_rule_text(entry->rule);

    begin_start(walk, entry->origin, 0, text);
    if (alias_rule_sample(entry->rule, &walk->arena, &path))
        start_address(walk, &path);
    if (walk->reported)
        return;
    /* The sample may belong to an earlier entry, and a regex has none. */
    begin_start(walk, entry->origin, 0, text);
    for (size_t i = 0;
         i < alias_rule_target_count(entry->rule) && !walk->reported; i++)
        if (alias_rule_target(entry->rule, i, &walk->arena, &path))
            follow(walk, &path, 0);
}

struct table_start {
    struct walk *walk;
    const struct alias_entry *entry;
};

static void
start_key(struct walk *walk, const struct table *table, struct slice key,
          struct slice value, unsigned line)
{
    struct alias_value parsed;
    struct slice culprit;
    struct smtp_path path;

    if (slice_find(key, '@') == key.len)
        return; /* a virtual alias domain */
    begin_start(walk, table->path.len != 0 ? table->path : table->spec, line,
                key);
    if (key.ptr[0] != '@') {
        if (smtp_address_parse(key, &walk->arena, &path))
            start_address(walk, &path);
        return;
    }
    if (alias_value_parse(value, &walk->arena, &parsed, &culprit) != NULL)
        return;
    for (size_t i = 0; i < parsed.target_count && !walk->reported; i++)
        if (parsed.targets[i].local.len != 0)
            follow(walk, &parsed.targets[i], 0);
}

static bool
on_key(void *ctx, struct slice key, struct slice value, unsigned line)
{
    const struct table_start *start = ctx;

    start_key(start->walk, start->entry->table, key, value, line);
    return start->walk->reports < REPORTS_MAX;
}

bool
alias_list_check(const struct alias_list *list, unsigned max_targets,
                 struct buf *errors)
{
    struct walk walk = { .list = list,
                         .max_targets = max_targets,
                         .errors = errors };

    for (size_t i = 0; i < list->count && walk.reports < REPORTS_MAX; i++) {
        struct table_start start = { &walk, &list->entries[i] };
        if (start.entry->rule != NULL)
            start_rule(&walk, start.entry);
        else if (start.entry->table->kind == TABLE_TEXTHASH)
            table_each(start.entry->table, on_key, &start);
    }
    free(walk.nodes);
    free(walk.cycles);
    arena_free(&walk.arena);
    arena_free(&walk.kept);
    return walk.reports == 0;
}
