/* What is wrong between settings that are right by themselves. */
#include "build.h"

#include <string.h>
#include <time.h>

static const struct conf_node *
listener_node(const struct conf_reading *r, size_t index)
{
    const struct conf_node *node = conf_written(r, "listeners")->first;

    for (; node != NULL; node = node->next)
        if (node->kind == NODE_GROUP && index-- == 0)
            return node;
    return NULL;
}

/* The setting of a listener, or the listener where it is not written. */
static const struct conf_node *
listener_setting(const struct conf_reading *r, size_t index, const char *name)
{
    const struct conf_node *node = listener_node(r, index);
    const struct conf_node *member = conf_node_member(node, slice_from(name));

    return member != NULL ? member : node;
}

static void
check_listener(const struct conf_reading *r, const struct conf *conf,
               size_t index)
{
    const struct conf_listener *l = &conf->listeners[index];
    const struct conf_node *node = listener_node(r, index);

    for (size_t i = 0; i < index; i++) {
        const struct conf_listener *other = &conf->listeners[i];
        if (l->name.len != 0 && slice_equal(l->name, other->name))
            conf_error(r, listener_setting(r, index, "name"), NULL,
                       "%s is the name of another listener too (line %u)",
                       conf_quote(r, l->name), listener_node(r, i)->place.line);
        if (l->address.text.len != 0 && other->address.text.len != 0 &&
            conf_address_overlaps(&l->address, &other->address))
            conf_error(r, listener_setting(r, index, "address"), NULL,
                       "%s is the address of listener %s too (line %u)",
                       conf_quote(r, l->address.text),
                       conf_quote(r, other->name),
                       listener_node(r, i)->place.line);
    }
    if (l->address.text.len != 0 && !conf_address_is_loopback(&l->address) &&
        conf_node_member(node, SLICE_OF("allow_from")) == NULL)
        conf_error(r, node, "allow_from",
                   "is missing: %s is not loopback, so say who may connect: "
                   "allow_from = ( \"192.0.2.0/24\" )",
                   conf_quote(r, l->address.text));
    for (size_t i = 0; i < l->allow_from_count; i++)
        if (l->allow_from[i].bits == 0 || l->allow_from[i].bits == 96)
            problem_add(r->warnings,
                        listener_setting(r, index, "allow_from")->place,
                        conf_node_path(listener_setting(r, index, "allow_from"),
                                       r->arena),
                        "lets everybody connect: whoever can, relays "
                        "through Postfix");
}

/* An address of another kind that must not be one of the listeners. */
static void
check_apart(const struct conf_reading *r, const struct conf *conf,
            const char *name, const struct conf_address *address,
            const char *consequence)
{
    for (size_t i = 0; i < conf->listener_count; i++) {
        const struct conf_listener *l = &conf->listeners[i];
        if (l->address.text.len == 0 || address->text.len == 0 ||
            !conf_address_overlaps(&l->address, address))
            continue;
        conf_error_setting(r, name, "%s is the address of listener %s%s",
                           conf_quote(r, address->text), conf_quote(r, l->name),
                           consequence);
    }
}

static void
check_addresses(const struct conf_reading *r, const struct conf *conf)
{
    const struct conf_address *upstream = &conf->upstream.address;
    const struct conf_address *http = &conf->http.listen;
    const struct conf_address *map = &conf->socketmap.listen;

    for (size_t i = 0; i < conf->listener_count; i++)
        check_listener(r, conf, i);
    check_apart(r, conf, "upstream.address", upstream,
                ": mail would go round in a loop");
    if (conf_address_is_any(upstream))
        conf_error_setting(r, "upstream.address",
                           "%s is no address one can connect to",
                           conf_quote(r, upstream->text));
    if (conf->http.enabled) {
        check_apart(r, conf, "http.listen", http, " too");
        if (!conf_address_is_loopback(http))
            conf_error_setting(r, "http.listen",
                               "%s is not loopback; put a web server in "
                               "front of it",
                               conf_quote(r, http->text));
        if (conf_address_overlaps(http, upstream))
            conf_error_setting(r, "http.listen", "is upstream.address too");
    }
    if (conf->socketmap.enabled) {
        check_apart(r, conf, "socketmap.listen", map, " too");
        if (!conf_address_is_loopback(map))
            conf_warn_setting(r, "socketmap.listen",
                              "%s is not loopback: whoever reaches it can "
                              "ask which addresses exist",
                              conf_quote(r, map->text));
        if (conf_address_overlaps(map, upstream))
            conf_error_setting(r, "socketmap.listen",
                               "is upstream.address too");
        if (conf->http.enabled && conf_address_overlaps(map, http))
            conf_error_setting(r, "socketmap.listen", "is http.listen too");
    }
}

