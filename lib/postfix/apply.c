#include "apply.h"

#include "wanted.h"

static void
add_why(struct apply *apply, struct slice target, const char *why)
{
    if (why != NULL)
        postconf_put(&apply->whys, apply->site.arena, target, slice_from(why));
}

/* ---- one value --------------------------------------------------------- */

/* postconf -P takes no blanks, and an option must not name its own parameter:
 * such a value goes by a parameter of our own. */
static struct slice
as_option(struct apply *apply, const char *name, struct slice value)
{
    static const struct slice awkward = SLICE(" \t{$");
    struct slice own = site_text(&apply->site, "onward_%s", name);

    for (size_t i = 0; i < awkward.len; i++)
        if (slice_find(value, awkward.ptr[i]) < value.len) {
            postconf_put_main(apply->site.postfix, own, value);
            add_why(
                apply, own,
                site_text(&apply->site, "%s, and what Onward knows", name).ptr);
            return site_text(&apply->site, "$%.*s", SLICE_ARG(own));
        }
    return value;
}

static void
put(struct apply *apply, const struct place *p, struct slice value)
{
    struct site *site = &apply->site;
    const char *name = p->row->name;

    if (p->service == NULL)
        postconf_put_main(site->postfix, slice_from(name), value);
    else if (slice_equal(slice_from(name), SLICE_OF("process_limit")))
        p->service->limit = value;
    else
        postconf_put(&p->service->options, site->arena, slice_from(name),
                     as_option(apply, name, value));
    add_why(apply, wanted_setting(p), p->row->why);
}

static void
note(struct apply *apply, const struct place *p, const struct judgement *j)
{
    struct slice setting = j->setting.len != 0 ? j->setting : wanted_setting(p);
    struct slice command = wanted_command(p, j, (struct slice){ 0 });

    buf_printf(apply->notes, "%.*s: %.*s%s\n", SLICE_ARG(setting),
               SLICE_ARG(j->sentence), command.len != 0 ? "; to mend it:" : "");
    if (command.len != 0)
        buf_printf(apply->notes, "  %.*s\n", SLICE_ARG(command));
}

static void
apply_row(struct apply *apply, const struct place *p)
{
    struct judgement j;

    if (!wanted_concerns(p))
        return;
    bool differs = wanted_differs(p, &j);
    struct slice value = wanted_value(p);
    if (differs && j.refusal.len != 0)
        buf_printf(apply->refusals, "%.*s\n", SLICE_ARG(j.refusal));
    if (differs && j.note.len != 0)
        buf_printf(apply->notes, "%.*s\n", SLICE_ARG(j.note));
    if (differs && p->row->setup == SETUP_NOTES)
        note(apply, p, &j);
    if (value.ptr != NULL && (p->row->setup == SETUP_SETS ||
                              (differs && p->row->setup == SETUP_MENDS)))
        put(apply, p, value);
}

static void
apply_scopes(struct apply *apply, enum scope first, enum scope last)
{
    struct place places[PLACES_MAX];

    for (const struct wanted *row = wanted_rows; row->name != NULL; row++) {
        if (row->scope < first || row->scope > last)
            continue;
        size_t count = wanted_places(&apply->site, row, places);
        for (size_t i = 0; i < count; i++)
            apply_row(apply, &places[i]);
    }
}

/* ---- services of our own ----------------------------------------------- */

