/* The rest of main.cf: domains, routes, and what was there before us. */
#include "misfit_parts.h"

static const char *const classes[] = {
    "mydestination",
    "relay_domains",
    "virtual_mailbox_domains",
    "virtual_alias_domains",
};
enum {
    CLASSES = sizeof(classes) / sizeof(classes[0])
};

enum knowledge {
    KNOWN,
    PERHAPS, /* a table may have it */
    UNKNOWN
};

static enum knowledge
look_for_domain(const struct search *search, struct slice domain)
{
    enum knowledge knowledge = UNKNOWN;

    for (size_t i = 0; i < CLASSES; i++) {
        struct slice list = postconf_value(search->postconf, classes[i]);
        if (postconf_lists(list, domain))
            return KNOWN;
        if (slice_find(list, ':') < list.len ||
            slice_find(list, '/') < list.len)
            knowledge = PERHAPS;
    }
    return knowledge;
}

/* ---- the SRS domains --------------------------------------------------- */

static bool
mentions(struct slice text, struct slice word)
{
    for (size_t at = 0; at + word.len <= text.len; at++)
        if (slice_starts_nocase(slice_tail(text, at), word))
            return true;
    return false;
}

static void
check_srs_domain(struct search *search, struct slice domain)
{
    struct slice maps = postconf_value(search->postconf, "transport_maps");

    if (look_for_domain(search, domain) == UNKNOWN)
        misfit_main(search, MISFIT_ERROR, "relay_domains",
                    misfit_text(search,
                                "the SRS domain %.*s is in no address class: "
                                "bounces are refused with 554",
                                SLICE_ARG(domain)),
                    SLICE_OF("onward setup --apply"));
    if (!mentions(maps, domain) && !misfit_has_table(maps))
        misfit_main(search, MISFIT_WARNING, "transport_maps",
                    misfit_text(search,
                                "no route for the SRS domain %.*s: bounces "
                                "that this Postfix makes itself are not "
                                "reversed",
                                SLICE_ARG(domain)),
                    SLICE_OF("onward setup --apply"));
}

/* relay_recipient_maps that do not know SRS addresses refuse bounces. */
static void
check_srs_recipients(struct search *search)
{
    struct slice relay = postconf_value(search->postconf, "relay_domains");
    struct slice maps =
        postconf_value(search->postconf, "relay_recipient_maps");
    const struct conf *conf = search->conf;

    if (maps.len == 0 || !postconf_lists(relay, conf->srs.domain) ||
        mentions(maps, SLICE_OF(":recipient")) ||
        mentions(maps, SLICE_OF("regexp:")) ||
        mentions(maps, SLICE_OF("pcre:")))
        return;
    for (size_t i = 0; i < search->front_count; i++)
        if (search->fronts[i].role == FRONT_MX &&
            mentions(misfit_of(search, search->fronts[i].service,
                               "virtual_alias_maps"),
                     SLICE_OF(":recipient")))
            return;
    misfit_main(search, MISFIT_ERROR, "relay_recipient_maps",
                misfit_text(search,
                            "%.*s knows no SRS addresses: bounces are refused "
                            "with 550; set socketmap.listen",
                            SLICE_ARG(maps)),
                SLICE_OF("onward setup --apply"));
}

static void
check_local_domains(struct search *search)
{
    const struct domain_list *list = &search->conf->forward.local_domains;

    for (size_t i = 0; i < list->count; i++) {
        struct slice name = list->entries[i].name;
        if (list->entries[i].table == NULL &&
            look_for_domain(search, name) == UNKNOWN)
            misfit_main(search, MISFIT_WARNING, "virtual_mailbox_domains",
                        misfit_text(search,
                                    "%.*s is one of forward.local_domains, "
                                    "and in no address class of this Postfix",
                                    SLICE_ARG(name)),
                        SLICE_OF(""));
    }
}

/* ---- what was there before us ------------------------------------------ */

