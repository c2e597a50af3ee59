/* Which domains are SRS domains: literal ones and those that tables name. */
#include "conf_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD                                                                   \
    "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; "           \
    "role = \"inbound\"; } );\nstate_directory = \"@DIR@/state\";\n"           \
    "srs = { domain = \"srs.example.org\"; secret_file = \"@DIR@/secret\"; "

static struct conf *
load(const char *text, struct buf *errors, struct buf *warnings)
{
    struct buf path = { 0 };

    write_file("test.conf", text, 0644);
    buf_printf(&path, "%s/test.conf", conf_dir);
    struct conf_inputs inputs = { .path = buf_cstr(&path),
                                  .fqdn = SLICE("host.example"),
                                  .postfix = SLICE(""),
                                  .now = 1767225600,
                                  .threads = 1 };
    struct conf *conf = conf_load(&inputs, errors, warnings);
    buf_free(&path);
    return conf;
}

static bool
is_srs(const struct conf *conf, const char *domain)
{
    return conf_is_srs_domain(conf, slice_from(domain));
}

/* A cdb of "KEY VALUE" pairs, put in place by rename. */
static void
write_map(const char *const *pairs)
{
    struct buf path = { 0 };
    struct buf temporary = { 0 };

    buf_printf(&path, "%s/map.cdb", conf_dir);
    buf_printf(&temporary, "%s/map.tmp", conf_dir);
    int fd = open(buf_cstr(&temporary), O_RDWR | O_CREAT | O_TRUNC, 0644);
    struct cdb_writer *writer = cdb_writer_new(fd);
    for (; pairs[0] != NULL; pairs += 2)
        assert_true(
            cdb_writer_add(writer, slice_from(pairs[0]), slice_from(pairs[1])));
    assert_true(cdb_writer_finish(writer));
    cdb_writer_free(writer);
    close(fd);
    assert_int_equal(rename(buf_cstr(&temporary), buf_cstr(&path)), 0);
    buf_free(&path);
    buf_free(&temporary);
}

static void
knows_literal_ones_and_those_of_tables(void **state)
{
    struct buf errors = { 0 };
    struct buf warnings = { 0 };

    (void)state;
    write_file("map", "a.example SRS.a.example\nb.example srs.b.example\n",
               0644);
    struct conf *conf =
        load(HEAD "domain_map = ( { from = \"c.example\"; to = "
                  "\"srs.c.example\"; }, \"texthash:@DIR@/map\" ); };\n",
             &errors, &warnings);
    if (conf == NULL)
        fail_msg("%s", buf_cstr(&errors));
    assert_true(is_srs(conf, "srs.example.org"));
    assert_true(is_srs(conf, "SRS.Example.ORG"));
    assert_true(is_srs(conf, "srs.c.example"));
    assert_true(is_srs(conf, "srs.a.example"));
    assert_true(is_srs(conf, "srs.b.EXAMPLE"));
    assert_false(is_srs(conf, "a.example"));
    assert_false(is_srs(conf, "srs.a.exampl"));
    assert_false(is_srs(conf, "srs.a.examplee"));
    assert_false(is_srs(conf, "x.srs.a.example"));
    assert_false(is_srs(conf, ""));
    /* What is written in the configuration itself. */
    assert_int_equal(conf->srs.domain_count, 2);
    conf_unref(conf);
    buf_free(&errors);
    buf_free(&warnings);
}

static void
knows_none_without_srs(void **state)
{
    struct buf errors = { 0 };
    struct buf warnings = { 0 };

    (void)state;
    struct conf *conf =
        load("listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; "
             "role = \"inbound\"; } );\nstate_directory = \"@DIR@/state\";\n",
             &errors, &warnings);
    assert_non_null(conf);
    assert_false(is_srs(conf, "srs.example.org"));
    assert_false(is_srs(conf, ""));
    conf_unref(conf);
    buf_free(&errors);
    buf_free(&warnings);
}

static void
knows_thousands(void **state)
{
    struct buf errors = { 0 };
    struct buf warnings = { 0 };
    struct buf text = { 0 };
    char name[32];

    (void)state;
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "d%d.example srs.d%d.example\n", i, i * 7919 % 5000);
    write_file("map", buf_cstr(&text), 0644);
    struct conf *conf =
        load(HEAD "domain_map = ( \"texthash:@DIR@/map\" ); };\n", &errors,
             &warnings);
    assert_non_null(conf);
    assert_int_equal(conf->srs.every_count, 5001);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "srs.d%d.example", i);
        assert_true(is_srs(conf, name));
        snprintf(name, sizeof(name), "srs.e%d.example", i);
        assert_false(is_srs(conf, name));
    }
    conf_unref(conf);
    buf_free(&text);
    buf_free(&errors);
    buf_free(&warnings);
}

