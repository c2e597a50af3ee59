/* hostname, listeners, upstream, and the addresses of the small servers. */
#include "build.h"

#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

bool
conf_build_address(const struct conf_reading *r, const struct conf_node *group,
                   const char *name, struct conf_address *address)
{
    struct conf_got got = conf_get(r, group, name);
    const char *why = NULL;

    if (got.text.len == 0)
        return false;
    if (conf_parse_address(got.text, r->arena, address, &why))
        return true;
    if (got.node != NULL)
        conf_error(r, got.node, NULL, "%s: %s", conf_quote(r, got.text), why);
    return false;
}

static void
build_name(const struct conf_reading *r, const struct conf_node *group,
           struct conf_listener *listener)
{
    struct conf_got got = conf_get(r, group, "listeners[].name");

    listener->name = got.text;
    if (conf_is_missing(group, "listeners[].name"))
        conf_error(r, group, "name",
                   "is missing; a listener needs name, "
                   "address and role");
    for (size_t i = 0; i < got.text.len; i++) {
        char c = got.text.ptr[i];
        if (ascii_is_alnum(c) || c == '.' || c == '_' || c == '-')
            continue;
        conf_error(r, got.node, NULL,
                   "%s: only letters, digits, . _ and - stand in the name of "
                   "a listener",
                   conf_quote(r, got.text));
        return;
    }
}

static void
build_allow_from(const struct conf_reading *r, const struct conf_node *group,
                 struct conf_listener *listener)
{
    struct conf_got got = conf_get(r, group, "listeners[].allow_from");

    if (got.node == NULL)
        return;
    listener->allow_from = arena_alloc(
        r->arena, (got.node->count + 1) * sizeof(listener->allow_from[0]));
    for (const struct conf_node *n = got.node->first; n != NULL; n = n->next) {
        struct conf_network *network =
            &listener->allow_from[listener->allow_from_count];
        const char *why = NULL;
        struct slice text;
        if (!conf_element(n, &text))
            continue;
        if (conf_parse_network(text, r->arena, network, &why))
            listener->allow_from_count++;
        else
            conf_error(r, n, NULL, "%s: %s", conf_quote(r, text), why);
    }
}

