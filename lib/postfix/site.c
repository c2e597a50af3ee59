#include "site.h"

enum port_kind {
    PORT_SMTP,
    PORT_SUBMISSION,
    PORT_OTHER
};

/* "[::1]:25", "127.0.0.1:smtp", "smtp": host may be empty. */
static void
split_name(struct slice name, struct slice *host, struct slice *port)
{
    size_t colon = slice_find_last(name, ':');

    *host = (struct slice){ 0 };
    *port = name;
    if (colon == name.len)
        return;
    *host = slice_head(name, colon);
    *port = slice_tail(name, colon + 1);
    if (host->len > 2 && host->ptr[0] == '[')
        *host = slice_head(slice_tail(*host, 1), host->len - 2);
}

bool
site_is_loopback(struct slice host)
{
    static const struct slice four = SLICE("127.");

    return slice_starts_nocase(host, four) ||
           slice_equal_nocase(host, SLICE_OF("localhost")) ||
           slice_equal(host, SLICE_OF("::1"));
}

static enum port_kind
kind_of(struct slice port)
{
    static const struct {
        struct slice name;
        enum port_kind kind;
    } ports[] = {
        { SLICE("smtp"), PORT_SMTP },
        { SLICE("25"), PORT_SMTP },
        { SLICE("submission"), PORT_SUBMISSION },
        { SLICE("587"), PORT_SUBMISSION },
        { SLICE("submissions"), PORT_SUBMISSION },
        { SLICE("smtps"), PORT_SUBMISSION },
        { SLICE("465"), PORT_SUBMISSION },
    };

    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        if (slice_equal_nocase(port, ports[i].name))
            return ports[i].kind;
    return PORT_OTHER;
}

/* What a content filter, or we, give mail back to. */
static bool
is_reinjection(const struct postconf_service *service)
{
    return site_has_option(service, "smtpd_authorized_xforward_hosts") ||
           site_has_option(service, "receive_override_options") ||
           site_has_option(service, "content_filter");
}

/* On a port that says nothing: what marks a service for the site's users. */
static enum front_role
role_by_options(const struct postconf_service *service)
{
    static const struct {
        const char *name;
        struct slice holds;
    } marks[] = {
        { "smtpd_sasl_auth_enable", SLICE("yes") },
        { "smtpd_tls_wrappermode", SLICE("yes") },
        { "syslog_name", SLICE("submission") },
        { "syslog_name", SLICE("smtps") },
        { "milter_macro_daemon_name", SLICE("originating") },
        { "smtpd_relay_restrictions", SLICE("permit_sasl_authenticated") },
        { "smtpd_client_restrictions", SLICE("permit_sasl_authenticated") },
    };

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const struct postconf_pair *option =
            postconf_find(&service->options, slice_from(marks[i].name));
        for (size_t at = 0; option != NULL && at < option->value.len; at++)
            if (slice_starts_nocase(slice_tail(option->value, at),
                                    marks[i].holds))
                return FRONT_SUBMISSION;
    }
    return FRONT_MX;
}

/* Is it a front? inner: on loopback, at a port of its own. */
static bool
classify(struct postconf_service *service, struct front *front, bool *inner)
{
    struct slice host, port;

    if (!slice_equal(service->command, SLICE_OF("smtpd")))
        return false;
    *front = (struct front){ service, FRONT_MX };
    *inner = false;
    if (slice_equal(service->type, SLICE_OF("pass")))
        return true;
    if (!slice_equal(service->type, SLICE_OF("inet")))
        return false;
    split_name(service->name, &host, &port);
    switch (kind_of(port)) {
    case PORT_SMTP:
        return true;
    case PORT_SUBMISSION:
        front->role = FRONT_SUBMISSION;
        return true;
    case PORT_OTHER:
        break;
    }
    if (is_reinjection(service))
        return false;
    front->role = role_by_options(service);
    *inner = site_is_loopback(host);
    return true;
}

bool
site_is_front_port(const struct postconf_service *service)
{
    struct slice host, port;

    split_name(service->name, &host, &port);
    return slice_equal(service->type, SLICE_OF("pass")) ||
           kind_of(port) != PORT_OTHER;
}

