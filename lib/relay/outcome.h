/*
 * What can become of a command or a message by our own decision, and the one
 * table of the replies that say so. Only outcome.c knows reply codes.
 */
#ifndef ONWARD_RELAY_OUTCOME_H
#define ONWARD_RELAY_OUTCOME_H

#include "smtp.h"

enum outcome {
    OUTCOME_SRS_HASH,
    OUTCOME_SRS_SHORT,
    OUTCOME_SRS_MALFORMED,
    OUTCOME_SRS_EXPIRED,
    OUTCOME_SRS_NOT_NULL,
    OUTCOME_SRS_SENDER, /* at our SRS domain, but not made by us */
    OUTCOME_SRS_LIMIT,
    OUTCOME_SENDER_TOO_LONG,
    OUTCOME_ALIAS_REJECT,
    OUTCOME_ALIAS_DEFER,
    OUTCOME_ALIAS_CAPTURE,
    OUTCOME_ALIAS_LOOP,
    OUTCOME_ALIAS_TARGETS,
    OUTCOME_TABLE_ERROR,
    OUTCOME_UNKNOWN_RECIPIENT,
    OUTCOME_TOO_MANY_RECIPIENTS,
    OUTCOME_OWN_NAME,     /* see outcome_reply_naming */
    OUTCOME_AUTH_TROUBLE, /* likewise */
    OUTCOME_BAD_CONTENT,
    OUTCOME_TOO_BIG,
    OUTCOME_HEADER_TOO_BIG,
    OUTCOME_HOPS,
    OUTCOME_LOOP,
    OUTCOME_AUTO_REPLY,
    OUTCOME_NO_UTF8,
    OUTCOME_SPOOL_FULL,
    OUTCOME_SPOOL_FAILED,
    OUTCOME_STORE_FULL,
    OUTCOME_STORE_FAILED,
    OUTCOME_NO_MEMORY,
    OUTCOME_KEY,
    OUTCOME_UPSTREAM_DOWN,
    OUTCOME_UPSTREAM_LOST,
    OUTCOME_UPSTREAM_GARBLED,
    OUTCOME_UPSTREAM_TIMEOUT,
    OUTCOME_PARTLY,
    OUTCOME_OVERLOADED,
    OUTCOME_STOPPING,
    OUTCOME_CLIENT_TIMEOUT,
    /* Words for the log alone. */
    OUTCOME_UPSTREAM_REPLY, /* upstream's own refusal */
    OUTCOME_CLIENT_GONE,
    OUTCOME_RESET, /* RSET, EHLO or QUIT within a transaction */
    OUTCOME_NONE,
};

struct smtp_reply outcome_reply(enum outcome outcome);
/* The same for outcomes whose text names a domain; in the arena. Without memory
 * it is the text with no name. */
struct smtp_reply outcome_reply_naming(enum outcome outcome,
                                       struct slice domain,
                                       struct arena *arena);
const char *outcome_reason(enum outcome outcome);

/* The reply as it may be shown: 421 and 521 would make a Postfix front drop
 * its client, so they become 451 and 550. The text stays. */
struct smtp_reply outcome_relayed(struct smtp_reply upstream);

#endif
