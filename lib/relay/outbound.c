#include "session.h"

#include <assert.h>
#include <stdlib.h>

/* ---- groups ---- */

struct outbound *
outbound_find(struct relay_session *s, const struct relay_target *target)
{
    for (unsigned i = 0; i < s->outbound_count; i++) {
        struct outbound *o = s->outbounds[i];
        if (o->leaves == target->leaves && o->came_home == target->came_home &&
            slice_equal(o->reverse_path, target->reverse_path) &&
            slice_equal_nocase(o->srs_domain, target->srs_domain))
            return o;
    }
    if (s->outbound_count == OUTBOUNDS_MAX)
        return NULL;
    struct outbound *o = mem_try(sizeof(*o));
    /* The target's are gone with its RCPT. */
    if (o == NULL ||
        !arena_try_copy(&s->arena, target->reverse_path, &o->reverse_path) ||
        !arena_try_copy(&s->arena, target->srs_domain, &o->srs_domain) ||
        !arena_try_copy(&s->arena, target->token_key, &o->token_key)) {
        free(o);
        return NULL;
    }
    o->index = s->outbound_count;
    o->leaves = target->leaves;
    o->came_home = target->came_home;
    o->last_offer = &o->offers;
    o->failure_outcome = OUTCOME_NONE;
    s->outbounds[s->outbound_count++] = o;
    return o;
}

void
outbound_free(struct outbound *o)
{
    struct offer *f;

    while ((f = o->offers) != NULL) {
        o->offers = f->next;
        free(f);
    }
    smtp_client_free(&o->client);
    buf_free(&o->xforward);
    buf_free(&o->failure_text);
    buf_free(&o->fields);
    free(o);
}

bool
outbound_is_settled(const struct outbound *o)
{
    return o->waiting == 0;
}

bool
outbound_has_wanted(const struct outbound *o)
{
    return o->good != 0;
}

bool
outbound_needs_rebuild(const struct outbound *o)
{
    return o->rebuild || o->stale != 0;
}

/* ---- sending the envelope ---- */

void
outbound_write(struct relay_session *s, struct outbound *o, struct slice octets)
{
    if (octets.len != 0)
        s->ops->to_upstream(s->ctx, o->index, octets);
}

static bool
command(struct outbound *o, enum smtp_step step, struct slice line,
        struct buf *out)
{
    return smtp_client_send(&o->client, step, line, out);
}

/*
 * The client's parameters, less what upstream does not offer. AUTH= never
 * goes on: a re-injection service without SASL refuses it, and after
 * rewriting it would name somebody else (RFC 4954, 5).
 */
static bool
add_params(const struct outbound *o, struct slice params, struct buf *line)
{
    static const struct {
        struct slice name;
        unsigned keyword;
    } known[] = {
        { SLICE("SIZE"), SMTP_HAS_SIZE },
        { SLICE("BODY"), SMTP_HAS_8BITMIME },
        { SLICE("SMTPUTF8"), SMTP_HAS_SMTPUTF8 },
        { SLICE("RET"), SMTP_HAS_DSN },
        { SLICE("ENVID"), SMTP_HAS_DSN },
        { SLICE("NOTIFY"), SMTP_HAS_DSN },
        { SLICE("ORCPT"), SMTP_HAS_DSN },
    };

    while (params.len != 0) {
        struct slice word = slice_cut(&params, ' ');
        struct slice name = slice_head(word, slice_find(word, '='));
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            if (slice_equal_nocase(name, known[i].name) &&
                (o->client.ehlo.keywords & known[i].keyword) != 0)
                if (!buf_try_append(line, SLICE_OF(" ")) ||
                    !buf_try_append(line, word))
                    return false;
    }
    return true;
}

