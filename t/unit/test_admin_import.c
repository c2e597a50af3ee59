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
    { "nothing", "", true, "aliases:1: ", NULL },
    { "no object", "[]", true, "there is no object \"alias\" in it", NULL },
    { "an alias that is no object", "{\"alias\":[]}", true,
      "there is no object \"alias\" in it", NULL },
    { "a comma that is missing", "{\"alias\":\n{\"a.example\":[]\n\"b\":[]}}",
      true, "aliases:3: ", NULL },
    { "a string that does not end", "{\"alias\":{\"a.example", true,
      "aliases:1: this string does not end, or holds a bad escape", NULL },
    { "a bad escape", "{\"alias\":{\"\\x\":[]}}", true, "bad escape", NULL },
    { "a line end in a string", "{\"alias\":{\"a\n\":[]}}", true,
      "aliases:1: this string does not end", NULL },
    { "something behind the end", "{\"alias\":{}} x", true,
      "something stands behind the end", NULL },
    { "nesting without end",
      "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", true,
      "nested too deeply", NULL },
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
    INPUTS = sizeof(inputs) / sizeof(inputs[0])
};

int
main(void)
{
    struct CMUnitTest tests[RULES + INPUTS + 1] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < RULES; i++)
        tests[n++] =
            (struct CMUnitTest){ rules[i].name, turns_a_rule_into, NULL, NULL,
                                 (void *)(uintptr_t)&rules[i] };
    for (size_t i = 0; i < INPUTS; i++)
        tests[n++] = (struct CMUnitTest){ inputs[i].name, says_of, NULL, NULL,
                                          (void *)(uintptr_t)&inputs[i] };
    tests[n] = (struct CMUnitTest)cmocka_unit_test(
        finds_the_files_that_opendkim_names);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
