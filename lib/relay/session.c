#include "session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    STRESS_COMMAND_MS = 10000, /* as smtpd(8) under stress */
    STRESS_ERRORS = 1,
    RETRY_LOOKUP_MS = 5,
    /* A front says EHLO, XFORWARD and MAIL within milliseconds. Who is that
     * far when the process stops brings its message; who only waits does not.
     */
    DRAIN_GRACE_MS = 100,
    /* Addresses that expansion may come to in one event, some milliseconds: a
     * client sends 2,000 RCPTs at once, and each may be a tree of 500. */
    EFFORT_MAX = 2000,
    /* Content must arrive at this pace after the first minute. */
    PACE_FROM_MS = 60000,
    PACE_OCTETS_PER_SECOND = 500,
};

/* ---- a life ---- */

/* Letters and digits without vowels, as Postfix' long queue ids. */
static void
make_id(struct relay_session *s)
{
    static const char alphabet[] =
        "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    uint64_t n = s->shared->next_id++;

    for (size_t i = SESSION_ID; i > 0; i--) {
        s->id[i - 1] = alphabet[n % (sizeof(alphabet) - 1)];
        n /= sizeof(alphabet) - 1;
    }
}

static void
open_server(struct relay_session *s)
{
    /* Before upstream was ever seen: everything we implement. */
    struct smtp_ehlo ehlo = { .keywords = SMTP_HAS_ALL };
    struct smtp_server_limits limits = {
        .errors = s->welcome == RELAY_STRESSED ? STRESS_ERRORS
                                               : s->conf->limits.errors,
        .recipients = s->conf->limits.recipients,
        .size = s->conf->limits.message_size,
    };

    if (s->shared->upstream_seen)
        ehlo = s->shared->upstream;
    if (limits.size == 0 || (ehlo.size != 0 && ehlo.size < limits.size))
        limits.size = ehlo.size;
    smtp_server_open(&s->server, s->conf->hostname, &limits, &ehlo, &s->out);
}

struct relay_session *
relay_new(struct conf *conf, const struct conf_listener *listener,
          struct relay_shared *shared, struct relay_counters *counters,
          const struct relay_ops *ops, void *ctx, struct slice peer,
          enum relay_welcome welcome, struct relay_time now)
{
    struct relay_session *s = mem_try(sizeof(*s));

    if (s == NULL)
        return NULL;
    s->conf = conf_ref(conf);
    s->listener = listener;
    s->shared = shared;
    s->counters = counters;
    s->ops = ops;
    s->ctx = ctx;
    peer = slice_head(peer, PEER_MAX);
    memcpy(s->peer_text, peer.ptr, peer.len);
    s->peer = (struct slice){ s->peer_text, peer.len };
    s->welcome = welcome;
    s->now = now;
    s->heard = now.ms;
    make_id(s);
    counters->sessions++;
    if (welcome == RELAY_DRAINING) {
        struct smtp_reply reply = outcome_reply(OUTCOME_STOPPING);
        smtp_reply_print(&reply, &s->out);
        session_finish(s);
        return s;
    }
    open_server(s);
    session_set_deadline(s);
    session_flush(s);
    return s;
}

static void
free_transaction(struct transaction *tx)
{
    for (size_t i = 0; i < tx->job.part_count; i++) {
        buf_free(&tx->job.parts[i].signatures);
        buf_free(&tx->job.parts[i].prepended);
    }
    expand_end(&tx->expand);
    recipients_free(tx);
    mail_header_free(&tx->header);
    mail_spool_free(&tx->spool);
    buf_free(&tx->header_text);
    buf_free(&tx->scratch);
    buf_free(&tx->dkim);
    free(tx);
}

static void
free_outbounds(struct relay_session *s)
{
    for (unsigned i = 0; i < s->outbound_count; i++)
        outbound_free(s->outbounds[i]);
    s->outbound_count = 0;
}

