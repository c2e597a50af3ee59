#include "expand.h"

#include <string.h>

static void
refuse_with(struct expand *e, enum outcome outcome, struct smtp_reply reply)
{
    e->fate = RELAY_REFUSE;
    e->outcome = outcome;
    e->reply = reply;
    e->target_count = 0;
    if (e->item != NULL)
        e->detail = e->item->path.text;
    e->stage = EXPAND_FINISHED;
}

void
expand_refuse(struct expand *e, enum outcome outcome)
{
    refuse_with(e, outcome, outcome_reply(outcome));
}

/* Room for one more element, doubling; the old ones stay where they are in
 * the arena until the transaction ends. */
static void *
grow(struct arena *arena, void *old, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return old;
    size_t more = *room == 0 ? 4 : *room * 2;
    void *grown = arena_try(arena, more * size);
    if (grown == NULL)
        return NULL;
    if (count != 0)
        memcpy(grown, old, count * size);
    *room = more;
    return grown;
}

static bool
add_step(struct expand *e, struct slice rule, struct slice origin)
{
    struct relay_step *steps =
        grow(e->arena, e->steps, e->step_count, &e->step_room, sizeof(*steps));
    if (steps == NULL)
        return false;
    e->steps = steps;
    steps[e->step_count++] = (struct relay_step){
        .address = e->item->path.text,
        .rule = rule,
        .origin = origin,
        .depth = e->item->depth,
    };
    return true;
}

/* The item needs no further rewriting: it is what upstream will see. */
static void
add_target(struct expand *e, bool leaves)
{
    struct expand_item *first = addresses_find(&e->met, e->item->address);

    e->stage = EXPAND_NEXT;
    if (first->is_target)
        return;
    first->is_target = true;
    if (e->target_count == e->conf->forward.max_targets) {
        expand_refuse(e, OUTCOME_ALIAS_TARGETS);
        return;
    }
    struct relay_target *targets = grow(e->arena, e->targets, e->target_count,
                                        &e->target_room, sizeof(*targets));
    if (targets == NULL) {
        expand_refuse(e, OUTCOME_NO_MEMORY);
        return;
    }
    e->targets = targets;
    targets[e->target_count++] = (struct relay_target){
        .path = e->item->path,
        .leaves = leaves,
        .came_home = e->item->reversals != 0,
        .reverse_path = e->reverse_path->text,
    };
}

static struct expand_item *
new_item(struct expand *e, const struct smtp_path *path)
{
    struct expand_item *item = arena_try(e->arena, sizeof(*item));

    if (item == NULL)
        return NULL;
    item->address = path->text;
    item->path = *path;
    item->parent = e->item;
    if (addresses_find(&e->met, item->address) == NULL &&
        !addresses_add(&e->met, &item->address))
        return NULL;
    e->items++;
    if (e->item != NULL) {
        item->depth = e->item->depth;
        item->reversals = e->item->reversals;
        item->rewritten = true;
    }
    return item;
}

void
expand_start(struct expand *e)
{
    e->fate = RELAY_PASS;
    e->stage = EXPAND_NEXT;
    e->item = NULL;
    e->ahead = new_item(e, e->recipient);
    if (e->ahead == NULL)
        expand_refuse(e, OUTCOME_NO_MEMORY);
}

void
expand_end(struct expand *e)
{
    addresses_free(&e->met);
}

/* ---- SRS addresses of ours ---- */

static void
refuse_srs(struct expand *e, enum srs_status status)
{
    switch (status) {
    case SRS_EXPIRED:
        expand_refuse(e, OUTCOME_SRS_EXPIRED);
        return;
    case SRS_HASH_BAD:
        expand_refuse(e, OUTCOME_SRS_HASH);
        return;
    case SRS_HASH_SHORT:
        expand_refuse(e, OUTCOME_SRS_SHORT);
        return;
    case SRS_NO_MEMORY:
        expand_refuse(e, OUTCOME_NO_MEMORY);
        return;
    case SRS_OK:
    case SRS_NULL_SENDER:
    case SRS_OUR_DOMAIN:
    case SRS_NOT_SRS:
    case SRS_SYNTAX:
    case SRS_TOO_LONG:
        break;
    }
    expand_refuse(e, OUTCOME_SRS_MALFORMED);
}

/* What an SRS address stood for goes on as an item of its own: it may be an
 * alias of ours, or an SRS address of ours once more (SRS1 to ourselves). */
