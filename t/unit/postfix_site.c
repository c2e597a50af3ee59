#include "postfix_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* What postconf -x prints, as far as anybody asks. */
static const char values[] =
    "default_process_limit = 100\n"
    "mail_version = 3.7.11\n"
    "queue_directory = /var/spool/postfix\n"
    "syslog_name = postfix\n"
    "message_size_limit = 10240000\n"
    "smtpd_proxy_timeout = 100s\n"
    "smtpd_forbid_bare_newline = no\n"
    "cleanup_service_name = cleanup\n"
    "mydestination = mx.example.org, example.org\n"
    "local_header_rewrite_clients = permit_inet_interfaces\n"
    "relay_domains =\n"
    "relay_recipient_maps =\n"
    "transport_maps =\n"
    "virtual_alias_maps =\n";

static const char options[] =
    "smtpd_authorized_xforward_hosts =\nmynetworks =\n"
    "smtpd_client_restrictions =\nsmtpd_recipient_restrictions =\n"
    "smtpd_forbid_bare_newline = no\n"
    "smtpd_forbid_bare_newline_exclusions = $mynetworks\n"
    "smtpd_timeout = 300s\nsmtpd_proxy_filter =\n"
    "local_header_rewrite_clients =\nsmtp_tls_security_level =\n"
    "smtp_bind_address =\nforce_mime_input_conversion = no\n"
    "disable_mime_output_conversion = no\n";

static const char services_of_debian[] = "smtp inet n - y - - smtpd\n"
                                         "pickup unix n - y 60 1 pickup\n"
                                         "cleanup unix n - y - 0 cleanup\n"
                                         "smtp unix - - y - - smtp\n";

static struct slice
join(struct arena *arena, const char *a, const char *b)
{
    struct buf text = { 0 };

    buf_printf(&text, "%s%s", a, b);
    struct slice copy = arena_copy(arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

struct postconf_texts
postfix_site_texts(struct arena *arena, const char *services, const char *set)
{
    struct buf all = { 0 };

    /* What is set stands for what was there; the last one of a name would
     * not, so those of `values` that are set are left out. */
    struct slice rest = slice_from(values);
    while (rest.len != 0) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice name = slice_head(line, slice_find(line, ' '));
        struct slice lines = slice_from(set);
        bool found = false;
        while (lines.len != 0) {
            struct slice other = slice_cut(&lines, '\n');
            found =
                found ||
                slice_equal(slice_head(other, slice_find(other, ' ')), name);
        }
        if (!found)
            buf_printf(&all, "%.*s\n", SLICE_ARG(line));
    }
    buf_puts(&all, set);
    struct postconf_texts texts = {
        .services = join(arena, services_of_debian, services),
        .set = slice_from(set),
        .values = arena_copy(arena, buf_slice(&all)),
        .defaults = slice_from(options),
        .answers = SLICE_OF("yes\tmysql:/vd\tsrs.example.org\n"
                            "no\tmysql:/none\tsrs.example.org\n"),
    };
    buf_free(&all);
    return texts;
}

static struct conf_address
loopback(unsigned port, const char *text)
{
    return (struct conf_address){ .kind = CONF_TCP,
                                  .text = slice_from(text),
                                  .host = SLICE_OF("127.0.0.1"),
                                  .port = port };
}

struct conf
postfix_site_conf(struct arena *arena)
{
    struct conf conf = { .listener_count = 2 };

    conf.listeners = arena_alloc(arena, 2 * sizeof(*conf.listeners));
    conf.listeners[0] = (struct conf_listener){
        .name = SLICE_OF("mx"),
        .role = CONF_INBOUND,
        .address = loopback(10025, "127.0.0.1:10025"),
    };
    conf.listeners[1] = (struct conf_listener){
        .name = SLICE_OF("submission"),
        .role = CONF_OUTBOUND,
        .address = loopback(10027, "127.0.0.1:10027"),
    };
    conf.upstream.address = loopback(10026, "127.0.0.1:10026");
    conf.upstream.reply_timeout = 90000;
    conf.socketmap.enabled = true;
    conf.socketmap.listen = loopback(10028, "127.0.0.1:10028");
    conf.limits.sessions = 1000;
    conf.srs.enabled = true;
    conf.srs.domain = SLICE_OF("srs.example.org");
    conf.srs.domains = arena_alloc(arena, sizeof(*conf.srs.domains));
    conf.srs.domains[0] = conf.srs.domain;
    conf.srs.domain_count = 1;
    return conf;
}

struct postconf_texts
postfix_site_run(const struct postconf_texts *before,
                 const struct postconf_commands *list, struct arena *arena)
{
    struct postconf postconf;
    struct buf services = { 0 };
    struct buf set = { 0 };
    struct buf values_now = { 0 };
    struct slice bad;
    struct postconf_texts after = *before;

    assert_true(postconf_parse(before, arena, &postconf, &bad));
    for (size_t i = 0; i < list->count; i++) {
        const struct postconf_command *c = &list->commands[i];
        size_t slash = slice_find_last(c->target, '/');
        struct slice id = slice_head(c->target, slash);
        struct slice name = slice_tail(c->target, slash + 1);
        struct postconf_service line, *service;
        switch (c->verb) {
        case POSTCONF_MAIN:
            postconf_put_main(&postconf, c->target, c->value);
            break;
        case POSTCONF_MAIN_DROP:
            postconf_drop_main(&postconf, c->target, (struct slice){ 0 });
            buf_printf(&values_now, "%.*s =\n", SLICE_ARG(c->target));
            break;
        case POSTCONF_OPTION:
            service = postconf_service(&postconf, id);
            assert_non_null(service);
            assert_int_equal(slice_find(c->value, ' '), c->value.len);
            postconf_put(&service->options, arena, name, c->value);
            break;
        case POSTCONF_OPTION_DROP:
            service = postconf_service(&postconf, id);
            assert_non_null(service);
            postconf_drop(&service->options, name);
            break;
        case POSTCONF_LIMIT:
            service = postconf_service(&postconf, id);
            assert_non_null(service);
            service->limit = c->value;
            break;
        case POSTCONF_SERVICE:
            assert_true(postconf_parse_service(c->value, arena, &line));
            assert_true(slice_equal(line.id, c->target));
            postconf_put_service(&postconf, &line);
            break;
        case POSTCONF_SERVICE_DROP:
            postconf_drop_service(&postconf, c->target);
            break;
        }
    }
    for (size_t i = 0; i < postconf.service_count; i++) {
        postconf_print_service(&postconf.services[i], &services);
        buf_putc(&services, '\n');
    }
    for (size_t i = 0; i < postconf.set.count; i++)
        buf_printf(&set, "%.*s = %.*s\n", SLICE_ARG(postconf.set.pairs[i].name),
                   SLICE_ARG(postconf.set.pairs[i].value));
    after.services = arena_copy(arena, buf_slice(&services));
    after.set = arena_copy(arena, buf_slice(&set));
    /* The first of a name is found. */
    buf_append(&values_now, buf_slice(&set));
    buf_append(&values_now, before->values);
    after.values = arena_copy(arena, buf_slice(&values_now));
    buf_free(&services);
    buf_free(&set);
    buf_free(&values_now);
    return after;
}
