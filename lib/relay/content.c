#include "session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- taking it in ---- */

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
    tx->received += octets.len;
    s->counters->octets += octets.len;
    buf_clear(&tx->scratch);
}

/* ---- judging it ---- */

/* The header as one piece of memory. */
static enum outcome
index_header(struct relay_session *s)
{
    struct transaction *tx = s->tx;
    struct slice header = buf_slice(&tx->spool.memory);
    size_t length = (size_t)tx->header_length;

    if (tx->spool.length > header.len) {
        char *window = mem_try_octets(MAIL_SPOOL_WINDOW);
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
    tx->header_octets = slice_head(header, length);
    if (!mail_header_index(tx->header_octets, &tx->header))
        return OUTCOME_NO_MEMORY;
    return tx->header.oddities & MAIL_MANY_FIELDS ? OUTCOME_HEADER_TOO_BIG
                                                  : OUTCOME_NONE;
}

struct slice
content_secret(const struct relay_session *s)
{
    return s->conf->srs.enabled
               ? srs_conf_secret(s->conf->srs.srs)
               : (struct slice){ s->shared->secret, RELAY_SECRET };
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
    enum outcome outcome = index_header(s);
    return outcome != OUTCOME_NONE ? outcome : loops_judge(s);
}

/* ---- the end of content ---- */

void
content_fail(struct relay_session *s, enum outcome outcome)
{
    struct smtp_reply reply = outcome_reply(outcome);

    content_conclude(s, reply, outcome,
                     reply.code >= 500 ? RELAY_REJECTED : RELAY_DEFERRED);
}

/*
 * A token that stands for a long sender goes out only when the store has the
 * sender. That is written now and not at RCPT, because whoever only says RCPT
 * would fill the store for weeks; and before content goes upstream, because a
 * message that cannot come back is worse than one that comes later.
 */
static void
store_sender(struct relay_session *s)
{
    for (unsigned i = 0; i < s->outbound_count; i++) {
        struct outbound *o = s->outbounds[i];
        if (o->token_key.len == 0 || !outbound_has_wanted(o))
            continue;
        struct relay_store_query query = {
            .what = RELAY_STORE_PUT,
            .key = o->token_key,
            .sender = s->tx->mail.reverse_path.text,
        };
        o->token_key.len = 0;
        s->phase = PHASE_STORING;
        s->store_pending = true;
        s->ops->store(s->ctx, &query);
        return;
    }
    content_start_sending(s);
}

/* Once the message is judged and signed, its header is not looked at again: a
 * message that waits for upstream needs its spool alone. */
static void
start_sending(struct relay_session *s)
{
    struct transaction *tx = s->tx;

    mail_header_free(&tx->header);
    buf_free(&tx->header_text);
    tx->job.header = NULL;
    store_sender(s);
}

void
content_on_stored(struct relay_session *s, enum table_status status)
{
    switch (status) {
    case TABLE_FOUND:
        store_sender(s);
        return;
    case TABLE_MISS:
        content_fail(s, OUTCOME_STORE_FULL);
        return;
    case TABLE_ASK:
    case TABLE_BUSY:
    case TABLE_ERROR:
        break;
    }
    content_fail(s, OUTCOME_STORE_FAILED);
}

void
content_end(struct relay_session *s)
{
    struct transaction *tx = s->tx;

    tx->content_ended = tx->signed_at = s->now.ms;
    buf_free(&tx->scratch);
    session_owe(s);
    enum outcome outcome = judge(s);
    if (outcome != OUTCOME_NONE) {
        content_fail(s, outcome);
        return;
    }
    if (s->server.decoder.long_line)
        s->counters->long_lines++;
    ownname_start(s);
}

void
content_go_on(struct relay_session *s)
{
    size_t signatures = 0;

    if (!content_prepare(s, &signatures)) {
        content_fail(s, OUTCOME_NO_MEMORY);
        return;
    }
    if (signatures == 0) {
        s->counters->unsigned_mail++;
        start_sending(s);
        return;
    }
    s->phase = PHASE_SIGNING;
    s->sign_pending = true;
    s->ops->sign(s->ctx, &s->tx->job);
}

void
content_on_signed(struct relay_session *s)
{
    struct relay_sign_job *job = &s->tx->job;

    if (job->ok) {
        content_note_signatures(s);
        start_sending(s);
        return;
    }
    s->counters->sign_errors++;
    if (job->read_error) {
        content_fail(s, OUTCOME_SPOOL_FAILED);
        return;
    }
    log_message(&s->shared->log, LOG_LEVEL_ERROR,
                (struct slice){ s->id, SESSION_ID },
                "signing failed; dkim.on_error says %s",
                s->conf->dkim.send_on_error ? "send" : "defer");
    if (!s->conf->dkim.send_on_error) {
        content_fail(s, OUTCOME_KEY);
        return;
    }
    for (size_t i = 0; i < job->part_count; i++) {
        job->parts[i].key_count = 0;
        buf_clear(&job->parts[i].signatures);
    }
    s->tx->unsigned_because = "error";
    start_sending(s);
}
