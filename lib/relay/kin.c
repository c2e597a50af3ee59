#include "kin.h"

/* A name and its parents up to the registrable domain are asked for, of longer
 * ones the name and so many of its parents. */
enum {
    PARENTS_MAX = 6
};

static bool
has_tables(const struct conf *conf)
{
    const struct domain_list *local = &conf->forward.local_domains;

    for (size_t i = 0; i < local->count; i++)
        if (local->entries[i].table != NULL)
            return true;
    return false;
}

/* The parent of a name that is not above `top`, which it ends with; empty:
 * there is none. */
static struct slice
parent_within(struct slice name, struct slice top)
{
    if (name.len <= top.len)
        return (struct slice){ 0 };
    return slice_tail(name, slice_find(name, '.') + 1);
}

static size_t
count_labels(struct slice name)
{
    size_t labels = 0;

    for (; name.len != 0; labels++)
        slice_cut(&name, '.');
    return labels;
}

/* The name to ask for behind `at`: its parent, but parents in the middle of a
 * very long name are stepped over. */
static struct slice
next_name(struct slice at, struct slice top)
{
    struct slice next = parent_within(at, top);
    size_t above = count_labels(top) + PARENTS_MAX - 1;

    while (count_labels(next) > above)
        next = parent_within(next, top);
    return next;
}

/*
 * Does a table of local_domains hold the domain or a parent of it, up to top?
 * *found is set when EXPAND_DONE comes back and kin->outcome is still none.
 */
static enum expand_status
ask_tables(struct kin *kin, struct slice domain, struct slice top,
           const struct table_answer *answer, bool *found)
{
    struct slice value;

    *found = false;
    if (kin->at.len == 0)
        kin->at = domain;
    while (kin->at.len != 0) {
        switch (domain_find(&kin->conf->forward.local_domains, kin->at,
                            &kin->cursor, answer, kin->arena, &value,
                            &kin->query)) {
        case TABLE_FOUND:
            *found = true;
            break;
        case TABLE_MISS:
            break;
        case TABLE_ASK:
            return EXPAND_ASK;
        case TABLE_BUSY:
            return EXPAND_BUSY;
        case TABLE_ERROR:
            kin->outcome = OUTCOME_TABLE_ERROR;
            return EXPAND_DONE;
        }
        answer = NULL;
        kin->cursor = (struct alias_cursor){ 0 };
        kin->at = *found ? (struct slice){ 0 } : next_name(kin->at, top);
    }
    return EXPAND_DONE;
}

/* ---- the stages ---------------------------------------------------------- */

static void
find_below(struct kin *kin)
{
    struct slice author;

    kin->stage = KIN_FINISHED;
    if (kin->role != CONF_OUTBOUND || kin->sender.len == 0 ||
        !has_tables(kin->conf) ||
        mail_from_domain(kin->header, kin->arena, &author) != MAIL_FROM_OK)
        return;
    if (author.len < kin->sender.len &&
        smtp_domain_is_within(kin->sender, author))
        kin->stage = KIN_BELOW;
}

static void
read_message(struct kin *kin)
{
    kin->stage = KIN_FINISHED;
    if (!mail_claims_read(kin->header, kin->text, kin->arena, &kin->claims)) {
        kin->outcome = OUTCOME_NO_MEMORY;
        return;
    }
    if (kin->reverse_path->domain.len != 0 &&
        smtp_domain_read(kin->reverse_path->domain, kin->arena, &kin->sender) ==
            SMTP_DOMAIN_NO_MEMORY) {
        kin->outcome = OUTCOME_NO_MEMORY;
        return;
    }
    if (kin->role == CONF_INBOUND)
        kin->stage = KIN_AUTHORS;
    else
        find_below(kin);
}

static enum expand_status
judge_authors(struct kin *kin, const struct table_answer *answer)
{
    bool tables = has_tables(kin->conf);

    for (; kin->claim < kin->claims.count; kin->claim++) {
        struct slice domain = kin->claims.domains[kin->claim];
        bool ours = conf_in_family(kin->conf, domain);
        if (!ours && tables) {
            enum expand_status status = ask_tables(
                kin, domain, conf_owner(kin->conf, domain), answer, &ours);
            if (status != EXPAND_DONE || kin->outcome != OUTCOME_NONE)
                return status;
            answer = NULL;
        }
        kin->ours[kin->claim] = ours;
        if (ours && kin->author.len == 0)
            kin->author = domain;
    }
    /* What nobody can list may name anybody. */
    kin->author_ours = kin->author.len != 0 || kin->claims.more;
    kin->stage = kin->author_ours ? KIN_SENDER : KIN_FINISHED;
    return EXPAND_DONE;
}

static enum expand_status
judge_sender(struct kin *kin, const struct table_answer *answer)
{
    bool ours = kin->reverse_path->domain.len == 0;
    enum expand_status status = EXPAND_DONE;
    struct slice owner = { 0 };

    if (kin->sender.len != 0)
        owner = conf_owner(kin->conf, kin->sender);
    for (size_t i = 0; !ours && owner.len != 0 && i < kin->claims.count; i++)
        ours =
            kin->ours[i] &&
            slice_equal(owner, conf_owner(kin->conf, kin->claims.domains[i]));
    ours = ours || conf_in_family(kin->conf, kin->sender);
    if (!ours && owner.len != 0 && has_tables(kin->conf))
        status = ask_tables(kin, kin->sender, owner, answer, &ours);
    if (status != EXPAND_DONE)
        return status;
    kin->sender_ours = ours;
    kin->stage = KIN_FINISHED;
    return EXPAND_DONE;
}

/* Is the sender's domain, or one between it and the author's, a mail domain? */
static enum expand_status
judge_below(struct kin *kin, const struct table_answer *answer)
{
    struct slice author, top = kin->sender;
    bool found = false;

    if (mail_from_domain(kin->header, kin->arena, &author) != MAIL_FROM_OK) {
        kin->outcome = OUTCOME_NO_MEMORY;
        return EXPAND_DONE;
    }
    /* The topmost name below the author's domain. */
    for (struct slice up = top; up.len > author.len;
         up = slice_tail(up, slice_find(up, '.') + 1))
        top = up;
    enum expand_status status =
        ask_tables(kin, kin->sender, top, answer, &found);
    if (status != EXPAND_DONE)
        return status;
    kin->sender_lives_below = found;
    kin->stage = KIN_FINISHED;
    return EXPAND_DONE;
}

enum expand_status
kin_step(struct kin *kin, const struct table_answer *answer)
{
    while (kin->outcome == OUTCOME_NONE) {
        enum expand_status status = EXPAND_DONE;

        switch (kin->stage) {
        case KIN_READ:
            read_message(kin);
            break;
        case KIN_AUTHORS:
            status = judge_authors(kin, answer);
            break;
        case KIN_SENDER:
            status = judge_sender(kin, answer);
            break;
        case KIN_BELOW:
            status = judge_below(kin, answer);
            break;
        case KIN_FINISHED:
            return EXPAND_DONE;
        }
        if (status != EXPAND_DONE)
            return status;
        answer = NULL; /* it belonged to the stage that asked */
    }
    return EXPAND_DONE;
}
