#include "session.h"

/* ---- what upstream says ---- */

/* A kept connection may have died of old age: nothing was promised on it, so
 * nobody has to know. */
static bool
is_stale(const struct outbound *o)
{
    return o->reused && !o->redialled && o->state <= OUTBOUND_OPEN &&
           !outbound_has_wanted(o);
}

static void
redial(struct relay_session *s, struct outbound *o)
{
    o->redialled = true;
    o->reused = false;
    o->state = OUTBOUND_DIALLING;
    s->ops->dial(s->ctx, o->index, RELAY_DIAL_FRESH);
}

/* The connection is closed already. */
static void
go_on_without(struct relay_session *s, struct outbound *o, bool stale,
              enum outcome outcome)
{
    if (stale)
        redial(s, o);
    else
        outbound_fail(s, o, outcome);
}

static void
give_up(struct relay_session *s, struct outbound *o, enum outcome outcome)
{
    bool stale = is_stale(o);

    outbound_drop(s, o);
    go_on_without(s, o, stale, outcome);
}

/* The reply outlives the parser's buffer: it goes into the arena. */
static bool
keep_reply(struct relay_session *s, const struct smtp_reply *reply,
           struct smtp_reply *kept)
{
    kept->code = reply->code;
    return arena_try_copy(&s->arena, reply->text, &kept->text);
}

static void
count_reply(struct relay_session *s, const struct smtp_reply *reply)
{
    if (reply->code >= 500)
        s->counters->upstream_5xx++;
    else if (reply->code >= 400)
        s->counters->upstream_4xx++;
    else
        s->counters->upstream_2xx++;
}

static void
on_mail_reply(struct relay_session *s, struct outbound *o,
              const struct smtp_reply *reply)
{
    if (reply->code < 400) {
        o->mail = MAIL_ACCEPTED;
        return;
    }
    if (!outbound_keep_failure(o, reply) ||
        !verdict_note(s->tx, o, reply, OUTCOME_UPSTREAM_REPLY)) {
        outbound_fail(s, o, OUTCOME_NO_MEMORY);
        return;
    }
    o->mail = MAIL_UNSENT;
    offers_refuse(o);
}

static void
on_rcpt_reply(struct relay_session *s, struct outbound *o,
              const struct smtp_reply *reply)
{
    struct offer *f = o->unanswered;

    if (o->ignored != 0) {
        o->ignored--;
        return;
    }
    if (f == NULL) {
        outbound_fail(s, o, OUTCOME_UPSTREAM_GARBLED);
        return;
    }
    if (!verdict_note(s->tx, o, reply, OUTCOME_UPSTREAM_REPLY)) {
        outbound_fail(s, o, OUTCOME_NO_MEMORY);
        return;
    }
    o->unanswered = f->next != o->unsent ? f->next : NULL;
    offer_enter(f, reply->code < 400 ? OFFER_ACCEPTED : OFFER_REFUSED);
}

static void
on_xforward_reply(struct relay_session *s, const struct smtp_reply *reply)
{
    if (reply->code < 400 || s->shared->xforward_refused_logged)
        return;
    s->shared->xforward_refused_logged = true;
    log_message(&s->shared->log, LOG_LEVEL_WARNING, (struct slice){ 0 },
                "upstream refuses XFORWARD (%u %.*s): its log will not show "
                "the client; set smtpd_authorized_xforward_hosts there",
                reply->code, SLICE_ARG(reply->text));
}

static void
on_reply(struct relay_session *s, struct outbound *o, enum smtp_step step,
         const struct smtp_reply *reply)
{
    if (reply->code == 421 && is_stale(o)) {
        give_up(s, o, OUTCOME_UPSTREAM_LOST);
        return;
    }
    count_reply(s, reply);
    switch (step) {
    case SMTP_STEP_XFORWARD:
        on_xforward_reply(s, reply);
        break;
    case SMTP_STEP_MAIL:
        on_mail_reply(s, o, reply);
        break;
    case SMTP_STEP_RCPT:
        on_rcpt_reply(s, o, reply);
        break;
    case SMTP_STEP_RSET:
        if (reply->code >= 400)
            outbound_fail(s, o, OUTCOME_UPSTREAM_GARBLED);
        break;
    case SMTP_STEP_DATA:
        if (reply->code == 354) {
            o->state = OUTBOUND_CONTENT;
            o->writable = true;
            break;
        }
        o->state = OUTBOUND_OPEN;
        o->failure_outcome = OUTCOME_UPSTREAM_REPLY;
        if (!outbound_keep_failure(o, reply))
            outbound_fail(s, o, OUTCOME_NO_MEMORY);
        break;
    case SMTP_STEP_DOT:
        o->state = OUTBOUND_FINAL;
        /* What Postfix has accepted stays accepted, memory or not. */
        if (!keep_reply(s, reply, &o->final))
            o->final.text = SLICE_OF("2.0.0 Ok");
        if (reply->code >= 400 && o->final.text.len == 0)
            o->final.text = SLICE_OF("Error");
        break;
    case SMTP_STEP_GREETING:
    case SMTP_STEP_EHLO:
    case SMTP_STEP_HELO:
    case SMTP_STEP_QUIT:
        break; /* the client engine keeps these to itself */
    }
}

