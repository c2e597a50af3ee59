#include "dmarcwalk.h"

#include <stdlib.h>
#include <string.h>

/* ---- words ------------------------------------------------------------- */

const char *
dmarc_policy_word(enum dmarc_policy policy)
{
    switch (policy) {
    case DMARC_NO_POLICY:
    case DMARC_POLICY_NONE:
        return "none";
    case DMARC_POLICY_QUARANTINE:
        return "quarantine";
    case DMARC_POLICY_REJECT:
        return "reject";
    }
    return "";
}

const char *
dmarc_result_word(enum dmarc_result result)
{
    switch (result) {
    case DMARC_NONE:
        return "none";
    case DMARC_PASS:
        return "pass";
    case DMARC_FAIL:
        return "fail";
    case DMARC_TEMPERROR:
        return "temperror";
    }
    return "";
}

/* ---- the policy (4.10.1) ----------------------------------------------- */

/* The record of the organizational domain, else that of the public suffix
 * above it, else NULL (4.10.1). */
static const struct dmarc_known *
record_of(struct slice organization, const struct dmarc_walk *walk)
{
    for (size_t i = 0; i < walk->count; i++)
        if (slice_equal_nocase(walk->records[i]->name, organization))
            return walk->records[i];
    if (walk->count == 0)
        return NULL;
    const struct dmarc_known *last = walk->records[walk->count - 1];
    return last->record.psd == DMARC_PSD_YES ? last : NULL;
}

/* True if the walk has asked a question. */
static bool
find_record(struct dmarc *dmarc, const struct dmarc_known **record,
            bool *trouble)
{
    struct slice author = dmarc->verdict.author;
    const struct dmarc_known *own = dmarc_find_known(dmarc, author);
    struct dmarc_walk walk;

    *record = NULL;
    *trouble = false;
    if (own == NULL && dmarc_is_askable(author)) {
        dmarc_ask(dmarc, DMARC_ASK_RECORD, author);
        return true;
    }
    if (own != NULL && own->found == DMARC_FOUND_RECORD) {
        *record = own; /* whatever stands above it */
        return false;
    }
    switch (dmarc_walk_up(dmarc, author, &walk)) {
    case DMARC_WALK_ASKS:
        return true;
    case DMARC_WALK_TROUBLE:
        *trouble = true;
        return false;
    case DMARC_WALK_DONE:
        break;
    }
    *record = record_of(dmarc_organization_of(author, &walk), &walk);
    return false;
}

/* t=y: one level down (4.7). */
static enum dmarc_policy
applied(const struct dmarc_record *record, enum dmarc_policy policy)
{
    if (!record->is_test)
        return policy;
    return policy == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE
                                         : DMARC_POLICY_NONE;
}

/* The policies that a record of a parent may mean. True: a question is set. */
static bool
inherit(struct dmarc *dmarc, const struct dmarc_record *record)
{
    enum dmarc_policy sp =
        applied(record, record->has_sp ? record->sp : record->p);
    enum dmarc_policy np = record->has_np ? applied(record, record->np) : sp;

    dmarc->verdict.policies = sp | np;
    if (sp == np)
        return false;
    switch (dmarc->existence) {
    case DMARC_EXISTENCE_UNKNOWN:
        dmarc_ask(dmarc, DMARC_ASK_EXISTENCE, dmarc->verdict.author);
        return true;
    case DMARC_EXISTS:
        dmarc->verdict.policies = sp;
        break;
    case DMARC_EXISTS_NOT:
        dmarc->verdict.policies = np;
        break;
    case DMARC_EXISTENCE_TROUBLE:
        break;
    }
    return false;
}

/* True: a question is set. */
static bool
discover(struct dmarc *dmarc)
{
    struct dmarc_verdict *verdict = &dmarc->verdict;
    const struct dmarc_known *known = NULL;
    bool trouble = false;

    verdict->policies = DMARC_ANY_POLICY;
    verdict->record = (struct slice){ 0 };
    if (find_record(dmarc, &known, &trouble))
        return true;
    if (trouble)
        return false;
    if (known == NULL || !known->record.applies) {
        verdict->policies = DMARC_NO_POLICY;
        return false;
    }
    verdict->record = known->name;
    dmarc->strict_dkim = known->record.strict_dkim;
    dmarc->strict_spf = known->record.strict_spf;
    if (!slice_equal_nocase(known->name, verdict->author))
        return inherit(dmarc, &known->record);
    verdict->policies = applied(&known->record, known->record.p);
    return false;
}

