/* Rows about the service that takes mail back from us. */
#include "wanted.h"

/* ---- is it there, and only for us? ------------------------------------- */

bool
back_is_missing(const struct place *p, struct judgement *j)
{
    const struct conf_address *address = &p->site->conf->upstream.address;

    if (p->site->back != NULL) {
        j->setting = p->site->back->id;
        j->sentence = SLICE_OF("is upstream.address, and no smtpd");
        j->refusal =
            site_text(p->site,
                      "upstream.address %.*s is the service %.*s, "
                      "which is no smtpd; choose another port",
                      SLICE_ARG(address->text), SLICE_ARG(p->site->back->id));
        return !slice_equal(p->site->back->command, SLICE_OF("smtpd"));
    }
    if (address->kind == CONF_UNIX || !site_is_loopback(address->host))
        return false; /* another host's, or another program's */
    j->setting = site_text(p->site, "%.*s/inet", SLICE_ARG(address->text));
    j->cure = CURE_SETUP;
    j->sentence = SLICE_OF("upstream.address, where nothing listens: no mail "
                           "that comes to us can go on");
    return true;
}

bool
back_is_a_front(const struct place *p, struct judgement *j)
{
    if (p->site->back == NULL || !site_is_front_port(p->site->back))
        return false;
    j->setting = p->site->back->id;
    j->sentence = SLICE_OF("is upstream.address, and the service where mail "
                           "comes in: it would come to us again; give "
                           "upstream.address a port of its own, such as "
                           "127.0.0.1:10026, in Onward's configuration");
    j->refusal = site_text(p->site,
                           "upstream.address %.*s is %.*s, where mail comes "
                           "in; give it a port of its own, such as "
                           "127.0.0.1:10026",
                           SLICE_ARG(p->site->conf->upstream.address.text),
                           SLICE_ARG(p->site->back->id));
    return true;
}

bool
back_is_exposed(const struct place *p, struct judgement *j)
{
    struct slice name = p->service->name;
    size_t colon = slice_find_last(name, ':');

    j->setting = p->service->id;
    j->sentence = SLICE_OF("the service behind us listens on all addresses, "
                           "not on loopback alone: whoever reaches it passes "
                           "by all checks");
    j->command = site_text(p->site, "postconf -MX %.*s && onward setup --apply",
                           SLICE_ARG(p->service->id));
    return (colon == name.len || colon == 0) && !site_is_front_port(p->service);
}

bool
back_loops(const struct place *p, struct judgement *j)
{
    j->sentence = site_text(p->site, "the service behind us has %.*s: %s",
                            SLICE_ARG(p->value),
                            site_listener(p->site, p->service) != NULL
                                ? "mail comes to us again and again"
                                : "a second proxy filter");
    return p->value.len != 0;
}

bool
back_gives_up(const struct place *p, struct judgement *j)
{
    uint64_t seconds = 0;

    j->sentence = SLICE_OF("its own smtpd_timeout is missing or short: it "
                           "gives up while a slow client still sends, under "
                           "stress after 10 s");
    return !site_has_option(p->service, "smtpd_timeout") ||
           !postconf_seconds(p->value, 's', &seconds) || seconds < 300;
}

struct slice
back_log_name(const struct place *p)
{
    struct slice log = site_value(p->site, "syslog_name");

    if (log.len == 0 || slice_find(log, '$') < log.len)
        log = SLICE_OF("postfix");
    return site_text(p->site, "%.*s/reinject", SLICE_ARG(log));
}

/* ---- what it does a second time ---------------------------------------- */

/* PostSRSd's maps are what we replace. */
static bool
is_postsrsd(struct slice map)
{
    static const struct slice ends[] = { SLICE(":10001"), SLICE(":10002"),
                                         SLICE(":forward"), SLICE(":reverse") };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (slice_ends_nocase(map, ends[i]))
            return true;
    return false;
}

/* Does the site use maps of its own, which must go on working behind us? */
static bool
keeps_mappings(const struct site *site)
{
    static const char *const names[] = {
        "virtual_alias_maps",    "canonical_maps",
        "sender_canonical_maps", "recipient_canonical_maps",
        "masquerade_domains",    "always_bcc",
        "sender_bcc_maps",       "recipient_bcc_maps",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct slice list = site_value(site, names[i]);
        struct slice element;
        while (postconf_next(&list, &element))
            if (!is_postsrsd(element))
                return true;
    }
    return false;
}

struct slice
back_overrides(const struct place *p)
{
    return keeps_mappings(p->site)
               ? SLICE_OF("no_unknown_recipient_checks,no_milters")
               : SLICE_OF("no_unknown_recipient_checks,no_address_mappings,"
                          "no_milters");
}

static bool
overrides(const struct site *site, struct slice word)
{
    return postconf_lists(site_of(site, site->back, "receive_override_options"),
                          word);
}

bool
back_judges_recipients(const struct place *p, struct judgement *j)
{
    j->sentence = SLICE_OF("no_unknown_recipient_checks is missing: "
                           "recipients are judged a second time");
    return !postconf_lists(p->value, SLICE_OF("no_unknown_recipient_checks"));
}

bool
back_runs_milters(const struct place *p, struct judgement *j)
{
    j->sentence = site_text(p->site,
                            "%.*s: runs behind us, after the signature; "
                            "OpenDKIM there signs a second time",
                            SLICE_ARG(p->value));
    return p->value.len != 0 && !overrides(p->site, SLICE_OF("no_milters"));
}

