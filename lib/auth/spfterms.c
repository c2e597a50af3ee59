#include "spfstate.h"

#include <assert.h>
#include <string.h>

enum dns_type
spf_address_type(const struct spf *spf)
{
    return spf_address_is_ip4(spf->address) ? DNS_A : DNS_AAAA;
}

bool
spf_is_among(const struct spf *spf, const struct dns_answer *answer,
             unsigned prefix4, unsigned prefix6)
{
    for (size_t i = 0; i < answer->count; i++)
        if (spf_is_in(spf->address, answer->records[i].address, prefix4,
                      prefix6))
            return true;
    return false;
}

static bool
matches_anybody(const struct spf *spf)
{
    switch (spf->term.kind) {
    case SPF_ALL:
        return true;
    case SPF_IP4:
        return spf->term.prefix4 == 0;
    case SPF_IP6:
        return spf->term.prefix6 == 0;
    case SPF_A:
    case SPF_MX:
        return spf_address_is_ip4(spf->address) ? spf->term.prefix4 == 0
                                                : spf->term.prefix6 == 0;
    case SPF_INCLUDE:
    case SPF_PTR:
    case SPF_EXISTS:
    case SPF_REDIRECT:
    case SPF_EXP:
    case SPF_UNKNOWN:
        break;
    }
    return false;
}

static void
match(struct spf *spf)
{
    spf->verdict.mechanism = spf_shown(spf, spf->term.text);
    spf->verdict.anybody = matches_anybody(spf);
    spf_put_shown(spf->term.text, &spf->path);
    spf_leave_level(spf, spf->term.qualifier);
}

static void
match_if(struct spf *spf, bool matches)
{
    spf->state = SPF_READY;
    if (matches)
        match(spf);
}

/* ---- terms that ask -------------------------------------------------------
 */

static void
ask_hosts_address(struct spf *spf)
{
    if (spf->host_next < spf->host_count)
        spf_ask(spf, spf->hosts[spf->host_next++], spf_address_type(spf),
                SPF_ASKED_ADDRESS);
    else if (spf->too_many_hosts)
        spf_end(spf, SPF_PERMERROR, "mx with more than ten hosts",
                spf->term.text);
    else
        match_if(spf, false);
}

static void
on_hosts(struct spf *spf, const struct dns_answer *answer)
{
    spf->host_count = spf->host_next = 0;
    spf->too_many_hosts = false;
    for (size_t i = 0; i < answer->count && !spf->too_many_hosts; i++) {
        const struct slice host = answer->records[i].name;

        if (!spf_name_is_askable(host)) /* "." above all (RFC 7505) */
            continue;
        spf->too_many_hosts = spf->host_count == SPF_NAMES_MAX;
        if (!spf->too_many_hosts &&
            !arena_try_copy(&spf->arena, host,
                            &spf->hosts[spf->host_count++])) {
            spf_end(spf, SPF_TEMPERROR, "no memory", SLICE_OF(""));
            return;
        }
    }
    ask_hosts_address(spf);
}

/* The term has a target: ask for what it wants to know. */
static void
ask_target(struct spf *spf)
{
    const struct slice target = buf_slice(&spf->target);

    switch (spf->term.kind) {
    case SPF_INCLUDE:
    case SPF_REDIRECT:
        spf_ask(spf, target, DNS_TXT, SPF_ASKED_RECORD);
        break;
    case SPF_A:
        spf->host_count = spf->host_next = 0;
        spf->too_many_hosts = false;
        spf_ask(spf, target, spf_address_type(spf), SPF_ASKED_ADDRESS);
        break;
    case SPF_MX:
        spf_ask(spf, target, DNS_MX, SPF_ASKED_HOSTS);
        break;
    case SPF_EXISTS:
        spf_ask(spf, target, DNS_A, SPF_ASKED_EXISTENCE);
        break;
    case SPF_PTR: {
        spf->purpose = SPF_FOR_TARGET;
        const enum spf_search search = spf_names_search(spf);
        if (search != SPF_SEARCH_ASKS)
            match_if(spf, search == SPF_SEARCH_FOUND);
        break;
    }
    case SPF_ALL:
    case SPF_IP4:
    case SPF_IP6:
    case SPF_EXP:
    case SPF_UNKNOWN:
        assert(false); /* they have no target */
    }
}

