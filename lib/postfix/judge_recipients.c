/* Rows about restrictions in front that refuse what is ours. */
#include "wanted.h"

/* ---- editing a list of restrictions ------------------------------------ */

/* The list with commas, as postconf -P takes it: without `gone`, and with
 * `more` before the final "reject". */
static struct slice
edited(const struct site *site, struct slice list, struct slice gone,
       struct slice more)
{
    static const struct slice reject = SLICE("reject");
    struct buf text = { 0 };
    struct slice element;

    while (postconf_next(&list, &element)) {
        if (gone.len != 0 && slice_equal_nocase(element, gone))
            continue;
        if (more.len != 0 && slice_equal_nocase(element, reject))
            buf_printf(&text, "%s%.*s", text.len != 0 ? "," : "",
                       SLICE_ARG(more));
        buf_printf(&text, "%s%.*s", text.len != 0 ? "," : "",
                   SLICE_ARG(element));
    }
    struct slice copy = arena_copy(site->arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

/* The command that gives the list a new value where it stands: in the
 * service's options or in main.cf. */
static struct slice
command_for(const struct place *p, struct slice gone, struct slice more)
{
    const struct site *site = p->site;
    bool own = site_has_option(p->service, p->row->name);
    struct slice now =
        own ? postconf_find(&p->service->options, slice_from(p->row->name))
                  ->value
            : site_written(site, p->row->name);
    struct buf word = { 0 }, quoted = { 0 };

    if (slice_find(now, '{') < now.len && own)
        return (struct slice){ 0 }; /* postconf -P takes no blanks */
    struct slice value = edited(site, now, gone, more);
    if (own)
        buf_printf(&word, "%.*s/%s=%.*s", SLICE_ARG(p->service->id),
                   p->row->name, SLICE_ARG(value));
    else
        buf_printf(&word, "%s = %.*s", p->row->name, SLICE_ARG(value));
    postconf_quote(buf_slice(&word), &quoted);
    struct slice command =
        site_text(site, "postconf %s %.*s", own ? "-P" : "-e",
                  SLICE_ARG(buf_slice(&quoted)));
    buf_free(&word);
    buf_free(&quoted);
    return command;
}

/* ---- verification ------------------------------------------------------ */

/* Does verify(8) ask us? Then it knows what is ours. By default it goes where
 * mail goes, which is to us for SRS domains alone. */
static bool
verification_asks_us(const struct site *site)
{
    struct slice maps = site_value(site, "address_verify_transport_maps");

    if (slice_equal(maps, site_value(site, "transport_maps")))
        return false;
    for (size_t i = 0; i < site->conf->listener_count; i++)
        if (site_mentions(
                maps,
                site_text(site, ":%u", site->conf->listeners[i].address.port)))
            return true;
    return site_has_table(maps);
}

bool
front_verifies_recipients(const struct place *p, struct judgement *j)
{
    static const struct slice word = SLICE("reject_unverified_recipient");

    if (!postconf_lists(p->value, word) || verification_asks_us(p->site))
        return false;
    j->sentence = SLICE_OF("reject_unverified_recipient: Postfix asks the "
                           "mailbox server about aliases and SRS addresses, "
                           "which it does not know: they get 450 for ever");
    j->command = command_for(p, word, (struct slice){ 0 });
    return true;
}

/* ---- relay control ----------------------------------------------------- */

/* "reject" at its end refuses all that was not let through by name, and so our
 * SRS domains. */
bool
front_refuses_ours(const struct place *p, struct judgement *j)
{
    static const struct slice judges[] = {
        SLICE("reject_unauth_destination"),
        SLICE("defer_unauth_destination"),
        SLICE("permit_auth_destination"),
    };
    static const struct slice nothing = { 0 };

    if (p->role != FRONT_MX || !postconf_lists(p->value, SLICE_OF("reject")))
        return false;
    for (size_t i = 0; i < sizeof(judges) / sizeof(judges[0]); i++)
        if (postconf_lists(p->value, judges[i]))
            return false;
    j->sentence = SLICE_OF("refuses every domain that it does not name, and "
                           "so SRS addresses and aliases: it lacks "
                           "permit_auth_destination (or "
                           "reject_unauth_destination for reject)");
    j->command = command_for(p, nothing, SLICE_OF("permit_auth_destination"));
    return true;
}

/* ---- own hosts --------------------------------------------------------- */

bool
own_hosts_are_strangers(const struct place *p, struct judgement *j)
{
    j->sentence = site_text(
        p->site,
        "what this host (localhost:25) and mynetworks (%.*s) send to port 25 "
        "comes to listener %.*s as strangers' mail and is not signed; "
        "own_networks = ( \"mynetworks\" ) there would have it signed",
        SLICE_ARG(p->value),
        SLICE_ARG(site_listener(p->site, p->service)->name));
    return p->role == FRONT_MX && p->site->conf->dkim.keys != NULL &&
           dkim_keyset_count(p->site->conf->dkim.keys) != 0 &&
           site_listener(p->site, p->service)->role == CONF_INBOUND;
}
