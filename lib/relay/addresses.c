#include "addresses.h"

#include <search.h>

static int
compare(const void *one, const void *other)
{
    const struct slice *a = one, *b = other;

    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    for (size_t i = 0; i < a->len; i++) {
        char x = ascii_lower(a->ptr[i]), y = ascii_lower(b->ptr[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

void *
addresses_find(const struct addresses *set, struct slice address)
{
    void **found = tfind(&address, &set->root, compare);

    return found != NULL ? *found : NULL;
}

bool
addresses_add(struct addresses *set, const struct slice *thing)
{
    return tsearch(thing, &set->root, compare) != NULL;
}

void
addresses_remove(struct addresses *set, const struct slice *thing)
{
    if (addresses_find(set, *thing) == thing)
        tdelete(thing, &set->root, compare);
}

static void
leave(void *thing)
{
    (void)thing;
}

void
addresses_free(struct addresses *set)
{
    tdestroy(set->root, leave);
    set->root = NULL;
}
