#include "plan_wish.h"

static struct slice
chroot_of(const struct wish *wish, const char *id)
{
    const struct postconf_service *service =
        postconf_service(wish->before, slice_from(id));

    return service != NULL ? service->chroot : SLICE_OF("n");
}

static struct postconf_service
new_service(struct slice name, const char *type, struct slice chroot,
            const char *command)
{
    return (struct postconf_service){
        .name = name,
        .type = slice_from(type),
        .is_private = SLICE_OF("-"),
        .unprivileged = SLICE_OF("-"),
        .chroot = chroot,
        .wakeup = SLICE_OF("-"),
        .limit = SLICE_OF("-"),
        .command = slice_from(command),
    };
}

static void
put(struct wish *wish, struct postconf_service *service, const char *name,
    struct slice value)
{
    postconf_put(&service->options, wish->arena, slice_from(name), value);
}

/* ---- smtp(8) to us ----------------------------------------------------- */

static void
add_transport(struct wish *wish)
{
    /* main.cf may ask for things that make sense for the Internet alone. */
    static const struct {
        const char *name, *value;
    } options[] = {
        { "smtp_tls_security_level", "none" }, { "smtp_tls_policy_maps", "" },
        { "smtp_sasl_auth_enable", "no" },     { "smtp_bind_address", "" },
        { "smtp_bind_address6", "" },          { "smtp_generic_maps", "" },
        { "smtp_header_checks", "" },          { "smtp_fallback_relay", "" },
    };
    struct postconf_service service = new_service(
        SLICE_OF("onward"), "unix", chroot_of(wish, "smtp/unix"), "smtp");

    service.id = SLICE_OF("onward/unix");
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (postconf_knows(wish->before, options[i].name))
            put(wish, &service, options[i].name, slice_from(options[i].value));
    postconf_put_service(wish->wanted, &service);
    wish_why(wish, service.id,
             SLICE_OF("the way to Onward for what this Postfix sends itself, "
                      "without what\nmain.cf sets for the Internet (TLS, "
                      "addresses to bind to, a fallback)"));
}

/* ---- the re-injection service ------------------------------------------ */

static const char cleanup_id[] = "onward-cleanup";

/* message_size_limit of an smtpd alone is not enough: cleanup has its own. */
static void
add_cleanup(struct wish *wish, uint64_t size)
{
    const struct postconf_service *model =
        postconf_service(wish->before, SLICE_OF("cleanup/unix"));
    struct postconf_service service =
        new_service(slice_from(cleanup_id), "unix",
                    chroot_of(wish, "cleanup/unix"), "cleanup");

    service.id = SLICE_OF("onward-cleanup/unix");
    service.is_private = SLICE_OF("n");
    service.limit = SLICE_OF("0");
    if (model != NULL) {
        struct postconf_service copy = *model;
        for (size_t i = 0; i < copy.options.count; i++)
            postconf_put(&service.options, wish->arena,
                         copy.options.pairs[i].name,
                         copy.options.pairs[i].value);
    }
    put(wish, &service, "message_size_limit",
        wish_text(wish, "%llu", (unsigned long long)size));
    put(wish, &service, "always_add_missing_headers", SLICE_OF("no"));
    postconf_put_service(wish->wanted, &service);
    wish_why(wish, service.id,
             SLICE_OF("room for our header fields on a message that is just "
                      "below the limit, and\nno fields below our signature"));
}

/* All fronts together, twice: a message may need two transactions, and one
 * that waits for its second while the others do the same waits for ever. */
static uint64_t
processes(const struct wish *wish)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < wish->front_count; i++) {
        uint64_t limit = fronts_limit(wish->before, wish->fronts[i].service);
        if (limit == 0)
            return 0;
        sum += limit;
    }
    return 2 * sum;
}

static void
set_options(struct wish *wish, struct postconf_service *service)
{
    struct slice log = postconf_value(wish->before, "syslog_name");
    uint64_t size = back_message_size(wish->before);

    if (log.len == 0 || slice_find(log, '$') < log.len)
        log = SLICE_OF("postfix");
    put(wish, service, "syslog_name",
        wish_text(wish, "%.*s/reinject", SLICE_ARG(log)));
    for (const struct back_option *o = back_options; o->name != NULL; o++)
        if (postconf_knows(wish->before, o->name))
            put(wish, service, o->name, slice_from(o->value));
    put(wish, service, "receive_override_options",
        slice_from(back_overrides(wish->before)));
    put(wish, service, "content_filter", wish->content_filter);
    if (size != 0) {
        put(wish, service, "message_size_limit",
            wish_text(wish, "%llu", (unsigned long long)size));
        put(wish, service, "cleanup_service_name", slice_from(cleanup_id));
        add_cleanup(wish, size);
    }
}

