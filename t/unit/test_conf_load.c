/* Good configurations: what becomes of them, and how long parts of them
 * live. */
#include "conf_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define LISTENER                                                               \
    "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; "           \
    "role = \"inbound\"; } );\n"                                               \
    "state_directory = \"@DIR@/state\";\n"

static void
assert_text(struct slice text, const char *want)
{
    if (!slice_equal(text, slice_from(want)))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(text), want);
}

static struct conf *
load_good(const char *text, const char *postfix, struct buf *warnings)
{
    struct buf errors = { 0 };
    struct conf *conf = load_text(text, postfix, &errors, warnings);

    if (conf == NULL)
        fail_msg("%s", buf_cstr(&errors));
    buf_free(&errors);
    return conf;
}

static const struct conf_value *
value_of(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->value_count; i++)
        if (slice_equal(conf->values[i].name, slice_from(name)))
            return &conf->values[i];
    fail_msg("no value %s", name);
    return NULL;
}

static void
reads_every_setting(void **state)
{
    struct buf warnings = { 0 };
    struct conf *c = load_good(
        "hostname = \"MX.example.org\";\n"
        "listeners = (\n"
        " { name = \"mx\"; address = \"192.0.2.1:10025\"; role = \"inbound\";"
        " allow_from = [ \"192.0.2.0/24\", \"2001:db8::/32\" ];"
        " reuse_port = true; },\n"
        " { name = \"out\"; address = \"unix:/run/o.sock\"; role = "
        "\"outbound\"; group = \"root\"; mode = \"0600\"; } );\n"
        "upstream = { address = \"[::1]:10026\"; connect_timeout = \"2s\"; "
        "reply_timeout = \"80s\"; idle_timeout = \"0s\"; };\n"
        "forward = { local_domains = ( \"Example.NET\", \"b\xC3\xBC"
        "cher.example\" ); aliases = ( { match = \"a@b.example\"; to = ( "
        "\"c@d.example\" ); }, \"texthash:@DIR@/aliases\" ); "
        "recipient_delimiter = \"+-\"; max_targets = 7; };\n"
        "srs = { domain = \"SRS.example.org\"; secret_file = "
        "\"@DIR@/secret\"; max_age = \"30d\"; mac = \"classic\"; hash_length "
        "= 8; hash_minimum = 5; accept_from = \"any\"; submitted = "
        "\"no\"; long_sender = "
        "\"reject\"; max_failures = 9; domain_map = ( { from = \"a.example\"; "
        "to = \"s.a.example\"; }, { from = \"b.example\"; to = "
        "\"srs.example.org\"; } ); };\n"
        "dkim = { key_directory = \"@DIR@/keys\"; sign_forwarded = false; "
        "subdomains = false; from_mismatch = \"sign\"; null_sender = "
        "\"skip\"; headers = ( \"From\", "
        "\"To\" ); oversign = ( \"From\" ); expire = \"7d\"; on_error = "
        "\"send\"; };\n"
        "limits = { sessions = 1; recipients = 2; hops = 3; errors = 4; "
        "message_size = \"50M\"; header_size = \"5K\"; message_memory = "
        "\"6\"; spool_total = \"7G\"; };\n"
        "state_directory = \"@DIR@/state\";\n"
        "timeouts = { command = \"1s\"; content = \"2s\"; drain = \"3s\"; };\n"
        "log = { target = \"file:/var/log/x\"; level = \"debug\"; format = "
        "\"json\"; addresses = \"hash\"; };\n"
        "http = { listen = \"\"; };\n"
        "socketmap = { listen = \"localhost:10028\"; };\n"
        "dns = { servers = ( \"192.0.2.53\", \"127.0.0.1:5353\", "
        "\"2001:db8::53\" ); timeout = \"4s\"; };\n"
        "postfix = { config_directory = \"\"; };\n",
        NULL, &warnings);

    (void)state;
    assert_text(buf_slice(&warnings), "");
    assert_text(c->hostname, "mx.example.org");
    assert_int_equal(c->listener_count, 2);
    assert_text(c->listeners[0].name, "mx");
    assert_int_equal(c->listeners[0].role, CONF_INBOUND);
    assert_int_equal(c->listeners[0].allow_from_count, 2);
    assert_int_equal(c->listeners[0].allow_from[1].bits, 32);
    assert_true(c->listeners[0].reuse_port);
    assert_int_equal(c->listeners[1].address.kind, CONF_UNIX);
    assert_text(c->listeners[1].address.path, "/run/o.sock");
    assert_int_equal(c->listeners[1].role, CONF_OUTBOUND);
    assert_text(c->listeners[1].group, "root");
    assert_int_equal(c->listeners[1].mode, 0600);
    assert_text(c->upstream.address.host, "::1");
    assert_int_equal(c->upstream.connect_timeout, 2000);
    assert_int_equal(c->upstream.reply_timeout, 80000);
    assert_int_equal(c->upstream.idle_timeout, 0);
    assert_int_equal(c->forward.local_domains.count, 2);
    assert_text(c->forward.local_domains.entries[0].name, "example.net");
    assert_text(c->forward.local_domains.entries[1].name,
                "xn--bcher-kva.example");
    assert_int_equal(c->forward.aliases.count, 2);
    assert_non_null(c->forward.aliases.entries[0].rule);
    assert_non_null(c->forward.aliases.entries[1].table);
    assert_text(c->forward.aliases.delimiters, "+-");
    assert_int_equal(c->forward.max_targets, 7);
    assert_true(c->srs.enabled);
    assert_text(c->srs.domain, "srs.example.org");
    assert_non_null(c->srs.srs);
    assert_text(srs_conf_secret(c->srs.srs), "0123456789abcdef");
    assert_int_equal(c->srs.max_age_days, 30);
    assert_true(c->srs.accept_any);
    assert_false(c->srs.submitted);
    assert_int_equal(c->srs.long_sender, CONF_LONG_REJECT);
    assert_int_equal(c->srs.max_failures, 9);
    assert_int_equal(c->srs.domain_map.count, 2);
    assert_int_equal(c->srs.domain_count, 2);
    assert_text(c->srs.domains[1], "s.a.example");
    assert_non_null(c->dkim.keys);
    assert_false(c->dkim.sign_forwarded);
    assert_false(c->dkim.subdomains);
    assert_true(c->dkim.sign_mismatch);
    assert_true(c->dkim.skip_null);
    assert_true(c->dkim.send_on_error);
    assert_int_equal(c->dkim.headers.count, 2);
    assert_int_equal(c->dkim.oversign.count, 1);
    assert_int_equal(c->dkim.expire_seconds, 604800);
    assert_int_equal(c->limits.sessions, 1);
    assert_int_equal(c->limits.recipients, 2);
    assert_int_equal(c->limits.hops, 3);
    assert_int_equal(c->limits.errors, 4);
    assert_int_equal(c->limits.message_size, 52428800);
    assert_int_equal(c->limits.header_size, 5120);
    assert_int_equal(c->limits.message_memory, 6);
    assert_int_equal(c->limits.spool_total, UINT64_C(7) << 30);
    assert_int_equal(c->timeouts.command, 1000);
    assert_int_equal(c->timeouts.content, 2000);
    assert_int_equal(c->timeouts.drain, 3000);
    assert_int_equal(c->log.target, CONF_LOG_FILE);
    assert_text(c->log.file, "/var/log/x");
    assert_int_equal(c->log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(c->log.format, LOG_FORMAT_JSON);
    assert_int_equal(c->log.addresses, CONF_ADDRESSES_HASH);
    assert_false(c->http.enabled);
    assert_true(c->socketmap.enabled);
    assert_text(c->socketmap.listen.text, "127.0.0.1:10028");
    assert_int_equal(c->dns.server_count, 3);
    assert_text(c->dns.servers[0].text, "192.0.2.53:53");
    assert_text(c->dns.servers[2].text, "[2001:db8::53]:53");
    assert_int_equal(c->dns.timeout, 4000);
    assert_text(c->postfix_directory, "");
    conf_unref(c);
    buf_free(&warnings);
}

static void
has_defaults(void **state)
{
    struct buf warnings = { 0 };
    struct conf *c = load_good(LISTENER, NULL, &warnings);

    (void)state;
    assert_text(c->hostname, "host.example");
    assert_text(c->upstream.address.text, "127.0.0.1:10026");
    assert_int_equal(c->upstream.reply_timeout, 90000);
    assert_int_equal(c->listeners[0].mode, 0660);
    assert_int_equal(c->forward.local_domains.count, 0);
    assert_text(c->forward.aliases.delimiters, "+");
    assert_false(c->srs.enabled);
    assert_null(c->dkim.keys);
    assert_int_equal(c->dkim.headers.count, dkim_default_headers.count);
    assert_true(c->dkim.subdomains);
    assert_int_equal(c->limits.sessions, 1000);
    assert_int_equal(c->limits.recipients, 1000);
    assert_int_equal(c->limits.message_size, 0);
    assert_int_equal(c->log.target, CONF_LOG_AUTO);
    assert_int_equal(c->log.level, LOG_LEVEL_INFO);
    assert_true(c->http.enabled);
    assert_text(c->http.listen.path, "/run/onward/http.sock");
    assert_false(c->socketmap.enabled);
    assert_text(c->postfix_directory, "/etc/postfix");
    assert_text(value_of(c, "limits.sessions")->value, "1000");
    assert_text(value_of(c, "limits.sessions")->source, "default");
    assert_text(value_of(c, "srs.max_age")->value, "\"21d\"");
    conf_unref(c);
    buf_free(&warnings);
}

static void
takes_defaults_from_postfix(void **state)
{
    struct buf warnings = { 0 };
    struct conf *c =
        load_good(LISTENER,
                  "mx.postfix.example\n-+\n10240000\n333\n"
                  "mx.postfix.example, localhost, hash:/etc/x /etc/file "
                  "!not.example [192.0.2.1]\n"
                  "virt.example\tproxy:mysql:/x\n",
                  &warnings);
    const struct domain_list *local = &c->forward.local_domains;

    (void)state;
    assert_text(c->hostname, "mx.postfix.example");
    assert_text(c->forward.aliases.delimiters, "-+");
    assert_int_equal(c->limits.message_size, 10240000);
    assert_int_equal(c->limits.recipients, 333);
    assert_int_equal(local->count, 3);
    assert_text(local->entries[0].name, "mx.postfix.example");
    assert_text(local->entries[1].name, "localhost");
    assert_text(local->entries[2].name, "virt.example");
    assert_text(value_of(c, "hostname")->source, "postconf");
    assert_text(value_of(c, "hostname")->value, "\"mx.postfix.example\"");
    assert_text(value_of(c, "forward.local_domains")->value,
                "( \"mx.postfix.example\", \"localhost\", \"virt.example\" )");
    assert_text(value_of(c, "limits.message_size")->value, "\"10240000\"");
    conf_unref(c);
    buf_free(&warnings);
}

static void
what_is_written_beats_postfix(void **state)
{
    struct buf warnings = { 0 };
    struct conf *c = load_good(
        LISTENER "hostname = \"own.example\";\n"
                 "forward = { local_domains = ( ); recipient_delimiter = \"\"; "
                 "};\n"
                 "limits = { recipients = 5;\n message_size = \"0\"; };\n",
        "mx.postfix.example\n+\n10240000\n333\na.example\nb.example\n",
        &warnings);
    struct buf source = { 0 };

    (void)state;
    assert_text(c->hostname, "own.example");
    assert_text(c->forward.aliases.delimiters, "");
    assert_int_equal(c->forward.local_domains.count, 0);
    assert_int_equal(c->limits.recipients, 5);
    assert_int_equal(c->limits.message_size, 0);
    buf_printf(&source, "%s/test.conf:6", conf_dir);
    assert_text(value_of(c, "limits.message_size")->source, buf_cstr(&source));
    assert_text(value_of(c, "limits.message_size")->value, "\"0\"");
    buf_free(&source);
    conf_unref(c);
    buf_free(&warnings);
}

/* An empty delimiter is an answer; what is out of range is not. */
static void
judges_what_postfix_says(void **state)
{
    struct buf warnings = { 0 };
    struct conf *c = load_good(LISTENER, "\n\nnonsense\n0\n\n\n", &warnings);

    (void)state;
    assert_text(c->hostname, "host.example");
    assert_text(c->forward.aliases.delimiters, "");
    assert_int_equal(c->limits.message_size, 0);
    assert_int_equal(c->limits.recipients, 1000);
    assert_int_equal(c->forward.local_domains.count, 0);
    conf_unref(c);
    buf_free(&warnings);
}

static void
includes_relative_to_the_file(void **state)
{
    struct buf warnings = { 0 };
    struct conf *c = load_good(
        LISTENER "  @include \"sub/inner.conf\"\nlimits = { hops = 9; };\n",
        NULL, &warnings);
    struct buf source = { 0 };

    (void)state;
    assert_int_equal(c->timeouts.drain, 1000);
    assert_int_equal(c->limits.hops, 9);
    buf_printf(&source, "%s/sub/deeper.conf:1", conf_dir);
    assert_text(value_of(c, "timeouts.drain")->source, buf_cstr(&source));
    buf_clear(&source);
    buf_printf(&source, "%s/test.conf:4", conf_dir);
    assert_text(value_of(c, "limits.hops")->source, buf_cstr(&source));
    buf_free(&source);
    conf_unref(c);
    buf_free(&warnings);
}

/* No @include there, nor a quote that counts. */
static void
leaves_comments_alone(void **state)
{
    struct buf warnings = { 0 };
    struct conf *c = load_good("# it's\n// \"\n/* \"\n@include \"absent\"\n*/\n"
                               "# @include \"absent\"\n" LISTENER
                               "limits = { hops = 9 }; # \"\r\n",
                               NULL, &warnings);

    (void)state;
    assert_int_equal(c->limits.hops, 9);
    conf_unref(c);
    buf_free(&warnings);
}

static const struct warned {
    const char *text;
    const char *warning; /* behind "@DIR@/" */
} warned[] = {
    { "listeners = ( { name = \"mx\"; address = \"0.0.0.0:10025\"; role = "
      "\"inbound\"; allow_from = ( \"0.0.0.0/0\" ); } );\n"
      "state_directory = \"@DIR@/state\";\n",
      "test.conf:1: listeners[0].allow_from: lets everybody connect" },
    { LISTENER "upstream = { reply_timeout = \"100s\"; };\n",
      "test.conf:3: upstream.reply_timeout: is not below Postfix' default" },
    { LISTENER "socketmap = { listen = \"0.0.0.0:1\"; };\n",
      "test.conf:3: socketmap.listen: \"0.0.0.0:1\" is not loopback" },
    { LISTENER "srs = { domain = \"s.example.org\"; secret_file = "
               "\"@DIR@/secret\";\n accept_classic = true; };\n",
      "test.conf:4: srs.accept_classic: addresses with 4 hash characters are "
      "accepted; from today on it can go at 2026-01-23" },
    { LISTENER "srs = { domain = \"s.example.org\"; secret_file = "
               "\"@DIR@/secret.twice\"; };\n",
      "secret.twice:2: is the same secret as in line 1" },
    { LISTENER "srs = { domain = \"s.example.org\"; secret_file = "
               "\"@DIR@/secret\"; };\ndkim = { key_directory = "
               "\"@DIR@/keys\"; };\n",
      "test.conf:4: dkim.sign_forwarded: there is no key for "
      "s.example.org" },
};

static void
warns(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(warned) / sizeof(warned[0]); i++) {
        struct buf warnings = { 0 };
        struct buf want = { 0 };
        struct conf *c = load_good(warned[i].text, NULL, &warnings);
        buf_printf(&want, "%s/%s", conf_dir, warned[i].warning);
        if (!slice_equal(slice_head(buf_slice(&warnings), want.len),
                         buf_slice(&want)))
            fail_msg("%s: %s", warned[i].warning, buf_cstr(&warnings));
        buf_free(&want);
        buf_free(&warnings);
        conf_unref(c);
    }
}

