#include "session.h"

#include <assert.h>
#include <stdlib.h>

/* RCPT commands beyond the limit of accepted ones. */
enum {
    ATTEMPTS_MORE = 1000
};

static void run_expand(struct relay_session *s,
                       const struct table_answer *answer);

/* ---- MAIL ---- */

void
envelope_on_mail(struct relay_session *s, const struct smtp_mail *mail)
{
    if (s->welcome == RELAY_OVERLOADED) {
        session_reply(s, outcome_reply(OUTCOME_OVERLOADED),
                      SMTP_REPLY_UPSTREAM);
        return;
    }
    struct transaction *tx = mem_try(sizeof(*tx));
    if (tx == NULL) {
        session_reply(s, outcome_reply(OUTCOME_NO_MEMORY), SMTP_REPLY_UPSTREAM);
        return;
    }
    tx->mail = *mail;
    tx->last_recipient = &tx->recipients;
    tx->trouble = OUTCOME_NONE;
    tx->worst_outcome = OUTCOME_NONE;
    tx->started = s->now.ms;
    s->tx = tx;
    session_reply(s, (struct smtp_reply){ 250, SLICE_OF("2.1.0 Ok") },
                  SMTP_REPLY_UPSTREAM);
}

/* ---- RCPT: settle ---- */

static void
remember_worst(struct transaction *tx, struct smtp_reply reply,
               enum outcome outcome)
{
    if (tx->worst.code < 500)
        tx->worst.code = reply.code;
    if (tx->worst_outcome == OUTCOME_NONE || reply.code >= 500)
        tx->worst_outcome = outcome;
}

static void
refuse_recipient(struct relay_session *s, struct smtp_reply reply,
                 enum outcome outcome, enum smtp_reply_origin origin)
{
    struct recipient *r = s->tx->current;

    reply = outcome_relayed(reply);
    remember_worst(s->tx, reply, outcome);
    if (reply.code >= 500)
        s->counters->recipients_reject++;
    else
        s->counters->recipients_defer++;
    s->phase = PHASE_COMMANDS;
    session_reply(s, reply, origin);
    journal_recipient(s, r, reply, outcome);
    recipient_drop(s->tx);
}

static void
count_accepted(struct relay_session *s, const struct recipient *r)
{
    switch (r->fate) {
    case RELAY_PASS:
        s->counters->recipients_pass++;
        break;
    case RELAY_FORWARD:
        s->counters->recipients_forward++;
        break;
    case RELAY_REVERSE:
        s->counters->recipients_srs_reverse++;
        break;
    case RELAY_DISCARD:
        s->counters->recipients_discard++;
        break;
    case RELAY_REFUSE:
        break;
    }
}

static void
accept_recipient(struct relay_session *s, struct smtp_reply reply)
{
    count_accepted(s, s->tx->current);
    recipient_keep(s->tx);
    s->phase = PHASE_COMMANDS;
    session_reply(s, reply, SMTP_REPLY_UPSTREAM);
}

static const struct smtp_reply accepted = { 250, SLICE("2.1.5 Ok") };

/* ---- RCPT: offer its targets upstream ---- */

static bool
is_wanted_already(const struct relay_session *s, const struct smtp_path *path)
{
    const struct offer *f = offer_find(s->tx, path);

    return f != NULL && f->wanted && f->state != OFFER_REFUSED;
}

/* All targets find a place in an outbound, or none is sent. */
static enum outcome
place_targets(struct relay_session *s, const struct expand *e, size_t *placed)
{
    size_t added = 0;

    for (size_t i = 0; i < e->target_count; i++)
        if (!is_wanted_already(s, &e->targets[i].path))
            added++;
    if (s->tx->offers + added > s->conf->limits.recipients)
        return OUTCOME_TOO_MANY_RECIPIENTS;
    *placed = 0;
    for (size_t i = 0; i < e->target_count; i++) {
        const struct relay_target *target = &e->targets[i];
        if (is_wanted_already(s, &target->path))
            continue;
        struct outbound *o = outbound_find(s, target);
        if (o == NULL)
            return s->outbound_count == OUTBOUNDS_MAX
                       ? OUTCOME_TOO_MANY_RECIPIENTS
                       : OUTCOME_NO_MEMORY;
        if (offer_make(s->tx, o, &target->path) == NULL)
            return OUTCOME_NO_MEMORY;
        (*placed)++;
    }
    return OUTCOME_NONE;
}

static void
offer_targets(struct relay_session *s, const struct expand *e)
{
    size_t placed;
    enum outcome outcome = place_targets(s, e, &placed);

    if (outcome != OUTCOME_NONE) {
        refuse_recipient(s, outcome_reply(outcome), outcome, SMTP_REPLY_OURS);
        return;
    }
    if (placed == 0) {
        accept_recipient(s, accepted);
        return;
    }
    s->phase = PHASE_OFFERING;
    for (unsigned i = 0; i < s->outbound_count; i++)
        outbound_push(s, s->outbounds[i]);
    envelope_progress(s);
}

