/*
 * Mail that goes round: messages that have been here, and what tells that of
 * those that leave; auto-replies to their own author.
 */
#include "session.h"

/* ---- has it been here? ---- */

static enum outcome
judge_marks(struct relay_session *s)
{
    struct transaction *tx = s->tx;
    struct mail_loop_marks marks;
    struct mail_loop_key key;

    if (!mail_loop_collect(&tx->header, &marks))
        return OUTCOME_LOOP;
    if (marks.count == 0)
        return OUTCOME_NONE;
    for (const struct recipient *r = tx->recipients; r != NULL; r = r->next) {
        if (!r->alias)
            continue;
        if (!mail_loop_key_make(content_secret(s), r->rcpt.forward_path.text,
                                &key))
            return OUTCOME_NO_MEMORY;
        switch (mail_loop_find(&marks, &key)) {
        case MAIL_LOOP_NONE:
            break;
        case MAIL_LOOP_FOUND:
            return OUTCOME_LOOP;
        case MAIL_LOOP_FAILED:
            return OUTCOME_NO_MEMORY;
        }
    }
    return OUTCOME_NONE;
}

/* ---- auto-replies ---- */

static bool
is_auto_submitted(const struct mail_header *header)
{
    static const struct slice name = SLICE("Auto-Submitted");

    for (size_t i = 0; i < header->count; i++) {
        if (!slice_equal_nocase(mail_header_name(header, i), name))
            continue;
        struct slice word = mail_header_field(header, i).body;
        while (word.len != 0 && (unsigned char)word.ptr[0] <= ' ')
            word = slice_tail(word, 1);
        size_t n = 0;
        while (n < word.len && ascii_is_alnum(word.ptr[n]))
            n++;
        /* RFC 3834, 5: "no", and perhaps parameters and comments. */
        bool ends = n == word.len || word.ptr[n] != '-';
        if (!(ends && slice_equal_nocase(slice_head(word, n), SLICE_OF("no"))))
            return true;
    }
    return false;
}

/* The only address that the message goes to, if it was rewritten to that. */
static struct slice
only_target(const struct transaction *tx)
{
    const struct offer *found = NULL;

    for (const struct recipient *r = tx->recipients; r != NULL; r = r->next)
        for (const struct offer *f = r->offers; f != NULL; f = f->sibling) {
            if (found != NULL || !r->rewritten)
                return (struct slice){ 0 };
            found = f;
        }
    return found != NULL ? found->address : (struct slice){ 0 };
}

static bool
is_author(const struct mail_header *header, struct slice address)
{
    struct arena arena = { 0 };
    struct buf text = { 0 };
    struct slice local, domain, ascii;
    size_t at = slice_find_last(address, '@');
    bool is = mail_from_mailbox(header, &arena, &local, &domain) &&
              smtp_domain_read(slice_tail(address, at + 1), &arena, &ascii) ==
                  SMTP_DOMAIN_OK &&
              slice_equal(ascii, domain) &&
              buf_try_reserve(&text, 2 * local.len + 2);

    if (is) {
        smtp_local_print(local, &text);
        is = slice_equal_nocase(buf_slice(&text), slice_head(address, at));
    }
    buf_free(&text);
    arena_free(&arena);
    return is;
}

/*
 * A vacation notice that comes back to its author is answered by the next one:
 * its reverse-path is null, so nothing else ends that, and each is a message of
 * its own, so marks do not either.
 */
static bool
is_to_its_author(const struct transaction *tx)
{
    struct slice target;

    if (!smtp_path_is_null(&tx->mail.reverse_path) ||
        !is_auto_submitted(&tx->header))
        return false;
    target = only_target(tx);
    return target.len != 0 && is_author(&tx->header, target);
}

enum outcome
loops_judge(struct relay_session *s)
{
    struct transaction *tx = s->tx;

    if (mail_trace_hops(&tx->header) > s->conf->limits.hops)
        return OUTCOME_HOPS;
    enum outcome outcome = judge_marks(s);
    if (outcome == OUTCOME_NONE && is_to_its_author(tx))
        return OUTCOME_AUTO_REPLY;
    return outcome;
}

/* ---- what leaves ---- */

/*
 * The outbounds that carry a recipient's message, as bits. One whose targets
 * others had named before is of all: each may carry its message round.
 */
static unsigned
outbounds_of(const struct relay_session *s, const struct recipient *r)
{
    unsigned set = 0;

    for (const struct offer *f = r->offers; f != NULL; f = f->sibling)
        set |= 1U << f->outbound->index;
    return set != 0 ? set : (1U << s->outbound_count) - 1;
}

/* The one alias of each outbound's message; of several none is told, since a
 * blind copy must stay blind. */
static void
name_aliases(struct relay_session *s)
{
    const struct recipient *only[OUTBOUNDS_MAX] = { 0 };
    unsigned count[OUTBOUNDS_MAX] = { 0 };
    struct relay_sign_job *job = &s->tx->job;

    for (const struct recipient *r = s->tx->recipients; r != NULL;
         r = r->next) {
        /* Whoever is named beside an alias that leads to him knows of it. */
        if (r->discarded || (!r->alias && r->offers == NULL))
            continue;
        unsigned set = outbounds_of(s, r);
        for (unsigned i = 0; i < s->outbound_count; i++)
            if ((set >> i & 1) != 0) {
                only[i] = r;
                count[i]++;
            }
    }
    for (size_t i = 0; i < job->part_count; i++) {
        struct relay_sign_part *part = &job->parts[i];
        const struct recipient *r = only[part->outbound];
        if (s->outbounds[part->outbound]->leaves &&
            count[part->outbound] == 1 && r->fate == RELAY_FORWARD)
            mail_original_to_print(r->address, s->tx->mail.utf8,
                                   &part->prepended);
    }
}

/* The marks of all aliases, into the parts whose message leaves. False: what
 * would go round for ever must not go without its mark. */
bool
loops_mark(struct relay_session *s)
{
    struct relay_sign_job *job = &s->tx->job;
    struct mail_loop_key key;

    if (s->conf->forward.original_to)
        name_aliases(s);
    for (const struct recipient *r = s->tx->recipients; r != NULL;
         r = r->next) {
        if (!r->alias || r->discarded)
            continue;
        unsigned set = outbounds_of(s, r);
        if (!mail_loop_key_make(content_secret(s), r->rcpt.forward_path.text,
                                &key))
            return false;
        for (size_t i = 0; i < job->part_count; i++) {
            struct relay_sign_part *part = &job->parts[i];
            if ((set >> part->outbound & 1) != 0 &&
                s->outbounds[part->outbound]->leaves &&
                !mail_loop_print(&key, s->shared->unique++, &part->prepended))
                return false;
        }
    }
    return true;
}
