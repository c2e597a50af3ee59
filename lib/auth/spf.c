#include "spf.h"

#include "smtp.h"
#include "spfstate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECORDS_MAX = 32768, /* octets of records that one evaluation may keep */
    SHOWN_MAX = 128,     /* octets of a term, where it is shown */
};

const char *
spf_result_word(enum spf_result result)
{
    switch (result) {
    case SPF_NONE:
        return "none";
    case SPF_NEUTRAL:
        return "neutral";
    case SPF_PASS:
        return "pass";
    case SPF_FAIL:
        return "fail";
    case SPF_SOFTFAIL:
        return "softfail";
    case SPF_TEMPERROR:
        return "temperror";
    case SPF_PERMERROR:
        return "permerror";
    }
    return "";
}

/* ---- birth and death ----------------------------------------------------- */

static bool
keep_client(struct spf *spf, const struct spf_client *client)
{
    const bool is_null = client->domain.len == 0;
    const struct slice local = is_null || client->local.len == 0
                                   ? SLICE_OF("postmaster")
                                   : client->local;

    memcpy(spf->address, client->address, sizeof(spf->address));
    spf->values.address = spf->address;
    spf->values.name = SLICE_OF("unknown");
    spf->verdict.identity = is_null ? SPF_HELO : SPF_MAILFROM;
    return arena_try_copy(&spf->arena, client->helo, &spf->values.helo) &&
           arena_try_copy(&spf->arena, local, &spf->values.local) &&
           arena_try_copy(&spf->arena, is_null ? client->helo : client->domain,
                          &spf->identity);
}

struct spf *
spf_new(const struct spf_client *client)
{
    struct spf *spf = mem_try(sizeof(*spf));

    if (spf != NULL && !keep_client(spf, client)) {
        spf_free(spf);
        spf = NULL;
    }
    return spf;
}

void
spf_free(struct spf *spf)
{
    if (spf == NULL)
        return;
    arena_free(&spf->arena);
    buf_free(&spf->target);
    buf_free(&spf->path);
    free(spf);
}

/* ---- what the other files use too
 * -------------------------------------------- */

struct spf_level *
spf_level(struct spf *spf)
{
    return &spf->levels[spf->depth];
}

void
spf_ask(struct spf *spf, struct slice name, enum dns_type type,
        enum spf_state state)
{
    spf->question = (struct dns_question){ name, type };
    spf->state = state;
    spf->verdict.questions++;
    assert(spf->verdict.questions <= SPF_QUESTIONS_MAX);
}

/* Octets of a stranger: printable, and not too many. */
void
spf_put_shown(struct slice text, struct buf *out)
{
    const struct slice head = slice_head(text, SHOWN_MAX);

    for (size_t i = 0; i < head.len; i++)
        buf_putc(out,
                 head.ptr[i] >= ' ' && head.ptr[i] <= '~' ? head.ptr[i] : '?');
    if (head.len != text.len)
        buf_puts(out, "...");
}

struct slice
spf_shown(struct spf *spf, struct slice text)
{
    struct buf copy = { 0 };

    spf_put_shown(text, &copy);
    const struct slice kept = arena_copy(&spf->arena, buf_slice(&copy));
    buf_free(&copy);
    return kept;
}

void
spf_end(struct spf *spf, enum spf_result result, const char *problem,
        struct slice about)
{
    struct spf_verdict *verdict = &spf->verdict;

    spf->state = SPF_OVER;
    verdict->result = result;
    verdict->problem = problem;
    verdict->about = spf_shown(spf, about);
    if (problem != NULL)
        verdict->mechanism = SLICE_OF("");
    if (verdict->mechanism.len == 0) {
        buf_clear(&spf->path);
        verdict->anybody = false;
    }
    verdict->path = buf_slice(&spf->path);
}

bool
spf_count_term(struct spf *spf)
{
    if (spf->verdict.terms == SPF_TERMS_MAX) {
        spf_end(spf, SPF_PERMERROR, "more than ten terms ask DNS",
                spf->term.text);
        return false;
    }
    spf->verdict.terms++;
    return true;
}

bool
spf_note_void(struct spf *spf)
{
    if (!spf->is_void)
        spf->verdict.voids++;
    spf->is_void = true;
    if (spf->verdict.voids <= SPF_VOID_MAX)
        return true;
    spf_end(spf, SPF_PERMERROR, "more than two terms ask for what there is not",
            spf->term.text);
    return false;
}

/* ---- the identity ---------------------------------------------------------
 */

/* Letters, digits, hyphens and underscores in two labels or more: what a
 * sender's domain or a HELO name can be. A literal is none. */
static bool
is_domain(struct slice domain)
{
    for (size_t i = 0; i < domain.len; i++)
        if (!ascii_is_alnum(domain.ptr[i]) && domain.ptr[i] != '-' &&
            domain.ptr[i] != '_' && domain.ptr[i] != '.')
            return false;
    return spf_name_is_askable(domain);
}

