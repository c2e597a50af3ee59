#include "session.h"

#include <stdlib.h>
#include <string.h>

/* ---- addresses as the log may show them ---- */

struct shown { /* what a line needs until it is written */
    struct arena arena;
};

static struct slice
show_address(struct relay_session *s, struct shown *shown, struct slice address)
{
    char token[MAIL_ADDRESS_TOKEN];
    struct buf text = { 0 };
    size_t at = slice_find_last(address, '@');

    if (address.len == 0)
        return address;
    switch (s->conf->log.addresses) {
    case CONF_ADDRESSES_FULL:
        return address;
    case CONF_ADDRESSES_DOMAIN:
        buf_puts(&text, "*");
        break;
    case CONF_ADDRESSES_HASH:
        if (mail_address_token(content_secret(s), address, token))
            buf_append(&text, (struct slice){ token, sizeof(token) });
        break;
    }
    buf_append(&text, slice_tail(address, at));
    struct slice copy = arena_copy(&shown->arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

/* ---- parts of a line ---- */

static void
put_client(struct relay_session *s, struct log_line *line)
{
    struct buf name = { 0 }, address = { 0 };

    xforward_value(&s->server.xforward, XFORWARD_NAME, &name);
    xforward_value(&s->server.xforward, XFORWARD_ADDR, &address);
    if (name.len == 0)
        buf_puts(&name, "unknown");
    if (address.len == 0)
        buf_append(&address, s->peer);
    buf_putc(&name, '[');
    buf_append(&name, buf_slice(&address));
    buf_putc(&name, ']');
    log_value(line, "client", buf_slice(&name));
    buf_free(&name);
    buf_free(&address);
    log_value(line, "listener", s->listener->name);
}

static void
put_reply(struct log_line *line, struct smtp_reply reply)
{
    struct buf text = { 0 };

    if (reply.code == 0)
        return;
    buf_put_number(&text, reply.code);
    do {
        buf_putc(&text, ' ');
        buf_append(&text, slice_cut(&reply.text, '\n'));
    } while (reply.text.len != 0);
    log_value(line, "reply", buf_slice(&text));
    buf_free(&text);
}

static void
begin(struct relay_session *s, struct log_line *line, enum log_level level,
      struct shown *shown)
{
    log_begin(line, &s->shared->log, level,
              (struct slice){ s->id, SESSION_ID });
    put_client(s, line);
    log_address(line, "from",
                show_address(s, shown, s->tx->mail.reverse_path.text));
}

static const char *
status_word(enum relay_result result)
{
    switch (result) {
    case RELAY_ACCEPTED:
        return "sent";
    case RELAY_REJECTED:
        return "rejected";
    case RELAY_DEFERRED:
        return "deferred";
    case RELAY_ABORTED:
        return "aborted";
    case RELAY_DISCARDED:
        return "discarded";
    }
    return "unknown";
}

static void
count_reason(struct relay_session *s, enum outcome outcome)
{
    if (s->counters->reasons != NULL && outcome != OUTCOME_NONE)
        s->counters->reasons[outcome]++;
}

/* ---- lines ---- */

void
journal_recipient(struct relay_session *s, const struct recipient *r,
                  struct smtp_reply reply, enum outcome outcome)
{
    struct shown shown = { 0 };
    struct log_line line;

    count_reason(s, outcome);
    begin(s, &line, LOG_LEVEL_INFO, &shown);
    log_address(&line, "orig_to",
                show_address(s, &shown, r->rcpt.forward_path.text));
    struct slice failed = s->tx->expand.detail;
    if (failed.len != 0 && !slice_equal(failed, r->rcpt.forward_path.text))
        log_address(&line, "to", show_address(s, &shown, failed));
    log_value(&line, "status",
              slice_from(reply.code >= 500 ? "rejected" : "deferred"));
    log_value(&line, "reason", slice_from(outcome_reason(outcome)));
    put_reply(&line, reply);
    log_end(&line, &s->shared->log);
    arena_free(&shown.arena);
}

/* The recipients that count for the line: those that were accepted. */
static void
put_recipients(struct relay_session *s, struct log_line *line,
               struct shown *shown)
{
    size_t room = s->tx->accepted, count = 0;
    struct slice *list = arena_alloc(&shown->arena, room * sizeof(*list));

    for (const struct recipient *r = s->tx->recipients;
         r != NULL && count < room; r = r->next)
        list[count++] = show_address(s, shown, r->address);
    if (count != 0)
        log_addresses(line, "orig_to", list, count, 2);

    count = 0;
    size_t targets = 0;
    for (const struct recipient *r = s->tx->recipients; r != NULL; r = r->next)
        for (const struct offer *f = r->offers; f != NULL; f = f->sibling)
            targets++;
    list = arena_alloc(&shown->arena, targets * sizeof(*list));
    for (const struct recipient *r = s->tx->recipients; r != NULL; r = r->next)
        for (const struct offer *f = r->offers; f != NULL; f = f->sibling)
            list[count++] = show_address(s, shown, f->address);
    if (count != 0)
        log_addresses(line, "to", list, count, 1);
}

static void
put_srs(struct relay_session *s, struct log_line *line, struct shown *shown)
{
    struct slice list[OUTBOUNDS_MAX];
    size_t count = 0;

    for (unsigned i = 0; i < s->outbound_count; i++) {
        const struct outbound *o = s->outbounds[i];
        if (outbound_has_wanted(o) &&
            !slice_equal(o->reverse_path, s->tx->mail.reverse_path.text))
            list[count++] = show_address(s, shown, o->reverse_path);
    }
    if (count != 0)
        log_addresses(line, "srs", list, count, 3);
}

static void
put_dkim(const struct transaction *tx, struct log_line *line)
{
    struct buf none = { 0 };

    if (tx->dkim.len != 0) {
        struct slice words = buf_slice(&tx->dkim);
        log_words(line, "dkim", &words, 1);
        return;
    }
    buf_printf(&none, "none(%s)",
               tx->unsigned_because != NULL ? tx->unsigned_because : "-");
    log_value(line, "dkim", buf_slice(&none));
    buf_free(&none);
}

static void
put_delays(struct relay_session *s, struct log_line *line)
{
    const struct transaction *tx = s->tx;
    struct buf text = { 0 };
    uint64_t parts[] = { tx->content_ended - tx->started,
                         tx->signed_at - tx->content_ended,
                         s->now.ms - tx->signed_at };

    for (size_t i = 0; i < 3; i++) {
        if (i != 0)
            buf_putc(&text, '/');
        buf_put_number(&text, parts[i] / 1000);
        buf_putc(&text, '.');
        for (unsigned tens = 100; tens != 0; tens /= 10)
            buf_putc(&text, (char)('0' + parts[i] / tens % 10));
    }
    log_value(line, "delays", buf_slice(&text));
    buf_free(&text);
}

/* The queue ids, where the reply does not name all that upstream has taken: a
 * message of several transactions, or the client was told 451. */
static void
put_queued(struct relay_session *s, struct log_line *line,
           enum relay_result result)
{
    struct slice list[OUTBOUNDS_MAX];
    size_t count = 0;

    for (unsigned i = 0; i < s->outbound_count; i++) {
        const struct smtp_reply *final = &s->outbounds[i]->final;
        struct slice id = smtp_reply_queue_id(final);
        if (final->code >= 200 && final->code < 300 && id.len != 0)
            list[count++] = id;
    }
    if (count > (result == RELAY_ACCEPTED ? 1 : 0))
        log_words(line, "queued", list, count);
}

static void
tell_observer(struct relay_session *s, enum relay_result result,
              enum outcome outcome)
{
    const struct transaction *tx = s->tx;
    struct relay_summary summary = {
        .id = { s->id, SESSION_ID },
        .listener = s->listener->name,
        .from = tx->mail.reverse_path.text,
        .to = tx->first,
        .recipients = tx->attempts,
        .result = result,
        .octets = tx->content_ended != 0 ? tx->spool.length : 0,
        .at = s->now.wall,
    };

    if (s->shared->on_transaction == NULL)
        return;
    if (result == RELAY_ACCEPTED && tx->signed_at != 0) {
        summary.delivered = true;
        summary.upstream_ms = s->now.ms - tx->signed_at;
    } else if (result != RELAY_DISCARDED && result != RELAY_ACCEPTED) {
        bool refused = tx->accepted == 0 && tx->worst.code != 0;
        summary.reason = outcome_reason(refused ? tx->worst_outcome : outcome);
    }
    s->shared->on_transaction(s->shared->observer, &summary);
}

/* All that follows the lists: however long they are, it stands whole. */
static void
put_end(struct relay_session *s, const struct log_line *line,
        struct log_line *tail, enum relay_result result, enum outcome outcome,
        struct smtp_reply reply)
{
    const struct transaction *tx = s->tx;

    log_begin_tail(tail, line);
    if (tx->content_ended != 0) {
        log_number(tail, "size", tx->received);
        if (tx->dkim.len != 0 || tx->unsigned_because != NULL)
            put_dkim(tx, tail);
        put_delays(s, tail);
        if (s->server.decoder.long_line)
            log_value(tail, "note", SLICE_OF("long-lines"));
    }
    log_value(tail, "status", slice_from(status_word(result)));
    if (result != RELAY_ACCEPTED && result != RELAY_DISCARDED)
        log_value(tail, "reason", slice_from(outcome_reason(outcome)));
    put_queued(s, tail, result);
    put_reply(tail, reply);
}

void
journal_transaction(struct relay_session *s, enum relay_result result,
                    enum outcome outcome, struct smtp_reply reply)
{
    struct transaction *tx = s->tx;
    struct shown shown = { 0 };
    struct log_line line, tail;

    if (tx->told)
        return;
    s->counters->transactions[result]++;
    tell_observer(s, result, outcome);
    /* Its recipients have had their lines, one by one. */
    if (tx->accepted == 0 && tx->worst.code != 0)
        return;
    if (result != RELAY_ACCEPTED && result != RELAY_DISCARDED)
        count_reason(s, outcome);
    /* A probe that ends with RSET or QUIT is nobody's news. */
    begin(s, &line, outcome == OUTCOME_RESET ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
          &shown);
    put_end(s, &line, &tail, result, outcome, reply);
    log_keep_tail(&line, &tail);
    put_srs(s, &line, &shown);
    put_recipients(s, &line, &shown);
    log_append_tail(&line, &tail);
    log_end(&line, &s->shared->log);
    arena_free(&shown.arena);
}

void
journal_srs(struct relay_session *s, const struct expand *e)
{
    struct relay_counters *c = s->counters;

    if (e->counts.sender_guessed)
        c->srs_hash++;
    if (e->counts.srs_rewritten) {
        if (e->counts.srs_stored)
            c->srs_stored++;
        else if (slice_starts_nocase(e->rewritten, SLICE_OF("SRS1")))
            c->srs_srs1++;
        else
            c->srs_srs0++;
        if (srs_local_length(e->rewritten) > 64)
            c->srs_too_long++;
    } else if (e->sender != NULL && *e->sender == EXPAND_SENDER_OURS) {
        c->srs_skipped++;
    }
    if (!e->counts.srs_tried)
        return;
    if (e->counts.srs == SRS_OK) {
        c->srs_ok++;
        return;
    }
    if (e->counts.srs == SRS_EXPIRED)
        c->srs_expired++;
    else if (e->counts.srs == SRS_HASH_BAD || e->counts.srs == SRS_HASH_SHORT)
        c->srs_hash++;
    else
        c->srs_malformed++;
}