static void
progress(struct relay_session *s)
{
    switch (s->phase) {
    case PHASE_OFFERING:
    case PHASE_REBUILDING:
    case PHASE_READDRESSING:
        envelope_progress(s);
        break;
    case PHASE_SENDING:
        content_progress(s);
        break;
    case PHASE_COMMANDS:
    case PHASE_RESOLVING:
    case PHASE_CONTENT:
    case PHASE_JUDGING:
    case PHASE_SIGNING:
    case PHASE_STORING:
    case PHASE_ENDED:
        break; /* what happened is remembered in the outbound */
    }
}

static struct outbound *
find(struct relay_session *s, unsigned index, struct relay_time now)
{
    s->now = now;
    if (s->phase == PHASE_ENDED || index >= s->outbound_count)
        return NULL;
    struct outbound *o = s->outbounds[index];
    return o->state != OUTBOUND_CLOSED ? o : NULL;
}

void
relay_on_upstream_open(struct relay_session *s, unsigned index,
                       const struct smtp_ehlo *known, struct relay_time now)
{
    struct outbound *o = find(s, index, now);

    if (o == NULL)
        return;
    smtp_client_free(&o->client);
    o->reused = known != NULL;
    if (known != NULL) {
        smtp_client_resume(&o->client, s->conf->hostname, known);
        o->state = OUTBOUND_OPEN;
        outbound_push(s, o);
    } else {
        smtp_client_open(&o->client, s->conf->hostname);
        o->state = OUTBOUND_GREETING;
    }
    progress(s);
    session_flush(s);
}

static enum outcome
garbled(const struct outbound *o)
{
    /* Whatever upstream says in mid-content, the content did not get there. */
    return o->state == OUTBOUND_CONTENT || o->state == OUTBOUND_SENT
               ? OUTCOME_UPSTREAM_LOST
               : OUTCOME_UPSTREAM_GARBLED;
}

void
relay_on_upstream_octets(struct relay_session *s, unsigned index,
                         struct slice octets, struct relay_time now)
{
    struct outbound *o = find(s, index, now);
    struct buf out = { 0 };

    while (o != NULL && o->state != OUTBOUND_CLOSED &&
           o->state != OUTBOUND_DIALLING) {
        struct smtp_reply reply = { 0 };
        enum smtp_step step = SMTP_STEP_GREETING;
        enum smtp_client_event event =
            smtp_client_take(&o->client, &octets, &out, &step, &reply);
        outbound_write(s, o, buf_slice(&out));
        buf_clear(&out);
        if (event == SMTP_CLIENT_MORE)
            break;
        switch (event) {
        case SMTP_CLIENT_MORE:
            break;
        case SMTP_CLIENT_READY:
            s->shared->upstream = o->client.ehlo;
            s->shared->upstream_seen = true;
            o->state = OUTBOUND_OPEN;
            break;
        case SMTP_CLIENT_REPLY:
            on_reply(s, o, step, &reply);
            break;
        case SMTP_CLIENT_REFUSED:
            count_reply(s, &reply);
            outbound_fail(s, o, OUTCOME_UPSTREAM_DOWN);
            break;
        case SMTP_CLIENT_BAD:
            s->counters->upstream_garbled++;
            give_up(s, o, garbled(o));
            break;
        }
        if (o->state == OUTBOUND_OPEN)
            outbound_push(s, o);
        /* Nothing of one reply may be left when its effects are drawn, since
         * they can end the transaction and with it the outbound. */
        if (octets.len == 0)
            break;
    }
    buf_free(&out);
    if (o != NULL)
        progress(s);
    session_flush(s);
}

void
relay_on_upstream_lost(struct relay_session *s, unsigned index,
                       enum relay_lost how, struct relay_time now)
{
    struct outbound *o = find(s, index, now);
    enum outcome outcome = OUTCOME_UPSTREAM_LOST;

    if (o == NULL)
        return;
    switch (how) {
    case RELAY_LOST_REFUSED:
        s->counters->upstream_refused++;
        outcome = OUTCOME_UPSTREAM_DOWN;
        break;
    case RELAY_LOST_TIMEOUT:
        s->counters->upstream_timeout++;
        outcome = o->state <= OUTBOUND_GREETING ? OUTCOME_UPSTREAM_DOWN
                                                : OUTCOME_UPSTREAM_TIMEOUT;
        break;
    case RELAY_LOST_CLOSED:
        s->counters->upstream_lost++;
        if (o->state <= OUTBOUND_GREETING)
            outcome = OUTCOME_UPSTREAM_DOWN;
        break;
    }
    bool stale = is_stale(o);
    bool answered = o->state == OUTBOUND_FINAL;
    outbound_disconnect(s, o);
    /* Where its final reply is here, that it is gone now changes nothing. */
    if (!answered)
        go_on_without(s, o, stale, outcome);
    progress(s);
    session_flush(s);
}

void
relay_on_writable(struct relay_session *s, unsigned index,
                  struct relay_time now)
{
    struct outbound *o = find(s, index, now);

    if (o == NULL)
        return;
    o->writable = true;
    progress(s);
    session_flush(s);
}
