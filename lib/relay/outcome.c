#include "outcome.h"

#include "relay.h"

#include <assert.h>
#include <string.h>

/* Where outcome_reply_naming puts the domain. */
#define NAMED "(domain)"

static const struct {
    const char *reason;
    unsigned code;
    const char *text;
} outcomes[] = {
    [OUTCOME_SRS_HASH] = { "srs-hash", 550, "5.7.1 Invalid SRS address" },
    [OUTCOME_SRS_SHORT] = { "srs-short", 550, "5.7.1 Invalid SRS address" },
    [OUTCOME_SRS_MALFORMED] = { "srs-malformed", 550,
                                "5.7.1 Invalid SRS address" },
    [OUTCOME_SRS_EXPIRED] = { "srs-expired", 550, "5.1.6 Expired SRS address" },
    [OUTCOME_SRS_NOT_NULL] = { "srs-not-null", 550,
                               "5.7.1 SRS address accepts bounces only" },
    [OUTCOME_SRS_SENDER] = { "srs-sender", 550,
                             "5.7.1 Sender address is not one of ours" },
    [OUTCOME_SRS_LIMIT] = { "srs-limit", 451,
                            "4.7.1 SRS addresses not accepted now" },
    [OUTCOME_SENDER_TOO_LONG] = { "srs-too-long", 550,
                                  "5.1.7 Sender address too long to forward" },
    [OUTCOME_ALIAS_REJECT] = { "alias-reject", 550, "5.1.1 Address rejected" },
    [OUTCOME_ALIAS_DEFER] = { "alias-defer", 450, "4.2.1 Address deferred" },
    [OUTCOME_ALIAS_CAPTURE] = { "alias-capture", 550,
                                "5.1.3 Bad recipient address syntax" },
    [OUTCOME_ALIAS_LOOP] = { "alias-loop", 451, "4.3.0 Alias lookup failed" },
    [OUTCOME_ALIAS_TARGETS] = { "alias-targets", 451,
                                "4.3.0 Alias lookup failed" },
    [OUTCOME_TABLE_ERROR] = { "table-error", 451, "4.3.0 Alias lookup failed" },
    [OUTCOME_UNKNOWN_RECIPIENT] = { "unknown-recipient", 550,
                                    "5.1.1 User unknown" },
    [OUTCOME_TOO_MANY_RECIPIENTS] = { "too-many-recipients", 452,
                                      "4.5.3 Error: too many recipients" },
    [OUTCOME_OWN_NAME] = { "own-name", 550,
                           "5.7.1 " NAMED " is ours: mail of its name from "
                           "outside has to be authenticated" },
    [OUTCOME_AUTH_TROUBLE] = { "auth-trouble", 451,
                               "4.4.3 DNS trouble while "
                               "authenticating " NAMED },
    [OUTCOME_BAD_CONTENT] = { "bad-content", 550,
                              "5.6.0 Error: bare LF or NUL in message" },
    [OUTCOME_TOO_BIG] = { "too-big", 552, "5.3.4 Message size exceeds limit" },
    [OUTCOME_HEADER_TOO_BIG] = { "header-too-big", 552,
                                 "5.3.4 Message header exceeds "
                                 "limit" },
    [OUTCOME_HOPS] = { "hops", 554, "5.4.6 Mail forwarding loop" },
    [OUTCOME_AUTO_REPLY] = { "auto-reply", 550,
                             "5.7.1 Auto-reply to its own author: it would go "
                             "round" },
    [OUTCOME_LOOP] = { "loop", 554, "5.4.6 Mail forwarding loop" },
    [OUTCOME_NO_UTF8] = { "no-smtputf8", 550,
                          "5.6.7 Next hop does not support SMTPUTF8" },
    [OUTCOME_SPOOL_FULL] = { "spool-full", 452,
                             "4.3.1 Insufficient system storage" },
    [OUTCOME_SPOOL_FAILED] = { "spool-failed", 451,
                               "4.3.0 Temporary internal failure" },
    [OUTCOME_STORE_FULL] = { "store-full", 451,
                             "4.3.1 Insufficient system storage" },
    [OUTCOME_STORE_FAILED] = { "store-failed", 451,
                               "4.3.0 Temporary internal failure" },
    [OUTCOME_NO_MEMORY] = { "no-memory", 451,
                            "4.3.0 Temporary internal failure" },
    [OUTCOME_KEY] = { "key", 451, "4.7.5 Signing key unavailable" },
    [OUTCOME_UPSTREAM_DOWN] = { "upstream-down", 451,
                                "4.4.1 Next hop unavailable" },
    [OUTCOME_UPSTREAM_LOST] = { "upstream-lost", 451,
                                "4.4.2 Next hop connection lost" },
    [OUTCOME_UPSTREAM_GARBLED] = { "upstream-garbled", 451,
                                   "4.5.0 Next hop protocol error" },
    [OUTCOME_UPSTREAM_TIMEOUT] = { "upstream-timeout", 451,
                                   "4.4.2 Next hop timed out" },
    [OUTCOME_PARTLY] = { "partly", 451, "4.4.2 Partly delivered, try again" },
    [OUTCOME_OVERLOADED] = { "overloaded", 451, "4.3.2 Service overloaded" },
    [OUTCOME_STOPPING] = { "stopping", 421, "4.3.2 Service shutting down" },
    [OUTCOME_CLIENT_TIMEOUT] = { "client-timeout", 421,
                                 "4.4.2 Error: timeout exceeded" },
    [OUTCOME_UPSTREAM_REPLY] = { "upstream", 0, "" },
    [OUTCOME_CLIENT_GONE] = { "client-gone", 0, "" },
    [OUTCOME_RESET] = { "reset", 0, "" },
    [OUTCOME_NONE] = { "none", 0, "" },
};
enum {
    OUTCOMES = sizeof(outcomes) / sizeof(outcomes[0])
};