static bool
send_mail(struct relay_session *s, struct outbound *o, struct buf *out)
{
    struct buf line = { 0 };

    bool ok = buf_try_append(&line, SLICE_OF("MAIL FROM:<")) &&
              buf_try_append(&line, o->reverse_path) &&
              buf_try_append(&line, SLICE_OF(">")) &&
              add_params(o, s->tx->mail.params, &line) &&
              buf_try_append(&line, SLICE_OF("\r\n")) &&
              command(o, SMTP_STEP_MAIL, buf_slice(&line), out);
    o->mail = MAIL_SENT;
    buf_free(&line);
    return ok;
}

static bool
send_rcpt(struct outbound *o, struct offer *f, struct buf *out)
{
    const struct smtp_rcpt *rcpt = &f->recipient->rcpt;
    struct buf line = { 0 };

    bool ok = buf_try_append(&line, SLICE_OF("RCPT TO:<")) &&
              buf_try_append(&line, f->address) &&
              buf_try_append(&line, SLICE_OF(">")) &&
              add_params(o, rcpt->params, &line);
    /* So that a DSN names the address that the sender wrote to (RFC 3461,
     * 5.2.7.1; a MAY). */
    if (ok && f->recipient->rewritten && rcpt->orcpt.ptr == NULL &&
        (o->client.ehlo.keywords & SMTP_HAS_DSN) != 0) {
        ok = buf_try_append(&line, SLICE_OF(" ORCPT=")) &&
             buf_try_reserve(&line, 12 * rcpt->forward_path.text.len + 16);
        if (ok)
            smtp_orcpt_print(rcpt->forward_path.text, &line);
    }
    ok = ok && buf_try_append(&line, SLICE_OF("\r\n")) &&
         command(o, SMTP_STEP_RCPT, buf_slice(&line), out);
    offer_enter(f, OFFER_SENT);
    o->unsent = f->next;
    if (o->unanswered == NULL)
        o->unanswered = f;
    buf_free(&line);
    return ok;
}

/* The next command of the envelope, if there is one. */
static bool
send_next(struct relay_session *s, struct outbound *o, struct buf *out,
          bool *done)
{
    *done = false;
    if (o->xforward.len != 0) {
        struct slice all = buf_slice(&o->xforward);
        struct slice line = slice_head(all, slice_find(all, '\n') + 1);
        bool ok = command(o, SMTP_STEP_XFORWARD, line, out);
        buf_drop(&o->xforward, line.len);
        return ok;
    }
    if (o->unsent == NULL) {
        *done = true;
        return true;
    }
    if (o->mail == MAIL_DUE)
        return send_mail(s, o, out);
    return send_rcpt(o, o->unsent, out);
}

static void
send_envelope(struct relay_session *s, struct outbound *o)
{
    struct buf out = { 0 };
    bool pipelining = (o->client.ehlo.keywords & SMTP_HAS_PIPELINING) != 0;
    bool done = false, ok = true;

    if (s->tx->mail.utf8 &&
        (o->client.ehlo.keywords & SMTP_HAS_SMTPUTF8) == 0) {
        outbound_fail(s, o, OUTCOME_NO_UTF8);
        return;
    }
    /* smtpd forgets XFORWARD with each transaction. */
    if (o->mail == MAIL_UNSENT && o->unsent != NULL) {
        xforward_print(&s->server.xforward, o->client.ehlo.xforward,
                       &o->xforward);
        o->mail = MAIL_DUE;
    }
    while (ok && !done && (pipelining || smtp_client_pending(&o->client) == 0))
        ok = send_next(s, o, &out, &done);
    outbound_write(s, o, buf_slice(&out));
    buf_free(&out);
    if (!ok)
        outbound_fail(s, o, OUTCOME_NO_MEMORY);
}

