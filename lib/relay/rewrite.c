#include "expand.h"

enum {
    LONGEST_LOCAL_PART = 64
}; /* RFC 5321, 4.5.3.1.1 */

/* ---- the reverse-path of what leaves ---- */

/* The SRS domain goes with the alias that the client named. It is also who
 * signs what leaves, so it is worked out for null reverse-paths as well. */
enum expand_status
expand_find_srs_domain(struct expand *e, const struct table_answer *answer)
{
    struct slice ascii = { 0 }, value = { 0 };
    enum table_status status = TABLE_MISS;

    switch (smtp_domain_read(e->recipient->domain, e->arena, &ascii)) {
    case SMTP_DOMAIN_OK:
        status = domain_find(&e->conf->srs.domain_map, ascii, &e->cursor,
                             answer, e->arena, &value, &e->query);
        break;
    case SMTP_DOMAIN_BAD:
        break;
    case SMTP_DOMAIN_NO_MEMORY:
        expand_refuse(e, OUTCOME_NO_MEMORY);
        return EXPAND_DONE;
    }
    switch (status) {
    case TABLE_FOUND:
        if (smtp_domain_is_valid(value)) {
            e->srs_domain = value;
            break;
        }
        expand_refuse(e, OUTCOME_TABLE_ERROR);
        return EXPAND_DONE;
    case TABLE_MISS:
        /* A bounce keeps to the SRS domain that it came back to. */
        e->srs_domain =
            e->reversed && conf_is_srs_domain(e->conf, e->recipient->domain)
                ? ascii
                : e->conf->srs.domain;
        break;
    case TABLE_ASK:
        return EXPAND_ASK;
    case TABLE_BUSY:
        return EXPAND_BUSY;
    case TABLE_ERROR:
        expand_refuse(e, OUTCOME_TABLE_ERROR);
        return EXPAND_DONE;
    }
    for (size_t i = 0; i < e->target_count; i++)
        if (e->targets[i].leaves)
            e->targets[i].srs_domain = e->srs_domain;
    e->cursor = (struct alias_cursor){ 0 };
    e->stage =
        smtp_path_is_null(e->reverse_path) ? EXPAND_FINISHED : EXPAND_SENDER;
    return EXPAND_DONE;
}

/* Was the sender's address at an SRS domain of ours made by us? Guesses are
 * limited as those at RCPT are: the answer tells as much. */
static void
judge_srs_sender(struct expand *e)
{
    char key[SRS_TOKEN_KEY];
    struct buf original = { 0 };
    struct slice sender = e->reverse_path->text;

    *e->sender = EXPAND_SENDER_FORGED;
    if (!srs_has_tag(e->reverse_path->local))
        return;
    if (e->guesses != NULL &&
        srs_guesses_block(e->guesses, e->now, e->conf->srs.max_failures,
                          e->reverse_path->local)) {
        *e->sender = EXPAND_SENDER_UNKNOWN;
        expand_refuse(e, OUTCOME_SRS_LIMIT);
        return;
    }
    enum srs_status status =
        srs_token_reverse(e->conf->srs.srs, e->now, sender, key);
    if (status == SRS_NOT_SRS)
        status = srs_reverse(e->conf->srs.srs, e->now, sender, &original, NULL);
    buf_free(&original);
    if (status == SRS_OK)
        *e->sender = EXPAND_SENDER_OURS;
    else if (status == SRS_NO_MEMORY)
        *e->sender = EXPAND_SENDER_UNKNOWN;
    else
        e->counts.sender_guessed = true;
    if (e->counts.sender_guessed && e->guesses != NULL)
        srs_guesses_add(e->guesses, e->conf->srs.srs, e->now, sender);
    if (status == SRS_NO_MEMORY)
        expand_refuse(e, OUTCOME_NO_MEMORY);
}

/*
 * Whose is the sender? From our users, one of our domains is theirs. From
 * outside nobody is ours: a stranger may say any name of ours, and gets its
 * bounces by SRS as others do. Only an address that we made ourselves needs no
 * other around it. *e->sender is known when EXPAND_DONE comes back and the
 * stage has not become EXPAND_FINISHED.
 */
static enum expand_status
judge_sender(struct expand *e, const struct table_answer *answer)
{
    struct slice domain = e->reverse_path->domain;
    bool ours = false;

    if (*e->sender != EXPAND_SENDER_UNKNOWN)
        return EXPAND_DONE;
    /* A bare postmaster as sender is ours by RFC 5321, 4.5.1. */
    if (domain.len == 0) {
        *e->sender = EXPAND_SENDER_OURS;
        return EXPAND_DONE;
    }
    bool srs = conf_is_srs_domain(e->conf, domain);
    if (srs && e->role == CONF_OUTBOUND) {
        *e->sender = EXPAND_SENDER_OURS;
        return EXPAND_DONE;
    }
    if (!srs && e->role == CONF_INBOUND) {
        *e->sender = EXPAND_SENDER_FOREIGN;
        return EXPAND_DONE;
    }
    /* An SRS domain may have mailboxes; their addresses are no forgeries. */
    if (!srs || !srs_has_tag(e->reverse_path->local)) {
        enum expand_status status = expand_find_local(e, domain, answer, &ours);
        if (status != EXPAND_DONE || e->stage == EXPAND_FINISHED)
            return status;
    }
    if (e->role == CONF_OUTBOUND)
        *e->sender = ours ? EXPAND_SENDER_OURS : EXPAND_SENDER_FOREIGN;
    else if (ours)
        *e->sender = EXPAND_SENDER_FOREIGN;
    else
        judge_srs_sender(e);
    return EXPAND_DONE;
}

