/*
 * The importers' own decisions, row by row: what a rule of the alias file
 * becomes, and what is said of input that is none. Whether the result is a
 * configuration that forwards the same is shown with the program
 * (t/e2e/import-*.t).
 */
#include "import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool
has(const struct buf *text, const char *part)
{
    struct buf copy = { 0 };

    buf_append(&copy, buf_slice(text));
    bool found = strstr(buf_cstr(&copy), part) != NULL;
    buf_free(&copy);
    return found;
}

static const struct rule {
    const char *name; /* local_name, as it stands in JSON */
    const char *meant;
    const char *literal;
    bool narrowed;
} rules[] = {
    { "*", "match = \"*@a.example\"", "match = \"*@a.example\"", false },
    { "bob", "match = \"bob@a.example\"",
      "regex = "
      "\"(?i)^(?:(?=[^@]*(?:bob))[^@]*|bob)@a\\\\.example$\"",
      true },
    { "fwd.*", "match = \"fwd.*@a.example\"",
      "regex = \"(?i)^(?:(?=[^@]*(?:fwd.*))[^@]*|fwd\\\\.\\\\*)"
      "@a\\\\.example$\"",
      true },
    { "fwd-.*", "match = \"fwd-*@a.example\"", "(?:fwd-.*)", true },
    { ".*", "match = \"*@a.example\"", "(?:.*)", false },
    { "user+tag", "match = \"user+tag@a.example\"", "user\\\\+tag)", true },
    { "fwd.+", "regex = \"(?i)^(?:fwd.+)@a\\\\.example$\"", "(?:fwd.+)", true },
    { "^(a|b)$", "regex = \"(?i)^(?:^(a|b)(?=@))@a\\\\.example$\"",
      "(?:^(a|b)(?=@))", false },
    { "a$|^b", "(?:a(?=@)|^b)@", "(?:a(?=@)|^b)", true },
    { "x[$]y", "(?:x[$]y)@", "(?:x[$]y)", true },
    { "x\\\\$y", "(?:x\\\\$y)@", "(?:x\\\\$y)", true },
    { "bad(", "regex = \"^bad\\\\(@a\\\\.example$\"",
      "regex = \"^bad\\\\(@a\\\\.example$\"", false },
};

static void
turns_a_rule_into(void **state)
{
    const struct rule *rule = *state;

    for (int literal = 0; literal < 2; literal++) {
        struct import_result result = { 0 };
        struct buf text = { 0 };
        buf_printf(&text,
                   "{\"alias\":{\"a.example\":[{\"local_name\":\"%s\","
                   "\"forward_to\":\"me@b.example\"}]}}",
                   rule->name);
        struct import_haraka input = { .aliases_name = SLICE("aliases"),
                                       .aliases = buf_slice(&text),
                                       .meaning = literal ? IMPORT_LITERAL
                                                          : IMPORT_MEANT };
        import_haraka(&input, &result);
        assert_false(result.failed);
        if (!has(&result.conf, literal ? rule->literal : rule->meant))
            fail_msg("%.*s", SLICE_ARG(buf_slice(&result.conf)));
        assert_true(has(&result.conf, "to = ( \"me@b.example\" )"));
        assert_int_equal(has(&result.notes, "aliases:1: narrowed: "),
                         rule->narrowed && !literal);
        import_result_free(&result);
        buf_free(&text);
    }
}