static void
begin(struct spf *spf)
{
    struct slice domain = spf->identity;
    struct buf sender = { 0 };

    if (domain.len != 0 && domain.ptr[domain.len - 1] == '.')
        domain.len--;
    const enum smtp_domain_status status =
        smtp_domain_read(domain, &spf->arena, &domain);
    spf->verdict.domain = domain;
    if (status == SMTP_DOMAIN_NO_MEMORY) {
        spf_end(spf, SPF_TEMPERROR, "no memory", SLICE_OF(""));
        return;
    }
    if (status != SMTP_DOMAIN_OK || !is_domain(domain)) {
        spf_end(spf, SPF_NONE, "not the name of a domain", domain);
        return;
    }
    buf_append(&sender, spf->values.local);
    buf_putc(&sender, '@');
    buf_append(&sender, domain);
    spf->values.sender = arena_copy(&spf->arena, buf_slice(&sender));
    spf->values.sender_domain = domain;
    buf_free(&sender);
    buf_append(&spf->target, domain);
    spf_ask(spf, domain, DNS_TXT, SPF_ASKED_RECORD);
}

/* ---- results --------------------------------------------------------------
 */

/* The level has a result: that of the include term above it follows. */
void
spf_leave_level(struct spf *spf, enum spf_result result)
{
    while (spf->depth != 0) {
        const struct spf_level *level = spf_level(spf);

        spf->depth--;
        spf->values.domain = spf_level(spf)->domain;
        if (result != SPF_PASS) {
            spf->path.len = level->path_len;
            spf->verdict.mechanism = SLICE_OF("");
            spf->verdict.anybody = false;
            spf->state = SPF_READY;
            return;
        }
        result = level->qualifier;
    }
    spf_end(spf, result, NULL, SLICE_OF(""));
}

/* ---- records --------------------------------------------------------------
 */

/* The one record of SPF among them; NULL with *why: there is none, or two. */
static const struct dns_record *
choose(const struct dns_answer *answer, bool *several)
{
    const struct dns_record *chosen = NULL;

    *several = false;
    if (answer->status != DNS_FOUND)
        return NULL;
    for (size_t i = 0; i < answer->count; i++) {
        if (!spf_record_is_ours(answer->records[i].text))
            continue;
        *several = chosen != NULL;
        if (*several)
            return NULL;
        chosen = &answer->records[i];
    }
    return chosen;
}

static bool
is_first(const struct spf *spf)
{
    return spf->verdict.terms == 0 && spf->levels[0].domain.len == 0;
}

/* A new level for include; redirect takes the place of the one that is. */
static void
enter_level(struct spf *spf, struct slice text)
{
    const struct spf_term term = spf->term;
    struct slice record, domain, about;
    struct spf_level *level;

    spf->kept += text.len;
    if (spf->kept > RECORDS_MAX) {
        spf_end(spf, SPF_PERMERROR, "the records are too long", term.text);
        return;
    }
    if (!arena_try_copy(&spf->arena, text, &record) ||
        !arena_try_copy(&spf->arena, buf_slice(&spf->target), &domain)) {
        spf_end(spf, SPF_TEMPERROR, "no memory", SLICE_OF(""));
        return;
    }
    if (!is_first(spf)) {
        if (term.kind == SPF_INCLUDE) {
            level = &spf->levels[++spf->depth];
            level->qualifier = term.qualifier;
            level->path_len = spf->path.len;
        }
        spf_put_shown(term.text, &spf->path);
        buf_puts(&spf->path, " -> ");
    }
    level = spf_level(spf);
    level->domain = domain;
    spf->values.domain = domain;
    const char *why =
        spf_record_read(record, spf->address, &level->record, &about);
    level->rest = level->record.terms;
    spf->state = SPF_READY;
    if (why != NULL)
        spf_end(spf, SPF_PERMERROR, why, about);
}

void
spf_on_record(struct spf *spf, const struct dns_answer *answer)
{
    const struct slice name = spf->question.name;
    const bool first = is_first(spf);
    bool several;

    if (answer->status == DNS_TROUBLE) {
        spf_end(spf, SPF_TEMPERROR, "DNS trouble", name);
        return;
    }
    const struct dns_record *record = choose(answer, &several);
    if (record != NULL) {
        enter_level(spf, record->text);
        return;
    }
    if (!first && answer->status != DNS_FOUND && !spf_note_void(spf))
        return;
    if (several)
        spf_end(spf, SPF_PERMERROR, "two records", name);
    else
        spf_end(spf, first ? SPF_NONE : SPF_PERMERROR, "no record", name);
}

const struct dns_question *
spf_step(struct spf *spf, const struct dns_answer *answer)
{
    const char *why;

    if (answer == NULL)
        begin(spf);
    else
        spf_on_answer(spf, answer);
    while (spf->state == SPF_READY) {
        if (spf_term_next(&spf_level(spf)->rest, &spf->term, &why))
            spf_evaluate_term(spf);
        else
            spf_end_of_record(spf);
    }
    return spf->state != SPF_OVER ? &spf->question : NULL;
}

const struct spf_verdict *
spf_verdict(const struct spf *spf)
{
    assert(spf->state == SPF_OVER);
    return &spf->verdict;
}