enum expand_status
expand_judge_submitter(struct expand *e, const struct table_answer *answer)
{
    enum expand_status status = judge_sender(e, answer);

    if (status != EXPAND_DONE || e->stage == EXPAND_FINISHED)
        return status;
    e->cursor = (struct alias_cursor){ 0 };
    e->stage = EXPAND_LOCAL;
    return EXPAND_DONE;
}

enum expand_status
expand_judge_sender(struct expand *e, const struct table_answer *answer)
{
    enum expand_status status = judge_sender(e, answer);

    if (status != EXPAND_DONE || e->stage == EXPAND_FINISHED)
        return status;
    switch (*e->sender) {
    case EXPAND_SENDER_UNKNOWN:
    case EXPAND_SENDER_OURS:
        e->stage = EXPAND_FINISHED;
        break;
    case EXPAND_SENDER_FOREIGN:
        e->stage = EXPAND_REWRITE;
        break;
    case EXPAND_SENDER_FORGED:
        expand_refuse(e, OUTCOME_SRS_SENDER);
        break;
    }
    return EXPAND_DONE;
}

static void
set_reverse_path(struct expand *e, struct slice token_key)
{
    for (size_t i = 0; i < e->target_count; i++)
        if (e->targets[i].leaves) {
            e->targets[i].reverse_path = e->rewritten;
            e->targets[i].token_key = token_key;
        }
    e->counts.srs_rewritten = true;
    e->stage = EXPAND_FINISHED;
}

static bool
keep_rewritten(struct expand *e, struct buf *address)
{
    bool ok = arena_try_copy(e->arena, buf_slice(address), &e->rewritten);

    if (!ok)
        expand_refuse(e, OUTCOME_NO_MEMORY);
    return ok;
}

static void
store_sender(struct expand *e)
{
    struct buf address = { 0 };
    char key[SRS_TOKEN_KEY];

    enum srs_status status =
        srs_token_forward(e->conf->srs.srs, e->now, e->reverse_path->text,
                          e->srs_domain, key, &address);
    if (status != SRS_OK) {
        expand_refuse(e, OUTCOME_NO_MEMORY);
    } else if (keep_rewritten(e, &address)) {
        e->store = (struct relay_store_query){
            .what = RELAY_STORE_ROOM,
            .sender = e->reverse_path->text,
        };
        e->stage = EXPAND_STORED;
        if (!arena_try_copy(e->arena, (struct slice){ key, sizeof(key) },
                            &e->store.key))
            expand_refuse(e, OUTCOME_NO_MEMORY);
    }
    buf_free(&address);
}

void
expand_rewrite_sender(struct expand *e)
{
    struct buf address = { 0 };
    enum srs_status status =
        srs_forward(e->conf->srs.srs, e->now, e->reverse_path->text,
                    e->srs_domain, &address);

    if (status == SRS_OUR_DOMAIN || status == SRS_NULL_SENDER) {
        e->stage = EXPAND_FINISHED;
    } else if (status != SRS_OK) {
        /* The path was parsed, so it is an address: memory or OpenSSL. */
        expand_refuse(e, status == SRS_TOO_LONG ? OUTCOME_SENDER_TOO_LONG
                                                : OUTCOME_NO_MEMORY);
    } else if (srs_local_length(buf_slice(&address)) <= LONGEST_LOCAL_PART) {
        if (keep_rewritten(e, &address))
            set_reverse_path(e, SLICE_OF(""));
    } else {
        switch (e->conf->srs.long_sender) {
        case CONF_LONG_SEND:
            if (keep_rewritten(e, &address))
                set_reverse_path(e, SLICE_OF(""));
            break;
        case CONF_LONG_REJECT:
            expand_refuse(e, OUTCOME_SENDER_TOO_LONG);
            break;
        case CONF_LONG_STORE:
            store_sender(e);
            break;
        }
    }
    buf_free(&address);
}

void
expand_on_stored(struct expand *e, const struct table_answer *answer)
{
    struct buf address = { 0 };

    switch (answer->status) {
    case TABLE_FOUND:
        e->counts.srs_stored = true;
        set_reverse_path(e, e->store.key);
        return;
    case TABLE_MISS:
        /* The store is full: better a long sender than none, and better than
         * to forget one whose bounces are still to come. */
        if (srs_forward(e->conf->srs.srs, e->now, e->reverse_path->text,
                        e->srs_domain, &address) != SRS_OK)
            expand_refuse(e, OUTCOME_NO_MEMORY);
        else if (keep_rewritten(e, &address))
            set_reverse_path(e, SLICE_OF(""));
        buf_free(&address);
        return;
    case TABLE_ASK:
    case TABLE_BUSY:
    case TABLE_ERROR:
        break;
    }
    expand_refuse(e, OUTCOME_TABLE_ERROR);
}
