/* The services where mail comes in. */
#include "misfit_parts.h"

static const struct conf_listener *
listener_of(const struct search *search, const struct postconf_service *service)
{
    struct slice filter = misfit_of(search, service, "smtpd_proxy_filter");

    for (size_t i = 0; i < search->conf->listener_count; i++)
        if (fronts_leads_to(filter, &search->conf->listeners[i].address,
                            search->queue_directory))
            return &search->conf->listeners[i];
    return NULL;
}

static bool
is_chrooted(const struct postconf_service *service)
{
    return !slice_equal(service->chroot, SLICE_OF("n"));
}

/* ---- does anything come to us? ----------------------------------------- */

/* smtp(8) may be the client too. */
enum route {
    ROUTE_NONE,
    ROUTE_BOUNCES, /* of the SRS domains alone */
    ROUTE_UNKNOWN, /* a table may have one */
    ROUTE_MAIL,
};

static size_t
count_port(struct slice value, const struct conf_listener *listener)
{
    struct buf port = { 0 };
    size_t count = 0;

    buf_printf(&port, "]:%u", listener->address.port);
    for (size_t at = 0; at < value.len; at++)
        count += slice_starts_nocase(slice_tail(value, at), buf_slice(&port));
    buf_free(&port);
    return count;
}

static enum route
find_route(const struct search *search, const struct conf_listener *listener)
{
    const struct postconf *postconf = search->postconf;
    struct slice maps = postconf_value(postconf, "transport_maps");
    size_t bounces =
        search->conf->srs.enabled ? search->conf->srs.domain_count : 0;

    for (size_t i = 0; i < postconf->service_count; i++)
        if (count_port(
                misfit_of(search, &postconf->services[i], "content_filter"),
                listener) != 0)
            return ROUTE_MAIL;
    size_t routes = count_port(maps, listener);
    if (routes > bounces)
        return ROUTE_MAIL;
    if (misfit_has_table(maps))
        return ROUTE_UNKNOWN;
    return routes != 0 ? ROUTE_BOUNCES : ROUTE_NONE;
}

static bool
has_front_for(const struct search *search, const struct conf_listener *listener)
{
    for (size_t i = 0; i < search->front_count; i++)
        if ((search->fronts[i].role == FRONT_MX) ==
            (listener->role == CONF_INBOUND))
            return true;
    return false;
}

static bool
has_front(const struct search *search, const struct conf_listener *listener)
{
    for (size_t i = 0; i < search->front_count; i++)
        if (listener_of(search, search->fronts[i].service) == listener)
            return true;
    return false;
}

/* Has another listener for the same kind of mail a front? */
static bool
has_substitute(const struct search *search,
               const struct conf_listener *listener)
{
    for (size_t i = 0; i < search->conf->listener_count; i++)
        if (search->conf->listeners[i].role == listener->role &&
            has_front(search, &search->conf->listeners[i]))
            return true;
    return false;
}

static void
look_for_sender(struct search *search, const struct conf_listener *listener)
{
    enum route route = find_route(search, listener);
    bool substitute = has_substitute(search, listener);
    bool error =
        listener->role == CONF_INBOUND && !substitute && route != ROUTE_UNKNOWN;

    if (has_front(search, listener) || route == ROUTE_MAIL ||
        (substitute && route != ROUTE_NONE))
        return;
    misfit_report(search, error ? MISFIT_ERROR : MISFIT_WARNING, "master.cf",
                  SLICE_OF("smtpd_proxy_filter"),
                  misfit_text(search,
                              "nothing sends mail to listener %.*s (%.*s)",
                              SLICE_ARG(listener->name),
                              SLICE_ARG(listener->address.text)),
                  has_front_for(search, listener) && !substitute
                      ? SLICE_OF("onward setup --apply")
                      : (struct slice){ 0 });
}

static void
look_for_senders(struct search *search)
{
    for (size_t i = 0; i < search->conf->listener_count; i++)
        look_for_sender(search, &search->conf->listeners[i]);
}