static bool
all_settled(const struct relay_session *s)
{
    for (unsigned i = 0; i < s->outbound_count; i++)
        if (!outbound_is_settled(s->outbounds[i]))
            return false;
    return true;
}

static void
settle_recipient(struct relay_session *s)
{
    const struct verdict *v = &s->tx->verdict;

    if (v->reply.code >= 400) {
        refuse_recipient(s, v->reply, v->outcome, SMTP_REPLY_UPSTREAM);
        return;
    }
    for (const struct offer *f = s->tx->current->offers; f != NULL;
         f = f->sibling)
        s->tx->offers++;
    /* No reply: upstream had accepted all of its targets before. */
    accept_recipient(s, v->reply.code != 0 ? v->reply : accepted);
}

/* ---- RCPT: resolve ---- */

static void
resolved(struct relay_session *s)
{
    struct expand *e = &s->tx->expand;
    struct recipient *r = s->tx->current;

    journal_srs(s, e);
    r->fate = e->fate;
    r->not_null = e->not_null;
    r->alias = e->from_alias;
    r->rewritten = e->fate == RELAY_FORWARD || e->fate == RELAY_REVERSE;
    switch (e->fate) {
    case RELAY_REFUSE:
        refuse_recipient(s, e->reply, e->outcome,
                         e->reply.code >= 500 ? SMTP_REPLY_OURS
                                              : SMTP_REPLY_UPSTREAM);
        return;
    case RELAY_DISCARD:
        r->discarded = true;
        accept_recipient(s, accepted);
        return;
    case RELAY_PASS:
    case RELAY_FORWARD:
    case RELAY_REVERSE:
        offer_targets(s, e);
        return;
    }
}

static void
run_expand(struct relay_session *s, const struct table_answer *answer)
{
    s->phase = PHASE_RESOLVING;
    s->retry_lookup = false;
    switch (expand_step(&s->tx->expand, answer)) {
    case EXPAND_DONE:
        s->effort += s->tx->expand.items;
        expand_end(&s->tx->expand);
        resolved(s);
        return;
    case EXPAND_ASK:
        s->lookup_pending = true;
        s->ops->look_up(s->ctx, &s->tx->expand.query);
        return;
    case EXPAND_STORE:
        s->store_pending = true;
        s->ops->store(s->ctx, &s->tx->expand.store);
        return;
    case EXPAND_BUSY:
        s->retry_lookup = true;
        session_set_deadline(s);
        return;
    }
}

void
envelope_on_answer(struct relay_session *s, const struct table_answer *answer)
{
    if (s->phase == PHASE_RESOLVING)
        run_expand(s, answer);
    else
        ownname_on_answer(s, answer);
}

void
envelope_on_rcpt(struct relay_session *s, const struct smtp_rcpt *rcpt)
{
    struct transaction *tx = s->tx;
    const struct recipient *known = recipient_find(tx, &rcpt->forward_path);

    if (tx->attempts >= (size_t)s->conf->limits.recipients + ATTEMPTS_MORE ||
        tx->offers >= s->conf->limits.recipients) {
        session_reply(s, outcome_reply(OUTCOME_TOO_MANY_RECIPIENTS),
                      SMTP_REPLY_OURS);
        return;
    }
    if (tx->attempts++ == 0)
        arena_try_copy(&s->arena, rcpt->forward_path.text, &tx->first);
    if (known != NULL) {
        /* What was said the first time is so the second. */
        count_accepted(s, known);
        session_reply(s, accepted, SMTP_REPLY_UPSTREAM);
        return;
    }
    struct recipient *r = recipient_begin(tx, rcpt);
    if (r == NULL) {
        session_reply(s, outcome_reply(OUTCOME_NO_MEMORY), SMTP_REPLY_OURS);
        return;
    }
    tx->expand = (struct expand){
        .conf = s->conf,
        .role = s->listener->role,
        .arena = &s->scratch,
        .recipient = &r->rcpt.forward_path,
        .reverse_path = &tx->mail.reverse_path,
        .sender = &tx->sender,
        .now = s->now.wall,
        .guesses = &s->shared->srs_guesses,
    };
    session_owe(s);
    expand_start(&tx->expand);
    run_expand(s, NULL);
}

/* ---- DATA: the envelopes that upstream has must be the ones we want ---- */

static void
refuse_data(struct relay_session *s, enum outcome outcome)
{
    s->phase = PHASE_COMMANDS;
    for (unsigned i = 0; i < s->outbound_count; i++)
        if (outbound_has_wanted(s->outbounds[i]))
            outbound_fail(s, s->outbounds[i], outcome);
    remember_worst(s->tx, outcome_reply(outcome), outcome);
    session_reply(s, outcome_reply(outcome), SMTP_REPLY_OURS);
    journal_transaction(
        s, outcome_reply(outcome).code >= 500 ? RELAY_REJECTED : RELAY_DEFERRED,
        outcome, outcome_reply(outcome));
    s->tx->told = true;
}