/* ---- alignment (4.4, 4.10.2) ------------------------------------------- */

enum alignment {
    ALIGN_ASKS, /* a question is set */
    ALIGN_NO,
    ALIGN_YES,
    ALIGN_OPEN, /* DNS trouble */
};

static bool
is_at_or_below(struct slice name, struct slice parent)
{
    if (slice_equal_nocase(name, parent))
        return true;
    return name.len > parent.len + 1 &&
           name.ptr[name.len - parent.len - 1] == '.' &&
           slice_ends_nocase(name, parent);
}

/* The organizational domains of two names that have not even the last label in
 * common are not the same. */
static bool
share_parent(struct slice a, struct slice b)
{
    return slice_equal_nocase(dmarc_last_labels(a, 1), dmarc_last_labels(b, 1));
}

static enum alignment
align_relaxed(struct dmarc *dmarc, struct slice domain, size_t *walks)
{
    struct dmarc_verdict *verdict = &dmarc->verdict;
    struct dmarc_walk walk;

    if (!share_parent(domain, verdict->author))
        return ALIGN_NO;
    if (verdict->policies == DMARC_ANY_POLICY)
        return ALIGN_OPEN;
    switch (dmarc_walk_up(dmarc, verdict->author, &walk)) {
    case DMARC_WALK_ASKS:
        return ALIGN_ASKS;
    case DMARC_WALK_TROUBLE:
        return ALIGN_OPEN;
    case DMARC_WALK_DONE:
        break;
    }
    verdict->organization = dmarc_organization_of(verdict->author, &walk);
    if (!is_at_or_below(domain, verdict->organization))
        return ALIGN_NO;
    if (++*walks > DMARC_WALKS_MAX)
        return ALIGN_OPEN;
    switch (dmarc_walk_up(dmarc, domain, &walk)) {
    case DMARC_WALK_ASKS:
        return ALIGN_ASKS;
    case DMARC_WALK_TROUBLE:
        return ALIGN_OPEN;
    case DMARC_WALK_DONE:
        break;
    }
    return slice_equal_nocase(dmarc_organization_of(domain, &walk),
                              verdict->organization)
               ? ALIGN_YES
               : ALIGN_NO;
}

/* An identifier is looked at in one of the rounds. */
enum round {
    ROUND_EQUAL, /* the author's own domain: no walk */
    ROUND_DKIM,
    ROUND_SPF,
    ROUND_OPEN, /* those that have not passed */
    ROUNDS,
};

static enum round
round_of(const struct dmarc *dmarc, const struct dmarc_identifier *identifier)
{
    if (slice_equal_nocase(dmarc_without_dot(identifier->domain),
                           dmarc->verdict.author))
        return ROUND_EQUAL;
    if (!identifier->passed)
        return ROUND_OPEN;
    return identifier->method == DMARC_BY_DKIM ? ROUND_DKIM : ROUND_SPF;
}

static enum alignment
align(struct dmarc *dmarc, const struct dmarc_identifier *identifier,
      size_t *walks)
{
    bool strict = identifier->method == DMARC_BY_DKIM ? dmarc->strict_dkim
                                                      : dmarc->strict_spf;
    struct slice domain = dmarc_without_dot(identifier->domain);

    if (domain.len == 0)
        return ALIGN_NO;
    if (slice_equal_nocase(domain, dmarc->verdict.author))
        return ALIGN_YES;
    return strict ? ALIGN_NO : align_relaxed(dmarc, domain, walks);
}

/* What is left would change nothing. */
static bool
is_enough(const struct dmarc *dmarc, enum round round)
{
    const struct dmarc_verdict *verdict = &dmarc->verdict;

    if (round == ROUND_OPEN)
        return verdict->lasting;
    return dmarc->extent == DMARC_ENOUGH && round != ROUND_EQUAL &&
           verdict->lasting;
}