static void
find_fronts(struct site *site)
{
    struct postconf *postfix = site->postfix;
    bool outer[2] = { false, false };
    struct front front;
    bool inner;

    site->front_count = 0;
    for (size_t i = 0; i < postfix->service_count; i++)
        if (&postfix->services[i] != site->back &&
            classify(&postfix->services[i], &front, &inner) && !inner)
            outer[front.role] = true;
    for (size_t i = 0;
         i < postfix->service_count && site->front_count < FRONTS_MAX; i++)
        if (&postfix->services[i] != site->back &&
            classify(&postfix->services[i], &front, &inner) &&
            (!inner || !outer[front.role]))
            site->fronts[site->front_count++] = front;
}

void
site_look(struct site *site)
{
    site->queue_directory = site_value(site, "queue_directory");
    site->back = site_service_at(site->postfix, &site->conf->upstream.address);
    site->transport = postconf_service(site->postfix, SLICE_OF("onward/unix"));
    site->cleanup = NULL;
    if (site->back != NULL)
        site->cleanup = postconf_service(
            site->postfix,
            site_text(
                site, "%.*s/unix",
                SLICE_ARG(site_of(site, site->back, "cleanup_service_name"))));
    find_fronts(site);
}

/* ---- values ------------------------------------------------------------ */

