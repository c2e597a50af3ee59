/* `srs forward` and `srs reverse` of one address. */
#include "srs_work.h"

#include <unistd.h>

/* ---- which domains are whose -------------------------------------------- */

/* Behind the last "@"; empty if there is none. */
static struct slice
domain_of(struct slice address)
{
    return slice_tail(address, slice_find_last(address, '@') + 1);
}

static bool
is_srs_domain(const struct srs_worker *w, struct slice domain)
{
    return smtp_domain_equal(domain, w->domain) ||
           (w->conf != NULL && conf_is_srs_domain(w->conf, domain));
}

bool
srs_work_is_ours(const struct srs_worker *w, struct slice address)
{
    return is_srs_domain(w, domain_of(address));
}

/* Is the domain in forward.local_domains? Waits for busy and remote tables.
 * False: a table is in trouble. */
static bool
find_local(struct srs_worker *w, struct slice domain, bool *local)
{
    enum {
        BUSY_US = 2000
    };
    struct alias_cursor cursor = { 0 };
    struct table_answer answer;
    const struct table_answer *given = NULL;
    struct table_query query;
    struct slice ascii, value;

    *local = false;
    if (w->conf == NULL || !smtp_domain_to_ascii(domain, &w->arena, &ascii))
        return true;
    for (;;) {
        switch (domain_find(&w->conf->forward.local_domains, ascii, &cursor,
                            given, &w->arena, &value, &query)) {
        case TABLE_FOUND:
            *local = true;
            return true;
        case TABLE_MISS:
            return true;
        case TABLE_ASK:
            answer = cli_ask(NULL, &query, &w->arena);
            given = &answer;
            break;
        case TABLE_BUSY:
            usleep(BUSY_US);
            given = NULL;
            break;
        case TABLE_ERROR:
            return false;
        }
    }
}

/* ---- stored senders ----------------------------------------------------- */

static bool
store_exists(const struct conf *conf)
{
    struct buf path = { 0 };

    buf_printf(&path, "%.*s/senders.lmdb", SLICE_ARG(conf->state_directory));
    bool exists = access(buf_cstr(&path), F_OK) == 0;
    buf_free(&path);
    return exists;
}

const char *
srs_work_stored(struct srs_worker *w, const char *key, struct buf *out)
{
    const struct slice text = { key, SRS_TOKEN_KEY };
    enum table_status status = TABLE_MISS;
    struct buf why = { 0 };

    /* Never made here: it would be root's, and the daemon shut out of it. */
    if (w->senders == NULL && w->conf != NULL && store_exists(w->conf)) {
        w->senders =
            senderstore_open(w->conf->state_directory, SENDERSTORE_ROOM, &why);
        if (w->senders == NULL)
            status = TABLE_ERROR;
    }
    if (w->senders != NULL)
        status = senderstore_get(w->senders, text, out, &why);
    if (status == TABLE_ERROR)
        cli_error("%s", buf_cstr(&why));
    buf_free(&why);
    if (status == TABLE_FOUND)
        return NULL;
    return status == TABLE_ERROR ? "the store of senders cannot be read"
                                 : "a stored sender that is not known here";
}

/* ---- results ------------------------------------------------------------ */

const char *
srs_work_reason(enum srs_status status)
{
    switch (status) {
    case SRS_OK:
    case SRS_NULL_SENDER:
    case SRS_OUR_DOMAIN:
        break;
    case SRS_NOT_SRS:
        return "not an SRS address";
    case SRS_SYNTAX:
        return "malformed";
    case SRS_TOO_LONG:
        return "too long";
    case SRS_HASH_SHORT:
        return "hash too short";
    case SRS_HASH_BAD:
        return "hash does not match";
    case SRS_EXPIRED:
        return "expired";
    case SRS_NO_MEMORY:
        return "out of memory";
    }
    return "not rewritten";
}

void
srs_work_refuse(struct srs_worker *w, const char *reason)
{
    w->refused = true;
    buf_puts(&w->out, "! ");
    buf_puts(&w->out, reason);
}

/* What the daemon would do with a sender whose SRS address, appended at start,
 * is long. Its token is the same whoever makes it; but only the daemon stores
 * it. */
static void
shorten(struct srs_worker *w, struct slice sender, size_t start)
{
    char key[SRS_TOKEN_KEY];
    enum srs_status status;

    switch (w->conf->srs.long_sender) {
    case CONF_LONG_SEND:
        return;
    case CONF_LONG_REJECT:
        w->out.len = start;
        srs_work_refuse(w, "too long: the local part would be over 64 octets");
        return;
    case CONF_LONG_STORE:
        w->out.len = start;
        status =
            srs_token_forward(w->srs, w->now, sender, w->domain, key, &w->out);
        if (status != SRS_OK)
            srs_work_refuse(w, srs_work_reason(status));
        return;
    }
}

void
srs_work_forward(struct srs_worker *w, struct slice sender)
{
    size_t start = w->out.len;
    struct slice domain = domain_of(sender);
    bool local = false;

    if (sender.len == 0) {
        buf_puts(&w->out, "<>");
        return;
    }
    if (!find_local(w, domain, &local)) {
        srs_work_refuse(w, "a table of local_domains cannot be read");
        return;
    }
    /* All SRS domains are ours, not only the one that signs. */
    if (!local && is_srs_domain(w, domain))
        local = true;
    enum srs_status status = srs_forward(w->srs, w->now, sender,
                                         local ? domain : w->domain, &w->out);
    if (status != SRS_OK && status != SRS_OUR_DOMAIN) {
        srs_work_refuse(w, srs_work_reason(status));
        return;
    }
    if (status == SRS_OK && w->conf != NULL &&
        srs_local_length(slice_tail(buf_slice(&w->out), start)) > 64)
        shorten(w, sender, start);
}

/* One step back, appended to out. NULL or why there is none. */
static const char *
reverse_once(struct srs_worker *w, struct slice rcpt, struct buf *out,
             int *kind)
{
    char key[SRS_TOKEN_KEY];
    struct srs_found found = { 0 };
    enum srs_status status = srs_token_reverse(w->srs, w->now, rcpt, key);

    *kind = 0;
    if (status == SRS_OK)
        return srs_work_stored(w, key, out);
    if (status == SRS_NOT_SRS)
        status = srs_reverse(w->srs, w->now, rcpt, out, &found);
    *kind = found.kind;
    return status == SRS_OK ? NULL : srs_work_reason(status);
}

void
srs_work_reverse(struct srs_worker *w, struct slice rcpt)
{
    struct buf first = { 0 };
    int kind;

    if (!srs_work_is_ours(w, rcpt)) {
        srs_work_refuse(w, "not ours");
        return;
    }
    size_t start = w->out.len;
    const char *reason = reverse_once(w, rcpt, &w->out, &kind);
    struct slice result = slice_tail(buf_slice(&w->out), start);
    if (reason == NULL && kind == 1 && srs_work_is_ours(w, result)) {
        /* We were the first forwarder as well: once more, not a third time. */
        buf_append(&first, result);
        w->out.len = start;
        reason = reverse_once(w, buf_slice(&first), &w->out, &kind);
        buf_free(&first);
    }
    if (reason != NULL)
        srs_work_refuse(w, reason);
}
