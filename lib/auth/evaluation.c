#include "evaluation.h"

#include <stdlib.h>

/* Tickets: SPF, the author's domains, then those of the verifier. */
enum {
    TICKET_SPF,
    TICKET_DMARC,
    TICKET_DKIM = TICKET_DMARC + AUTH_AUTHORS_MAX,
};

/* A machine that asks one question at a time. */
struct line {
    const struct dns_question *question; /* NULL: it asks nothing now */
    bool asked;
};

struct auth_evaluation {
    struct auth_settings settings;
    unsigned questions;
    struct arena arena; /* domains of authors */

    struct spf *spf;
    struct line spf_line;

    struct dkim_verifier *verifier;
    bool is_checked;

    enum auth_author author;
    struct dmarc *dmarc[AUTH_AUTHORS_MAX];
    struct line dmarc_lines[AUTH_AUTHORS_MAX];
    size_t dmarc_count;
};

struct auth_evaluation *
auth_evaluation_new(const struct auth_settings *settings)
{
    struct auth_evaluation *e = mem_try(sizeof(*e));

    if (e != NULL)
        e->settings = *settings;
    return e;
}

void
auth_evaluation_free(struct auth_evaluation *e)
{
    if (e == NULL)
        return;
    spf_free(e->spf);
    dkim_verifier_free(e->verifier);
    for (size_t i = 0; i < e->dmarc_count; i++)
        dmarc_free(e->dmarc[i]);
    arena_free(&e->arena);
    free(e);
}

/* ---- beginning --------------------------------------------------------- */

static void
go_on(struct line *line, const struct dns_question *question)
{
    line->question = question;
    line->asked = false;
}

bool
auth_evaluation_client(struct auth_evaluation *e,
                       const struct spf_client *client)
{
    e->spf = spf_new(client);
    if (e->spf == NULL)
        return false;
    go_on(&e->spf_line, spf_step(e->spf, NULL));
    return true;
}

/* The domains of the author or authors. A From that cannot be read with
 * certainty may be read by somebody as each of those that it names. */
static bool
find_authors(struct auth_evaluation *e, const struct mail_header *header,
             struct slice text, struct slice domains[AUTH_AUTHORS_MAX],
             size_t *count)
{
    struct mail_claims claims = { 0 };
    enum mail_from_status status =
        mail_from_domain(header, &e->arena, &domains[0]);

    *count = 0;
    if (status == MAIL_FROM_NO_MEMORY)
        return false;
    if (status == MAIL_FROM_OK) {
        e->author = AUTH_AUTHOR_ONE;
        *count = 1;
        return true;
    }
    if (!mail_claims_read(header, text, &e->arena, &claims))
        return false;
    while (*count < claims.count && *count < AUTH_AUTHORS_MAX) {
        domains[*count] = claims.domains[*count];
        ++*count;
    }
    e->author = *count != 0 ? AUTH_AUTHOR_SEVERAL : AUTH_AUTHOR_NONE;
    return true;
}

bool
auth_evaluation_header(struct auth_evaluation *e,
                       const struct mail_header *header, struct slice text)
{
    struct slice domains[AUTH_AUTHORS_MAX];
    size_t count = 0;

    if (!find_authors(e, header, text, domains, &count))
        return false;
    struct dkim_verify_request request = {
        .header = header,
        .authors = domains,
        .author_count = count,
        .max = e->settings.signatures,
        .extent = e->settings.dkim,
        .now = e->settings.now,
    };
    e->verifier = dkim_verifier_new(&request);
    if (e->verifier == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct dmarc *dmarc = dmarc_new(domains[i], e->settings.dmarc);
        if (dmarc == NULL)
            return false;
        e->dmarc[e->dmarc_count] = dmarc;
        go_on(&e->dmarc_lines[e->dmarc_count++], dmarc_step(dmarc, NULL));
    }
    return true;
}

/* ---- questions and answers --------------------------------------------- */

static struct line *
line_of(struct auth_evaluation *e, size_t ticket)
{
    return ticket == TICKET_SPF ? &e->spf_line
                                : &e->dmarc_lines[ticket - TICKET_DMARC];
}

static bool
next_question(struct auth_evaluation *e, struct dns_question *question,
              size_t *ticket)
{
    for (size_t i = 0; i < TICKET_DKIM; i++) {
        struct line *line = line_of(e, i);
        if (line->question == NULL || line->asked)
            continue;
        line->asked = true;
        *question = *line->question;
        *ticket = i;
        return true;
    }
    if (e->verifier == NULL ||
        !dkim_verifier_ask(e->verifier, question, ticket))
        return false;
    *ticket += TICKET_DKIM;
    return true;
}

bool
auth_evaluation_ask(struct auth_evaluation *e, struct dns_question *question,
                    size_t *ticket)
{
    static const struct dns_answer trouble = { .status = DNS_TROUBLE };

    while (next_question(e, question, ticket)) {
        if (e->questions < e->settings.questions) {
            e->questions++;
            return true;
        }
        auth_evaluation_answer(e, *ticket, &trouble);
    }
    return false;
}

void
auth_evaluation_answer(struct auth_evaluation *e, size_t ticket,
                       const struct dns_answer *answer)
{
    if (ticket >= TICKET_DKIM) {
        dkim_verifier_answer(e->verifier, ticket - TICKET_DKIM, answer,
                             e->settings.keys);
        return;
    }
    struct line *line = line_of(e, ticket);
    if (line->question == NULL || !line->asked)
        return; /* it was given up */
    if (ticket == TICKET_SPF)
        go_on(line, spf_step(e->spf, answer));
    else
        go_on(line, dmarc_step(e->dmarc[ticket - TICKET_DMARC], answer));
}