void
envelope_on_data(struct relay_session *s)
{
    bool rebuilding = false;

    s->tx->told = false; /* a new attempt, with a verdict of its own */
    for (const struct recipient *r = s->tx->recipients; r != NULL; r = r->next)
        if (r->not_null) {
            s->counters->srs_not_null++;
            refuse_data(s, OUTCOME_SRS_NOT_NULL);
            return;
        }
    session_owe(s);
    s->phase = PHASE_REBUILDING;
    for (unsigned i = 0; i < s->outbound_count; i++) {
        struct outbound *o = s->outbounds[i];
        o->replaying = false;
        if (!outbound_has_wanted(o))
            outbound_release(s, o);
        else if (outbound_needs_rebuild(o)) {
            outbound_rebuild(s, o);
            rebuilding = true;
        }
    }
    if (rebuilding)
        envelope_progress(s);
    else
        content_begin(s);
}

static void
settle_rebuilding(struct relay_session *s)
{
    for (unsigned i = 0; i < s->outbound_count; i++) {
        const struct outbound *o = s->outbounds[i];
        if (!o->replaying)
            continue;
        for (const struct offer *f = o->offers; f != NULL; f = f->next)
            if (f->state == OFFER_REFUSED) {
                /* What was promised cannot be kept: the client tries again.
                 * The failed offers count as promised, so that a second DATA
                 * replays them once more and does not lose them. */
                for (struct offer *g = o->offers; g != NULL; g = g->next)
                    offer_enter(g, OFFER_ACCEPTED);
                refuse_data(s, o->failure_outcome != OUTCOME_NONE
                                   ? o->failure_outcome
                                   : OUTCOME_UPSTREAM_LOST);
                return;
            }
    }
    content_begin(s);
}

/* ---- the content is here, and the reverse-path has to be another ---- */

void
envelope_readdress(struct relay_session *s)
{
    bool rebuilding = false;

    s->phase = PHASE_READDRESSING;
    s->tx->verdict.reply.code = 0;
    for (unsigned i = 0; i < s->outbound_count; i++) {
        struct outbound *o = s->outbounds[i];
        o->replaying = false;
        if (o->own_name && outbound_has_wanted(o) &&
            outbound_needs_rebuild(o)) {
            outbound_rebuild(s, o);
            rebuilding = true;
        }
    }
    if (rebuilding)
        envelope_progress(s);
    else
        content_go_on(s);
}

static void
settle_readdressing(struct relay_session *s)
{
    for (unsigned i = 0; i < s->outbound_count; i++) {
        const struct outbound *o = s->outbounds[i];
        for (const struct offer *f = o->offers; o->replaying && f != NULL;
             f = f->next) {
            if (f->state != OFFER_REFUSED)
                continue;
            if (o->failure_outcome != OUTCOME_NONE) {
                content_fail(s, o->failure_outcome);
                return;
            }
            /* What upstream says of this sender is what it would have said
             * at RCPT, had we known. */
            struct smtp_reply reply = outcome_relayed(s->tx->verdict.reply);
            content_conclude(s, reply, OUTCOME_UPSTREAM_REPLY,
                             reply.code >= 500 ? RELAY_REJECTED
                                               : RELAY_DEFERRED);
            return;
        }
    }
    content_go_on(s);
}

void
envelope_progress(struct relay_session *s)
{
    if ((s->phase != PHASE_OFFERING && s->phase != PHASE_REBUILDING &&
         s->phase != PHASE_READDRESSING) ||
        !all_settled(s))
        return;
    if (s->phase == PHASE_OFFERING)
        settle_recipient(s);
    else if (s->phase == PHASE_REBUILDING)
        settle_rebuilding(s);
    else
        settle_readdressing(s);
}

/* The reply is owed and time is up (or memory): answer for what is under
 * way. */
void
envelope_abandon(struct relay_session *s, enum outcome outcome)
{
    switch (s->phase) {
    case PHASE_RESOLVING:
        refuse_recipient(s, outcome_reply(outcome), outcome,
                         SMTP_REPLY_UPSTREAM);
        break;
    case PHASE_OFFERING:
    case PHASE_REBUILDING:
        for (unsigned i = 0; i < s->outbound_count; i++)
            if (!outbound_is_settled(s->outbounds[i]))
                outbound_fail(s, s->outbounds[i], outcome);
        envelope_progress(s);
        break;
    case PHASE_COMMANDS:
    case PHASE_CONTENT:
    case PHASE_JUDGING:
    case PHASE_READDRESSING:
    case PHASE_SIGNING:
    case PHASE_STORING:
    case PHASE_SENDING:
    case PHASE_ENDED:
        break;
    }
}
