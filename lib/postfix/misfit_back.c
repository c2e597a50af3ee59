/* The service that takes mail back from us. */
#include "misfit_parts.h"

/* ---- is it there, and only for us? ------------------------------------- */

static bool
find_back(struct search *search)
{
    const struct conf_address *address = &search->conf->upstream.address;

    if (address->kind == CONF_UNIX || !fronts_is_loopback(address->host))
        return false; /* another host's, or another program's */
    if (search->back == NULL) {
        misfit_report(
            search, MISFIT_ERROR, "master.cf",
            misfit_text(search, "%.*s/inet", SLICE_ARG(address->text)),
            SLICE_OF("upstream.address, where nothing listens: no "
                     "mail that comes to us can go on"),
            SLICE_OF("onward setup --apply"));
        return false;
    }
    if (slice_equal(search->back->command, SLICE_OF("smtpd")))
        return true;
    misfit_option(search, MISFIT_ERROR, search->back, NULL,
                  SLICE_OF("is upstream.address, and no smtpd"), SLICE_OF(""));
    return false;
}

static void
check_exposure(struct search *search)
{
    const struct postconf_service *back = search->back;
    size_t colon = slice_find_last(back->name, ':');
    struct slice host = colon == back->name.len ? (struct slice){ 0 }
                                                : slice_head(back->name, colon);
    if (host.len != 0)
        return;
    misfit_option(
        search, MISFIT_ERROR, back, NULL,
        SLICE_OF("the service behind us listens on all addresses, not on "
                 "loopback alone: whoever reaches it passes by all checks"),
        misfit_text(search, "postconf -MX %.*s && onward setup --apply",
                    SLICE_ARG(back->id)));
}

static void
check_loop(struct search *search)
{
    struct slice filter = misfit_of(search, search->back, "smtpd_proxy_filter");

    if (filter.len != 0)
        misfit_set(search, MISFIT_ERROR, search->back, "smtpd_proxy_filter", "",
                   misfit_text(search, "the service behind us has %.*s: %s",
                               SLICE_ARG(filter),
                               misfit_leads_to_us(search, search->back)
                                   ? "mail comes to us again and again"
                                   : "a second proxy filter"));
}

/* ---- what its options must be ------------------------------------------ */

static void
check_smuggling(struct search *search)
{
    static const char name[] = "smtpd_forbid_bare_newline";
    static const char exclusions[] = "smtpd_forbid_bare_newline_exclusions";

    if (!postconf_knows(search->postconf, name))
        return;
    if (slice_equal_nocase(misfit_of(search, search->back, name),
                           SLICE_OF("no")))
        misfit_set(search, MISFIT_WARNING, search->back, name, "normalize",
                   SLICE_OF("no: the last guard against smuggled messages is "
                            "off"));
    else if (misfit_of(search, search->back, exclusions).len != 0)
        misfit_set(search, MISFIT_WARNING, search->back, exclusions, "",
                   SLICE_OF("not empty: smtpd_forbid_bare_newline does not "
                            "hold for what comes from us"));
}

static void
check_trust(struct search *search)
{
    const struct postconf_service *back = search->back;

    if (misfit_of(search, back, "smtpd_authorized_xforward_hosts").len == 0)
        misfit_set(search, MISFIT_WARNING, back,
                   "smtpd_authorized_xforward_hosts", "127.0.0.0/8,[::1]/128",
                   SLICE_OF("empty: the log behind us does not show the "
                            "client"));
    if (postconf_is_yes(misfit_of(search, back, "smtpd_sasl_auth_enable")))
        misfit_set(search, MISFIT_WARNING, back, "smtpd_sasl_auth_enable", "no",
                   SLICE_OF("the service behind us offers AUTH"));
    struct slice level = misfit_of(search, back, "smtpd_tls_security_level");
    if (slice_equal_nocase(level, SLICE_OF("encrypt")))
        misfit_set(search, MISFIT_ERROR, back, "smtpd_tls_security_level",
                   "none",
                   SLICE_OF("encrypt: we speak no TLS, and every message is "
                            "refused"));
    if (postconf_is_yes(misfit_of(search, back, "smtpd_tls_wrappermode")))
        misfit_set(search, MISFIT_ERROR, back, "smtpd_tls_wrappermode", "no",
                   SLICE_OF("yes: we speak no TLS, and every message fails"));
    if (misfit_of(search, back, "smtpd_upstream_proxy_protocol").len != 0)
        misfit_set(search, MISFIT_ERROR, back, "smtpd_upstream_proxy_protocol",
                   "",
                   SLICE_OF("set: it waits for a header that we do not "
                            "send"));
}

static void
check_patience(struct search *search)
{
    struct slice value = misfit_of(search, search->back, "smtpd_timeout");
    const struct postconf_pair *own =
        postconf_find(&search->back->options, SLICE_OF("smtpd_timeout"));
    uint64_t seconds = 0;

    if (own != NULL && postconf_seconds(value, 's', &seconds) && seconds >= 300)
        return;
    misfit_set(search, MISFIT_WARNING, search->back, "smtpd_timeout", "1800s",
               SLICE_OF("its own smtpd_timeout is missing or short: it gives "
                        "up while a slow client still sends, under stress "
                        "after 10 s"));
}