static struct postconf_service
new_service(const struct site *site, struct slice name, const char *type,
            struct slice chroot, const char *command)
{
    return (struct postconf_service){
        .id = site_text(site, "%.*s/%s", SLICE_ARG(name), type),
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

static struct slice
chroot_of(const struct site *site, const char *id)
{
    const struct postconf_service *service =
        postconf_service(site->before, slice_from(id));

    return service != NULL ? service->chroot : SLICE_OF("n");
}

static void
add_transport(struct apply *apply)
{
    struct site *site = &apply->site;
    struct postconf_service service = new_service(
        site, SLICE_OF("onward"), "unix", chroot_of(site, "smtp/unix"), "smtp");

    if (!site->conf->srs.enabled ||
        site_smtp_listener_for(site, FRONT_MX) == NULL)
        return;
    postconf_put_service(site->postfix, &service);
    add_why(apply, service.id,
            "the way to Onward for what this Postfix sends itself, without "
            "what\nmain.cf sets for the Internet (TLS, addresses to bind to, "
            "a fallback)");
}

/* Is there anything that the site's own cleanup(8) must not do behind us? */
static bool
needs_cleanup(struct site *site, struct postconf_service *model)
{
    struct place places[PLACES_MAX];
    struct judgement j;

    if (back_message_size(&(struct place){ .site = site }).ptr != NULL)
        return true;
    site->cleanup = model;
    for (const struct wanted *row = wanted_rows; row->name != NULL; row++)
        if (row->scope == SCOPE_CLEANUP && row->setup != SETUP_LEAVES &&
            wanted_places(site, row, places) != 0 &&
            wanted_concerns(&places[0]) && wanted_differs(&places[0], &j))
            return true;
    return false;
}

static void
add_cleanup(struct apply *apply)
{
    struct site *site = &apply->site;
    struct postconf_service *model =
        postconf_service(site->postfix, SLICE_OF("cleanup/unix"));
    struct postconf_service service =
        new_service(site, SLICE_OF("onward-cleanup"), "unix",
                    chroot_of(site, "cleanup/unix"), "cleanup");

    if (!needs_cleanup(site, model))
        return;
    service.is_private = SLICE_OF("n");
    service.limit = SLICE_OF("0");
    for (size_t i = 0; model != NULL && i < model->options.count; i++)
        postconf_put(&service.options, site->arena,
                     model->options.pairs[i].name,
                     model->options.pairs[i].value);
    postconf_put_service(site->postfix, &service);
    add_why(apply, service.id,
            "room for our header fields on a message that is just below the "
            "limit, and\nno fields below our signature");
}

static bool
is_here(struct apply *apply, const struct conf_address *address)
{
    if (address->kind == CONF_TCP && site_is_loopback(address->host))
        return true;
    buf_printf(apply->notes,
               "upstream.address %.*s is not on loopback: its smtpd is not "
               "made here. It needs the options of the re-injection service "
               "in postfix-examples/self-hosted\n",
               SLICE_ARG(address->text));
    return false;
}

static void
add_back(struct apply *apply)
{
    struct site *site = &apply->site;
    const struct conf_address *address = &site->conf->upstream.address;
    struct slice chroot = SLICE_OF("n");

    for (size_t i = site->front_count; i-- > 0;)
        if (site_listener(site, site->fronts[i].service) != NULL)
            chroot = site->fronts[i].service->chroot;
    struct postconf_service service = new_service(
        site, site_destination(site, address), "inet", chroot, "smtpd");
    service.is_private = SLICE_OF("n");
    if (site->back == NULL)
        postconf_put_service(site->postfix, &service);
}

/* One comment for the whole line of the re-injection service. */
static void
explain_back(struct apply *apply)
{
    const struct site *site = &apply->site;
    struct place places[PLACES_MAX];
    struct buf all = { 0 };

    buf_puts(&all, "where Onward gives mail back: on loopback, for nobody "
                   "else");
    for (const struct wanted *row = wanted_rows; row->name != NULL; row++)
        if (row->scope == SCOPE_BACK && row->why != NULL &&
            wanted_places(site, row, places) != 0 &&
            wanted_concerns(&places[0]) &&
            (row->value != NULL || wanted_value(&places[0]).len != 0))
            buf_printf(&all, "\n  %s: %s", row->name, row->why);
    postconf_put(&apply->whys, site->arena, site->back->id, buf_slice(&all));
    buf_free(&all);
}

/* ---- the whole --------------------------------------------------------- */

static void
look_at_fronts(struct apply *apply)
{
    const struct site *site = &apply->site;

    for (size_t i = 0; i < site->front_count; i++)
        if (site_listener_for(site, site->fronts[i].role) == NULL)
            buf_printf(apply->notes,
                       "%.*s is left as it is: the configuration has no "
                       "listener with role = \"%s\"\n",
                       SLICE_ARG(site->fronts[i].service->id),
                       site->fronts[i].role == FRONT_MX ? "inbound"
                                                        : "outbound");
    if (site->front_count == 0)
        buf_puts(apply->refusals,
                 "no smtpd service faces outside in master.cf: there is "
                 "nothing to stand in front of\n");
}

static bool
any_leads_to_us(const struct site *site)
{
    for (size_t i = 0; i < site->front_count; i++)
        if (site_listener(site, site->fronts[i].service) != NULL)
            return true;
    return false;
}

void
apply_rows(struct apply *apply)
{
    struct site *site = &apply->site;

    site_look(site);
    look_at_fronts(apply);
    apply_scopes(apply, SCOPE_LISTENER, SCOPE_PICKUP);
    if (apply->refusals->len == 0 && !any_leads_to_us(site))
        buf_puts(apply->refusals,
                 "no listener of the configuration fits any smtpd service of "
                 "master.cf\n");
    if (apply->refusals->len != 0)
        return;
    bool here = is_here(apply, &site->conf->upstream.address);
    if (here)
        add_back(apply);
    add_transport(apply);
    add_cleanup(apply);
    site_look(site);
    if (here) {
        site->cleanup =
            postconf_service(site->postfix, SLICE_OF("onward-cleanup/unix"));
        apply_scopes(apply, SCOPE_BACK, SCOPE_CLEANUP);
        explain_back(apply);
    }
    apply_scopes(apply, SCOPE_TRANSPORT, SCOPE_SMTP);
}
