#include "suffixes.h"

#include <libpsl.h>
#include <stdlib.h>
#include <string.h>

enum {
    DOMAIN_MAX = 255
};

struct smtp_suffixes {
    psl_ctx_t *list;
};

struct smtp_suffixes *
smtp_suffixes_load(void)
{
    psl_ctx_t *list = psl_latest(NULL);

    if (list == NULL)
        return NULL;
    struct smtp_suffixes *suffixes = mem_alloc(sizeof(*suffixes));
    suffixes->list = list;
    return suffixes;
}

void
smtp_suffixes_free(struct smtp_suffixes *suffixes)
{
    if (suffixes == NULL)
        return;
    psl_free(suffixes->list);
    free(suffixes);
}

struct slice
smtp_registrable(const struct smtp_suffixes *suffixes, struct slice domain)
{
    char name[DOMAIN_MAX + 1];
    const struct slice none = { 0 };

    /* libpsl takes an empty label for the end of the name. */
    if (domain.len == 0 || domain.len > DOMAIN_MAX || domain.ptr[0] == '.' ||
        domain.ptr[domain.len - 1] == '.' ||
        memmem(domain.ptr, domain.len, "..", 2) != NULL ||
        memchr(domain.ptr, '\0', domain.len) != NULL)
        return none;
    memcpy(name, domain.ptr, domain.len);
    name[domain.len] = '\0';
    const char *found = psl_registrable_domain(suffixes->list, name);
    return found != NULL ? slice_tail(domain, (size_t)(found - name)) : none;
}

bool
smtp_domain_is_within(struct slice domain, struct slice parent)
{
    if (parent.len == 0 || !slice_ends_nocase(domain, parent))
        return false;
    return domain.len == parent.len ||
           domain.ptr[domain.len - parent.len - 1] == '.';
}