static void
check_twice(struct search *search)
{
    static const char *const canonical[] = { "canonical_maps",
                                             "sender_canonical_maps",
                                             "recipient_canonical_maps",
                                             "masquerade_domains" };
    const struct postconf_service *back = search->back;
    struct slice overrides =
        misfit_of(search, back, "receive_override_options");
    bool maps = !postconf_lists(overrides, SLICE_OF("no_address_mappings"));
    bool milters = !postconf_lists(overrides, SLICE_OF("no_milters"));

    if (milters && misfit_of(search, back, "smtpd_milters").len != 0)
        misfit_set(
            search, MISFIT_WARNING, back, "smtpd_milters", "",
            misfit_text(search,
                        "%.*s: runs behind us, after the signature; "
                        "OpenDKIM there signs a second time",
                        SLICE_ARG(misfit_of(search, back, "smtpd_milters"))));
    if (maps && misfit_of(search, back, "virtual_alias_maps").len != 0)
        misfit_option(search, MISFIT_WARNING, back, "receive_override_options",
                      SLICE_OF("virtual_alias_maps are expanded behind us: "
                               "keep their keys apart from Onward's, or the "
                               "addresses are mapped twice"),
                      SLICE_OF(""));
    for (size_t i = 0; maps && i < sizeof(canonical) / sizeof(canonical[0]);
         i++)
        if (misfit_of(search, back, canonical[i]).len != 0)
            misfit_option(search, MISFIT_WARNING, back,
                          "receive_override_options",
                          misfit_text(search,
                                      "%s maps addresses behind us: keep "
                                      "those that we make out of it",
                                      canonical[i]),
                          SLICE_OF(""));
    if (!postconf_lists(overrides, SLICE_OF("no_unknown_recipient_checks")))
        misfit_option(search, MISFIT_WARNING, back, "receive_override_options",
                      SLICE_OF("no_unknown_recipient_checks is missing: "
                               "recipients are judged a second time"),
                      misfit_text(search,
                                  "postconf -P "
                                  "%.*s/receive_override_options=%s",
                                  SLICE_ARG(back->id),
                                  back_overrides(search->postconf)));
}

/* ---- sizes and numbers ------------------------------------------------- */

static uint64_t
number_of(struct search *search, const struct postconf_service *service,
          const char *name)
{
    uint64_t value = 0;

    slice_to_u64(misfit_of(search, service, name), &value);
    return value;
}

static void
check_size(struct search *search)
{
    const struct postconf_service *back = search->back;
    struct slice cleanup = misfit_of(search, back, "cleanup_service_name");
    const struct postconf_service *queue = postconf_service(
        search->postconf, misfit_text(search, "%.*s/unix", SLICE_ARG(cleanup)));
    uint64_t behind = number_of(search, back, "message_size_limit");
    uint64_t limit =
        queue == NULL ? behind : number_of(search, queue, "message_size_limit");
    uint64_t least =
        behind == 0 || (limit != 0 && limit < behind) ? limit : behind;

    for (size_t i = 0; i < search->front_count && least != 0; i++) {
        const struct postconf_service *front = search->fronts[i].service;
        uint64_t before = number_of(search, front, "message_size_limit");
        if (!misfit_leads_to_us(search, front) ||
            (before != 0 && before + 4096 <= least))
            continue;
        bool less = before == 0 || before > least;
        misfit_option(search, less ? MISFIT_ERROR : MISFIT_WARNING, back,
                      "message_size_limit",
                      misfit_text(search,
                                  "%llu behind us leaves no room for our "
                                  "fields on what %.*s takes (%llu): 552 "
                                  "after the whole message was sent",
                                  (unsigned long long)least,
                                  SLICE_ARG(front->id),
                                  (unsigned long long)before),
                      SLICE_OF("onward setup --apply"));
        return;
    }
}

static void
check_processes(struct search *search)
{
    uint64_t sum = 0, behind = fronts_limit(search->postconf, search->back);
    bool unlimited = false;
    size_t count = 0;

    for (size_t i = 0; i < search->front_count; i++) {
        if (!misfit_leads_to_us(search, search->fronts[i].service))
            continue;
        uint64_t limit =
            fronts_limit(search->postconf, search->fronts[i].service);
        unlimited = unlimited || limit == 0;
        sum += limit;
        count++;
    }
    if (count == 0)
        return;
    if (behind != 0 && (unlimited || behind < sum))
        misfit_option(
            search, MISFIT_ERROR, search->back, "process_limit",
            unlimited
                ? misfit_text(search,
                              "%llu processes behind us, and no limit in "
                              "front: under load they wait for each other",
                              (unsigned long long)behind)
                : misfit_text(search,
                              "%llu processes behind us, and %llu in front: "
                              "under load they wait for each other",
                              (unsigned long long)behind,
                              (unsigned long long)sum),
            misfit_text(search, "postconf -F %.*s/process_limit=%llu",
                        SLICE_ARG(search->back->id),
                        unlimited ? 0ULL : (unsigned long long)sum * 2));
    if (unlimited || sum > search->conf->limits.sessions)
        misfit_option(search, MISFIT_WARNING, search->back, "process_limit",
                      misfit_text(search,
                                  "the fronts may have more processes than "
                                  "limits.sessions (%u): the others get 451",
                                  search->conf->limits.sessions),
                      SLICE_OF(""));
}

void
misfit_back(struct search *search)
{
    if (!find_back(search))
        return;
    check_exposure(search);
    check_loop(search);
    check_smuggling(search);
    check_trust(search);
    check_patience(search);
    check_twice(search);
    check_size(search);
    check_processes(search);
}