void
relay_free(struct relay_session *s)
{
    assert(!s->sign_pending && !s->lookup_pending && !s->store_pending);
    free_outbounds(s);
    if (s->tx != NULL)
        free_transaction(s->tx);
    smtp_server_free(&s->server);
    arena_free(&s->arena);
    arena_free(&s->scratch);
    buf_free(&s->out);
    conf_unref(s->conf);
    free(s);
}

bool
relay_wants_client(const struct relay_session *s)
{
    return s->phase != PHASE_ENDED && !s->server.busy && !s->client_lost;
}

bool
relay_gives_way(const struct relay_session *s)
{
    return s->effort >= EFFORT_MAX && relay_wants_client(s);
}

bool
relay_is_busy(const struct relay_session *s)
{
    return s->tx != NULL && s->phase != PHASE_ENDED;
}

bool
relay_has_quit(const struct relay_session *s)
{
    return s->server.quit;
}

/* ---- replies and deadlines ---- */

void
session_flush(struct relay_session *s)
{
    if (s->out.len != 0 && !s->client_lost)
        s->ops->to_client(s->ctx, buf_slice(&s->out));
    buf_clear(&s->out);
    /* An idle session holds no buffer. */
    if (s->tx == NULL && s->out.cap > 256)
        buf_free(&s->out);
}

void
session_reply(struct relay_session *s, struct smtp_reply reply,
              enum smtp_reply_origin origin)
{
    s->reply_due = 0;
    smtp_server_reply(&s->server, &reply, origin, &s->out);
    session_set_deadline(s);
}

void
session_owe(struct relay_session *s)
{
    s->reply_due = s->now.ms + s->conf->upstream.reply_timeout;
    session_set_deadline(s);
}

static unsigned
client_deadline(const struct relay_session *s)
{
    unsigned command = s->conf->timeouts.command;

    if (s->phase == PHASE_CONTENT)
        return s->conf->timeouts.content;
    if (s->welcome == RELAY_STRESSED && command > STRESS_COMMAND_MS)
        return STRESS_COMMAND_MS;
    return command;
}

void
session_set_deadline(struct relay_session *s)
{
    unsigned ms = client_deadline(s);

    if (s->phase == PHASE_ENDED)
        return;
    if (s->reply_due != 0)
        ms =
            s->reply_due > s->now.ms ? (unsigned)(s->reply_due - s->now.ms) : 1;
    if (s->drain_due != 0 && s->tx == NULL)
        ms =
            s->drain_due > s->now.ms ? (unsigned)(s->drain_due - s->now.ms) : 1;
    if (s->retry_lookup && ms > RETRY_LOOKUP_MS)
        ms = RETRY_LOOKUP_MS;
    s->ops->deadline(s->ctx, ms);
}

/* ---- ends ---- */

static void
say_stopping(struct relay_session *s)
{
    smtp_server_close(&s->server, outcome_reply(OUTCOME_STOPPING).text,
                      &s->out);
    session_finish(s);
}

void
session_end_transaction(struct relay_session *s)
{
    free_outbounds(s);
    if (s->tx != NULL)
        free_transaction(s->tx);
    s->tx = NULL;
    arena_reset(&s->arena);
    arena_free(&s->scratch);
    if (s->phase == PHASE_ENDED)
        return;
    s->phase = PHASE_COMMANDS;
    session_set_deadline(s);
    if (s->draining && s->server.state != SMTP_SERVER_CLOSED)
        say_stopping(s);
}

/* A transaction that ends without a verdict on its content. */
static void
abort_transaction(struct relay_session *s, enum outcome outcome)
{
    struct transaction *tx = s->tx;
    enum relay_result result = RELAY_ABORTED;

    if (tx == NULL)
        return;
    /* Where every recipient was refused, that is what became of it. */
    if (tx->accepted == 0 && tx->worst.code != 0)
        result = tx->worst.code >= 500 ? RELAY_REJECTED : RELAY_DEFERRED;
    if (result != RELAY_ABORTED)
        outcome = tx->worst_outcome;
    journal_transaction(s, result, outcome,
                        result != RELAY_ABORTED ? tx->worst
                                                : (struct smtp_reply){ 0 });
    for (unsigned i = 0; i < s->outbound_count; i++)
        outbound_release(s, s->outbounds[i]);
    /* A worker may be reading it; relay_free does the rest. */
    if (!s->sign_pending && !s->lookup_pending && !s->store_pending)
        session_end_transaction(s);
}