/* A snapshot of refreshed tables knows the new ones, the one before it the
 * old ones, in whichever order they go. */
static void
follows_a_table(void **state)
{
    static const char *const first[] = { "a.example", "srs.one.example", NULL };
    static const char *const second[] = { "a.example", "srs.two.example",
                                          NULL };

    (void)state;
    for (int old_first = 0; old_first < 2; old_first++) {
        struct buf errors = { 0 };
        struct buf warnings = { 0 };
        write_map(first);
        struct conf *old = load(HEAD "domain_map = ( \"cdb:@DIR@/map\" ); };\n",
                                &errors, &warnings);
        assert_non_null(old);
        write_map(second);
        struct conf *fresh = conf_refresh_tables(old, 5, &errors);
        assert_non_null(fresh);
        assert_true(is_srs(old, "srs.one.example"));
        assert_true(is_srs(fresh, "srs.two.example"));
        assert_false(is_srs(fresh, "srs.one.example"));
        assert_true(is_srs(fresh, "srs.example.org"));
        assert_true(conf_in_family(fresh, SLICE_OF("two.example")));
        assert_false(conf_in_family(fresh, SLICE_OF("one.example")));
        assert_true(conf_in_family(old, SLICE_OF("one.example")));
        conf_unref(old_first ? old : fresh);
        assert_true(is_srs(old_first ? fresh : old, "srs.example.org"));
        assert_true(conf_in_family(old_first ? fresh : old,
                                   SLICE_OF("mail.example.org")));
        conf_unref(old_first ? fresh : old);
        buf_free(&errors);
        buf_free(&warnings);
    }
}

/* Another table is opened anew: what this one names does not hang on the
 * snapshot before. */
static void
outlives_the_snapshot_before(void **state)
{
    static const char *const pairs[] = { "a.example", "srs.one.example", NULL };
    struct buf errors = { 0 };
    struct buf warnings = { 0 };

    (void)state;
    write_file("names", "a.example srs.name.example\n", 0644);
    write_map(pairs);
    struct conf *conf = load(HEAD "domain_map = ( \"texthash:@DIR@/names\", "
                                  "\"cdb:@DIR@/map\" ); };\n",
                             &errors, &warnings);
    assert_non_null(conf);
    for (int i = 0; i < 3; i++) {
        write_map(pairs);
        struct conf *fresh = conf_refresh_tables(conf, 5, &errors);
        assert_non_null(fresh);
        conf_unref(conf);
        conf = fresh;
        assert_true(is_srs(conf, "srs.one.example"));
        assert_true(is_srs(conf, "srs.name.example"));
    }
    conf_unref(conf);
    buf_free(&errors);
    buf_free(&warnings);
}

static void
refuses_values_that_are_no_domains(void **state)
{
    static const struct {
        const char *value;
        const char *error;
    } rows[] = {
        { "localhost", "\"localhost\" for \"a.example\" is no domain" },
        { "$myhostname", "\"$myhostname\" for \"a.example\" is no domain" },
        { "srs_a.example", "\"srs_a.example\" for \"a.example\" is no domain" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf errors = { 0 };
        struct buf warnings = { 0 };
        struct buf text = { 0 };
        buf_printf(&text, "a.example %s\n", rows[i].value);
        write_file("map", buf_cstr(&text), 0644);
        assert_null(load(HEAD "domain_map = ( \"texthash:@DIR@/map\" ); };\n",
                         &errors, &warnings));
        if (strstr(buf_cstr(&errors), rows[i].error) == NULL ||
            strstr(buf_cstr(&errors), "test.conf:3: srs.domain_map: ") == NULL)
            fail_msg("%s", buf_cstr(&errors));
        buf_free(&text);
        buf_free(&errors);
        buf_free(&warnings);
    }
}

static void
warns_of_a_socketmap(void **state)
{
    struct buf errors = { 0 };
    struct buf warnings = { 0 };

    (void)state;
    struct conf *conf =
        load(HEAD "domain_map = ( \"socketmap:inet:127.0.0.1:9:map\" ); };\n",
             &errors, &warnings);
    assert_non_null(conf);
    assert_non_null(strstr(buf_cstr(&warnings),
                           "test.conf:3: srs.domain_map: what a socketmap "
                           "names cannot be listed"));
    conf_unref(conf);
    buf_free(&errors);
    buf_free(&warnings);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_literal_ones_and_those_of_tables),
        cmocka_unit_test(knows_none_without_srs),
        cmocka_unit_test(knows_thousands),
        cmocka_unit_test(follows_a_table),
        cmocka_unit_test(outlives_the_snapshot_before),
        cmocka_unit_test(refuses_values_that_are_no_domains),
        cmocka_unit_test(warns_of_a_socketmap),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
