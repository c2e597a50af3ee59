#include "plan_wish.h"

struct slice
wish_text(struct wish *wish, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    struct slice copy = arena_copy(wish->arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

void
wish_why(struct wish *wish, struct slice target, struct slice why)
{
    postconf_put(&wish->whys, wish->arena, target, why);
}

void
wish_main(struct wish *wish, const char *name, struct slice value,
          const char *why)
{
    postconf_put_main(wish->wanted, slice_from(name), value);
    wish_why(wish, slice_from(name), slice_from(why));
}

void
wish_option(struct wish *wish, struct postconf_service *service,
            const char *name, struct slice value, const char *why)
{
    postconf_put(&service->options, wish->arena, slice_from(name), value);
    wish_why(wish, wish_text(wish, "%.*s/%s", SLICE_ARG(service->id), name),
             slice_from(why));
}

struct slice
wish_queue_directory(const struct wish *wish)
{
    return postconf_value(wish->before, "queue_directory");
}

struct slice
wish_map(struct wish *wish, const char *name)
{
    const struct conf_address *address = &wish->conf->socketmap.listen;
    struct slice where;

    if (!wish->conf->socketmap.enabled)
        return (struct slice){ 0 };
    where =
        fronts_destination(address, wish_queue_directory(wish), wish->arena);
    return wish_text(
        wish, "socketmap:%s%.*s:%s",
        address->kind == CONF_UNIX ? "" : "inet:", SLICE_ARG(where), name);
}

/* An address of ours that a service of this Postfix has. */
static void
look_for_collisions(struct wish *wish)
{
    for (size_t i = 0; i < wish->conf->listener_count; i++) {
        const struct conf_listener *listener = &wish->conf->listeners[i];
        const struct postconf_service *service =
            fronts_at(wish->before, &listener->address);
        if (service != NULL)
            buf_printf(wish->refusals,
                       "listener %.*s: %.*s is the service %.*s of this "
                       "Postfix; give the listener another port\n",
                       SLICE_ARG(listener->name),
                       SLICE_ARG(listener->address.text),
                       SLICE_ARG(service->id));
    }
    if (!wish->conf->socketmap.enabled)
        return;
    const struct postconf_service *service =
        fronts_at(wish->before, &wish->conf->socketmap.listen);
    if (service != NULL)
        buf_printf(wish->refusals,
                   "socketmap.listen: %.*s is the service %.*s of this "
                   "Postfix; give it another port\n",
                   SLICE_ARG(wish->conf->socketmap.listen.text),
                   SLICE_ARG(service->id));
}

/* sendmail(1) and cron write to the maildrop, and no smtpd sees that. */
static void
note_pickup(struct wish *wish)
{
    const struct conf_listener *outbound =
        fronts_smtp_listener(wish->conf, FRONT_SUBMISSION);
    const struct postconf_service *pickup =
        postconf_service(wish->before, SLICE_OF("pickup/unix"));

    if (outbound == NULL || pickup == NULL ||
        postconf_of(wish->before, pickup, "content_filter").len != 0)
        return;
    struct slice there = fronts_nexthop(
        &outbound->address, wish_queue_directory(wish), wish->arena);
    buf_printf(wish->notes,
               "mail by sendmail(1), cron and PHP passes no smtpd and stays "
               "unsigned; to have it signed:\n"
               "  postconf -P pickup/unix/content_filter=smtp:%.*s\n",
               SLICE_ARG(there));
}

/* For hosts without 8BITMIME smtp(8) makes quoted-printable of 8-bit mail,
 * which is no longer what was signed. */
static void
keep_signatures(struct wish *wish)
{
    static const char name[] = "disable_mime_output_conversion";

    if (wish->conf->dkim.key_directory.len != 0 &&
        postconf_knows(wish->before, name) &&
        !postconf_is_yes(postconf_value(wish->before, name)))
        wish_main(wish, name, SLICE_OF("yes"),
                  "8-bit mail leaves as it was signed");
}

void
wish_make(struct wish *wish)
{
    look_for_collisions(wish);
    wish_fronts(wish);
    wish_domains(wish);
    keep_signatures(wish);
    wish_back(wish); /* adds services: the fronts are no longer valid */
    note_pickup(wish);
}
