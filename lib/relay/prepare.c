#include "session.h"

#include <string.h>

/* ---- what we prepend ---- */

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

/* Whose keys sign the message of this part. False: memory is gone. */
static bool
choose_keys(struct relay_session *s, struct relay_sign_part *part)
{
    struct transaction *tx = s->tx;
    const struct outbound *o = s->outbounds[part->outbound];
    struct relay_signing signing;
    struct relay_signing_input input = {
        .role = s->listener->role,
        .header = &tx->header,
        .reverse_path = tx->mail.reverse_path.text,
        .leaves = o->leaves,
        .srs_domain = o->srs_domain,
        .came_home = o->came_home,
        .own_postfix = tx->own_postfix,
        .own_name = o->own_name,
        .sender_lives_below = tx->kin.sender_lives_below,
    };

    const char *why = relay_choose_keys(s->conf, &input, &s->arena, &signing);
    if (why != NULL && (tx->unsigned_because == NULL || o->leaves))
        tx->unsigned_because = why;
    if (why != NULL)
        return !signing.no_memory;
    part->key_count = signing.key_count;
    memcpy(part->keys, signing.keys, sizeof(part->keys));
    return true;
}

bool
content_prepare(struct relay_session *s, size_t *signatures)
{
    struct transaction *tx = s->tx;
    struct relay_sign_job *job = &tx->job;
    struct relay_sign_part *parts =
        arena_try(&s->arena, s->outbound_count * sizeof(*parts));

    if (parts == NULL)
        return false;
    *job = (struct relay_sign_job){
        .spool = &tx->spool,
        .header = &tx->header,
        .conf = s->conf,
        .now = s->now.wall,
        .parts = parts,
    };
    for (unsigned i = 0; i < s->outbound_count; i++)
        if (outbound_has_wanted(s->outbounds[i]))
            parts[job->part_count++].outbound = i;
    /* A continuation line at the top would continue a field of ours. */
    bool open = (tx->header.oddities & MAIL_LEADING_FOLD) != 0;
    if (!open && !loops_mark(s))
        return false;
    *signatures = 0;
    for (size_t i = 0; i < job->part_count; i++) {
        if (s->listener->role == CONF_OUTBOUND && !open)
            complete_header(s, &parts[i].prepended);
        if (!choose_keys(s, &parts[i]))
            return false;
        *signatures += parts[i].key_count;
    }
    return true;
}

void
content_note_signatures(struct relay_session *s)
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

void
content_take_fields(struct relay_session *s)
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

void
content_free_job(struct relay_session *s)
{
    struct relay_sign_job *job = &s->tx->job;

    for (size_t i = 0; i < job->part_count; i++) {
        buf_free(&job->parts[i].signatures);
        buf_free(&job->parts[i].prepended);
    }
    job->part_count = 0;
}