static void
go_on_reversed(struct expand *e, struct slice original)
{
    struct smtp_path path;

    if (!smtp_address_parse(original, e->arena, &path)) {
        expand_refuse(e, OUTCOME_SRS_MALFORMED);
        return;
    }
    struct expand_item *item = new_item(e, &path);
    if (item == NULL || !add_step(e, SLICE_OF("srs"), SLICE_OF(""))) {
        expand_refuse(e, OUTCOME_NO_MEMORY);
        return;
    }
    item->reversals++;
    item->next = e->ahead;
    e->ahead = item;
    e->reversed = true;
    /* From outside only bounces come back to SRS addresses. Other servers'
     * sender verification asks with a sender of its own and never sends DATA:
     * it is told the truth at RCPT, the mail would be refused at DATA. Our own
     * users may answer to one, as they do when they answer to all. */
    if (e->role == CONF_INBOUND && !e->conf->srs.accept_any &&
        !smtp_path_is_null(e->reverse_path))
        e->not_null = true;
    e->stage = EXPAND_NEXT;
}

/*
 * PostSRSd and Mail::SRS leave the quotes of a sender in mid-atom,
 * SRS0=h=ts=d="a b"@f. As a path that is content with quotes in it, so what
 * proves to be theirs is read once more as they wrote it.
 */
static enum srs_status
reverse(struct expand *e, struct buf *original)
{
    const struct smtp_path *path = &e->item->path;
    struct srs_found found;
    enum srs_status status =
        srs_reverse(e->conf->srs.srs, e->now, path->text, original, &found);
    struct buf theirs = { 0 };

    if (status != SRS_OK || !found.classic || found.kind != 0 ||
        path->local.ptr[path->local.len - 1] != '"')
        return status;
    buf_clear(original);
    if (buf_try_append(&theirs, path->local) &&
        buf_try_append(&theirs, SLICE_OF("@")) &&
        buf_try_append(&theirs, path->domain))
        status = srs_reverse(e->conf->srs.srs, e->now, buf_slice(&theirs),
                             original, NULL);
    else
        status = SRS_NO_MEMORY;
    buf_free(&theirs);
    return status;
}

static void
judge_srs(struct expand *e)
{
    struct buf original = { 0 };
    char key[SRS_TOKEN_KEY];

    if (e->guesses != NULL &&
        srs_guesses_block(e->guesses, e->now, e->conf->srs.max_failures,
                          e->item->path.local)) {
        expand_refuse(e, OUTCOME_SRS_LIMIT);
        return;
    }
    if (e->item->reversals >= 2) {
        expand_refuse(e, OUTCOME_SRS_MALFORMED);
        return;
    }
    e->counts.srs_tried = true;
    enum srs_status status =
        srs_token_reverse(e->conf->srs.srs, e->now, e->item->path.text, key);
    if (status == SRS_OK) {
        e->counts.srs = SRS_OK;
        struct slice copy;
        if (!arena_try_copy(e->arena, (struct slice){ key, sizeof(key) },
                            &copy)) {
            expand_refuse(e, OUTCOME_NO_MEMORY);
            return;
        }
        e->store = (struct relay_store_query){ .key = copy };
        e->stage = EXPAND_TOKEN;
        return;
    }
    if (status == SRS_NOT_SRS)
        status = reverse(e, &original);
    e->counts.srs = status;
    if (status == SRS_OK)
        go_on_reversed(e, buf_slice(&original));
    else
        refuse_srs(e, status);
    if (status != SRS_OK && status != SRS_NO_MEMORY && e->guesses != NULL)
        srs_guesses_add(e->guesses, e->conf->srs.srs, e->now,
                        e->item->path.text);
    buf_free(&original);
}

static void
on_token(struct expand *e, const struct table_answer *answer)
{
    switch (answer->status) {
    case TABLE_FOUND:
        go_on_reversed(e, answer->value);
        return;
    case TABLE_MISS:
        /* The token is genuine, so we had it: its entry has been dropped. */
        expand_refuse(e, OUTCOME_SRS_EXPIRED);
        return;
    case TABLE_ASK:
    case TABLE_BUSY:
    case TABLE_ERROR:
        break;
    }
    expand_refuse(e, OUTCOME_TABLE_ERROR);
}

/* ---- aliases ---- */

static bool
holds(const struct expand_item *item, const struct smtp_path *path)
{
    for (; item != NULL; item = item->parent)
        if (smtp_path_equal(&item->path, path))
            return true;
    return false;
}

/* A target needs at most as many aliases as the depth allows. */
static bool
is_too_large(const struct expand *e)
{
    return e->items >
           (e->conf->forward.max_targets + (size_t)1) * (EXPAND_DEPTH + 1);
}

