/* Rows about the services where mail comes in. */
#include "wanted.h"

bool
front_is_mx(const struct place *p)
{
    return p->role == FRONT_MX;
}

bool
front_is_submission(const struct place *p)
{
    return !front_is_mx(p);
}

bool
front_leads_to_us(const struct place *p)
{
    return site_listener(p->site, p->service) != NULL;
}

/* ---- our own addresses ------------------------------------------------- */

bool
listener_collides(const struct place *p, struct judgement *j)
{
    const struct conf_listener *listener = p->listener;
    const struct postconf_service *service =
        site_service_at(p->site->before, &listener->address);

    if (service == NULL)
        return false;
    j->setting = service->id;
    j->sentence = site_text(p->site,
                            "has the address of listener %.*s; give the "
                            "listener another port",
                            SLICE_ARG(listener->name));
    j->refusal =
        site_text(p->site,
                  "listener %.*s: %.*s is the service %.*s of this "
                  "Postfix; give the listener another port",
                  SLICE_ARG(listener->name), SLICE_ARG(listener->address.text),
                  SLICE_ARG(service->id));
    return true;
}

bool
map_collides(const struct place *p, struct judgement *j)
{
    const struct conf_address *address = &p->site->conf->socketmap.listen;
    const struct postconf_service *service =
        p->site->conf->socketmap.enabled
            ? site_service_at(p->site->before, address)
            : NULL;

    if (service == NULL)
        return false;
    j->setting = service->id;
    j->sentence = SLICE_OF("has the address of socketmap.listen; give that "
                           "another port");
    j->refusal = site_text(p->site,
                           "socketmap.listen: %.*s is the service %.*s of "
                           "this Postfix; give it another port",
                           SLICE_ARG(address->text), SLICE_ARG(service->id));
    return true;
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
count_port(const struct site *site, struct slice value,
           const struct conf_listener *listener)
{
    struct slice port = site_text(site, "]:%u", listener->address.port);
    size_t count = 0;

    for (size_t at = 0; at < value.len; at++)
        count += slice_starts_nocase(slice_tail(value, at), port);
    return count;
}

static enum route
find_route(const struct site *site, const struct conf_listener *listener)
{
    const struct postconf *postfix = site->postfix;
    struct slice maps = site_value(site, "transport_maps");
    size_t bounces = site->conf->srs.enabled ? site->conf->srs.domain_count : 0;

    for (size_t i = 0; i < postfix->service_count; i++)
        if (count_port(site,
                       site_of(site, &postfix->services[i], "content_filter"),
                       listener) != 0)
            return ROUTE_MAIL;
    size_t routes = count_port(site, maps, listener);
    if (routes > bounces)
        return ROUTE_MAIL;
    if (site_has_table(maps))
        return ROUTE_UNKNOWN;
    return routes != 0 ? ROUTE_BOUNCES : ROUTE_NONE;
}

static bool
has_front_for(const struct site *site, const struct conf_listener *listener)
{
    for (size_t i = 0; i < site->front_count; i++)
        if ((site->fronts[i].role == FRONT_MX) ==
            (listener->role == CONF_INBOUND))
            return true;
    return false;
}

static bool
has_front(const struct site *site, const struct conf_listener *listener)
{
    for (size_t i = 0; i < site->front_count; i++)
        if (site_listener(site, site->fronts[i].service) == listener)
            return true;
    return false;
}

/* Has another listener for the same kind of mail a front? */
static bool
has_substitute(const struct site *site, const struct conf_listener *listener)
{
    for (size_t i = 0; i < site->conf->listener_count; i++)
        if (site->conf->listeners[i].role == listener->role &&
            has_front(site, &site->conf->listeners[i]))
            return true;
    return false;
}

bool
listener_has_no_sender(const struct place *p, struct judgement *j)
{
    const struct conf_listener *listener = p->listener;
    enum route route = find_route(p->site, listener);
    bool substitute = has_substitute(p->site, listener);

    if (has_front(p->site, listener) || route == ROUTE_MAIL ||
        (substitute && route != ROUTE_NONE))
        return false;
    if (listener->role == CONF_INBOUND && !substitute && route != ROUTE_UNKNOWN)
        j->severity = FINDING_ERROR;
    if (has_front_for(p->site, listener) && !substitute)
        j->cure = CURE_SETUP;
    j->sentence =
        site_text(p->site, "nothing sends mail to listener %.*s (%.*s)",
                  SLICE_ARG(listener->name), SLICE_ARG(listener->address.text));
    return true;
}

/* ---- the way to us ----------------------------------------------------- */

/* Another program's filter is left, and so are users who are led to the
 * inbound listener: that may be meant. */
struct slice
front_filter(const struct place *p)
{
    const struct conf_listener *now = site_listener(p->site, p->service);
    const struct conf_listener *right = site_listener_for(p->site, p->role);
    struct slice filter = site_of(p->site, p->service, "smtpd_proxy_filter");
    bool wrong = now != NULL ? now->role == CONF_OUTBOUND && p->role == FRONT_MX
                             : filter.len == 0;

    if (!wrong || right == NULL)
        return (struct slice){ 0 };
    return site_destination(p->site, &right->address);
}

/* The service has no filter at all. */
static bool
is_bare(const struct place *p, const struct conf_listener *right,
        struct judgement *j)
{
    bool submission = p->role == FRONT_SUBMISSION;

    j->severity = FINDING_WARNING;
    j->cure = right != NULL ? CURE_SETUP : CURE_NONE;
    j->setting = p->service->id;
    j->sentence = submission
                      ? SLICE_OF("what users send there does not come to "
                                 "Onward: it is not signed")
                      : SLICE_OF("what comes in there does not come to Onward: "
                                 "it is not forwarded");
    /* Without any such front listener_has_no_sender says so. */
    return submission || (right != NULL && has_front(p->site, right));
}

static bool
leads_elsewhere(const struct place *p, const struct conf_listener *right,
                struct judgement *j)
{
    j->sentence =
        site_text(p->site, "leads to %.*s, where no listener of ours is",
                  SLICE_ARG(p->value));
    if (right != NULL)
        j->refusal = site_text(
            p->site,
            "%.*s has smtpd_proxy_filter = %.*s already, and there is room "
            "for one: take it out, or let Onward's upstream lead to it",
            SLICE_ARG(p->service->id), SLICE_ARG(p->value));
    return right != NULL || p->role == FRONT_MX;
}

bool
front_filter_is_wrong(const struct place *p, struct judgement *j)
{
    const struct conf_listener *now = site_listener(p->site, p->service);
    const struct conf_listener *right = site_listener_for(p->site, p->role);

    if (now == NULL && p->value.len == 0)
        return is_bare(p, right, j);
    if (right != NULL) {
        j->cure = CURE_SET;
        j->wanted = site_destination(p->site, &right->address);
    }
    if (now == NULL)
        return leads_elsewhere(p, right, j);
    if (p->role == FRONT_MX && now->role == CONF_OUTBOUND)
        j->sentence = site_text(p->site,
                                "leads strangers to listener %.*s, which "
                                "signs what it gets as our users'",
                                SLICE_ARG(now->name));
    if (p->role == FRONT_SUBMISSION && now->role == CONF_INBOUND) {
        j->severity = FINDING_WARNING;
        j->sentence = site_text(p->site,
                                "leads users to listener %.*s, which is for "
                                "strangers: their mail is not signed",
                                SLICE_ARG(now->name));
    }
    return j->sentence.len != 0;
}

struct slice
front_timeout(const struct place *p)
{
    uint64_t ours = p->site->conf->upstream.reply_timeout / 1000;
    uint64_t theirs;

    if (postconf_seconds(site_of(p->site, p->service, "smtpd_proxy_timeout"),
                         's', &theirs) &&
        theirs > ours)
        return (struct slice){ 0 };
    return site_text(p->site, "%llus", (unsigned long long)ours + 10);
}

bool
front_timeout_is_short(const struct place *p, struct judgement *j)
{
    j->sentence = site_text(
        p->site,
        "%.*s is not longer than upstream.reply_timeout (%us): Postfix gives "
        "up while we may still deliver, and the mail comes twice",
        SLICE_ARG(p->value), p->site->conf->upstream.reply_timeout / 1000);
    return j->wanted.ptr != NULL;
}

static bool
is_outside(const struct site *site, const struct postconf_service *service,
           const struct conf_address *address, const char *what,
           struct judgement *j)
{
    struct slice there = site_destination(site, address);

    if (address->kind != CONF_UNIX || !site_is_chrooted(service) ||
        slice_find(there, '/') != sizeof("unix:") - 1)
        return false;
    j->sentence =
        site_text(site,
                  "the service runs chrooted in %.*s, and %.*s lies "
                  "outside",
                  SLICE_ARG(site->queue_directory), SLICE_ARG(address->path));
    j->command =
        site_text(site, "postconf -F %.*s/chroot=n", SLICE_ARG(service->id));
    j->refusal =
        site_text(site,
                  "%.*s runs chrooted in %.*s and cannot reach %s "
                  "%.*s; put the socket below that directory",
                  SLICE_ARG(service->id), SLICE_ARG(site->queue_directory),
                  what, SLICE_ARG(address->text));
    return true;
}

bool
front_socket_is_outside(const struct place *p, struct judgement *j)
{
    return is_outside(p->site, p->service,
                      &site_listener(p->site, p->service)->address,
                      "the listener", j);
}

bool
front_map_is_outside(const struct place *p, struct judgement *j)
{
    return p->site->conf->socketmap.enabled &&
           is_outside(p->site, p->service, &p->site->conf->socketmap.listen,
                      "socketmap.listen", j);
}

/* ---- recipients -------------------------------------------------------- */

/* Tables of ours that Postfix can read itself. */
static void
add_tables(const struct site *site, struct slice have, struct buf *list)
{
    const struct alias_list *aliases = &site->conf->forward.aliases;

    for (size_t i = 0; i < aliases->count; i++) {
        const struct table *table = aliases->entries[i].table;
        if (table != NULL && !postconf_lists(have, table->spec))
            buf_printf(list, "%s%.*s", list->len != 0 ? "," : "",
                       SLICE_ARG(table->spec));
    }
}

/* What the front's virtual_alias_maps lacks of ours. */
static struct slice
unknown_tables(const struct site *site, struct slice have)
{
    struct slice map = site_map(site, "recipient");
    struct buf list = { 0 };

    if (map.ptr == NULL)
        add_tables(site, have, &list);
    else if (!postconf_lists(have, map))
        buf_append(&list, map);
    struct slice copy = arena_copy(site->arena, buf_slice(&list));
    buf_free(&list);
    return copy;
}

struct slice
front_recipients(const struct place *p)
{
    struct slice have = site_of(p->site, p->service, "virtual_alias_maps");
    struct slice more = unknown_tables(p->site, have);
    bool simple =
        slice_find(have, '{') == have.len && slice_find(have, '$') == have.len;
    struct buf list = { 0 };
    struct slice element;

    if (more.len == 0)
        return (struct slice){ 0 };
    /* postconf -P takes no blanks. */
    if (!simple)
        buf_printf(&list, "%.*s, ", SLICE_ARG(have));
    while (simple && postconf_next(&have, &element))
        buf_printf(&list, "%.*s,", SLICE_ARG(element));
    buf_append(&list, more);
    struct slice copy = arena_copy(p->site->arena, buf_slice(&list));
    buf_free(&list);
    return copy;
}

/* "host:10028:recipient", whatever stands before it. */
static bool
has_map(const struct site *site, struct slice list)
{
    const struct conf_address *address = &site->conf->socketmap.listen;
    struct slice end = address->kind == CONF_UNIX
                           ? SLICE_OF(":recipient")
                           : site_text(site, ":%u:recipient", address->port);
    struct slice element;

    while (postconf_next(&list, &element))
        if (slice_ends_nocase(element, end))
            return true;
    return false;
}

static bool
is_hasty(const struct site *site, const struct postconf_service *service)
{
    return postconf_lists(site_of(site, service, "smtpd_proxy_options"),
                          SLICE_OF("speed_adjust"));
}

bool
front_knows_no_aliases(const struct place *p, struct judgement *j)
{
    static const char *const others[] = { "relay_recipient_maps",
                                          "smtpd_recipient_restrictions" };

    if (!p->site->conf->socketmap.enabled) {
        struct slice tables = unknown_tables(p->site, p->value);
        j->sentence =
            site_text(p->site, "lacks %.*s: Postfix may refuse aliases",
                      SLICE_ARG(tables));
        return tables.len != 0;
    }
    if (has_map(p->site, p->value))
        return false;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (has_map(p->site, site_of(p->site, p->service, others[i])))
            return false;
    j->sentence = SLICE_OF("lacks our map recipient: Postfix may refuse "
                           "aliases, and does not refuse unknown ones itself");
    if (is_hasty(p->site, p->service)) {
        j->severity = FINDING_ERROR;
        j->sentence = SLICE_OF("lacks our map recipient: with speed_adjust "
                               "one refused recipient refuses the message for "
                               "all");
    }
    return true;
}

bool
rules_are_unknown(const struct place *p, struct judgement *j)
{
    const struct alias_list *aliases = &p->site->conf->forward.aliases;
    bool rules = false;

    for (size_t i = 0; i < aliases->count; i++)
        rules = rules || aliases->entries[i].table == NULL;
    j->sentence = SLICE_OF("Postfix does not know the aliases that are rules, "
                           "and may refuse their addresses; set "
                           "socketmap.listen, and run setup again");
    return rules && !p->site->conf->socketmap.enabled;
}

bool
front_is_hasty(const struct place *p, struct judgement *j)
{
    j->sentence = SLICE_OF("speed_adjust: one recipient that we refuse "
                           "refuses the message for all; set "
                           "socketmap.listen, so that Postfix refuses it "
                           "first");
    return !p->site->conf->socketmap.enabled && is_hasty(p->site, p->service);
}

/* ---- what is lost in front of a proxy filter --------------------------- */

bool
front_has_milters(const struct place *p, struct judgement *j)
{
    j->sentence = site_text(p->site,
                            "%.*s: a milter gets no content where a proxy "
                            "filter stands (OpenDKIM is not needed any more; "
                            "for others see postfix-examples/transport-map)",
                            SLICE_ARG(p->value));
    return p->value.len != 0;
}

bool
front_content_filter_is_lost(const struct place *p, struct judgement *j)
{
    if (p->value.len == 0 ||
        (p->site->back != NULL &&
         site_of(p->site, p->site->back, "content_filter").len != 0))
        return false;
    j->sentence = site_text(p->site,
                            "%.*s has no effect in front of a proxy filter, "
                            "and the service behind us has none",
                            SLICE_ARG(p->value));
    if (p->site->back != NULL)
        j->command =
            site_text(p->site, "postconf -P %.*s/content_filter=%.*s",
                      SLICE_ARG(p->site->back->id), SLICE_ARG(p->value));
    return true;
}

bool
front_cleanup_is_lost(const struct place *p, struct judgement *j)
{
    j->sentence = SLICE_OF("has no effect in front of a proxy filter");
    return site_has_option(p->service, "cleanup_service_name");
}