static void
peeks(void **state)
{
    static const struct {
        const char *text; /* NULL: no file */
        bool parses;
        const char *name, *value;
    } rows[] = {
        { "broken = ;\npostfix = { config_directory = \"/x\"; };\n", false,
          "postfix.config_directory", "/etc/postfix" },
        { "postfix = { config_directory = \"/x\"; };\n", true,
          "postfix.config_directory", "/x" },
        { "postfix = { config_directory = \"\"; };\n", true,
          "postfix.config_directory", "" },
        { NULL, false, "postfix.config_directory", "/etc/postfix" },
        { "http = { listen = \"127.0.0.1:9825\"; };\n", true, "http.listen",
          "127.0.0.1:9825" },
        { "http = { listen = \"\"; };\n", true, "http.listen", "" },
        /* What other settings name is not looked at. */
        { "srs = { domain = \"srs.example\"; secret_file = \"/nonexistent\"; "
          "};\nforward = { aliases = ( \"cdb:/nonexistent\" ); };\n",
          true, "http.listen", "unix:/run/onward/http.sock" },
    };
    struct buf path = { 0 }, value = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_clear(&path);
        buf_clear(&value);
        if (rows[i].text != NULL)
            write_file("test.conf", rows[i].text, 0644);
        buf_printf(&path, "%s/%s", conf_dir,
                   rows[i].text != NULL ? "test.conf" : "absent.conf");
        assert_int_equal(conf_peek(buf_cstr(&path), rows[i].name, &value),
                         rows[i].parses);
        assert_text(buf_slice(&value), rows[i].value);
    }
    buf_free(&path);
    buf_free(&value);
}