/* ---- one front --------------------------------------------------------- */

static void
check_role(struct search *search, const struct front *front)
{
    const struct conf_listener *listener = listener_of(search, front->service);
    const struct conf_listener *right =
        fronts_listener(search->conf, front->role);

    if (listener == NULL) {
        struct slice filter =
            misfit_of(search, front->service, "smtpd_proxy_filter");
        if (filter.len != 0)
            misfit_option(search, MISFIT_ERROR, front->service,
                          "smtpd_proxy_filter",
                          misfit_text(search,
                                      "leads to %.*s, where no listener of "
                                      "ours is",
                                      SLICE_ARG(filter)),
                          misfit_text(search,
                                      "postconf -PX "
                                      "%.*s/smtpd_proxy_filter && onward "
                                      "setup --apply",
                                      SLICE_ARG(front->service->id)));
        else if (front->role == FRONT_SUBMISSION)
            misfit_option(search, MISFIT_WARNING, front->service, NULL,
                          SLICE_OF("what users send there does not come to "
                                   "Onward: it is not signed"),
                          right != NULL ? SLICE_OF("onward setup --apply")
                                        : (struct slice){ 0 });
        return;
    }
    if (front->role == FRONT_MX && listener->role == CONF_OUTBOUND)
        misfit_option(search, MISFIT_ERROR, front->service,
                      "smtpd_proxy_filter",
                      misfit_text(search,
                                  "leads strangers to listener %.*s, which "
                                  "signs what it gets as our users'",
                                  SLICE_ARG(listener->name)),
                      misfit_text(search,
                                  "postconf -PX %.*s/smtpd_proxy_filter && "
                                  "onward setup --apply",
                                  SLICE_ARG(front->service->id)));
    if (front->role == FRONT_SUBMISSION && listener->role == CONF_INBOUND)
        misfit_option(search, MISFIT_WARNING, front->service,
                      "smtpd_proxy_filter",
                      misfit_text(search,
                                  "leads users to listener %.*s, which is "
                                  "for strangers: their mail is not signed",
                                  SLICE_ARG(listener->name)),
                      SLICE_OF(""));
}

static void
check_timeout(struct search *search, const struct postconf_service *service)
{
    uint64_t ours = search->conf->upstream.reply_timeout / 1000;
    uint64_t theirs;
    struct slice value = misfit_of(search, service, "smtpd_proxy_timeout");

    if (!postconf_seconds(value, 's', &theirs) || theirs > ours)
        return;
    misfit_set(search, MISFIT_ERROR, service, "smtpd_proxy_timeout",
               misfit_text(search, "%llus", (unsigned long long)ours + 10).ptr,
               misfit_text(search,
                           "%.*s is not longer than upstream.reply_timeout "
                           "(%llus): Postfix gives up while we may still "
                           "deliver, and the mail comes twice",
                           SLICE_ARG(value), (unsigned long long)ours));
}

static void
check_lost(struct search *search, const struct postconf_service *service)
{
    struct slice milters = misfit_of(search, service, "smtpd_milters");
    struct slice content = misfit_of(search, service, "content_filter");

    if (milters.len != 0)
        misfit_set(search, MISFIT_WARNING, service, "smtpd_milters", "",
                   misfit_text(search,
                               "%.*s: a milter gets no content where a proxy "
                               "filter stands (OpenDKIM is not needed any "
                               "more; for others see postfix-examples/"
                               "transport-map)",
                               SLICE_ARG(milters)));
    if (content.len != 0 &&
        (search->back == NULL ||
         misfit_of(search, search->back, "content_filter").len == 0))
        misfit_option(search, MISFIT_WARNING, service, "content_filter",
                      misfit_text(search,
                                  "%.*s has no effect in front of a proxy "
                                  "filter, and the service behind us has none",
                                  SLICE_ARG(content)),
                      search->back == NULL
                          ? SLICE_OF("")
                          : misfit_text(search,
                                        "postconf -P "
                                        "%.*s/content_filter=%.*s",
                                        SLICE_ARG(search->back->id),
                                        SLICE_ARG(content)));
    if (postconf_find(&service->options, SLICE_OF("cleanup_service_name")))
        misfit_option(search, MISFIT_WARNING, service, "cleanup_service_name",
                      SLICE_OF("has no effect in front of a proxy filter"),
                      SLICE_OF(""));
}

