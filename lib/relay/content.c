#include "session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A window of content on its way upstream: large enough for few system calls,
 * small enough for thousands of sessions. */
enum {
    SEND_WINDOW = MAIL_SPOOL_WINDOW
};

static void conclude(struct relay_session *s, struct smtp_reply reply,
                     enum outcome outcome, enum relay_result result);

/* ---- taking it in
 * ------------------------------------------------------------ */

void
content_begin(struct relay_session *s)
{
    struct transaction *tx = s->tx;

    mail_spool_init(&tx->spool, (size_t)s->conf->limits.message_memory,
                    s->conf->state_directory.ptr, &s->shared->spool);
    tx->content_started = s->now.ms;
    s->phase = PHASE_CONTENT;
    session_reply(
        s,
        (struct smtp_reply){ 354, SLICE_OF("End data with <CR><LF>.<CR><LF>") },
        SMTP_REPLY_UPSTREAM);
}

/* Where the empty line is, seen while octets pass (only CRLF counts: content
 * with a bare LF is refused in the end). */
static void
watch_header(struct relay_session *s, struct slice octets)
{
    struct transaction *tx = s->tx;

    while (!tx->blank_line && octets.len != 0) {
        size_t at = slice_find(octets, '\n');
        bool ended = at < octets.len;
        tx->line_length += at;
        tx->header_length += at + (ended ? 1 : 0);
        octets = slice_tail(octets, at + 1);
        if (!ended)
            break;
        /* The CR counts as one octet of the line. */
        tx->blank_line = tx->line_length <= 1;
        tx->line_length = 0;
    }
    if (tx->header_length > s->conf->limits.header_size)
        tx->trouble = OUTCOME_HEADER_TOO_BIG;
}

static uint64_t
size_limit(const struct relay_session *s)
{
    uint64_t ours = s->conf->limits.message_size;
    uint64_t upstream = s->shared->upstream.size;

    if (ours == 0 || (upstream != 0 && upstream < ours))
        return upstream;
    return ours;
}

void
content_take(struct relay_session *s)
{
    struct transaction *tx = s->tx;
    struct slice octets = buf_slice(&tx->scratch);

    /* Trouble is sticky: the rest is read and forgotten. */
    if (tx->trouble == OUTCOME_NONE) {
        uint64_t limit = size_limit(s);
        watch_header(s, octets);
        if (limit != 0 && tx->spool.length + octets.len > limit)
            tx->trouble = OUTCOME_TOO_BIG;
    }
    if (tx->trouble == OUTCOME_NONE) {
        switch (mail_spool_write(&tx->spool, octets)) {
        case MAIL_SPOOL_OK:
            break;
        case MAIL_SPOOL_FULL:
            tx->trouble = OUTCOME_SPOOL_FULL;
            break;
        case MAIL_SPOOL_FAILED:
            tx->trouble = OUTCOME_SPOOL_FAILED;
            break;
        }
        if (tx->trouble != OUTCOME_NONE)
            log_message(
                &s->shared->log, LOG_LEVEL_ERROR,
                (struct slice){ s->id, SESSION_ID }, "spool in %.*s: %s",
                SLICE_ARG(s->conf->state_directory), strerror(tx->spool.error));
    }
    if (tx->trouble != OUTCOME_NONE)
        mail_spool_free(&tx->spool);
    s->counters->octets += octets.len;
    buf_clear(&tx->scratch);
}

/* ---- judging it
 * ------------------------------------------------------------------ */

/* The header as one piece of memory. */
static enum outcome
index_header(struct relay_session *s)
{
    struct transaction *tx = s->tx;
    struct slice header = buf_slice(&tx->spool.memory);
    size_t length = (size_t)tx->header_length;

    if (tx->spool.length > header.len) {
        char *window = mem_try(MAIL_SPOOL_WINDOW);
        bool ok = window != NULL && buf_try_reserve(&tx->header_text, length);
        enum outcome outcome = ok ? OUTCOME_SPOOL_FAILED : OUTCOME_NO_MEMORY;
        while (ok && tx->header_text.len < length) {
            struct slice octets;
            ok = mail_spool_read(&tx->spool, tx->header_text.len, window,
                                 MAIL_SPOOL_WINDOW, &octets) &&
                 octets.len != 0;
            if (ok)
                ok = buf_try_append(
                    &tx->header_text,
                    slice_head(octets, length - tx->header_text.len));
        }
        free(window);
        if (!ok)
            return outcome;
        header = buf_slice(&tx->header_text);
    }
    return mail_header_index(slice_head(header, length), &tx->header)
               ? OUTCOME_NONE
               : OUTCOME_NO_MEMORY;
}