static void
set_reasons(struct wish *wish, const struct postconf_service *service)
{
    struct buf all = { 0 };

    buf_puts(&all, "where Onward gives mail back: on loopback, for nobody "
                   "else");
    for (const struct back_option *o = back_options; o->name != NULL; o++) {
        if (o->why == NULL)
            continue;
        buf_printf(&all, "\n  %s: %s", o->name, o->why);
        wish_why(wish,
                 wish_text(wish, "%.*s/%s", SLICE_ARG(service->id), o->name),
                 slice_from(o->why));
    }
    buf_printf(&all, "\n  receive_override_options: %s",
               back_keeps_mappings(wish->before)
                   ? "milters have run in front. The site's own\n    maps "
                     "(virtual_alias_maps, canonical...) go on working; keep "
                     "their keys apart\n    from Onward's"
                   : "aliases are Onward's; milters have run in front");
    buf_puts(&all, "\n  message_size_limit, cleanup_service_name: room for "
                   "our header fields");
    if (wish->content_filter.len != 0)
        buf_puts(&all, "\n  content_filter: what port 25 had goes on behind "
                       "us");
    wish_why(wish, service->id, buf_slice(&all));
    buf_free(&all);
}

/* "127.0.0.1:10026", "[::1]:10026" */
static struct slice
service_name(struct wish *wish, const struct conf_address *address)
{
    return fronts_destination(address, (struct slice){ 0 }, wish->arena);
}

static bool
is_here(struct wish *wish, const struct conf_address *address)
{
    if (address->kind == CONF_TCP && fronts_is_loopback(address->host))
        return true;
    buf_printf(wish->notes,
               "upstream.address %.*s is not on loopback: its smtpd is not "
               "made here. It needs the options of the re-injection service "
               "in postfix-examples/self-hosted\n",
               SLICE_ARG(address->text));
    return false;
}

void
wish_back(struct wish *wish)
{
    const struct conf_address *address = &wish->conf->upstream.address;
    const struct postconf_service *old;
    uint64_t limit = processes(wish);
    struct postconf_service service;

    if (wish->conf->srs.enabled && fronts_smtp_listener(wish->conf, FRONT_MX))
        add_transport(wish);
    if (!is_here(wish, address))
        return;
    old = fronts_at(wish->wanted, address);
    if (old != NULL && !slice_equal(old->command, SLICE_OF("smtpd"))) {
        buf_printf(wish->refusals,
                   "upstream.address %.*s is the service %.*s, which is no "
                   "smtpd; choose another port\n",
                   SLICE_ARG(address->text), SLICE_ARG(old->id));
        return;
    }
    if (old != NULL) {
        service = *old;
    } else {
        struct slice chroot = wish->front_count != 0
                                  ? wish->fronts[0].service->chroot
                                  : SLICE_OF("n");
        service =
            new_service(service_name(wish, address), "inet", chroot, "smtpd");
        service.is_private = SLICE_OF("n");
        service.id = wish_text(wish, "%.*s/inet", SLICE_ARG(service.name));
    }
    set_options(wish, &service);
    uint64_t have = fronts_limit(wish->before, &service);
    if (have != 0 && (limit == 0 || have < limit)) {
        service.limit = wish_text(wish, "%llu", (unsigned long long)limit);
        wish_why(wish,
                 wish_text(wish, "%.*s/process_limit", SLICE_ARG(service.id)),
                 SLICE_OF("twice what all fronts may have, or they wait for "
                          "each other"));
    }
    set_reasons(wish, &service);
    postconf_put_service(wish->wanted, &service);
    if (limit / 2 > wish->conf->limits.sessions)
        buf_printf(wish->notes,
                   "the fronts may have %llu processes, and limits.sessions "
                   "is %u\n",
                   (unsigned long long)limit / 2, wish->conf->limits.sessions);
}