void
session_finish(struct relay_session *s)
{
    if (s->phase == PHASE_ENDED)
        return;
    for (unsigned i = 0; i < s->outbound_count; i++)
        outbound_release(s, s->outbounds[i]);
    s->ops->deadline(s->ctx, 0);
    session_flush(s);
    s->phase = PHASE_ENDED;
    s->ops->finish(s->ctx);
}

/* ---- the client's octets ---- */

static bool
keeps_pace(const struct relay_session *s)
{
    uint64_t passed = s->now.ms - s->tx->content_started;

    return passed < PACE_FROM_MS ||
           s->tx->received >= passed / 1000 * PACE_OCTETS_PER_SECOND;
}

static void
time_out_client(struct relay_session *s)
{
    if (s->phase == PHASE_COMMANDS)
        smtp_server_close(&s->server,
                          outcome_reply(OUTCOME_CLIENT_TIMEOUT).text, &s->out);
    session_flush(s);
    abort_transaction(s, OUTCOME_CLIENT_TIMEOUT);
    session_finish(s);
}

static void
handle_request(struct relay_session *s, enum smtp_server_event event,
               struct smtp_request *request)
{
    switch (event) {
    case SMTP_SERVER_MORE:
    case SMTP_SERVER_BUSY:
    case SMTP_SERVER_DECODED:
        break;
    case SMTP_SERVER_MAIL:
        envelope_on_mail(s, &request->mail);
        break;
    case SMTP_SERVER_RCPT:
        envelope_on_rcpt(s, &request->rcpt);
        break;
    case SMTP_SERVER_DATA:
        envelope_on_data(s);
        break;
    case SMTP_SERVER_CONTENT_END:
        content_end(s);
        break;
    case SMTP_SERVER_RESET:
        abort_transaction(s, OUTCOME_RESET);
        break;
    case SMTP_SERVER_QUIT:
        abort_transaction(s, OUTCOME_RESET);
        session_finish(s);
        break;
    case SMTP_SERVER_NO_MEMORY:
        session_flush(s);
        abort_transaction(s, OUTCOME_NO_MEMORY);
        session_finish(s);
        break;
    }
}

static void
handle_requests(struct relay_session *s, struct slice *octets)
{
    struct buf none = { 0 };

    while (relay_wants_client(s) && s->effort < EFFORT_MAX) {
        struct smtp_request request = { 0 };
        struct buf *content = s->tx != NULL ? &s->tx->scratch : &none;
        struct arena *arena = s->tx != NULL ? &s->scratch : &s->arena;
        /* What resolving the RCPT before this command took is given back: it
         * may be a thousand times what the client said. */
        arena_reset(&s->scratch);
        enum smtp_server_event event = smtp_server_take(
            &s->server, octets, arena, &request, &s->out, content);
        if (s->tx != NULL && s->tx->scratch.len != 0)
            content_take(s);
        if (event == SMTP_SERVER_MORE || event == SMTP_SERVER_BUSY)
            break;
        handle_request(s, event, &request);
        /* What a refused MAIL left behind must not add up. */
        if (s->tx == NULL)
            arena_reset(&s->arena);
        /* The engine may have ended it at the last error. */
        if (s->server.state == SMTP_SERVER_CLOSED && s->phase != PHASE_ENDED &&
            !s->server.busy) {
            abort_transaction(s, OUTCOME_RESET);
            session_finish(s);
        }
    }
    assert(none.len == 0);
    buf_free(&none);
}

size_t
relay_on_client_octets(struct relay_session *s, struct slice octets,
                       struct relay_time now)
{
    struct slice rest = octets;