static bool
loop_token(const struct relay_session *s, const struct recipient *r,
           char token[MAIL_LOOP_TOKEN])
{
    struct slice secret = s->conf->srs.enabled
                              ? srs_conf_secret(s->conf->srs.srs)
                              : s->conf->hostname;

    return mail_loop_token(secret, r->rcpt.forward_path.text, token);
}

static enum outcome
judge_loops(struct relay_session *s)
{
    struct transaction *tx = s->tx;
    char token[MAIL_LOOP_TOKEN];

    if (mail_trace_hops(&tx->header) > s->conf->limits.hops)
        return OUTCOME_HOPS;
    for (const struct recipient *r = tx->recipients; r != NULL; r = r->next) {
        if (!r->accepted || !r->alias)
            continue;
        if (!loop_token(s, r, token))
            return OUTCOME_NO_MEMORY;
        if (mail_trace_has_token(&tx->header, token))
            return OUTCOME_LOOP;
    }
    return OUTCOME_NONE;
}

static enum outcome
judge(struct relay_session *s)
{
    struct transaction *tx = s->tx;
    const struct dot_decoder *decoder = &s->server.decoder;

    if (decoder->bare_lf || decoder->nul)
        return OUTCOME_BAD_CONTENT;
    if (tx->trouble != OUTCOME_NONE)
        return tx->trouble;
    for (unsigned i = 0; i < s->outbound_count; i++) {
        const struct outbound *o = s->outbounds[i];
        if (outbound_has_wanted(o) && o->state != OUTBOUND_OPEN)
            return o->failure_outcome != OUTCOME_NONE ? o->failure_outcome
                                                      : OUTCOME_UPSTREAM_LOST;
    }
    enum outcome outcome = index_header(s);
    return outcome != OUTCOME_NONE ? outcome : judge_loops(s);
}

/* ---- what we prepend
 * --------------------------------------------------------------- */

/* Date and Message-ID belong to a message that is submitted (RFC 6409, 8), and
 * before the signature: cleanup would add them after it. */
static void
complete_header(struct relay_session *s, struct buf *fields)
{
    const struct mail_header *header = &s->tx->header;

    if (mail_header_count(header, SLICE_OF("Date")) == 0)
        mail_date_print(s->now.wall, fields);
    if (mail_header_count(header, SLICE_OF("Message-ID")) == 0)
        mail_message_id_print(s->now.wall, s->shared->unique++,
                              s->conf->hostname, fields);
}

static void
mark_loops(struct relay_session *s, const struct outbound *o,
           struct buf *fields)
{
    char token[MAIL_LOOP_TOKEN];

    for (const struct recipient *r = s->tx->recipients; r != NULL;
         r = r->next) {
        bool here = false;
        for (const struct offer *f = o->offers; f != NULL && !here; f = f->next)
            here = f->recipient == r && f->wanted;
        if (here && r->alias && loop_token(s, r, token))
            mail_loop_print(token, fields);
    }
}

