#include "session.h"

#include <assert.h>
#include <stdlib.h>

/* A window of content on its way upstream: large enough for few system calls,
 * small enough for thousands of sessions. */
enum {
    SEND_WINDOW = MAIL_SPOOL_WINDOW,
    SEND_FILE = 4 * SEND_WINDOW /* without a copy of ours */
};

/* ---- sending ---- */

static void
count_sent(struct relay_session *s, struct outbound *o, size_t octets)
{
    o->sent += octets;
    o->writable = false;
    if (o->sent == s->tx->spool.length)
        o->state = OUTBOUND_SENT;
}

/*
 * What of the file upstream takes as it stands there. Only where the client
 * had no dot to double, for then neither have we: the two forms of such
 * content, in the file and on the wire, are the same octets. False: nothing.
 */
static bool
send_from_file(struct relay_session *s, struct outbound *o, bool *ok)
{
    struct mail_spool *spool = &s->tx->spool;
    struct slice last;
    char octet;

    *ok = true;
    if (o->sent == 0 || s->server.decoder.stuffed)
        return false;
    uint64_t length = mail_spool_lend(spool, o->sent);
    if (length > SEND_FILE)
        length = SEND_FILE;
    size_t sent =
        length == 0 ? 0
                    : s->ops->file_to_upstream(s->ctx, o->index, spool->file.fd,
                                               o->sent, (size_t)length);
    if (sent == 0)
        return false;
    count_sent(s, o, sent);
    *ok =
        mail_spool_read(spool, o->sent - 1, &octet, 1, &last) && last.len == 1;
    if (*ok)
        dot_encode_behind(&o->encoder, last.ptr[0]);
    return true;
}

/* One window of content, dot-stuffed; fields of ours stand before the first.
 * False: the spool could not be read back. */
static bool
send_window(struct relay_session *s, struct outbound *o)
{
    struct transaction *tx = s->tx;
    struct buf out = { 0 };
    char *window = NULL;
    struct slice octets = { 0 };
    bool ok = true;

    if (send_from_file(s, o, &ok))
        return ok;
    if (o->sent < tx->spool.length && tx->spool.length > tx->spool.memory.len) {
        window = mem_try_octets(SEND_WINDOW);
        ok = window != NULL;
    }
    if (ok && o->sent < tx->spool.length)
        ok = mail_spool_read(&tx->spool, o->sent, window, SEND_WINDOW,
                             &octets) &&
             octets.len != 0;
    octets = slice_head(octets, SEND_WINDOW);
    ok = ok && buf_try_reserve(&out, o->fields.len + octets.len + 64);
    if (ok && o->sent == 0)
        ok = dot_encode(&o->encoder, buf_slice(&o->fields), &out);
    ok = ok && dot_encode(&o->encoder, octets, &out);
    if (ok) {
        outbound_write(s, o, buf_slice(&out));
        count_sent(s, o, octets.len);
    }
    buf_free(&out);
    free(window);
    return ok;
}

/*
 * The final dot (I1, I2): the client's content was
 * complete and without fault, all of it was read back and written, upstream
 * has said nothing unasked, and the client is still there.
 */
static void
send_dot(struct relay_session *s, struct outbound *o)
{
    struct buf out = { 0 };

    assert(s->tx->trouble == OUTCOME_NONE && s->server.content_done);
    assert(o->state == OUTBOUND_SENT && o->sent == s->tx->spool.length);
    assert(!s->client_lost);
    dot_finish(&o->encoder, &out);
    if (!smtp_client_expect(&o->client, SMTP_STEP_DOT)) {
        buf_free(&out);
        outbound_fail(s, o, OUTCOME_NO_MEMORY);
        return;
    }
    s->tx->dot_written = true;
    o->state = OUTBOUND_DOT;
    outbound_write(s, o, buf_slice(&out));
    buf_free(&out);
}

static void
client_is_gone(struct relay_session *s)
{
    content_conclude(s, (struct smtp_reply){ 0 }, OUTCOME_CLIENT_GONE,
                     RELAY_ABORTED);
}

/* Some outbound has failed: what does the client hear? */
static void
fail_outbound(struct relay_session *s, const struct outbound *o)
{
    struct smtp_reply reply = o->failure;
    enum outcome outcome = o->failure_outcome;

    if (s->tx->dots != 0) {
        outcome = OUTCOME_PARTLY;
        reply = outcome_reply(outcome);
    }
    reply = outcome_relayed(reply);
    content_conclude(s, reply, outcome,
                     reply.code >= 500 ? RELAY_REJECTED : RELAY_DEFERRED);
}

/* Those whose dot is still to come; one that is gone, though nobody has
 * noticed, would make a part of the message come twice. */
static bool
upstreams_are_quiet(const struct relay_session *s)
{
    for (unsigned i = 0; i < s->outbound_count; i++)
        if (s->outbounds[i]->state == OUTBOUND_SENT &&
            !s->ops->upstream_quiet(s->ctx, i))
            return false;
    return true;
}

/* Where all outbounds have the whole content, the dots go out one after the
 * other: the first refusal stops the rest. */
static void
send_dots(struct relay_session *s)
{
    struct smtp_reply last = { 0 };

    for (unsigned i = 0; i < s->outbound_count; i++) {
        struct outbound *o = s->outbounds[i];
        if (!outbound_has_wanted(o))
            continue;
        if (o->state == OUTBOUND_SENT) {
            if (s->client_lost || !s->ops->client_present(s->ctx)) {
                client_is_gone(s);
                return;
            }
            /* Unasked: when it is read, it ends this transaction. */
            if (!upstreams_are_quiet(s))
                return;
            send_dot(s, o);
            if (o->state != OUTBOUND_DOT)
                fail_outbound(s, o);
            return;
        }
        if (o->final.code == 0)
            return; /* its reply is still to come */
        last = o->final;
    }
    /* Invariant I1: here, and nowhere else, a message is acknowledged. */
    assert(last.code >= 200 && last.code < 300);
    content_conclude(s, last, OUTCOME_NONE, RELAY_ACCEPTED);
}

