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
    if (slice_equal_nocase(domain, w->domain))
        return true;
    for (size_t i = 0; w->conf != NULL && i < w->conf->srs.domain_count; i++)
        if (slice_equal_nocase(domain, w->conf->srs.domains[i]))
            return true;
    return false;
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
    struct slice made = slice_tail(buf_slice(&w->out), start);
    if (status == SRS_OK && w->conf != NULL &&
        w->conf->srs.long_sender == CONF_LONG_REJECT &&
        srs_local_length(made) > 64) {
        w->out.len = start;
        srs_work_refuse(w, "too long: the local part would be over 64 octets");
    }
}

void
srs_work_reverse(struct srs_worker *w, struct slice rcpt)
{
    char key[SRS_TOKEN_KEY];
    size_t start = w->out.len;
    struct srs_found found;

    if (!srs_work_is_ours(w, rcpt)) {
        srs_work_refuse(w, "not ours");
        return;
    }
    if (srs_token_reverse(w->srs, w->now, rcpt, key) == SRS_OK) {
        srs_work_refuse(w,
                        "a stored sender, which only the daemon can look up");
        return;
    }
    enum srs_status status = srs_reverse(w->srs, w->now, rcpt, &w->out, &found);
    struct slice first = slice_tail(buf_slice(&w->out), start);
    if (status == SRS_OK && found.kind == 1 && srs_work_is_ours(w, first)) {
        /* We were the first forwarder as well: once more, not a third time. */
        struct buf second = { 0 };
        status = srs_reverse(w->srs, w->now, first, &second, NULL);
        w->out.len = start;
        buf_append(&w->out, buf_slice(&second));
        buf_free(&second);
    }
    if (status != SRS_OK)
        srs_work_refuse(w, srs_work_reason(status));
}