/* A target that is no name: include and redirect have no record there, other
 * mechanisms do not match. */
static void
have_no_target(struct spf *spf)
{
    if (spf->term.kind == SPF_INCLUDE || spf->term.kind == SPF_REDIRECT)
        spf_end(spf, SPF_PERMERROR, "leads to no name", spf->term.text);
    else
        match_if(spf, false);
}

static void
expand_target(struct spf *spf)
{
    if (spf_expand(spf->term.spec, &spf->values, &spf->target))
        ask_target(spf);
    else
        have_no_target(spf);
}

static void
find_target(struct spf *spf)
{
    if (!spf_count_term(spf))
        return;
    if (spf->term.spec.len == 0) {
        buf_clear(&spf->target);
        buf_append(&spf->target, spf->values.domain);
        ask_target(spf);
    } else if (spf_spec_wants_name(spf->term.spec)) {
        spf->purpose = SPF_FOR_VALUE;
        if (spf_names_search(spf) != SPF_SEARCH_ASKS)
            expand_target(spf);
    } else {
        expand_target(spf);
    }
}

/* An answer about names of the client came: the term goes on. */
static void
go_on_with_names(struct spf *spf)
{
    if (spf->state == SPF_OVER)
        return;
    const enum spf_search search = spf_names_search(spf);
    if (search == SPF_SEARCH_ASKS)
        return;
    if (spf->purpose == SPF_FOR_VALUE)
        expand_target(spf);
    else
        match_if(spf, search == SPF_SEARCH_FOUND);
}

void
spf_evaluate_term(struct spf *spf)
{
    const struct spf_term *term = &spf->term;

    spf->is_void = false;
    switch (term->kind) {
    case SPF_ALL:
        match(spf);
        break;
    case SPF_IP4:
    case SPF_IP6:
        match_if(spf, spf_network_matches(term, spf->address));
        break;
    case SPF_INCLUDE:
    case SPF_A:
    case SPF_MX:
    case SPF_PTR:
    case SPF_EXISTS:
        find_target(spf);
        break;
    case SPF_REDIRECT: /* at the end of the record */
    case SPF_EXP:
    case SPF_UNKNOWN:
        break;
    }
}

/* No mechanism matched. */
void
spf_end_of_record(struct spf *spf)
{
    struct spf_level *level = spf_level(spf);
    struct slice redirect = level->record.redirect;
    const char *why;

    if (redirect.len == 0 || level->record.has_all) {
        spf_leave_level(spf, SPF_NEUTRAL);
        return;
    }
    spf_term_next(&redirect, &spf->term, &why);
    spf->is_void = false;
    find_target(spf);
}

void
spf_on_answer(struct spf *spf, const struct dns_answer *answer)
{
    switch (spf->state) {
    case SPF_ASKED_RECORD:
        spf_on_record(spf, answer);
        return;
    case SPF_ASKED_NAMES:
    case SPF_ASKED_PROOF:
        spf_names_on_answer(spf, answer);
        go_on_with_names(spf);
        return;
    case SPF_ASKED_ADDRESS:
    case SPF_ASKED_HOSTS:
    case SPF_ASKED_EXISTENCE:
        break;
    case SPF_READY:
    case SPF_OVER:
        assert(false); /* no question is out */
    }
    if (answer->status == DNS_TROUBLE) {
        spf_end(spf, SPF_TEMPERROR, "DNS trouble", spf->question.name);
        return;
    }
    const bool found = answer->status == DNS_FOUND;
    if (!found && !spf_note_void(spf))
        return;
    if (spf->state == SPF_ASKED_EXISTENCE)
        match_if(spf, found);
    else if (spf->state == SPF_ASKED_HOSTS)
        on_hosts(spf, answer);
    else if (found &&
             spf_is_among(spf, answer, spf->term.prefix4, spf->term.prefix6))
        match(spf);
    else
        ask_hosts_address(spf);
}
