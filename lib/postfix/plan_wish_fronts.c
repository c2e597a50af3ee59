#include "plan_wish.h"

static bool
leads_to_us(const struct wish *wish, struct slice filter)
{
    for (size_t i = 0; i < wish->conf->listener_count; i++)
        if (fronts_leads_to(filter, &wish->conf->listeners[i].address,
                            wish_queue_directory(wish)))
            return true;
    return false;
}

/* ---- recipients -------------------------------------------------------- */

/* Tables and not rules: what Postfix can read itself. */
static void
add_tables(struct wish *wish, struct slice have, struct buf *list)
{
    const struct alias_list *aliases = &wish->conf->forward.aliases;
    bool rules = false;

    for (size_t i = 0; i < aliases->count; i++) {
        const struct table *table = aliases->entries[i].table;
        if (table == NULL)
            rules = true;
        else if (!postconf_lists(have, table->spec))
            buf_printf(list, "%s%.*s", list->len != 0 ? "," : "",
                       SLICE_ARG(table->spec));
    }
    if (rules)
        buf_puts(wish->notes,
                 "Postfix does not know the aliases that are rules, and may "
                 "refuse their addresses; set socketmap.listen, and run setup "
                 "again\n");
}

static bool
is_simple(struct slice list)
{
    return slice_find(list, '{') == list.len &&
           slice_find(list, '$') == list.len;
}

/* The list with commas for blanks: what postconf -P takes. */
static void
put_elements(struct slice list, struct buf *out)
{
    struct slice element;

    while (postconf_next(&list, &element))
        buf_printf(out, "%s%.*s", out->len != 0 ? "," : "", SLICE_ARG(element));
}

static void
know_recipients(struct wish *wish, struct postconf_service *service)
{
    static const char why[] =
        "aliases and SRS addresses are known at RCPT, of any address class; "
        "nothing is\nexpanded here. Unknown ones are refused before any "
        "content is sent";
    struct slice have =
        postconf_of(wish->before, service, "virtual_alias_maps");
    struct slice map = wish_map(wish, "recipient");
    struct buf more = { 0 };
    struct buf list = { 0 };

    if (map.len == 0)
        add_tables(wish, have, &more);
    else if (!postconf_lists(have, map))
        buf_append(&more, map);
    if (more.len != 0 && is_simple(have)) {
        put_elements(have, &list);
        put_elements(buf_slice(&more), &list);
        wish_option(wish, service, "virtual_alias_maps",
                    arena_copy(wish->arena, buf_slice(&list)), why);
    } else if (more.len != 0) {
        /* -P takes no blanks, and the option must not name itself. */
        wish_main(wish, "onward_virtual_alias_maps",
                  wish_text(wish, "%.*s, %.*s", SLICE_ARG(have),
                            SLICE_ARG(buf_slice(&more))),
                  "virtual_alias_maps, and what Onward knows");
        wish_option(wish, service, "virtual_alias_maps",
                    SLICE_OF("$onward_virtual_alias_maps"), why);
    }
    buf_free(&more);
    buf_free(&list);
}

/* ---- one front --------------------------------------------------------- */

static void
outlast(struct wish *wish, struct postconf_service *service)
{
    uint64_t ours = wish->conf->upstream.reply_timeout / 1000;
    uint64_t theirs;

    if (postconf_seconds(
            postconf_of(wish->before, service, "smtpd_proxy_timeout"), 's',
            &theirs) &&
        theirs > ours)
        return;
    wish_option(wish, service, "smtpd_proxy_timeout",
                wish_text(wish, "%llus", (unsigned long long)ours + 10),
                "longer than upstream.reply_timeout: who gives up first gets "
                "the mail twice");
}

static void
note_lost(struct wish *wish, const struct postconf_service *service)
{
    struct slice milters = postconf_of(wish->before, service, "smtpd_milters");

    if (milters.len != 0)
        buf_printf(wish->notes,
                   "%.*s: smtpd_milters = %.*s: Postfix gives content to no "
                   "milter where a proxy filter stands. OpenDKIM is not "
                   "needed any more; for others (rspamd) see "
                   "postfix-examples/transport-map\n",
                   SLICE_ARG(service->id), SLICE_ARG(milters));
    if (postconf_find(&service->options, SLICE_OF("cleanup_service_name")))
        buf_printf(wish->notes,
                   "%.*s: its cleanup_service_name has no effect any more\n",
                   SLICE_ARG(service->id));
}

static bool
is_chrooted(const struct postconf_service *service)
{
    return !slice_equal(service->chroot, SLICE_OF("n"));
}

static void
check_socket(struct wish *wish, const struct postconf_service *service,
             const struct conf_address *address, const char *what)
{
    struct slice there =
        fronts_destination(address, wish_queue_directory(wish), wish->arena);

    if (address->kind == CONF_UNIX && is_chrooted(service) &&
        slice_find(there, '/') == sizeof("unix:") - 1)
        buf_printf(wish->refusals,
                   "%.*s runs chrooted in %.*s and cannot reach %s %.*s; put "
                   "the socket below that directory\n",
                   SLICE_ARG(service->id),
                   SLICE_ARG(wish_queue_directory(wish)), what,
                   SLICE_ARG(address->text));
}

static void
lead_to_us(struct wish *wish, const struct front *front,
           const struct conf_listener *listener)
{
    struct postconf_service *service = front->service;
    struct slice filter =
        postconf_of(wish->before, service, "smtpd_proxy_filter");

    if (filter.len != 0 && !leads_to_us(wish, filter)) {
        buf_printf(wish->refusals,
                   "%.*s has smtpd_proxy_filter = %.*s already, and there is "
                   "room for one: take it out, or let Onward's upstream "
                   "lead to it\n",
                   SLICE_ARG(service->id), SLICE_ARG(filter));
        return;
    }
    check_socket(wish, service, &listener->address, "the listener");
    if (wish->conf->socketmap.enabled)
        check_socket(wish, service, &wish->conf->socketmap.listen,
                     "socketmap.listen");
    if (filter.len == 0)
        wish_option(
            wish, service, "smtpd_proxy_filter",
            fronts_destination(&listener->address, wish_queue_directory(wish),
                               wish->arena),
            front->role == FRONT_MX
                ? "what comes in passes through Onward before it is queued"
                : "what your users send passes through Onward and is signed");
    outlast(wish, service);
    know_recipients(wish, service);
    note_lost(wish, service);
    struct slice content = postconf_of(wish->before, service, "content_filter");
    if (content.len != 0 && wish->content_filter.len == 0)
        wish->content_filter = content;
    wish->fronts[wish->front_count++] = *front;
}

void
wish_fronts(struct wish *wish)
{
    struct front fronts[FRONTS_MAX];
    size_t count = fronts_find(wish->wanted, wish->conf, fronts);

    for (size_t i = 0; i < count; i++) {
        const struct conf_listener *listener =
            fronts_listener(wish->conf, fronts[i].role);
        if (listener != NULL)
            lead_to_us(wish, &fronts[i], listener);
        else
            buf_printf(wish->notes,
                       "%.*s is left as it is: the configuration has no "
                       "listener with role = \"%s\"\n",
                       SLICE_ARG(fronts[i].service->id),
                       fronts[i].role == FRONT_MX ? "inbound" : "outbound");
    }
    if (count == 0)
        buf_puts(wish->refusals,
                 "no smtpd service faces outside in master.cf: there is "
                 "nothing to stand in front of\n");
    else if (wish->front_count == 0 && wish->refusals->len == 0)
        buf_puts(wish->refusals,
                 "no listener of the configuration fits any smtpd service of "
                 "master.cf\n");
}
