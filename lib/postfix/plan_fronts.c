#include "plan_parts.h"

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
fronts_is_loopback(struct slice host)
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

static bool
has_option(const struct postconf_service *service, const char *name)
{
    return postconf_find(&service->options, slice_from(name)) != NULL;
}

/* What a content filter, or we, give mail back to. */
static bool
is_reinjection(const struct postconf_service *service)
{
    return has_option(service, "smtpd_authorized_xforward_hosts") ||
           has_option(service, "receive_override_options") ||
           has_option(service, "content_filter");
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
    *inner = fronts_is_loopback(host);
    return true;
}

size_t
fronts_find(const struct postconf *postconf, const struct conf *conf,
            struct front fronts[FRONTS_MAX])
{
    const struct postconf_service *back =
        fronts_at(postconf, &conf->upstream.address);
    bool outer[2] = { false, false };
    size_t count = 0;
    struct front front;
    bool inner;

    for (size_t i = 0; i < postconf->service_count; i++)
        if (&postconf->services[i] != back &&
            classify(&postconf->services[i], &front, &inner) && !inner)
            outer[front.role] = true;
    for (size_t i = 0; i < postconf->service_count && count < FRONTS_MAX; i++)
        if (&postconf->services[i] != back &&
            classify(&postconf->services[i], &front, &inner) &&
            (!inner || !outer[front.role]))
            fronts[count++] = front;
    return count;
}

static bool
has_role(const struct conf_listener *listener, enum front_role role)
{
    return listener->role == (role == FRONT_MX ? CONF_INBOUND : CONF_OUTBOUND);
}

const struct conf_listener *
fronts_listener(const struct conf *conf, enum front_role role)
{
    for (size_t i = 0; i < conf->listener_count; i++)
        if (has_role(&conf->listeners[i], role))
            return &conf->listeners[i];
    return NULL;
}

const struct conf_listener *
fronts_smtp_listener(const struct conf *conf, enum front_role role)
{
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
           fronts_is_loopback(address->host);
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
fronts_at(const struct postconf *postconf, const struct conf_address *address)
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
fronts_destination(const struct conf_address *address,
                   struct slice queue_directory, struct arena *arena)
{
    struct slice host = connectable(address->host);
    struct buf text = { 0 };

    if (address->kind == CONF_UNIX)
        buf_printf(&text, "unix:%.*s",
                   SLICE_ARG(relative_path(address->path, queue_directory)));
    else if (slice_find(host, ':') < host.len)
        buf_printf(&text, "[%.*s]:%u", SLICE_ARG(host), address->port);
    else
        buf_printf(&text, "%.*s:%u", SLICE_ARG(host), address->port);
    struct slice copy = arena_copy(arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

struct slice
fronts_nexthop(const struct conf_address *address, struct slice queue_directory,
               struct arena *arena)
{
    struct slice there = fronts_destination(address, queue_directory, arena);
    size_t colon = slice_find_last(there, ':');
    struct buf text = { 0 };

    if (address->kind == CONF_UNIX || there.ptr[0] == '[')
        return there;
    buf_printf(&text, "[%.*s]%.*s", SLICE_ARG(slice_head(there, colon)),
               SLICE_ARG(slice_tail(there, colon)));
    there = arena_copy(arena, buf_slice(&text));
    buf_free(&text);
    return there;
}

bool
fronts_leads_to(struct slice filter, const struct conf_address *address,
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
    return host.len == 0 ? fronts_is_loopback(there.host)
                         : is_host(host, &there);
}

uint64_t
fronts_limit(const struct postconf *postconf,
             const struct postconf_service *service)
{
    uint64_t limit;

    if (slice_to_u64(service->limit, &limit) ||
        slice_to_u64(postconf_value(postconf, "default_process_limit"), &limit))
        return limit;
    return 100; /* Postfix' default */
}