/* A cdb with one key, put in place by rename. */
static void
write_cdb(const char *key)
{
    struct buf path = { 0 };
    struct buf temporary = { 0 };

    buf_printf(&path, "%s/table.cdb", conf_dir);
    buf_printf(&temporary, "%s/table.tmp", conf_dir);
    int fd = open(buf_cstr(&temporary), O_RDWR | O_CREAT | O_TRUNC, 0644);
    struct cdb_writer *writer = cdb_writer_new(fd);
    assert_non_null(writer);
    assert_true(cdb_writer_add(writer, slice_from(key), SLICE_OF("x")));
    assert_true(cdb_writer_finish(writer));
    cdb_writer_free(writer);
    close(fd);
    assert_int_equal(rename(buf_cstr(&temporary), buf_cstr(&path)), 0);
    buf_free(&path);
    buf_free(&temporary);
}

static bool
is_local(const struct conf *conf, const char *domain)
{
    struct alias_cursor cursor = { 0 };
    struct table_query query;
    struct arena arena = { 0 };
    struct slice value;
    enum table_status status =
        domain_find(&conf->forward.local_domains, slice_from(domain), &cursor,
                    NULL, &arena, &value, &query);

    arena_free(&arena);
    return status == TABLE_FOUND;
}

/* The refreshed snapshot answers from the new file, the old one from the old
 * file, in whichever order they go. */
