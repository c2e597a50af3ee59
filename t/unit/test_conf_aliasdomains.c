/* In which domains there are aliases of ours, as far as that can be listed. */
#include "conf_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD                                                                   \
    "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; "           \
    "role = \"inbound\"; } );\nstate_directory = \"@DIR@/state\";\n"           \
    "srs = { domain = \"srs.example.org\"; secret_file = \"@DIR@/secret\"; "   \
    "domain_map = ( { from = \"mapped.example\"; "                             \
    "to = \"srs.mapped.example\"; } ); };\n"

static struct conf *
load(const char *text)
{
    struct buf path = { 0 }, errors = { 0 }, warnings = { 0 };

    write_file("test.conf", text, 0644);
    buf_printf(&path, "%s/test.conf", conf_dir);
    struct conf_inputs inputs = { .path = buf_cstr(&path),
                                  .fqdn = SLICE("host.example"),
                                  .postfix = SLICE(""),
                                  .now = 1767225600,
                                  .threads = 1 };
    struct conf *conf = conf_load(&inputs, &errors, &warnings);
    if (conf == NULL)
        fail_msg("%s", buf_cstr(&errors));
    buf_free(&path);
    buf_free(&errors);
    buf_free(&warnings);
    return conf;
}

static const struct row {
    const char *domain;
    bool listed;
} rows[] = {
    { "glob.example", true },
    { "GLOB.Example", true },
    { "exact.example", true },
    { "regex.sub-1.example", true },
    { "open.example", false },   /* of a regex that does not end there */
    { "either.example", false }, /* of one with a choice */
    { "table.example", true },
    { "all.example", true },
    { "marker.example", false }, /* old style, which virtual(5) ignores */
    { "bare", false },
    { "named.example", true },
    { "mapped.example", true },
    { "srs.mapped.example", true },
    { "srs.example.org", true },
    { "target.example", false },
    { "x.glob.example", false },
    { "example", false },
    { "", false },
};

static void
lists_domains(void **state)
{
    (void)state;
    write_file("aliases",
               "a@table.example b@target.example\n"
               "@all.example @target.example\n",
               0644);
    struct conf *conf =
        load(HEAD "forward = { alias_domains = ( \"Named.example\" ); "
                  "aliases = (\n"
                  "{ match = \"*@glob.example\"; to = ( \"a@target.example\" "
                  "); },\n"
                  "{ match = \"x@exact.example\"; action = \"reject\"; },\n"
                  "{ regex = \"^l-(.+)@regex\\\\.sub-1\\\\.example$\"; "
                  "to = ( \"$1@target.example\" ); },\n"
                  "{ regex = \"^y@open\\\\.example\"; "
                  "to = ( \"y@target.example\" ); },\n"
                  "{ regex = \"^z@(either|or)\\\\.example$\"; "
                  "to = ( \"z@target.example\" ); },\n"
                  "\"texthash:@DIR@/aliases\" ); };\n");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (conf_is_alias_domain(conf, slice_from(rows[i].domain)) !=
            rows[i].listed)
            fail_msg("\"%s\"", rows[i].domain);
    conf_unref(conf);
}

/* Tens of thousands of addresses in a few domains are those few. */
static void
lists_each_once(void **state)
{
    struct buf text = { 0 };

    (void)state;
    for (int i = 0; i < 100000; i++)
        buf_printf(&text, "u%d@d%d.example t@target.example\n", i, i % 7);
    write_file("aliases", buf_cstr(&text), 0644);
    buf_free(&text);
    struct conf *conf =
        load(HEAD "forward = { aliases = ( \"texthash:@DIR@/aliases\" ); };\n");
    assert_int_equal(conf->forward.every_domain_count, 7 + 3);
    assert_true(conf_is_alias_domain(conf, SLICE_OF("d6.example")));
    conf_unref(conf);
}

static void
follows_a_table(void **state)
{
    (void)state;
    write_file("aliases", "a@one.example b@target.example\n", 0644);
    struct conf *old =
        load(HEAD "forward = { aliases = ( \"texthash:@DIR@/aliases\" ); };\n");
    write_file("aliases.new", "a@two.example b@target.example\n", 0644);
    struct buf from = { 0 }, to = { 0 };
    buf_printf(&from, "%s/aliases.new", conf_dir);
    buf_printf(&to, "%s/aliases", conf_dir);
    assert_int_equal(rename(buf_cstr(&from), buf_cstr(&to)), 0);
    struct conf *fresh =
        load(HEAD "forward = { aliases = ( \"texthash:@DIR@/aliases\" ); };\n");
    assert_true(conf_is_alias_domain(old, SLICE_OF("one.example")));
    assert_true(conf_is_alias_domain(fresh, SLICE_OF("two.example")));
    assert_false(conf_is_alias_domain(fresh, SLICE_OF("one.example")));
    conf_unref(old);
    assert_true(conf_is_alias_domain(fresh, SLICE_OF("srs.example.org")));
    conf_unref(fresh);
    buf_free(&from);
    buf_free(&to);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_domains),
        cmocka_unit_test(lists_each_once),
        cmocka_unit_test(follows_a_table),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