/* The final reply of the outbound whose dot went out last. False: refused. */
static bool
count_final(struct relay_session *s)
{
    unsigned accepted = 0;

    for (unsigned i = 0; i < s->outbound_count; i++) {
        struct outbound *o = s->outbounds[i];
        if (o->final.code == 0)
            continue;
        if (o->final.code >= 200 && o->final.code < 300) {
            accepted++;
            continue;
        }
        s->tx->dots = accepted;
        o->failure = o->final;
        o->failure_outcome = OUTCOME_UPSTREAM_REPLY;
        fail_outbound(s, o);
        return false;
    }
    s->tx->dots = accepted;
    return true;
}

void
content_progress(struct relay_session *s)
{
    bool all_sent = true;

    if (s->phase != PHASE_SENDING)
        return;
    if (!count_final(s))
        return;
    for (unsigned i = 0; i < s->outbound_count; i++) {
        struct outbound *o = s->outbounds[i];
        if (!outbound_has_wanted(o))
            continue;
        if (o->final.code == 0 &&
            (o->state == OUTBOUND_CLOSED || o->state == OUTBOUND_OPEN)) {
            fail_outbound(s, o);
            return;
        }
        if (o->state == OUTBOUND_CONTENT && o->writable && !send_window(s, o)) {
            content_fail(s, OUTCOME_SPOOL_FAILED);
            return;
        }
        if (o->final.code == 0 && o->state != OUTBOUND_SENT &&
            o->state != OUTBOUND_DOT)
            all_sent = false;
    }
    if (all_sent)
        send_dots(s);
}

/* An upstream may have gone while a worker was signing. */
static const struct outbound *
lost_outbound(const struct relay_session *s)
{
    for (unsigned i = 0; i < s->outbound_count; i++)
        if (outbound_has_wanted(s->outbounds[i]) &&
            s->outbounds[i]->state != OUTBOUND_OPEN)
            return s->outbounds[i];
    return NULL;
}

void
content_start_sending(struct relay_session *s)
{
    const struct outbound *lost = lost_outbound(s);
    bool any = false;

    s->tx->signed_at = s->now.ms;
    s->phase = PHASE_SENDING;
    if (lost != NULL) {
        fail_outbound(s, lost);
        return;
    }
    /* Nothing was read from the client meanwhile, so nobody has noticed. */
    if (s->client_lost || !s->ops->client_present(s->ctx)) {
        client_is_gone(s);
        return;
    }
    content_take_fields(s);
    for (unsigned i = 0; i < s->outbound_count; i++)
        if (outbound_has_wanted(s->outbounds[i])) {
            outbound_data(s, s->outbounds[i]);
            any = true;
        }
    if (any) {
        content_progress(s);
        return;
    }
    /* Every recipient was discarded by rule: nobody upstream can say 250. The
     * only exception to invariant I1. */
    content_conclude(
        s, (struct smtp_reply){ 250, SLICE_OF("2.0.0 Ok: discarded") },
        OUTCOME_NONE, RELAY_DISCARDED);
}

/* ---- the end ---- */

void
content_conclude(struct relay_session *s, struct smtp_reply reply,
                 enum outcome outcome, enum relay_result result)
{
    /* The reply first: while it is not out, a front that gives up makes a
     * duplicate (RFC 1047). */
    if (reply.code != 0 && !s->client_lost) {
        session_reply(s, reply,
                      outcome == OUTCOME_UPSTREAM_REPLY ||
                              outcome == OUTCOME_NONE || reply.code < 500
                          ? SMTP_REPLY_UPSTREAM
                          : SMTP_REPLY_OURS);
        session_flush(s);
    }
    journal_transaction(s, result, outcome, reply);
    content_free_job(s);
    if (result == RELAY_ACCEPTED) /* every upstream has read it to its end */
        mail_spool_returned(&s->tx->spool);
    for (unsigned i = 0; i < s->outbound_count; i++)
        outbound_release(s, s->outbounds[i]);
    session_end_transaction(s);
    if (s->client_lost || outcome == OUTCOME_CLIENT_GONE)
        session_finish(s);
}

void
content_abandon(struct relay_session *s, enum outcome outcome)
{
    switch (s->phase) {
    case PHASE_JUDGING:
    case PHASE_READDRESSING:
    case PHASE_SIGNING:
    case PHASE_STORING:
    case PHASE_SENDING:
        if (s->tx->dots != 0)
            outcome = OUTCOME_PARTLY;
        for (unsigned i = 0; i < s->outbound_count; i++)
            outbound_drop(s, s->outbounds[i]);
        if (s->sign_pending || s->lookup_pending || s->store_pending) {
            /* The job, or the question, uses the transaction until it comes
             * back, so this session cannot go on to another one. */
            session_reply(s, outcome_reply(outcome), SMTP_REPLY_UPSTREAM);
            journal_transaction(s, RELAY_DEFERRED, outcome,
                                outcome_reply(outcome));
            s->tx->told = true;
            session_finish(s);
            return;
        }
        content_fail(s, outcome);
        break;
    case PHASE_COMMANDS:
    case PHASE_RESOLVING:
    case PHASE_OFFERING:
    case PHASE_REBUILDING:
    case PHASE_CONTENT:
    case PHASE_ENDED:
        break;
    }
}