/* "0660": an octal number that says something about permissions. */
static bool
parse_mode(struct slice text, unsigned *mode)
{
    *mode = 0;
    if (text.len < 3 || text.len > 4 || (text.len == 4 && text.ptr[0] != '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '7')
            return false;
        *mode = *mode * 8 + (unsigned)(text.ptr[i] - '0');
    }
    return *mode != 0;
}

static void
build_socket(const struct conf_reading *r, const struct conf_node *group,
             struct conf_listener *listener)
{
    struct conf_got mode = conf_get(r, group, "listeners[].mode");
    struct conf_got name = conf_get(r, group, "listeners[].group");

    listener->group = name.text;
    if (!parse_mode(mode.text, &listener->mode) && mode.node != NULL)
        conf_error(r, mode.node, NULL,
                   "%s is not a mode; write it as in chmod, \"0660\"",
                   conf_quote(r, mode.text));
    if (name.text.len != 0) {
        struct group entry;
        struct group *found = NULL;
        char room[16384];
        char *text = arena_cstr(r->arena, name.text);
        int error = getgrnam_r(text, &entry, room, sizeof(room), &found);
        if (error == 0 && found == NULL)
            conf_error(r, name.node, NULL, "there is no group %s",
                       conf_quote(r, name.text));
    }
}

static void
check_kind(const struct conf_reading *r, const struct conf_node *group,
           const struct conf_listener *listener)
{
    static const char *const of_unix[] = { "group", "mode" };
    static const char *const of_tcp[] = { "allow_from", "reuse_port" };
    bool is_unix = listener->address.kind == CONF_UNIX;
    const char *const *wrong = is_unix ? of_tcp : of_unix;

    for (size_t i = 0; i < 2; i++)
        if (conf_node_member(group, slice_from(wrong[i])) != NULL)
            conf_error(r, group, wrong[i], "is for %s only",
                       is_unix ? "TCP listeners" : "unix sockets");
}

static void
build_listener(const struct conf_reading *r, const struct conf_node *group,
               struct conf_listener *listener)
{
    build_name(r, group, listener);
    if (conf_is_missing(group, "listeners[].address"))
        conf_error(r, group, "address",
                   "is missing; write \"127.0.0.1:10025\"");
    else if (conf_build_address(r, group, "listeners[].address",
                                &listener->address))
        check_kind(r, group, listener);
    if (conf_is_missing(group, "listeners[].role"))
        conf_error(r, group, "role",
                   "is missing; choose \"inbound\" or \"outbound\"");
    listener->role = conf_get(r, group, "listeners[].role").number == 0
                         ? CONF_INBOUND
                         : CONF_OUTBOUND;
    build_allow_from(r, group, listener);
    listener->reuse_port = conf_get(r, group, "listeners[].reuse_port").truth;
    build_socket(r, group, listener);
}

static void
build_listeners(const struct conf_reading *r, struct conf *conf)
{
    struct conf_got got = conf_get(r, NULL, "listeners");

    if (conf_written(r, "listeners") == NULL ||
        (got.node != NULL && got.node->count == 0))
        conf_error_setting(r, "listeners",
                           "there is none; write ( { name = \"mx\"; address "
                           "= \"127.0.0.1:10025\"; role = \"inbound\"; } )");
    if (got.node == NULL)
        return;
    conf->listeners = arena_alloc(r->arena, (got.node->count + 1) *
                                                sizeof(conf->listeners[0]));
    for (const struct conf_node *n = got.node->first; n != NULL; n = n->next)
        if (n->kind == NODE_GROUP)
            build_listener(r, n, &conf->listeners[conf->listener_count++]);
}

static void
build_hostname(const struct conf_reading *r, struct conf *conf)
{
    struct conf_got got = conf_get(r, NULL, "hostname");

    conf->hostname = got.text;
    if (got.text.len == 0)
        conf->hostname =
            r->inputs->fqdn.len != 0 ? r->inputs->fqdn : SLICE_OF("localhost");
    conf->hostname = arena_copy(r->arena, conf->hostname);
    const char *why = conf_domain(r, conf->hostname, &conf->hostname);
    if (why != NULL)
        conf_error_setting(r, "hostname", "%s %s",
                           conf_quote(r, conf->hostname), why);
}

/* "host" is port 53 of it. */
static void
build_servers(const struct conf_reading *r, struct conf *conf)
{
    struct conf_got got = conf_get(r, NULL, "dns.servers");

    if (got.node == NULL)
        return;
    conf->dns.servers = arena_alloc(r->arena, (got.node->count + 1) *
                                                  sizeof(conf->dns.servers[0]));
    for (const struct conf_node *n = got.node->first; n != NULL; n = n->next) {
        struct conf_address *server =
            &conf->dns.servers[conf->dns.server_count];
        const char *why = NULL;
        struct slice text;
        struct conf_network host;
        if (!conf_element(n, &text))
            continue;
        struct buf full = { 0 };
        bool alone = slice_find(text, '/') == text.len &&
                     conf_parse_network(text, r->arena, &host, &why);
        bool bare6 =
            alone && slice_find(text, ':') < text.len && text.ptr[0] != '[';
        buf_printf(&full, bare6 ? "[%.*s]%s" : "%.*s%s", SLICE_ARG(text),
                   alone ? ":53" : "");
        if (conf_parse_address(buf_slice(&full), r->arena, server, &why) &&
            server->kind == CONF_TCP)
            conf->dns.server_count++;
        else
            conf_error(r, n, NULL, "%s: %s", conf_quote(r, text),
                       why != NULL ? why : "a DNS server has an IP address");
        buf_free(&full);
    }
}

void
conf_build_network(const struct conf_reading *r, struct conf *conf)
{
    build_hostname(r, conf);
    build_listeners(r, conf);
    conf_build_address(r, NULL, "upstream.address", &conf->upstream.address);
    conf->upstream.connect_timeout =
        (unsigned)conf_get(r, NULL, "upstream.connect_timeout").number;
    conf->upstream.reply_timeout =
        (unsigned)conf_get(r, NULL, "upstream.reply_timeout").number;
    conf->upstream.idle_timeout =
        (unsigned)conf_get(r, NULL, "upstream.idle_timeout").number;
    conf->http.enabled =
        conf_build_address(r, NULL, "http.listen", &conf->http.listen);
    conf->socketmap.enabled = conf_build_address(r, NULL, "socketmap.listen",
                                                 &conf->socketmap.listen);
    build_servers(r, conf);
    conf->dns.timeout = (unsigned)conf_get(r, NULL, "dns.timeout").number;
}
