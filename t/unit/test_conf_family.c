/* The family of domains: whose names a signature or a reverse-path of ours
 * speaks for, and the warning where SRS shares it. */
#include "conf_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD                                                                   \
    "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; "           \
    "role = \"inbound\"; } );\nstate_directory = \"@DIR@/state\";\n"

#define SRS(domain)                                                            \
    "srs = { domain = \"" domain "\"; secret_file = \"@DIR@/secret\"; };\n"
#define LOCAL(list) "forward = { local_domains = ( " list " ); };\n"

static void
members(void **state)
{
    static const struct {
        const char *domain;
        bool is;
    } rows[] = {
        /* a local domain, its parent, its siblings */
        { "mail.one.example", true },
        { "one.example", true },
        { "other.one.example", true },
        { "a.b.c.one.example", true },
        { "xone.example", false },
        { "one.example.evil.example", false },
        { "example", false },
        /* the SRS domain and those of the map */
        { "srs.two.example", true },
        { "ceo.two.example", true },
        { "x.three.example", true },
        /* public suffixes of the list */
        { "four.co.uk", true },
        { "x.four.co.uk", true },
        { "five.co.uk", false },
        { "co.uk", false },
        /* a name that is a public suffix has itself alone */
        { "github.io", true },
        { "other.github.io", false },
        /* the other way round: a customer's name below a suffix */
        { "me.blogspot.com", true },
        { "x.me.blogspot.com", true },
        { "you.blogspot.com", false },
        { "xn--bcher-kva.example", true },
        { "x.xn--bcher-kva.example", true },
        { "localhost", true },
        { "x.localhost", false },
        { "sender.example", false },
        { "", false },
    };
    struct buf errors = { 0 }, warnings = { 0 };
    struct conf *conf = load_text(
        HEAD LOCAL(
            "\"Mail.ONE.example\", \"four.co.uk\", \"github.io\", "
            "\"me.blogspot.com\", \"b\xc3\xbc"
            "cher.example\", \"localhost\"") "srs = { domain = "
                                             "\"srs.two.example\"; secret_file "
                                             "= "
                                             "\"@DIR@/secret\"; domain_map = ( "
                                             "{ from = \"a.example\"; to = "
                                             "\"s.three.example\"; } ); };\n",
        NULL, &errors, &warnings);

    (void)state;
    if (conf == NULL)
        fail_msg("%s", buf_cstr(&errors));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (conf_in_family(conf, slice_from(rows[i].domain)) != rows[i].is)
            fail_msg("%s", rows[i].domain);
    assert_int_equal(warnings.len, 0);
    conf_unref(conf);
    buf_free(&errors);
    buf_free(&warnings);
}

static void
put_key(const char *domain, const char *file)
{
    struct buf pem = { 0 }, name = { 0 };

    assert_true(dkim_key_generate(DKIM_ED25519_SHA256, 0, &pem));
    buf_printf(&name, "keys/%s", domain);
    make_dir(buf_cstr(&name), 0750);
    buf_printf(&name, "/%s", file);
    write_file(buf_cstr(&name), buf_cstr(&pem), 0600);
    buf_free_secret(&pem);
    buf_free(&name);
}

static void
keys(void **state)
{
    struct buf errors = { 0 }, warnings = { 0 };

    (void)state;
    put_key("k.six.example", "s.pem");
    put_key("seven.example", "s.next.pem");
    put_key("eight.example", "s.old.pem");
    put_key("srs.nine.example", "s.pem");
    struct conf *conf = load_text(
        HEAD SRS(
            "srs.nine.example") "dkim = { key_directory = \"@DIR@/keys\"; };\n",
        NULL, &errors, &warnings);
    if (conf == NULL)
        fail_msg("%s", buf_cstr(&errors));
    assert_true(conf_in_family(conf, SLICE_OF("x.six.example")));
    assert_true(conf_in_family(conf, SLICE_OF("x.seven.example")));
    assert_true(conf_in_family(conf, SLICE_OF("eight.example")));
    assert_true(conf_in_family(conf, SLICE_OF("nine.example")));
    /* Its own key is no reason to warn. */
    assert_int_equal(warnings.len, 0);
    conf_unref(conf);

    conf = load_text(
        HEAD SRS("srs.six.example") "dkim = { key_directory = \"@DIR@/keys\"; "
                                    "sign_forwarded = false; };\n",
        NULL, &errors, &warnings);
    assert_non_null(conf);
    assert_non_null(strstr(buf_cstr(&warnings), "six.example"));
    conf_unref(conf);
    buf_free(&errors);
    buf_free(&warnings);
}

/* What the warning has to say, or NULL: none. */
static const struct {
    const char *name;
    const char *text;
    const char *domain;
} warned[] = {
    { "a mailbox domain above",
      HEAD LOCAL("\"one.example\"") SRS("srs.one.example"), "one.example" },
    { "beside", HEAD LOCAL("\"mail.one.example\"") SRS("srs.one.example"),
      "one.example" },
    { "itself", HEAD LOCAL("\"one.example\"") SRS("one.example"),
      "one.example" },
    { "in a table",
      HEAD LOCAL("\"texthash:@DIR@/domains\"") SRS("srs.tab.example"),
      "tab.example" },
    { "two owners below one suffix",
      HEAD LOCAL("\"one.co.uk\"") SRS("two.co.uk"), NULL },
    { "another name", HEAD LOCAL("\"one.example\"") SRS("srs-one.example"),
      NULL },
    { "in another table",
      HEAD LOCAL("\"texthash:@DIR@/domains\"") SRS("srs.untab.example"), NULL },
};

static void
warns(void **state)
{
    (void)state;
    write_file("domains", "tab.example x\n", 0644);
    for (size_t i = 0; i < sizeof(warned) / sizeof(warned[0]); i++) {
        struct buf errors = { 0 }, warnings = { 0 };
        struct conf *conf = load_text(warned[i].text, NULL, &errors, &warnings);
        if (conf == NULL)
            fail_msg("%s: %s", warned[i].name, buf_cstr(&errors));
        const char *text = buf_cstr(&warnings);
        bool ok = warned[i].domain == NULL
                      ? warnings.len == 0
                      : strstr(text, "srs.domain: ") != NULL &&
                            strstr(text, warned[i].domain) != NULL &&
                            strstr(text, "registered by itself") != NULL &&
                            strstr(text, "adkim=s; aspf=s") != NULL;
        if (!ok)
            fail_msg("%s: %s", warned[i].name, text);
        conf_unref(conf);
        buf_free(&errors);
        buf_free(&warnings);
    }
}

/* The SRS domains that a table names are of the family. */
static void
tables(void **state)
{
    struct buf errors = { 0 }, warnings = { 0 };

    (void)state;
    write_file("map", "a.example srs.ten.example\n", 0644);
    struct conf *conf = load_text(
        HEAD "srs = { domain = \"srs.nine.example\"; secret_file = "
             "\"@DIR@/secret\"; domain_map = ( \"texthash:@DIR@/map\" ); };\n",
        NULL, &errors, &warnings);
    assert_non_null(conf);
    assert_true(conf_in_family(conf, SLICE_OF("ten.example")));

    conf_unref(conf);
    buf_free(&errors);
    buf_free(&warnings);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),
        cmocka_unit_test(keys),
        cmocka_unit_test(warns),
        cmocka_unit_test(tables),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