static const struct input {
    const char *name;
    const char *text;
    bool failed;
    const char *note; /* or NULL */
    const char *conf; /* or NULL */
} inputs[] = {
    { "escapes",
      "{\"alias\":{\"a.example\":[{\"local_name\":\"x\",\"forward_to\":"
      "\"\\u00e9\\ud83d\\ude00\\u20ac\\u0041@c.example\"}]}}",
      false, NULL,
      "to = ( \"\xc3\xa9\xf0\x9f\x98\x80\xe2\x82\xac"
      "A@c.example\" )" },
    { "half a pair", "{\"alias\":{\"\\ud83d\":[]}}", true, "invalid Unicode",
      NULL },
    { "a pair with a blank in it", "{\"alias\":{\"\\ud83d \\ude00\":[]}}", true,
      "invalid Unicode", NULL },
    { "the wrong half", "{\"alias\":{\"\\ude00\":[]}}", true, "invalid Unicode",
      NULL },
    { "no hexadecimal number", "{\"alias\":{\"\\u12g4\":[]}}", true,
      "invalid escape", NULL },
    /* libconfig's strings end at a NUL: the rest would be lost in silence. */
    { "a NUL", "{\"alias\":{\"a.example\":[{\"local_name\":\"x\\u0000y\"}]}}",
      true, "is not allowed", NULL },
    { "no colon", "{\"alias\" 1}", true, "':' expected near '1'", NULL },
    { "a name that is none", "{alias:1}", true,
      "string or '}' expected near 'alias'", NULL },
    { "a word that is none", "{\"alias\":yes}", true,
      "invalid token near 'yes'", NULL },
    { "null, and a number",
      "{\"alias\":{\"a.example\":[{\"local_name\":\"x\",\"disable\":-1,"
      "\"forward_to\":null}]}}",
      false, NULL, "{ match = \"x@a.example\"; action = \"reject\"; }" },
    /* A file cannot write into the terminal of who reads it. */
    { "a domain that moves the cursor", "{\"alias\":{\"a\\u001b[2J\":[]}}",
      false, "aliases:1: \"a?[2j\" is no domain", NULL },
    { "nothing", "", true, "aliases:1: ", NULL },
    { "no object", "[]", true, "there is no object \"alias\" in it", NULL },
    { "an alias that is no object", "{\"alias\":[]}", true,
      "there is no object \"alias\" in it", NULL },
    { "a comma that is missing", "{\"alias\":\n{\"a.example\":[]\n\"b\":[]}}",
      true, "aliases:3: ", NULL },
    { "a string that does not end", "{\"alias\":{\"a.example", true,
      "aliases:1: premature end of input", NULL },
    { "a bad escape", "{\"alias\":{\"\\x\":[]}}", true, "invalid escape",
      NULL },
    { "a line end in a string", "{\"alias\":{\"a\n\":[]}}", true,
      "aliases:1: unexpected newline", NULL },
    { "something behind the end", "{\"alias\":{}} x", true,
      "end of file expected near 'x'", NULL },
    { "two members of one name", "{\"alias\":{\"b\":[],\n\"b\":[]}}", true,
      "aliases:2: duplicate object key", NULL },
    { "lines, after strings with quotes and brackets",
      "{\"alias\":\n{\"a.example\":[\n{\"local_name\":\"[\\\"}\",\n"
      "\"forward_to\":[\"b@c.example\" ,\n\"no\"]}]}}",
      false, "aliases:5: a target is no address: \"no\"", NULL },
    { "a domain that is none", "{\"alias\":{\"a b\":[]}}", false,
      "aliases:1: \"a b\" is no domain: left out", NULL },
    { "a rule without local_name",
      "{\"alias\":{\"a.example\":[{\"forward_to\":\"b@c.example\"}]}}", false,
      "a rule without local_name or forward_to: left out", "aliases = (\n" },
    { "a rule without forward_to",
      "{\"alias\":{\"a.example\":[{\"local_name\":\"x\"}]}}", false,
      "a rule without local_name or forward_to: left out", "aliases = (\n" },
    { "a disabled rule needs none",
      "{\"alias\":{\"a.example\":[{\"local_name\":\"x\",\"disable\":true}]}}",
      false, NULL, "{ match = \"x@a.example\"; action = \"reject\"; }" },
    { "disable false",
      "{\"alias\":{\"a.example\":[{\"local_name\":\"x\",\"disable\":false,"
      "\"forward_to\":\"b@c.example\"}]}}",
      false, NULL, "{ match = \"x@a.example\"; to = ( \"b@c.example\" ); }" },
    { "targets of which one is none",
      "{\"alias\":{\"a.example\":[{\"local_name\":\"x\",\"forward_to\":"
      "[\"no\",\"b@c.example\",7]}]}}",
      false, "a target is no address: \"no\": left out",
      "to = ( \"b@c.example\" )" },
    { "no target at all",
      "{\"alias\":{\"a.example\":[{\"local_name\":\"x\",\"forward_to\":[]}]}}",
      false, "names no address: mail to it is rejected",
      "{ match = \"x@a.example\"; action = \"reject\"; }" },
    { "a target that is asked for again",
      "{\"alias\":{\"a.example\":[{\"local_name\":\"x\",\"forward_to\":"
      "\"y@A.example\"}]}}",
      false, "the target y@A.example is in an alias domain", NULL },
    { "one rule without its list",
      "{\"alias\":{\"a.example\":{\"local_name\":\"x\",\"forward_to\":"
      "\"b@c.example\"}}}",
      false, NULL, "{ match = \"x@a.example\"; to = ( \"b@c.example\" ); }" },
    { "a description cannot leave its line",
      "{\"alias\":{\"a.example\":[{\"local_name\":\"x\",\"forward_to\":"
      "\"b@c.example\",\"__DESCRIPTION__\":\"a\\n); evil = 1;\"}]}}",
      false, NULL, "    # a ); evil = 1;\n" },
    { "nor a name its string",
      "{\"alias\":{\"a.example\":[{\"local_name\":\"x\\\"; y = \\\"\","
      "\"forward_to\":\"b@c.example\"}]}}",
      false, NULL, "(?:x\\\"; y = \\\")@" },
};