static bool
prepare_job(struct relay_session *s, size_t *signatures)
{
    struct transaction *tx = s->tx;
    struct relay_sign_part *parts =
        arena_try(&s->arena, s->outbound_count * sizeof(*parts));

    if (parts == NULL)
        return false;
    tx->job = (struct relay_sign_job){
        .spool = &tx->spool,
        .header = &tx->header,
        .conf = s->conf,
        .now = s->now.wall,
        .parts = parts,
    };
    *signatures = 0;
    for (unsigned i = 0; i < s->outbound_count; i++) {
        struct outbound *o = s->outbounds[i];
        if (!outbound_has_wanted(o))
            continue;
        struct relay_sign_part *part = &parts[tx->job.part_count++];
        struct relay_signing signing;
        struct relay_signing_input input = {
            .role = s->listener->role,
            .header = &tx->header,
            .reverse_path = tx->mail.reverse_path.text,
            .leaves = o->leaves,
            .srs_domain = o->srs_domain,
        };
        part->outbound = i;
        if (s->listener->role == CONF_OUTBOUND)
            complete_header(s, &part->prepended);
        if (o->leaves)
            mark_loops(s, o, &part->prepended);
        const char *why =
            relay_choose_keys(s->conf, &input, &s->arena, &signing);
        if (why != NULL) {
            if (tx->unsigned_because == NULL || o->leaves)
                tx->unsigned_because = why;
            continue;
        }
        part->key_count = signing.key_count;
        memcpy(part->keys, signing.keys, sizeof(part->keys));
        *signatures += signing.key_count;
    }
    return true;
}

static void
note_signatures(struct relay_session *s)
{
    struct transaction *tx = s->tx;

    for (size_t i = 0; i < tx->job.part_count; i++)
        for (size_t k = 0; k < tx->job.parts[i].key_count; k++) {
            const struct dkim_key *key = tx->job.parts[i].keys[k];
            if (tx->dkim.len != 0)
                buf_putc(&tx->dkim, ',');
            buf_append(&tx->dkim, key->domain);
            buf_putc(&tx->dkim, '/');
            buf_append(&tx->dkim, key->selector);
            if (key->algorithm == DKIM_RSA_SHA256)
                s->counters->signatures_rsa++;
            else
                s->counters->signatures_ed25519++;
        }
}

static void
take_fields(struct relay_session *s)
{
    struct transaction *tx = s->tx;

    for (size_t i = 0; i < tx->job.part_count; i++) {
        struct relay_sign_part *part = &tx->job.parts[i];
        struct outbound *o = s->outbounds[part->outbound];
        /* The signatures go above all other fields, ours too. */
        buf_append(&o->fields, buf_slice(&part->signatures));
        buf_append(&o->fields, buf_slice(&part->prepended));
        buf_free(&part->signatures);
        buf_free(&part->prepended);
    }
}

static void
free_job(struct relay_session *s)
{
    struct relay_sign_job *job = &s->tx->job;

    for (size_t i = 0; i < job->part_count; i++) {
        buf_free(&job->parts[i].signatures);
        buf_free(&job->parts[i].prepended);
    }
    job->part_count = 0;
}

/* ---- the end of content
 * ------------------------------------------------------------- */

static void
start_sending(struct relay_session *s)
{
    bool any = false;

    s->tx->signed_at = s->now.ms;
    take_fields(s);
    s->phase = PHASE_SENDING;
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
    conclude(s, (struct smtp_reply){ 250, SLICE_OF("2.0.0 Ok: discarded") },
             OUTCOME_NONE, RELAY_DISCARDED);
}

static void
fail_content(struct relay_session *s, enum outcome outcome)
{
    struct smtp_reply reply = outcome_reply(outcome);

    conclude(s, reply, outcome,
             reply.code >= 500 ? RELAY_REJECTED : RELAY_DEFERRED);
}

void
content_end(struct relay_session *s)
{
    struct transaction *tx = s->tx;
    size_t signatures = 0;

    tx->content_ended = tx->signed_at = s->now.ms;
    buf_free(&tx->scratch);
    session_owe(s);
    enum outcome outcome = judge(s);
    if (outcome != OUTCOME_NONE) {
        fail_content(s, outcome);
        return;
    }
    if (s->server.decoder.long_line)
        s->counters->long_lines++;
    if (!prepare_job(s, &signatures)) {
        fail_content(s, OUTCOME_NO_MEMORY);
        return;
    }
    if (signatures == 0) {
        s->counters->unsigned_mail++;
        start_sending(s);
        return;
    }
    s->phase = PHASE_SIGNING;
    s->sign_pending = true;
    s->ops->sign(s->ctx, &tx->job);
}