static bool
is_postsrsd(struct slice list)
{
    static const struct slice words[] = {
        SLICE("tcp:localhost:10001"),
        SLICE("tcp:127.0.0.1:10001"),
        SLICE("tcp:localhost:10002"),
        SLICE("tcp:127.0.0.1:10002"),
        SLICE("srs:forward"),
        SLICE("srs:reverse"),
        SLICE("postsrsd"),
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (mentions(list, words[i]))
            return true;
    return false;
}

static void
check_postsrsd(struct search *search)
{
    static const char *const names[] = { "sender_canonical_maps",
                                         "recipient_canonical_maps" };
    bool mapped = search->back == NULL ||
                  !postconf_lists(misfit_of(search, search->back,
                                            "receive_override_options"),
                                  SLICE_OF("no_address_mappings"));

    for (size_t i = 0; i < 2; i++) {
        struct slice maps = postconf_value(search->postconf, names[i]);
        if (is_postsrsd(maps))
            misfit_main(
                search, mapped ? MISFIT_ERROR : MISFIT_WARNING, names[i],
                misfit_text(search, "%.*s is PostSRSd's: %s", SLICE_ARG(maps),
                            mapped ? "senders are rewritten twice"
                                   : "mail by sendmail(1) still "
                                     "passes it"),
                misfit_text(search, "postconf -X %s", names[i]));
    }
}

static bool
is_dkim(struct slice milters)
{
    static const struct slice words[] = { SLICE("dkim"), SLICE(":8891"),
                                          SLICE(":12301") };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (mentions(milters, words[i]))
            return true;
    return false;
}

static void
check_opendkim(struct search *search)
{
    static const char *const names[] = { "smtpd_milters", "non_smtpd_milters" };

    for (size_t i = 0; i < 2; i++) {
        struct slice milters = postconf_value(search->postconf, names[i]);
        if (is_dkim(milters))
            misfit_main(search, MISFIT_WARNING, names[i],
                        misfit_text(search,
                                    "%.*s looks like OpenDKIM, whose work is "
                                    "ours now",
                                    SLICE_ARG(milters)),
                        misfit_text(search, "postconf -X %s", names[i]));
    }
}

static void
check_pickup(struct search *search)
{
    const struct postconf_service *pickup =
        postconf_service(search->postconf, SLICE_OF("pickup/unix"));
    const struct conf_listener *outbound =
        fronts_smtp_listener(search->conf, FRONT_SUBMISSION);

    if (pickup == NULL || outbound == NULL ||
        misfit_of(search, pickup, "content_filter").len != 0)
        return;
    struct slice there = fronts_nexthop(
        &outbound->address, search->queue_directory, &search->arena);
    misfit_set(search, MISFIT_WARNING, pickup, "content_filter",
               misfit_text(search, "smtp:%.*s", SLICE_ARG(there)).ptr,
               SLICE_OF("mail by sendmail(1), cron and PHP does not come to "
                        "Onward: it is neither forwarded nor signed"));
}

/* Fields that Postfix completes on the way out break signatures. */
static void
check_main(struct search *search)
{
    static const char name[] = "smtpd_forbid_bare_newline";

    if (!postconf_knows(search->postconf, name))
        misfit_main(search, MISFIT_WARNING, name,
                    SLICE_OF("this Postfix does not have it: strangers can "
                             "smuggle messages in before we see them; update "
                             "it"),
                    SLICE_OF(""));
    else if (slice_equal_nocase(postconf_value(search->postconf, name),
                                SLICE_OF("no")))
        misfit_main(search, MISFIT_WARNING, name,
                    SLICE_OF("no: strangers can smuggle messages in before we "
                             "see them"),
                    SLICE_OF("postconf -e 'smtpd_forbid_bare_newline = "
                             "normalize'"));
}

void
misfit_site(struct search *search)
{
    const struct conf *conf = search->conf;

    for (size_t i = 0; conf->srs.enabled && i < conf->srs.domain_count; i++)
        check_srs_domain(search, conf->srs.domains[i]);
    if (conf->srs.enabled)
        check_srs_recipients(search);
    check_local_domains(search);
    check_postsrsd(search);
    check_opendkim(search);
    check_pickup(search);
    check_main(search);
}