struct slice
site_text(const struct site *site, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    struct slice copy = arena_copy(site->arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

struct slice
site_value(const struct site *site, const char *name)
{
    return postconf_value(site->before, name);
}

struct slice
site_written(const struct site *site, const char *name)
{
    const struct postconf_pair *pair =
        postconf_find(&site->before->set, slice_from(name));

    if (pair == NULL && site_value(site, name).len != 0)
        pair = postconf_find(&site->before->defaults, slice_from(name));
    return pair != NULL ? pair->value : (struct slice){ 0 };
}

struct slice
site_of(const struct site *site, const struct postconf_service *service,
        const char *name)
{
    return postconf_of(site->postfix, service, name);
}

uint64_t
site_number(const struct site *site, const struct postconf_service *service,
            const char *name)
{
    uint64_t value = 0;

    slice_to_u64(site_of(site, service, name), &value);
    return value;
}

bool
site_has_option(const struct postconf_service *service, const char *name)
{
    return postconf_find(&service->options, slice_from(name)) != NULL;
}

bool
site_is_chrooted(const struct postconf_service *service)
{
    return !slice_equal(service->chroot, SLICE_OF("n"));
}

uint64_t
site_limit(const struct site *site, const struct postconf_service *service)
{
    uint64_t limit;

    if (slice_to_u64(service->limit, &limit) ||
        slice_to_u64(site_value(site, "default_process_limit"), &limit))
        return limit;
    return 100; /* Postfix' default */
}

bool
site_has_table(struct slice list)
{
    static const struct slice inline_map = SLICE("inline:");
    struct slice element;

    while (postconf_next(&list, &element))
        if (slice_find(element, ':') < element.len &&
            !slice_starts_nocase(element, inline_map))
            return true;
    return false;
}

bool
site_mentions(struct slice text, struct slice word)
{
    for (size_t at = 0; at + word.len <= text.len; at++)
        if (slice_starts_nocase(slice_tail(text, at), word))
            return true;
    return false;
}

/* ---- listeners --------------------------------------------------------- */

static bool
has_role(const struct conf_listener *listener, enum front_role role)
{
    return listener->role == (role == FRONT_MX ? CONF_INBOUND : CONF_OUTBOUND);
}

const struct conf_listener *
site_listener_for(const struct site *site, enum front_role role)
{
    const struct conf *conf = site->conf;

    for (size_t i = 0; i < conf->listener_count; i++)
        if (has_role(&conf->listeners[i], role))
            return &conf->listeners[i];
    return NULL;
}

const struct conf_listener *
site_smtp_listener_for(const struct site *site, enum front_role role)
{
    const struct conf *conf = site->conf;

    for (size_t i = 0; i < conf->listener_count; i++)
        if (has_role(&conf->listeners[i], role) &&
            conf->listeners[i].address.kind == CONF_TCP)
            return &conf->listeners[i];
    return NULL;
}

/* ---- addresses --------------------------------------------------------- */

static bool
is_host(struct slice host, const struct conf_address *address)
{
    if (slice_equal_nocase(host, address->host))
        return true;
    return slice_equal_nocase(host, SLICE_OF("localhost")) &&
           site_is_loopback(address->host);
}

static bool
is_port(struct slice port, unsigned number)
{
    static const struct {
        struct slice name;
        unsigned number;
    } names[] = { { SLICE("smtp"), 25 },
                  { SLICE("submission"), 587 },
                  { SLICE("submissions"), 465 },
                  { SLICE("smtps"), 465 } };
    uint64_t value;

    if (slice_to_u64(port, &value))
        return value == number;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal_nocase(port, names[i].name))
            return names[i].number == number;
    return false;
}

struct postconf_service *
site_service_at(const struct postconf *postconf,
                const struct conf_address *address)
{
    for (size_t i = 0; i < postconf->service_count; i++) {
        struct postconf_service *service = &postconf->services[i];
        struct slice host, port;
        if (address->kind != CONF_TCP ||
            !slice_equal(service->type, SLICE_OF("inet")))
            continue;
        split_name(service->name, &host, &port);
        if (is_port(port, address->port) &&
            (host.len == 0 || is_host(host, address)))
            return service;
    }
    return NULL;
}

/* Where to connect for what listens on all addresses. */
static struct slice
connectable(struct slice host)
{
    if (slice_equal(host, SLICE_OF("0.0.0.0")))
        return SLICE_OF("127.0.0.1");
    if (slice_equal(host, SLICE_OF("::")))
        return SLICE_OF("::1");
    return host;
}

static struct slice
relative_path(struct slice path, struct slice directory)
{
    if (directory.len != 0 && path.len > directory.len + 1 &&
        slice_equal(slice_head(path, directory.len), directory) &&
        path.ptr[directory.len] == '/')
        return slice_tail(path, directory.len + 1);
    return path;
}

struct slice
site_destination(const struct site *site, const struct conf_address *address)
{
    struct slice host = connectable(address->host);

    if (address->kind == CONF_UNIX)
        return site_text(
            site, "unix:%.*s",
            SLICE_ARG(relative_path(address->path, site->queue_directory)));
    return site_text(site,
                     slice_find(host, ':') < host.len ? "[%.*s]:%u" : "%.*s:%u",
                     SLICE_ARG(host), address->port);
}

struct slice
site_nexthop(const struct site *site, const struct conf_address *address)
{
    struct slice host = connectable(address->host);

    return site_text(site, "[%.*s]:%u", SLICE_ARG(host), address->port);
}

struct slice
site_map(const struct site *site, const char *name)
{
    const struct conf_address *address = &site->conf->socketmap.listen;

    if (!site->conf->socketmap.enabled)
        return (struct slice){ 0 };
    return site_text(site, "socketmap:%s%.*s:%s",
                     address->kind == CONF_UNIX ? "" : "inet:",
                     SLICE_ARG(site_destination(site, address)), name);
}

/* Does a value of smtpd_proxy_filter lead to that address? */
static bool
leads_to(struct slice filter, const struct conf_address *address,
         struct slice queue_directory)
{
    static const struct slice unix_prefix = SLICE("unix:");
    static const struct slice inet_prefix = SLICE("inet:");
    struct slice host, port;

    if (slice_starts_nocase(filter, unix_prefix)) {
        struct slice path = slice_tail(filter, unix_prefix.len);
        return address->kind == CONF_UNIX &&
               slice_equal(relative_path(path, queue_directory),
                           relative_path(address->path, queue_directory));
    }
    if (slice_starts_nocase(filter, inet_prefix))
        filter = slice_tail(filter, inet_prefix.len);
    if (address->kind != CONF_TCP || filter.len == 0)
        return false;
    split_name(filter, &host, &port);
    if (!is_port(port, address->port))
        return false;
    struct conf_address there = *address;
    there.host = connectable(address->host);
    return host.len == 0 ? site_is_loopback(there.host) : is_host(host, &there);
}

const struct conf_listener *
site_listener(const struct site *site, const struct postconf_service *service)
{
    struct slice filter = site_of(site, service, "smtpd_proxy_filter");

    for (size_t i = 0; i < site->conf->listener_count; i++)
        if (leads_to(filter, &site->conf->listeners[i].address,
                     site->queue_directory))
            return &site->conf->listeners[i];
    return NULL;
}