    s->now = now;
    if (!relay_wants_client(s))
        return 0;
    s->heard = now.ms;
    s->effort = 0;
    handle_requests(s, &rest);
    size_t used = octets.len - rest.len;
    if (s->phase == PHASE_CONTENT && !keeps_pace(s))
        time_out_client(s);
    else if (used != 0 && relay_wants_client(s))
        session_set_deadline(s);
    session_flush(s);
    return used;
}

void
relay_on_client_lost(struct relay_session *s, struct relay_time now)
{
    s->now = now;
    if (s->phase == PHASE_ENDED || s->client_lost)
        return;
    s->client_lost = true;
    /* Upstream may have taken the message already: its reply is awaited and
     * logged, so that a duplicate can be explained. */
    if (s->phase == PHASE_SENDING && s->tx->dot_written)
        return;
    abort_transaction(s, OUTCOME_CLIENT_GONE);
    session_finish(s);
}

/* ---- other events ---- */

void
relay_on_looked_up(struct relay_session *s, const struct table_answer *answer,
                   struct relay_time now)
{
    s->now = now;
    s->lookup_pending = false;
    if (s->phase == PHASE_ENDED)
        return;
    envelope_on_answer(s, answer);
    session_flush(s);
}

void
relay_on_stored(struct relay_session *s, const struct table_answer *answer,
                struct relay_time now)
{
    s->now = now;
    s->store_pending = false;
    if (s->phase == PHASE_ENDED)
        return;
    if (s->phase == PHASE_STORING)
        content_on_stored(s, answer->status);
    else
        envelope_on_answer(s, answer);
    session_flush(s);
}

void
relay_on_signed(struct relay_session *s, struct relay_time now)
{
    s->now = now;
    s->sign_pending = false;
    if (s->phase == PHASE_SIGNING)
        content_on_signed(s);
    session_flush(s);
}

void
relay_on_deadline(struct relay_session *s, struct relay_time now)
{
    s->now = now;
    if (s->phase == PHASE_ENDED)
        return;
    if (s->retry_lookup) {
        s->retry_lookup = false;
        if (s->reply_due > now.ms) {
            envelope_on_answer(s, NULL);
            session_flush(s);
            return;
        }
    }
    if (s->drain_due != 0 && s->tx == NULL) {
        say_stopping(s);
        return;
    }
    if (s->reply_due == 0) {
        time_out_client(s);
        return;
    }
    if (s->reply_due > now.ms) {
        session_set_deadline(s);
        return;
    }
    s->counters->upstream_timeout++;
    bool answer_to_come = s->lookup_pending || s->store_pending;
    if (s->phase == PHASE_JUDGING || s->phase == PHASE_STORING) {
        content_abandon(s, s->phase == PHASE_JUDGING ? OUTCOME_TABLE_ERROR
                                                     : OUTCOME_STORE_FAILED);
        answer_to_come = false; /* if one is, the session has ended */
    } else if (s->phase == PHASE_READDRESSING || s->phase == PHASE_SIGNING ||
               s->phase == PHASE_SENDING) {
        content_abandon(s, OUTCOME_UPSTREAM_TIMEOUT);
    } else {
        envelope_abandon(s, answer_to_come ? OUTCOME_TABLE_ERROR
                                           : OUTCOME_UPSTREAM_TIMEOUT);
    }
    /* An answer that comes later must not be taken for another one's. */
    if (answer_to_come) {
        abort_transaction(s, OUTCOME_TABLE_ERROR);
        session_finish(s);
    }
    session_flush(s);
}

void
relay_on_drain(struct relay_session *s, struct relay_time now)
{
    s->now = now;
    s->draining = true;
    if (s->tx != NULL || s->phase == PHASE_ENDED)
        return;
    if (now.ms - s->heard >= DRAIN_GRACE_MS) {
        say_stopping(s);
        return;
    }
    s->drain_due = s->heard + DRAIN_GRACE_MS;
    session_set_deadline(s);
}