static void
check_socket(struct search *search, const struct postconf_service *service,
             const struct conf_listener *listener)
{
    struct slice there = fronts_destination(
        &listener->address, search->queue_directory, &search->arena);

    if (listener->address.kind == CONF_UNIX && is_chrooted(service) &&
        slice_find(there, '/') == sizeof("unix:") - 1)
        misfit_option(search, MISFIT_ERROR, service, "smtpd_proxy_filter",
                      misfit_text(search,
                                  "the service runs chrooted in %.*s, and "
                                  "%.*s lies outside",
                                  SLICE_ARG(search->queue_directory),
                                  SLICE_ARG(listener->address.path)),
                      misfit_text(search, "postconf -F %.*s/chroot=n",
                                  SLICE_ARG(service->id)));
}

/* ---- recipients -------------------------------------------------------- */

static bool
has_map(struct slice list, const struct conf_address *address)
{
    struct slice element;
    struct buf port = { 0 };
    bool found = false;

    if (address->kind == CONF_UNIX)
        buf_puts(&port, ":recipient");
    else
        buf_printf(&port, ":%u:recipient", address->port);
    while (postconf_next(&list, &element))
        found = found || slice_ends_nocase(element, buf_slice(&port));
    buf_free(&port);
    return found;
}

static void
check_recipients(struct search *search, const struct postconf_service *service)
{
    const struct conf *conf = search->conf;
    bool hasty = false;
    bool known =
        conf->socketmap.enabled &&
        (has_map(misfit_of(search, service, "virtual_alias_maps"),
                 &conf->socketmap.listen) ||
         has_map(misfit_of(search, service, "relay_recipient_maps"),
                 &conf->socketmap.listen) ||
         has_map(misfit_of(search, service, "smtpd_recipient_restrictions"),
                 &conf->socketmap.listen));
    struct slice options = misfit_of(search, service, "smtpd_proxy_options");

    hasty = postconf_lists(options, SLICE_OF("speed_adjust"));
    if (conf->socketmap.enabled && !known)
        misfit_option(search, hasty ? MISFIT_ERROR : MISFIT_WARNING, service,
                      "virtual_alias_maps",
                      hasty ? SLICE_OF("lacks our map recipient: with "
                                       "speed_adjust one refused recipient "
                                       "refuses the message for all")
                            : SLICE_OF("lacks our map recipient: Postfix may "
                                       "refuse aliases, and does not refuse "
                                       "unknown ones itself"),
                      SLICE_OF("onward setup --apply"));
    if (!conf->socketmap.enabled && hasty)
        misfit_option(search, MISFIT_WARNING, service, "smtpd_proxy_options",
                      SLICE_OF("speed_adjust: one recipient that we refuse "
                               "refuses the message for all; set "
                               "socketmap.listen, so that Postfix refuses it "
                               "first"),
                      misfit_text(search,
                                  "postconf -PX %.*s/smtpd_proxy_options",
                                  SLICE_ARG(service->id)));
}

void
misfit_fronts(struct search *search)
{
    look_for_senders(search);
    for (size_t i = 0; i < search->front_count; i++) {
        const struct postconf_service *service = search->fronts[i].service;
        const struct conf_listener *listener = listener_of(search, service);
        check_role(search, &search->fronts[i]);
        if (listener == NULL)
            continue;
        check_timeout(search, service);
        check_lost(search, service);
        check_socket(search, service, listener);
        check_recipients(search, service);
    }
}
