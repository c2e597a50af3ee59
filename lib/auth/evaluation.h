/*
 * All of the authentication of one message: SPF, DKIM, DMARC, and what they
 * come to. It joins the machines, so that whoever has a resolver, the daemon, a
 * command or a test, sees questions and answers alone.
 *
 *     new
 *     client                  as soon as the client and the sender are known
 *     header                  when the header is complete
 *     ask, answer ...         at any time between, several may be out at once
 *     (hash the body, dkim_verifier_check; on any thread)
 *     checked
 *     ask, answer ...         until auth_evaluation_is_over
 *     evidence, auth_outcomes
 *
 * Each part may be left out. auth_evaluation_give_up ends the waiting: what is
 * still open is DNS trouble.
 */
#ifndef ONWARD_AUTH_EVALUATION_H
#define ONWARD_AUTH_EVALUATION_H

#include "dkim.h"
#include "dmarc.h"
#include "spf.h"
#include "verdict.h"

struct auth_settings {
    size_t signatures;     /* examined */
    unsigned questions;    /* asked in all; further ones are trouble */
    enum dkim_extent dkim; /* how much is looked at beyond what decides */
    enum dmarc_extent dmarc;
    struct dkim_keycache *keys; /* may be NULL */
    int64_t now;
};

struct auth_evaluation;

/* NULL: memory is gone. Settings are copied. */
struct auth_evaluation *
auth_evaluation_new(const struct auth_settings *settings);
void auth_evaluation_free(struct auth_evaluation *e);

/* The functions that return bool return false when memory is gone: the caller
 * answers 451. */

/* SPF. A client that is not known, or whose word counts, has none. */
bool auth_evaluation_client(struct auth_evaluation *e,
                            const struct spf_client *client);

/* DKIM and DMARC. The header, and `text`, the octets of it up to the first
 * empty line, live as long as the evaluation. */
bool auth_evaluation_header(struct auth_evaluation *e,
                            const struct mail_header *header,
                            struct slice text);

/* The next question to ask, good until it is answered. False: there is none
 * now. */
bool auth_evaluation_ask(struct auth_evaluation *e,
                         struct dns_question *question, size_t *ticket);
void auth_evaluation_answer(struct auth_evaluation *e, size_t ticket,
                            const struct dns_answer *answer);

/* True while a question is out whose answer was not given. */
bool auth_evaluation_waits(const struct auth_evaluation *e);
void auth_evaluation_give_up(struct auth_evaluation *e);

/* The signatures, once there is a header; else NULL. To be hashed for and
 * checked when no question is out. */
struct dkim_verifier *auth_evaluation_verifier(struct auth_evaluation *e);

enum auth_content {
    AUTH_AS_IT_CAME,
    AUTH_MENDED, /* it leaves with other octets, so no signature lasts */
};

/* The signatures are judged, and SPF is over: DMARC goes on. */
bool auth_evaluation_checked(struct auth_evaluation *e,
                             enum auth_content content);

bool auth_evaluation_is_over(const struct auth_evaluation *e);

/* ---- what came out ----------------------------------------------------- */

const struct spf_verdict *auth_evaluation_spf(const struct auth_evaluation *e);
enum auth_author auth_evaluation_author(const struct auth_evaluation *e);
/* Of the one author; NULL where there is none. */
const struct dmarc_verdict *
auth_evaluation_dmarc(const struct auth_evaluation *e);
struct auth_evidence auth_evaluation_evidence(const struct auth_evaluation *e);
unsigned auth_evaluation_questions(const struct auth_evaluation *e);

#endif