/* The day from which no classic address can come back any more. */
static void
warn_classic(const struct conf_reading *r, const struct conf *conf)
{
    time_t end = (time_t)(r->inputs->now +
                          (int64_t)(conf->srs.max_age_days + 1) * 86400);
    struct tm day;
    char text[16] = "";

    if (gmtime_r(&end, &day) != NULL)
        strftime(text, sizeof(text), "%Y-%m-%d", &day);
    conf_warn_setting(r, "srs.accept_classic",
                      "addresses with 4 hash characters are accepted; from "
                      "today on it can go at %s",
                      text);
}

/* Forwarded mail that nobody signs is seldom meant. */
static void
warn_unsigned(const struct conf_reading *r, const struct conf *conf)
{
    const struct dkim_key *keys[DKIM_SIGNATURES_MAX];
    struct slice domain = conf->srs.domain, found;
    bool waits = false;

    /* A forwarder signs with the SRS domain's own key, never a parent's. */
    if (dkim_keyset_find(conf->dkim.keys, domain, false, keys,
                         DKIM_SIGNATURES_MAX, &found) != 0)
        return;
    for (size_t i = 0; i < dkim_keyset_count(conf->dkim.keys); i++) {
        const struct dkim_key *key = dkim_keyset_key(conf->dkim.keys, i);
        waits = waits || (key->state == DKIM_KEY_NEXT &&
                          slice_equal_nocase(key->domain, domain));
    }
    conf_warn_setting(r, "dkim.sign_forwarded",
                      "%s key for %.*s, so forwarded mail is not signed: "
                      "onward dkim %s %.*s%s",
                      waits ? "there is only a waiting" : "there is no",
                      SLICE_ARG(domain), waits ? "activate" : "keygen",
                      SLICE_ARG(domain), waits ? " --when-published" : "");
}

static void
check_srs(const struct conf_reading *r, const struct conf *conf)
{
    struct conf_got least = conf_get(r, NULL, "srs.hash_minimum");
    struct conf_got length = conf_get(r, NULL, "srs.hash_length");

    if (!conf->srs.enabled)
        return;
    if (least.number > length.number)
        conf_error_setting(
            r, least.node != NULL ? "srs.hash_minimum" : "srs.hash_length",
            "hash_minimum (%u%s) is above hash_length (%u%s): "
            "our own addresses would be refused",
            (unsigned)least.number, least.node != NULL ? "" : ", the default",
            (unsigned)length.number,
            length.node != NULL ? "" : ", the default");
    if (conf_get(r, NULL, "srs.accept_classic").truth &&
        conf_get(r, NULL, "srs.mac").number == 0)
        warn_classic(r, conf);
    if (conf->dkim.keys != NULL && conf->dkim.sign_forwarded &&
        conf->srs.domain.len != 0)
        warn_unsigned(r, conf);
    if (conf->family.suffixes != NULL)
        conf_warn_family(r, conf);
}

static void
check_aliases(const struct conf_reading *r, const struct conf *conf)
{
    struct buf errors = { 0 };

    alias_list_check(&conf->forward.aliases, conf->forward.max_targets,
                     &errors);
    problem_add_lines(r->errors, buf_slice(&errors));
    buf_free(&errors);
}

void
conf_check(const struct conf_reading *r, const struct conf *conf)
{
    static const unsigned postfix_default = 100000;

    check_addresses(r, conf);
    check_srs(r, conf);
    check_aliases(r, conf);
    if (conf->upstream.reply_timeout >= postfix_default)
        conf_warn_setting(r, "upstream.reply_timeout",
                          "is not below Postfix' default of "
                          "smtpd_proxy_timeout (100s): mail may be queued "
                          "and yet answered 451, and then comes twice");
    if (conf->limits.message_size != 0 &&
        conf->limits.header_size > conf->limits.message_size)
        conf_warn_setting(r, "limits.header_size",
                          "is above limits.message_size");
}
