#include "plan_wish.h"

static bool
is_known(const struct wish *wish, struct slice domain)
{
    static const char *const classes[] = {
        "mydestination",
        "relay_domains",
        "virtual_alias_domains",
        "virtual_mailbox_domains",
    };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (postconf_lists(postconf_value(wish->before, classes[i]), domain))
            return true;
    return false;
}

/* What stands in main.cf, or would be in force without. */
static struct slice
as_written(const struct wish *wish, const char *name)
{
    const struct postconf_pair *set =
        postconf_find(&wish->before->set, slice_from(name));
    const struct postconf_pair *fallback;

    if (set != NULL)
        return set->value;
    if (postconf_value(wish->before, name).len == 0)
        return (struct slice){ 0 };
    fallback = postconf_find(&wish->before->defaults, slice_from(name));
    return fallback != NULL ? fallback->value : (struct slice){ 0 };
}

static void
append_main(struct wish *wish, const char *name, struct slice more,
            const char *why)
{
    struct slice have = as_written(wish, name);

    if (have.len != 0 &&
        (have.ptr[have.len - 1] == ',' || have.ptr[have.len - 1] == ' '))
        have = slice_head(have, have.len - 1);
    wish_main(wish, name,
              have.len == 0 ? more
                            : wish_text(wish, "%.*s, %.*s", SLICE_ARG(have),
                                        SLICE_ARG(more)),
              why);
}

/* ---- the SRS domains --------------------------------------------------- */

/* The first, and those of domain_map that are not the same. */
static size_t
srs_domains(const struct wish *wish, const struct slice **domains)
{
    *domains = wish->conf->srs.domains;
    return wish->conf->srs.enabled ? wish->conf->srs.domain_count : 0;
}

static void
accept_domains(struct wish *wish)
{
    const struct slice *domains;
    size_t count = srs_domains(wish, &domains);
    struct slice relay = postconf_value(wish->before, "relay_domains");
    struct slice maps = postconf_value(wish->before, "relay_recipient_maps");
    struct slice map = wish_map(wish, "recipient");
    struct buf more = { 0 };

    for (size_t i = 0; i < count; i++)
        if (!is_known(wish, domains[i]))
            buf_printf(&more, "%s%.*s", more.len != 0 ? ", " : "",
                       SLICE_ARG(domains[i]));
    if (more.len != 0) {
        append_main(wish, "relay_domains",
                    arena_copy(wish->arena, buf_slice(&more)),
                    "bounces come back to SRS addresses");
        /* With relay domains of others, and no list of recipients, all of
         * theirs are taken now; that is not ours to change. */
        if (map.len != 0 && maps.len == 0 && relay.len == 0)
            wish_main(wish, "relay_recipient_maps", map,
                      "forged SRS addresses are refused at RCPT");
        else if (map.len != 0 && maps.len == 0)
            buf_puts(wish->notes,
                     "relay_recipient_maps is empty, so Postfix takes every "
                     "address of relay_domains; Onward refuses forged SRS "
                     "addresses itself\n");
    }
    buf_free(&more);
}

static bool
has_route(struct slice maps, struct slice domain)
{
    struct buf key = { 0 };
    bool found = false;

    buf_printf(&key, "%.*s=", SLICE_ARG(domain));
    for (size_t at = 0; at < maps.len && !found; at++)
        found = (at == 0 || maps.ptr[at - 1] == '{' ||
                 maps.ptr[at - 1] == ' ' || maps.ptr[at - 1] == ',') &&
                slice_starts_nocase(slice_tail(maps, at), buf_slice(&key));
    buf_free(&key);
    return found;
}

static void
route_bounces(struct wish *wish)
{
    const struct conf_listener *listener =
        fronts_smtp_listener(wish->conf, FRONT_MX);
    struct slice have = postconf_value(wish->before, "transport_maps");
    const struct slice *domains;
    size_t count = srs_domains(wish, &domains);
    struct buf pairs = { 0 };

    if (listener == NULL && count != 0 && fronts_listener(wish->conf, FRONT_MX))
        buf_puts(wish->notes,
                 "bounces that this Postfix makes itself are not reversed: "
                 "smtp(8) speaks to no unix socket; add an inbound listener "
                 "on loopback for them\n");
    if (listener == NULL)
        return;
    struct slice there = fronts_nexthop(
        &listener->address, wish_queue_directory(wish), wish->arena);
    for (size_t i = 0; i < count; i++)
        if (!has_route(have, domains[i]))
            buf_printf(&pairs, "%s%.*s=onward:%.*s", pairs.len != 0 ? ", " : "",
                       SLICE_ARG(domains[i]), SLICE_ARG(there));
    if (pairs.len != 0)
        append_main(
            wish, "transport_maps",
            wish_text(wish, "inline:{%.*s}", SLICE_ARG(buf_slice(&pairs))),
            "bounces that this Postfix makes itself come to Onward "
            "too, and are reversed");
    buf_free(&pairs);
}

/* Lines that end in LF alone end no message: else strangers could put a second
 * one behind the first before we see either. */
static void
forbid_bare_newlines(struct wish *wish)
{
    static const char name[] = "smtpd_forbid_bare_newline";

    if (!postconf_knows(wish->before, name))
        buf_puts(wish->notes,
                 "this Postfix has no smtpd_forbid_bare_newline: update it "
                 "(3.5.23, 3.6.13, 3.7.9, 3.8.4 or later)\n");
    else if (slice_equal_nocase(postconf_value(wish->before, name),
                                SLICE_OF("no")))
        wish_main(wish, name, SLICE_OF("normalize"),
                  "no second message can be smuggled in behind the first");
}

void
wish_domains(struct wish *wish)
{
    accept_domains(wish);
    route_bounces(wish);
    forbid_bare_newlines(wish);
}