static void
says_of(void **state)
{
    const struct input *row = *state;
    struct import_result result = { 0 };
    struct import_haraka input = { .aliases_name = SLICE("aliases"),
                                   .aliases = slice_from(row->text) };

    import_haraka(&input, &result);
    assert_int_equal(result.failed, row->failed);
    if (row->note != NULL && !has(&result.notes, row->note))
        fail_msg("%.*s", SLICE_ARG(buf_slice(&result.notes)));
    if (row->conf != NULL && !has(&result.conf, row->conf))
        fail_msg("%.*s", SLICE_ARG(buf_slice(&result.conf)));
    import_result_free(&result);
}

/* Deeper than any document that people write: an error, and not the end of
 * the stack. */
static void
refuses_nesting_without_end(void **state)
{
    struct import_result result = { 0 };
    struct buf text = { 0 };

    (void)state;
    for (int i = 0; i < 100000; i++)
        buf_putc(&text, '[');
    struct import_haraka input = { .aliases_name = SLICE("aliases"),
                                   .aliases = buf_slice(&text) };
    import_haraka(&input, &result);
    assert_true(result.failed);
    assert_true(has(&result.notes, "maximum parsing depth"));
    import_result_free(&result);
    buf_free(&text);
}

static void
takes_the_rest_of_haraka(void **state)
{
    static const struct import_dkim_key key = { SLICE("a.example"), SLICE("s"),
                                                SLICE("/h/private") };
    static const struct {
        const char *srs;
        const char *conf, *note;
    } rows[] = {
        { "sender_domain=srs.a.example\r\nsecret = x\r\n",
          "domain      = \"srs.a.example\"", "make a secret" },
        { "; nothing\nsecret=x", "aliases = (", "names no sender_domain" },
        { "sender_domain=yourdomain.me\n", "\"yourdomain.me\"",
          "sender_domain is still \"yourdomain.me\"" },
        { "sender_domain=a.example\nsecret=ChangeThisWithWhateverYouInvented\n",
          "srs = {", "the secret is the one that everybody has" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct import_result result = { 0 };
        struct import_haraka input = {
            .aliases_name = SLICE("aliases"),
            .aliases = SLICE("{\"alias\":{\"B.example\":[]}}"),
            .srs = slice_from(rows[i].srs),
            .host_list = SLICE("A.example\r\n# no domain\nc.example\n\n"),
            .keys = &key,
            .key_count = 1,
        };
        import_haraka(&input, &result);
        assert_false(result.failed);
        assert_true(has(&result.conf, rows[i].conf));
        assert_true(has(&result.notes, rows[i].note));
        assert_true(has(&result.conf,
                        "local_domains = ( \"a.example\", \"c.example\" )"));
        assert_true(has(&result.notes, "\"B.example\" has capitals"));
        assert_true(has(&result.notes, "'/etc/onward/dkim/a.example/s.pem'"));
        import_result_free(&result);
    }
}

static void
says_that_nothing_is_there(void **state)
{
    struct import_result result = { 0 };
    struct import_haraka input = { .aliases_name = SLICE("aliases") };

    (void)state;
    import_haraka(&input, &result);
    assert_true(result.failed);
    assert_true(has(&result.notes, "there is no rcpt_to.alias_forward"));
    import_result_free(&result);
}

/* ---- OpenDKIM and PostSRSd ---- */

static const struct table_row {
    const char *name;
    const char *keys, *signing;
    const char *note; /* or NULL */
    bool failed;
} table_rows[] = {
    { "a key of its domain", "k a.example:s1:/k/a", "*@a.example k",
      "copy the key: install -D -m 0640 -g onward '/k/a' "
      "'/etc/onward/dkim/a.example/s1.pem'\n",
      false },
    { "a key for every author", "k a.example:s1:/k/a", "* k",
      "\"*\" signs every author with d=a.example", false },
    { "a key for another domain", "k a.example:s1:/k/a", "b.example k",
      "authors at b.example were signed with d=a.example", false },
    { "a key for one address", "k a.example:s1:/k/a", "u@a.example k",
      "\"u@a.example\" named one address", false },
    { "a key for those below", "k a.example:s1:/k/a", "*@*.a.example k",
      "'/etc/onward/dkim/a.example/s1.pem'", false },
    { "the author's domain", "k %:s1:/k/a\nj a.example:s:/j", "",
      "\"k\" takes the author's domain (%)", false },
    { "a domain that is none", "k a_ b:s1:/k/a", "",
      "\"a_ b\" is no domain: left out", true },
    { "a line that is none", "k a.example", "", "not understood: k a.example",
      true },
    { "a selector that leads elsewhere", "k a.example:../../x:/k/a", "",
      "selector \"../../x\": one of these cannot be: left out", false },
    { "a path that ends the quotes", "k a.example:s:/k'; rm -rf '/", "",
      "the key /k'; rm -rf '/ of domain", false },
    { "nothing", "# only this\n\n", "", "there is nothing to import", true },
};

static void
says_of_tables(void **state)
{
    const struct table_row *row = *state;
    struct import_result result = { 0 };
    struct import_opendkim input = {
        .conf = SLICE("Mode sv\nSyslog yes\n"),
        .key_table = slice_from(row->keys),
        .signing_table = slice_from(row->signing),
    };

    import_opendkim(&input, &result);
    assert_int_equal(result.failed, row->failed);
    if (row->note != NULL && !has(&result.notes, row->note))
        fail_msg("%.*s", SLICE_ARG(buf_slice(&result.notes)));
    assert_true(has(&result.notes, "Mode sv: Onward signs"));
    assert_true(has(&result.conf, "key_directory"));
    import_result_free(&result);
}

static void
takes_a_single_key(void **state)
{
    struct import_result result = { 0 };
    struct import_opendkim input = {
        .conf = SLICE("Domain a.example, b.example\nSelector s\nKeyFile /k\n"),
    };

    (void)state;
    import_opendkim(&input, &result);
    assert_false(result.failed);
    assert_true(has(&result.notes, "'/etc/onward/dkim/a.example/s.pem'"));
    assert_true(has(&result.notes, "'/etc/onward/dkim/b.example/s.pem'"));
    import_result_free(&result);
}

/* A list over several lines is read to its brace, whatever blanks stand behind
 * its beginning, and to the end of the text where it has none. */
static void
reads_lists_of_several_lines(void **state)
{
    static const struct {
        const char *text;
        const char *domains;
    } rows[] = {
        { "domains = { \"a.example\",\n \"b.example\" }\n",
          "local_domains = ( \"a.example\", \"b.example\" )" },
        { "domains = {            \t\r\n a.example # x.example\n b.example}",
          "local_domains = ( \"a.example\", \"b.example\" )" },
        { "domains = {\n a.example", "local_domains = ( \"a.example\" )" },
        { "domains = {", "local_domains = ( )" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct import_result result = { 0 };
        struct import_postsrsd input = { .text = slice_from(rows[i].text) };
        import_postsrsd(&input, &result);
        if (!has(&result.conf, rows[i].domains))
            fail_msg("%.*s", SLICE_ARG(buf_slice(&result.conf)));
        import_result_free(&result);
    }
}

static void
finds_the_files_that_opendkim_names(void **state)
{
    static const struct {
        const char *conf;
        const char *path;
    } rows[] = {
        { "KeyTable /etc/opendkim/KeyTable\n", "/etc/opendkim/KeyTable" },
        { "KeyTable refile:/etc/opendkim/KeyTable\n",
          "/etc/opendkim/KeyTable" },
        { "keytable\tfile:/k # no comment\n", "/k # no comment" },
        { "#KeyTable /a\nKeyTable /b\nKeyTable /c\n", "/c" },
        { "KeyTable csl:a=b\n", "" },
        { "KeyTables /a\n", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf path = { 0 };
        import_opendkim_file(slice_from(rows[i].conf), "KeyTable", &path);
        assert_string_equal(buf_cstr(&path), rows[i].path);
        buf_free(&path);
    }
}

enum {
    RULES = sizeof(rules) / sizeof(rules[0]),
    INPUTS = sizeof(inputs) / sizeof(inputs[0]),
    TABLES = sizeof(table_rows) / sizeof(table_rows[0]),
};

int
main(void)
{
    struct CMUnitTest tests[RULES + INPUTS + TABLES + 6] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < RULES; i++)
        tests[n++] =
            (struct CMUnitTest){ rules[i].name, turns_a_rule_into, NULL, NULL,
                                 (void *)(uintptr_t)&rules[i] };
    for (size_t i = 0; i < INPUTS; i++)
        tests[n++] = (struct CMUnitTest){ inputs[i].name, says_of, NULL, NULL,
                                          (void *)(uintptr_t)&inputs[i] };
    for (size_t i = 0; i < TABLES; i++)
        tests[n++] =
            (struct CMUnitTest){ table_rows[i].name, says_of_tables, NULL, NULL,
                                 (void *)(uintptr_t)&table_rows[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(takes_the_rest_of_haraka);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(refuses_nesting_without_end);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(says_that_nothing_is_there);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(takes_a_single_key);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(reads_lists_of_several_lines);
    tests[n] = (struct CMUnitTest)cmocka_unit_test(
        finds_the_files_that_opendkim_names);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
