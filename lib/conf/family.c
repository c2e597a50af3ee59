/*
 * The family of domains: every name with the registrable domain of a name of
 * ours. For DMARC, which is relaxed unless a record says otherwise, a signature
 * or a reverse-path of ours speaks for all of them.
 *
 * Names of ours are local_domains, the SRS domains and the domains with keys.
 * Tables of local_domains cannot be listed: lib/relay asks them one by one.
 */
#include "build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
compare(const void *left, const void *right)
{
    const struct slice *a = left;
    const struct slice *b = right;
    size_t len = a->len < b->len ? a->len : b->len;
    int difference = len != 0 ? memcmp(a->ptr, b->ptr, len) : 0;

    return difference != 0 ? difference : (a->len > b->len) - (a->len < b->len);
}

static const struct slice *
find(const struct conf *conf, struct slice name)
{
    if (conf->family.count == 0)
        return NULL;
    return bsearch(&name, conf->family.names, conf->family.count, sizeof(name),
                   compare);
}

bool
conf_in_family(const struct conf *conf, struct slice domain)
{
    /* Most domains are found to be strangers' without a look into the list of
     * public suffixes. */
    for (struct slice at = domain; at.len != 0;
         at = slice_tail(at, slice_find(at, '.') + 1)) {
        if (find(conf, at) == NULL)
            continue;
        if (at.len == domain.len)
            return true;
        struct slice owner = smtp_registrable(conf->family.suffixes, domain);
        return find(conf, owner) != NULL;
    }
    return false;
}

struct slice
conf_owner(const struct conf *conf, struct slice domain)
{
    struct slice owner = smtp_registrable(conf->family.suffixes, domain);

    return owner.len != 0 ? owner : domain;
}

/* ---- gathering ----------------------------------------------------------- */

struct owners {
    struct slice *names;
    size_t count, room;
};

static void
add(struct owners *owners, struct slice owner)
{
    if (owners->count != 0 &&
        slice_equal(owners->names[owners->count - 1], owner))
        return;
    if (owners->count == owners->room) {
        owners->room = 2 * owners->room + 16;
        owners->names =
            mem_realloc(owners->names, owners->room * sizeof(owners->names[0]));
    }
    owners->names[owners->count++] = owner;
}

/* The names where mailboxes are, and those whose keys sign for authors. */
static void
add_authors(const struct conf *conf, struct owners *owners)
{
    const struct domain_list *local = &conf->forward.local_domains;

    for (size_t i = 0; i < local->count; i++)
        if (local->entries[i].table == NULL)
            add(owners, conf_owner(conf, local->entries[i].name));
    for (size_t i = 0;
         conf->dkim.keys != NULL && i < dkim_keyset_count(conf->dkim.keys);
         i++) {
        struct slice domain = dkim_keyset_key(conf->dkim.keys, i)->domain;
        if (!conf_is_srs_domain(conf, domain))
            add(owners, conf_owner(conf, domain));
    }
}

static void
settle(struct owners *owners)
{
    size_t count = 0;

    if (owners->count != 0)
        qsort(owners->names, owners->count, sizeof(owners->names[0]), compare);
    for (size_t i = 0; i < owners->count; i++)
        if (count == 0 ||
            compare(&owners->names[count - 1], &owners->names[i]) != 0)
            owners->names[count++] = owners->names[i];
    owners->count = count;
}

void
conf_build_family(struct conf *conf, struct arena *arena)
{
    struct owners owners = { 0 };

    add_authors(conf, &owners);
    for (size_t i = 0; i < conf->srs.every_count; i++)
        add(&owners, conf_owner(conf, conf->srs.every[i]));
    settle(&owners);
    conf->family.names =
        arena_alloc(arena, (owners.count + 1) * sizeof(owners.names[0]));
    conf->family.count = owners.count;
    for (size_t i = 0; i < owners.count; i++)
        conf->family.names[i] = arena_copy(arena, owners.names[i]);
    free(owners.names);
}

/* ---- check ----------------------------------------------------------------
 */

/* Does a table that answers at once hold the domain, or a parent of its
 * registrable domain's family? */
static bool
is_in_tables(const struct conf *conf, struct slice domain)
{
    static const struct table_answer unknown = { .status = TABLE_MISS };
    struct slice owner = conf_owner(conf, domain);
    bool found = false;

    for (struct slice at = domain; !found && at.len >= owner.len && at.len != 0;
         at = slice_tail(at, slice_find(at, '.') + 1)) {
        struct arena arena = { 0 };
        struct alias_cursor cursor = { 0 };
        struct table_query query;
        struct slice value;
        enum table_status status =
            domain_find(&conf->forward.local_domains, at, &cursor, NULL, &arena,
                        &value, &query);
        while (status == TABLE_ASK)
            status = domain_find(&conf->forward.local_domains, at, &cursor,
                                 &unknown, &arena, &value, &query);
        found = status == TABLE_FOUND;
        arena_free(&arena);
    }
    return found;
}

void
conf_warn_family(const struct conf_reading *r, const struct conf *conf)
{
    struct owners authors = { 0 };
    struct slice first = { 0 };
    size_t others = 0;

    add_authors(conf, &authors);
    settle(&authors);
    for (size_t i = 0; i < conf->srs.every_count; i++) {
        struct slice domain = conf->srs.every[i];
        struct slice owner = conf_owner(conf, domain);
        bool shared =
            (authors.count != 0 && bsearch(&owner, authors.names, authors.count,
                                           sizeof(owner), compare) != NULL) ||
            is_in_tables(conf, domain);
        if (shared && first.len == 0)
            first = domain;
        else if (shared)
            others++;
    }
    free(authors.names);
    if (first.len == 0)
        return;
    char more[64] = "";
    if (others != 0)
        snprintf(more, sizeof(more), " (and so for %zu more)", others);
    struct slice owner = conf_owner(conf, first);
    conf_warn_setting(
        r, "srs.domain",
        "%.*s and your mailboxes or keys share the registrable domain "
        "%.*s%s: to DMARC a signature or sender of the one speaks for authors "
        "of the other; two ways out: an SRS domain that is registered by "
        "itself, or adkim=s; aspf=s in the DMARC record of %.*s (README, 10)",
        SLICE_ARG(first), SLICE_ARG(owner), more, SLICE_ARG(owner));
}