static void
note(struct dmarc_verdict *verdict, const struct dmarc_identifier *identifier,
     bool certain)
{
    bool by_dkim = identifier->method == DMARC_BY_DKIM;

    if (!certain && by_dkim)
        verdict->dkim_open = true;
    else if (!certain)
        verdict->spf_open = true;
    else if (!by_dkim)
        verdict->spf = true;
    else
        verdict->dkim = true;
    if (certain && by_dkim && identifier->lasts)
        verdict->lasting = true;
}

/* True: a question is set. */
static bool
align_all(struct dmarc *dmarc)
{
    struct dmarc_verdict *verdict = &dmarc->verdict;
    size_t walks = 0;

    verdict->spf = verdict->dkim = verdict->lasting = false;
    verdict->spf_open = verdict->dkim_open = false;
    for (enum round round = ROUND_EQUAL; round < ROUNDS; round++) {
        for (size_t i = 0; i < dmarc->identifier_count; i++) {
            const struct dmarc_identifier *one = &dmarc->identifiers[i];
            if (round_of(dmarc, one) != round || is_enough(dmarc, round))
                continue;
            switch (align(dmarc, one, &walks)) {
            case ALIGN_ASKS:
                return true;
            case ALIGN_NO:
                break;
            case ALIGN_YES:
                note(verdict, one, one->passed);
                break;
            case ALIGN_OPEN:
                note(verdict, one, false);
                break;
            }
        }
    }
    return false;
}

/* ---- the end (5.3.5, 5.3.6) -------------------------------------------- */

static enum dmarc_result
conclude(const struct dmarc_verdict *verdict)
{
    bool policy_known = (verdict->policies & (verdict->policies - 1)) == 0;

    if (verdict->policies & DMARC_NO_POLICY)
        return policy_known ? DMARC_NONE : DMARC_TEMPERROR;
    if (verdict->spf || verdict->dkim)
        return DMARC_PASS;
    if (verdict->spf_open || verdict->dkim_open || !policy_known)
        return DMARC_TEMPERROR;
    return DMARC_FAIL;
}

/* Without memory everything is open. */
static void
give_up(struct dmarc *dmarc)
{
    struct dmarc_verdict *verdict = &dmarc->verdict;

    verdict->policies = DMARC_ANY_POLICY;
    verdict->record = (struct slice){ 0 };
    verdict->spf_open = verdict->dkim_open = true;
    verdict->result = DMARC_TEMPERROR;
}

const struct dns_question *
dmarc_step(struct dmarc *dmarc, const struct dns_answer *answer)
{
    if (answer != NULL)
        dmarc_take_answer(dmarc, answer);
    if (dmarc->no_memory) {
        give_up(dmarc);
        return NULL;
    }
    if (discover(dmarc))
        return &dmarc->question;
    if (!dmarc->is_identified)
        return NULL;
    if (dmarc->verdict.policies != DMARC_NO_POLICY && align_all(dmarc))
        return &dmarc->question;
    dmarc->verdict.result = conclude(&dmarc->verdict);
    return NULL;
}

struct dmarc *
dmarc_new(struct slice author, enum dmarc_extent extent)
{
    struct dmarc *dmarc = mem_try(sizeof(*dmarc));

    if (dmarc == NULL)
        return NULL;
    dmarc->extent = extent;
    dmarc->verdict.author = dmarc_without_dot(author);
    dmarc->verdict.policies = DMARC_ANY_POLICY;
    dmarc->verdict.result = DMARC_TEMPERROR;
    return dmarc;
}

void
dmarc_free(struct dmarc *dmarc)
{
    if (dmarc == NULL)
        return;
    free(dmarc->known);
    free(dmarc->identifiers);
    free(dmarc);
}

bool
dmarc_identify(struct dmarc *dmarc, const struct dmarc_identifier *identifiers,
               size_t count)
{
    dmarc->is_identified = true;
    if (count == 0)
        return true;
    dmarc->identifiers = mem_try(count * sizeof(*identifiers));
    if (dmarc->identifiers == NULL) {
        dmarc->no_memory = true;
        return false;
    }
    memcpy(dmarc->identifiers, identifiers, count * sizeof(*identifiers));
    dmarc->identifier_count = count;
    return true;
}

const struct dmarc_verdict *
dmarc_verdict(const struct dmarc *dmarc)
{
    return &dmarc->verdict;
}
