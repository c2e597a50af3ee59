#include "spfstate.h"

#include <string.h>

/* Equal to the domain or below it. */
static bool
is_below(struct slice name, struct slice domain)
{
    if (name.len == domain.len)
        return slice_equal(name, domain);
    return name.len > domain.len &&
           name.ptr[name.len - domain.len - 1] == '.' &&
           slice_equal(slice_tail(name, name.len - domain.len), domain);
}

static void
ask_names(struct spf *spf)
{
    struct buf name = { 0 };

    /* As a value they are asked for beside what the term itself asks for:
     * they count on their own (4.6.4). */
    if (spf->purpose == SPF_FOR_VALUE && !spf_count_term(spf))
        return;
    spf_expand(SLICE_OF("%{ir}.%{v}.arpa"), &spf->values, &name);
    spf_ask(spf, arena_copy(&spf->arena, buf_slice(&name)), DNS_PTR,
            SPF_ASKED_NAMES);
    buf_free(&name);
}

/* How well the name serves: 0 best; a name that does not serve has 3. */
static unsigned
rank(struct spf *spf, struct slice name)
{
    if (spf->purpose == SPF_FOR_TARGET)
        return is_below(name, buf_slice(&spf->target)) ? 0 : 3;
    const struct slice domain = spf_level(spf)->domain;
    return slice_equal(name, domain) ? 0 : is_below(name, domain) ? 1 : 2;
}

enum spf_search
spf_names_search(struct spf *spf)
{
    if (!spf->names_known) {
        ask_names(spf);
        return SPF_SEARCH_ASKS;
    }
    for (unsigned wanted = 0; wanted < 3; wanted++) {
        for (size_t i = 0; i < spf->name_count; i++) {
            struct spf_name *name = &spf->names[i];

            if (rank(spf, name->name) != wanted)
                continue;
            switch (name->proof) {
            case SPF_PROVEN:
                spf->values.name = name->name;
                return SPF_SEARCH_FOUND;
            case SPF_UNPROVEN:
                spf->name_asked = i;
                spf_ask(spf, name->name, spf_address_type(spf),
                        SPF_ASKED_PROOF);
                return SPF_SEARCH_ASKS;
            case SPF_FALSE:
                break;
            }
        }
    }
    spf->values.name = SLICE_OF("unknown");
    return SPF_SEARCH_NONE;
}

static void
keep_names(struct spf *spf, const struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->count && i < SPF_NAMES_MAX; i++) {
        struct spf_name *name = &spf->names[spf->name_count];

        if (spf_name_is_askable(answer->records[i].name) &&
            arena_try_copy(&spf->arena, answer->records[i].name, &name->name))
            spf->name_count++;
    }
}

/* An error is no match and never the result (5.5). */
void
spf_names_on_answer(struct spf *spf, const struct dns_answer *answer)
{
    const bool is_void =
        answer->status == DNS_NO_DATA || answer->status == DNS_NO_NAME;

    if (is_void && !spf_note_void(spf))
        return;
    if (spf->state == SPF_ASKED_NAMES) {
        spf->names_known = true;
        if (answer->status == DNS_FOUND)
            keep_names(spf, answer);
        return;
    }
    spf->names[spf->name_asked].proof =
        answer->status == DNS_FOUND && spf_is_among(spf, answer, 32, 128)
            ? SPF_PROVEN
            : SPF_FALSE;
}
