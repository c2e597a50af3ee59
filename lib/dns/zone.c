#include "zone.h"

#include <stdlib.h>
#include <string.h>

/* The records of one name and type. */
struct set {
    struct slice name;
    unsigned type;
    size_t first; /* of dns_zone.records */
    size_t count;
};

struct dns_zone {
    struct arena arena; /* names and texts */
    struct set *sets;   /* by name, then type */
    size_t set_count;
    struct dns_record *records;
};

/* A line with its place, so that sorting keeps the order of the file. */
struct place {
    struct zone_line line;
    size_t at;
};

struct places {
    struct place *all;
    size_t count;
    size_t room;
};

enum {
    ERRORS_MAX = 100 /* printed; the file may be something else altogether */
};

static int
compare(struct slice a_name, unsigned a_type, struct slice b_name,
        unsigned b_type)
{
    const size_t shorter = a_name.len < b_name.len ? a_name.len : b_name.len;
    const int order =
        shorter != 0 ? memcmp(a_name.ptr, b_name.ptr, shorter) : 0;

    if (order != 0)
        return order;
    if (a_name.len != b_name.len)
        return a_name.len < b_name.len ? -1 : 1;
    return a_type < b_type ? -1 : a_type > b_type;
}

static int
compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    const int order =
        compare(a->line.name, a->line.type, b->line.name, b->line.type);

    if (order != 0)
        return order;
    return a->at < b->at ? -1 : a->at > b->at;
}

static void
add(struct places *places, const struct zone_line *line)
{
    if (places->count == places->room) {
        places->room = places->room != 0 ? 2 * places->room : 64;
        places->all =
            mem_realloc(places->all, places->room * sizeof(places->all[0]));
    }
    places->all[places->count] = (struct place){ *line, places->count };
    places->count++;
}

/* False if a line was wrong. */
static bool
read_lines(struct slice rest, struct slice file, struct arena *arena,
           struct places *places, struct buf *errors)
{
    struct zone_text text = { .rest = rest };
    struct zone_line line;
    const char *why;
    unsigned wrong = 0;

    for (;;) {
        switch (zone_text_next(&text, arena, &line, &why)) {
        case ZONE_LINE:
            add(places, &line);
            break;
        case ZONE_BAD:
            if (++wrong <= ERRORS_MAX)
                buf_printf(errors, "%.*s:%u: %s\n", SLICE_ARG(file), text.line,
                           why);
            break;
        case ZONE_END:
            if (wrong > ERRORS_MAX)
                buf_printf(errors, "%.*s: %u more errors\n", SLICE_ARG(file),
                           wrong - ERRORS_MAX);
            return wrong == 0;
        }
    }
}

static void
make_sets(struct dns_zone *zone, const struct places *places)
{
    struct set *set = NULL;

    zone->sets = mem_alloc((places->count + 1) * sizeof(zone->sets[0]));
    zone->records = mem_alloc((places->count + 1) * sizeof(zone->records[0]));
    for (size_t i = 0; i < places->count; i++) {
        const struct zone_line *line = &places->all[i].line;

        zone->records[i] = line->record;
        if (set == NULL ||
            compare(set->name, set->type, line->name, line->type) != 0) {
            set = &zone->sets[zone->set_count++];
            *set = (struct set){ line->name, line->type, i, 0 };
        }
        set->count++;
    }
}

struct dns_zone *
dns_zone_read(struct slice text, struct slice file, struct buf *errors)
{
    struct dns_zone *zone = mem_alloc(sizeof(*zone));
    struct places places = { 0 };

    if (read_lines(text, file, &zone->arena, &places, errors)) {
        if (places.count != 0)
            qsort(places.all, places.count, sizeof(places.all[0]),
                  compare_places);
        make_sets(zone, &places);
    } else {
        dns_zone_free(zone);
        zone = NULL;
    }
    free(places.all);
    return zone;
}

void
dns_zone_free(struct dns_zone *zone)
{
    if (zone == NULL)
        return;
    arena_free(&zone->arena);
    free(zone->sets);
    free(zone->records);
    free(zone);
}

/* The first set that is not before this name and type. */
static size_t
lower_bound(const struct dns_zone *zone, struct slice name, unsigned type)
{
    size_t low = 0, high = zone->set_count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct set *set = &zone->sets[middle];

        if (compare(set->name, set->type, name, type) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct set *
find(const struct dns_zone *zone, struct slice name, unsigned type)
{
    const size_t at = lower_bound(zone, name, type);

    if (at == zone->set_count ||
        compare(zone->sets[at].name, zone->sets[at].type, name, type) != 0)
        return NULL;
    return &zone->sets[at];
}

static bool
has_name(const struct dns_zone *zone, struct slice name)
{
    const size_t at = lower_bound(zone, name, 0);

    return at < zone->set_count && slice_equal(zone->sets[at].name, name);
}

void
dns_zone_answer(const struct dns_zone *zone,
                const struct dns_question *question, struct dns_answer *answer)
{
    struct slice name = question->name;

    *answer = (struct dns_answer){ .status = DNS_TROUBLE };
    for (unsigned hops = 0; hops <= DNS_CHAIN_MAX; hops++) {
        const struct set *set = find(zone, name, (unsigned)question->type);
        const struct set *alias = find(zone, name, DNS_CNAME);

        if (set != NULL) {
            answer->status = DNS_FOUND;
            answer->records = zone->records + set->first;
            answer->count = set->count;
            return;
        }
        if (alias == NULL) {
            if (find(zone, name, ZONE_TROUBLE) == NULL)
                answer->status =
                    has_name(zone, name) ? DNS_NO_DATA : DNS_NO_NAME;
            return;
        }
        answer->alias = true;
        name = zone->records[alias->first].name;
    }
}