static void
follow(struct expand *e, const struct alias_hit *hit)
{
    struct expand_item *first = NULL, **last = &first;

    if (e->item->depth >= EXPAND_DEPTH) {
        expand_refuse(e, OUTCOME_ALIAS_LOOP);
        return;
    }
    for (size_t i = 0; i < hit->target_count; i++) {
        const struct smtp_path *target = &hit->targets[i];
        bool identity = smtp_path_equal(target, &e->item->path);
        if (!identity && holds(e->item->parent, target)) {
            expand_refuse(e, OUTCOME_ALIAS_LOOP);
            return;
        }
        /* Aliases that meet again further down are followed once. */
        if (!identity && addresses_find(&e->met, target->text) != NULL)
            continue;
        struct expand_item *item = is_too_large(e) ? NULL : new_item(e, target);
        if (item == NULL) {
            expand_refuse(e, is_too_large(e) ? OUTCOME_ALIAS_TARGETS
                                             : OUTCOME_NO_MEMORY);
            return;
        }
        item->depth++;
        item->identity = identity;
        /* A copy that stays has not become another address. */
        if (identity)
            item->rewritten = e->item->rewritten;
        *last = item;
        last = &item->next;
    }
    *last = e->ahead;
    e->ahead = first;
    e->stage = EXPAND_NEXT;
}

static void
on_alias_hit(struct expand *e, const struct alias_hit *hit)
{
    struct smtp_reply reply;

    if (!add_step(e, hit->rule, hit->origin)) {
        expand_refuse(e, OUTCOME_NO_MEMORY);
        return;
    }
    e->from_alias = true;
    switch (hit->action) {
    case ALIAS_FORWARD:
        follow(e, hit);
        return;
    case ALIAS_DISCARD:
        e->discarded = true;
        e->stage = EXPAND_NEXT;
        return;
    case ALIAS_REJECT:
        if (smtp_reply_parse_setting(hit->reply, &reply))
            refuse_with(e, OUTCOME_ALIAS_REJECT, reply);
        else
            expand_refuse(e, OUTCOME_ALIAS_REJECT);
        return;
    case ALIAS_DEFER:
        if (smtp_reply_parse_setting(hit->reply, &reply))
            refuse_with(e, OUTCOME_ALIAS_DEFER, reply);
        else
            expand_refuse(e, OUTCOME_ALIAS_DEFER);
        return;
    }
}

static enum expand_status
find_alias(struct expand *e, const struct table_answer *answer)
{
    struct alias_hit hit = { 0 };

    switch (alias_find(&e->conf->forward.aliases, &e->item->path, &e->cursor,
                       answer, e->arena, &hit, &e->query)) {
    case ALIAS_HIT:
        on_alias_hit(e, &hit);
        break;
    case ALIAS_NONE:
        e->cursor = (struct alias_cursor){ 0 };
        e->stage = EXPAND_LOCAL;
        break;
    case ALIAS_ASK:
        return EXPAND_ASK;
    case ALIAS_BUSY:
        return EXPAND_BUSY;
    case ALIAS_ERROR:
        expand_refuse(e, OUTCOME_TABLE_ERROR);
        break;
    case ALIAS_BAD_CAPTURE:
        expand_refuse(e, OUTCOME_ALIAS_CAPTURE);
        break;
    }
    return EXPAND_DONE;
}

/* ---- local or not ---- */

/*
 * Is the domain one of local_domains? *ours is set when EXPAND_DONE is
 * returned and the stage has not become EXPAND_FINISHED.
 */
enum expand_status
expand_find_local(struct expand *e, struct slice domain,
                  const struct table_answer *answer, bool *ours)
{
    struct slice ascii, value;

    *ours = false;
    switch (smtp_domain_read(domain, e->arena, &ascii)) {
    case SMTP_DOMAIN_OK:
        break;
    case SMTP_DOMAIN_BAD: /* a literal, or none: no domain of ours */
        return EXPAND_DONE;
    case SMTP_DOMAIN_NO_MEMORY:
        expand_refuse(e, OUTCOME_NO_MEMORY);
        return EXPAND_DONE;
    }
    switch (domain_find(&e->conf->forward.local_domains, ascii, &e->cursor,
                        answer, e->arena, &value, &e->query)) {
    case TABLE_FOUND:
        *ours = true;
        return EXPAND_DONE;
    case TABLE_MISS:
        return EXPAND_DONE;
    case TABLE_ASK:
        return EXPAND_ASK;
    case TABLE_BUSY:
        return EXPAND_BUSY;
    case TABLE_ERROR:
        break;
    }
    expand_refuse(e, OUTCOME_TABLE_ERROR);
    return EXPAND_DONE;
}