struct smtp_reply
outcome_reply(enum outcome outcome)
{
    assert(outcomes[outcome].code != 0);
    return (struct smtp_reply){ outcomes[outcome].code,
                                slice_from(outcomes[outcome].text) };
}

struct smtp_reply
outcome_reply_naming(enum outcome outcome, struct slice domain,
                     struct arena *arena)
{
    struct smtp_reply reply = outcome_reply(outcome);
    const char *mark = strstr(outcomes[outcome].text, NAMED);
    struct slice text = reply.text;

    assert(mark != NULL);
    size_t before = (size_t)(mark - text.ptr);
    size_t behind = text.len - before - strlen(NAMED);
    char *named = arena_try(arena, before + domain.len + behind);
    if (named == NULL || domain.len == 0)
        return reply;
    memcpy(named, text.ptr, before);
    memcpy(named + before, domain.ptr, domain.len);
    memcpy(named + before + domain.len, mark + strlen(NAMED), behind);
    reply.text = (struct slice){ named, before + domain.len + behind };
    return reply;
}

const char *
outcome_reason(enum outcome outcome)
{
    return outcomes[outcome].reason;
}

struct smtp_reply
outcome_relayed(struct smtp_reply upstream)
{
    if (upstream.code == 421)
        upstream.code = 451;
    if (upstream.code == 521)
        upstream.code = 550;
    return upstream;
}

size_t
relay_outcome_count(void)
{
    return OUTCOMES;
}

const char *
relay_outcome_reason(size_t index)
{
    return index < OUTCOMES ? outcomes[index].reason : "none";
}

struct smtp_reply
relay_outcome_reply(size_t index)
{
    if (index >= OUTCOMES)
        return (struct smtp_reply){ 0 };
    return (struct smtp_reply){ outcomes[index].code,
                                slice_from(outcomes[index].text) };
}