bool
auth_evaluation_waits(const struct auth_evaluation *e)
{
    if (e->spf_line.question != NULL && e->spf_line.asked)
        return true;
    for (size_t i = 0; i < e->dmarc_count; i++)
        if (e->dmarc_lines[i].question != NULL && e->dmarc_lines[i].asked)
            return true;
    return e->verifier != NULL && dkim_verifier_waits(e->verifier);
}

void
auth_evaluation_give_up(struct auth_evaluation *e)
{
    static const struct dns_answer trouble = { .status = DNS_TROUBLE };

    e->settings.questions = 0; /* of later ones too */
    for (size_t i = 0; i < TICKET_DKIM; i++)
        while (line_of(e, i)->question != NULL) {
            line_of(e, i)->asked = true;
            auth_evaluation_answer(e, i, &trouble);
        }
    if (e->verifier != NULL)
        dkim_verifier_give_up(e->verifier);
}

struct dkim_verifier *
auth_evaluation_verifier(struct auth_evaluation *e)
{
    return e->verifier;
}

/* ---- DMARC goes on ----------------------------------------------------- */

/* The domain of the MAIL FROM identity, which for the null reverse-path is
 * that of HELO (RFC 7208, 2.4). */
static bool
identify_spf(const struct auth_evaluation *e,
             struct dmarc_identifier *identifier)
{
    if (e->spf == NULL)
        return false;
    const struct spf_verdict *verdict = spf_verdict(e->spf);
    if (verdict->result != SPF_PASS && verdict->result != SPF_TEMPERROR)
        return false;
    *identifier = (struct dmarc_identifier){
        .domain = verdict->domain,
        .method = DMARC_BY_SPF,
        .passed = verdict->result == SPF_PASS,
    };
    return true;
}

static bool
identify_dkim(const struct auth_evaluation *e, enum auth_content content,
              const struct dkim_signature *signature,
              struct dmarc_identifier *identifier)
{
    if (signature->result != DKIM_PASS && signature->result != DKIM_TEMPERROR)
        return false;
    *identifier = (struct dmarc_identifier){
        .domain = signature->domain,
        .method = DMARC_BY_DKIM,
        .passed = signature->result == DKIM_PASS,
        .lasts = content == AUTH_AS_IT_CAME &&
                 (signature->expires == 0 ||
                  signature->expires - DKIM_LASTS >= e->settings.now),
    };
    return true;
}

bool
auth_evaluation_checked(struct auth_evaluation *e, enum auth_content content)
{
    size_t most = e->settings.signatures;
    size_t count = 0;

    e->is_checked = true;
    if (e->author != AUTH_AUTHOR_ONE || e->dmarc_count == 0)
        return true;
    struct dkim_signature *signatures =
        mem_try((most + 1) * sizeof(struct dkim_signature));
    struct dmarc_identifier *identifiers =
        mem_try((most + 1) * sizeof(struct dmarc_identifier));
    bool ok = signatures != NULL && identifiers != NULL;
    if (ok) {
        count += identify_spf(e, &identifiers[count]);
        size_t examined = dkim_verifier_examined(e->verifier, signatures, most);
        for (size_t i = 0; i < examined; i++)
            count +=
                identify_dkim(e, content, &signatures[i], &identifiers[count]);
        ok = dmarc_identify(e->dmarc[0], identifiers, count);
        go_on(&e->dmarc_lines[0], dmarc_step(e->dmarc[0], NULL));
    }
    free(signatures);
    free(identifiers);
    return ok;
}

bool
auth_evaluation_is_over(const struct auth_evaluation *e)
{
    if (e->spf_line.question != NULL)
        return false;
    for (size_t i = 0; i < e->dmarc_count; i++)
        if (e->dmarc_lines[i].question != NULL)
            return false;
    return e->verifier == NULL || e->is_checked;
}

/* ---- what came out ----------------------------------------------------- */

const struct spf_verdict *
auth_evaluation_spf(const struct auth_evaluation *e)
{
    return e->spf != NULL ? spf_verdict(e->spf) : NULL;
}

enum auth_author
auth_evaluation_author(const struct auth_evaluation *e)
{
    return e->author;
}

const struct dmarc_verdict *
auth_evaluation_dmarc(const struct auth_evaluation *e)
{
    return e->author == AUTH_AUTHOR_ONE && e->dmarc_count != 0
               ? dmarc_verdict(e->dmarc[0])
               : NULL;
}

unsigned
auth_evaluation_questions(const struct auth_evaluation *e)
{
    return e->questions;
}

/* Any signature, of any domain. */
static void
add_dkim(const struct auth_evaluation *e, struct auth_evidence *evidence)
{
    evidence->dkim_passes =
        dkim_verifier_why(e->verifier) == DKIM_REASON_NONE &&
        dkim_verifier_count(e->verifier) != 0;
    evidence->dkim_open = dkim_verifier_is_open(e->verifier);
}

struct auth_evidence
auth_evaluation_evidence(const struct auth_evaluation *e)
{
    struct auth_evidence evidence = { .author = e->author,
                                      .dmarc_count = e->dmarc_count };

    for (size_t i = 0; i < e->dmarc_count; i++)
        evidence.dmarc[i] = dmarc_verdict(e->dmarc[i]);
    if (e->spf != NULL) {
        evidence.spf_passes = spf_verdict(e->spf)->result == SPF_PASS;
        evidence.spf_open = spf_verdict(e->spf)->result == SPF_TEMPERROR;
    }
    if (e->verifier != NULL)
        add_dkim(e, &evidence);
    return evidence;
}