static void
refreshes_tables(void **state)
{
    static const char text[] = LISTENER
        "forward = { local_domains = ( \"lit.example\", \"cdb:@DIR@/table\" );"
        " aliases = ( { match = \"a@b.example\"; to = ( \"c@d.example\" ); }, "
        "\"texthash:@DIR@/aliases\" ); };\n"
        "srs = { domain = \"s.example.org\"; secret_file = \"@DIR@/secret\"; "
        "};\n";

    (void)state;
    for (int old_first = 0; old_first < 2; old_first++) {
        struct buf warnings = { 0 };
        struct buf errors = { 0 };
        write_cdb("one.example");
        struct conf *old = load_good(text, NULL, &warnings);
        assert_null(conf_refresh_tables(old, 5, &errors));
        write_cdb("two.example");
        struct conf *fresh = conf_refresh_tables(old, 5, &errors);
        assert_non_null(fresh);
        assert_int_equal(errors.len, 0);
        assert_null(conf_refresh_tables(fresh, 6, &errors));
        assert_ptr_equal(fresh->forward.aliases.entries[1].table,
                         old->forward.aliases.entries[1].table);
        assert_true(is_local(old, "one.example"));
        assert_false(is_local(old, "two.example"));
        conf_unref(old_first ? old : fresh);
        struct conf *left = old_first ? fresh : old;
        assert_true(is_local(left, "lit.example"));
        assert_int_equal(is_local(left, "two.example"), old_first);
        assert_text(srs_conf_secret(left->srs.srs), "0123456789abcdef");
        assert_text(left->hostname, "host.example");
        conf_unref(left);
        buf_free(&warnings);
        buf_free(&errors);
    }
}