void
outbound_push(struct relay_session *s, struct outbound *o)
{
    switch (o->state) {
    case OUTBOUND_CLOSED:
        if (o->unsent != NULL) {
            o->state = OUTBOUND_DIALLING;
            o->redialled = false;
            s->ops->dial(s->ctx, o->index, RELAY_DIAL_ANY);
        }
        break;
    case OUTBOUND_OPEN:
        send_envelope(s, o);
        break;
    case OUTBOUND_DIALLING:
    case OUTBOUND_GREETING:
    case OUTBOUND_DATA:
    case OUTBOUND_CONTENT:
    case OUTBOUND_SENT:
    case OUTBOUND_DOT:
    case OUTBOUND_FINAL:
        break;
    }
}

void
outbound_rebuild(struct relay_session *s, struct outbound *o)
{
    struct buf out = { 0 };
    struct offer *next;

    for (struct offer *f = o->offers; f != NULL; f = next) {
        next = f->next;
        if (f->wanted)
            offer_enter(f, OFFER_UNSENT);
        else
            offer_free(s->tx, f);
    }
    o->unsent = o->offers;
    o->rebuild = false;
    o->replaying = true;
    o->failure_outcome = OUTCOME_NONE;
    if (o->state == OUTBOUND_OPEN) {
        bool ok = command(o, SMTP_STEP_RSET, SLICE_OF("RSET\r\n"), &out);
        o->mail = MAIL_UNSENT;
        outbound_write(s, o, buf_slice(&out));
        buf_free(&out);
        if (!ok) {
            outbound_fail(s, o, OUTCOME_NO_MEMORY);
            return;
        }
    }
    outbound_push(s, o);
}

void
outbound_data(struct relay_session *s, struct outbound *o)
{
    struct buf out = { 0 };

    assert(o->state == OUTBOUND_OPEN && outbound_has_wanted(o));
    o->state = OUTBOUND_DATA;
    bool ok = command(o, SMTP_STEP_DATA, SLICE_OF("DATA\r\n"), &out);
    outbound_write(s, o, buf_slice(&out));
    buf_free(&out);
    if (!ok)
        outbound_fail(s, o, OUTCOME_NO_MEMORY);
}

/* ---- ending ---- */

void
outbound_disconnect(struct relay_session *s, struct outbound *o)
{
    smtp_client_free(&o->client);
    buf_free(&o->xforward);
    o->state = OUTBOUND_CLOSED;
    o->mail = MAIL_UNSENT;
    offers_forget(s->tx, o);
}

void
outbound_drop(struct relay_session *s, struct outbound *o)
{
    if (o->state != OUTBOUND_CLOSED)
        s->ops->drop(s->ctx, o->index);
    outbound_disconnect(s, o);
}

void
outbound_release(struct relay_session *s, struct outbound *o)
{
    switch (o->state) {
    case OUTBOUND_CLOSED:
        return;
    case OUTBOUND_FINAL:
        s->ops->release(s->ctx, o->index, &o->client.ehlo);
        break;
    case OUTBOUND_OPEN:
        s->ops->release(s->ctx, o->index, NULL);
        break;
    case OUTBOUND_DIALLING:
    case OUTBOUND_GREETING:
    case OUTBOUND_DATA:
    case OUTBOUND_CONTENT:
    case OUTBOUND_SENT:
    case OUTBOUND_DOT:
        /* In content: no dot, no QUIT (a QUIT would be content). */
        s->ops->drop(s->ctx, o->index);
        break;
    }
    outbound_disconnect(s, o);
}

bool
outbound_keep_failure(struct outbound *o, const struct smtp_reply *reply)
{
    buf_clear(&o->failure_text);
    if (!buf_try_append(&o->failure_text, reply->text))
        return false;
    o->failure =
        (struct smtp_reply){ reply->code, buf_slice(&o->failure_text) };
    return true;
}

void
outbound_fail(struct relay_session *s, struct outbound *o, enum outcome outcome)
{
    bool promised = outbound_has_wanted(o);

    outbound_drop(s, o);
    o->failure = outcome_reply(outcome);
    o->failure_outcome = outcome;
    o->rebuild = promised;
    if (o->waiting != 0)
        verdict_set(s->tx, o, o->failure, outcome);
    offers_refuse(o);
}