/* Does it depend on the sender whether the item stays? A user's mail does not
 * leave by an alias; what our own mailboxes forward (Sieve, .forward, lists)
 * comes by the same listener. */
static bool
may_be_forwarded(const struct expand *e)
{
    return e->role == CONF_OUTBOUND && e->conf->srs.enabled &&
           e->conf->srs.submitted && !e->item->rewritten &&
           !e->item->identity && !smtp_path_is_null(e->reverse_path);
}

static enum expand_status
decide_local(struct expand *e, const struct table_answer *answer)
{
    bool ours;

    /* A bare postmaster has no domain: it is this host's. */
    if (e->item->path.domain.len == 0) {
        add_target(e, false);
        return EXPAND_DONE;
    }
    /* What nothing has rewritten stays, unless it claims our SRS domain. */
    bool srs = conf_is_srs_domain(e->conf, e->item->path.domain);
    bool forwarded = may_be_forwarded(e) && !srs;
    if (forwarded && *e->sender == EXPAND_SENDER_UNKNOWN) {
        e->stage = EXPAND_SUBMITTER;
        return EXPAND_DONE;
    }
    forwarded = forwarded && *e->sender == EXPAND_SENDER_FOREIGN;
    if (!forwarded && !e->item->rewritten && (!srs || e->item->identity)) {
        add_target(e, false);
        return EXPAND_DONE;
    }
    enum expand_status status =
        expand_find_local(e, e->item->path.domain, answer, &ours);
    if (status != EXPAND_DONE || e->stage == EXPAND_FINISHED)
        return status;
    if (srs && !ours)
        expand_refuse(e, OUTCOME_UNKNOWN_RECIPIENT);
    else
        add_target(e, (e->item->rewritten || forwarded) && !ours);
    return EXPAND_DONE;
}

/* ---- the machine ---- */

static bool
anything_leaves(const struct expand *e)
{
    for (size_t i = 0; i < e->target_count; i++)
        if (e->targets[i].leaves)
            return true;
    return false;
}

static void
next_item(struct expand *e)
{
    e->cursor = (struct alias_cursor){ 0 };
    e->item = e->ahead;
    if (e->item != NULL) {
        e->ahead = e->item->next;
        e->stage = e->item->identity ? EXPAND_LOCAL : EXPAND_SRS;
        return;
    }
    if (e->target_count == 0 && e->discarded) {
        e->fate = RELAY_DISCARD;
        e->stage = EXPAND_FINISHED;
        return;
    }
    e->fate = e->reversed     ? RELAY_REVERSE
              : e->from_alias ? RELAY_FORWARD
                              : RELAY_PASS;
    e->stage = anything_leaves(e) && e->conf->srs.enabled ? EXPAND_MAP
                                                          : EXPAND_FINISHED;
}

enum expand_status
expand_step(struct expand *e, const struct table_answer *answer)
{
    for (;;) {
        enum expand_status status = EXPAND_DONE;
        /* An answer belongs to the stage that asked, and to it alone. */
        const struct table_answer *given = answer;
        answer = NULL;

        switch (e->stage) {
        case EXPAND_NEXT:
            next_item(e);
            break;
        case EXPAND_SRS:
            if (conf_is_srs_domain(e->conf, e->item->path.domain) &&
                srs_has_tag(e->item->path.local))
                judge_srs(e);
            else
                e->stage = EXPAND_ALIAS;
            break;
        case EXPAND_TOKEN:
            if (given == NULL)
                return EXPAND_STORE;
            on_token(e, given);
            break;
        case EXPAND_ALIAS:
            status = find_alias(e, given);
            break;
        case EXPAND_SUBMITTER:
            status = expand_judge_submitter(e, given);
            break;
        case EXPAND_LOCAL:
            status = decide_local(e, given);
            break;
        case EXPAND_MAP:
            status = expand_find_srs_domain(e, given);
            break;
        case EXPAND_SENDER:
            status = expand_judge_sender(e, given);
            break;
        case EXPAND_REWRITE:
            expand_rewrite_sender(e);
            break;
        case EXPAND_STORED:
            if (given == NULL)
                return EXPAND_STORE;
            expand_on_stored(e, given);
            break;
        case EXPAND_FINISHED:
            return EXPAND_DONE;
        }
        if (status != EXPAND_DONE)
            return status;
    }
}