bool
back_maps_addresses(const struct place *p, struct judgement *j)
{
    struct slice name = slice_from(p->row->name);

    j->setting = site_text(p->site, "%.*s/receive_override_options",
                           SLICE_ARG(p->service->id));
    j->sentence =
        slice_equal(name, SLICE_OF("virtual_alias_maps"))
            ? SLICE_OF("virtual_alias_maps are expanded behind us: keep their "
                       "keys apart from Onward's, or the addresses are mapped "
                       "twice")
            : site_text(p->site,
                        "%s maps addresses behind us: keep those that we make "
                        "out of it",
                        p->row->name);
    return p->value.len != 0 &&
           !overrides(p->site, SLICE_OF("no_address_mappings"));
}

/* What port 25 had goes on behind us. */
struct slice
back_content_filter(const struct place *p)
{
    for (size_t i = 0; i < p->site->front_count; i++) {
        const struct postconf_service *front = p->site->fronts[i].service;
        struct slice filter = site_of(p->site, front, "content_filter");
        if (filter.len != 0 && site_listener(p->site, front) != NULL)
            return filter;
    }
    return SLICE_OF("");
}

bool
back_scans_after_us(const struct place *p, struct judgement *j)
{
    j->sentence = site_text(p->site,
                            "%.*s: runs after the signature, which does not "
                            "survive what it changes of the body or of signed "
                            "fields",
                            SLICE_ARG(p->value));
    return p->value.len != 0 && p->site->conf->dkim.key_directory.len != 0;
}

/* ---- sizes and numbers ------------------------------------------------- */

/* The largest message that a front takes: 0 is any. */
static uint64_t
largest_in_front(const struct site *site)
{
    uint64_t most = 0, size;
    bool any = false;

    slice_to_u64(site_value(site, "message_size_limit"), &most);
    for (size_t i = 0; i < site->front_count; i++) {
        const struct postconf_service *front = site->fronts[i].service;
        if (site_listener(site, front) == NULL)
            continue;
        size = site_number(site, front, "message_size_limit");
        any = any || size == 0;
        most = size > most ? size : most;
    }
    return any ? 0 : most;
}

/* With room for what we put on top. */
struct slice
back_message_size(const struct place *p)
{
    uint64_t size = largest_in_front(p->site);

    if (size != 0)
        return site_text(p->site, "%llu", (unsigned long long)size + 65536);
    size = 0;
    slice_to_u64(site_value(p->site, "message_size_limit"), &size);
    return size == 0 ? (struct slice){ 0 } : SLICE_OF("0");
}

/* message_size_limit of an smtpd alone is not enough: cleanup(8) has its
 * own. */
struct slice
back_cleanup(const struct place *p)
{
    return postconf_service(p->site->postfix,
                            SLICE_OF("onward-cleanup/unix")) != NULL
               ? SLICE_OF("onward-cleanup")
               : (struct slice){ 0 };
}

bool
back_has_no_room(const struct place *p, struct judgement *j)
{
    uint64_t least = 0, limit;

    slice_to_u64(p->value, &least);
    limit = p->site->cleanup == NULL
                ? least
                : site_number(p->site, p->site->cleanup, "message_size_limit");
    if (least == 0 || (limit != 0 && limit < least))
        least = limit;
    for (size_t i = 0; i < p->site->front_count && least != 0; i++) {
        const struct postconf_service *front = p->site->fronts[i].service;
        uint64_t before = site_number(p->site, front, "message_size_limit");
        if (site_listener(p->site, front) == NULL ||
            (before != 0 && before + 4096 <= least))
            continue;
        if (before != 0 && before <= least)
            j->severity = FINDING_WARNING;
        j->sentence = site_text(p->site,
                                "%llu behind us leaves no room for our fields "
                                "on what %.*s takes (%llu): 552 after the "
                                "whole message was sent",
                                (unsigned long long)least, SLICE_ARG(front->id),
                                (unsigned long long)before);
        return true;
    }
    return false;
}

struct processes {
    uint64_t sum;
    bool unlimited;
    size_t fronts;
};

static struct processes
processes_in_front(const struct site *site)
{
    struct processes p = { 0 };

    for (size_t i = 0; i < site->front_count; i++) {
        const struct postconf_service *front = site->fronts[i].service;
        if (site_listener(site, front) == NULL)
            continue;
        uint64_t limit = site_limit(site, front);
        p.unlimited = p.unlimited || limit == 0;
        p.sum += limit;
        p.fronts++;
    }
    return p;
}

/* All fronts together, twice: a message may need two transactions, and one
 * that waits for its second while the others do the same waits for ever. */
struct slice
back_process_limit(const struct place *p)
{
    struct processes all = processes_in_front(p->site);
    uint64_t have = site_limit(p->site, p->service);
    uint64_t want = all.unlimited ? 0 : 2 * all.sum;

    if (have == 0 || all.fronts == 0 || (want != 0 && have >= want))
        return (struct slice){ 0 };
    return site_text(p->site, "%llu", (unsigned long long)want);
}

bool
back_has_few_processes(const struct place *p, struct judgement *j)
{
    struct processes all = processes_in_front(p->site);
    unsigned long long have = site_limit(p->site, p->service);

    j->sentence =
        all.unlimited
            ? site_text(p->site,
                        "%llu processes behind us, and no limit in "
                        "front: under load they wait for each other",
                        have)
            : site_text(p->site,
                        "%llu processes behind us, and %llu in front: "
                        "under load they wait for each other",
                        have, (unsigned long long)all.sum);
    return all.fronts != 0 && have != 0 && (all.unlimited || have < all.sum);
}

bool
fronts_exceed_sessions(const struct place *p, struct judgement *j)
{
    struct processes all = processes_in_front(p->site);

    j->sentence = site_text(p->site,
                            "the fronts may have more processes than "
                            "limits.sessions (%u): the others get 451",
                            p->site->conf->limits.sessions);
    return all.fronts != 0 &&
           (all.unlimited || all.sum > p->site->conf->limits.sessions);
}