static void
keeps_the_table_when_the_new_one_is_damaged(void **state)
{
    struct buf warnings = { 0 };
    struct buf errors = { 0 };

    (void)state;
    write_cdb("one.example");
    struct conf *conf = load_good(
        LISTENER "forward = { local_domains = ( \"cdb:@DIR@/table\" ); };\n",
        NULL, &warnings);
    write_file("table.new", "this is no cdb", 0644);
    struct buf from = { 0 };
    struct buf to = { 0 };
    buf_printf(&from, "%s/table.new", conf_dir);
    buf_printf(&to, "%s/table.cdb", conf_dir);
    assert_int_equal(rename(buf_cstr(&from), buf_cstr(&to)), 0);
    assert_null(conf_refresh_tables(conf, 5, &errors));
    assert_int_not_equal(errors.len, 0);
    assert_true(is_local(conf, "one.example"));
    conf_unref(conf);
    buf_free(&from);
    buf_free(&to);
    buf_free(&warnings);
    buf_free(&errors);
}

/* What did not change is not read again. */
static void
takes_unchanged_tables_along(void **state)
{
    static const char text[] =
        LISTENER "forward = { aliases = ( \"texthash:@DIR@/aliases\" ); };\n";
    struct buf out = { 0 };
    struct buf path = { 0 };
    struct conf *before = load_good(text, NULL, &out);

    (void)state;
    buf_printf(&path, "%s/test.conf", conf_dir);
    struct conf_inputs inputs = { .path = buf_cstr(&path), .before = before };
    struct conf *after = conf_load(&inputs, &out, &out);
    assert_non_null(after);
    assert_ptr_equal(after->forward.aliases.entries[0].table,
                     before->forward.aliases.entries[0].table);
    conf_unref(before);
    assert_int_equal(after->forward.aliases.entries[0].table->entries, 1);
    conf_unref(after);
    buf_free(&out);
    buf_free(&path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_setting),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(takes_defaults_from_postfix),
        cmocka_unit_test(what_is_written_beats_postfix),
        cmocka_unit_test(judges_what_postfix_says),
        cmocka_unit_test(includes_relative_to_the_file),
        cmocka_unit_test(leaves_comments_alone),
        cmocka_unit_test(warns),
        cmocka_unit_test(peeks),
        cmocka_unit_test(refreshes_tables),
        cmocka_unit_test(keeps_the_table_when_the_new_one_is_damaged),
        cmocka_unit_test(takes_unchanged_tables_along),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