void
content_on_signed(struct relay_session *s)
{
    struct relay_sign_job *job = &s->tx->job;

    if (job->ok) {
        note_signatures(s);
        start_sending(s);
        return;
    }
    s->counters->sign_errors++;
    if (job->read_error) {
        fail_content(s, OUTCOME_SPOOL_FAILED);
        return;
    }
    log_message(&s->shared->log, LOG_LEVEL_ERROR,
                (struct slice){ s->id, SESSION_ID },
                "signing failed; dkim.on_error says %s",
                s->conf->dkim.send_on_error ? "send" : "defer");
    if (!s->conf->dkim.send_on_error) {
        fail_content(s, OUTCOME_KEY);
        return;
    }
    for (size_t i = 0; i < job->part_count; i++) {
        job->parts[i].key_count = 0;
        buf_clear(&job->parts[i].signatures);
    }
    s->tx->unsigned_because = "error";
    start_sending(s);
}

/* ---- sending
 * ------------------------------------------------------------------------- */

static bool
is_active(const struct outbound *o)
{
    return outbound_has_wanted(o);
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

    if (o->sent < tx->spool.length && tx->spool.length > tx->spool.memory.len) {
        window = mem_try(SEND_WINDOW);
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
        o->sent += octets.len;
        o->writable = false;
        outbound_write(s, o, buf_slice(&out));
        if (o->sent == tx->spool.length)
            o->state = OUTBOUND_SENT;
    }
    buf_free(&out);
    free(window);
    return ok;
}

/*
 * The final dot (V3 of the invariants in detail): the client's content was
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
    conclude(s, (struct smtp_reply){ 0 }, OUTCOME_CLIENT_GONE, RELAY_ABORTED);
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
    conclude(s, reply, outcome,
             reply.code >= 500 ? RELAY_REJECTED : RELAY_DEFERRED);
}

/* Where all outbounds have the whole content, the dots go out one after the
 * other: the first refusal stops the rest. */
static void
send_dots(struct relay_session *s)
{
    struct smtp_reply last = { 0 };

    for (unsigned i = 0; i < s->outbound_count; i++) {
        struct outbound *o = s->outbounds[i];
        if (!is_active(o))
            continue;
        if (o->state == OUTBOUND_SENT) {
            if (s->client_lost || !s->ops->client_present(s->ctx)) {
                client_is_gone(s);
                return;
            }
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
    conclude(s, last, OUTCOME_NONE, RELAY_ACCEPTED);
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
        if (!is_active(o))
            continue;
        if (o->final.code == 0 &&
            (o->state == OUTBOUND_CLOSED || o->state == OUTBOUND_OPEN)) {
            fail_outbound(s, o);
            return;
        }
        if (o->state == OUTBOUND_CONTENT && o->writable && !send_window(s, o)) {
            fail_content(s, OUTCOME_SPOOL_FAILED);
            return;
        }
        if (o->final.code == 0 && o->state != OUTBOUND_SENT &&
            o->state != OUTBOUND_DOT)
            all_sent = false;
    }
    if (all_sent)
        send_dots(s);
}

/* ---- the end
 * ----------------------------------------------------------------------------
 */

static void
conclude(struct relay_session *s, struct smtp_reply reply, enum outcome outcome,
         enum relay_result result)
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
    free_job(s);
    for (unsigned i = 0; i < s->outbound_count; i++)
        outbound_release(s, s->outbounds[i]);
    session_end_transaction(s);
    if (outcome == OUTCOME_CLIENT_GONE)
        session_finish(s);
}

void
content_abandon(struct relay_session *s, enum outcome outcome)
{
    switch (s->phase) {
    case PHASE_SIGNING:
    case PHASE_SENDING:
        if (s->tx->dots != 0)
            outcome = OUTCOME_PARTLY;
        for (unsigned i = 0; i < s->outbound_count; i++)
            outbound_drop(s, s->outbounds[i]);
        if (s->sign_pending) {
            /* The job uses the transaction until it comes back, so this
             * session cannot go on to another one. */
            session_reply(s, outcome_reply(outcome), SMTP_REPLY_UPSTREAM);
            journal_transaction(s, RELAY_DEFERRED, outcome,
                                outcome_reply(outcome));
            session_finish(s);
            return;
        }
        fail_content(s, outcome);
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
